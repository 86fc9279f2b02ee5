/* SPDX-License-Identifier: MIT */
/* Sleeps: T1, T2, T6, T7 of the semantics. On a paused clock, but for "never early" itself. */
#include "io_helpers.h"
#include "support/runtimes.h"

/* Sleeps once; the output is how late it was, ns, or a negative error. */
struct nap {
    FUTURE(int64_t);
    uint64_t ms, deadline;
    struct edo_sleep sleep;
};

ASYNC(nap)
{
    ASYNC_BEGIN;
    self->deadline = edo_instant_add(edo_now(), self->ms);
    AWAIT(self->sleep, edo_sleep(self->ms));
    if (self->sleep.output < 0)
        RETURN(self->sleep.output);
    RETURN((int64_t)(edo_now() - self->deadline));
    ASYNC_END;
}

Test(time, sleep_is_never_early_on_the_real_clock)
{
    static const uint64_t durations[] = {0, 1, 2, 3, 7, 20, 63, 64, 65};
    for (size_t i = 0; i < COUNT_OF(durations); i++)
        for (int round = 0; round < 5; round++)
            cr_assert_geq(RUN(NEW(nap, .ms = durations[i])), 0, "%" PRIu64 " ms", durations[i]);
}

Test(time, sleep_is_never_early_and_less_than_a_millisecond_late)
{
    static const uint64_t day = 86400000;
    const uint64_t durations[] = {
        0,          1,          63,         64,        65,         4095,       4096,
        4097,       60000,      262143,     262144,    1u << 24,   day,        12 * day,
        1ull << 30, 25 * day,   1ull << 32, 365 * day, 1ull << 36, 1ull << 40, (1ull << 40) + 1,
        1ull << 42, 1ull << 43,
    };
    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        int64_t late = RUN_PAUSED(NEW(nap, .ms = durations[i]));
        cr_assert(late >= 0 && late < MS, "%" PRIu64 " ms: late by %" PRId64 " ns", durations[i],
                  late);
    }
}

Test(time, sleep_of_nothing_is_ready_without_a_runtime)
{
    struct counting_waker waker = counting_waker();
    struct edo_context cx;
    edo_context_init(&cx, &waker.waker);
    struct edo_sleep sleep = edo_sleep(0);
    cr_assert_eq(edo_future_poll(&sleep.future_, &cx), EDO_READY);
    cr_assert_eq(sleep.output, 0);
    cr_assert(waker.wakes == 0 && waker.clones == 0);
}

Test(time, sleep_without_a_runtime_is_an_error)
{
    struct counting_waker waker = counting_waker();
    struct edo_context cx;
    edo_context_init(&cx, &waker.waker);
    struct edo_sleep sleep = edo_sleep(10);
    cr_assert_eq(edo_future_poll(&sleep.future_, &cx), EDO_READY);
    cr_assert_eq(sleep.output, EDO_ENORUNTIME);
}

/* Nothing goes to the driver: no timer, and the first poll is the last. */
struct naps_of_nothing {
    FUTURE(int);
    struct edo_sleep sleep;
};

ASYNC(naps_of_nothing)
{
    int64_t timers = edo_census_now().live[EDO_CENSUS_TIMERS];
    ASYNC_BEGIN;
    self->sleep = edo_sleep(0);
    cr_assert_eq(edo_future_poll(&self->sleep.future_, cx), EDO_READY);
    self->sleep = edo_sleep_until(edo_now());
    cr_assert_eq(edo_future_poll(&self->sleep.future_, cx), EDO_READY);
    self->sleep = edo_sleep_until(1);
    cr_assert_eq(edo_future_poll(&self->sleep.future_, cx), EDO_READY);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_TIMERS], timers);
    ASYNC_END;
}

Test(time, a_deadline_that_has_passed_does_not_go_to_the_driver)
{
    RUN_PAUSED(NEW(naps_of_nothing));
}

/* The longest sleeps: neither overflow, nor fire, nor spin. */
struct long_naps {
    FUTURE(int);
    struct edo_runtime *runtime;
    uint64_t end;
    struct turns turns;
    struct edo_sleep aeon, huge, never, until_never, tick;
};

