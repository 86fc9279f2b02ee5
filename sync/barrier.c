/* SPDX-License-Identifier: MIT */
/* The lock guards the count and the row of this round.
 *
 * `released` is the leader's last touch of a waiter, which may be gone at once. Release, for the
 * acquire in the waiter's poll: that sees what all of the round wrote before they came, as the leader
 * does by the lock, and that its node is off the list. So a waiter that is released passes without the
 * lock; the barrier itself is still in the leader's hands then, but it outlives the leader's future.
 * That touch is also why the leader goes through the row itself.
 */
#include "barrier.h"

#include "../internal/sys.h"
#include "../internal/waiter.h"

enum { ARRIVED = 1 }; /* a future's state after its first poll */

static _Atomic(bool) *released(struct edo_barrier_wait *wait)
{
    return (_Atomic(bool) *)&wait->released;
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
        struct edo_barrier_wait *wait =
            edo_container_of(node, struct edo_barrier_wait, waiter.node);
        edo_wakes_claim(&wakes, wait->waiter.waker);
        edo_store(released(wait), true, release);
        if (edo_wakes_full(&wakes)) {
            edo_unlock(&barrier->lock_);
            edo_wakes_finish(&wakes);
            edo_lock(&barrier->lock_);
        }
    }
    edo_unlock(&barrier->lock_);
    edo_wakes_finish(&wakes);
}

/* Comes, or waits on. True when it passes. */
static bool arrive(struct edo_barrier_wait *self, struct edo_waker *waker)
{
    struct edo_barrier *barrier = self->barrier;
    struct edo_waker *spare = edo_waker_spare(self->waiter.waker, waker);
    edo_lock(&barrier->lock_);
    bool waits = edo_waiter_linked(&self->waiter);
    if (self->future_.state == EDO_STATE_FRESH) {
        self->future_.state = ARRIVED;
        self->output = ++barrier->arrived_ == barrier->n_;
        waits = !self->output;
    }
    if (waits)
        edo_row_join(&barrier->waiters_, &self->waiter, &spare);
    if (self->output)
        release_round(barrier);
    else
        edo_unlock(&barrier->lock_);
    edo_waker_forget(spare);
    return !waits;
}

static enum edo_poll edo_barrier_wait_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_barrier_wait *self = (struct edo_barrier_wait *)future;
    /* One that has come stays counted. */
    if (cx->walk == EDO_WALK_DROP)
        edo_waiter_drop(&self->waiter, &self->barrier->lock_);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_barrier_wait");
    if (edo_budget_spent_by(cx, self->waiter.waker))
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
