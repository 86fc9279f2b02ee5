/* SPDX-License-Identifier: MIT */
/* Time and I/O when things fail: every allocation, one at a time and all from the n-th on; system
 * calls that are interrupted, would block, or do less than they were asked; and every await dropped.
 * Each time: a clean error, no hang, nothing left behind. */
#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include "io_helpers.h"
#include "support/sweep.h"

/* ---- System calls that misbehave on request ---- */

enum { EVERY_CALL = 1 << 30 };

/* What happens to the calls of this thread while `active`. */
static _Thread_local struct faults {
    bool active;
    unsigned interrupt_every, block_every; /* the n-th, 2n-th, … call is EINTR, EAGAIN */
    bool one_byte;                         /* reads and writes move a byte */
    int socket_error, accept_error, epoll_error;
    unsigned left; /* of the errors above: so often */
    unsigned calls, delivered;
} faults;

static bool fails(int *error)
{
    if (!faults.active)
        return false;
    faults.calls++;
    *error = 0;
    if (faults.interrupt_every > 0 && faults.calls % faults.interrupt_every == 0)
        *error = EINTR;
    else if (faults.block_every > 0 && faults.calls % faults.block_every == 0)
        *error = EAGAIN;
    faults.delivered += *error != 0;
    return *error != 0;
}

static bool fails_with(int wanted, int *error)
{
    if (!faults.active || wanted == 0 || faults.left == 0)
        return false;
    faults.left -= faults.left != EVERY_CALL;
    faults.delivered++;
    *error = wanted;
    return true;
}

/* The next definition: the C library's, or a sanitizer's. */
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* What was added to an epoll. */
enum { FDS_MAX = 4096 };
static struct {
    int epoll;
    struct epoll_event event;
} added[FDS_MAX];

/* A descriptor that would block, or moved less than it was asked for, is told of when that has changed: here, at
 * once. Returns `result`. */
static ssize_t told_again(int fd, ssize_t result)
{
    int error = errno;
    if (faults.active && fd < FDS_MAX && added[fd].epoll > 0)
        NEXT(epoll_ctl)(added[fd].epoll, EPOLL_CTL_MOD, fd, &added[fd].event);
    errno = error;
    return result;
}

static bool fails_on(int fd)
{
    if (!fails(&errno))
        return false;
    told_again(fd, 0);
    return true;
}

static size_t moved(size_t size)
{
    return faults.active && faults.one_byte && size > 1 ? 1 : size;
}

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    if (fails_on(fd))
        return -1;
    return told_again(fd, NEXT(recv)(fd, buffer, moved(size), flags));
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    if (fails_on(fd))
        return -1;
    return told_again(fd, NEXT(send)(fd, data, moved(size), flags));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (fails_on(fd))
        return -1;
    if (!faults.active || !faults.one_byte)
        return NEXT(sendmsg)(fd, message, flags);
    for (size_t i = 0; i < message->msg_iovlen; i++)
        if (message->msg_iov[i].iov_len > 0)
            return told_again(fd, NEXT(send)(fd, message->msg_iov[i].iov_base, 1, flags));
    return 0;
}

int accept4(int fd, struct sockaddr *restrict addr, socklen_t *restrict length, int flags)
{
    if (fails_on(fd) || fails_with(faults.accept_error, &errno))
        return -1;
    return NEXT(accept4)(fd, addr, length, flags);
}

int socket(int family, int type, int protocol)
{
    if (fails_with(faults.socket_error, &errno))
        return -1;
    return NEXT(socket)(family, type, protocol);
}

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    if (op == EPOLL_CTL_ADD && fails_with(faults.epoll_error, &errno))
        return -1;
    if (!faults.active || fd >= FDS_MAX) {
        /* Another test's, on any thread. */
    } else if (op == EPOLL_CTL_ADD && (event->events & EPOLLET)) {
        added[fd].epoll = epoll;
        added[fd].event = *event;
    } else if (op == EPOLL_CTL_DEL && added[fd].epoll == epoll) {
        added[fd].epoll = 0;
    }
    return NEXT(epoll_ctl)(epoll, op, fd, event);
}

