/* SPDX-License-Identifier: MIT */
/* Every await of every example is cancelled, at each point where it can be suspended: nothing leaks,
 * nothing is lost, FINALLY ran once. */
#include "support/sweep.h"

#include "examples/mini_redis/server.h"
#include "io_helpers.h"

/* The examples' own futures, their main under another name. */
int sweep_hello(int argc, char **argv);
int sweep_two_awaits(int argc, char **argv);
int sweep_by_hand(int argc, char **argv);
int sweep_delay(int argc, char **argv);
int sweep_mini_tokio(void);
int sweep_echo_server(int argc, char **argv);
int sweep_echo_client(int argc, char **argv);
int sweep_embed(void);
int sweep_recursive(int argc, char **argv);
int sweep_join_set(int argc, char **argv);
int sweep_graceful(int argc, char **argv);
int sweep_sharded_map(void);
int sweep_local_set(void);
int sweep_manager_task(int argc, char **argv);
int sweep_background(void);
int sweep_task_spawner(void);
#define main sweep_hello
#include "examples/hello.c"
#undef main
#define main sweep_two_awaits
#include "examples/two_awaits.c"
#undef main
#define main sweep_by_hand
#include "examples/by_hand.c"
#undef main
#define main sweep_delay
#include "examples/delay.c"
#undef main
#define main sweep_mini_tokio
#include "examples/mini_tokio.c"
#undef main
#define main sweep_echo_server
#include "examples/echo_server.c"
#undef main
#define main sweep_echo_client
#include "examples/echo_client.c"
#undef main
#define main sweep_embed
#include "examples/embed.c"
#undef main
#define main sweep_recursive
#include "examples/recursive.c"
#undef main
#define main sweep_join_set
#include "examples/join_set.c"
#undef main
#define main sweep_graceful
#include "examples/graceful.c"
#undef main
#define main sweep_sharded_map
#include "examples/sharded_map.c"
#undef main
#define main sweep_local_set
#include "examples/local_set.c"
#undef main
#define main sweep_manager_task
#include "examples/manager_task.c"
#undef main
#define main sweep_background
#include "examples/background.c"
#undef main
#define main sweep_task_spawner
#include "examples/task_spawner.c"
#undef main

Test(sweep, hello)
{
    SWEEP(NEW(greet, .name = "sweep"));
    sweep_covered("examples/hello.c");
}

Test(sweep, two_awaits)
{
    SWEEP(NEW(breakfast));
    sweep_covered("examples/two_awaits.c");
}

Test(sweep, by_hand)
{
    SWEEP(NEW(compare));
    sweep_covered("examples/by_hand.c");
}

Test(sweep, delay)
{
    SWEEP(NEW(patience), .real_time = true);
    sweep_covered("examples/delay.c");
}

Test(sweep, mini_tokio)
{
    /* However busy the machine is, the first of them has not slept enough when it is cancelled. */
    SWEEP(NEW(sleeper, .name = "sweep", .ms = 600000), .real_time = true, .rounds = 1);
    SWEEP(NEW(sleeper, .name = "sweep", .ms = 1), .real_time = true);
    sweep_covered("examples/mini_tokio.c");
}

Test(sweep, recursive)
{
    SWEEP(NEW(show_sum));
    sweep_covered("examples/recursive.c");
}

Test(sweep, join_set)
{
    SWEEP(NEW(crawl, .word = "sencha"));
    sweep_covered("examples/join_set.c");
}

/* A raw peer, which gets back a prefix of what it sent, and then the end. */
struct echo_scene {
    int peer;
    size_t sent, received;
};

static void peer_drain(struct echo_scene *scene, int flags)
{
    char buffer[8192];
    for (ssize_t n; (n = recv(scene->peer, buffer, sizeof buffer, flags)) > 0;)
        for (ssize_t i = 0; i < n; i++)
            cr_assert_eq(buffer[i], stream_byte(scene->received++));
    cr_assert_leq(scene->received, scene->sent);
}

