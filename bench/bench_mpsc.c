/* SPDX-License-Identifier: MIT */
/* Messages through mpsc channels. */
#include "bench.h"

struct producer {
    FUTURE(int);
    MPSC_SENDER(uint64_t) tx;
    uint64_t n, i;
    struct edo_mpsc_send send;
};

ASYNC(producer)
{
    ASYNC_BEGIN;
    for (; self->i < self->n; self->i++)
        TRY_AWAIT(self->send, edo_mpsc_send(self->tx, &self->i));
    RETURN(0);
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx);
    ASYNC_END;
}

/* Without bounds there is nothing to wait for. */
struct unbounded_producer {
    FUTURE(int);
    MPSC_SENDER(uint64_t) tx;
    uint64_t n;
};

ASYNC(unbounded_producer)
{
    ASYNC_BEGIN;
    for (uint64_t i = 0; i < self->n && self->output == 0; i++)
        self->output = edo_mpsc_try_send(self->tx, &i);
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx);
    ASYNC_END;
}

struct consumer {
    FUTURE(uint64_t);
    MPSC_RECEIVER(uint64_t) rx;
    uint64_t value, sum;
    struct edo_mpsc_recv recv;
};

/* The sum of all that is sent. */
ASYNC(consumer)
{
    ASYNC_BEGIN;
    for (;; self->sum += self->value) {
        AWAIT(self->recv, edo_mpsc_recv(self->rx, &self->value));
        if (self->recv.output < 0)
            RETURN(self->sum);
    }
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

struct many_to_one {
    FUTURE(int);
    struct bench *bench;
    size_t capacity;
    uint64_t producers, each, i;
    MPSC_SENDER(uint64_t) tx;
    MPSC_RECEIVER(uint64_t) rx;
    uint64_t sum;
    JOIN_HANDLE(uint64_t) consumer;
    struct edo_join join;
};

ASYNC(many_to_one)
{
    ASYNC_BEGIN;
    self->output = bench_at_least(self->bench, self->producers);
    if (self->output < 0)
        RETURN(self->output);
    self->output = edo_mpsc(&self->tx, &self->rx, self->capacity);
    if (self->output < 0)
        RETURN(self->output);
    self->each = self->bench->n / self->producers;
    bench_start(self->bench);
    for (self->i = 0; self->i < self->producers; self->i++) {
        MPSC_SENDER(uint64_t) tx = edo_mpsc_sender_clone(self->tx);
        edo_task_detach(self->capacity == EDO_UNBOUNDED
                            ? SPAWN(NEW(unbounded_producer, .tx = tx, .n = self->each))
                            : SPAWN(NEW(producer, .tx = tx, .n = self->each)));
    }
    edo_mpsc_sender_drop(self->tx);
    self->consumer = SPAWN(NEW(consumer, .rx = self->rx));
    TRY_AWAIT(self->join, edo_join(self->consumer, &self->sum));
    bench_stop(self->bench, self->producers * self->each);
    RETURN(self->sum == self->producers * (self->each * (self->each - 1) / 2) ? 0 : UV_EIO);
    ASYNC_END;
}

/* So many tasks send N messages in all to one. */
static int run(struct bench *bench, size_t capacity, uint64_t producers)
{
    struct many_to_one future =
        NEW(many_to_one, .bench = bench, .capacity = capacity, .producers = producers);
    int error = edo_block_on(bench->runtime, &future);
    return error < 0 ? error : future.output;
}

int bench_mpsc_1_1(struct bench *bench)
{
    return run(bench, 1024, 1);
}

int bench_mpsc_8_1(struct bench *bench)
{
    return run(bench, 1024, 8);
}

int bench_mpsc_unbounded(struct bench *bench)
{
    return run(bench, EDO_UNBOUNDED, 8);
}
