/* SPDX-License-Identifier: MIT */
#include "stream_buffered.h"

static enum edo_poll walk(struct edo_stream_buffered *self, struct edo_context *cx)
{
    struct edo_future *set = &self->set.stream_.future_;
    if (cx->walk == EDO_WALK_TRACE)
        return edo_stream_trace_(
            cx, self->set.ordered ? "edo_stream_buffered" : "edo_stream_buffer_unordered",
            &self->source->future_, self->set.length > 0 ? set : NULL);
    self->set.stream_.drop = self->stream_.drop;
    edo_future_drop(set, cx);
    edo_member_free_(self->room);
    self->room = NULL;
    edo_future_drop(&self->source->future_, cx);
    return EDO_READY;
}

/* What the source came to has its turn: none is under way. */
static enum edo_poll pass(struct edo_stream_buffered *self, struct edo_context *cx, int output)
{
    self->holds = false;
    if (!edo_future_done(&self->source->future_))
        return edo_stream_none(&self->stream_, output);
    edo_future_drop(&self->set.stream_.future_, cx);
    edo_member_free_(self->room);
    self->room = NULL;
    return edo_stream_end(&self->stream_, output);
}

/* Takes in as many as there is room for, which is made first: no future is taken that has no place.
 * Returns what the source came to, unless that was an item: EDO_STREAM_ITEM is that there is no room, or
 * no memory, or no budget for another; the set has one then that was not polled, and wakes the task. */
static int take_in(struct edo_stream_buffered *self, struct edo_context *cx)
{
    struct edo_futures_unordered *set = &self->set;
    while (set->length < self->limit) {
        if (self->room == NULL)
            self->room = edo_member_alloc_(set, set->ordered, self->size);
        if (self->room == NULL)
            break;
        int output = edo_stream_draw_(self->source, cx, self->room);
        if (output != EDO_STREAM_ITEM)
            return output;
        edo_member_add_(set, self->room, (char *)self->room + self->output_offset,
                        self->output_size);
        self->room = NULL;
        if (cx->budget == 0)
            break;
    }
    return EDO_STREAM_ITEM;
}

static int poll_set(struct edo_stream_buffered *self, struct edo_context *cx)
{
    return edo_stream_poll(&self->set.stream_, cx, self->stream_.item);
}

static enum edo_poll buffered_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_buffered *self = (struct edo_stream_buffered *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(self, cx);
    if (self->limit == 0) {
        edo_future_drop(&self->source->future_, cx);
        return pass(self, cx, -EINVAL);
    }
    bool set_first = self->set_first;
    self->set_first = false;
    if (set_first && poll_set(self, cx) == EDO_STREAM_ITEM)
        return edo_stream_item(&self->stream_);
    int output = EDO_STREAM_ITEM;
    if (!self->holds && cx->panic.name == NULL)
        output = take_in(self, cx);
    if (cx->panic.name != NULL)
        return EDO_PENDING;
    self->set_first = !set_first && cx->budget == 0;
    if (output < 0 && !self->set.ordered && self->set.length > 0)
        return edo_stream_none(&self->stream_, output);
    if (output < 0 || output == EDO_STREAM_END) {
        self->holds = true;
        self->held = output;
    }
    switch (poll_set(self, cx)) {
    case EDO_STREAM_ITEM:
        return edo_stream_item(&self->stream_);
    case EDO_STREAM_PENDING:
        return EDO_PENDING;
    }
    if (self->holds)
        return pass(self, cx, self->held);
    return output == EDO_STREAM_PENDING ? EDO_PENDING : edo_stream_none(&self->stream_, -ENOMEM);
}

/* Those under way are no longer the source's. */
static struct edo_size_hint buffered_size_hint(const struct edo_stream *stream)
{
    const struct edo_stream_buffered *self = (const struct edo_stream_buffered *)stream;
    if (self->limit == 0)
        return (struct edo_size_hint){0, 0};
    struct edo_size_hint hint = {0, 0}; /* as far as an end that has yet to pass */
    if (!self->holds || self->held != EDO_STREAM_END)
        hint = edo_stream_size_hint_(self->source);
    return (struct edo_size_hint){edo_size_sum_(hint.lower, self->set.length),
                                  edo_size_sum_(hint.upper, self->set.length)};
}

struct edo_stream *edo_stream_buffered_(struct edo_stream_buffered *place,
                                        struct edo_stream *source, size_t limit, bool ordered,
                                        size_t size, size_t output_offset, size_t output_size)
{
    *place = (struct edo_stream_buffered){
        .stream_ = edo_stream_head_(buffered_poll, buffered_size_hint, NULL),
        .source = source,
        .limit = limit,
        .size = size,
        .output_offset = (uint32_t)output_offset,
        .output_size = (uint32_t)output_size};
    edo_futures_stream_(&place->set, ordered);
    return &place->stream_;
}
