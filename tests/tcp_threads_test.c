/* SPDX-License-Identifier: MIT */
/* Connections on several threads: tasks of a multi-thread runtime, and threads that are none of its. */
#include <pthread.h>
#include <stdatomic.h>

#include "internal/thread.h"
#include "io/tcp_internal.h"
#include "io_helpers.h"

/* In a task of the workers' own, which ends with its output. */
struct on_workers {
    FUTURE(int);
    struct edo_future *inner;
};

static enum edo_poll on_workers_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_future *inner = ((struct on_workers *)future)->inner;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(inner, cx);
    if (cx->walk != EDO_WALK_POLL)
        return EDO_READY;
    return edo_future_poll(inner, cx);
}

static int runtime_of(uint32_t workers, struct edo_runtime **runtime)
{
    return edo_runtime_new(runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = workers);
}

/* ON_WORKERS(builder's fields, future): runs it as a task on a runtime of so many workers; the census after it. */
static int run_on_workers(const struct edo_builder *builder, struct edo_future *future)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_builder_build(builder, &runtime), 0);
    JOIN_HANDLE(int)
    handle = SPAWN_ON(edo_runtime_handle(runtime), NEW(on_workers, .inner = future));
    struct edo_join join = edo_join(handle, NULL);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
    return join.output;
}

#define ON_WORKERS(workers, ...)                                                 \
    do {                                                                         \
        const struct edo_builder builder_ = {.flavor = EDO_MULTI_THREAD,         \
                                             .worker_threads = (workers)};       \
        __typeof__((__VA_ARGS__)) future_under_test_ = (__VA_ARGS__);            \
        cr_assert_eq(run_on_workers(&builder_, &future_under_test_.future_), 0); \
    } while (0)

/* As many rounds as a test of so many has in this build. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ROUNDS(n) ((n) / 5)
#else
#define ROUNDS(n) (n)
#endif

/* Both ends as connections of the current runtime, of no port. */
static void stream_pair(struct edo_tcp **a, struct edo_tcp **b)
{
    int fds[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    cr_assert_eq(edo_tcp_from_fd(fds[0], a), 0);
    cr_assert_eq(edo_tcp_from_fd(fds[1], b), 0);
}

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

/* ---- Closing under others ---- */

/* Says when it has been polled, from when on the connection may be closed under it. */
struct reads_once {
    FUTURE(ssize_t);
    struct edo_tcp *conn;
    _Atomic(bool) *waits;
    char byte;
    struct edo_read read;
};

ASYNC(reads_once)
{
    ASYNC_BEGIN;
    self->read = edo_read(self->conn, &self->byte, 1);
    if (edo_future_poll(&self->read.future_, cx) == EDO_READY) {
        atomic_store(self->waits, true);
        RETURN(self->read.output);
    }
    atomic_store(self->waits, true);
    AWAIT_REF(self->read);
    RETURN(self->read.output);
ASYNC_FINALLY:
    DROP(self->read);
    ASYNC_END;
}

struct closes_under {
    FUTURE(int);
    bool bytes; /* one comes at the same moment */
    int rounds, peer, told[2];
    struct edo_tcp *conn;
    _Atomic(bool) waits;
    ssize_t result;
    JOIN_HANDLE(ssize_t) reader;
    struct edo_join join;
};

ASYNC(closes_under)
{
    ASYNC_BEGIN;
    while (self->rounds-- > 0) {
        self->conn = half_raw_pair(&self->peer);
        atomic_store(&self->waits, false);
        self->reader = SPAWN(NEW(reads_once, .conn = self->conn, .waits = &self->waits));
        while (!atomic_load(&self->waits))
            YIELD_NOW();
        if (self->bytes)
            cr_assert_eq(send(self->peer, "x", 1, 0), 1);
        edo_tcp_close(self->conn);
        AWAIT(self->join, edo_join(self->reader, &self->result));
        cr_assert_eq(self->join.output, 0);
        cr_assert(self->result == UV_ECANCELED || (self->bytes && self->result == 1), "%s",
                  edo_strerror((int)self->result));
        raw_reset(self->peer);
    }
    ASYNC_END;
}

Test(tcp_threads, closing_under_a_read_of_another_worker_ends_it)
{
    ON_WORKERS(2, NEW(closes_under, .rounds = ROUNDS(500)));
    ON_WORKERS(8, NEW(closes_under, .rounds = ROUNDS(500), .bytes = true));
}

/* Accepts under way on several workers, and their listener is closed, time and again. */
struct accepts {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    _Atomic(int) *waiting;
    struct edo_tcp_accept accept;
};

ASYNC(accepts)
{
    ASYNC_BEGIN;
    self->accept = edo_tcp_accept(self->listener);
    if (edo_future_poll(&self->accept.future_, cx) == EDO_PENDING) {
        atomic_fetch_add(self->waiting, 1);
        AWAIT_REF(self->accept);
    } else {
        atomic_fetch_add(self->waiting, 1);
    }
    if (self->accept.output == 0)
        edo_tcp_close(self->accept.stream);
    RETURN(self->accept.output);
ASYNC_FINALLY:
    DROP(self->accept);
    ASYNC_END;
}

struct closes_listeners {
    FUTURE(int);
    int rounds, i, result, client, accepted;
    struct edo_addr addr;
    struct edo_tcp_listener *listener;
    _Atomic(int) waiting;
    JOIN_HANDLE(int) handles[4];
    struct edo_join join;
};

ASYNC(closes_listeners)
{
    ASYNC_BEGIN;
    while (self->rounds-- > 0) {
        self->addr = loopback(0);
        cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), 0);
        cr_assert_eq(edo_tcp_listener_local(self->listener, &self->addr), 0);
        atomic_store(&self->waiting, 0);
        for (self->i = 0; self->i < 4; self->i++)
            self->handles[self->i] =
                SPAWN(NEW(accepts, .listener = self->listener, .waiting = &self->waiting));
        while (atomic_load(&self->waiting) < 4)
            YIELD_NOW();
        self->client = raw_connect(&self->addr);
        edo_tcp_listener_close(self->listener);
        self->accepted = 0;
        for (self->i = 0; self->i < 4; self->i++) {
            AWAIT(self->join, edo_join(self->handles[self->i], &self->result));
            cr_assert_eq(self->join.output, 0);
            cr_assert(self->result == 0 || self->result == UV_ECANCELED);
            self->accepted += self->result == 0;
        }
        cr_assert_leq(self->accepted, 1);
        raw_reset(self->client);
    }
    ASYNC_END;
}

