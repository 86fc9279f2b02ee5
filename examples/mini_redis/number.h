/* SPDX-License-Identifier: MIT */
/* Decimal integers as Redis reads and writes them.
 *
 *     int64_t n;
 *     if (!number_read("42", 2, &n))
 *         …not a number…
 *     char text[NUMBER_MAX];
 *     size_t length = number_write(text, n);
 *
 * Reading is strict, so that a number has one spelling only: an optional '-', then digits without a
 * leading zero; no '+', no blank, nothing behind, nothing outside int64_t. No allocation; pure.
 */
#ifndef MINI_REDIS_NUMBER_H
#define MINI_REDIS_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Room for any int64_t, no terminating zero. */
enum { NUMBER_MAX = 20 };

/* The number that fills text exactly, in *number; false when it is none, *number unchanged. */
static inline bool number_read(const char *text, size_t length, int64_t *number)
{
    bool negative = length > 0 && text[0] == '-';
    size_t at = negative;
    if (at == length || length > NUMBER_MAX)
        return false;
    if (text[at] == '0') {
        if (length != 1)
            return false;
        *number = 0;
        return true;
    }
    uint64_t sum = 0;
    for (; at < length; at++) {
        unsigned digit = (unsigned)(unsigned char)text[at] - '0';
        if (digit > 9 || __builtin_mul_overflow(sum, 10u, &sum) ||
            __builtin_add_overflow(sum, digit, &sum))
            return false;
    }
    if (sum > (uint64_t)INT64_MAX + negative)
        return false;
    *number = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

/* Writes number into text, which has room for NUMBER_MAX characters; returns how many it took. */
static inline size_t number_write(char *text, int64_t number)
{
    char digits[NUMBER_MAX];
    size_t at = sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (number < 0)
        digits[--at] = '-';
    memcpy(text, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

#endif
