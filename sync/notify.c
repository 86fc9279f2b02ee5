/* SPDX-License-Identifier: MIT */
/* The lock guards the row, the permit, and `chosen` of each future in the row. One that has entered, and
 * is in no row, has been notified; `chosen` says by whom.
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
    edo_assert(edo_list_empty(&notify->waiters_));
    edo_lock_destroy(&notify->lock_);
}

/* Under the lock. Returns what is to be finished after it; or NULL. */
static struct edo_waker *choose_one(struct edo_notify *notify, uint32_t by)
{
    struct edo_list *row = &notify->waiters_;
    if (edo_list_empty(row)) {
        notify->permit_ = true;
        return NULL;
    }
    struct edo_notified *notified =
        edo_container_of(by == BY_ONE ? row->next : row->prev, struct edo_notified, waiter.node);
    notified->chosen = by;
    struct edo_waker *waker = edo_row_leave(&notified->waiter);
    return waker != NULL ? edo_waker_claim(waker) : NULL;
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
            self->chosen = BY_ONE;
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
    struct edo_waker *claimed = self->chosen != BY_ALL ? choose_one(notify, self->chosen) : NULL;
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

static enum edo_poll edo_notified_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_notified *self = (struct edo_notified *)future;
    if (cx->walk == EDO_WALK_DROP && future->state == ENTERED)
        leave(self);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_notified");
    if (edo_budget_spent(cx))
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

struct edo_notified edo_notified(struct edo_notify *notify)
{
    return EDO_NEW_RETURNED(edo_notified, .notify = notify,
                            .round = edo_load(rounds(notify), relaxed));
}
