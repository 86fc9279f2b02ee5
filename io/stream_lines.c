/* SPDX-License-Identifier: MIT */
#include "stream_lines.h"

static enum edo_poll lines_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_lines *self = (struct edo_stream_lines *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(&self->read.future_, cx);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_stream_lines");
    if (self->read.future_.poll == NULL)
        self->read = edo_read_line(self->reader);
    if (edo_future_poll(&self->read.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    self->read.future_.poll = NULL;
    if (self->read.output <= 0)
        return edo_stream_end(&self->stream_, (int)self->read.output);
    struct edo_line line = {self->read.data, (size_t)self->read.output};
    if (line.data[line.length - 1] == '\n') {
        line.length--;
        if (line.length > 0 && line.data[line.length - 1] == '\r')
            line.length--;
    }
    *(struct edo_line *)self->stream_.item = line;
    return edo_stream_item(&self->stream_);
}

struct edo_stream *edo_stream_lines_(struct edo_stream_lines *place, struct edo_buf_reader *reader)
{
    *place = (struct edo_stream_lines){.stream_ = edo_stream_head_(lines_poll, NULL, NULL),
                                       .reader = reader};
    return &place->stream_;
}
