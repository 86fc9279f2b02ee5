/* SPDX-License-Identifier: MIT */
#include "stream_peek.h"

#include <string.h>

/* ---- peekable ---- */

static void give(struct edo_stream_peekable *self, void *item)
{
    memcpy(item, self->room, self->size);
    self->peeked = 0;
}

static enum edo_poll peekable_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_peekable *self = (struct edo_stream_peekable *)future;
    if (cx->walk == EDO_WALK_DROP && self->peeked == EDO_STREAM_ITEM)
        edo_stream_discard_(&self->stream_, self->room);
    if (cx->walk == EDO_WALK_DROP)
        self->peeked = 0;
    if (cx->walk != EDO_WALK_POLL)
        return edo_stream_walk_(self->source, cx, "edo_stream_peekable");
    int output = self->peeked;
    if (output == EDO_STREAM_ITEM) {
        give(self, self->stream_.item);
        return edo_stream_item(&self->stream_);
    }
    self->peeked = 0;
    if (output == 0)
        output = edo_stream_poll(self->source, cx, self->stream_.item);
    if (output == EDO_STREAM_ITEM)
        return edo_stream_item(&self->stream_);
    return edo_stream_pass_(&self->stream_, self->source, output);
}

static struct edo_size_hint peekable_size_hint(const struct edo_stream *stream)
{
    const struct edo_stream_peekable *self = (const struct edo_stream_peekable *)stream;
    struct edo_size_hint hint = edo_stream_size_hint_(self->source);
    size_t waiting = self->peeked == EDO_STREAM_ITEM;
    return (struct edo_size_hint){edo_size_sum_(hint.lower, waiting),
                                  edo_size_sum_(hint.upper, waiting)};
}

struct edo_stream *edo_stream_peekable_(struct edo_stream_peekable *place,
                                        struct edo_stream *source, void *room, size_t size)
{
    *place = (struct edo_stream_peekable){
        .stream_ = edo_stream_head_(peekable_poll, peekable_size_hint, source),
        .source = source,
        .room = room,
        .size = size};
    return &place->stream_;
}

/* ---- peek, next_if: the stream is not theirs ---- */

static int peek(struct edo_stream_peekable *peekable, struct edo_context *cx)
{
    if (peekable->peeked != 0)
        return peekable->peeked;
    int output = edo_stream_poll(peekable->source, cx, peekable->room);
    if (output != EDO_STREAM_PENDING)
        peekable->peeked = output;
    return output;
}

enum edo_poll edo_stream_peek_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_peek *self = (struct edo_stream_peek *)future;
    if (cx->walk == EDO_WALK_DROP)
        return EDO_READY;
    if (cx->walk == EDO_WALK_TRACE)
        return edo_stream_trace_(cx, "edo_stream_peek", &self->peekable->source->future_, NULL);
    int output = peek(self->peekable, cx);
    if (output == EDO_STREAM_PENDING)
        return EDO_PENDING;
    self->output = output;
    return EDO_READY;
}

struct edo_stream_peek edo_stream_peek_(struct edo_stream_peekable *peekable)
{
    return EDO_NEW(edo_stream_peek, .peekable = peekable);
}

enum edo_poll edo_stream_next_if_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_next_if *self = (struct edo_stream_next_if *)future;
    struct edo_stream_peekable *peekable = self->peekable;
    if (cx->walk == EDO_WALK_DROP)
        return EDO_READY;
    if (cx->walk == EDO_WALK_TRACE)
        return edo_stream_trace_(cx, "edo_stream_next_if", &peekable->source->future_, NULL);
    int output = peek(peekable, cx);
    if (output == EDO_STREAM_PENDING)
        return EDO_PENDING;
    if (output != EDO_STREAM_ITEM)
        peekable->peeked = 0;
    else if (self->predicate(self->arg, peekable->room))
        give(peekable, self->item);
    else
        output = 0;
    self->output = output;
    return EDO_READY;
}

struct edo_stream_next_if edo_stream_next_if_(struct edo_stream_peekable *peekable, void *item,
                                              edo_stream_predicate_ *predicate, void *arg)
{
    return EDO_NEW(edo_stream_next_if, .peekable = peekable, .item = item, .predicate = predicate,
                   .arg = arg);
}

/* ---- fuse ---- */

static enum edo_poll fuse_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_fuse *self = (struct edo_stream_fuse *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_stream_walk_(self->source, cx, "edo_stream_fuse");
    int output = edo_stream_poll(self->source, cx, self->stream_.item);
    if (output == EDO_STREAM_ITEM)
        return edo_stream_item(&self->stream_);
    if (output == EDO_STREAM_END)
        return edo_stream_cut_(&self->stream_, self->source, cx, 0);
    return edo_stream_pass_(&self->stream_, self->source, output);
}

static struct edo_size_hint fuse_size_hint(const struct edo_stream *stream)
{
    return edo_stream_size_hint_(((const struct edo_stream_fuse *)stream)->source);
}

struct edo_stream *edo_stream_fuse_(struct edo_stream_fuse *place, struct edo_stream *source)
{
    *place = (struct edo_stream_fuse){
        .stream_ = edo_stream_head_(fuse_poll, fuse_size_hint, source), .source = source};
    return &place->stream_;
}