ASYNC(long_naps)
{
    ASYNC_BEGIN;
    self->aeon = edo_sleep(1ull << 40);
    self->huge = edo_sleep(UINT64_MAX / MS);
    self->never = edo_sleep(UINT64_MAX);
    self->until_never = edo_sleep_until(UINT64_MAX);
    self->tick = edo_sleep(50);
    SELECT_BIASED {
        WHEN_REF(self->aeon) {
            RETURN(1);
        }
        WHEN_REF(self->huge) {
            RETURN(2);
        }
        WHEN_REF(self->never) {
            RETURN(3);
        }
        WHEN_REF(self->until_never) {
            RETURN(4);
        }
        WHEN_REF(self->tick) {
        }
    }
ASYNC_FINALLY:
    DROP(self->aeon);
    DROP(self->huge);
    DROP(self->never);
    DROP(self->until_never);
    ASYNC_END;
}

Test(time, sleeps_of_aeons_do_not_overflow)
{
    cr_assert_eq(RUN(NEW(long_naps)), 0);
    cr_assert_eq(RUN_PAUSED(NEW(long_naps)), 0);
}

/* Waits for a byte of another thread while a timer that never fires is armed. */
struct never_beside_io {
    FUTURE(int);
    struct edo_runtime *runtime;
    struct turns turns;
    struct edo_tcp *conn;
    int peer;
    char byte;
    struct edo_sleep never;
    struct edo_read read;
};

/* So late that a loop which does not sleep until then has turned often. */
static void *send_byte_later(void *arg)
{
    usleep(100000);
    cr_expect_eq(send(*(int *)arg, "x", 1, MSG_NOSIGNAL), 1);
    return NULL;
}

