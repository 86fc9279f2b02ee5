/* SPDX-License-Identifier: MIT */
#include "bytes.h"

#include <errno.h>
#include <string.h>

#include "../internal/sys.h"

enum { LEAST_CAPACITY = 256 };

void edo_bytes_misused_(const char *call)
{
    edo_bug(__FILE__, __LINE__, "%s: more than there is", call);
}

void edo_bytes_free(struct edo_bytes *bytes)
{
    edo_free(bytes->data);
    *bytes = (struct edo_bytes){.limit = bytes->limit};
}

void edo_bytes_shrink(struct edo_bytes *bytes)
{
    if (edo_bytes_length(bytes) == 0)
        edo_bytes_free(bytes);
}

/* Moves what is there to the start of the block. */
static void compact(struct edo_bytes *bytes)
{
    size_t length = edo_bytes_length(bytes);
    memmove(bytes->data, bytes->data + bytes->start, length);
    bytes->start = 0;
    bytes->end = length;
}

int edo_bytes_reserve(struct edo_bytes *bytes, size_t more)
{
    size_t length = edo_bytes_length(bytes);
    /* What no memory could hold, whatever the limit; keeps the sums and the doubling below from
     * overflowing too. */
    if (more > PTRDIFF_MAX / 2 - length)
        return -ENOMEM;
    if (bytes->limit != 0 && more > bytes->limit - length)
        return -ENOBUFS;
    if (bytes->capacity - bytes->end >= more)
        return 0;
    size_t need = length + more;
    /* Moving no more than was consumed costs no more than consuming did. */
    if (bytes->start >= length && need <= bytes->capacity) {
        compact(bytes);
        return 0;
    }
    size_t capacity = bytes->capacity > LEAST_CAPACITY / 2 ? bytes->capacity : LEAST_CAPACITY / 2;
    do
        capacity *= 2;
    while (capacity < need);
    /* In a block of twice the limit there is always room, or enough was consumed to move. */
    if (bytes->limit != 0 && bytes->limit < capacity / 2)
        capacity = bytes->limit * 2;
    char *data = edo_malloc(capacity);
    if (data == NULL)
        return -ENOMEM;
    if (length > 0)
        memcpy(data, bytes->data + bytes->start, length);
    edo_free(bytes->data);
    bytes->data = data;
    bytes->start = 0;
    bytes->end = length;
    bytes->capacity = capacity;
    return 0;
}

int edo_bytes_append(struct edo_bytes *bytes, const void *data, size_t size)
{
    int error = edo_bytes_reserve(bytes, size);
    if (error == 0 && size > 0) {
        memcpy(edo_bytes_spare(bytes), data, size);
        edo_bytes_advance(bytes, size);
    }
    return error;
}
