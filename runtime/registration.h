/* SPDX-License-Identifier: MIT */
/* A descriptor that the driver watches: what io/ is built on. The runtime's own thread only.
 *
 *     for (;;) {
 *         if (edo_registration_ready(registration, EDO_READABLE)) {
 *             n = recv(fd, …);
 *             if (n >= 0 or an error other than EAGAIN) → done
 *             edo_registration_clear(registration, EDO_READABLE);
 *         }
 *         edo_registration_wait(registration, &self->waiter, EDO_READABLE, cx->waker);
 *         return EDO_PENDING;
 *     }
 *
 * libuv tells of readiness, level-triggered; the operation is tried by whoever wants it. Interest
 * stays armed while its events are consumed, so that a busy connection costs no epoll_ctl; it is
 * taken back when events come for readiness that nobody has used.
 */
#ifndef EDO_RUNTIME_REGISTRATION_H
#define EDO_RUNTIME_REGISTRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "../internal/list.h"
#include "../poll.h"

struct edo_registration;

enum edo_interest {
    EDO_READABLE = 1,
    EDO_WRITABLE = 2,
};

/* Part of a future that waits for a descriptor; zero when it does not. */
struct edo_io_waiter {
    struct edo_list link;
    struct edo_waker *waker;
    uint8_t interest;
    bool orphaned; /* the registration went away: the operation fails */
};

/* Watches fd, which is non-blocking and stays the caller's, on the runtime that this thread runs.
 * Returns 0, EDO_ENORUNTIME, UV_ENOMEM, UV_EEXIST when it is watched already, or what epoll says of
 * it (UV_EPERM for a plain file). It is taken to be ready until an operation finds out. */
int edo_registration_open(int fd, struct edo_registration **registration);

/* Ends it, on the thread of its runtime, or anywhere when that is gone: waiters are woken, orphaned.
 * The descriptor may be closed right after. NULL is fine. */
void edo_registration_close(struct edo_registration *registration);

/* Whether the runtime is gone: nothing will become ready any more. */
bool edo_registration_orphaned(const struct edo_registration *registration);

/* What is ready, as far as is known: an operation is worth trying. */
uint8_t edo_registration_ready(const struct edo_registration *registration, uint8_t interest);

/* An operation found that it is not. */
void edo_registration_clear(struct edo_registration *registration, uint8_t interest);

/* Has the waker woken when one of `interest` is ready, once. Again, with another waker: replaces it.
 * The waiter stays where it is until woken or edo_registration_forget. */
void edo_registration_wait(struct edo_registration *registration, struct edo_io_waiter *waiter,
                           uint8_t interest, struct edo_waker *waker);

/* Unlinks a waiter; nothing when it is not linked. */
void edo_registration_forget(struct edo_io_waiter *waiter);

/* The driver's: its loop is about to go. */
void edo_registration_orphan_all(struct edo_list *registrations);

#endif
