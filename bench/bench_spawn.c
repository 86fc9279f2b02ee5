/* SPDX-License-Identifier: MIT */
/* Spawning: one after the other, all at once, each by the one before, from outside, and what blocks. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench.h"

struct trivial {
    FUTURE(uint64_t);
    uint64_t value;
};

ASYNC(trivial)
{
    ASYNC_BEGIN;
    RETURN(self->value);
    ASYNC_END;
}

/* The sum of what n tasks returned that were given 0, 1, … n - 1. */
static int check(uint64_t sum, uint64_t n)
{
    return sum == n * (n - 1) / 2 ? 0 : UV_EIO;
}

struct spawn_join {
    FUTURE(int);
    struct bench *bench;
    JOIN_HANDLE(uint64_t) handle;
    uint64_t i, value, sum;
    struct edo_join join;
};

ASYNC(spawn_join)
{
    ASYNC_BEGIN;
    bench_start(self->bench);
    for (self->i = 0; self->i < self->bench->n; self->i++) {
        self->handle = SPAWN(NEW(trivial, .value = self->i));
        TRY_AWAIT(self->join, edo_join(self->handle, &self->value));
        self->sum += self->value;
    }
    bench_stop(self->bench, self->bench->n);
    RETURN(check(self->sum, self->bench->n));
    ASYNC_END;
}

BENCH_TASK(spawn_join)

struct spawn_batch {
    FUTURE(int);
    struct bench *bench;
    JOIN_HANDLE(uint64_t) * handles;
    uint64_t i, value, sum;
    struct edo_join join;
};

ASYNC(spawn_batch)
{
    ASYNC_BEGIN;
    bench_start(self->bench);
    self->handles = calloc(self->bench->n, sizeof *self->handles);
    if (self->handles == NULL)
        RETURN(UV_ENOMEM);
    for (self->i = 0; self->i < self->bench->n; self->i++)
        self->handles[self->i] = SPAWN(NEW(trivial, .value = self->i));
    /* A task that could not be spawned is reported here, by its handle. */
    for (self->i = 0; self->i < self->bench->n; self->i++) {
        AWAIT(self->join, edo_join(self->handles[self->i], &self->value));
        if (self->join.output < 0)
            self->output = self->join.output;
        self->sum += self->value;
    }
    bench_stop(self->bench, self->bench->n);
    RETURN(self->output < 0 ? self->output : check(self->sum, self->bench->n));
ASYNC_FINALLY:
    free(self->handles);
    ASYNC_END;
}

BENCH_TASK(spawn_batch)

/* The last one says so. One that cannot be spawned drops the sender, and with it the hope. */
struct link {
    FUTURE(void);
    uint64_t left;
    ONESHOT_SENDER(uint64_t) tx;
};

ASYNC(link)
{
    ASYNC_BEGIN;
    if (self->left == 0)
        edo_oneshot_send(self->tx, &self->left);
    else
        SPAWN_DETACHED(NEW(link, .left = self->left - 1, .tx = self->tx));
    self->tx = NULL;
ASYNC_FINALLY:
    edo_oneshot_sender_drop(self->tx);
    ASYNC_END;
}

struct chain {
    FUTURE(int);
    struct bench *bench;
    ONESHOT_SENDER(uint64_t) tx;
    ONESHOT_RECEIVER(uint64_t) rx;
    uint64_t left;
    struct edo_oneshot_recv recv;
};

ASYNC(chain)
{
    ASYNC_BEGIN;
    bench_start(self->bench);
    self->output = edo_oneshot(&self->tx, &self->rx);
    if (self->output < 0)
        RETURN(self->output);
    SPAWN_DETACHED(NEW(link, .left = self->bench->n, .tx = self->tx));
    TRY_AWAIT(self->recv, edo_oneshot_recv(self->rx, &self->left));
    bench_stop(self->bench, self->bench->n);
    RETURN(0);
ASYNC_FINALLY:
    edo_oneshot_receiver_drop(self->rx);
    ASYNC_END;
}

BENCH(chain)

/* Counted up by each task that a thread outside spawned, or could not spawn. */
static atomic_uint_fast64_t arrived, lost;

struct arrive {
    FUTURE(void);
};

ASYNC(arrive)
{
    ASYNC_BEGIN;
    atomic_fetch_add_explicit(&arrived, 1, memory_order_relaxed);
    ASYNC_END;
}

static void *spawner(void *arg)
{
    struct bench *bench = arg;
    struct edo_handle *handle = edo_runtime_handle(bench->runtime);
    for (uint64_t i = 0; i < bench->n; i++) {
        JOIN_HANDLE(void) task = SPAWN_ON(handle, NEW(arrive));
        if (edo_task_error(task) < 0)
            atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
        edo_task_detach(task);
    }
    return NULL;
}

struct remote_spawn {
    FUTURE(int);
    struct bench *bench;
    pthread_t thread;
};

ASYNC(remote_spawn)
{
    ASYNC_BEGIN;
    bench_start(self->bench);
    if (pthread_create(&self->thread, NULL, spawner, self->bench) != 0)
        RETURN(UV_EAGAIN);
    while (atomic_load_explicit(&arrived, memory_order_relaxed) +
               atomic_load_explicit(&lost, memory_order_relaxed) <
           self->bench->n)
        YIELD_NOW();
    pthread_join(self->thread, NULL);
    bench_stop(self->bench, self->bench->n);
    RETURN(atomic_load(&lost) == 0 ? 0 : UV_ENOMEM);
    ASYNC_END;
}

BENCH(remote_spawn)

/* What does nothing there, and comes back from the thread that it was sent to. */
struct blocking {
    FUTURE(int);
    struct bench *bench;
    JOIN_HANDLE(uint64_t) handle;
    uint64_t i, value, sum;
    struct edo_join join;
};

ASYNC(blocking)
{
    ASYNC_BEGIN;
    bench_start(self->bench);
    for (self->i = 0; self->i < self->bench->n; self->i++) {
        self->handle = SPAWN_BLOCKING(NEW(trivial, .value = self->i));
        TRY_AWAIT(self->join, edo_join(self->handle, &self->value));
        self->sum += self->value;
    }
    bench_stop(self->bench, self->bench->n);
    RETURN(check(self->sum, self->bench->n));
    ASYNC_END;
}

BENCH_TASK(blocking)
