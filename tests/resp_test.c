/* SPDX-License-Identifier: MIT */
/* What must hold of the RESP parser and writer, wherever the stream is cut and whoever sends it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/mini_redis/number.h"
#include "examples/mini_redis/resp.h"
#include "examples/mini_redis/words.h"
#include "internal/census.h"
#include "internal/sys.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static void check_census(struct edo_census start)
{
    struct edo_census end = edo_census_now();
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        cr_assert_eq(end.live[i], start.live[i], "%s: %" PRId64 " at the start, %" PRId64 " now",
                     edo_census_name((enum edo_census_kind)i), start.live[i], end.live[i]);
}

/* The text of a frame, and how a stream ended: "*2[$3(foo) :7] | error: …". Plain stdio memory, so
 * that neither faults nor the census see it. */
struct tape {
    FILE *file;
    char *text;
    size_t size;
};

static void tape_open(struct tape *tape)
{
    tape->file = open_memstream(&tape->text, &tape->size);
}

static char *tape_text(struct tape *tape)
{
    fclose(tape->file);
    return tape->text;
}

static void show_bytes(FILE *file, const char *text, size_t length)
{
    for (size_t i = 0; i < length && i < 64; i++)
        fprintf(file, text[i] >= ' ' && text[i] <= '~' ? "%c" : "<%02x>", (unsigned char)text[i]);
    if (length > 64)
        fprintf(file, "…%zu", length);
}

static void show(FILE *file, const struct resp_value *value, size_t count)
{
    static const char marks[] = "+-:$_*~";
    cr_assert_eq(resp_after(value), value + count);
    for (size_t i = 0; i < count; i++, value++) {
        fputc(marks[value->type], file);
        if (value->type == RESP_INTEGER)
            fprintf(file, "%" PRId64, value->integer);
        else if (value->type != RESP_NULL && value->type != RESP_NULL_ARRAY)
            fprintf(file, "%zu", value->length);
        if (value->type <= RESP_ERROR || value->type == RESP_BULK) {
            fputc('(', file);
            show_bytes(file, value->text, value->length);
            fputc(')', file);
        }
        fputc(' ', file);
    }
    fputs("| ", file);
}

/* Shows the parser the stream, of which first[0], then first[1], … bytes are there; each time in a
 * block of its own, of exactly that size. The end of `first` is the whole stream, which it says. */
static char *parse_in_steps(enum resp_mode mode, const struct resp_limits *limits,
                            const char *stream, const size_t *first, size_t steps)
{
    struct tape tape;
    tape_open(&tape);
    struct resp_parser parser;
    resp_parser_init(&parser, mode, limits);
    size_t start = 0, size = first[steps - 1];
    int r = RESP_MORE;
    for (size_t i = 0; i < steps && r >= 0; i++) {
        size_t there = first[i] - start, consumed, at = 0;
        char *block = malloc(there + (there == 0));
        memcpy(block, stream + start, there);
        while ((r = resp_parse(&parser, block + at, there - at, &consumed)) == RESP_COMPLETE) {
            show(tape.file, parser.values, parser.count);
            at += consumed;
            cr_assert_leq(at, there);
        }
        cr_assert_eq(consumed, 0);
        start += at;
        free(block);
    }
    cr_assert_leq(parser.touched, 2 * size, "%" PRIu64 " touches of %zu bytes", parser.touched,
                  size);
    if (r < 0)
        fprintf(tape.file, "%s", parser.error);
    else
        fprintf(tape.file, "more");
    resp_parser_free(&parser);
    return tape_text(&tape);
}

static char *parse(enum resp_mode mode, const char *stream, size_t size)
{
    return parse_in_steps(mode, &RESP_LIMITS_DEFAULT, stream, &size, 1);
}

struct stream {
    enum resp_mode mode;
    const char *bytes;
    size_t size;
    const char *shown;
};
#define COMMANDS(bytes, shown)                         \
    {                                                  \
        RESP_COMMANDS, bytes, sizeof(bytes) - 1, shown \
    }
