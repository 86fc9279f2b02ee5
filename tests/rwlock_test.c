/* SPDX-License-Identifier: MIT */
#include "hostile_waker.h"

#include <pthread.h>

#include "edo.h"
#include "pursue.h"
#include "support/runtimes.h"

Test(rwlock, readers_are_in_together_and_a_writer_alone)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_rwlock lock;
    edo_rwlock_init(&lock);
    struct edo_rwlock_read_guard a = {0}, b = {0};
    struct edo_rwlock_write_guard w = {0}, v = {0};
    cr_assert_eq(edo_rwlock_try_read(&lock, &a), 0);
    cr_assert_eq(edo_rwlock_try_read(&lock, &b), 0);
    cr_assert_eq(edo_rwlock_try_write(&lock, &w), UV_EAGAIN);
    edo_rwlock_read_unlock(&a);
    edo_rwlock_read_unlock(&a);
    cr_assert_eq(edo_rwlock_try_write(&lock, &w), UV_EAGAIN);
    edo_rwlock_read_unlock(&b);
    cr_assert_eq(edo_rwlock_try_write(&lock, &w), 0);
    cr_assert_eq(edo_rwlock_try_write(&lock, &v), UV_EAGAIN);
    cr_assert_eq(edo_rwlock_try_read(&lock, &a), UV_EAGAIN);
    edo_rwlock_write_unlock(&w);
    edo_rwlock_write_unlock(&w);
    cr_assert_eq(edo_rwlock_try_read(&lock, &a), 0);
    edo_rwlock_read_unlock(&a);
    edo_rwlock_destroy(&lock);
    bench_end(&bench);
}

Test(rwlock, a_waiting_writer_blocks_later_readers)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_rwlock lock;
    edo_rwlock_init(&lock);
    struct edo_rwlock_read_guard first = {0}, later = {0};
    struct edo_rwlock_write_guard guard = {0};
    struct edo_rwlock_read one = edo_rwlock_read(&lock, &first);
    cr_assert_eq(POLL(one), EDO_READY);
    struct edo_rwlock_write write = edo_rwlock_write(&lock, &guard);
    cr_assert_eq(POLL(write), EDO_PENDING);
    struct edo_rwlock_read other = edo_rwlock_read(&lock, &later);
    cr_assert_eq(POLL(other), EDO_PENDING);
    edo_rwlock_read_unlock(&first);
    cr_assert_eq(POLL(other), EDO_PENDING);
    cr_assert_eq(POLL(write), EDO_READY);
    edo_rwlock_write_unlock(&guard);
    cr_assert_eq(POLL(other), EDO_READY);
    edo_rwlock_read_unlock(&later);
    edo_rwlock_destroy(&lock);
    bench_end(&bench);
}

Test(rwlock, a_dropped_writer_lets_the_readers_behind_it_in)
{
    for (int turn = 0; turn < 2; turn++) {
        struct bench bench;
        bench_begin(&bench);
        struct edo_rwlock lock;
        edo_rwlock_init(&lock);
        struct edo_rwlock_read_guard first = {0}, later = {0};
        struct edo_rwlock_write_guard guard = {0};
        edo_rwlock_try_read(&lock, &first);
        struct edo_rwlock_write write = edo_rwlock_write(&lock, &guard);
        struct edo_rwlock_read read = edo_rwlock_read(&lock, &later);
        cr_assert_eq(POLL(write), EDO_PENDING);
        cr_assert_eq(POLL(read), EDO_PENDING);
        if (turn == 1)
            edo_rwlock_read_unlock(&first);
        DROP_IT(write);
        cr_assert_null(guard.lock);
        cr_assert_eq(POLL(read), EDO_READY);
        edo_rwlock_read_unlock(&later);
        edo_rwlock_read_unlock(&first);
        edo_rwlock_destroy(&lock);
        bench_end(&bench);
    }
}

