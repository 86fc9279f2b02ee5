/* SPDX-License-Identifier: MIT */
/* mini-redis against peers that mean no good: its limits, and its leaving. The server runs in a
 * thread, or in several; the test talks to it over blocking sockets. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
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
#include "examples/mini_redis/client.h"
#include "examples/mini_redis/server.h"
#include "internal/census.h"

/* FLAVORS(name); a test of that name, with each number of workers; 0: on the current-thread runtime. */
static unsigned flavors[] = {0, 1, 2, 8};
#define FLAVORS(name)                                                                    \
    ParameterizedTestParameters(mini_redis, name)                                        \
    {                                                                                    \
        return cr_make_param_array(unsigned, flavors, sizeof flavors / sizeof *flavors); \
    }                                                                                    \
    struct fixture

struct fixture {
    struct limits limits;
    unsigned workers;
    struct edo_notify
        *end; /* the runtime ends when it is notified, whatever goes on; NULL: the server does */
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
    struct edo_notified notified;
};

ASYNC(host)
{
    struct edo_tcp_listener *listener = NULL;
    ASYNC_BEGIN;
    cr_assert_eq(edo_addr_parse(&self->fixture->addr, "127.0.0.1:0"), 0);
    cr_assert_eq(edo_tcp_listen(&listener, &self->fixture->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(listener, &self->fixture->addr), 0);
    self->serve = NEW(serve, .server = &self->fixture->server, .listener = listener);
    if (self->fixture->end != NULL) {
        edo_task_detach(SPAWN(self->serve));
        sem_post(&self->fixture->ready);
        AWAIT(self->notified, edo_notified(self->fixture->end));
        RETURN(0);
    }
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
    edo_cancellation_token_cancel(self->server->stop);
    ASYNC_END;
}

static void *serve_thread(void *arg)
{
    struct fixture *fixture = arg;
    struct edo_runtime *runtime;
    fixture->limits.shards = fixture->workers > 0 ? DB_SHARDS_MAX : 1;
    cr_assert_eq(
        edo_runtime_new(&runtime,
                        .flavor = fixture->workers > 0 ? EDO_MULTI_THREAD : EDO_CURRENT_THREAD,
                        .worker_threads = fixture->workers),
        0);
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
    if (fixture->end != NULL)
        edo_notify_one(fixture->end);
    else
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

FLAVORS(an_unknown_command_leaves_the_connection_open);
ParameterizedTest(const unsigned *workers, mini_redis,
                  an_unknown_command_leaves_the_connection_open)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    int fd = dial(&fixture);
    say(fd, "NONSENSE\r\nPING\r\n");
    want(fd, "-ERR unknown command 'NONSENSE', with args beginning with: \r\n+PONG\r\n");
    close(fd);
    stop(&fixture);
}

FLAVORS(what_is_past_a_limit_is_an_error_and_the_end);
ParameterizedTest(const unsigned *workers, mini_redis, what_is_past_a_limit_is_an_error_and_the_end)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
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

FLAVORS(a_line_without_an_end_is_not_kept);
ParameterizedTest(const unsigned *workers, mini_redis, a_line_without_an_end_is_not_kept)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    int fd = dial(&fixture);
    static char line[64 << 10];
    memset(line, 'x', sizeof line);
    put(fd, line, fixture.limits.frame.line + 1);
    want(fd, "-ERR Protocol error: too big inline request\r\n");
    want_end(fd);
    stop(&fixture);
}

FLAVORS(clients_above_the_limit_are_told_and_closed);
ParameterizedTest(const unsigned *workers, mini_redis, clients_above_the_limit_are_told_and_closed)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
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

FLAVORS(a_frame_that_does_not_end_in_time_is_the_end);
ParameterizedTest(const unsigned *workers, mini_redis, a_frame_that_does_not_end_in_time_is_the_end)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.frame_ms = 100;
    start(&fixture);
    int fd = dial(&fixture);
    say(fd, "*1\r\n$4\r\nPI");
    want_end(fd);
    stop(&fixture);
}

