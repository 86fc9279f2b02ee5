/* SPDX-License-Identifier: MIT */
/* Streams of the same items, looked at or counted on their way.
 *
 *     static void note(void *arg, const int *n)
 *     {
 *         fprintf(arg, "%d passes\n", *n);
 *     }
 *
 *     self->stream = edo_stream_inspect(&self->inspect, self->stream, note, stderr);
 *     self->stream = edo_stream_enumerate(&self->enumerate, self->stream, &self->index);
 *     FOR_AWAIT(self->n, self->stream)
 *         printf("%zu: %d\n", self->index, self->n);
 *
 * Each lives in the frame, in a place of its own, and owns its source. Errors of the source pass, and
 * are neither shown nor counted. Cancel safe: no item is between two of them. */
#ifndef EDO_STREAMS_STREAM_INSPECT_H
#define EDO_STREAMS_STREAM_INSPECT_H

#include "adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void edo_stream_inspect_fn_(void *arg, const void *item);

/* edo_stream_inspect(&place, source, function, arg): function(arg, &item), a void (void *, const T *),
 * is called with each item before it passes; what the item owns stays where it is. */
struct edo_stream_inspect {
    struct edo_stream stream_;
    struct edo_stream *source;
    edo_stream_inspect_fn_ *function;
    void *arg;
};
#define edo_stream_inspect(place, source, function, arg)                                         \
    EDO_WITH_SOURCE_(                                                                            \
        source, EDO_STREAM_MADE_(edo_stream_inspect_(                                            \
                                     (place), EDO_HANDLE_(edo_stream, source_),                  \
                                     (edo_stream_inspect_fn_ *)EDO_FUNCTION_(                    \
                                         function, void(void *, const EDO_ITEM_OF_(source_) *)), \
                                     (arg)),                                                     \
                                 EDO_ITEM_OF_(source_)))

/* edo_stream_enumerate(&place, source, &index): with each item, sets a size_t of the frame to its
 * number: 0, 1, … It is that of the item which passed here last: below an adapter that takes items
 * ahead or leaves some out, not of the one that came out. */
struct edo_stream_enumerate {
    struct edo_stream stream_;
    struct edo_stream *source;
    size_t *index;
    size_t next;
};
#define edo_stream_enumerate(place, source, index)                                             \
    EDO_WITH_SOURCE_(                                                                          \
        source, EDO_STREAM_MADE_(                                                              \
                    edo_stream_enumerate_((place), EDO_HANDLE_(edo_stream, source_), (index)), \
                    EDO_ITEM_OF_(source_)))

/* Behind the macros. */
struct edo_stream *edo_stream_inspect_(struct edo_stream_inspect *place, struct edo_stream *source,
                                       edo_stream_inspect_fn_ *function, void *arg);
struct edo_stream *edo_stream_enumerate_(struct edo_stream_enumerate *place,
                                         struct edo_stream *source, size_t *index);

#ifdef __cplusplus
}
#endif

#endif
