/* SPDX-License-Identifier: MIT */
/* Every await of mini-redis is cancelled, at each point where it can be suspended. */
#include "support/sweep.h"

#include <sys/socket.h>

#include "examples/mini_redis/client.h"
#include "examples/mini_redis/demo.h"
#include "examples/mini_redis/server.h"
#include "io_helpers.h"
#include "support/limits.h"

/* main.c's future, its names out of the way. */
int sweep_mini_redis(int argc, char **argv);
#define main     sweep_mini_redis
#define loopback mini_redis_loopback
#define run      mini_redis_run
#define usage    mini_redis_usage
#include "examples/mini_redis/main.c"
#undef main
#undef loopback
#undef run
#undef usage

enum { VALUE = 300000 }; /* more than the sockets hold */

struct scene {
    struct server server;
    int peer;
    size_t got, expected;
    char tail[64]; /* of what a subscriber got */
    struct edo_tcp_listener *listener;
    struct edo_addr addr;
};

static void make_server(struct scene *scene)
{
    struct limits limits = limits_default;
    limits.pipeline = 1; /* a yield after each command */
    cr_assert_eq(server_init(&scene->server, &limits), 0);
    scene->addr = loopback(0);
}

static void free_server(void *data)
{
    struct scene *scene = data;
    cr_assert(edo_task_tracker_is_empty(&scene->server.tracker));
    cr_assert_eq(scene->server.buffered, 0);
    cr_assert_null(scene->server.first);
    server_free(&scene->server);
}

static void set_key(struct scene *scene, struct store_text key, struct store_text value,
                    int64_t expires)
{
    struct store *store = db_lock(&scene->server.db, key);
    cr_assert_eq(store_set(store, 0, key, value, expires, 0), 1);
    db_unlock(store);
}

/* A client whose peer asks for much, and takes it slowly. */
static void client_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    static const char asked[] = "PING\r\nGET k\r\nPING\r\nGET k\r\nNONSENSE\r\nPING\r\n";
    struct scene *scene = data;
    struct client *client = frame;
    int ends[2], small = 4096;
    (void)runtime;
    make_server(scene);
    char *value = calloc(1, VALUE);
    set_key(scene, (struct store_text){"k", 1}, (struct store_text){value, VALUE}, STORE_NEVER);
    free(value);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    scene->peer = ends[1];
    cr_assert_eq(send(ends[1], asked, sizeof asked - 1, MSG_NOSIGNAL), (ssize_t)sizeof asked - 1);
    scene->expected = 3 * 7 + 2 * (VALUE + 11) +
                      strlen("-ERR unknown command 'NONSENSE', with args beginning with: \r\n");
    client->server = &scene->server;
    client->token = edo_task_tracker_token(&scene->server.tracker);
    cr_assert_eq(edo_tcp_from_fd(ends[0], &client->conn), 0);
}

static void client_suspended(void *data, void *frame, unsigned n)
{
    struct scene *scene = data;
    char taken[50000];
    ssize_t got;
    (void)frame;
    (void)n;
    while ((got = recv(scene->peer, taken, sizeof taken, 0)) > 0)
        scene->got += (size_t)got;
    if (scene->got == scene->expected)
        shutdown(scene->peer, SHUT_WR);
}

static void client_ended(void *data, const void *frame, bool completed)
{
    struct scene *scene = data;
    (void)frame;
    if (completed)
        cr_assert_eq(scene->got, scene->expected);
    close(scene->peer);
    cr_assert(edo_task_tracker_is_empty(&scene->server.tracker));
}

/* A subscriber, to whom somebody publishes now and then: so that it waits, and that something is in its
 * channels, in its subscriptions, kept, half sent. It reads for a while, and then no more until it is
 * cut off. */
static void publish(struct scene *scene, const char *channel, size_t size)
{
    static char payload[10000];
    int r = pubsub_publish(&scene->server.pubsub, (struct store_text){channel, strlen(channel)},
                           (struct store_text){payload, size});
    cr_assert(r >= 0 || r == UV_EAGAIN);
}

