/* SPDX-License-Identifier: MIT */
/* How a runtime ends: dropped, in the background, in a task of another, under those who spawn. What holds for workers
 * alone is in workers_test.c, of blocking work in blocking_shutdown_test.c. */
#include <pthread.h>

#include "workers_helpers.h"
#include "support/runtimes.h"

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
