/* SPDX-License-Identifier: MIT */
/* Intervals: T4 of the semantics. */
#include "io_helpers.h"
#include "support/runtimes.h"

/* Ticks of 100 ms, with a stall of `stall` ms after the third. Notes when each tick came and for when
 * it was due, in ms since the start. */
struct stalled {
    FUTURE(int);
    enum edo_missed_tick missed;
    uint64_t start, stall;
    uint64_t came[10], due[10];
    int i;
    struct edo_interval interval;
    struct edo_interval_tick tick;
    struct edo_time_advance advance;
};

ASYNC(stalled)
{
    ASYNC_BEGIN;
    self->start = edo_now();
    self->interval = edo_interval(100);
    self->interval.missed = self->missed;
    for (self->i = 0; self->i < 10; self->i++) {
        AWAIT(self->tick, edo_interval_tick(&self->interval));
        cr_assert_eq(self->tick.output, 0);
        self->came[self->i] = (edo_now() - self->start) / MS;
        self->due[self->i] = (self->tick.at - self->start) / MS;
        if (self->i == 2)
            AWAIT(self->advance, edo_time_advance(self->stall));
    }
    ASYNC_END;
}

static void check_pattern(enum edo_missed_tick missed, uint64_t stall, const uint64_t came[10],
                          const uint64_t due[10])
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    struct stalled future = NEW(stalled, .missed = missed, .stall = stall);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(future.came[i], came[i], "tick %d came at %" PRIu64, i, future.came[i]);
        cr_assert_eq(future.due[i], due[i], "tick %d was due at %" PRIu64, i, future.due[i]);
    }
}

Test(interval, the_first_tick_is_at_once_and_the_others_a_period_apart)
{
    static const uint64_t even[10] = {0, 100, 200, 300, 400, 500, 600, 700, 800, 900};
    check_pattern(EDO_MISSED_BURST, 0, even, even);
    check_pattern(EDO_MISSED_DELAY, 99, even, even);
    check_pattern(EDO_MISSED_SKIP, 99, even, even);
}

Test(interval, burst_catches_up)
{
    check_pattern(EDO_MISSED_BURST, 350,
                  (const uint64_t[10]){0, 100, 200, 550, 550, 550, 600, 700, 800, 900},
                  (const uint64_t[10]){0, 100, 200, 300, 400, 500, 600, 700, 800, 900});
}

Test(interval, delay_goes_on_a_period_after_the_late_tick)
{
    check_pattern(EDO_MISSED_DELAY, 350,
                  (const uint64_t[10]){0, 100, 200, 550, 650, 750, 850, 950, 1050, 1150},
                  (const uint64_t[10]){0, 100, 200, 300, 650, 750, 850, 950, 1050, 1150});
}

Test(interval, skip_goes_on_at_the_next_multiple)
{
    check_pattern(EDO_MISSED_SKIP, 350,
                  (const uint64_t[10]){0, 100, 200, 550, 600, 700, 800, 900, 1000, 1100},
                  (const uint64_t[10]){0, 100, 200, 300, 600, 700, 800, 900, 1000, 1100});
    /* Late by whole periods: the next multiple is a period away. */
    check_pattern(EDO_MISSED_SKIP, 300,
                  (const uint64_t[10]){0, 100, 200, 500, 600, 700, 800, 900, 1000, 1100},
                  (const uint64_t[10]){0, 100, 200, 300, 600, 700, 800, 900, 1000, 1100});
}

/* Late by a few milliseconds is not missed: the ticks stay on their grid. */
Test(interval, a_little_late_is_not_missed)
{
    const uint64_t came[10] = {0, 100, 200, 305, 400, 500, 600, 700, 800, 900};
    const uint64_t due[10] = {0, 100, 200, 300, 400, 500, 600, 700, 800, 900};
    check_pattern(EDO_MISSED_DELAY, 105, came, due);
    check_pattern(EDO_MISSED_SKIP, 105, came, due);
}

struct resets {
    FUTURE(int);
    uint64_t start;
    struct edo_interval interval;
    struct edo_interval_tick tick;
    struct edo_sleep sleep;
};

#define TICK_AT(ms)                                                    \
    do {                                                               \
        AWAIT(self->tick, edo_interval_tick(&self->interval));         \
        cr_assert_eq((edo_now() - self->start) / MS, (ms), "%" PRIu64, \
                     (edo_now() - self->start) / MS);                  \
    } while (0)

