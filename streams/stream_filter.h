/* SPDX-License-Identifier: MIT */
/* Streams of some of another's items.
 *
 *     static bool is_even(void *arg, const int *n)
 *     {
 *         return *n % 2 == 0;
 *     }
 *
 *     self->stream = edo_stream_filter(&self->even, self->stream, is_even, NULL);
 *     self->stream = edo_stream_take(&self->few, self->stream, 10);
 *
 * Each lives in the frame, in a place of its own, and returns a reference to a stream of the same type
 * of items. It owns its source, and drops it when it ends before it. Errors of the source pass. An item
 * that is left out goes to the source's drop hook. Cancel safe: no item is between two of them. */
#ifndef EDO_STREAMS_STREAM_FILTER_H
#define EDO_STREAMS_STREAM_FILTER_H

#include "adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

/* edo_stream_filter(&place, source, predicate, arg): the items for which predicate(arg, &item) holds.
 * The predicate is a bool (void *, const T *). */
struct edo_stream_filter {
    struct edo_stream stream_;
    struct edo_stream *source;
    edo_stream_predicate_ *predicate;
    void *arg;
};
#define edo_stream_filter(place, source, predicate, arg)                                        \
    EDO_WITH_SOURCE_(                                                                           \
        source, EDO_STREAM_MADE_(edo_stream_filter_((place), EDO_HANDLE_(edo_stream, source_),  \
                                                    EDO_PREDICATE_(source_, predicate), (arg)), \
                                 EDO_ITEM_OF_(source_)))

/* edo_stream_take_while(&place, source, predicate, arg): the items before the first for which the
 * predicate does not hold, which is left out. Then it ends. */
#define edo_stream_take_while(place, source, predicate, arg)                                  \
    EDO_WITH_SOURCE_(source, EDO_STREAM_MADE_(edo_stream_take_while_(                         \
                                                  (place), EDO_HANDLE_(edo_stream, source_),  \
                                                  EDO_PREDICATE_(source_, predicate), (arg)), \
                                              EDO_ITEM_OF_(source_)))

/* edo_stream_skip_while(&place, source, predicate, arg): all from the first on for which the predicate
 * does not hold. */
#define edo_stream_skip_while(place, source, predicate, arg)                                  \
    EDO_WITH_SOURCE_(source, EDO_STREAM_MADE_(edo_stream_skip_while_(                         \
                                                  (place), EDO_HANDLE_(edo_stream, source_),  \
                                                  EDO_PREDICATE_(source_, predicate), (arg)), \
                                              EDO_ITEM_OF_(source_)))

/* edo_stream_take(&place, source, n): the first n items. The source is dropped with the last of them. */
struct edo_stream_take {
    struct edo_stream stream_;
    struct edo_stream *source;
    size_t left;
};
#define edo_stream_take(place, source, n)                                                          \
    EDO_WITH_SOURCE_(                                                                              \
        source, EDO_STREAM_MADE_(edo_stream_take_((place), EDO_HANDLE_(edo_stream, source_), (n)), \
                                 EDO_ITEM_OF_(source_)))

/* edo_stream_skip(&place, source, n): all but the first n. */
#define edo_stream_skip(place, source, n)                                                          \
    EDO_WITH_SOURCE_(                                                                              \
        source, EDO_STREAM_MADE_(edo_stream_skip_((place), EDO_HANDLE_(edo_stream, source_), (n)), \
                                 EDO_ITEM_OF_(source_)))

/* Behind the macros. */
struct edo_stream *edo_stream_filter_(struct edo_stream_filter *place, struct edo_stream *source,
                                      edo_stream_predicate_ *predicate, void *arg);
struct edo_stream *edo_stream_take_while_(struct edo_stream_filter *place,
                                          struct edo_stream *source,
                                          edo_stream_predicate_ *predicate, void *arg);
struct edo_stream *edo_stream_skip_while_(struct edo_stream_filter *place,
                                          struct edo_stream *source,
                                          edo_stream_predicate_ *predicate, void *arg);
struct edo_stream *edo_stream_take_(struct edo_stream_take *place, struct edo_stream *source,
                                    size_t n);
struct edo_stream *edo_stream_skip_(struct edo_stream_take *place, struct edo_stream *source,
                                    size_t n);

#ifdef __cplusplus
}
#endif

#endif
