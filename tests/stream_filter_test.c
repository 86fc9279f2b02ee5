/* SPDX-License-Identifier: MIT */
/* streams/stream_filter.h. */
#include "stream_harness.h"

static struct edo_stream_filter filter;
static struct edo_stream_take take;

static bool is_even(void *arg, const struct parcel *parcel)
{
    (void)arg;
    return parcel->n % 2 == 0;
}

static parcels even(parcels a, parcels b)
{
    (void)b;
    return edo_stream_filter(&filter, a, is_even, NULL);
}

Test(stream_filter, filter_gives_those_that_are_meant)
{
    check(even, "", NULL, "|");
    check(even, "0123456", NULL, "0246|");
    check(even, "1357", NULL, "|");
    check(even, "1.0.13.2", NULL, ".0..2|");
    check(even, "10!3!2", NULL, "0!!2|");
    check(even, "10-12-", NULL, "0-2-|");
    check(even, "102X", NULL, "02X");
    check_trace(even, "1.", NULL, "edo_stream_filter\n script\n");
}

static parcels while_even(parcels a, parcels b)
{
    (void)b;
    return edo_stream_take_while(&filter, a, is_even, NULL);
}

Test(stream_filter, take_while_ends_at_the_first_that_is_not)
{
    check(while_even, "", NULL, "|");
    check(while_even, "024", NULL, "024|");
    check(while_even, "02.4143", NULL, "02.4|");
    check(while_even, "1", NULL, "|");
    check(while_even, "0!2-43", NULL, "0!2-4|");
    check(while_even, "0X", NULL, "0X");
    check_trace(while_even, "0.", NULL, "edo_stream_take_while\n script\n");
}

static parcels from_odd(parcels a, parcels b)
{
    (void)b;
    return edo_stream_skip_while(&filter, a, is_even, NULL);
}

Test(stream_filter, skip_while_gives_all_from_the_first_that_is_not)
{
    check(from_odd, "", NULL, "|");
    check(from_odd, "024", NULL, "|");
    check(from_odd, "02.41424", NULL, ".1424|");
    check(from_odd, "0!-0123", NULL, "!-123|");
    check(from_odd, "0X", NULL, "X");
    check_trace(from_odd, "0.", NULL, "edo_stream_skip_while\n script\n");
}

static size_t number;

static parcels take_some(parcels a, parcels b)
{
    (void)b;
    return edo_stream_take(&take, a, number);
}

Test(stream_filter, take_ends_after_so_many)
{
    number = 0;
    check(take_some, "123", NULL, "|");
    number = 2;
    check(take_some, "", NULL, "|");
    check(take_some, "1", NULL, "1|");
    check_exact(take_some, "1.23", NULL, "1.2|");
    check(take_some, "1!-!23", NULL, "1!-!2|");
    check(take_some, "1X", NULL, "1X");
    check_trace(take_some, "1.", NULL, "edo_stream_take\n script\n");
}

Test(stream_filter, take_drops_its_source_with_the_last)
{
    struct bench bench;
    bench_begin(&bench);
    number = 1;
    parcels stream = scripts_begin(take_some, "12", NULL, NULL);
    cr_assert_eq(account.ended, 0);
    cr_assert_eq(stream_step(&bench, stream), '1');
    cr_assert_eq(account.ended, 1);
    cr_assert_eq(stream_step(&bench, stream), '|');
    account_settle("take");
    bench_end(&bench);
}

static parcels skip_some(parcels a, parcels b)
{
    (void)b;
    return edo_stream_skip(&take, a, number);
}

Test(stream_filter, skip_leaves_the_first_out)
{
    number = 0;
    check(skip_some, "123", NULL, "123|");
    number = 2;
    check(skip_some, "", NULL, "|");
    check(skip_some, "1", NULL, "|");
    check_exact(skip_some, "1.234", NULL, ".34|");
    check(skip_some, "1!-!23", NULL, "!-!3|");
    check(skip_some, "1X", NULL, "X");
    check_trace(skip_some, "1.", NULL, "edo_stream_skip\n script\n");
}

static int looked_at;

static bool none(void *arg, const struct parcel *parcel)
{
    looked_at++;
    return arg == parcel;
}

static bool every(void *arg, const struct parcel *parcel)
{
    looked_at++;
    return arg != parcel;
}

/* The source's hook counts, or there is none. */
static parcels filter_none(parcels a, parcels b)
{
    (void)b;
    return edo_stream_filter(&filter, a, none, NULL);
}

static parcels skip_every(parcels a, parcels b)
{
    (void)b;
    return edo_stream_skip_while(&filter, a, every, NULL);
}

static struct edo_stream_filter below;

static parcels filter_twice(parcels a, parcels b)
{
    looked_at = 0;
    return filter_none(edo_stream_filter(&below, a, is_even, NULL), b);
}

static parcels skip_most(parcels a, parcels b)
{
    (void)b;
    a = edo_stream_filter(&below, a, every, NULL);
    return edo_stream_skip(&take, a, SIZE_MAX);
}

Test(stream_filter, endless_sources_give_way)
{
    check_gives_way(filter_none, &looked_at);
    check_gives_way(skip_every, &looked_at);
    check_gives_way(filter_twice, &looked_at);
    check_gives_way(skip_most, &looked_at);
}
