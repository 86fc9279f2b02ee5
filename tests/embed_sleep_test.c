/* SPDX-License-Identifier: MIT */
/* A host that sleeps elsewhere: for uv_backend_fd, no longer than uv_backend_timeout, and then turns its loop with
 * UV_RUN_NOWAIT. Whatever Edo waits for has to be seen in these two. */
#include <poll.h>
#include <pthread.h>

#include "embed_helpers.h"
#undef RUN
#include "poll_harness.h"

static int steps;

static void host_begin_with(struct host *host, const struct edo_builder *builder)
{
    steps = 0;
    host_loop(host);
    cr_assert_eq(edo_builder_attach(builder, &host->loop, &host->runtime), 0);
}

static void host_begin(struct host *host)
{
    host_begin_with(host, &(const struct edo_builder){0});
}

/* Two turns: what was begun before is on the loop then, and nothing is ready. */
static void quiet(struct host *host)
{
    uv_run(&host->loop, UV_RUN_NOWAIT);
    uv_run(&host->loop, UV_RUN_NOWAIT);
    cr_assert_eq(uv_backend_timeout(&host->loop), -1);
}

/* Whether a host that sleeps now would be woken. */
static bool wakes(struct host *host)
{
    struct pollfd backend = {.fd = uv_backend_fd(&host->loop), .events = POLLIN};
    return poll(&backend, 1, 0) == 1;
}

struct waits {
    FUTURE(void);
    struct edo_completion *done;
    struct edo_completion_wait wait;
};

ASYNC(waits)
{
    ASYNC_BEGIN;
    AWAIT(self->wait, edo_completion_wait(self->done));
    steps++;
    ASYNC_END;
}

/* A host with a task that waits for the completion it returns. */
static struct edo_completion *host_waits(struct host *host)
{
    struct edo_completion *done = edo_completion_new(0);
    SPAWN_DETACHED_ON(handle_of(host), NEW(waits, .done = done));
    return done;
}

Test(embed_sleep, what_is_spawned_between_turns_lets_the_host_not_sleep)
{
    struct host host;
    host_begin(&host);
    struct edo_completion *done = host_waits(&host);
    cr_assert_eq(uv_backend_timeout(&host.loop), 0, "before the first turn");
    quiet(&host);
    struct edo_completion *other = host_waits(&host);
    cr_assert_eq(uv_backend_timeout(&host.loop), 0);
    quiet(&host);
    edo_completion_complete(done, 0);
    edo_completion_complete(other, 0);
    host_end(&host);
}

Test(embed_sleep, a_wake_between_turns_lets_the_host_not_sleep)
{
    struct host host;
    host_begin(&host);
    struct edo_completion *done = host_waits(&host);
    quiet(&host);
    edo_completion_complete(done, 0);
    cr_assert_eq(uv_backend_timeout(&host.loop), 0);
    uv_run(&host.loop, UV_RUN_NOWAIT);
    cr_assert_eq(steps, 1);
    cr_assert_not(uv_loop_alive(&host.loop));
    host_end(&host);
}

static void on_closed(uv_handle_t *handle)
{
    edo_completion_complete(handle->data, 0);
}

/* Callbacks of closing come last in a turn. */
Test(embed_sleep, a_wake_at_the_end_of_a_turn_lets_the_host_not_sleep)
{
    struct host host;
    uv_timer_t timer;
    host_begin(&host);
    timer.data = host_waits(&host);
    quiet(&host);
    uv_timer_init(&host.loop, &timer);
    uv_close((uv_handle_t *)&timer, on_closed);
    uv_run(&host.loop, UV_RUN_NOWAIT);
    cr_assert_eq(steps, 0);
    cr_assert_eq(uv_backend_timeout(&host.loop), 0);
    uv_run(&host.loop, UV_RUN_NOWAIT);
    cr_assert_eq(steps, 1);
    host_end(&host);
}

static void *complete(void *done)
{
    edo_completion_complete(done, 0);
    return NULL;
}

static void complete_elsewhere(struct edo_completion *done)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, complete, done), 0);
    pthread_join(thread, NULL);
}

