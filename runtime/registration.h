/* SPDX-License-Identifier: MIT */
/* A descriptor that the driver watches: what io/ is built on.
 *
 *     fd = edo_registration_begin(registration, EDO_READABLE);
 *     if (fd >= 0) {
 *         n = recv(fd, …);
 *         edo_registration_end(registration, n is EAGAIN or less than there was room for ? EDO_READABLE : 0);
 *     }
 *     if (it was UV_EAGAIN) {
 *         error = edo_registration_wait(registration, &self->waiter, EDO_READABLE, cx->waker);
 *         if (error == 0)
 *             return EDO_PENDING;
 *     }
 *     edo_registration_forget(registration, &self->waiter);
 *
 * libuv tells of readiness, level-triggered; the operation is tried by whoever wants it. Interest
 * stays armed while its events are consumed, so that a busy connection costs no epoll_ctl; it is
 * taken back when events come for readiness that nobody has used.
 *
 * Threads: on a current-thread runtime that thread only, with no lock and no atomic operation. On a
 * multi-thread runtime any, the calls at once if need be; but for open and close, which are the owner's.
 */
#ifndef EDO_RUNTIME_REGISTRATION_H
#define EDO_RUNTIME_REGISTRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "../internal/list.h"
#include "../poll.h"

struct edo_registration; /* registration_internal.h, for those that have one inside */

enum edo_interest {
    EDO_READABLE = 1,
    EDO_WRITABLE = 2,
};

/* For edo_registration_wait: nothing but its end. */
enum { EDO_CLOSING = 4 };

/* Part of a future that waits for a descriptor; zero when it does not. */
struct edo_io_waiter {
    struct edo_list link;
    struct edo_waker *waker;
    uint8_t interest; /* not 0: it has waited, and keeps the registration's memory */
};

/* Watches fd, which is non-blocking and the registration's from now on. `ready` is what is taken to be ready
 * until an operation finds out. The registration stands at the beginning of a block of edo_malloc, which is
 * its own too, and freed when nobody needs it after edo_registration_close. Returns 0; or an error, and both
 * are still the caller's: EDO_ENORUNTIME, EDO_ESHUTDOWN, UV_EEXIST when it is watched already, what epoll says
 * of it (UV_EPERM for a plain file). In a multi-thread runtime it is bound to a worker's loop when an
 * operation first waits, to that of the worker which runs it: the errors of libuv come from edo_registration_wait. */
int edo_registration_open(struct edo_registration *registration, int fd, uint8_t ready);

/* Makes another owner of it. The first to close it ends it; the memory waits for all of them. */
void edo_registration_keep(struct edo_registration *registration);

/* Ends it, on the thread of its runtime, or anywhere when that is gone or has many: waiters are woken, and all
 * calls from now on return UV_ECANCELED. The descriptor is closed as soon as libuv has let go of it and nobody
 * is inside a system call with it: before that its number cannot come again. */
void edo_registration_close(struct edo_registration *registration);

/* Ends it likewise, but returns the descriptor, which nobody watches. Where another thread has the loop, or is
 * inside a system call, it is a duplicate, close-on-exec; then UV_EMFILE may come instead, and nothing is
 * changed; as with UV_ECANCELED, when another owner has closed it. */
int edo_registration_release(struct edo_registration *registration);

/* What is ready of `interest`, as far as is known: an operation is worth trying. UV_ECANCELED when it is
 * closed, or the runtime is gone: nothing will become ready any more. */
int edo_registration_ready(struct edo_registration *registration, uint8_t interest);

/* Before a system call: returns the descriptor, which stays open until edo_registration_end; UV_ECANCELED; or
 * UV_EAGAIN when nothing of `interest` is ready. With an interest of 0, which is for calls that do not wait,
 * whatever is ready, and also when the runtime is gone. */
int edo_registration_begin(struct edo_registration *registration, uint8_t interest);

/* After it: what of the interest it found not to be ready any more. */
void edo_registration_end(struct edo_registration *registration, uint8_t drained);

/* The descriptor, -1 when it is closed; for those that keep it open otherwise. */
int edo_registration_fd(const struct edo_registration *registration);

/* Has the waker woken when one of `interest` is ready, once. Again, with another waker: replaces it.
 * The waiter stays where it is until woken or edo_registration_forget. Returns 0 and the waker will be woken;
 * or an error, and it may not be: UV_ECANCELED, or why the descriptor cannot be watched. */
int edo_registration_wait(struct edo_registration *registration, struct edo_io_waiter *waiter,
                          uint8_t interest, struct edo_waker *waker);

/* Ends a waiter, woken or not; nothing when it never waited. Who waits in it may use the registration until
 * then, also when it is closed; not afterwards. */
void edo_registration_forget(struct edo_registration *registration, struct edo_io_waiter *waiter);

/* The lock, for what else the owner keeps in its block; none where it is not shared. */
void edo_registration_lock(struct edo_registration *registration);
void edo_registration_unlock(struct edo_registration *registration);

/* The driver's: its loop is about to go. Who has the loop. */
void edo_registration_orphan_all(struct edo_list *registrations);

#endif
