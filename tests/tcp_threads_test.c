/* SPDX-License-Identifier: MIT */
/* Connections of tasks on a multi-thread runtime: echo, halves, tasks that move. */
#include <stdatomic.h>

#include "tcp_threads_helpers.h"

/* ---- Echo ---- */

enum { CLIENTS = 64, MESSAGES = 50, MESSAGE = 700 };

struct serve {
    FUTURE(int);
    struct edo_tcp *conn;
    char buffer[512];
    union {
        struct edo_read read;
        struct edo_write_all write;
    };
};

ASYNC(serve)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, self->buffer, sizeof self->buffer));
        if (self->read.output <= 0)
            RETURN((int)self->read.output);
        AWAIT(self->write, edo_write_all(self->conn, self->buffer, (size_t)self->read.output));
        if (self->write.output < 0)
            RETURN((int)self->write.output);
    }
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

struct listens {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    struct edo_tcp_incoming incoming;
};

ASYNC(listens)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->incoming, edo_tcp_incoming(self->listener));
        if (self->incoming.output == NULL)
            break;
        edo_task_detach(SPAWN(NEW(serve, .conn = self->incoming.output)));
    }
    ASYNC_END;
}

struct client {
    FUTURE(int);
    struct edo_addr addr;
    int number, messages, message;
    size_t size;
    struct edo_tcp *conn;
    char sent[MESSAGE], received[MESSAGE];
    union {
        struct edo_tcp_connect connect;
        struct edo_write_all write;
        struct edo_read_exact read;
    };
};

ASYNC(client)
{
    ASYNC_BEGIN;
    AWAIT(self->connect, edo_tcp_connect(&self->addr));
    if (self->connect.output < 0)
        RETURN(self->connect.output);
    self->conn = self->connect.stream;
    for (self->message = 0; self->message < self->messages; self->message++) {
        self->size = 1 + (size_t)(self->number * 31 + self->message * 97) % MESSAGE;
        for (size_t i = 0; i < self->size; i++)
            self->sent[i] = stream_byte((uint64_t)self->number * 1000003 + i);
        AWAIT(self->write, edo_write_all(self->conn, self->sent, self->size));
        if (self->write.output < 0)
            RETURN((int)self->write.output);
        AWAIT(self->read, edo_read_exact(self->conn, self->received, self->size));
        if (self->read.output < 0)
            RETURN((int)self->read.output);
        cr_assert_eq(memcmp(self->sent, self->received, self->size), 0);
    }
ASYNC_FINALLY:
    /* With a reset, so that no port is kept. */
    if (self->conn != NULL)
        edo_tcp_set_linger(self->conn, 0);
    edo_tcp_close(self->conn);
    ASYNC_END;
}

struct echo {
    FUTURE(int);
    int messages, i, error;
    struct edo_addr addr;
    struct edo_tcp_listener *listener;
    JOIN_HANDLE(int) server;
    JOIN_HANDLE(int) clients[CLIENTS];
    struct edo_join join;
};

ASYNC(echo)
{
    ASYNC_BEGIN;
    self->addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &self->addr), 0);
    self->server = SPAWN(NEW(listens, .listener = self->listener));
    for (self->i = 0; self->i < CLIENTS; self->i++)
        self->clients[self->i] =
            SPAWN(NEW(client, .addr = self->addr, .number = self->i, .messages = self->messages));
    for (self->i = 0; self->i < CLIENTS; self->i++) {
        AWAIT(self->join, edo_join(self->clients[self->i], &self->error));
        cr_assert(self->join.output == 0 && self->error == 0, "client %d: %s", self->i,
                  edo_strerror(self->error));
    }
    edo_tcp_listener_close(self->listener);
    AWAIT(self->join, edo_join(self->server, &self->error));
    cr_assert(self->join.output == 0 && self->error == 0);
    ASYNC_END;
}

Test(tcp_threads, sixty_four_connections_echo_on_one_two_and_eight_workers)
{
    ON_WORKERS(1, NEW(echo, .messages = ROUNDS(MESSAGES)));
    ON_WORKERS(2, NEW(echo, .messages = ROUNDS(MESSAGES)));
    ON_WORKERS(8, NEW(echo, .messages = ROUNDS(MESSAGES)));
}

/* The root future is polled by a thread that is no worker: what it opens is watched by a worker all the same. */
Test(tcp_threads, the_thread_that_blocks_may_listen_and_connect)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(runtime_of(2, &runtime), 0);
    struct echo echo = NEW(echo, .messages = 5);
    cr_assert_eq(edo_block_on(runtime, &echo), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* A look at the loop that tells of one socket only passes nobody over. */
Test(tcp_threads, one_event_per_look_serves_all)
{
    for (uint32_t workers = 0; workers <= 2; workers++) {
        const struct edo_builder builder = {.flavor =
                                                workers > 0 ? EDO_MULTI_THREAD : EDO_CURRENT_THREAD,
                                            .worker_threads = workers,
                                            .max_io_events_per_tick = 1};
        struct echo echo = NEW(echo, .messages = 5);
        cr_assert_eq(run_on_workers(&builder, &echo.future_), 0);
    }
}

/* ---- Halves ---- */

enum { PAIRS = 16, STREAM = 100000 };

struct pump {
    FUTURE(int);
    struct edo_tcp_write_half *half;
    size_t sent, size;
    char chunk[3000];
    struct edo_write_all write;
};

ASYNC(pump)
{
    ASYNC_BEGIN;
    while (self->sent < STREAM) {
        self->size =
            STREAM - self->sent < sizeof self->chunk ? STREAM - self->sent : sizeof self->chunk;
        for (size_t i = 0; i < self->size; i++)
            self->chunk[i] = stream_byte(self->sent + i);
        AWAIT(self->write, edo_write_all(self->half, self->chunk, self->size));
        if (self->write.output < 0)
            RETURN((int)self->write.output);
        self->sent += self->size;
    }
ASYNC_FINALLY:
    edo_tcp_write_half_drop(self->half);
    ASYNC_END;
}

struct drain {
    FUTURE(int);
    struct edo_tcp_read_half *half;
    size_t got;
    char chunk[2000];
    struct edo_read read;
};

ASYNC(drain)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->read, edo_read(self->half, self->chunk, sizeof self->chunk));
        if (self->read.output <= 0)
            RETURN(self->read.output < 0 ? (int)self->read.output
                   : self->got == STREAM ? 0
                                         : UV_EOF);
        for (ssize_t i = 0; i < self->read.output; i++)
            cr_assert_eq(self->chunk[i], stream_byte(self->got + (size_t)i));
        self->got += (size_t)self->read.output;
    }
