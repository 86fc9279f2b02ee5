/* SPDX-License-Identifier: MIT */
/* Semaphores between threads, and between runtimes. */
#include "poll_harness.h"

#include <pthread.h>

#include "edo.h"
#include "pursue.h"
#include "support/runtimes.h"

/* Threads and tasks that hold no more at a time than there are. */
enum { PERMITS = 3, HOLDERS = 8, ROUNDS = 2000 };
struct crowd {
    struct edo_semaphore semaphore;
    _Atomic(int) held;
};

static void *hold_blocking(void *arg)
{
    struct crowd *crowd = arg;
    struct edo_permit permit = {0};
    for (int i = 0; i < ROUNDS; i++) {
        int n = 1 + i % PERMITS;
        cr_assert_eq(edo_semaphore_blocking_acquire_many(&crowd->semaphore, (size_t)n, &permit), 0);
        crowd->held += n;
        cr_assert_leq(crowd->held, PERMITS);
        crowd->held -= n;
        edo_permit_release(&permit);
    }
    return NULL;
}

struct holder {
    FUTURE(int);
    struct crowd *crowd;
    int i;
    struct edo_permit permit;
    struct edo_semaphore_acquire acquire;
    struct edo_timeout timeout;
};

/* Every third time it has no patience. */
ASYNC(holder)
{
    ASYNC_BEGIN;
    for (; self->i < ROUNDS; self->i++) {
        self->acquire = edo_semaphore_acquire_many(&self->crowd->semaphore,
                                                   1 + (size_t)(self->i % PERMITS), &self->permit);
        if (self->i % 3 == 0) {
            AWAIT(self->timeout, edo_timeout(0, &self->acquire));
            if (self->timeout.output < 0)
                continue;
        } else {
            AWAIT_REF(self->acquire);
        }
        cr_assert_eq(self->acquire.output, 0);
        self->crowd->held += (int)self->permit.count;
        cr_assert_leq(self->crowd->held, PERMITS);
        YIELD_NOW();
        self->crowd->held -= (int)self->permit.count;
        edo_permit_release(&self->permit);
    }
    RETURN(0);
    ASYNC_END;
}

struct holders {
    FUTURE(int);
    struct crowd *crowd;
    struct holder holders[4];
};

ASYNC(holders)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 4; i++)
        self->holders[i] = NEW(holder, .crowd = self->crowd);
    JOIN(&self->holders[0], &self->holders[1], &self->holders[2], &self->holders[3]);
    RETURN(0);
    ASYNC_END;
}

static void *hold_in_tasks(void *arg)
{
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct holders holders = NEW(holders, .crowd = arg);
    cr_assert_eq(test_block_on(runtime, &holders), 0);
    edo_runtime_drop(runtime);
    return NULL;
}

