/* SPDX-License-Identifier: MIT */
#include "stream_iter.h"

#include <string.h>

static enum edo_poll iter_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_iter *self = (struct edo_stream_iter *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_stream_iter");
    if (self->left == 0)
        return edo_stream_end(&self->stream_, 0);
    if (edo_budget_spent(cx))
        return EDO_PENDING;
    edo_budget_spend(cx);
    memcpy(self->stream_.item, self->items, self->size);
    self->items += self->stride;
    if (self->left != SIZE_MAX)
        self->left--;
    return edo_stream_item(&self->stream_);
}

static struct edo_size_hint iter_size_hint(const struct edo_stream *stream)
{
    size_t left = ((const struct edo_stream_iter *)stream)->left;
    return (struct edo_size_hint){left, left};
}

struct edo_stream *edo_stream_iter_(struct edo_stream_iter *place, const void *items, size_t size,
                                    size_t stride, size_t count)
{
    *place = (struct edo_stream_iter){.stream_ = edo_stream_head_(iter_poll, iter_size_hint, NULL),
                                      .items = items,
                                      .size = size,
                                      .stride = stride,
                                      .left = count};
    return &place->stream_;
}
