/* SPDX-License-Identifier: MIT */
/* A descriptor that the driver watches: what io/ is built on.
 *
 *     fd = edo_registration_begin(registration, EDO_READABLE, &told);
 *     if (fd >= 0) {
 *         n = recv(fd, …);
 *         edo_registration_end(registration, n is EAGAIN or less than there was room for ? EDO_READABLE : 0,
 *                              n is EAGAIN, told);
 *     }
 *     if (it was UV_EAGAIN) {
 *         error = edo_registration_wait(registration, &self->waiter, EDO_READABLE, cx->waker);
 *         if (error == 0)
 *             return EDO_PENDING;
 *     }
 *     edo_registration_forget(registration, &self->waiter);
 *
 * The selector tells of readiness once, as it comes (selector.h); the operation is tried by whoever wants it.
 * What was told stands until an operation finds it not to be so any more. That less was moved than there was
 * room for says as much of a stream socket, but when the peer has shut down or failed: that is told with the
 * last of the data, maybe, and stands until an operation would block after all, as it may where what failed was
 * a message in the socket's queue of errors. (Urgent data stop a read short of what comes after them, and so
 * does what comes with descriptors in a local socket: that is read with what comes next.)
 *
 * Threads: on a current-thread runtime that thread only, with no lock and no atomic operation. On a
 * multi-thread runtime any, at the same time: who owns it, is inside a system call or waits keeps it alive.
 */
#ifndef EDO_RUNTIME_REGISTRATION_INTERNAL_H
#define EDO_RUNTIME_REGISTRATION_INTERNAL_H

#include "driver.h"
#include "registration.h"

/* For edo_registration_wait: nothing but its end. Nothing that the selector tells. */
enum { EDO_CLOSING = 128 };

/* Its fields are read by the functions below that are here so that an operation on one thread calls none. */
struct edo_registration {
    struct edo_list link; /* in the driver's, while it is watched, and a moment longer */
    /* Constant. Shared: its handle is kept. */
    struct edo_driver *driver;
    struct edo_lock lock; /* shared: guards all that follows */
    struct edo_note note;
    struct edo_list waiters;
    int fd; /* -1: closed, or given away */
    uint32_t
        refs; /* owners; waiters, woken ones too; who is inside; the driver, which may tell of it */
    uint32_t inside; /* shared: system calls under way on fd */
    uint32_t told;   /* how often */
    uint8_t ready;
    uint8_t ended; /* what of it stays so, until an operation would block */
    bool shared;   /* constant */
    bool watched;  /* by the selector */
    bool closed;   /* by its owner */
    bool orphaned; /* the driver is gone */
};

/* Of a shared one. */
int edo_registration_ready_(struct edo_registration *r, uint8_t interest);
int edo_registration_begin_(struct edo_registration *r, uint8_t interest, uint32_t *told);
void edo_registration_end_(struct edo_registration *r, uint8_t drained, bool blocked,
                           uint32_t told);
/* Of one that has waited. */
void edo_registration_forget_(struct edo_registration *r, struct edo_io_waiter *waiter);

/* Watches fd, which is non-blocking and the registration's from now on. `ready` is what is taken to be ready
 * until an operation finds out. The registration stands at the beginning of a block of edo_malloc, which is
 * its own too, and freed when nobody needs it after edo_registration_close. Returns 0; or an error, and both
 * are still the caller's: EDO_ENORUNTIME, EDO_ESHUTDOWN, UV_EEXIST when it is watched already, what epoll says
 * of it (UV_EPERM for a plain file). */
int edo_registration_open(struct edo_registration *registration, int fd, uint8_t ready);

/* Makes another owner of it. The first to close it ends it; the memory waits for all of them. */
void edo_registration_keep(struct edo_registration *registration);

/* Ends it, on the thread of its runtime, or anywhere when that is gone or has many: waiters are woken, and all
 * calls from now on return UV_ECANCELED. The descriptor is closed as soon as nobody is inside a system call
 * with it: before that its number cannot come again. */