/* A byte now and then, as slow-loris has it, does not prolong the frame's time. */
FLAVORS(a_dripping_frame_is_not_waited_for);
ParameterizedTest(const unsigned *workers, mini_redis, a_dripping_frame_is_not_waited_for)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
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

FLAVORS(an_idle_client_is_closed);
ParameterizedTest(const unsigned *workers, mini_redis, an_idle_client_is_closed)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.idle_ms = 100;
    start(&fixture);
    int fd = dial(&fixture);
    say(fd, "PING\r\n");
    want(fd, "+PONG\r\n");
    want_end(fd);
    stop(&fixture);
}

FLAVORS(a_client_that_does_not_take_its_replies_is_closed);
ParameterizedTest(const unsigned *workers, mini_redis,
                  a_client_that_does_not_take_its_replies_is_closed)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
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

FLAVORS(whoever_buffers_most_goes_first);
ParameterizedTest(const unsigned *workers, mini_redis, whoever_buffers_most_goes_first)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
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

FLAVORS(pipelined_commands_are_answered_in_order);
ParameterizedTest(const unsigned *workers, mini_redis, pipelined_commands_are_answered_in_order)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
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

FLAVORS(a_stream_cut_anywhere_means_the_same);
ParameterizedTest(const unsigned *workers, mini_redis, a_stream_cut_anywhere_means_the_same)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
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

FLAVORS(a_stop_answers_what_was_asked_tells_and_closes);
ParameterizedTest(const unsigned *workers, mini_redis,
                  a_stop_answers_what_was_asked_tells_and_closes)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
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

/* What a subscriber is told, frame by frame. */
struct reader {
    int fd;
    struct edo_bytes in;
    struct resp_parser parser;
    size_t consumed; /* by the frame that was read last */
};

static struct reader reader(int fd)
{
    struct reader reader = {.fd = fd};
    resp_parser_init(&reader.parser, RESP_REPLIES, &RESP_LIMITS_DEFAULT);
    return reader;
}

/* The next frame; NULL at the end. */
static const struct resp_value *next(struct reader *reader)
{
    edo_bytes_consume(&reader->in, reader->consumed);
    for (;;) {
        int r = resp_parse(&reader->parser, edo_bytes_data(&reader->in),
                           edo_bytes_length(&reader->in), &reader->consumed);
        if (r == RESP_COMPLETE)
            return reader->parser.values;
        cr_assert_eq(r, RESP_MORE, "%s", reader->parser.error);
        cr_assert_eq(edo_bytes_reserve(&reader->in, 65536), 0);
        ssize_t n = recv(reader->fd, edo_bytes_spare(&reader->in), 65536, 0);
        if (n == 0)
            return NULL;
        cr_assert_gt(n, 0, "recv: %s", strerror(errno));
        edo_bytes_advance(&reader->in, (size_t)n);
    }
}

static void done(struct reader *reader)
{
    close(reader->fd);
    edo_bytes_free(&reader->in);
    resp_parser_free(&reader->parser);
}

static bool is(const struct resp_value *value, const char *text)
{
    return value->length == strlen(text) && memcmp(value->text, text, value->length) == 0;
}

static int number(const struct resp_value *value)
{
    char text[32] = "";
    memcpy(text, value->text, value->length < sizeof text ? value->length : sizeof text - 1);
    return atoi(text);
}

/* Publishes, and how many were told. */
static int publish(int fd, const char *channel, const char *payload, size_t size)
{
    char *sent = malloc(size + 128), digit;
    int n = snprintf(sent, 128, "*3\r\n$7\r\nPUBLISH\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(channel),
                     channel, size);
    memcpy(sent + n, payload, size);
    memcpy(sent + n + size, "\r\n", 2);
    put(fd, sent, (size_t)n + size + 2);
    free(sent);
    want(fd, ":");
    cr_assert_eq(recv(fd, &digit, 1, MSG_WAITALL), 1);
    want(fd, "\r\n");
    return digit - '0';
}

#define SUBSCRIBED(name, count)   "*3\r\n$9\r\nsubscribe\r\n" name "\r\n:" count "\r\n"
#define MESSAGE(channel, payload) "*3\r\n$7\r\nmessage\r\n" channel "\r\n" payload "\r\n"

