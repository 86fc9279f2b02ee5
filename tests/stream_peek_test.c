/* SPDX-License-Identifier: MIT */
/* streams/stream_peek.h. */
#include "stream_harness.h"

static STREAM_PEEKABLE(struct parcel) place;

static parcels peekable(parcels a, parcels b)
{
    (void)b;
    return edo_stream_peekable(&place, a);
}

Test(stream_peek, without_a_look_it_is_the_same_stream)
{
    check(peekable, "", NULL, "|");
    check_exact(peekable, "1.2!3-4", NULL, "1.2!3-4|");
    check(peekable, "1X", NULL, "1X");
    check_trace(peekable, "1.", NULL, "edo_stream_peekable\n script\n");
}

static int look(struct bench *bench)
{
    struct edo_stream_peek peek = edo_stream_peek(&place);
    run_to_end(bench, &peek.future_);
    return peek.output;
}

Test(stream_peek, what_is_looked_at_comes_next)
{
    struct bench bench;
    bench_begin(&bench);
    parcels stream = scripts_begin(peekable, "1.2", NULL, script_exact);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(look(&bench), 1);
        cr_assert_eq(place.item.n, 1);
        cr_assert_eq(edo_stream_size_hint(stream).lower, 2);
        cr_assert_eq(edo_stream_size_hint(stream).upper, 2);
    }
    place.item.n = 5;
    cr_assert_eq(stream_step(&bench, stream), '5');
    cr_assert_eq(look(&bench), 1);
    cr_assert_eq(place.item.n, 2);
    cr_assert_eq(stream_step(&bench, stream), '2');
    cr_assert_eq(look(&bench), 0);
    cr_assert_eq(look(&bench), 0);
    cr_assert_eq(stream_step(&bench, stream), '|');
    cr_assert_eq(look(&bench), 0, "nor after the end");
    account_settle("peek");
    bench_end(&bench);
}

Test(stream_peek, an_error_that_was_looked_at_comes_next)
{
    struct bench bench;
    bench_begin(&bench);
    parcels stream = scripts_begin(peekable, "!1X", NULL, NULL);
    cr_assert_eq(look(&bench), UV_EIO);
    cr_assert_eq(look(&bench), UV_EIO);
    cr_assert_eq(stream_step(&bench, stream), '!');
    cr_assert_eq(stream_step(&bench, stream), '1');
    cr_assert_eq(look(&bench), UV_EIO);
    cr_assert_eq(stream_step(&bench, stream), 'X');
    cr_assert_eq(stream_step(&bench, stream), '|');
    account_settle("error");
    bench_end(&bench);
}

Test(stream_peek, an_item_that_nobody_takes_goes_to_the_drop_hook)
{
    struct bench bench;
    bench_begin(&bench);
    scripts_begin(peekable, "12", NULL, NULL);
    cr_assert_eq(look(&bench), 1);
    edo_stream_drop_(&place.core_.stream_, &bench.cx);
    cr_assert_eq(dropped(), 1);
    cr_assert_eq(look(&bench), 0);
    account_settle("drop");
    bench_end(&bench);
}

Test(stream_peek, a_look_that_is_dropped_takes_nothing)
{
    struct bench bench;
    bench_begin(&bench);
    parcels stream = scripts_begin(peekable, ".1", NULL, NULL);
    struct edo_stream_peek peek = edo_stream_peek(&place);
    cr_assert_eq(POLL(peek), EDO_PENDING);
    edo_future_trace(&peek.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_stream_peek\n script\n");
    DROP_IT(peek);
    cr_assert_eq(stream_step(&bench, stream), '1');
    cr_assert_eq(stream_step(&bench, stream), '|');
    account_settle("peek");
    bench_end(&bench);
}

static bool is_even(void *arg, const struct parcel *parcel)
{
    cr_assert_eq(arg, &place);
    return parcel->n % 2 == 0;
}

/* Its output, with the letter of what was taken. */
static int take_even(struct bench *bench, int *n)
{
    struct parcel item = {0};
    struct edo_stream_next_if next = edo_stream_next_if(&place, &item, is_even, &place);
    run_to_end(bench, &next.future_);
    if (next.output == 1) {
        parcel_end(&item, DELIVERED);
        *n = item.n;
    }
    return next.output;
}

Test(stream_peek, next_if_takes_what_is_meant_and_leaves_the_rest)
{
    struct bench bench;
    bench_begin(&bench);
    parcels stream = scripts_begin(peekable, "2.43!6", NULL, NULL);
    int n;
    cr_assert(take_even(&bench, &n) == 1 && n == 2);
    cr_assert(take_even(&bench, &n) == 1 && n == 4);
    cr_assert_eq(take_even(&bench, &n), 0);
    cr_assert_eq(take_even(&bench, &n), 0);
    cr_assert_eq(look(&bench), 1);
    cr_assert_eq(stream_step(&bench, stream), '3');
    cr_assert_eq(take_even(&bench, &n), UV_EIO);
    cr_assert_eq(look(&bench), 1, "the error is taken");
    cr_assert(take_even(&bench, &n) == 1 && n == 6);
    cr_assert_eq(take_even(&bench, &n), 0);
    cr_assert_eq(stream_step(&bench, stream), '|');
    account_settle("next_if");
    bench_end(&bench);
}

Test(stream_peek, a_next_if_that_is_dropped_takes_nothing)
{
    struct bench bench;
    bench_begin(&bench);
    parcels stream = scripts_begin(peekable, ".2", NULL, NULL);
    struct parcel item;
    struct edo_stream_next_if next = edo_stream_next_if(&place, &item, is_even, &place);
    cr_assert_eq(POLL(next), EDO_PENDING);
    edo_future_trace(&next.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_stream_next_if\n script\n");
    DROP_IT(next);
    cr_assert_eq(stream_step(&bench, stream), '2');
    edo_stream_drop_(&place.core_.stream_, &bench.cx);
    account_settle("next_if");
    bench_end(&bench);
}

static struct edo_stream_fuse fuse;

static parcels fused(parcels a, parcels b)
{
    (void)b;
    return edo_stream_fuse(&fuse, a);
}

Test(stream_peek, fuse_makes_the_first_end_the_last)
{
    check(fused, "", NULL, "|");
    check_exact(fused, "1.2!3", NULL, "1.2!3|");
    check(fused, "1-2", NULL, "1|");
    check(fused, "-", NULL, "|");
    check(fused, "1X", NULL, "1X");
    check_trace(fused, "1.", NULL, "edo_stream_fuse\n script\n");
}
