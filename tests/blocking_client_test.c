/* SPDX-License-Identifier: MIT */
/* examples/blocking_client.c against a server in the same process, on a runtime of its own. */
#include "io_helpers.h"

#include <semaphore.h>

#include "examples/mini_redis/server.h"

int run_blocking_client(int argc, char **argv);
#define main run_blocking_client
#include "examples/blocking_client.c"
#undef main

struct host {
    struct server server;
    struct edo_addr addr;
    struct edo_runtime *runtime;
    JOIN_HANDLE(int) task;
    struct baseline start;
};

/* Listens where the kernel says, and serves. */
struct listening {
    FUTURE(int);
    struct host *host;
    sem_t *ready;
    struct edo_tcp_listener *listener;
    struct serve serve;
};

ASYNC(listening)
{
    ASYNC_BEGIN;
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->host->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &self->host->addr), 0);
    self->serve = NEW(serve, .server = &self->host->server, .listener = self->listener);
    sem_post(self->ready);
    AWAIT_REF(self->serve);
    RETURN(self->serve.output);
    ASYNC_END;
}

static void begin(struct host *host)
{
    sem_t ready;
    struct edo_runtime *first;
    cr_assert_eq(edo_runtime_new(&first), 0); /* opens what libuv keeps for the process */
    edo_runtime_drop(first);
    host->start = baseline();
    host->addr = loopback(0);
    sem_init(&ready, 0, 0);
    cr_assert_eq(server_init(&host->server, &limits_default), 0);
    cr_assert_eq(edo_runtime_new(&host->runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 2),
                 0);
    host->task =
        SPAWN_ON(edo_runtime_handle(host->runtime), NEW(listening, .host = host, .ready = &ready));
    while (sem_wait(&ready) != 0)
        ;
    sem_destroy(&ready);
}

static void stop_server(struct host *host)
{
    int output = -1;
    struct edo_join join = edo_join(host->task, &output);
    edo_cancellation_token_cancel(host->server.stop);
    cr_assert_eq(edo_block_on(host->runtime, &join), 0);
    cr_assert_eq(join.output, 0);
    cr_assert_eq(output, 0);
}

static void end(struct host *host)
{
    edo_runtime_drop(host->runtime);
    server_free(&host->server);
    check_baseline(&host->start);
}

Test(blocking_client, the_program_ends_well)
{
    struct host host;
    char port[8], name[] = "blocking_client", *argv[] = {name, port, NULL};
    begin(&host);
    snprintf(port, sizeof port, "%u", edo_addr_port(&host.addr));
    cr_assert_not_null(freopen("/dev/null", "w", stdout));
    cr_assert_eq(run_blocking_client(2, argv), 0);
    stop_server(&host);
    cr_assert_not_null(freopen("/dev/null", "w", stderr));
    cr_assert_eq(run_blocking_client(2, argv), 1, "nobody listens there any more");
    end(&host);
}

Test(blocking_client, what_the_server_says_is_what_a_function_returns)
{
    struct host host;
    struct blocking_client client, other;
    char text[8];
    begin(&host);
    cr_assert_eq(blocking_client_connect(&client, &host.addr), 0);
    cr_assert_eq(blocking_client_connect(&other, &host.addr), 0);
    cr_assert_eq(blocking_client_get(&client, "k", text, sizeof text), UV_ENOENT);
    cr_assert_eq(blocking_client_set(&other, "k", "a longer value"), 0);
    cr_assert_eq(blocking_client_get(&client, "k", text, sizeof text), 0);
    cr_assert_str_eq(text, "a longe");
    cr_assert_eq(blocking_client_publish(&client, "c", "0"), 0);
    cr_assert_eq(blocking_client_subscribe(&other, "c"), 0);
    cr_assert_eq(blocking_client_get(&other, "k", text, sizeof text), UV_EPROTO);
    cr_assert_eq(blocking_client_next_message(&other, 1, text, sizeof text), UV_ETIMEDOUT);
    for (int i = 1; i < 10; i++) {
        char sent[12];
        snprintf(sent, sizeof sent, "%d", i);
        cr_assert_eq(blocking_client_publish(&client, "c", sent), 1);
        cr_assert_eq(blocking_client_next_message(&other, PATIENCE_MS, text, sizeof text), 0);
        cr_assert_str_eq(text, sent);
    }
    stop_server(&host);
    cr_assert_eq(blocking_client_get(&client, "k", text, sizeof text), UV_EPROTO, "a farewell");
    cr_assert_lt(blocking_client_get(&client, "k", text, sizeof text), 0);
    blocking_client_close(&client);
    blocking_client_close(&other);
    end(&host);
}
