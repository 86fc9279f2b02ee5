/* SPDX-License-Identifier: MIT */
#include "demo.h"

#include <stdio.h>
#include <string.h>

ASYNC_EXTERN(call)
{
    int status;
    ASYNC_BEGIN;
    AWAIT(self->write,
          edo_write_all(self->conn, edo_bytes_data(self->out), edo_bytes_length(self->out)));
    if (self->write.output < 0)
        RETURN((int)self->write.output);
    edo_bytes_clear(self->out);
    edo_bytes_consume(self->in, *self->consumed);
    for (;;) {
        status = resp_parse(self->parser, edo_bytes_data(self->in), edo_bytes_length(self->in),
                            self->consumed);
        if (status != RESP_MORE)
            RETURN(status < 0 ? status : 0);
        AWAIT(self->read, edo_read_buf(self->conn, self->in));
        if (self->read.output <= 0)
            RETURN(self->read.output == 0 ? UV_EOF : (int)self->read.output);
    }
    ASYNC_END;
}

/* What is sent, after which pause, and what must come back. */
static const struct {
    const char *command, *reply;
    unsigned pause_ms;
} script[] = {
    {"PING", "PONG", 0},           {"SET city Edo", "OK", 0},
    {"GET city", "Edo", 0},        {"SET city Tokyo XX", "OK", 0},
    {"GET city", "Tokyo", 0},      {"SET lantern lit EX 60", "OK", 0},
    {"EXISTS lantern", "1", 0},    {"PEXPIRE lantern 50", "1", 0},
    {"GET lantern", "(nil)", 60},  {"INCR visitors", "1", 0},
    {"INCR visitors", "2", 0},     {"TTL visitors", "-1", 0},
    {"DEL city visitors", "2", 0}, {"EXISTS city visitors lantern", "0", 0},
};
enum { STEPS = sizeof script / sizeof script[0] };

/* A reply as redis-cli shows it, roughly. */
static const char *show(const struct resp_value *value, char text[128])
{
    switch (value->type) {
    case RESP_INTEGER:
        snprintf(text, 128, "%lld", (long long)value->integer);
        break;
    case RESP_SIMPLE:
    case RESP_ERROR:
    case RESP_BULK:
        snprintf(text, 128, "%.*s", (int)value->length, value->text);
        break;
    case RESP_NULL:
    case RESP_NULL_ARRAY:
        return "(nil)";
    case RESP_ARRAY:
        return "(array)";
    }
    return text;
}

/* Words to an array of bulks. */
static int encode(struct edo_bytes *out, const char *command)
{
    size_t words = 1;
    for (const char *at = command; (at = strchr(at, ' ')) != NULL; at++)
        words++;
    int error = resp_array(out, words);
    while (error == 0 && words-- > 0) {
        size_t length = strcspn(command, " ");
        error = resp_bulk(out, command, length);
        command += length + (command[length] == ' ');
    }
    return error;
}

/* The reply of a step; false when it is not the one expected. */
static bool check(struct demo *self)
{
    char text[128];
    const char *reply = show(&self->parser.values[0], text);
    printf("%-30s %s\n", script[self->step].command, reply);
    if (strcmp(reply, script[self->step].reply) == 0)
        return true;
    fprintf(stderr, "demo: expected %s\n", script[self->step].reply);
    return false;
}

static int failed(const char *what, int error)
{
    fprintf(stderr, "demo: %s: %s\n", what, edo_strerror(error));
    return error;
}

ASYNC_EXTERN(demo)
{
    ASYNC_BEGIN;
    resp_parser_init(&self->parser, RESP_REPLIES, &RESP_LIMITS_DEFAULT);
    edo_bytes_init(&self->in, 1 << 20);
    edo_bytes_init(&self->out, 1 << 20);
    AWAIT(self->connect, edo_tcp_connect(&self->addr));
    if (self->connect.output < 0)
        RETURN(failed("connect", self->connect.output));
    self->conn = self->connect.stream;
    for (; self->step < STEPS; self->step++) {
        if (script[self->step].pause_ms > 0)
            AWAIT(self->sleep, edo_sleep(script[self->step].pause_ms));
        if (encode(&self->out, script[self->step].command) < 0)
            RETURN(failed("command", UV_ENOMEM));
        AWAIT(self->call, NEW(call, .conn = self->conn, .in = &self->in, .out = &self->out,
                              .parser = &self->parser, .consumed = &self->consumed));
        if (self->call.output < 0)
            RETURN(failed(script[self->step].command, self->call.output));
        if (!check(self))
            RETURN(UV_EPROTO);
    }
    printf("%d commands, each with the reply that was expected\n", STEPS);
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    edo_bytes_free(&self->in);
    edo_bytes_free(&self->out);
    resp_parser_free(&self->parser);
    edo_cancellation_token_cancel(self->stop);
    ASYNC_END;
}