FLAVORS(a_subscriber_is_told_what_is_published);
ParameterizedTest(const unsigned *workers, mini_redis, a_subscriber_is_told_what_is_published)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    int subscriber = dial(&fixture), pattern = dial(&fixture), publisher = dial(&fixture);
    say(subscriber, "SUBSCRIBE a b\r\n");
    want(subscriber, SUBSCRIBED("$1\r\na", "1") SUBSCRIBED("$1\r\nb", "2"));
    say(pattern, "PSUBSCRIBE ?\r\n");
    want(pattern, "*3\r\n$10\r\npsubscribe\r\n$1\r\n?\r\n:1\r\n");
    cr_assert_eq(publish(publisher, "b", "one", 3), 2);
    cr_assert_eq(publish(publisher, "nobody", "two", 3), 0);
    cr_assert_eq(publish(publisher, "a", "three", 5), 2);
    cr_assert_eq(publish(publisher, "c", "four", 4), 1);
    want(subscriber, MESSAGE("$1\r\nb", "$3\r\none") MESSAGE("$1\r\na", "$5\r\nthree"));
    want(pattern, "*4\r\n$8\r\npmessage\r\n$1\r\n?\r\n$1\r\nb\r\n$3\r\none\r\n"
                  "*4\r\n$8\r\npmessage\r\n$1\r\n?\r\n$1\r\na\r\n$5\r\nthree\r\n"
                  "*4\r\n$8\r\npmessage\r\n$1\r\n?\r\n$1\r\nc\r\n$4\r\nfour\r\n");
    say(subscriber, "PING\r\nGET a\r\nQUIT\r\n");
    want(subscriber, "*2\r\n$4\r\npong\r\n$0\r\n\r\n-ERR Can't execute 'get'");
    want_end(subscriber);
    cr_assert_eq(publish(publisher, "a", "five", 4), 1);
    /* It goes without a word; the server learns of it in its own time. */
    close(pattern);
    while (publish(publisher, "a", "six", 3) != 0)
        ;
    close(publisher);
    stop(&fixture);
}

/* Publishes from within, and tells how much is then on its way. */
struct announce {
    FUTURE(void);
    struct pubsub *pubsub;
    size_t size;
    size_t *pending;
    sem_t *done;
};

ASYNC(announce)
{
    static char payload[100000];
    ASYNC_BEGIN;
    cr_assert_gt(pubsub_publish(self->pubsub, (struct store_text){"a", 1},
                                (struct store_text){payload, self->size}),
                 0);
    *self->pending = self->pubsub->bytes;
    sem_post(self->done);
    ASYNC_END;
}

static size_t announce(struct fixture *fixture, size_t size)
{
    sem_t done;
    size_t pending;
    sem_init(&done, 0, 0);
    edo_task_detach(
        SPAWN_ON(fixture->handle, NEW(announce, .pubsub = &fixture->server.pubsub, .size = size,
                                      .pending = &pending, .done = &done)));
    while (sem_wait(&done) != 0)
        ;
    sem_destroy(&done);
    return pending;
}

