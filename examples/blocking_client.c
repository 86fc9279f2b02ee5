/* SPDX-License-Identifier: MIT */
/* Asynchronous code behind plain functions: a client of mini-redis for programs that know nothing of futures.
 * It owns a current-thread runtime. Each function makes a future and runs it to its end with edo_block_on, on
 * the caller's thread; between two calls nothing runs. For work that is to go on by itself meanwhile, see
 * background.c; for requests from many threads, task_spawner.c.
 *
 *     mini_redis --port 6379 &
 *     blocking_client 6379
 */
#include <stdlib.h>
#include <string.h>

#include "edo.h"
#include "mini_redis/demo.h" /* struct call: a command sent, a reply received */

enum { PATIENCE_MS = 5000 };

/* One connection; used by one thread at a time. */
struct blocking_client {
    struct edo_runtime *runtime;
    struct edo_tcp *conn;
    struct edo_bytes in, out;
    struct resp_parser parser; /* with the last reply, until the next call */
    size_t consumed;
};

/* Gives back what there is; also after a connect that failed. */
static void blocking_client_close(struct blocking_client *client)
{
    edo_tcp_close(client->conn); /* before its runtime */
    edo_runtime_drop(client->runtime);
    resp_parser_free(&client->parser);
    edo_bytes_free(&client->in);
    edo_bytes_free(&client->out);
}

/* 0, or a negative error, and then it is closed. */
static int blocking_client_connect(struct blocking_client *client, const struct edo_addr *addr)
{
    *client = (struct blocking_client){0};
    resp_parser_init(&client->parser, RESP_REPLIES, &RESP_LIMITS_DEFAULT);
    edo_bytes_init(&client->in, 1 << 20);
    edo_bytes_init(&client->out, 1 << 20);
    struct edo_tcp_connect connect = edo_tcp_connect(addr);
    int error = edo_runtime_new(&client->runtime);
    if (error == 0)
        error = edo_block_on(client->runtime, &connect);
    if (error == 0)
        error = connect.output;
    if (error == 0)
        client->conn = connect.stream;
    else
        blocking_client_close(client);
    return error;
}

/* Sends what is in `out` and waits for a reply; with nothing in `out`, just for what comes. The time is the
 * runtime's: timers run while it is in edo_block_on. */
static int run_call(struct blocking_client *client, uint64_t patience_ms)
{
    struct call call = NEW(call, .conn = client->conn, .in = &client->in, .out = &client->out,
                           .parser = &client->parser, .consumed = &client->consumed);
    struct edo_timeout timeout = edo_timeout(patience_ms, &call);
    int error = edo_block_on(client->runtime, &timeout);
    if (error == 0)
        error = timeout.output;
    if (error < 0)
        return error;
    if (call.output == 0 && client->parser.values[0].type == RESP_ERROR)
        return UV_EPROTO;
    return call.output;
}

/* Sends a command of so many words, and waits for its reply. After UV_ETIMEDOUT nobody knows whose reply comes
 * next: close it. */
static int run_command(struct blocking_client *client, size_t count, const char *const words[])
{
    edo_bytes_clear(&client->out);
    int error = resp_array(&client->out, count);
    for (size_t i = 0; i < count && error == 0; i++)
        error = resp_text(&client->out, words[i]);
    return error < 0 ? UV_ENOMEM : run_call(client, PATIENCE_MS);
}

/* Copies a string that was received, cut to fit. */
static void copy_text(const struct resp_value *value, char *text, size_t size)
{
    snprintf(text, size, "%.*s", (int)value->length, value->text);
}

/* The functions of the client. They return a negative error: those of the connection; UV_ETIMEDOUT; UV_EPROTO,
 * the server has refused; UV_ENOMEM. */

static int blocking_client_set(struct blocking_client *client, const char *key, const char *value)
{
    return run_command(client, 3, (const char *[]){"SET", key, value});
}

/* UV_ENOENT: there is no such key. */
static int blocking_client_get(struct blocking_client *client, const char *key, char *text,
                               size_t size)
{
    int error = run_command(client, 2, (const char *[]){"GET", key});
    if (error == 0 && client->parser.values[0].type == RESP_NULL)
        error = UV_ENOENT;
    if (error == 0)
        copy_text(&client->parser.values[0], text, size);
    return error;
}

/* How many were told. */
static int blocking_client_publish(struct blocking_client *client, const char *channel,
                                   const char *text)
{
    int error = run_command(client, 3, (const char *[]){"PUBLISH", channel, text});
    return error < 0 ? error : (int)client->parser.values[0].integer;
}

/* From here on it is for messages only. */
static int blocking_client_subscribe(struct blocking_client *client, const char *channel)
{
    return run_command(client, 2, (const char *[]){"SUBSCRIBE", channel});
}

/* Waits for the next message. UV_ETIMEDOUT: none has come, and nothing is lost. */
static int blocking_client_next_message(struct blocking_client *client, uint64_t ms, char *text,
                                        size_t size)
{
    int error = run_call(client, ms);
    if (error == 0)
        copy_text(&client->parser.values[3], text, size); /* message, channel, text */
    return error;
}

/* A program without a future. */
static int converse(struct blocking_client *client, struct blocking_client *subscriber)
{
    char text[64];
    int error = blocking_client_set(client, "city", "Edo");
    if (error == 0)
        error = blocking_client_get(client, "city", text, sizeof text);
    if (error < 0)
        return error;
    printf("city: %s\n", text);

    error = blocking_client_get(client, "mountain", text, sizeof text);
    if (error != UV_ENOENT)
        return error < 0 ? error : UV_EPROTO;
    puts("mountain: there is none");

    error = blocking_client_subscribe(subscriber, "news");
    if (error < 0)
        return error;
    int told = blocking_client_publish(client, "news", "Edo is Tokyo now");
    if (told < 0)
        return told;
    error = blocking_client_next_message(subscriber, PATIENCE_MS, text, sizeof text);
    if (error < 0)
        return error;
    printf("news for %d: %s\n", told, text);
    error = blocking_client_next_message(subscriber, 10, text, sizeof text);
    if (error == UV_ETIMEDOUT)
        puts("no more news");
    return error == UV_ETIMEDOUT ? 0 : error;
}

int main(int argc, char **argv)
{
    struct blocking_client client, subscriber;
    struct edo_addr addr;
    edo_addr_ip(&addr, "127.0.0.1", (uint16_t)(argc > 1 ? atoi(argv[1]) : 6379));
    int error = blocking_client_connect(&client, &addr);
    if (error == 0) {
        error = blocking_client_connect(&subscriber, &addr);
        if (error == 0) {
            error = converse(&client, &subscriber);
            blocking_client_close(&subscriber);
        }
        blocking_client_close(&client);
    }
    if (error < 0)
        fprintf(stderr, "blocking_client: %s\n", edo_strerror(error));
    return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
