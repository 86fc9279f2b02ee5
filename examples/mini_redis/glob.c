/* SPDX-License-Identifier: MIT */
/* A pattern is a row of items, each of which accepts one byte, with stars between them. Bit i of a
 * set says: the text so far is matched by the first i items. A byte moves bit i to i + 1 where item
 * i accepts it; and where a star stands before item i, the bit stays as well. */
#include "glob.h"

#include <stdint.h>
#include <string.h>

#include "internal/sys.h"

enum { WORD = 64, WORDS_MAX = GLOB_MAX / WORD + 1, BYTES = 256 };

struct glob {
    size_t words; /* of a set */
    size_t items;
    uint64_t bits[]; /* a set of the stars; for each byte, a set of the items that accept it */
};

static void add(uint64_t *set, size_t bit)
{
    set[bit / WORD] |= (uint64_t)1 << bit % WORD;
}

static bool has(const uint64_t *set, size_t bit)
{
    return set[bit / WORD] >> bit % WORD & 1;
}

static void accept(struct glob *glob, unsigned char byte)
{
    add(glob->bits + (1 + (size_t)byte) * glob->words, glob->items);
}

/* The class whose '[' ends before `at`; where the pattern goes on. */
static size_t add_class(struct glob *glob, const char *pattern, size_t length, size_t at)
{
    bool accepted[BYTES] = {false};
    bool complement = at < length && pattern[at] == '^';
    at += complement;
    for (; at < length && pattern[at] != ']'; at++) {
        unsigned char from = (unsigned char)pattern[at], to = from;
        if (from == '\\' && length - at >= 2) {
            from = to = (unsigned char)pattern[++at];
        } else if (length - at >= 3 && pattern[at + 1] == '-') {
            to = (unsigned char)pattern[at += 2];
            if (to < from) {
                to = from;
                from = (unsigned char)pattern[at];
            }
        }
        memset(accepted + from, true, (size_t)(to - from) + 1);
    }
    for (int byte = 0; byte < BYTES; byte++)
        if (accepted[byte] != complement)
            accept(glob, (unsigned char)byte);
    return at + (at < length);
}

struct glob *glob_new(const char *pattern, size_t length)
{
    edo_assert(length <= GLOB_MAX);
    size_t words = length / WORD + 1;
    struct glob *glob = edo_calloc(1, sizeof *glob + (1 + BYTES) * words * sizeof *glob->bits);
    if (glob == NULL)
        return NULL;
    glob->words = words;
    for (size_t at = 0; at < length;) {
        char c = pattern[at++];
        if (c == '*') {
            add(glob->bits, glob->items);
            continue;
        }
        if (c == '[') {
            at = add_class(glob, pattern, length, at);
        } else if (c == '?') {
            for (int byte = 0; byte < BYTES; byte++)
                accept(glob, (unsigned char)byte);
        } else {
            if (c == '\\' && at < length)
                c = pattern[at++];
            accept(glob, (unsigned char)c);
        }
        glob->items++;
    }
    return glob;
}

void glob_free(struct glob *glob)
{
    edo_free(glob);
}

size_t glob_size(const struct glob *glob)
{
    return sizeof *glob + (1 + BYTES) * glob->words * sizeof *glob->bits;
}

bool glob_match(const struct glob *glob, const char *text, size_t length)
{
    const uint64_t *stars = glob->bits;
    uint64_t set[WORDS_MAX] = {1};
    if (length == 0)
        return glob->items == 0 && !has(stars, 0);
    for (size_t at = 0; at < length; at++) {
        const uint64_t *accepting =
            glob->bits + (1 + (size_t)(unsigned char)text[at]) * glob->words;
        uint64_t carry = 0, any = 0;
        for (size_t i = 0; i < glob->words; i++) {
            uint64_t moved = set[i] & accepting[i];
            set[i] = moved << 1 | carry | (set[i] & stars[i]);
            carry = moved >> (WORD - 1);
            any |= set[i];
        }
        if (any == 0)
            return false;
    }
    return has(set, glob->items);
}
