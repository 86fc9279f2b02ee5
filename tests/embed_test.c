/* SPDX-License-Identifier: MIT */
/* Edo on a host's loop, and callbacks as futures. */
#include <fcntl.h>
#include <pthread.h>

#include "embed_helpers.h"

static int finals;

struct nap {
    FUTURE(int);
    int times, ms;
    struct edo_sleep sleep;
};

ASYNC(nap)
{
    ASYNC_BEGIN;
    while (self->times-- > 0)
        AWAIT(self->sleep, edo_sleep((uint64_t)self->ms));
ASYNC_FINALLY:
    finals++;
    ASYNC_END;
}

static void host_begin(struct host *host)
{
    finals = 0;
    host_loop(host);
    cr_assert_eq(edo_runtime_attach(&host->loop, &host->runtime), 0);
}

Test(embed, tasks_run_inside_the_hosts_loop_which_ends_with_the_last)
{
    struct host host;
    host_begin(&host);
    for (int i = 1; i <= 3; i++)
        edo_task_detach(SPAWN_ON(handle_of(&host), NEW(nap, .times = 3, .ms = i)));
    cr_assert_eq(uv_run(&host.loop, UV_RUN_DEFAULT), 0);
    cr_assert_eq(finals, 3);
    /* And again, without tasks: it does not hold the loop. */
    cr_assert_eq(uv_run(&host.loop, UV_RUN_DEFAULT), 0);
    host_end(&host);
}

Test(embed, a_runtime_without_tasks_leaves_the_loop_closable)
{
    struct host host;
    host_begin(&host);
    host_end(&host);
}

Test(embed, tasks_left_over_are_dropped_with_the_runtime)
{
    struct host host;
    host_begin(&host);
    edo_task_detach(SPAWN_ON(handle_of(&host), NEW(nap, .times = 1, .ms = 1000000)));
    uv_run(&host.loop, UV_RUN_NOWAIT);
    cr_assert_eq(finals, 0);
    edo_task_detach(SPAWN_ON(handle_of(&host), NEW(nap, .times = 1, .ms = 1)));
    host_end(&host);
    cr_assert_eq(finals, 2);
}

/* Has a connection, and waits at it. */
struct holds {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer;
    char byte;
    struct edo_read read;
};

ASYNC(holds)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    AWAIT(self->read, edo_read(self->conn, &self->byte, 1));
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

/* libuv closes handles in the order last in, first out: the connection's goes after the driver's. */
Test(embed, a_connection_closed_with_the_runtime_may_be_the_last_to_go)
{
    struct host host;
    host_begin(&host);
    edo_task_detach(SPAWN_ON(handle_of(&host), NEW(holds)));
    uv_run(&host.loop, UV_RUN_NOWAIT);
    uv_run(&host.loop, UV_RUN_NOWAIT);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_REGISTRATIONS], 1);
    host_end(&host);
}

static int ticks;

static void on_tick(uv_timer_t *timer)
{
    if (++ticks == 5)
        uv_close((uv_handle_t *)timer, NULL);
    edo_task_detach(SPAWN_ON(handle_of(timer->data), NEW(nap, .times = 1, .ms = 1)));
}

Test(embed, the_hosts_callbacks_go_on_and_may_spawn)
{
    struct host host;
    host_begin(&host);
    uv_timer_t timer = {.data = &host};
    ticks = 0;
    uv_timer_init(&host.loop, &timer);
    uv_timer_start(&timer, on_tick, 1, 1);
    edo_task_detach(SPAWN_ON(handle_of(&host), NEW(nap, .times = 20, .ms = 1)));
    cr_assert_eq(uv_run(&host.loop, UV_RUN_DEFAULT), 0);
    cr_assert_eq(ticks, 5);
    cr_assert_eq(finals, 6);
    host_end(&host);
}

static void on_idle(uv_idle_t *idle)
{
    if (finals == 1)
        uv_close((uv_handle_t *)idle, NULL);
}

struct busy {
    FUTURE(void);
    int yields;
};

ASYNC(busy)
{
    ASYNC_BEGIN;
    while (self->yields-- > 0)
        YIELD_NOW();
ASYNC_FINALLY:
    finals++;
    ASYNC_END;
}

