/* SPDX-License-Identifier: MIT */
/* The receivers. */
#include <errno.h>

#include "../internal/park.h"
#include "broadcast_internal.h"

/* With the lock: how many messages have gone by; the next one is then the oldest that is kept. */
static uint64_t catch_up(struct edo_broadcast_ *channel, struct edo_broadcast_receiver *rx)
{
    uint64_t behind = channel->tail - rx->next, kept = channel->mask + 1;
    uint64_t missed = behind > kept ? behind - kept : 0;
    rx->next += missed;
    return missed;
}

/* With the lock: this receiver wants the message no more. Who was the last to want it gets the slot's
 * reference, the others one of their own, if they want one. NULL: it has none. */
static struct edo_broadcast_block *pass(struct edo_broadcast_slot *slot, bool want)
{
    struct edo_broadcast_block *block = slot->block;
    if (--slot->wanted == 0) {
        slot->block = NULL;
        return block;
    }
    if (block == NULL || !want)
        return NULL;
    /* Relaxed: the slot's reference is there, and the lock keeps it. */
    edo_fetch_add(&block->refs, 1, relaxed);
    return block;
}

/* Without the lock: the message of a block, which is then given up. The only one who has it gets the
 * message itself. */
static void take(struct edo_broadcast_ *channel, struct edo_broadcast_block *block, void *message)
{
    /* Acquire: the others are through with it. */
    if (edo_load(&block->refs, acquire) == 1) {
        edo_copy(message, block->message, channel->size);
        edo_free(block);
        return;
    }
    channel->clone(block->message, message);
    edo_broadcast_unref(channel, block);
}

/* With the lock, which it lets go when it has received. 0, -EAGAIN, EDO_ELAGGED, EDO_ECLOSED. */
static int receive(struct edo_broadcast_receiver *rx, void *message, uint64_t *lagged)
{
    struct edo_broadcast_ *channel = rx->channel;
    *lagged = catch_up(channel, rx);
    if (*lagged > 0)
        return EDO_ELAGGED;
    if (rx->next == channel->tail)
        return channel->senders == 0 ? EDO_ECLOSED : -EAGAIN;
    struct edo_broadcast_block *block = pass(edo_broadcast_slot(channel, rx->next), true);
    if (block == NULL)
        edo_copy(message, channel->messages + (rx->next & channel->mask) * channel->size,
                 channel->size);
    rx->next++;
    edo_unlock(&channel->lock);
    if (block != NULL)
        take(channel, block, message);
    return 0;
}

enum edo_poll edo_broadcast_recv_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_broadcast_recv *self = (struct edo_broadcast_recv *)future;
    struct edo_broadcast_ *channel = self->rx->channel;
    if (cx->walk == EDO_WALK_DROP)
        edo_waiter_drop(&self->waiter, &channel->lock);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_broadcast_recv");
    if (edo_budget_spent_by(cx, self->waiter.waker))
        return EDO_PENDING;
    struct edo_waker *spare = edo_waker_keep(cx->waker);
    edo_lock(&channel->lock);
    struct edo_waker *old = edo_row_leave(&self->waiter);
    self->output = receive(self->rx, self->message, &self->lagged);
    if (self->output == -EAGAIN)
        edo_row_join(&channel->waiting, &self->waiter, &spare);
    if (self->output != 0)
        edo_unlock(&channel->lock);
    edo_waker_forget(old);
    if (spare == NULL)
        return EDO_PENDING;
    edo_waker_forget(spare);
    edo_budget_spend(cx);
    return EDO_READY;
}

int edo_broadcast_try_recv_(struct edo_broadcast_receiver *rx, void *message, uint64_t *lagged)
{
    edo_lock(&rx->channel->lock);
    int error = receive(rx, message, lagged);
    if (error != 0)
        edo_unlock(&rx->channel->lock);
    return error;
}

int edo_broadcast_blocking_recv_(struct edo_broadcast_receiver *rx, void *message, uint64_t *lagged)
{
    struct edo_broadcast_recv recv = edo_broadcast_recv_(rx, message);
    int error = edo_park_on(&recv.future_);
    *lagged = recv.lagged;
    return error < 0 ? error : recv.output;
}

struct edo_broadcast_receiver *edo_broadcast_subscribe_(struct edo_broadcast_ *channel)
{
    struct edo_broadcast_receiver *rx = edo_malloc(sizeof *rx);
    if (rx == NULL)
        return NULL;
    rx->channel = channel;
    edo_lock(&channel->lock);
    rx->next = channel->tail;
    channel->receivers++;
    edo_unlock(&channel->lock);
    return rx;
}

struct edo_broadcast_receiver *edo_broadcast_resubscribe_(struct edo_broadcast_receiver *rx)
{
    return edo_broadcast_subscribe_(rx->channel);
}

uint64_t edo_broadcast_len_(struct edo_broadcast_receiver *rx)
{
    edo_lock(&rx->channel->lock);
    uint64_t len = rx->channel->tail - rx->next;
    edo_unlock(&rx->channel->lock);
    return len;
}

void edo_broadcast_receiver_drop_(struct edo_broadcast_receiver *rx)
{
    if (rx == NULL)
        return;
    struct edo_broadcast_ *channel = rx->channel;
    struct edo_broadcast_block *dropped = NULL;
    edo_lock(&channel->lock);
    catch_up(channel, rx);
    for (; rx->next != channel->tail; rx->next++) {
        struct edo_broadcast_slot *slot = edo_broadcast_slot(channel, rx->next);
        struct edo_broadcast_block *block = pass(slot, false);
        /* One that is being cloned is dropped by who clones it. Acquire: it is through with it. */
        if (block != NULL && edo_fetch_sub(&block->refs, 1, acq_rel) == 1) {
            block->next = dropped;
            dropped = block;
        }
    }
    /* Counted until those who watch have been told, so that the channel stays. */
    channel->weak_senders++;
    channel->receivers--;
    if (channel->receivers == 0)
        edo_row_wake_all(&channel->watching, &channel->lock);
    else
        edo_unlock(&channel->lock);
    edo_free(rx);
    for (struct edo_broadcast_block *block; (block = dropped) != NULL;) {
        dropped = block->next;
        channel->drop(block->message);
        edo_free(block);
    }
    edo_broadcast_weak_sender_drop_((struct edo_broadcast_weak_sender *)channel);
}
