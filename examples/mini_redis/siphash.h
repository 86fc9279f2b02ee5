/* SPDX-License-Identifier: MIT */
/* SipHash: a hash of bytes that cannot be predicted without its 128-bit key, so that nobody can
 * choose keys that all fall into one bucket.
 *
 *     uint64_t key[2];  …from edo_random…
 *     uint64_t hash = siphash_1_3(key, data, length);
 *
 * Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012); 1-3 is the variant with one
 * round per word and three at the end, as Rust's and Redis' tables use (Redis 1-2). siphash takes
 * the rounds as arguments so that the paper's vectors, which are for 2-4, test the same code.
 */
#ifndef MINI_REDIS_SIPHASH_H
#define MINI_REDIS_SIPHASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t siphash_rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void siphash_rounds(uint64_t v[4], int rounds)
{
    while (rounds-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = siphash_rotate(v[1], 13) ^ v[0];
        v[3] = siphash_rotate(v[3], 16) ^ v[2];
        v[0] = siphash_rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = siphash_rotate(v[1], 17) ^ v[2];
        v[3] = siphash_rotate(v[3], 21) ^ v[0];
        v[2] = siphash_rotate(v[2], 32);
    }
}

/* The next `length` (at most 8) bytes as a little-endian number. */
static inline uint64_t siphash_word(const unsigned char *at, size_t length)
{
    uint64_t word = 0;
    memcpy(&word, at, length);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline __attribute__((always_inline)) uint64_t siphash(const uint64_t key[2],
                                                              const void *data, size_t length,
                                                              int rounds, int last_rounds)
{
    uint64_t v[4] = {
        key[0] ^ 0x736f6d6570736575u,
        key[1] ^ 0x646f72616e646f6du,
        key[0] ^ 0x6c7967656e657261u,
        key[1] ^ 0x7465646279746573u,
    };
    const unsigned char *at = data;
    uint64_t last = (uint64_t)length << 56, word;
    for (; length >= 8; length -= 8, at += 8) {
        word = siphash_word(at, 8);
        v[3] ^= word;
        siphash_rounds(v, rounds);
        v[0] ^= word;
    }
    if (length > 0)
        last |= siphash_word(at, length);
    v[3] ^= last;
    siphash_rounds(v, rounds);
    v[0] ^= last;
    v[2] ^= 0xff;
    siphash_rounds(v, last_rounds);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static inline uint64_t siphash_1_3(const uint64_t key[2], const void *data, size_t length)
{
    return siphash(key, data, length, 1, 3);
}

#endif
