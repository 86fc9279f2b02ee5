/* SPDX-License-Identifier: MIT */
/* Names to addresses. Nothing here leaves the machine: the names are in its own table, or are refused
 * before anybody is asked. */
#include "io_helpers.h"
#include "support/sweep.h"
#include "support/runtimes.h"

struct resolves {
    FUTURE(int);
    const char *host;
    struct edo_resolve resolve;
};

ASYNC(resolves)
{
    ASYNC_BEGIN;
    AWAIT(self->resolve, edo_resolve(self->host, 6379));
    for (int i = 0; i < self->resolve.output; i++) {
        cr_assert_eq(edo_addr_port(&self->resolve.addrs[i]), 6379);
        cr_assert(self->resolve.addrs[i].any.sa_family == AF_INET ||
                  self->resolve.addrs[i].any.sa_family == AF_INET6);
    }
    RETURN(self->resolve.output);
    ASYNC_END;
}

Test(resolve, a_name_gives_addresses_with_the_port)
{
    cr_assert_geq(RUN(NEW(resolves, .host = "localhost")), 1);
    cr_assert_geq(RUN(NEW(resolves, .host = "LocalHost")), 1);
}

Test(resolve, a_number_is_read_at_once_without_a_runtime)
{
    struct counting_waker waker = counting_waker();
    struct edo_context cx;
    edo_context_init(&cx, &waker.waker);
    static const char *const numbers[][2] = {
        {"1.2.3.4", "1.2.3.4:80"}, {"::1", "[::1]:80"}, {"2001:db8::1", "[2001:db8::1]:80"}};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        char text[EDO_ADDR_TEXT];
        struct edo_resolve resolve = edo_resolve(numbers[i][0], 80);
        cr_assert_eq(edo_future_poll(&resolve.future_, &cx), EDO_READY);
        cr_assert_eq(resolve.output, 1);
        cr_assert_str_eq(edo_addr_format(&resolve.addrs[0], text), numbers[i][1]);
    }
    struct edo_resolve resolve = edo_resolve("localhost", 80);
    cr_assert_eq(edo_future_poll(&resolve.future_, &cx), EDO_READY);
    cr_assert_eq(resolve.output, EDO_ENORUNTIME);
}

/* Polled with one waker and then, before the answer is there, with another: it wakes the last. */
struct moved_resolve {
    FUTURE(int);
    struct counting_waker *first;
    struct edo_resolve resolve;
};

static enum edo_poll moved_resolve_poll(struct edo_future *future, struct edo_context *cx)
{
    struct moved_resolve *self = (struct moved_resolve *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(&self->resolve.future_, cx);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "moved_resolve");
    if (future->state == EDO_STATE_FRESH) {
        struct edo_context first;
        edo_context_init(&first, &self->first->waker);
        future->state = 1;
        self->resolve = edo_resolve("localhost", 80);
        enum edo_poll poll = edo_future_poll(&self->resolve.future_, &first);
        cr_assert(poll == EDO_PENDING || test_workers() > 0);
    }
    /* The answer comes by the loop, which has not turned since, unless another thread has it turn. */
    enum edo_poll poll = edo_future_done(&self->resolve.future_)
                             ? EDO_READY
                             : edo_future_poll(&self->resolve.future_, cx);
    self->output = self->resolve.output;
    return poll;
}

Test(resolve, wakes_the_waker_of_its_last_poll)
{
    struct counting_waker first = counting_waker();
    cr_assert_geq(RUN(NEW(moved_resolve, .first = &first)), 1);
    /* On another thread the loop may turn between the two polls. */
    cr_assert((first.wakes == 0 || test_workers() > 0) && first.clones == 0);
}

