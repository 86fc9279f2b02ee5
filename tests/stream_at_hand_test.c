/* SPDX-License-Identifier: MIT */
/* streams/at_hand.h: arrays, and filters of them, are as any stream to what takes them in. */
#include "poll_harness.h"

#include "edo.h"

enum { COUNT = 1000 };
static int array[COUNT];

/* How many the predicate was asked about. */
static int asked;

static bool every_third(void *arg, const int *n)
{
    cr_assert(arg == array && *n == asked, "each once, in order");
    asked++;
    return *n % 3 == 2;
}

static void negative(void *arg, int *n, int64_t *out)
{
    cr_assert(arg == array && asked == *n + 1, "none is looked at that was not asked for");
    *out = -*n;
    *n = 0; /* the room is the function's */
}

struct chain {
    struct edo_stream_iter iter;
    struct edo_stream_filter filter;
    struct edo_stream_map map;
    STREAM_REF(int) numbers;
    STREAM_REF(int64_t) stream;
    int room;
};

static void make(struct chain *chain, int count)
{
    for (int i = 0; i < COUNT; i++)
        array[i] = i;
    asked = 0;
    chain->numbers = edo_stream_iter(&chain->iter, array, (size_t)count);
    chain->numbers = edo_stream_filter(&chain->filter, chain->numbers, every_third, array);
    chain->stream =
        edo_stream_map(&chain->map, chain->numbers, &chain->room, int64_t, negative, array);
}

static int poll(struct bench *bench, struct chain *chain, int64_t *out)
{
    return edo_stream_poll((struct edo_stream *)(void *)chain->stream, &bench->cx, out);
}

Test(stream_at_hand, a_filter_of_an_array_is_asked_for_no_more_than_is_taken)
{
    struct bench bench;
    bench_begin(&bench);
    struct chain chain;
    make(&chain, COUNT);
    bench.cx.budget = EDO_UNCONSTRAINED;
    int64_t out;
    for (int i = 2; i < COUNT; i += 3) {
        cr_assert_eq(poll(&bench, &chain, &out), EDO_STREAM_ITEM);
        cr_assert(out == -i && asked == i + 1 && array[i] == i);
        cr_assert_eq(edo_stream_size_hint(chain.stream).upper, (size_t)(COUNT - asked));
    }
    cr_assert_eq(bench.cx.budget, EDO_UNCONSTRAINED);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(poll(&bench, &chain, &out), EDO_STREAM_END);
    cr_assert_eq(asked, COUNT);
    bench_end(&bench);
}

/* Of a reference that somebody else has come to the end of. */
Test(stream_at_hand, a_filter_of_what_has_ended_has_ended)
{
    struct bench bench;
    bench_begin(&bench);
    struct chain chain;
    make(&chain, 3);
    int n;
    int64_t out;
    STREAM_REF(int) numbers = edo_stream_iter(&chain.iter, array, 3);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(edo_stream_poll((struct edo_stream *)(void *)numbers, &bench.cx, &n),
                     EDO_STREAM_ITEM);
    cr_assert_eq(edo_stream_poll((struct edo_stream *)(void *)numbers, &bench.cx, &n),
                 EDO_STREAM_END);
    cr_assert_eq(poll(&bench, &chain, &out), EDO_STREAM_END);
    cr_assert_eq(asked, 0);
    bench_end(&bench);
}

/* Nobody may, but whoever takes from it does not ask. */
Test(stream_at_hand, a_dropped_array_has_none)
{
    for (int count = 0; count <= 2; count++) {
        struct bench bench;
        bench_begin(&bench);
        struct chain chain;
        make(&chain, 9);
        int64_t out;
        for (int i = 0; i < count; i++)
            cr_assert_eq(poll(&bench, &chain, &out), EDO_STREAM_ITEM);
        int was = asked;
        edo_stream_drop_(&chain.iter.stream_, &bench.cx);
        cr_assert_eq(poll(&bench, &chain, &out), EDO_STREAM_END);
        cr_assert_eq(asked, was);
        bench_end(&bench);
    }
}

Test(stream_at_hand, each_element_takes_from_the_budget)
{
    for (uint32_t budget = 0; budget < 12; budget++) {
        struct bench bench;
        bench_begin(&bench);
        struct chain chain;
        make(&chain, 10);
        bench.cx.budget = budget;
        int64_t out;
        int items = 0, wakes = 0, before = 0, output;
        while ((output = poll(&bench, &chain, &out)) != EDO_STREAM_END) {
            if (output == EDO_STREAM_ITEM) {
                cr_assert_eq(out, -(2 + 3 * items));
                items++;
                continue;
            }
            cr_assert_eq(output, EDO_STREAM_PENDING);
            cr_assert_eq(bench.counter.wakes, ++wakes);
            cr_assert_eq((uint32_t)(asked - before), before == 0 && wakes == 1 ? budget : 4);
            before = asked;
            bench.cx.budget = 4;
        }
        cr_assert(items == 3 && asked == 10);
        bench_end(&bench);
    }
}

