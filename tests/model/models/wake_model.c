/* SPDX-License-Identifier: MIT */
/* Wakers against the task they wake: the wake's writes reach the next poll, no wake is lost, and the
 * last of those who know the task frees it. */
#include "executor.h"

static _Atomic(int) done;

static void sets_and_wakes(void *arg)
{
    edo_fetch_or(&done, 1, relaxed);
    edo_wake(arg);
    edo_waker_drop(arg);
}

/* For the larger ones: the waker is dropped when all is over. How that meets the rest is for
 * task_model.c. */
static struct edo_waker *kept;

static void drop_kept(void)
{
    model_join_all();
    edo_waker_drop(kept);
}

static void block_on(int bits, int turns, void (*begin)(struct edo_waker *waker, void *arg))
{
    struct edo_runtime *runtime = runtime_new();
    struct until future =
        EDO_NEW(until, .done = &done, .bits = bits, .turns = turns, .begin = begin);
    model_assert(edo_block_on(runtime, &future) == 0);
    model_assert((future.output & bits) == bits);
    edo_runtime_drop(runtime);
}

static void begin_one(struct edo_waker *waker, void *arg)
{
    (void)arg;
    model_thread(sets_and_wakes, edo_waker_clone(waker));
}

MODEL(wake_one)
{
    block_on(1, 0, begin_one);
}

static void wakes_second(void *arg)
{
    (void)arg;
    edo_fetch_or(&done, 2, relaxed);
    edo_wake(kept);
}

static void wakes_first(void *arg)
{
    (void)arg;
    edo_fetch_or(&done, 1, relaxed);
    edo_wake(kept);
}

static void begin_two(struct edo_waker *waker, void *arg)
{
    (void)arg;
    kept = edo_waker_clone(waker);
    model_thread(wakes_first, NULL);
    model_thread(wakes_second, NULL);
}

MODEL(wake_two, .bound = 3, .old = 3)
{
    block_on(3, 0, begin_two);
    drop_kept();
}

/* The same waker, twice: the second wake may ride on the first, or link the task again, which the
 * owner has just taken off the list. */
static void wakes_twice(void *arg)
{
    wakes_first(arg);
    wakes_second(arg);
}

static void begin_twice(struct edo_waker *waker, void *arg)
{
    (void)arg;
    kept = edo_waker_clone(waker);
    model_thread(wakes_twice, NULL);
}

MODEL(wake_again)
{
    block_on(3, 0, begin_twice);
    drop_kept();
}

/* While it is in the runtime's queue as well: a poll from there answers the first wake, and the second
 * rides on a link that is still there. */
MODEL(wake_again_while_queued)
{
    block_on(3, 1, begin_twice);
    drop_kept();
}