Test(rwlock, downgrade_lets_readers_in_with_no_writer_between)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_rwlock lock;
    edo_rwlock_init(&lock);
    struct edo_rwlock_write_guard writing = {0}, waiting = {0};
    struct edo_rwlock_read_guard kept = {0}, first = {0}, behind = {0};
    edo_rwlock_try_write(&lock, &writing);
    struct edo_rwlock_read read = edo_rwlock_read(&lock, &first);
    struct edo_rwlock_write write = edo_rwlock_write(&lock, &waiting);
    struct edo_rwlock_read last = edo_rwlock_read(&lock, &behind);
    cr_assert_eq(POLL(read), EDO_PENDING);
    cr_assert_eq(POLL(write), EDO_PENDING);
    cr_assert_eq(POLL(last), EDO_PENDING);
    edo_rwlock_downgrade(&writing, &kept);
    cr_assert(writing.lock == NULL && kept.lock == &lock);
    cr_assert_eq(POLL(write), EDO_PENDING);
    cr_assert_eq(POLL(last), EDO_PENDING, "behind the writer");
    cr_assert_eq(POLL(read), EDO_READY);
    edo_rwlock_read_unlock(&first);
    cr_assert_eq(POLL(write), EDO_PENDING);
    edo_rwlock_read_unlock(&kept);
    cr_assert_eq(POLL(write), EDO_READY);
    edo_rwlock_write_unlock(&waiting);
    cr_assert_eq(POLL(last), EDO_READY);
    edo_rwlock_read_unlock(&behind);
    edo_rwlock_destroy(&lock);
    bench_end(&bench);
}

/* More readers than are woken at once. Another thread that polls them all meanwhile, and unlocks, must not
 * find that all have had the lock, and free it: the writer that unlocks needs it again. */
enum { CROWD = 80 };
static struct edo_rwlock crowded;
static struct edo_rwlock_read crowd[CROWD];
static struct edo_rwlock_read_guard guards[CROWD];
static bool meddled;

static int poll_crowd(struct edo_waker *waker)
{
    struct edo_context cx;
    int done = 0;
    edo_context_init(&cx, waker);
    cx.budget = EDO_UNCONSTRAINED;
    for (int i = 0; i < CROWD; i++) {
        if (!edo_future_done(&crowd[i].future_))
            edo_future_poll(&crowd[i].future_, &cx);
        edo_rwlock_read_unlock(&guards[i]);
        done += edo_future_done(&crowd[i].future_);
    }
    return done;
}

static void meddling_wake(struct edo_waker *waker)
{
    static struct counter counter = {.waker = {&counter_stable}};
    counter_wake(waker);
    if (meddled)
        return;
    meddled = true;
    edo_future_drop(&crowd[CROWD - 2].future_, &(struct edo_context){.waker = &counter.waker});
    poll_crowd(&counter.waker);
    cr_assert_lt(poll_crowd(&counter.waker), CROWD);
}

static const struct edo_waker_ops meddling = {meddling_wake, counter_clone, counter_drop, NULL,
                                              NULL};

Test(rwlock, not_all_have_had_it_before_the_last_is_woken)
{
    struct bench bench;
    bench_begin(&bench);
    bench.counter.waker.ops = &meddling;
    bench.cx.budget = EDO_UNCONSTRAINED;
    struct edo_rwlock_write_guard writing = {0};
    edo_rwlock_init(&crowded);
    cr_assert_eq(edo_rwlock_try_write(&crowded, &writing), 0);
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = edo_rwlock_read(&crowded, &guards[i]);
        cr_assert_eq(POLL(crowd[i]), EDO_PENDING);
    }
    edo_rwlock_write_unlock(&writing);
    cr_assert_eq(poll_crowd(&bench.counter.waker), CROWD);
    edo_rwlock_destroy(&crowded);
    bench_end(&bench);
}

Test(rwlock, so_many_readers_and_no_more)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_rwlock lock;
    cr_assert_eq(edo_rwlock_init_max_readers(&lock, 0), UV_EINVAL);
    cr_assert_eq(edo_rwlock_init_max_readers(&lock, EDO_RWLOCK_MAX_READERS + 1), UV_EINVAL);
    cr_assert_eq(edo_rwlock_init_max_readers(&lock, 2), 0);
    struct edo_rwlock_read_guard guards[3] = {{0}};
    struct edo_rwlock_write_guard write = {0};
    cr_assert_eq(edo_rwlock_try_read(&lock, &guards[0]), 0);
    cr_assert_eq(edo_rwlock_try_read(&lock, &guards[1]), 0);
    cr_assert_eq(edo_rwlock_try_read(&lock, &guards[2]), UV_EAGAIN);
    edo_rwlock_read_unlock(&guards[0]);
    cr_assert_eq(edo_rwlock_try_read(&lock, &guards[2]), 0);
    edo_rwlock_read_unlock(&guards[1]);
    edo_rwlock_read_unlock(&guards[2]);
    cr_assert_eq(edo_rwlock_try_write(&lock, &write), 0);
    edo_rwlock_write_unlock(&write);
    edo_rwlock_destroy(&lock);
    bench_end(&bench);
}

