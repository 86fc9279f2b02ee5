/* SPDX-License-Identifier: MIT */
#include "hostile_waker.h"

#include <pthread.h>

#include "edo.h"
#include "pursue.h"
#include "support/runtimes.h"

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

/* Dropped before its first poll, while it waits, and when its turn has come. */
Test(mutex, a_lock_dropped_at_any_time_has_not_locked)
{
    struct bench bench;
    bench_begin(&bench);
    for (int state = 0; state < 3; state++) {
        struct edo_mutex mutex;
        edo_mutex_init(&mutex);
        struct edo_mutex_guard held = {0}, gone = {0};
        cr_assert_eq(edo_mutex_try_lock(&mutex, &held), 0);
        struct edo_mutex_lock lock = edo_mutex_lock(&mutex, &gone);
        bench.counter.wakes = 0;
        if (state > 0)
            cr_assert_eq(POLL(lock), EDO_PENDING);
        if (state < 2)
            DROP_IT(lock);
        edo_mutex_unlock(&held);
        cr_assert_eq(bench.counter.wakes, state == 2);
        if (state == 2)
            DROP_IT(lock);
        cr_assert_null(gone.mutex);
        cr_assert_eq(edo_mutex_try_lock(&mutex, &held), 0);
        edo_mutex_unlock(&held);
        edo_mutex_destroy(&mutex);
    }
    bench_end(&bench);
}

Test(mutex, a_waker_is_replaced_by_that_of_the_last_poll)
{
    struct bench bench, other;
    bench_begin(&bench);
    bench_begin(&other);
    struct edo_mutex mutex;
    edo_mutex_init(&mutex);
    struct edo_mutex_guard held = {0}, guard = {0};
    edo_mutex_try_lock(&mutex, &held);
    struct edo_mutex_lock lock = edo_mutex_lock(&mutex, &guard);
    cr_assert_eq(POLL(lock), EDO_PENDING);
    cr_assert_eq(POLL_BY(lock, &other.cx), EDO_PENDING);
    edo_mutex_unlock(&held);
    cr_assert(bench.counter.wakes == 0 && other.counter.wakes == 1);
    cr_assert_eq(POLL(lock), EDO_READY);
    edo_mutex_unlock(&guard);
    edo_mutex_destroy(&mutex);
    bench_end(&bench);
}

Test(mutex, each_lock_takes_from_the_budget_and_gives_way_without)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_mutex mutex;
    edo_mutex_init(&mutex);
    struct edo_mutex_guard guard = {0};
    struct edo_mutex_lock lock = edo_mutex_lock(&mutex, &guard);
    bench.cx.budget = 0;
    cr_assert_eq(POLL(lock), EDO_PENDING);
    cr_assert(bench.counter.wakes == 1 && guard.mutex == NULL);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(lock), EDO_READY);
    cr_assert_eq(bench.cx.budget, 0);
    edo_mutex_unlock(&guard);
    edo_mutex_destroy(&mutex);
    bench_end(&bench);
}

