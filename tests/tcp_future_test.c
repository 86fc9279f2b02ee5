/* SPDX-License-Identifier: MIT */
/* The futures of connections: dropped at every poll, on another executor. */
#include "io_helpers.h"
#include "support/runtimes.h"

/* A waker of another executor is replaced when the future moves there, and returned. */
struct moves {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer;
    char byte;
    struct counting_waker *first, *second;
    struct edo_read read;
    struct edo_ready ready;
};

ASYNC(moves)
{
    struct edo_context one, two;
    ASYNC_BEGIN;
    edo_context_init(&one, &self->first->waker);
    edo_context_init(&two, &self->second->waker);
    self->conn = half_raw_pair(&self->peer);
    self->read = edo_read(self->conn, &self->byte, 1);
    cr_assert_eq(edo_future_poll(&self->read.future_, &one), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&self->read.future_, &two), EDO_PENDING);
    cr_assert(self->first->clones == 0 && self->second->clones == 1);
    cr_assert_eq(send(self->peer, "x", 1, 0), 1);
    AWAIT(self->ready, edo_ready(self->conn, EDO_READABLE));
    TEST_SETTLES(self->second->clones == 0);
    cr_assert(self->first->wakes == 0 && self->second->wakes == 1 && self->second->clones == 0);
    cr_assert_eq(edo_future_poll(&self->read.future_, &two), EDO_READY);
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(tcp, a_future_that_moves_to_another_executor_wakes_that_one)
{
    struct counting_waker first = counting_waker(), second = counting_waker();
    RUN(NEW(moves, .first = &first, .second = &second));
}

/* ---- Dropped at every poll ---- */

/* Every operation that waits: dropped before its first poll, while it waits, and once it was woken. */
struct drops_all {
    FUTURE(int);
    struct edo_tcp *conn, *full;
    int peer, full_peer, round;
    char buffer[65536];
    struct iovec iov[2];
    struct edo_read read;
    struct edo_peek peek;
    struct edo_read_exact exact;
    struct edo_write write;
    struct edo_write_vectored vectored;
    struct edo_write_all write_all;
    struct edo_ready ready, writable;
    struct edo_yield_now yield;
};

ASYNC(drops_all)
{
    struct edo_future *const all[] = {
        &self->read.future_,  &self->peek.future_,     &self->exact.future_,
        &self->write.future_, &self->vectored.future_, &self->write_all.future_,
        &self->ready.future_, &self->writable.future_,
    };
    ssize_t n;
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    self->full = half_raw_pair(&self->full_peer);
    self->iov[0] = self->iov[1] = (struct iovec){self->buffer, sizeof self->buffer};
    for (self->round = 0; self->round < 3; self->round++) {
        do
            n = edo_try_write(self->full, self->buffer, sizeof self->buffer);
        while (n > 0);
        cr_assert_eq(n, UV_EAGAIN);
        self->read = edo_read(self->conn, self->buffer, 4);
        self->peek = edo_peek(self->conn, self->buffer, 4);
        self->exact = edo_read_exact(self->conn, self->buffer, 4);
        self->write = edo_write(self->full, self->buffer, 4);
        self->vectored = edo_write_vectored(self->full, self->iov, 2);
        self->write_all = edo_write_all(self->full, self->buffer, 4);
        self->ready = edo_ready(self->conn, EDO_READABLE);
        self->writable = edo_ready(self->full, EDO_WRITABLE | EDO_READABLE);
        if (self->round > 0)
            for (size_t i = 0; i < COUNT_OF(all); i++)
                cr_assert_eq(edo_future_poll(all[i], cx), EDO_PENDING, "future %zu", i);
        if (self->round > 1) {
            cr_assert_eq(send(self->peer, "abcd", 4, 0), 4);
            while (recv(self->full_peer, self->buffer, sizeof self->buffer, MSG_DONTWAIT) > 0)
                ;
            AWAIT(self->yield, edo_yield_now());
        }
        for (size_t i = 0; i < COUNT_OF(all); i++)
            edo_future_drop(all[i], cx);
    }
    /* Nothing was read by those that were dropped. */
    AWAIT(self->exact, edo_read_exact(self->conn, self->buffer, 4));
    cr_assert_eq(memcmp(self->buffer, "abcd", 4), 0);
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    edo_tcp_close(self->full);
    close(self->peer);
    close(self->full_peer);
    ASYNC_END;
}

Test(tcp, every_operation_may_be_dropped_at_every_poll)
{
    RUN(NEW(drops_all));
}