Test(tcp_threads, closing_a_listener_ends_the_accepts_of_other_workers)
{
    ON_WORKERS(4, NEW(closes_listeners, .rounds = ROUNDS(200)));
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

/* ---- Descriptors ---- */

/* Opened by one task, used, closed by another, of the descriptors that others give back at the same time. What is
 * read is what was meant for it: the number that went round is the pair's own. */
struct pair {
    struct edo_tcp *a, *b;
};

struct churn {
    FUTURE(int);
    int rounds;
    uint32_t number, read_number;
    struct pair pair;
    MPSC_SENDER(struct pair) graves;
    struct edo_write_all write;
    struct edo_read_exact read;
};

static _Atomic(uint32_t) numbers;

ASYNC(churn)
{
    ASYNC_BEGIN;
    while (self->rounds-- > 0) {
        stream_pair(&self->pair.a, &self->pair.b);
        self->number = atomic_fetch_add(&numbers, 1);
        /* Sometimes the reader waits first, so that it is watched; sometimes it does not. */
        self->read = edo_read_exact(self->pair.b, &self->read_number, sizeof self->read_number);
        if (self->number % 2 == 0)
            cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
        AWAIT(self->write, edo_write_all(self->pair.a, &self->number, sizeof self->number));
        cr_assert_eq(self->write.output, (ssize_t)sizeof self->number);
        AWAIT_REF(self->read);
        cr_assert_eq(self->read.output, (ssize_t)sizeof self->number);
        cr_assert_eq(self->read_number, self->number);
        if (self->number % 3 == 0 && edo_mpsc_try_send(self->graves, &self->pair) == 0)
            continue;
        edo_tcp_close(self->pair.a);
        edo_tcp_close(self->pair.b);
    }
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->graves);
    ASYNC_END;
}

struct buries {
    FUTURE(int);
    MPSC_RECEIVER(struct pair) graves;
    struct pair pair;
    struct edo_mpsc_recv recv;
};

ASYNC(buries)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->graves, &self->pair));
        if (self->recv.output != 0)
            break;
        edo_tcp_close(self->pair.a);
        edo_tcp_close(self->pair.b);
    }
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->graves);
    ASYNC_END;
}

enum { CHURNERS = 32, CONNECTIONS = 10000 };

