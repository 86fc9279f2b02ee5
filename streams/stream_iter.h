/* SPDX-License-Identifier: MIT */
/* Streams of what is there already.
 *
 *     STREAM_REF(int) stream = edo_stream_iter(&self->iter, array, 10);
 *
 * They are always ready, but for the task's budget, which each item takes from. Items are copied, and
 * no drop hook is called for those that are left. Cancel safe: what was not taken is still where it was. */
#ifndef EDO_STREAMS_STREAM_ITER_H
#define EDO_STREAMS_STREAM_ITER_H

#include "adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_stream_iter {
    struct edo_stream stream_;
    const char *items, *end; /* the next one; what it comes to after the last */
    size_t size, stride;     /* stride 0: the same one for ever */
};

/* edo_stream_iter(&place, array, count): the elements of an array that outlives the stream. */
#define edo_stream_iter(place, array, count)                                                     \
    EDO_STREAM_MADE_(                                                                            \
        edo_stream_iter_((place), EDO_ITEMS_(array), sizeof *(array), sizeof *(array), (count)), \
        EDO_UNQUALIFIED_(*(array)))

/* edo_stream_once(&place, &value): one item. */
#define edo_stream_once(place, value) edo_stream_iter((place), (value), 1)

/* edo_stream_empty(&place, type): none. */
#define edo_stream_empty(place, ...) \
    EDO_STREAM_MADE_(edo_stream_iter_((place), NULL, sizeof(__VA_ARGS__), 0, 0), __VA_ARGS__)

/* edo_stream_repeat(&place, &value): the same one for ever. */
#define edo_stream_repeat(place, value)                                                          \
    EDO_STREAM_MADE_(edo_stream_iter_((place), EDO_ITEMS_(value), sizeof *(value), 0, SIZE_MAX), \
                     EDO_UNQUALIFIED_(*(value)))

/* Behind the macros. A value's type is without the `const` of its place. */
#define EDO_UNQUALIFIED_(...) __typeof__(((void)0, __VA_ARGS__))
#define EDO_ITEMS_(array)                                                                        \
    (EDO_DEMAND_(__builtin_types_compatible_p(__typeof__(*(array)), EDO_UNQUALIFIED_(*(array))), \
                 "an array of arrays: put each in a struct"),                                    \
     (array))
struct edo_stream *edo_stream_iter_(struct edo_stream_iter *place, const void *items, size_t size,
                                    size_t stride, size_t count);

#ifdef __cplusplus
}
#endif

#endif