static void peer_send(struct echo_scene *scene, size_t size)
{
    char buffer[65536];
    for (size_t i = 0; i < size; i++)
        buffer[i] = stream_byte(scene->sent + i);
    ssize_t n = send(scene->peer, buffer, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    cr_assert_gt(n, 0);
    scene->sent += (size_t)n;
}

/* Its connection was closed: the peer comes to an end. */
static void peer_end(struct echo_scene *scene, bool completed)
{
    struct timeval patience = {.tv_sec = 20};
    setsockopt(scene->peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    errno = 0;
    peer_drain(scene, 0);
    cr_assert(errno != EAGAIN, "the peer waits for the end of a connection that was cancelled");
    if (completed)
        cr_assert_eq(scene->received, scene->sent);
    close(scene->peer);
}

static void echo_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    (void)runtime;
    ((struct echo *)frame)->conn = half_raw_pair(&((struct echo_scene *)data)->peer);
}

static void echo_suspended(void *data, void *frame, unsigned n)
{
    struct echo_scene *scene = data;
    (void)frame;
    if (n == 1)
        peer_send(scene, 100);
    else if (n == 2)
        shutdown(scene->peer, SHUT_WR);
}

static void echo_ended(void *data, const void *frame, bool completed)
{
    (void)frame;
    peer_end(data, completed);
}

/* A peer that sends much and reads when the server is stuck: it waits in its write. A socket of one
 * buffer, without the windows and timers of TCP. */
static void flood_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct echo_scene *scene = data;
    struct echo *echo = frame;
    int fds[2];
    (void)runtime;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    cr_assert_eq(edo_tcp_from_fd(fds[0], &echo->conn), 0);
    edo_tcp_set_send_buffer(echo->conn, 4096);
    scene->peer = fds[1];
    peer_send(scene, 32 * 1024);
    shutdown(scene->peer, SHUT_WR);
}

static void flood_suspended(void *data, void *frame, unsigned n)
{
    (void)frame, (void)n;
    peer_drain(data, MSG_DONTWAIT);
}

/* The server has printed where it listens: the client comes. */
static void server_suspended(void *data, void *frame, unsigned n)
{
    struct echo_scene *scene = data;
    if (n != 1)
        return;
    scene->peer = raw_connect(&((struct echo_server *)frame)->addr);
    peer_send(scene, 100);
    shutdown(scene->peer, SHUT_WR);
}

static void server_end(void *data)
{
    struct echo_scene *scene = data;
    if (scene->peer != 0)
        peer_end(scene, false);
}

Test(sweep, echo_server)
{
    SWEEP(NEW(echo), .real_time = true, .data_size = sizeof(struct echo_scene), .begin = echo_begin,
          .suspended = echo_suspended, .ended = echo_ended);
    SWEEP(NEW(echo), .real_time = true, .data_size = sizeof(struct echo_scene),
          .begin = flood_begin, .suspended = flood_suspended, .ended = echo_ended);
    SWEEP(NEW(echo_server, .once = true), .real_time = true, .data_size = sizeof(struct echo_scene),
          .suspended = server_suspended, .end = server_end);
    SWEEP(NEW(echo_server), .real_time = true, .rounds = 2, .data_size = sizeof(struct echo_scene),
          .suspended = server_suspended, .end = server_end);
    sweep_covered("examples/echo_server.c");
}

/* The client's server: accepts once, and echoes. */
struct one_echo {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    struct edo_tcp_accept accept;
    struct echo echo;
};

ASYNC(one_echo)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->accept, edo_tcp_accept(self->listener));
    TRY_AWAIT(self->echo, NEW(echo, .conn = self->accept.stream));
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

static void client_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct edo_tcp_listener *listener;
    struct edo_addr addr = loopback(0);
    (void)data, (void)runtime;
    cr_assert_eq(edo_tcp_listen(&listener, &addr), 0);
    cr_assert_eq(edo_tcp_listener_local(listener, &addr), 0);
    ((struct echo_client *)frame)->port = edo_addr_port(&addr);
    edo_task_detach(SPAWN(NEW(one_echo, .listener = listener)));
}

static void client_ended(void *data, const void *frame, bool completed)
{
    (void)data;
    if (completed)
        cr_assert_eq(((const struct echo_client *)frame)->output, 0);
}

Test(sweep, echo_client)
{
    SWEEP(NEW(echo_client, .text = "sweep"), .real_time = true, .begin = client_begin,
          .ended = client_ended);
    sweep_covered("examples/echo_client.c");
}

static void embed_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    (void)data;
    ((struct add_up *)frame)->loop = edo_runtime_loop(runtime);
}

