/* SPDX-License-Identifier: MIT */
#include "awaits.h"

#include <ctype.h>
#include <string.h>

static const char *const keywords[] = {
    "AWAIT",     "AWAIT_REF",     "TRY_AWAIT",   "TRY_AWAIT_REF", "YIELD_NOW",
    "JOIN",      "TRY_JOIN",      "TRY_JOIN_TO", "SELECT_BIASED", "SELECT",
    "FOR_AWAIT", "TRY_FOR_AWAIT", "RACE",
};

static const char *keyword_of(const char *word, size_t length)
{
    if (length > 4 && strncmp(word, "EDO_", 4) == 0) {
        word += 4;
        length -= 4;
    }
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        if (strlen(keywords[i]) == length && strncmp(word, keywords[i], length) == 0)
            return keywords[i];
    return NULL;
}

/* Past a comment, a literal or a line of the preprocessor that begins at `at`; or `at` itself. */
static const char *skip_inert(const char *at, bool line_start)
{
    if (at[0] == '/' && at[1] == '*') {
        const char *end = strstr(at + 2, "*/");
        return end != NULL ? end + 2 : at + strlen(at);
    }
    if (at[0] == '/' && at[1] == '/')
        return at + strcspn(at, "\n");
    if (at[0] == '"' || at[0] == '\'') {
        const char *end = at + 1;
        while (*end != '\0' && *end != at[0])
            end += end[0] == '\\' && end[1] != '\0' ? 2 : 1;
        return *end != '\0' ? end + 1 : end;
    }
    if (at[0] == '#' && line_start) {
        const char *end = at;
        while (*end != '\0' && *end != '\n')
            end += end[0] == '\\' && end[1] != '\0' ? 2 : 1;
        return end;
    }
    return at;
}

bool awaits_next(const char **at, int *line, struct await *found)
{
    int depth = 0;
    bool line_start = true;
    found->keyword = NULL;
    while (**at != '\0') {
        const char *here = *at, *past = skip_inert(here, line_start);
        if (past == here && (isalpha((unsigned char)*here) || *here == '_'))
            while (isalnum((unsigned char)*past) || *past == '_')
                past++;
        if (found->keyword == NULL && isalpha((unsigned char)*here)) {
            *found = (struct await){*line, *line, keyword_of(here, (size_t)(past - here))};
            if (found->keyword != NULL && *past != '(') {
                *at = past;
                return true; /* SELECT */
            }
        }
        if (found->keyword != NULL && (*here == '(' || *here == ')')) {
            depth += *here == '(' ? 1 : -1;
            if (depth == 0) {
                found->last = *line;
                *at = here + 1;
                return true;
            }
        }
        past += past == here;
        for (const char *p = here; p < past; p++)
            *line += *p == '\n';
        line_start = *here == '\n' || (line_start && isspace((unsigned char)*here));
        *at = past;
    }
    return false;
}
