/* SPDX-License-Identifier: MIT */
/* streams/stream_chain.h. */
#include "stream_harness.h"

static struct edo_stream_chain chain;
static struct edo_stream_merge merge;
static struct edo_stream_zip zip;

static parcels chained(parcels a, parcels b)
{
    return edo_stream_chain(&chain, a, b);
}

Test(stream_chain, chain_gives_the_first_and_then_the_second)
{
    check(chained, "", "", "|");
    check(chained, "12", "34", "1234|");
    check(chained, "", "34", "34|");
    check(chained, "12", "", "12|");
    check_exact(chained, "1.2.", ".3", "1.2..3|");
    check_trace(chained, "1.2", "3", "edo_stream_chain\n script\n");
    check_trace(chained, "1", "3.", "edo_stream_chain\n script\n");
}

Test(stream_chain, chain_passes_errors_and_takes_the_first_end_for_the_last)
{
    check(chained, "1!2", "!3", "1!2!3|");
    check(chained, "1X", "2X", "1!2!|");
    check(chained, "1-4", "2-5", "12|");
}

Test(stream_chain, chain_drops_the_first_before_it_asks_the_second)
{
    struct bench bench;
    bench_begin(&bench);
    parcels stream = scripts_begin(chained, "1-2", ".3", NULL);
    cr_assert_eq(stream_step(&bench, stream), '1');
    cr_assert_eq(account.ended, 0);
    cr_assert_eq(stream_step(&bench, stream), '.');
    cr_assert_eq(account.ended, 1);
    edo_stream_drop_(&chain.stream_, &bench.cx);
    account_settle("chain");
    bench_end(&bench);
}

static parcels merged(parcels a, parcels b)
{
    return edo_stream_merge(&merge, a, b);
}

Test(stream_chain, merge_takes_turns_while_both_are_ready)
{
    check(merged, "", "", "|");
    check(merged, "123", "789", "172839|");
    check(merged, "1", "789", "1789|");
    check(merged, "123", "", "123|");
    check_trace(merged, ".", ".", "edo_stream_merge\n script\n script\n");
}

Test(stream_chain, merge_does_not_wait_for_one_when_the_other_is_ready)
{
    check(merged, "..1", "789", "7819|"); /* asked first again after each of the other's */
    check(merged, "....1", "7", "7...1|");
    check_exact(merged, "1..2", "..7", "1..72|");
}

Test(stream_chain, merge_goes_on_after_the_end_and_the_errors_of_one)
{
    check(merged, "!1", "7", "!71|");
    check(merged, "1X", "789", "17!89|");
    check(merged, "1X", "7X", "17!!|");
    check(merged, "1-2", "78", "178|");
    check(merged, "1-2", "7-8", "17|");
}

Test(stream_chain, merge_is_fair_to_both)
{
    struct bench bench;
    bench_begin(&bench);
    static const int one = 1, two = 2;
    struct edo_stream_iter ones, twos;
    STREAM_REF(int)
    stream =
        edo_stream_merge(&merge, edo_stream_repeat(&ones, &one), edo_stream_repeat(&twos, &two));
    int count[3] = {0}, n;
    for (int i = 0; i < 1000; i++) {
        struct edo_next next = edo_next(stream, &n);
        RUN(next);
        cr_assert_eq(next.output, 1);
        count[n]++;
    }
    cr_assert_eq(count[1], 500);
    cr_assert_eq(count[2], 500);
    edo_stream_drop_(&merge.stream_, &bench.cx);
    bench_end(&bench);
}

/* What an adapter above leaves out goes to the hook, whichever it came from. */
static struct edo_stream_filter filter;

static bool is_even(void *arg, const struct parcel *parcel)
{
    (void)arg;
    return parcel->n % 2 == 0;
}

static parcels merged_even(parcels a, parcels b)
{
    return edo_stream_filter(&filter, edo_stream_merge(&merge, a, b), is_even, NULL);
}

static parcels chained_even(parcels a, parcels b)
{
    return edo_stream_filter(&filter, edo_stream_chain(&chain, a, b), is_even, NULL);
}

Test(stream_chain, an_adapter_above_has_the_drop_hook_of_both)
{
    check(merged_even, "1234", "7.8.", "284.|");
    check(chained_even, "1234", "7.8.", "24.8.|");
}

/* ---- zip ---- */

struct pair {
    struct parcel left;
    double gap; /* members between them are not touched */
    struct parcel right;
};

static struct pair pair, room;
static struct edo_stream_map map;

/* Into one item, the left one with the sum of both. */
static void join(void *arg, struct pair *pair, struct parcel *out)
{
    (void)arg;
    parcel_end(&pair->right, DELIVERED);
    *out = pair->left;
    out->n += pair->right.n;
}

static parcels zipped(parcels a, parcels b)
{
    STREAM_REF(struct pair) pairs = edo_stream_zip(&zip, a, b, &pair, left, right);
    return edo_stream_map(&map, pairs, &room, struct parcel, join, NULL);
}