/* Dropped before their first poll, while they wait, and when their turn has come. */
Test(rwlock, a_future_dropped_at_any_time_has_not_locked)
{
    struct bench bench;
    bench_begin(&bench);
    for (int state = 0; state < 3; state++) {
        for (int writes = 0; writes < 2; writes++) {
            struct edo_rwlock lock;
            edo_rwlock_init(&lock);
            struct edo_rwlock_write_guard held = {0}, written = {0}, last = {0};
            struct edo_rwlock_read_guard seen = {0};
            edo_rwlock_try_write(&lock, &held);
            struct edo_rwlock_read read = edo_rwlock_read(&lock, &seen);
            struct edo_rwlock_write write = edo_rwlock_write(&lock, &written);
            struct edo_future *future = writes ? &write.future_ : &read.future_;
            bench.counter.wakes = 0;
            if (state > 0)
                cr_assert_eq(edo_future_poll(future, &bench.cx), EDO_PENDING);
            if (state < 2)
                edo_future_drop(future, &bench.cx);
            edo_rwlock_write_unlock(&held);
            cr_assert_eq(bench.counter.wakes, state == 2);
            if (state == 2)
                edo_future_drop(future, &bench.cx);
            cr_assert(seen.lock == NULL && written.lock == NULL);
            cr_assert_eq(edo_rwlock_try_write(&lock, &last), 0);
            edo_rwlock_write_unlock(&last);
            edo_rwlock_destroy(&lock);
        }
    }
    bench_end(&bench);
}

Test(rwlock, a_reader_that_is_dropped_in_its_turn_lets_the_writer_behind_it_in)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_rwlock lock;
    edo_rwlock_init(&lock);
    struct edo_rwlock_write_guard held = {0}, next = {0};
    struct edo_rwlock_read_guard seen = {0};
    edo_rwlock_try_write(&lock, &held);
    struct edo_rwlock_read read = edo_rwlock_read(&lock, &seen);
    struct edo_rwlock_write write = edo_rwlock_write(&lock, &next);
    cr_assert_eq(POLL(read), EDO_PENDING);
    cr_assert_eq(POLL(write), EDO_PENDING);
    edo_rwlock_write_unlock(&held);
    cr_assert_eq(bench.counter.wakes, 1);
    DROP_IT(read);
    cr_assert_eq(bench.counter.wakes, 2);
    cr_assert_eq(POLL(write), EDO_READY);
    edo_rwlock_write_unlock(&next);
    edo_rwlock_destroy(&lock);
    bench_end(&bench);
}

Test(rwlock, a_waker_is_replaced_by_that_of_the_last_poll)
{
    struct bench bench, other;
    bench_begin(&bench);
    bench_begin(&other);
    struct edo_rwlock lock;
    edo_rwlock_init(&lock);
    struct edo_rwlock_write_guard held = {0}, written = {0};
    struct edo_rwlock_read_guard seen = {0};
    edo_rwlock_try_write(&lock, &held);
    struct edo_rwlock_read read = edo_rwlock_read(&lock, &seen);
    struct edo_rwlock_write write = edo_rwlock_write(&lock, &written);
    cr_assert_eq(POLL(read), EDO_PENDING);
    cr_assert_eq(POLL(write), EDO_PENDING);
    cr_assert_eq(POLL_BY(read, &other.cx), EDO_PENDING);
    cr_assert_eq(POLL_BY(write, &other.cx), EDO_PENDING);
    edo_rwlock_write_unlock(&held);
    cr_assert_eq(POLL(read), EDO_READY);
    edo_rwlock_read_unlock(&seen);
    cr_assert(bench.counter.wakes == 0 && other.counter.wakes == 2);
    cr_assert_eq(POLL(write), EDO_READY);
    edo_rwlock_write_unlock(&written);
    edo_rwlock_destroy(&lock);
    bench_end(&bench);
}

