/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "internal/census.h"
#include "internal/sys.h"
#include "io/bytes.h"

Test(bytes, an_empty_buffer_allocates_nothing)
{
    struct edo_census before = edo_census_now();
    struct edo_bytes bytes;
    edo_bytes_init(&bytes, 0);
    cr_assert_eq(edo_bytes_length(&bytes), 0);
    cr_assert_eq(edo_bytes_spare_size(&bytes), 0);
    cr_assert_eq(edo_bytes_append(&bytes, NULL, 0), 0);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_BLOCKS], before.live[EDO_CENSUS_BLOCKS]);
    edo_bytes_free(&bytes);
}

Test(bytes, what_goes_in_comes_out_in_order)
{
    struct edo_bytes bytes;
    edo_bytes_init(&bytes, 0);
    uint32_t in = 0, out = 0, seed = 7;
    for (int round = 0; round < 20000; round++) {
        seed = seed * 1103515245u + 12345u;
        for (uint32_t n = seed >> 16 & 31; n > 0; n--, in++)
            cr_assert_eq(edo_bytes_append(&bytes, &in, sizeof in), 0);
        for (uint32_t n = seed >> 24 & 31; n > 0 && out < in; n--, out++) {
            uint32_t value;
            memcpy(&value, edo_bytes_data(&bytes), sizeof value);
            cr_assert_eq(value, out);
            edo_bytes_consume(&bytes, sizeof value);
        }
        cr_assert_eq(edo_bytes_length(&bytes), (in - out) * sizeof in);
    }
    edo_bytes_free(&bytes);
}

Test(bytes, the_spare_room_is_written_by_the_caller)
{
    struct edo_bytes bytes;
    edo_bytes_init(&bytes, 0);
    cr_assert_eq(edo_bytes_reserve(&bytes, 100), 0);
    cr_assert_geq(edo_bytes_spare_size(&bytes), 100);
    memcpy(edo_bytes_spare(&bytes), "hello", 5);
    edo_bytes_advance(&bytes, 5);
    cr_assert_eq(edo_bytes_length(&bytes), 5);
    cr_assert_eq(memcmp(edo_bytes_data(&bytes), "hello", 5), 0);
    edo_bytes_free(&bytes);
}

Test(bytes, the_limit_holds_and_nothing_is_lost_at_it)
{
    struct edo_bytes bytes;
    edo_bytes_init(&bytes, 10);
    cr_assert_eq(edo_bytes_append(&bytes, "0123456", 7), 0);
    cr_assert_eq(edo_bytes_append(&bytes, "789a", 4), UV_ENOBUFS);
    cr_assert_eq(edo_bytes_length(&bytes), 7);
    cr_assert_eq(edo_bytes_append(&bytes, "789", 3), 0);
    cr_assert_eq(edo_bytes_spare_size(&bytes), 0, "the block may be larger, the room is not");
    cr_assert_eq(memcmp(edo_bytes_data(&bytes), "0123456789", 10), 0);
    edo_bytes_consume(&bytes, 4);
    cr_assert_eq(edo_bytes_append(&bytes, "abcd", 4), 0);
    cr_assert_eq(memcmp(edo_bytes_data(&bytes), "456789abcd", 10), 0);
    cr_assert_eq(edo_bytes_reserve(&bytes, SIZE_MAX), UV_ENOMEM);
    edo_bytes_free(&bytes);
}

Test(bytes, a_stream_through_it_reuses_its_block)
{
    struct edo_bytes bytes;
    char chunk[1000] = {0};
    edo_bytes_init(&bytes, 0);
    for (int i = 0; i < 100000; i++) {
        cr_assert_eq(edo_bytes_append(&bytes, chunk, sizeof chunk), 0);
        if (i % 2 == 1)
            edo_bytes_consume(&bytes, 2 * sizeof chunk);
    }
    cr_assert_leq(bytes.capacity, 8192);
    edo_bytes_free(&bytes);
}

