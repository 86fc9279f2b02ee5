/* SPDX-License-Identifier: MIT */
/* Semaphores whose wakers call back, and do what another thread may do at that moment. */
#include "hostile_waker.h"

#include "edo.h"

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
