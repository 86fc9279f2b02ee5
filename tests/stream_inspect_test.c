/* SPDX-License-Identifier: MIT */
/* streams/stream_inspect.h. */
#include "stream_harness.h"

static struct edo_stream_inspect place;
static int seen[64], seen_count;

static void note(void *arg, const struct parcel *parcel)
{
    cr_assert_eq(arg, seen);
    cr_assert_eq(account.fates[parcel->serial], MADE);
    seen[seen_count++] = parcel->n;
}

static parcels inspected(parcels a, parcels b)
{
    (void)b;
    seen_count = 0;
    return edo_stream_inspect(&place, a, note, seen);
}

Test(stream_inspect, each_item_is_seen_once_before_it_passes)
{
    check(inspected, "", NULL, "|");
    check(inspected, "1.2!3", NULL, "1.2!3|");
    check(inspected, "1-2X", NULL, "1-2X");
    check_run(inspected, "5.4!3", NULL, "5.4!3|", script_exact, true);
    cr_assert_eq(seen_count, 3);
    cr_assert(seen[0] == 5 && seen[1] == 4 && seen[2] == 3);
    check_trace(inspected, "1.", NULL, "edo_stream_inspect\n script\n");
}

static struct edo_stream_enumerate enumerate;
static size_t index_;

/* The index in the item's place. */
static struct edo_stream_map map;
static struct parcel room;

static void put_index(void *arg, struct parcel *parcel, struct parcel *out)
{
    *out = *parcel;
    out->n = (int)*(size_t *)arg;
}

static parcels indices(parcels a, parcels b)
{
    (void)b;
    index_ = SIZE_MAX;
    parcels stream = edo_stream_enumerate(&enumerate, a, &index_);
    return edo_stream_map(&map, stream, &room, struct parcel, put_index, &index_);
}

Test(stream_inspect, items_are_numbered_from_zero)
{
    check(indices, "", NULL, "|");
    check(indices, "99.9!9-9", NULL, "01.2!3-4|");
    check(indices, "98X", NULL, "01X");
    check_trace(indices, "1.", NULL, "edo_stream_map\n edo_stream_enumerate\n  script\n");
}

static parcels numbered(parcels a, parcels b)
{
    (void)b;
    return edo_stream_enumerate(&enumerate, a, &index_);
}

Test(stream_inspect, what_is_numbered_is_unchanged)
{
    check_exact(numbered, "7.3!5", NULL, "7.3!5|");
}
