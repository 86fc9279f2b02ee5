/* SPDX-License-Identifier: MIT */
/* A row of waiters: futures linked in a list, each with the waker that it was last polled with. The list
 * is a primitive's, and a lock of the primitive's guards it.
 *
 *     struct edo_waker *spare = edo_waker_spare(self->waiter.waker, cx->waker), *old = NULL;
 *     edo_lock(&gate->lock);
 *     bool ready = gate->open;
 *     if (ready)
 *         old = edo_row_leave(&self->waiter);
 *     else
 *         edo_row_join(&gate->row, &self->waiter, &spare);
 *     edo_unlock(&gate->lock);
 *     edo_waker_forget(old);
 *     edo_waker_forget(spare);
 *
 * The rules:
 *  1. A waiter is zero at first. Its owner, the future, writes `waker`, under the lock while it is linked.
 *     Who takes it off takes the waker over, but leaves the pointer: so the owner knows without the lock
 *     whether it has ever been polled in a row. Then `waker` is not NULL.
 *  2. Who takes a waiter off to wake it claims its waker under the same lock, and does not touch the waiter
 *     any more when the lock is let go: it may have been polled, or dropped, and be gone. The wake is
 *     finished after the lock (waiter.h).
 *  3. Who wakes so many that the lock is let go between two batches has to come back for it, while those
 *     of the first batch run, complete, and free what they can. The lock is kept until then in one of two
 *     ways. By the one who wakes: a handle, a count, the future whose poll this is. Or by those who wait:
 *     where one that is still linked does not complete, whatever it finds, all have completed only when
 *     the last has been taken off, after which the lock is let go for good. (A future that is dropped
 *     leaves the row at once; that it is gone tells nobody that the one who wakes is.)
 */
#ifndef EDO_INTERNAL_ROW_H
#define EDO_INTERNAL_ROW_H

#include "list.h"

struct edo_lock;
struct edo_waker;
struct edo_wakes;

struct edo_waiter {
    struct edo_list node;
    struct edo_waker *waker;
};

static inline struct edo_waiter *edo_waiter_of(struct edo_list *node)
{
    return (struct edo_waiter *)node;
}

static inline bool edo_waiter_linked(const struct edo_waiter *waiter)
{
    return edo_list_linked(&waiter->node);
}

/* Stops the program when what the row is of was never initialised: all zeros. */
_Noreturn void edo_row_unmade_(void);
static inline void edo_row_check(const struct edo_list *row)
{
    if (__builtin_expect(row->next == NULL, 0))
        edo_row_unmade_();
}

/* Under the lock: joins the row behind all others, or stays where it is. A *spare that is not NULL is a kept
 * waker, and the waiter's from now on; in its place comes what is to be forgotten after the lock, or NULL.
 * A waiter that is not linked needs one, but for one that is enabled before its first poll. */
static inline void edo_row_join(struct edo_list *row, struct edo_waiter *waiter,
                                struct edo_waker **spare)
{
    struct edo_waker *old = NULL;
    if (edo_waiter_linked(waiter)) {
        old = waiter->waker;
    } else {
        edo_row_check(row);
        edo_list_push_back(row, &waiter->node);
    }
    if (*spare != NULL) {
        waiter->waker = *spare;
        *spare = old;
    }
}

/* Under the lock: takes a waiter off its row, if it is in one. Returns its waker, to be claimed, or forgotten
 * after the lock; or NULL. */
static inline struct edo_waker *edo_row_leave(struct edo_waiter *waiter)
{
    if (!edo_waiter_linked(waiter))
        return NULL;
    edo_list_remove(&waiter->node);
    return waiter->waker;
}

/* The future is dropped: leaves the row. Takes the lock, if it was ever in one. */
void edo_waiter_drop(struct edo_waiter *waiter, struct edo_lock *lock);

/* With the lock, which it lets go: wakes all who are in the row now. They are taken over to a list of the
 * call's first: who comes while the lock is let go is not meant. */
void edo_row_wake_all(struct edo_list *row, struct edo_lock *lock);

/* The same for a row that nobody joins: a list of the caller's own, or that of something that is over. */
void edo_row_drain(struct edo_list *row, struct edo_lock *lock);

/* The same up to the last batch: it ends with the lock, and what is to be finished after it. */
void edo_row_drain_locked(struct edo_list *row, struct edo_lock *lock, struct edo_wakes *last);

#endif
