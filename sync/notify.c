/* SPDX-License-Identifier: MIT */
/* The lock guards the list, the permit, and `chosen` of each future on the list. A future that is on no
 * list, and chosen, is its owner's again. `waker` is written by the owner, under the lock while the
 * future is linked; who takes the future off the list to choose it takes the waker over as well.
 *
 * `rounds_` is also read without the lock, when a future is made. Relaxed: a call of notify_waiters
 * that happens after that counts up from what was read, or from more, and one that is concurrent may
 * be seen or not.
 */
#include "notify.h"

#include "../internal/sys.h"
#include "../internal/waiter.h"

enum { NOT_CHOSEN, BY_ONE, BY_LAST, BY_ALL };
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

/* Under the lock: takes it off the list. Returns what is to be finished after the lock; or NULL. */
static struct edo_waker *choose(struct edo_list *node, uint32_t by)
{
    struct edo_notified *notified = edo_container_of(node, struct edo_notified, node);
    edo_list_remove(node);
    notified->chosen = by;
    return notified->waker != NULL ? edo_waker_claim(notified->waker) : NULL;
}

static struct edo_waker *choose_one(struct edo_notify *notify, uint32_t by)
{
    if (edo_list_empty(&notify->waiters_)) {
        notify->permit_ = true;
        return NULL;
    }
    return choose(by == BY_ONE ? notify->waiters_.next : notify->waiters_.prev, by);
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
    /* Those who come while the lock is let go between two batches are not meant: those who are wait
     * in a list of this call's. A future that is dropped meanwhile leaves that list; one that is polled
     * stays, so that when all have completed this call is through with the lock. */
    struct edo_list now;
    struct edo_wakes wakes;
    wakes.count = 0;
    edo_list_init(&now);
    edo_lock(&notify->lock_);
    edo_fetch_add(rounds(notify), 1, relaxed);
    edo_list_splice(&now, &notify->waiters_);
    while (!edo_list_empty(&now)) {
        edo_wakes_add(&wakes, choose(now.next, BY_ALL));
        if (edo_wakes_full(&wakes) && !edo_list_empty(&now)) {
            edo_unlock(&notify->lock_);
            edo_wakes_finish(&wakes);
            edo_lock(&notify->lock_);
        }
    }
    edo_unlock(&notify->lock_);
    edo_wakes_finish(&wakes);
}

/* Under the lock. */
static void enter(struct edo_notified *self)
{
    struct edo_notify *notify = self->notify;
    self->future_.state = ENTERED;
    if (edo_load(rounds(notify), relaxed) != self->round) {
        self->chosen = BY_ALL;
    } else if (notify->permit_) {
        notify->permit_ = false;
        self->chosen = BY_ONE;
    } else {
        edo_list_push_back(&notify->waiters_, &self->node);
    }
}

static void leave(struct edo_notified *self)
{
    struct edo_notify *notify = self->notify;
    struct edo_waker *claimed = NULL, *forgotten = NULL;
    edo_lock(&notify->lock_);
    if (self->chosen == NOT_CHOSEN) {
        edo_list_remove(&self->node);
        forgotten = self->waker;
    } else if (self->chosen != BY_ALL) {
        claimed = choose_one(notify, self->chosen);
    }
    edo_unlock(&notify->lock_);
    edo_waker_finish(claimed);
    if (forgotten != NULL)
        edo_waker_forget(forgotten);
}

bool edo_notified_enable(struct edo_notified *self)
{
    /* As a poll does: from here on it stays where it is. */
    struct edo_context cx;
    edo_context_init(&cx, NULL);
    edo_future_check(&self->future_, &cx);
    edo_lock(&self->notify->lock_);
    if (self->future_.state == EDO_STATE_FRESH)
        enter(self);
    bool chosen = self->chosen != NOT_CHOSEN;
    edo_unlock(&self->notify->lock_);
    return chosen;
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
    /* Cloned before the lock, and dropped after it: both may be somebody else's code. */
    struct edo_waker *spare = self->waker != cx->waker ? edo_waker_keep(cx->waker) : NULL;
    edo_lock(&self->notify->lock_);
    if (future->state == EDO_STATE_FRESH)
        enter(self);
    bool chosen = self->chosen != NOT_CHOSEN;
    if (!chosen && spare != NULL) {
        struct edo_waker *old = self->waker;
        self->waker = spare;
        spare = old;
    }
    edo_unlock(&self->notify->lock_);
    if (spare != NULL)
        edo_waker_forget(spare);
    if (!chosen)
        return EDO_PENDING;
    edo_budget_spend(cx);
    return EDO_READY;
}

struct edo_notified edo_notified(struct edo_notify *notify)
{
    return EDO_NEW_RETURNED(edo_notified, .notify = notify,
                            .round = edo_load(rounds(notify), relaxed));
}
