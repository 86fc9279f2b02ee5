/* SPDX-License-Identifier: MIT */
/* The lock guards the row and the permit. One that has entered, and is in no row, has been notified. By edo_notify_one
 * or edo_notify_last, `chosen` says by which: that is the last that is done to the future, so who finds it there
 * needs no lock. (It may find it before the caller lets the lock go, and destroy the notify, which waits for
 * that.) The others look at the row, under the lock.
 *
 * `rounds_` is also read without the lock, when a future is made. Relaxed: a call of notify_waiters
 * that happens after that counts up from what was read, or from more, and one that is concurrent may
 * be seen or not.
 */
#include "notify.h"

#include "../internal/sys.h"
#include "../internal/waiter.h"

enum { BY_ALL, BY_ONE, BY_LAST };
enum { ENTERED = 1 }; /* a future's state after its first poll, or enable */

static _Atomic(uint64_t) *rounds(struct edo_notify *notify)
{
    return (_Atomic(uint64_t) *)&notify->rounds_;
}

void edo_notify_init(struct edo_notify *notify)
{
    edo_lock_init(&notify->lock_);
    edo_list_init(&notify->waiters_);
    edo_init(rounds(notify), 0);
    notify->permit_ = false;
}

void edo_notify_destroy(struct edo_notify *notify)
{
    /* Who has chosen the last of the waiters may hold it still. */
    edo_lock(&notify->lock_);
    edo_assert(edo_list_empty(&notify->waiters_));
    edo_unlock(&notify->lock_);
    edo_lock_destroy(&notify->lock_);
}

static _Atomic(uint32_t) *chosen(struct edo_notified *notified)
{
    return (_Atomic(uint32_t) *)&notified->chosen;
}

/* Under the lock. Returns what is to be finished after it; or NULL. */
static struct edo_waker *choose_one(struct edo_notify *notify, uint32_t by)
{
    struct edo_list *row = &notify->waiters_;
    if (edo_list_empty(row)) {
        notify->permit_ = true;
        return NULL;
    }
#ifdef EDO_DEBUG
    edo_row_check(row); /* only here: elsewhere it ends in this function as well, at address 0 */
#endif
    struct edo_notified *notified =
        edo_container_of(by == BY_ONE ? row->next : row->prev, struct edo_notified, waiter.node);
    struct edo_waker *waker = edo_row_leave(&notified->waiter);
    struct edo_waker *claimed = waker != NULL ? edo_waker_claim(waker) : NULL;
    /* Release: what was done before the notification. */
    edo_store(chosen(notified), by, release);
    return claimed;
}

static void notify_by(struct edo_notify *notify, uint32_t by)
{
    edo_lock(&notify->lock_);
    struct edo_waker *claimed = choose_one(notify, by);
    edo_unlock(&notify->lock_);
    edo_waker_finish(claimed);
}

void edo_notify_one(struct edo_notify *notify)
{
    notify_by(notify, BY_ONE);
}

void edo_notify_last(struct edo_notify *notify)
{
    notify_by(notify, BY_LAST);
}

void edo_notify_waiters(struct edo_notify *notify)
{
    edo_lock(&notify->lock_);
    edo_fetch_add(rounds(notify), 1, relaxed);
    edo_row_wake_all(&notify->waiters_, &notify->lock_);
}

/* Under the lock: enters, or stays. False: it has been notified. */
static bool wait(struct edo_notified *self, struct edo_waker **spare)
{
    struct edo_notify *notify = self->notify;
    if (self->future_.state == EDO_STATE_FRESH) {
        self->future_.state = ENTERED;
        if (edo_load(rounds(notify), relaxed) != self->round)
            return false;
        if (notify->permit_) {
            notify->permit_ = false;
            edo_store(chosen(self), BY_ONE, relaxed);
            return false;
        }
    } else if (!edo_waiter_linked(&self->waiter)) {
        return false;
    }
    edo_row_join(&notify->waiters_, &self->waiter, spare);
    return true;
}

static void leave(struct edo_notified *self)
{
    struct edo_notify *notify = self->notify;
    edo_lock(&notify->lock_);
    struct edo_waker *forgotten = edo_row_leave(&self->waiter);
    uint32_t by = edo_load(chosen(self), relaxed); /* written under the lock */
    struct edo_waker *claimed = by != BY_ALL ? choose_one(notify, by) : NULL;
    edo_unlock(&notify->lock_);
    edo_waker_finish(claimed);
    edo_waker_forget(forgotten);
}

bool edo_notified_enable(struct edo_notified *self)
{
    /* As a poll does: from here on it stays where it is. */
    struct edo_context cx;
    edo_context_init(&cx, NULL);
    edo_future_check(&self->future_, &cx);
    struct edo_waker *none = NULL;
    edo_lock(&self->notify->lock_);
    bool waits = wait(self, &none);
    edo_unlock(&self->notify->lock_);
    return !waits;
}

/* Whatever edo_notified_poll finds. */
__attribute__((noinline)) static enum edo_poll notified_poll(struct edo_notified *self,
                                                             struct edo_context *cx)
{
    if (cx->walk == EDO_WALK_DROP && self->future_.state == ENTERED)
        leave(self);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_notified");
    if (edo_budget_spent_by(cx, self->waiter.waker))
        return EDO_PENDING;
    struct edo_waker *spare = edo_waker_spare(self->waiter.waker, cx->waker);
    edo_lock(&self->notify->lock_);
    bool waits = wait(self, &spare);
    edo_unlock(&self->notify->lock_);
    edo_waker_forget(spare);
    if (waits)
        return EDO_PENDING;
    edo_budget_spend(cx);
    return EDO_READY;
}

/* The usual beginning: takes its place, with a waker that is kept as it is. False: notified_poll is to find out why. */
static inline bool enter(struct edo_notified *self, struct edo_waker *waker)
{
    struct edo_notify *notify = self->notify;
    if (edo_unlikely(!edo_lock_now(&notify->lock_)))
        return false;
    bool waits = edo_load(rounds(notify), relaxed) == self->round && !notify->permit_;
    edo_row_check(&notify->waiters_);
    if (edo_likely(waits)) {
        self->future_.state = ENTERED;
        self->waiter.waker = waker;
        edo_list_push_back(&notify->waiters_, &self->waiter.node);
    }
    edo_unlock(&notify->lock_);
    return waits;
}

/* The usual beginning and the usual end, and the rest elsewhere. */
static enum edo_poll edo_notified_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_notified *self = (struct edo_notified *)future;
    if (edo_unlikely(cx->walk != EDO_WALK_POLL || cx->budget == 0))
        return notified_poll(self, cx);
    /* Acquire: what was done before the notification. */
    if (edo_load(chosen(self), acquire) != BY_ALL) {
        edo_budget_spend(cx);
        return EDO_READY;
    }
    if (edo_likely(future->state == EDO_STATE_FRESH && edo_waker_stable(cx->waker)) &&
        edo_likely(enter(self, cx->waker)))
        return EDO_PENDING;
    return notified_poll(self, cx);
}

struct edo_notified edo_notified(struct edo_notify *notify)
{
    return EDO_NEW_RETURNED(edo_notified, .notify = notify,
                            .round = edo_load(rounds(notify), relaxed));
}
