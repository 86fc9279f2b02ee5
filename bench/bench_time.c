/* SPDX-License-Identifier: MIT */
/* Timers that expire, and timers that nearly always do not: the timeouts of requests. */
#include <stdlib.h>

#include "bench.h"

struct timers {
    FUTURE(int);
    struct bench *bench;
    JOIN_HANDLE(int) * handles; /* of sleeps, which are futures like any other */
    uint64_t i;
    int slept;
    struct edo_join join;
};

ASYNC(timers)
{
    ASYNC_BEGIN;
    self->handles = calloc(self->bench->n, sizeof *self->handles);
    if (self->handles == NULL)
        RETURN(UV_ENOMEM);
    bench_start(self->bench);
    for (self->i = 0; self->i < self->bench->n; self->i++)
        self->handles[self->i] = SPAWN(edo_sleep(1 + self->i * 7919 % 1000));
    for (self->i = 0; self->i < self->bench->n; self->i++) {
        AWAIT(self->join, edo_join(self->handles[self->i], &self->slept));
        if (self->join.output < 0 || self->slept < 0)
            self->output = self->join.output < 0 ? self->join.output : self->slept;
    }
    bench_stop(self->bench, self->bench->n);
    RETURN(self->output);
ASYNC_FINALLY:
    free(self->handles);
    ASYNC_END;
}

BENCH(timers)

struct timeout_cancel {
    FUTURE(int);
    struct bench *bench;
    uint64_t i;
    struct edo_yield_now request;
    struct edo_timeout timeout;
};

ASYNC(timeout_cancel)
{
    ASYNC_BEGIN;
    bench_start(self->bench);
    for (self->i = 0; self->i < self->bench->n; self->i++) {
        self->request = edo_yield_now();
        TRY_AWAIT(self->timeout, edo_timeout(30000, &self->request));
    }
    bench_stop(self->bench, self->bench->n);
    RETURN(0);
    ASYNC_END;
}

BENCH_TASK(timeout_cancel)