ASYNC(never_beside_io)
{
    pthread_t thread;
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    turns_start(&self->turns, self->runtime);
    cr_assert_eq(pthread_create(&thread, NULL, send_byte_later, &self->peer), 0);
    pthread_detach(thread);
    self->never = edo_sleep(UINT64_MAX);
    self->read = edo_read(self->conn, &self->byte, 1);
    SELECT {
        WHEN_REF(self->never) {
            RETURN(1);
        }
        WHEN_REF(self->read) {
            RETURN(self->read.output == 1 ? 0 : 2);
        }
    }
ASYNC_FINALLY:
    DROP(self->never);
    DROP(self->read);
    turns_stop(&self->turns);
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(time, a_paused_clock_with_a_timer_that_never_fires_does_not_spin)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    struct never_beside_io future = NEW(never_beside_io, .runtime = runtime);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    cr_assert_eq(future.output, 0);
    cr_assert_lt(future.turns.count, 30, "%" PRIu64 " turns", future.turns.count);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* T2: reset. Each reset is made by a task that holds the sleep borrowed. */
struct resets {
    FUTURE(int);
    uint64_t start;
    struct edo_sleep sleep, aside;
};

#define ELAPSED_MS() ((edo_now() - self->start) / MS)

ASYNC(resets)
{
    ASYNC_BEGIN;
    /* Before the first poll. */
    self->start = edo_now();
    self->sleep = edo_sleep(1000);
    edo_sleep_reset(&self->sleep, edo_instant_add(self->start, 10));
    AWAIT_REF(self->sleep);
    cr_assert_eq(ELAPSED_MS(), 10);

    /* When it is done. */
    cr_assert(edo_sleep_is_elapsed(&self->sleep));
    edo_sleep_reset(&self->sleep, edo_instant_add(edo_now(), 20));
    cr_assert(!edo_sleep_is_elapsed(&self->sleep));
    AWAIT_REF(self->sleep);
    cr_assert_eq(ELAPSED_MS(), 30);

    /* While it waits, to a later time. */
    self->start = edo_now();
    self->sleep = edo_sleep(100);
    SELECT_BIASED {
        WHEN_REF(self->sleep) {
            cr_assert_fail("early");
        }
        WHEN(self->aside, edo_sleep(50)) {
        }
    }
    edo_sleep_reset(&self->sleep, edo_instant_add(edo_now(), 5000));
    AWAIT_REF(self->sleep);
    cr_assert_eq(ELAPSED_MS(), 5050);

    /* While it waits, to an earlier time, and to the present. */
    self->start = edo_now();
    self->sleep = edo_sleep(100000);
    SELECT_BIASED {
        WHEN_REF(self->sleep) {
            cr_assert_fail("early");
        }
        WHEN(self->aside, edo_sleep(50)) {
        }
    }
    edo_sleep_reset(&self->sleep, edo_instant_add(edo_now(), 7));
    SELECT_BIASED {
        WHEN_REF(self->sleep) {
            cr_assert_eq(ELAPSED_MS(), 57);
        }
        WHEN(self->aside, edo_sleep(1000)) {
            cr_assert_fail("late");
        }
    }
    edo_sleep_reset(&self->sleep, edo_instant_add(edo_now(), 100));
    SELECT_BIASED {
        WHEN_REF(self->sleep) {
            cr_assert_fail("early");
        }
        WHEN(self->aside, edo_sleep(1)) {
        }
    }
    edo_sleep_reset(&self->sleep, 0);
    AWAIT_REF(self->sleep);
    cr_assert_eq(ELAPSED_MS(), 58);

    /* At its expiry: it has fired and was not polled. */
    self->start = edo_now();
    self->sleep = edo_sleep(10);
    SELECT_BIASED {
        WHEN(self->aside, edo_sleep(10)) {
            cr_assert(edo_sleep_is_elapsed(&self->sleep));
        }
        WHEN_REF(self->sleep) {
            cr_assert_fail("aside is polled first");
        }
    }
    cr_assert(!edo_future_done(&self->sleep.future_));
    edo_sleep_reset(&self->sleep, edo_instant_add(edo_now(), 15));
    AWAIT_REF(self->sleep);
    cr_assert_eq(ELAPSED_MS(), 25);

    /* To never, and back. */
    self->sleep = edo_sleep(10);
    edo_sleep_reset(&self->sleep, UINT64_MAX);
    SELECT_BIASED {
        WHEN_REF(self->sleep) {
            cr_assert_fail("never");
        }
        WHEN(self->aside, edo_sleep(1000)) {
        }
    }
    edo_sleep_reset(&self->sleep, edo_instant_add(edo_now(), 1));
    AWAIT_REF(self->sleep);
    ASYNC_END;
}

Test(time, reset_moves_the_deadline_before_at_and_after_expiry)
{
    RUN_PAUSED(NEW(resets));
}

/* Armed and dropped by hand, many at a time. */
struct drops {
    FUTURE(int);
    size_t rounds, count;
    struct edo_sleep *sleeps;
};

ASYNC(drops)
{
    uint32_t random = 1;
    ASYNC_BEGIN;
    for (size_t round = 0; round < self->rounds; round++) {
        for (size_t i = 0; i < self->count; i++) {
            random = random * 1664525u + 1013904223u;
            self->sleeps[i] = edo_sleep(1 + (random >> random % 32));
            cx->budget = EDO_UNCONSTRAINED;
            cr_assert_eq(edo_future_poll(&self->sleeps[i].future_, cx), EDO_PENDING);
        }
        cr_assert_eq(edo_census_now().live[EDO_CENSUS_TIMERS], (int64_t)self->count);
        for (size_t i = 0; i < self->count; i++) {
            random = random * 1664525u + 1013904223u;
            edo_future_drop(&self->sleeps[(i + round) % self->count].future_, cx);
        }
        cr_assert_eq(edo_census_now().live[EDO_CENSUS_TIMERS], 0);
    }
    ASYNC_END;
}

Test(time, a_million_timers_armed_and_dropped_leave_nothing)
{
    struct edo_sleep *sleeps = malloc(100000 * sizeof *sleeps);
    /* Paused: none is due before it is dropped, however slow the machine. */
    RUN_PAUSED(NEW(drops, .rounds = 10, .count = 100000, .sleeps = sleeps));
    free(sleeps);
}

/* Tasks that note the order in which they wake. */
struct order {
    size_t count;
    int names[4096];
};

struct noting {
    FUTURE(int);
    struct order *order;
    int name;
    uint64_t deadline;
    struct edo_sleep sleep;
};

ASYNC(noting)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep_until(self->deadline));
    cr_assert_geq(edo_now(), self->deadline);
    self->order->names[self->order->count++] = self->name;
    ASYNC_END;
}

struct equal_deadlines {
    FUTURE(int);
    struct order order;
    uint64_t deadline;
    int i;
    struct edo_sleep sleep;
};

ASYNC(equal_deadlines)
{
    ASYNC_BEGIN;
    self->deadline = edo_instant_add(edo_now(), 5000);
    /* Armed in three bunches, at different times: at first on different levels of the wheel. */
    for (self->i = 0; self->i < 300; self->i++) {
        edo_task_detach(
            SPAWN(NEW(noting, .order = &self->order, .name = self->i, .deadline = self->deadline)));
        if (self->i % 100 == 99)
            AWAIT(self->sleep, edo_sleep(self->i < 100 ? 4000 : 970));
    }
    AWAIT(self->sleep, edo_sleep_until(self->deadline));
    cr_assert_eq(self->order.count, 300);
    for (int i = 0; i < 300; i++)
        cr_assert_eq(self->order.names[i], i);
    ASYNC_END;
}