Test(stream_at_hand, dropped_or_ended_it_gives_no_more)
{
    for (int count = 0; count <= 2; count++) {
        struct bench bench;
        bench_begin(&bench);
        struct chain chain;
        make(&chain, 6);
        int64_t out;
        for (int i = 0; i < count; i++)
            cr_assert_eq(poll(&bench, &chain, &out), EDO_STREAM_ITEM);
        edo_stream_drop_(&chain.map.stream_, &bench.cx);
        cr_assert(edo_future_done(&chain.iter.stream_.future_) &&
                  edo_future_done(&chain.filter.stream_.future_));
        int was = asked;
        cr_assert_eq(poll(&bench, &chain, &out), EDO_STREAM_END);
        cr_assert_eq(asked, was);
        bench_end(&bench);
    }
}

/* One that is left out goes to the hook, as a copy. */
static int hooked;

static void hook(void *item)
{
    cr_assert((int *)item < array || (int *)item >= array + COUNT);
    cr_assert_eq(*(int *)item, asked - 1);
    hooked++;
}

Test(stream_at_hand, a_drop_hook_gets_what_is_left_out)
{
    struct bench bench;
    bench_begin(&bench);
    struct chain chain;
    make(&chain, 9);
    hooked = 0;
    chain.filter.stream_.drop = hook;
    int64_t out;
    int items = 0;
    while (poll(&bench, &chain, &out) == EDO_STREAM_ITEM)
        items++;
    cr_assert(hooked == 6 && asked == 9 && items == 3);
    bench_end(&bench);
}

static void twice(void *arg, int *n, int *out)
{
    (void)arg;
    *out = 2 * *n;
}

static void same(void *arg, int64_t *n, int64_t *out)
{
    (void)arg;
    *out = *n;
}

static bool is_small(void *arg, const int *n)
{
    (void)arg;
    return *n < 6;
}

Test(stream_at_hand, a_map_of_an_array_is_asked_for_no_more_than_is_taken)
{
    for (uint32_t budget = 0; budget < 8; budget++) {
        struct bench bench;
        bench_begin(&bench);
        for (int i = 0; i < 5; i++)
            array[i] = i;
        struct edo_stream_iter iter;
        struct edo_stream_map map;
        int room = -1, out;
        STREAM_REF(int) stream = edo_stream_iter(&iter, array, 5);
        stream = edo_stream_map(&map, stream, &room, int, twice, NULL);
        bench.cx.budget = budget;
        int items = 0, wakes = 0, output;
        while ((output = edo_stream_poll(&map.stream_, &bench.cx, &out)) != EDO_STREAM_END) {
            if (output == EDO_STREAM_ITEM) {
                cr_assert(out == 2 * items && room == items);
                items++;
            } else {
                cr_assert(output == EDO_STREAM_PENDING && bench.counter.wakes == ++wakes);
                cr_assert_eq((uint32_t)items, wakes == 1 ? budget : budget + 3);
                bench.cx.budget = 3;
            }
            cr_assert_eq(edo_stream_size_hint(stream).lower, (size_t)(5 - items));
        }
        cr_assert(items == 5 && wakes == (budget < 2 ? 2 : budget < 5 ? 1 : 0));
        bench_end(&bench);
    }
}

Test(stream_at_hand, chains_of_any_make)
{
    struct bench bench;
    bench_begin(&bench);
    make(&(struct chain){.room = 0}, 0);
    struct edo_stream_iter iter;
    struct edo_stream_map map, again;
    struct edo_stream_filter filter, last;
    int rooms[2], out;
    STREAM_REF(int) stream = edo_stream_iter(&iter, array, 5);
    stream = edo_stream_map(&map, stream, &rooms[0], int, twice, NULL);
    stream = edo_stream_filter(&filter, stream, is_small, NULL);
    stream = edo_stream_filter(&last, stream, is_small, NULL);
    stream = edo_stream_map(&again, stream, &rooms[1], int, twice, NULL);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(edo_stream_poll(&again.stream_, &bench.cx, &out), EDO_STREAM_ITEM);
        cr_assert_eq(out, 4 * i);
    }
    cr_assert_eq(edo_stream_poll(&again.stream_, &bench.cx, &out), EDO_STREAM_END);
    const int64_t value = 7;
    int64_t room, got;
    struct edo_stream_map wide;
    STREAM_REF(int64_t) seven = edo_stream_once(&iter, &value);
    seven = edo_stream_map(&wide, seven, &room, int64_t, same, NULL);
    cr_assert_eq(edo_stream_poll(&wide.stream_, &bench.cx, &got), EDO_STREAM_ITEM);
    cr_assert_eq(got, 7);
    cr_assert_eq(edo_stream_poll(&wide.stream_, &bench.cx, &got), EDO_STREAM_END);
    (void)seven;
    bench_end(&bench);
}
