/* SPDX-License-Identifier: MIT */
/* The sending side: places are reserved, waited for, filled and given back. */
#include "../internal/park.h"
#include "mpsc_internal.h"

static bool impossible(struct edo_mpsc_ *channel, size_t n, const struct edo_mpsc_permit *permit)
{
    return !channel->bounded || n > channel->capacity || permit->count != 0;
}

/* The functions down to edo_mpsc_try_send_: under the lock. */

/* Reserves n places. 0, -EAGAIN, EDO_ECLOSED, -ENOMEM. */
static int reserve(struct edo_mpsc_ *channel, size_t n)
{
    if (channel->closed)
        return EDO_ECLOSED;
    if (channel->bounded) {
        if (n > 0 && (!edo_list_empty(&channel->waiting) || !edo_mpsc_has_free(channel, n)))
            return -EAGAIN;
    } else if (edo_fifo_needs_block(&channel->fifo) && edo_fifo_add_block(&channel->fifo) < 0) {
        return -ENOMEM;
    }
    channel->reserved += n;
    return 0;
}

/* Fills a reserved place. Returns what is to be finished after the lock; or NULL. */
static struct edo_waker *push(struct edo_mpsc_ *channel, const void *message)
{
    struct edo_waker *claimed = edo_mpsc_claim_receiver(channel);
    edo_fifo_push(&channel->fifo, message);
    edo_store(&channel->pushed, edo_load(&channel->pushed, relaxed) + 1, release);
    return claimed;
}

static void unlink_waiter(struct edo_mpsc_ *channel, struct edo_mpsc_waiter *waiter)
{
    edo_list_remove(&waiter->link.node);
    if (edo_list_empty(&channel->waiting))
        edo_fetch_and(&channel->popped, ~(uint64_t)EDO_MPSC_WAITING, relaxed);
}

/* As reserve, for one that can wait. */
static int obtain(struct edo_mpsc_ *channel, struct edo_mpsc_waiter *waiter)
{
    switch (waiter->state) {
    case EDO_MPSC_LINKED:
        return -EAGAIN;
    case EDO_MPSC_REFUSED:
        return EDO_ECLOSED;
    case EDO_MPSC_GRANTED:
        if (!channel->closed)
            return 0;
        waiter->state = EDO_MPSC_REFUSED;
        channel->reserved -= waiter->count;
        return EDO_ECLOSED;
    default:
        break;
    }
    int error = reserve(channel, waiter->count);
    if (error != -EAGAIN)
        return error;
    bool first = edo_list_empty(&channel->waiting);
    edo_list_push_back(&channel->waiting, &waiter->link.node);
    waiter->state = EDO_MPSC_LINKED;
    if (!first)
        return -EAGAIN;
    /* Relaxed: see mpsc_internal.h; what is found afterwards is acquired by the look. */
    edo_fetch_or(&channel->popped, EDO_MPSC_WAITING, relaxed);
    if (!edo_mpsc_has_free(channel, waiter->count))
        return -EAGAIN;
    unlink_waiter(channel, waiter);
    channel->reserved += waiter->count;
    return 0;
}

/* The usual case, without a call: nobody holds the lock, there is a place, the message is of a usual size,
 * and the receiver does not wait. False: nothing was sent, and the lock may be held. */
static inline bool send_at_once(struct edo_mpsc_ *channel, const void *message, bool *locked)
{
    *locked = edo_lock_now(&channel->lock);
    if (edo_unlikely(!*locked || channel->receiver != NULL || channel->closed))
        return false;
    if (channel->bounded ? !edo_list_empty(&channel->waiting) || !edo_mpsc_has_free(channel, 1)
                         : edo_fifo_needs_block(&channel->fifo))
        return false;
    if (!edo_fifo_push_usual(&channel->fifo, message))
        return false;
    channel->reserved++;
    edo_store(&channel->pushed, edo_load(&channel->pushed, relaxed) + 1, release);
    edo_unlock(&channel->lock);
    return true;
}

