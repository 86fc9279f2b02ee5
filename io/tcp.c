/* SPDX-License-Identifier: MIT */
/* Connections: the operations. Each tries its system call when the registration says it may work,
 * and otherwise waits there. A call that moved less than it could tells that the socket is drained
 * (or full) for now: the next operation waits without asking the kernel. What came in between is
 * told again, and not missed (registration.c). */
#include "tcp.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <uv.h>

#include "../internal/sys.h"
#include "../internal/waiter.h"
#include "../error.h"
#include "tcp_internal.h"

enum { IOV_COUNT_MAX = 1024 };

int edo_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    EDO_COUNT(FDS, 1);
    return fd;
}

void edo_socket_close(int fd)
{
    EDO_COUNT(FDS, -1);
    close(fd);
}

int edo_tcp_new(int fd, uint8_t ready, struct edo_tcp **out)
{
    struct edo_tcp *stream = edo_malloc(sizeof *stream);
    if (stream == NULL)
        return UV_ENOMEM;
    int error = edo_registration_open(&stream->registration, fd, ready);
    if (error < 0) {
        edo_free(stream);
        return error;
    }
    stream->halves = 0;
    *out = stream;
    return 0;
}

struct edo_tcp *edo_tcp_clone(struct edo_tcp *stream)
{
    edo_registration_keep(&stream->registration);
    return stream;
}

void edo_tcp_close(struct edo_tcp *stream)
{
    if (stream != NULL)
        edo_registration_close(&stream->registration);
}

int edo_adopt_socket(int fd)
{
    int one = 1, type;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
        return -errno;
    /* A short read of a datagram says nothing of the next one. */
    if (type != SOCK_STREAM)
        return UV_EINVAL;
    return ioctl(fd, FIONBIO, &one) != 0 ? -errno : 0;
}

int edo_tcp_from_fd(int fd, struct edo_tcp **stream)
{
    int error = edo_adopt_socket(fd);
    /* Nothing has come yet; if it has, the loop says so. There is room to write. */
    if (error == 0)
        error = edo_tcp_new(fd, EDO_WRITABLE, stream);
    if (error == 0)
        EDO_COUNT(FDS, 1);
    return error;
}

int edo_tcp_into_fd(struct edo_tcp *stream)
{
    return edo_registration_release(&stream->registration);
}

/* After a system call, with the errors negative. `n < size` clears readiness. */
static ssize_t settle(struct edo_tcp *stream, uint8_t interest, uint32_t told, ssize_t n,
                      size_t size)
{
    if (n < 0)
        n = -errno;
    if (n == -EWOULDBLOCK)
        n = UV_EAGAIN;
    bool blocked = n == UV_EAGAIN, drained = blocked || (n > 0 && (size_t)n < size);
    edo_registration_end(&stream->registration, drained ? interest : 0, blocked, told);
    return n;
}

/* The system calls, with EINTR retried. `interest` 0: whatever the registration says. */
static ssize_t receive(struct edo_tcp *stream, uint8_t interest, void *buffer, size_t size,
                       int flags)
{
    ssize_t n;
    uint32_t told;
    int fd = edo_registration_begin(&stream->registration, interest, &told);
    if (fd < 0)
        return fd;
    do
        n = recv(fd, buffer, size, flags);
    while (n < 0 && errno == EINTR);
    /* A short peek says nothing: what it saw is still there. */
    return settle(stream, EDO_READABLE, told, n, flags & MSG_PEEK ? 0 : size);
}

static ssize_t transmit(struct edo_tcp *stream, uint8_t interest, const struct iovec *iov,
                        size_t count, size_t size)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = count};
    ssize_t n;
    uint32_t told;
    int fd = edo_registration_begin(&stream->registration, interest, &told);
    if (fd < 0)
        return fd;
    do
        n = count == 1 ? send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
                       : sendmsg(fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return settle(stream, EDO_WRITABLE, told, n, size);
}

/* 0; or UV_ECANCELED when the connection was closed, or its runtime is gone. */
static int check(struct edo_tcp *stream)
{
    return edo_registration_ready(&stream->registration, 0);
}

