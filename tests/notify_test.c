/* SPDX-License-Identifier: MIT */
#include "hostile_waker.h"

#include <pthread.h>

#include "edo.h"
#include "internal/park.h"
#include "pursue.h"
#include "support/runtimes.h"

static struct edo_notify notify;

static void begin(struct bench *bench)
{
    bench_begin(bench);
    edo_notify_init(&notify);
}

static void end(struct bench *bench)
{
    edo_notify_destroy(&notify);
    bench_end(bench);
}

Test(notify, one_permit_is_kept_and_not_two)
{
    struct bench bench;
    begin(&bench);
    edo_notify_one(&notify);
    edo_notify_one(&notify);
    struct edo_notified first = edo_notified(&notify), second = edo_notified(&notify);
    cr_assert_eq(POLL(first), EDO_READY);
    cr_assert_eq(POLL(second), EDO_PENDING);
    DROP_IT(second);
    end(&bench);
}

Test(notify, last_keeps_a_permit_too)
{
    struct bench bench;
    begin(&bench);
    edo_notify_last(&notify);
    struct edo_notified first = edo_notified(&notify);
    cr_assert_eq(POLL(first), EDO_READY);
    end(&bench);
}

Test(notify, one_wakes_the_first_and_last_the_last)
{
    struct bench bench;
    begin(&bench);
    struct edo_notified waiters[4];
    for (int i = 0; i < 4; i++) {
        waiters[i] = edo_notified(&notify);
        cr_assert_eq(POLL(waiters[i]), EDO_PENDING);
    }
    edo_notify_one(&notify);
    edo_notify_last(&notify);
    cr_assert_eq(bench.counter.wakes, 2);
    cr_assert_eq(POLL(waiters[1]), EDO_PENDING);
    cr_assert_eq(POLL(waiters[2]), EDO_PENDING);
    cr_assert_eq(POLL(waiters[0]), EDO_READY);
    cr_assert_eq(POLL(waiters[3]), EDO_READY);
    DROP_IT(waiters[1]);
    DROP_IT(waiters[2]);
    end(&bench);
}

Test(notify, waiters_wakes_those_made_before_and_keeps_no_permit)
{
    struct bench bench;
    begin(&bench);
    struct edo_notified polled = edo_notified(&notify), enabled = edo_notified(&notify),
                        made = edo_notified(&notify);
    cr_assert_eq(POLL(polled), EDO_PENDING);
    cr_assert_not(edo_notified_enable(&enabled));
    edo_notify_waiters(&notify);
    cr_assert_eq(bench.counter.wakes, 1);
    struct edo_notified after = edo_notified(&notify);
    cr_assert_eq(POLL(after), EDO_PENDING);
    cr_assert_eq(POLL(polled), EDO_READY);
    cr_assert_eq(POLL(enabled), EDO_READY);
    cr_assert_eq(POLL(made), EDO_READY);
    DROP_IT(after);
    end(&bench);
}

Test(notify, waiters_leaves_a_kept_permit_alone)
{
    struct bench bench;
    begin(&bench);
    edo_notify_one(&notify);
    struct edo_notified made = edo_notified(&notify);
    edo_notify_waiters(&notify);
    cr_assert_eq(POLL(made), EDO_READY);
    struct edo_notified next = edo_notified(&notify);
    cr_assert_eq(POLL(next), EDO_READY);
    end(&bench);
}

Test(notify, waiters_wakes_hundreds)
{
    struct bench bench;
    begin(&bench);
    static struct edo_notified waiters[300];
    for (int i = 0; i < 300; i++) {
        waiters[i] = edo_notified(&notify);
        cr_assert_eq(POLL(waiters[i]), EDO_PENDING);
        bench.cx.budget = EDO_BUDGET;
    }
    edo_notify_waiters(&notify);
    cr_assert_eq(bench.counter.wakes, 300);
    for (int i = 0; i < 300; i++) {
        cr_assert_eq(POLL(waiters[i]), EDO_READY);
        bench.cx.budget = EDO_BUDGET;
    }
    end(&bench);
}

