/* SPDX-License-Identifier: MIT */
/* Connections: the operations. Each tries its system call when the registration says it may work,
 * and otherwise waits there. A call that moved less than it could tells that the socket is drained
 * (or full) for now: the next operation waits without asking the kernel. Readiness is
 * level-triggered, so what came in between is not missed. */
#include "tcp.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <uv.h>

#include "../internal/sys.h"
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

int edo_tcp_new(int fd, struct edo_tcp **out)
{
    struct edo_tcp *stream = edo_malloc(sizeof *stream);
    if (stream == NULL)
        return UV_ENOMEM;
    int error = edo_registration_open(fd, &stream->registration);
    if (error < 0) {
        edo_free(stream);
        return error;
    }
    /* Nothing has come yet; if it has, the loop says so. There is room to write. */
    edo_registration_clear(stream->registration, EDO_READABLE);
    stream->fd = fd;
    stream->refs = 1;
    stream->halves = 0;
    *out = stream;
    return 0;
}

static void unref(struct edo_tcp *stream)
{
    if (--stream->refs == 0)
        edo_free(stream);
}

/* Takes the registration away; the descriptor is returned. */
static int disconnect(struct edo_tcp *stream)
{
    int fd = stream->fd;
    stream->fd = -1;
    edo_registration_close(stream->registration);
    stream->registration = NULL;
    return fd;
}

void edo_tcp_close(struct edo_tcp *stream)
{
    if (stream == NULL)
        return;
    edo_socket_close(disconnect(stream));
    unref(stream);
}

int edo_tcp_from_fd(int fd, struct edo_tcp **stream)
{
    int one = 1, error = ioctl(fd, FIONBIO, &one) == 0 ? 0 : -errno;
    if (error == 0)
        error = edo_tcp_new(fd, stream);
    if (error == 0)
        EDO_COUNT(FDS, 1);
    return error;
}

int edo_tcp_into_fd(struct edo_tcp *stream)
{
    int fd = disconnect(stream);
    EDO_COUNT(FDS, -1);
    unref(stream);
    return fd;
}

/* Waiting. An operation that is linked holds a reference, so that it finds out that the connection
 * was closed by looking at it. `state` of its future tells: WAITED. */
enum { WAITED = 1 };

static enum edo_poll wait(struct edo_future *future, struct edo_tcp *stream,
                          struct edo_io_waiter *waiter, uint8_t interest, struct edo_context *cx)
{
    if (future->state != WAITED) {
        future->state = WAITED;
        stream->refs++;
    }
    edo_registration_wait(stream->registration, waiter, interest, cx->waker);
    return EDO_PENDING;
}

/* An operation ends, or is dropped. */
static enum edo_poll leave(struct edo_future *future, struct edo_tcp *stream,
                           struct edo_io_waiter *waiter)
{
    if (future->state == WAITED) {
        edo_registration_forget(waiter);
        unref(stream);
        future->state = EDO_STATE_FRESH;
    }
    return EDO_READY;
}

static bool gone(const struct edo_tcp *stream)
{
    return stream->registration == NULL || edo_registration_orphaned(stream->registration);
}

/* The system calls, with EINTR retried and errors negative. `n < size` clears readiness. */
static ssize_t settle(struct edo_tcp *stream, uint8_t interest, ssize_t n, size_t size)
{
    if (n < 0)
        n = -errno;
    if (n == -EWOULDBLOCK)
        n = UV_EAGAIN;
    if (n == UV_EAGAIN || (n > 0 && (size_t)n < size))
        edo_registration_clear(stream->registration, interest);
    return n;
}

static ssize_t receive(struct edo_tcp *stream, void *buffer, size_t size, int flags)
{
    ssize_t n;
    do
        n = recv(stream->fd, buffer, size, flags);
    while (n < 0 && errno == EINTR);
    /* A short peek says nothing: what it saw is still there. */
    return settle(stream, EDO_READABLE, n, flags & MSG_PEEK ? 0 : size);
}

