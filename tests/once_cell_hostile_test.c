/* SPDX-License-Identifier: MIT */
/* Once cells whose wakers call back, and do what another thread may do at that moment. */
#include "once_cell_helpers.h"
#include "hostile_waker.h"

static void look(void)
{
    cr_assert(edo_try_lock(&cell.core_.lock_));
    edo_unlock(&cell.core_.lock_);
}

Test(once_cell, no_lock_is_held_while_a_waker_runs_and_each_clone_is_dropped)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, look);
    edo_once_cell_init(&cell);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    struct wants wants[5];
    for (int i = 0; i < 5; i++) {
        want(&wants[i], 1, i);
        cr_assert_eq(POLL(wants[i].init), EDO_PENDING);
    }
    cr_assert_eq(edo_future_poll(&wants[1].init.future_, &second), EDO_PENDING);
    DROP_IT(wants[2].init);
    DROP_IT(wants[0].init);
    cr_assert_eq(other.wakes, 1);
    cr_assert_eq(other.clones, other.drops);
    DROP_IT(wants[1].init);
    cr_assert_eq(POLL(wants[3].init), EDO_PENDING);
    cr_assert_eq(POLL(wants[3].init), EDO_READY);
    cr_assert_eq(bench.counter.clones, bench.counter.drops);
    cr_assert_eq(POLL(wants[4].init), EDO_READY);
    edo_once_cell_destroy(&cell);
    hostile_end(&bench);
}

static void clone_sets(void)
{
    cr_assert_eq(set(9), 0);
}

Test(once_cell, a_clone_that_sets_it_is_not_missed)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, look);
    edo_once_cell_init(&cell);
    struct wants wants;
    want(&wants, 0, 1);
    hostile.in_clone.act = clone_sets;
    cr_assert_eq(POLL(wants.init), EDO_READY);
    was_not_needed(&wants);
    cr_assert_eq(*edo_once_cell_get(&cell), 9);
    edo_once_cell_destroy(&cell);
    hostile_end(&bench);
}

/* While the wakers of the first batch run: one comes, one of the second batch polls, one is dropped. */
enum { CROWD = 80 };
static struct wants crowd[CROWD + 1], comes;

static void meddle(void)
{
    static struct counter counter = {.waker = {&counter_stable}};
    struct edo_context cx;
    edo_context_init(&cx, &counter.waker);
    want(&comes, 0, 1);
    cr_assert_eq(edo_future_poll(&comes.init.future_, &cx), EDO_READY);
    was_not_needed(&comes);
    cr_assert_eq(edo_future_poll(&crowd[CROWD].init.future_, &cx), EDO_READY);
    edo_future_drop(&crowd[CROWD - 1].init.future_, &cx);
    cr_assert_eq(set(2), UV_EEXIST);
}

Test(once_cell, they_come_and_go_while_the_others_are_woken)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, look);
    edo_once_cell_init(&cell);
    for (int i = 0; i <= CROWD; i++) {
        want(&crowd[i], i == 0, i);
        cr_assert_eq(POLL(crowd[i].init), EDO_PENDING);
    }
    hostile.in_wake = HOSTILE_AFTER(1, meddle);
    bench.counter.wakes = 0;
    cr_assert_eq(POLL(crowd[0].init), EDO_READY);
    cr_assert_eq(bench.counter.wakes, CROWD - 2);
    for (int i = 1; i < CROWD - 1; i++)
        cr_assert_eq(POLL(crowd[i].init), EDO_READY);
    edo_once_cell_destroy(&cell);
    hostile_end(&bench);
}