ASYNC_FINALLY:
    edo_tcp_read_half_drop(self->half);
    ASYNC_END;
}

struct duplex {
    FUTURE(int);
    int i, result;
    JOIN_HANDLE(int) handles[4 * PAIRS];
    struct edo_join join;
};

ASYNC(duplex)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < PAIRS; self->i++) {
        struct edo_tcp *ends[2];
        stream_pair(&ends[0], &ends[1]);
        for (int end = 0; end < 2; end++) {
            struct edo_tcp_read_half *reader;
            struct edo_tcp_write_half *writer;
            edo_tcp_set_send_buffer(ends[end], 5000);
            edo_tcp_split(ends[end], &reader, &writer);
            self->handles[4 * self->i + 2 * end] = SPAWN(NEW(pump, .half = writer));
            self->handles[4 * self->i + 2 * end + 1] = SPAWN(NEW(drain, .half = reader));
        }
    }
    for (self->i = 0; self->i < 4 * PAIRS; self->i++) {
        AWAIT(self->join, edo_join(self->handles[self->i], &self->result));
        cr_assert(self->join.output == 0 && self->result == 0, "%s", edo_strerror(self->result));
    }
    ASYNC_END;
}

Test(tcp_threads, halves_are_used_and_dropped_by_two_tasks_each)
{
    ON_WORKERS(2, NEW(duplex));
    ON_WORKERS(8, NEW(duplex));
}

/* ---- Tasks that move ---- */

/* Reads a byte, says where it is, and waits to be sent on. */
struct migrant {
    FUTURE(int);
    struct edo_tcp *conn;
    struct edo_notify *told;
    _Atomic(struct edo_worker *) *at;
    _Atomic(int) *reads;
    char byte;
    struct edo_read read;
};

ASYNC(migrant)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, &self->byte, 1));
        if (self->read.output <= 0)
            RETURN((int)self->read.output);
        atomic_store(self->at, edo_thread.worker);
        atomic_fetch_add(self->reads, 1);
        edo_notify_one(self->told);
    }
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

/* Has a worker for itself. */
struct hog {
    FUTURE(int);
    _Atomic(bool) *begun, *over;
};

ASYNC(hog)
{
    ASYNC_BEGIN;
    atomic_store(self->begun, true);
    while (!atomic_load(self->over))
        sched_yield();
    ASYNC_END;
}

/* Of two workers, one is the hog's: the migrant runs on this one. Then this task itself is the hog: it runs on the
 * other. Whichever loop it is whose worker is held up, the one that has nothing to do looks after it. */
struct moves {
    FUTURE(int);
    int rounds, peer, seen, error;
    struct edo_tcp *conn;
    struct edo_notify told;
    _Atomic(struct edo_worker *) at;
    _Atomic(int) reads;
    _Atomic(bool) begun, over;
    struct edo_worker *here;
    JOIN_HANDLE(int) migrant;
    JOIN_HANDLE(int) hog;
    struct edo_notified notified;
    struct edo_join join;
};

ASYNC(moves)
{
    ASYNC_BEGIN;
    edo_notify_init(&self->told);
    self->conn = half_raw_pair(&self->peer);
    self->migrant = SPAWN(NEW(migrant, .conn = self->conn, .told = &self->told, .at = &self->at,
                              .reads = &self->reads));
    while (self->rounds-- > 0) {
        atomic_store(&self->begun, false);
        atomic_store(&self->over, false);
        self->hog = SPAWN(NEW(hog, .begun = &self->begun, .over = &self->over));
        while (!atomic_load(&self->begun))
            sched_yield();
        self->here = edo_thread.worker;
        cr_assert_eq(send(self->peer, "x", 1, 0), 1);
        for (self->seen++; atomic_load(&self->reads) < self->seen;)
            AWAIT(self->notified, edo_notified(&self->told));
        cr_assert_eq(edo_thread.worker, self->here);
        cr_assert_eq(atomic_load(&self->at), self->here);

        atomic_store(&self->over, true);
        cr_assert_eq(send(self->peer, "x", 1, 0), 1);
        for (self->seen++; atomic_load(&self->reads) < self->seen;)
            sched_yield();
        cr_assert_neq(atomic_load(&self->at), self->here);
        AWAIT(self->join, edo_join(self->hog, &self->error));
    }
    close(self->peer);
    AWAIT(self->join, edo_join(self->migrant, &self->error));
    cr_assert(self->join.output == 0 && self->error == 0);
    edo_notify_destroy(&self->told);
    ASYNC_END;
}

Test(tcp_threads, a_connections_task_moves_between_workers)
{
    ON_WORKERS(2, NEW(moves, .rounds = ROUNDS(100)));
}
