/* SPDX-License-Identifier: MIT */
#include "hostile_waker.h"

#include <pthread.h>

#include "edo.h"
#include "internal/park.h"

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
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    cr_assert_eq(edo_block_on_(runtime, arg), 0);
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
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct blocks_in_task blocks = NEW(blocks_in_task);
    cr_assert_eq(edo_block_on(runtime, &blocks), 0);
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