static ssize_t try_receive(struct edo_tcp *stream, void *buffer, size_t size, int flags)
{
    return size == 0 ? check(stream) : receive(stream, EDO_READABLE, buffer, size, flags);
}

static ssize_t try_transmit(struct edo_tcp *stream, const void *data, size_t size)
{
    struct iovec iov = {(void *)(uintptr_t)data, size};
    return size == 0 ? check(stream) : transmit(stream, EDO_WRITABLE, &iov, 1, size);
}

/* The beginning and the end that all operations have. One that has waited may look at the connection until it
 * has forgotten its waiter, also when the connection is closed meanwhile. */
#define OPERATION_BEGIN(type)                                                \
    struct type *self = (struct type *)future;                               \
    if (cx->walk == EDO_WALK_DROP) {                                         \
        edo_registration_forget(&self->stream->registration, &self->waiter); \
        return EDO_READY;                                                    \
    }                                                                        \
    if (cx->walk == EDO_WALK_TRACE)                                          \
        return edo_walk_leaf(cx, #type);                                     \
    if (edo_budget_spent_by(cx, self->waiter.waker))                         \
    return EDO_PENDING

/* Waits after UV_EAGAIN: 0 when it does. */
static int wait(struct edo_tcp *stream, struct edo_io_waiter *waiter, uint8_t interest,
                struct edo_context *cx)
{
    return edo_registration_wait(&stream->registration, waiter, interest, cx->waker);
}

static enum edo_poll finish(struct edo_tcp *stream, struct edo_io_waiter *waiter,
                            struct edo_context *cx)
{
    edo_budget_spend(cx);
    edo_registration_forget(&stream->registration, waiter);
    return EDO_READY;
}

static enum edo_poll edo_read_poll(struct edo_future *future, struct edo_context *cx)
{
    OPERATION_BEGIN(edo_read);
    self->output = try_receive(self->stream, self->buffer, self->size, 0);
    if (self->output == UV_EAGAIN &&
        (self->output = wait(self->stream, &self->waiter, EDO_READABLE, cx)) == 0)
        return EDO_PENDING;
    return finish(self->stream, &self->waiter, cx);
}

struct edo_read edo_read_(struct edo_tcp *stream, void *buffer, size_t size)
{
    return EDO_NEW_RETURNED(edo_read, .stream = stream, .buffer = buffer, .size = size);
}

static enum edo_poll edo_peek_poll(struct edo_future *future, struct edo_context *cx)
{
    OPERATION_BEGIN(edo_peek);
    self->output = try_receive(self->stream, self->buffer, self->size, MSG_PEEK);
    if (self->output == UV_EAGAIN &&
        (self->output = wait(self->stream, &self->waiter, EDO_READABLE, cx)) == 0)
        return EDO_PENDING;
    return finish(self->stream, &self->waiter, cx);
}

struct edo_peek edo_peek_(struct edo_tcp *stream, void *buffer, size_t size)
{
    return EDO_NEW_RETURNED(edo_peek, .stream = stream, .buffer = buffer, .size = size);
}

static enum edo_poll edo_read_exact_poll(struct edo_future *future, struct edo_context *cx)
{
    OPERATION_BEGIN(edo_read_exact);
    ssize_t n = 0;
    while (self->done < self->size) {
        n = try_receive(self->stream, self->buffer + self->done, self->size - self->done, 0);
        if (n == UV_EAGAIN && (n = wait(self->stream, &self->waiter, EDO_READABLE, cx)) == 0)
            return EDO_PENDING;
        if (n <= 0)
            break;
        self->done += (size_t)n;
    }
    self->output = self->done == self->size ? (ssize_t)self->size : n == 0 ? UV_EOF : n;
    return finish(self->stream, &self->waiter, cx);
}

struct edo_read_exact edo_read_exact_(struct edo_tcp *stream, void *buffer, size_t size)
{
    return EDO_NEW_RETURNED(edo_read_exact, .stream = stream, .buffer = buffer, .size = size);
}

static enum edo_poll edo_write_poll(struct edo_future *future, struct edo_context *cx)
{
    OPERATION_BEGIN(edo_write);
    self->output = try_transmit(self->stream, self->data, self->size);
    if (self->output == UV_EAGAIN &&
        (self->output = wait(self->stream, &self->waiter, EDO_WRITABLE, cx)) == 0)
        return EDO_PENDING;
    return finish(self->stream, &self->waiter, cx);
}

struct edo_write edo_write_(struct edo_tcp *stream, const void *data, size_t size)
{
    return EDO_NEW_RETURNED(edo_write, .stream = stream, .data = data, .size = size);
}

static enum edo_poll edo_write_vectored_poll(struct edo_future *future, struct edo_context *cx)
{
    OPERATION_BEGIN(edo_write_vectored);
    size_t count = self->count < IOV_COUNT_MAX ? self->count : IOV_COUNT_MAX, size = 0;
    for (size_t i = 0; i < count; i++)
        if (__builtin_add_overflow(size, self->iov[i].iov_len, &size))
            size = SIZE_MAX;
    self->output = size == 0 ? check(self->stream)
                             : transmit(self->stream, EDO_WRITABLE, self->iov, count, size);
    if (self->output == UV_EAGAIN &&
        (self->output = wait(self->stream, &self->waiter, EDO_WRITABLE, cx)) == 0)
        return EDO_PENDING;
    return finish(self->stream, &self->waiter, cx);
}

struct edo_write_vectored edo_write_vectored_(struct edo_tcp *stream, const struct iovec *iov,
                                              size_t count)
{
    return EDO_NEW_RETURNED(edo_write_vectored, .stream = stream, .iov = iov, .count = count);
}

static enum edo_poll edo_write_all_poll(struct edo_future *future, struct edo_context *cx)
{
    OPERATION_BEGIN(edo_write_all);
    ssize_t n = 0;
    while (self->done < self->size) {
        n = try_transmit(self->stream, self->data + self->done, self->size - self->done);
        if (n == UV_EAGAIN && (n = wait(self->stream, &self->waiter, EDO_WRITABLE, cx)) == 0)
            return EDO_PENDING;
        if (n < 0)
            break;
        self->done += (size_t)n;
    }
    self->output = self->done == self->size ? (ssize_t)self->size : n;
    return finish(self->stream, &self->waiter, cx);
}

struct edo_write_all edo_write_all_(struct edo_tcp *stream, const void *data, size_t size)
{
    return EDO_NEW_RETURNED(edo_write_all, .stream = stream, .data = data, .size = size);
}

static enum edo_poll edo_ready_poll(struct edo_future *future, struct edo_context *cx)
{
    OPERATION_BEGIN(edo_ready);
    if (self->interest == 0 || (self->interest & ~(EDO_READABLE | EDO_WRITABLE)) != 0) {
        self->output = UV_EINVAL;
    } else {
        self->output = edo_registration_ready(&self->stream->registration, self->interest);
        if (self->output == 0 &&
            (self->output = wait(self->stream, &self->waiter, self->interest, cx)) == 0)
            return EDO_PENDING;
    }
    return finish(self->stream, &self->waiter, cx);
}

struct edo_ready edo_ready(struct edo_tcp *stream, int interest)
{
    return EDO_NEW_RETURNED(edo_ready, .stream = stream, .interest = (uint8_t)interest);
}

/* These ask the kernel whatever the registration says: who only tries, and never waits, may give the loop no turn in
 * which it would be told. */
ssize_t edo_try_read_(struct edo_tcp *stream, void *buffer, size_t size)
{
    int error = check(stream);
    return error < 0 || size == 0 ? error : receive(stream, 0, buffer, size, 0);
}

ssize_t edo_try_write_(struct edo_tcp *stream, const void *data, size_t size)
{
    struct iovec iov = {(void *)(uintptr_t)data, size};
    int error = check(stream);
    return error < 0 || size == 0 ? error : transmit(stream, 0, &iov, 1, size);
}

int edo_tcp_shutdown_(struct edo_tcp *stream)
{
    int fd = edo_registration_hold(&stream->registration);
    if (fd < 0)
        return fd;
    int error = shutdown(fd, SHUT_WR) == 0 ? 0 : -errno;
    edo_registration_end(&stream->registration, 0, false, 0);
    return error;
}

/* Halves. */

/* How many owned halves there are, after `change`. */
static uint8_t count_halves(struct edo_tcp *stream, int change)
{
    edo_registration_lock(&stream->registration);
    if (change < 0)
        edo_assert_held(stream->halves, "a half of a connection");
    uint8_t halves = stream->halves = (uint8_t)(stream->halves + change);
    edo_registration_unlock(&stream->registration);
    return halves;
}

void edo_tcp_split(struct edo_tcp *stream, struct edo_tcp_read_half **reader,
                   struct edo_tcp_write_half **writer)
{
    count_halves(stream, 2);
    *reader = edo_tcp_reader(stream);
    *writer = edo_tcp_writer(stream);
}

static void drop_half(struct edo_tcp *stream)
{
    if (count_halves(stream, -1) == 0)
        edo_tcp_close(stream);
}

void edo_tcp_read_half_drop(struct edo_tcp_read_half *reader)
{
    if (reader != NULL)
        drop_half((struct edo_tcp *)reader);
}

void edo_tcp_write_half_drop(struct edo_tcp_write_half *writer)
{
    struct edo_tcp *stream = (struct edo_tcp *)writer;
    if (writer == NULL)
        return;
    if (count_halves(stream, 0) > 1)
        edo_tcp_shutdown_(stream);
    drop_half(stream);
}

int edo_tcp_reunite(struct edo_tcp_read_half *reader, struct edo_tcp_write_half *writer,
                    struct edo_tcp **stream)
{
    if ((struct edo_tcp *)reader != (struct edo_tcp *)writer)
        return UV_EINVAL;
    *stream = (struct edo_tcp *)reader;
    count_halves(*stream, -2);
    return 0;
}

/* Connecting. */

/* What of the attempt is still the future's goes. */
static void connect_end(struct edo_tcp_connect *self)
{
    if (self->pending == NULL)
        return;
    edo_registration_forget(&self->pending->registration, &self->waiter);
    edo_tcp_close(self->pending);
    self->pending = NULL;
}

static enum edo_poll connect_done(struct edo_tcp_connect *self, struct edo_context *cx, int output)
{
    edo_budget_spend(cx);
    self->output = output;
    if (output == 0) {
        self->stream = self->pending;
        edo_registration_forget(&self->stream->registration, &self->waiter);
        self->pending = NULL;
    }
    connect_end(self);
    return EDO_READY;
}

static int connect_start(struct edo_tcp_connect *self)
{
    int fd = edo_socket(self->addr.any.sa_family);
    if (fd < 0)
        return fd;
    int error = 0;
    /* Interrupted, it goes on as if it had not been. */
    if (connect(fd, &self->addr.any, self->addr.length) != 0 && errno != EINPROGRESS &&
        errno != EINTR)
        error = -errno;
    if (error == 0)
        error = edo_tcp_new(fd, 0, &self->pending);
    if (error < 0)
        edo_socket_close(fd);
    return error;
}

static enum edo_poll edo_tcp_connect_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_tcp_connect *self = (struct edo_tcp_connect *)future;
    if (cx->walk == EDO_WALK_DROP) {
        connect_end(self);
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "edo_tcp_connect");
    if (edo_budget_spent_by(cx, self->waiter.waker))
        return EDO_PENDING;
    if (self->pending == NULL) {
        int error = connect_start(self);
        if (error < 0)
            return connect_done(self, cx, error);
    }
    struct edo_registration *registration = &self->pending->registration;
    int output = edo_registration_ready(registration, EDO_WRITABLE);
    if (output == 0 &&
        (output = edo_registration_wait(registration, &self->waiter, EDO_WRITABLE, cx->waker)) == 0)
        return EDO_PENDING;
    return connect_done(self, cx, output < 0 ? output : edo_tcp_take_error(self->pending));
}

struct edo_tcp_connect edo_tcp_connect(const struct edo_addr *addr)
{
    return EDO_NEW_RETURNED(edo_tcp_connect, .addr = *addr);
}