void edo_registration_close(struct edo_registration *registration);

/* Ends it likewise, but returns the descriptor, which nobody watches. Where another thread is inside a
 * system call with it, it is a duplicate, close-on-exec; then UV_EMFILE may come instead, and nothing is
 * changed; as with UV_ECANCELED, when another owner has closed it. */
int edo_registration_release(struct edo_registration *registration);

/* What is ready of `interest`, as far as is known: an operation is worth trying. UV_ECANCELED when it is
 * closed, or the runtime is gone: nothing will become ready any more. */
static inline int edo_registration_ready(struct edo_registration *r, uint8_t interest)
{
    if (edo_unlikely(r->shared))
        return edo_registration_ready_(r, interest);
    return edo_unlikely(r->closed | r->orphaned) ? UV_ECANCELED : r->ready & interest;
}

/* Before a system call: returns the descriptor, which stays open until edo_registration_end, which is to have `told`;
 * UV_ECANCELED; or UV_EAGAIN when nothing of `interest` is ready. With an interest of 0, which is for calls that do not
 * wait, whatever is ready, and also when the runtime is gone. */
static inline int edo_registration_begin(struct edo_registration *r, uint8_t interest,
                                         uint32_t *told)
{
    if (edo_unlikely(r->shared))
        return edo_registration_begin_(r, interest, told);
    *told = 0;
    if (edo_unlikely(r->closed || (interest != 0 && r->orphaned)))
        return UV_ECANCELED;
    return interest == 0 || (r->ready & interest) ? r->fd : UV_EAGAIN;
}

/* The same for a call that has nothing to do with readiness: edo_registration_end(registration, 0, false, 0). */
static inline int edo_registration_hold(struct edo_registration *r)
{
    uint32_t told;
    return edo_registration_begin(r, 0, &told);
}

/* What an operation has found, unless something was told since: `blocked`, by EAGAIN, which no end and no
 * failure gives. */
static inline void edo_registration_drain(struct edo_registration *r, uint8_t drained, bool blocked)
{
    if (edo_unlikely(blocked && (r->ended & drained)))
        r->ended &= (uint8_t)~drained;
    r->ready &= (uint8_t)(~drained | r->ended);
}

/* After it: what of the interest it found not to be ready any more, and whether it would have blocked. */
static inline void edo_registration_end(struct edo_registration *r, uint8_t drained, bool blocked,
                                        uint32_t told)
{
    if (edo_unlikely(r->shared))
        edo_registration_end_(r, drained, blocked, told);
    else
        edo_registration_drain(r, drained, blocked);
}

/* The descriptor, -1 when it is closed; for those that keep it open otherwise. */
int edo_registration_fd(const struct edo_registration *registration);

/* Has the waker woken when one of `interest` is ready, once. Again, with another waker: replaces it.
 * The waiter stays where it is until woken or edo_registration_forget. Returns 0 and the waker will be woken;
 * or UV_ECANCELED, and it may not be. Comes after one of those
 * above, in the same poll: one that is not shared does not look again whether it has ended. */
int edo_registration_wait(struct edo_registration *registration, struct edo_io_waiter *waiter,
                          uint8_t interest, struct edo_waker *waker);

/* Ends a waiter, woken or not; nothing when it never waited. Who waits in it may use the registration until
 * then, also when it is closed; not afterwards. */
static inline void edo_registration_forget(struct edo_registration *r, struct edo_io_waiter *waiter)
{
    if (waiter->interest != 0)
        edo_registration_forget_(r, waiter);
}

/* The lock, for what else the owner keeps in its block; none where it is not shared. */
void edo_registration_lock(struct edo_registration *registration);
void edo_registration_unlock(struct edo_registration *registration);

/* The driver's: who has the loop tells what has become of it; the driver goes, and takes the caller's reference. */
void edo_registration_tell(struct edo_registration *registration, uint8_t ready, uint8_t ended);
void edo_registration_orphan(struct edo_registration *registration);

#endif