/* All cases. */
__attribute__((noinline)) static int send(struct edo_mpsc_ *channel, const void *message,
                                          bool locked)
{
    if (!locked)
        edo_lock(&channel->lock);
    int error = reserve(channel, 1);
    struct edo_waker *claimed = error == 0 ? push(channel, message) : NULL;
    edo_unlock(&channel->lock);
    edo_waker_finish(claimed);
    return error;
}

int edo_mpsc_try_send_(struct edo_mpsc_sender *tx, const void *message)
{
    struct edo_mpsc_ *channel = (struct edo_mpsc_ *)tx;
    bool locked;
    return edo_likely(send_at_once(channel, message, &locked)) ? 0 : send(channel, message, locked);
}

/* Sends into the places that a poll obtains, if there is a message. -EAGAIN: it waits. */
static int poll_places(struct edo_mpsc_ *channel, struct edo_mpsc_waiter *waiter,
                       const void *message, struct edo_context *cx)
{
    struct edo_waker *spare = edo_waker_spare(waiter->link.waker, cx->waker);
    struct edo_waker *claimed = NULL;
    edo_lock(&channel->lock);
    int error = obtain(channel, waiter);
    if (error == 0 && message != NULL) {
        claimed = push(channel, message);
    } else if (error == -EAGAIN) {
        edo_row_join(&channel->waiting, &waiter->link, &spare);
    } else if (error < 0 && edo_mpsc_ended(channel)) {
        claimed = edo_mpsc_claim_receiver(channel);
    }
    edo_unlock(&channel->lock);
    edo_waker_finish(claimed);
    edo_waker_forget(spare);
    return error;
}

/* The future is dropped. */
static void give_up(struct edo_mpsc_ *channel, struct edo_mpsc_waiter *waiter)
{
    if (waiter->link.waker == NULL)
        return;
    struct edo_waker *forgotten = NULL;
    edo_lock(&channel->lock);
    if (waiter->state == EDO_MPSC_LINKED) {
        unlink_waiter(channel, waiter);
        forgotten = waiter->link.waker;
    } else if (waiter->state == EDO_MPSC_GRANTED) {
        channel->reserved -= waiter->count;
    }
    /* Those behind it may have been waiting for this one only. */
    edo_mpsc_settle(channel);
    edo_waker_forget(forgotten);
}

/* Whatever edo_mpsc_send_poll finds. With the lock it has not waited. */
__attribute__((noinline)) static enum edo_poll send_poll(struct edo_future *future,
                                                         struct edo_context *cx, bool locked)
{
    struct edo_mpsc_send *self = (struct edo_mpsc_send *)future;
    if (locked && send(self->channel, self->message, true) == 0) {
        edo_budget_spend(cx);
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_DROP)
        give_up(self->channel, &self->waiter);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_mpsc_send");
    if (edo_budget_spent_by(cx, self->waiter.link.waker))
        return EDO_PENDING;
    self->output = poll_places(self->channel, &self->waiter, self->message, cx);
    if (self->output == -EAGAIN)
        return EDO_PENDING;
    edo_budget_spend(cx);
    return EDO_READY;
}

/* The usual case first, and the rest elsewhere: it has not waited, and there is a place. */
enum edo_poll edo_mpsc_send_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_mpsc_send *self = (struct edo_mpsc_send *)future;
    bool locked = false;
    if (edo_unlikely(cx->walk != EDO_WALK_POLL || cx->budget == 0 ||
                     self->waiter.link.waker != NULL) ||
        !send_at_once(self->channel, self->message, &locked))
        return send_poll(future, cx, locked);
    edo_budget_spend(cx);
    return EDO_READY;
}

int edo_mpsc_blocking_send_(struct edo_mpsc_sender *tx, const void *message)
{
    struct edo_mpsc_send send = edo_mpsc_send_(tx, message);
    int error = edo_park_on(&send.future_);
    return error < 0 ? error : send.output;
}

