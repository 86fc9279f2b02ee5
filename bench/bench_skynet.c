/* SPDX-License-Identifier: MIT */
/* A tree of tasks, ten children each, in which each inner one sums what its children send. */
#include "bench.h"

enum { CHILDREN = 10 };

struct node {
    FUTURE(int);
    uint64_t number, leaves; /* the first leaf's number, and how many there are below */
    MPSC_SENDER(uint64_t) up;
    MPSC_RECEIVER(uint64_t) rx;
    uint64_t value, sum;
    union {
        struct edo_mpsc_recv recv;
        struct edo_mpsc_send send;
    };
};

static EDO_ASYNC_DECLARE(node);

/* They send to a channel of which the caller keeps no sender: the last one closes it. */
static int plant(struct node *self)
{
    MPSC_SENDER(uint64_t) tx;
    int error = edo_mpsc(&tx, &self->rx, CHILDREN);
    if (error < 0)
        return error;
    for (uint64_t i = 0; i < CHILDREN; i++)
        SPAWN_DETACHED(NEW(node, .number = self->number + i * (self->leaves / CHILDREN),
                           .leaves = self->leaves / CHILDREN, .up = edo_mpsc_sender_clone(tx)));
    edo_mpsc_sender_drop(tx);
    return 0;
}

ASYNC(node)
{
    ASYNC_BEGIN;
    if (self->leaves == 1)
        self->sum = self->number;
    else {
        self->output = plant(self);
        if (self->output < 0)
            RETURN(self->output);
        for (;;) {
            AWAIT(self->recv, edo_mpsc_recv(self->rx, &self->value));
            if (self->recv.output < 0)
                break;
            self->sum += self->value;
        }
    }
    TRY_AWAIT(self->send, edo_mpsc_send(self->up, &self->sum));
    RETURN(0);
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->rx);
    edo_mpsc_sender_drop(self->up);
    ASYNC_END;
}

/* How many tasks it takes; 0: no power of ten. */
static uint64_t tree_size(uint64_t leaves)
{
    uint64_t tasks = 1;
    for (; leaves % CHILDREN == 0; leaves /= CHILDREN)
        tasks += leaves;
    return leaves == 1 ? tasks : 0;
}

struct skynet {
    FUTURE(int);
    struct bench *bench;
    uint64_t sum;
    MPSC_SENDER(uint64_t) tx;
    MPSC_RECEIVER(uint64_t) rx;
    struct edo_mpsc_recv recv;
};

ASYNC(skynet)
{
    ASYNC_BEGIN;
    if (tree_size(self->bench->n) == 0)
        RETURN(UV_EINVAL);
    bench_start(self->bench);
    self->output = edo_mpsc(&self->tx, &self->rx, 1);
    if (self->output < 0)
        RETURN(self->output);
    SPAWN_DETACHED(NEW(node, .leaves = self->bench->n, .up = self->tx));
    TRY_AWAIT(self->recv, edo_mpsc_recv(self->rx, &self->sum));
    bench_stop(self->bench, tree_size(self->bench->n));
    RETURN(self->sum == self->bench->n * (self->bench->n - 1) / 2 ? 0 : UV_EIO);
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

BENCH_TASK(skynet)
