/* SPDX-License-Identifier: MIT */
#include "stream_then.h"

#include <string.h>

static enum edo_poll then_walk(struct edo_stream_then *self, struct edo_context *cx)
{
    if (cx->walk == EDO_WALK_TRACE)
        return edo_stream_trace_(cx, "edo_stream_then",
                                 self->under_way ? self->future : &self->source->future_, NULL);
    if (self->under_way)
        edo_future_drop(self->future, cx);
    edo_future_drop(&self->source->future_, cx);
    return EDO_READY;
}

static enum edo_poll then_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_then *self = (struct edo_stream_then *)future;
    if (cx->walk != EDO_WALK_POLL)
        return then_walk(self, cx);
    if (!self->under_way) {
        int output = edo_stream_poll(self->source, cx, self->room);
        if (output != EDO_STREAM_ITEM)
            return edo_stream_pass_(&self->stream_, self->source, output);
        ((edo_stream_then_fn_ *)self->function)(self->arg, self->room, self->future);
        self->under_way = true;
    }
    if (edo_future_poll(self->future, cx) == EDO_PENDING)
        return EDO_PENDING;
    self->under_way = false;
    if (self->result != NULL && *self->result < 0)
        return edo_stream_none(&self->stream_, *self->result);
    memcpy(self->stream_.item, self->value, self->size);
    return edo_stream_item(&self->stream_);
}

/* The one under way is no longer the source's. */
static struct edo_size_hint then_size_hint(const struct edo_stream *stream)
{
    const struct edo_stream_then *self = (const struct edo_stream_then *)stream;
    struct edo_size_hint hint = edo_stream_size_hint_(self->source);
    hint.upper = edo_size_sum_(hint.upper, self->under_way);
    hint.lower = self->result != NULL ? 0 : edo_size_sum_(hint.lower, self->under_way);
    return hint;
}

struct edo_stream *edo_stream_then_(struct edo_stream_then *place, struct edo_stream *source,
                                    void *room, struct edo_future *future, const void *value,
                                    size_t size, const int *result, void (*function)(void),
                                    void *arg)
{
    *place = (struct edo_stream_then){.stream_ = edo_stream_head_(then_poll, then_size_hint, NULL),
                                      .source = source,
                                      .room = room,
                                      .future = future,
                                      .value = value,
                                      .size = size,
                                      .result = result,
                                      .function = function,
                                      .arg = arg};
    return &place->stream_;
}

static enum edo_poll flat_map_walk(struct edo_stream_flat_map *self, struct edo_context *cx)
{
    if (cx->walk == EDO_WALK_TRACE)
        return edo_stream_trace_(
            cx, "edo_stream_flat_map",
            self->inner != NULL ? &self->inner->future_ : &self->source->future_, NULL);
    if (self->inner != NULL)
        edo_future_drop(&self->inner->future_, cx);
    edo_future_drop(&self->source->future_, cx);
    return EDO_READY;
}

static enum edo_poll flat_map_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_flat_map *self = (struct edo_stream_flat_map *)future;
    if (cx->walk != EDO_WALK_POLL)
        return flat_map_walk(self, cx);
    for (;;) {
        if (self->inner != NULL) {
            int output = edo_stream_poll(self->inner, cx, self->stream_.item);
            if (output == EDO_STREAM_PENDING)
                return EDO_PENDING;
            if (output == EDO_STREAM_ITEM)
                return edo_stream_item(&self->stream_);
            if (output < 0)
                return edo_stream_none(&self->stream_, output);
            edo_future_drop(&self->inner->future_, cx);
            self->inner = NULL;
            if (cx->panic.name != NULL || edo_budget_spent(cx))
                return EDO_PENDING;
        }
        int output = edo_stream_draw_(self->source, cx, self->room);
        if (output != EDO_STREAM_ITEM)
            return edo_stream_pass_(&self->stream_, self->source, output);
        self->inner = (struct edo_stream *)(void *)((edo_stream_flat_map_fn_ *)self->function)(
            self->arg, self->room, self->place);
        if (self->inner == NULL && edo_budget_spent(cx))
            return EDO_PENDING;
    }
}

/* What the streams of the source's items will have is not known. */
static struct edo_size_hint flat_map_size_hint(const struct edo_stream *stream)
{
    const struct edo_stream_flat_map *self = (const struct edo_stream_flat_map *)stream;
    struct edo_size_hint hint = {0, 0};
    if (self->inner != NULL)
        hint = edo_stream_size_hint_(self->inner);
    if (edo_stream_size_hint_(self->source).upper > 0)
        hint.upper = SIZE_MAX;
    return hint;
}

struct edo_stream *edo_stream_flat_map_(struct edo_stream_flat_map *place,
                                        struct edo_stream *source, void *room, void *inner,
                                        void (*function)(void), void *arg)
{
    *place = (struct edo_stream_flat_map){
        .stream_ = edo_stream_head_(flat_map_poll, flat_map_size_hint, NULL),
        .source = source,
        .room = room,
        .place = inner,
        .function = function,
        .arg = arg};
    return &place->stream_;
}
