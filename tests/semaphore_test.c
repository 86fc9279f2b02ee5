/* SPDX-License-Identifier: MIT */
#include "hostile_waker.h"

#include <pthread.h>

#include "edo.h"
#include "pursue.h"
#include "support/runtimes.h"

#define ACQUIRE(n, permit) edo_semaphore_acquire_many(&semaphore, (n), &(permit))

Test(semaphore, permits_are_taken_and_given_back)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_semaphore semaphore;
    cr_assert_eq(edo_semaphore_init(&semaphore, 3), 0);
    struct edo_permit one = {0}, two = {0}, third = {0};
    struct edo_semaphore_acquire acquire = edo_semaphore_acquire(&semaphore, &one);
    cr_assert_eq(RUN(acquire), 1);
    cr_assert(acquire.output == 0 && one.count == 1 && one.semaphore == &semaphore);
    cr_assert_eq(edo_semaphore_try_acquire_many(&semaphore, 2, &two), 0);
    cr_assert_eq(edo_semaphore_available(&semaphore), 0);
    cr_assert_eq(edo_semaphore_try_acquire(&semaphore, &third), UV_EAGAIN);
    edo_permit_release(&two);
    cr_assert_eq(two.count, 0);
    edo_permit_release(&two);
    cr_assert_eq(edo_semaphore_available(&semaphore), 2);
    edo_permit_release(&one);
    cr_assert_eq(edo_semaphore_available(&semaphore), 3);
    edo_semaphore_destroy(&semaphore);
    bench_end(&bench);
}

Test(semaphore, waiters_are_served_in_order)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_semaphore semaphore;
    edo_semaphore_init(&semaphore, 0);
    struct edo_permit permits[3] = {{0}};
    struct edo_semaphore_acquire waits[3];
    for (int i = 0; i < 3; i++) {
        waits[i] = ACQUIRE(1, permits[i]);
        cr_assert_eq(POLL(waits[i]), EDO_PENDING);
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(bench.counter.wakes, i);
        edo_semaphore_add(&semaphore, 1);
        cr_assert_eq(bench.counter.wakes, i + 1);
        for (int j = 2; j > i; j--)
            cr_assert_eq(POLL(waits[j]), EDO_PENDING);
        cr_assert_eq(POLL(waits[i]), EDO_READY);
        cr_assert_eq(permits[i].count, 1);
        edo_permit_forget(&permits[i]);
    }
    edo_semaphore_destroy(&semaphore);
    bench_end(&bench);
}

Test(semaphore, a_large_request_waits_its_turn_and_is_not_overtaken)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_semaphore semaphore;
    edo_semaphore_init(&semaphore, 9);
    struct edo_permit ten = {0}, one = {0}, tried = {0};
    struct edo_semaphore_acquire large = ACQUIRE(10, ten), small = ACQUIRE(1, one);
    cr_assert_eq(POLL(large), EDO_PENDING);
    cr_assert_eq(POLL(small), EDO_PENDING, "nine are there, and are kept for the first");
    cr_assert_eq(edo_semaphore_try_acquire(&semaphore, &tried), UV_EAGAIN);
    cr_assert_eq(edo_semaphore_available(&semaphore), 0);
    cr_assert_eq(edo_semaphore_forget(&semaphore, 5), 0);
    edo_semaphore_add(&semaphore, 1);
    cr_assert_eq(POLL(small), EDO_PENDING);
    cr_assert_eq(POLL(large), EDO_READY);
    edo_permit_release(&ten);
    cr_assert_eq(POLL(small), EDO_READY);
    edo_permit_release(&one);
    cr_assert_eq(edo_semaphore_available(&semaphore), 10);
    edo_semaphore_destroy(&semaphore);
    bench_end(&bench);
}