/* B27. What is no name is refused before libuv sees it: nobody is asked, and no allocation made. */
Test(resolve, hostile_names_are_refused)
{
    char long_name[256];
    for (size_t i = 0; i < sizeof long_name; i++)
        long_name[i] = i % 32 == 31 ? '.' : 'a';
    long_name[254] = 'a';
    long_name[255] = '\0';
    static const char *const wrong[] = {
        "",
        ".",
        "..",
        "localhost..",
        /* Numbers that the C library would take for addresses. */
        "1",
        "127.1",
        "127.0.1",
        "1.2.3",
        "2130706433",
        "0x7f000001",
        "0X7F000001",
        "0x7f.0.0.1",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.0x1",
        "0x",
        "a.0x",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.256",
        "999999999999",
        "127.0.0.1.",
        "127.1.",
        "0.",
        "example.1",
        "example.0x1f",
        /* Characters that names do not have. */
        " ",
        " localhost",
        "localhost ",
        "local host",
        "localhost\n",
        "localhost\t",
        "localhost\r\nHost: x",
        "\x01",
        "\x7f",
        "localhost:80",
        "[::1]",
        "::1 ",
        "::g",
        ":::",
        "1::2::3",
        "localhost/",
        "//localhost",
        "http://localhost",
        "user@localhost",
        "localhost#",
        "localhost?",
        "localhost%00",
        "localhost\\",
        "*",
        "*.localhost",
        "local,host",
        "local;host",
        "$(localhost)",
        "`localhost`",
        "'localhost'",
        "\"localhost\"",
        "local|host",
        "local<host",
        "local>host",
        "local=host",
        "local+host",
        "local!host",
        "local~host",
        "{localhost}",
        "local&host",
        "local^host",
    };
    struct baseline start = baseline();
    for (size_t i = 0; i <= COUNT_OF(wrong); i++) {
        const char *host = i < COUNT_OF(wrong) ? wrong[i] : long_name;
        int error = RUN(NEW(resolves, .host = host));
        cr_assert_eq(error, UV_EINVAL, "%s: %s", host, edo_strerror(error));
    }
    check_baseline(&start);
}

/* What has the shape of a name goes to libuv, which refuses it, or the C library, which does. */
Test(resolve, names_that_cannot_be_are_errors)
{
    char label[66];
    memset(label, 'a', 65);
    label[65] = '\0';
    const char *const wrong[] = {label, "a..b", ".a", "\xff\xfe", "\xc0\xaf", "\xed\xa0\x80"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        cr_assert_lt(RUN(NEW(resolves, .host = wrong[i])), 0, "%s", wrong[i]);
}

/* The name may change once the look-up is under way. */
struct reuses_name {
    FUTURE(int);
    char name[16];
    struct edo_resolve resolve;
};

ASYNC(reuses_name)
{
    ASYNC_BEGIN;
    strcpy(self->name, "localhost");
    self->resolve = edo_resolve(self->name, 1);
    /* On another thread it may be answered by now. */
    if (edo_future_poll(&self->resolve.future_, cx) == EDO_READY && test_workers() > 0)
        RETURN(self->resolve.output);
    memset(self->name, '!', sizeof self->name);
    AWAIT_REF(self->resolve);
    RETURN(self->resolve.output);
    ASYNC_END;
}

Test(resolve, the_name_is_copied_by_the_first_poll)
{
    cr_assert_geq(RUN(NEW(reuses_name)), 1);
}

/* ---- Dropped while under way ---- */

/* libuv's threads are kept busy, so that look-ups wait in its queue, or are let go at once. */
struct drops {
    FUTURE(int);
    struct edo_runtime *runtime;
    bool busy;
    _Atomic(int) busy_left;
    uv_sem_t go;
    uv_work_t work[4];
    struct edo_resolve resolves[8];
    struct edo_yield_now yield;
};

static void be_busy(uv_work_t *work)
{
    uv_sem_wait(&((struct drops *)work->data)->go);
}

static void after_busy(uv_work_t *work, int status)
{
    (void)status;
    ((struct drops *)work->data)->busy_left--;
}

ASYNC(drops)
{
    ASYNC_BEGIN;
    uv_sem_init(&self->go, 0);
    for (int i = 0; i < 4 && self->busy; i++) {
        self->work[i].data = self;
        self->busy_left++;
        cr_assert_eq(
            uv_queue_work(edo_runtime_loop(self->runtime), &self->work[i], be_busy, after_busy), 0);
    }
    for (int i = 0; i < 8; i++) {
        self->resolves[i] = edo_resolve("localhost", 1);
        if (i > 0)
            cr_assert_eq(edo_future_poll(&self->resolves[i].future_, cx), EDO_PENDING);
    }
    AWAIT(self->yield, edo_yield_now());
    for (int i = 0; i < 8; i++)
        edo_future_drop(&self->resolves[i].future_, cx);
    for (int i = 0; i < 4; i++)
        uv_sem_post(&self->go);
    ASYNC_END;
}

static void check_drops(bool busy, bool background)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct drops future = NEW(drops, .runtime = runtime, .busy = busy);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    if (background)
        edo_runtime_shutdown_background(runtime);
    else
        edo_runtime_drop(runtime);
    if (background)
        await_baseline(&start);
    /* The last that the thread does with it. */
    while (future.busy_left > 0)
        usleep(1000);
    check_baseline(&start);
    uv_sem_destroy(&future.go);
}

