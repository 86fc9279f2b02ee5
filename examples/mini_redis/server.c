/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <time.h>

#include "client.h"

const struct limits limits_default = {
    .clients = 10000,
    .frame = {.array = 1024,
              .bulk = 1 << 20,
              .line = 16 << 10,
              .frame = (2 << 20) + (64 << 10),
              .depth = 8},
    .maxmemory = STORE_MAXIMUM,
    .output_pause = 256 << 10,
    .output_max = 4 << 20,
    .output_ms = 10000,
    .frame_ms = 10000,
    .idle_ms = 300000,
    .pipeline = 128,
    .buffers = 512 << 20,
    .pubsub = PUBSUB_LIMITS_DEFAULT,
};

int server_init(struct server *server, const struct limits *limits)
{
    struct timespec unix_time;
    *server = (struct server){.limits = *limits};
    clock_gettime(CLOCK_REALTIME, &unix_time);
    server->epoch_ms = (int64_t)unix_time.tv_sec * 1000 + unix_time.tv_nsec / 1000000 -
                       (int64_t)(edo_now() / 1000000);
    int error = pubsub_init(&server->pubsub, &limits->pubsub);
    if (error < 0)
        return error;
    error = store_init(&server->store, limits->maxmemory);
    if (error < 0)
        pubsub_free(&server->pubsub);
    return error;
}

void server_free(struct server *server)
{
    store_free(&server->store);
    pubsub_free(&server->pubsub);
}

enum { PURGE_MS = 100, PURGE_MOST = 1000 };

ASYNC_EXTERN(purge)
{
    int64_t now;
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->sleep, edo_sleep(PURGE_MS));
        for (;;) {
            now = self->server->epoch_ms + (int64_t)(edo_now() / 1000000);
            if (store_expire_some(&self->server->store, now, PURGE_MOST) < PURGE_MOST)
                break;
            YIELD_NOW();
        }
    }
    ASYNC_END;
}

/* A connection was accepted, or not. Whether to go on. */
static bool welcome(struct serve *self)
{
    static const char full[] = "-ERR max number of clients reached\r\n";
    struct server *server = self->server;
    if (self->accept.output < 0)
        return false;
    server->accepted++;
    if (server->clients < server->limits.clients) {
        (void)edo_tcp_set_nodelay(self->accept.stream, true);
        client_spawn(server, self->accept.stream);
        return true;
    }
    server->refused++;
    (void)edo_try_write(self->accept.stream, full, sizeof full - 1);
    edo_tcp_close(self->accept.stream);
    return true;
}

ASYNC_EXTERN(serve)
{
    ASYNC_BEGIN;
    self->purge = SPAWN(NEW(purge, .server = self->server));
    while (!self->server->stop.happened && self->output == 0) {
        SELECT_BIASED {
            WHEN(self->stop, event_wait(&self->server->stop)) {
            }
            WHEN(self->accept, edo_tcp_accept(self->listener)) {
                if (!welcome(self))
                    self->output = self->accept.output;
            }
        }
    }
    edo_tcp_listener_close(self->listener);
    self->listener = NULL;
    /* Clients have been told by the event; each leaves when its replies are sent, or can't be. */
    event_set(&self->server->stop);
    if (self->server->clients > 0) {
        SELECT_BIASED {
            WHEN(self->drained, event_wait(&self->server->drained)) {
            }
            WHEN(self->patience, edo_sleep(2 * self->server->limits.output_ms)) {
            }
        }
    }
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    edo_task_abort(self->purge);
    edo_task_detach(self->purge);
    ASYNC_END;
}
