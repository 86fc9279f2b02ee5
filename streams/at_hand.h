/* SPDX-License-Identifier: MIT */
/* Items of what most chains begin with, an array and a filter of one, without a poll of either. Not for use by hand.
 *
 * Who polls a source by its pointer may ask here first. The answer is an item, taken as a poll would have: in
 * order, out of the budget, and no predicate is called before its item is asked for. Or it is no, whatever the
 * reason: another kind of stream, the end, no budget. Then nothing has happened but that items were left out,
 * and a poll says what. */
#ifndef EDO_STREAMS_AT_HAND_H
#define EDO_STREAMS_AT_HAND_H

#include "../internal/copy.h"
#include "stream_filter.h"
#include "stream_iter.h"

edo_poll_fn edo_stream_iter_poll_, edo_stream_filter_poll_;

/* The next element, where it is. False: there is none, or no budget for it. */
static inline bool edo_stream_iter_take_(struct edo_stream_iter *iter, struct edo_context *cx,
                                         const void **item)
{
    if (__builtin_expect(iter->left == 0 || cx->budget == 0, 0))
        return false;
    edo_budget_spend(cx);
    *item = iter->items;
    iter->items += iter->stride;
    if (__builtin_expect(iter->left != SIZE_MAX, 1))
        iter->left--;
    return true;
}

/* Of a filter that is asked: it has not ended. Those that are left out it does not copy; with a drop hook it would
 * have to. */
static inline bool edo_stream_filter_take_(struct edo_stream_filter *filter, struct edo_context *cx,
                                           void *item)
{
    struct edo_stream_iter *iter = (struct edo_stream_iter *)filter->source;
    if (__builtin_expect(iter->stream_.future_.poll != edo_stream_iter_poll_ ||
                             edo_future_done(&iter->stream_.future_) ||
                             filter->stream_.drop != NULL,
                         0))
        return false;
    edo_future_check(&iter->stream_.future_, cx);
    const void *at;
    while (edo_stream_iter_take_(iter, cx, &at)) {
        if (__builtin_expect(filter->predicate(filter->arg, at), 1)) {
            edo_copy(item, at, iter->size);
            return true;
        }
    }
    return false;
}

/* Of any stream. */
static inline bool edo_stream_at_hand_(struct edo_stream *stream, struct edo_context *cx,
                                       void *item)
{
    if (__builtin_expect(edo_future_done(&stream->future_), 0))
        return false;
    if (__builtin_expect(stream->future_.poll == edo_stream_filter_poll_, 1)) {
        edo_future_check(&stream->future_, cx);
        return edo_stream_filter_take_((struct edo_stream_filter *)stream, cx, item);
    }
    const void *at;
    if (stream->future_.poll != edo_stream_iter_poll_)
        return false;
    edo_future_check(&stream->future_, cx);
    if (!edo_stream_iter_take_((struct edo_stream_iter *)stream, cx, &at))
        return false;
    edo_copy(item, at, ((struct edo_stream_iter *)stream)->size);
    return true;
}

#endif
