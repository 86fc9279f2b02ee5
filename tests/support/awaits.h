/* SPDX-License-Identifier: MIT */
/* Finds the awaits in the text of a C source: calls of AWAIT, JOIN, FOR_AWAIT and their like, and
 * SELECT, outside of comments, literals and lines of the preprocessor. */
#ifndef EDO_TESTS_AWAITS_H
#define EDO_TESTS_AWAITS_H

#include <stdbool.h>

struct await {
    int first, last; /* lines: compilers differ in which one of several a macro call has */
    const char *keyword;
};

/* The next await after *at, whose line is *line; both move on. False: no more. */
bool awaits_next(const char **at, int *line, struct await *found);

#endif
