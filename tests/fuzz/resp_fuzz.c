/* SPDX-License-Identifier: MIT */
/* Fuzzes the RESP parser: a stream must parse the same at once and cut into pieces, with a failed
 * allocation here and there, in blocks of exactly the size that is there; no byte may be looked at
 * more than twice; what a command said must survive being written and read again.
 *
 *     clang -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -DEDO_FAULTS -I. \
 *         tests/fuzz/resp_fuzz.c examples/mini_redis/resp.c examples/mini_redis/resp_write.c \
 *         examples/mini_redis/words.c \
 *         io/bytes.c internal/sys.c internal/census.c -pthread -o resp_fuzz
 *     ./resp_fuzz new_corpus/ tests/fuzz/corpus/resp/
 *
 * The first byte of the input chooses: bit 0 the mode, bit 1 small limits, bits 2 to 4 the failing
 * allocation, the rest starts the pieces' sizes. The stream follows.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "examples/mini_redis/resp.h"
#include "internal/sys.h"

struct run {
    uint64_t digest; /* of all frames and of the end */
    int result;
    char error[sizeof((struct resp_parser *)NULL)->error];
};

static void digest(struct run *run, const void *data, size_t size)
{
    for (const unsigned char *at = data; size > 0; size--)
        run->digest = (run->digest ^ *at++) * 0x100000001b3u;
}

static void digest_frame(struct run *run, const struct resp_parser *parser)
{
    edo_assert(parser->count > 0);
    edo_assert(resp_after(parser->values) == parser->values + parser->count);
    digest(run, &parser->count, sizeof parser->count);
    for (size_t i = 0; i < parser->count; i++) {
        const struct resp_value *value = &parser->values[i];
        digest(run, &value->type, sizeof value->type);
        digest(run, &value->length, sizeof value->length);
        if (value->type == RESP_INTEGER)
            digest(run, &value->integer, sizeof value->integer);
        else if (value->type <= RESP_ERROR || value->type == RESP_BULK)
            digest(run, value->text, value->length);
    }
}

/* A command, written as an array of bulks, reads as the same command. */
static void check_again(const struct resp_parser *parser, const struct resp_limits *limits)
{
    struct edo_bytes out;
    struct resp_parser again;
    struct run one = {0}, other = {0};
    size_t consumed;
    edo_bytes_init(&out, 0);
    edo_assert(resp_array(&out, parser->count - 1) == 0);
    for (size_t i = 1; i < parser->count; i++)
        edo_assert(resp_bulk(&out, parser->values[i].text, parser->values[i].length) == 0);
    resp_parser_init(&again, RESP_COMMANDS, limits);
    int r = resp_parse(&again, edo_bytes_data(&out), edo_bytes_length(&out), &consumed);
    edo_assert(r == RESP_COMPLETE && consumed == edo_bytes_length(&out));
    digest_frame(&one, parser);
    digest_frame(&other, &again);
    edo_assert(one.digest == other.digest);
    resp_parser_free(&again);
    edo_bytes_free(&out);
}

static void parse(struct run *run, enum resp_mode mode, const struct resp_limits *limits,
                  const char *stream, size_t size, unsigned seed, unsigned fault)
{
    struct resp_parser parser;
    resp_parser_init(&parser, mode, limits);
    size_t start = 0, there = seed == 0 ? size : 0, retries = 0, consumed;
    edo_alloc_fail(fault, false);
    for (;;) {
        char *block = malloc(there - start + (there == start));
        memcpy(block, stream + start, there - start);
        int r = resp_parse(&parser, block, there - start, &consumed);
        edo_assert((r == RESP_COMPLETE) == (consumed > 0) && consumed <= there - start);
        start += consumed;
        if (r == RESP_COMPLETE) {
            digest_frame(run, &parser);
            if (mode == RESP_COMMANDS && seed == 0)
                check_again(&parser, &RESP_LIMITS_MAX);
        } else if (r == RESP_MORE) {
            edo_assert(resp_missing(&parser, there - start) > 0);
        }
        free(block);
        if (r == -ENOMEM) {
            edo_assert(fault != 0 && ++retries == 1);
        } else if (r < 0 || (r == RESP_MORE && there == size)) {
            run->result = r;
            memcpy(run->error, parser.error, sizeof run->error);
            break;
        } else if (r == RESP_MORE) {
            seed = seed * 1103515245 + 12345;
            size_t piece = seed >> 16 & 7;
            there = piece < size - there ? there + piece : size;
        }
    }
    edo_alloc_fail(0, false);
    if (retries == 0)
        edo_assert(parser.touched <= 2 * size);
    resp_parser_free(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* libFuzzer has no header */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct resp_limits few = {.array = 3, .bulk = 9, .line = 12, .frame = 40, .depth = 2};
    const struct resp_limits limits = *data & 2 ? few : RESP_LIMITS_DEFAULT;
    enum resp_mode mode = *data & 1 ? RESP_REPLIES : RESP_COMMANDS;
    const char *stream = (const char *)data + 1;
    struct run whole = {0}, cut = {0};
    parse(&whole, mode, &limits, stream, size - 1, 0, 0);
    parse(&cut, mode, &limits, stream, size - 1, *data + 1u, *data >> 2 & 7);
    edo_assert(whole.result == cut.result && whole.digest == cut.digest);
    edo_assert(memcmp(whole.error, cut.error, sizeof cut.error) == 0);
    return 0;
}