Test(embed_sleep, a_wake_from_another_thread_between_turns_wakes_the_host)
{
    struct host host;
    host_begin(&host);
    struct edo_completion *done = host_waits(&host);
    quiet(&host);
    cr_assert_not(wakes(&host));
    complete_elsewhere(done);
    cr_assert(wakes(&host));
    uv_run(&host.loop, UV_RUN_NOWAIT);
    cr_assert_eq(steps, 1);
    host_end(&host);
}

/* Reads from a connection, and sleeps: for ever, as far as a test goes. */
struct reads {
    FUTURE(void);
    int *peer;
    struct edo_tcp *conn;
    char byte;
    struct edo_read read;
    struct edo_sleep sleep;
};

ASYNC(reads)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(self->peer);
    AWAIT(self->read, edo_read(self->conn, &self->byte, 1));
    steps++;
    AWAIT(self->sleep, edo_sleep(1000000));
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

/* What a turn finds ready is polled after libuv has looked for it: the last thing in the turn. */
Test(embed_sleep, a_timer_armed_at_the_end_of_a_turn_bounds_the_hosts_sleep)
{
    struct host host;
    int peer;
    host_begin(&host);
    SPAWN_DETACHED_ON(handle_of(&host), NEW(reads, .peer = &peer));
    quiet(&host);
    cr_assert_eq(write(peer, "1", 1), 1);
    cr_assert(wakes(&host));
    uv_run(&host.loop, UV_RUN_NOWAIT);
    cr_assert_eq(steps, 1);
    int timeout = uv_backend_timeout(&host.loop);
    cr_assert(timeout > 0 && timeout <= 1000000, "%d", timeout);
    close(peer);
    host_end(&host);
}

/* As many are polled in a turn as event_interval says, twice. */
Test(embed_sleep, what_is_still_ready_after_a_turn_lets_the_host_not_sleep)
{
    enum { TASKS = 3 };
    struct host host;
    int peers[TASKS];
    host_begin_with(&host, &(const struct edo_builder){.event_interval = 1});
    for (int i = 0; i < TASKS; i++)
        SPAWN_DETACHED_ON(handle_of(&host), NEW(reads, .peer = &peers[i]));
    while (uv_backend_timeout(&host.loop) == 0)
        uv_run(&host.loop, UV_RUN_NOWAIT);
    for (int i = 0; i < TASKS; i++)
        cr_assert_eq(write(peers[i], "1", 1), 1);
    uv_run(&host.loop, UV_RUN_NOWAIT);
    cr_assert_eq(steps, 1);
    cr_assert_eq(uv_backend_timeout(&host.loop), 0);
    while (uv_backend_timeout(&host.loop) == 0)
        uv_run(&host.loop, UV_RUN_NOWAIT);
    cr_assert_eq(steps, TASKS);
    for (int i = 0; i < TASKS; i++)
        close(peers[i]);
    host_end(&host);
}

struct parks {
    struct edo_completion *done; /* completed elsewhere as the loop goes to sleep */
    int parked, unparked;
};

static void on_park(void *arg)
{
    struct parks *parks = arg;
    parks->parked++;
    if (parks->done != NULL)
        complete_elsewhere(parks->done);
    parks->done = NULL;
}

static void on_unpark(void *arg)
{
    ((struct parks *)arg)->unparked++;
}

Test(embed_sleep, each_sleep_has_both_its_hooks_whoever_ends_it)
{
    struct host host;
    struct parks parks = {.done = NULL};
    host_begin_with(&host, &(const struct edo_builder){.on_thread_park = on_park,
                                                       .on_thread_unpark = on_unpark,
                                                       .hook_arg = &parks});
    parks.done = host_waits(&host);
    uv_run(&host.loop, UV_RUN_DEFAULT);
    cr_assert_eq(steps, 1);
    cr_assert_gt(parks.parked, 0);
    cr_assert_eq(parks.parked, parks.unparked);
    host_end(&host);
}

struct sleeps {
    FUTURE(void);
    uint64_t ms;
    uint64_t *deadline;
    struct edo_sleep sleep;
};

ASYNC(sleeps)
{
    ASYNC_BEGIN;
    *self->deadline = edo_now() + self->ms * 1000000;
    AWAIT(self->sleep, edo_sleep_until(*self->deadline));
    steps++;
    ASYNC_END;
}

static void until(uint64_t instant)
{
    while (uv_hrtime() < instant)
        ;
}

/* Until shortly before the deadline. */
struct is_slow {
    FUTURE(void);
    struct edo_completion *done;
    uint64_t *deadline, *ended;
    struct edo_completion_wait wait;
};