/* ---- The scenario: listen, connect, accept, some lines there and back, close ---- */

static const char lines[] = "one\ntwo, which is longer\n\nfour\n";

struct serve {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    struct edo_tcp *conn;
    char buffer[16];
    struct iovec iov[2];
    size_t got, done;
    struct edo_tcp_accept accept;
    struct edo_read read;
    struct edo_write_vectored write;
};

ASYNC(serve)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->accept, edo_tcp_accept(self->listener));
    self->conn = self->accept.stream;
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, self->buffer, sizeof self->buffer));
        if (self->read.output <= 0)
            RETURN((int)self->read.output);
        self->got = (size_t)self->read.output;
        for (self->done = 0; self->done < self->got; self->done += (size_t)self->write.output) {
            self->iov[0] = (struct iovec){self->buffer + self->done, 1};
            self->iov[1] =
                (struct iovec){self->buffer + self->done + 1, self->got - self->done - 1};
            TRY_AWAIT(self->write, edo_write_vectored(self->conn, self->iov, 2));
        }
    }
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

struct exchange {
    FUTURE(int);
    bool by_name;
    struct edo_tcp_listener *listener;
    struct edo_tcp *conn;
    struct edo_tcp_read_half *reader;
    struct edo_tcp_write_half *writer;
    struct edo_addr addr;
    size_t total;
    int served;
    JOIN_HANDLE(int) server;
    struct edo_buf_reader lines;
    struct edo_timeout timeout;
    struct edo_join join;
    union {
        struct edo_tcp_connect connect;
        struct edo_tcp_connect_name connect_name;
        struct edo_write_all write;
        struct edo_read_until line;
    };
};

ASYNC(exchange)
{
    ASYNC_BEGIN;
    self->addr = loopback(0);
    self->output = edo_tcp_listen(&self->listener, &self->addr);
    if (self->output < 0)
        RETURN(self->output);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &self->addr), 0);
    self->server = SPAWN(NEW(serve, .listener = self->listener));
    if (self->by_name) {
        TRY_AWAIT(self->connect_name,
                  edo_tcp_connect_name("localhost", edo_addr_port(&self->addr)));
        self->conn = self->connect_name.stream;
    } else {
        TRY_AWAIT(self->connect, edo_tcp_connect(&self->addr));
        self->conn = self->connect.stream;
    }
    edo_tcp_split(self->conn, &self->reader, &self->writer);
    edo_buf_reader_init(&self->lines, self->reader, 1000);
    AWAIT(self->write, edo_write_all(self->writer, lines, sizeof lines - 1));
    if (self->write.output < 0)
        RETURN((int)self->write.output);
    edo_tcp_write_half_drop(self->writer);
    self->writer = NULL;
    for (;;) {
        /* A server that cannot accept pauses, maybe for ever. */
        self->line = edo_read_line(&self->lines);
        TRY_AWAIT(self->timeout, edo_timeout(5000, &self->line));
        if (self->line.output <= 0)
            break;
        cr_assert_eq(memcmp(self->line.data, lines + self->total, (size_t)self->line.output), 0);
        self->total += (size_t)self->line.output;
    }
    if (self->line.output < 0)
        RETURN((int)self->line.output);
    if (self->total < sizeof lines - 1)
        RETURN(UV_EOF);
    self->join = edo_join(self->server, &self->served);
    self->server = NULL; /* the join's now */
    AWAIT_REF(self->join);
    RETURN(self->join.output < 0 ? self->join.output : self->served);
ASYNC_FINALLY:
    if (self->server != NULL) {
        edo_task_abort(self->server);
        edo_task_detach(self->server);
    }
    if (self->reader == NULL)
        edo_tcp_close(self->conn);
    edo_buf_reader_free(&self->lines);
    edo_tcp_read_half_drop(self->reader);
    edo_tcp_write_half_drop(self->writer);
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

