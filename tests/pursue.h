/* SPDX-License-Identifier: MIT */
/* A plain thread that polls a future: unasked, too, with one waker and then another, and gives it up as
 * it happens. Its wakers live on the heap, and no longer than the future, or a clone: who touches one
 * later is found. */
#ifndef EDO_TESTS_PURSUE_H
#define EDO_TESTS_PURSUE_H

#include <sched.h>
#include <stdlib.h>

#include "poll_harness.h"

struct pursuer {
    struct edo_waker waker;
    _Atomic(int) refs;
    struct edo_event woken;
};

HARNESS void pursuer_wake(struct edo_waker *waker)
{
    edo_event_set(&((struct pursuer *)waker)->woken);
}

HARNESS struct edo_waker *pursuer_clone(struct edo_waker *waker)
{
    edo_fetch_add(&((struct pursuer *)waker)->refs, 1, relaxed);
    return waker;
}

HARNESS void pursuer_drop(struct edo_waker *waker)
{
    struct pursuer *pursuer = (struct pursuer *)waker;
    if (edo_fetch_sub(&pursuer->refs, 1, acq_rel) != 1)
        return;
    edo_event_destroy(&pursuer->woken);
    edo_free(pursuer);
}

HARNESS void pursuer_finish(struct edo_waker *claimed)
{
    pursuer_wake(claimed);
    pursuer_drop(claimed);
}

static const struct edo_waker_ops pursuer_stable = {pursuer_wake, pursuer_clone, pursuer_drop,
                                                    pursuer_clone, pursuer_finish};
static const struct edo_waker_ops pursuer_foreign = {pursuer_wake, pursuer_clone, pursuer_drop,
                                                     NULL, NULL};

HARNESS struct pursuer *pursuer_new(unsigned *seed)
{
    struct pursuer *pursuer = edo_malloc(sizeof *pursuer);
    pursuer->waker.ops = rand_r(seed) & 1 ? &pursuer_stable : &pursuer_foreign;
    edo_init(&pursuer->refs, 1);
    edo_event_init(&pursuer->woken);
    return pursuer;
}

/* Polls a few times; then, if it is to be, until it is ready. Whether it is; else it was dropped. */
HARNESS bool pursue(struct edo_future *future, bool to_the_end, unsigned *seed)
{
    struct pursuer *pursuers[2] = {pursuer_new(seed), pursuer_new(seed)}, *last = pursuers[0];
    struct edo_context cx;
    edo_context_init(&cx, &last->waker);
    bool ready = false;
    for (int left = rand_r(seed) % 4; !ready && left >= 0; left--) {
        last = pursuers[rand_r(seed) % 2];
        cx.waker = &last->waker;
        ready = edo_future_poll(future, &cx) == EDO_READY;
        if (rand_r(seed) % 8 == 0)
            sched_yield();
    }
    while (!ready && to_the_end) {
        edo_event_wait(&last->woken);
        cx.budget = EDO_BUDGET;
        ready = edo_future_poll(future, &cx) == EDO_READY;
    }
    if (!ready)
        edo_future_drop(future, &cx);
    pursuer_drop(&pursuers[0]->waker);
    pursuer_drop(&pursuers[1]->waker);
    return ready;
}

/* Of each round another one; printed, so that it can be had again. */
HARNESS unsigned pursue_seed(void)
{
    unsigned seed = (unsigned)edo_clock_ns();
    fprintf(stderr, "seed %u\n", seed);
    return seed;
}

#endif
