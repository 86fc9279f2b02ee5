/* SPDX-License-Identifier: MIT */
/* The writer half of resp.h. */
#include "resp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

/* Type byte, number, CRLF. */
enum { HEADER_MAX = 1 + NUMBER_MAX + 2 };

static int header(struct edo_bytes *out, char type, int64_t number)
{
    int r = edo_bytes_reserve(out, HEADER_MAX);
    if (r < 0)
        return r;
    char *at = edo_bytes_spare(out);
    at[0] = type;
    size_t length = 1 + number_write(at + 1, number);
    at[length++] = '\r';
    at[length++] = '\n';
    edo_bytes_advance(out, length);
    return 0;
}

/* Type byte, text, CRLF. */
static int line(struct edo_bytes *out, char type, const char *text, size_t length)
{
    int r = edo_bytes_reserve(out, length + 3);
    if (r < 0)
        return r;
    char *at = edo_bytes_spare(out);
    at[0] = type;
    memcpy(at + 1, text, length);
    memcpy(at + 1 + length, "\r\n", 2);
    edo_bytes_advance(out, length + 3);
    return 0;
}

int resp_simple(struct edo_bytes *out, const char *text)
{
    return line(out, '+', text, strlen(text));
}

int resp_error(struct edo_bytes *out, const char *format, ...)
{
    char text[RESP_ERROR_MAX];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        return -EINVAL;
    size_t length = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    while (length > 0 && (text[length - 1] == '\r' || text[length - 1] == '\n'))
        length--;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\r' || text[i] == '\n')
            text[i] = ' ';
    }
    return line(out, '-', text, length);
}

int resp_integer(struct edo_bytes *out, int64_t integer)
{
    return header(out, ':', integer);
}

int resp_bulk(struct edo_bytes *out, const void *data, size_t length)
{
    size_t room;
    if (length > INT64_MAX || __builtin_add_overflow(length, HEADER_MAX + 2, &room))
        return -ENOBUFS;
    int r = edo_bytes_reserve(out, room);
    if (r < 0)
        return r;
    char *start = edo_bytes_spare(out), *at = start;
    *at++ = '$';
    at += number_write(at, (int64_t)length);
    *at++ = '\r';
    *at++ = '\n';
    if (length > 0)
        memcpy(at, data, length);
    at += length;
    *at++ = '\r';
    *at++ = '\n';
    edo_bytes_advance(out, (size_t)(at - start));
    return 0;
}

int resp_text(struct edo_bytes *out, const char *text)
{
    return resp_bulk(out, text, strlen(text));
}

int resp_null(struct edo_bytes *out)
{
    return header(out, '$', -1);
}

int resp_null_array(struct edo_bytes *out)
{
    return header(out, '*', -1);
}

int resp_array(struct edo_bytes *out, size_t count)
{
    return count > INT64_MAX ? -ENOBUFS : header(out, '*', (int64_t)count);
}

int resp_map(struct edo_bytes *out, size_t pairs)
{
    return pairs > INT64_MAX / 2 ? -ENOBUFS : header(out, '*', (int64_t)pairs * 2);
}