Test(semaphore, a_dropped_waiter_returns_what_it_had_been_assigned)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_semaphore semaphore;
    edo_semaphore_init(&semaphore, 0);
    struct edo_permit first = {0}, second = {0};
    struct edo_semaphore_acquire one = ACQUIRE(2, first), other = ACQUIRE(1, second);
    cr_assert_eq(POLL(one), EDO_PENDING);
    cr_assert_eq(POLL(other), EDO_PENDING);
    edo_semaphore_add(&semaphore, 2);
    cr_assert_eq(bench.counter.wakes, 1);
    DROP_IT(one);
    cr_assert_eq(first.count, 0);
    cr_assert_eq(bench.counter.wakes, 2);
    cr_assert_eq(POLL(other), EDO_READY);
    cr_assert_eq(second.count, 1);
    cr_assert_eq(edo_semaphore_available(&semaphore), 1);
    edo_semaphore_destroy(&semaphore);
    bench_end(&bench);
}

Test(semaphore, who_waited_for_a_dropped_one_only_is_served)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_semaphore semaphore;
    edo_semaphore_init(&semaphore, 1);
    struct edo_permit first = {0}, second = {0};
    struct edo_semaphore_acquire large = ACQUIRE(5, first), small = ACQUIRE(1, second);
    cr_assert_eq(POLL(large), EDO_PENDING);
    cr_assert_eq(POLL(small), EDO_PENDING);
    DROP_IT(large);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(small), EDO_READY);
    edo_permit_release(&second);
    cr_assert_eq(edo_semaphore_available(&semaphore), 1);
    edo_semaphore_destroy(&semaphore);
    bench_end(&bench);
}

Test(semaphore, close_wakes_all_with_an_error_and_permits_stay_good)
{
    enum { MANY = 70 }; /* more than are woken at once */
    struct bench bench;
    bench_begin(&bench);
    struct edo_semaphore semaphore;
    edo_semaphore_init(&semaphore, 1);
    struct edo_permit held = {0}, permits[MANY] = {{0}};
    cr_assert_eq(edo_semaphore_try_acquire(&semaphore, &held), 0);
    struct edo_semaphore_acquire waits[MANY];
    for (int i = 0; i < MANY; i++) {
        waits[i] = ACQUIRE(1, permits[i]);
        cr_assert_eq(POLL(waits[i]), EDO_PENDING);
    }
    cr_assert_not(edo_semaphore_is_closed(&semaphore));
    edo_semaphore_close(&semaphore);
    cr_assert(edo_semaphore_is_closed(&semaphore));
    cr_assert_eq(bench.counter.wakes, MANY);
    for (int i = 0; i < MANY; i++) {
        bench.cx.budget = EDO_BUDGET;
        cr_assert_eq(POLL(waits[i]), EDO_READY);
        cr_assert_eq(waits[i].output, EDO_ECLOSED);
        cr_assert_eq(permits[i].count, 0);
    }
    cr_assert_eq(edo_semaphore_try_acquire(&semaphore, &permits[0]), EDO_ECLOSED);
    cr_assert_eq(edo_semaphore_try_acquire_many(&semaphore, 0, &permits[0]), EDO_ECLOSED);
    edo_permit_release(&held);
    cr_assert_eq(edo_semaphore_available(&semaphore), 1);
    edo_semaphore_destroy(&semaphore);
    bench_end(&bench);
}

Test(semaphore, forget_and_add_change_the_total_and_too_many_are_an_error)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_semaphore semaphore;
    cr_assert_eq(edo_semaphore_init(&semaphore, EDO_SEMAPHORE_MAX + 1), UV_EINVAL);
    cr_assert_eq(edo_semaphore_init(&semaphore, 5), 0);
    struct edo_permit permit = {0};
    cr_assert_eq(edo_semaphore_try_acquire_many(&semaphore, 2, &permit), 0);
    edo_permit_forget(&permit);
    edo_permit_release(&permit);
    cr_assert_eq(edo_semaphore_available(&semaphore), 3);
    cr_assert_eq(edo_semaphore_add(&semaphore, 4), 0);
    cr_assert_eq(edo_semaphore_available(&semaphore), 7);
    cr_assert_eq(edo_semaphore_forget(&semaphore, 2), 2);
    cr_assert_eq(edo_semaphore_forget(&semaphore, 9), 5);
    cr_assert_eq(edo_semaphore_available(&semaphore), 0);
    cr_assert_eq(edo_semaphore_add(&semaphore, EDO_SEMAPHORE_MAX), 0);
    cr_assert_eq(edo_semaphore_add(&semaphore, 1), UV_EOVERFLOW);
    cr_assert_eq(edo_semaphore_available(&semaphore), EDO_SEMAPHORE_MAX);
    cr_assert_eq(edo_semaphore_try_acquire_many(&semaphore, EDO_SEMAPHORE_MAX + 1, &permit),
                 UV_EINVAL);
    edo_semaphore_destroy(&semaphore);
    bench_end(&bench);
}