FLAVORS(a_subscriber_may_be_silent);
ParameterizedTest(const unsigned *workers, mini_redis, a_subscriber_may_be_silent)
{
    static const char confirmed[] = SUBSCRIBED("$1\r\na", "1");
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.idle_ms = 100;
    start(&fixture);
    int subscriber;
    char got[sizeof confirmed] = "";
    do { /* on a busy machine it may be idle for too long before it says so */
        subscriber = dial(&fixture);
        (void)!send(subscriber, "SUBSCRIBE a\r\n", 13, MSG_NOSIGNAL);
    } while (recv(subscriber, got, sizeof confirmed - 1, MSG_WAITALL) <= 0 &&
             close(subscriber) == 0);
    cr_assert_str_eq(got, confirmed);
    want_end(dial(&fixture)); /* so long does one wait who is not subscribed */
    (void)announce(&fixture, 0);
    want(subscriber, MESSAGE("$1\r\na", "$0\r\n"));
    say(subscriber, "UNSUBSCRIBE\r\n");
    want(subscriber, "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
    want_end(subscriber);
    stop(&fixture);
}

/* More than the sockets hold and than is kept for it. Others are not concerned. */
static void slow_subscriber(struct fixture *fixture, size_t size, const char *farewell)
{
    fixture->limits.output_ms = 600000;
    start(fixture);
    struct reader slow = reader(dial(fixture)), quick = reader(dial(fixture));
    int publisher = dial(fixture), published = 0;
    say(slow.fd, "SUBSCRIBE a\r\nPSUBSCRIBE b*\r\n");
    cr_assert(is(next(&slow) + 1, "subscribe"));
    cr_assert(is(next(&slow) + 1, "psubscribe"));
    say(quick.fd, "SUBSCRIBE a\r\n");
    cr_assert(is(next(&quick) + 1, "subscribe"));
    char *payload = calloc(1, size);
    for (int told = 2; told == 2; published++) {
        snprintf(payload, size, "%d", published);
        told = publish(publisher, "a", payload, size);
        cr_assert_eq(number(next(&quick) + 3), published);
    }
    free(payload);
    say(publisher, "PUBSUB NUMPAT\r\n");
    want(publisher, ":0\r\n");
    const struct resp_value *frame;
    int told = 0;
    while ((frame = next(&slow)) != NULL && frame->type == RESP_ARRAY)
        cr_assert_eq(number(frame + 3), told++);
    cr_assert_gt(told, 0);
    cr_assert_lt(told, published);
    cr_assert(frame != NULL && is(frame, farewell));
    cr_assert_null(next(&slow));
    done(&slow);
    done(&quick);
    close(publisher);
    stop(fixture);
}

FLAVORS(a_subscriber_that_lets_many_bytes_pile_up_is_told_and_closed);
ParameterizedTest(const unsigned *workers, mini_redis,
                  a_subscriber_that_lets_many_bytes_pile_up_is_told_and_closed)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    slow_subscriber(&fixture, 20000,
                    "ERR too slow: more than 1024 messages or 1048576 bytes are pending");
}

FLAVORS(a_subscriber_that_lets_many_messages_pile_up_is_told_and_closed);
ParameterizedTest(const unsigned *workers, mini_redis,
                  a_subscriber_that_lets_many_messages_pile_up_is_told_and_closed)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.pubsub.messages = 50;
    fixture.limits.pubsub.bytes = (size_t)1 << 30;
    slow_subscriber(&fixture, 50000,
                    "ERR too slow: more than 50 messages or 1073741824 bytes are pending");
}

/* What it was told it does not read either: it is not waited for for ever. */
FLAVORS(a_subscriber_that_stopped_reading_is_closed);
ParameterizedTest(const unsigned *workers, mini_redis, a_subscriber_that_stopped_reading_is_closed)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.output_ms = 300;
    start(&fixture);
    int subscriber = dial(&fixture), publisher = dial(&fixture), error = 0;
    say(subscriber, "SUBSCRIBE a\r\n");
    want(subscriber, SUBSCRIBED("$1\r\na", "1"));
    static char payload[100000];
    while (publish(publisher, "a", payload, sizeof payload) > 0)
        ;
    for (socklen_t size = sizeof error; error == 0;) {
        if (send(subscriber, "PING\r\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
            error = errno;
        else
            getsockopt(subscriber, SOL_SOCKET, SO_ERROR, &error, &size);
        cr_assert_eq(publish(publisher, "a", payload, 1), 0);
    }
    close(subscriber);
    close(publisher);
    stop(&fixture);
}

/* Messages count with the buffers of all, and go with whoever keeps most of them. */
FLAVORS(whoever_keeps_most_messages_goes_first);
ParameterizedTest(const unsigned *workers, mini_redis, whoever_keeps_most_messages_goes_first)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.buffers = 3 << 20;
    fixture.limits.pubsub.bytes = (size_t)1 << 30;
    fixture.limits.pubsub.messages = 1 << 20;
    start(&fixture);
    int subscriber = dial(&fixture), publisher = dial(&fixture);
    say(subscriber, "SUBSCRIBE a\r\n");
    want(subscriber, SUBSCRIBED("$1\r\na", "1"));
    static char payload[100000];
    while (publish(publisher, "a", payload, sizeof payload) > 0)
        ;
    want_end(subscriber);
    say(publisher, "PING\r\n");
    want(publisher, "+PONG\r\n");
    close(publisher);
    stop(&fixture);
}

