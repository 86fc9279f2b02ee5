/* SPDX-License-Identifier: MIT */
/* Connections: I1, I3, I4, I6 and I7 of the semantics, adopting descriptors, options, several waiters,
 * reused descriptors. Halves are in tcp_half_test.c, listeners in tcp_listener_test.c. */
#include <fcntl.h>
#include <signal.h>

#include "io_helpers.h"
#include "support/runtimes.h"

/* ---- Echo ---- */

struct echo {
    FUTURE(int);
    struct edo_tcp *conn;
    char buffer[1024];
    union {
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
            RETURN((int)self->read.output);
        TRY_AWAIT(self->write, edo_write_all(self->conn, self->buffer, (size_t)self->read.output));
    }
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

struct echo_client {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    struct edo_tcp *conn;
    struct edo_addr addr, local, peer;
    char buffer[64];
    int i, served;
    JOIN_HANDLE(int) handle;
    struct edo_tcp_accept accept;
    struct edo_tcp_connect connect;
    struct edo_write_all write;
    struct edo_read_exact read;
    struct edo_join join;
};

ASYNC(echo_client)
{
    ASYNC_BEGIN;
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &self->addr), 0);
    cr_assert_neq(edo_addr_port(&self->addr), 0);
    self->accept = edo_tcp_accept(self->listener);
    self->connect = edo_tcp_connect(&self->addr);
    JOIN(&self->accept, &self->connect);
    cr_assert(self->accept.output == 0 && self->connect.output == 0);
    self->conn = self->connect.stream;
    self->handle = SPAWN(NEW(echo, .conn = self->accept.stream));

    cr_assert_eq(edo_tcp_local(self->conn, &self->local), 0);
    cr_assert_eq(edo_tcp_peer(self->conn, &self->peer), 0);
    cr_assert_eq(edo_addr_port(&self->peer), edo_addr_port(&self->addr));
    cr_assert_eq(edo_addr_port(&self->accept.peer), edo_addr_port(&self->local));
    cr_assert_neq(fcntl(edo_tcp_fd(self->conn), F_GETFD) & FD_CLOEXEC, 0);
    cr_assert_neq(fcntl(edo_tcp_fd(self->accept.stream), F_GETFD) & FD_CLOEXEC, 0);
    cr_assert_neq(fcntl(edo_tcp_fd(self->accept.stream), F_GETFL) & O_NONBLOCK, 0);

    for (self->i = 0; self->i < 1000; self->i++) {
        memset(self->buffer, 0, sizeof self->buffer);
        AWAIT(self->write, edo_write_all(self->conn, "hello, wide world", 17));
        cr_assert_eq(self->write.output, 17);
        AWAIT(self->read, edo_read_exact(self->conn, self->buffer, 17));
        cr_assert_eq(self->read.output, 17);
        cr_assert_eq(memcmp(self->buffer, "hello, wide world", 17), 0);
    }
    edo_tcp_close(self->conn);
    self->conn = NULL;
    AWAIT(self->join, edo_join(self->handle, &self->served));
    cr_assert(self->join.output == 0 && self->served == 0);
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

Test(tcp, echo_comes_back_over_ipv4)
{
    RUN(NEW(echo_client, .addr = loopback(0)));
}

Test(tcp, echo_comes_back_over_ipv6)
{
    struct edo_addr addr;
    cr_assert_eq(edo_addr_parse(&addr, "[::1]:0"), 0);
    RUN(NEW(echo_client, .addr = addr));
}

/* ---- A full socket buffer and a slow reader ---- */

enum { STREAM_SIZE = 10 * 1024 * 1024 };

enum way { BY_WRITE, BY_WRITE_ALL, BY_VECTORED, BY_READY };

struct sender {
    FUTURE(uint64_t);
    struct edo_tcp *conn;
    enum way way;
    size_t sent, chunk, partial;
    uint64_t hash;
    char *data;
    struct iovec iov[5];
    struct edo_write write;
    struct edo_write_all write_all;
    struct edo_write_vectored vectored;
    struct edo_ready ready;
};

