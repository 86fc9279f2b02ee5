/* SPDX-License-Identifier: MIT */
/* Workers that are handed on: block_in_place (R20). */
#include "workers_helpers.h"

/* ---- R20: block_in_place ---- */

static void wait_in_place(void *arg)
{
    wait_for(arg);
}

/* Has another task end its wait, which some other thread must run, time and again; then has work done that blocks. */
struct waits_in_place {
    FUTURE(int);
    sem_t posted;
    int i, count;
    struct edo_join join;
};

ASYNC(waits_in_place)
{
    ASYNC_BEGIN;
    sem_init(&self->posted, 0, 0);
    for (; self->i < 10; self->i++) {
        edo_task_detach(SPAWN(NEW(posts, .semaphore = &self->posted)));
        cr_assert_eq(edo_block_in_place(wait_in_place, &self->posted), 0);
        AWAIT(self->join, edo_join(SPAWN_BLOCKING(edo_call(one_more, &self->count)), NULL));
        cr_assert_eq(self->join.output, 0);
    }
    RETURN(self->count);
    ASYNC_END;
}

Test(workers, a_worker_that_was_handed_on_takes_no_thread_from_blocking_work)
{
    for (uint32_t workers = 1; workers < 4; workers++) {
        struct baseline start = baseline();
        struct edo_runtime *runtime;
        int count = 0;
        cr_assert_eq(edo_runtime_new(&runtime, MULTI(workers), .max_blocking_threads = 1), 0);
        struct edo_join join =
            edo_join(SPAWN_ON(edo_runtime_handle(runtime), NEW(waits_in_place)), &count);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_eq(count, 10);
        edo_runtime_drop(runtime);
        check_baseline(&start);
    }
}

static void counts_calls(void *arg)
{
    one_more(arg);
}

/* A worker that falls asleep cannot be handed on. */
struct parks {
    sem_t parked;
    _Atomic(int) error;
};

static void parks_in_place(void *arg)
{
    struct parks *self = arg;
    int count = 0;
    self->error = edo_block_in_place(counts_calls, &count);
    cr_assert_eq(count, 0);
    sem_post(&self->parked);
}

Test(workers, a_hook_does_not_hand_its_worker_on)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    struct parks parks = {.error = 0};
    sem_init(&parks.parked, 0, 0);
    cr_assert_eq(
        edo_runtime_new(&runtime, MULTI(2), .on_thread_park = parks_in_place, .hook_arg = &parks),
        0);
    wait_for(&parks.parked);
    cr_assert_eq(parks.error, UV_EINVAL);
    struct work work = NEW(work);
    cr_assert_eq(edo_block_on(runtime, &work), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* ---- A waker that blocks in place between two wakes ---- */

struct blocks_in_wake {
    struct edo_waker waker;
    sem_t gone;
    int error;
};

static void until_gone(void *arg)
{
    wait_for(&((struct blocks_in_wake *)arg)->gone);
}

static void blocking_in_wake(struct edo_waker *waker)
{
    struct blocks_in_wake *self = (struct blocks_in_wake *)waker;
    self->error = edo_block_in_place(until_gone, self);
}

static struct edo_waker *same_waker(struct edo_waker *waker)
{
    return waker;
}

static void no_waker(struct edo_waker *waker)
{
    (void)waker;
}

struct posts_gone {
    FUTURE(void);
    sem_t *semaphore;
};

ASYNC(posts_gone)
{
    ASYNC_BEGIN;
    sem_post(self->semaphore);
    ASYNC_END;
}

struct waits_notified {
    FUTURE(int);
    struct edo_notify *notify;
    struct edo_notified wait;
};

ASYNC(waits_notified)
{
    ASYNC_BEGIN;
    AWAIT(self->wait, edo_notified(self->notify));
    RETURN(5);
    ASYNC_END;
}

struct wakes_both {
    FUTURE(int);
    struct edo_notify *notify;
    struct blocks_in_wake *blocker;
    struct edo_yield_now yield;
};

ASYNC(wakes_both)
{
    ASYNC_BEGIN;
    edo_task_detach(SPAWN(NEW(waits_notified, .notify = self->notify)));
    AWAIT(self->yield, edo_yield_now());
    AWAIT(self->yield, edo_yield_now());
    edo_task_detach(SPAWN(NEW(posts_gone, .semaphore = &self->blocker->gone)));
    edo_notify_waiters(self->notify);
    RETURN(0);
    ASYNC_END;
}

/* What it wakes afterwards it has claimed as a worker, which it is no more. */
Test(workers, a_waker_that_blocks_in_place_leaves_the_next_whole)
{
    static const struct edo_waker_ops ops = {blocking_in_wake, same_waker, no_waker, NULL, NULL};
    struct edo_runtime *runtime = multi(1);
    struct blocks_in_wake blocker = {.waker = {&ops}};
    struct edo_notify notify;
    edo_notify_init(&notify);
    sem_init(&blocker.gone, 0, 0);
    struct edo_notified first = edo_notified(&notify);
    struct edo_context cx;
    edo_context_init(&cx, &blocker.waker);
    cr_assert_eq(edo_future_poll(&first.future_, &cx), EDO_PENDING);
    JOIN_HANDLE(int)
    task = SPAWN_ON(edo_runtime_handle(runtime),
                    NEW(wakes_both, .notify = &notify, .blocker = &blocker));
    struct edo_join join = edo_join(task, NULL);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    cr_assert_eq(blocker.error, 0);
    cr_assert_eq(edo_future_poll(&first.future_, &cx), EDO_READY);
    edo_runtime_drop(runtime);
    edo_notify_destroy(&notify);
}