Test(embed, a_busy_task_shares_the_loop_with_a_busy_host)
{
    struct host host;
    uv_idle_t idle;
    host_begin(&host);
    uv_idle_init(&host.loop, &idle);
    uv_idle_start(&idle, on_idle);
    edo_task_detach(SPAWN_ON(handle_of(&host), NEW(busy, .yields = 10000)));
    cr_assert_eq(uv_run(&host.loop, UV_RUN_DEFAULT), 0);
    cr_assert_eq(finals, 1);
    host_end(&host);
}

Test(embed, two_runtimes_share_a_loop)
{
    struct host host;
    struct edo_runtime *other;
    host_begin(&host);
    cr_assert_eq(edo_runtime_attach(&host.loop, &other), 0);
    edo_task_detach(SPAWN_ON(handle_of(&host), NEW(nap, .times = 3, .ms = 2)));
    edo_task_detach(SPAWN_ON(edo_runtime_handle(other), NEW(nap, .times = 2, .ms = 3)));
    cr_assert_eq(uv_run(&host.loop, UV_RUN_DEFAULT), 0);
    cr_assert_eq(finals, 2);
    edo_runtime_drop(other);
    host_end(&host);
}

Test(embed, block_on_is_refused_and_paused_time_too)
{
    struct host host;
    struct edo_runtime *paused;
    host_begin(&host);
    struct nap nap = NEW(nap);
    cr_assert_eq(edo_block_on(host.runtime, &nap), UV_EBUSY);
    cr_assert_eq(finals, 1, "the future was dropped");
    cr_assert_eq(edo_runtime_attach(&host.loop, &paused, .start_paused = true), UV_EINVAL);
    host_end(&host);
}

static int refused_there;

static void on_nothing(uv_timer_t *timer)
{
    (void)timer;
}

static void on_timer_blocks(uv_timer_t *timer)
{
    struct edo_handle *handle = timer->data;
    JOIN_HANDLE(int) task = SPAWN_ON(handle, NEW(nap, .times = 1, .ms = 1));
    struct edo_join join = edo_join(task, NULL);
    refused_there = edo_handle_block_on(handle, &join);
    uv_close((uv_handle_t *)timer, NULL);
}

struct elsewhere {
    struct edo_handle *handle;
    int error, output;
};

static void *blocks_elsewhere(void *arg)
{
    struct elsewhere *elsewhere = arg;
    JOIN_HANDLE(int) task = SPAWN_ON(elsewhere->handle, NEW(nap, .times = 1, .ms = 1));
    struct edo_join join = edo_join(task, NULL);
    elsewhere->error = edo_handle_block_on(elsewhere->handle, &join);
    elsewhere->output = join.output;
    return NULL;
}

/* Nobody would turn the loop meanwhile; from another thread it is for that. */
Test(embed, block_on_by_handle_is_refused_on_the_loops_own_thread)
{
    struct host host;
    host_begin(&host);
    struct nap nap = NEW(nap);
    cr_assert_eq(edo_handle_block_on(handle_of(&host), &nap), UV_EBUSY);
    cr_assert_eq(finals, 1, "the future was dropped");

    uv_timer_t timer;
    uv_timer_init(&host.loop, &timer);
    timer.data = handle_of(&host);
    uv_timer_start(&timer, on_timer_blocks, 0, 0);
    uv_run(&host.loop, UV_RUN_DEFAULT);
    cr_assert_eq(refused_there, UV_EBUSY);
    cr_assert_eq(finals, 2, "the task has gone on by itself");

    struct elsewhere elsewhere = {.handle = handle_of(&host), .error = 1, .output = 1};
    pthread_t thread;
    pthread_create(&thread, NULL, blocks_elsewhere, &elsewhere);
    /* A loop with nothing alive on it does not turn. */
    uv_timer_t alive;
    uv_timer_init(&host.loop, &alive);
    uv_timer_start(&alive, on_nothing, 30000, 0);
    while (finals < 3)
        uv_run(&host.loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&alive, NULL);
    pthread_join(thread, NULL);
    cr_assert_eq(elsewhere.error, 0);
    cr_assert_eq(elsewhere.output, 0);

    /* When it is gone there is nothing to wait for any more. */
    struct edo_handle *handle = edo_handle_clone(handle_of(&host));
    edo_runtime_drop(host.runtime);
    host.runtime = NULL;
    struct nap after = NEW(nap);
    cr_assert_eq(edo_handle_block_on(handle, &after), 0);
    edo_handle_drop(handle);
    host_end(&host);
}

