/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "runtime/slab.h"

enum { LINE_SHIFT = 6, WORD_SHIFT = 4, MANY = 100000 };

static size_t length(void *first)
{
    size_t n = 0;
    for (; first != NULL; first = *(void **)first)
        n++;
    return n;
}

Test(slab, a_block_is_a_header_and_whole_steps)
{
    static const uint32_t shifts[] = {WORD_SHIFT, LINE_SHIFT};
    for (int i = 0; i < 2; i++) {
        struct edo_slabs slabs;
        edo_slabs_init(&slabs, shifts[i]);
        for (size_t bytes = EDO_SLAB_HEADER + 16; bytes < 4096; bytes++) {
            uint32_t size = edo_slab_size(&slabs, bytes);
            size_t largest = EDO_SLAB_HEADER + ((EDO_SLAB_SIZES - (size_t)1) << shifts[i]);
            cr_assert_eq(size == 0, bytes > largest);
            if (size == 0)
                continue;
            uint32_t has = edo_slab_bytes(&slabs, size);
            cr_assert(has >= bytes && has < bytes + (1u << shifts[i]));
        }
        edo_slabs_destroy(&slabs);
    }
}

/* Each is written whole: none is in another, or in a slab's own place. */
Test(slab, blocks_do_not_overlap_and_no_two_of_them_share_a_line)
{
    struct edo_slabs slabs;
    edo_slabs_init(&slabs, LINE_SHIFT);
    static char *blocks[EDO_SLAB_SIZES][1000];
    for (uint32_t size = 1; size < EDO_SLAB_SIZES; size++) {
        char *block = edo_slabs_take(&slabs, size, 1000), *next;
        for (int i = 0; i < 1000; i++, block = next) {
            cr_assert_not_null(block);
            next = *(void **)block;
            blocks[size][i] = block;
            cr_assert_eq((uintptr_t)block % 64, 0);
            memset(block, (int)(size + (uint32_t)i), edo_slab_bytes(&slabs, size));
        }
        cr_assert_null(block);
    }
    for (uint32_t size = 1; size < EDO_SLAB_SIZES; size++)
        for (int i = 0; i < 1000; i++) {
            char *block = blocks[size][i];
            for (uint32_t at = 0; at < edo_slab_bytes(&slabs, size); at++)
                cr_assert_eq(block[at], (char)(size + (uint32_t)i));
            *(void **)block = NULL;
            edo_slabs_give(&slabs, block);
        }
    edo_slabs_destroy(&slabs);
}

Test(slab, what_was_given_back_is_taken_before_new_memory)
{
    struct edo_slabs slabs;
    edo_slabs_init(&slabs, WORD_SHIFT);
    void *kept = edo_slabs_take(&slabs, 3, 1);
    for (int i = 0; i < MANY; i++)
        edo_slabs_give(&slabs, edo_slabs_take(&slabs, 3, 10));
    cr_assert_eq(slabs.used, 1);
    cr_assert_eq(slabs.spare, 0);
    edo_slabs_give(&slabs, kept);
    edo_slabs_destroy(&slabs);
}

Test(slab, a_slab_that_is_empty_serves_any_size)
{
    struct edo_slabs slabs;
    edo_slabs_init(&slabs, WORD_SHIFT);
    for (uint32_t size = 1; size < EDO_SLAB_SIZES; size++) {
        void *first = edo_slabs_take(&slabs, size, 5);
        cr_assert_eq(length(first), 5);
        cr_assert_eq(slabs.used, 1);
        edo_slabs_give(&slabs, first);
        cr_assert_eq(slabs.used, 0);
        cr_assert_eq(slabs.spare, 1);
    }
    edo_slabs_destroy(&slabs);
}

/* More than 2 MiB, where they are mapped by 32; one of these may be half in use. */
Test(slab, what_is_not_used_goes_back_to_the_system_but_for_a_reserve)
{
    struct edo_slabs slabs;
    edo_slabs_init(&slabs, LINE_SHIFT);
    void *first = edo_slabs_take(&slabs, 1, MANY), *second = edo_slabs_take(&slabs, 1, MANY);
    cr_assert_eq(length(first), MANY);
    uint32_t all = slabs.used;
    cr_assert_geq((size_t)all * EDO_SLAB_BYTES, 2 * MANY * (size_t)edo_slab_bytes(&slabs, 1));
    cr_assert_leq(slabs.spare, 32);
    edo_slabs_give(&slabs, second);
    cr_assert_leq(slabs.used, all / 2 + 1);
    cr_assert_leq(slabs.spare, 16 + slabs.used / 4 + 32);
    edo_slabs_give(&slabs, first);
    cr_assert_eq(slabs.used, 0);
    cr_assert_leq(slabs.spare, 16);
    edo_slabs_destroy(&slabs);
}