Test(semaphore, what_is_held_comes_on_top_of_the_most_and_then_none_are_added)
{
    struct edo_semaphore semaphore;
    struct edo_permit permit = {0};
    edo_semaphore_init(&semaphore, EDO_SEMAPHORE_MAX);
    cr_assert_eq(edo_semaphore_try_acquire_many(&semaphore, EDO_SEMAPHORE_MAX, &permit), 0);
    cr_assert_eq(edo_semaphore_add(&semaphore, EDO_SEMAPHORE_MAX), 0);
    edo_permit_release(&permit);
    cr_assert_eq(edo_semaphore_add(&semaphore, 1), UV_EOVERFLOW);
    cr_assert_eq(edo_semaphore_add(&semaphore, EDO_SEMAPHORE_MAX), UV_EOVERFLOW);
    cr_assert_eq(edo_semaphore_available(&semaphore), 2 * EDO_SEMAPHORE_MAX);
    edo_semaphore_destroy(&semaphore);
}

Test(semaphore, none_are_there_at_once_and_bad_requests_are_errors)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_semaphore semaphore;
    edo_semaphore_init(&semaphore, 0);
    struct edo_permit none = {0}, waiting = {0}, full = {&semaphore, 1};
    struct edo_semaphore_acquire wait = ACQUIRE(1, waiting), acquire = ACQUIRE(0, none);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(POLL(acquire), EDO_READY);
    cr_assert_eq(acquire.output, 0);
    edo_permit_release(&none);
    acquire = ACQUIRE(1, full);
    cr_assert_eq(POLL(acquire), EDO_READY);
    cr_assert_eq(acquire.output, UV_EINVAL);
    cr_assert_eq(full.count, 1);
    acquire = ACQUIRE(EDO_SEMAPHORE_MAX + 1, none);
    cr_assert_eq(POLL(acquire), EDO_READY);
    cr_assert_eq(acquire.output, UV_EINVAL);
    DROP_IT(wait);
    edo_semaphore_destroy(&semaphore);
    bench_end(&bench);
}

Test(semaphore, a_permit_that_was_filled_meanwhile_is_left_alone)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_semaphore semaphore;
    edo_semaphore_init(&semaphore, 0);
    struct edo_permit permit = {0};
    struct edo_semaphore_acquire first = ACQUIRE(1, permit), second = ACQUIRE(2, permit);
    cr_assert_eq(POLL(first), EDO_PENDING);
    cr_assert_eq(POLL(second), EDO_PENDING);
    edo_semaphore_add(&semaphore, 3);
    cr_assert_eq(POLL(first), EDO_READY);
    cr_assert_eq(POLL(second), EDO_READY);
    cr_assert(first.output == 0 && second.output == UV_EINVAL && permit.count == 1);
    cr_assert_eq(edo_semaphore_available(&semaphore), 2);
    edo_permit_release(&permit);
    edo_semaphore_destroy(&semaphore);
    bench_end(&bench);
}