Test(notify, a_chosen_one_that_is_dropped_passes_it_to_the_next)
{
    struct bench bench;
    begin(&bench);
    struct edo_notified first = edo_notified(&notify), second = edo_notified(&notify);
    cr_assert_eq(POLL(first), EDO_PENDING);
    cr_assert_eq(POLL(second), EDO_PENDING);
    edo_notify_one(&notify);
    DROP_IT(first);
    cr_assert_eq(bench.counter.wakes, 2);
    cr_assert_eq(POLL(second), EDO_READY);
    end(&bench);
}

Test(notify, a_last_one_that_is_dropped_passes_it_to_the_last)
{
    struct bench bench;
    begin(&bench);
    struct edo_notified waiters[3];
    for (int i = 0; i < 3; i++) {
        waiters[i] = edo_notified(&notify);
        cr_assert_eq(POLL(waiters[i]), EDO_PENDING);
    }
    edo_notify_last(&notify);
    DROP_IT(waiters[2]);
    cr_assert_eq(POLL(waiters[0]), EDO_PENDING);
    cr_assert_eq(POLL(waiters[1]), EDO_READY);
    DROP_IT(waiters[0]);
    end(&bench);
}

Test(notify, a_chosen_one_that_is_dropped_with_nobody_behind_leaves_a_permit)
{
    struct bench bench;
    begin(&bench);
    struct edo_notified first = edo_notified(&notify);
    cr_assert_eq(POLL(first), EDO_PENDING);
    edo_notify_one(&notify);
    DROP_IT(first);
    struct edo_notified next = edo_notified(&notify);
    cr_assert_eq(POLL(next), EDO_READY);
    end(&bench);
}

Test(notify, one_chosen_by_waiters_that_is_dropped_passes_nothing_on)
{
    struct bench bench;
    begin(&bench);
    struct edo_notified first = edo_notified(&notify);
    cr_assert_eq(POLL(first), EDO_PENDING);
    edo_notify_waiters(&notify);
    DROP_IT(first);
    struct edo_notified next = edo_notified(&notify);
    cr_assert_eq(POLL(next), EDO_PENDING);
    DROP_IT(next);
    end(&bench);
}

Test(notify, one_that_was_never_polled_takes_nothing)
{
    struct bench bench;
    begin(&bench);
    struct edo_notified never = edo_notified(&notify), waits = edo_notified(&notify);
    cr_assert_eq(POLL(waits), EDO_PENDING);
    edo_notify_one(&notify);
    DROP_IT(never);
    cr_assert_eq(POLL(waits), EDO_READY);
    end(&bench);
}

Test(notify, enable_takes_a_permit_and_a_place)
{
    struct bench bench;
    begin(&bench);
    struct edo_notified first = edo_notified(&notify), second = edo_notified(&notify);
    cr_assert_not(edo_notified_enable(&first));
    cr_assert_not(edo_notified_enable(&first));
    cr_assert_eq(POLL(second), EDO_PENDING);
    edo_notify_one(&notify);
    cr_assert(edo_notified_enable(&first));
    cr_assert_eq(POLL(second), EDO_PENDING);
    cr_assert_eq(POLL(first), EDO_READY);
    edo_notify_one(&notify);
    cr_assert_eq(POLL(second), EDO_READY);
    edo_notify_one(&notify);
    struct edo_notified third = edo_notified(&notify);
    cr_assert(edo_notified_enable(&third));
    cr_assert_eq(POLL(third), EDO_READY);
    end(&bench);
}

Test(notify, a_waker_is_replaced_by_that_of_the_last_poll)
{
    struct bench bench;
    begin(&bench);
    struct counter other = {.waker = {&counter_stable}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    struct edo_notified waits = edo_notified(&notify);
    cr_assert_eq(POLL(waits), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&waits.future_, &second), EDO_PENDING);
    edo_notify_one(&notify);
    cr_assert_eq(bench.counter.wakes, 0);
    cr_assert_eq(other.wakes, 1);
    cr_assert_eq(edo_future_poll(&waits.future_, &second), EDO_READY);
    end(&bench);
}

Test(notify, without_budget_it_gives_way_and_takes_no_permit)
{
    struct bench bench;
    begin(&bench);
    edo_notify_one(&notify);
    struct edo_notified waits = edo_notified(&notify);
    bench.cx.budget = 0;
    cr_assert_eq(POLL(waits), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 1);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(waits), EDO_READY);
    cr_assert_eq(bench.cx.budget, 0);
    end(&bench);
}

