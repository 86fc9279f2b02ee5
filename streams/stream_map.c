/* SPDX-License-Identifier: MIT */
#include "stream_map.h"

#include "at_hand.h"

static struct edo_stream *make(struct edo_stream_map *place, edo_poll_fn *poll,
                               edo_size_hint_fn *size_hint, struct edo_stream *source, void *room,
                               void (*function)(void), void *arg)
{
    *place = (struct edo_stream_map){.stream_ = edo_stream_head_(poll, size_hint, NULL),
                                     .source = source,
                                     .room = room,
                                     .function = function,
                                     .arg = arg};
    return &place->stream_;
}

static enum edo_poll mapped(struct edo_stream_map *self)
{
    ((edo_stream_map_fn_ *)self->function)(self->arg, self->room, self->stream_.item);
    return edo_stream_item(&self->stream_);
}

/* Of any source. Not inlined into those of what is at hand, for them to be short. */
__attribute__((noinline)) static enum edo_poll map_poll(struct edo_future *future,
                                                        struct edo_context *cx)
{
    struct edo_stream_map *self = (struct edo_stream_map *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_stream_walk_(self->source, cx, "edo_stream_map");
    int output = edo_stream_poll(self->source, cx, self->room);
    return output == EDO_STREAM_ITEM ? mapped(self)
                                     : edo_stream_pass_(&self->stream_, self->source, output);
}

/* Of an array. */
static enum edo_poll map_iter_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_map *self = (struct edo_stream_map *)future;
    if (__builtin_expect(cx->walk != EDO_WALK_POLL, 0))
        return map_poll(future, cx);
    struct edo_stream_iter *iter = (struct edo_stream_iter *)self->source;
    const void *item;
    if (!edo_stream_iter_take_(iter, cx, &item))
        return map_poll(future, cx);
    edo_copy(self->room, item, iter->size);
    return mapped(self);
}

/* Of a filter of an array. */
static enum edo_poll map_filter_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_map *self = (struct edo_stream_map *)future;
    if (__builtin_expect(cx->walk != EDO_WALK_POLL, 0))
        return map_poll(future, cx);
    struct edo_stream_filter *filter = (struct edo_stream_filter *)self->source;
    struct edo_stream_iter *iter = (struct edo_stream_iter *)filter->source;
    const void *item;
    if (!edo_stream_filter_take_(filter, iter, cx, &item))
        return map_poll(future, cx);
    edo_copy(self->room, item, iter->size);
    return mapped(self);
}

static struct edo_size_hint map_size_hint(const struct edo_stream *stream)
{
    return edo_stream_size_hint_(((const struct edo_stream_map *)stream)->source);
}

struct edo_stream *edo_stream_map_(struct edo_stream_map *place, struct edo_stream *source,
                                   void *room, void (*function)(void), void *arg)
{
    edo_poll_fn *of = source->future_.poll;
    edo_poll_fn *poll = of == edo_stream_iter_poll_          ? map_iter_poll
                        : of == edo_stream_filter_iter_poll_ ? map_filter_poll
                                                             : map_poll;
    return make(place, poll, map_size_hint, source, room, function, arg);
}

static enum edo_poll filter_map_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_map *self = (struct edo_stream_map *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_stream_walk_(self->source, cx, "edo_stream_filter_map");
    edo_stream_try_map_fn_ *function = (edo_stream_try_map_fn_ *)self->function;
    int output;
    while ((output = edo_stream_draw_(self->source, cx, self->room)) == EDO_STREAM_ITEM) {
        if (function(self->arg, self->room, self->stream_.item))
            return edo_stream_item(&self->stream_);
        if (edo_budget_spent(cx))
            return EDO_PENDING;
    }
    return edo_stream_pass_(&self->stream_, self->source, output);
}

static struct edo_size_hint at_most_size_hint(const struct edo_stream *stream)
{
    struct edo_size_hint hint = map_size_hint(stream);
    hint.lower = 0;
    return hint;
}

struct edo_stream *edo_stream_filter_map_(struct edo_stream_map *place, struct edo_stream *source,
                                          void *room, void (*function)(void), void *arg)
{
    return make(place, filter_map_poll, at_most_size_hint, source, room, function, arg);
}

static enum edo_poll scan_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_map *self = (struct edo_stream_map *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_stream_walk_(self->source, cx, "edo_stream_scan");
    int output = edo_stream_poll(self->source, cx, self->room);
    if (output != EDO_STREAM_ITEM)
        return edo_stream_pass_(&self->stream_, self->source, output);
    if (((edo_stream_try_map_fn_ *)self->function)(self->arg, self->room, self->stream_.item))
        return edo_stream_item(&self->stream_);
    return edo_stream_cut_(&self->stream_, self->source, cx, 0);
}

struct edo_stream *edo_stream_scan_(struct edo_stream_map *place, struct edo_stream *source,
                                    void *room, void (*function)(void), void *state)
{
    return make(place, scan_poll, at_most_size_hint, source, room, function, state);
}
