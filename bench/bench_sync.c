/* SPDX-License-Identifier: MIT */
/* Tasks that take turns. */
#include "bench.h"

enum { TASKS = 16, PERMITS = 4 };

struct adder {
    FUTURE(int);
    struct edo_mutex *mutex;
    uint64_t *sum;
    uint64_t n;
    struct edo_mutex_guard guard;
    struct edo_mutex_lock lock;
};

ASYNC(adder)
{
    ASYNC_BEGIN;
    for (; self->n > 0; self->n--) {
        AWAIT(self->lock, edo_mutex_lock(self->mutex, &self->guard));
        ++*self->sum;
        edo_mutex_unlock(&self->guard);
    }
    RETURN(0);
    ASYNC_END;
}

struct mutex {
    FUTURE(int);
    struct bench *bench;
    struct edo_mutex mutex;
    uint64_t sum;
    JOIN_HANDLE(int) handles[TASKS];
    int i, error;
    struct edo_join join;
};

ASYNC(mutex)
{
    ASYNC_BEGIN;
    edo_mutex_init(&self->mutex);
    bench_start(self->bench);
    for (int i = 0; i < TASKS; i++)
        self->handles[i] =
            SPAWN(NEW(adder, .mutex = &self->mutex, .sum = &self->sum, .n = self->bench->n));
    for (self->i = 0; self->i < TASKS; self->i++)
        TRY_AWAIT(self->join, edo_join(self->handles[self->i], &self->error));
    bench_stop(self->bench, self->sum);
    edo_mutex_destroy(&self->mutex);
    RETURN(self->sum == TASKS * self->bench->n ? 0 : UV_EIO);
    ASYNC_END;
}

BENCH(mutex)

struct holder {
    FUTURE(int);
    struct edo_semaphore *semaphore;
    uint64_t n;
    struct edo_permit permit;
    struct edo_semaphore_acquire acquire;
};

ASYNC(holder)
{
    ASYNC_BEGIN;
    for (; self->n > 0; self->n--) {
        TRY_AWAIT(self->acquire, edo_semaphore_acquire(self->semaphore, &self->permit));
        YIELD_NOW();
        edo_permit_release(&self->permit);
    }
    RETURN(0);
    ASYNC_END;
}

struct semaphore {
    FUTURE(int);
    struct bench *bench;
    struct edo_semaphore semaphore;
    JOIN_HANDLE(int) handles[TASKS];
    int i, error;
    struct edo_join join;
};

ASYNC(semaphore)
{
    ASYNC_BEGIN;
    edo_semaphore_init(&self->semaphore, PERMITS);
    bench_start(self->bench);
    for (int i = 0; i < TASKS; i++)
        self->handles[i] = SPAWN(NEW(holder, .semaphore = &self->semaphore, .n = self->bench->n));
    for (self->i = 0; self->i < TASKS; self->i++)
        TRY_AWAIT(self->join, edo_join(self->handles[self->i], &self->error));
    bench_stop(self->bench, TASKS * self->bench->n);
    edo_semaphore_destroy(&self->semaphore);
    RETURN(0);
    ASYNC_END;
}

BENCH(semaphore)