#define REPLIES(bytes, shown)                         \
    {                                                 \
        RESP_REPLIES, bytes, sizeof(bytes) - 1, shown \
    }

static const struct stream streams[] = {
    COMMANDS("", "more"),
    COMMANDS("*1\r\n$4\r\nPING\r\n", "*1 $4(PING) | more"),
    COMMANDS("*2\r\n$3\r\nGET\r\n$0\r\n\r\n*1\r\n$1\r\na\r\n", "*2 $3(GET) $0() | *1 $1(a) | more"),
    COMMANDS("*2\r\n$4\r\nECHO\r\n$4\r\n\r\n\0*\r\n", "*2 $4(ECHO) $4(<0d><0a><00>*) | more"),
    COMMANDS("*9\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n"
             "$1\r\n8\r\n$1\r\n9\r\n",
             "*9 $1(1) $1(2) $1(3) $1(4) $1(5) $1(6) $1(7) $1(8) $1(9) | more"),
    COMMANDS("*0\r\n*-1\r\n*-7\r\n", "*0 | *0 | *0 | more"),
    COMMANDS("PING\r\n\r\n\n ping  a\tb \n",
             "*1 $4(PING) | *0 | *0 | *3 $4(ping) $1(a) $1(b) | more"),
    COMMANDS("SET 'a b' \"\\x41\\n\\q\\\"\" ''\r\n*1\r\n$1\r\na\r\n",
             "*4 $3(SET) $3(a b) $4(A<0a>q\") $0() | *1 $1(a) | more"),
    COMMANDS("a\"b c\" '\\'' '\\n' \"\\xzz\\x4\" \"\\r\\t\\b\\a\"\r\n",
             "*5 $4(ab c) $1(') $2(\\n) $5(xzzx4) $4(<0d><09><08><07>) | more"),
    COMMANDS("+a\r\n-b\r\n:1\r\n$1\r\n", "*1 $2(+a) | *1 $2(-b) | *1 $2(:1) | *1 $2($1) | more"),
    COMMANDS("1 2 3 4 '5' 6 7 8 9\r\n",
             "*9 $1(1) $1(2) $1(3) $1(4) $1(5) $1(6) $1(7) $1(8) $1(9) | more"),
    COMMANDS("a\0b\r\n", "*2 $1(a) $1(b) | more"),
    COMMANDS("*1\r\n$4\r\nPING\r\n*1\r\nx", "*1 $4(PING) | Protocol error: expected '$', got 'x'"),
    COMMANDS("a 'b\r\nc'\r\n", "Protocol error: unbalanced quotes in request"),
    COMMANDS("\"a\"b\r\n", "Protocol error: unbalanced quotes in request"),
    COMMANDS("\"a\\\"\r\n", "Protocol error: unbalanced quotes in request"),
    REPLIES("+OK\r\n-ERR no\r\n:-42\r\n$3\r\nfoo\r\n$-1\r\n*-1\r\n*0\r\n+\r\n",
            "+2(OK) | -6(ERR no) | :-42 | $3(foo) | _ | ~ | *0 | +0() | more"),
    REPLIES("*3\r\n*2\r\n:1\r\n*1\r\n*0\r\n$-1\r\n*1\r\n*-1\r\n:9\r\n",
            "*3 *2 :1 *1 *0 _ *1 ~ | :9 | more"),
    REPLIES("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n+deep\r\n",
            "*1 *1 *1 *1 *1 *1 *1 *1 +4(deep) | more"),
    REPLIES("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n",
            "Protocol error: too deep nesting"),
    REPLIES(":1\r\nPONG\r\n", ":1 | Protocol error: unknown type byte 'P'"),
    REPLIES("+a\nb\r\n", "Protocol error: invalid line end"),
    REPLIES("$3\r\nfooxx", "Protocol error: expected CRLF after bulk"),
    REPLIES("$3\r\nfoo\n\n", "Protocol error: expected CRLF after bulk"),
};