Test(rwlock, each_lock_takes_from_the_budget_and_gives_way_without)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_rwlock lock;
    edo_rwlock_init(&lock);
    struct edo_rwlock_write_guard written = {0};
    struct edo_rwlock_read_guard seen = {0};
    struct edo_rwlock_read read = edo_rwlock_read(&lock, &seen);
    struct edo_rwlock_write write = edo_rwlock_write(&lock, &written);
    bench.cx.budget = 0;
    cr_assert_eq(POLL(read), EDO_PENDING);
    cr_assert_eq(POLL(write), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 2);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(read), EDO_READY);
    cr_assert_eq(bench.cx.budget, 0);
    edo_rwlock_read_unlock(&seen);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(write), EDO_READY);
    cr_assert_eq(bench.cx.budget, 0);
    edo_rwlock_write_unlock(&written);
    edo_rwlock_destroy(&lock);
    bench_end(&bench);
}

Test(rwlock, a_trace_names_them_and_they_allocate_nothing)
{
    struct bench bench;
    bench_begin(&bench);
    edo_alloc_fail(1, true);
    struct edo_rwlock lock;
    edo_rwlock_init(&lock);
    struct edo_rwlock_write_guard held = {0}, written = {0};
    struct edo_rwlock_read_guard seen = {0};
    edo_rwlock_try_write(&lock, &held);
    struct edo_rwlock_read read = edo_rwlock_read(&lock, &seen);
    struct edo_rwlock_write write = edo_rwlock_write(&lock, &written);
    cr_assert_eq(POLL(read), EDO_PENDING);
    cr_assert_eq(POLL(write), EDO_PENDING);
    edo_future_trace(&read.future_, &bench.cx);
    edo_future_trace(&write.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_rwlock_read\nedo_rwlock_write\n");
    edo_rwlock_write_unlock(&held);
    cr_assert_eq(POLL(read), EDO_READY);
    edo_rwlock_read_unlock(&seen);
    cr_assert_eq(POLL(write), EDO_READY);
    edo_rwlock_downgrade(&written, &seen);
    edo_rwlock_read_unlock(&seen);
    edo_rwlock_destroy(&lock);
    cr_assert_not(edo_alloc_fail(0, false));
    bench_end(&bench);
}

Test(rwlock, a_plain_thread_without_memory_does_not_lock)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_rwlock lock;
    edo_rwlock_init(&lock);
    struct edo_rwlock_write_guard written = {0};
    struct edo_rwlock_read_guard seen = {0};
    edo_alloc_fail(1, true);
    cr_assert_eq(edo_rwlock_blocking_read(&lock, &seen), UV_ENOMEM);
    cr_assert_eq(edo_rwlock_blocking_write(&lock, &written), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    cr_assert(seen.lock == NULL && written.lock == NULL);
    cr_assert_eq(edo_rwlock_blocking_write(&lock, &written), 0);
    edo_rwlock_write_unlock(&written);
    edo_rwlock_destroy(&lock);
    bench_end(&bench);
}

/* Wakers that call back. */
static struct {
    struct edo_rwlock lock;
    struct edo_rwlock_write_guard held, written;
    struct edo_rwlock_read_guard seen;
    struct edo_rwlock_read read;
    struct edo_rwlock_write write;
    bool gone;
} rigged;

static void look(void)
{
    if (rigged.gone)
        return;
    cr_assert(edo_try_lock(&rigged.lock.core_.lock_));
    edo_unlock(&rigged.lock.core_.lock_);
}

static void rigged_begin(struct bench *bench)
{
    hostile_begin(bench, &hostile_foreign, look);
    memset(&rigged, 0, sizeof rigged);
    edo_rwlock_init(&rigged.lock);
    cr_assert_eq(edo_rwlock_try_write(&rigged.lock, &rigged.held), 0);
    rigged.read = edo_rwlock_read(&rigged.lock, &rigged.seen);
    rigged.write = edo_rwlock_write(&rigged.lock, &rigged.written);
}

static void rigged_end(struct bench *bench)
{
    hostile.always = NULL;
    edo_rwlock_read_unlock(&rigged.seen);
    edo_rwlock_write_unlock(&rigged.written);
    edo_rwlock_write_unlock(&rigged.held);
    if (!rigged.gone)
        edo_rwlock_destroy(&rigged.lock);
    hostile_end(bench);
}

static void unlocks_it(void)
{
    edo_rwlock_write_unlock(&rigged.held);
}

static void all_goes(void)
{
    edo_rwlock_read_unlock(&rigged.seen);
    edo_rwlock_write_unlock(&rigged.written);
    edo_rwlock_destroy(&rigged.lock);
    memset(&rigged.lock, 0xa5, sizeof rigged.lock);
    rigged.gone = true;
}

static void reads_and_all_goes(void)
{
    cr_assert_eq(POLL_BY(rigged.read, &hostile.bench->cx), EDO_READY);
    all_goes();
}

static void writes_and_all_goes(void)
{
    cr_assert_eq(POLL_BY(rigged.write, &hostile.bench->cx), EDO_READY);
    all_goes();
}

static void reader_gives_up(void)
{
    edo_future_drop(&rigged.read.future_, &hostile.bench->cx);
}

Test(rwlock, a_clone_that_unlocks_is_not_missed)
{
    struct bench bench;
    rigged_begin(&bench);
    hostile.in_clone.act = unlocks_it;
    cr_assert_eq(POLL(rigged.read), EDO_READY);
    rigged_end(&bench);

    rigged_begin(&bench);
    hostile.in_clone.act = unlocks_it;
    cr_assert_eq(POLL(rigged.write), EDO_READY);
    rigged_end(&bench);
}

Test(rwlock, it_may_be_gone_when_an_unlock_has_woken)
{
    struct bench bench;
    rigged_begin(&bench);
    cr_assert_eq(POLL(rigged.read), EDO_PENDING);
    hostile.in_wake.act = reads_and_all_goes;
    unlocks_it();
    rigged_end(&bench);

    rigged_begin(&bench);
    cr_assert_eq(POLL(rigged.write), EDO_PENDING);
    hostile.in_wake.act = writes_and_all_goes;
    unlocks_it();
    rigged_end(&bench);

    rigged_begin(&bench);
    edo_rwlock_downgrade(&rigged.held, &rigged.seen);
    cr_assert_eq(POLL(rigged.write), EDO_PENDING);
    hostile.in_wake.act = writes_and_all_goes;
    edo_rwlock_read_unlock(&rigged.seen);
    rigged_end(&bench);
}

Test(rwlock, one_that_gives_up_when_it_is_woken_hands_it_on)
{
    struct bench bench;
    rigged_begin(&bench);
    cr_assert_eq(POLL(rigged.read), EDO_PENDING);
    cr_assert_eq(POLL(rigged.write), EDO_PENDING);
    hostile.in_wake.act = reader_gives_up;
    unlocks_it();
    cr_assert_eq(bench.counter.wakes, 2);
    cr_assert_eq(POLL(rigged.write), EDO_READY);
    rigged_end(&bench);
}

/* Two numbers that are the same whenever somebody reads. */
enum { THREADS = 6, ROUNDS = 2000 };
struct table {
    struct edo_rwlock lock;
    int a, b;
};

static void *reads_and_writes(void *arg)
{
    struct table *table = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct edo_rwlock_read_guard read = {0};
        struct edo_rwlock_write_guard write = {0};
        if (i % 3 == 0) {
            cr_assert_eq(edo_rwlock_blocking_write(&table->lock, &write), 0);
            int n = ++table->a;
            if (i % 2 == 0) {
                table->b++;
                edo_rwlock_downgrade(&write, &read);
                cr_assert(table->a == n && table->b == n);
            } else {
                table->b++;
            }
        } else {
            cr_assert_eq(edo_rwlock_blocking_read(&table->lock, &read), 0);
            cr_assert_eq(table->a, table->b);
        }
        edo_rwlock_read_unlock(&read);
        edo_rwlock_write_unlock(&write);
    }
    return NULL;
}

