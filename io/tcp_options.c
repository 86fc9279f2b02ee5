/* SPDX-License-Identifier: MIT */
/* Connections: options and addresses. */
#include <errno.h>
#include <netinet/tcp.h>
#include <uv.h>

#include "tcp_internal.h"

static int set(struct edo_tcp *stream, int level, int name, const void *value, socklen_t size)
{
    if (stream->fd < 0)
        return UV_ECANCELED;
    return setsockopt(stream->fd, level, name, value, size) == 0 ? 0 : -errno;
}

static int set_int(struct edo_tcp *stream, int level, int name, int value)
{
    return set(stream, level, name, &value, sizeof value);
}

static int get(struct edo_tcp *stream, int level, int name, void *value, socklen_t size)
{
    if (stream->fd < 0)
        return UV_ECANCELED;
    return getsockopt(stream->fd, level, name, value, &size) == 0 ? 0 : -errno;
}

int edo_tcp_set_nodelay(struct edo_tcp *stream, bool on)
{
    return set_int(stream, IPPROTO_TCP, TCP_NODELAY, on);
}

int edo_tcp_nodelay(struct edo_tcp *stream, bool *on)
{
    int value = 0, error = get(stream, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value);
    *on = value != 0;
    return error;
}

int edo_tcp_set_keepalive(struct edo_tcp *stream, unsigned idle_seconds)
{
    int error = 0;
    if (idle_seconds > 0)
        error = set_int(stream, IPPROTO_TCP, TCP_KEEPIDLE, (int)idle_seconds);
    return error < 0 ? error : set_int(stream, SOL_SOCKET, SO_KEEPALIVE, idle_seconds > 0);
}

int edo_tcp_set_linger(struct edo_tcp *stream, int seconds)
{
    struct linger linger = {.l_onoff = seconds >= 0, .l_linger = seconds >= 0 ? seconds : 0};
    return set(stream, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

int edo_tcp_linger(struct edo_tcp *stream, int *seconds)
{
    struct linger linger = {0};
    int error = get(stream, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    *seconds = linger.l_onoff ? linger.l_linger : -1;
    return error;
}

int edo_tcp_set_send_buffer(struct edo_tcp *stream, int bytes)
{
    return set_int(stream, SOL_SOCKET, SO_SNDBUF, bytes);
}

int edo_tcp_set_receive_buffer(struct edo_tcp *stream, int bytes)
{
    return set_int(stream, SOL_SOCKET, SO_RCVBUF, bytes);
}

int edo_tcp_send_buffer(struct edo_tcp *stream, int *bytes)
{
    return get(stream, SOL_SOCKET, SO_SNDBUF, bytes, sizeof *bytes);
}

int edo_tcp_receive_buffer(struct edo_tcp *stream, int *bytes)
{
    return get(stream, SOL_SOCKET, SO_RCVBUF, bytes, sizeof *bytes);
}

int edo_tcp_take_error(struct edo_tcp *stream)
{
    int value = 0, error = get(stream, SOL_SOCKET, SO_ERROR, &value, sizeof value);
    return error < 0 ? error : -value;
}

int edo_tcp_peer(struct edo_tcp *stream, struct edo_addr *addr)
{
    addr->length = sizeof addr->v6;
    if (stream->fd < 0)
        return UV_ECANCELED;
    return getpeername(stream->fd, &addr->any, &addr->length) == 0 ? 0 : -errno;
}

int edo_tcp_local(struct edo_tcp *stream, struct edo_addr *addr)
{
    addr->length = sizeof addr->v6;
    if (stream->fd < 0)
        return UV_ECANCELED;
    return getsockname(stream->fd, &addr->any, &addr->length) == 0 ? 0 : -errno;
}

int edo_tcp_fd(const struct edo_tcp *stream)
{
    return stream->fd;
}
