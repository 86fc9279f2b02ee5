/* SPDX-License-Identifier: MIT */
/* Fuzzes the byte buffer: it must hold what a plain array holds, within its limit and twice that
 * of memory, and be unchanged by every call that fails, a failed allocation here and there included.
 *
 *     clang -std=gnu11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -DEDO_FAULTS \
 *         -DEDO_CENSUS -iquote . tests/fuzz/bytes_fuzz.c io/bytes.c internal/sys.c \
 *         internal/census.c -pthread -o bytes_fuzz
 *     ./bytes_fuzz new_corpus/
 *
 * The input: a byte for the limit, then operations of two bytes: what, and how many.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "internal/sys.h"
#include "io/bytes.h"

enum { LARGEST = 1 << 16 };

/* What the buffer should hold. */
static char model[2 * LARGEST];
static size_t length;
static unsigned char next_byte;

static void check(const struct edo_bytes *bytes)
{
    edo_assert(edo_bytes_length(bytes) == length);
    edo_assert(bytes->start <= bytes->end && bytes->end <= bytes->capacity);
    edo_assert((bytes->data == NULL) == (bytes->capacity == 0));
    edo_assert(length == 0 || memcmp(edo_bytes_data(bytes), model, length) == 0);
    if (bytes->limit != 0) {
        edo_assert(length <= bytes->limit && edo_bytes_spare_size(bytes) <= bytes->limit - length);
        edo_assert(bytes->capacity <= 2 * bytes->limit);
    }
}

/* After a call that reserved `more`: what it returned is right, and what it left. */
static bool reserved(const struct edo_bytes *bytes, const struct edo_bytes *before, size_t more,
                     int error, bool failing)
{
    if (error == 0)
        return true;
    edo_assert(memcmp(bytes, before, sizeof *bytes) == 0);
    if (error == -ENOBUFS)
        edo_assert(bytes->limit != 0 && length + more > bytes->limit);
    else
        edo_assert(error == -ENOMEM && (failing || more > PTRDIFF_MAX / 2 - length));
    return false;
}

static void add(struct edo_bytes *bytes, unsigned what, size_t more)
{
    static char data[LARGEST];
    struct edo_bytes before = *bytes;
    bool failing = what % 4 == 0;
    if (length + more > LARGEST)
        return;
    for (size_t i = 0; i < more; i++)
        model[length + i] = data[i] = (char)next_byte++;
    edo_alloc_fail(failing, false);
    int error =
        what % 2 == 0 ? edo_bytes_append(bytes, data, more) : edo_bytes_reserve(bytes, more);
    failing = edo_alloc_fail(0, false);
    if (!reserved(bytes, &before, more, error, failing))
        return;
    if (what % 2 != 0) {
        edo_assert(edo_bytes_spare_size(bytes) >= more);
        if (more > 0)
            memcpy(edo_bytes_spare(bytes), data, more);
        edo_bytes_advance(bytes, more);
    }
    length += more;
}

static void drop(struct edo_bytes *bytes, unsigned what, size_t n)
{
    if (n > length)
        n = length;
    if (what % 4 == 0) {
        edo_bytes_truncate(bytes, n);
        length = n;
        return;
    }
    edo_bytes_consume(bytes, n);
    length -= n;
    memmove(model, model + n, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t limits[] = {0, 1, 100, 255, 256, 1000, 5000, 40000};
    struct edo_bytes bytes, before;
    int64_t blocks = edo_census_now().live[EDO_CENSUS_BLOCKS];
    if (size == 0)
        return 0;
    length = 0;
    edo_bytes_init(&bytes, limits[data[0] % 8]);
    for (size_t i = 1; i + 1 < size; i += 2) {
        unsigned what = data[i] / 5;
        /* 0 to 63, or up to 63 times 512. */
        size_t n = (size_t)(data[i + 1] % 64) << data[i + 1] / 64 * 3;
        switch (data[i] % 5) {
        case 0:
        case 1:
            add(&bytes, what, n);
            break;
        case 2:
            drop(&bytes, what, n);
            break;
        case 3:
            if (what % 8 == 0) {
                edo_bytes_clear(&bytes);
                length = 0;
            }
            edo_bytes_shrink(&bytes);
            edo_assert(length > 0 || bytes.capacity == 0);
            break;
        default: /* more than there is of memory */
            before = bytes;
            edo_assert(!reserved(&bytes, &before, SIZE_MAX - n,
                                 edo_bytes_reserve(&bytes, SIZE_MAX - n), false));
        }
        check(&bytes);
    }
    edo_bytes_free(&bytes);
    edo_assert(edo_census_now().live[EDO_CENSUS_BLOCKS] == blocks);
    return 0;
}
