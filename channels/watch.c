/* SPDX-License-Identifier: MIT */
/* The channel's life, and the value. */
#include "watch_internal.h"

#include <errno.h>

struct edo_watch_snapshot *edo_watch_snapshot_new(struct edo_watch_ *channel, const void *value)
{
    struct edo_watch_snapshot *snapshot = edo_malloc(sizeof *snapshot + channel->size);
    if (snapshot == NULL)
        return NULL;
    edo_init(&snapshot->refs, 1);
    edo_copy(snapshot->value, value, channel->size);
    return snapshot;
}

void edo_watch_unref(struct edo_watch_ *channel, struct edo_watch_snapshot *snapshot)
{
    /* Release: what this one read of it; acquire: what all others did, before it is dropped. */
    if (snapshot == NULL || edo_fetch_sub(&snapshot->refs, 1, acq_rel) != 1)
        return;
    if (channel->drop != NULL)
        channel->drop(snapshot->value);
    edo_free(snapshot);
}

int edo_watch_new_(struct edo_watch_ **out, struct edo_watch_receiver **rx, size_t size,
                   const void *initial, void (*clone)(const void *, void *), void (*drop)(void *))
{
    *out = NULL;
    *rx = NULL;
    if ((clone == NULL) != (drop == NULL))
        return -EINVAL;
    struct edo_watch_ *channel = edo_calloc(1, sizeof *channel);
    if (channel == NULL)
        return -ENOMEM;
    edo_lock_init(&channel->lock);
    edo_list_init(&channel->waiting);
    edo_list_init(&channel->watching);
    channel->senders = channel->handles = 1;
    edo_init(&channel->version, EDO_WATCH_ONE);
    channel->size = size;
    channel->clone = clone;
    channel->drop = drop;
    channel->snapshot = edo_watch_snapshot_new(channel, initial);
    if (channel->snapshot != NULL)
        *rx = edo_watch_subscribe_((struct edo_watch_sender *)channel);
    if (*rx == NULL) {
        edo_free(channel->snapshot);
        edo_lock_destroy(&channel->lock);
        edo_free(channel);
        return -ENOMEM;
    }
    *out = channel;
    return 0;
}

void edo_watch_put(struct edo_watch_ *channel)
{
    bool last = --channel->handles == 0;
    edo_unlock(&channel->lock);
    if (!last)
        return;
    edo_watch_unref(channel, channel->snapshot);
    edo_lock_destroy(&channel->lock);
    edo_free(channel);
}

const void *edo_watch_borrow_(struct edo_watch_ *channel, uint64_t *version)
{
    edo_lock(&channel->lock);
    struct edo_watch_snapshot *snapshot = channel->snapshot;
    /* Relaxed: the channel's reference is there, and the lock keeps it. */
    edo_fetch_add(&snapshot->refs, 1, relaxed);
    if (version != NULL)
        *version = edo_load(&channel->version, relaxed) & ~(uint64_t)EDO_WATCH_ENDED;
    edo_unlock(&channel->lock);
    return snapshot->value;
}

void edo_watch_release_(struct edo_watch_ *channel, const void *value)
{
    edo_watch_unref(channel, edo_container_of((uintptr_t)value, struct edo_watch_snapshot, value));
}

void (*edo_watch_drop_hook_(struct edo_watch_receiver *rx))(void *)
{
    return rx->channel->drop;
}
