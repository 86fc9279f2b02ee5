/* SPDX-License-Identifier: MIT */
/* Connections: options and addresses. */
#include <errno.h>
#include <netinet/tcp.h>
#include <uv.h>

#include "tcp_internal.h"

/* After a system call. */
static int end(struct edo_tcp *stream, int result)
{
    int error = result == 0 ? 0 : -errno;
    edo_registration_end(&stream->registration, 0, false, 0);
    return error;
}

static int set(struct edo_tcp *stream, int level, int name, const void *value, socklen_t size)
{
    int fd = edo_registration_hold(&stream->registration);
    return fd < 0 ? fd : end(stream, setsockopt(fd, level, name, value, size));
}

static int set_int(struct edo_tcp *stream, int level, int name, int value)
{
    return set(stream, level, name, &value, sizeof value);
}

static int get(struct edo_tcp *stream, int level, int name, void *value, socklen_t size)
{
    int fd = edo_registration_hold(&stream->registration);
    return fd < 0 ? fd : end(stream, getsockopt(fd, level, name, value, &size));
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
    int fd = edo_registration_hold(&stream->registration);
    int error = fd < 0 ? fd : end(stream, getpeername(fd, &addr->any, &addr->length));
    edo_addr_cut(addr);
    return error;
}

int edo_tcp_local(struct edo_tcp *stream, struct edo_addr *addr)
{
    addr->length = sizeof addr->v6;
    int fd = edo_registration_hold(&stream->registration);
    int error = fd < 0 ? fd : end(stream, getsockname(fd, &addr->any, &addr->length));
    edo_addr_cut(addr);
    return error;
}

int edo_tcp_fd(const struct edo_tcp *stream)
{
    return edo_registration_fd(&stream->registration);
}
