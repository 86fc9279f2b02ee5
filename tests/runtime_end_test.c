/* SPDX-License-Identifier: MIT */
/* How a runtime ends: dropped, in the background, in a task of another, under those who spawn. What holds for workers
 * alone is in workers_test.c, of blocking work in blocking_shutdown_test.c. */
#include <pthread.h>
#include <signal.h>

#include "internal/park.h"
#include "support/runtimes.h"
#include "workers_helpers.h"

Test(runtime, guards_nest_and_a_handle_outlives_its_runtime)
{
    struct baseline start = baseline();
    struct edo_runtime *a, *b;
    cr_assert_eq(test_runtime_new(&a), 0);
    cr_assert_eq(test_runtime_new(&b), 0);
    struct edo_handle *handle = edo_handle_clone(edo_runtime_handle(a));
    cr_assert_null(edo_handle_current());
    struct edo_guard outer = edo_enter(handle);
    struct edo_guard inner = edo_enter(edo_runtime_handle(b));
    cr_assert_eq(edo_handle_current(), edo_runtime_handle(b));
    edo_leave(inner);
    cr_assert_eq(edo_handle_current(), handle);
    edo_leave(outer);
    cr_assert_null(edo_handle_current());
    edo_runtime_drop(a);
    edo_runtime_drop(b);
    finals = 0;
    outer = edo_enter(handle);
    JOIN_HANDLE(int) late = SPAWN(NEW(work));
    edo_leave(outer);
    cr_assert_eq(edo_task_error(late), 0);
    cr_assert(edo_task_is_finished(late), "a spawn after the end is cancelled at once");
    cr_assert_eq(finals, 1);
    edo_task_detach(late);
    edo_handle_drop(handle);
    check_baseline(&start);
}

struct runs_another {
    FUTURE(int);
    struct edo_runtime *other;
    struct edo_handle *handle;
    JOIN_HANDLE(int) task;
    struct edo_join join;
    uint64_t ms;
};

ASYNC(runs_another)
{
    ASYNC_BEGIN;
    self->handle = edo_handle_current();
    cr_assert_eq(edo_runtime_new(&self->other), 0);
    self->task = SPAWN_ON(edo_runtime_handle(self->other), NEW(work, .result = 1));
    edo_runtime_shutdown_timeout(self->other, self->ms);
    cr_assert_eq(edo_handle_current(), self->handle, "this one goes on as before");
    AWAIT(self->join, edo_join(self->task, NULL));
    cr_assert_eq(self->join.output, UV_ECANCELED);
    self->task = SPAWN(NEW(work, .yields = 2, .result = 5));
    AWAIT(self->join, edo_join(self->task, &self->output));
    ASYNC_END;
}

Test(runtime, one_may_end_in_a_task_of_another)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    for (uint64_t ms = 0; ms < 2; ms++) {
        finals = 0;
        struct runs_another outer = NEW(runs_another, .ms = ms);
        cr_assert_eq(test_block_on(runtime, &outer), 0);
        cr_assert_eq(outer.output, 5);
        cr_assert_eq(finals, 2);
    }
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

Test(runtime, shutting_down_in_the_background_returns_at_once)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    finals = 0;
    edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime), NEW(work, .yields = 10)));
    edo_runtime_shutdown_background(runtime);
    cr_assert_eq(finals, 1);
    edo_runtime_drop(NULL);
    check_baseline(&start);
}

/* Spawns race with the end of the runtime: each future is run or dropped, once. */
static void *spawn_into_the_end(void *arg)
{
    struct edo_handle *handle = arg;
    for (int i = 0; i < 300; i++)
        edo_task_detach(SPAWN_ON(handle, NEW(work, .yields = i % 3)));
    edo_handle_drop(handle);
    return NULL;
}

Test(runtime, spawns_that_race_with_its_end_are_run_or_dropped)
{
    for (int round = 0; round < 50; round++) {
        struct baseline start = baseline();
        struct edo_runtime *runtime;
        pthread_t threads[4];
        finals = 0;
        cr_assert_eq(test_runtime_new(&runtime), 0);
        for (int i = 0; i < 4; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL, spawn_into_the_end,
                                        edo_handle_clone(edo_runtime_handle(runtime))),
                         0);
        struct work work = NEW(work, .yields = 20);
        cr_assert_eq(test_block_on(runtime, &work), 0);
        edo_runtime_drop(runtime);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        cr_assert_eq(finals, 1 + 4 * 300);
        check_baseline(&start);
    }
}

/* ---- In the background, from within ---- */

enum { LEFT = 20 };