ASYNC(resets)
{
    ASYNC_BEGIN;
    self->start = edo_now();
    self->interval = edo_interval_at(edo_instant_add(self->start, 30), 100);
    TICK_AT(30);
    TICK_AT(130);
    AWAIT(self->sleep, edo_sleep(50));
    edo_interval_reset(&self->interval);
    TICK_AT(280);
    TICK_AT(380);
    AWAIT(self->sleep, edo_sleep(10));
    edo_interval_reset_immediately(&self->interval);
    TICK_AT(390);
    TICK_AT(490);
    edo_interval_reset_after(&self->interval, 7);
    TICK_AT(497);
    TICK_AT(597);
    edo_interval_reset_at(&self->interval, edo_instant_add(self->start, 1000));
    TICK_AT(1000);
    TICK_AT(1100);
    /* To never. */
    edo_interval_reset_after(&self->interval, UINT64_MAX);
    SELECT_BIASED {
        WHEN(self->tick, edo_interval_tick(&self->interval)) {
            cr_assert_fail("never");
        }
        WHEN(self->sleep, edo_sleep(1000000)) {
        }
    }
    ASYNC_END;
}

Test(interval, reset_moves_the_next_tick)
{
    RUN_PAUSED(NEW(resets));
}

struct cancels {
    FUTURE(int);
    uint64_t start;
    int i;
    struct edo_interval interval, moved;
    struct edo_interval_tick tick;
    struct edo_sleep sleep;
};

ASYNC(cancels)
{
    ASYNC_BEGIN;
    self->start = edo_now();
    self->interval = edo_interval(100);
    AWAIT(self->tick, edo_interval_tick(&self->interval));
    /* Dropped again and again, it loses no tick and makes none. */
    for (self->i = 0; self->i < 9; self->i++) {
        SELECT_BIASED {
            WHEN(self->tick, edo_interval_tick(&self->interval)) {
                cr_assert_fail("early");
            }
            WHEN(self->sleep, edo_sleep(10)) {
            }
        }
    }
    /* And may be moved between ticks. */
    self->moved = self->interval;
    AWAIT(self->tick, edo_interval_tick(&self->moved));
    cr_assert_eq((edo_now() - self->start) / MS, 100);
    ASYNC_END;
}

Test(interval, a_tick_that_is_dropped_is_not_lost)
{
    RUN_PAUSED(NEW(cancels));
}

struct odd_periods {
    FUTURE(int);
    struct edo_interval interval;
    struct edo_interval_tick tick;
};

ASYNC(odd_periods)
{
    ASYNC_BEGIN;
    self->interval = edo_interval(0);
    AWAIT(self->tick, edo_interval_tick(&self->interval));
    cr_assert_eq(self->tick.output, UV_EINVAL);
    /* The first tick of the longest period comes, the second never: it does not overflow. */
    self->interval = edo_interval(UINT64_MAX);
    AWAIT(self->tick, edo_interval_tick(&self->interval));
    cr_assert_eq(self->tick.output, 0);
    cr_assert_eq(self->interval.next, UINT64_MAX);
    self->interval.missed = EDO_MISSED_SKIP;
    edo_interval_reset_at(&self->interval, 1);
    AWAIT(self->tick, edo_interval_tick(&self->interval));
    cr_assert_gt(self->interval.next, edo_now());
    self->interval.missed = EDO_MISSED_DELAY;
    edo_interval_reset_at(&self->interval, 1);
    AWAIT(self->tick, edo_interval_tick(&self->interval));
    cr_assert_eq(self->interval.next, UINT64_MAX);
    ASYNC_END;
}

Test(interval, periods_of_nothing_and_of_for_ever)
{
    RUN_PAUSED(NEW(odd_periods));
}

/* On the real clock: no tick is early, and they do not drift. */
struct real {
    FUTURE(int);
    int i;
    struct edo_interval interval;
    struct edo_interval_tick tick;
    uint64_t start;
};

ASYNC(real)
{
    ASYNC_BEGIN;
    self->start = edo_now();
    self->interval = edo_interval_at(self->start, 3);
    for (self->i = 0; self->i < 30; self->i++) {
        AWAIT(self->tick, edo_interval_tick(&self->interval));
        cr_assert_geq(edo_now(), self->tick.at);
        cr_assert_eq(self->tick.at, self->start + (uint64_t)self->i * 3 * MS);
    }
    ASYNC_END;
}

Test(interval, ticks_are_never_early_and_do_not_drift)
{
    RUN(NEW(real));
}