struct publisher {
    FUTURE(void);
    struct scene *scene;
    int pause;
};

ASYNC(publisher)
{
    enum { PAUSE = 5 };
    ASYNC_BEGIN;
    for (;;) {
        publish(self->scene, "b", 10);
        publish(self->scene, "a", 10000);
        for (self->pause = 0; self->pause < PAUSE; self->pause++)
            YIELD_NOW();
    }
    ASYNC_END;
}

static void take(struct scene *scene)
{
    char taken[50000];
    ssize_t got;
    while ((got = recv(scene->peer, taken, sizeof taken, 0)) > 0) {
        size_t some = (size_t)got < sizeof scene->tail ? (size_t)got : sizeof scene->tail;
        memmove(scene->tail, scene->tail + some, sizeof scene->tail - some);
        memcpy(scene->tail + sizeof scene->tail - some, taken + got - some, some);
    }
}

static void subscriber_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    static const char asked[] = "SUBSCRIBE a b c\r\nPSUBSCRIBE * a*\r\nPING\r\nUNSUBSCRIBE b\r\n";
    struct scene *scene = data;
    struct client *client = frame;
    int ends[2], small = 4096;
    make_server(scene);
    scene->server.limits.pubsub.messages = scene->server.pubsub.limits.messages = 4;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    scene->peer = ends[1];
    cr_assert_eq(send(ends[1], asked, sizeof asked - 1, MSG_NOSIGNAL), (ssize_t)sizeof asked - 1);
    client->server = &scene->server;
    client->token = edo_task_tracker_token(&scene->server.tracker);
    cr_assert_eq(edo_tcp_from_fd(ends[0], &client->conn), 0);
    edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime), NEW(publisher, .scene = scene)));
}

static void subscriber_suspended(void *data, void *frame, unsigned n)
{
    enum { READS = 8 };
    struct scene *scene = data;
    if (n < READS || ((const struct client *)frame)->closing)
        take(scene);
}

static void subscriber_ended(void *data, const void *frame, bool completed)
{
    static const char farewell[] = "more than 4 messages or 1048576 bytes are pending\r\n";
    struct scene *scene = data;
    (void)frame;
    take(scene);
    if (completed)
        cr_assert_eq(memcmp(scene->tail + sizeof scene->tail - (sizeof farewell - 1), farewell,
                            sizeof farewell - 1),
                     0);
    close(scene->peer);
    cr_assert(edo_task_tracker_is_empty(&scene->server.tracker));
    cr_assert_eq(pubsub_count(&scene->server.pubsub, PUBSUB_CHANNEL), 0);
    cr_assert_eq(pubsub_count(&scene->server.pubsub, PUBSUB_PATTERN), 0);
    cr_assert_eq(scene->server.pubsub.bytes, 0);
}

Test(mini_redis_sweep, a_client, .timeout = LONGER_UNDER_TSAN)
{
    SWEEP(NEW(client), .real_time = true, .data_size = sizeof(struct scene), .begin = client_begin,
          .suspended = client_suspended, .ended = client_ended, .end = free_server);
    SWEEP(NEW(client), .real_time = true, .data_size = sizeof(struct scene),
          .begin = subscriber_begin, .suspended = subscriber_suspended, .ended = subscriber_ended,
          .end = free_server);
    sweep_covered("examples/mini_redis/client.c");
}

static struct edo_tcp_listener *make_listener(struct scene *scene)
{
    make_server(scene);
    struct edo_tcp_listener *listener = NULL;
    cr_assert_eq(edo_tcp_listen(&listener, &scene->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(listener, &scene->addr), 0);
    return listener;
}

static void demo_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct scene *scene = data;
    struct demo *demo = frame;
    struct edo_tcp_listener *listener = make_listener(scene);
    edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime),
                             NEW(serve, .server = &scene->server, .listener = listener)));
    demo->addr = scene->addr;
    demo->stop = scene->server.stop;
}