Test(resp, a_frame_split_at_every_byte_parses_the_same)
{
    struct edo_census start = edo_census_now();
    for (size_t i = 0; i < LENGTH(streams); i++) {
        const struct stream *s = &streams[i];
        for (size_t cut = 0; cut <= s->size; cut++) {
            char *shown = parse_in_steps(s->mode, &RESP_LIMITS_DEFAULT, s->bytes,
                                         (size_t[]){cut, s->size}, 2);
            cr_assert_str_eq(shown, s->shown, "stream %zu cut at %zu: %s", i, cut, shown);
            free(shown);
        }
    }
    check_census(start);
}

Test(resp, a_frame_split_at_every_two_bytes_parses_the_same)
{
    for (size_t i = 0; i < LENGTH(streams); i++) {
        const struct stream *s = &streams[i];
        for (size_t cut = 0; cut <= s->size; cut++) {
            for (size_t again = cut; again <= s->size; again++) {
                char *shown = parse_in_steps(s->mode, &RESP_LIMITS_DEFAULT, s->bytes,
                                             (size_t[]){cut, again, s->size}, 3);
                cr_assert_str_eq(shown, s->shown, "stream %zu cut at %zu and %zu: %s", i, cut,
                                 again, shown);
                free(shown);
            }
        }
    }
}

Test(resp, a_stream_byte_by_byte_parses_the_same)
{
    size_t first[256];
    for (size_t i = 0; i < LENGTH(first); i++)
        first[i] = i;
    for (size_t i = 0; i < LENGTH(streams); i++) {
        const struct stream *s = &streams[i];
        char *shown = parse_in_steps(s->mode, &RESP_LIMITS_DEFAULT, s->bytes, first, s->size + 1);
        cr_assert_str_eq(shown, s->shown);
        free(shown);
    }
}

Test(resp, a_truncated_frame_asks_for_more_and_consumes_nothing)
{
    static const char *const frames[] = {
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nhello\r\n",
        "SET a 'b c'\r\n",
        "*1000\r\n$1\r\na\r\n",
    };
    for (size_t i = 0; i < LENGTH(frames); i++) {
        for (size_t size = 0; size < strlen(frames[i]); size++) {
            char *shown = parse(RESP_COMMANDS, frames[i], size);
            cr_assert_str_eq(shown, "more");
            free(shown);
        }
    }
}

Test(resp, ten_thousand_pipelined_frames_come_out_one_by_one)
{
    struct edo_census start = edo_census_now();
    enum { FRAMES = 10000 };
    char *stream = malloc(FRAMES * 64);
    size_t size = 0, at = 0, consumed;
    for (int i = 0; i < FRAMES; i++)
        size += (size_t)sprintf(stream + size, "*2\r\n$3\r\nGET\r\n$5\r\n%05d\r\n", i);
    struct resp_parser parser;
    resp_parser_init(&parser, RESP_COMMANDS, &RESP_LIMITS_DEFAULT);
    for (int i = 0; i < FRAMES; i++, at += consumed) {
        cr_assert_eq(resp_parse(&parser, stream + at, size - at, &consumed), RESP_COMPLETE);
        cr_assert_eq(parser.count, 3);
        cr_assert_eq(strtol(parser.values[2].text, NULL, 10), i);
    }
    cr_assert_eq(at, size);
    cr_assert_leq(parser.touched, 2 * size);
    resp_parser_free(&parser);
    free(stream);
    check_census(start);
}