Test(bytes, an_empty_one_gives_its_block_back)
{
    struct edo_census before = edo_census_now();
    struct edo_bytes bytes;
    edo_bytes_init(&bytes, 0);
    cr_assert_eq(edo_bytes_append(&bytes, "x", 1), 0);
    edo_bytes_shrink(&bytes);
    cr_assert_eq(edo_bytes_length(&bytes), 1, "one that is not empty keeps it");
    edo_bytes_consume(&bytes, 1);
    edo_bytes_shrink(&bytes);
    cr_assert_null(bytes.data);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_BYTES], before.live[EDO_CENSUS_BYTES]);
    cr_assert_eq(edo_bytes_append(&bytes, "y", 1), 0, "and may be used again");
    edo_bytes_free(&bytes);
}

Test(bytes, without_memory_nothing_has_changed)
{
    struct edo_bytes bytes;
    edo_bytes_init(&bytes, 0);
    cr_assert_eq(edo_bytes_append(&bytes, "abc", 3), 0);
    edo_alloc_fail(1, true);
    cr_assert_eq(edo_bytes_reserve(&bytes, 100000), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_eq(edo_bytes_length(&bytes), 3);
    cr_assert_eq(memcmp(edo_bytes_data(&bytes), "abc", 3), 0);
    edo_bytes_free(&bytes);
}

Test(bytes, truncating_takes_from_the_end)
{
    struct edo_bytes bytes;
    edo_bytes_init(&bytes, 0);
    cr_assert_eq(edo_bytes_append(&bytes, "abcdef", 6), 0);
    edo_bytes_consume(&bytes, 2);
    edo_bytes_truncate(&bytes, 3);
    cr_assert_eq(edo_bytes_length(&bytes), 3);
    cr_assert_eq(memcmp(edo_bytes_data(&bytes), "cde", 3), 0);
    edo_bytes_free(&bytes);
}

Test(bytes, nothing_of_an_empty_buffer_is_no_undefined_behaviour)
{
    struct edo_bytes bytes;
    edo_bytes_init(&bytes, 0);
    cr_assert_null(edo_bytes_data(&bytes));
    cr_assert_null(edo_bytes_spare(&bytes));
    edo_bytes_advance(&bytes, 0);
    edo_bytes_consume(&bytes, 0);
    edo_bytes_shrink(&bytes);
}

Test(bytes, at_the_limit_the_block_is_at_most_twice_as_large)
{
    enum { LIMIT = 1000 };
    struct edo_bytes bytes;
    edo_bytes_init(&bytes, LIMIT);
    for (int i = 0; i < 100000; i++) {
        char byte = (char)i;
        if (edo_bytes_length(&bytes) == LIMIT)
            edo_bytes_consume(&bytes, 1);
        cr_assert_eq(edo_bytes_append(&bytes, &byte, 1), 0);
        cr_assert_leq(bytes.capacity, 2 * LIMIT);
        cr_assert_eq(edo_bytes_data(&bytes)[edo_bytes_length(&bytes) - 1], byte);
    }
    cr_assert_eq(edo_bytes_reserve(&bytes, 1), UV_ENOBUFS);
    edo_bytes_free(&bytes);
    cr_assert_eq(bytes.limit, LIMIT);
}

/* Reallocations and moves of 10^6 appends of a byte: each consumed byte pays for its move. */
Test(bytes, a_full_buffer_moves_each_byte_a_few_times_only)
{
    struct edo_bytes bytes;
    edo_bytes_init(&bytes, 0);
    uint64_t moved = 0;
    for (int i = 0; i < 1000000; i++) {
        size_t start = bytes.start;
        const char *block = bytes.data;
        cr_assert_eq(edo_bytes_append(&bytes, "x", 1), 0);
        if (block != bytes.data || bytes.start < start)
            moved += edo_bytes_length(&bytes);
        if (edo_bytes_length(&bytes) == 8000)
            edo_bytes_consume(&bytes, 1);
    }
    cr_assert_lt(moved, 3000000);
    cr_assert_leq(bytes.capacity, 32768, "the consumed room is used again");
    edo_bytes_free(&bytes);
}

Test(bytes, consuming_more_than_there_is_stops_the_program, .signal = SIGABRT)
{
    struct edo_bytes bytes;
    edo_bytes_init(&bytes, 0);
    edo_bytes_consume(&bytes, 1);
}

Test(bytes, advancing_past_the_room_stops_the_program, .signal = SIGABRT)
{
    struct edo_bytes bytes;
    edo_bytes_init(&bytes, 0);
    edo_bytes_advance(&bytes, 1);
}
