/* SPDX-License-Identifier: MIT */
/* A panic below an adapter, when its source is polled and when it drops it: nobody above goes on, and
 * everything is dropped once. */
#include "stream_harness.h"

static struct parcel room;
static struct edo_stream_map map;
static struct edo_stream_filter filter;
static struct edo_stream_take few;
static struct edo_stream_inspect inspect;
static struct edo_stream_enumerate enumerate;
static struct edo_stream_then then;
static struct edo_stream_flat_map flat_map;
static struct edo_stream_fuse fuse;
static STREAM_PEEKABLE(struct parcel) peek;
static struct edo_stream_chain chain;
static struct edo_stream_merge merge;
static struct edo_stream_zip zip;
static struct edo_stream_throttle throttle;
static struct edo_stream_timeout timed;

static bool below_five(void *arg, const struct parcel *parcel)
{
    (void)arg;
    return parcel->n < 5;
}

static void same(void *arg, struct parcel *parcel, struct parcel *out)
{
    (void)arg;
    *out = *parcel;
}

static bool same_below_five(void *arg, struct parcel *parcel, struct parcel *out)
{
    same(arg, parcel, out);
    if (parcel->n < 5)
        return true;
    parcel_end(parcel, DROPPED);
    return false;
}

static bool scan_below_five(int *state, struct parcel *parcel, struct parcel *out)
{
    return same_below_five(state, parcel, out);
}

static void look(void *arg, const struct parcel *parcel)
{
    (void)arg, (void)parcel;
}

#define BUILDER(name, ...)                    \
    static parcels name(parcels a, parcels b) \
    {                                         \
        (void)b;                              \
        return (__VA_ARGS__);                 \
    }

BUILDER(mapped, edo_stream_map(&map, a, &room, struct parcel, same, NULL))
BUILDER(filter_mapped, edo_stream_filter_map(&map, a, &room, struct parcel, same_below_five, NULL))
BUILDER(filtered, edo_stream_filter(&filter, a, below_five, NULL))
BUILDER(taken, edo_stream_take(&few, a, 2))
BUILDER(taken_while, edo_stream_take_while(&filter, a, below_five, NULL))
BUILDER(skipped, edo_stream_skip(&few, a, 1))
BUILDER(skipped_while, edo_stream_skip_while(&filter, a, below_five, NULL))
BUILDER(inspected, edo_stream_inspect(&inspect, a, look, NULL))
BUILDER(fused, edo_stream_fuse(&fuse, a))
BUILDER(peekable, edo_stream_peekable(&peek, a))
BUILDER(chained, edo_stream_chain(&chain, a, b))
BUILDER(merged, edo_stream_merge(&merge, a, b))
BUILDER(throttled, edo_stream_throttle(&throttle, a, 100))
BUILDER(throttled_not, edo_stream_throttle(&throttle, a, 0))
BUILDER(timed_out, edo_stream_timeout(&timed, a, 100))

static parcels scanned(parcels a, parcels b)
{
    static int state;
    (void)b;
    return edo_stream_scan(&map, a, &room, struct parcel, scan_below_five, &state);
}

static parcels enumerated(parcels a, parcels b)
{
    static size_t index;
    (void)b;
    return edo_stream_enumerate(&enumerate, a, &index);
}

static struct pair {
    struct parcel left, right;
} pair, pair_room;

static void left(void *arg, struct pair *from, struct parcel *out)
{
    (void)arg;
    parcel_end(&from->right, DELIVERED);
    *out = from->left;
}

static parcels zipped(parcels a, parcels b)
{
    STREAM_REF(struct pair) pairs = edo_stream_zip(&zip, a, b, &pair, left, right);
    return edo_stream_map(&map, pairs, &pair_room, struct parcel, left, NULL);
}

static struct carries {
    FUTURE(struct parcel);
} carries;

ASYNC(carries)
{
    ASYNC_BEGIN;
    ASYNC_END;
}

static void begin(void *arg, struct parcel *parcel, struct carries *place)
{
    (void)arg;
    *place = NEW(carries, .output = *parcel);
}

BUILDER(then_same, edo_stream_then(&then, a, &room, &carries, begin, NULL))

/* Each item's stream is what the second script says. */
static struct script inner;
static const char *inner_script;

static parcels inner_begin(void *arg, struct parcel *parcel, struct script *place)
{
    (void)arg;
    parcel_end(parcel, DROPPED);
    return script_begin(place, inner_script, NULL);
}

BUILDER(flat, edo_stream_flat_map(&flat_map, a, &room, &inner, inner_begin, NULL))

Test(stream_panic, of_a_poll_ends_everything_above)
{
    build_fn *const same_items[] = {mapped,   filter_mapped, filtered,   taken_while,
                                    scanned,  inspected,     enumerated, fused,
                                    peekable, throttled_not, then_same};
    for (size_t i = 0; i < sizeof same_items / sizeof same_items[0]; i++) {
        check(same_items[i], "P", NULL, "P");
        check(same_items[i], "1.2P", NULL, "1.2P");
    }
    check(timed_out, "P", NULL, "P");
    check(taken, "1P", NULL, "1P");
    check(skipped, "1P", NULL, "P");
    check(skipped_while, "1P", NULL, "P");
    check(chained, "1P", "2", "1P");
    check(chained, "1", "P", "1P");
    check(merged, "P", "2", "P");
    check(merged, ".1", "2P", "21P");
    check(zipped, "1P", "23", "1P");
    check(zipped, ".1", "P", "P");
    check(zipped, "12", "3P", "1P");
    inner_script = "1P";
    check(flat, "3", NULL, "1P");
}

Test(stream_panic, of_a_source_that_is_dropped_ends_everything_above)
{
    check(taken, "12D", NULL, "1P"); /* nobody gets the second, which goes to the hook */
    check(taken_while, "18D", NULL, "1P");
    check(scanned, "18D", NULL, "1P");
    check(fused, "1-D", NULL, "1P");
    check(chained, "1-D", "2", "1P");
    check(chained, "1", "2-D", "12P");
    check(merged, "1-D", "23", "12P");
    check(merged, "1-D", "-", "1P");
    check(zipped, "1.D", "2", "1P");
    check(zipped, "1", "2D", "1P");
    inner_script = "-D";
    check(flat, "35", NULL, "P");
    check(throttled, "1D", NULL, "1P"); /* outside of a runtime */
}
