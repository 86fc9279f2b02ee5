/* SPDX-License-Identifier: MIT */
/* The channel's life, and the senders. */
#include "broadcast_internal.h"

#include <errno.h>
#include <limits.h>

static void channel_free(struct edo_broadcast_ *channel)
{
    edo_free(channel->messages);
    edo_free(channel->slots);
    edo_lock_destroy(&channel->lock);
    edo_free(channel);
}

int edo_broadcast_new_(struct edo_broadcast_ **out, struct edo_broadcast_receiver **rx, size_t size,
                       size_t capacity, void (*clone)(const void *, void *), void (*drop)(void *))
{
    *out = NULL;
    *rx = NULL;
    if (capacity == 0 || (clone == NULL) != (drop == NULL))
        return -EINVAL;
    size_t slots = 1, bytes;
    while (slots < capacity)
        if (__builtin_mul_overflow(slots, 2, &slots))
            return -ENOMEM;
    if (__builtin_mul_overflow(slots, size, &bytes))
        return -ENOMEM;
    struct edo_broadcast_ *channel = edo_calloc(1, sizeof *channel);
    if (channel == NULL)
        return -ENOMEM;
    edo_lock_init(&channel->lock);
    edo_list_init(&channel->waiting);
    edo_list_init(&channel->watching);
    channel->senders = 1;
    channel->size = size;
    channel->mask = slots - 1;
    channel->clone = clone;
    channel->drop = drop;
    channel->slots = edo_calloc(slots, sizeof *channel->slots);
    if (clone == NULL)
        channel->messages = edo_malloc(bytes > 0 ? bytes : 1);
    if (channel->slots != NULL && (clone != NULL || channel->messages != NULL))
        *rx = edo_broadcast_subscribe_(channel);
    if (*rx == NULL) {
        channel_free(channel);
        return -ENOMEM;
    }
    *out = channel;
    return 0;
}

void edo_broadcast_unref(struct edo_broadcast_ *channel, struct edo_broadcast_block *block)
{
    /* Release: what this one read of it; acquire: what all others did, before it is dropped. */
    if (edo_fetch_sub(&block->refs, 1, acq_rel) != 1)
        return;
    channel->drop(block->message);
    edo_free(block);
}

void edo_broadcast_settle(struct edo_broadcast_ *channel)
{
    bool unused = channel->senders == 0 && channel->weak_senders == 0 && channel->receivers == 0;
    edo_unlock(&channel->lock);
    /* What is kept is wanted by a receiver, so nothing is. */
    if (unused)
        channel_free(channel);
}

int edo_broadcast_send_(struct edo_broadcast_sender *tx, const void *message)
{
    struct edo_broadcast_ *channel = (struct edo_broadcast_ *)tx;
    struct edo_broadcast_block *block = NULL, *old = NULL;
    if (channel->clone != NULL) {
        block = edo_malloc(sizeof *block + channel->size);
        if (block == NULL)
            return -ENOMEM;
        edo_init(&block->refs, 1);
        edo_copy(block->message, message, channel->size);
    }
    edo_lock(&channel->lock);
    size_t receivers = channel->receivers;
    if (receivers == 0) {
        edo_unlock(&channel->lock);
        edo_free(block);
        return EDO_ECLOSED;
    }
    struct edo_broadcast_slot *slot = edo_broadcast_slot(channel, channel->tail);
    slot->wanted = receivers;
    if (block != NULL) {
        old = slot->block;
        slot->block = block;
    } else {
        edo_copy(channel->messages + (channel->tail & channel->mask) * channel->size, message,
                 channel->size);
    }
    channel->tail++;
    if (edo_list_empty(&channel->waiting))
        edo_unlock(&channel->lock);
    else
        edo_row_wake_all(&channel->waiting, &channel->lock);
    if (old != NULL)
        edo_broadcast_unref(channel, old);
    return receivers < INT_MAX ? (int)receivers : INT_MAX;
}

struct edo_broadcast_ *edo_broadcast_of_(void *handle, bool receiver)
{
    return receiver ? ((struct edo_broadcast_receiver *)handle)->channel : handle;
}

static struct edo_broadcast_ *locked(void *handle)
{
    struct edo_broadcast_ *channel = handle;
    edo_lock(&channel->lock);
    return channel;
}