/* Sleeps, a timeout, an interval, in tasks of their own. */
struct naps {
    FUTURE(int);
    struct edo_sleep sleep, inner;
    struct edo_timeout timeout;
    struct edo_interval interval;
    struct edo_interval_tick tick;
    int i;
};

ASYNC(naps)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->sleep, edo_sleep(10));
    self->inner = edo_sleep(1000);
    AWAIT(self->timeout, edo_timeout(10, &self->inner));
    if (self->timeout.output != UV_ETIMEDOUT)
        RETURN(-1);
    self->interval = edo_interval(5);
    for (self->i = 0; self->i < 5; self->i++)
        TRY_AWAIT(self->tick, edo_interval_tick(&self->interval));
    edo_sleep_reset(&self->sleep, edo_instant_add(edo_now(), 5));
    AWAIT_REF(self->sleep);
    RETURN(self->sleep.output);
    ASYNC_END;
}

struct sleepers {
    FUTURE(int);
    JOIN_HANDLE(int) handles[4];
    int results[4], i;
    struct edo_join join;
};

ASYNC(sleepers)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < 4; self->i++)
        self->handles[self->i] = SPAWN(NEW(naps));
    for (self->i = 0; self->i < 4; self->i++) {
        self->join = edo_join(self->handles[self->i], &self->results[self->i]);
        self->handles[self->i] = NULL; /* the join's now */
        AWAIT_REF(self->join);
        if (self->join.output < 0)
            self->output = self->join.output;
        else
            cr_assert_eq(self->results[self->i], 0);
    }
ASYNC_FINALLY:
    for (int i = 0; i < 4; i++)
        edo_task_detach(self->handles[i]);
    ASYNC_END;
}

/* ---- Allocations ---- */

/* Runs a future in a runtime of its own; the first error. The runtime may not even be had. */
#define TRY_RUN(...)                                                      \
    __extension__({                                                       \
        struct edo_runtime *runtime_ = NULL;                              \
        int error_ = edo_runtime_new(&runtime_, .start_paused = true);    \
        if (error_ == 0) {                                                \
            __typeof__((__VA_ARGS__)) future_under_test_ = (__VA_ARGS__); \
            error_ = edo_block_on(runtime_, &future_under_test_);         \
            if (error_ == 0)                                              \
                error_ = future_under_test_.output;                       \
            edo_runtime_drop(runtime_);                                   \
        }                                                                 \
        error_;                                                           \
    })

/* Fails the first allocation, then the second, … until none is left to fail. */
#define FAIL_ALLOCATIONS(...)                                                                \
    do {                                                                                     \
        struct baseline start_ = baseline();                                                 \
        for (int sticky_ = 0; sticky_ < 2; sticky_++) {                                      \
            unsigned n_ = 0, errors_ = 0;                                                    \
            bool fired_ = true;                                                              \
            while (fired_) {                                                                 \
                edo_alloc_fail(++n_, sticky_ != 0);                                          \
                int result_ = TRY_RUN(__VA_ARGS__);                                          \
                fired_ = edo_alloc_fail(0, false);                                           \
                check_baseline(&start_);                                                     \
                cr_assert(result_ <= 0 && (fired_ || result_ == 0), "allocation %u: %s", n_, \
                          edo_strerror(result_));                                            \
                errors_ += result_ < 0;                                                      \
            }                                                                                \
            cr_assert(n_ > 3 && errors_ > 3, "%u allocations, %u errors", n_ - 1, errors_);  \
        }                                                                                    \
    } while (0)

Test(faults_io, a_connection_survives_every_failed_allocation)
{
    FAIL_ALLOCATIONS(NEW(exchange));
}

Test(faults_io, a_connection_by_name_survives_every_failed_allocation)
{
    FAIL_ALLOCATIONS(NEW(exchange, .by_name = true));
}

Test(faults_io, time_survives_every_failed_allocation)
{
    FAIL_ALLOCATIONS(NEW(sleepers));
}

/* libuv's own allocations, too, once a runtime is there: a look-up makes some. */
static void *uv_malloc(size_t size)
{
    return edo_malloc(size);
}

