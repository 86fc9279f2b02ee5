/* SPDX-License-Identifier: MIT */
/* An echo server: a task that accepts, and one for each connection.
 *
 *     echo_server [--workers N] [PORT [--once]]
 *
 * N threads run its tasks; "auto": one for each CPU; 0, the default: the current thread alone. The tasks
 * share nothing: they are the same for all. Port 0, the default, picks one; --once ends after a client.
 */
#include <stdlib.h>
#include <string.h>

#include "edo.h"

struct echo {
    FUTURE(int);
    struct edo_tcp *conn;
    char buffer[4096];
    union { /* awaited one at a time: they share their room */
        struct edo_read read;
        struct edo_write_all write;
    };
};

ASYNC(echo)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, self->buffer, sizeof self->buffer));
        if (self->read.output <= 0)
            RETURN((int)self->read.output); /* 0: the client has said everything */
        AWAIT(self->write, edo_write_all(self->conn, self->buffer, (size_t)self->read.output));
        if (self->write.output < 0)
            RETURN((int)self->write.output);
    }
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

struct echo_server {
    FUTURE(int);
    uint16_t port;
    bool once;
    struct edo_tcp_listener *listener;
    struct edo_addr addr;
    char text[EDO_ADDR_TEXT];
    JOIN_HANDLE(int) client;
    union {
        struct edo_tcp_accept accept;
        struct edo_join join;
    };
};

static int echo_server_listen(struct echo_server *self)
{
    int error = edo_addr_ip(&self->addr, "127.0.0.1", self->port);
    if (error == 0)
        error = edo_tcp_listen(&self->listener, &self->addr);
    if (error == 0)
        error = edo_tcp_listener_local(self->listener, &self->addr);
    return error;
}

ASYNC(echo_server)
{
    ASYNC_BEGIN;
    self->output = echo_server_listen(self);
    if (self->output < 0)
        RETURN(self->output);
    printf("listening on %s\n", edo_addr_format(&self->addr, self->text));
    fflush(stdout);
    do {
        TRY_AWAIT(self->accept, edo_tcp_accept(self->listener));
        self->client = SPAWN(NEW(echo, .conn = self->accept.stream));
        if (!self->once)
            edo_task_detach(self->client); /* it goes on by itself */
    } while (!self->once);
    TRY_AWAIT(self->join, edo_join(self->client, &self->output));
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

/* What EDO_MAIN does, with a runtime of choice. */
int main(int argc, char **argv)
{
    struct edo_builder builder = {0};
    int arg = 1;
    if (argc > 2 && strcmp(argv[1], "--workers") == 0) {
        builder.worker_threads = (uint32_t)atoi(argv[2]); /* "auto" is 0: as many as it likes */
        if (builder.worker_threads > 0 || strcmp(argv[2], "auto") == 0)
            builder.flavor = EDO_MULTI_THREAD;
        arg = 3;
    }
    struct echo_server server = NEW(echo_server, .once = argc > arg + 1,
                                    .port = (uint16_t)(argc > arg ? atoi(argv[arg]) : 0));
    struct edo_runtime *runtime;
    int error = edo_builder_build(&builder, &runtime);
    if (error == 0) {
        error = edo_block_on(runtime, &server);
        edo_runtime_drop(runtime);
    }
    if (error == 0)
        error = server.output;
    if (error < 0)
        fprintf(stderr, "echo_server: %s\n", edo_strerror(error));
    return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