Test(rwlock, threads_see_what_the_writer_before_them_left)
{
    struct bench bench;
    bench_begin(&bench);
    struct table table = {.a = 0};
    edo_rwlock_init(&table.lock);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, reads_and_writes, &table), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(table.a, THREADS * ((ROUNDS + 2) / 3));
    cr_assert_eq(table.a, table.b);
    edo_rwlock_destroy(&table.lock);
    bench_end(&bench);
}

/* Threads that read and write in every way, and give up as it happens: a writer is alone, readers are as
 * many as there may be. */
enum { STORM_THREADS = 7, STORM_ROUNDS = 1500, STORM_READERS = 3 };
static struct edo_rwlock stormed;
static _Atomic(int) storm_readers, storm_writers;

static void storm_reads(unsigned *seed)
{
    struct edo_rwlock_read_guard guard = {0};
    struct edo_rwlock_read read = edo_rwlock_read(&stormed, &guard);
    if (rand_r(seed) % 3 == 0)
        cr_assert_eq(edo_rwlock_blocking_read(&stormed, &guard), 0);
    else if (!pursue(&read.future_, rand_r(seed) % 2, seed) &&
             edo_rwlock_try_read(&stormed, &guard) != 0)
        return;
    cr_assert_leq(++storm_readers, STORM_READERS);
    cr_assert_eq(storm_writers, 0);
    if (rand_r(seed) % 16 == 0)
        sched_yield();
    storm_readers--;
    edo_rwlock_read_unlock(&guard);
}

