/* SPDX-License-Identifier: MIT */
#include "stream.h"

struct any {
    EDO_STREAM(int);
};
_Static_assert(offsetof(struct any, output) == offsetof(struct edo_stream, output),
               "`output` of STREAM is the head's");
_Static_assert(offsetof(struct any, drop_) == offsetof(struct edo_stream, drop) &&
                   sizeof(struct any) == sizeof(struct edo_stream),
               "and NEW makes the whole head");

/* Not inlined: what it keeps across its calls, a poll need not keep. */
__attribute__((noinline)) static enum edo_poll next_walk(struct edo_next *self,
                                                         struct edo_context *cx)
{
    if (cx->walk == EDO_WALK_DROP)
        return EDO_READY; /* the stream is not ours */
    edo_trace(cx, "edo_next", NULL, 0);
    cx->depth++;
    edo_future_trace(&self->stream->future_, cx);
    cx->depth--;
    return EDO_PENDING;
}

enum edo_poll edo_next_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_next *self = (struct edo_next *)future;
    if (__builtin_expect(cx->walk != EDO_WALK_POLL, 0))
        return next_walk(self, cx);
    int output = edo_stream_poll(self->stream, cx, self->item);
    if (output == EDO_STREAM_PENDING)
        return EDO_PENDING;
    self->output = output;
    return EDO_READY;
}

void edo_stream_drop_(struct edo_stream *stream, struct edo_context *cx)
{
    if (stream == NULL)
        return;
    edo_future_drop(&stream->future_, cx);
    stream->item = NULL;
}

struct edo_size_hint edo_stream_size_hint_(const struct edo_stream *stream)
{
    if (edo_future_done(&stream->future_))
        return (struct edo_size_hint){0, 0};
    if (stream->size_hint == NULL)
        return (struct edo_size_hint){0, SIZE_MAX};
    return stream->size_hint(stream);
}
