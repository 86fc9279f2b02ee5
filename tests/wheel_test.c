/* SPDX-License-Identifier: MIT */
/* The timer wheel by itself: no clock, no loop. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "internal/census.h"
#include "runtime/wheel.h"

/* Polls at each time that the wheel asks for until `until`; returns how many fired, each checked
 * to be neither early, nor late, nor out of order. */
static uint64_t run_to(struct edo_wheel *wheel, uint64_t until)
{
    uint64_t fired = 0, last = 0, when;
    while (edo_wheel_next(wheel, &when) && when <= until) {
        struct edo_timer_entry *entry;
        while ((entry = edo_wheel_poll(wheel, when)) != NULL) {
            cr_assert_eq(entry->deadline, when, "%" PRIu64 " fired at %" PRIu64, entry->deadline,
                         when);
            cr_assert_geq(entry->deadline, last);
            last = entry->deadline;
            fired++;
        }
    }
    cr_assert_null(edo_wheel_poll(wheel, until));
    return fired;
}

Test(wheel, each_timer_fires_at_its_deadline_whatever_the_level)
{
    /* Uptimes and distances: around each power of two, so that every boundary is crossed. */
    static const int powers[] = {0, 1, 6, 12, 18, 24, 30, 31, 32, 36, 40, 42, 47, 53, 63};
    enum { STARTS = 15, NEAR = 13, COUNT = 3 * NEAR + 2 };
    for (int s = 0; s < 2 * STARTS; s++) {
        uint64_t start = ((uint64_t)1 << powers[s / 2]) - 1 + (uint64_t)(s % 2);
        struct edo_wheel wheel;
        struct edo_timer_entry entries[COUNT] = {{0}};
        edo_wheel_init(&wheel, start);
        for (int i = 0; i < 3 * NEAR; i++)
            edo_wheel_insert(&wheel, &entries[i],
                             start + ((uint64_t)1 << powers[i / 3]) - 1 + (uint64_t)(i % 3));
        edo_wheel_insert(&wheel, &entries[COUNT - 2], start + 60000);
        edo_wheel_insert(&wheel, &entries[COUNT - 1], start + 86400000);
        cr_assert(edo_wheel_check(&wheel));
        cr_assert_eq(run_to(&wheel, start + (1ull << 48)), COUNT);
        cr_assert_eq(wheel.count, 0);
    }
}

Test(wheel, a_deadline_beyond_all_levels_is_neither_lost_nor_early)
{
    struct edo_wheel wheel;
    struct edo_timer_entry far = {0}, near = {0};
    edo_wheel_init(&wheel, 5);
    edo_wheel_insert(&wheel, &far, (1ull << 52) + 7);
    edo_wheel_insert(&wheel, &near, 1ull << 20);
    cr_assert_eq(edo_wheel_poll(&wheel, (1ull << 52) + 6), &near);
    cr_assert_null(edo_wheel_poll(&wheel, (1ull << 52) + 6));
    cr_assert(edo_timer_linked(&far));
    cr_assert_eq(edo_wheel_poll(&wheel, (1ull << 52) + 7), &far);
    cr_assert_eq(wheel.count, 0);
}

Test(wheel, the_earliest_deadline_is_not_behind_one_that_is_rounds_away)
{
    struct edo_wheel wheel;
    struct edo_timer_entry far = {0}, near = {0};
    uint64_t when;
    edo_wheel_init(&wheel, 0);
    edo_wheel_insert(&wheel, &far, (1ull << 48) + (5ull << 42)); /* the slot comes round first */
    edo_wheel_insert(&wheel, &near, 10ull << 42);
    cr_assert(edo_wheel_next(&wheel, &when) && when == 5ull << 42);
    cr_assert(edo_wheel_next_deadline(&wheel, &when) && when == 10ull << 42);
}

Test(wheel, time_may_end)
{
    struct edo_wheel wheel;
    struct edo_timer_entry last = {0}, before = {0};
    edo_wheel_init(&wheel, (1ull << 63) - 3);
    edo_wheel_insert(&wheel, &last, UINT64_MAX);
    edo_wheel_insert(&wheel, &before, 1ull << 63);
    cr_assert_eq(edo_wheel_poll(&wheel, 1ull << 63), &before);
    cr_assert_null(edo_wheel_poll(&wheel, UINT64_MAX - 1));
    cr_assert_eq(edo_wheel_poll(&wheel, UINT64_MAX), &last);
}

