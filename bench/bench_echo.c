/* SPDX-License-Identifier: MIT */
/* TCP echo: a server, and 64 clients of it in the same process. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum { CLIENTS = 64, MESSAGE = 64 };

/* Of all connections that have ended: on several workers a count of each echo would be a line that they share. */
static atomic_uint_fast64_t echoes;

struct serve {
    FUTURE(int);
    struct edo_tcp *conn;
    uint64_t echoes;
    union {
        struct edo_read read;
        struct edo_write_all write;
    };
    char buffer[16384];
};

ASYNC(serve)
{
    ASYNC_BEGIN;
    edo_tcp_set_nodelay(self->conn, true);
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, self->buffer, sizeof self->buffer));
        if (self->read.output <= 0)
            RETURN((int)self->read.output);
        TRY_AWAIT(self->write, edo_write_all(self->conn, self->buffer, (size_t)self->read.output));
        self->echoes++;
    }
ASYNC_FINALLY:
    atomic_fetch_add_explicit(&echoes, self->echoes, memory_order_relaxed);
    edo_tcp_close(self->conn);
    ASYNC_END;
}

/* Serves whoever comes; takes the listener. */
struct echo {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    struct edo_tcp_accept accept;
};

ASYNC(echo)
{
    ASYNC_BEGIN;
    for (;;) {
        TRY_AWAIT(self->accept, edo_tcp_accept(self->listener));
        SPAWN_DETACHED(NEW(serve, .conn = self->accept.stream));
    }
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

/* Listens on loopback and spawns the server. Returns 0 and the address, or an error. */
static int echo_start(uint16_t port, struct edo_addr *addr)
{
    struct edo_tcp_listener *listener = NULL;
    int error = edo_addr_ip(addr, "127.0.0.1", port);
    if (error == 0)
        error = edo_tcp_listen(&listener, addr);
    if (error < 0)
        return error;
    error = edo_tcp_listener_local(listener, addr);
    JOIN_HANDLE(int) server = SPAWN(NEW(echo, .listener = listener));
    if (error == 0)
        error = edo_task_error(server);
    edo_task_detach(server);
    return error;
}

/* Sends numbers and has each back. */
struct client {
    FUTURE(int);
    const struct edo_addr *addr;
    uint64_t times;
    uint64_t sent;
    struct edo_tcp *conn;
    union {
        struct edo_tcp_connect connect;
        struct edo_write_all write;
        struct edo_read_exact read;
    };
    char buffer[MESSAGE];
};

ASYNC(client)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->connect, edo_tcp_connect(self->addr));
    self->conn = self->connect.stream;
    edo_tcp_set_nodelay(self->conn, true);
    for (self->sent = 0; self->sent < self->times; self->sent++) {
        memcpy(self->buffer, &self->sent, sizeof self->sent);
        TRY_AWAIT(self->write, edo_write_all(self->conn, self->buffer, sizeof self->buffer));
        memset(self->buffer, 0xff, sizeof self->sent);
        TRY_AWAIT(self->read, edo_read_exact(self->conn, self->buffer, sizeof self->buffer));
        if (memcmp(self->buffer, &self->sent, sizeof self->sent) != 0)
            RETURN(UV_EIO);
    }
    RETURN(0);
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

struct echo_inproc {
    FUTURE(int);
    struct bench *bench;
    struct edo_addr addr;
    JOIN_HANDLE(int) clients[CLIENTS];
    int i, result;
    struct edo_join join;
};

ASYNC(echo_inproc)
{
    ASYNC_BEGIN;
    self->output = echo_start(0, &self->addr);
    if (self->output < 0)
        RETURN(self->output);
    bench_start(self->bench);
    for (self->i = 0; self->i < CLIENTS; self->i++)
        self->clients[self->i] = SPAWN(NEW(client, .addr = &self->addr, .times = self->bench->n));
    for (self->i = 0; self->i < CLIENTS; self->i++) {
        AWAIT(self->join, edo_join(self->clients[self->i], &self->result));
        if (self->join.output < 0 || self->result < 0)
            self->output = self->join.output < 0 ? self->join.output : self->result;
    }
    bench_stop(self->bench, CLIENTS * self->bench->n);
    RETURN(self->output);
    ASYNC_END;
}

BENCH(echo_inproc)

/* A signal's handler may do little more than write here; the other end is the server's. */
static int signal_socket;

static void on_signal(int number)
{
    (void)number;
    (void)!send(signal_socket, "", 1, MSG_NOSIGNAL);
}

static int watch_signals(struct edo_tcp **signals)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -errno;
    int error = edo_tcp_from_fd(ends[1], signals);
    if (error < 0) {
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    signal_socket = ends[0];
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    return 0;
}

/* It waits, with no timer unless there is an end, as its peers' do. */
struct echo_server {
    FUTURE(int);
    struct bench *bench;
    struct edo_addr addr;
    struct edo_tcp *signals;
    char signal;
    struct edo_read read;
    struct edo_sleep sleep;
};

ASYNC(echo_server)
{
    char text[EDO_ADDR_TEXT];
    ASYNC_BEGIN;
    if (self->bench->n > UINT16_MAX)
        RETURN(UV_EINVAL);
    self->output = watch_signals(&self->signals);
    if (self->output == 0)
        self->output = echo_start((uint16_t)self->bench->n, &self->addr);
    if (self->output < 0)
        RETURN(self->output);
    printf("listening on %s\n", edo_addr_format(&self->addr, text));
    fflush(stdout);
    bench_start(self->bench);
    SELECT {
        WHEN(self->read, edo_read(self->signals, &self->signal, 1)) {
        }
        WHEN_IF(self->bench->ms != UINT64_MAX, self->sleep, edo_sleep(self->bench->ms)) {
        }
    }
    bench_stop(self->bench, atomic_load_explicit(&echoes, memory_order_relaxed));
    RETURN(0);
ASYNC_FINALLY:
    edo_tcp_close(self->signals);
    ASYNC_END;
}

BENCH(echo_server)
