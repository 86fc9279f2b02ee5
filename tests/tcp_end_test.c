/* SPDX-License-Identifier: MIT */
/* How connections end: by one side, by a reset, under those who use them, after their runtime. */
#include <signal.h>

#include "io_helpers.h"
#include "support/runtimes.h"

/* ---- Ends: half-close, reset, a closed peer ---- */

struct half_close {
    FUTURE(int);
    struct edo_tcp *a, *b;
    char buffer[8];
    struct edo_read read;
    struct edo_write write;
};

ASYNC(half_close)
{
    ASYNC_BEGIN;
    tcp_pair(&self->a, &self->b);
    AWAIT(self->write, edo_write(self->a, "bye", 3));
    cr_assert_eq(edo_tcp_shutdown(self->a), 0);
    AWAIT(self->read, edo_read(self->b, self->buffer, 8));
    cr_assert_eq(self->read.output, 3);
    AWAIT(self->read, edo_read(self->b, self->buffer, 8));
    cr_assert_eq(self->read.output, 0);
    /* The other way is still open. */
    AWAIT(self->write, edo_write(self->b, "yes?", 4));
    cr_assert_eq(self->write.output, 4);
    AWAIT(self->read, edo_read(self->a, self->buffer, 8));
    cr_assert_eq(self->read.output, 4);
    AWAIT(self->write, edo_write(self->a, "no", 2));
    cr_assert_eq(self->write.output, UV_EPIPE);
    AWAIT(self->write, edo_write(self->a, "no", 2));
    cr_assert_eq(self->write.output, UV_EPIPE);
ASYNC_FINALLY:
    edo_tcp_close(self->a);
    edo_tcp_close(self->b);
    ASYNC_END;
}

Test(tcp, after_shutdown_the_peer_reads_the_end_and_may_still_write)
{
    RUN(NEW(half_close));
}

struct resets {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer;
    bool waits; /* the reset comes while the read waits */
    char buffer[8];
    struct edo_read read;
    struct edo_sleep aside;
};

ASYNC(resets)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    self->read = edo_read(self->conn, self->buffer, 8);
    if (self->waits) {
        SELECT_BIASED {
            WHEN_REF(self->read) {
                cr_assert_fail("nothing was sent");
            }
            WHEN(self->aside, edo_sleep(0)) {
            }
        }
    }
    raw_reset(self->peer);
    AWAIT_REF(self->read);
    cr_assert_eq(self->read.output, UV_ECONNRESET);
    AWAIT(self->read, edo_read(self->conn, self->buffer, 8));
    cr_assert_eq(self->read.output, 0);
    AWAIT(self->read, edo_read(self->conn, self->buffer, 8));
    cr_assert_eq(self->read.output, 0);
    cr_assert_lt(edo_tcp_shutdown(self->conn), 0);
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

Test(tcp, a_reset_is_told_once_and_then_the_end)
{
    RUN(NEW(resets));
    RUN(NEW(resets, .waits = true));
}

/* The reset frees one who waits for room to write, too. */
struct reset_writer {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer, written;
    char buffer[65536];
    struct edo_write write;
    struct edo_sleep aside;
};

ASYNC(reset_writer)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    for (self->written = 0; self->written == 0;) {
        self->write = edo_write(self->conn, self->buffer, sizeof self->buffer);
        SELECT_BIASED {
            WHEN_REF(self->write) {
                cr_assert_gt(self->write.output, 0);
            }
            WHEN(self->aside, edo_sleep(0)) {
                self->written = 1;
            }
        }
    }
    raw_reset(self->peer);
    AWAIT_REF(self->write);
    RETURN((int)self->write.output);
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

Test(tcp, a_reset_wakes_a_waiting_writer)
{
    cr_assert_eq(RUN(NEW(reset_writer)), UV_ECONNRESET);
}

struct closed_peer {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer, i, errors;
    struct iovec iov[2];
    struct edo_write write;
    struct edo_write_vectored vectored;
};

