/* SPDX-License-Identifier: MIT */
#include "buf_reader.h"

#include <string.h>
#include <uv.h>

EDO_ASYNC(edo_read_buf)
{
    ssize_t n;
    int error;
    EDO_ASYNC_BEGIN;
    for (;;) {
        EDO_AWAIT(self->ready, edo_ready(self->stream, EDO_READABLE));
        if (self->ready.output < 0)
            EDO_RETURN(self->ready.output);
        error = edo_bytes_reserve(self->bytes, 1);
        if (error == 0 && edo_bytes_spare_size(self->bytes) < EDO_READ_BUF_ROOM)
            /* More when there may be more; near the limit the rest has to do. */
            (void)edo_bytes_reserve(self->bytes, EDO_READ_BUF_ROOM);
        if (error < 0)
            EDO_RETURN(error);
        n = edo_try_read(self->stream, edo_bytes_spare(self->bytes),
                         edo_bytes_spare_size(self->bytes));
        if (n == UV_EAGAIN)
            continue;
        if (n > 0)
            edo_bytes_advance(self->bytes, (size_t)n);
        EDO_RETURN(n);
    }
    EDO_ASYNC_END;
}

struct edo_read_buf edo_read_buf_(struct edo_tcp *stream, struct edo_bytes *bytes)
{
    return EDO_NEW_RETURNED(edo_read_buf, .stream = stream, .bytes = bytes);
}

void edo_buf_reader_init_(struct edo_buf_reader *reader, struct edo_tcp *stream, size_t limit)
{
    *reader = (struct edo_buf_reader){.stream = stream};
    edo_bytes_init(&reader->buffer, limit);
}

void edo_buf_reader_free(struct edo_buf_reader *reader)
{
    edo_bytes_free(&reader->buffer);
}

/* The line last returned was looked at; it goes now. */
static void consume_used(struct edo_buf_reader *reader)
{
    edo_bytes_consume(&reader->buffer, reader->used);
    reader->used = 0;
}

/* The length up to the delimiter, looking at new bytes only; 0: not there yet. */
static size_t scan(struct edo_buf_reader *reader, char delimiter)
{
    const char *data = edo_bytes_data(&reader->buffer);
    size_t length = edo_bytes_length(&reader->buffer);
    const char *found = length == reader->scanned
                            ? NULL
                            : memchr(data + reader->scanned, delimiter, length - reader->scanned);
    if (found == NULL) {
        reader->scanned = length;
        return 0;
    }
    reader->scanned = 0;
    return (size_t)(found - data) + 1;
}

EDO_ASYNC(edo_read_until)
{
    struct edo_buf_reader *reader = self->reader;
    EDO_ASYNC_BEGIN;
    consume_used(reader);
    if (reader->delimiter != self->delimiter)
        reader->scanned = 0;
    reader->delimiter = self->delimiter;
    while ((reader->used = scan(reader, self->delimiter)) == 0) {
        EDO_AWAIT(self->read, edo_read_buf_(reader->stream, &reader->buffer));
        if (self->read.output < 0)
            EDO_RETURN(self->read.output);
        if (self->read.output == 0) {
            reader->used = reader->scanned;
            reader->scanned = 0;
            break;
        }
    }
    self->data = edo_bytes_data(&reader->buffer);
    EDO_RETURN((ssize_t)reader->used);
    EDO_ASYNC_END;
}

struct edo_read_until edo_read_until(struct edo_buf_reader *reader, char delimiter)
{
    return EDO_NEW_RETURNED(edo_read_until, .reader = reader, .delimiter = delimiter);
}
