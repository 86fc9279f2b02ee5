/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "internal/census.h"
#include "runtime/task_cache.h"

enum { HEADER = EDO_SLAB_HEADER, LARGEST = 1000, MANY = 10000, WORD_SHIFT = 4 };

static int64_t blocks(void)
{
    return edo_census_now().live[EDO_CENSUS_BLOCKS];
}

static struct edo_slabs slabs;
static struct edo_task_cache cache;

static void *take(size_t bytes)
{
    return edo_cache_take(&cache, &slabs, edo_cache_size(&cache, &slabs, bytes), bytes);
}

static void give(size_t bytes, void *block)
{
    edo_cache_give(&cache, &slabs, edo_cache_size(&cache, &slabs, bytes), block);
}

static void begin(void)
{
    edo_slabs_init(&slabs, WORD_SHIFT);
}

static void end(void)
{
    edo_cache_clear(&cache, &slabs);
    edo_slabs_destroy(&slabs);
}

TestSuite(task_cache, .init = begin, .fini = end);

Test(task_cache, a_block_is_as_large_as_was_asked_for_also_the_second_time)
{
    int64_t before = blocks();
    for (int round = 0; round < 3; round++) {
        for (size_t bytes = HEADER + 16; bytes < LARGEST; bytes++) {
            void *block = take(bytes);
            memset(block, round, bytes);
            give(bytes, block);
        }
    }
    /* What is kept counts as given back. */
    cr_assert_eq(blocks(), before);
}

Test(task_cache, what_was_given_last_is_taken_first)
{
    void *first = take(HEADER + 32), *second = take(HEADER + 32);
    give(HEADER + 32, first);
    give(HEADER + 32, second);
    void *third = take(HEADER + 32);
    cr_assert(EDO_CACHE_BYTES == 0 || third == second);
    give(HEADER + 32, third);
}

Test(task_cache, no_more_is_kept_of_a_size_than_its_share)
{
    static void *taken[MANY];
    for (size_t bytes = HEADER + 16; bytes < LARGEST; bytes += 100) {
        uint32_t size = edo_cache_size(&cache, &slabs, bytes);
        for (int i = 0; i < MANY; i++)
            taken[i] = take(bytes);
        for (int i = 0; i < MANY; i++) {
            give(bytes, taken[i]);
            cr_assert_leq(cache.count[size] * bytes, EDO_CACHE_BYTES);
        }
        cr_assert(size == 0 || EDO_CACHE_BYTES == 0 || cache.count[size] > 0);
    }
}

Test(task_cache, using_a_block_again_fails_where_an_allocation_would)
{
    give(HEADER + 32, take(HEADER + 32));
    int64_t before = blocks();
    edo_alloc_fail(1, false);
    cr_assert_null(take(HEADER + 32));
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_eq(blocks(), before);
    void *block = take(HEADER + 32);
    cr_assert_not_null(block);
    give(HEADER + 32, block);
}

/* The slabs have no memory either. */
Test(task_cache, so_does_filling_it)
{
    int64_t before = blocks();
    edo_pages_fail(1, false);
    void *block = take(HEADER + 32);
    cr_assert_eq(edo_pages_fail(0, false), EDO_CACHE_BYTES > 0);
    cr_assert_eq(block == NULL, EDO_CACHE_BYTES > 0);
    if (block != NULL)
        give(HEADER + 32, block);
    cr_assert_eq(blocks(), before);
}

Test(task_cache, without_one_the_allocator_is_asked)
{
    int64_t before = blocks();
    uint32_t size = edo_cache_size(NULL, &slabs, HEADER + 32);
    cr_assert_eq(size, 0);
    void *block = edo_cache_take(NULL, &slabs, size, HEADER + 32);
    cr_assert_eq(blocks(), before + 1);
    edo_cache_give(NULL, &slabs, size, block);
    cr_assert_eq(blocks(), before);
}

/* A task that ends on a thread that runs none of its runtime's. */
Test(task_cache, what_one_took_is_given_back_without_one)
{
    int64_t before = blocks();
    uint32_t size = edo_cache_size(&cache, &slabs, HEADER + 32);
    void *block = take(HEADER + 32);
    edo_cache_give(NULL, &slabs, size, block);
    cr_assert_eq(blocks(), before);
}
