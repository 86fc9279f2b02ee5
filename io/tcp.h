/* SPDX-License-Identifier: MIT */
/* TCP connections.
 *
 *     AWAIT(self->connect, edo_tcp_connect(&addr));
 *     if (self->connect.output < 0)
 *         RETURN(self->connect.output);
 *     self->conn = self->connect.stream;
 *     AWAIT(self->write, edo_write_all(self->conn, "PING\r\n", 6));
 *     AWAIT(self->read, edo_read(self->conn, self->buffer, sizeof self->buffer));
 *     ASYNC_FINALLY:
 *     edo_tcp_close(self->conn);
 *
 * A connection is owned by whoever got it, who closes it or makes halves of it. It belongs to the
 * runtime in which it was made: to its thread, or on a multi-thread runtime to all of them. Reading and writing
 * go on side by side, in two tasks if you like; several readers get what comes, in no particular order.
 *
 * The operations are futures; the buffers they are given live as long as they do. Errors are
 * libuv's: UV_ECONNRESET once after a peer's reset, UV_EPIPE for a write that the peer will not
 * read (never SIGPIPE), UV_ECANCELED for an operation whose connection was closed meanwhile, or
 * whose runtime is gone.
 */
#ifndef EDO_IO_TCP_H
#define EDO_IO_TCP_H

#include <sys/types.h>
#include <sys/uio.h>

#include "../future.h"
#include "../runtime/registration.h"
#include "addr.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_tcp;
struct edo_tcp_read_half;
struct edo_tcp_write_half;

/* edo_tcp_connect(&addr): connects. Output 0 and `stream`, the caller's; or UV_ECONNREFUSED,
 * UV_ETIMEDOUT, UV_EMFILE, UV_ENOMEM, …, EDO_ENORUNTIME. The address is copied. Cancel safety:
 * dropped, the attempt is given up and its descriptor closed. For a host's name: io/resolve.h. */
struct edo_tcp_connect {
    EDO_FUTURE(int);
    struct edo_tcp *stream;
    struct edo_addr addr;
    struct edo_tcp *pending;
    struct edo_io_waiter waiter;
};
struct edo_tcp_connect edo_tcp_connect(const struct edo_addr *addr);

/* Takes over a connected stream socket, which is made non-blocking. Returns 0 and the connection; or an error
 * (UV_EBADF, UV_ENOTSOCK, UV_EINVAL: not of streams, UV_EEXIST when this runtime watches it already, UV_ENOMEM,
 * EDO_ENORUNTIME, EDO_ESHUTDOWN), the descriptor still the caller's. In a task, or where a multi-thread runtime is
 * entered. */
int edo_tcp_from_fd(int fd, struct edo_tcp **stream);

/* Returns the descriptor, the connection's memory freed; it stays non-blocking. On a multi-thread
 * runtime it may be a duplicate, close-on-exec, the other being closed as soon as it may; or UV_EMFILE,
 * and the connection is still the caller's. UV_ECANCELED likewise, when another owner has closed it. */
int edo_tcp_into_fd(struct edo_tcp *stream);

/* Another owner of the same connection, for a task that is to close it under others, say: each owner
 * closes; the first to do so ends it, and the others' calls return UV_ECANCELED. Never fails. */
struct edo_tcp *edo_tcp_clone(struct edo_tcp *stream);

/* Closes, and frees with the last owner. Operations under way in other tasks end with UV_ECANCELED: those
 * that have been polled. To begin one takes an owner; so on a multi-thread runtime, where others go on at
 * the same time, whoever closes and whoever may begin have one each, or a half each. The descriptor is
 * closed now, or by whoever comes out of a system call with it last. On a multi-thread runtime the memory
 * goes when its loop has turned, which is made to at the latest when 256 wait for that. NULL is fine. Each
 * owner once: a second time is not noticed, and it may be another's memory by then. */
void edo_tcp_close(struct edo_tcp *stream);

/* What follows takes a connection or, where it fits, a half of one. */

/* edo_read(from, buffer, size): waits until there is something and reads it. Output: how many
 * bytes, at most size; 0 at the end of the stream, or when size is 0; or a negative error.
 * Cancel safe: dropped, nothing was read. */
#define edo_read(from, buffer, size) edo_read_(EDO_READER_(from), (buffer), (size))

/* edo_peek(from, buffer, size): the same, and what was read is read again next time. Cancel safe. */
#define edo_peek(from, buffer, size) edo_peek_(EDO_READER_(from), (buffer), (size))

/* edo_read_exact(from, buffer, size): reads just so much. Output: size; UV_EOF when the stream ends
 * before; or an error. Not cancel safe: dropped, what it has read is in the buffer, `done` bytes,
 * and nowhere else. */
#define edo_read_exact(from, buffer, size) edo_read_exact_(EDO_READER_(from), (buffer), (size))

/* edo_write(to, data, size): waits until there is room, and writes. Output: how many bytes, at
 * least 1 unless size is 0; or an error. Cancel safe: dropped, nothing was written. */
#define edo_write(to, data, size) edo_write_(EDO_WRITER_(to), (data), (size))

/* edo_write_vectored(to, iov, count): the same from several buffers, of which iov and its buffers
 * live as long as the future. At most 1024 are looked at. Cancel safe: dropped, nothing was written. */
#define edo_write_vectored(to, iov, count) edo_write_vectored_(EDO_WRITER_(to), (iov), (count))

/* edo_write_all(to, data, size): writes everything. Output: size, or an error. Not cancel safe:
 * dropped, `done` bytes have been written. */
#define edo_write_all(to, data, size) edo_write_all_(EDO_WRITER_(to), (data), (size))

/* edo_ready(stream, interest): waits until it is likely that a try_ call will do something. Output:
 * which of EDO_READABLE | EDO_WRITABLE are ready; or an error. Cancel safe. */
