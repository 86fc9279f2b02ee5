/* SPDX-License-Identifier: MIT */
#include "stream_inspect.h"

static enum edo_poll inspect_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_inspect *self = (struct edo_stream_inspect *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_stream_walk_(self->source, cx, "edo_stream_inspect");
    int output = edo_stream_poll(self->source, cx, self->stream_.item);
    if (output != EDO_STREAM_ITEM)
        return edo_stream_pass_(&self->stream_, self->source, output);
    self->function(self->arg, self->stream_.item);
    return edo_stream_item(&self->stream_);
}

static struct edo_size_hint inspect_size_hint(const struct edo_stream *stream)
{
    return edo_stream_size_hint_(((const struct edo_stream_inspect *)stream)->source);
}

struct edo_stream *edo_stream_inspect_(struct edo_stream_inspect *place, struct edo_stream *source,
                                       edo_stream_inspect_fn_ *function, void *arg)
{
    *place = (struct edo_stream_inspect){
        .stream_ = edo_stream_head_(inspect_poll, inspect_size_hint, source),
        .source = source,
        .function = function,
        .arg = arg};
    return &place->stream_;
}

static enum edo_poll enumerate_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_enumerate *self = (struct edo_stream_enumerate *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_stream_walk_(self->source, cx, "edo_stream_enumerate");
    int output = edo_stream_poll(self->source, cx, self->stream_.item);
    if (output != EDO_STREAM_ITEM)
        return edo_stream_pass_(&self->stream_, self->source, output);
    *self->index = self->next++;
    return edo_stream_item(&self->stream_);
}

static struct edo_size_hint enumerate_size_hint(const struct edo_stream *stream)
{
    return edo_stream_size_hint_(((const struct edo_stream_enumerate *)stream)->source);
}

struct edo_stream *edo_stream_enumerate_(struct edo_stream_enumerate *place,
                                         struct edo_stream *source, size_t *index)
{
    *place = (struct edo_stream_enumerate){
        .stream_ = edo_stream_head_(enumerate_poll, enumerate_size_hint, source),
        .source = source,
        .index = index};
    return &place->stream_;
}
