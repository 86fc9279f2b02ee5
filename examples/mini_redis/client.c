/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <errno.h>

/* Room for a frame and for what the peer has sent behind it. */
enum { INPUT_SLACK = 64 * 1024 };

static void enter(struct client *self)
{
    struct server *server = self->server;
    self->link = &server->first;
    self->next = server->first;
    if (self->next != NULL)
        self->next->link = &self->next;
    server->first = self;
    edo_bytes_init(&self->in, server->limits.frame.frame + INPUT_SLACK);
    edo_bytes_init(&self->out, server->limits.output_max);
    resp_parser_init(&self->parser, RESP_COMMANDS, &server->limits.frame);
    command_session_init(&self->session, &server->store, server->accepted);
    self->deadline = edo_instant_add(edo_now(), server->limits.idle_ms);
}

/* Also of a client that was never polled. */
static void leave(struct client *self)
{
    struct server *server = self->server;
    edo_tcp_close(self->conn);
    edo_bytes_free(&self->in);
    edo_bytes_free(&self->out);
    resp_parser_free(&self->parser);
    server->buffered -= self->counted;
    if (self->link != NULL)
        *self->link = self->next;
    if (self->next != NULL)
        self->next->link = self->link;
    if (--server->clients == 0 && server->stop.happened)
        event_set(&server->drained);
}

/* Keeps the sum of all buffers within bounds, at the expense of whoever holds most. */
static void account(struct client *self)
{
    struct server *server = self->server;
    size_t now = self->in.capacity + self->out.capacity;
    server->buffered += now - self->counted;
    self->counted = now;
    if (server->buffered <= server->limits.buffers)
        return;
    struct client *largest = server->first;
    for (struct client *client = server->first; client != NULL; client = client->next)
        if (client->counted > largest->counted)
            largest = client;
    largest->closing = true;
    shutdown(edo_tcp_fd(largest->conn), SHUT_RDWR); /* which its task finds out */
}

/* Executes what has come: until more is needed, a turn's worth is done, or replies pile up. Whether
 * there may be more. */
static bool execute(struct client *self)
{
    struct server *server = self->server;
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
            server->commands++;
            self->advanced = true;
            status = command_execute(&self->session, self->parser.values, now, &self->out);
            edo_bytes_consume(&self->in, consumed);
        } else if (status == -EPROTO) {
            (void)resp_error(&self->out, "ERR %s", self->parser.error);
        }
        /* QUIT, a broken stream, or no room for the reply: what is pending is sent, no more read.
         */
        self->closing = status < 0 || status == COMMAND_QUIT;
    }
    return !self->closing;
}

/* Sends without waiting what can be. False: the connection is gone. */
static bool flush(struct client *self)
{
    while (edo_bytes_length(&self->out) > 0) {
        ssize_t n =
            edo_try_write(self->conn, edo_bytes_data(&self->out), edo_bytes_length(&self->out));
        if (n == UV_EAGAIN)
            return true;
        if (n < 0)
            return false;
        edo_bytes_consume(&self->out, (size_t)n);
    }
    edo_bytes_shrink(&self->out);
    return true;
}

/* All that could be executed was: sets the time by which the next frame must be there. */
static void await_frame(struct client *self)
{
    const struct limits *limits = &self->server->limits;
    bool partial = edo_bytes_length(&self->in) > 0;
    /* A frame that goes on keeps its deadline: a byte now and then does not prolong it. */
    if (!partial || !self->partial || self->advanced)
        self->deadline = edo_instant_add(edo_now(), partial ? limits->frame_ms : limits->idle_ms);
    self->partial = partial;
    self->advanced = false;
    if (!partial)
        edo_bytes_shrink(&self->in);
    account(self);
}

ASYNC_EXTERN(client)
{
    ASYNC_BEGIN;
    enter(self);
    for (;;) {
        SELECT_BIASED {
            WHEN(self->stop, event_wait(&self->server->stop)) {
                (void)resp_error(&self->out, "ERR server is shutting down");
                self->closing = true;
            }
            WHEN(self->read, edo_read_buf(self->conn, &self->in)) {
                self->closing = self->read.output <= 0;
            }
            WHEN(self->expiry, edo_sleep_until(self->deadline)) {
                self->closing = true;
            }
        }
        while (execute(self) || edo_bytes_length(&self->out) > 0) {
            if (!flush(self))
                RETURN();
            account(self);
            if (edo_bytes_length(&self->out) > 0) {
                self->write =
                    edo_write(self->conn, edo_bytes_data(&self->out), edo_bytes_length(&self->out));
                AWAIT(self->timeout, edo_timeout(self->server->limits.output_ms, &self->write));
                if (self->timeout.output < 0 || self->write.output < 0)
                    RETURN();
                edo_bytes_consume(&self->out, (size_t)self->write.output);
            } else {
                YIELD_NOW();
            }
        }
        if (self->closing)
            RETURN();
        await_frame(self);
    }
ASYNC_FINALLY:
    leave(self);
    ASYNC_END;
}

void client_spawn(struct server *server, struct edo_tcp *conn)
{
    server->clients++;
    edo_task_detach(SPAWN(NEW(client, .server = server, .conn = conn)));
}
