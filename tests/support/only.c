/* SPDX-License-Identifier: MIT */
/* Runs none but the tests that the file EDO_TEST_ONLY names, "suite/name" a line: a filter of Criterion's holds
 * no more than a few dozen.
 */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/internal/ordered-set.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_named(const char *names, const char *suite, const char *test)
{
    char line[256];
    int size = snprintf(line, sizeof line, "\n%s/%s\n", suite, test);
    cr_assert((size_t)size < sizeof line);
    return strstr(names, line) != NULL;
}

ReportHook(PRE_ALL)(struct criterion_test_set *set)
{
    const char *path = getenv("EDO_TEST_ONLY");
    static char names[1 << 16] = "\n";
    if (path == NULL)
        return;
    FILE *file = fopen(path, "r");
    if (file == NULL || fread(names + 1, 1, sizeof names - 2, file) == 0 || !feof(file)) {
        fprintf(stderr, "%s cannot be read\n", path);
        abort();
    }
    fclose(file);
    FOREACH_SET(struct criterion_suite_set *suite, set->suites) {
        if (suite->tests == NULL)
            continue;
        FOREACH_SET(struct criterion_test *test, suite->tests)
            if (!is_named(names, test->category, test->name))
                test->data->disabled = true;
    }
}
