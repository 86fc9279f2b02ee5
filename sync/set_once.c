/* SPDX-License-Identifier: MIT */
/* The lock guards the row, `waking_`, and the steps of the state, which goes one way:
 *
 *     EMPTY    not set
 *     SET      the value is there; the thread that set it may still have the lock, or need it again
 *     SETTLED  that thread is gone: who saw this may free it all
 *
 * The setter cannot say itself that it is gone, as unlocking is what it does last. The first that waits,
 * and has the lock after it, says so; from then on waiting is one load.
 *
 * The state is read without the lock. The store of SET is a release for the acquire in `get` and `set`:
 * the value was written before. The store of SETTLED is one for the acquire in the future's poll: who
 * reads it may free the lock, so all that was done with it has to come before; and the value.
 */
#include "set_once.h"

#include "../internal/copy.h"
#include "../internal/sys.h"
#include "../internal/waiter.h"

enum { EMPTY, SET, SETTLED };

static _Atomic(uint32_t) *state(struct edo_set_once *once)
{
    return (_Atomic(uint32_t) *)&once->state_;
}

void edo_set_once_init_(struct edo_set_once *once)
{
    edo_lock_init(&once->lock_);
    edo_list_init(&once->waiters_);
    edo_init(state(once), EMPTY);
    once->waking_ = false;
}

void edo_set_once_destroy_(struct edo_set_once *once)
{
    edo_assert(edo_list_empty(&once->waiters_));
    edo_lock_destroy(&once->lock_);
}

const void *edo_set_once_get_(struct edo_set_once *once, size_t offset)
{
    return edo_load(state(once), acquire) == EMPTY ? NULL : (const char *)once + offset;
}

int edo_set_once_set_(struct edo_set_once *once, size_t offset, size_t size, const void *value)
{
    if (edo_load(state(once), acquire) != EMPTY)
        return -EEXIST;
    edo_lock(&once->lock_);
    if (edo_load(state(once), relaxed) != EMPTY) {
        edo_unlock(&once->lock_);
        return -EEXIST;
    }
    edo_copy((char *)once + offset, value, size);
    edo_store(state(once), SET, release);
    struct edo_wakes last;
    once->waking_ = true;
    edo_row_drain_locked(&once->waiters_, &once->lock_, &last);
    once->waking_ = false;
    edo_unlock(&once->lock_);
    edo_wakes_finish(&last);
    return 0;
}

/* Enters the row, or stays there until it is taken off. True when it is set. */
static bool enter(struct edo_set_once_wait *self, struct edo_waker *waker)
{
    struct edo_set_once *once = self->once;
    struct edo_waker *spare = edo_waker_spare(self->waiter.waker, waker);
    edo_lock(&once->lock_);
    bool set = edo_load(state(once), relaxed) != EMPTY;
    bool waits = !set || edo_waiter_linked(&self->waiter);
    if (waits)
        edo_row_join(&once->waiters_, &self->waiter, &spare);
    if (set && !once->waking_)
        edo_store(state(once), SETTLED, release);
    edo_unlock(&once->lock_);
    edo_waker_forget(spare);
    return !waits;
}

static enum edo_poll edo_set_once_wait_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_set_once_wait *self = (struct edo_set_once_wait *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_waiter_drop(&self->waiter, &self->once->lock_);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_set_once_wait");
    if (edo_budget_spent_by(cx, self->waiter.waker))
        return EDO_PENDING;
    if (edo_load(state(self->once), acquire) != SETTLED && !enter(self, cx->waker))
        return EDO_PENDING;
    edo_budget_spend(cx);
    return EDO_READY;
}

struct edo_set_once_wait edo_set_once_wait_(struct edo_set_once *once)
{
    return EDO_NEW_RETURNED(edo_set_once_wait, .once = once);
}