static void give(struct edo_slabs *slabs, void *block)
{
    *(void **)block = NULL;
    edo_slabs_give(slabs, block);
}

/* Gives back what a batch holds, and takes as much; whether that has taken memory from the system. Then that was
 * refused, and the batch is shorter. */
static bool swings(struct edo_slabs *slabs, void **batches, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        edo_slabs_give(slabs, batches[i]);
    edo_pages_fail(1, true);
    for (uint32_t i = 0; i < count; i++)
        batches[i] = edo_slabs_take(slabs, EDO_SLAB_SIZES - 1, 32);
    return edo_pages_fail(0, false);
}

/* So many batches less and more again: what they need is there, the second time at the latest, on the way up and on the
 * way down. A batch is a slab or two. */
Test(slab, at_no_number_does_memory_come_and_go)
{
    enum { BATCHES = 300 };
    static const uint32_t counts[] = {1, 4, 12};
    static void *batches[BATCHES];
    for (int c = 0; c < 3; c++) {
        struct edo_slabs slabs;
        edo_slabs_init(&slabs, LINE_SHIFT);
        uint32_t count = counts[c], n = 0;
        for (bool up = true; up || n > 0; up = up && n < BATCHES) {
            if (up)
                batches[n++] = edo_slabs_take(&slabs, EDO_SLAB_SIZES - 1, 32);
            else
                edo_slabs_give(&slabs, batches[--n]);
            if (n < count)
                continue;
            void **last = &batches[n - count];
            for (uint32_t i = 0; i < count; i++)
                edo_slabs_give(&slabs, last[i]);
            for (uint32_t i = 0; i < count; i++)
                last[i] = edo_slabs_take(&slabs, EDO_SLAB_SIZES - 1, 32);
            bool mapped = swings(&slabs, last, count);
            cr_assert(!mapped, "%u batches, up to %u slabs", count, slabs.used);
        }
        cr_assert_eq(slabs.used, 0);
        edo_slabs_destroy(&slabs);
    }
}

static uint32_t list_length(const struct edo_list *head)
{
    uint32_t n = 0;
    for (const struct edo_list *node = head->next; node != head; node = node->next)
        n++;
    return n;
}

/* gcc 12 once had the head of a list given back as a slab here, at -O2: it looked only once whether the list was empty
 * (LOOPS_gcc in the Makefile). Zeros behind the head, as in a runtime, are a slab that may go. */
Test(slab, what_is_in_the_reserve_is_counted_while_much_goes_back)
{
    enum { BATCHES = MANY / 32, HUGE_SLABS = 32 };
    static void *batches[BATCHES];
    static struct {
        struct edo_slabs slabs;
        char zeros[64];
    } memory;
    struct edo_slabs *slabs = &memory.slabs;
    edo_slabs_init(slabs, LINE_SHIFT);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < BATCHES; i++)
            batches[i] = edo_slabs_take(slabs, 3, 32);
        for (int i = 0; i < BATCHES; i++) {
            edo_slabs_give(slabs, batches[i]);
            cr_assert_eq(slabs->spare, list_length(&slabs->alone) + list_length(&slabs->parts) +
                                           HUGE_SLABS * list_length(&slabs->whole));
        }
        cr_assert_eq(slabs->used, 0);
    }
    edo_slabs_destroy(slabs);
}

/* One block keeps it. */
Test(slab, a_huge_page_goes_back_whole)
{
    struct edo_slabs slabs;
    edo_slabs_init(&slabs, LINE_SHIFT);
    void *kept = NULL, *first = edo_slabs_take(&slabs, 1, MANY);
    for (void *block = first, *next; block != NULL; block = next) {
        next = *(void **)block;
        if (next == NULL)
            kept = block;
        else
            give(&slabs, block);
    }
    cr_assert_eq(slabs.used, 1);
    cr_assert_geq(slabs.spare, 31);
    cr_assert_leq(slabs.spare, 31 + 16);
    give(&slabs, kept);
    cr_assert_eq(slabs.used, 0);
    cr_assert_leq(slabs.spare, 16);
    edo_slabs_destroy(&slabs);
}