Test(wheel, a_deadline_that_has_passed_fires_at_the_next_poll)
{
    struct edo_wheel wheel;
    struct edo_timer_entry entries[3] = {{0}};
    uint64_t when;
    edo_wheel_init(&wheel, 1000);
    edo_wheel_insert(&wheel, &entries[0], 1000);
    edo_wheel_insert(&wheel, &entries[1], 0);
    edo_wheel_insert(&wheel, &entries[2], 999);
    cr_assert(edo_wheel_next(&wheel, &when));
    cr_assert_eq(when, 1000);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(edo_wheel_poll(&wheel, 0), &entries[i], "time does not go backwards");
    cr_assert_null(edo_wheel_poll(&wheel, 1000));
    cr_assert_null(edo_wheel_poll(&wheel, 5));
    cr_assert_eq(wheel.elapsed, 1000);
}

Test(wheel, equal_deadlines_fire_in_the_order_of_arming_across_cascades)
{
    struct edo_wheel wheel;
    enum { COUNT = 64 };
    struct edo_timer_entry entries[COUNT] = {{0}}, pace = {0};
    const uint64_t deadline = 300000;
    edo_wheel_init(&wheel, 0);
    /* Armed ever closer to the deadline, and so at ever lower levels. */
    for (int i = 0; i < COUNT; i++) {
        edo_wheel_insert(&wheel, &entries[i], deadline);
        uint64_t now = deadline - deadline / (uint64_t)(2 + i * i * i);
        edo_wheel_insert(&wheel, &pace, now);
        cr_assert_eq(edo_wheel_poll(&wheel, now), &pace);
        cr_assert_null(edo_wheel_poll(&wheel, now));
    }
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(edo_wheel_poll(&wheel, deadline), &entries[i]);
}

Test(wheel, an_entry_is_removed_at_any_level_and_from_any_place_in_its_slot)
{
    static const uint64_t deadlines[] = {0,      10,         100,        5000,
                                         300000, 1ull << 30, 1ull << 45, 1ull << 60};
    for (size_t d = 0; d < sizeof deadlines / sizeof deadlines[0]; d++) {
        for (int gone = 0; gone < 3; gone++) {
            struct edo_wheel wheel;
            struct edo_timer_entry entries[3] = {{0}};
            edo_wheel_init(&wheel, 1);
            for (int i = 0; i < 3; i++)
                edo_wheel_insert(&wheel, &entries[i], deadlines[d]);
            edo_wheel_remove(&wheel, &entries[gone]);
            cr_assert_not(edo_timer_linked(&entries[gone]));
            for (int i = 0; i < 3; i++)
                if (i != gone)
                    cr_assert_eq(edo_wheel_poll(&wheel, deadlines[d]), &entries[i]);
            cr_assert_null(edo_wheel_poll(&wheel, deadlines[d]));
            cr_assert_eq(wheel.count, 0);
        }
    }
}

Test(wheel, what_fires_may_remove_and_arm_others)
{
    struct edo_wheel wheel;
    struct edo_timer_entry a = {0}, b = {0}, c = {0};
    edo_wheel_init(&wheel, 0);
    edo_wheel_insert(&wheel, &a, 10);
    edo_wheel_insert(&wheel, &b, 10);
    edo_wheel_insert(&wheel, &c, 11);
    cr_assert_eq(edo_wheel_poll(&wheel, 20), &a);
    edo_wheel_remove(&wheel, &b);
    edo_wheel_insert(&wheel, &a, 15);
    cr_assert_eq(edo_wheel_poll(&wheel, 20), &c);
    cr_assert_eq(edo_wheel_poll(&wheel, 20), &a);
    cr_assert_null(edo_wheel_poll(&wheel, 20));
}

Test(wheel, a_leap_of_time_costs_no_more_than_its_timers)
{
    struct edo_wheel wheel;
    struct edo_timer_entry entry = {0};
    edo_wheel_init(&wheel, 0);
    /* A wheel that went tick by tick would not come to an end. */
    for (uint64_t now = 0; now < 1ull << 60; now += 1ull << 50) {
        edo_wheel_insert(&wheel, &entry, now + 1);
        cr_assert_eq(edo_wheel_poll(&wheel, now + (1ull << 49)), &entry);
        cr_assert_null(edo_wheel_poll(&wheel, now + (1ull << 49)));
    }
}

