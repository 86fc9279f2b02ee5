/* SPDX-License-Identifier: MIT */
/* What the adapters share. Not for use by hand.
 *
 * An adapter knows the type of its items only in the macro that makes it, which checks the types of
 * what it is given and casts them away. */
#ifndef EDO_STREAMS_ADAPTER_H
#define EDO_STREAMS_ADAPTER_H

#include "../stream.h"

/* What a macro that takes a stream is made of: the stream is `source_` in it, and stands in its expansion
 * once, whatever it is: one adapter in the other, as deep as one likes. */
#define EDO_WITH_SOURCE_(source, ...)   \
    __extension__({                     \
        __auto_type source_ = (source); \
        __VA_ARGS__;                    \
    })

/* The type of a stream's items. */
#define EDO_ITEM_OF_(stream) EDO_CARRIED_(edo_stream, stream)

/* A function of the user's. */
#define EDO_FUNCTION_(function, ...) EDO_FUNCTION_OF_("items of the stream", function, __VA_ARGS__)

/* A predicate: whether an item is meant. What the item owns stays where it is. */
typedef bool edo_stream_predicate_(void *arg, const void *item);
#define EDO_PREDICATE_(source, function) \
    ((edo_stream_predicate_ *)EDO_FUNCTION_(function, bool(void *, const EDO_ITEM_OF_(source) *)))

/* A reference to the stream that a function has made, with items of this type. */
#define EDO_STREAM_MADE_(stream, ...) EDO_MAKE_(edo_stream, (stream), __VA_ARGS__)

/* The head of a stream that takes items of `source` on, or makes new ones, and then has no source. */
static inline struct edo_stream edo_stream_head_(edo_poll_fn *poll, edo_size_hint_fn *size_hint,
                                                 const struct edo_stream *source)
{
    return (struct edo_stream){.future_ = {.poll = poll},
                               .size_hint = size_hint,
                               .drop = source != NULL ? source->drop : NULL};
}

/* An item that nobody gets. */
static inline void edo_stream_discard_(const struct edo_stream *stream, void *item)
{
    if (stream->drop != NULL)
        stream->drop(item);
}

/* Polls a source for somebody who may take many items in one poll of its own: an item for which nobody
 * has taken from the budget takes from it here. */
static inline int edo_stream_draw_(struct edo_stream *source, struct edo_context *cx, void *item)
{
    uint32_t budget = cx->budget;
    int output = edo_stream_poll(source, cx, item);
    if (output == EDO_STREAM_ITEM && cx->budget == budget)
        edo_budget_spend(cx);
    return output;
}

/* An item that nobody gets, so that the next one is drawn. True: the budget is spent; give way. */
static inline bool edo_stream_leave_out_(const struct edo_stream *stream, void *item,
                                         struct edo_context *cx)
{
    edo_stream_discard_(stream, item);
    return edo_budget_spent(cx);
}

/* In a trace walk: a name, and below it whom it waits for; NULL is nobody. */
static inline enum edo_poll edo_stream_trace_(struct edo_context *cx, const char *name,
                                              struct edo_future *a, struct edo_future *b)
{
    edo_trace(cx, name, NULL, 0);
    cx->depth++;
    if (a != NULL)
        edo_future_trace(a, cx);
    if (b != NULL)
        edo_future_trace(b, cx);
    cx->depth--;
    return EDO_PENDING;
}

/* The drop and trace walks of an adapter with one source. */
static inline enum edo_poll edo_stream_walk_(struct edo_stream *source, struct edo_context *cx,
                                             const char *name)
{
    if (cx->walk == EDO_WALK_DROP) {
        edo_future_drop(&source->future_, cx);
        return EDO_READY;
    }
    return edo_stream_trace_(cx, name, &source->future_, NULL);
}

/* Passes on what its source came to as the adapter's own. */
static inline enum edo_poll edo_stream_pass_(struct edo_stream *stream, struct edo_stream *source,
                                             int output)
{
    if (output == EDO_STREAM_PENDING)
        return EDO_PENDING;
    if (edo_future_done(&source->future_))
        return edo_stream_end(stream, output);
    stream->output = output;
    return EDO_READY;
}

/* Ends when it has dropped a source: a FINALLY there may have panicked, and then nobody goes on. */
static inline enum edo_poll edo_stream_over_(struct edo_stream *stream, struct edo_context *cx,
                                             int error)
{
    return cx->panic.name != NULL ? EDO_PENDING : edo_stream_end(stream, error);
}

/* Ends before its source does, which is dropped. */
static inline enum edo_poll edo_stream_cut_(struct edo_stream *stream, struct edo_stream *source,
                                            struct edo_context *cx, int error)
{
    edo_future_drop(&source->future_, cx);
    return edo_stream_over_(stream, cx, error);
}

static inline size_t edo_size_sum_(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

#endif