Test(sweep, embed)
{
    SWEEP(NEW(add_up, .n = 10), .begin = embed_begin);
    SWEEP(NEW(add_up, .n = 10), .begin = embed_begin, .real_time = true, .attached = true);
    sweep_covered("examples/embed.c");
}

struct graceful_scene {
    struct edo_cancellation_token *token;
    struct edo_task_tracker tracker;
    struct edo_task_tracker_token stuck;
};

static void graceful_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct graceful_scene *scene = data;
    struct graceful *graceful = frame;
    (void)runtime;
    scene->token = edo_cancellation_token_new();
    cr_assert_not_null(scene->token);
    edo_task_tracker_init(&scene->tracker);
    graceful->token = scene->token;
    graceful->tracker = &scene->tracker;
}

/* As its signal does. */
static void graceful_suspended(void *data, void *frame, unsigned n)
{
    (void)frame;
    if (n == 1)
        edo_cancellation_token_cancel(((struct graceful_scene *)data)->token);
}

static void graceful_ended(void *data, const void *frame, bool completed)
{
    const struct graceful_scene *scene = data;
    if (completed) {
        cr_assert_eq(((const struct graceful *)frame)->output, 0);
        cr_assert(edo_task_tracker_is_empty(&scene->tracker));
    }
}

static void graceful_end(void *data)
{
    struct graceful_scene *scene = data;
    edo_task_tracker_token_drop(&scene->stuck);
    cr_assert(edo_task_tracker_is_empty(&scene->tracker), "its workers outlive the runtime");
    edo_task_tracker_destroy(&scene->tracker);
    edo_cancellation_token_drop(scene->token);
}

/* One that does not stop: not waited for beyond the bound. */
static void stuck_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct graceful_scene *scene = data;
    graceful_begin(data, frame, runtime);
    scene->stuck = edo_task_tracker_token(&scene->tracker);
}

static void stuck_ended(void *data, const void *frame, bool completed)
{
    const struct graceful_scene *scene = data;
    if (completed) {
        cr_assert_eq(((const struct graceful *)frame)->output, UV_ETIMEDOUT);
        cr_assert_eq(edo_task_tracker_len(&scene->tracker), 1);
    }
}

static void worker_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct graceful_scene *scene = data;
    (void)runtime;
    scene->token = edo_cancellation_token_new();
    cr_assert_not_null(scene->token);
    edo_task_tracker_init(&scene->tracker);
    ((struct worker *)frame)->token = edo_cancellation_token_clone(scene->token);
}

/* In its second piece, which it finishes. */
static void worker_suspended(void *data, void *frame, unsigned n)
{
    (void)frame;
    if (n == 3)
        edo_cancellation_token_cancel(((struct graceful_scene *)data)->token);
}

Test(sweep, graceful)
{
    SWEEP(NEW(worker, .number = 1), .data_size = sizeof(struct graceful_scene),
          .begin = worker_begin, .suspended = worker_suspended, .end = graceful_end);
    SWEEP(NEW(graceful), .data_size = sizeof(struct graceful_scene), .begin = graceful_begin,
          .suspended = graceful_suspended, .ended = graceful_ended, .end = graceful_end);
    SWEEP(NEW(graceful), .data_size = sizeof(struct graceful_scene), .begin = stuck_begin,
          .suspended = graceful_suspended, .ended = stuck_ended, .end = graceful_end);
    sweep_covered("examples/graceful.c");
}

/* Of the sweep's data it would not be aligned. */
static struct map swept_map;

static void map_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    (void)data, (void)frame, (void)runtime;
    map_init(&swept_map);
}

/* Another task is at the same keys, in the same order: each finds them locked. */
static void adder_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    map_begin(data, frame, runtime);
    edo_task_detach(SPAWN(NEW(adder, .map = &swept_map)));
}

static void crew_ended(void *data, const void *frame, bool completed)
{
    (void)data, (void)frame;
    if (!completed)
        return;
    for (int i = 0; i < WORDS; i++)
        cr_assert_eq(shard_entry(map_shard(&swept_map, words[i]), words[i])->value, TASKS * ROUNDS);
}

