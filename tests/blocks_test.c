/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "edo.h"
#include "internal/blocks.h"
#include "internal/census.h"
#include "support/runtimes.h"

enum { LARGEST = 1000, MANY = 10000 };

static int64_t blocks(void)
{
    return edo_census_now().live[EDO_CENSUS_BLOCKS];
}

/* This thread keeps its blocks there until `forget`. */
static void keep_in(struct edo_blocks *kept)
{
    *kept = (struct edo_blocks){.last = {NULL}};
    edo_thread.blocks = kept;
}

static void forget(void)
{
    edo_blocks_clear(edo_thread.blocks);
    edo_thread.blocks = NULL;
}

Test(blocks, one_is_as_large_as_was_asked_for_also_the_second_time)
{
    struct edo_blocks kept;
    keep_in(&kept);
    int64_t before = blocks();
    for (int round = 0; round < 3; round++) {
        for (size_t bytes = 1; bytes < LARGEST; bytes++) {
            cr_assert_lt(edo_block_size(bytes), EDO_BLOCK_SIZES);
            void *block = edo_block_new(bytes);
            memset(block, round, bytes);
            edo_block_free(block, bytes);
        }
    }
    /* What is kept counts as given back. */
    cr_assert_eq(blocks(), before);
    forget();
    cr_assert_eq(blocks(), before);
}

Test(blocks, what_was_given_last_is_taken_first)
{
    struct edo_blocks kept;
    keep_in(&kept);
    void *first = edo_block_new(100), *second = edo_block_new(100);
    edo_block_free(first, 100);
    edo_block_free(second, 100);
    void *third = edo_block_new(100);
    cr_assert(EDO_BLOCKS_BYTES == 0 || third == second);
    edo_block_free(third, 100);
    edo_block_free(NULL, 100);
    forget();
}

Test(blocks, no_more_is_kept_of_a_size_than_its_share)
{
    static void *taken[MANY];
    struct edo_blocks kept;
    keep_in(&kept);
    for (size_t bytes = 20; bytes < LARGEST; bytes += 100) {
        for (int i = 0; i < MANY; i++)
            taken[i] = edo_block_new(bytes);
        for (int i = 0; i < MANY; i++)
            edo_block_free(taken[i], bytes);
        uint32_t size = edo_block_size(bytes), count = kept.last[size] != NULL;
        for (struct edo_kept_block *block = kept.others[size]; block != NULL; block = block->next)
            count++;
        cr_assert_leq(count * bytes, EDO_BLOCKS_BYTES);
        cr_assert(size == 0 || EDO_BLOCKS_BYTES == 0 || count > 0);
        /* Some are taken: as many can be kept again. */
        for (uint32_t i = 0; i < count / 2; i++)
            taken[i] = edo_block_new(bytes);
        for (uint32_t i = 0; i < count / 2; i++)
            edo_block_free(taken[i], bytes);
        cr_assert(count < 2 || (kept.last[size] != NULL && kept.others[size]->depth == count - 1));
    }
    forget();
}

Test(blocks, using_one_again_fails_where_an_allocation_would)
{
    struct edo_blocks kept;
    keep_in(&kept);
    edo_block_free(edo_block_new(100), 100);
    int64_t before = blocks();
    edo_alloc_fail(1, false);
    cr_assert_null(edo_block_new(100));
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_eq(blocks(), before);
    void *block = edo_block_new(100);
    cr_assert_not_null(block);
    edo_block_free(block, 100);
    forget();
}

Test(blocks, a_thread_that_runs_no_tasks_asks_the_allocator)
{
    int64_t before = blocks();
    cr_assert_null(edo_thread.blocks);
    void *block = edo_block_new(100);
    cr_assert_eq(blocks(), before + 1);
    edo_block_free(block, 100);
    cr_assert_eq(blocks(), before);
}

/* Whether a task is given the block again that it gave back. */
struct gives_back {
    FUTURE(bool);
};

ASYNC(gives_back)
{
    ASYNC_BEGIN;
    void *block = edo_block_new(100);
    uintptr_t was = (uintptr_t)block;
    edo_block_free(block, 100);
    block = edo_block_new(100);
    self->output = (uintptr_t)block == was;
    edo_block_free(block, 100);
    RETURN(self->output);
    ASYNC_END;
}

Test(blocks, tasks_of_any_runtime_use_them_again)
{
    int64_t before = blocks();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    for (int i = 0; i < 2; i++) {
        bool again = false;
        struct edo_join join =
            edo_join(SPAWN_ON(edo_runtime_handle(runtime), NEW(gives_back)), &again);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_eq(join.output, 0);
        cr_assert(again || EDO_BLOCKS_BYTES == 0);
        /* This thread runs tasks no more. */
        cr_assert_null(edo_thread.blocks);
    }
    edo_runtime_drop(runtime);
    cr_assert_eq(blocks(), before);
}

static void looks(void *seen)
{
    *(struct edo_blocks **)seen = edo_thread.blocks;
}

/* Who gives the worker away gives its blocks away with it. */
struct goes_in_place {
    FUTURE(int);
};

ASYNC(goes_in_place)
{
    ASYNC_BEGIN;
    struct edo_blocks *kept = edo_thread.blocks, *seen = kept;
    cr_assert_not_null(kept);
    self->output = edo_block_in_place(looks, &seen);
    cr_assert_null(seen);
    cr_assert_eq(edo_thread.blocks, edo_thread.worker != NULL ? kept : NULL);
    RETURN(self->output);
    ASYNC_END;
}

Test(blocks, they_go_with_the_worker_that_is_handed_on)
{
    int64_t before = blocks();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 2), 0);
    for (int i = 0; i < 100; i++) {
        int error = UV_EIO;
        struct edo_join join =
            edo_join(SPAWN_ON(edo_runtime_handle(runtime), NEW(goes_in_place)), &error);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_eq(join.output, 0);
        cr_assert_eq(error, 0);
    }
    edo_runtime_drop(runtime);
    cr_assert_eq(blocks(), before);
}