/* A callback that libuv calls just before it sleeps: what it has made ready is not slept over. These tasks sleep for
 * long themselves, so that the loop has something to wait for. */
enum { LONG_MS = 30000, SOON_MS = 15000 };

struct sleeps_long {
    FUTURE(int);
    struct edo_sleep sleep;
};

ASYNC(sleeps_long)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(LONG_MS));
    ASYNC_END;
}

static JOIN_HANDLE(int) long_one;

struct ends_long {
    FUTURE(int);
};

ASYNC(ends_long)
{
    ASYNC_BEGIN;
    edo_task_abort(long_one);
    ASYNC_END;
}

/* Begun before the runtime's own, it is called after it. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct host *host = prepare->data;
    uv_prepare_stop(prepare); /* closed only later: with that to be done a loop does not sleep */
    edo_task_detach(SPAWN_ON(handle_of(host), NEW(ends_long)));
}

Test(embed, what_a_hosts_prepare_spawns_is_not_slept_over)
{
    struct host host;
    uv_prepare_t prepare = {.data = &host};
    host_begin(&host);
    edo_runtime_drop(host.runtime);
    uv_run(&host.loop, UV_RUN_DEFAULT);
    uv_prepare_init(&host.loop, &prepare);
    uv_prepare_start(&prepare, on_prepare);
    cr_assert_eq(edo_runtime_attach(&host.loop, &host.runtime), 0);
    long_one = SPAWN_ON(handle_of(&host), NEW(sleeps_long));
    uint64_t start = edo_clock_ns();
    cr_assert_eq(uv_run(&host.loop, UV_RUN_DEFAULT), 0);
    cr_assert_lt(edo_clock_ns() - start, SOON_MS * (uint64_t)MS);
    edo_task_detach(long_one);
    uv_close((uv_handle_t *)&prepare, NULL);
    host_end(&host);
}

struct hears {
    FUTURE(int);
    struct edo_notify *notify;
    struct edo_notified notified;
    struct edo_timeout timeout;
};

ASYNC(hears)
{
    ASYNC_BEGIN;
    self->notified = edo_notified(self->notify);
    AWAIT(self->timeout, edo_timeout(LONG_MS, &self->notified));
ASYNC_FINALLY:
    DROP(self->notified);
    ASYNC_END;
}

struct notifies {
    FUTURE(void);
    struct edo_notify *notify;
};

ASYNC(notifies)
{
    ASYNC_BEGIN;
    edo_notify_one(self->notify);
    ASYNC_END;
}

/* What is attached first has its turn last: then the other has seen that it has nothing to do. */
Test(embed, what_another_runtime_on_the_loop_wakes_is_not_slept_over)
{
    struct host host;
    struct edo_runtime *other;
    struct edo_notify notify;
    edo_notify_init(&notify);
    host_begin(&host);
    cr_assert_eq(edo_runtime_attach(&host.loop, &other), 0);
    edo_task_detach(SPAWN_ON(edo_runtime_handle(other), NEW(hears, .notify = &notify)));
    edo_task_detach(SPAWN_ON(handle_of(&host), NEW(notifies, .notify = &notify)));
    uint64_t start = edo_clock_ns();
    cr_assert_eq(uv_run(&host.loop, UV_RUN_DEFAULT), 0);
    cr_assert_lt(edo_clock_ns() - start, SOON_MS * (uint64_t)MS);
    edo_runtime_drop(other);
    host_end(&host);
    edo_notify_destroy(&notify);
}

/* On a loop of the runtime's own: a timer of the caller's that is due when the loop is next turned. */
struct late_timer {
    FUTURE(int);
    uv_timer_t timer;
    struct edo_completion *done;
    uint64_t start;
    struct edo_completion_wait wait;
};

static void on_late(uv_timer_t *timer)
{
    edo_completion_complete(timer->data, 0);
}