static enum edo_poll edo_mpsc_reserve_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_mpsc_reserve *self = (struct edo_mpsc_reserve *)future;
    if (cx->walk == EDO_WALK_DROP)
        give_up(self->channel, &self->waiter);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_mpsc_reserve");
    if (edo_budget_spent_by(cx, self->waiter.link.waker))
        return EDO_PENDING;
    if (self->waiter.link.waker == NULL &&
        impossible(self->channel, self->waiter.count, self->permit))
        self->output = -EINVAL;
    else
        self->output = poll_places(self->channel, &self->waiter, NULL, cx);
    if (self->output == -EAGAIN)
        return EDO_PENDING;
    if (self->output == 0)
        *self->permit = (struct edo_mpsc_permit){self->channel, self->waiter.count};
    edo_budget_spend(cx);
    return EDO_READY;
}

struct edo_mpsc_reserve edo_mpsc_reserve_(struct edo_mpsc_sender *tx, size_t n,
                                          struct edo_mpsc_permit *permit)
{
    return EDO_NEW_RETURNED(edo_mpsc_reserve, .channel = (struct edo_mpsc_ *)tx, .permit = permit,
                            .waiter.count = n);
}

int edo_mpsc_try_reserve_(struct edo_mpsc_sender *tx, size_t n, struct edo_mpsc_permit *permit)
{
    struct edo_mpsc_ *channel = (struct edo_mpsc_ *)tx;
    if (impossible(channel, n, permit))
        return -EINVAL;
    edo_lock(&channel->lock);
    int error = reserve(channel, n);
    edo_unlock(&channel->lock);
    if (error == 0)
        *permit = (struct edo_mpsc_permit){channel, n};
    return error;
}

void edo_mpsc_permit_send_(struct edo_mpsc_permit *permit, const void *message)
{
    struct edo_mpsc_ *channel = permit->channel_;
    edo_assert_held(permit->count, "a place of an mpsc permit");
    permit->count--;
    edo_lock(&channel->lock);
    struct edo_waker *claimed = push(channel, message);
    if (channel->receiver_gone)
        edo_mpsc_settle(channel);
    else
        edo_unlock(&channel->lock);
    edo_waker_finish(claimed);
}

void edo_mpsc_permit_move_(struct edo_mpsc_permit *to, struct edo_mpsc_permit *from)
{
    edo_assert(to->count == 0);
    *to = *from;
    *from = (struct edo_mpsc_permit){0};
}

void edo_mpsc_permit_release_(struct edo_mpsc_permit *permit)
{
    if (permit->count == 0)
        return;
    struct edo_mpsc_ *channel = permit->channel_;
    edo_lock(&channel->lock);
    channel->reserved -= permit->count;
    permit->count = 0;
    edo_mpsc_settle(channel);
}

static enum edo_poll edo_mpsc_closed_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_mpsc_closed *self = (struct edo_mpsc_closed *)future;
    struct edo_mpsc_ *channel = self->channel;
    if (cx->walk == EDO_WALK_DROP)
        edo_waiter_drop(&self->waiter, &channel->lock);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_mpsc_closed");
    struct edo_waker *spare = edo_waker_spare(self->waiter.waker, cx->waker), *old = NULL;
    edo_lock(&channel->lock);
    bool ready = channel->closed;
    if (ready)
        old = edo_row_leave(&self->waiter);
    else
        edo_row_join(&channel->watching, &self->waiter, &spare);
    edo_unlock(&channel->lock);
    edo_waker_forget(old);
    edo_waker_forget(spare);
    return ready ? EDO_READY : EDO_PENDING;
}

struct edo_mpsc_closed edo_mpsc_closed_(struct edo_mpsc_sender *tx)
{
    return EDO_NEW_RETURNED(edo_mpsc_closed, .channel = (struct edo_mpsc_ *)tx);
}
