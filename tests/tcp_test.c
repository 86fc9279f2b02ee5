/* SPDX-License-Identifier: MIT */
/* Connections: bytes there and back, connecting, descriptors and options. Each test has its own runtime; peers are
 * raw sockets or the same library. */
#include <fcntl.h>

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
    int nobody = raw_bound(&addr);
    cr_assert_eq(RUN(NEW(connects, .addr = addr)), UV_ECONNREFUSED);
    close(nobody);
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