ASYNC(sender)
{
    ssize_t n = 0;
    ASYNC_BEGIN;
    while (self->sent < STREAM_SIZE) {
        self->chunk = 1 + self->sent * 7919 % 300000;
        if (self->chunk > STREAM_SIZE - self->sent)
            self->chunk = STREAM_SIZE - self->sent;
        if (self->way == BY_WRITE) {
            AWAIT(self->write, edo_write(self->conn, self->data + self->sent, self->chunk));
            n = self->write.output;
        } else if (self->way == BY_WRITE_ALL) {
            AWAIT(self->write_all, edo_write_all(self->conn, self->data + self->sent, self->chunk));
            n = self->write_all.output;
            cr_assert_eq(n, (ssize_t)self->chunk);
        } else if (self->way == BY_VECTORED) {
            /* Five buffers, one of nothing. */
            for (size_t i = 0, at = 0; i < 5; i++) {
                size_t size = i == 4 ? self->chunk - at : i == 2 ? 0 : self->chunk / 5;
                self->iov[i] = (struct iovec){self->data + self->sent + at, size};
                at += size;
            }
            AWAIT(self->vectored, edo_write_vectored(self->conn, self->iov, 5));
            n = self->vectored.output;
        } else {
            do {
                AWAIT(self->ready, edo_ready(self->conn, EDO_WRITABLE));
                cr_assert_eq(self->ready.output, EDO_WRITABLE);
                n = edo_try_write(self->conn, self->data + self->sent, self->chunk);
            } while (n == UV_EAGAIN);
        }
        cr_assert(n > 0 && (size_t)n <= self->chunk, "%zd", n);
        self->partial += (size_t)n < self->chunk;
        self->sent += (size_t)n;
    }
    cr_assert(self->way == BY_WRITE_ALL || self->partial > 0, "the buffer was never full");
    RETURN(hash_bytes(HASH_START, self->data, STREAM_SIZE));
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

struct slow_reader {
    FUTURE(int);
    enum way way;
    struct edo_tcp *a, *b;
    char *data, *buffer;
    uint64_t hash, sent_hash;
    size_t total, naps;
    JOIN_HANDLE(uint64_t) handle;
    struct edo_read read;
    struct edo_sleep sleep;
    struct edo_join join;
};

ASYNC(slow_reader)
{
    ASYNC_BEGIN;
    tcp_pair(&self->a, &self->b);
    cr_assert_eq(edo_tcp_set_send_buffer(self->a, 20000), 0);
    cr_assert_eq(edo_tcp_set_receive_buffer(self->b, 20000), 0);
    self->handle = SPAWN(NEW(sender, .conn = self->a, .way = self->way, .data = self->data));
    self->hash = HASH_START;
    for (;;) {
        AWAIT(self->read, edo_read(self->b, self->buffer, 1 + self->total % 60000));
        cr_assert_geq(self->read.output, 0, "%s", edo_strerror((int)self->read.output));
        if (self->read.output == 0)
            break;
        self->hash = hash_bytes(self->hash, self->buffer, (size_t)self->read.output);
        self->total += (size_t)self->read.output;
        if (self->total / 500000 > self->naps) {
            self->naps++;
            AWAIT(self->sleep, edo_sleep(1));
        }
    }
    cr_assert_eq(self->total, STREAM_SIZE);
    AWAIT(self->join, edo_join(self->handle, &self->sent_hash));
    cr_assert_eq(self->hash, self->sent_hash);
ASYNC_FINALLY:
    edo_tcp_close(self->b);
    ASYNC_END;
}

static void check_slow_reader(enum way way)
{
    char *data = malloc(STREAM_SIZE), *buffer = malloc(64 * 1024);
    for (size_t i = 0; i < STREAM_SIZE; i++)
        data[i] = stream_byte(i);
    RUN(NEW(slow_reader, .way = way, .data = data, .buffer = buffer));
    free(data);
    free(buffer);
}

Test(tcp, ten_megabytes_pass_a_full_buffer_by_write)
{
    check_slow_reader(BY_WRITE);
}

Test(tcp, ten_megabytes_pass_a_full_buffer_by_write_all)
{
    check_slow_reader(BY_WRITE_ALL);
}

Test(tcp, ten_megabytes_pass_a_full_buffer_by_write_vectored)
{
    check_slow_reader(BY_VECTORED);
}

Test(tcp, ten_megabytes_pass_a_full_buffer_by_try_write)
{
    check_slow_reader(BY_READY);
}

/* ---- Nothing, much, the end ---- */

struct sizes {
    FUTURE(int);
    struct edo_tcp *a, *b;
    char bytes[4096], back[4096];
    struct iovec iov[3000];
    struct edo_write write;
    struct edo_write_all write_all;
    struct edo_write_vectored vectored;
    struct edo_read read;
    struct edo_peek peek;
    struct edo_read_exact exact;
};

ASYNC(sizes)
{
    ASYNC_BEGIN;
    tcp_pair(&self->a, &self->b);
    /* Nothing: at once, although nothing can be read. */
    AWAIT(self->write, edo_write(self->a, NULL, 0));
    cr_assert_eq(self->write.output, 0);
    AWAIT(self->write_all, edo_write_all(self->a, NULL, 0));
    cr_assert_eq(self->write_all.output, 0);
    AWAIT(self->vectored, edo_write_vectored(self->a, NULL, 0));
    cr_assert_eq(self->vectored.output, 0);
    AWAIT(self->vectored, edo_write_vectored(self->a, self->iov, 3));
    cr_assert_eq(self->vectored.output, 0);
    AWAIT(self->read, edo_read(self->b, NULL, 0));
    cr_assert_eq(self->read.output, 0);
    AWAIT(self->exact, edo_read_exact(self->b, NULL, 0));
    cr_assert_eq(self->exact.output, 0);
    AWAIT(self->peek, edo_peek(self->b, NULL, 0));
    cr_assert_eq(self->peek.output, 0);
    cr_assert_eq(edo_try_read(self->b, NULL, 0), 0);
    cr_assert_eq(edo_try_write(self->a, NULL, 0), 0);

    /* More buffers than one call takes: the first 1024. */
    for (size_t i = 0; i < 3000; i++) {
        self->bytes[i] = stream_byte(i);
        self->iov[i] = (struct iovec){&self->bytes[i], 1};
    }
    AWAIT(self->vectored, edo_write_vectored(self->a, self->iov, 3000));
    cr_assert_eq(self->vectored.output, 1024);
    AWAIT(self->vectored, edo_write_vectored(self->a, self->iov + 1024, 3000 - 1024));
    cr_assert_eq(self->vectored.output, 1024);
    AWAIT(self->vectored, edo_write_vectored(self->a, self->iov + 2048, 3000 - 2048));
    cr_assert_eq(self->vectored.output, 3000 - 2048);
    AWAIT(self->exact, edo_read_exact(self->b, self->back, 3000));
    cr_assert_eq(self->exact.output, 3000);
    cr_assert_eq(memcmp(self->back, self->bytes, 3000), 0);

    /* The end comes in the midst. */
    AWAIT(self->write_all, edo_write_all(self->a, "abc", 3));
    edo_tcp_close(self->a);
    self->a = NULL;
    AWAIT(self->exact, edo_read_exact(self->b, self->back, 5));
    cr_assert_eq(self->exact.output, UV_EOF);
    cr_assert(self->exact.done == 3 && memcmp(self->back, "abc", 3) == 0);
    AWAIT(self->exact, edo_read_exact(self->b, self->back, 5));
    cr_assert(self->exact.output == UV_EOF && self->exact.done == 0);
    AWAIT(self->read, edo_read(self->b, self->back, 5));
    cr_assert_eq(self->read.output, 0);
    AWAIT(self->read, edo_read(self->b, self->back, 5));
    cr_assert_eq(self->read.output, 0);
    AWAIT(self->peek, edo_peek(self->b, self->back, 5));
    cr_assert_eq(self->peek.output, 0);
    cr_assert_eq(edo_try_read(self->b, self->back, 5), 0);
ASYNC_FINALLY:
    edo_tcp_close(self->a);
    edo_tcp_close(self->b);
    ASYNC_END;
}

Test(tcp, nothing_is_written_at_once_and_the_end_is_told_again_and_again)
{
    RUN(NEW(sizes));
}

struct peeks {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer;
    char buffer[8];
    struct edo_peek peek;
    struct edo_read read;
    struct edo_yield_now yield;
};

ASYNC(peeks)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    cr_assert_eq(send(self->peer, "abcd", 4, 0), 4);
    AWAIT(self->peek, edo_peek(self->conn, self->buffer, 8));
    cr_assert(self->peek.output == 4 && memcmp(self->buffer, "abcd", 4) == 0);
    AWAIT(self->peek, edo_peek(self->conn, self->buffer, 2));
    cr_assert_eq(self->peek.output, 2);
    memset(self->buffer, 0, 8);
    AWAIT(self->read, edo_read(self->conn, self->buffer, 3));
    cr_assert(self->read.output == 3 && memcmp(self->buffer, "abc", 3) == 0);
    AWAIT(self->peek, edo_peek(self->conn, self->buffer, 8));
    cr_assert(self->peek.output == 1 && self->buffer[0] == 'd');
    AWAIT(self->read, edo_read(self->conn, self->buffer, 8));
    cr_assert(self->read.output == 1 && self->buffer[0] == 'd');
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(tcp, what_was_peeked_at_is_read_again)
{
    RUN(NEW(peeks));
}

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

/* ---- Connecting ---- */

struct connects {
    FUTURE(int);
    struct edo_addr addr;
    struct edo_tcp_connect connect;
};

ASYNC(connects)
{
    ASYNC_BEGIN;
    AWAIT(self->connect, edo_tcp_connect(&self->addr));
    cr_assert((self->connect.output == 0) == (self->connect.stream != NULL));
    edo_tcp_close(self->connect.stream);
    RETURN(self->connect.output);
    ASYNC_END;
}

Test(tcp, connect_where_nobody_listens_is_refused)
{
    struct edo_addr addr;
    close(raw_listener(&addr));
    cr_assert_eq(RUN(NEW(connects, .addr = addr)), UV_ECONNREFUSED);
    cr_assert_eq(edo_addr_parse(&addr, "[::1]:1"), 0);
    cr_assert_eq(RUN(NEW(connects, .addr = addr)), UV_ECONNREFUSED);
}

Test(tcp, connect_to_what_is_no_address_is_an_error)
{
    struct edo_addr addr = {.length = 0};
    cr_assert_eq(RUN(NEW(connects, .addr = addr)), UV_EAFNOSUPPORT);
    addr = loopback(1);
    addr.length = 3;
    cr_assert_eq(RUN(NEW(connects, .addr = addr)), UV_EINVAL);
}

Test(tcp, connect_without_a_runtime_is_an_error)
{
    struct counting_waker waker = counting_waker();
    struct edo_context cx;
    struct baseline start = baseline();
    edo_context_init(&cx, &waker.waker);
    struct edo_addr addr;
    int listener = raw_listener(&addr);
    struct edo_tcp_connect connect = edo_tcp_connect(&addr);
    cr_assert_eq(edo_future_poll(&connect.future_, &cx), EDO_READY);
    cr_assert_eq(connect.output, EDO_ENORUNTIME);
    struct edo_tcp *stream;
    cr_assert_eq(edo_tcp_from_fd(listener, &stream), EDO_ENORUNTIME);
    struct edo_tcp_listener *ours;
    addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&ours, &addr), EDO_ENORUNTIME);
    close(listener);
    check_baseline(&start);
}

