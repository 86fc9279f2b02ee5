/* SPDX-License-Identifier: MIT */
#include "stream_incoming.h"

#include <uv.h>

static void close_left_out(void *item)
{
    edo_tcp_close(*(struct edo_tcp **)item);
}

static enum edo_poll incoming_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_incoming *self = (struct edo_stream_incoming *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(&self->accept.future_, cx);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_stream_incoming");
    if (self->accept.future_.poll == NULL)
        self->accept = edo_tcp_accept(self->listener);
    if (edo_future_poll(&self->accept.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    self->accept.future_.poll = NULL;
    if (self->accept.output < 0)
        return edo_stream_end(&self->stream_,
                              self->accept.output == UV_ECANCELED ? 0 : self->accept.output);
    *(struct edo_tcp **)self->stream_.item = self->accept.stream;
    return edo_stream_item(&self->stream_);
}

struct edo_stream *edo_stream_incoming_(struct edo_stream_incoming *place,
                                        struct edo_tcp_listener *listener)
{
    *place = (struct edo_stream_incoming){.stream_ = edo_stream_head_(incoming_poll, NULL, NULL),
                                          .listener = listener};
    place->stream_.drop = close_left_out;
    return &place->stream_;
}