struct ends_its_own {
    FUTURE(int);
    struct edo_runtime *runtime;
    struct edo_handle *handle;
    bool waits, in_place;
};

static void end_in_background(void *runtime)
{
    edo_runtime_shutdown_background(runtime);
}

static _Atomic(int) gone_on;

ASYNC(ends_its_own)
{
    ASYNC_BEGIN;
    self->handle = edo_handle_current();
    if (self->in_place)
        cr_assert_eq(edo_block_in_place(end_in_background, self->runtime), 0);
    else
        edo_runtime_shutdown_background(self->runtime);
    cr_assert_eq(edo_handle_current(), self->handle, "it is in its runtime until it awaits");
    SPAWN_DETACHED(NEW(work));
    SPAWN_DETACHED_ON(self->handle, NEW(work));
    edo_task_detach(SPAWN_BLOCKING(NEW(work)));
    if (self->waits) {
        YIELD_NOW();
        ++gone_on;
    }
    RETURN(7);
ASYNC_FINALLY:
    ++finals;
    ASYNC_END;
}

static void check_end_from_within(uint32_t workers, bool waits, bool in_place)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = multi(workers);
    finals = ran = gone_on = ends_elsewhere = 0;
    for (int i = 0; i < LEFT; i++)
        SPAWN_DETACHED_ON(edo_runtime_handle(runtime), NEW(spawns_at_its_end, .more = 1));
    struct edo_sleep sleep = edo_sleep(1);
    cr_assert_eq(edo_block_on(runtime, &sleep), 0);
    JOIN_HANDLE(int)
    task = SPAWN_ON(edo_runtime_handle(runtime),
                    NEW(ends_its_own, .runtime = runtime, .waits = waits, .in_place = in_place));
    int output = 0;
    struct edo_join join = edo_join(task, &output);
    cr_assert_eq(edo_park_on(&join.future_), 0);
    cr_assert_eq(join.output, waits ? UV_ECANCELED : 0);
    cr_assert_eq(output, waits ? 0 : 7);
    await_baseline(&start);
    cr_assert_eq(finals, 2 * LEFT + 4, "each is dropped once: %d", finals);
    cr_assert(ran == 0 && gone_on == 0 && ends_elsewhere == 0);
    check_baseline(&start);
}

Test(runtime, a_task_may_end_its_own_in_the_background)
{
    for (uint32_t workers = 1; workers <= 8; workers *= 2)
        for (int i = 0; i < 4; i++)
            check_end_from_within(workers, i & 1, i & 2);
}

/* While all its workers are busy, and wake each other. */
Test(runtime, a_task_may_end_its_own_in_the_background_under_load)
{
    for (int round = 0; round < 20; round++) {
        struct baseline start = baseline();
        struct edo_runtime *runtime = multi(4);
        struct edo_handle *handle = edo_handle_clone(edo_runtime_handle(runtime));
        finals = gone_on = 0;
        for (int i = 0; i < LEFT; i++)
            SPAWN_DETACHED_ON(handle, NEW(work, .yields = INT32_MAX));
        SPAWN_DETACHED_ON(handle, NEW(ends_its_own, .runtime = runtime, .waits = true));
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, spawn_into_the_end, handle), 0);
        pthread_join(thread, NULL);
        await_baseline(&start);
        cr_assert_eq(finals, LEFT + 300 + 4);
        cr_assert_eq(gone_on, 0);
        check_baseline(&start);
    }
}

/* Blocking work that has not begun is dropped there, and wakes who waits for it: the task that is being polled. */
struct ends_what_it_queued {
    FUTURE(int);
    struct edo_runtime *runtime;
    struct gate *gate;
    struct edo_join join;
};

ASYNC(ends_what_it_queued)
{
    ASYNC_BEGIN;
    edo_task_detach(SPAWN_BLOCKING(NEW(gatekeeper, .gate = self->gate)));
    wait_for(&self->gate->entered);
    self->join = edo_join(SPAWN_BLOCKING(NEW(work)), NULL);
    cr_assert_eq(edo_future_poll(&self->join.future_, cx), EDO_PENDING);
    edo_runtime_shutdown_background(self->runtime);
    cr_assert(finals == 1 && ran == 0);
    AWAIT_REF(self->join);
    RETURN(self->join.output);
ASYNC_FINALLY:
    ++finals;
    sem_post(&self->gate->open);
    ASYNC_END;
}