/* A listener whose queue is full: connecting to it waits. */
struct cancels_connect {
    FUTURE(int);
    struct edo_addr addr;
    int listener, full, i;
    struct edo_tcp *conns[64];
    struct edo_tcp_connect connect;
    struct edo_timeout timeout;
};

ASYNC(cancels_connect)
{
    ASYNC_BEGIN;
    self->listener = raw_listener(&self->addr);
    cr_assert_eq(listen(self->listener, 0), 0);
    for (self->i = 0; !self->full; self->i++) {
        cr_assert_lt(self->i, 64);
        self->connect = edo_tcp_connect(&self->addr);
        AWAIT(self->timeout, edo_timeout(20, &self->connect));
        self->full = self->timeout.output == UV_ETIMEDOUT;
        if (!self->full)
            self->conns[self->i] = self->connect.stream;
    }
    TEST_SETTLES(edo_census_now().live[EDO_CENSUS_FDS] == self->i - 1);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_FDS], self->i - 1);
    /* Dropped before its first poll, too. */
    self->connect = edo_tcp_connect(&self->addr);
    DROP(self->connect);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_FDS], self->i - 1);
ASYNC_FINALLY:
    for (int i = 0; i < 64; i++)
        edo_tcp_close(self->conns[i]);
    close(self->listener);
    ASYNC_END;
}

