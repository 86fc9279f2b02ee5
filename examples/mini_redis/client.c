/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <errno.h>

enum {
    INPUT_SLACK = 64 * 1024,    /* room for what the peer has sent behind a frame */
    MESSAGES_AHEAD = 64 * 1024, /* bytes of messages, and one more, that are copied to be sent */
    KEEPALIVE = 300,            /* seconds; Redis' figure */
};

static void enter(struct client *self)
{
    struct server *server = self->server;
    edo_bytes_init(&self->in, server->limits.frame.frame + INPUT_SLACK);
    edo_bytes_init(&self->out, server->limits.output_max);
    resp_parser_init(&self->parser, RESP_COMMANDS, &server->limits.frame);
    command_session_init(&self->session, &server->db, &server->pubsub, self->id);
    self->deadline = edo_instant_add(edo_now(), server->limits.idle_ms);
    self->stop = edo_cancelled(server->stop);
    pthread_mutex_lock(&server->mutex);
    self->link = &server->first;
    self->next = server->first;
    if (self->next != NULL)
        self->next->link = &self->next;
    server->first = self;
    pthread_mutex_unlock(&server->mutex);
}

/* Also of a client that was never polled. Nothing more comes in for it; then nobody else finds it. */
static void leave(struct client *self)
{
    struct server *server = self->server;
    command_session_end(&self->session);
    pthread_mutex_lock(&server->mutex);
    if (self->link != NULL)
        *self->link = self->next;
    if (self->next != NULL)
        self->next->link = self->link;
    server->commands += self->commands;
    pthread_mutex_unlock(&server->mutex);
    edo_tcp_close(self->conn);
    edo_bytes_free(&self->in);
    edo_bytes_free(&self->out);
    resp_parser_free(&self->parser);
    server->buffered -= self->counted;
    server->going -= self->going;
    edo_task_tracker_token_drop(&self->token);
}

/* What a client holds: its own, and messages that wait for its peer, which others may hold as well. */
static size_t held(const struct client *self)
{
    int64_t waits = self->session.waits;
    return self->counted + (waits > 0 ? (size_t)waits : 0);
}

/* More is held than may be, also when those are gone that have been closed for it. Who leaves gives up its part of
 * both: of `going` last, which is read first. */
static inline bool is_too_much(struct server *server)
{
    size_t most = server->limits.buffers + server->going;
    return server->buffered + server->pubsub.bytes > most;
}

/* It has been closed, and what it holds is there for a while, and may become more: messages still come. */
static void goes(struct client *self)
{
    size_t now = held(self);
    self->server->going += now - self->going;
    self->going = now;
}

/* It finds out by itself; it may run on another thread, and what it holds is there until then. */
__attribute__((cold, noinline)) static void close_largest(struct server *server)
{
    pthread_mutex_lock(&server->mutex);
    struct client *largest = NULL;
    for (struct client *client = server->first; client != NULL; client = client->next) {
        if (client->evicted)
            goes(client);
        else if (largest == NULL || held(client) > held(largest))
            largest = client;
    }
    if (largest != NULL && is_too_much(server)) {
        largest->evicted = true;
        goes(largest);
        shutdown(edo_tcp_fd(largest->conn), SHUT_RDWR);
    }
    pthread_mutex_unlock(&server->mutex);
}

/* Keeps the sum of all buffers within bounds, at the expense of whoever holds most. */
static inline void account(struct client *self)
{
    struct server *server = self->server;
    size_t now = self->in.capacity + self->out.capacity;
    if (self->session.subscriber != NULL)
        now += subscriber_size(self->session.subscriber);
    if (now != self->counted) {
        server->buffered += now - self->counted;
        self->counted = now;
    }
    if (is_too_much(server))
        close_largest(server);
}

/* Executes what has come: until more is needed, a turn's worth is done, or replies pile up. Whether
 * there may be more. */
static bool execute(struct client *self)
{
    struct server *server = self->server;
    if (edo_bytes_length(&self->in) == 0)
        return false;
    int64_t now = server->epoch_ms + (int64_t)(edo_now() / 1000000);
    for (unsigned n = 0; n < server->limits.pipeline && !self->closing; n++) {
        if (edo_bytes_length(&self->out) >= server->limits.output_pause)
            return true;
        if (edo_bytes_length(&self->in) == 0)
            return false;
        size_t consumed;
        int status = resp_parse(&self->parser, edo_bytes_data(&self->in),
                                edo_bytes_length(&self->in), &consumed);
        if (status == RESP_MORE)
            return false;
        if (status == RESP_COMPLETE) {
            status = command_execute(&self->session, self->parser.values, now, &self->out);
            if (status == COMMAND_AGAIN)
                return true;
            self->commands++;
            self->advanced = true;
            edo_bytes_consume(&self->in, consumed);
            if (status == COMMAND_REST)
                return true;
        } else if (status == -EPROTO) {
            (void)resp_error(&self->out, "ERR %s", self->parser.error);
        }
        /* QUIT, a broken stream, or no room for the reply: what is pending is sent, no more read.
         */
        self->closing = status < 0 || status == COMMAND_QUIT;
    }
    return !self->closing;
}

/* Executes, and adds messages. Whether there is something to be sent, or more to be done. */
static bool work(struct client *self)
{
    self->closing |= self->evicted;
    self->more = execute(self);
    struct subscriber *subscriber = self->session.subscriber;
    if (subscriber != NULL && !self->closing)
        self->closing = subscriber_write(subscriber, &self->out, MESSAGES_AHEAD) < 0;
    if (self->closing)
        command_session_end(&self->session); /* publishers need not wait for it */
    return self->more || edo_bytes_length(&self->out) > 0;
}