struct churns {
    FUTURE(int);
    int i, error;
    JOIN_HANDLE(int) handles[CHURNERS];
    JOIN_HANDLE(int) digger;
    struct edo_join join;
};

ASYNC(churns)
{
    ASYNC_BEGIN;
    MPSC_SENDER(struct pair) tx;
    MPSC_RECEIVER(struct pair) rx;
    cr_assert_eq(edo_mpsc(&tx, &rx, 8), 0);
    self->digger = SPAWN(NEW(buries, .graves = rx));
    for (int i = 0; i < CHURNERS; i++)
        self->handles[i] = SPAWN(NEW(churn, .rounds = ROUNDS(CONNECTIONS) / 2 / CHURNERS + 1,
                                     .graves = edo_mpsc_sender_clone(tx)));
    edo_mpsc_sender_drop(tx);
    for (self->i = 0; self->i < CHURNERS; self->i++) {
        AWAIT(self->join, edo_join(self->handles[self->i], &self->error));
        cr_assert(self->join.output == 0 && self->error == 0);
    }
    AWAIT(self->join, edo_join(self->digger, &self->error));
    cr_assert(self->join.output == 0 && self->error == 0);
    ASYNC_END;
}

Test(tcp_threads, descriptors_go_round_among_ten_thousand_connections)
{
    ON_WORKERS(2, NEW(churns));
    ON_WORKERS(8, NEW(churns));
}

/* The owner of a connection that another worker watches takes its descriptor, and makes a connection of it again. */
struct takes {
    FUTURE(int);
    struct edo_tcp *conn;
    _Atomic(bool) *over;
    ssize_t got;
    char byte;
    struct edo_read read;
    struct edo_yield_now yield;
};

ASYNC(takes)
{
    ASYNC_BEGIN;
    AWAIT(self->read, edo_read(self->conn, &self->byte, 1));
    cr_assert_eq(self->read.output, 1);
    /* Watched again, and left to the other. */
    self->read = edo_read(self->conn, &self->byte, 1);
    cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
    DROP(self->read);
    atomic_store(self->over, true);
    ASYNC_END;
}

static void *give_and_take(void *arg)
{
    struct edo_runtime *runtime = arg;
    struct edo_guard guard = edo_enter(edo_runtime_handle(runtime));
    int peer, error, duplicates = 0;
    struct edo_tcp *conn = half_raw_pair(&peer);
    for (int i = 0; i < 50; i++) {
        _Atomic(bool) over = false;
        int before = edo_tcp_fd(conn);
        JOIN_HANDLE(int)
        task = SPAWN(NEW(takes, .conn = conn, .over = &over));
        cr_assert_eq(send(peer, "x", 1, 0), 1);
        struct edo_join join = edo_join(task, &error);
        cr_assert(edo_block_on(runtime, &join) == 0 && join.output == 0 && error == 0);
        cr_assert(atomic_load(&over));
        int fd = edo_tcp_into_fd(conn);
        cr_assert_geq(fd, 0);
        duplicates += fd != before;
        cr_assert_eq(edo_tcp_from_fd(fd, &conn), 0);
    }
    edo_tcp_close(conn);
    close(peer);
    edo_leave(guard);
    return (void *)(intptr_t)duplicates;
}

Test(tcp_threads, a_descriptor_is_taken_back_from_another_thread)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(runtime_of(2, &runtime), 0);
    give_and_take(runtime);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* One who waits is polled by hand: what comes between the operation and the wait is told before he is linked. */
struct by_hand {
    struct edo_runtime *runtime;
    struct edo_guard guard;
    struct edo_tcp *conn;
    struct edo_registration *r;
    struct counting_waker waker;
    struct edo_io_waiter waiter;
    int peer;
};

static void by_hand_begin(struct by_hand *hand)
{
    *hand = (struct by_hand){.waker = counting_waker()};
    cr_assert_eq(runtime_of(1, &hand->runtime), 0);
    hand->guard = edo_enter(edo_runtime_handle(hand->runtime));
    hand->conn = half_raw_pair(&hand->peer);
    hand->r = &hand->conn->registration;
}

static void by_hand_end(struct by_hand *hand)
{
    edo_registration_forget(hand->r, &hand->waiter);
    edo_tcp_close(hand->conn);
    close(hand->peer);
    edo_leave(hand->guard);
    edo_runtime_drop(hand->runtime);
    cr_assert_eq(hand->waker.clones, 0);
}

