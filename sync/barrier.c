/* SPDX-License-Identifier: MIT */
/* The lock guards the count and the list of this round's waiters, and the list that a leader has taken
 * it over to. Who is on a list is kept there by the lock: the leader takes it off, and its waker with
 * it, or it takes itself off.
 *
 * `released` is the leader's last touch of a waiter, which may be gone at once. Release, for the
 * acquire in the waiter's poll: that sees what all of the round wrote before they came, as the leader
 * does by the lock, and that its node is off the list. So a waiter that is released passes without the
 * lock; the barrier itself is still in the leader's hands then, but it outlives the leader's future.
 */
#include "barrier.h"

#include "../internal/sys.h"
#include "../internal/waiter.h"

enum { ARRIVED = 1 }; /* a future's state after its first poll */

static _Atomic(bool) *released(struct edo_barrier_wait *waiter)
{
    return (_Atomic(bool) *)&waiter->released;
}

void edo_barrier_init(struct edo_barrier *barrier, size_t n)
{
    edo_lock_init(&barrier->lock_);
    edo_list_init(&barrier->waiters_);
    barrier->n_ = n > 0 ? n : 1;
    barrier->arrived_ = 0;
}

void edo_barrier_destroy(struct edo_barrier *barrier)
{
    edo_assert(edo_list_empty(&barrier->waiters_));
    edo_lock_destroy(&barrier->lock_);
}

/* Ends the round; lets the lock go. */
static void release_round(struct edo_barrier *barrier)
{
    /* Those who come while the lock is let go between two batches belong to the next round. */
    struct edo_list round;
    struct edo_list *node;
    struct edo_wakes wakes;
    wakes.count = 0;
    edo_list_init(&round);
    edo_list_splice(&round, &barrier->waiters_);
    barrier->arrived_ = 0;
    while ((node = edo_list_pop_front(&round)) != NULL) {
        struct edo_barrier_wait *waiter = edo_container_of(node, struct edo_barrier_wait, node);
        edo_wakes_add(&wakes, edo_waker_claim(waiter->waker));
        edo_store(released(waiter), true, release);
        if (edo_wakes_full(&wakes)) {
            edo_unlock(&barrier->lock_);
            edo_wakes_finish(&wakes);
            edo_lock(&barrier->lock_);
        }
    }
    edo_unlock(&barrier->lock_);
    edo_wakes_finish(&wakes);
}

/* It has come, and stays counted. */
static void leave(struct edo_barrier_wait *self)
{
    edo_lock(&self->barrier->lock_);
    bool linked = edo_list_linked(&self->node);
    edo_list_remove(&self->node);
    edo_unlock(&self->barrier->lock_);
    if (linked)
        edo_waker_forget(self->waker);
}

/* Comes, or waits on. True when it passes. */
static bool arrive(struct edo_barrier_wait *self, struct edo_waker *waker)
{
    struct edo_barrier *barrier = self->barrier;
    /* Cloned before the lock, and dropped after it: both may be somebody else's code. */
    struct edo_waker *spare = self->waker != waker ? edo_waker_keep(waker) : NULL;
    edo_lock(&barrier->lock_);
    if (self->future_.state == EDO_STATE_FRESH) {
        self->future_.state = ARRIVED;
        self->output = ++barrier->arrived_ == barrier->n_;
        if (!self->output)
            edo_list_push_back(&barrier->waiters_, &self->node);
    }
    bool passes = !edo_list_linked(&self->node);
    if (!passes && spare != NULL) {
        struct edo_waker *old = self->waker;
        self->waker = spare;
        spare = old;
    }
    if (self->output)
        release_round(barrier);
    else
        edo_unlock(&barrier->lock_);
    if (spare != NULL)
        edo_waker_forget(spare);
    return passes;
}

static enum edo_poll edo_barrier_wait_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_barrier_wait *self = (struct edo_barrier_wait *)future;
    if (cx->walk == EDO_WALK_DROP && future->state == ARRIVED)
        leave(self);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_barrier_wait");
    if (edo_budget_spent(cx))
        return EDO_PENDING;
    if (!edo_load(released(self), acquire) && !arrive(self, cx->waker))
        return EDO_PENDING;
    edo_budget_spend(cx);
    return EDO_READY;
}

struct edo_barrier_wait edo_barrier_wait(struct edo_barrier *barrier)
{
    return EDO_NEW_RETURNED(edo_barrier_wait, .barrier = barrier);
}
