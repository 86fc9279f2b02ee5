/* SPDX-License-Identifier: MIT */
/* The end of a runtime that has blocking work: begun, queued, spawned meanwhile. R3, R11, R12. */
#include "io_helpers.h"
#include "blocking_helpers.h"

#include "runtime/driver.h"

enum how { DROP, TIMEOUT, BACKGROUND };

/* One job is under way on the only thread, one is queued behind it. */
struct scene {
    struct baseline start;
    struct log_of_jobs log;
    struct edo_event begun, go, gone, stopped;
    struct edo_runtime *runtime;
    struct edo_handle *handle;
    JOIN_HANDLE(int) first;
    JOIN_HANDLE(int) second;
    struct edo_handle *spawn_on; /* by the first job, on its way to the end */
};

static void on_stop(void *arg)
{
    edo_event_set(&((struct scene *)arg)->stopped);
}

static int spawns_again(void *argument)
{
    struct scene *scene = argument;
    if (scene->spawn_on == NULL)
        return 0;
    JOIN_HANDLE(int) handle = SPAWN_BLOCKING(NEW(job, .log = &scene->log));
    MUST(edo_task_error(handle) == 0);
    MUST(join_here(handle) == UV_ECANCELED);
    /* An ordinary task as well. */
    handle = SPAWN(NEW(job, .log = &scene->log));
    MUST(join_here(handle) == UV_ECANCELED);
    return 0;
}

static void set_up(struct scene *scene)
{
    *scene = (struct scene){.start = baseline()};
    edo_event_init(&scene->begun);
    edo_event_init(&scene->go);
    edo_event_init(&scene->gone);
    edo_event_init(&scene->stopped);
    cr_assert_eq(test_runtime_new(&scene->runtime, .max_blocking_threads = 1,
                                  .on_thread_stop = on_stop, .hook_arg = scene),
                 0);
    scene->handle = edo_handle_clone(edo_runtime_handle(scene->runtime));
    scene->first = SPAWN_BLOCKING_ON(
        scene->handle, NEW(job, .log = &scene->log, .name = 1, .begun = &scene->begun,
                           .go = &scene->go, .function = spawns_again, .argument = scene));
    scene->second = SPAWN_BLOCKING_ON(
        scene->handle, NEW(job, .log = &scene->log, .name = 2, .gone = &scene->gone));
    edo_event_wait(&scene->begun);
}

/* Lets the first job end once the second is dropped: not before the runtime's end is under way. */
static void *releases(void *arg)
{
    struct scene *scene = arg;
    edo_event_wait(&scene->gone);
    edo_event_set(&scene->go);
    return NULL;
}

Test(blocking_shutdown, a_drop_waits_for_what_has_begun_and_drops_the_rest)
{
    struct scene scene;
    set_up(&scene);
    scene.spawn_on = scene.handle;
    struct edo_thread_id thread = start_thread(releases, &scene);
    edo_runtime_drop(scene.runtime);
    cr_assert(edo_task_is_finished(scene.first));
    cr_assert(edo_task_is_finished(scene.second));
    cr_assert_eq(scene.log.begun, 1);
    /* Those of the two that it spawned, too. */
    cr_assert_eq(scene.log.finals, 4);
    cr_assert_eq(join_here(scene.first), 1);
    cr_assert_eq(join_here(scene.second), UV_ECANCELED);
    edo_thread_join(thread);
    edo_handle_drop(scene.handle);
    check_baseline(&scene.start);
}

/* In the end it lets the first job go on, which had kept the second from its beginning. */
struct lets_go {
    FUTURE(void);
    struct scene *scene;
    struct edo_event *waits;
    struct edo_sleep sleep;
};

ASYNC(lets_go)
{
    ASYNC_BEGIN;
    edo_event_set(self->waits);
    AWAIT(self->sleep, edo_sleep(1000000));
ASYNC_FINALLY:
    edo_event_set(&self->scene->go);
    /* Its thread is through with it, and with whatever it has taken then. */
    struct edo_blocking_counts counts;
    do
        counts = edo_blocking_pool_counts(self->scene->handle->blocking);
    while (counts.threads > counts.idle);
    ASYNC_END;
}

