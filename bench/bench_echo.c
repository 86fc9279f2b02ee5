/* SPDX-License-Identifier: MIT */
/* TCP echo: a server, and 64 clients of it in the same process. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "bench.h"

enum { CLIENTS = 64, MESSAGE = 64 };

static uint64_t echoes;

struct serve {
    FUTURE(int);
    struct edo_tcp *conn;
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
        echoes++;
    }
ASYNC_FINALLY:
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
        edo_task_detach(SPAWN(NEW(serve, .conn = self->accept.stream)));
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

/* SIGINT and SIGTERM as a future: libuv's signal handles on the runtime's loop, and a completion.
 * The handles outlive the future: the runtime closes its loop after it. */
static struct {
    uv_signal_t handles[2];
    struct edo_completion *done;
} signals;

static void on_signal(uv_signal_t *handle, int number)
{
    (void)handle;
    if (signals.done != NULL)
        edo_completion_complete(signals.done, number);
    signals.done = NULL;
}

static void signals_stop(void)
{
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&signals.handles[i], NULL);
    if (signals.done != NULL)
        edo_completion_drop(signals.done);
}

/* On failure the task's side of the completion is dropped, too. */
static int signals_start(uv_loop_t *loop)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    signals.done = edo_completion_new(0);
    if (signals.done == NULL)
        return UV_ENOMEM;
    int error = 0;
    for (int i = 0; i < 2; i++) {
        uv_signal_init(loop, &signals.handles[i]);
        if (error == 0)
            error = uv_signal_start_oneshot(&signals.handles[i], on_signal, numbers[i]);
    }
    if (error < 0) {
        edo_completion_drop(signals.done);
        signals_stop();
    }
    return error;
}

static uint64_t cpu_ns(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000u;
}

struct echo_server {
    FUTURE(int);
    struct bench *bench;
    struct edo_addr addr;
    struct edo_completion_wait signal;
    struct edo_timeout timeout;
};

ASYNC(echo_server)
{
    char text[EDO_ADDR_TEXT];
    ASYNC_BEGIN;
    if (self->bench->n > UINT16_MAX)
        RETURN(UV_EINVAL);
    self->output = echo_start((uint16_t)self->bench->n, &self->addr);
    if (self->output < 0)
        RETURN(self->output);
    self->output = signals_start(edo_runtime_loop(self->bench->runtime));
    if (self->output < 0)
        RETURN(self->output);
    printf("listening on %s\n", edo_addr_format(&self->addr, text));
    fflush(stdout);
    bench_start(self->bench);
    self->signal = edo_completion_wait(signals.done);
    AWAIT(self->timeout, edo_timeout(self->bench->ms, &self->signal));
    signals_stop();
    bench_stop(self->bench, echoes);
    if (echoes > 0)
        snprintf(self->bench->extra, sizeof self->bench->extra, "cpu_ns_per_op=%.0f",
                 (double)cpu_ns() / (double)echoes);
    RETURN(0);
    ASYNC_END;
}

BENCH(echo_server)
