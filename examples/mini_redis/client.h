/* SPDX-License-Identifier: MIT */
/* One client of the server: its connection, what it sent, what it is to get. */
#ifndef MINI_REDIS_CLIENT_H
#define MINI_REDIS_CLIENT_H

#include "command.h"
#include "server.h"

struct client {
    FUTURE(void);
    struct server *server;
    struct edo_tcp *conn;
    uint64_t id;
    struct edo_task_tracker_token token; /* it is there */
    struct client *next, **link;         /* among the server's */
    struct edo_bytes in, out;
    _Atomic(size_t) counted; /* its part of server->buffered */
    _Atomic(bool) evicted;   /* somebody else has closed the connection */
    size_t going; /* what it has held since. Under the server's mutex, while it is in the list */
    uint64_t commands;
    struct resp_parser parser;
    struct command_session session;
    uint64_t deadline; /* of the frame being read, or of idleness */
    uint64_t patience; /* until when the peer is to take something; 0: nothing waits for it */
    bool partial;      /* a frame has begun that is not complete */
    bool advanced;     /* a frame was completed since */
    bool closing;      /* QUIT, or an error after which nothing is read */
    bool more;         /* of what has come, something may be left to be executed */
    struct edo_cancelled stop; /* waits all the time */
    union {
        struct {
            struct edo_read_buf read;
            struct edo_sleep expiry;
            struct subscriber_wait messages;
        };
        struct {
            struct edo_write write;
            struct edo_sleep stalled;
            struct subscriber_wait overrun;
        };
    };
};
ASYNC_DECLARE(client);

/* Spawns a client of the connection, which it takes. */
void client_spawn(struct server *server, struct edo_tcp *conn);

#endif
