/* SPDX-License-Identifier: MIT */
#include "tcp_listener.h"

#include <errno.h>
#include <unistd.h>
#include <uv.h>

#include "../internal/sys.h"
#include "../internal/waiter.h"
#include "tcp_internal.h"

/* Long enough to cost nothing, short enough to recover within a second. */
enum { PAUSE_MS = 100 };

/* Its memory is the registration's. */
struct edo_tcp_listener {
    struct edo_registration registration; /* first */
    uint64_t pauses;                      /* under the registration's lock */
};

/* On failure the descriptor is the caller's. */
static int listener_new(int fd, struct edo_tcp_listener **out)
{
    struct edo_tcp_listener *listener = edo_malloc(sizeof *listener);
    if (listener == NULL)
        return UV_ENOMEM;
    int error = edo_registration_open(&listener->registration, fd, EDO_READABLE);
    if (error < 0) {
        edo_free(listener);
        return error;
    }
    listener->pauses = 0;
    *out = listener;
    return 0;
}

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

int edo_tcp_listen_(struct edo_tcp_listener **listener, const struct edo_addr *addr,
                    const struct edo_tcp_listen_options *options)
{
    int fd = edo_socket(addr->any.sa_family);
    if (fd < 0)
        return fd;
    int error = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (error == 0 && options->reuse_port)
        error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (error == 0 && addr->any.sa_family == AF_INET6)
        error = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->v6_only);
    if (error == 0 && bind(fd, &addr->any, addr->length) != 0)
        error = -errno;
    if (error == 0 && listen(fd, options->backlog > 0 ? options->backlog : 1024) != 0)
        error = -errno;
    if (error == 0)
        error = listener_new(fd, listener);
    if (error < 0)
        edo_socket_close(fd);
    return error;
}

int edo_tcp_listener_from_fd(int fd, struct edo_tcp_listener **listener)
{
    int error = edo_adopt_socket(fd);
    if (error == 0)
        error = listener_new(fd, listener);
    if (error == 0)
        EDO_COUNT(FDS, 1);
    return error;
}

struct edo_tcp_listener *edo_tcp_listener_clone(struct edo_tcp_listener *listener)
{
    edo_registration_keep(&listener->registration);
    return listener;
}

void edo_tcp_listener_close(struct edo_tcp_listener *listener)
{
    if (listener != NULL)
        edo_registration_close(&listener->registration);
}

int edo_tcp_listener_local(struct edo_tcp_listener *listener, struct edo_addr *addr)
{
    addr->length = sizeof addr->v6;
    int fd = edo_registration_hold(&listener->registration);
    if (fd < 0)
        return fd;
    int error = getsockname(fd, &addr->any, &addr->length) == 0 ? 0 : -errno;
    edo_addr_cut(addr);
    edo_registration_end(&listener->registration, 0, false, 0);
    return error;
}

static uint64_t count_pauses(struct edo_tcp_listener *listener, uint64_t more)
{
    edo_registration_lock(&listener->registration);
    uint64_t pauses = listener->pauses += more;
    edo_registration_unlock(&listener->registration);
    return pauses;
}

uint64_t edo_tcp_listener_pauses(const struct edo_tcp_listener *listener)
{
    return count_pauses((struct edo_tcp_listener *)(uintptr_t)listener, 0);
}

/* One connection, or an error; those of a connection that is gone already are passed over, as
 * accept(2) asks for. */
static int accept_from(int listener, struct edo_tcp_accept *self)
{
    for (;;) {
        self->peer.length = sizeof self->peer.v6;
        int fd =
            accept4(listener, &self->peer.any, &self->peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            EDO_COUNT(FDS, 1);
            edo_addr_cut(&self->peer);
            int error = edo_tcp_new(fd, EDO_WRITABLE, &self->stream);
            if (error < 0)
                edo_socket_close(fd);
            return error;
        }
        switch (errno) {
        case EINTR:
        case ECONNABORTED:
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case ENETUNREACH:
            continue;
        case EAGAIN:
            return UV_EAGAIN;
        default:
            return -errno;
        }
    }
}

static int try_accept(struct edo_tcp_accept *self)
{
    struct edo_registration *registration = &self->listener->registration;
    uint32_t told;
    int listener = edo_registration_begin(registration, EDO_READABLE, &told);
    if (listener < 0)
        return listener;
    int error = accept_from(listener, self);
    bool blocked = error == UV_EAGAIN;
    edo_registration_end(registration, blocked ? EDO_READABLE : 0, blocked, told);
    return error;
}

/* The last is epoll's, of which a user may watch so many descriptors (max_user_watches). */
static bool exhausted(int error)
{
    return error == UV_EMFILE || error == UV_ENFILE || error == UV_ENOBUFS || error == UV_ENOMEM ||
           error == UV_ENOSPC;
}

static enum edo_poll end(struct edo_tcp_accept *self)
{
    edo_future_drop(&self->pause.future_, &(struct edo_context){.walk = EDO_WALK_DROP});
    edo_registration_forget(&self->listener->registration, &self->waiter);
    return EDO_READY;
}

static enum edo_poll edo_tcp_accept_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_tcp_accept *self = (struct edo_tcp_accept *)future;
    if (cx->walk == EDO_WALK_DROP)
        return end(self);
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "edo_tcp_accept");
    if (edo_budget_spent_by(cx, self->waiter.waker))
        return EDO_PENDING;
    struct edo_registration *registration = &self->listener->registration;
    int why = UV_ECANCELED;
    for (;;) {
        self->output = edo_registration_ready(registration, 0);
        if (self->output < 0)
            break;
        /* While it pauses, only closing is of interest. */
        uint8_t interest = EDO_CLOSING;
        if (self->pause.future_.poll == NULL ||
            edo_future_poll(&self->pause.future_, cx) == EDO_READY) {
            interest = EDO_READABLE;
            /* No timer is to be had here: trying again at once would not end. */
            if (self->pause.output < 0) {
                self->output = why;
                break;
            }
            self->pause = (struct edo_sleep){.output = 0};
            self->output = try_accept(self);
            if (exhausted(self->output)) {
                why = self->output;
                count_pauses(self->listener, 1);
                self->pause = edo_sleep(PAUSE_MS);
                continue;
            }
            if (self->output != UV_EAGAIN)
                break;
        }
        self->output = edo_registration_wait(registration, &self->waiter, interest, cx->waker);
        if (self->output == 0)
            return EDO_PENDING;
        break;
    }
    edo_budget_spend(cx);
    return end(self);
}

struct edo_tcp_accept edo_tcp_accept(struct edo_tcp_listener *listener)
{
    return EDO_NEW_RETURNED(edo_tcp_accept, .listener = listener);
}

static enum edo_poll edo_tcp_incoming_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_tcp_incoming *self = (struct edo_tcp_incoming *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(&self->accept.future_, cx);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_tcp_incoming");
    if (edo_future_poll(&self->accept.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    self->output = self->accept.output == 0 ? self->accept.stream : NULL;
    return EDO_READY;
}

struct edo_tcp_incoming edo_tcp_incoming(struct edo_tcp_listener *listener)
{
    return EDO_NEW_RETURNED(edo_tcp_incoming, .accept = edo_tcp_accept(listener));
}