Test(wheel, a_million_armed_and_disarmed_leave_nothing)
{
    enum { COUNT = 1000000 };
    struct edo_timer_entry *entries = calloc(COUNT, sizeof *entries);
    struct edo_census before = edo_census_now();
    struct edo_wheel wheel;
    edo_wheel_init(&wheel, 12345);
    for (int i = 0; i < COUNT; i++)
        edo_wheel_insert(&wheel, &entries[i], 12346 + (uint64_t)i * 7919 % 100000000);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_TIMERS] - before.live[EDO_CENSUS_TIMERS], COUNT);
    for (int i = 0; i < COUNT; i++)
        edo_wheel_remove(&wheel, &entries[i]);
    uint64_t when;
    cr_assert_not(edo_wheel_next(&wheel, &when));
    for (int i = 0; i <= EDO_WHEEL_LEVELS; i++)
        cr_assert_eq(wheel.occupied[i], 0);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_TIMERS], before.live[EDO_CENSUS_TIMERS]);
    free(entries);
}

enum { ENTRIES = 40 };

/* The wheel, and beside it what a list would know: 0 or, in the high half, when it is to fire, in
 * the low half a number that grows with each arming. */
struct pair {
    struct edo_wheel wheel;
    struct edo_timer_entry entries[ENTRIES];
    unsigned __int128 armed[ENTRIES];
    uint64_t order, random;
};

static uint64_t next_random(struct pair *pair) /* xorshift64 */
{
    pair->random ^= pair->random << 13;
    pair->random ^= pair->random >> 7;
    return pair->random ^= pair->random << 17;
}

/* Disarms an entry that is armed; arms one that is not, most at lower levels, some too late. */
static void toggle(struct pair *pair)
{
    uint64_t random = next_random(pair), present = pair->wheel.elapsed;
    size_t i = random % ENTRIES;
    if (pair->armed[i] != 0) {
        edo_wheel_remove(&pair->wheel, &pair->entries[i]);
        pair->armed[i] = 0;
        return;
    }
    uint64_t deadline = present - 3 + (random >> 16 >> random / ENTRIES % 48) * (random % 9);
    edo_wheel_insert(&pair->wheel, &pair->entries[i], deadline);
    pair->armed[i] = (unsigned __int128)(deadline > present ? deadline : present) << 64;
    pair->armed[i] |= ++pair->order;
}

Test(wheel, it_does_what_a_sorted_list_does)
{
    enum { ROUNDS = 150000, SEED = 20261123, UPTIMES = 7 };
    static const int powers[UPTIMES] = {10, 30, 32, 36, 48, 53, 63};
    cr_log_info("seed %d", SEED);
    for (int round = 0, u = 0; u < UPTIMES; round = 0, u++) {
        struct pair pair = {.random = SEED};
        uint64_t now = ((uint64_t)1 << powers[u]) - 900, when;
        edo_wheel_init(&pair.wheel, now);
        for (; round < ROUNDS; round++) {
            toggle(&pair);
            uint64_t random = next_random(&pair);
            if (random % 7 != 0)
                continue;
            now += 1ull << random / 7 % (random % 1001 == 0 ? 50 : 24);
            for (int first;;) {
                first = -1;
                for (int i = 0; i < ENTRIES; i++)
                    if (pair.armed[i] != 0 && (first < 0 || pair.armed[i] < pair.armed[first]))
                        first = i;
                cr_assert_eq(edo_wheel_next_deadline(&pair.wheel, &when), first >= 0);
                cr_assert(first < 0 || when == pair.armed[first] >> 64);
                bool due = first >= 0 && when <= now;
                cr_assert_eq(edo_wheel_poll(&pair.wheel, now), due ? &pair.entries[first] : NULL,
                             "seed %d, up 2^%d, round %d", SEED, powers[u], round);
                if (!due)
                    break;
                pair.armed[first] = 0;
                if (next_random(&pair) % 4 == 0)
                    toggle(&pair); /* as what fires may */
            }
            cr_assert_eq(pair.wheel.elapsed, now);
            cr_assert(edo_wheel_check(&pair.wheel));
        }
    }
}
