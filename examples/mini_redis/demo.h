/* SPDX-License-Identifier: MIT */
/* A client in the server's own process: sets, gets, counts, lets keys expire, and prints it. */
#ifndef MINI_REDIS_DEMO_H
#define MINI_REDIS_DEMO_H

#include "edo.h"
#include "resp.h"

/* Sends one command and waits for its reply, parser.values[0]. Output 0 or a negative error; UV_EOF
 * when the server has closed. */
struct call {
    FUTURE(int);
    struct edo_tcp *conn;
    struct edo_bytes *in, *out; /* out holds the command */
    struct resp_parser *parser;
    size_t *consumed; /* of `in`, by the last reply */
    union {
        struct edo_write_all write;
        struct edo_read_buf read;
    };
};
ASYNC_DECLARE(call);

/* Runs the script against the server at addr, then cancels `stop`. Output 0, or -1 with what was wrong
 * on stderr. */
struct demo {
    FUTURE(int);
    struct edo_addr addr;
    struct edo_cancellation_token *stop;
    struct edo_tcp *conn;
    struct edo_bytes in, out;
    struct resp_parser parser;
    size_t consumed;
    int step;
    struct edo_tcp_connect connect;
    struct edo_sleep sleep;
    struct call call;
};
ASYNC_DECLARE(demo);

#endif