static ssize_t transmit(struct edo_tcp *stream, const struct iovec *iov, size_t count, size_t size)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = count};
    ssize_t n;
    do
        n = count == 1 ? send(stream->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
                       : sendmsg(stream->fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return settle(stream, EDO_WRITABLE, n, size);
}

static ssize_t transmit_one(struct edo_tcp *stream, const void *data, size_t size)
{
    struct iovec iov = {(void *)(uintptr_t)data, size};
    return transmit(stream, &iov, 1, size);
}

static ssize_t try_receive(struct edo_tcp *stream, void *buffer, size_t size, int flags)
{
    if (gone(stream))
        return UV_ECANCELED;
    if (size == 0)
        return 0;
    if (!edo_registration_ready(stream->registration, EDO_READABLE))
        return UV_EAGAIN;
    return receive(stream, buffer, size, flags);
}

static ssize_t try_transmit(struct edo_tcp *stream, const void *data, size_t size)
{
    if (gone(stream))
        return UV_ECANCELED;
    if (size == 0)
        return 0;
    if (!edo_registration_ready(stream->registration, EDO_WRITABLE))
        return UV_EAGAIN;
    return transmit_one(stream, data, size);
}

/* The beginning and the end that all operations have. */
#define OPERATION_BEGIN(type)                              \
    struct type *self = (struct type *)future;             \
    if (cx->walk == EDO_WALK_DROP)                         \
        return leave(future, self->stream, &self->waiter); \
    if (cx->walk == EDO_WALK_TRACE)                        \
        return edo_walk_leaf(cx, #type);                   \
    if (edo_budget_spent(cx))                              \
    return EDO_PENDING

static enum edo_poll finish(struct edo_future *future, struct edo_tcp *stream,
                            struct edo_io_waiter *waiter, struct edo_context *cx)
{
    edo_budget_spend(cx);
    return leave(future, stream, waiter);
}

static enum edo_poll edo_read_poll(struct edo_future *future, struct edo_context *cx)
{
    OPERATION_BEGIN(edo_read);
    self->output = try_receive(self->stream, self->buffer, self->size, 0);
    if (self->output == UV_EAGAIN)
        return wait(future, self->stream, &self->waiter, EDO_READABLE, cx);
    return finish(future, self->stream, &self->waiter, cx);
}

struct edo_read edo_read_(struct edo_tcp *stream, void *buffer, size_t size)
{
    return EDO_NEW_RETURNED(edo_read, .stream = stream, .buffer = buffer, .size = size);
}

static enum edo_poll edo_peek_poll(struct edo_future *future, struct edo_context *cx)
{
    OPERATION_BEGIN(edo_peek);
    self->output = try_receive(self->stream, self->buffer, self->size, MSG_PEEK);
    if (self->output == UV_EAGAIN)
        return wait(future, self->stream, &self->waiter, EDO_READABLE, cx);
    return finish(future, self->stream, &self->waiter, cx);
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
        if (n == UV_EAGAIN)
            return wait(future, self->stream, &self->waiter, EDO_READABLE, cx);
        if (n <= 0)
            break;
        self->done += (size_t)n;
    }
    self->output = self->done == self->size ? (ssize_t)self->size : n == 0 ? UV_EOF : n;
    return finish(future, self->stream, &self->waiter, cx);
}

struct edo_read_exact edo_read_exact_(struct edo_tcp *stream, void *buffer, size_t size)
{
    return EDO_NEW_RETURNED(edo_read_exact, .stream = stream, .buffer = buffer, .size = size);
}

static enum edo_poll edo_write_poll(struct edo_future *future, struct edo_context *cx)
{
    OPERATION_BEGIN(edo_write);
    self->output = try_transmit(self->stream, self->data, self->size);
    if (self->output == UV_EAGAIN)
        return wait(future, self->stream, &self->waiter, EDO_WRITABLE, cx);
    return finish(future, self->stream, &self->waiter, cx);
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
    struct edo_tcp *stream = self->stream;
    if (gone(stream))
        self->output = UV_ECANCELED;
    else if (size == 0)
        self->output = 0;
    else if (!edo_registration_ready(stream->registration, EDO_WRITABLE))
        self->output = UV_EAGAIN;
    else
        self->output = transmit(stream, self->iov, count, size);
    if (self->output == UV_EAGAIN)
        return wait(future, stream, &self->waiter, EDO_WRITABLE, cx);
    return finish(future, stream, &self->waiter, cx);
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
        if (n == UV_EAGAIN)
            return wait(future, self->stream, &self->waiter, EDO_WRITABLE, cx);
        if (n < 0)
            break;
        self->done += (size_t)n;
    }
    self->output = self->done == self->size ? (ssize_t)self->size : n;
    return finish(future, self->stream, &self->waiter, cx);
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
    } else if (gone(self->stream)) {
        self->output = UV_ECANCELED;
    } else {
        self->output = edo_registration_ready(self->stream->registration, self->interest);
        if (self->output == 0)
            return wait(future, self->stream, &self->waiter, self->interest, cx);
    }
    return finish(future, self->stream, &self->waiter, cx);
}