Test(tcp, connect_that_is_dropped_closes_its_descriptor)
{
    RUN(NEW(cancels_connect));
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

/* ---- Descriptors that come and go ---- */

struct adopts {
    FUTURE(int);
    int fds[2], given, file;
    struct edo_tcp *conn, *again;
    char buffer[8];
    struct edo_read read;
    struct edo_write write;
};

ASYNC(adopts)
{
    ASYNC_BEGIN;
    raw_pair(self->fds);
    cr_assert_eq(edo_tcp_from_fd(self->fds[0], &self->conn), 0);
    cr_assert_neq(fcntl(self->fds[0], F_GETFL) & O_NONBLOCK, 0);
    cr_assert_eq(send(self->fds[1], "early", 5, 0), 5);
    AWAIT(self->read, edo_read(self->conn, self->buffer, 8));
    cr_assert_eq(self->read.output, 5);
    /* A descriptor that is watched is not taken again, where that can be told. */
    if (test_workers() == 0)
        cr_assert_eq(edo_tcp_from_fd(self->fds[0], &self->again), UV_EEXIST);
    AWAIT(self->write, edo_write(self->conn, "x", 1));

    /* Given back, it is open, and may be taken again at once. */
    self->given = edo_tcp_into_fd(self->conn);
    cr_assert(self->given == self->fds[0] || (test_workers() > 0 && self->given >= 0));
    self->fds[0] = self->given;
    TEST_SETTLES(edo_census_now().live[EDO_CENSUS_FDS] == 0);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_FDS], 0);
    cr_assert_eq(send(self->fds[0], "y", 1, 0), 1);
    cr_assert_eq(recv(self->fds[1], self->buffer, 2, MSG_WAITALL), 2);
    cr_assert_eq(edo_tcp_from_fd(self->fds[0], &self->conn), 0);
    cr_assert_eq(send(self->fds[1], "late", 4, 0), 4);
    AWAIT(self->read, edo_read(self->conn, self->buffer, 8));
    cr_assert_eq(self->read.output, 4);
    edo_tcp_close(self->conn);
    close(self->fds[1]);

    cr_assert_eq(edo_tcp_from_fd(-1, &self->conn), UV_EBADF);
    TEST_SETTLES(edo_census_now().live[EDO_CENSUS_FDS] == 0);
    cr_assert_eq(edo_tcp_from_fd(self->fds[0], &self->conn), UV_EBADF);
    self->file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    cr_assert_lt(edo_tcp_from_fd(self->file, &self->conn), 0);
    close(self->file);
    ASYNC_END;
}