static void *uv_realloc(void *block, size_t size)
{
    return edo_realloc(block, size);
}

static void *uv_calloc(size_t count, size_t size)
{
    return edo_calloc(count, size);
}

static void uv_free(void *block)
{
    edo_free(block);
}

Test(faults_io, libuvs_failed_allocations_are_clean_errors_too)
{
    cr_assert_eq(uv_replace_allocator(uv_malloc, uv_realloc, uv_calloc, uv_free), 0);
    /* libuv's threads, and what it keeps for the process, before the count begins. */
    cr_assert_eq(TRY_RUN(NEW(exchange, .by_name = true)), 0);
    for (int sticky = 0; sticky < 2; sticky++) {
        bool fired = true;
        unsigned errors = 0;
        for (unsigned n = 1; fired; n++) {
            struct baseline start = baseline();
            struct edo_runtime *runtime;
            cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
            struct exchange future = NEW(exchange, .by_name = true);
            edo_alloc_fail(n, sticky != 0);
            int error = edo_block_on(runtime, &future);
            fired = edo_alloc_fail(0, false);
            errors += error < 0 || future.output < 0;
            cr_assert(fired || (error == 0 && future.output == 0));
            edo_runtime_drop(runtime);
            check_baseline(&start);
        }
        cr_assert_gt(errors, 3);
    }
}

/* ---- System calls ---- */

/* Runs the scenario with these faults: it must succeed all the same. */
#define WITH_FAULTS(...)                                                              \
    do {                                                                              \
        struct baseline start_ = baseline();                                          \
        faults = (struct faults){.active = true, __VA_ARGS__};                        \
        int result_ = TRY_RUN(NEW(exchange));                                         \
        faults.active = false;                                                        \
        check_baseline(&start_);                                                      \
        cr_assert_eq(result_, 0, "%s", edo_strerror(result_));                        \
        cr_assert(faults.delivered > 0 || faults.one_byte, "no fault was delivered"); \
    } while (0)

Test(faults_io, interrupted_calls_are_made_again)
{
    for (unsigned n = 2; n < 10; n++)
        WITH_FAULTS(.interrupt_every = n);
}

Test(faults_io, a_call_that_would_block_after_all_waits_again)
{
    for (unsigned n = 2; n < 10; n++)
        WITH_FAULTS(.block_every = n);
    WITH_FAULTS(.block_every = 3, .interrupt_every = 2);
}

Test(faults_io, a_byte_at_a_time_loses_nothing)
{
    WITH_FAULTS(.one_byte = true);
    WITH_FAULTS(.one_byte = true, .interrupt_every = 2, .block_every = 5);
}

Test(faults_io, accept_passes_over_connections_that_are_gone)
{
    static const int gone[] = {ECONNABORTED, EPROTO, ENETDOWN,     ENOPROTOOPT, EHOSTDOWN,
                               ENONET,       EINTR,  EHOSTUNREACH, ENETUNREACH};
    for (size_t i = 0; i < COUNT_OF(gone); i++)
        WITH_FAULTS(.accept_error = gone[i], .left = 3);
}

