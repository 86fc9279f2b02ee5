/* SPDX-License-Identifier: MIT */
/* Connections that are closed under others, by other workers and by threads that are none of the runtime's. */
#include <pthread.h>
#include <stdatomic.h>

#include "tcp_threads_helpers.h"
#include "io_helpers.h"

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