Test(blocking_shutdown, what_a_task_lets_go_on_in_the_end_begins_nothing)
{
    struct scene scene;
    set_up(&scene);
    struct edo_event waits;
    edo_event_init(&waits);
    SPAWN_DETACHED_ON(scene.handle, NEW(lets_go, .scene = &scene, .waits = &waits));
    struct edo_yield_now turn = edo_yield_now();
    cr_assert_eq(test_block_on(scene.runtime, &turn), 0);
    edo_event_wait(&waits);
    edo_runtime_drop(scene.runtime);
    cr_assert_eq(scene.log.begun, 1);
    cr_assert_eq(join_here(scene.first), 1);
    cr_assert_eq(join_here(scene.second), UV_ECANCELED);
    edo_event_destroy(&waits);
    edo_handle_drop(scene.handle);
    check_baseline(&scene.start);
}

Test(blocking_shutdown, within_its_time_limit_it_waits_as_a_drop_does)
{
    struct scene scene;
    set_up(&scene);
    struct edo_thread_id thread = start_thread(releases, &scene);
    edo_runtime_shutdown_timeout(scene.runtime, UINT64_MAX);
    cr_assert(edo_task_is_finished(scene.first));
    cr_assert_eq(join_here(scene.first), 1);
    cr_assert_eq(join_here(scene.second), UV_ECANCELED);
    edo_thread_join(thread);
    edo_handle_drop(scene.handle);
    check_baseline(&scene.start);
}

/* What still runs goes on, on memory that is still there, and leaves nothing when it ends. */
static void check_abandoned(enum how how)
{
    /* Not on the stack: nothing but the census orders what its threads' hooks do before the end of this. */
    static struct scene scene;
    set_up(&scene);
    scene.spawn_on = scene.handle;
    uint64_t begun = edo_clock_ns();
    if (how == TIMEOUT)
        edo_runtime_shutdown_timeout(scene.runtime, 30);
    else
        edo_runtime_shutdown_background(scene.runtime);
    if (how == TIMEOUT)
        cr_assert_geq(edo_clock_ns() - begun, 30 * (uint64_t)MS);
    cr_assert_not(edo_task_is_finished(scene.first));
    cr_assert_eq(join_here(scene.second), UV_ECANCELED);
    cr_assert_eq(scene.log.finals, 1);
    /* The memory is held by what runs alone. */
    edo_handle_drop(scene.handle);
    edo_event_set(&scene.go);
    cr_assert_eq(join_here(scene.first), 1);
    edo_event_wait(&scene.stopped);
    cr_assert_eq(scene.log.finals, 4);
    await_baseline(&scene.start);
    check_baseline(&scene.start);
}

Test(blocking_shutdown, at_its_time_limit_it_leaves_what_still_runs)
{
    check_abandoned(TIMEOUT);
}

Test(blocking_shutdown, in_the_background_it_leaves_what_still_runs_at_once)
{
    check_abandoned(BACKGROUND);
}

/* Idle threads are no reason to wait. */
static void check_idle(enum how how)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct edo_event begun[5], go[5];
    JOIN_HANDLE(int) handles[5];
    for (int i = 0; i < 5; i++) {
        edo_event_init(&begun[i]);
        edo_event_init(&go[i]);
        handles[i] = SPAWN_BLOCKING_ON(edo_runtime_handle(runtime),
                                       NEW(job, .log = &log, .begun = &begun[i], .go = &go[i]));
        edo_event_wait(&begun[i]);
    }
    for (int i = 0; i < 5; i++) {
        edo_event_set(&go[i]);
        cr_assert_eq(join_here(handles[i]), 0);
    }
    await_idle(edo_runtime_handle(runtime), 5);
    if (how == DROP)
        edo_runtime_drop(runtime);
    else if (how == TIMEOUT)
        edo_runtime_shutdown_timeout(runtime, UINT64_MAX / 2);
    else
        edo_runtime_shutdown_background(runtime);
    if (how == BACKGROUND)
        await_baseline(&start);
    check_baseline(&start);
}

