/* SPDX-License-Identifier: MIT */
#include "stream_iter.h"

#include "at_hand.h"

/* No poll, or one that gives no item. */
__attribute__((noinline)) static enum edo_poll iter_none(struct edo_stream_iter *self,
                                                         struct edo_context *cx)
{
    if (cx->walk == EDO_WALK_DROP)
        self->end = self->items; /* for who has it at hand, and does not ask whether it is done */
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_stream_iter");
    if (self->items == self->end)
        return edo_stream_end(&self->stream_, 0);
    edo_budget_spent(cx);
    return EDO_PENDING;
}

enum edo_poll edo_stream_iter_poll_(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_iter *self = (struct edo_stream_iter *)future;
    const void *item;
    if (__builtin_expect(cx->walk != EDO_WALK_POLL, 0) || !edo_stream_iter_take_(self, cx, &item))
        return iter_none(self, cx);
    self->stream_.output = EDO_STREAM_ITEM;
    /* Last, so that a call of memcpy keeps nothing in registers. */
    edo_copy(self->stream_.item, item, self->size);
    return EDO_READY;
}

static struct edo_size_hint iter_size_hint(const struct edo_stream *stream)
{
    const struct edo_stream_iter *self = (const struct edo_stream_iter *)stream;
    size_t left = self->stride != 0 ? (size_t)(self->end - self->items) / self->stride : SIZE_MAX;
    return (struct edo_size_hint){left, left};
}

struct edo_stream *edo_stream_iter_(struct edo_stream_iter *place, const void *items, size_t size,
                                    size_t stride, size_t count)
{
    /* Elements of no size are counted all the same, at addresses that nobody reads. */
    if (stride == 0 && count != SIZE_MAX)
        stride = 1;
    const char *end = NULL;
    if (stride != 0)
        end = count != 0 ? (const char *)items + stride * count : items;
    *place = (struct edo_stream_iter){
        .stream_ = edo_stream_head_(edo_stream_iter_poll_, iter_size_hint, NULL),
        .items = items,
        .end = end,
        .size = size,
        .stride = stride};
    return &place->stream_;
}
