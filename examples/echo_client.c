/* SPDX-License-Identifier: MIT */
/* A client of echo_server: sends a line, prints what comes back, with a bound on the wait for it.
 *
 *     echo_client PORT [TEXT]
 */
#include <stdlib.h>
#include <string.h>

#include "edo.h"

struct echo_client {
    FUTURE(int);
    uint16_t port;
    const char *text;
    struct edo_addr addr;
    struct edo_tcp *conn;
    struct edo_buf_reader reader;
    struct edo_timeout timeout;
    union {
        struct edo_tcp_connect connect;
        struct edo_write_all write;
        struct edo_read_until line;
    };
};

ASYNC(echo_client)
{
    ASYNC_BEGIN;
    edo_addr_ip(&self->addr, "127.0.0.1", self->port);
    TRY_AWAIT(self->connect, edo_tcp_connect(&self->addr));
    self->conn = self->connect.stream;
    edo_buf_reader_init(&self->reader, self->conn, 64 * 1024);

    TRY_AWAIT(self->write, edo_write_all(self->conn, self->text, strlen(self->text)));
    TRY_AWAIT(self->write, edo_write_all(self->conn, "\n", 1));
    edo_tcp_shutdown(self->conn); /* no more from us */

    for (;;) {
        self->line = edo_read_line(&self->reader);
        TRY_AWAIT(self->timeout, edo_timeout(5000, &self->line));
        if (self->line.output <= 0)
            RETURN((int)self->line.output);
        printf("%.*s", (int)self->line.output, self->line.data);
    }
ASYNC_FINALLY:
    edo_buf_reader_free(&self->reader);
    edo_tcp_close(self->conn);
    ASYNC_END;
}

EDO_MAIN(NEW(echo_client, .port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 0),
             .text = argc > 2 ? argv[2] : "hello"))
