/* SPDX-License-Identifier: MIT */
/* Buffered reading: lines, and whatever ends in a byte.
 *
 *     edo_buf_reader_init(&self->reader, self->conn, 64 * 1024);
 *     for (;;) {
 *         AWAIT(self->line, edo_read_line(&self->reader));
 *         if (self->line.output <= 0)
 *             break;
 *         printf("%.*s", (int)self->line.output, self->line.data);
 *     }
 *     edo_buf_reader_free(&self->reader);
 *
 * The reader borrows its connection and owns its buffer. One operation at a time.
 */
#ifndef EDO_IO_BUF_READER_H
#define EDO_IO_BUF_READER_H

#include "bytes.h"
#include "tcp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* edo_read_buf(from, &bytes): reads what there is into the bytes' spare room, which is made at least
 * `EDO_READ_BUF_ROOM` when something has come, not before. Output as edo_read; UV_ENOBUFS when the
 * bytes are at their limit. Cancel safe. */
#define edo_read_buf(from, bytes) edo_read_buf_(EDO_READER_(from), (bytes))
enum { EDO_READ_BUF_ROOM = 4096 };
struct edo_read_buf {
    EDO_FUTURE(ssize_t);
    struct edo_tcp *stream;
    struct edo_bytes *bytes;
    struct edo_ready ready;
};
struct edo_read_buf edo_read_buf_(struct edo_tcp *stream, struct edo_bytes *bytes);

struct edo_buf_reader {
    struct edo_tcp *stream;
    struct edo_bytes buffer;
    size_t scanned; /* bytes of the buffer that hold no `delimiter`: each is looked at once */
    char delimiter;
    size_t used; /* of the line last returned; consumed by the next operation */
};

/* Reads from a connection or a read half. limit bounds the buffer, and so a line. Allocates
 * nothing yet. */
#define edo_buf_reader_init(reader, from, limit) \
    edo_buf_reader_init_((reader), EDO_READER_(from), (limit))
void edo_buf_reader_init_(struct edo_buf_reader *reader, struct edo_tcp *stream, size_t limit);

/* Frees the buffer; the connection is the caller's. */
void edo_buf_reader_free(struct edo_buf_reader *reader);

/* edo_read_until(&reader, byte): reads up to and with the next such byte. Output: how many bytes,
 * at `data`, which is good until the reader's next operation; fewer, without the byte, at the end of
 * the stream; 0 when nothing was left; UV_ENOBUFS past the limit, UV_ENOMEM, or the connection's
 * error: what was read is still buffered. Cancel safe: what was read is found by the next one. */
struct edo_read_until {
    EDO_FUTURE(ssize_t);
    const char *data;
    struct edo_buf_reader *reader;
    char delimiter;
    struct edo_read_buf read;
};
struct edo_read_until edo_read_until(struct edo_buf_reader *reader, char delimiter);

/* edo_read_line(&reader): edo_read_until(&reader, '\n'). The newline, and a return before it, are
 * part of the line. */
#define edo_read_line(reader) edo_read_until((reader), '\n')

#ifdef __cplusplus
}
#endif

#endif
