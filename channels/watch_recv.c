/* SPDX-License-Identifier: MIT */
/* The receivers. */
#include <errno.h>

#include "watch_internal.h"

static struct edo_watch_receiver *receiver_new(struct edo_watch_ *channel,
                                               const struct edo_watch_receiver *like)
{
    struct edo_watch_receiver *rx = edo_malloc(sizeof *rx);
    if (rx == NULL)
        return NULL;
    rx->channel = channel;
    edo_lock(&channel->lock);
    rx->seen = like != NULL ? like->seen
                            : edo_load(&channel->version, relaxed) & ~(uint64_t)EDO_WATCH_ENDED;
    channel->receivers++;
    channel->handles++;
    edo_unlock(&channel->lock);
    return rx;
}

struct edo_watch_receiver *edo_watch_subscribe_(struct edo_watch_sender *tx)
{
    return receiver_new((struct edo_watch_ *)tx, NULL);
}

struct edo_watch_receiver *edo_watch_receiver_clone_(struct edo_watch_receiver *rx)
{
    return receiver_new(rx->channel, rx);
}

void edo_watch_receiver_drop_(struct edo_watch_receiver *rx)
{
    if (rx == NULL)
        return;
    struct edo_watch_ *channel = rx->channel;
    edo_free(rx);
    edo_lock(&channel->lock);
    if (--channel->receivers == 0) {
        edo_row_wake_all(&channel->watching, &channel->lock);
        edo_lock(&channel->lock);
    }
    edo_watch_put(channel);
}

/* Of a version: 1: it has not been seen; 0; EDO_ECLOSED. */
static int compare(const struct edo_watch_receiver *rx, uint64_t version)
{
    if ((version & ~(uint64_t)EDO_WATCH_ENDED) != rx->seen)
        return 1;
    return (version & EDO_WATCH_ENDED) != 0 ? EDO_ECLOSED : 0;
}

int edo_watch_has_changed_(struct edo_watch_receiver *rx)
{
    /* Acquire: what the sender did before. */
    return compare(rx, edo_load(&rx->channel->version, acquire));
}

/* The same, and it is seen now. */
static int see(struct edo_watch_receiver *rx)
{
    /* Acquire: what the sender did before. */
    uint64_t version = edo_load(&rx->channel->version, acquire);
    int changed = compare(rx, version);
    rx->seen = version & ~(uint64_t)EDO_WATCH_ENDED;
    return changed;
}

enum edo_poll edo_watch_changed_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_watch_changed *self = (struct edo_watch_changed *)future;
    struct edo_watch_ *channel = self->rx->channel;
    if (cx->walk == EDO_WALK_DROP)
        edo_waiter_drop(&self->waiter, &channel->lock);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_watch_changed");
    if (edo_budget_spent_by(cx, self->waiter.waker))
        return EDO_PENDING;
    int changed = self->waiter.waker != NULL ? 0 : see(self->rx);
    if (changed == 0) {
        struct edo_waker *spare = edo_waker_keep(cx->waker), *old = NULL;
        edo_lock(&channel->lock);
        changed = see(self->rx);
        if (changed == 0)
            edo_row_join(&channel->waiting, &self->waiter, &spare);
        else
            old = edo_row_leave(&self->waiter);
        edo_unlock(&channel->lock);
        edo_waker_forget(old);
        edo_waker_forget(spare);
        if (changed == 0)
            return EDO_PENDING;
    }
    self->output = changed < 0 ? changed : 0;
    edo_budget_spend(cx);
    return EDO_READY;
}

const void *edo_watch_receiver_borrow_(struct edo_watch_receiver *rx, bool update)
{
    return edo_watch_borrow_(rx->channel, update ? &rx->seen : NULL);
}

void edo_watch_receiver_release_(struct edo_watch_receiver *rx, const void *value)
{
    edo_watch_release_(rx->channel, value);
}

void edo_watch_get_(struct edo_watch_receiver *rx, void *value)
{
    struct edo_watch_ *channel = rx->channel;
    if (channel->clone != NULL) {
        const void *borrowed = edo_watch_borrow_(channel, &rx->seen);
        channel->clone(borrowed, value);
        edo_watch_release_(channel, borrowed);
        return;
    }
    edo_lock(&channel->lock);
    edo_copy(value, channel->snapshot->value, channel->size);
    rx->seen = edo_load(&channel->version, relaxed) & ~(uint64_t)EDO_WATCH_ENDED;
    edo_unlock(&channel->lock);
}

void edo_watch_mark_(struct edo_watch_receiver *rx, bool changed)
{
    /* Relaxed: nothing of the value is read. 0 is no value's version. */
    rx->seen = changed ? 0 : edo_load(&rx->channel->version, relaxed) & ~(uint64_t)EDO_WATCH_ENDED;
}

struct edo_watch_ *edo_watch_of_(void *handle, bool receiver)
{
    return receiver ? ((struct edo_watch_receiver *)handle)->channel : handle;
}

/* Asks about the value that there is, once for each. */
static bool ask(struct edo_watch_wait_for *self)
{
    struct edo_watch_ *channel = self->rx->channel;
    const void *value = edo_watch_borrow_(channel, &self->asked);
    bool wanted = self->wanted(value, self->arg);
    self->rx->seen = self->asked;
    if (wanted) {
        if (channel->clone != NULL)
            channel->clone(value, self->value);
        else
            edo_copy(self->value, value, channel->size);
    }
    edo_watch_release_(channel, value);
    return wanted;
}

static enum edo_poll edo_watch_wait_for_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_watch_wait_for *self = (struct edo_watch_wait_for *)future;
    struct edo_watch_ *channel = self->rx->channel;
    if (cx->walk == EDO_WALK_DROP)
        edo_waiter_drop(&self->waiter, &channel->lock);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_watch_wait_for");
    /* Values may come as fast as it asks: each question is an operation. */
    for (bool spent = edo_budget_spent_by(cx, self->waiter.waker); !spent;
         spent = edo_budget_spent(cx)) {
        struct edo_waker *spare = edo_waker_keep(cx->waker), *old = NULL;
        edo_lock(&channel->lock);
        /* Relaxed: written under the lock. */
        uint64_t version = edo_load(&channel->version, relaxed);
        bool fresh = (version & ~(uint64_t)EDO_WATCH_ENDED) != self->asked;
        bool wait = !fresh && (version & EDO_WATCH_ENDED) == 0;
        if (wait)
            edo_row_join(&channel->waiting, &self->waiter, &spare);
        else
            old = edo_row_leave(&self->waiter);
        edo_unlock(&channel->lock);
        edo_waker_forget(old);
        edo_waker_forget(spare);
        if (wait)
            return EDO_PENDING;
        edo_budget_spend(cx);
        if (!fresh)
            self->output = EDO_ECLOSED;
        if (!fresh || ask(self))
            return EDO_READY;
    }
    return EDO_PENDING;
}

struct edo_watch_wait_for edo_watch_wait_for_(struct edo_watch_receiver *rx,
                                              bool (*wanted)(const void *, void *), void *arg,
                                              void *value)
{
    return EDO_NEW_RETURNED(edo_watch_wait_for, .rx = rx, .wanted = wanted, .arg = arg,
                            .value = value);
}
