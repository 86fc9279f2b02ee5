/* SPDX-License-Identifier: MIT */
/* One stream of two.
 *
 *     self->stream = edo_stream_chain(&self->chain, self->stored, self->live);
 *     self->stream = edo_stream_merge(&self->merge, self->stream, self->commands);
 *
 *     struct pair {
 *         int number;
 *         double half;
 *     };
 *     STREAM_REF(struct pair) pairs =
 *         edo_stream_zip(&self->zip, self->numbers, self->halves, &self->pair, number, half);
 *
 * Each lives in the frame, in a place of its own, and owns both streams. Each takes the first end of a
 * stream as its last, and drops it there. Errors pass, and it goes on until its own end: after an
 * error that ended one stream there may be items of the other. Cancel safe: an item that waits for its
 * partner goes on waiting. */
#ifndef EDO_STREAMS_STREAM_CHAIN_H
#define EDO_STREAMS_STREAM_CHAIN_H

#include "adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

/* edo_stream_chain(&place, first, second): the items of the first, then those of the second. The second
 * is not polled before. Both are of one type, and what their items own is freed by one drop hook: when
 * only one has a hook, it is called for what is left out of the other as well. */
struct edo_stream_chain {
    struct edo_stream stream_;
    struct edo_stream *sources[2];
    unsigned at;
};
#define edo_stream_chain(place, first, second)                                           \
    EDO_WITH_SOURCES_(                                                                   \
        first, second,                                                                   \
        EDO_STREAM_MADE_(edo_stream_chain_((place), EDO_STREAMS_ALIKE_(source_, other_), \
                                           EDO_HANDLE_(edo_stream, other_)),             \
                         EDO_ITEM_OF_(source_)))

/* edo_stream_merge(&place, a, b): the items of both, as they come, until both have ended. Fair: the one
 * that gave the last is asked second. Types and drop hooks as in edo_stream_chain. */
struct edo_stream_merge {
    struct edo_stream stream_;
    struct edo_stream *sources[2];
    unsigned first; /* asked first */
};
#define edo_stream_merge(place, a, b)                                                    \
    EDO_WITH_SOURCES_(                                                                   \
        a, b,                                                                            \
        EDO_STREAM_MADE_(edo_stream_merge_((place), EDO_STREAMS_ALIKE_(source_, other_), \
                                           EDO_HANDLE_(edo_stream, other_)),             \
                         EDO_ITEM_OF_(source_)))

/* edo_stream_zip(&place, a, b, &pair, member_a, member_b): pairs of an item of each, in their order. The
 * new items are of the type of `pair`, a struct of the frame, where they are put together in the two
 * members named. Both are asked at once. It ends with the first that does; the item that is then
 * left without a partner goes to its own stream's drop hook, and the other stream is dropped. After an
 * error the item of the other waits for the next one.
 *
 * Pairs have no drop hook but one that is set in `place.stream_.drop`, before another adapter takes the
 * stream in. */
struct edo_stream_zip {
    struct edo_stream stream_;
    struct edo_stream *sources[2];
    void *halves[2];
    bool has[2]; /* an item waits there for its partner */
    const void *pair;
    size_t size;
};
#define edo_stream_zip(place, a, b, pair, member_a, member_b)                                      \
    EDO_WITH_SOURCES_(                                                                             \
        a, b,                                                                                      \
        EDO_STREAM_MADE_(edo_stream_zip_((place), EDO_HANDLE_(edo_stream, source_),                \
                                         EDO_HANDLE_(edo_stream, other_), (pair), sizeof(*(pair)), \
                                         EDO_VALUE_(edo_stream, source_, &(pair)->member_a),       \
                                         EDO_VALUE_(edo_stream, other_, &(pair)->member_b)),       \
                         __typeof__(*(pair))))

/* Behind the macros. */
#define EDO_WITH_SOURCES_(a, b, ...) EDO_WITH_SOURCE_(a, __auto_type other_ = (b); __VA_ARGS__)
#define EDO_STREAMS_ALIKE_(a, b)                                             \
    (EDO_DEMAND_(__builtin_types_compatible_p(__typeof__(a), __typeof__(b)), \
                 "the items of the two streams are of two types"),           \
     EDO_HANDLE_(edo_stream, a))
struct edo_stream *edo_stream_chain_(struct edo_stream_chain *place, struct edo_stream *first,
                                     struct edo_stream *second);
struct edo_stream *edo_stream_merge_(struct edo_stream_merge *place, struct edo_stream *a,
                                     struct edo_stream *b);
struct edo_stream *edo_stream_zip_(struct edo_stream_zip *place, struct edo_stream *a,
                                   struct edo_stream *b, const void *pair, size_t size,
                                   void *half_a, void *half_b);

#ifdef __cplusplus
}
#endif

#endif