Test(semaphore, permits_are_merged_and_split)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_semaphore a, b;
    edo_semaphore_init(&a, 5);
    edo_semaphore_init(&b, 1);
    struct edo_permit one = {0}, two = {0}, part = {0}, other = {0};
    edo_semaphore_try_acquire_many(&a, 1, &one);
    edo_semaphore_try_acquire_many(&a, 4, &two);
    edo_semaphore_try_acquire(&b, &other);
    cr_assert_eq(edo_permit_merge(&one, &other), UV_EINVAL);
    cr_assert(one.count == 1 && other.count == 1);
    cr_assert_eq(edo_permit_merge(&one, &two), 0);
    cr_assert(one.count == 5 && two.count == 0);
    cr_assert_eq(edo_permit_merge(&one, &two), 0);
    cr_assert_eq(edo_permit_merge(&two, &one), 0);
    cr_assert(two.count == 5 && one.count == 0);
    cr_assert_eq(edo_permit_split(&two, 6, &part), UV_EINVAL);
    cr_assert_eq(edo_permit_split(&two, 2, &other), UV_EINVAL);
    cr_assert_eq(edo_permit_split(&two, 2, &part), 0);
    cr_assert(two.count == 3 && part.count == 2 && part.semaphore == &a);
    edo_permit_release(&part);
    cr_assert_eq(edo_semaphore_available(&a), 2);
    edo_permit_release(&two);
    edo_permit_release(&other);
    cr_assert_eq(edo_semaphore_available(&a), 5);
    edo_semaphore_destroy(&a);
    edo_semaphore_destroy(&b);
    bench_end(&bench);
}

Test(semaphore, polled_with_another_waker_it_wakes_that_one)
{
    struct bench bench, other;
    bench_begin(&bench);
    bench_begin(&other);
    struct edo_semaphore semaphore;
    edo_semaphore_init(&semaphore, 0);
    struct edo_permit permit = {0};
    struct edo_semaphore_acquire acquire = ACQUIRE(1, permit);
    cr_assert_eq(POLL(acquire), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&acquire.future_, &other.cx), EDO_PENDING);
    edo_semaphore_add(&semaphore, 1);
    cr_assert_eq(bench.counter.wakes, 0);
    cr_assert_eq(other.counter.wakes, 1);
    DROP_IT(acquire);
    cr_assert_eq(edo_semaphore_available(&semaphore), 1);
    edo_semaphore_destroy(&semaphore);
    bench_end(&bench);
}

Test(semaphore, each_acquire_takes_from_the_budget)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_semaphore semaphore;
    edo_semaphore_init(&semaphore, 1);
    struct edo_permit permit = {0};
    bench.cx.budget = 1;
    struct edo_semaphore_acquire acquire = ACQUIRE(1, permit);
    cr_assert_eq(POLL(acquire), EDO_READY);
    edo_permit_release(&permit);
    acquire = ACQUIRE(1, permit);
    cr_assert_eq(POLL(acquire), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(permit.count, 0);
    DROP_IT(acquire);
    edo_semaphore_destroy(&semaphore);
    bench_end(&bench);
}

/* Dropped before its first poll, while it waits, when its turn has come, when it was refused. */
Test(semaphore, an_acquire_dropped_at_any_time_has_acquired_nothing)
{
    struct bench bench;
    bench_begin(&bench);
    for (int state = 0; state < 4; state++) {
        struct edo_semaphore semaphore;
        edo_semaphore_init(&semaphore, 0);
        struct edo_permit gone = {0}, next = {0};
        struct edo_semaphore_acquire one = ACQUIRE(1, gone), other = ACQUIRE(1, next);
        if (state > 0)
            cr_assert_eq(POLL(one), EDO_PENDING);
        cr_assert_eq(POLL(other), EDO_PENDING);
        bench.counter.wakes = 0;
        if (state == 2)
            edo_semaphore_add(&semaphore, 1);
        if (state == 3)
            edo_semaphore_close(&semaphore);
        DROP_IT(one);
        if (state < 2)
            edo_semaphore_add(&semaphore, 1);
        cr_assert_eq(bench.counter.wakes, state < 2 ? 1 : 2);
        cr_assert_eq(POLL(other), EDO_READY);
        cr_assert_eq(other.output, state == 3 ? EDO_ECLOSED : 0);
        cr_assert(gone.count == 0 && next.count == (state != 3));
        edo_semaphore_destroy(&semaphore);
    }
    bench_end(&bench);
}

