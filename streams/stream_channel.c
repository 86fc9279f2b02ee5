/* SPDX-License-Identifier: MIT */
#include "stream_channel.h"

/* A future that is made again for each item; zero before the first. */
static bool under_way(const struct edo_future *future)
{
    return future->poll != NULL && !edo_future_done(future);
}

static enum edo_poll walk(struct edo_future *inner, struct edo_context *cx, const char *name)
{
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(inner, cx);
    return edo_walk_leaf(cx, name);
}

static enum edo_poll mpsc_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_mpsc *self = (struct edo_stream_mpsc *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(&self->recv.future_, cx, "edo_stream_mpsc");
    if (!under_way(&self->recv.future_))
        self->recv = edo_mpsc_recv_(self->rx, NULL);
    self->recv.message = self->stream_.item;
    if (edo_future_poll(&self->recv.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    return self->recv.output < 0 ? edo_stream_end(&self->stream_, 0)
                                 : edo_stream_item(&self->stream_);
}

static struct edo_size_hint mpsc_size_hint(const struct edo_stream *stream)
{
    const struct edo_stream_mpsc *self = (const struct edo_stream_mpsc *)stream;
    return (struct edo_size_hint){edo_mpsc_len_((struct edo_mpsc_ *)self->rx), SIZE_MAX};
}

struct edo_stream *edo_stream_mpsc_(struct edo_stream_mpsc *place, struct edo_mpsc_receiver *rx)
{
    *place = (struct edo_stream_mpsc){.stream_ = edo_stream_head_(mpsc_poll, mpsc_size_hint, NULL),
                                      .rx = rx};
    place->stream_.drop = edo_mpsc_drop_hook_(rx);
    return &place->stream_;
}

static enum edo_poll async_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_async *self = (struct edo_stream_async *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(&self->recv.future_, cx, "edo_stream_async");
    if (!under_way(&self->recv.future_))
        self->recv = edo_async_recv_(self->rx, NULL);
    self->recv.message = self->stream_.item;
    if (edo_future_poll(&self->recv.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    return self->recv.output < 0 ? edo_stream_end(&self->stream_, 0)
                                 : edo_stream_item(&self->stream_);
}

/* Nothing is known: others receive too. */
struct edo_stream *edo_stream_async_(struct edo_stream_async *place, struct edo_async_receiver *rx)
{
    *place =
        (struct edo_stream_async){.stream_ = edo_stream_head_(async_poll, NULL, NULL), .rx = rx};
    place->stream_.drop = edo_async_drop_hook_(rx);
    return &place->stream_;
}

static enum edo_poll broadcast_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_broadcast *self = (struct edo_stream_broadcast *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(&self->recv.future_, cx, "edo_stream_broadcast");
    if (!under_way(&self->recv.future_))
        self->recv = edo_broadcast_recv_(self->rx, NULL);
    self->recv.message = self->stream_.item;
    if (edo_future_poll(&self->recv.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    if (self->recv.output == EDO_ELAGGED)
        return edo_stream_none(&self->stream_, EDO_ELAGGED);
    return self->recv.output < 0 ? edo_stream_end(&self->stream_, 0)
                                 : edo_stream_item(&self->stream_);
}

struct edo_stream *edo_stream_broadcast_(struct edo_stream_broadcast *place,
                                         struct edo_broadcast_receiver *rx)
{
    *place = (struct edo_stream_broadcast){.stream_ = edo_stream_head_(broadcast_poll, NULL, NULL),
                                           .rx = rx};
    place->stream_.drop = edo_broadcast_drop_hook_(rx);
    return &place->stream_;
}

static enum edo_poll watch_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_watch *self = (struct edo_stream_watch *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(&self->changed.future_, cx, "edo_stream_watch");
    if (!under_way(&self->changed.future_))
        self->changed = edo_watch_changed_(self->rx);
    if (edo_future_poll(&self->changed.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    if (self->changed.output < 0)
        return edo_stream_end(&self->stream_, 0);
    edo_watch_get_(self->rx, self->stream_.item);
    return edo_stream_item(&self->stream_);
}

struct edo_stream *edo_stream_watch_(struct edo_stream_watch *place, struct edo_watch_receiver *rx,
                                     bool first)
{
    *place =
        (struct edo_stream_watch){.stream_ = edo_stream_head_(watch_poll, NULL, NULL), .rx = rx};
    place->stream_.drop = edo_watch_drop_hook_(rx);
    if (first)
        edo_watch_mark_(rx, true);
    return &place->stream_;
}