static void demo_ended(void *data, const void *frame, bool completed)
{
    struct scene *scene = data;
    if (completed)
        cr_assert_eq(((const struct demo *)frame)->output, 0);
    cr_assert(edo_cancellation_token_is_cancelled(scene->server.stop),
              "whatever becomes of it, it ends the server");
}

Test(mini_redis_sweep, the_demo)
{
    SWEEP(NEW(demo), .real_time = true, .data_size = sizeof(struct scene), .begin = demo_begin,
          .ended = demo_ended, .end = free_server);
    sweep_covered("examples/mini_redis/demo.c");
}

static void serve_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct scene *scene = data;
    struct serve *serve = frame;
    serve->server = &scene->server;
    serve->listener = make_listener(scene);
    edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime),
                             NEW(demo, .addr = scene->addr, .stop = scene->server.stop)));
}

static void purge_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct scene *scene = data;
    (void)runtime;
    make_server(scene);
    ((struct purge *)frame)->server = &scene->server;
    /* More than one turn's worth, gone since long ago. */
    for (int i = 0; i < 2500; i++)
        set_key(scene, (struct store_text){(const char *)&i, sizeof i}, (struct store_text){"v", 1},
                1);
}

Test(mini_redis_sweep, the_server)
{
    SWEEP(NEW(serve), .real_time = true, .data_size = sizeof(struct scene), .begin = serve_begin,
          .end = free_server);
    SWEEP(NEW(purge), .rounds = 8, .data_size = sizeof(struct scene), .begin = purge_begin,
          .end = free_server);
    sweep_covered("examples/mini_redis/server.c");
}

/* The whole program, but for its signals. Its frame holds the server, which tasks use to the end of
 * the runtime. */
static struct options demo_options = {.bind = "127.0.0.1", .demo = true};

static void app_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct app *app = frame;
    (void)runtime;
    demo_options.limits = limits_default;
    app->options = &demo_options;
    cr_assert_eq(server_init(&app->server, &demo_options.limits), 0);
    *(struct app **)data = app;
}

static void app_ended(void *data, const void *frame, bool completed)
{
    (void)data;
    if (completed)
        cr_assert_eq(((const struct app *)frame)->output, 0);
}

/* Without the demo somebody else ends it, as a signal would. */
static void app_suspended(void *data, void *frame, unsigned n)
{
    (void)data;
    (void)n;
    if (!demo_options.demo)
        edo_cancellation_token_cancel(((struct app *)frame)->server.stop);
}

static void app_end(void *data)
{
    server_free(&(*(struct app **)data)->server);
}

/* A signal has come, or will. */
static void stopper_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct scene *scene = data;
    struct stopper *stopper = frame;
    int ends[2];
    (void)runtime;
    make_server(scene);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    scene->peer = signal_socket = ends[0];
    stopper->fd = ends[1];
    stopper->stop = scene->server.stop;
    on_signal(SIGINT);
}

static void stopper_ended(void *data, const void *frame, bool completed)
{
    struct scene *scene = data;
    (void)frame;
    cr_assert_eq(edo_cancellation_token_is_cancelled(scene->server.stop), completed);
    on_signal(SIGINT); /* that one comes too late, and does no harm */
    close(scene->peer);
}

Test(mini_redis_sweep, the_program)
{
    for (int demo = 0; demo < 2; demo++) {
        demo_options.demo = demo;
        SWEEP(NEW(app), .real_time = true, .lasting = true, .data_size = sizeof(struct app *),
              .begin = app_begin, .suspended = app_suspended, .ended = app_ended, .end = app_end);
    }
    SWEEP(NEW(stopper), .real_time = true, .data_size = sizeof(struct scene),
          .begin = stopper_begin, .ended = stopper_ended, .end = free_server);
    sweep_covered("examples/mini_redis/main.c");
}
