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

/* Which the compiler does not know, as in the peer's; it stays in a register. */
static int value(const struct join8 *self, int k)
{
    int value = (int)(self->i % 2) + k;
    __asm__ volatile("" : "+r"(value));
    return value;
}

ASYNC(join8)
{
    ASYNC_BEGIN;
    bench_start(self->bench);
    for (; self->i < self->bench->n; self->i++) {
        self->of[0] = edo_ready_now(value(self, 0));
        self->of[1] = edo_ready_now(value(self, 1));
        self->of[2] = edo_ready_now(value(self, 2));
        self->of[3] = edo_ready_now(value(self, 3));
        self->of[4] = edo_ready_now(value(self, 4));
        self->of[5] = edo_ready_now(value(self, 5));
        self->of[6] = edo_ready_now(value(self, 6));
        self->of[7] = edo_ready_now(value(self, 7));
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