Test(blocking_shutdown, idle_threads_leave)
{
    for (int i = 0; i < 10; i++)
        check_idle(DROP);
}

Test(blocking_shutdown, idle_threads_leave_within_a_time_limit)
{
    check_idle(TIMEOUT);
}

Test(blocking_shutdown, idle_threads_leave_in_the_background)
{
    for (int i = 0; i < 10; i++)
        check_idle(BACKGROUND);
}

Test(blocking_shutdown, spawning_afterwards_gives_a_handle_that_reports_cancelled)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct edo_handle *handle = edo_handle_clone(edo_runtime_handle(runtime));
    edo_runtime_drop(runtime);
    JOIN_HANDLE(int) late = SPAWN_BLOCKING_ON(handle, NEW(job, .log = &log));
    cr_assert_eq(edo_task_error(late), 0);
    cr_assert(edo_task_is_finished(late));
    cr_assert_eq(join_here(late), UV_ECANCELED);
    cr_assert_eq(log.begun, 0);
    cr_assert_eq(log.finals, 1);
    edo_handle_drop(handle);
    check_baseline(&start);
}

/* Work that waits for a task is woken by the end of that: it is dropped first. */
struct waits_for_task {
    FUTURE(int);
    struct edo_event *begun;
    JOIN_HANDLE(int) task;
    struct edo_join join;
};

ASYNC(waits_for_task)
{
    ASYNC_BEGIN;
    edo_event_set(self->begun);
    AWAIT(self->join, edo_join(self->task, NULL));
    RETURN(self->join.output);
    ASYNC_END;
}

struct never {
    FUTURE(int);
};

static enum edo_poll never_poll(struct edo_future *future, struct edo_context *cx)
{
    (void)future;
    return cx->walk == EDO_WALK_POLL ? EDO_PENDING : edo_walk_leaf(cx, "never");
}

Test(blocking_shutdown, work_that_awaits_a_task_sees_it_cancelled)
{
    struct baseline start = baseline();
    struct edo_event begun;
    edo_event_init(&begun);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct edo_handle *on = edo_runtime_handle(runtime);
    JOIN_HANDLE(int) task = SPAWN_ON(on, NEW(never));
    JOIN_HANDLE(int)
    work = SPAWN_BLOCKING_ON(on, NEW(waits_for_task, .begun = &begun, .task = task));
    edo_event_wait(&begun);
    edo_runtime_drop(runtime);
    cr_assert(edo_task_is_finished(work));
    cr_assert_eq(join_here(work), UV_ECANCELED);
    check_baseline(&start);
}

/* A task spawns blocking work when it is dropped. */
struct spawns_in_finally {
    FUTURE(int);
    struct log_of_jobs *log;
};

ASYNC(spawns_in_finally)
{
    ASYNC_BEGIN;
    for (;;)
        YIELD_NOW();
ASYNC_FINALLY:
    edo_task_detach(SPAWN_BLOCKING(NEW(job, .log = self->log)));
    edo_task_detach(SPAWN_BLOCKING(NEW(job, .log = self->log)));
    ASYNC_END;
}

struct once {
    FUTURE(int);
    struct edo_yield_now yield;
};

ASYNC(once)
{
    ASYNC_BEGIN;
    AWAIT(self->yield, edo_yield_now());
    ASYNC_END;
}

Test(blocking_shutdown, work_spawned_by_a_dropped_task_is_done_or_dropped)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime, .max_blocking_threads = 1), 0);
    edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime), NEW(spawns_in_finally, .log = &log)));
    struct once future = NEW(once);
    cr_assert_eq(test_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    cr_assert_eq(log.finals, 2);
    check_baseline(&start);
}

/* Spawned and shut down at the same time, over and over: each job's end comes once. */
struct storm {
    struct edo_handle *handle;
    struct log_of_jobs log;
    int spawned;
};

static void *storms(void *arg)
{
    struct storm *storm = arg;
    for (int i = 0; i < 20; i++) {
        JOIN_HANDLE(int) handle = SPAWN_BLOCKING_ON(storm->handle, NEW(job, .log = &storm->log));
        storm->spawned++;
        int output = join_here(handle);
        MUST(output == 0 || output == UV_ECANCELED);
    }
    edo_handle_drop(storm->handle);
    return NULL;
}

