/* SPDX-License-Identifier: MIT */
/* Notify: tells waiting tasks that something has happened, not what.
 *
 *     struct edo_notify ready;                         initialised with edo_notify_init
 *
 *     while (!queue_pop(&self->item))
 *         AWAIT(self->notified, edo_notified(&queue->ready));
 *
 *     queue_push(item);                                elsewhere, any thread
 *     edo_notify_one(&queue->ready);
 *
 * It keeps one permit: a notification that meets no waiter is kept for the next one, so the loop
 * above loses no wake-up. Two that meet none are one. Whoever is notified sees what was written
 * before the notification.
 *
 * To wait for edo_notify_waiters, or to look at a condition between making the future and waiting,
 * make it first: from then on it counts as waiting for edo_notify_waiters; and for edo_notify_one from
 * its first poll, or edo_notified_enable, on.
 */
#ifndef EDO_SYNC_NOTIFY_H
#define EDO_SYNC_NOTIFY_H

#include "../future.h"
#include "../internal/lock.h"
#include "../internal/row.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Stays where it is from edo_notify_init to edo_notify_destroy, and outlives the futures made of it. A
 * call does not touch it after the futures that it notified have completed, but for what edo_notify_destroy
 * waits for: who was notified, and knows that nobody else is, may destroy it. All functions but these two
 * may be called from any thread, from a poll, and by a waker; none allocates or fails. */
struct edo_notify {
    struct edo_lock lock_;
    struct edo_list waiters_; /* in order of arrival */
    uint64_t rounds_;         /* edo_notify_waiters so far */
    bool permit_;
};

void edo_notify_init(struct edo_notify *notify);

/* Nobody waits any more. */
void edo_notify_destroy(struct edo_notify *notify);

/* Wakes the one that has waited longest; keeps a permit when nobody waits, unless there is one. */
void edo_notify_one(struct edo_notify *notify);

/* The same, but wakes the one that came last. */
void edo_notify_last(struct edo_notify *notify);

/* Wakes all futures that were made before, and keeps no permit. */
void edo_notify_waiters(struct edo_notify *notify);

/* edo_notified(&notify): a future that is ready when it has been notified, or finds a permit, which it
 * takes. Cancel safety: dropped after edo_notify_one or edo_notify_last has chosen it, it passes the
 * notification on as they would have. Its place among the waiters is lost. */
struct edo_notified {
    EDO_FUTURE(void);
    struct edo_notify *notify;
    struct edo_waiter waiter;
    uint64_t round;
    uint32_t chosen;
};
struct edo_notified edo_notified(struct edo_notify *notify);

/* Takes the place among the waiters now instead of at the first poll. From then on the future stays
 * where it is. True: it is notified already, and the next poll is ready. */
bool edo_notified_enable(struct edo_notified *notified);

#ifdef __cplusplus
}
#endif

#endif
