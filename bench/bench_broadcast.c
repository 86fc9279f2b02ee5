/* SPDX-License-Identifier: MIT */
/* One to many. */
#include "bench.h"

enum { RECEIVERS = 8, TURN = 256 };

struct listener {
    FUTURE(uint64_t);
    BROADCAST_RECEIVER(uint64_t) rx;
    uint64_t value, count;
    struct edo_broadcast_recv recv;
};

ASYNC(listener)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->recv, edo_broadcast_recv(self->rx, &self->value));
        if (self->recv.output == 0)
            self->count++;
        else if (self->recv.output == EDO_ELAGGED)
            self->count += self->recv.lagged;
        else
            RETURN(self->count);
    }
ASYNC_FINALLY:
    edo_broadcast_receiver_drop(self->rx);
    ASYNC_END;
}

struct announcer {
    FUTURE(int);
    BROADCAST_SENDER(uint64_t) tx;
    uint64_t n, i;
};

ASYNC(announcer)
{
    ASYNC_BEGIN;
    for (; self->i < self->n; self->i++) {
        edo_broadcast_send(self->tx, &self->i);
        if (self->i % TURN == 0)
            YIELD_NOW();
    }
ASYNC_FINALLY:
    edo_broadcast_sender_drop(self->tx);
    ASYNC_END;
}

struct broadcast_1_8 {
    FUTURE(int);
    struct bench *bench;
    BROADCAST_SENDER(uint64_t) tx;
    BROADCAST_RECEIVER(uint64_t) rx;
    JOIN_HANDLE(uint64_t) handles[RECEIVERS];
    int i;
    uint64_t count, sum;
    struct edo_join join;
};

ASYNC(broadcast_1_8)
{
    ASYNC_BEGIN;
    self->output = edo_broadcast(&self->tx, &self->rx, 1024);
    if (self->output < 0)
        RETURN(self->output);
    bench_start(self->bench);
    for (int i = 0; i < RECEIVERS; i++)
        self->handles[i] = SPAWN(NEW(listener, .rx = edo_broadcast_subscribe(self->tx)));
    edo_broadcast_receiver_drop(self->rx);
    SPAWN_DETACHED(NEW(announcer, .tx = self->tx, .n = self->bench->n));
    for (self->i = 0; self->i < RECEIVERS; self->i++) {
        TRY_AWAIT(self->join, edo_join(self->handles[self->i], &self->count));
        self->sum += self->count;
    }
    bench_stop(self->bench, self->bench->n);
    RETURN(self->sum == RECEIVERS * self->bench->n ? 0 : UV_EIO);
    ASYNC_END;
}

BENCH(broadcast_1_8)
