/* SPDX-License-Identifier: MIT */
/* A token through channels of one place. */
#include "bench.h"

enum { RING = 503 };

typedef MPSC_SENDER(uint64_t) sender;
typedef MPSC_RECEIVER(uint64_t) receiver;

/* Sends back what it gets. */
struct echo {
    FUTURE(int);
    sender tx;
    receiver rx;
    uint64_t value;
    struct edo_mpsc_recv recv;
    struct edo_mpsc_send send;
};

ASYNC(echo)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->rx, &self->value));
        if (self->recv.output < 0)
            RETURN(0);
        TRY_AWAIT(self->send, edo_mpsc_send(self->tx, &self->value));
    }
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx);
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

struct player {
    FUTURE(int);
    sender tx;
    receiver rx;
    uint64_t n, i, value;
    struct edo_mpsc_recv recv;
    struct edo_mpsc_send send;
};

ASYNC(player)
{
    ASYNC_BEGIN;
    for (; self->i < self->n; self->i++) {
        TRY_AWAIT(self->send, edo_mpsc_send(self->tx, &self->i));
        TRY_AWAIT(self->recv, edo_mpsc_recv(self->rx, &self->value));
    }
    RETURN(self->value == self->n - 1 ? 0 : UV_EIO);
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx);
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

struct ping_pong {
    FUTURE(int);
    struct bench *bench;
    sender tx[2];
    receiver rx[2];
    JOIN_HANDLE(int) echo, player;
    int error;
    struct edo_join join;
};

ASYNC(ping_pong)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 2; i++)
        if ((self->output = edo_mpsc(&self->tx[i], &self->rx[i], 1)) < 0)
            RETURN(self->output);
    bench_start(self->bench);
    self->echo = SPAWN(NEW(echo, .tx = self->tx[1], .rx = self->rx[0]));
    self->player = SPAWN(NEW(player, .tx = self->tx[0], .rx = self->rx[1], .n = self->bench->n));
    TRY_AWAIT(self->join, edo_join(self->player, &self->output));
    TRY_AWAIT(self->join, edo_join(self->echo, &self->error));
    bench_stop(self->bench, self->bench->n);
    ASYNC_END;
}

BENCH(ping_pong)

/* Passes the token on, one less; 0 goes once round and ends them all. */
struct hop {
    FUTURE(int);
    sender tx;
    receiver rx;
    uint64_t value;
    struct edo_mpsc_recv recv;
    struct edo_mpsc_send send;
};

ASYNC(hop)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->rx, &self->value));
        if (self->recv.output < 0)
            RETURN(0);
        self->value -= self->value > 0;
        AWAIT(self->send, edo_mpsc_send(self->tx, &self->value));
        if (self->send.output < 0 || self->value == 0)
            RETURN(0);
    }
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx);
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

struct ring {
    FUTURE(int);
    struct bench *bench;
    sender tx[RING];
    receiver rx[RING];
    JOIN_HANDLE(int) last;
    int error;
    struct edo_join join;
};

ASYNC(ring)
{
    ASYNC_BEGIN;
    for (int i = 0; i < RING; i++)
        if ((self->output = edo_mpsc(&self->tx[i], &self->rx[i], 1)) < 0)
            RETURN(self->output);
    bench_start(self->bench);
    self->error = edo_mpsc_try_send(self->tx[0], &self->bench->n);
    if (self->error < 0)
        RETURN(self->error);
    for (int i = 0; i < RING - 1; i++)
        SPAWN_DETACHED(NEW(hop, .tx = self->tx[i + 1], .rx = self->rx[i]));
    self->last = SPAWN(NEW(hop, .tx = self->tx[0], .rx = self->rx[RING - 1]));
    TRY_AWAIT(self->join, edo_join(self->last, &self->error));
    bench_stop(self->bench, self->bench->n);
    RETURN(self->error);
    ASYNC_END;
}

BENCH(ring)