ASYNC(closed_peer)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    raw_reset(self->peer);
    self->iov[0] = self->iov[1] = (struct iovec){(void *)(uintptr_t) "hello", 5};
    for (self->i = 0; self->i < 200; self->i++) {
        AWAIT(self->write, edo_write(self->conn, "hello", 5));
        AWAIT(self->vectored, edo_write_vectored(self->conn, self->iov, 2));
        cr_assert(self->write.output == UV_EPIPE || self->write.output == UV_ECONNRESET);
        cr_assert_eq(self->vectored.output, UV_EPIPE);
        cr_assert_eq(edo_try_write(self->conn, "x", 1), UV_EPIPE);
    }
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

Test(tcp, a_write_to_a_closed_peer_is_an_error_and_no_signal)
{
    signal(SIGPIPE, SIG_DFL);
    for (int i = 0; i < 20; i++)
        RUN(NEW(closed_peer));
}

/* ---- Closing under others ---- */

/* Each has been polled before it says that it has started: whoever closes the connection then closes it
 * under an operation. */
struct in_flight {
    FUTURE(ssize_t);
    struct edo_tcp *conn;
    int what;
    _Atomic(int) *started;
    char buffer[16];
    struct edo_read read;
    struct edo_read_exact exact;
    struct edo_peek peek;
    struct edo_ready ready;
};

ASYNC(in_flight)
{
    ASYNC_BEGIN;
    self->read = edo_read(self->conn, self->buffer, 16);
    self->exact = edo_read_exact(self->conn, self->buffer, 16);
    self->peek = edo_peek(self->conn, self->buffer, 16);
    self->ready = edo_ready(self->conn, EDO_READABLE);
    if (self->what == 0) {
        cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
        ++*self->started;
        AWAIT_REF(self->read);
        RETURN(self->read.output);
    }
    if (self->what == 1) {
        cr_assert_eq(edo_future_poll(&self->exact.future_, cx), EDO_PENDING);
        ++*self->started;
        AWAIT_REF(self->exact);
        RETURN(self->exact.output);
    }
    if (self->what == 2) {
        cr_assert_eq(edo_future_poll(&self->peek.future_, cx), EDO_PENDING);
        ++*self->started;
        AWAIT_REF(self->peek);
        RETURN(self->peek.output);
    }
    cr_assert_eq(edo_future_poll(&self->ready.future_, cx), EDO_PENDING);
    ++*self->started;
    AWAIT_REF(self->ready);
    RETURN(self->ready.output);
ASYNC_FINALLY:
    DROP(self->read);
    DROP(self->exact);
    DROP(self->peek);
    DROP(self->ready);
    ASYNC_END;
}

struct closes_under {
    FUTURE(int);
    bool abort;
    struct edo_tcp *conn;
    int peer, i;
    _Atomic(int) started;
    ssize_t outputs[8];
    JOIN_HANDLE(ssize_t) handles[8];
    struct edo_yield_now yield;
    struct edo_join join;
};

ASYNC(closes_under)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    for (self->i = 0; self->i < 8; self->i++)
        self->handles[self->i] = SPAWN(
            NEW(in_flight, .conn = self->conn, .what = self->i % 4, .started = &self->started));
    while (self->started < 8)
        AWAIT(self->yield, edo_yield_now());
    /* Some of them are aborted in the same breath: dropped after the close. */
    edo_tcp_close(self->conn);
    for (self->i = 0; self->abort && self->i < 4; self->i++)
        edo_task_abort(self->handles[self->i]);
    for (self->i = 0; self->i < 8; self->i++) {
        AWAIT(self->join, edo_join(self->handles[self->i], &self->outputs[self->i]));
        /* One that runs meanwhile may end before the abort comes. */
        if (self->join.output == 0)
            cr_assert_eq(self->outputs[self->i], UV_ECANCELED);
        if (self->abort && self->i < 4)
            cr_assert(self->join.output == UV_ECANCELED || test_workers() > 0);
        else
            cr_assert_eq(self->join.output, 0);
    }
    close(self->peer);
    ASYNC_END;
}

