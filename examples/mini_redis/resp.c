/* SPDX-License-Identifier: MIT */
/* The parser half of resp.h.
 *
 * A frame is read element by element. An element is a line, and behind a '$' line a body. state_
 * says how far the one at at_ has come:
 *
 *     FRESH    no frame begun, or the last one was handed out; its values may still be in use
 *     TYPE     its first byte has not been looked at
 *     LINE     type_ is known, the line's end was not found before seen_
 *     BODY     a bulk: its value is pushed, its bytes and the CRLF behind are awaited
 *     BROKEN   the stream made no sense; stays
 *
 * Each step either changes the state for good, or leaves it as it was and asks for more: so it does
 * not matter where the stream is cut. All limits are on positions in the frame, never on how much
 * happened to be there, for the same reason.
 */
#include "resp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal/sys.h"
#include "number.h"
#include "words.h"

enum { FRESH, TYPE, LINE, BODY, BROKEN };

/* What a step can say beside RESP_MORE and errors. */
enum { READ = 1 /* an element, whole */, OPENED = 2 /* an array, its elements follow */ };

/* Of the table of values: what most commands need, and what an idle connection may keep. */
enum { VALUES_FIRST = 8, VALUES_KEPT = 64 };

static inline size_t at_most(size_t value, size_t cap)
{
    return value < cap ? value : cap;
}

void resp_parser_limit(struct resp_parser *parser, const struct resp_limits *limits)
{
    parser->limits = (struct resp_limits){
        .array = at_most(limits->array, RESP_LIMITS_MAX.array),
        .bulk = at_most(limits->bulk, RESP_LIMITS_MAX.bulk),
        .line = at_most(limits->line, RESP_LIMITS_MAX.line),
        .frame = at_most(limits->frame, RESP_LIMITS_MAX.frame),
        .depth = (unsigned)at_most(limits->depth, RESP_LIMITS_MAX.depth),
    };
}

void resp_parser_init(struct resp_parser *parser, enum resp_mode mode,
                      const struct resp_limits *limits)
{
    *parser = (struct resp_parser){.mode_ = mode};
    resp_parser_limit(parser, limits);
}

void resp_parser_free(struct resp_parser *parser)
{
    edo_free(parser->values);
    edo_free(parser->scratch_);
    parser->values = NULL;
    parser->scratch_ = NULL;
    parser->capacity_ = parser->count = 0;
}

__attribute__((format(printf, 2, 3), cold)) static int broken(struct resp_parser *parser,
                                                              const char *format, ...)
{
    static const char prefix[] = "Protocol error: ";
    const size_t skip = sizeof prefix - 1;
    memcpy(parser->error, prefix, skip);
    va_list args;
    va_start(args, format);
    vsnprintf(parser->error + skip, sizeof parser->error - skip, format, args);
    va_end(args);
    parser->state_ = BROKEN;
    return -EPROTO;
}

/* Makes room for one more value. It is called before an element is begun, which is when at least a
 * byte of it is there: so the table is never larger than what came in justifies. */
static inline bool room(struct resp_parser *parser)
{
    if (edo_likely(parser->count < parser->capacity_))
        return true;
    size_t capacity = parser->capacity_ == 0 ? VALUES_FIRST : parser->capacity_ * 2;
    struct resp_value *values = edo_realloc(parser->values, capacity * sizeof *values);
    if (values == NULL)
        return false;
    parser->values = values;
    parser->capacity_ = capacity;
    return true;
}

static inline void push(struct resp_parser *parser, enum resp_type type, size_t offset,
                        size_t length)
{
    struct resp_value *value = &parser->values[parser->count++];
    value->type = type;
    value->length = length;
    value->offset = offset;
}

static void begin_frame(struct resp_parser *parser)
{
    edo_free(parser->scratch_);
    parser->scratch_ = NULL;
    if (edo_unlikely(parser->capacity_ > VALUES_KEPT)) {
        edo_free(parser->values);
        parser->values = NULL;
        parser->capacity_ = 0;
    }
    parser->count = 0;
    parser->at_ = 0;
    parser->depth_ = 0;
    parser->state_ = TYPE;
}

