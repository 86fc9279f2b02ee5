/* SPDX-License-Identifier: MIT */
/* Streams whose next item can be looked at before it is taken; and streams that end once.
 *
 *     STREAM_PEEKABLE(char) peek;       in the frame: the adapter, with room for one item
 *
 *     self->chars = edo_stream_peekable(&self->peek, self->chars);
 *     AWAIT(self->peeked, edo_stream_peek(&self->peek));
 *     if (self->peeked.output > 0 && self->peek.item == '-')
 *         …                             edo_next(self->chars, …) gives it again
 *
 * Each lives in the frame, in a place of its own, and owns its source. Errors of the source pass.
 * Cancel safe: an item that was looked at waits in the adapter, and if nobody takes it goes to the
 * source's drop hook when the adapter is dropped. */
#ifndef EDO_STREAMS_STREAM_PEEK_H
#define EDO_STREAMS_STREAM_PEEK_H

#include "adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The part that knows no type. */
struct edo_stream_peekable {
    struct edo_stream stream_;
    struct edo_stream *source;
    void *room;
    size_t size;
    int peeked; /* what waits to be taken: EDO_STREAM_ITEM, in `room`; an error; 0: nothing */
};

/* STREAM_PEEKABLE(type) place; the adapter, and in place.item, while it waits, the next item. */
#define EDO_STREAM_PEEKABLE(...)          \
    struct {                              \
        struct edo_stream_peekable core_; \
        __typeof__(__VA_ARGS__) item;     \
    }

/* edo_stream_peekable(&place, source): the same items. */
#define edo_stream_peekable(place, source)                                                       \
    EDO_WITH_SOURCE_(                                                                            \
        source,                                                                                  \
        EDO_STREAM_MADE_(edo_stream_peekable_(&(place)->core_, EDO_HANDLE_(edo_stream, source_), \
                                              EDO_VALUE_(edo_stream, source_, &(place)->item),   \
                                              sizeof((place)->item)),                            \
                         EDO_ITEM_OF_(source_)))

/* edo_stream_peek(&place): a future of what comes next. Output 1: an item, which is in place.item, may be
 * changed there, and stays the adapter's; 0: the end; or an error, which the stream then gives as well.
 * What was looked at already is there at once. Cancel safe. */
struct edo_stream_peek {
    EDO_FUTURE(int);
    struct edo_stream_peekable *peekable;
};
#define edo_stream_peek(place) edo_stream_peek_(&(place)->core_)

/* edo_stream_next_if(&place, &item, predicate, arg): takes the next item, if predicate(arg, &item), a
 * bool (void *, const T *), holds for it. Output 1: it is in `item`; 0: it does not hold, and the item
 * waits; or the stream has ended; or an error, which is taken. Cancel safe: dropped, it has taken
 * nothing. */
struct edo_stream_next_if {
    EDO_FUTURE(int);
    struct edo_stream_peekable *peekable;
    void *item;
    edo_stream_predicate_ *predicate;
    void *arg;
};
#define edo_stream_next_if(place, item_, predicate, arg)                                      \
    edo_stream_next_if_(&(place)->core_,                                                      \
                        (EDO_DEMAND_(__builtin_types_compatible_p(__typeof__(*(item_)),       \
                                                                  __typeof__((place)->item)), \
                                     "the value's type is not that of the items"),            \
                         (item_)),                                                            \
                        (edo_stream_predicate_ *)EDO_FUNCTION_(                               \
                            predicate, bool(void *, const __typeof__((place)->item) *)),      \
                        (arg))

/* edo_stream_fuse(&place, source): the same items, until the first end, which is then the last one: the
 * source is dropped there. For one that might have more after an end (edo_stream_none); generators, and
 * most adapters of what ends for good, are so already. */
struct edo_stream_fuse {
    struct edo_stream stream_;
    struct edo_stream *source;
};
#define edo_stream_fuse(place, source)                                                             \
    EDO_WITH_SOURCE_(source,                                                                       \
                     EDO_STREAM_MADE_(edo_stream_fuse_((place), EDO_HANDLE_(edo_stream, source_)), \
                                      EDO_ITEM_OF_(source_)))

/* Behind the macros. */
EDO_ASYNC_DECLARE(edo_stream_peek);
EDO_ASYNC_DECLARE(edo_stream_next_if);
struct edo_stream *edo_stream_peekable_(struct edo_stream_peekable *place,
                                        struct edo_stream *source, void *room, size_t size);
struct edo_stream_peek edo_stream_peek_(struct edo_stream_peekable *peekable);
struct edo_stream_next_if edo_stream_next_if_(struct edo_stream_peekable *peekable, void *item,
                                              edo_stream_predicate_ *predicate, void *arg);
struct edo_stream *edo_stream_fuse_(struct edo_stream_fuse *place, struct edo_stream *source);

#ifndef EDO_NO_SHORT_NAMES
#define STREAM_PEEKABLE EDO_STREAM_PEEKABLE
#endif

#ifdef __cplusplus
}
#endif

#endif