Test(semaphore, a_trace_names_it)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_semaphore semaphore;
    edo_semaphore_init(&semaphore, 0);
    struct edo_permit permit = {0};
    struct edo_semaphore_acquire acquire = ACQUIRE(1, permit);
    edo_future_trace(&acquire.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_semaphore_acquire\n");
    edo_semaphore_destroy(&semaphore);
    bench_end(&bench);
}

Test(semaphore, it_allocates_nothing)
{
    struct bench bench;
    bench_begin(&bench);
    edo_alloc_fail(1, true);
    struct edo_semaphore semaphore;
    edo_semaphore_init(&semaphore, 1);
    struct edo_permit first = {0}, second = {0}, third = {0};
    struct edo_semaphore_acquire one = ACQUIRE(1, first), other = ACQUIRE(1, second),
                                 last = ACQUIRE(1, third);
    cr_assert_eq(POLL(one), EDO_READY);
    cr_assert_eq(POLL(other), EDO_PENDING);
    cr_assert_eq(POLL(last), EDO_PENDING);
    edo_permit_release(&first);
    cr_assert_eq(POLL(other), EDO_READY);
    edo_semaphore_add(&semaphore, 1);
    edo_semaphore_close(&semaphore);
    cr_assert_eq(POLL(last), EDO_READY);
    edo_permit_release(&second);
    edo_permit_release(&third);
    edo_semaphore_destroy(&semaphore);
    cr_assert_not(edo_alloc_fail(0, false));
    bench_end(&bench);
}

/* Wakers that call back. */
enum { CROWD = 80 };
static struct {
    struct edo_semaphore semaphore;
    struct edo_permit held, permit;
    struct edo_semaphore_acquire acquire;
    struct edo_semaphore_acquire crowd[CROWD + 1];
    struct edo_permit permits[CROWD + 1];
    bool gone;
} rigged;

static void look(void)
{
    if (rigged.gone)
        return;
    cr_assert(edo_try_lock(&rigged.semaphore.lock_));
    edo_unlock(&rigged.semaphore.lock_);
}

/* All permits are held. */
static void rigged_begin(struct bench *bench, size_t permits)
{
    hostile_begin(bench, &hostile_foreign, look);
    memset(&rigged, 0, sizeof rigged);
    edo_semaphore_init(&rigged.semaphore, permits);
    cr_assert_eq(edo_semaphore_try_acquire_many(&rigged.semaphore, permits, &rigged.held), 0);
    rigged.acquire = edo_semaphore_acquire(&rigged.semaphore, &rigged.permit);
}

static void rigged_end(struct bench *bench)
{
    hostile.always = NULL;
    edo_permit_release(&rigged.permit);
    edo_permit_release(&rigged.held);
    if (!rigged.gone)
        edo_semaphore_destroy(&rigged.semaphore);
    hostile_end(bench);
}

static void crowd_waits(struct bench *bench)
{
    for (int i = 0; i < CROWD; i++) {
        bench->cx.budget = EDO_BUDGET;
        rigged.crowd[i] = edo_semaphore_acquire(&rigged.semaphore, &rigged.permits[i]);
        cr_assert_eq(POLL_BY(rigged.crowd[i], &bench->cx), EDO_PENDING);
    }
}

static void releases(void)
{
    edo_permit_release(&rigged.held);
}

static void closes(void)
{
    edo_semaphore_close(&rigged.semaphore);
}

/* Nobody may touch it after this. */
static void goes(void)
{
    edo_semaphore_destroy(&rigged.semaphore);
    memset(&rigged.semaphore, 0xa5, sizeof rigged.semaphore);
    rigged.gone = true;
}

static void acquires_and_all_goes(void)
{
    cr_assert_eq(POLL_BY(rigged.acquire, &hostile.bench->cx), EDO_READY);
    edo_permit_release(&rigged.permit);
    goes();
}

