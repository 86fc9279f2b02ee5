/* SPDX-License-Identifier: MIT */
/* Streams of what is made of another's items.
 *
 *     static void halve(void *arg, int *n, double *half)
 *     {
 *         *half = *n / 2.0;
 *     }
 *
 *     STREAM_REF(double) halves = edo_stream_map(&self->map, self->stream, &self->n, double, halve, NULL);
 *
 * Each lives in the frame, in a place of its own, and owns its source. `room`, of the frame too, is where
 * an item of the source is put before the function gets it; what that item owns is then the function's.
 * Errors of the source pass. Cancel safe: no item is between two of them.
 *
 * The new items have no drop hook but one that is set in `place.stream_.drop`, before another adapter
 * takes the stream in. */
#ifndef EDO_STREAMS_STREAM_MAP_H
#define EDO_STREAMS_STREAM_MAP_H

#include "adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void edo_stream_map_fn_(void *arg, void *item, void *out);
typedef bool edo_stream_try_map_fn_(void *arg, void *item, void *out);

struct edo_stream_map {
    struct edo_stream stream_;
    struct edo_stream *source;
    void *room;
    void (*function)(void);
    void *arg;
};

/* edo_stream_map(&place, source, &room, type, function, arg): function(arg, &item, &out), a
 * void (void *, T *, type *), makes an item of that type of each. */
#define edo_stream_map(place, source, room, type, function, arg)                                  \
    EDO_WITH_SOURCE_(                                                                             \
        source,                                                                                   \
        EDO_STREAM_MADE_(                                                                         \
            edo_stream_map_(                                                                      \
                (place), EDO_HANDLE_(edo_stream, source_), EDO_VALUE_(edo_stream, source_, room), \
                EDO_FUNCTION_(function, void(void *, EDO_ITEM_OF_(source_) *, type *)), (arg)),   \
            type))

/* edo_stream_filter_map(&place, source, &room, type, function, arg): the same, with a bool function;
 * where it returns false it has made none, and the next item is its. */
#define edo_stream_filter_map(place, source, room, type, function, arg)                           \
    EDO_WITH_SOURCE_(                                                                             \
        source,                                                                                   \
        EDO_STREAM_MADE_(                                                                         \
            edo_stream_filter_map_(                                                               \
                (place), EDO_HANDLE_(edo_stream, source_), EDO_VALUE_(edo_stream, source_, room), \
                EDO_FUNCTION_(function, bool(void *, EDO_ITEM_OF_(source_) *, type *)), (arg)),   \
            type))

/* edo_stream_scan(&place, source, &room, type, function, &state): function(&state, &item, &out), a
 * bool (S *, T *, type *), makes an item of each, with a state of the frame that it may change. Where it
 * returns false it has made none, and the stream ends. */
#define edo_stream_scan(place, source, room, type, function, state)                          \
    EDO_WITH_SOURCE_(                                                                        \
        source,                                                                              \
        EDO_STREAM_MADE_(                                                                    \
            edo_stream_scan_((place), EDO_HANDLE_(edo_stream, source_),                      \
                             EDO_VALUE_(edo_stream, source_, room),                          \
                             EDO_FUNCTION_(function, bool(__typeof__(*(state)) *,            \
                                                          EDO_ITEM_OF_(source_) *, type *)), \
                             (state)),                                                       \
            type))

/* Behind the macros. */
struct edo_stream *edo_stream_map_(struct edo_stream_map *place, struct edo_stream *source,
                                   void *room, void (*function)(void), void *arg);
struct edo_stream *edo_stream_filter_map_(struct edo_stream_map *place, struct edo_stream *source,
                                          void *room, void (*function)(void), void *arg);
struct edo_stream *edo_stream_scan_(struct edo_stream_map *place, struct edo_stream *source,
                                    void *room, void (*function)(void), void *state);

#ifdef __cplusplus
}
#endif

#endif
