/* SPDX-License-Identifier: MIT */
/* The price of a turn: tasks that give way to each other. */
#include "bench.h"

enum { TASKS = 1000 };

struct yielder {
    FUTURE(uint64_t);
    uint64_t times, done;
};

ASYNC(yielder)
{
    ASYNC_BEGIN;
    for (; self->done < self->times; self->done++)
        YIELD_NOW();
    RETURN(self->done);
    ASYNC_END;
}

struct yield {
    FUTURE(int);
    struct bench *bench;
    JOIN_HANDLE(uint64_t) handles[TASKS];
    int i;
    uint64_t done, sum;
    struct edo_join join;
};

ASYNC(yield)
{
    ASYNC_BEGIN;
    bench_start(self->bench);
    for (self->i = 0; self->i < TASKS; self->i++)
        self->handles[self->i] = SPAWN(NEW(yielder, .times = self->bench->n));
    for (self->i = 0; self->i < TASKS; self->i++) {
        AWAIT(self->join, edo_join(self->handles[self->i], &self->done));
        if (self->join.output < 0)
            self->output = self->join.output;
        self->sum += self->done;
    }
    bench_stop(self->bench, self->sum);
    RETURN(self->output < 0 || self->sum == TASKS * self->bench->n ? self->output : UV_EIO);
    ASYNC_END;
}

BENCH_TASK(yield)
