/* SPDX-License-Identifier: MIT */
/* mini-redis against peers that mean no good: its limits, and its leaving. The server runs in a
 * thread; the test talks to it over blocking sockets. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edo.h"
#include "examples/mini_redis/server.h"
#include "internal/census.h"

struct fixture {
    struct limits limits;
    struct server server;
    struct edo_handle *handle;
    struct edo_addr addr;
    sem_t ready;
    pthread_t thread;
    int output;
    struct edo_census before;
};

struct host {
    FUTURE(int);
    struct fixture *fixture;
    struct serve serve;
};

ASYNC(host)
{
    struct edo_tcp_listener *listener = NULL;
    ASYNC_BEGIN;
    cr_assert_eq(edo_addr_parse(&self->fixture->addr, "127.0.0.1:0"), 0);
    cr_assert_eq(edo_tcp_listen(&listener, &self->fixture->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(listener, &self->fixture->addr), 0);
    self->serve = NEW(serve, .server = &self->fixture->server, .listener = listener);
    sem_post(&self->fixture->ready);
    AWAIT_REF(self->serve);
    RETURN(self->serve.output);
    ASYNC_END;
}

struct stopper {
    FUTURE(void);
    struct server *server;
};

ASYNC(stopper)
{
    ASYNC_BEGIN;
    event_set(&self->server->stop);
    ASYNC_END;
}

static void *serve_thread(void *arg)
{
    struct fixture *fixture = arg;
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    cr_assert_eq(server_init(&fixture->server, &fixture->limits), 0);
    fixture->handle = edo_handle_clone(edo_runtime_handle(runtime));
    struct host host = NEW(host, .fixture = fixture);
    fixture->output = edo_block_on(runtime, &host);
    if (fixture->output == 0)
        fixture->output = host.output;
    edo_runtime_drop(runtime);
    server_free(&fixture->server);
    return NULL;
}

static void start(struct fixture *fixture)
{
    fixture->before = edo_census_now();
    sem_init(&fixture->ready, 0, 0);
    cr_assert_eq(pthread_create(&fixture->thread, NULL, serve_thread, fixture), 0);
    while (sem_wait(&fixture->ready) != 0)
        ;
}

static void stop(struct fixture *fixture)
{
    edo_task_detach(SPAWN_ON(fixture->handle, NEW(stopper, .server = &fixture->server)));
    pthread_join(fixture->thread, NULL);
    edo_handle_drop(fixture->handle);
    sem_destroy(&fixture->ready);
    cr_assert_eq(fixture->output, 0);
    struct edo_census after = edo_census_now();
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        cr_assert_eq(after.live[i], fixture->before.live[i], "%s: %ld at the start, %ld now",
                     edo_census_name(i), (long)fixture->before.live[i], (long)after.live[i]);
}

static int dial(struct fixture *fixture)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {20, 0}; /* only ends a test that has failed */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    cr_assert_eq(connect(fd, &fixture->addr.any, fixture->addr.length), 0);
    return fd;
}

static void put(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        cr_assert_gt(n, 0, "send: %s", strerror(errno));
        data += n;
        size -= (size_t)n;
    }
}

/* Reads just so much as is expected. */
static void want(int fd, const char *text)
{
    char got[4096];
    size_t length = strlen(text), have = 0;
    while (have < length) {
        ssize_t n = recv(fd, got + have, length - have, 0);
        cr_assert_gt(n, 0, "expected \"%s\", got \"%.*s\" and then %zd", text, (int)have, got, n);
        have += (size_t)n;
    }
    cr_assert_eq(memcmp(got, text, length), 0, "expected \"%s\", got \"%.*s\"", text, (int)have,
                 got);
}

/* The server closes; what it says before does not matter here. */
static void want_end(int fd)
{
    char rest[4096];
    ssize_t n;
    while ((n = recv(fd, rest, sizeof rest, 0)) > 0)
        ;
    cr_assert(n == 0 || errno == ECONNRESET, "expected the end: %s", strerror(errno));
    close(fd);
}

static void say(int fd, const char *text)
{
    put(fd, text, strlen(text));
}

Test(mini_redis, an_unknown_command_leaves_the_connection_open)
{
    struct fixture fixture = {.limits = limits_default};
    start(&fixture);
    int fd = dial(&fixture);
    say(fd, "NONSENSE\r\nPING\r\n");
    want(fd, "-ERR unknown command 'NONSENSE', with args beginning with: \r\n+PONG\r\n");
    close(fd);
    stop(&fixture);
}

