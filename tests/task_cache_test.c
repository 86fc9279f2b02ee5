/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "internal/census.h"
#include "runtime/task_cache.h"

enum { HEADER = 64, LARGEST = 1000, MANY = 10000 };

static int64_t blocks(void)
{
    return edo_census_now().live[EDO_CENSUS_BLOCKS];
}

Test(task_cache, a_block_is_as_large_as_was_asked_for_also_the_second_time)
{
    struct edo_task_cache cache = {.count = {0}};
    int64_t before = blocks();
    for (int round = 0; round < 3; round++) {
        for (size_t bytes = HEADER + 16; bytes < LARGEST; bytes++) {
            uint32_t size = edo_cache_size(bytes);
            cr_assert_lt(size, EDO_CACHE_SIZES);
            void *block = edo_cache_take(&cache, size, bytes);
            memset(block, round, bytes);
            edo_cache_give(&cache, size, block);
        }
    }
    /* What is kept counts as given back. */
    cr_assert_eq(blocks(), before);
    edo_cache_clear(&cache);
    cr_assert_eq(blocks(), before);
}

Test(task_cache, what_was_given_last_is_taken_first)
{
    struct edo_task_cache cache = {.count = {0}};
    uint32_t size = edo_cache_size(HEADER + 32);
    void *first = edo_cache_take(&cache, size, HEADER + 32);
    void *second = edo_cache_take(&cache, size, HEADER + 32);
    edo_cache_give(&cache, size, first);
    edo_cache_give(&cache, size, second);
    void *third = edo_cache_take(&cache, size, HEADER + 32);
    cr_assert(EDO_CACHE_BYTES == 0 || third == second);
    edo_cache_give(&cache, size, third);
    edo_cache_clear(&cache);
}

Test(task_cache, no_more_is_kept_of_a_size_than_its_share)
{
    static void *taken[MANY];
    struct edo_task_cache cache = {.count = {0}};
    for (size_t bytes = HEADER + 16; bytes < LARGEST; bytes += 100) {
        uint32_t size = edo_cache_size(bytes);
        for (int i = 0; i < MANY; i++)
            taken[i] = edo_cache_take(&cache, size, bytes);
        for (int i = 0; i < MANY; i++)
            edo_cache_give(&cache, size, taken[i]);
        cr_assert_leq(cache.count[size] * bytes, EDO_CACHE_BYTES);
        cr_assert(size == 0 || EDO_CACHE_BYTES == 0 || cache.count[size] > 0);
    }
    edo_cache_clear(&cache);
}

Test(task_cache, using_a_block_again_fails_where_an_allocation_would)
{
    struct edo_task_cache cache = {.count = {0}};
    uint32_t size = edo_cache_size(HEADER + 32);
    edo_cache_give(&cache, size, edo_cache_take(&cache, size, HEADER + 32));
    int64_t before = blocks();
    edo_alloc_fail(1, false);
    cr_assert_null(edo_cache_take(&cache, size, HEADER + 32));
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_eq(blocks(), before);
    void *block = edo_cache_take(&cache, size, HEADER + 32);
    cr_assert_not_null(block);
    edo_cache_give(&cache, size, block);
    edo_cache_clear(&cache);
}

Test(task_cache, without_one_the_allocator_is_asked)
{
    uint32_t size = edo_cache_size(HEADER + 32);
    int64_t before = blocks();
    void *block = edo_cache_take(NULL, size, HEADER + 32);
    cr_assert_eq(blocks(), before + 1);
    edo_cache_give(NULL, size, block);
    cr_assert_eq(blocks(), before);
}