Test(resp, a_hostile_length_is_an_error_with_redis_text)
{
    static const struct {
        const char *stream, *error;
    } table[] = {
        {"*x\r\n", "invalid multibulk length"},
        {"*\r\n", "invalid multibulk length"},
        {"*+1\r\n", "invalid multibulk length"},
        {"* 1\r\n", "invalid multibulk length"},
        {"*1 \r\n", "invalid multibulk length"},
        {"*01\r\n", "invalid multibulk length"},
        {"*-\r\n", "invalid multibulk length"},
        {"*-0\r\n", "invalid multibulk length"},
        {"*1\n", "invalid multibulk length"},
        {"*1\r1\r\n", "invalid multibulk length"},
        {"*1025\r\n", "invalid multibulk length"},
        {"*1000000000\r\n", "invalid multibulk length"},
        {"*4294967297\r\n", "invalid multibulk length"},
        {"*9223372036854775807\r\n", "invalid multibulk length"},
        {"*9223372036854775808\r\n", "invalid multibulk length"},
        {"*-9223372036854775809\r\n", "invalid multibulk length"},
        {"*18446744073709551617\r\n", "invalid multibulk length"},
        {"*99999999999999999999999999\r\n", "invalid multibulk length"},
        {"*1\r\n$\r\n", "invalid bulk length"},
        {"*1\r\n$x\r\n", "invalid bulk length"},
        {"*1\r\n$-1\r\n", "invalid bulk length"},
        {"*1\r\n$-9223372036854775808\r\n", "invalid bulk length"},
        {"*1\r\n$+4\r\n", "invalid bulk length"},
        {"*1\r\n$04\r\n", "invalid bulk length"},
        {"*1\r\n$1048577\r\n", "invalid bulk length"},
        {"*1\r\n$4294967297\r\n", "invalid bulk length"},
        {"*1\r\n$9223372036854775807\r\n", "invalid bulk length"},
        {"*1\r\n$9223372036854775808\r\n", "invalid bulk length"},
        {"*1\r\n$18446744073709551615\r\n", "invalid bulk length"},
        {"*1\r\n$4\n", "invalid bulk length"},
        {"*1\r\n*1\r\n", "expected '$', got '*'"},
        {"*1\r\n:1\r\n", "expected '$', got ':'"},
    };
    for (size_t i = 0; i < LENGTH(table); i++) {
        char *shown = parse(RESP_COMMANDS, table[i].stream, strlen(table[i].stream));
        cr_assert(strncmp(shown, "Protocol error: ", 16) == 0 &&
                      strcmp(shown + 16, table[i].error) == 0,
                  "%s: %s", table[i].stream, shown);
        free(shown);
    }
}

Test(resp, an_announced_array_takes_no_memory_before_its_elements)
{
    struct edo_census start = edo_census_now();
    struct resp_parser parser;
    struct resp_limits limits = RESP_LIMITS_MAX;
    resp_parser_init(&parser, RESP_COMMANDS, &limits);
    static const char stream[] = "*1048576\r\n$536870912\r\nabc";
    size_t consumed;
    cr_assert_eq(resp_parse(&parser, stream, sizeof stream - 1, &consumed), RESP_MORE);
    cr_assert_eq(resp_missing(&parser, sizeof stream - 1), 536870912 + 2 - 3);
    cr_assert_lt(edo_census_now().live[EDO_CENSUS_BYTES] - start.live[EDO_CENSUS_BYTES], 512);
    resp_parser_free(&parser);
    check_census(start);
}

Test(resp, the_table_of_values_grows_with_the_bytes_and_shrinks_after)
{
    struct edo_census start = edo_census_now();
    enum { ELEMENTS = 1024 };
    char *stream = malloc(8 + ELEMENTS * 7);
    size_t size = (size_t)sprintf(stream, "*%d\r\n", ELEMENTS), consumed;
    struct resp_parser parser;
    resp_parser_init(&parser, RESP_COMMANDS, &RESP_LIMITS_DEFAULT);
    cr_assert_eq(resp_parse(&parser, stream, size, &consumed), RESP_MORE);
    for (int i = 0; i < ELEMENTS; i++) {
        memcpy(stream + size, "$1\r\na\r\n", 7);
        size += 7;
        int r = resp_parse(&parser, stream, size, &consumed);
        cr_assert_eq(r, i == ELEMENTS - 1 ? RESP_COMPLETE : RESP_MORE);
        int64_t bytes = edo_census_now().live[EDO_CENSUS_BYTES] - start.live[EDO_CENSUS_BYTES];
        cr_assert_leq(bytes, 512 + (int64_t)(2 * sizeof(struct resp_value) * (size_t)(i + 2)));
    }
    cr_assert_eq(parser.count, ELEMENTS + 1);
    cr_assert_eq(resp_parse(&parser, "", 0, &consumed), RESP_MORE);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_BLOCKS], start.live[EDO_CENSUS_BLOCKS],
                 "an idle parser keeps no large table");
    resp_parser_free(&parser);
    free(stream);
    check_census(start);
}