/* A block in each keeps one slab of it, not all 32. */
Test(slab, many_that_are_hardly_used_go_back_in_parts)
{
    enum { HUGE = 2 << 20, KEPT = 100 };
    struct edo_slabs slabs;
    edo_slabs_init(&slabs, LINE_SHIFT);
    uintptr_t huge = 0;
    char *kept[KEPT], *first = edo_slabs_take(&slabs, 1, MANY), *next;
    uint32_t all = slabs.used, n = 0;
    for (char *block = first; block != NULL; block = next) {
        next = *(void **)block;
        if (((uintptr_t)block & ~(uintptr_t)(HUGE - 1)) == huge || n == KEPT) {
            give(&slabs, block);
        } else {
            huge = (uintptr_t)block & ~(uintptr_t)(HUGE - 1);
            kept[n++] = block;
        }
    }
    cr_assert(n >= 5 && n < KEPT);
    cr_assert_eq(slabs.used, n);
    cr_assert_leq(slabs.spare, 16 + slabs.used / 4 + 64);
    /* What is left of them is taken again, and goes back as the rest does. */
    first = edo_slabs_take(&slabs, 2, MANY);
    for (char *block = first; block != NULL; block = *(void **)block)
        memset(block + sizeof(void *), 1, edo_slab_bytes(&slabs, 2) - sizeof(void *));
    cr_assert_geq(slabs.used, all);
    edo_slabs_give(&slabs, first);
    while (n > 0)
        give(&slabs, kept[--n]);
    cr_assert_eq(slabs.used, 0);
    cr_assert_leq(slabs.spare, 16);
    edo_slabs_destroy(&slabs);
}

Test(slab, where_no_huge_page_is_there_a_slab_does)
{
    struct edo_slabs slabs;
    edo_slabs_init(&slabs, LINE_SHIFT);
    void *first = edo_slabs_take(&slabs, 1, MANY), *more = NULL;
    /* All of what is mapped is in use, and the next mapping fails. */
    while (slabs.spare > 0) {
        void *one = edo_slabs_take(&slabs, 1, 1);
        *(void **)one = more;
        more = one;
    }
    uint32_t used = slabs.used;
    edo_pages_fail(1, false);
    void *next = edo_slabs_take(&slabs, 2, 1);
    bool failed = edo_pages_fail(0, false);
    cr_assert(failed);
    cr_assert_not_null(next);
    cr_assert_eq(slabs.used, used + 1);
    cr_assert_eq(slabs.spare, 0);
    edo_slabs_give(&slabs, next);
    edo_slabs_give(&slabs, more);
    edo_slabs_give(&slabs, first);
    cr_assert_eq(slabs.used, 0);
    edo_slabs_destroy(&slabs);
}

Test(slab, without_memory_there_is_what_there_is)
{
    struct edo_slabs slabs;
    edo_slabs_init(&slabs, WORD_SHIFT);
    edo_pages_fail(1, true);
    void *none = edo_slabs_take(&slabs, 1, 1);
    bool failed = edo_pages_fail(0, false);
    cr_assert(none == NULL);
    void *one = edo_slabs_take(&slabs, 1, 1);
    cr_assert_not_null(one);
    edo_pages_fail(1, true);
    void *rest = edo_slabs_take(&slabs, 1, MANY);
    failed = edo_pages_fail(0, false) && failed;
    cr_assert(failed);
    cr_assert_eq(length(rest) + 1, (EDO_SLAB_BYTES - EDO_SLAB_HEADER) / edo_slab_bytes(&slabs, 1));
    edo_slabs_give(&slabs, rest);
    edo_slabs_give(&slabs, one);
    edo_slabs_destroy(&slabs);
}

enum { THREADS = 4, ROUNDS = 5000 };

/* What one thread takes another gives back: each leaves its blocks where the next finds them. */
struct meeting {
    struct edo_slabs slabs;
    struct edo_lock lock;
    void *left;
    bool torn;
};

static void *takes_and_gives(void *arg)
{
    struct meeting *meeting = arg;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t size = 1 + i % (EDO_SLAB_SIZES - 1), count = 1 + i % 40;
        void *first = edo_slabs_take(&meeting->slabs, size, count);
        bool torn = length(first) != count;
        for (char *block = first; block != NULL; block = *(void **)block)
            memset(block + sizeof(void *), (int)size,
                   edo_slab_bytes(&meeting->slabs, size) - sizeof(void *));
        edo_lock(&meeting->lock);
        void *found = meeting->left;
        meeting->left = first;
        meeting->torn |= torn;
        edo_unlock(&meeting->lock);
        edo_slabs_give(&meeting->slabs, found);
    }
    return NULL;
}

Test(slab, threads_take_and_give_each_others_blocks)
{
    struct meeting meeting = {.left = NULL};
    edo_slabs_init(&meeting.slabs, LINE_SHIFT);
    edo_lock_init(&meeting.lock);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, takes_and_gives, &meeting), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert(!meeting.torn);
    edo_slabs_give(&meeting.slabs, meeting.left);
    edo_slabs_destroy(&meeting.slabs);
    edo_lock_destroy(&meeting.lock);
}
