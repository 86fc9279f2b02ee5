/* SPDX-License-Identifier: MIT */
/* The programs that the pages of docs/ print are those that the tests compile and run: each block of C is
 * in one of the page's sources, line by line, but for indentation. A line "…" leaves some out. */
#include "public_futures.h"

#include <stdlib.h>

enum { LINES = 4096 };

struct lines {
    char *text;
    const char *line[LINES];
    size_t count;
};

static struct lines lines_of(const char *path)
{
    struct lines lines = {.text = strdup(contents_of(path))};
    for (char *at = lines.text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = '\0';
        cr_assert_lt(lines.count, LINES, "%s: too long for this test", path);
        lines.line[lines.count++] = at;
    }
    return lines;
}

static bool same_line(const char *a, const char *b)
{
    a += strspn(a, " ");
    b += strspn(b, " ");
    return strcmp(a, b) == 0;
}

/* The line after the part, which is looked for from `from` on; 0: it is not there. */
static size_t find_part(const struct lines *in, size_t from, const char *const *part, size_t count)
{
    for (size_t start = from; start + count <= in->count; start++) {
        size_t i = 0;
        while (i < count && same_line(in->line[start + i], part[i]))
            i++;
        if (i == count)
            return start + count;
    }
    return 0;
}

static bool has_block(const char *path, const char *const *block, size_t count)
{
    struct lines source = lines_of(path);
    size_t at = 0, start = 0;
    bool found = true;
    for (size_t end = 0; end <= count && found; end++) {
        if (end < count && !same_line(block[end], "…"))
            continue;
        if (end > start)
            found = (at = find_part(&source, at, block + start, end - start)) != 0;
        start = end + 1;
    }
    free(source.text);
    return found;
}

/* How many blocks the page has, each of which is in one of the sources. */
static int check_page(const char *path, const char *const *sources, size_t count)
{
    struct lines page = lines_of(path);
    int blocks = 0;
    for (size_t i = 0; i < page.count; i++) {
        if (strcmp(page.line[i], "```c") != 0)
            continue;
        size_t start = i + 1, end = start;
        while (end < page.count && strcmp(page.line[end], "```") != 0)
            end++;
        bool found = false;
        for (size_t j = 0; j < count && !found; j++)
            found = has_block(sources[j], page.line + start, end - start);
        cr_assert(found, "%s:%zu: no test has this: %s", path, start + 1, page.line[start]);
        blocks++;
        i = end;
    }
    free(page.text);
    return blocks;
}

#define CHECK_PAGE(path, ...)                                                             \
    cr_assert_gt(check_page((path), (const char *const[]){__VA_ARGS__},                   \
                            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), \
                 0)

Test(docs, every_block_of_c_is_in_a_test)
{
    CHECK_PAGE("docs/select.md", "tests/docs_select_test.c", "tests/docs_select_traps_test.c",
               "tests/compile_fail/await_in_handler_switch.c");
    CHECK_PAGE("docs/cancel-safety.md", "tests/docs_cancel_safety_test.c");
    CHECK_PAGE("docs/streams.md", "tests/docs_streams_test.c");
    CHECK_PAGE("docs/model-checking.md", "tests/model/models/example.c");
}

Test(docs, a_block_that_is_nowhere_is_noticed)
{
    static const char *const source = "tests/docs_test.c";
    static const char *const here[] = {"enum { LINES = 4096 };", "…", "size_t count;"};
    static const char *const swapped[] = {"size_t count;", "…", "enum { LINES = 4096 };"};
    static const char *const nowhere[] = {"enum { LINES = 4097 };"};
    cr_assert(has_block(source, here, 3));
    cr_assert_not(has_block(source, swapped, 3));
    cr_assert_not(has_block(source, nowhere, 1));
}
