/* SPDX-License-Identifier: MIT */
/* A stream of connections.
 *
 *     self->stream = edo_stream_incoming(&self->incoming, self->listener);
 *     FOR_AWAIT(self->conn, self->stream)
 *         SPAWN_DETACHED(NEW(serve, .conn = self->conn));
 */
#ifndef EDO_IO_STREAM_INCOMING_H
#define EDO_IO_STREAM_INCOMING_H

#include "../streams/adapter.h"
#include "tcp_listener.h"

#ifdef __cplusplus
extern "C" {
#endif

/* edo_stream_incoming(&place, listener): what a listener, which outlives it, accepts; each connection is
 * the consumer's, and one that an adapter leaves out is closed. Ends when the listener is closed, or with
 * the error of edo_tcp_accept when it fails for good. Cancel safe: no connection is lost. */
struct edo_stream_incoming {
    struct edo_stream stream_;
    struct edo_tcp_listener *listener;
    struct edo_tcp_accept accept;
};
#define edo_stream_incoming(place, listener) \
    EDO_STREAM_MADE_(edo_stream_incoming_((place), (listener)), struct edo_tcp *)

/* Behind the macro. */
struct edo_stream *edo_stream_incoming_(struct edo_stream_incoming *place,
                                        struct edo_tcp_listener *listener);

#ifdef __cplusplus
}
#endif

#endif