Test(time, timers_of_one_deadline_fire_in_the_order_of_arming)
{
    RUN_PAUSED(NEW(equal_deadlines));
}

struct mixed_deadlines {
    FUTURE(int);
    struct order order;
    uint64_t deadlines[4096], start;
    struct edo_sleep sleep;
};

ASYNC(mixed_deadlines)
{
    uint32_t random = 7;
    ASYNC_BEGIN;
    self->start = edo_now();
    for (int i = 0; i < 4096; i++) {
        random = random * 1664525u + 1013904223u;
        self->deadlines[i] = edo_instant_add(self->start, random >> random % 31);
        edo_task_detach(
            SPAWN(NEW(noting, .order = &self->order, .name = i, .deadline = self->deadlines[i])));
    }
    AWAIT(self->sleep, edo_sleep(1ull << 33));
    cr_assert_eq(self->order.count, 4096);
    for (int i = 1; i < 4096; i++) {
        int before = self->order.names[i - 1], after = self->order.names[i];
        cr_assert(self->deadlines[before] < self->deadlines[after] ||
                  (self->deadlines[before] == self->deadlines[after] && before < after));
    }
    ASYNC_END;
}

Test(time, timers_fire_in_the_order_of_their_deadlines)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    struct mixed_deadlines *future = malloc(sizeof *future);
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    *future = NEW(mixed_deadlines);
    cr_assert_eq(edo_block_on(runtime, future), 0);
    edo_runtime_drop(runtime);
    free(future);
    check_baseline(&start);
}

/* A sleep that somebody else's executor polls, and that outlives the runtime it is armed in. */
struct arm_foreign {
    FUTURE(int);
    struct edo_sleep *sleep;
    uint64_t ms; /* is to be so long from now, by the runtime's clock; 0: as it is */
    struct counting_waker *waker;
    struct edo_sleep wait;
};

ASYNC(arm_foreign)
{
    struct edo_context foreign;
    ASYNC_BEGIN;
    edo_context_init(&foreign, &self->waker->waker);
    if (self->ms > 0)
        edo_sleep_reset(self->sleep, edo_instant_add(edo_now(), self->ms));
    cr_assert_eq(edo_future_poll(&self->sleep->future_, &foreign), EDO_PENDING);
    cr_assert_eq(self->waker->clones, 1);
    cr_assert_eq(edo_future_poll(&self->sleep->future_, &foreign), EDO_PENDING);
    cr_assert_eq(self->waker->clones, 1);
    AWAIT(self->wait, edo_sleep(10));
    ASYNC_END;
}

Test(time, a_foreign_executors_sleep_is_woken_once_and_its_waker_returned)
{
    struct counting_waker waker = counting_waker();
    struct edo_sleep sleep;
    struct edo_context cx;
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    edo_context_init(&cx, &waker.waker);
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);

    sleep = edo_sleep_until(1);
    struct arm_foreign future = NEW(arm_foreign, .sleep = &sleep, .ms = 5, .waker = &waker);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    cr_assert(waker.wakes == 1 && waker.clones == 0);
    cr_assert_eq(edo_future_poll(&sleep.future_, &cx), EDO_READY);
    cr_assert_eq(sleep.output, 0);

    /* Dropped while armed. */
    sleep = edo_sleep(1ull << 40);
    waker.wakes = 0;
    future = NEW(arm_foreign, .sleep = &sleep, .waker = &waker);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_future_drop(&sleep.future_, &cx);
    cr_assert(waker.wakes == 0 && waker.clones == 0);

    /* The runtime goes first. */
    sleep = edo_sleep(1ull << 40);
    future = NEW(arm_foreign, .sleep = &sleep, .waker = &waker);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    cr_assert(waker.wakes == 1 && waker.clones == 0);
    cr_assert_eq(edo_future_poll(&sleep.future_, &cx), EDO_READY);
    cr_assert_eq(sleep.output, EDO_ESHUTDOWN);
    check_baseline(&start);
}

