/* SPDX-License-Identifier: MIT */
/* Select between two channels. */
#include "bench.h"

struct source {
    FUTURE(int);
    MPSC_SENDER(uint64_t) tx;
    uint64_t n, i;
    struct edo_mpsc_send send;
};

ASYNC(source)
{
    ASYNC_BEGIN;
    for (; self->i < self->n; self->i++)
        TRY_AWAIT(self->send, edo_mpsc_send(self->tx, &self->i));
    RETURN(0);
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx);
    ASYNC_END;
}

struct select2 {
    FUTURE(int);
    struct bench *bench;
    MPSC_SENDER(uint64_t) tx[2];
    MPSC_RECEIVER(uint64_t) rx[2];
    uint64_t value[2], count;
    struct edo_mpsc_recv recv[2];
};

ASYNC(select2)
{
    ASYNC_BEGIN;
    self->output = bench_at_least(self->bench, 2);
    if (self->output < 0)
        RETURN(self->output);
    for (int i = 0; i < 2; i++)
        if ((self->output = edo_mpsc(&self->tx[i], &self->rx[i], 64)) < 0)
            RETURN(self->output);
    bench_start(self->bench);
    for (int i = 0; i < 2; i++)
        SPAWN_DETACHED(NEW(source, .tx = self->tx[i], .n = self->bench->n / 2));
    while (self->count < self->bench->n / 2 * 2) {
        SELECT {
            WHEN_MATCH(self->recv[0].output == 0, self->recv[0],
                       edo_mpsc_recv(self->rx[0], &self->value[0])) {
                self->count++;
            }
            WHEN_MATCH(self->recv[1].output == 0, self->recv[1],
                       edo_mpsc_recv(self->rx[1], &self->value[1])) {
                self->count++;
            }
            OTHERWISE {
                RETURN(UV_EIO);
            }
        }
    }
    bench_stop(self->bench, self->count);
    RETURN(0);
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->rx[0]);
    edo_mpsc_receiver_drop(self->rx[1]);
    ASYNC_END;
}

BENCH_TASK(select2)