Test(mutex, a_trace_names_it_and_it_allocates_nothing)
{
    struct bench bench;
    bench_begin(&bench);
    edo_alloc_fail(1, true);
    struct edo_mutex mutex;
    edo_mutex_init(&mutex);
    struct edo_mutex_guard held = {0}, guard = {0};
    edo_mutex_try_lock(&mutex, &held);
    struct edo_mutex_lock lock = edo_mutex_lock(&mutex, &guard);
    cr_assert_eq(POLL(lock), EDO_PENDING);
    edo_future_trace(&lock.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_mutex_lock\n");
    edo_mutex_unlock(&held);
    cr_assert_eq(POLL(lock), EDO_READY);
    edo_mutex_unlock(&guard);
    edo_mutex_destroy(&mutex);
    cr_assert_not(edo_alloc_fail(0, false));
    bench_end(&bench);
}

Test(mutex, a_plain_thread_without_memory_does_not_lock)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_mutex mutex;
    edo_mutex_init(&mutex);
    struct edo_mutex_guard guard = {0};
    edo_alloc_fail(1, false);
    cr_assert_eq(edo_mutex_blocking_lock(&mutex, &guard), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_null(guard.mutex);
    cr_assert_eq(edo_mutex_blocking_lock(&mutex, &guard), 0);
    edo_mutex_unlock(&guard);
    edo_mutex_destroy(&mutex);
    bench_end(&bench);
}

/* Wakers that call back. */
static struct {
    struct edo_mutex mutex;
    struct edo_mutex_guard held, guard;
    struct edo_mutex_lock lock;
    bool gone;
} rigged;

static void look(void)
{
    if (rigged.gone)
        return;
    cr_assert(edo_try_lock(&rigged.mutex.core_.lock_));
    edo_unlock(&rigged.mutex.core_.lock_);
}

static void rigged_begin(struct bench *bench)
{
    hostile_begin(bench, &hostile_foreign, look);
    memset(&rigged, 0, sizeof rigged);
    edo_mutex_init(&rigged.mutex);
    cr_assert_eq(edo_mutex_try_lock(&rigged.mutex, &rigged.held), 0);
    rigged.lock = edo_mutex_lock(&rigged.mutex, &rigged.guard);
}

static void rigged_end(struct bench *bench)
{
    hostile.always = NULL;
    edo_mutex_unlock(&rigged.guard);
    edo_mutex_unlock(&rigged.held);
    if (!rigged.gone)
        edo_mutex_destroy(&rigged.mutex);
    hostile_end(bench);
}

static void unlocks_it(void)
{
    edo_mutex_unlock(&rigged.held);
}

static void gives_up(void)
{
    edo_future_drop(&rigged.lock.future_, &hostile.bench->cx);
}

static void locks_and_all_goes(void)
{
    cr_assert_eq(POLL_BY(rigged.lock, &hostile.bench->cx), EDO_READY);
    edo_mutex_unlock(&rigged.guard);
    edo_mutex_destroy(&rigged.mutex);
    memset(&rigged.mutex, 0xa5, sizeof rigged.mutex);
    rigged.gone = true;
}

Test(mutex, a_clone_that_unlocks_is_not_missed)
{
    struct bench bench;
    rigged_begin(&bench);
    hostile.in_clone.act = unlocks_it;
    cr_assert_eq(POLL(rigged.lock), EDO_READY);
    rigged_end(&bench);
}

Test(mutex, it_may_be_gone_when_an_unlock_has_woken)
{
    struct bench bench;
    rigged_begin(&bench);
    cr_assert_eq(POLL(rigged.lock), EDO_PENDING);
    hostile.in_wake.act = locks_and_all_goes;
    unlocks_it();
    rigged_end(&bench);
}

Test(mutex, one_that_gives_up_when_it_is_woken_hands_it_on)
{
    struct bench bench;
    rigged_begin(&bench);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    struct edo_mutex_guard next = {0};
    struct edo_mutex_lock lock = edo_mutex_lock(&rigged.mutex, &next);
    cr_assert_eq(POLL(rigged.lock), EDO_PENDING);
    cr_assert_eq(POLL_BY(lock, &second), EDO_PENDING);
    hostile.in_wake.act = gives_up;
    unlocks_it();
    cr_assert(bench.counter.wakes == 1 && other.wakes == 1);
    cr_assert_eq(POLL_BY(lock, &second), EDO_READY);
    edo_mutex_unlock(&next);
    cr_assert_eq(other.clones, other.drops);
    rigged_end(&bench);
}

Test(mutex, a_waker_whose_drop_unlocks_is_replaced_by_one_that_is_woken)
{
    struct bench bench;
    rigged_begin(&bench);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    cr_assert_eq(POLL(rigged.lock), EDO_PENDING);
    hostile.in_drop.act = unlocks_it;
    cr_assert_eq(POLL_BY(rigged.lock, &second), EDO_PENDING);
    cr_assert(other.wakes == 1 && bench.counter.wakes == 0);
    cr_assert_eq(POLL_BY(rigged.lock, &second), EDO_READY);
    cr_assert_eq(other.clones, other.drops);
    rigged_end(&bench);
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
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct locks_twice future = NEW(locks_twice);
    cr_assert_eq(test_block_on(runtime, &future), 0);
    cr_assert_eq(future.output, 1);
    edo_runtime_drop(runtime);
    bench_end(&bench);
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
    struct bench bench;
    bench_begin(&bench);
    struct shared *shared = edo_calloc(1, sizeof *shared);
    edo_mutex_init(&shared->mutex);
    shared->users = THREADS;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, adds, shared), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    bench_end(&bench);
}

/* Threads that lock in every way, and give up as it happens. */
enum { STORM_THREADS = 6, STORM_ROUNDS = 2000 };
static struct edo_mutex stormed;
static int storm_sum, storm_inside;
static _Atomic(int) storm_locked;

static void *storm_locks(void *arg)
{
    unsigned *seed = arg;
    for (int i = 0; i < STORM_ROUNDS; i++) {
        struct edo_mutex_guard guard = {0};
        struct edo_mutex_lock lock = edo_mutex_lock(&stormed, &guard);
        switch (rand_r(seed) % 3) {
        case 0:
            cr_assert_eq(edo_mutex_blocking_lock(&stormed, &guard), 0);
            break;
        case 1:
            if (edo_mutex_try_lock(&stormed, &guard) != 0)
                continue;
            break;
        default:
            if (!pursue(&lock.future_, rand_r(seed) % 4 == 0, seed)) {
                cr_assert_null(guard.mutex);
                continue;
            }
            break;
        }
        cr_assert_eq(storm_inside++, 0);
        storm_locked++;
        storm_sum++;
        if (rand_r(seed) % 16 == 0)
            sched_yield();
        storm_inside--;
        edo_mutex_unlock(&guard);
    }
    return NULL;
}

Test(mutex, whatever_threads_do_one_has_it_at_a_time)
{
    struct bench bench;
    bench_begin(&bench);
    unsigned seed = pursue_seed(), seeds[STORM_THREADS];
    pthread_t threads[STORM_THREADS];
    edo_mutex_init(&stormed);
    for (int i = 0; i < STORM_THREADS; i++) {
        seeds[i] = (unsigned)rand_r(&seed);
        cr_assert_eq(pthread_create(&threads[i], NULL, storm_locks, &seeds[i]), 0);
    }
    for (int i = 0; i < STORM_THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(storm_sum, storm_locked);
    edo_mutex_destroy(&stormed);
    bench_end(&bench);
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
    struct bench bench;
    bench_begin(&bench);
    struct edo_mutex mutex;
    edo_mutex_init(&mutex);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct nested nested = NEW(nested, .mutex = &mutex);
    cr_assert_eq(test_block_on(runtime, &nested), 0);
    cr_assert_eq(nested.output, EDO_ENESTED);
    edo_runtime_drop(runtime);
    edo_mutex_destroy(&mutex);
    bench_end(&bench);
}
