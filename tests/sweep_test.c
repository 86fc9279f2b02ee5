/* SPDX-License-Identifier: MIT */
/* The sweep itself: what is wrong must be noticed. */
#include "support/sweep.h"

#include "io_helpers.h"

/* An example to sweep, its main under another name. */
int swept_two_awaits(int argc, char **argv);
#define main swept_two_awaits
#include "examples/two_awaits.c"
#undef main

static int complaints;
static char complaint[512];

static void count_complaint(const char *what)
{
    if (complaints++ == 0)
        snprintf(complaint, sizeof complaint, "%s", what);
}

Test(sweep, an_await_that_was_not_cancelled_is_missed)
{
    cr_assert_eq(sweep_missed("examples/two_awaits.c", NULL), 4);
    SWEEP(NEW(prepare, .what = "tea", .ms = 1));
    cr_assert_eq(sweep_missed("examples/two_awaits.c", NULL), 3);
    sweep_complain = count_complaint;
    sweep_covered("examples/two_awaits.c");
    cr_assert_eq(complaints, 1);
}

/* Allocates, and frees at its end only, not in a FINALLY. */
struct forgetful {
    FUTURE(int);
    void *block;
};

/* What was forgotten: for the leak checker, which is not what is tested here. */
static void *forgotten[64];
static int forgotten_count;

static void forgetful_clean(void)
{
    while (forgotten_count > 0)
        edo_free(forgotten[--forgotten_count]);
}

ASYNC(forgetful)
{
    ASYNC_BEGIN;
    self->block = edo_malloc(1);
    cr_assert_lt(forgotten_count, 64);
    forgotten[forgotten_count++] = self->block;
    YIELD_NOW();
    forgotten_count--;
    edo_free(self->block);
    ASYNC_END;
}

Test(sweep, a_leak_on_cancellation_is_noticed)
{
    sweep_complain = count_complaint;
    SWEEP(NEW(forgetful));
    forgetful_clean();
    cr_assert_eq(complaints, 4 * 2 * 2, "%d", complaints); /* bytes and blocks, each way, twice */
    static const char expected[] = "drop at suspension 1: bytes: "; /* the allocator rounds up */
    cr_assert_eq(strncmp(complaint, expected, sizeof expected - 1), 0, "%s", complaint);
}

/* Written by hand, and not passing the drop on to its child. */
struct careless {
    FUTURE(int);
    struct forgetful child;
};

static enum edo_poll careless_poll(struct edo_future *future, struct edo_context *cx)
{
    struct careless *self = (struct careless *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "careless");
    if (future->state == EDO_STATE_FRESH)
        self->child = NEW(forgetful);
    future->state = 1;
    return edo_future_poll(&self->child.future_, cx);
}

Test(sweep, a_child_that_is_not_dropped_is_noticed)
{
    sweep_complain = count_complaint;
    SWEEP(NEW(careless));
    forgetful_clean();
    cr_assert_str_eq(complaint,
                     "drop at suspension 1: forgetful was neither completed nor dropped");
}