Test(time, one_that_outlived_its_runtime_is_reset_and_sleeps_in_another)
{
    for (int polled = 0; polled < 2; polled++) {
        struct counting_waker waker = counting_waker();
        struct edo_sleep sleep = edo_sleep(1ull << 40);
        struct edo_context cx;
        struct baseline start = baseline();
        struct edo_runtime *runtime;
        edo_context_init(&cx, &waker.waker);
        cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
        struct arm_foreign future = NEW(arm_foreign, .sleep = &sleep, .waker = &waker);
        cr_assert_eq(edo_block_on(runtime, &future), 0);
        edo_runtime_drop(runtime);
        if (polled)
            cr_assert_eq(edo_future_poll(&sleep.future_, &cx), EDO_READY);
        cr_assert_eq(edo_runtime_new(&runtime), 0);
        edo_sleep_reset(&sleep, edo_instant_add(edo_now(), 1));
        cr_assert_eq(edo_block_on(runtime, &sleep), 0);
        cr_assert_eq(sleep.output, 0);
        edo_runtime_drop(runtime);
        check_baseline(&start);
    }
}

/* Polled with one waker and then with another: it wakes the last. */
struct moved_nap {
    FUTURE(int);
    struct counting_waker *first;
    struct edo_sleep sleep;
};

static enum edo_poll moved_nap_poll(struct edo_future *future, struct edo_context *cx)
{
    struct moved_nap *self = (struct moved_nap *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(&self->sleep.future_, cx);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "moved_nap");
    if (future->state == EDO_STATE_FRESH) {
        struct edo_context first;
        edo_context_init(&first, &self->first->waker);
        future->state = 1;
        self->sleep = edo_sleep(5);
        cr_assert_eq(edo_future_poll(&self->sleep.future_, &first), EDO_PENDING);
    }
    self->output = 0;
    return edo_future_poll(&self->sleep.future_, cx);
}

Test(time, a_sleep_wakes_the_waker_of_its_last_poll)
{
    struct counting_waker first = counting_waker();
    cr_assert_eq(RUN_PAUSED(NEW(moved_nap, .first = &first)), 0);
    cr_assert(first.wakes == 0 && first.clones == 0);
}

/* The runtime goes, a sleep of another executor is told so, and its waker spawns on the runtime. */
static struct edo_handle *going;
static int late_begun, late_ended;

struct late_task {
    FUTURE(int);
};

ASYNC(late_task)
{
    ASYNC_BEGIN;
    late_begun++;
    YIELD_NOW();
    RETURN(0);
ASYNC_FINALLY:
    late_ended++;
    ASYNC_END;
}

static void spawning_wake(struct edo_waker *waker)
{
    counting_wake(waker);
    JOIN_HANDLE(int) task = SPAWN_ON(going, NEW(late_task));
    edo_task_detach(task);
}

Test(time, what_a_waker_spawns_while_the_runtime_goes_is_dropped)
{
    static const struct edo_waker_ops ops = {spawning_wake, counting_clone, counting_drop, NULL,
                                             NULL};
    struct counting_waker waker = {.waker = {&ops}};
    struct edo_sleep sleep = edo_sleep_until(1);
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    going = edo_handle_clone(edo_runtime_handle(runtime));
    edo_sleep_reset(&sleep, UINT64_MAX - 1);
    struct arm_foreign future = NEW(arm_foreign, .sleep = &sleep, .waker = &waker);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    cr_assert(waker.wakes == 1 && waker.clones == 0);
    cr_assert(late_begun == 0 && late_ended == 1);
    edo_handle_drop(going);
    struct edo_context cx;
    edo_context_init(&cx, &waker.waker);
    cr_assert_eq(edo_future_poll(&sleep.future_, &cx), EDO_READY);
    check_baseline(&start);
}

/* A sleep costs the loop a few turns, not a spin until its time. */
struct counted_nap {
    FUTURE(int);
    struct edo_runtime *runtime;
    struct turns turns;
    struct edo_sleep sleep;
    int i;
};

ASYNC(counted_nap)
{
    uint64_t end;
    ASYNC_BEGIN;
    turns_start(&self->turns, self->runtime);
    for (self->i = 0; self->i < 10; self->i++) {
        /* A long poll before it: the loop's own time is an old one. */
        for (end = edo_now() + 5 * MS; edo_now() < end;)
            ;
        AWAIT(self->sleep, edo_sleep(20));
    }
ASYNC_FINALLY:
    turns_stop(&self->turns);
    ASYNC_END;
}

Test(time, a_sleep_takes_few_turns_of_the_loop)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct counted_nap future = NEW(counted_nap, .runtime = runtime);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    cr_assert_leq(future.turns.count, 50, "%" PRIu64 " turns", future.turns.count);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}