Test(resolve, a_look_up_that_is_dropped_ends_by_itself)
{
    for (int i = 0; i < 20; i++)
        check_drops(false, false);
    for (int i = 0; i < 20; i++)
        check_drops(true, false);
}

Test(resolve, a_look_up_outlives_a_runtime_that_does_not_wait)
{
    for (int i = 0; i < 20; i++)
        check_drops(i % 2 == 0, true);
}

/* Polled with the waker of somebody who outlives the runtime. */
struct begins {
    FUTURE(int);
    struct edo_resolve *resolve;
    struct edo_context *others;
};

static enum edo_poll begins_poll(struct edo_future *future, struct edo_context *cx)
{
    struct begins *self = (struct begins *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "begins");
    cr_assert_eq(edo_future_poll(&self->resolve->future_, self->others), EDO_PENDING);
    return EDO_READY;
}

enum what_then { DROP_AT_ONCE, DROP_WHEN_DONE, POLL_UNTIL_DONE };

static void check_outlives(enum what_then then)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct counting_waker waker = counting_waker();
    struct edo_context cx;
    edo_context_init(&cx, &waker.waker);
    struct edo_resolve resolve = edo_resolve("localhost", 80);
    struct begins future = NEW(begins, .resolve = &resolve, .others = &cx);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_shutdown_background(runtime);
    /* The loop is closed when the look-up is done. */
    while (then == DROP_WHEN_DONE && fd_count() != start.fds)
        usleep(1000);
    if (then == POLL_UNTIL_DONE) {
        while (edo_future_poll(&resolve.future_, &cx) == EDO_PENDING)
            usleep(100);
        cr_assert_geq(resolve.output, 1);
    } else {
        edo_future_drop(&resolve.future_, &cx);
    }
    while (waker.clones > 0)
        usleep(100);
    await_baseline(&start);
    check_baseline(&start);
}

Test(resolve, a_look_up_that_outlives_its_runtime_may_be_dropped_or_polled)
{
    for (int i = 0; i < 10; i++) {
        check_outlives(DROP_AT_ONCE);
        check_outlives(DROP_WHEN_DONE);
        check_outlives(POLL_UNTIL_DONE);
    }
}

/* ---- Connecting by name ---- */

struct connects {
    FUTURE(int);
    const char *host;
    uint16_t port;
    struct edo_tcp_connect_name connect;
    struct edo_write_all write;
};

ASYNC(connects)
{
    ASYNC_BEGIN;
    AWAIT(self->connect, edo_tcp_connect_name(self->host, self->port));
    if (self->connect.output < 0)
        RETURN(self->connect.output);
    AWAIT(self->write, edo_write_all(self->connect.stream, "hi", 2));
    RETURN((int)self->write.output);
ASYNC_FINALLY:
    edo_tcp_close(self->connect.stream);
    ASYNC_END;
}

Test(resolve, connects_to_a_name)
{
    struct edo_addr addr;
    int listener = raw_listener(&addr);
    cr_assert_eq(RUN(NEW(connects, .host = "localhost", .port = edo_addr_port(&addr))), 2);
    cr_assert_eq(RUN(NEW(connects, .host = "127.0.0.1", .port = edo_addr_port(&addr))), 2);
    close(listener);
    int nobody = raw_bound(&addr);
    cr_assert_eq(RUN(NEW(connects, .host = "localhost", .port = edo_addr_port(&addr))),
                 UV_ECONNREFUSED);
    close(nobody);
    cr_assert_eq(RUN(NEW(connects, .host = "local host", .port = 1)), UV_EINVAL);
}

Test(resolve, a_connection_by_name_may_be_dropped_at_every_await)
{
    struct edo_addr addr;
    int listener = raw_listener(&addr);
    cr_assert_eq(listen(listener, 4096), 0);
    SWEEP(NEW(connects, .host = "localhost", .port = edo_addr_port(&addr)), .real_time = true);
    SWEEP(NEW(connects, .host = "localhost", .port = 1), .real_time = true);
    close(listener);
}
