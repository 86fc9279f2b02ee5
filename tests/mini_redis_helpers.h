/* SPDX-License-Identifier: MIT */
/* What the tests of mini-redis share: a server on a thread of its own, and clients. */
#ifndef EDO_TESTS_MINI_REDIS_HELPERS_H
#define EDO_TESTS_MINI_REDIS_HELPERS_H

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
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

#endif