Test(tcp, a_descriptor_is_adopted_and_given_back)
{
    RUN(NEW(adopts));
}

struct options {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer;
};

ASYNC(options)
{
    int value = 0;
    bool on = false;
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    cr_assert(edo_tcp_set_nodelay(self->conn, true) == 0);
    cr_assert(edo_tcp_nodelay(self->conn, &on) == 0 && on);
    cr_assert(edo_tcp_set_nodelay(self->conn, false) == 0);
    cr_assert(edo_tcp_nodelay(self->conn, &on) == 0 && !on);
    cr_assert(edo_tcp_linger(self->conn, &value) == 0 && value == -1);
    cr_assert(edo_tcp_set_linger(self->conn, 7) == 0);
    cr_assert(edo_tcp_linger(self->conn, &value) == 0 && value == 7);
    cr_assert(edo_tcp_set_linger(self->conn, 0) == 0);
    cr_assert(edo_tcp_linger(self->conn, &value) == 0 && value == 0);
    cr_assert(edo_tcp_set_linger(self->conn, -1) == 0);
    cr_assert(edo_tcp_linger(self->conn, &value) == 0 && value == -1);
    /* The kernel doubles what it is told. */
    cr_assert(edo_tcp_set_send_buffer(self->conn, 30000) == 0);
    cr_assert(edo_tcp_send_buffer(self->conn, &value) == 0 && value == 60000);
    cr_assert(edo_tcp_set_receive_buffer(self->conn, 30000) == 0);
    cr_assert(edo_tcp_receive_buffer(self->conn, &value) == 0 && value == 60000);
    cr_assert(edo_tcp_set_keepalive(self->conn, 60) == 0);
    cr_assert(edo_tcp_set_keepalive(self->conn, 0) == 0);
    cr_assert_lt(edo_tcp_set_keepalive(self->conn, UINT32_MAX), 0);
    cr_assert_eq(edo_tcp_take_error(self->conn), 0);
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(tcp, options_are_set_and_told)
{
    RUN(NEW(options));
}

/* ---- Readiness ---- */

struct tries {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer;
    ssize_t n;
    char buffer[65536];
    struct edo_ready ready;
};

ASYNC(tries)
{
    ssize_t n;
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    cr_assert_eq(edo_try_read(self->conn, self->buffer, 1), UV_EAGAIN);
    AWAIT(self->ready, edo_ready(self->conn, EDO_READABLE | EDO_WRITABLE));
    cr_assert_eq(self->ready.output, EDO_WRITABLE);
    cr_assert_eq(send(self->peer, "abc", 3, 0), 3);
    AWAIT(self->ready, edo_ready(self->conn, EDO_READABLE));
    cr_assert_eq(self->ready.output, EDO_READABLE);
    cr_assert_eq(edo_try_read(self->conn, self->buffer, 2), 2);
    cr_assert_eq(edo_try_read(self->conn, self->buffer, 2), 1);
    cr_assert_eq(edo_try_read(self->conn, self->buffer, 2), UV_EAGAIN);
    while ((n = edo_try_write(self->conn, self->buffer, sizeof self->buffer)) > 0)
        self->n += n;
    cr_assert_eq(n, UV_EAGAIN);
    while (self->n > 0) {
        n = recv(self->peer, self->buffer, sizeof self->buffer, 0);
        cr_assert_gt(n, 0);
        self->n -= n;
    }
    AWAIT(self->ready, edo_ready(self->conn, EDO_WRITABLE));
    cr_assert_eq(self->ready.output, EDO_WRITABLE);
    cr_assert_eq(edo_try_write(self->conn, "x", 1), 1);

    AWAIT(self->ready, edo_ready(self->conn, 0));
    cr_assert_eq(self->ready.output, UV_EINVAL);
    AWAIT(self->ready, edo_ready(self->conn, 16));
    cr_assert_eq(self->ready.output, UV_EINVAL);
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(tcp, try_calls_do_what_can_be_done_without_waiting)
{
    RUN(NEW(tries));
}

/* One who only tries, and never waits, has nobody watch the socket, and still gets what has come. */
struct only_tries {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer, i;
    ssize_t n;
    size_t written;
    char buffer[65536];
    struct edo_sleep sleep;
};

ASYNC(only_tries)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    cr_assert_eq(edo_try_read(self->conn, self->buffer, 8), UV_EAGAIN);
    cr_assert_eq(send(self->peer, "abc", 3, 0), 3);
    for (self->i = 0; self->i < 1000 && self->n != 3; self->i++) {
        self->n = edo_try_read(self->conn, self->buffer, 8);
        cr_assert(self->n == 3 || self->n == UV_EAGAIN);
        AWAIT(self->sleep, edo_sleep(1));
    }
    cr_assert_eq(self->n, 3);
    while ((self->n = edo_try_write(self->conn, self->buffer, sizeof self->buffer)) > 0)
        self->written += (size_t)self->n;
    cr_assert_eq(self->n, UV_EAGAIN);
    while (self->written > 0) {
        self->n = recv(self->peer, self->buffer, sizeof self->buffer, 0);
        cr_assert_gt(self->n, 0);
        self->written -= (size_t)self->n;
    }
    for (self->i = 0; self->i < 1000 && self->n != 1; self->i++) {
        self->n = edo_try_write(self->conn, "x", 1);
        AWAIT(self->sleep, edo_sleep(1));
    }
    cr_assert_eq(self->n, 1);
    shutdown(self->peer, SHUT_WR);
    for (self->i = 0; self->i < 1000 && self->n != 0; self->i++) {
        self->n = edo_try_read(self->conn, self->buffer, 8);
        AWAIT(self->sleep, edo_sleep(1));
    }
    cr_assert_eq(self->n, 0);
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(tcp, one_who_only_tries_gets_what_has_come)
{
    RUN(NEW(only_tries));
}

/* I7: somebody asked once, and does not come back for what was sent. */
struct unread {
    FUTURE(int);
    struct edo_runtime *runtime;
    struct turns turns;
    struct edo_tcp *conn;
    int peer;
    uint64_t cpu;
    char buffer[8];
    struct edo_read read;
    struct edo_ready ready;
    struct edo_sleep sleep;
    struct edo_timeout timeout;
};

ASYNC(unread)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    cr_assert_eq(send(self->peer, "a", 1, 0), 1);
    AWAIT(self->read, edo_read(self->conn, self->buffer, 8));
    self->read = edo_read(self->conn, self->buffer, 8);
    AWAIT(self->timeout, edo_timeout(1, &self->read));
    /* Interest is armed; bytes come, nobody wants them. */
    cr_assert_eq(send(self->peer, "bc", 2, 0), 2);
    turns_start(&self->turns, self->runtime);
    self->cpu = cpu_ns();
    AWAIT(self->sleep, edo_sleep(300));
    cr_assert_lt(self->turns.count, 20, "%" PRIu64 " turns", self->turns.count);
    cr_assert_lt(cpu_ns() - self->cpu, 150u * MS);
    /* They are there when somebody asks. */
    AWAIT(self->read, edo_read(self->conn, self->buffer, 1));
    cr_assert(self->read.output == 1 && self->buffer[0] == 'b');
    self->turns.count = 0;
    AWAIT(self->sleep, edo_sleep(100));
    cr_assert_lt(self->turns.count, 20);
    AWAIT(self->read, edo_read(self->conn, self->buffer, 8));
    cr_assert(self->read.output == 1 && self->buffer[0] == 'c');

    /* The same for the peer's end, and for room to write. */
    self->read = edo_read(self->conn, self->buffer, 8);
    AWAIT(self->timeout, edo_timeout(1, &self->read));
    cr_assert_eq(self->timeout.output, UV_ETIMEDOUT);
    close(self->peer);
    self->peer = -1;
    self->turns.count = 0;
    AWAIT(self->sleep, edo_sleep(100));
    cr_assert_lt(self->turns.count, 20);
    AWAIT(self->read, edo_read(self->conn, self->buffer, 8));
    cr_assert_eq(self->read.output, 0);
    self->turns.count = 0;
    AWAIT(self->sleep, edo_sleep(100));
    cr_assert_lt(self->turns.count, 20);
ASYNC_FINALLY:
    turns_stop(&self->turns);
    edo_tcp_close(self->conn);
    ASYNC_END;
}

Test(tcp, readiness_that_nobody_consumes_does_not_spin_and_is_kept)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct unread future = NEW(unread, .runtime = runtime);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* The same after a reset, which epoll tells of whether one asks or not. */
struct unread_reset {
    FUTURE(int);
    struct edo_runtime *runtime;
    struct turns turns;
    struct edo_tcp *conn;
    int peer;
    char buffer[8];
    struct edo_read read;
    struct edo_sleep sleep;
    struct edo_timeout timeout;
};

ASYNC(unread_reset)
{
    ASYNC_BEGIN;
    turns_start(&self->turns, self->runtime);
    self->conn = half_raw_pair(&self->peer);
    self->read = edo_read(self->conn, self->buffer, 8);
    AWAIT(self->timeout, edo_timeout(1, &self->read));
    raw_reset(self->peer);
    self->turns.count = 0;
    AWAIT(self->sleep, edo_sleep(100));
    cr_assert_lt(self->turns.count, 20, "%" PRIu64 " turns", self->turns.count);
    AWAIT(self->read, edo_read(self->conn, self->buffer, 8));
    cr_assert_eq(self->read.output, UV_ECONNRESET);
ASYNC_FINALLY:
    turns_stop(&self->turns);
    edo_tcp_close(self->conn);
    ASYNC_END;
}

Test(tcp, a_reset_that_nobody_reads_does_not_spin)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct unread_reset future = NEW(unread_reset, .runtime = runtime);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* Several who wait on one socket: every byte goes to one of them, and none sleeps on. */
struct taker {
    FUTURE(int);
    struct edo_tcp *conn;
    _Atomic(int) *taken;
    char byte;
    struct edo_read read;
};

ASYNC(taker)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, &self->byte, 1));
        if (self->read.output <= 0)
            RETURN((int)self->read.output);
        ++*self->taken;
    }
    ASYNC_END;
}