ASYNC(is_slow)
{
    ASYNC_BEGIN;
    AWAIT(self->wait, edo_completion_wait(self->done));
    until(*self->deadline - 10 * 1000000);
    *self->ended = uv_hrtime();
    ASYNC_END;
}

/* A host's callback that libuv calls after Edo's of that kind: for those that were started first come last. */
struct later {
    uv_prepare_t prepare;
    uv_check_t check;
    uint64_t instant;
    int timeout;
};

static void ask_timeout(uv_prepare_t *prepare)
{
    ((struct later *)prepare->data)->timeout = uv_backend_timeout(prepare->loop);
}

static void wait_until(uv_check_t *check)
{
    until(((struct later *)check->data)->instant + 2 * 1000000); /* ticks are of 1 ms */
}

static void later_begin(struct later *later, uv_loop_t *loop)
{
    uv_prepare_init(loop, &later->prepare);
    uv_check_init(loop, &later->check);
    later->prepare.data = later->check.data = later;
    uv_prepare_start(&later->prepare, ask_timeout);
    uv_check_start(&later->check, wait_until);
    uv_unref((uv_handle_t *)&later->prepare);
    uv_unref((uv_handle_t *)&later->check);
}

static void later_end(struct later *later)
{
    uv_close((uv_handle_t *)&later->prepare, NULL);
    uv_close((uv_handle_t *)&later->check, NULL);
}

/* As host_begin, with callbacks that come after Edo's. */
static void host_begin_later(struct host *host, struct later *later)
{
    steps = 0;
    host_loop(host);
    later_begin(later, &host->loop);
    cr_assert_eq(edo_runtime_attach(&host->loop, &host->runtime), 0);
}

/* The loop's own time is that of before it. (In some rounds the wheel has a slot in between.) */
Test(embed_sleep, a_sleep_is_not_longer_by_what_a_task_took)
{
    for (int round = 0; round < 8; round++) {
        struct host host;
        struct later later = {.instant = 0};
        uint64_t deadline, ended;
        host_begin_later(&host, &later);
        struct edo_completion *done = edo_completion_new(0);
        SPAWN_DETACHED_ON(handle_of(&host), NEW(sleeps, .ms = 40, .deadline = &deadline));
        SPAWN_DETACHED_ON(handle_of(&host),
                          NEW(is_slow, .done = done, .deadline = &deadline, .ended = &ended));
        while (uv_backend_timeout(&host.loop) == 0)
            uv_run(&host.loop, UV_RUN_NOWAIT);
        edo_completion_complete(done, 0);
        uv_run(&host.loop, UV_RUN_NOWAIT);
        uint64_t left = deadline > ended ? (deadline - ended) / 1000000 + 2 : 0;
        cr_assert(later.timeout >= 0 && (uint64_t)later.timeout <= left, "%d of %d ms",
                  later.timeout, (int)left);
        later_end(&later);
        host_end(&host);
    }
}

static void nothing(uv_idle_t *idle)
{
    (void)idle;
}

/* UV_RUN_ONCE calls timers last, as all modes do from libuv 1.45 on. */
Test(embed_sleep, a_timer_that_is_called_last_in_a_turn_lets_the_host_not_sleep)
{
    struct host host;
    struct later later = {.instant = 0};
    uv_idle_t idle;
    host_begin_later(&host, &later);
    SPAWN_DETACHED_ON(handle_of(&host), NEW(sleeps, .ms = 40, .deadline = &later.instant));
    uv_idle_init(&host.loop, &idle);
    uv_idle_start(&idle, nothing);
    uv_run(&host.loop, UV_RUN_ONCE);
    uv_idle_stop(&idle);
    cr_assert(steps == 1 || uv_backend_timeout(&host.loop) == 0);
    uv_run(&host.loop, UV_RUN_NOWAIT);
    cr_assert_eq(steps, 1);
    uv_close((uv_handle_t *)&idle, NULL);
    later_end(&later);
    host_end(&host);
}