Test(tcp, closing_ends_what_other_tasks_have_in_flight)
{
    RUN(NEW(closes_under));
    RUN(NEW(closes_under, .abort = true));
}

/* ---- Beyond the runtime ---- */

struct survivors {
    struct edo_tcp *streams[4], *waited;
    struct edo_tcp_listener *listener;
    int peers[5];
};

struct leaves {
    FUTURE(int);
    struct survivors *survivors;
    char byte;
    struct edo_read read;
    struct edo_sleep aside;
};

ASYNC(leaves)
{
    struct edo_addr addr = loopback(0);
    ASYNC_BEGIN;
    for (int i = 0; i < 4; i++)
        self->survivors->streams[i] = half_raw_pair(&self->survivors->peers[i]);
    self->survivors->waited = half_raw_pair(&self->survivors->peers[4]);
    cr_assert_eq(edo_tcp_listen(&self->survivors->listener, &addr), 0);
    self->read = edo_read(self->survivors->waited, &self->byte, 1);
    SELECT_BIASED {
        WHEN_REF(self->read) {
        }
        WHEN(self->aside, edo_sleep(1)) {
        }
    }
ASYNC_FINALLY:
    DROP(self->read);
    ASYNC_END;
}

static void *close_survivor(void *stream)
{
    edo_tcp_close(stream);
    return NULL;
}

Test(tcp, connections_may_outlive_their_runtime)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    struct survivors survivors = {0};
    struct counting_waker waker = counting_waker();
    struct edo_context cx;
    char buffer[8];
    edo_context_init(&cx, &waker.waker);
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct leaves future = NEW(leaves, .survivors = &survivors);
    cr_assert_eq(test_block_on(runtime, &future), 0);

    /* An operation of a foreign executor is under way when the runtime goes. */
    struct edo_read read = edo_read(survivors.streams[0], buffer, 8);
    cr_assert_eq(edo_future_poll(&read.future_, &cx), EDO_PENDING);
    struct edo_read dropped = edo_read(survivors.streams[1], buffer, 8);
    cr_assert_eq(edo_future_poll(&dropped.future_, &cx), EDO_PENDING);
    edo_runtime_drop(runtime);
    cr_assert_eq(waker.wakes, 2);
    cr_assert_eq(edo_future_poll(&read.future_, &cx), EDO_READY);
    cr_assert_eq(read.output, UV_ECANCELED);
    edo_future_drop(&dropped.future_, &cx);

    /* Nothing becomes ready any more, and all of it can still be closed. */
    cr_assert_eq(edo_try_write(survivors.streams[2], "x", 1), UV_ECANCELED);
    struct edo_write write = edo_write(survivors.streams[2], "x", 1);
    cr_assert_eq(edo_future_poll(&write.future_, &cx), EDO_READY);
    cr_assert_eq(write.output, UV_ECANCELED);
    struct edo_tcp_accept accept = edo_tcp_accept(survivors.listener);
    cr_assert_eq(edo_future_poll(&accept.future_, &cx), EDO_READY);
    cr_assert_eq(accept.output, UV_ECANCELED);
    int fd = edo_tcp_into_fd(survivors.streams[3]);
    cr_assert_eq(send(fd, "x", 1, 0), 1);
    close(fd);
    for (int i = 0; i < 3; i++)
        edo_tcp_close(survivors.streams[i]);
    edo_tcp_listener_close(survivors.listener);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, close_survivor, survivors.waited), 0);
    pthread_join(thread, NULL);
    for (int i = 0; i < 5; i++)
        close(survivors.peers[i]);
    cr_assert_eq(waker.clones, 0);
    check_baseline(&start);
}
