/* SPDX-License-Identifier: MIT */
/* TCP listeners.
 *
 *     edo_tcp_listen(&self->listener, &addr);
 *     for (;;) {
 *         AWAIT(self->accept, edo_tcp_accept(self->listener));
 *         if (self->accept.output < 0)
 *             RETURN(self->accept.output);
 *         SPAWN_DETACHED(NEW(serve, .conn = self->accept.stream));
 *     }
 *
 * Owned by whoever made it; used on the thread of the runtime it was made in, or on a multi-thread one's
 * by any. Several tasks may accept at once.
 */
#ifndef EDO_IO_TCP_LISTENER_H
#define EDO_IO_TCP_LISTENER_H

#include "../runtime/time.h"
#include "tcp.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_tcp_listener;

struct edo_tcp_listen_options {
    int backlog;     /* 1024 when 0; the kernel cuts it at net.core.somaxconn */
    bool reuse_port; /* several listeners share the port */
    bool v6_only;    /* an IPv6 listener takes no IPv4 connections */
};

/* edo_tcp_listen(&listener, &addr, .backlog = …): binds, with SO_REUSEADDR, and listens. Port 0
 * picks one. Returns 0, or UV_EADDRINUSE, UV_EACCES, UV_EMFILE, UV_ENOMEM, EDO_ENORUNTIME, … */
#define edo_tcp_listen(listener, addr, ...) \
    edo_tcp_listen_((listener), (addr), &(const struct edo_tcp_listen_options){__VA_ARGS__})

/* Takes over a listening socket; made non-blocking. 0 and the listener; or an error, as edo_tcp_from_fd (tcp.h): the
 * descriptor is still the caller's. */
int edo_tcp_listener_from_fd(int fd, struct edo_tcp_listener **listener);

/* Another owner of the same listener: each closes; the first to do so ends the accepts of all, those that
 * come later too. As with a connection (tcp.h), on a multi-thread runtime whoever closes and whoever
 * accepts have one each. */
struct edo_tcp_listener *edo_tcp_listener_clone(struct edo_tcp_listener *listener);

/* Closes, and frees with the last owner: each owner once. Accepts under way end with UV_ECANCELED. NULL is fine. */
void edo_tcp_listener_close(struct edo_tcp_listener *listener);

/* Where it listens. 0 or an error. */
int edo_tcp_listener_local(struct edo_tcp_listener *listener, struct edo_addr *addr);

/* edo_tcp_accept(listener): waits for a connection. Output 0, and `stream`, the caller's, and
 * `peer`; or a negative error. A connection that was reset before it was accepted is passed over.
 * When descriptors, epoll's watches or memory run out (UV_EMFILE, UV_ENFILE, UV_ENOSPC, UV_ENOBUFS, UV_ENOMEM) it does
 * not return: it waits 100 ms, without looking at the socket, and tries again, so that an accepting
 * loop neither spins nor ends. Of these, UV_ENOSPC and UV_ENOMEM may come after it was accepted: it is closed.
 * (Only where there are no timers, outside of a runtime, it returns them; as the runtime ends, UV_ECANCELED too.)
 * Cancel safe: no connection is lost. */
struct edo_tcp_accept {
    EDO_FUTURE(int);
    struct edo_tcp *stream;
    struct edo_addr peer;
    struct edo_tcp_listener *listener;
    struct edo_io_waiter waiter;
    struct edo_sleep pause;
};
struct edo_tcp_accept edo_tcp_accept(struct edo_tcp_listener *listener);

/* edo_tcp_incoming(listener): the next connection, the caller's; NULL when the listener was closed
 * or failed for good: a loop over it needs no other look at errors. Cancel safe. */
struct edo_tcp_incoming {
    EDO_FUTURE(struct edo_tcp *);
    struct edo_tcp_accept accept;
};
struct edo_tcp_incoming edo_tcp_incoming(struct edo_tcp_listener *listener);

/* How often accepting has paused for want of descriptors or memory. Any thread. */
uint64_t edo_tcp_listener_pauses(const struct edo_tcp_listener *listener);

int edo_tcp_listen_(struct edo_tcp_listener **listener, const struct edo_addr *addr,
                    const struct edo_tcp_listen_options *options);

#ifdef __cplusplus
}
#endif

#endif