/* Who polls in a callback is no task. */
Test(embed_sleep, a_timer_armed_or_moved_between_turns_bounds_the_hosts_sleep)
{
    struct host host;
    struct bench bench;
    host_begin(&host);
    bench_begin(&bench);
    struct edo_completion *done = host_waits(&host);
    quiet(&host);
    struct edo_guard guard = edo_enter(handle_of(&host));
    struct edo_sleep sleep = edo_sleep(1000000);
    cr_assert_eq(edo_future_poll(&sleep.future_, &bench.cx), EDO_PENDING);
    cr_assert_eq(uv_backend_timeout(&host.loop), 0);
    uv_run(&host.loop, UV_RUN_NOWAIT);
    int timeout = uv_backend_timeout(&host.loop);
    cr_assert(timeout > 1000 && timeout <= 1000000, "%d", timeout);
    edo_sleep_reset(&sleep, edo_now() + 1000000000);
    cr_assert_eq(uv_backend_timeout(&host.loop), 0);
    uv_run(&host.loop, UV_RUN_NOWAIT);
    cr_assert_leq(uv_backend_timeout(&host.loop), 1000);
    edo_future_drop(&sleep.future_, &bench.cx);
    edo_leave(guard);
    edo_completion_complete(done, 0);
    host_end(&host);
}

struct fails {
    FUTURE(void);
};

ASYNC(fails)
{
    ASYNC_BEGIN;
    PANIC("as it must");
    ASYNC_END;
}

Test(embed_sleep, what_is_spawned_on_one_that_failed_ends_in_the_next_turn)
{
    struct host host;
    host_begin_with(&host, &(const struct edo_builder){.unhandled_panic = EDO_PANIC_SHUTDOWN});
    SPAWN_DETACHED_ON(handle_of(&host), NEW(fails));
    uv_run(&host.loop, UV_RUN_DEFAULT);
    JOIN_HANDLE(void) task = SPAWN_ON(handle_of(&host), NEW(fails));
    cr_assert_eq(uv_backend_timeout(&host.loop), 0);
    uv_run(&host.loop, UV_RUN_NOWAIT);
    cr_assert(edo_task_is_finished(task));
    cr_assert_not(uv_loop_alive(&host.loop));
    edo_task_detach(task);
    host_end(&host);
}

static void drop_in_async(uv_async_t *async)
{
    edo_runtime_drop(((struct host *)async->data)->runtime);
    uv_close((uv_handle_t *)async, NULL);
}

static void *send_async(void *async)
{
    uv_async_send(async);
    return NULL;
}

static void send_on_park(void *arg)
{
    struct parks *parks = arg;
    pthread_t thread;
    if (parks->parked++ == 0) {
        cr_assert_eq(pthread_create(&thread, NULL, send_async, parks->done), 0);
        pthread_join(thread, NULL);
    }
}

Test(embed_sleep, a_sleep_that_the_end_of_the_runtime_follows_has_both_its_hooks)
{
    struct host host;
    uv_async_t async = {.data = &host};
    struct parks parks = {.done = (void *)&async};
    host_begin_with(&host, &(const struct edo_builder){.on_thread_park = send_on_park,
                                                       .on_thread_unpark = on_unpark,
                                                       .hook_arg = &parks});
    uv_async_init(&host.loop, &async, drop_in_async);
    uv_run(&host.loop, UV_RUN_DEFAULT);
    cr_assert_eq(parks.parked, 1);
    cr_assert_eq(parks.unparked, 1);
    cr_assert_eq(uv_loop_close(&host.loop), 0);
    check_baseline(&host.start);
}

struct completes {
    FUTURE(void);
    struct edo_completion *done;
};

ASYNC(completes)
{
    ASYNC_BEGIN;
    edo_completion_complete(self->done, 0);
    ASYNC_END;
}

static void spawn_on_park(void *done)
{
    static bool once;
    if (!once)
        SPAWN_DETACHED(NEW(completes, .done = done));
    once = true;
}

/* On a loop of its own. */
Test(embed_sleep, what_a_hook_spawns_before_a_sleep_is_not_slept_over)
{
    struct edo_runtime *runtime;
    struct baseline start = baseline();
    struct edo_completion *done = edo_completion_new(0);
    steps = 0;
    cr_assert_eq(edo_builder_build(
                     &(const struct edo_builder){.on_thread_park = spawn_on_park, .hook_arg = done},
                     &runtime),
                 0);
    struct waits root = NEW(waits, .done = done);
    cr_assert_eq(edo_block_on(runtime, &root), 0);
    cr_assert_eq(steps, 1);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}