/* Nothing is locked any more, and each update that was counted is there. */
static void map_end(void *data)
{
    unsigned sum = 0;
    (void)data;
    for (int i = 0; i < SHARDS; i++) {
        struct edo_mutex_guard guard = {NULL};
        cr_assert_eq(edo_mutex_try_lock(&swept_map.shards[i].mutex, &guard), 0);
        for (struct entry *entry = swept_map.shards[i].first; entry != NULL; entry = entry->next)
            sum += (unsigned)entry->value;
        edo_mutex_unlock(&guard);
    }
    cr_assert_eq(sum, swept_map.tally.updates);
    map_destroy(&swept_map);
}

static struct cache swept_cache;

static void cache_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    (void)data, (void)frame, (void)runtime;
    cache_init(&swept_cache);
}

/* Another asks for the same keys, before it: each is being computed. */
static void pupil_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    cache_begin(data, frame, runtime);
    edo_task_detach(SPAWN(NEW(pupil, .cache = &swept_cache)));
}

static void cache_end(void *data)
{
    (void)data;
    cache_destroy(&swept_cache);
}

Test(sweep, local_set)
{
    SWEEP(NEW(local_main, .cache = &swept_cache), .begin = cache_begin, .end = cache_end);
    SWEEP(NEW(pupil, .cache = &swept_cache), .begin = pupil_begin, .end = cache_end);
    SWEEP(NEW(pupil, .cache = &swept_cache), .begin = cache_begin, .end = cache_end);
    sweep_covered("examples/local_set.c");
}

Test(sweep, sharded_map)
{
    SWEEP(NEW(adder, .map = &swept_map), .rounds = 8, .begin = adder_begin, .end = map_end);
    SWEEP(NEW(crew, .map = &swept_map), .begin = map_begin, .ended = crew_ended, .end = map_end);
    sweep_covered("examples/sharded_map.c");
}

/* The manager, its server, and one command more than the channel has room for. */
struct manager_scene {
    struct server server;
    MPSC_SENDER(struct command) tx;
    ONESHOT_RECEIVER(struct answer) before;
    uint16_t port;
};

static void manager_task_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct manager_scene *scene = data;
    struct edo_tcp_listener *listener;
    struct edo_addr addr = loopback(0);
    (void)runtime;
    cr_assert_eq(server_init(&scene->server, &limits_default), 0);
    cr_assert_eq(edo_tcp_listen(&listener, &addr), 0);
    cr_assert_eq(edo_tcp_listener_local(listener, &addr), 0);
    scene->port = edo_addr_port(&addr);
    ((struct manager_task *)frame)->port = scene->port;
    edo_task_detach(SPAWN(NEW(serve, .server = &scene->server, .listener = listener)));
}

static void manager_task_ended(void *data, const void *frame, bool completed)
{
    const struct manager_scene *scene = data;
    if (completed) {
        cr_assert_eq(((const struct manager_task *)frame)->served, 6);
        cr_assert_eq(db_totals((struct db *)&scene->server.db).count, 3);
    }
}

static void manager_end(void *data)
{
    struct manager_scene *scene = data;
    edo_oneshot_receiver_drop(scene->before);
    server_free(&scene->server);
}

/* A channel of one place, which is taken; the manager's end of it. */
static MPSC_RECEIVER(struct command) manager_channel(struct manager_scene *scene)
{
    MPSC_RECEIVER(struct command) rx;
    struct command command = {.key = "before"};
    cr_assert_eq(edo_mpsc_with(&scene->tx, &rx, 1, command_drop), 0);
    cr_assert_eq(edo_oneshot(&command.reply, &scene->before), 0);
    cr_assert_eq(edo_mpsc_try_send(scene->tx, &command), 0);
    return rx;
}

static void manager_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct manager_scene *scene = data;
    struct manager_task task;
    manager_task_begin(data, &task, runtime);
    ((struct manager *)frame)->port = task.port;
    ((struct manager *)frame)->commands = manager_channel(scene);
    edo_task_detach(SPAWN(NEW(user, .commands = scene->tx, .key = "city", .value = "Edo")));
}

static void manager_ended(void *data, const void *frame, bool completed)
{
    (void)data;
    if (completed)
        cr_assert_eq(((const struct manager *)frame)->output, 3);
}