Test(resp, nesting_a_hundred_thousand_deep_is_refused)
{
    enum { DEEP = 100000 };
    char *stream = malloc(DEEP * 4);
    for (int i = 0; i < DEEP; i++)
        memcpy(stream + i * 4, "*1\r\n", 4);
    char *shown = parse(RESP_REPLIES, stream, DEEP * 4);
    cr_assert_str_eq(shown, "Protocol error: too deep nesting");
    free(shown);
    shown = parse(RESP_COMMANDS, stream, DEEP * 4);
    cr_assert_str_eq(shown, "Protocol error: expected '$', got '*'");
    free(shown);
    free(stream);
}

static char *parse_limited(enum resp_mode mode, struct resp_limits limits, const char *stream)
{
    /* Byte by byte and at once must agree. */
    size_t size = strlen(stream), first[256];
    for (size_t i = 0; i <= size; i++)
        first[i] = i;
    char *slowly = parse_in_steps(mode, &limits, stream, first, size + 1);
    char *at_once = parse_in_steps(mode, &limits, stream, &size, 1);
    cr_assert_str_eq(slowly, at_once);
    free(slowly);
    return at_once;
}

Test(resp, each_limit_holds_to_the_byte)
{
    const struct resp_limits limits = {.array = 2, .bulk = 4, .line = 8, .frame = 30, .depth = 1};
    static const struct {
        enum resp_mode mode;
        const char *stream, *shown;
    } table[] = {
        {RESP_COMMANDS, "*1\r\n$4\r\n1234\r\n", "*1 $4(1234) | more"},
        {RESP_COMMANDS, "*1\r\n$5\r\n", "Protocol error: invalid bulk length"},
        {RESP_COMMANDS, "*2\r\n", "more"},
        {RESP_COMMANDS, "*3\r\n", "Protocol error: invalid multibulk length"},
        {RESP_COMMANDS, "1234567\r\n", "*1 $7(1234567) | more"},
        {RESP_COMMANDS, "12345678\n", "*1 $8(12345678) | more"},
        {RESP_COMMANDS, "12345678\r", "Protocol error: too big inline request"},
        {RESP_COMMANDS, "a b\r\n", "*2 $1(a) $1(b) | more"},
        {RESP_COMMANDS, "a b c\r\n", "Protocol error: too big inline request"},
        {RESP_COMMANDS, "*00000000", "Protocol error: too big mbulk count string"},
        {RESP_COMMANDS, "*1\r\n$00000000", "Protocol error: too big bulk count string"},
        {RESP_REPLIES, "+12345678", "Protocol error: too big line"},
        {RESP_REPLIES, "*1\r\n*1\r\n", "Protocol error: too deep nesting"},
        {RESP_COMMANDS, "*2\r\n$4\r\n1234\r\n$4\r\n1234\r\n", "*2 $4(1234) $4(1234) | more"},
    };
    for (size_t i = 0; i < LENGTH(table); i++) {
        char *shown = parse_limited(table[i].mode, limits, table[i].stream);
        cr_assert_str_eq(shown, table[i].shown, "%s", table[i].stream);
        free(shown);
    }
    struct resp_limits frame = RESP_LIMITS_DEFAULT;
    static const char two[] = "*2\r\n$4\r\n1234\r\n$4\r\n1234\r\n";
    for (frame.frame = 0; frame.frame < 22; frame.frame++) {
        char *shown = parse_limited(RESP_COMMANDS, frame, two);
        cr_assert_str_eq(shown, "Protocol error: too big request");
        free(shown);
    }
    char *shown = parse_limited(RESP_COMMANDS, frame, two);
    cr_assert_str_eq(shown, "*2 $4(1234) $4(1234) | more", "%s", shown);
    free(shown);
}