/* It pauses, and is served when there is room: within the five seconds that the client waits. */
Test(faults_io, accept_waits_for_descriptors_and_memory)
{
    static const int none_left[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    for (size_t i = 0; i < COUNT_OF(none_left); i++)
        WITH_FAULTS(.accept_error = none_left[i], .left = 5);
}

/* An error that stays: it is returned, and nothing is left. */
#define FAIL_WITH(expected, ...)                                           \
    do {                                                                   \
        struct baseline start_ = baseline();                               \
        struct edo_runtime *runtime_;                                      \
        cr_assert_eq(edo_runtime_new(&runtime_, .start_paused = true), 0); \
        struct exchange future_ = NEW(exchange);                           \
        faults = (struct faults){.active = true, __VA_ARGS__};             \
        cr_assert_eq(edo_block_on(runtime_, &future_), 0);                 \
        faults.active = false;                                             \
        edo_runtime_drop(runtime_);                                        \
        check_baseline(&start_);                                           \
        cr_assert_eq(future_.output, (expected));                          \
        cr_assert_gt(faults.delivered, 0);                                 \
    } while (0)

Test(faults_io, an_accept_that_fails_for_good_says_so)
{
    /* The server has gone with the error; the client waits for a line until it has had enough. */
    FAIL_WITH(UV_ETIMEDOUT, .accept_error = EPERM, .left = EVERY_CALL);
    FAIL_WITH(UV_ETIMEDOUT, .accept_error = EMFILE, .left = EVERY_CALL);
}

Test(faults_io, a_socket_that_cannot_be_had_is_an_error)
{
    static const int none_left[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EAFNOSUPPORT};
    for (size_t i = 0; i < COUNT_OF(none_left); i++)
        FAIL_WITH(-none_left[i], .socket_error = none_left[i], .left = 1);
}

/* The n-th descriptor that epoll is asked to take: the listener, the client's, the server's. */
struct epoll_failures {
    FUTURE(int);
    int fds[2];
    struct edo_tcp *conn;
    struct edo_tcp_listener *listener;
    struct edo_tcp_connect connect;
    struct edo_addr addr;
};

ASYNC(epoll_failures)
{
    ASYNC_BEGIN;
    raw_pair(self->fds);
    self->addr = loopback(0);
    faults = (struct faults){.active = true, .epoll_error = ENOSPC, .left = 3};
    cr_assert_eq(edo_tcp_from_fd(self->fds[0], &self->conn), UV_ENOSPC);
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), UV_ENOSPC);
    AWAIT(self->connect, edo_tcp_connect(&self->addr));
    cr_assert_lt(self->connect.output, 0);
    faults.active = false;
    /* The descriptor is still the caller's. */
    cr_assert_eq(edo_tcp_from_fd(self->fds[0], &self->conn), 0);
    edo_tcp_close(self->conn);
    close(self->fds[1]);
    ASYNC_END;
}

/* Alone: the faults are this thread's. */
Test(faults_io, a_descriptor_that_epoll_refuses_is_an_error)
{
    RUN_ALONE(NEW(epoll_failures));
}

/* Of two that have come the first cannot be watched. */
struct unwatched {
    FUTURE(int);
    int clients[2];
    char byte;
    struct edo_tcp_listener *listener;
    struct edo_addr addr;
    struct edo_tcp_accept accept;
};

ASYNC(unwatched)
{
    ASYNC_BEGIN;
    self->addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &self->addr), 0);
    for (int i = 0; i < 2; i++)
        self->clients[i] = raw_connect(&self->addr);
    faults = (struct faults){.active = true, .epoll_error = ENOSPC, .left = 1};
    AWAIT(self->accept, edo_tcp_accept(self->listener));
    faults.active = false;
    cr_assert_eq(self->accept.output, 0, "%s", edo_strerror(self->accept.output));
    cr_assert_eq(edo_tcp_listener_pauses(self->listener), 1);
    cr_assert_eq(recv(self->clients[0], &self->byte, 1, 0), 0);
    edo_tcp_close(self->accept.stream);
    edo_tcp_listener_close(self->listener);
    for (int i = 0; i < 2; i++)
        close(self->clients[i]);
    ASYNC_END;
}

Test(faults_io, accept_waits_for_room_in_epoll)
{
    RUN_ALONE(NEW(unwatched));
}

/* ---- Cancellation ---- */

Test(faults_io, a_connection_may_be_dropped_at_every_await)
{
    SWEEP(NEW(exchange), .real_time = true);
    SWEEP(NEW(exchange));
}

Test(faults_io, a_connection_by_name_may_be_dropped_at_every_await)
{
    SWEEP(NEW(exchange, .by_name = true), .real_time = true);
}

Test(faults_io, time_may_be_dropped_at_every_await)
{
    SWEEP(NEW(sleepers));
    SWEEP(NEW(naps));
}
