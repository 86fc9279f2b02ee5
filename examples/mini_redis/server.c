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
    .shards = 1,
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
    server->stop = edo_cancellation_token_new();
    if (server->stop == NULL)
        return UV_ENOMEM;
    int error = pubsub_init(&server->pubsub, &limits->pubsub);
    if (error == 0) {
        error = db_init(&server->db, limits->shards, limits->maxmemory);
        if (error < 0)
            pubsub_free(&server->pubsub);
    }
    if (error < 0) {
        edo_cancellation_token_drop(server->stop);
        return error;
    }
    edo_task_tracker_init(&server->tracker);
    pthread_mutex_init(&server->mutex, NULL);
    return 0;
}

void server_free(struct server *server)
{
    pthread_mutex_destroy(&server->mutex);
    edo_task_tracker_destroy(&server->tracker);
    edo_cancellation_token_drop(server->stop);
    db_free(&server->db);
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
            if (db_expire_some(&self->server->db, now, PURGE_MOST) < PURGE_MOST)
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
    if (edo_task_tracker_len(&server->tracker) < server->limits.clients) {
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
    while (!edo_cancellation_token_is_cancelled(self->server->stop) && self->output == 0) {
        SELECT_BIASED {
            WHEN(self->stop, edo_cancelled(self->server->stop)) {
            }
            WHEN(self->accept, edo_tcp_accept(self->listener)) {
                if (!welcome(self))
                    self->output = self->accept.output;
            }
        }
    }
    edo_tcp_listener_close(self->listener);
    self->listener = NULL;
    /* Clients are told by the token; each leaves when its replies are sent, or can't be. */
    edo_cancellation_token_cancel(self->server->stop);
    edo_task_tracker_close(&self->server->tracker);
    SELECT_BIASED {
        WHEN(self->drained, edo_task_tracker_wait(&self->server->tracker)) {
        }
        WHEN(self->patience, edo_sleep(2 * self->server->limits.output_ms)) {
        }
    }
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    edo_task_abort(self->purge);
    edo_task_detach(self->purge);
    ASYNC_END;
}
