/* SPDX-License-Identifier: MIT */
#include "poll_harness.h"

#include "edo.h"

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
