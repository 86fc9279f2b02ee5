/* SPDX-License-Identifier: MIT */
/* Streams and time.
 *
 *     self->stream = edo_stream_timeout(&self->timed, self->stream, 1000);
 *     FOR_AWAIT(self->line, self->stream)
 *         …
 *     if (edo_stream_error(self->stream) == UV_ETIMEDOUT)
 *         …                                                 nothing came for a second
 *
 * As adapters elsewhere, each lives in the frame and owns its source, whose errors pass. Where time
 * cannot be had, outside of a runtime, the stream ends with EDO_ENORUNTIME. Durations are milliseconds.
 */
#ifndef EDO_RUNTIME_STREAM_TIME_H
#define EDO_RUNTIME_STREAM_TIME_H

#include "../streams/adapter.h"
#include "time.h"

#ifdef __cplusplus
extern "C" {
#endif

/* edo_stream_interval(&place, &interval): the instants of its ticks, uint64_t, as edo_interval_tick
 * gives them. Does not end, but for that one's errors. Cancel safe. */
struct edo_stream_interval {
    struct edo_stream stream_;
    struct edo_interval *interval;
    struct edo_interval_tick tick;
};
#define edo_stream_interval(place, interval) \
    EDO_STREAM_MADE_(edo_stream_interval_((place), (interval)), uint64_t)

/* edo_stream_throttle(&place, source, ms): asks for an item not earlier than that long after the last
 * one. The first comes at once. Cancel safe. */
struct edo_stream_throttle {
    struct edo_stream stream_;
    struct edo_stream *source;
    uint64_t ms;
    struct edo_sleep sleep;
};
#define edo_stream_throttle(place, source, ms)                                                  \
    EDO_WITH_SOURCE_(                                                                           \
        source,                                                                                 \
        EDO_STREAM_MADE_(edo_stream_throttle_((place), EDO_HANDLE_(edo_stream, source_), (ms)), \
                         EDO_ITEM_OF_(source_)))

/* edo_stream_timeout(&place, source, ms): where no item comes for so long, the error UV_ETIMEDOUT stands
 * between two items, once; then it waits on. The source goes first. Cancel safe: the time goes on from
 * the last item. */
struct edo_stream_timeout {
    struct edo_stream stream_;
    struct edo_stream *source;
    uint64_t ms;
    bool over; /* said already */
    struct edo_sleep sleep;
};
#define edo_stream_timeout(place, source, ms)                                                  \
    EDO_WITH_SOURCE_(                                                                          \
        source,                                                                                \
        EDO_STREAM_MADE_(edo_stream_timeout_((place), EDO_HANDLE_(edo_stream, source_), (ms)), \
                         EDO_ITEM_OF_(source_)))

/* edo_stream_timeout_repeating(&place, source, &interval): the error at each tick of the interval at
 * which no item is there; each item resets the interval. As given, its first tick may be due at once:
 * edo_interval_at(edo_instant_add(edo_now(), ms), ms) has it a period from now. Cancel safe. */
struct edo_stream_timeout_repeating {
    struct edo_stream stream_;
    struct edo_stream *source;
    struct edo_interval *interval;
    struct edo_interval_tick tick;
};
#define edo_stream_timeout_repeating(place, source, interval)                                     \
    EDO_WITH_SOURCE_(source,                                                                      \
                     EDO_STREAM_MADE_(edo_stream_timeout_repeating_(                              \
                                          (place), EDO_HANDLE_(edo_stream, source_), (interval)), \
                                      EDO_ITEM_OF_(source_)))

/* edo_stream_chunks_timeout(&place, source, room, max, ms): collects items in `room`, an array of `max`
 * of them in the frame, until it is full, or `ms` have passed since the first of them. The item is a
 * size_t, how many there are, never 0; they lie in `room`, and are the consumer's, until the next one is
 * asked for. What came before the end, or before an error, is given first. UV_EINVAL for a `max` of 0.
 * Cancel safe: what was collected stays; dropped with the stream it goes to the drop hook. */
struct edo_stream_chunks_timeout {
    struct edo_stream stream_;
    struct edo_stream *source;
    char *room;
    size_t size, max, length;
    uint64_t ms;
    int held; /* what ended the chunk: the source's end or error, when it has one in `holds` */
    bool holds;
    struct edo_sleep sleep;
};
#define edo_stream_chunks_timeout(place, source, room, max, ms)                              \
    EDO_WITH_SOURCE_(source, EDO_STREAM_MADE_(edo_stream_chunks_timeout_(                    \
                                                  (place), EDO_HANDLE_(edo_stream, source_), \
                                                  EDO_VALUE_(edo_stream, source_, (room)),   \
                                                  sizeof *(room), (max), (ms)),              \
                                              size_t))

/* Behind the macros. */
struct edo_stream *edo_stream_interval_(struct edo_stream_interval *place,
                                        struct edo_interval *interval);
struct edo_stream *edo_stream_throttle_(struct edo_stream_throttle *place,
                                        struct edo_stream *source, uint64_t ms);
struct edo_stream *edo_stream_timeout_(struct edo_stream_timeout *place, struct edo_stream *source,
                                       uint64_t ms);
struct edo_stream *edo_stream_timeout_repeating_(struct edo_stream_timeout_repeating *place,
                                                 struct edo_stream *source,
                                                 struct edo_interval *interval);
struct edo_stream *edo_stream_chunks_timeout_(struct edo_stream_chunks_timeout *place,
                                              struct edo_stream *source, void *room, size_t size,
                                              size_t max, uint64_t ms);

#ifdef __cplusplus
}
#endif

#endif
