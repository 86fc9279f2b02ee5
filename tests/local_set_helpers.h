/* SPDX-License-Identifier: MIT */
/* What the tests of local sets share: tasks that count, and one that waits at a gate. */
#ifndef EDO_TESTS_LOCAL_SET_HELPERS_H
#define EDO_TESTS_LOCAL_SET_HELPERS_H

#include "poll_harness.h"

#include <pthread.h>

#include "edo.h"

HARNESS struct edo_local_set *set_new(void)
{
    struct edo_local_set *set;
    cr_assert_eq(edo_local_set_new(&set), 0);
    return set;
}

/* Runs a future in a current-thread runtime of its own, in the set's context. */
#define BLOCK_ON(set, future)                                                \
    do {                                                                     \
        struct edo_runtime *runtime_;                                        \
        cr_assert_eq(edo_runtime_new(&runtime_), 0);                         \
        cr_assert_eq(edo_local_set_block_on((set), runtime_, &(future)), 0); \
        edo_runtime_drop(runtime_);                                          \
    } while (0)

HARNESS int polls, finals;

/* A task that yields so often. */
struct work {
    FUTURE(int);
    int yields, result;
};

ASYNC(work)
{
    ASYNC_BEGIN;
    for (; self->yields > 0; self->yields--) {
        polls++;
        YIELD_NOW();
    }
    polls++;
    RETURN(self->result);
ASYNC_FINALLY:
    finals++;
    ASYNC_END;
}

/* One that waits until its gate is opened, and keeps its waker. */
struct gate {
    struct edo_waker *waker;
    bool open;
    int polls;
};

struct passes {
    FUTURE(int);
    struct gate *gate;
};

HARNESS enum edo_poll passes_poll(struct edo_future *future, struct edo_context *cx)
{
    struct passes *self = (struct passes *)future;
    struct gate *gate = self->gate;
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "passes");
    if (gate->waker != NULL)
        edo_waker_drop(gate->waker);
    gate->waker = NULL;
    if (cx->walk == EDO_WALK_DROP) {
        finals++;
        return EDO_READY;
    }
    gate->polls++;
    if (gate->open)
        return EDO_READY;
    gate->waker = edo_waker_clone(cx->waker);
    return EDO_PENDING;
}

HARNESS void gate_open(struct gate *gate)
{
    gate->open = true;
    if (gate->waker != NULL)
        edo_wake(gate->waker);
}

struct panics {
    FUTURE(int);
    struct work work;
};
HARNESS ASYNC_DECLARE(panics);

ASYNC(panics)
{
    ASYNC_BEGIN;
    AWAIT(self->work, NEW(work, .yields = 1));
    PANIC("no more than %d", 3);
    ASYNC_END;
}

HARNESS void run_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run, arg), 0);
    pthread_join(thread, NULL);
}

#endif
