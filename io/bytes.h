/* SPDX-License-Identifier: MIT */
/* A growable buffer of bytes that is filled at its end and consumed from its start: what a
 * connection reads into before it knows where its frames are.
 *
 *     struct edo_bytes in;
 *     edo_bytes_init(&in, 1 << 20);
 *     if (edo_bytes_reserve(&in, 4096) == 0) {
 *         n = edo_try_read(conn, edo_bytes_spare(&in), edo_bytes_spare_size(&in));
 *         if (n > 0)
 *             edo_bytes_advance(&in, n);
 *     }
 *     … edo_bytes_data(&in), edo_bytes_length(&in) … edo_bytes_consume(&in, used);
 *     edo_bytes_free(&in);
 *
 * Owned by one task; no locks. Pointers into it are good until the next call that adds to it.
 */
#ifndef EDO_IO_BYTES_H
#define EDO_IO_BYTES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zero is an empty buffer without a limit. Read only. */
struct edo_bytes {
    char *data;
    size_t start, end; /* what is there */
    size_t capacity;
    size_t limit; /* length that it does not exceed; 0: none */
};

/* A call's count was more than there is: stops the program, naming the call. */
void edo_bytes_misused_(const char *call) __attribute__((noreturn, cold));

/* An empty buffer; allocates nothing. A limit of 0 is none. */
static inline void edo_bytes_init(struct edo_bytes *bytes, size_t limit)
{
    *bytes = (struct edo_bytes){.limit = limit};
}

/* Frees the block; the buffer is empty and may be used again. */
void edo_bytes_free(struct edo_bytes *bytes);

/* How many bytes there are, and the first of them; of an empty buffer, NULL or nothing to read. */
static inline size_t edo_bytes_length(const struct edo_bytes *bytes)
{
    return bytes->end - bytes->start;
}

static inline const char *edo_bytes_data(const struct edo_bytes *bytes)
{
    return bytes->start == 0 ? bytes->data : bytes->data + bytes->start; /* data may be NULL */
}

/* Makes room for `more` bytes at the end; amortised O(1) for each byte added and consumed. Returns
 * 0; UV_ENOBUFS (-ENOBUFS) when the length would exceed the limit; UV_ENOMEM (-ENOMEM), also for
 * what no memory could hold, whatever the limit. After an error nothing has changed. The block
 * grows to no more than twice the limit. */
int edo_bytes_reserve(struct edo_bytes *bytes, size_t more);

/* Copies bytes to the end; returns as edo_bytes_reserve. The source is not in this buffer. */
int edo_bytes_append(struct edo_bytes *bytes, const void *data, size_t size);

/* The room at the end, to be written to by the caller, who then says how much with advance. */
static inline char *edo_bytes_spare(struct edo_bytes *bytes)
{
    return bytes->end == 0 ? bytes->data : bytes->data + bytes->end;
}

static inline size_t edo_bytes_spare_size(const struct edo_bytes *bytes)
{
    size_t room = bytes->capacity - bytes->end;
    if (bytes->limit == 0)
        return room;
    size_t allowed = bytes->limit - edo_bytes_length(bytes);
    return room < allowed ? room : allowed;
}

/* n bytes of the room, edo_bytes_spare_size at most, have been written. */
static inline void edo_bytes_advance(struct edo_bytes *bytes, size_t n)
{
    if (__builtin_expect(n > edo_bytes_spare_size(bytes), 0))
        edo_bytes_misused_("edo_bytes_advance");
    bytes->end += n;
}

/* Drops the first n bytes, edo_bytes_length at most. */
static inline void edo_bytes_consume(struct edo_bytes *bytes, size_t n)
{
    if (__builtin_expect(n > edo_bytes_length(bytes), 0))
        edo_bytes_misused_("edo_bytes_consume");
    bytes->start += n;
    if (bytes->start == bytes->end)
        bytes->start = bytes->end = 0;
}

/* Drops the last bytes, so that `length` remain; not more than there are. */
static inline void edo_bytes_truncate(struct edo_bytes *bytes, size_t length)
{
    if (__builtin_expect(length > edo_bytes_length(bytes), 0))
        edo_bytes_misused_("edo_bytes_truncate");
    bytes->end = bytes->start + length;
}

/* Drops all bytes and keeps the block. */
static inline void edo_bytes_clear(struct edo_bytes *bytes)
{
    bytes->start = bytes->end = 0;
}

/* Frees the block of a buffer that is empty, so that an idle connection holds none. */
void edo_bytes_shrink(struct edo_bytes *bytes);

#ifdef __cplusplus
}
#endif

#endif
