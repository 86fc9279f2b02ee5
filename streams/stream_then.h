/* SPDX-License-Identifier: MIT */
/* Streams of what futures, or other streams, make of each item.
 *
 *     struct look_up {
 *         FUTURE(int);                  its output is the new item
 *         int key;
 *         …
 *     };
 *
 *     static void begin(void *arg, int *key, struct look_up *look_up)
 *     {
 *         *look_up = NEW(look_up, .key = *key);
 *     }
 *
 *     STREAM_REF(int) found =
 *         edo_stream_then(&self->then, self->keys, &self->key, &self->look_up, begin, NULL);
 *
 * Each lives in the frame, in a place of its own, and owns its source. So do the room for an item of
 * the source, which is then the function's, and the place of the future or stream that the function
 * makes, of a type of yours. One is under way at a time, and the source is not polled meanwhile. Errors
 * of the source pass.
 *
 * Dropped, the one under way is dropped first, then the source. Cancel safe: what is under way stays
 * so, and no item is between two adapters.
 *
 * The new items have no drop hook but one that is set in `place.stream_.drop`, before another adapter
 * takes the stream in. */
#ifndef EDO_STREAMS_STREAM_THEN_H
#define EDO_STREAMS_STREAM_THEN_H

#include "adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

/* edo_stream_then(&place, source, &room, &future, function, arg): function(arg, &item, &future), a
 * void (void *, T *, F *), makes a future of each item; its output, of whatever type, is the new one. */
struct edo_stream_then {
    struct edo_stream stream_;
    struct edo_stream *source;
    void *room;
    struct edo_future *future;
    const void *value; /* the new item, when the future is done */
    size_t size;
    const int *result; /* NULL: it cannot fail */
    void (*function)(void);
    void *arg;
    bool under_way;
};
#define edo_stream_then(place, source, room, future, function, arg)                             \
    EDO_WITH_SOURCE_(                                                                           \
        source, EDO_STREAM_MADE_(                                                               \
                    edo_stream_then_((place), EDO_HANDLE_(edo_stream, source_),                 \
                                     EDO_VALUE_(edo_stream, source_, room), &(future)->future_, \
                                     &(future)->output, sizeof((future)->output), NULL,         \
                                     EDO_STREAM_THEN_FN_(source_, future, function), (arg)),    \
                    __typeof__((future)->output)))

/* edo_stream_try_then(&place, source, &room, &future, &value, function, arg): the same, of futures that
 * may fail: the output is an int, and a negative one is an error in the item's place, after which it goes
 * on with the next. Otherwise the new item is what the future has put in `value`, of the same frame. */
#define edo_stream_try_then(place, source, room, future, value, function, arg)                  \
    EDO_WITH_SOURCE_(                                                                           \
        source, EDO_STREAM_MADE_(                                                               \
                    edo_stream_then_((place), EDO_HANDLE_(edo_stream, source_),                 \
                                     EDO_VALUE_(edo_stream, source_, room), &(future)->future_, \
                                     (value), sizeof(*(value)), EDO_STREAM_TRIES_(future),      \
                                     EDO_STREAM_THEN_FN_(source_, future, function), (arg)),    \
                    __typeof__(*(value))))

/* edo_stream_flat_map(&place, source, &room, &inner, function, arg): function(arg, &item, &inner), a
 * STREAM_REF(U) (void *, T *, S *), makes a stream of each item in `inner`, of a type of yours, and
 * returns a reference to it, or to what adapters make of it; NULL for none. Their items, one stream after
 * the other. The item stays in `room` until its stream has ended. */
struct edo_stream_flat_map {
    struct edo_stream stream_;
    struct edo_stream *source;
    void *room;
    void *place;
    struct edo_stream *inner; /* NULL: none is under way */
    void (*function)(void);
    void *arg;
};
#define edo_stream_flat_map(place, source, room, inner, function, arg)                            \
    EDO_WITH_SOURCE_(                                                                             \
        source,                                                                                   \
        EDO_STREAM_MADE_(                                                                         \
            edo_stream_flat_map_(                                                                 \
                (place), EDO_HANDLE_(edo_stream, source_), EDO_VALUE_(edo_stream, source_, room), \
                (inner),                                                                          \
                EDO_FUNCTION_(function,                                                           \
                              EDO_STREAM_REF(EDO_ITEM_OF_((function)(NULL, (room), (inner))))(    \
                                  void *, EDO_ITEM_OF_(source_) *, __typeof__(*(inner)) *)),      \
                (arg)),                                                                           \
            EDO_ITEM_OF_((function)(NULL, (room), (inner)))))

/* Behind the macros. */
typedef void edo_stream_then_fn_(void *arg, void *item, void *future);
typedef void (*edo_stream_flat_map_fn_(void *arg, void *item, void *inner))(void);

#define EDO_STREAM_THEN_FN_(source, future, function) \
    EDO_FUNCTION_(function, void(void *, EDO_ITEM_OF_(source) *, __typeof__(*(future)) *))
#define EDO_STREAM_TRIES_(future)                                                 \
    (EDO_DEMAND_(__builtin_types_compatible_p(__typeof__((future)->output), int), \
                 "the output of a future that may fail is an int"),               \
     &(future)->output)
struct edo_stream *edo_stream_then_(struct edo_stream_then *place, struct edo_stream *source,
                                    void *room, struct edo_future *future, const void *value,
                                    size_t size, const int *result, void (*function)(void),
                                    void *arg);
struct edo_stream *edo_stream_flat_map_(struct edo_stream_flat_map *place,
                                        struct edo_stream *source, void *room, void *inner,
                                        void (*function)(void), void *arg);

#ifdef __cplusplus
}
#endif

#endif