Test(mini_redis, what_is_past_a_limit_is_an_error_and_the_end)
{
    struct fixture fixture = {.limits = limits_default};
    start(&fixture);
    static const struct {
        const char *sent, *reply;
    } cases[] = {
        {"*1025\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
        {"*1000000000\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
        {"*1\r\n$1048577\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n$9223372036854775807\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"},
        {"*1\r\n*1\r\n", "-ERR Protocol error: expected '$', got '*'\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = dial(&fixture);
        say(fd, "PING\r\n");
        say(fd, cases[i].sent);
        want(fd, "+PONG\r\n");
        want(fd, cases[i].reply);
        want_end(fd);
    }
    stop(&fixture);
}

Test(mini_redis, a_line_without_an_end_is_not_kept)
{
    struct fixture fixture = {.limits = limits_default};
    start(&fixture);
    int fd = dial(&fixture);
    static char line[64 << 10];
    memset(line, 'x', sizeof line);
    put(fd, line, fixture.limits.frame.line + 1);
    want(fd, "-ERR Protocol error: too big inline request\r\n");
    want_end(fd);
    stop(&fixture);
}

Test(mini_redis, clients_above_the_limit_are_told_and_closed)
{
    struct fixture fixture = {.limits = limits_default};
    fixture.limits.clients = 2;
    start(&fixture);
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = dial(&fixture);
        say(fds[i], "PING\r\n");
        want(fds[i], "+PONG\r\n");
    }
    int fd = dial(&fixture);
    want(fd, "-ERR max number of clients reached\r\n");
    want_end(fd);
    /* One leaves, and another fits; the server learns of the leaving in its own time. */
    close(fds[0]);
    char pong[7];
    do {
        fd = dial(&fixture);
        (void)!send(fd, "PING\r\n", 6, MSG_NOSIGNAL);
    } while ((recv(fd, pong, 7, MSG_WAITALL) != 7 || memcmp(pong, "+PONG\r\n", 7) != 0) &&
             close(fd) == 0);
    close(fd);
    close(fds[1]);
    stop(&fixture);
}

Test(mini_redis, a_frame_that_does_not_end_in_time_is_the_end)
{
    struct fixture fixture = {.limits = limits_default};
    fixture.limits.frame_ms = 100;
    start(&fixture);
    int fd = dial(&fixture);
    say(fd, "*1\r\n$4\r\nPI");
    want_end(fd);
    stop(&fixture);
}

/* A byte now and then, as slow-loris has it, does not prolong the frame's time. */
Test(mini_redis, a_dripping_frame_is_not_waited_for)
{
    struct fixture fixture = {.limits = limits_default};
    fixture.limits.frame_ms = 200;
    start(&fixture);
    int fd = dial(&fixture);
    struct timeval pause = {0, 20000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof pause);
    say(fd, "*1\r\n$100000\r\n");
    char byte;
    int sent = 0;
    for (ssize_t n = -1; n < 0; sent++) {
        if (send(fd, "x", 1, MSG_NOSIGNAL) < 0)
            break;
        n = recv(fd, &byte, 1, 0); /* waits 20 ms, or finds the end */
        cr_assert_lt(sent, 5000, "the frame is still being waited for");
        if (n < 0 && errno != EAGAIN)
            break;
    }
    close(fd);
    stop(&fixture);
}

Test(mini_redis, an_idle_client_is_closed)
{
    struct fixture fixture = {.limits = limits_default};
    fixture.limits.idle_ms = 100;
    start(&fixture);
    int fd = dial(&fixture);
    say(fd, "PING\r\n");
    want(fd, "+PONG\r\n");
    want_end(fd);
    stop(&fixture);
}

Test(mini_redis, a_client_that_does_not_take_its_replies_is_closed)
{
    struct fixture fixture = {.limits = limits_default};
    fixture.limits.output_ms = 300;
    start(&fixture);
    int fd = dial(&fixture), other = dial(&fixture);
    static char value[1 << 20];
    memset(value, 'v', sizeof value);
    char head[64];
    int n = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%zu\r\n", sizeof value);
    put(fd, head, (size_t)n);
    put(fd, value, sizeof value);
    say(fd, "\r\n");
    want(fd, "+OK\r\n");
    /* More than the sockets' buffers hold; the server stops reading, then waits, then gives up. */
    for (int i = 0; i < 200; i++)
        if (send(fd, "GET k\r\n", 7, MSG_NOSIGNAL) < 0)
            break;
    say(other, "PING\r\n");
    want(other, "+PONG\r\n");
    /* Not reading, until the server has closed: the buffer's end says so. */
    int error = 0;
    for (socklen_t size = sizeof error; error == 0;) {
        if (send(fd, "PING\r\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
            error = errno;
        else
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        say(other, "PING\r\n");
        want(other, "+PONG\r\n");
    }
    close(fd);
    close(other);
    stop(&fixture);
}

Test(mini_redis, whoever_buffers_most_goes_first)
{
    struct fixture fixture = {.limits = limits_default};
    fixture.limits.buffers = 3 << 19; /* one and a half frames of a megabyte */
    start(&fixture);
    int small = dial(&fixture), large[3];
    say(small, "*2\r\n$4\r\nECHO\r\n$5\r\nhel");
    static char body[1000000];
    for (int i = 0; i < 3; i++) {
        large[i] = dial(&fixture);
        say(large[i], "*2\r\n$4\r\nECHO\r\n$1000000\r\n");
        for (size_t at = 0; at + 1 < sizeof body;) {
            ssize_t n = send(large[i], body + at, sizeof body - 1 - at, MSG_NOSIGNAL);
            if (n < 0)
                break;
            at += (size_t)n;
        }
    }
    /* None is complete, and two are too much: one of them hears of the end. */
    struct pollfd polls[3];
    for (int i = 0; i < 3; i++)
        polls[i] = (struct pollfd){.fd = large[i], .events = POLLIN};
    cr_assert_geq(poll(polls, 3, 20000), 1);
    for (int i = 0; i < 3; i++)
        if (polls[i].revents != 0)
            want_end(large[i]);
        else
            close(large[i]);
    say(small, "lo\r\n");
    want(small, "$5\r\nhello\r\n");
    close(small);
    stop(&fixture);
}

Test(mini_redis, pipelined_commands_are_answered_in_order)
{
    struct fixture fixture = {.limits = limits_default};
    start(&fixture);
    int fd = dial(&fixture);
    enum { COUNT = 5000 };
    char *sent = malloc(COUNT * 24), *at = sent;
    for (int i = 0; i < COUNT; i++)
        at += sprintf(at, "ECHO %d\r\n", i);
    put(fd, sent, (size_t)(at - sent));
    for (int i = 0; i < COUNT; i++) {
        char digits[16], reply[32];
        snprintf(reply, sizeof reply, "$%d\r\n%s\r\n", snprintf(digits, sizeof digits, "%d", i),
                 digits);
        want(fd, reply);
    }
    free(sent);
    close(fd);
    stop(&fixture);
}

Test(mini_redis, a_stream_cut_anywhere_means_the_same)
{
    struct fixture fixture = {.limits = limits_default};
    start(&fixture);
    static const char stream[] = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\nx\r\n\r\n*2\r\n$3\r\nGET\r\n"
                                 "$1\r\na\r\nPING\r\n";
    static const char replies[] = "+OK\r\n$3\r\nx\r\n\r\n+PONG\r\n";
    int one = 1;
    for (size_t cut = 1; cut < sizeof stream - 1; cut++) {
        int fd = dial(&fixture);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        put(fd, stream, cut);
        put(fd, stream + cut, sizeof stream - 1 - cut);
        want(fd, replies);
        close(fd);
    }
    int fd = dial(&fixture);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (size_t i = 0; i < sizeof stream - 1; i++)
        put(fd, stream + i, 1);
    want(fd, replies);
    close(fd);
    stop(&fixture);
}

Test(mini_redis, a_stop_answers_what_was_asked_tells_and_closes)
{
    struct fixture fixture = {.limits = limits_default};
    start(&fixture);
    int idle = dial(&fixture), busy = dial(&fixture);
    say(idle, "PING\r\n");
    want(idle, "+PONG\r\n");
    say(busy, "ECHO one\r\n");
    want(busy, "$3\r\none\r\n");
    stop(&fixture);
    want(idle, "-ERR server is shutting down\r\n");
    want_end(idle);
    want(busy, "-ERR server is shutting down\r\n");
    want_end(busy);
}