Test(resp, a_limit_cannot_be_set_above_the_cap)
{
    struct resp_parser parser;
    const struct resp_limits all = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, UINT32_MAX};
    resp_parser_init(&parser, RESP_REPLIES, &all);
    cr_assert_eq(memcmp(&parser.limits, &RESP_LIMITS_MAX, sizeof parser.limits), 0);
}

Test(resp, a_line_without_end_costs_no_more_than_its_bytes)
{
    enum { SIZE = 16 << 10 };
    static char line[SIZE + 1];
    memset(line, 'x', sizeof line);
    struct resp_parser parser;
    size_t consumed;
    resp_parser_init(&parser, RESP_COMMANDS, &RESP_LIMITS_DEFAULT);
    for (size_t size = 0; size <= SIZE; size++)
        cr_assert_eq(resp_parse(&parser, line, size, &consumed), RESP_MORE);
    cr_assert_leq(parser.touched, 2 * SIZE);
    cr_assert_eq(resp_parse(&parser, line, SIZE + 1, &consumed), -EPROTO);
    resp_parser_free(&parser);
}

Test(resp, the_inside_of_a_bulk_is_not_looked_at)
{
    enum { SIZE = 1 << 20 };
    char *stream = malloc(SIZE + 32);
    size_t head = (size_t)sprintf(stream, "$%d\r\n", SIZE), consumed;
    memset(stream + head, '\n', SIZE);
    memcpy(stream + head + SIZE, "\r\n", 2);
    struct resp_parser parser;
    resp_parser_init(&parser, RESP_REPLIES, &RESP_LIMITS_DEFAULT);
    for (size_t size = 0; size < head + SIZE + 2; size += 1000)
        cr_assert_eq(resp_parse(&parser, stream, size, &consumed), RESP_MORE);
    cr_assert_eq(resp_parse(&parser, stream, head + SIZE + 2, &consumed), RESP_COMPLETE);
    cr_assert_leq(parser.touched, 2 * (head + 2));
    cr_assert_eq(parser.values[0].length, SIZE);
    resp_parser_free(&parser);
    free(stream);
}

Test(resp, a_broken_stream_stays_broken)
{
    struct resp_parser parser;
    size_t consumed;
    resp_parser_init(&parser, RESP_COMMANDS, &RESP_LIMITS_DEFAULT);
    cr_assert_eq(resp_parse(&parser, "*x\r\n", 4, &consumed), -EPROTO);
    cr_assert_eq(resp_parse(&parser, "PING\r\n", 6, &consumed), -EPROTO);
    cr_assert_str_eq(parser.error, "Protocol error: invalid multibulk length");
    resp_parser_free(&parser);
}

Test(resp, a_failed_allocation_loses_nothing)
{
    struct edo_census start = edo_census_now();
    for (size_t i = 0; i < LENGTH(streams); i++) {
        const struct stream *s = &streams[i];
        for (int sticky = 0; sticky < 2; sticky++) {
            bool fired = true;
            for (uint64_t n = 1; fired; n++) {
                struct resp_parser parser;
                struct tape tape;
                tape_open(&tape);
                resp_parser_init(&parser, s->mode, &RESP_LIMITS_DEFAULT);
                size_t at = 0, consumed;
                int r, failures = 0;
                edo_alloc_fail(n, sticky);
                do {
                    r = resp_parse(&parser, s->bytes + at, s->size - at, &consumed);
                    if (r == -ENOMEM) {
                        cr_assert_eq(consumed, 0);
                        failures++;
                        if (sticky)
                            edo_alloc_fail(0, false);
                    } else if (r == RESP_COMPLETE) {
                        show(tape.file, parser.values, parser.count);
                        at += consumed;
                    }
                } while (r == RESP_COMPLETE || r == -ENOMEM);
                fired = edo_alloc_fail(0, false) || failures > 0;
                fprintf(tape.file, "%s", r < 0 ? parser.error : "more");
                resp_parser_free(&parser);
                char *shown = tape_text(&tape);
                cr_assert_str_eq(shown, s->shown);
                free(shown);
                check_census(start);
            }
        }
    }
}

