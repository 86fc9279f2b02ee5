/* SPDX-License-Identifier: MIT */
/* The same operations among few others and among many: does their price stay? */
#include <stdatomic.h>
#include <stdlib.h>

#include "bench.h"

enum { YIELDS = 2000000, TURNS = 4, TIMEOUTS = 500000 };

/* The tasks are timed from when all of them are there, until when they give way, to when the last has had its
 * turns. Each gives way once more after the start: it waited for it. */
struct crowd {
    struct bench *bench;
    uint64_t turns; /* of each, at least TURNS */
    atomic_uint_fast64_t begun, ended;
};

struct one_of {
    FUTURE(uint64_t);
    struct crowd *crowd;
    uint64_t i;
};

ASYNC(one_of)
{
    struct bench *bench = self->crowd->bench;
    ASYNC_BEGIN;
    if (atomic_fetch_add_explicit(&self->crowd->begun, 1, memory_order_relaxed) + 1 == bench->n)
        bench_start(bench);
    do
        YIELD_NOW();
    while (atomic_load_explicit(&self->crowd->begun, memory_order_relaxed) < self->crowd->bench->n);
    for (; self->i < self->crowd->turns; self->i++)
        YIELD_NOW();
    bench = self->crowd->bench;
    if (atomic_fetch_add_explicit(&self->crowd->ended, 1, memory_order_relaxed) + 1 == bench->n)
        bench_stop(bench, bench->n * (self->crowd->turns + 1));
    RETURN(self->i);
    ASYNC_END;
}

struct yield_among {
    FUTURE(int);
    struct bench *bench;
    struct crowd crowd;
    JOIN_HANDLE(uint64_t) * handles;
    uint64_t i, turns, sum;
    struct edo_join join;
};

ASYNC(yield_among)
{
    ASYNC_BEGIN;
    self->crowd.bench = self->bench;
    self->crowd.turns = YIELDS / self->bench->n > TURNS ? YIELDS / self->bench->n : TURNS;
    self->handles = calloc(self->bench->n, sizeof *self->handles);
    if (self->handles == NULL)
        RETURN(UV_ENOMEM);
    for (self->i = 0; self->i < self->bench->n; self->i++)
        self->handles[self->i] = SPAWN(NEW(one_of, .crowd = &self->crowd));
    for (self->i = 0; self->i < self->bench->n; self->i++) {
        AWAIT(self->join, edo_join(self->handles[self->i], &self->turns));
        if (self->join.output < 0)
            self->output = self->join.output;
        self->sum += self->turns;
    }
    if (self->output == 0 && self->sum != self->bench->n * self->crowd.turns)
        self->output = UV_EIO;
    RETURN(self->output);
ASYNC_FINALLY:
    free(self->handles);
    ASYNC_END;
}

BENCH_TASK(yield_among)

struct sleeper {
    FUTURE(int);
    atomic_uint_fast64_t *asleep;
    uint64_t ms;
    struct edo_sleep sleep;
};

ASYNC(sleeper)
{
    ASYNC_BEGIN;
    atomic_fetch_add_explicit(self->asleep, 1, memory_order_relaxed);
    TRY_AWAIT(self->sleep, edo_sleep(self->ms));
    RETURN(0);
    ASYNC_END;
}

struct timeout_among {
    FUTURE(int);
    struct bench *bench;
    uint64_t i;
    struct edo_yield_now request;
    struct edo_timeout timeout;
};

/* An hour, and then some: all over the wheel, and never due. */
static uint64_t later(uint64_t i)
{
    return 3600000 + i * 7919 % 3600000;
}

/* Of the tasks that sleep; they outlive the future. */
static atomic_uint_fast64_t asleep;

ASYNC(timeout_among)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < self->bench->n; self->i++) {
        JOIN_HANDLE(int) task = SPAWN(NEW(sleeper, .asleep = &asleep, .ms = later(self->i)));
        int error = edo_task_error(task);
        edo_task_detach(task);
        if (error < 0)
            RETURN(error);
    }
    while (atomic_load_explicit(&asleep, memory_order_relaxed) < self->bench->n)
        YIELD_NOW();
    bench_start(self->bench);
    for (self->i = 0; self->i < TIMEOUTS; self->i++) {
        self->request = edo_yield_now();
        TRY_AWAIT(self->timeout, edo_timeout(later(self->i * 31), &self->request));
    }
    bench_stop(self->bench, TIMEOUTS);
    RETURN(0);
    ASYNC_END;
}

BENCH_TASK(timeout_among)