Test(semaphore, no_lock_is_held_while_a_waker_runs_and_each_clone_is_dropped)
{
    struct bench bench;
    rigged_begin(&bench, 1);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    struct edo_permit permits[2] = {{0}};
    struct edo_semaphore_acquire large =
        edo_semaphore_acquire_many(&rigged.semaphore, 2, &permits[0]);
    struct edo_semaphore_acquire last = edo_semaphore_acquire(&rigged.semaphore, &permits[1]);
    cr_assert_eq(POLL(large), EDO_PENDING);
    cr_assert_eq(POLL(rigged.acquire), EDO_PENDING);
    cr_assert_eq(POLL_BY(rigged.acquire, &second), EDO_PENDING);
    cr_assert_eq(POLL(last), EDO_PENDING);
    releases();
    DROP_IT(large);
    cr_assert(other.wakes == 1 && bench.counter.wakes == 0);
    DROP_IT(rigged.acquire);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(last), EDO_READY);
    rigged.acquire = edo_semaphore_acquire(&rigged.semaphore, &rigged.permit);
    cr_assert_eq(POLL(rigged.acquire), EDO_PENDING);
    closes();
    cr_assert_eq(POLL(rigged.acquire), EDO_READY);
    edo_permit_release(&permits[1]);
    cr_assert_eq(other.clones, other.drops);
    rigged_end(&bench);
}

Test(semaphore, a_clone_that_releases_or_closes_is_not_missed)
{
    struct bench bench;
    rigged_begin(&bench, 1);
    hostile.in_clone.act = releases;
    cr_assert_eq(POLL(rigged.acquire), EDO_READY);
    cr_assert(rigged.acquire.output == 0 && rigged.permit.count == 1);
    rigged_end(&bench);

    rigged_begin(&bench, 1);
    hostile.in_clone.act = closes;
    cr_assert_eq(POLL(rigged.acquire), EDO_READY);
    cr_assert_eq(rigged.acquire.output, EDO_ECLOSED);
    rigged_end(&bench);
}

Test(semaphore, a_waker_whose_drop_releases_is_replaced_by_one_that_is_woken)
{
    struct bench bench;
    rigged_begin(&bench, 1);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    cr_assert_eq(POLL(rigged.acquire), EDO_PENDING);
    hostile.in_drop.act = releases;
    cr_assert_eq(POLL_BY(rigged.acquire, &second), EDO_PENDING);
    cr_assert(other.wakes == 1 && bench.counter.wakes == 0);
    cr_assert_eq(POLL_BY(rigged.acquire, &second), EDO_READY);
    cr_assert_eq(other.clones, other.drops);
    rigged_end(&bench);
}

Test(semaphore, it_may_be_gone_when_a_release_has_woken)
{
    struct bench bench;
    rigged_begin(&bench, 1);
    cr_assert_eq(POLL(rigged.acquire), EDO_PENDING);
    hostile.in_wake.act = acquires_and_all_goes;
    releases();
    rigged_end(&bench);
}

/* More wait than are woken at once. While the first are, one of the others polls, one is dropped, one
 * comes. */
static struct counter quiet = {.waker = {&counter_stable}};

static void meddles(void)
{
    struct edo_context cx;
    edo_context_init(&cx, &quiet.waker);
    cr_assert_eq(POLL_BY(rigged.crowd[0], &cx), EDO_READY);
    cr_assert_eq(POLL_BY(rigged.crowd[CROWD - 1], &cx), EDO_PENDING);
    rigged.crowd[CROWD] = edo_semaphore_acquire(&rigged.semaphore, &rigged.permits[CROWD]);
    cr_assert_eq(POLL_BY(rigged.crowd[CROWD], &cx), EDO_PENDING, "at the end of the row");
    edo_future_drop(&rigged.crowd[CROWD - 2].future_, &cx);
}