/* A stream made of pieces that mean something, some bytes of it changed. */
static size_t random_stream(char *stream, unsigned *seed)
{
    static const char *const pieces[] = {
        "*1\r\n",
        "*2\r\n",
        "*0\r\n",
        "*-1\r\n",
        "$3\r\n",
        "foo\r\n",
        "$0\r\n\r\n",
        "\r\n",
        ":12\r\n",
        "+OK\r\n",
        "-ERR\r\n",
        "GET a\r\n",
        "\"a b\"",
        "'",
        "\\x41",
        " ",
        "$-1\r\n",
        "$3\r\nfoo\r\n",
        "*1\r\n$4\r\nPING\r\n",
        "\n",
        "1",
        "*",
    };
    size_t size = 0;
    for (int n = rand_r(seed) % 12; n >= 0; n--) {
        const char *piece = pieces[(size_t)rand_r(seed) % LENGTH(pieces)];
        memcpy(stream + size, piece, strlen(piece));
        size += strlen(piece);
    }
    for (int n = rand_r(seed) % 3; n > 0; n--)
        stream[(size_t)rand_r(seed) % size] = (char)(rand_r(seed) % 256);
    return size;
}

Test(resp, random_streams_parse_the_same_however_they_are_cut)
{
    struct edo_census start = edo_census_now();
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        char stream[256];
        size_t size = random_stream(stream, &seed), first[256], steps = 0;
        enum resp_mode mode = round % 2 == 0 ? RESP_COMMANDS : RESP_REPLIES;
        for (size_t at = 0; at < size && steps < LENGTH(first) - 1; at += (size_t)rand_r(&seed) % 5)
            first[steps++] = at;
        first[steps++] = size;
        struct resp_limits limits = {.array = 4, .bulk = 16, .line = 20, .frame = 48, .depth = 3};
        char *at_once = parse_in_steps(mode, &limits, stream, &size, 1);
        char *cut = parse_in_steps(mode, &limits, stream, first, steps);
        cr_assert_str_eq(at_once, cut, "round %d", round);
        free(at_once);
        free(cut);
    }
    check_census(start);
}

static void write_all_kinds(struct edo_bytes *out)
{
    resp_map(out, 4);
    resp_simple(out, "OK");
    resp_error(out, "ERR %s\r\n", "a\r\nb");
    resp_integer(out, INT64_MIN);
    resp_integer(out, INT64_MAX);
    resp_bulk(out, "\0\r\n", 3);
    resp_text(out, "");
    resp_null(out);
    resp_array(out, 1);
    resp_null_array(out);
}

Test(resp, what_is_written_is_what_is_read)
{
    struct edo_census start = edo_census_now();
    struct edo_bytes out;
    edo_bytes_init(&out, 0);
    write_all_kinds(&out);
    static const char bytes[] = "*8\r\n+OK\r\n-ERR a  b\r\n:-9223372036854775808\r\n"
                                ":9223372036854775807\r\n$3\r\n\0\r\n\r\n$0\r\n\r\n$-1\r\n"
                                "*1\r\n*-1\r\n";
    cr_assert_eq(edo_bytes_length(&out), sizeof bytes - 1);
    cr_assert_eq(memcmp(edo_bytes_data(&out), bytes, sizeof bytes - 1), 0);
    char *shown = parse(RESP_REPLIES, edo_bytes_data(&out), edo_bytes_length(&out));
    cr_assert_str_eq(shown, "*8 +2(OK) -8(ERR a  b) :-9223372036854775808 :9223372036854775807 "
                            "$3(<00><0d><0a>) $0() _ *1 ~ | more");
    free(shown);
    edo_bytes_free(&out);
    check_census(start);
}

