/* SPDX-License-Identifier: MIT */
/* A message through a channel of its own. */
#include "bench.h"

struct oneshot {
    FUTURE(int);
    struct bench *bench;
    ONESHOT_RECEIVER(uint64_t) rx;
    uint64_t i, value, sum;
    struct edo_oneshot_recv recv;
};

ASYNC(oneshot)
{
    ASYNC_BEGIN;
    bench_start(self->bench);
    for (self->i = 0; self->i < self->bench->n; self->i++) {
        ONESHOT_SENDER(uint64_t) tx;
        self->output = edo_oneshot(&tx, &self->rx);
        if (self->output < 0)
            RETURN(self->output);
        edo_oneshot_send(tx, &self->i);
        TRY_AWAIT(self->recv, edo_oneshot_recv(self->rx, &self->value));
        self->sum += self->value;
        edo_oneshot_receiver_drop(self->rx);
    }
    self->rx = NULL;
    bench_stop(self->bench, self->bench->n);
    uint64_t n = self->bench->n;
    RETURN(self->sum == n * (n - 1) / 2 ? 0 : UV_EIO);
ASYNC_FINALLY:
    edo_oneshot_receiver_drop(self->rx);
    ASYNC_END;
}

BENCH_TASK(oneshot)