Test(semaphore, they_come_and_go_while_the_others_are_woken)
{
    struct bench bench;
    rigged_begin(&bench, CROWD);
    quiet.wakes = 0;
    crowd_waits(&bench);
    hostile.in_wake.act = meddles;
    releases();
    cr_assert_eq(bench.counter.wakes, CROWD - 2);
    cr_assert_eq(quiet.wakes, 2, "the last two");
    for (int i = 1; i <= CROWD; i++) {
        bench.cx.budget = EDO_BUDGET;
        if (i != CROWD - 2)
            cr_assert_eq(POLL(rigged.crowd[i]), EDO_READY);
    }
    for (int i = 0; i <= CROWD; i++)
        edo_permit_release(&rigged.permits[i]);
    cr_assert_eq(edo_semaphore_available(&rigged.semaphore), CROWD);
    rigged_end(&bench);
}

/* Threads and tasks that hold no more at a time than there are. */
enum { PERMITS = 3, HOLDERS = 8, ROUNDS = 2000 };
struct crowd {
    struct edo_semaphore semaphore;
    _Atomic(int) held;
};

static void *hold_blocking(void *arg)
{
    struct crowd *crowd = arg;
    struct edo_permit permit = {0};
    for (int i = 0; i < ROUNDS; i++) {
        int n = 1 + i % PERMITS;
        cr_assert_eq(edo_semaphore_blocking_acquire_many(&crowd->semaphore, (size_t)n, &permit), 0);
        crowd->held += n;
        cr_assert_leq(crowd->held, PERMITS);
        crowd->held -= n;
        edo_permit_release(&permit);
    }
    return NULL;
}

struct holder {
    FUTURE(int);
    struct crowd *crowd;
    int i;
    struct edo_permit permit;
    struct edo_semaphore_acquire acquire;
    struct edo_timeout timeout;
};

/* Every third time it has no patience. */
ASYNC(holder)
{
    ASYNC_BEGIN;
    for (; self->i < ROUNDS; self->i++) {
        self->acquire = edo_semaphore_acquire_many(&self->crowd->semaphore,
                                                   1 + (size_t)(self->i % PERMITS), &self->permit);
        if (self->i % 3 == 0) {
            AWAIT(self->timeout, edo_timeout(0, &self->acquire));
            if (self->timeout.output < 0)
                continue;
        } else {
            AWAIT_REF(self->acquire);
        }
        cr_assert_eq(self->acquire.output, 0);
        self->crowd->held += (int)self->permit.count;
        cr_assert_leq(self->crowd->held, PERMITS);
        YIELD_NOW();
        self->crowd->held -= (int)self->permit.count;
        edo_permit_release(&self->permit);
    }
    RETURN(0);
    ASYNC_END;
}

struct holders {
    FUTURE(int);
    struct crowd *crowd;
    struct holder holders[4];
};

ASYNC(holders)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 4; i++)
        self->holders[i] = NEW(holder, .crowd = self->crowd);
    JOIN(&self->holders[0], &self->holders[1], &self->holders[2], &self->holders[3]);
    RETURN(0);
    ASYNC_END;
}

static void *hold_in_tasks(void *arg)
{
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct holders holders = NEW(holders, .crowd = arg);
    cr_assert_eq(test_block_on(runtime, &holders), 0);
    edo_runtime_drop(runtime);
    return NULL;
}

