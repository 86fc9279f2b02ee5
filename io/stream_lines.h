/* SPDX-License-Identifier: MIT */
/* A stream of lines.
 *
 *     self->stream = edo_stream_lines(&self->lines, &self->reader);
 *     FOR_AWAIT(self->line, self->stream)
 *         printf("%.*s\n", (int)self->line.length, self->line.data);
 */
#ifndef EDO_IO_STREAM_LINES_H
#define EDO_IO_STREAM_LINES_H

#include "../streams/adapter.h"
#include "buf_reader.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Without its newline, and the return before it; in the reader's buffer, until its next operation. */
struct edo_line {
    const char *data;
    size_t length;
};

/* edo_stream_lines(&place, &reader): the lines that the reader, which outlives it, has still to read.
 * Ends with the connection, or with the error of edo_read_line. The last line needs no newline.
 * Cancel safe: what was read is found by the next one. */
struct edo_stream_lines {
    struct edo_stream stream_;
    struct edo_buf_reader *reader;
    struct edo_read_until read;
};
#define edo_stream_lines(place, reader) \
    EDO_STREAM_MADE_(edo_stream_lines_((place), (reader)), struct edo_line)

/* Behind the macro. */
struct edo_stream *edo_stream_lines_(struct edo_stream_lines *place, struct edo_buf_reader *reader);

#ifdef __cplusplus
}
#endif

#endif
