/* SPDX-License-Identifier: MIT */
/* The timer wheel by itself: no clock, no loop. */
#include <criterion/criterion.h>
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
            cr_assert_eq(entry->deadline, when, "deadline %lu fired at %lu",
                         (unsigned long)entry->deadline, (unsigned long)when);
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
    static const uint64_t after[] = {
        1,          63,         64,         65,
        4095,       4096,       4097,       262143,
        262144,     60000,      86400000,   1ull << 30,
        1ull << 31, 1ull << 32, 1ull << 36, (1ull << 40) - 1,
        1ull << 40, 1ull << 47,
    };
    enum { COUNT = sizeof after / sizeof after[0] };
    static const uint64_t starts[] = {
        0, 1, 63, 64, 4095, (1ull << 30) - 1, (1ull << 32) - 1, (1ull << 36) - 1, (1ull << 53) - 1,
    };
    for (size_t s = 0; s < sizeof starts / sizeof starts[0]; s++) {
        struct edo_wheel wheel;
        struct edo_timer_entry entries[COUNT] = {{0}};
        edo_wheel_init(&wheel, starts[s]);
        for (int i = 0; i < COUNT; i++)
            edo_wheel_insert(&wheel, &entries[i], starts[s] + after[i]);
        cr_assert_eq(run_to(&wheel, starts[s] + (1ull << 48)), COUNT);
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
    for (int i = 0; i < EDO_WHEEL_LEVELS; i++)
        cr_assert_eq(wheel.occupied[i], 0);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_TIMERS], before.live[EDO_CENSUS_TIMERS]);
    free(entries);
}

/* The same calls on the wheel and on a plain array that is searched from end to end. */
Test(wheel, it_does_what_a_sorted_list_does)
{
    enum { COUNT = 40, ROUNDS = 400000 };
    struct edo_wheel wheel;
    struct edo_timer_entry entries[COUNT] = {{0}};
    uint64_t armed[COUNT] = {0}, order = 0, now = 977;
    uint32_t seed = 20261123;
    edo_wheel_init(&wheel, now);
    for (int round = 0; round < ROUNDS; round++) {
        seed = seed * 1103515245u + 12345u;
        uint32_t random = seed >> 8;
        int i = (int)(random % COUNT);
        if (random % 7 == 0) {
            now += 1ull << random / 7 % 24;
            for (;;) {
                int first = -1;
                for (int k = 0; k < COUNT; k++)
                    if (armed[k] != 0 && entries[k].deadline <= now &&
                        (first < 0 || entries[k].deadline < entries[first].deadline ||
                         (entries[k].deadline == entries[first].deadline &&
                          armed[k] < armed[first])))
                        first = k;
                struct edo_timer_entry *entry = edo_wheel_poll(&wheel, now);
                cr_assert_eq(entry, first < 0 ? NULL : &entries[first], "round %d", round);
                if (first < 0)
                    break;
                armed[first] = 0;
            }
        } else if (armed[i] != 0) {
            edo_wheel_remove(&wheel, &entries[i]);
            armed[i] = 0;
        } else {
            edo_wheel_insert(&wheel, &entries[i], now + 1 + (random >> random % 20) % (1u << 22));
            armed[i] = ++order;
        }
    }
}
