/* SPDX-License-Identifier: MIT */
/* RESP2, the protocol of Redis: a parser for either direction, and a writer of replies.
 *
 *     struct resp_parser parser;
 *     resp_parser_init(&parser, RESP_COMMANDS, &RESP_LIMITS_DEFAULT);
 *     for (;;) {
 *         size_t consumed;
 *         int r = resp_parse(&parser, edo_bytes_data(&in), edo_bytes_length(&in), &consumed);
 *         if (r == RESP_MORE)
 *             …append to `in` what the peer sends next, or stop at its end…
 *         else if (r == RESP_COMPLETE)
 *             …use parser.values, then…  edo_bytes_consume(&in, consumed);
 *         else
 *             …r == -EPROTO: resp_error(&out, "ERR %s", parser.error), then close…
 *     }
 *     resp_parser_free(&parser);
 *
 * The parser does no I/O and copies nothing: it is shown the bytes that have come so far, and a
 * frame's values point into them. It remembers how far it got, so that, however the stream was cut
 * up, a byte is looked at no more than twice: once to find its line's end, once to read the line
 * (the inside of a bulk not at all; only \x in an inline command's quotes is looked at before it is
 * read). What it allocates grows with the bytes that are there, never
 * with a length that was announced. Nested arrays are kept on a stack of fixed depth, no recursion.
 */
#ifndef MINI_REDIS_RESP_H
#define MINI_REDIS_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/bytes.h"

/* What the other side may make us hold. A frame is a command or a reply with all it contains. */
struct resp_limits {
    size_t array;   /* elements of one array; words of an inline command */
    size_t bulk;    /* bytes of one bulk */
    size_t line;    /* bytes of one line without its end: inline commands, lengths, errors, … */
    size_t frame;   /* bytes of one frame, all told; its last line may end `line` bytes later */
    unsigned depth; /* arrays within arrays, in replies; at most RESP_DEPTH_MAX */
};

enum { RESP_DEPTH_MAX = 16 };

/* A command may carry one bulk of the largest size and as much again beside it. */
#define RESP_LIMITS_DEFAULT              \
    ((struct resp_limits){               \
        .array = 1024,                   \
        .bulk = 1 << 20,                 \
        .line = 16 << 10,                \
        .frame = (2 << 20) + (64 << 10), \
        .depth = 8,                      \
    })

/* No limit can be set above these; a larger one is lowered to it. */
#define RESP_LIMITS_MAX          \
    ((struct resp_limits){       \
        .array = 1 << 20,        \
        .bulk = 512 << 20,       \
        .line = 1 << 20,         \
        .frame = 1 << 30,        \
        .depth = RESP_DEPTH_MAX, \
    })

enum resp_type {
    RESP_SIMPLE,     /* +OK: text, length */
    RESP_ERROR,      /* -ERR …: text, length */
    RESP_INTEGER,    /* :42: integer */
    RESP_BULK,       /* $3 foo: text, length */
    RESP_NULL,       /* $-1 */
    RESP_ARRAY,      /* *2: length; its elements are the values that follow */
    RESP_NULL_ARRAY, /* *-1 */
};

struct resp_value {
    enum resp_type type;
    size_t length; /* bytes of text, or elements of an array */
    union {
        const char *text; /* not terminated; may hold any byte */
        int64_t integer;
        size_t offset; /* the parser's own, until the frame is complete */
    };
};

enum resp_mode {
    /* A server's side: arrays of bulks and inline commands, with Redis' error texts. A frame is
     * always one RESP_ARRAY of RESP_BULKs; an empty line and "*0" and "*-1" give an empty one,
     * which is to be ignored. */
    RESP_COMMANDS,
    /* A client's side: all types, nested. */
    RESP_REPLIES,
};

enum { RESP_MORE = 0, RESP_COMPLETE = 1 };

struct resp_parser {
    /* After RESP_COMPLETE: the frame, values[0], and what it contains in the order it was sent. */
    struct resp_value *values;
    size_t count;
    /* After -EPROTO: what was wrong, to be sent behind "ERR ". */
    char error[64];
    struct resp_limits limits; /* read only: resp_parser_limit */
    /* How many times a byte was looked at, in sum. Only tests read it. */
    uint64_t touched;

    /* The parser's own. Offsets count from the start of the frame. */
    enum resp_mode mode_;
    uint8_t state_;                 /* what is being read: see resp.c */
    char type_;                     /* the type byte of the element being read */
    bool quoted_;                   /* there is a quote in the inline command */
    unsigned depth_;                /* open arrays */
    size_t capacity_;               /* of values */
    size_t at_;                     /* the element being read starts here */
    size_t seen_;                   /* its line does not end before this */
    char *scratch_;                 /* words of an inline command that had quotes */
    uint32_t left_[RESP_DEPTH_MAX]; /* elements still to come in each open array */
};

/* Makes a parser; allocates nothing. limits are copied. Moving it with memcpy is fine. */
void resp_parser_init(struct resp_parser *parser, enum resp_mode mode,
                      const struct resp_limits *limits);

/* Sets other limits, for instance once a client has given its password. Between two frames only. */
void resp_parser_limit(struct resp_parser *parser, const struct resp_limits *limits);

/* Gives back what it allocated. Not needed after init alone, harmless twice. Between two frames it
 * may be called to save memory: the parser goes on to work. */
void resp_parser_free(struct resp_parser *parser);

/* Goes on with the frame that starts at data, of which `size` bytes are there. data must begin with
 * the same bytes as at the last call, in the same place or another, unless that one completed.
 *
 * RESP_COMPLETE  a frame: parser->values, valid until the next call on the parser, and as long as
 *                data stays where it is. Drop *consumed bytes from the input then.
 * RESP_MORE      all of it was looked at, more is needed. *consumed is 0: keep the bytes.
 * -EPROTO        not RESP, or past a limit: parser->error says it. The stream can't be followed any
 *                more; each further call says the same.
 * -ENOMEM        nothing is lost: call again with the same bytes, when there is memory. */
int resp_parse(struct resp_parser *parser, const char *data, size_t size, size_t *consumed);

/* How many bytes are missing at least, when `size` are there and it said RESP_MORE: 1, or what is
 * left of a bulk. For sizing a read; within limits.bulk. */
size_t resp_missing(const struct resp_parser *parser, size_t size);

/* The value behind this one and all it contains. */
const struct resp_value *resp_after(const struct resp_value *value);

/* The writer. Each call appends one piece to `out` and returns 0, or, when there is no memory or
 * the output is at its limit, what edo_bytes_reserve said: `out` is then as it was before. */

/* A simple string. text must hold neither CR nor LF. */
int resp_simple(struct edo_bytes *out, const char *text);

/* An error, formatted as by printf; its first word is the code: "ERR …". CR and LF become blanks,
 * as in Redis; cut at RESP_ERROR_MAX bytes. */
int resp_error(struct edo_bytes *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

enum { RESP_ERROR_MAX = 512 };

int resp_integer(struct edo_bytes *out, int64_t integer);

/* A bulk of any bytes. */
int resp_bulk(struct edo_bytes *out, const void *data, size_t length);

/* A bulk from a terminated string. */
int resp_text(struct edo_bytes *out, const char *text);

/* The null bulk and the null array: "nothing there". */
int resp_null(struct edo_bytes *out);
int resp_null_array(struct edo_bytes *out);

/* Opens an array; the next `count` pieces are its elements. */
int resp_array(struct edo_bytes *out, size_t count);

/* Opens a map; the next `pairs` times two pieces are keys and values. In RESP2 a flat array. */
int resp_map(struct edo_bytes *out, size_t pairs);

#endif
