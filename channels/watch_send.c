/* SPDX-License-Identifier: MIT */
/* The senders. */
#include <errno.h>

#include "watch_internal.h"

static struct edo_watch_ *locked(void *handle)
{
    struct edo_watch_ *channel = handle;
    edo_lock(&channel->lock);
    return channel;
}

/* With the lock, which it lets go: the value is a new one. */
static void publish(struct edo_watch_ *channel)
{
    edo_store(&channel->version, edo_load(&channel->version, relaxed) + EDO_WATCH_ONE, release);
    if (edo_list_empty(&channel->waiting))
        edo_unlock(&channel->lock);
    else
        edo_row_wake_all(&channel->waiting, &channel->lock);
}

/* Stores a value; `old`, unless it is NULL, gets the one before. */
static int store(struct edo_watch_ *channel, const void *value, void *old, bool need_receiver)
{
    struct edo_watch_snapshot *fresh = NULL;
    for (;;) {
        edo_lock(&channel->lock);
        if (need_receiver && channel->receivers == 0) {
            edo_unlock(&channel->lock);
            edo_free(fresh);
            return EDO_ECLOSED;
        }
        struct edo_watch_snapshot *before = channel->snapshot;
        /* Acquire: who borrowed it is through with it. */
        if (channel->drop == NULL && edo_load(&before->refs, acquire) == 1) {
            if (old != NULL)
                edo_copy(old, before->value, channel->size);
            edo_copy(before->value, value, channel->size);
            publish(channel);
            edo_free(fresh);
            return 0;
        }
        if (fresh != NULL) {
            channel->snapshot = fresh;
            publish(channel);
            if (old == NULL) {
                edo_watch_unref(channel, before);
            } else if (edo_load(&before->refs, relaxed) == 1 || channel->clone == NULL) {
                /* Nobody's else any more, as it is not the channel's; or plain. Relaxed: giving it up
                 * acquires, before the caller has it. */
                edo_copy(old, before->value, channel->size);
                if (edo_fetch_sub(&before->refs, 1, acq_rel) == 1)
                    edo_free(before);
            } else {
                channel->clone(before->value, old);
                edo_watch_unref(channel, before);
            }
            return 0;
        }
        edo_unlock(&channel->lock);
        fresh = edo_watch_snapshot_new(channel, value);
        if (fresh == NULL)
            return -ENOMEM;
    }
}

int edo_watch_send_(struct edo_watch_sender *tx, const void *value)
{
    return store((struct edo_watch_ *)tx, value, NULL, true);
}

int edo_watch_send_replace_(struct edo_watch_sender *tx, const void *value, void *old)
{
    return store((struct edo_watch_ *)tx, value, old, false);
}

/* A private copy of the value, and its version. */
static struct edo_watch_snapshot *copy(struct edo_watch_ *channel, uint64_t *version)
{
    const void *value = edo_watch_borrow_(channel, version);
    struct edo_watch_snapshot *fresh = edo_watch_snapshot_new(channel, value);
    if (fresh != NULL && channel->clone != NULL)
        channel->clone(value, (void *)fresh->value);
    edo_watch_release_(channel, value);
    return fresh;
}

int edo_watch_modify_(struct edo_watch_sender *tx, bool (*if_modified)(void *, void *),
                      void (*modify)(void *, void *), void *arg)
{
    struct edo_watch_ *channel = (struct edo_watch_ *)tx;
    for (;;) {
        uint64_t version;
        struct edo_watch_snapshot *fresh = copy(channel, &version);
        if (fresh == NULL)
            return -ENOMEM;
        bool modified = true;
        if (modify != NULL)
            modify(fresh->value, arg);
        else
            modified = if_modified(fresh->value, arg);
        if (!modified) {
            edo_watch_unref(channel, fresh);
            return 0;
        }
        edo_lock(&channel->lock);
        /* Relaxed: written under the lock. This sender is there, so the bit is not set. */
        if (edo_load(&channel->version, relaxed) == version) {
            struct edo_watch_snapshot *before = channel->snapshot;
            channel->snapshot = fresh;
            publish(channel);
            edo_watch_unref(channel, before);
            return 1;
        }
        edo_unlock(&channel->lock);
        edo_watch_unref(channel, fresh);
    }
}

struct edo_watch_sender *edo_watch_sender_clone_(struct edo_watch_sender *tx)
{
    struct edo_watch_ *channel = locked(tx);
    channel->senders++;
    channel->handles++;
    edo_unlock(&channel->lock);
    return tx;
}

void edo_watch_sender_drop_(struct edo_watch_sender *tx)
{
    if (tx == NULL)
        return;
    struct edo_watch_ *channel = locked(tx);
    edo_assert_held(channel->senders, "a watch sender");
    if (--channel->senders == 0) {
        /* Release: as a value. */
        edo_store(&channel->version, edo_load(&channel->version, relaxed) | EDO_WATCH_ENDED,
                  release);
        edo_row_wake_all(&channel->waiting, &channel->lock);
        edo_lock(&channel->lock);
    }
    edo_watch_put(channel);
}

static enum edo_poll edo_watch_closed_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_watch_closed *self = (struct edo_watch_closed *)future;
    struct edo_watch_ *channel = self->channel;
    if (cx->walk == EDO_WALK_DROP)
        edo_waiter_drop(&self->waiter, &channel->lock);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_watch_closed");
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

struct edo_watch_closed edo_watch_closed_(struct edo_watch_sender *tx)
{
    return EDO_NEW_RETURNED(edo_watch_closed, .channel = (struct edo_watch_ *)tx);
}

size_t edo_watch_receiver_count_(struct edo_watch_sender *tx)
{
    struct edo_watch_ *channel = locked(tx);
    size_t count = channel->receivers;
    edo_unlock(&channel->lock);
    return count;
}

size_t edo_watch_sender_count_(struct edo_watch_sender *tx)
{
    struct edo_watch_ *channel = locked(tx);
    size_t count = channel->senders;
    edo_unlock(&channel->lock);
    return count;
}
