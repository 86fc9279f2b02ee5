/* SPDX-License-Identifier: MIT */
/* The lock of internal/lock.h between threads; its orders are the models' (lock_model.c). */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "poll_harness.h"

enum { THREADS = 4, ROUNDS = 20000 };

static struct edo_lock zero;

/* Everything but the lock is plain: what two threads do at once is lost, and ThreadSanitizer's. */
struct locked {
    struct edo_lock lock;
    int inside, crowds, count, refused;
    bool yields;
    _Atomic(int) waits;
};

static void add(struct locked *locked)
{
    locked->crowds += ++locked->inside != 1;
    if (locked->yields && locked->count % 16 == 0)
        sched_yield(); /* so that others find it held, and spin, and sleep */
    locked->count++;
    locked->inside--;
}

static void *adds(void *arg)
{
    struct locked *locked = arg;
    for (int i = 0; i < ROUNDS; i++) {
        edo_lock(&locked->lock);
        add(locked);
        edo_unlock(&locked->lock);
    }
    return NULL;
}

static void *tries(void *arg)
{
    struct locked *locked = arg;
    for (int i = 0; i < ROUNDS; i++) {
        if (edo_try_lock(&locked->lock)) {
            add(locked);
        } else {
            edo_lock(&locked->lock);
            locked->refused++;
            add(locked);
        }
        edo_unlock(&locked->lock);
    }
    return NULL;
}

static void in_threads(void *(*first)(void *), void *(*rest)(void *), bool yields)
{
    struct bench bench;
    bench_begin(&bench);
    struct locked *locked = edo_calloc(1, sizeof *locked);
    cr_assert_not_null(locked);
    edo_lock_init(&locked->lock);
    locked->yields = yields;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, i == 0 ? first : rest, locked), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(locked->count, THREADS * ROUNDS);
    cr_assert_eq(locked->crowds, 0);
    cr_assert(edo_try_lock(&locked->lock));
    edo_unlock(&locked->lock);
    edo_lock_destroy(&locked->lock);
    edo_free(locked);
    bench_end(&bench);
}

Test(lock, one_thread_at_a_time)
{
    in_threads(adds, adds, false);
}

Test(lock, whoever_waits_for_a_holder_that_does_not_run_gets_it)
{
    in_threads(adds, adds, true);
}

Test(lock, who_tries_and_who_waits)
{
    in_threads(tries, adds, true);
    in_threads(adds, tries, true);
}

Test(lock, zero_is_free)
{
    struct bench bench;
    bench_begin(&bench);
    edo_lock(&zero);
    cr_assert_not(edo_try_lock(&zero));
    edo_unlock(&zero);
    cr_assert(edo_try_lock(&zero));
    edo_unlock(&zero);
    bench_end(&bench);
}

/* Taken where the process has one thread, wanted and given back where it has two. */
static void *wants(void *arg)
{
    struct locked *locked = arg;
    bool refused = !edo_try_lock(&locked->lock);
    edo_store(&locked->waits, 1, release);
    if (refused)
        edo_lock(&locked->lock);
    locked->refused += refused;
    locked->count++;
    edo_unlock(&locked->lock);
    return NULL;
}

Test(lock, held_while_the_second_thread_starts)
{
    struct bench bench;
    bench_begin(&bench);
    static struct locked locked;
    edo_lock(&locked.lock);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, wants, &locked), 0);
    while (edo_load(&locked.waits, acquire) == 0)
        sched_yield();
    cr_assert_eq(locked.count, 0);
    edo_unlock(&locked.lock);
    pthread_join(thread, NULL);
    cr_assert_eq(locked.count, 1);
    cr_assert_eq(locked.refused, 1);
    bench_end(&bench);
}

/* The last holder frees it. */
static void *lets_go(void *arg)
{
    struct locked *locked = arg;
    edo_lock(&locked->lock);
    bool last = --locked->count == 0;
    edo_unlock(&locked->lock);
    if (last) {
        edo_lock_destroy(&locked->lock);
        edo_free(locked);
    }
    return NULL;
}

Test(lock, freed_by_the_last_holder)
{
    struct bench bench;
    bench_begin(&bench);
    for (int round = 0; round < 300; round++) {
        struct locked *locked = edo_calloc(1, sizeof *locked);
        cr_assert_not_null(locked);
        edo_lock_init(&locked->lock);
        locked->count = THREADS;
        pthread_t threads[THREADS];
        edo_lock(&locked->lock); /* all meet here */
        for (int i = 0; i < THREADS; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL, lets_go, locked), 0);
        edo_unlock(&locked->lock);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    bench_end(&bench);
}

/* Long enough to have slept. */
Test(lock, waiting_leaves_errno_alone)
{
    struct bench bench;
    bench_begin(&bench);
    errno = EPIPE;
    uint64_t begin = edo_clock_ns();
    for (uint32_t round = 0; round < 8; round++)
        edo_spin_wait(&zero, round);
    cr_assert_eq(errno, EPIPE);
    cr_assert_gt(edo_clock_ns() - begin, 100000); /* two sleeps of 50 us */
    bench_end(&bench);
}