struct several {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer, i, ended;
    _Atomic(int) taken;
    JOIN_HANDLE(int) handles[5];
    struct edo_yield_now yield;
    struct edo_sleep sleep;
    struct edo_join join;
};

ASYNC(several)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    for (self->i = 0; self->i < 5; self->i++)
        self->handles[self->i] = SPAWN(NEW(taker, .conn = self->conn, .taken = &self->taken));
    for (self->i = 0; self->i < 300; self->i++) {
        cr_assert_eq(send(self->peer, "abcdefgh", 1 + self->i % 8, 0), 1 + self->i % 8);
        if (self->i % 3 == 0)
            AWAIT(self->yield, edo_yield_now());
        /* One of those that were woken goes away without looking. */
        if (self->i == 150)
            edo_task_abort(self->handles[2]);
    }
    shutdown(self->peer, SHUT_WR);
    for (self->i = 0; self->i < 5; self->i++) {
        AWAIT(self->join, edo_join(self->handles[self->i], &self->ended));
        /* The one that was aborted may read on to the end where others do so meanwhile. */
        if (self->i != 2 || test_workers() == 0)
            cr_assert_eq(self->join.output, self->i == 2 ? UV_ECANCELED : 0);
    }
    cr_assert_eq(self->taken, 37 * 36 + 1 + 2 + 3 + 4);
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(tcp, several_readers_of_one_socket_get_every_byte_once)
{
    RUN(NEW(several));
}

