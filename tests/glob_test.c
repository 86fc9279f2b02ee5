/* SPDX-License-Identifier: MIT */
/* Patterns match what Redis' do. */
#include <criterion/criterion.h>
#include <string.h>

#include "examples/mini_redis/glob.h"
#include "internal/census.h"
#include "internal/sys.h"

static bool match(const char *pattern, const char *text)
{
    struct glob *glob = glob_new(pattern, strlen(pattern));
    cr_assert_not_null(glob);
    bool matches = glob_match(glob, text, strlen(text));
    glob_free(glob);
    return matches;
}

/* Each of these was asked of redis-server 7.0.15. */
Test(glob, matches_as_redis_does)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"*", "", false}, /* of an empty text, Redis does not look at the pattern */
        {"*", "a", true},
        {"a*", "a", true},
        {"a**", "a", true},
        {"*a", "ba", true},
        {"*a", "ab", false},
        {"a*c", "abbc", true},
        {"a*c", "acb", false},
        {"*a*b*", "xxaxxbxx", true},
        {"*ab*ab", "abab", true},
        {"*ab*ab", "abxaab", true},
        {"*ab*ab", "ab", false},
        {"?", "a", true},
        {"?", "ab", false},
        {"??", "ab", true},
        {"*?", "a", true},
        {"news.*", "news.", true},
        {"news.*", "news", false},
        {"[abc]", "b", true},
        {"[abc]", "d", false},
        {"[a-c]", "b", true},
        {"[c-a]", "b", true},
        {"[^a-c]", "b", false},
        {"[^a-c]", "d", true},
        {"[a\\]b]", "]", true},
        {"[\\a-c]", "b", false}, /* an escaped byte begins no range */
        {"[\\a-c]", "-", true},
        {"[]", "a", false},
        {"[^]", "a", true},
        {"[]a]", "a]", false},
        {"[abc", "b", true}, /* ends with the pattern */
        {"[a-", "-", true},
        {"[a-]", "]", true}, /* a range up to the ']' */
        {"[a-]", "-", false},
        {"[", "[", false},
        {"[^", "a", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"\\", "\\", true},
        {"a\\", "a\\", true},
        {"[\\", "\\", true},
        {"a-c", "b", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_eq(match(cases[i].pattern, cases[i].text), cases[i].matches, "%s on %s",
                     cases[i].pattern, cases[i].text);
}

Test(glob, every_byte_is_one)
{
    char pattern[] = "x[^x]?", text[] = "x..";
    struct glob *any = glob_new(pattern, 6), *zero = glob_new("\0*", 2);
    for (int byte = 0; byte < 256; byte++) {
        text[1] = text[2] = (char)byte;
        cr_assert_eq(glob_match(any, text, 3), byte != 'x');
        cr_assert_eq(glob_match(zero, text + 1, 2), byte == 0);
    }
    glob_free(any);
    glob_free(zero);
}

/* What a pattern means, by trying everything. Items that are classes are left to the tables. */
static bool tried(const char *pattern, size_t length, const char *text, size_t size)
{
    if (length == 0)
        return size == 0;
    if (*pattern == '*')
        return tried(pattern + 1, length - 1, text, size) ||
               (size > 0 && tried(pattern, length, text + 1, size - 1));
    return size > 0 && (*pattern == '?' || *pattern == *text) &&
           tried(pattern + 1, length - 1, text + 1, size - 1);
}

static uint64_t drawn(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* Behind a run of letters that both begin with, so that the words of a set are crossed. */
Test(glob, matches_what_trying_everything_finds)
{
    uint64_t state = 0x9e3779b97f4a7c15u;
    int matched = 0;
    for (int i = 0; i < 30000; i++) {
        char pattern[GLOB_MAX], text[GLOB_MAX + 8];
        size_t run = (size_t)i % (GLOB_MAX - 8), length = drawn(&state) % 8,
               size = drawn(&state) % 9;
        memset(pattern, 'a', run);
        memset(text, 'a', run);
        for (size_t at = 0; at < length; at++)
            pattern[run + at] = "aab?**"[drawn(&state) % 6];
        for (size_t at = 0; at < size; at++)
            text[run + at] = "aab"[drawn(&state) % 3];
        struct glob *glob = glob_new(pattern, run + length);
        cr_assert_not_null(glob);
        bool expected =
            run + size > 0 ? tried(pattern + run, length, text + run, size) : length == 0;
        cr_assert_eq(glob_match(glob, text, run + size), expected, "%.*s on %.*s",
                     (int)(run + length), pattern, (int)(run + size), text);
        matched += expected;
        glob_free(glob);
    }
    cr_assert_gt(matched, 3000);
}

/* The worst that a matcher which tries and takes back could be asked: 2^100 ways. */
Test(glob, no_pattern_makes_it_slow)
{
    char pattern[GLOB_MAX], text[GLOB_MAX];
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    memset(text, 'a', sizeof text);
    struct glob *glob = glob_new(pattern, sizeof pattern);
    cr_assert(glob_match(glob, text, sizeof text));
    text[sizeof text - 1] = 'b';
    cr_assert(glob_match(glob, text, sizeof text));
    pattern[sizeof pattern - 1] = 'c';
    glob_free(glob);
    glob = glob_new(pattern, sizeof pattern);
    for (int i = 0; i < 1000; i++)
        cr_assert_not(glob_match(glob, text, sizeof text));
    glob_free(glob);
}

Test(glob, without_memory_there_is_none)
{
    struct edo_census before = edo_census_now();
    edo_alloc_fail(1, false);
    cr_assert_null(glob_new("a*", 2));
    cr_assert(edo_alloc_fail(0, false));
    struct glob *glob = glob_new("a*", 2);
    cr_assert_geq(edo_census_now().live[EDO_CENSUS_BYTES] - before.live[EDO_CENSUS_BYTES],
                  (int64_t)glob_size(glob));
    glob_free(glob);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_BYTES], before.live[EDO_CENSUS_BYTES]);
}