Test(stream_chain, zip_pairs_in_order)
{
    check(zipped, "", "", "|");
    check(zipped, "123", "567", "68a|");
    check_exact(zipped, "1.2", "..56", "..6.8|");
    check(zipped, "..1", "5", "..6|");
    check_trace(zipped, ".", ".", "edo_stream_map\n edo_stream_zip\n  script\n  script\n");
}

Test(stream_chain, zip_ends_with_the_first_and_drops_the_unpaired)
{
    check(zipped, "12", "5", "6|");
    check(zipped, "1", "567", "6|");
    check(zipped, "", "5.", "|");
    check(zipped, ".", "5.", ".|");
    check(zipped, "1...", "5", "6|");
    check(zipped, "1-2", "567", "6|");
    check(zipped, "123", "5-7", "6|");

    struct bench bench;
    bench_begin(&bench);
    parcels stream = scripts_begin(zipped, "12", "5", NULL);
    cr_assert_eq(stream_step(&bench, stream), '6');
    cr_assert_eq(stream_step(&bench, stream), '|');
    cr_assert_eq(dropped(), 1);
    cr_assert_eq(account.fates[2], DROPPED);
    account_settle("zip");
    bench_end(&bench);
}

Test(stream_chain, zip_keeps_an_item_whose_partner_is_an_error)
{
    check(zipped, "1!2", "56", "6!8|");
    check(zipped, "12", "!56", "!68|");
    check(zipped, "!12", "!5.6", "!!6.8|");
    check(zipped, "1X", "56", "6!|");
    check(zipped, "12", "5X", "6!|");
}

Test(stream_chain, zip_of_two_types)
{
    struct bench bench;
    bench_begin(&bench);
    struct entry {
        char letter;
        int number;
    } entry, got;
    static const char letters[] = {'a', 'b', 'c'};
    static const int numbers[] = {1, 2};
    struct edo_stream_iter a, b;
    STREAM_REF(struct entry)
    stream = edo_stream_zip(&zip, edo_stream_iter(&a, letters, 3), edo_stream_iter(&b, numbers, 2),
                            &entry, letter, number);
    cr_assert_eq(edo_stream_size_hint(stream).lower, 2);
    cr_assert_eq(edo_stream_size_hint(stream).upper, 2);
    for (int i = 0; i < 3; i++) {
        struct edo_next next = edo_next(stream, &got);
        RUN(next);
        cr_assert_eq(next.output, i < 2);
        if (i < 2)
            cr_assert(got.letter == letters[i] && got.number == numbers[i]);
    }
    bench_end(&bench);
}

/* A source that panics: its consumer waits to be dropped, and nobody else is polled. */
struct panics {
    STREAM(struct parcel);
};

ASYNC_STREAM(panics)
{
    ASYNC_BEGIN;
    PANIC("no good");
    ASYNC_END;
}

static void check_panic(build_fn *build)
{
    struct bench bench;
    bench_begin(&bench);
    struct panics panics = NEW(panics);
    struct parcel item;
    parcels stream = build(edo_stream_ref(&panics), script_begin(&script_b, "1", NULL));
    struct edo_next next = edo_next(stream, &item);
    cr_assert_eq(POLL(next), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.message, "no good");
    cr_assert_str_eq(script_b.at, "1");
    DROP_IT(next);
    edo_stream_drop_((struct edo_stream *)(void *)stream, &bench.cx);
    account_settle("panics");
    bench_end(&bench);
}

Test(stream_chain, after_a_panic_of_one_the_other_is_not_polled)
{
    check_panic(chained);
    check_panic(merged);
    check_panic(zipped);
}

/* One call inside the other, as deep as one likes: each is expanded once. */
Test(stream_chain, adapters_may_be_made_in_one_expression)
{
    struct bench bench;
    bench_begin(&bench);
    static const int numbers[] = {1, 2, 3, 4};
    struct edo_stream_iter a, b, c, d;
    struct edo_stream_chain left, right;
    struct edo_stream_take takes[4];
    STREAM_REF(int)
    stream = edo_stream_merge(
        &merge,
        edo_stream_chain(&left, edo_stream_take(&takes[0], edo_stream_iter(&a, numbers, 4), 1),
                         edo_stream_skip(&takes[1], edo_stream_iter(&b, numbers, 4), 3)),
        edo_stream_chain(&right, edo_stream_take(&takes[2], edo_stream_iter(&c, numbers, 4), 2),
                         edo_stream_skip(&takes[3], edo_stream_iter(&d, numbers, 4), 2)));
    static const int expected[] = {1, 1, 4, 2, 3, 4};
    for (size_t i = 0; i <= 6; i++) {
        int n;
        struct edo_next next = edo_next(stream, &n);
        RUN(next);
        cr_assert_eq(next.output, i < 6);
        if (i < 6)
            cr_assert_eq(n, expected[i]);
    }
    bench_end(&bench);
}