/* B11: the number of a closed descriptor is used again while events of the old one are about. Both
 * connections are ready in one batch; whichever task runs first closes the other one's connection
 * and opens a new one in its place, on which nothing has come. */
struct reuse;

struct victim {
    FUTURE(int);
    struct reuse *owner;
    int index;
    char byte;
    struct edo_read read;
};

struct reuse {
    FUTURE(int);
    int rounds, i, closed;
    struct edo_tcp *conns[2], *fresh;
    int peers[2], fresh_peer, outputs[2];
    JOIN_HANDLE(int) handles[2];
    char byte;
    struct edo_yield_now yield;
    struct edo_join join;
    struct edo_read read;
    struct edo_timeout timeout;
};

ASYNC(victim)
{
    int other, fd, fds[2];
    struct reuse *owner = self->owner;
    ASYNC_BEGIN;
    AWAIT(self->read, edo_read(owner->conns[self->index], &self->byte, 1));
    if (owner->closed >= 0) {
        cr_assert_eq(self->read.output, UV_ECANCELED);
        RETURN(0);
    }
    cr_assert_eq(self->read.output, 1);
    other = owner->closed = 1 - self->index;
    fd = edo_tcp_fd(owner->conns[other]);
    edo_tcp_close(owner->conns[other]);
    owner->conns[other] = NULL;
    /* The lowest free number is the one just closed. */
    raw_pair(fds);
    cr_assert(fds[0] == fd || fds[1] == fd || dup2(fds[0], fd) == fd);
    if (fds[0] != fd && fds[1] != fd) {
        close(fds[0]);
        fds[0] = fd;
    } else if (fds[1] == fd) {
        fds[1] = fds[0];
        fds[0] = fd;
    }
    cr_assert_eq(edo_tcp_from_fd(fds[0], &owner->fresh), 0);
    owner->fresh_peer = fds[1];
    ASYNC_END;
}