Test(blocking_shutdown, in_the_midst_of_it_all)
{
    struct baseline start = baseline();
    for (int round = 0; round < 60; round++) {
        struct edo_runtime *runtime;
        cr_assert_eq(test_runtime_new(&runtime, .max_blocking_threads = 2), 0);
        struct storm storms_of[3] = {0};
        struct edo_thread_id threads[3];
        for (int i = 0; i < 3; i++) {
            storms_of[i].handle = edo_handle_clone(edo_runtime_handle(runtime));
            threads[i] = start_thread(storms, &storms_of[i]);
        }
        while (edo_load(&storms_of[0].log.finals, relaxed) < round % 20)
            sched_yield();
        if (round % 3 == DROP)
            edo_runtime_drop(runtime);
        else if (round % 3 == TIMEOUT)
            edo_runtime_shutdown_timeout(runtime, 0);
        else
            edo_runtime_shutdown_background(runtime);
        for (int i = 0; i < 3; i++) {
            edo_thread_join(threads[i]);
            cr_assert_eq(storms_of[i].log.finals, storms_of[i].spawned);
        }
        await_baseline(&start);
    }
    check_baseline(&start);
}

/* ---- Embedded in a host's loop ---- */

struct embedded {
    FUTURE(int);
    struct log_of_jobs *log;
    int value;
    struct edo_join join;
};

ASYNC(embedded)
{
    ASYNC_BEGIN;
    AWAIT(self->join,
          edo_join(SPAWN_BLOCKING(NEW(job, .log = self->log, .name = 6)), &self->value));
    cr_assert_eq(self->join.output, 0);
    cr_assert_eq(self->value, 6);
    ASYNC_END;
}

Test(blocking_shutdown, on_a_hosts_loop)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    uv_loop_t loop;
    cr_assert_eq(uv_loop_init(&loop), 0);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_attach(&loop, &runtime), 0);
    edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime), NEW(embedded, .log = &log)));
    /* The task that waits for it keeps the loop alive. */
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(log.finals, 1);
    edo_task_detach(SPAWN_BLOCKING_ON(edo_runtime_handle(runtime), NEW(job, .log = &log)));
    edo_runtime_drop(runtime);
    cr_assert_eq(log.finals, 2);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0);
    check_baseline(&start);
}

/* ---- A request of libuv's under way ---- */

/* libuv's threads are taken, so that a look-up waits in its queue for as long as the test likes. */
struct request {
    FUTURE(int);
    struct edo_runtime *runtime;
    uv_sem_t go;
    uv_work_t work[4];
    struct edo_resolve resolve;
    struct edo_yield_now yield;
};

static void be_busy(uv_work_t *work)
{
    uv_sem_wait(work->data);
}

static void after_busy(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

ASYNC(request)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 4; i++) {
        self->work[i].data = &self->go;
        cr_assert_eq(
            uv_queue_work(edo_runtime_loop(self->runtime), &self->work[i], be_busy, after_busy), 0);
    }
    self->resolve = edo_resolve("localhost", 1);
    cr_assert_eq(edo_future_poll(&self->resolve.future_, cx), EDO_PENDING);
    AWAIT(self->yield, edo_yield_now());
    edo_future_drop(&self->resolve.future_, cx);
    ASYNC_END;
}

Test(blocking_shutdown, a_request_under_way_is_waited_for_until_the_time_limit)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    /* Static: libuv's threads look at it, and nothing tells when they have. */
    static struct request request;
    request = NEW(request, .runtime = runtime);
    uv_sem_init(&request.go, 0);
    cr_assert_eq(edo_block_on(runtime, &request), 0);
    uint64_t begun = edo_clock_ns();
    edo_runtime_shutdown_timeout(runtime, 30);
    cr_assert_geq(edo_clock_ns() - begun, 30 * (uint64_t)MS);
    for (int i = 0; i < 4; i++)
        uv_sem_post(&request.go);
    await_baseline(&start);
    check_baseline(&start);
}
