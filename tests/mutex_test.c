/* SPDX-License-Identifier: MIT */
#include "poll_harness.h"

#include <pthread.h>

#include "edo.h"

Test(mutex, is_handed_over_in_the_order_of_arrival)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_mutex mutex;
    edo_mutex_init(&mutex);
    struct edo_mutex_guard guards[4] = {{0}};
    struct edo_mutex_lock locks[4];
    for (int i = 0; i < 4; i++) {
        locks[i] = edo_mutex_lock(&mutex, &guards[i]);
        cr_assert_eq(POLL(locks[i]), i == 0 ? EDO_READY : EDO_PENDING);
    }
    struct edo_mutex_guard tried = {0};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(edo_mutex_try_lock(&mutex, &tried), UV_EAGAIN);
        edo_mutex_unlock(&guards[i]);
        cr_assert_null(guards[i].mutex);
        cr_assert_eq(edo_mutex_try_lock(&mutex, &tried), UV_EAGAIN, "handed over, not free");
        cr_assert_eq(POLL(locks[i + 1]), EDO_READY);
    }
    edo_mutex_unlock(&guards[3]);
    edo_mutex_unlock(&guards[3]);
    cr_assert_eq(edo_mutex_try_lock(&mutex, &tried), 0);
    edo_mutex_unlock(&tried);
    edo_mutex_destroy(&mutex);
    bench_end(&bench);
}

Test(mutex, a_dropped_waiter_is_skipped_also_when_it_was_its_turn)
{
    for (int turn = 0; turn < 2; turn++) {
        struct bench bench;
        bench_begin(&bench);
        struct edo_mutex mutex;
        edo_mutex_init(&mutex);
        struct edo_mutex_guard held = {0}, gone = {0}, next = {0};
        edo_mutex_try_lock(&mutex, &held);
        struct edo_mutex_lock one = edo_mutex_lock(&mutex, &gone);
        struct edo_mutex_lock other = edo_mutex_lock(&mutex, &next);
        cr_assert_eq(POLL(one), EDO_PENDING);
        cr_assert_eq(POLL(other), EDO_PENDING);
        if (turn == 0)
            DROP_IT(one);
        edo_mutex_unlock(&held);
        if (turn == 1)
            DROP_IT(one);
        cr_assert_null(gone.mutex);
        cr_assert_eq(POLL(other), EDO_READY);
        edo_mutex_unlock(&next);
        edo_mutex_destroy(&mutex);
        bench_end(&bench);
    }
}

/* One task locks, another unlocks. */
struct unlocks {
    FUTURE(int);
    struct edo_mutex_guard guard;
};

ASYNC(unlocks)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    RETURN(0);
ASYNC_FINALLY:
    edo_mutex_unlock(&self->guard);
    ASYNC_END;
}

struct locks_twice {
    FUTURE(int);
    struct edo_mutex mutex;
    struct edo_mutex_guard guard;
    struct edo_mutex_lock lock;
};

ASYNC(locks_twice)
{
    ASYNC_BEGIN;
    edo_mutex_init(&self->mutex);
    AWAIT(self->lock, edo_mutex_lock(&self->mutex, &self->guard));
    edo_task_detach(SPAWN(NEW(unlocks, .guard = self->guard)));
    self->guard.mutex = NULL;
    AWAIT(self->lock, edo_mutex_lock(&self->mutex, &self->guard));
    RETURN(1);
ASYNC_FINALLY:
    edo_mutex_unlock(&self->guard);
    edo_mutex_destroy(&self->mutex);
    ASYNC_END;
}

Test(mutex, the_guard_moves_to_another_task_which_unlocks)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct locks_twice future = NEW(locks_twice);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    cr_assert_eq(future.output, 1);
    edo_runtime_drop(runtime);
}

/* The last one out frees what the mutex is in: unlock must not touch it any more. */
enum { THREADS = 6, ROUNDS = 3000 };
struct shared {
    struct edo_mutex mutex;
    int users, sum;
};

static void *adds(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0;; i++) {
        struct edo_mutex_guard guard = {0};
        cr_assert_eq(edo_mutex_blocking_lock(&shared->mutex, &guard), 0);
        shared->sum++;
        bool last = i == ROUNDS && --shared->users == 0;
        edo_mutex_unlock(&guard);
        if (last) {
            cr_assert_eq(shared->sum, THREADS * (ROUNDS + 1));
            edo_mutex_destroy(&shared->mutex);
            edo_free(shared);
        }
        if (i == ROUNDS)
            return NULL;
    }
}

Test(mutex, threads_take_turns_and_the_last_frees_it)
{
    struct shared *shared = edo_calloc(1, sizeof *shared);
    edo_mutex_init(&shared->mutex);
    shared->users = THREADS;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, adds, shared), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

struct nested {
    FUTURE(int);
    struct edo_mutex *mutex;
};

ASYNC(nested)
{
    ASYNC_BEGIN;
    struct edo_mutex_guard guard = {0};
    RETURN(edo_mutex_blocking_lock(self->mutex, &guard));
    ASYNC_END;
}

Test(mutex, blocking_in_a_task_is_an_error)
{
    struct edo_mutex mutex;
    edo_mutex_init(&mutex);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct nested nested = NEW(nested, .mutex = &mutex);
    cr_assert_eq(edo_block_on(runtime, &nested), 0);
    cr_assert_eq(nested.output, EDO_ENESTED);
    edo_runtime_drop(runtime);
    edo_mutex_destroy(&mutex);
}
