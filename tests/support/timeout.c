/* SPDX-License-Identifier: MIT */
/* Gives every test that has no .timeout one of TEST_TIMEOUT seconds (60): Criterion's own --timeout
 * only shortens those that there are, and a test that hangs would hang the run.
 */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/internal/ordered-set.h>
#include <stdlib.h>

ReportHook(PRE_ALL)(struct criterion_test_set *set)
{
    const char *given = getenv("TEST_TIMEOUT");
    double seconds = given != NULL ? atof(given) : 0;
    if (seconds <= 0)
        seconds = 60;
    FOREACH_SET(struct criterion_suite_set *suite, set->suites) {
        if (suite->tests == NULL || (suite->suite.data != NULL && suite->suite.data->timeout > 0))
            continue;
        FOREACH_SET(struct criterion_test *test, suite->tests)
            if (test->data->timeout <= 0)
                test->data->timeout = seconds;
    }
}