Test(notify, one_that_waits_and_is_dropped_is_passed_over)
{
    struct bench bench;
    begin(&bench);
    struct edo_notified gone = edo_notified(&notify), enabled = edo_notified(&notify),
                        stays = edo_notified(&notify);
    cr_assert_eq(POLL(gone), EDO_PENDING);
    cr_assert_not(edo_notified_enable(&enabled));
    cr_assert_eq(POLL(stays), EDO_PENDING);
    DROP_IT(gone);
    DROP_IT(enabled);
    edo_notify_one(&notify);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(stays), EDO_READY);
    end(&bench);
}

Test(notify, an_enabled_one_that_is_chosen_and_dropped_passes_it_on)
{
    struct bench bench;
    begin(&bench);
    struct edo_notified first = edo_notified(&notify), second = edo_notified(&notify);
    cr_assert_not(edo_notified_enable(&first));
    cr_assert_eq(POLL(second), EDO_PENDING);
    edo_notify_one(&notify);
    cr_assert_eq(bench.counter.wakes, 0, "it has no waker");
    DROP_IT(first);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(second), EDO_READY);
    edo_notify_one(&notify);
    struct edo_notified takes = edo_notified(&notify);
    cr_assert(edo_notified_enable(&takes));
    DROP_IT(takes);
    struct edo_notified next = edo_notified(&notify);
    cr_assert_eq(POLL(next), EDO_READY, "the permit that it took");
    end(&bench);
}

Test(notify, a_trace_names_it_and_it_allocates_nothing)
{
    struct bench bench;
    begin(&bench);
    edo_alloc_fail(1, true);
    struct edo_notified waits = edo_notified(&notify);
    cr_assert_eq(POLL(waits), EDO_PENDING);
    edo_future_trace(&waits.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_notified\n");
    edo_notify_one(&notify);
    cr_assert_eq(POLL(waits), EDO_READY);
    edo_notify_last(&notify);
    edo_notify_waiters(&notify);
    cr_assert_not(edo_alloc_fail(0, false));
    end(&bench);
}

static void notifies_all(void)
{
    edo_notify_waiters(&notify);
}

Test(notify, no_lock_is_held_while_a_waker_runs)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, notifies_all);
    edo_notify_init(&notify);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    struct edo_notified woken = edo_notified(&notify);
    edo_notified_enable(&woken);
    cr_assert_eq(POLL(woken), EDO_READY); /* its clone notified it */
    struct edo_notified moved = edo_notified(&notify), dropped = edo_notified(&notify);
    cr_assert_eq(POLL(moved), EDO_READY);
    cr_assert_eq(POLL(dropped), EDO_READY);
    edo_notify_one(&notify);
    struct edo_notified last = edo_notified(&notify);
    cr_assert_eq(edo_future_poll(&last.future_, &second), EDO_READY);
    cr_assert_eq(other.clones, other.drops);
    edo_notify_destroy(&notify);
    hostile_end(&bench);
}

static struct edo_notified rigged[3];

static void notifies_one(void)
{
    edo_notify_one(&notify);
}

static void first_gives_up(void)
{
    edo_future_drop(&rigged[0].future_, &hostile.bench->cx);
}

static void all_give_up(void)
{
    for (int i = 0; i < 3; i++)
        edo_future_drop(&rigged[i].future_, &hostile.bench->cx);
}

static void rigged_wait(struct bench *bench)
{
    hostile_begin(bench, &hostile_foreign, NULL);
    edo_notify_init(&notify);
    for (int i = 0; i < 3; i++) {
        rigged[i] = edo_notified(&notify);
        cr_assert_eq(POLL_BY(rigged[i], &bench->cx), EDO_PENDING);
    }
}

Test(notify, a_clone_that_notifies_is_not_missed)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, NULL);
    edo_notify_init(&notify);
    rigged[0] = edo_notified(&notify);
    hostile.in_clone.act = notifies_one;
    cr_assert_eq(POLL(rigged[0]), EDO_READY);
    rigged[0] = edo_notified(&notify);
    hostile.in_clone.act = notifies_all;
    cr_assert_eq(POLL(rigged[0]), EDO_READY);
    rigged[0] = edo_notified(&notify);
    cr_assert_eq(POLL(rigged[0]), EDO_PENDING, "no permit is left");
    DROP_IT(rigged[0]);
    edo_notify_destroy(&notify);
    hostile_end(&bench);
}

