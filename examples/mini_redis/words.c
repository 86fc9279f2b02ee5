/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <stdbool.h>

static inline bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that an escape stands for; *at is behind the backslash, and goes to the escape's last. */
static char unescape(const char *line, size_t length, size_t *at)
{
    char c = line[*at];
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    case 'x':
        if (length - *at > 2) {
            int high = hex_digit(line[*at + 1]), low = hex_digit(line[*at + 2]);
            if (high >= 0 && low >= 0) {
                *at += 2;
                return (char)(high << 4 | low);
            }
        }
        return c;
    default:
        return c;
    }
}

int words_next(const char *line, size_t length, size_t *at, char **copy, struct word *word)
{
    size_t i = *at;
    while (i < length && is_blank(line[i]))
        i++;
    if (i == length)
        return 0;
    const char *start = *copy != NULL ? *copy : line + i, *end = NULL;
    char quote = 0;
    for (bool closed = false; i < length && end == NULL; i++) {
        char c = line[i];
        if (quote == 0) {
            if (is_blank(c)) {
                end = *copy != NULL ? *copy : line + i;
                continue;
            }
            if (closed)
                return -1;
            if (*copy != NULL && (c == '"' || c == '\'')) {
                quote = c;
                continue;
            }
        } else if (c == quote) {
            quote = 0;
            closed = true;
            continue;
        } else if (c == '\\' && i + 1 < length && quote == '"') {
            i++;
            c = unescape(line, length, &i);
        } else if (c == '\\' && i + 1 < length && line[i + 1] == '\'') {
            c = line[++i];
        }
        if (*copy != NULL)
            *(*copy)++ = c;
    }
    if (quote != 0)
        return -1;
    if (end == NULL)
        end = *copy != NULL ? *copy : line + i;
    *word = (struct word){start, (size_t)(end - start)};
    *at = i;
    return 1;
}