Test(runtime, a_task_that_ends_its_own_drops_blocking_work_that_has_not_begun)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(2), .max_blocking_threads = 1), 0);
    struct gate gate;
    gate_init(&gate);
    finals = ran = 0;
    int output = 0;
    struct edo_join join =
        edo_join(SPAWN_ON(edo_runtime_handle(runtime),
                          NEW(ends_what_it_queued, .runtime = runtime, .gate = &gate)),
                 &output);
    cr_assert_eq(edo_park_on(&join.future_), 0);
    cr_assert(join.output == 0 && output == UV_ECANCELED);
    await_baseline(&start);
    cr_assert_eq(finals, 3);
    check_baseline(&start);
}

struct root_ends_it {
    FUTURE(int);
    struct edo_runtime *runtime;
    struct edo_handle *handle;
    struct edo_sleep sleep;
};

ASYNC(root_ends_it)
{
    ASYNC_BEGIN;
    self->handle = edo_handle_current();
    edo_runtime_shutdown_background(self->runtime);
    SPAWN_DETACHED(NEW(work));
    YIELD_NOW();
    cr_assert_eq(edo_handle_current(), self->handle);
    AWAIT(self->sleep, edo_sleep(1));
    RETURN(self->sleep.output);
ASYNC_FINALLY:
    ++finals;
    ASYNC_END;
}

Test(runtime, the_future_of_block_on_may_end_it_in_the_background)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = multi(2);
    finals = ran = 0;
    struct root_ends_it root = NEW(root_ends_it, .runtime = runtime);
    cr_assert_eq(edo_block_on(runtime, &root), 0);
    cr_assert_lt(root.output, 0, "there is no clock any more");
    cr_assert(finals == 2 && ran == 0);
    await_baseline(&start);
    check_baseline(&start);
}

struct work_ends_it {
    FUTURE(int);
    struct edo_runtime *runtime;
    JOIN_HANDLE(int) task;
    struct edo_join join;
};

ASYNC(work_ends_it)
{
    ASYNC_BEGIN;
    edo_runtime_shutdown_background(self->runtime);
    self->task = SPAWN(NEW(work));
    AWAIT(self->join, edo_join(self->task, NULL));
    RETURN(self->join.output);
ASYNC_FINALLY:
    ++finals;
    ASYNC_END;
}

Test(runtime, its_blocking_work_may_end_it_in_the_background)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct edo_handle *handle = edo_runtime_handle(runtime);
    finals = ran = 0;
    SPAWN_DETACHED_ON(handle, NEW(spawns_at_its_end, .more = 1));
    int output = 0;
    struct edo_join join =
        edo_join(SPAWN_BLOCKING_ON(handle, NEW(work_ends_it, .runtime = runtime)), &output);
    cr_assert_eq(edo_park_on(&join.future_), 0);
    cr_assert(join.output == 0 && output == UV_ECANCELED);
    await_baseline(&start);
    cr_assert(finals == 4 && ran == 0);
    check_baseline(&start);
}

/* ---- Waiting for it, from within, is not possible: the program is stopped ---- */

struct waits_for_the_end {
    FUTURE(int);
    struct edo_runtime *runtime;
    void (*end)(struct edo_runtime *runtime);
};

ASYNC(waits_for_the_end)
{
    ASYNC_BEGIN;
    self->end(self->runtime);
    RETURN(0);
    ASYNC_END;
}

static void end_in_time(struct edo_runtime *runtime)
{
    edo_runtime_shutdown_timeout(runtime, 1);
}

static void call_drop(void *runtime)
{
    edo_runtime_drop(runtime);
}

static void drop_in_place(struct edo_runtime *runtime)
{
    edo_block_in_place(call_drop, runtime);
}

static void check_stopped(bool blocking, void (*end)(struct edo_runtime *))
{
    struct edo_runtime *runtime = multi(1);
    struct waits_for_the_end future = NEW(waits_for_the_end, .runtime = runtime, .end = end);
    struct edo_handle *handle = edo_runtime_handle(runtime);
    JOIN_HANDLE(int) task = NULL;
    if (blocking)
        task = SPAWN_BLOCKING_ON(handle, future);
    else
        task = SPAWN_ON(handle, future);
    struct edo_join join = edo_join(task, NULL);
    edo_block_on(runtime, &join);
}

Test(runtime, a_task_that_drops_its_own_is_stopped, .signal = SIGABRT)
{
    check_stopped(false, edo_runtime_drop);
}

Test(runtime, a_task_that_drops_its_own_in_place_is_stopped, .signal = SIGABRT)
{
    check_stopped(false, drop_in_place);
}

Test(runtime, a_task_that_ends_its_own_within_a_time_is_stopped, .signal = SIGABRT)
{
    check_stopped(false, end_in_time);
}

Test(runtime, blocking_work_that_drops_its_own_is_stopped, .signal = SIGABRT)
{
    check_stopped(true, edo_runtime_drop);
}