struct edo_ready edo_ready(struct edo_tcp *stream, int interest);

/* Reads or writes without waiting: how many bytes; 0 at the end; UV_EAGAIN; or an error. */
#define edo_try_read(from, buffer, size) edo_try_read_(EDO_READER_(from), (buffer), (size))
#define edo_try_write(to, data, size)    edo_try_write_(EDO_WRITER_(to), (data), (size))

/* No more will be written: the peer reads to the end. 0 or an error; UV_ENOTCONN after a reset. */
#define edo_tcp_shutdown(to) edo_tcp_shutdown_(EDO_WRITER_(to))

/* Halves. Borrowed ones are the connection under two types, for as long as it lives: */
static inline struct edo_tcp_read_half *edo_tcp_reader(struct edo_tcp *stream)
{
    return (struct edo_tcp_read_half *)stream;
}

static inline struct edo_tcp_write_half *edo_tcp_writer(struct edo_tcp *stream)
{
    return (struct edo_tcp_write_half *)stream;
}

/* Owned ones take the connection: each is dropped by its owner, once, and it is closed with the second.
 * Dropping the writing half first shuts writing down. NULL is fine. A borrowed one that is dropped stops the
 * program. */
void edo_tcp_split(struct edo_tcp *stream, struct edo_tcp_read_half **reader,
                   struct edo_tcp_write_half **writer);
void edo_tcp_read_half_drop(struct edo_tcp_read_half *reader);
void edo_tcp_write_half_drop(struct edo_tcp_write_half *writer);

/* Makes one of two owned halves. UV_EINVAL when they are not of one connection; they are still the
 * caller's. */
int edo_tcp_reunite(struct edo_tcp_read_half *reader, struct edo_tcp_write_half *writer,
                    struct edo_tcp **stream);

/* Options. Each returns 0 or a negative error. */
int edo_tcp_set_nodelay(struct edo_tcp *stream, bool on);
int edo_tcp_nodelay(struct edo_tcp *stream, bool *on);
int edo_tcp_set_keepalive(struct edo_tcp *stream, unsigned idle_seconds); /* 0: off */
int edo_tcp_set_linger(struct edo_tcp *stream, int seconds); /* 0: reset on close; -1: off */
int edo_tcp_linger(struct edo_tcp *stream, int *seconds);
int edo_tcp_set_send_buffer(struct edo_tcp *stream, int bytes);
int edo_tcp_set_receive_buffer(struct edo_tcp *stream, int bytes);
int edo_tcp_send_buffer(struct edo_tcp *stream, int *bytes);
int edo_tcp_receive_buffer(struct edo_tcp *stream, int *bytes);
int edo_tcp_peer(struct edo_tcp *stream, struct edo_addr *addr);
int edo_tcp_local(struct edo_tcp *stream, struct edo_addr *addr);
/* SO_ERROR: takes the pending error, 0 when there is none. */
int edo_tcp_take_error(struct edo_tcp *stream);
/* The descriptor; still the connection's. */
int edo_tcp_fd(const struct edo_tcp *stream);

/* The futures. */
struct edo_read {
    EDO_FUTURE(ssize_t);
    struct edo_tcp *stream;
    void *buffer;
    size_t size;
    struct edo_io_waiter waiter;
};
struct edo_peek {
    EDO_FUTURE(ssize_t);
    struct edo_tcp *stream;
    void *buffer;
    size_t size;
    struct edo_io_waiter waiter;
};
struct edo_read_exact {
    EDO_FUTURE(ssize_t);
    struct edo_tcp *stream;
    char *buffer;
    size_t size, done;
    struct edo_io_waiter waiter;
};
struct edo_write {
    EDO_FUTURE(ssize_t);
    struct edo_tcp *stream;
    const void *data;
    size_t size;
    struct edo_io_waiter waiter;
};
struct edo_write_vectored {
    EDO_FUTURE(ssize_t);
    struct edo_tcp *stream;
    const struct iovec *iov;
    size_t count;
    struct edo_io_waiter waiter;
};
struct edo_write_all {
    EDO_FUTURE(ssize_t);
    struct edo_tcp *stream;
    const char *data;
    size_t size, done;
    struct edo_io_waiter waiter;
};
struct edo_ready {
    EDO_FUTURE(int);
    struct edo_tcp *stream;
    uint8_t interest;
    struct edo_io_waiter waiter;
};

/* Behind the macros: a connection, or the half that may do it; another type does not compile. */
#define EDO_READER_(from)                         \
    _Generic((from), struct edo_tcp *             \
             : (from), struct edo_tcp_read_half * \
             : (struct edo_tcp *)(from))
#define EDO_WRITER_(to) \
    _Generic((to), struct edo_tcp * : (to), struct edo_tcp_write_half * : (struct edo_tcp *)(to))
struct edo_read edo_read_(struct edo_tcp *stream, void *buffer, size_t size);
struct edo_peek edo_peek_(struct edo_tcp *stream, void *buffer, size_t size);
struct edo_read_exact edo_read_exact_(struct edo_tcp *stream, void *buffer, size_t size);
struct edo_write edo_write_(struct edo_tcp *stream, const void *data, size_t size);
struct edo_write_vectored edo_write_vectored_(struct edo_tcp *stream, const struct iovec *iov,
                                              size_t count);
struct edo_write_all edo_write_all_(struct edo_tcp *stream, const void *data, size_t size);
ssize_t edo_try_read_(struct edo_tcp *stream, void *buffer, size_t size);
ssize_t edo_try_write_(struct edo_tcp *stream, const void *data, size_t size);
int edo_tcp_shutdown_(struct edo_tcp *stream);

#ifdef __cplusplus
}
#endif

#endif
