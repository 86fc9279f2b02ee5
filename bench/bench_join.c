/* SPDX-License-Identifier: MIT */
/* JOIN of what is ready: its own price, and that of eight polls. */
#include "bench.h"

enum { BRANCHES = 8 };

struct join8 {
    FUTURE(int);
    struct bench *bench;
    uint64_t i, sum;
    struct edo_ready_now of[BRANCHES];
};

ASYNC(join8)
{
    ASYNC_BEGIN;
    bench_start(self->bench);
    for (; self->i < self->bench->n; self->i++) {
        for (int k = 0; k < BRANCHES; k++)
            self->of[k] = edo_ready_now((int)(self->i % 2) + k);
        JOIN(&self->of[0], &self->of[1], &self->of[2], &self->of[3], &self->of[4], &self->of[5],
             &self->of[6], &self->of[7]);
        for (int k = 0; k < BRANCHES; k++)
            self->sum += (uint64_t)self->of[k].output;
    }
    bench_stop(self->bench, self->bench->n);
    /* 0 to 7 are 28; every other time each is one more. */
    RETURN(self->sum == 28 * self->bench->n + self->bench->n / 2 * BRANCHES ? 0 : UV_EIO);
    ASYNC_END;
}

BENCH_TASK(join8)