/* Splits an inline command. Words are slices of the line, or copies in scratch_ when there are
 * quotes. */
static int split_line(struct resp_parser *parser, const char *line, size_t length)
{
    if (parser->quoted_ && parser->scratch_ == NULL) {
        parser->scratch_ = edo_malloc(length);
        if (parser->scratch_ == NULL)
            return -ENOMEM;
    }
    parser->touched += length;
    push(parser, RESP_ARRAY, 0, 0);
    char *copy = parser->scratch_;
    struct word word;
    int r;
    for (size_t at = 0; (r = words_next(line, length, &at, &copy, &word)) > 0;) {
        if (parser->count > parser->limits.array)
            return broken(parser, "too big inline request");
        if (!room(parser)) {
            parser->count = 0;
            return -ENOMEM;
        }
        push(parser, RESP_BULK, 0, word.length);
        parser->values[parser->count - 1].text = word.text;
    }
    if (r < 0)
        return broken(parser, "unbalanced quotes in request");
    parser->values[0].length = parser->count - 1;
    return READ;
}

/* Looks at an element's first byte. */
static inline int read_type(struct resp_parser *parser, char type)
{
    if (edo_unlikely(parser->at_ >= parser->limits.frame))
        return broken(parser, "too big request");
    if (edo_unlikely(!room(parser)))
        return -ENOMEM;
    parser->touched++;
    parser->seen_ = parser->at_ + 1;
    if (parser->mode_ == RESP_COMMANDS) {
        if (parser->depth_ > 0) {
            if (edo_unlikely(type != '$'))
                return broken(parser, "expected '$', got '%c'", type);
        } else if (type != '*') {
            parser->quoted_ = type == '"' || type == '\'';
            parser->seen_ -= type == '\n';
            type = 0;
        }
    } else if (type != '*' && type != '$' && type != '+' && type != '-' && type != ':') {
        return broken(parser, "unknown type byte '%c'", type);
    }
    parser->type_ = type;
    parser->state_ = LINE;
    return READ;
}

/* Goes on to the '\n' at the end of the line: seen_ is its place then. */
static inline int find_line(struct resp_parser *parser, const char *data, size_t size)
{
    size_t longest = parser->at_ + parser->limits.line;
    size_t stop = size <= longest ? size : longest + 1;
    size_t at = parser->seen_;
    for (; at < stop; at++) {
        char c = data[at];
        if (c == '\n') {
            parser->touched += at + 1 - parser->seen_;
            parser->seen_ = at;
            return READ;
        }
        if (edo_unlikely(c == '"' || c == '\''))
            parser->quoted_ = true;
    }
    parser->touched += at - parser->seen_;
    parser->seen_ = at;
    if (at <= longest)
        return RESP_MORE;
    if (parser->mode_ == RESP_REPLIES)
        return broken(parser, "too big line");
    return broken(parser, parser->type_ == '*'   ? "too big mbulk count string"
                          : parser->type_ == '$' ? "too big bulk count string"
                                                 : "too big inline request");
}