static void until_told(const struct by_hand *hand)
{
    while (edo_registration_ready(hand->r, EDO_READABLE) == 0)
        sched_yield();
}

Test(tcp_threads, an_end_that_is_told_before_one_waits_is_not_missed)
{
    struct baseline start = baseline();
    struct by_hand hand;
    uint32_t told;
    by_hand_begin(&hand);
    cr_assert_eq(edo_registration_begin(hand.r, EDO_READABLE, &told), UV_EAGAIN);
    shutdown(hand.peer, SHUT_WR);
    until_told(&hand);
    cr_assert_eq(edo_registration_wait(hand.r, &hand.waiter, EDO_READABLE, &hand.waker.waker), 0);
    cr_assert_eq(hand.waker.wakes, 1);
    by_hand_end(&hand);
    check_baseline(&start);
}

/* As with a message in the queue of errors, which ends nothing. */
Test(tcp_threads, what_failed_and_would_block_is_waited_for)
{
    struct baseline start = baseline();
    struct by_hand hand;
    uint32_t told;
    by_hand_begin(&hand);
    /* The first of its own: it is added, and can be written. */
    do {
        cr_assert_geq(edo_registration_begin(hand.r, 0, &told), 0);
        edo_registration_end(hand.r, 0, false, told);
        sched_yield();
    } while (told == 0);
    edo_registration_tell(hand.r, EDO_READABLE, EDO_READABLE);
    cr_assert_geq(edo_registration_begin(hand.r, EDO_READABLE, &told), 0);
    edo_registration_end(hand.r, EDO_READABLE, false, told);
    cr_assert_eq(edo_registration_ready(hand.r, EDO_READABLE), EDO_READABLE, "a short read");
    cr_assert_geq(edo_registration_begin(hand.r, EDO_READABLE, &told), 0);
    edo_registration_end(hand.r, EDO_READABLE, true, told);
    cr_assert_eq(edo_registration_ready(hand.r, EDO_READABLE), 0, "it would block");
    cr_assert_eq(edo_registration_wait(hand.r, &hand.waiter, EDO_READABLE, &hand.waker.waker), 0);
    cr_assert_eq(hand.waker.wakes, 0);
    cr_assert_eq(send(hand.peer, "x", 1, 0), 1);
    until_told(&hand);
    by_hand_end(&hand);
    check_baseline(&start);
}

Test(tcp_threads, messages_are_no_stream)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    struct edo_tcp *conn;
    struct edo_tcp_listener *listener;
    int fds[2];
    cr_assert_eq(runtime_of(1, &runtime), 0);
    struct edo_guard guard = edo_enter(edo_runtime_handle(runtime));
    static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(socketpair(AF_UNIX, types[i], 0, fds), 0);
        cr_assert_eq(edo_tcp_from_fd(fds[0], &conn), UV_EINVAL);
        cr_assert_eq(edo_tcp_listener_from_fd(fds[0], &listener), UV_EINVAL);
        close(fds[0]);
        close(fds[1]);
    }
    edo_leave(guard);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* Without a descriptor for the duplicate nothing has changed. Another is inside a system call. */
Test(tcp_threads, a_descriptor_that_cannot_be_duplicated_stays)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    char byte;
    int peer;
    struct counting_waker waker = counting_waker();
    struct edo_context cx;
    struct rlimit limit, none;
    edo_context_init(&cx, &waker.waker);
    cr_assert_eq(runtime_of(1, &runtime), 0);
    struct edo_guard guard = edo_enter(edo_runtime_handle(runtime));
    struct edo_tcp *conn = half_raw_pair(&peer);
    struct edo_read read = edo_read(conn, &byte, 1);
    cr_assert_eq(edo_future_poll(&read.future_, &cx), EDO_PENDING);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 1;
    cr_assert_geq(edo_registration_hold(&conn->registration), 0);
    setrlimit(RLIMIT_NOFILE, &none);
    int fd = edo_tcp_into_fd(conn);
    setrlimit(RLIMIT_NOFILE, &limit);
    edo_registration_end(&conn->registration, 0, false, 0);
    cr_assert_eq(fd, UV_EMFILE, "%d", fd);
    cr_assert_eq(send(peer, "x", 1, 0), 1);
    while (edo_future_poll(&read.future_, &cx) == EDO_PENDING) {
        cx.budget = EDO_BUDGET;
        sched_yield();
    }
    cr_assert_eq(read.output, 1);
    edo_tcp_close(conn);
    close(peer);
    edo_leave(guard);
    edo_runtime_drop(runtime);
    cr_assert_eq(waker.clones, 0);
    check_baseline(&start);
}

