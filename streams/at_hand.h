/* SPDX-License-Identifier: MIT */
/* Items of what most chains begin with, an array and a filter of one, without a poll of either. Not for use by hand.
 *
 * An adapter looks once, when it is made, whether its source is one of the two, by its poll function, and then has a
 * poll function of its own that begins here. The answer is an item, taken as a poll would have: in order, out of the
 * budget, and no predicate is called before its item is asked for. Or it is no, whatever the reason: the end, no budget,
 * a drop hook. Then nothing has happened but that items were left out, and a poll says what. An array that was dropped
 * has none. */
#ifndef EDO_STREAMS_AT_HAND_H
#define EDO_STREAMS_AT_HAND_H

#include "../internal/copy.h"
#include "stream_filter.h"
#include "stream_iter.h"

edo_poll_fn edo_stream_iter_poll_, edo_stream_filter_iter_poll_;

/* One operation off the budget. False: there is none left. */
static inline bool edo_budget_take_(struct edo_context *cx)
{
    uint32_t left = cx->budget - 1;
    if (__builtin_expect(left < EDO_UNCONSTRAINED - 1, 1)) {
        cx->budget = left;
        return true;
    }
    return cx->budget != 0; /* no limit */
}

/* The next element, where it is. False: there is none, or no budget for it. */
static inline bool edo_stream_iter_take_(struct edo_stream_iter *iter, struct edo_context *cx,
                                         const void **item)
{
    const char *at = iter->items;
    if (__builtin_expect(at == iter->end || !edo_budget_take_(cx), 0))
        return false;
    edo_future_check(&iter->stream_.future_, cx);
    iter->items = at + iter->stride;
    *item = at;
    return true;
}

/* Of a filter of an array: those that are left out are not copied, which for a drop hook they would have to be. */
static inline bool edo_stream_filter_take_(struct edo_stream_filter *filter,
                                           struct edo_stream_iter *iter, struct edo_context *cx,
                                           const void **item)
{
    if (__builtin_expect(filter->stream_.drop != NULL, 0))
        return false;
    while (edo_stream_iter_take_(iter, cx, item)) {
        edo_future_check(&filter->stream_.future_, cx);
        if (__builtin_expect(filter->predicate(filter->arg, *item), 1))
            return true;
    }
    return false;
}

#endif
