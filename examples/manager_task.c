/* SPDX-License-Identifier: MIT */
/* One task owns a connection; the others ask it. A connection to mini-redis carries one request and its
 * reply at a time, so tasks cannot share it as it is. A manager has it, and takes commands from a channel;
 * each command carries a oneshot sender, on which its answer comes back. Nothing is locked, whoever
 * gives up waiting leaves the connection in order, and when the last sender is gone the manager ends.
 *
 *     mini_redis --port 6379 &
 *     manager_task 6379
 */
#include <stdlib.h>

#include "edo.h"
#include "mini_redis/demo.h" /* struct call: a command sent, a reply received */

struct answer {
    int status; /* 0, or UV_ENOENT: there is no such key, or UV_EPROTO: the server has refused */
    char text[64];
};

struct command {
    const char *key, *value; /* value: SET; without: GET. They outlive it. */
    ONESHOT_SENDER(struct answer) reply;
};

/* What a command owns goes with it: who waits for the answer learns that there will be none. */
static void command_drop(struct command *command)
{
    edo_oneshot_sender_drop(command->reply);
}

struct manager {
    FUTURE(int); /* how many it has served, or why it could not */
    uint16_t port;
    MPSC_RECEIVER(struct command) commands;
    struct edo_tcp *conn;
    struct edo_bytes in, out;
    struct resp_parser parser;
    size_t consumed;
    struct command command; /* its reply is NULL when it has been given */
    int served;
    struct edo_addr addr;
    union {
        struct edo_tcp_connect connect;
        struct edo_mpsc_recv recv;
        struct call call;
    };
};

static int command_write(const struct command *command, struct edo_bytes *out)
{
    int error = resp_array(out, command->value != NULL ? 3 : 2);
    if (error == 0)
        error = resp_text(out, command->value != NULL ? "SET" : "GET");
    if (error == 0)
        error = resp_text(out, command->key);
    if (error == 0 && command->value != NULL)
        error = resp_text(out, command->value);
    return error;
}

static struct answer answer_of(const struct resp_value *value)
{
    struct answer answer = {.status = UV_EPROTO};
    if (value->type == RESP_NULL)
        answer.status = UV_ENOENT;
    if (value->type == RESP_SIMPLE || value->type == RESP_BULK) {
        answer.status = 0;
        snprintf(answer.text, sizeof answer.text, "%.*s", (int)value->length, value->text);
    }
    return answer;
}

ASYNC(manager)
{
    struct answer answer;
    ASYNC_BEGIN;
    resp_parser_init(&self->parser, RESP_REPLIES, &RESP_LIMITS_DEFAULT);
    edo_bytes_init(&self->in, 1 << 20);
    edo_bytes_init(&self->out, 1 << 20);
    edo_addr_ip(&self->addr, "127.0.0.1", self->port);
    TRY_AWAIT(self->connect, edo_tcp_connect(&self->addr));
    self->conn = self->connect.stream;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->commands, &self->command));
        if (self->recv.output < 0)
            break; /* all senders are gone, and all that they sent has been served */
        if (command_write(&self->command, &self->out) < 0)
            RETURN(UV_ENOMEM);
        TRY_AWAIT(self->call, NEW(call, .conn = self->conn, .in = &self->in, .out = &self->out,
                                  .parser = &self->parser, .consumed = &self->consumed));
        answer = answer_of(&self->parser.values[0]);
        edo_oneshot_send(self->command.reply, &answer); /* who asked may have gone: all the same */
        self->command.reply = NULL;
        self->served++;
    }
    RETURN(self->served);
ASYNC_FINALLY:
    command_drop(&self->command);
    edo_mpsc_receiver_drop(self->commands);
    resp_parser_free(&self->parser);
    edo_bytes_free(&self->in);
    edo_bytes_free(&self->out);
    edo_tcp_close(self->conn);
    ASYNC_END;
}

/* The other side: sends a command, waits for its answer. */
struct ask {
    FUTURE(int); /* 0, or EDO_ECLOSED: the manager has ended */
    MPSC_SENDER(struct command) commands;
    struct command command;
    struct answer answer;
    ONESHOT_RECEIVER(struct answer) reply;
    union {
        struct edo_mpsc_send send;
        struct edo_oneshot_recv recv;
    };
};

ASYNC(ask)
{
    ASYNC_BEGIN;
    if (edo_oneshot(&self->command.reply, &self->reply) < 0)
        RETURN(UV_ENOMEM);
    TRY_AWAIT(self->send, edo_mpsc_send(self->commands, &self->command));
    self->command.reply = NULL; /* sent: the channel's now, and then the manager's */
    TRY_AWAIT(self->recv, edo_oneshot_recv(self->reply, &self->answer));
    RETURN(0);
ASYNC_FINALLY:
    command_drop(&self->command);
    edo_oneshot_receiver_drop(self->reply);
    ASYNC_END;
}

/* A task that knows nothing of connections: sets its key, and gets it. */
struct user {
    FUTURE(int);
    MPSC_SENDER(struct command) commands; /* its own */
    const char *key, *value;
    struct ask ask;
};

ASYNC(user)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->ask, NEW(ask, .commands = self->commands,
                             .command = {.key = self->key, .value = self->value}));
    TRY_AWAIT(self->ask, NEW(ask, .commands = self->commands, .command = {.key = self->key}));
    if (self->ask.answer.status < 0)
        RETURN(self->ask.answer.status);
    printf("%s: %s\n", self->key, self->ask.answer.text);
    RETURN(0);
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->commands);
    ASYNC_END;
}

struct manager_task {
    FUTURE(int);
    uint16_t port;
    int served;
    struct edo_join join;
};

ASYNC(manager_task)
{
    static const char *const pairs[][2] = {
        {"city", "Edo"}, {"river", "Sumida"}, {"street", "Tokaido"}};
    MPSC_SENDER(struct command) tx;
    MPSC_RECEIVER(struct command) rx;
    JOIN_HANDLE(int) manager;
    ASYNC_BEGIN;
    if (edo_mpsc_with(&tx, &rx, 32, command_drop) < 0)
        RETURN(UV_ENOMEM);
    manager = SPAWN(NEW(manager, .port = self->port, .commands = rx));
    for (int i = 0; i < 3; i++)
        SPAWN_DETACHED(NEW(user, .commands = edo_mpsc_sender_clone(tx), .key = pairs[i][0],
                           .value = pairs[i][1]));
    edo_mpsc_sender_drop(tx); /* as long as we had one, the manager would not end */
    TRY_AWAIT(self->join, edo_join(manager, &self->served));
    if (self->served < 0)
        RETURN(self->served);
    printf("the manager has served %d commands\n", self->served);
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(manager_task, .port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 6379)))
