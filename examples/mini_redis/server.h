/* SPDX-License-Identifier: MIT */
/* The server: one task that accepts, one per client, one that removes expired keys.
 *
 * Everything is bounded (struct limits): clients, what a frame may hold, what is buffered for each
 * client and for all, commands per turn, and how long a peer may take.
 *
 * The tasks may run on several threads at once. What they share is in the struct server: the database and
 * the topics, which have locks of their own; a token that says stop, and a tracker that knows when all
 * clients have left; the list of clients, under a mutex; and numbers, which are atomic. No lock is held
 * across an await.
 */
#ifndef MINI_REDIS_SERVER_H
#define MINI_REDIS_SERVER_H

#include <pthread.h>

#include "db.h"
#include "edo.h"
#include "pubsub.h"
#include "resp.h"

struct limits {
    size_t clients; /* more are told so, and closed */
    struct resp_limits frame;
    size_t maxmemory;    /* keys and values */
    unsigned shards;     /* of the database: 1, or more for several threads (db.h) */
    size_t output_pause; /* bytes of replies pending: the client is not read from */
    size_t output_max;   /* bytes: the client is closed */
    uint64_t output_ms;  /* nothing of it taken for so long: closed */
    uint64_t frame_ms;   /* from a frame's first byte to its last */
    uint64_t idle_ms;    /* without a frame */
    unsigned pipeline;   /* commands of one client per turn */
    size_t buffers;      /* bytes buffered for all clients: the largest is closed */
    struct pubsub_limits pubsub;
};
extern const struct limits limits_default;

struct client;

struct server {
    struct limits limits;
    int64_t epoch_ms; /* Unix time when the runtime's clock was 0 */
    struct db db;
    struct pubsub pubsub;
    struct edo_cancellation_token *stop; /* cancelled by whoever ends the server */
    struct edo_task_tracker tracker;     /* of clients */
    _Atomic(size_t) buffered; /* bytes, for all of them; not the messages, which they share */
    _Atomic(size_t) going;    /* of both, what is held by those who have been closed for it */
    pthread_mutex_t mutex;
    struct client *first;       /* clients alive; under the mutex, as is the next */
    uint64_t commands;          /* of those that have left */
    _Atomic(uint64_t) accepted; /* clients so far, and the id of the last one */
    uint64_t refused;           /* the accepting task's */
};

/* 0, or a negative error; the limits are copied. */
int server_init(struct server *server, const struct limits *limits);
/* Frees the keys, and what there was for subscribers. When no task uses it any more. */
void server_free(struct server *server);

/* Removes keys whose time has come, a bounded number per turn, for ever. */
struct purge {
    FUTURE(void);
    struct server *server;
    struct edo_sleep sleep;
};
ASYNC_DECLARE(purge);

/* Accepts until the server's stop is set; then tells the clients, waits for them to leave, and ends
 * with 0, or an error of the listener, which it takes. */
struct serve {
    FUTURE(int);
    struct server *server;
    struct edo_tcp_listener *listener;
    JOIN_HANDLE(void) purge;
    union {
        struct {
            struct edo_cancelled stop;
            struct edo_tcp_accept accept;
        };
        struct {
            struct edo_task_tracker_wait drained;
            struct edo_sleep patience;
        };
    };
};
ASYNC_DECLARE(serve);

#endif