FLAVORS(a_client_may_have_many_subscriptions);
ParameterizedTest(const unsigned *workers, mini_redis, a_client_may_have_many_subscriptions)
{
    enum { EACH = 50, LINE = 24 };
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    int subscriber = dial(&fixture), publisher = dial(&fixture);
    char line[EACH * LINE], confirmed[EACH * 64];
    int count = 0, most = (int)fixture.limits.pubsub.subscriptions;
    while (count < most) {
        char *at = line + sprintf(line, "SUBSCRIBE"), *reply = confirmed;
        for (int i = 0; i < EACH; i++, count++) {
            at += sprintf(at, " channel.%05d", count);
            reply += sprintf(reply, SUBSCRIBED("$13\r\nchannel.%05d", "%d"), count, count + 1);
        }
        sprintf(at, "\r\n");
        say(subscriber, line);
        want(subscriber, confirmed);
    }
    say(subscriber, "SUBSCRIBE another\r\n");
    want(subscriber, "-ERR max number of subscriptions reached\r\n");
    for (int i = most - 1; i >= 0; i -= most / 10) {
        char channel[LINE], message[64];
        sprintf(channel, "channel.%05d", i);
        cr_assert_eq(publish(publisher, channel, "x", 1), 1);
        sprintf(message, MESSAGE("$13\r\n%s", "$1\r\nx"), channel);
        want(subscriber, message);
    }
    /* It leaves one after the other; others may see that. */
    close(subscriber);
    while (publish(publisher, "channel.09999", "x", 1) > 0)
        ;
    say(publisher, "PUBSUB CHANNELS\r\n");
    want(publisher, "*0\r\n");
    close(publisher);
    stop(&fixture);
}

/* They publish faster than a topic's channel holds; it takes all that comes, so it is not slow. */
FLAVORS(many_publishers_at_once_lose_nothing);
ParameterizedTest(const unsigned *workers, mini_redis, many_publishers_at_once_lose_nothing)
{
    enum { PUBLISHERS = 8, EACH = 200 };
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    struct reader subscriber = reader(dial(&fixture));
    say(subscriber.fd, "SUBSCRIBE a\r\nPSUBSCRIBE *\r\n");
    for (int i = 0; i < 2; i++)
        cr_assert_eq(next(&subscriber)->type, RESP_ARRAY);
    int fds[PUBLISHERS], numbers[2][PUBLISHERS] = {{0}};
    for (int i = 0; i < PUBLISHERS; i++) {
        char sent[EACH * 32], *at = sent;
        fds[i] = dial(&fixture);
        for (int j = 0; j < EACH; j++)
            at += sprintf(at, "PUBLISH a %d\r\n", j * PUBLISHERS + i);
        put(fds[i], sent, (size_t)(at - sent));
    }
    for (int i = 0; i < 2 * PUBLISHERS * EACH; i++) {
        const struct resp_value *frame = next(&subscriber);
        bool pattern = is(frame + 1, "pmessage");
        int got = number(frame + 3 + pattern);
        cr_assert_eq(got / PUBLISHERS, numbers[pattern][got % PUBLISHERS]++);
        cr_assert_geq(numbers[0][got % PUBLISHERS], numbers[1][got % PUBLISHERS]);
    }
    for (int i = 0; i < PUBLISHERS; i++) {
        for (int j = 0; j < EACH; j++)
            want(fds[i], ":2\r\n");
        close(fds[i]);
    }
    done(&subscriber);
    stop(&fixture);
}

struct flood {
    struct fixture *fixture;
    _Atomic(bool) enough;
};