Test(notify, one_that_gives_up_when_it_is_woken_passes_it_on)
{
    struct bench bench;
    rigged_wait(&bench);
    hostile.in_wake.act = first_gives_up;
    edo_notify_one(&notify);
    cr_assert_eq(bench.counter.wakes, 2);
    cr_assert_eq(POLL(rigged[1]), EDO_READY);
    cr_assert_eq(POLL(rigged[2]), EDO_PENDING);
    DROP_IT(rigged[2]);
    edo_notify_destroy(&notify);
    hostile_end(&bench);

    rigged_wait(&bench);
    hostile.in_wake.act = all_give_up;
    edo_notify_waiters(&notify);
    struct edo_notified next = edo_notified(&notify);
    cr_assert_eq(POLL(next), EDO_PENDING, "nothing was passed on");
    DROP_IT(next);
    edo_notify_destroy(&notify);
    hostile_end(&bench);
}

/* More than are woken at once; while the first are, one of the others is dropped, one waits anew. */
enum { HORDE = 80 };
static struct edo_notified horde[HORDE + 1];

static void horde_changes(void)
{
    edo_future_drop(&horde[HORDE - 1].future_, &hostile.bench->cx);
    horde[HORDE] = edo_notified(&notify);
    cr_assert_eq(POLL_BY(horde[HORDE], &hostile.bench->cx), EDO_PENDING);
}

Test(notify, they_come_and_go_while_the_others_are_woken)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, NULL);
    edo_notify_init(&notify);
    for (int i = 0; i < HORDE; i++) {
        horde[i] = edo_notified(&notify);
        cr_assert_eq(POLL(horde[i]), EDO_PENDING);
    }
    hostile.in_wake.act = horde_changes;
    edo_notify_waiters(&notify);
    cr_assert_eq(bench.counter.wakes, HORDE - 1);
    for (int i = 0; i < HORDE - 1; i++)
        cr_assert_eq(POLL(horde[i]), EDO_READY);
    cr_assert_eq(POLL(horde[HORDE]), EDO_PENDING, "it came when they had been notified");
    DROP_IT(horde[HORDE]);
    edo_notify_destroy(&notify);
    hostile_end(&bench);
}

/* Two threads, a runtime in each, hand a plain number to and fro. */
enum { ROUNDS = 20000 };
static struct edo_notify ping, pong;
static int ball;

struct player {
    FUTURE(int);
    struct edo_notify *mine, *theirs;
    int round, first;
    struct edo_notified notified;
};

ASYNC(player)
{
    ASYNC_BEGIN;
    for (self->round = 0; self->round < ROUNDS; self->round++) {
        AWAIT(self->notified, edo_notified(self->mine));
        cr_assert_eq(ball, 2 * self->round + self->first);
        ball++;
        edo_notify_one(self->theirs);
    }
    RETURN(0);
    ASYNC_END;
}

static void *play(void *arg)
{
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(test_block_on_(runtime, arg), 0);
    edo_runtime_drop(runtime);
    return NULL;
}

Test(notify, what_was_written_before_is_seen_across_threads)
{
    struct edo_census before = edo_census_now();
    edo_notify_init(&ping);
    edo_notify_init(&pong);
    struct player first = NEW(player, .mine = &ping, .theirs = &pong, .first = 0);
    struct player second = NEW(player, .mine = &pong, .theirs = &ping, .first = 1);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, play, &second.future_), 0);
    edo_notify_one(&ping);
    play(&first.future_);
    pthread_join(thread, NULL);
    cr_assert_eq(ball, 2 * ROUNDS);
    edo_notify_destroy(&ping);
    edo_notify_destroy(&pong);
    struct edo_census after = edo_census_now();
    cr_assert_arr_eq(before.live, after.live, sizeof before.live);
}

/* Threads that put something down and notify, others that look for it and wait, and give up as it
 * happens: nothing stays where it is while somebody waits. */
enum { STORM_THREADS = 4, STORM_THINGS = 4000 };
static struct edo_notify things_there, all_done;
static _Atomic(int) things, things_taken;