ASYNC(late_timer)
{
    ASYNC_BEGIN;
    long_one = SPAWN(NEW(sleeps_long));
    YIELD_NOW(); /* so that it sleeps */
    self->done = edo_completion_new(0);
    self->start = edo_clock_ns();
    self->timer.data = self->done;
    uv_timer_start(&self->timer, on_late, 1, 0);
    while (edo_clock_ns() - self->start < 10 * (uint64_t)MS)
        ;
    AWAIT(self->wait, edo_completion_wait(self->done));
    cr_assert_lt(edo_clock_ns() - self->start, SOON_MS * (uint64_t)MS);
    edo_task_abort(long_one);
    edo_task_detach(long_one);
    uv_close((uv_handle_t *)&self->timer, NULL);
    YIELD_NOW();
    ASYNC_END;
}

Test(embed, what_a_callers_timer_completes_is_not_slept_over)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct late_timer future = NEW(late_timer);
    uv_timer_init(edo_runtime_loop(runtime), &future.timer);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* A wake from another thread reaches a loop that sleeps. */
struct waits_for_thread {
    FUTURE(void);
    struct edo_completion *done;
    struct edo_completion_wait wait;
};

static void *complete_later(void *arg)
{
    edo_completion_complete(arg, 4);
    return NULL;
}

ASYNC(waits_for_thread)
{
    ASYNC_BEGIN;
    AWAIT(self->wait, edo_completion_wait(self->done));
    cr_assert_eq(self->wait.output, 4);
ASYNC_FINALLY:
    finals++;
    ASYNC_END;
}

Test(embed, a_wake_from_another_thread_reaches_a_loop_that_sleeps)
{
    for (int i = 0; i < 50; i++) {
        struct host host;
        pthread_t thread;
        host_begin(&host);
        struct edo_completion *done = edo_completion_new(0);
        edo_task_detach(SPAWN_ON(handle_of(&host), NEW(waits_for_thread, .done = done)));
        if (i % 2)
            uv_run(&host.loop, UV_RUN_NOWAIT);
        cr_assert_eq(pthread_create(&thread, NULL, complete_later, done), 0);
        cr_assert_eq(uv_run(&host.loop, UV_RUN_DEFAULT), 0);
        pthread_join(thread, NULL);
        cr_assert_eq(finals, 1);
        host_end(&host);
    }
}

/* Completions. */

static int opened; /* the descriptor, also when nobody waits for it any more */

static void on_open(uv_fs_t *request)
{
    struct edo_completion *done = request->data;
    opened = (int)request->result;
    uv_fs_req_cleanup(request);
    edo_completion_complete(done, opened);
}

static uv_loop_t *current_loop;

struct opens_null {
    FUTURE(int);
    struct edo_completion *done;
    struct edo_completion_wait wait;
};

ASYNC(opens_null)
{
    uv_fs_t *request;
    int error;
    ASYNC_BEGIN;
    self->done = edo_completion_new(sizeof(uv_fs_t));
    request = edo_completion_data(self->done);
    request->data = self->done;
    error = uv_fs_open(current_loop, request, "/dev/null", O_RDONLY, 0, on_open);
    if (error < 0)
        edo_completion_complete(self->done, error);
    AWAIT(self->wait, edo_completion_wait(self->done));
    RETURN(self->wait.output);
ASYNC_FINALLY:
    finals++;
    ASYNC_END;
}

Test(completion, a_request_of_libuvs_becomes_a_future)
{
    struct host host;
    host_begin(&host);
    current_loop = &host.loop;
    JOIN_HANDLE(int) handle = SPAWN_ON(handle_of(&host), NEW(opens_null));
    cr_assert_eq(uv_run(&host.loop, UV_RUN_DEFAULT), 0);
    cr_assert(edo_task_is_finished(handle));
    int fd = -1;
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct edo_join join = edo_join(handle, &fd);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    edo_runtime_drop(runtime);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fd, opened);
    close(fd);
    host_end(&host);
}