static void user_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct manager_scene *scene = data;
    struct manager_task task;
    struct user *user = frame;
    manager_task_begin(data, &task, runtime);
    edo_task_detach(SPAWN(NEW(manager, .port = task.port, .commands = manager_channel(scene))));
    user->commands = scene->tx;
}

static void user_ended(void *data, const void *frame, bool completed)
{
    struct manager_scene *scene = data;
    const struct user *user = frame;
    struct answer answer;
    if (!completed)
        return;
    cr_assert_eq(user->output, 0);
    cr_assert_str_eq(user->ask.answer.text, "Edo");
    cr_assert_eq(edo_oneshot_try_recv(scene->before, &answer), 0);
    cr_assert_eq(answer.status, UV_ENOENT);
}

Test(sweep, manager_task)
{
    SWEEP(NEW(manager_task), .real_time = true, .data_size = sizeof(struct manager_scene),
          .begin = manager_task_begin, .ended = manager_task_ended, .end = manager_end);
    SWEEP(NEW(manager), .real_time = true, .data_size = sizeof(struct manager_scene),
          .begin = manager_begin, .ended = manager_ended, .end = manager_end);
    SWEEP(NEW(user, .key = "city", .value = "Edo"), .real_time = true,
          .data_size = sizeof(struct manager_scene), .begin = user_begin, .ended = user_ended,
          .end = manager_end);
    sweep_covered("examples/manager_task.c");
}

Test(sweep, background)
{
    SWEEP(NEW(job, .number = 1));
    sweep_covered("examples/background.c");
}

/* More requests than the channel holds, whose answers somebody may wait for, and then no more. */
struct spawner_scene {
    struct edo_task_tracker tracker;
    MPSC_SENDER(struct request) tx;
    ONESHOT_RECEIVER(int) replies[CAPACITY + 1];
    int asked;
};

static void spawner_ask(struct spawner_scene *scene)
{
    struct request request = {.number = 27};
    cr_assert_eq(edo_oneshot(&request.reply, &scene->replies[scene->asked]), 0);
    if (edo_mpsc_try_send(scene->tx, &request) < 0)
        request_drop(&request);
    scene->asked++;
}

static void spawner_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct spawner_scene *scene = data;
    struct spawner *spawner = frame;
    (void)runtime;
    edo_task_tracker_init(&scene->tracker);
    cr_assert_eq(edo_mpsc_with(&scene->tx, &spawner->requests, CAPACITY, request_drop), 0);
    spawner->tracker = &scene->tracker;
    while (scene->asked < CAPACITY)
        spawner_ask(scene);
}

static void spawner_suspended(void *data, void *frame, unsigned n)
{
    struct spawner_scene *scene = data;
    (void)frame;
    if (n == 1)
        spawner_ask(scene);
    if (n == 2) {
        edo_mpsc_sender_drop(scene->tx);
        scene->tx = NULL;
    }
}

static void spawner_ended(void *data, const void *frame, bool completed)
{
    struct spawner_scene *scene = data;
    (void)frame;
    for (int i = 0; i < scene->asked && completed; i++) {
        int steps = 0;
        cr_assert_eq(edo_oneshot_try_recv(scene->replies[i], &steps), 0);
        cr_assert_eq(steps, 111);
    }
}

static void spawner_end(void *data)
{
    struct spawner_scene *scene = data;
    edo_mpsc_sender_drop(scene->tx);
    for (int i = 0; i < scene->asked; i++)
        edo_oneshot_receiver_drop(scene->replies[i]);
    edo_task_tracker_destroy(&scene->tracker);
}

static void collatz_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct spawner_scene *scene = data;
    struct collatz *collatz = frame;
    (void)runtime;
    collatz->request.number = 27;
    cr_assert_eq(edo_oneshot(&collatz->request.reply, &scene->replies[0]), 0);
}

static void collatz_end(void *data)
{
    edo_oneshot_receiver_drop(((struct spawner_scene *)data)->replies[0]);
}

Test(sweep, task_spawner)
{
    SWEEP(NEW(spawner), .data_size = sizeof(struct spawner_scene), .begin = spawner_begin,
          .suspended = spawner_suspended, .ended = spawner_ended, .end = spawner_end);
    SWEEP(NEW(collatz), .data_size = sizeof(struct spawner_scene), .begin = collatz_begin,
          .end = collatz_end);
    sweep_covered("examples/task_spawner.c");
}
