/* SPDX-License-Identifier: MIT */
/* Streams of the outputs of futures that another stream gives, several of which are under way at once.
 *
 *     struct fetch {
 *         FUTURE(ssize_t);
 *         const char *url;
 *         …
 *     };
 *
 *     static void begin(void *arg, const char **url, struct fetch *fetch)
 *     {
 *         *fetch = NEW(fetch, .url = *url);
 *     }
 *
 *     STREAM_REF(struct fetch) fetches =
 *         edo_stream_map(&self->map, self->urls, &self->url, struct fetch, begin, NULL);
 *     STREAM_REF(ssize_t) lengths = edo_stream_buffered(&self->buffered, fetches, 10);
 *
 * The items of the source are futures, by value and not polled yet: of one type, aligned to 16 bytes at
 * most. They run in the task that polls the stream, as the members of a FUTURES_UNORDERED do
 * (streams/futures_unordered.h): each is one allocation, and only those that were woken are polled. The
 * source is polled, too, as long as there is room for another.
 *
 * Each lives in the frame, in a place of its own, and owns its source. Dropped, those under way are
 * dropped first, each once, then the source. Cancel safe: what is under way stays so, and no output is
 * between two adapters.
 *
 * The outputs have no drop hook but one that is set in `place.stream_.drop`, before another adapter takes
 * the stream in; those that wait for their turn when the stream is dropped are given to it. */
#ifndef EDO_STREAMS_STREAM_BUFFERED_H
#define EDO_STREAMS_STREAM_BUFFERED_H

#include "futures_unordered.h"

#ifdef __cplusplus
extern "C" {
#endif

/* edo_stream_buffered(&place, source, n): the outputs in the order of the source. At most n are under way,
 * those among them that are done and wait for their turn. An error of the source has a turn as well: it
 * passes when the futures before it are done, and what is behind it is not asked for until then.
 *
 * edo_stream_buffer_unordered(&place, source, n): the outputs as they come. An error passes at once.
 *
 * They end when the source has, and all are done; when the source may go on, so may they. Where there is
 * no memory for another future they make do with those under way; when there are none, UV_ENOMEM stands in
 * an item's place: no future was taken, and it may be polled again. UV_EINVAL, and the end, for an n of 0.
 */
struct edo_stream_buffered {
    struct edo_stream stream_;
    struct edo_stream *source;
    struct edo_futures_unordered set; /* those under way */
    void *room;                       /* for the next one, before it is asked for; or NULL */
    size_t limit, size;               /* how many; of each */
    uint32_t output_offset, output_size;
    int held; /* what the source came to, when it has yet to pass */
    bool holds;
    bool set_first; /* in the next poll: there was no budget left for it */
};
#define edo_stream_buffered(place, source, n)         EDO_STREAM_BUFFERED_(place, source, n, true)
#define edo_stream_buffer_unordered(place, source, n) EDO_STREAM_BUFFERED_(place, source, n, false)

/* Behind the macros. */
#define EDO_STREAM_BUFFERED_(place, source, n, ordered)                                         \
    EDO_WITH_SOURCE_(                                                                           \
        source,                                                                                 \
        EDO_STREAM_MADE_(edo_stream_buffered_((place), EDO_STREAM_OF_FUTURES_(source_), (n),    \
                                              (ordered), sizeof(EDO_ITEM_OF_(source_)),         \
                                              offsetof(EDO_ITEM_OF_(source_), output),          \
                                              sizeof(((EDO_ITEM_OF_(source_) *)NULL)->output)), \
                         __typeof__(((EDO_ITEM_OF_(source_) *)NULL)->output)))
#define EDO_STREAM_OF_FUTURES_(source)                                                      \
    (EDO_DEMAND_(offsetof(EDO_ITEM_OF_(source), future_) == 0, "an item that is a future"), \
     EDO_DEMAND_(_Alignof(EDO_ITEM_OF_(source)) <= 16, "aligned to 16 bytes at most"),      \
     EDO_HANDLE_(edo_stream, source))
struct edo_stream *edo_stream_buffered_(struct edo_stream_buffered *place,
                                        struct edo_stream *source, size_t limit, bool ordered,
                                        size_t size, size_t output_offset, size_t output_size);

#ifdef __cplusplus
}
#endif

#endif