Test(semaphore, never_more_are_held_than_there_are)
{
    struct bench bench;
    bench_begin(&bench);
    struct crowd crowd = {.held = 0};
    edo_semaphore_init(&crowd.semaphore, PERMITS);
    pthread_t threads[HOLDERS];
    for (int i = 0; i < HOLDERS; i++)
        cr_assert_eq(
            pthread_create(&threads[i], NULL, i % 2 == 0 ? hold_blocking : hold_in_tasks, &crowd),
            0);
    for (int i = 0; i < HOLDERS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(edo_semaphore_available(&crowd.semaphore), PERMITS);
    edo_semaphore_destroy(&crowd.semaphore);
    bench_end(&bench);
}

/* Threads that acquire and release, split, forget and add, without patience, until it is closed: none is
 * lost, none comes of nothing. */
enum { STORM_THREADS = 6, STORM_ROUNDS = 20, STORM_PERMITS = 4 };
static struct edo_semaphore stormed;
static _Atomic(int) forgotten;

static void storm_holds(struct edo_permit *permit, unsigned *seed)
{
    struct edo_permit part = {0};
    cr_assert_eq(edo_permit_split(permit, (size_t)rand_r(seed) % (permit->count + 1), &part), 0);
    if (rand_r(seed) % 4 == 0) {
        forgotten += (int)part.count;
        edo_permit_forget(&part);
    }
    if (rand_r(seed) % 2 == 0)
        cr_assert_eq(edo_permit_merge(permit, &part), 0);
    edo_permit_release(&part);
    edo_permit_release(permit);
    if (rand_r(seed) % 8 == 0)
        forgotten += (int)edo_semaphore_forget(&stormed, 1);
    int back = edo_exchange(&forgotten, 0, relaxed);
    cr_assert_eq(edo_semaphore_add(&stormed, (size_t)back), 0);
}

static void *storm_acquires(void *arg)
{
    unsigned *seed = arg;
    int error = 0;
    while (error != EDO_ECLOSED) {
        struct edo_permit permit = {0};
        size_t n = (size_t)rand_r(seed) % (STORM_PERMITS + 1);
        struct edo_semaphore_acquire acquire = edo_semaphore_acquire_many(&stormed, n, &permit);
        if (rand_r(seed) % 3 == 0)
            error = edo_semaphore_try_acquire_many(&stormed, n, &permit);
        else
            error = pursue(&acquire.future_, rand_r(seed) % 2, seed) ? acquire.output : UV_EAGAIN;
        cr_assert_eq(permit.count, error == 0 ? n : 0);
        storm_holds(&permit, seed);
    }
    return NULL;
}

Test(semaphore, whatever_threads_do_no_permit_is_lost)
{
    struct bench bench;
    bench_begin(&bench);
    unsigned seed = pursue_seed();
    for (int round = 0; round < STORM_ROUNDS; round++) {
        edo_semaphore_init(&stormed, STORM_PERMITS);
        unsigned seeds[STORM_THREADS];
        pthread_t threads[STORM_THREADS];
        for (int i = 0; i < STORM_THREADS; i++) {
            seeds[i] = (unsigned)rand_r(&seed);
            cr_assert_eq(pthread_create(&threads[i], NULL, storm_acquires, &seeds[i]), 0);
        }
        struct edo_permit all = {0};
        for (int i = 0; i < 20; i++) {
            cr_assert_eq(edo_semaphore_blocking_acquire_many(&stormed, STORM_PERMITS, &all), 0);
            cr_assert_eq(edo_semaphore_available(&stormed), 0);
            edo_permit_release(&all);
        }
        edo_semaphore_close(&stormed);
        for (int i = 0; i < STORM_THREADS; i++)
            pthread_join(threads[i], NULL);
        cr_assert_eq(edo_semaphore_available(&stormed), STORM_PERMITS - (size_t)forgotten);
        forgotten = 0;
        edo_semaphore_destroy(&stormed);
    }
    bench_end(&bench);
}

struct nested {
    FUTURE(int);
    struct edo_semaphore *semaphore;
};

ASYNC(nested)
{
    ASYNC_BEGIN;
    struct edo_permit permit = {0};
    RETURN(edo_semaphore_blocking_acquire(self->semaphore, &permit));
    ASYNC_END;
}

Test(semaphore, blocking_in_a_task_or_without_memory_is_an_error)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_semaphore semaphore;
    edo_semaphore_init(&semaphore, 1);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct nested nested = NEW(nested, .semaphore = &semaphore);
    cr_assert_eq(test_block_on(runtime, &nested), 0);
    cr_assert_eq(nested.output, EDO_ENESTED);
    edo_runtime_drop(runtime);
    struct edo_permit permit = {0};
    edo_alloc_fail(1, false);
    cr_assert_eq(edo_semaphore_blocking_acquire(&semaphore, &permit), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_eq(edo_semaphore_available(&semaphore), 1);
    edo_semaphore_destroy(&semaphore);
    bench_end(&bench);
}
