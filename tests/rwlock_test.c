/* SPDX-License-Identifier: MIT */
#include "poll_harness.h"

#include <pthread.h>

#include "edo.h"

Test(rwlock, readers_are_in_together_and_a_writer_alone)
{
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
    struct edo_rwlock lock;
    edo_rwlock_init(&lock);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct nested nested = NEW(nested, .lock = &lock);
    cr_assert_eq(edo_block_on(runtime, &nested), 0);
    cr_assert_eq(nested.output, EDO_ENESTED);
    edo_runtime_drop(runtime);
    edo_rwlock_destroy(&lock);
}