/* It is watched once, by all workers together. */
struct twice {
    FUTURE(int);
    int fds[2];
    struct edo_tcp *first, *second;
    char byte;
    struct edo_read read;
};

ASYNC(twice)
{
    ASYNC_BEGIN;
    raw_pair(self->fds);
    cr_assert_eq(edo_tcp_from_fd(self->fds[0], &self->first), 0);
    self->read = edo_read(self->first, &self->byte, 1);
    cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
    cr_assert_eq(edo_tcp_from_fd(self->fds[0], &self->second), UV_EEXIST);
    cr_assert_eq(send(self->fds[1], "y", 1, 0), 1);
    AWAIT_REF(self->read);
    cr_assert_eq(self->read.output, 1);
    edo_tcp_close(self->first);
    close(self->fds[1]);
    ASYNC_END;
}

Test(tcp_threads, a_descriptor_is_not_watched_twice)
{
    struct baseline start = baseline();
    ON_WORKERS(2, NEW(twice));
    check_baseline(&start);
}

/* ---- Threads that are none of the runtime's ---- */

/* They read, write, are dropped, and close, while the runtime goes. */
struct stranger {
    struct edo_runtime *runtime;
    pthread_barrier_t *start;
    _Atomic(bool) *over;
    pthread_t thread;
    int number, rounds;
};

static void *strange(void *arg)
{
    struct stranger *self = arg;
    struct edo_context cx;
    struct counting_waker waker = counting_waker();
    edo_context_init(&cx, &waker.waker);
    struct edo_guard guard = edo_enter(edo_runtime_handle(self->runtime));
    struct edo_tcp *mine[8], *other[8];
    struct edo_read reads[8];
    char bytes[8];
    for (int i = 0; i < 8; i++) {
        stream_pair(&mine[i], &other[i]);
        reads[i] = edo_read(mine[i], &bytes[i], 1);
    }
    pthread_barrier_wait(self->start);
    for (int i = 0; i < 8; i++) {
        enum edo_poll poll = edo_future_poll(&reads[i].future_, &cx);
        cr_assert(poll == EDO_PENDING || reads[i].output == UV_ECANCELED);
        ssize_t n = edo_try_write(other[i], "x", 1);
        cr_assert(n == 1 || n == UV_ECANCELED);
    }
    /* Each ends: with its byte, or with the runtime. */
    for (int i = 0; i < 8; i++) {
        if (i % 4 == 1)
            edo_tcp_close(mine[i]);
        if (i % 4 == 2)
            edo_future_drop(&reads[i].future_, &cx);
        while (i % 4 != 2 && reads[i].future_.poll != NULL && !edo_future_done(&reads[i].future_) &&
               edo_future_poll(&reads[i].future_, &cx) == EDO_PENDING) {
            cx.budget = EDO_BUDGET;
            sched_yield();
        }
        if (i % 4 != 1)
            edo_tcp_close(mine[i]);
        edo_tcp_close(other[i]);
    }
    edo_leave(guard);
    return NULL;
}

Test(tcp_threads, other_threads_use_and_close_connections_while_the_runtime_goes)
{
    struct baseline start = baseline();
    for (int round = 0; round < ROUNDS(100) + 1; round++) {
        struct edo_runtime *runtime;
        struct stranger strangers[4];
        pthread_barrier_t barrier;
        struct edo_handle *handle;
        cr_assert_eq(runtime_of(2, &runtime), 0);
        handle = edo_handle_clone(edo_runtime_handle(runtime));
        pthread_barrier_init(&barrier, NULL, 5);
        for (int i = 0; i < 4; i++) {
            strangers[i] = (struct stranger){.runtime = runtime, .start = &barrier, .number = i};
            cr_assert_eq(pthread_create(&strangers[i].thread, NULL, strange, &strangers[i]), 0);
        }
        pthread_barrier_wait(&barrier);
        edo_runtime_drop(runtime);
        for (int i = 0; i < 4; i++)
            pthread_join(strangers[i].thread, NULL);
        pthread_barrier_destroy(&barrier);
        edo_handle_drop(handle);
        check_baseline(&start);
    }
}

