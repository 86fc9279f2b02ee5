/* SPDX-License-Identifier: MIT */
/* What the tests of once cells share. */
#ifndef EDO_TESTS_ONCE_CELL_HELPERS_H
#define EDO_TESTS_ONCE_CELL_HELPERS_H

#include "poll_harness.h"

#include "edo.h"

typedef ONCE_CELL(int) int_cell;
HARNESS int_cell cell;

HARNESS int set(int value)
{
    return edo_once_cell_set(&cell, &value);
}

/* One who wants the value: a child of so many turns, and what came of it. */
struct wants {
    struct leaf child;
    struct leaf_log log;
    int value;
    union {
        struct edo_once_cell_get_or_init init;
        struct edo_once_cell_get_or_try_init try_init;
    };
};

HARNESS void want(struct wants *wants, int turns, int value)
{
    *wants = (struct wants){0};
    wants->child = LEAF(&wants->log, turns, value);
    wants->init = edo_once_cell_get_or_init(&cell, &wants->child);
}

HARNESS void was_not_needed(const struct wants *wants)
{
    cr_assert_eq(wants->log.polls, 0);
    cr_assert_eq(wants->log.drops, 1);
}

#endif