/* Publishes increasing numbers, some at once. */
static void *publish_on(void *arg)
{
    enum { AT_ONCE = 20 };
    struct flood *flood = arg;
    int fd = dial(flood->fixture);
    for (int n = 0; !flood->enough;) {
        char sent[AT_ONCE * 32], *at = sent;
        for (int i = 0; i < AT_ONCE; i++)
            at += sprintf(at, "PUBLISH a %d\r\n", n++);
        put(fd, sent, (size_t)(at - sent));
        cr_assert_eq(recv(fd, sent, AT_ONCE * 4, MSG_WAITALL), AT_ONCE * 4);
    }
    close(fd);
    return NULL;
}

/* From one confirmation to the other, every message; none outside. */
FLAVORS(one_may_unsubscribe_while_messages_come);
ParameterizedTest(const unsigned *workers, mini_redis, one_may_unsubscribe_while_messages_come)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    struct flood flood = {.fixture = &fixture};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, publish_on, &flood), 0);
    struct reader subscriber = reader(dial(&fixture));
    for (int round = 0; round < 100; round++) {
        say(subscriber.fd, "SUBSCRIBE a\r\n");
        cr_assert(is(next(&subscriber) + 1, "subscribe"));
        const struct resp_value *frame;
        int last = -1;
        for (int told = 0; is((frame = next(&subscriber)) + 1, "message"); told++) {
            int got = number(frame + 3);
            cr_assert(last == -1 || got == last + 1, "%d after %d", got, last);
            last = got;
            if (told == round % 5)
                say(subscriber.fd, "UNSUBSCRIBE a\r\nPING\r\n");
        }
        cr_assert(is(frame + 1, "unsubscribe"));
        cr_assert(is(next(&subscriber), "PONG"));
    }
    flood.enough = true;
    pthread_join(thread, NULL);
    done(&subscriber);
    stop(&fixture);
}

/* Makes a client of one end of a pair. */
struct adopt {
    FUTURE(void);
    struct server *server;
    int fd;
};

ASYNC(adopt)
{
    struct edo_tcp *conn;
    ASYNC_BEGIN;
    cr_assert_eq(edo_tcp_from_fd(self->fd, &conn), 0);
    client_spawn(self->server, conn);
    ASYNC_END;
}

/* A connection that holds little: what is not read piles up at the server. */
static int dial_narrow(struct fixture *fixture)
{
    int ends[2], little = 4096;
    struct timeval limit = {20, 0};
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    edo_task_detach(
        SPAWN_ON(fixture->handle, NEW(adopt, .server = &fixture->server, .fd = ends[0])));
    return ends[1];
}

/* Also when they come in one turn. */
FLAVORS(each_client_has_an_id_of_its_own);
ParameterizedTest(const unsigned *workers, mini_redis, each_client_has_an_id_of_its_own)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    int fds[2];
    char ids[2][8] = {"", ""};
    for (int i = 0; i < 2; i++)
        fds[i] = dial_narrow(&fixture);
    for (int i = 0; i < 2; i++) {
        say(fds[i], "CLIENT ID\r\n");
        cr_assert_eq(recv(fds[i], ids[i], 4, MSG_WAITALL), 4);
        close(fds[i]);
    }
    cr_assert_str_neq(ids[0], ids[1]);
    stop(&fixture);
}