static void storm_writes(unsigned *seed)
{
    struct edo_rwlock_write_guard guard = {0};
    struct edo_rwlock_read_guard kept = {0};
    struct edo_rwlock_write write = edo_rwlock_write(&stormed, &guard);
    if (rand_r(seed) % 3 == 0)
        cr_assert_eq(edo_rwlock_blocking_write(&stormed, &guard), 0);
    else if (!pursue(&write.future_, rand_r(seed) % 2, seed) &&
             edo_rwlock_try_write(&stormed, &guard) != 0)
        return;
    cr_assert_eq(++storm_writers, 1);
    cr_assert_eq(storm_readers, 0);
    storm_writers--;
    if (rand_r(seed) % 2 == 0) {
        edo_rwlock_downgrade(&guard, &kept);
        cr_assert_eq(storm_writers, 0);
    }
    edo_rwlock_read_unlock(&kept);
    edo_rwlock_write_unlock(&guard);
}

static void *storm_locks(void *arg)
{
    unsigned *seed = arg;
    for (int i = 0; i < STORM_ROUNDS; i++)
        (rand_r(seed) % 3 == 0 ? storm_writes : storm_reads)(seed);
    return NULL;
}

Test(rwlock, whatever_threads_do_a_writer_is_alone)
{
    struct bench bench;
    bench_begin(&bench);
    unsigned seed = pursue_seed(), seeds[STORM_THREADS];
    pthread_t threads[STORM_THREADS];
    cr_assert_eq(edo_rwlock_init_max_readers(&stormed, STORM_READERS), 0);
    for (int i = 0; i < STORM_THREADS; i++) {
        seeds[i] = (unsigned)rand_r(&seed);
        cr_assert_eq(pthread_create(&threads[i], NULL, storm_locks, &seeds[i]), 0);
    }
    for (int i = 0; i < STORM_THREADS; i++)
        pthread_join(threads[i], NULL);
    edo_rwlock_destroy(&stormed);
    bench_end(&bench);
}

struct nested {
    FUTURE(int);
    struct edo_rwlock *lock;
};

ASYNC(nested)
{
    ASYNC_BEGIN;
    struct edo_rwlock_read_guard read = {0};
    struct edo_rwlock_write_guard write = {0};
    if (edo_rwlock_blocking_read(self->lock, &read) != EDO_ENESTED)
        RETURN(0);
    RETURN(edo_rwlock_blocking_write(self->lock, &write));
    ASYNC_END;
}

Test(rwlock, blocking_in_a_task_is_an_error)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_rwlock lock;
    edo_rwlock_init(&lock);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct nested nested = NEW(nested, .lock = &lock);
    cr_assert_eq(test_block_on(runtime, &nested), 0);
    cr_assert_eq(nested.output, EDO_ENESTED);
    edo_runtime_drop(runtime);
    edo_rwlock_destroy(&lock);
    bench_end(&bench);
}
