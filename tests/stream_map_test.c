/* SPDX-License-Identifier: MIT */
/* streams/stream_map.h. */
#include "stream_harness.h"

static struct edo_stream_map map;
static struct parcel room;

static void twice(void *arg, struct parcel *parcel, struct parcel *out)
{
    (void)arg;
    *out = *parcel;
    out->n *= 2;
}

static parcels map_twice(parcels a, parcels b)
{
    (void)b;
    return edo_stream_map(&map, a, &room, struct parcel, twice, NULL);
}

Test(stream_map, map_makes_one_of_each)
{
    check(map_twice, "", NULL, "|");
    check(map_twice, "012", NULL, "024|");
    check_exact(map_twice, "1.2.", NULL, "2.4.|");
    check(map_twice, "1!2-3X", NULL, "2!4-6X");
    check_trace(map_twice, ".", NULL, "edo_stream_map\n script\n");
}

static int looked_at;

static bool halve_even(void *arg, struct parcel *parcel, struct parcel *out)
{
    (void)arg;
    looked_at++;
    if (parcel->n % 2 != 0) {
        parcel_end(parcel, DROPPED); /* it is ours */
        return false;
    }
    *out = *parcel;
    out->n /= 2;
    return true;
}

static parcels map_halves(parcels a, parcels b)
{
    (void)b;
    return edo_stream_filter_map(&map, a, &room, struct parcel, halve_even, NULL);
}

Test(stream_map, filter_map_makes_one_of_some)
{
    check(map_halves, "", NULL, "|");
    check(map_halves, "01234", NULL, "012|");
    check(map_halves, "1.2.13", NULL, ".1.|");
    check(map_halves, "1!2-13X", NULL, "!1-X");
    check_trace(map_halves, "1.", NULL, "edo_stream_filter_map\n script\n");
}

static bool never(void *arg, struct parcel *parcel, struct parcel *out)
{
    (void)parcel, (void)out;
    looked_at++;
    return arg != NULL;
}

static parcels map_none(parcels a, parcels b)
{
    (void)b;
    return edo_stream_filter_map(&map, a, &room, struct parcel, never, NULL);
}

Test(stream_map, an_endless_source_gives_way)
{
    check_gives_way(map_none, &looked_at);
}

/* Running sums, until they are more than 9. */
static int state;

static bool add(int *sum, struct parcel *parcel, struct parcel *out)
{
    *sum += parcel->n;
    if (*sum > 9) {
        parcel_end(parcel, DROPPED);
        return false;
    }
    *out = *parcel;
    out->n = *sum;
    return true;
}

static parcels sums(parcels a, parcels b)
{
    (void)b;
    state = 0;
    return edo_stream_scan(&map, a, &room, struct parcel, add, &state);
}

Test(stream_map, scan_keeps_a_state_and_may_end)
{
    check(sums, "", NULL, "|");
    check(sums, "1.23", NULL, "1.36|");
    check(sums, "1239456", NULL, "136|");
    check(sums, "1!2-", NULL, "1!3-|");
    check(sums, "12X", NULL, "13X");
    check_trace(sums, "1.", NULL, "edo_stream_scan\n script\n");
}

Test(stream_map, scan_drops_its_source_when_it_ends)
{
    struct bench bench;
    bench_begin(&bench);
    parcels stream = scripts_begin(sums, "99.", NULL, NULL);
    cr_assert_eq(stream_step(&bench, stream), '9');
    cr_assert_eq(stream_step(&bench, stream), '|');
    cr_assert_eq(account.ended, 1);
    cr_assert_eq(state, 18);
    account_settle("scan");
    bench_end(&bench);
}

/* A hook of the new items: for what an adapter above leaves out. */
static struct edo_stream_take skip;

static parcels skip_mapped(parcels a, parcels b)
{
    (void)b;
    parcels stream = edo_stream_map(&map, a, &room, struct parcel, twice, NULL);
    map.stream_.drop = parcel_drop;
    return edo_stream_skip(&skip, stream, 1);
}

Test(stream_map, new_items_may_have_a_drop_hook)
{
    check(skip_mapped, "12.3", NULL, "4.6|");
}

static void halve(void *arg, int *n, double *half)
{
    (void)arg;
    *half = *n / 2.0;
}

Test(stream_map, items_of_another_type_and_size)
{
    struct bench bench;
    bench_begin(&bench);
    static const int array[] = {1, 2, 3};
    int n;
    double half, sum = 0;
    struct edo_stream_iter iter;
    STREAM_REF(int) ints = edo_stream_iter(&iter, array, 3);
    STREAM_REF(double) halves = edo_stream_map(&map, ints, &n, double, halve, NULL);
    for (int i = 0; i < 3; i++) {
        struct edo_next next = edo_next(halves, &half);
        RUN(next);
        cr_assert_eq(next.output, 1);
        sum += half;
    }
    cr_assert_eq(sum, 3.0);
    edo_stream_drop_(&map.stream_, &bench.cx);
    bench_end(&bench);
}