Test(completion, dropped_while_under_way_its_memory_waits_for_the_callback)
{
    struct host host;
    host_begin(&host);
    current_loop = &host.loop;
    JOIN_HANDLE(int) handle = SPAWN_ON(handle_of(&host), NEW(opens_null));
    /* Polled in this turn, which does not wait for the answer; then dropped. */
    uv_run(&host.loop, UV_RUN_NOWAIT);
    edo_task_abort(handle);
    edo_task_detach(handle);
    edo_runtime_drop(host.runtime);
    cr_assert_eq(finals, 1);
    uv_run(&host.loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&host.loop), 0);
    close(opened);
    check_baseline(&host.start);
}

struct waits {
    FUTURE(int);
    struct edo_completion *done;
    struct edo_completion_wait wait;
};

ASYNC(waits)
{
    ASYNC_BEGIN;
    AWAIT(self->wait, edo_completion_wait(self->done));
    RETURN(self->wait.output);
    ASYNC_END;
}

/* Its output, without a look at the census: the completion goes meanwhile. */
static int wait_for(struct edo_completion *done)
{
    struct edo_runtime *runtime;
    struct waits waits = NEW(waits, .done = done);
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    cr_assert_eq(edo_block_on(runtime, &waits), 0);
    edo_runtime_drop(runtime);
    return waits.output;
}

Test(completion, completed_before_or_after_the_wait_begins_or_never_waited_for)
{
    struct edo_runtime *first; /* libuv's own descriptors come with it */
    cr_assert_eq(edo_runtime_new(&first), 0);
    edo_runtime_drop(first);
    struct baseline start = baseline();
    struct edo_completion *before = edo_completion_new(8), *never = edo_completion_new(8);
    edo_completion_complete(before, 3);
    cr_assert_eq(wait_for(before), 3);
    edo_completion_drop(never);
    edo_completion_complete(never, 1);
    struct edo_completion *held = edo_completion_hold(edo_completion_new(8));
    memcpy(edo_completion_data(held), "result", 7);
    edo_completion_complete(held, 0);
    cr_assert_eq(wait_for(held), 0);
    cr_assert_str_eq(edo_completion_data(held), "result");
    edo_completion_drop(held);
    check_baseline(&start);
}

/* Somebody else's executor polls it in a task, and goes on with it when the runtime is gone. */
struct polls_foreign {
    FUTURE(int);
    struct edo_completion_wait *wait;
    struct edo_waker *waker;
};

ASYNC(polls_foreign)
{
    struct edo_context foreign;
    ASYNC_BEGIN;
    edo_context_init(&foreign, self->waker);
    cr_assert_eq(edo_future_poll(&self->wait->future_, &foreign), EDO_PENDING);
    ASYNC_END;
}

Test(completion, a_wait_may_outlive_its_runtime)
{
    struct baseline start = baseline();
    for (int dropped = 0; dropped < 2; dropped++) {
        struct counting_waker waker = counting_waker();
        struct edo_completion *done = edo_completion_new(0);
        struct edo_completion_wait wait = edo_completion_wait(done);
        struct polls_foreign future = NEW(polls_foreign, .wait = &wait, .waker = &waker.waker);
        struct edo_runtime *runtime;
        struct edo_context cx;
        edo_context_init(&cx, &waker.waker);
        cr_assert_eq(edo_runtime_new(&runtime), 0);
        cr_assert_eq(edo_block_on(runtime, &future), 0);
        edo_runtime_drop(runtime);
        if (dropped)
            edo_future_drop(&wait.future_, &cx);
        edo_completion_complete(done, 7);
        if (!dropped) {
            cr_assert_eq(waker.wakes, 1);
            cr_assert_eq(edo_future_poll(&wait.future_, &cx), EDO_READY);
            cr_assert_eq(wait.output, 7);
        }
        cr_assert_eq(waker.clones, 0);
    }
    check_baseline(&start);
}

Test(completion, dropping_the_wait_leaves_the_callback_harmless)
{
    struct baseline start = baseline();
    struct edo_completion *done = edo_completion_new(64);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime), NEW(waits, .done = done)));
    struct edo_yield_now yield = edo_yield_now();
    cr_assert_eq(edo_block_on(runtime, &yield), 0);
    edo_runtime_drop(runtime);
    memset(edo_completion_data(done), 1, 64);
    edo_completion_complete(done, 0);
    check_baseline(&start);
}