/* For each message that it reads another one comes, so that it never has them all. */
FLAVORS(who_has_much_to_read_is_heard_in_between);
ParameterizedTest(const unsigned *workers, mini_redis, who_has_much_to_read_is_heard_in_between)
{
    enum { SIZE = 100000, KEPT = 4 * SIZE, MOST = 50 };
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.output_ms = 600000;
    start(&fixture);
    struct reader subscriber = reader(dial_narrow(&fixture));
    const struct resp_value *frame;
    say(subscriber.fd, "SUBSCRIBE a\r\n");
    cr_assert(is(next(&subscriber) + 1, "subscribe"));
    while (announce(&fixture, SIZE) < KEPT)
        ;
    /* Another one, who makes sure that somebody is told. */
    int other = dial(&fixture);
    say(other, "SUBSCRIBE a\r\n");
    want(other, SUBSCRIBED("$1\r\na", "1"));
    say(subscriber.fd, "UNSUBSCRIBE\r\n");
    for (int n = 0; is((frame = next(&subscriber)) + 1, "message"); n++) {
        cr_assert_lt(n, MOST);
        (void)announce(&fixture, SIZE);
        char taken[1000];
        want(other, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$100000\r\n");
        for (int i = 0; i < SIZE; i += (int)sizeof taken)
            cr_assert_eq(recv(other, taken, sizeof taken, MSG_WAITALL), (ssize_t)sizeof taken);
        want(other, "\r\n");
    }
    cr_assert(is(frame + 1, "unsubscribe"));
    done(&subscriber);
    close(other);
    stop(&fixture);
}

FLAVORS(a_stop_comes_behind_what_was_published);
ParameterizedTest(const unsigned *workers, mini_redis, a_stop_comes_behind_what_was_published)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    int subscriber = dial(&fixture), publisher = dial(&fixture);
    say(subscriber, "SUBSCRIBE a\r\n");
    want(subscriber, SUBSCRIBED("$1\r\na", "1"));
    cr_assert_eq(publish(publisher, "a", "last", 4), 1);
    stop(&fixture);
    want(subscriber, MESSAGE("$1\r\na", "$4\r\nlast") "-ERR server is shutting down\r\n");
    want_end(subscriber);
    want(publisher, "-ERR server is shutting down\r\n");
    want_end(publisher);
}

struct talker {
    struct fixture *fixture;
    sem_t *enough; /* posted when it has heard so much */
    size_t bytes;
};

/* Says this and that, hears what comes, until the server is gone. */
static void *talk(void *arg)
{
    static const char sent[] =
        "SUBSCRIBE a b\r\nUNSUBSCRIBE b\r\nUNSUBSCRIBE\r\nPUBLISH a x\r\nSET k v EX 1\r\n"
        "GET k\r\nPSUBSCRIBE a*\r\nPUNSUBSCRIBE\r\nPUBLISH b y\r\nDEL k a\r\nFLUSHALL\r\n";
    struct talker *talker = arg;
    int fd = dial(talker->fixture);
    char got[4096];
    bool enough = false;
    size_t heard = 0;
    for (ssize_t n = 1; n > 0;) {
        n = send(fd, sent, sizeof sent - 1, MSG_NOSIGNAL);
        if (n > 0)
            n = recv(fd, got, sizeof got, 0);
        if (n > 0)
            heard += (size_t)n;
        if (!enough && (n <= 0 || heard >= talker->bytes)) {
            enough = true;
            sem_post(talker->enough);
        }
    }
    close(fd);
    return NULL;
}

/* In the midst of whatever its tasks are at. */
FLAVORS(the_end_of_the_runtime_leaves_nothing);
ParameterizedTest(const unsigned *workers, mini_redis, the_end_of_the_runtime_leaves_nothing)
{
    enum { TALKERS = 4, ROUNDS = 20 };
    for (int round = 0; round < ROUNDS; round++) {
        struct edo_notify end;
        edo_notify_init(&end);
        struct fixture fixture = {.limits = limits_default, .workers = *workers, .end = &end};
        fixture.limits.pipeline = 2;
        start(&fixture);
        sem_t enough;
        sem_init(&enough, 0, 0);
        pthread_t threads[TALKERS];
        struct talker talkers[TALKERS];
        for (int i = 0; i < TALKERS; i++) {
            talkers[i] = (struct talker){&fixture, &enough, (size_t)(1 + 300 * round)};
            cr_assert_eq(pthread_create(&threads[i], NULL, talk, &talkers[i]), 0);
        }
        for (int i = 0; i < TALKERS; i++)
            while (sem_wait(&enough) != 0)
                ;
        stop(&fixture);
        for (int i = 0; i < TALKERS; i++)
            pthread_join(threads[i], NULL);
        sem_destroy(&enough);
        edo_notify_destroy(&end);
    }
}