/* Reads the line [at_, seen_), '\n' not included. */
static inline int read_line(struct resp_parser *parser, const char *data)
{
    const struct resp_limits *limits = &parser->limits;
    size_t start = parser->at_ + 1, end = parser->seen_;
    if (parser->type_ == 0) {
        int r = split_line(parser, data + parser->at_, end - parser->at_);
        parser->at_ += r == READ ? end + 1 - parser->at_ : 0;
        return r;
    }
    parser->touched += end - start;
    bool ended = end > start && data[end - 1] == '\r';
    const char *text = data + start;
    size_t length = end - ended - start;
    int64_t n = 0;
    bool valid = ended && number_read(text, length, &n);
    parser->at_ = end + 1;
    parser->state_ = TYPE;
    switch (parser->type_) {
    case '$':
        if (valid && n == -1 && parser->mode_ == RESP_REPLIES) {
            push(parser, RESP_NULL, 0, 0);
            return READ;
        }
        if (edo_unlikely(!valid || n < 0 || (uint64_t)n > limits->bulk))
            return broken(parser, "invalid bulk length");
        if (edo_unlikely(parser->at_ >= limits->frame || (uint64_t)n > limits->frame - parser->at_))
            return broken(parser, "too big request");
        push(parser, RESP_BULK, parser->at_, (size_t)n);
        parser->state_ = BODY;
        return READ;
    case '*':
        if (parser->depth_ >= limits->depth)
            return broken(parser, "too deep nesting");
        if (valid && n == -1 && parser->mode_ == RESP_REPLIES) {
            push(parser, RESP_NULL_ARRAY, 0, 0);
            return READ;
        }
        if (valid && n < 0 && parser->mode_ == RESP_COMMANDS)
            n = 0; /* Redis ignores these */
        if (edo_unlikely(!valid || n < 0 || (uint64_t)n > limits->array))
            return broken(parser, "invalid multibulk length");
        push(parser, RESP_ARRAY, 0, (size_t)n);
        if (n == 0)
            return READ;
        parser->left_[parser->depth_++] = (uint32_t)n;
        return OPENED;
    case ':':
        if (!valid)
            return broken(parser, "invalid integer");
        push(parser, RESP_INTEGER, 0, 0);
        parser->values[parser->count - 1].integer = n;
        return READ;
    default:
        if (!ended)
            return broken(parser, "invalid line end");
        push(parser, parser->type_ == '+' ? RESP_SIMPLE : RESP_ERROR, start, length);
        return READ;
    }
}

static inline int read_body(struct resp_parser *parser, const char *data, size_t size)
{
    size_t end = parser->at_ + parser->values[parser->count - 1].length;
    if (size < end + 2)
        return RESP_MORE;
    parser->touched += 2;
    if (edo_unlikely(data[end] != '\r' || data[end + 1] != '\n'))
        return broken(parser, "expected CRLF after bulk");
    parser->at_ = end + 2;
    parser->state_ = TYPE;
    return READ;
}

/* One element, or the opening of one. */
static inline int read_element(struct resp_parser *parser, const char *data, size_t size)
{
    int r;
    switch (parser->state_) {
    case TYPE:
        if (parser->at_ >= size)
            return RESP_MORE;
        if ((r = read_type(parser, data[parser->at_])) <= 0)
            return r;
        __attribute__((fallthrough));
    case LINE:
        if ((r = find_line(parser, data, size)) <= 0 || (r = read_line(parser, data)) <= 0 ||
            parser->state_ != BODY)
            return r;
        __attribute__((fallthrough));
    case BODY:
        return read_body(parser, data, size);
    default:
        return -EPROTO;
    }
}

int resp_parse(struct resp_parser *parser, const char *data, size_t size, size_t *consumed)
{
    *consumed = 0;
    if (parser->state_ == FRESH)
        begin_frame(parser);
    for (;;) {
        int r = read_element(parser, data, size);
        if (r <= 0)
            return r;
        if (r == OPENED)
            continue;
        while (parser->depth_ > 0 && --parser->left_[parser->depth_ - 1] == 0)
            parser->depth_--;
        if (parser->depth_ == 0)
            break;
    }
    /* The bytes stay where they are from here on: offsets become pointers. Inline words have theirs
     * already, they may point to scratch_. */
    if (parser->type_ != 0) {
        for (struct resp_value *v = parser->values; v < parser->values + parser->count; v++) {
            if (v->type <= RESP_ERROR || v->type == RESP_BULK)
                v->text = data + v->offset;
        }
    }
    *consumed = parser->at_;
    parser->state_ = FRESH;
    return RESP_COMPLETE;
}

size_t resp_missing(const struct resp_parser *parser, size_t size)
{
    if (parser->state_ != BODY)
        return 1;
    size_t end = parser->at_ + parser->values[parser->count - 1].length + 2;
    return end > size ? end - size : 1;
}

const struct resp_value *resp_after(const struct resp_value *value)
{
    for (size_t pending = 1; pending > 0; value++) {
        if (value->type == RESP_ARRAY)
            pending += value->length;
        pending--;
    }
    return value;
}