struct edo_ready edo_ready(struct edo_tcp *stream, int interest)
{
    return EDO_NEW_RETURNED(edo_ready, .stream = stream, .interest = (uint8_t)interest);
}

/* These ask the kernel whatever the registration says: while nobody waits, nobody may be watching. */
ssize_t edo_try_read_(struct edo_tcp *stream, void *buffer, size_t size)
{
    if (gone(stream))
        return UV_ECANCELED;
    return size == 0 ? 0 : receive(stream, buffer, size, 0);
}

ssize_t edo_try_write_(struct edo_tcp *stream, const void *data, size_t size)
{
    if (gone(stream))
        return UV_ECANCELED;
    return size == 0 ? 0 : transmit_one(stream, data, size);
}

int edo_tcp_shutdown_(struct edo_tcp *stream)
{
    if (stream->fd < 0)
        return UV_ECANCELED;
    return shutdown(stream->fd, SHUT_WR) == 0 ? 0 : -errno;
}

/* Halves. */

void edo_tcp_split(struct edo_tcp *stream, struct edo_tcp_read_half **reader,
                   struct edo_tcp_write_half **writer)
{
    stream->halves = 2;
    *reader = edo_tcp_reader(stream);
    *writer = edo_tcp_writer(stream);
}

static void drop_half(struct edo_tcp *stream)
{
    if (--stream->halves == 0)
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
    if (stream->halves > 1)
        edo_tcp_shutdown_(stream);
    drop_half(stream);
}

int edo_tcp_reunite(struct edo_tcp_read_half *reader, struct edo_tcp_write_half *writer,
                    struct edo_tcp **stream)
{
    if ((struct edo_tcp *)reader != (struct edo_tcp *)writer)
        return UV_EINVAL;
    *stream = (struct edo_tcp *)reader;
    (*stream)->halves = 0;
    return 0;
}

/* Connecting. */

static enum edo_poll connect_done(struct edo_tcp_connect *self, struct edo_context *cx, int output)
{
    edo_budget_spend(cx);
    self->output = output;
    if (output < 0)
        edo_tcp_close(self->pending);
    else
        self->stream = self->pending;
    self->pending = NULL;
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
        error = edo_tcp_new(fd, &self->pending);
    if (error < 0) {
        edo_socket_close(fd);
        return error;
    }
    edo_registration_clear(self->pending->registration, EDO_WRITABLE);
    return 0;
}

static enum edo_poll edo_tcp_connect_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_tcp_connect *self = (struct edo_tcp_connect *)future;
    if (cx->walk == EDO_WALK_DROP) {
        edo_registration_forget(&self->waiter);
        edo_tcp_close(self->pending);
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "edo_tcp_connect");
    if (edo_budget_spent(cx))
        return EDO_PENDING;
    if (self->pending == NULL) {
        int error = connect_start(self);
        if (error < 0)
            return connect_done(self, cx, error);
    }
    if (gone(self->pending))
        return connect_done(self, cx, UV_ECANCELED);
    if (!edo_registration_ready(self->pending->registration, EDO_WRITABLE)) {
        edo_registration_wait(self->pending->registration, &self->waiter, EDO_WRITABLE, cx->waker);
        return EDO_PENDING;
    }
    edo_registration_forget(&self->waiter);
    return connect_done(self, cx, edo_tcp_take_error(self->pending));
}

struct edo_tcp_connect edo_tcp_connect(const struct edo_addr *addr)
{
    return EDO_NEW_RETURNED(edo_tcp_connect, .addr = *addr);
}
