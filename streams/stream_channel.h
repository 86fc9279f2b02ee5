/* SPDX-License-Identifier: MIT */
/* Streams of what a receiver receives.
 *
 *     self->stream = edo_stream_mpsc(&self->jobs, self->rx);
 *     FOR_AWAIT(self->job, self->stream)
 *         …
 *
 * They end when the channel is closed and all of it has been received. A stream is made of a receiver
 * that outlives it, which may be used again when the stream has ended or was dropped. What a message owns
 * and nobody gets is given to the channel's drop hook, if it has one. Cancel safe: a message is taken by
 * the poll that is ready.
 */
#ifndef EDO_STREAMS_STREAM_CHANNEL_H
#define EDO_STREAMS_STREAM_CHANNEL_H

#include "../channels/async_channel.h"
#include "../channels/broadcast.h"
#include "../channels/mpsc.h"
#include "../channels/watch.h"
#include "adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

/* edo_stream_mpsc(&place, rx) */
struct edo_stream_mpsc {
    struct edo_stream stream_;
    struct edo_mpsc_receiver *rx;
    struct edo_mpsc_recv recv;
};
#define edo_stream_mpsc(place, rx)                                                  \
    EDO_STREAM_MADE_(edo_stream_mpsc_((place), EDO_HANDLE_(edo_mpsc_receiver, rx)), \
                     EDO_CARRIED_(edo_mpsc_receiver, rx))

/* edo_stream_async(&place, rx): of an async_channel. */
struct edo_stream_async {
    struct edo_stream stream_;
    struct edo_async_receiver *rx;
    struct edo_async_recv recv;
};
#define edo_stream_async(place, rx)                                                   \
    EDO_STREAM_MADE_(edo_stream_async_((place), EDO_HANDLE_(edo_async_receiver, rx)), \
                     EDO_CARRIED_(edo_async_receiver, rx))

/* edo_stream_broadcast(&place, rx): where messages were missed it gives the error EDO_ELAGGED, and
 * place.recv.lagged tells how many; then it goes on. */
struct edo_stream_broadcast {
    struct edo_stream stream_;
    struct edo_broadcast_receiver *rx;
    struct edo_broadcast_recv recv;
};
#define edo_stream_broadcast(place, rx)                                                       \
    EDO_STREAM_MADE_(edo_stream_broadcast_((place), EDO_HANDLE_(edo_broadcast_receiver, rx)), \
                     EDO_CARRIED_(edo_broadcast_receiver, rx))

/* edo_stream_watch(&place, rx): the value that there is, then each newer one that is the last when the
 * next item is asked for; copied, or cloned. edo_stream_watch_changes(&place, rx): without the first,
 * unless the receiver has not seen it. */
struct edo_stream_watch {
    struct edo_stream stream_;
    struct edo_watch_receiver *rx;
    struct edo_watch_changed changed;
};
#define edo_stream_watch(place, rx)                                                         \
    EDO_STREAM_MADE_(edo_stream_watch_((place), EDO_HANDLE_(edo_watch_receiver, rx), true), \
                     EDO_CARRIED_(edo_watch_receiver, rx))
#define edo_stream_watch_changes(place, rx)                                                  \
    EDO_STREAM_MADE_(edo_stream_watch_((place), EDO_HANDLE_(edo_watch_receiver, rx), false), \
                     EDO_CARRIED_(edo_watch_receiver, rx))

/* Behind the macros. */
struct edo_stream *edo_stream_mpsc_(struct edo_stream_mpsc *place, struct edo_mpsc_receiver *rx);
struct edo_stream *edo_stream_async_(struct edo_stream_async *place, struct edo_async_receiver *rx);
struct edo_stream *edo_stream_broadcast_(struct edo_stream_broadcast *place,
                                         struct edo_broadcast_receiver *rx);
struct edo_stream *edo_stream_watch_(struct edo_stream_watch *place, struct edo_watch_receiver *rx,
                                     bool first);

#ifdef __cplusplus
}
#endif

#endif