/* A waker that closes another connection of the same loop, which the thread that wakes has at the time. */
struct closing_waker {
    struct edo_waker waker;
    struct edo_tcp *other;
    _Atomic(bool) woken;
};

static void closing_wake(struct edo_waker *waker)
{
    struct closing_waker *self = (struct closing_waker *)waker;
    edo_tcp_close(self->other);
    self->other = NULL;
    atomic_store(&self->woken, true);
}

static struct edo_waker *closing_clone(struct edo_waker *waker)
{
    return waker;
}

static void closing_drop(struct edo_waker *waker)
{
    (void)waker;
}

Test(tcp_threads, a_waker_may_close_what_is_on_the_loop_that_wakes_it)
{
    static const struct edo_waker_ops ops = {closing_wake, closing_clone, closing_drop, NULL, NULL};
    struct baseline start = baseline();
    struct counting_waker counting = counting_waker();
    for (int round = 0; round < 20; round++) {
        struct edo_runtime *runtime;
        struct edo_tcp *a, *b;
        struct edo_context one, two;
        int peers[2];
        char bytes[2];
        cr_assert_eq(runtime_of(1, &runtime), 0);
        struct edo_guard guard = edo_enter(edo_runtime_handle(runtime));
        a = half_raw_pair(&peers[0]);
        b = half_raw_pair(&peers[1]);
        struct closing_waker closing = {.waker = {&ops}, .other = b};
        edo_context_init(&one, &closing.waker);
        edo_context_init(&two, &counting.waker);
        struct edo_read read_a = edo_read(a, &bytes[0], 1), read_b = edo_read(b, &bytes[1], 1);
        cr_assert_eq(edo_future_poll(&read_b.future_, &two), EDO_PENDING);
        cr_assert_eq(edo_future_poll(&read_a.future_, &one), EDO_PENDING);
        cr_assert_eq(send(peers[0], "x", 1, 0), 1);
        while (!atomic_load(&closing.woken))
            sched_yield();
        cr_assert_eq(edo_future_poll(&read_a.future_, &two), EDO_READY);
        cr_assert_eq(read_a.output, 1);
        cr_assert_eq(edo_future_poll(&read_b.future_, &two), EDO_READY);
        cr_assert_eq(read_b.output, UV_ECANCELED);
        edo_tcp_close(a);
        close(peers[0]);
        close(peers[1]);
        edo_leave(guard);
        edo_runtime_drop(runtime);
    }
    cr_assert_eq(counting.clones, 0);
    check_baseline(&start);
}

/* Clones are owners: the connection is closed by the first, and calls of the others say so until they close, too. */
struct owners {
    FUTURE(int);
    struct edo_tcp *first, *second;
    struct edo_tcp_listener *listener, *other;
    struct edo_addr addr;
    int peer;
    char byte;
    struct edo_read read;
    struct edo_write write;
    struct edo_tcp_accept accept;
};

ASYNC(owners)
{
    ASYNC_BEGIN;
    self->first = half_raw_pair(&self->peer);
    self->second = edo_tcp_clone(self->first);
    edo_tcp_close(self->first);
    cr_assert_eq(recv(self->peer, &self->byte, 1, 0), 0);
    AWAIT(self->read, edo_read(self->second, &self->byte, 1));
    cr_assert_eq(self->read.output, UV_ECANCELED);
    AWAIT(self->write, edo_write(self->second, "x", 1));
    cr_assert_eq(self->write.output, UV_ECANCELED);
    cr_assert_eq(edo_try_read(self->second, &self->byte, 1), UV_ECANCELED);
    cr_assert_eq(edo_tcp_set_nodelay(self->second, true), UV_ECANCELED);
    cr_assert_eq(edo_tcp_fd(self->second), -1);
    cr_assert_eq(edo_tcp_into_fd(self->second), UV_ECANCELED);
    edo_tcp_close(self->second);
    close(self->peer);

    self->addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), 0);
    self->other = edo_tcp_listener_clone(self->listener);
    edo_tcp_listener_close(self->listener);
    AWAIT(self->accept, edo_tcp_accept(self->other));
    cr_assert_eq(self->accept.output, UV_ECANCELED);
    cr_assert_eq(edo_tcp_listener_local(self->other, &self->addr), UV_ECANCELED);
    edo_tcp_listener_close(self->other);
    ASYNC_END;
}

Test(tcp_threads, the_first_of_several_owners_to_close_ends_it)
{
    ON_WORKERS(2, NEW(owners));
    RUN(NEW(owners));
}
