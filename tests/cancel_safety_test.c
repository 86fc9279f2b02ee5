/* SPDX-License-Identifier: MIT */
/* The tables of docs/cancel-safety.md, and the headers on the same. */
#include "public_futures.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static const char *page;

static bool of_a_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Whether the comment, from its slash on, has this in it, whatever the case. */
static bool has(const char *comment, const char *what)
{
    const char *found = strcasestr(comment, what);
    return found != NULL && found < strstr(comment, "*/");
}

static bool names(const char *comment, const char *name)
{
    const char *end = strstr(comment, "*/");
    for (const char *at = comment; (at = strstr(at, name)) != NULL && at < end; at++)
        if (!of_a_name(at[-1]) && !of_a_name(at[strlen(name)]))
            return true;
    return false;
}

static const char *next_comment(const char *at)
{
    return strstr(at, "/* ");
}

/* Its row says yes, its place, its child, or no. The header says something, in a comment that names the
 * future or in the one at its top, and "Not cancel safe" of those that are not. */
static void is_told(const char *path, const char *text, const char *name)
{
    char row[128];
    snprintf(row, sizeof row, "\n| `%s` | ", name);
    const char *cell = strstr(page, row);
    cr_assert_not_null(cell, "docs/cancel-safety.md has no row%s", row);
    cell += strlen(row);
    bool not_safe = strncmp(cell, "no |", 4) == 0;
    cr_assert(not_safe || strncmp(cell, "yes |", 5) == 0 || strncmp(cell, "its place |", 11) == 0 ||
                  strncmp(cell, "its child |", 11) == 0,
              "docs/cancel-safety.md: %s: %.10s", name, cell);
    const char *top = next_comment(next_comment(text) + 1);
    bool said = has(top, "cancel safe"), said_not = false;
    for (const char *comment = top; comment != NULL; comment = next_comment(comment + 1)) {
        if (!names(comment, name))
            continue;
        said |= has(comment, "cancel safe"); /* and "cancel safety" */
        said_not |= has(comment, "not cancel safe");
    }
    cr_assert(said, "%s says nothing of %s's cancel safety", path, name);
    cr_assert_eq(said_not, not_safe, "%s and docs/cancel-safety.md are not of one mind about %s",
                 path, name);
}

Test(cancel_safety, the_page_and_the_headers_tell_of_each_future)
{
    page = strdup(contents_of("docs/cancel-safety.md"));
    int found = for_each_public_future(is_told), rows = 0;
    for (const char *at = page; (at = strstr(at, "\n| `edo_")) != NULL; at++)
        rows++;
    cr_assert_eq(rows, found, "a row of what is not there, or two");
    free((void *)(uintptr_t)page);
}