Test(semaphore, never_more_are_held_than_there_are)
{
    struct bench bench;
    bench_begin(&bench);
    struct crowd crowd = {.held = 0};
    edo_semaphore_init(&crowd.semaphore, PERMITS);
    pthread_t threads[HOLDERS];
    for (int i = 0; i < HOLDERS; i++)
        cr_assert_eq(
            pthread_create(&threads[i], NULL, i % 2 == 0 ? hold_blocking : hold_in_tasks, &crowd),
            0);
    for (int i = 0; i < HOLDERS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(edo_semaphore_available(&crowd.semaphore), PERMITS);
    edo_semaphore_destroy(&crowd.semaphore);
    bench_end(&bench);
}

/* Threads that acquire and release, split, forget and add, without patience, until it is closed: none is
 * lost, none comes of nothing. */
enum { STORM_THREADS = 6, STORM_ROUNDS = 20, STORM_PERMITS = 4 };
static struct edo_semaphore stormed;
static _Atomic(int) forgotten;

static void storm_holds(struct edo_permit *permit, unsigned *seed)
{
    struct edo_permit part = {0};
    cr_assert_eq(edo_permit_split(permit, (size_t)rand_r(seed) % (permit->count + 1), &part), 0);
    if (rand_r(seed) % 4 == 0) {
        forgotten += (int)part.count;
        edo_permit_forget(&part);
    }
    if (rand_r(seed) % 2 == 0)
        cr_assert_eq(edo_permit_merge(permit, &part), 0);
    edo_permit_release(&part);
    edo_permit_release(permit);
    if (rand_r(seed) % 8 == 0)
        forgotten += (int)edo_semaphore_forget(&stormed, 1);
    int back = edo_exchange(&forgotten, 0, relaxed);
    cr_assert_eq(edo_semaphore_add(&stormed, (size_t)back), 0);
}

static void *storm_acquires(void *arg)
{
    unsigned *seed = arg;
    int error = 0;
    while (error != EDO_ECLOSED) {
        struct edo_permit permit = {0};
        size_t n = (size_t)rand_r(seed) % (STORM_PERMITS + 1);
        struct edo_semaphore_acquire acquire = edo_semaphore_acquire_many(&stormed, n, &permit);
        if (rand_r(seed) % 3 == 0)
            error = edo_semaphore_try_acquire_many(&stormed, n, &permit);
        else
            error = pursue(&acquire.future_, rand_r(seed) % 2, seed) ? acquire.output : UV_EAGAIN;
        cr_assert_eq(permit.count, error == 0 ? n : 0);
        storm_holds(&permit, seed);
    }
    return NULL;
}

Test(semaphore, whatever_threads_do_no_permit_is_lost)
{
    struct bench bench;
    bench_begin(&bench);
    unsigned seed = pursue_seed();
    for (int round = 0; round < STORM_ROUNDS; round++) {
        edo_semaphore_init(&stormed, STORM_PERMITS);
        unsigned seeds[STORM_THREADS];
        pthread_t threads[STORM_THREADS];
        for (int i = 0; i < STORM_THREADS; i++) {
            seeds[i] = (unsigned)rand_r(&seed);
            cr_assert_eq(pthread_create(&threads[i], NULL, storm_acquires, &seeds[i]), 0);
        }
        struct edo_permit all = {0};
        for (int i = 0; i < 20; i++) {
            cr_assert_eq(edo_semaphore_blocking_acquire_many(&stormed, STORM_PERMITS, &all), 0);
            cr_assert_eq(edo_semaphore_available(&stormed), 0);
            edo_permit_release(&all);
        }
        edo_semaphore_close(&stormed);
        for (int i = 0; i < STORM_THREADS; i++)
            pthread_join(threads[i], NULL);
        cr_assert_eq(edo_semaphore_available(&stormed), STORM_PERMITS - (size_t)forgotten);
        forgotten = 0;
        edo_semaphore_destroy(&stormed);
    }
    bench_end(&bench);
}

struct nested {
    FUTURE(int);
    struct edo_semaphore *semaphore;
};

ASYNC(nested)
{
    ASYNC_BEGIN;
    struct edo_permit permit = {0};
    RETURN(edo_semaphore_blocking_acquire(self->semaphore, &permit));
    ASYNC_END;
}

Test(semaphore, blocking_in_a_task_or_without_memory_is_an_error)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_semaphore semaphore;
    edo_semaphore_init(&semaphore, 1);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct nested nested = NEW(nested, .semaphore = &semaphore);
    cr_assert_eq(test_block_on(runtime, &nested), 0);
    cr_assert_eq(nested.output, EDO_ENESTED);
    edo_runtime_drop(runtime);
    struct edo_permit permit = {0};
    edo_alloc_fail(1, false);
    cr_assert_eq(edo_semaphore_blocking_acquire(&semaphore, &permit), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_eq(edo_semaphore_available(&semaphore), 1);
    edo_semaphore_destroy(&semaphore);
    bench_end(&bench);
}