Test(resp, a_long_error_is_cut)
{
    struct edo_bytes out;
    char text[2 * RESP_ERROR_MAX];
    memset(text, 'x', sizeof text);
    edo_bytes_init(&out, 0);
    cr_assert_eq(resp_error(&out, "ERR %.*s", (int)sizeof text, text), 0);
    cr_assert_leq(edo_bytes_length(&out), RESP_ERROR_MAX + 3);
    char *shown = parse(RESP_REPLIES, edo_bytes_data(&out), edo_bytes_length(&out));
    cr_assert(strstr(shown, "| more"));
    free(shown);
    edo_bytes_free(&out);
}

Test(resp, a_write_that_fails_leaves_the_output_as_it_was)
{
    struct edo_census start = edo_census_now();
    static const char big[10000];
    struct edo_bytes out;
    edo_bytes_init(&out, 2000);
    cr_assert_eq(resp_simple(&out, "OK"), 0);
    cr_assert_lt(resp_bulk(&out, big, sizeof big), 0);
    cr_assert_lt(resp_bulk(&out, big, SIZE_MAX), 0);
    cr_assert_lt(resp_array(&out, SIZE_MAX), 0);
    cr_assert_lt(resp_map(&out, SIZE_MAX / 2), 0);
    cr_assert_eq(edo_bytes_length(&out), 5);
    edo_bytes_free(&out);
    edo_bytes_init(&out, 0);
    edo_alloc_fail(1, true);
    cr_assert_eq(resp_simple(&out, "OK"), -ENOMEM);
    cr_assert_eq(resp_error(&out, "OK"), -ENOMEM);
    cr_assert_eq(resp_integer(&out, 1), -ENOMEM);
    cr_assert_eq(resp_text(&out, "OK"), -ENOMEM);
    cr_assert_eq(resp_null(&out), -ENOMEM);
    edo_alloc_fail(0, false);
    cr_assert_eq(edo_bytes_length(&out), 0);
    edo_bytes_free(&out);
    check_census(start);
}

Test(resp, words_are_split_within_their_line)
{
    /* Blocks of exactly the line's size: a sanitizer sees a byte read too many. */
    static const char *const lines[] = {"\"\\x4", "\"\\x", "\"\\", "\"",     "'\\",
                                        "a",      "a ",    " ",    "\"\\x41"};
    static const int found[] = {-1, -1, -1, -1, -1, 1, 1, 0, -1};
    for (size_t i = 0; i < LENGTH(lines); i++) {
        size_t length = strlen(lines[i]), at = 0;
        char *line = malloc(length), *copies = malloc(length), *copy = copies;
        memcpy(line, lines[i], length);
        struct word word;
        cr_assert_eq(words_next(line, length, &at, &copy, &word), found[i], "%s", lines[i]);
        free(line);
        free(copies);
    }
}

Test(resp, a_number_has_one_spelling)
{
    static const struct {
        const char *text;
        bool valid;
        int64_t number;
    } table[] = {
        {"0", true, 0},
        {"7", true, 7},
        {"-1", true, -1},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"18446744073709551616", false, 0},
        {"99999999999999999999", false, 0},
        {"100000000000000000000", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"-0", false, 0},
        {"00", false, 0},
        {"01", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1a", false, 0},
        {"--1", false, 0},
        {"/", false, 0},
        {":", false, 0},
    };
    for (size_t i = 0; i < LENGTH(table); i++) {
        int64_t number = 99;
        bool valid = number_read(table[i].text, strlen(table[i].text), &number);
        cr_assert_eq(valid, table[i].valid, "%s", table[i].text);
        cr_assert_eq(number, valid ? table[i].number : 99);
        char text[NUMBER_MAX];
        if (valid) {
            cr_assert_eq(number_write(text, number), strlen(table[i].text));
            cr_assert_eq(memcmp(text, table[i].text, strlen(table[i].text)), 0);
        }
    }
}