static bool storm_take(void)
{
    int there = edo_load(&things, relaxed);
    while (there > 0)
        if (edo_cas_weak(&things, &there, there - 1, acq_rel, relaxed))
            return true;
    return false;
}

static void *storm_takes(void *arg)
{
    unsigned *seed = arg;
    for (;;) {
        struct edo_notified end = edo_notified(&all_done);
        if (edo_load(&things_taken, acquire) == STORM_THREADS * STORM_THINGS)
            return NULL;
        struct edo_notified there = edo_notified(&things_there);
        if (rand_r(seed) % 4 == 0)
            edo_notified_enable(&there);
        if (storm_take()) {
            struct edo_context cx;
            struct counter nobody = {.waker = {&counter_stable}};
            edo_context_init(&cx, &nobody.waker);
            edo_future_drop(&there.future_, &cx);
            if (edo_fetch_add(&things_taken, 1, acq_rel) + 1 == STORM_THREADS * STORM_THINGS) {
                edo_notify_waiters(&all_done);
                edo_notify_waiters(&things_there);
            }
            continue;
        }
        bool last = edo_load(&things_taken, acquire) == STORM_THREADS * STORM_THINGS;
        pursue(&there.future_, !last && rand_r(seed) % 2, seed);
        pursue(&end.future_, last, seed);
    }
}

static void *storm_puts(void *arg)
{
    unsigned *seed = arg;
    for (int i = 0; i < STORM_THINGS; i++) {
        edo_fetch_add(&things, 1, release);
        (rand_r(seed) % 2 ? edo_notify_one : edo_notify_last)(&things_there);
        if (rand_r(seed) % 64 == 0)
            sched_yield();
    }
    return NULL;
}

Test(notify, whatever_threads_do_no_notification_is_lost)
{
    struct bench bench;
    bench_begin(&bench);
    unsigned seed = pursue_seed(), seeds[2 * STORM_THREADS];
    pthread_t threads[2 * STORM_THREADS];
    edo_notify_init(&things_there);
    edo_notify_init(&all_done);
    for (int i = 0; i < 2 * STORM_THREADS; i++) {
        seeds[i] = (unsigned)rand_r(&seed);
        cr_assert_eq(pthread_create(&threads[i], NULL, i < STORM_THREADS ? storm_takes : storm_puts,
                                    &seeds[i]),
                     0);
    }
    for (int i = 0; i < 2 * STORM_THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(things, 0);
    edo_notify_destroy(&things_there);
    edo_notify_destroy(&all_done);
    bench_end(&bench);
}

/* On a thread of no executor: it sleeps; and in a task, where that would stop the others, it refuses. */
static void *notify_later(void *arg)
{
    *(int *)arg = 1;
    edo_notify_one(&notify);
    return NULL;
}

Test(notify, a_plain_thread_waits)
{
    struct bench bench;
    begin(&bench);
    for (int i = 0; i < 20; i++) {
        int told = 0;
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, notify_later, &told), 0);
        struct edo_notified notified = edo_notified(&notify);
        cr_assert_eq(edo_park_on(&notified.future_), 0);
        cr_assert_eq(told, 1);
        pthread_join(thread, NULL);
    }
    end(&bench);
}

struct blocks_in_task {
    FUTURE(int);
};

ASYNC(blocks_in_task)
{
    ASYNC_BEGIN;
    struct edo_notified notified = edo_notified(&notify);
    int error = edo_park_on(&notified.future_);
    RETURN(error);
    ASYNC_END;
}

Test(notify, a_task_does_not_park_its_thread)
{
    struct bench bench;
    begin(&bench);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct blocks_in_task blocks = NEW(blocks_in_task);
    cr_assert_eq(test_block_on(runtime, &blocks), 0);
    cr_assert_eq(blocks.output, EDO_ENESTED);
    edo_runtime_drop(runtime);
    end(&bench);
}

Test(notify, a_parked_thread_without_memory)
{
    struct bench bench;
    begin(&bench);
    edo_notify_one(&notify);
    edo_alloc_fail(1, false);
    struct edo_notified notified = edo_notified(&notify);
    cr_assert_eq(edo_park_on(&notified.future_), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    end(&bench);
}