/* Some of its output was taken. A subscriber's may never be empty: it is heard in between. */
static void taken(struct client *self, size_t size)
{
    edo_bytes_consume(&self->out, size);
    self->patience = 0;
    if (self->session.subscriber == NULL || edo_bytes_reserve(&self->in, EDO_READ_BUF_ROOM) < 0)
        return;
    ssize_t n =
        edo_try_read(self->conn, edo_bytes_spare(&self->in), edo_bytes_spare_size(&self->in));
    if (n > 0)
        edo_bytes_advance(&self->in, (size_t)n);
    else if (n != UV_EAGAIN)
        self->closing = true;
}

/* The messages that its peer has not taken are too many. */
static void cut_off(struct client *self)
{
    const struct pubsub_limits *limits = &self->server->limits.pubsub;
    command_session_end(&self->session);
    (void)resp_error(&self->out, "ERR too slow: more than %zu messages or %zu bytes are pending",
                     limits->messages, limits->bytes);
    self->closing = true;
}

/* Sends without waiting what can be. False: the connection is gone. */
static bool flush(struct client *self)
{
    bool some = self->patience == 0;
    while (edo_bytes_length(&self->out) > 0) {
        ssize_t n =
            edo_try_write(self->conn, edo_bytes_data(&self->out), edo_bytes_length(&self->out));
        if (n == UV_EAGAIN) {
            if (some)
                self->patience = edo_instant_add(edo_now(), self->server->limits.output_ms);
            return true;
        }
        if (n < 0)
            return false;
        edo_bytes_consume(&self->out, (size_t)n);
        some = true;
    }
    edo_bytes_shrink(&self->out);
    self->patience = 0;
    return true;
}

/* All that could be executed was: sets the time by which the next frame must be there. */
static void await_frame(struct client *self)
{
    const struct limits *limits = &self->server->limits;
    bool partial = edo_bytes_length(&self->in) > 0;
    /* A frame that goes on keeps its deadline: a byte now and then does not prolong it. A subscriber
     * need not say anything. */
    if (!partial && self->session.subscriber != NULL) {
        if (self->deadline != UINT64_MAX)
            (void)edo_tcp_set_keepalive(self->conn, KEEPALIVE);
        self->deadline = UINT64_MAX;
    } else if (!partial || !self->partial || self->advanced) {
        self->deadline = edo_instant_add(edo_now(), partial ? limits->frame_ms : limits->idle_ms);
    }
    self->partial = partial;
    self->advanced = false;
    if (!partial)
        edo_bytes_shrink(&self->in);
    account(self);
}

/* What was published before it is sent before it. */
static void say_goodbye(struct client *self)
{
    if (self->session.subscriber != NULL)
        (void)subscriber_write(self->session.subscriber, &self->out,
                               self->server->limits.output_max / 2);
    (void)resp_error(&self->out, "ERR server is shutting down");
    self->closing = true;
}

ASYNC_EXTERN(client)
{
    ASYNC_BEGIN;
    enter(self);
    for (;;) {
        /* Twice: a branch costs something also when it is off, and few are subscribers. */
        if (self->session.subscriber == NULL) {
            SELECT_BIASED {
                WHEN_REF(self->stop) {
                    say_goodbye(self);
                }
                WHEN(self->read, edo_read_buf(self->conn, &self->in)) {
                    self->closing = self->read.output <= 0;
                }
                WHEN(self->expiry, edo_sleep_until(self->deadline)) {
                    self->closing = true;
                }
            }
        } else {
            SELECT_BIASED {
                WHEN_REF(self->stop) {
                    say_goodbye(self);
                }
                WHEN(self->read, edo_read_buf(self->conn, &self->in)) {
                    self->closing = self->read.output <= 0;
                }
                WHEN(self->expiry, edo_sleep_until(self->deadline)) {
                    self->closing = true;
                }
                WHEN(self->messages, subscriber_wait(self->session.subscriber)) {
                    /* They are written below. */
                }
            }
        }
        while (work(self)) {
            if (!flush(self))
                RETURN();
            account(self);
            if (edo_bytes_length(&self->out) == 0) {
                YIELD_NOW();
                if (!self->more)
                    break;
                continue;
            }
            SELECT_BIASED {
                WHEN(self->write, edo_write(self->conn, edo_bytes_data(&self->out),
                                            edo_bytes_length(&self->out))) {
                    if (self->write.output < 0)
                        RETURN();
                    taken(self, (size_t)self->write.output);
                }
                WHEN(self->stalled, edo_sleep_until(self->patience)) {
                    RETURN();
                }
                WHEN_IF(self->session.subscriber != NULL, self->overrun,
                        subscriber_overrun(self->session.subscriber)) {
                    cut_off(self);
                }
            }
        }
        if (self->closing)
            RETURN();
        await_frame(self);
    }
ASYNC_FINALLY:
    DROP(self->stop);
    leave(self);
    ASYNC_END;
}

void client_spawn(struct server *server, struct edo_tcp *conn)
{
    SPAWN_DETACHED(NEW(client, .server = server, .conn = conn, .id = ++server->accepted,
                       .token = edo_task_tracker_token(&server->tracker)));
}