struct edo_broadcast_sender *edo_broadcast_sender_clone_(struct edo_broadcast_sender *tx)
{
    struct edo_broadcast_ *channel = locked(tx);
    channel->senders++;
    edo_unlock(&channel->lock);
    return tx;
}

void edo_broadcast_sender_drop_(struct edo_broadcast_sender *tx)
{
    if (tx == NULL)
        return;
    struct edo_broadcast_ *channel = locked(tx);
    if (channel->senders == 1) {
        /* As a weak one it stays until those who wait have been told. */
        channel->senders = 0;
        channel->weak_senders++;
        edo_row_wake_all(&channel->waiting, &channel->lock);
        edo_broadcast_weak_sender_drop_((struct edo_broadcast_weak_sender *)tx);
        return;
    }
    edo_assert_held(channel->senders, "a broadcast sender");
    channel->senders--;
    edo_unlock(&channel->lock);
}

struct edo_broadcast_weak_sender *edo_broadcast_downgrade_(struct edo_broadcast_sender *tx)
{
    struct edo_broadcast_ *channel = locked(tx);
    channel->weak_senders++;
    edo_unlock(&channel->lock);
    return (struct edo_broadcast_weak_sender *)tx;
}

struct edo_broadcast_sender *edo_broadcast_upgrade_(struct edo_broadcast_weak_sender *weak)
{
    struct edo_broadcast_ *channel = locked(weak);
    bool open = channel->senders != 0;
    channel->senders += open;
    edo_unlock(&channel->lock);
    return open ? (struct edo_broadcast_sender *)weak : NULL;
}

void edo_broadcast_weak_sender_drop_(struct edo_broadcast_weak_sender *weak)
{
    if (weak == NULL)
        return;
    struct edo_broadcast_ *channel = locked(weak);
    edo_assert_held(channel->weak_senders, "a weak broadcast sender");
    channel->weak_senders--;
    edo_broadcast_settle(channel);
}

static enum edo_poll edo_broadcast_closed_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_broadcast_closed *self = (struct edo_broadcast_closed *)future;
    struct edo_broadcast_ *channel = self->channel;
    if (cx->walk == EDO_WALK_DROP)
        edo_waiter_drop(&self->waiter, &channel->lock);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_broadcast_closed");
    struct edo_waker *spare = edo_waker_keep(cx->waker), *old = NULL;
    edo_lock(&channel->lock);
    bool ready = channel->receivers == 0;
    if (ready)
        old = edo_row_leave(&self->waiter);
    else
        edo_row_join(&channel->watching, &self->waiter, &spare);
    edo_unlock(&channel->lock);
    edo_waker_forget(old);
    edo_waker_forget(spare);
    return ready ? EDO_READY : EDO_PENDING;
}

struct edo_broadcast_closed edo_broadcast_closed_(struct edo_broadcast_sender *tx)
{
    return EDO_NEW_RETURNED(edo_broadcast_closed, .channel = (struct edo_broadcast_ *)tx);
}

size_t edo_broadcast_receiver_count_(struct edo_broadcast_sender *tx)
{
    struct edo_broadcast_ *channel = locked(tx);
    size_t count = channel->receivers;
    edo_unlock(&channel->lock);
    return count;
}

size_t edo_broadcast_sender_count_(struct edo_broadcast_sender *tx)
{
    struct edo_broadcast_ *channel = locked(tx);
    size_t count = channel->senders;
    edo_unlock(&channel->lock);
    return count;
}

size_t edo_broadcast_sender_len_(struct edo_broadcast_sender *tx)
{
    struct edo_broadcast_ *channel = locked(tx);
    uint64_t kept = channel->mask + 1, high = channel->tail;
    uint64_t low = high > kept ? high - kept : 0, end = high;
    /* The first that is wanted: all after it are. */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (edo_broadcast_slot(channel, middle)->wanted > 0)
            high = middle;
        else
            low = middle + 1;
    }
    edo_unlock(&channel->lock);
    return end - low;
}

void (*edo_broadcast_drop_hook_(struct edo_broadcast_receiver *rx))(void *)
{
    return rx->channel->drop;
}