ASYNC(reuse)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < self->rounds; self->i++) {
        self->closed = -1;
        for (int i = 0; i < 2; i++) {
            self->conns[i] = half_raw_pair(&self->peers[i]);
            self->handles[i] = SPAWN(NEW(victim, .owner = self, .index = i));
        }
        AWAIT(self->yield, edo_yield_now());
        cr_assert(send(self->peers[0], "x", 1, 0) == 1 && send(self->peers[1], "x", 1, 0) == 1);
        AWAIT(self->join, edo_join(self->handles[0], &self->outputs[0]));
        AWAIT(self->join, edo_join(self->handles[1], &self->outputs[1]));
        /* The new one is not ready by the old one's event, and is when its own byte comes. */
        self->read = edo_read(self->fresh, &self->byte, 1);
        cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
        AWAIT(self->yield, edo_yield_now());
        cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
        cr_assert_eq(send(self->fresh_peer, "y", 1, 0), 1);
        AWAIT_REF(self->read);
        cr_assert(self->read.output == 1 && self->byte == 'y');
        for (int i = 0; i < 2; i++) {
            edo_tcp_close(self->conns[i]);
            close(self->peers[i]);
        }
        edo_tcp_close(self->fresh);
        close(self->fresh_peer);
    }
    ASYNC_END;
}

Test(tcp, a_reused_descriptor_gets_no_event_of_its_predecessor)
{
    RUN_ALONE(NEW(reuse, .rounds = 2000));
}

/* A reader that always has something lets others run. */
struct endless {
    FUTURE(int);
    struct edo_tcp *conn;
    size_t *reads;
    char byte;
    struct edo_read read;
};

ASYNC(endless)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, &self->byte, 1));
        if (self->read.output <= 0)
            RETURN(0);
        ++*self->reads;
    }
    ASYNC_END;
}

struct fair {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer, i;
    size_t reads, before;
    char buffer[60000];
    struct edo_yield_now yield;
    JOIN_HANDLE(int) handle;
};

ASYNC(fair)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    cr_assert_eq(send(self->peer, self->buffer, sizeof self->buffer, 0), sizeof self->buffer);
    self->handle = SPAWN(NEW(endless, .conn = self->conn, .reads = &self->reads));
    while (self->reads == 0)
        AWAIT(self->yield, edo_yield_now());
    for (self->i = 0; self->i < 100; self->i++) {
        self->before = self->reads;
        AWAIT(self->yield, edo_yield_now());
        cr_assert_leq(self->reads - self->before, EDO_BUDGET);
    }
ASYNC_FINALLY:
    edo_task_abort(self->handle);
    edo_task_detach(self->handle);
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(tcp, a_reader_that_always_has_work_gives_way)
{
    RUN_ALONE(NEW(fair));
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

static void trace_names(void *arg, int depth, const char *name, const char *file, int line)
{
    char *text = arg;
    (void)depth;
    (void)file;
    (void)line;
    sprintf(text + strlen(text), "%s ", name);
}

struct names {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer;
    JOIN_HANDLE(int) handle;
    struct edo_yield_now yield;
};

ASYNC(names)
{
    char text[256] = "";
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    self->handle = SPAWN(NEW(echo, .conn = self->conn));
    AWAIT(self->yield, edo_yield_now());
    cr_assert_eq(edo_task_trace(self->handle, trace_names, text), 0);
    cr_assert_str_eq(text, "echo edo_read ");
    edo_task_abort(self->handle);
    edo_task_detach(self->handle);
    close(self->peer);
    ASYNC_END;
}

Test(tcp, a_trace_names_the_operation)
{
    RUN_ALONE(NEW(names));
}
