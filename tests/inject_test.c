/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "poll_harness.h"
#include "runtime/inject.h"
#include "runtime/runtime_internal.h"

enum { TASKS = 5 * EDO_INJECT_BLOCK };

static struct edo_task tasks[TASKS];
static struct edo_inject inject;
static uint32_t pushed, taken;
static struct bench bench;

static void push(uint32_t count)
{
    struct edo_task *some[EDO_INJECT_BLOCK];
    for (uint32_t i = 0; i < count; i++)
        some[i] = &tasks[(pushed + i) % TASKS];
    cr_assert(edo_inject_push(&inject, some, count, EDO_INJECT_WAKE));
    pushed += count;
    cr_assert_eq(edo_inject_length(&inject), pushed - taken);
}

static void take(uint32_t most, uint32_t want)
{
    struct edo_task *some[EDO_INJECT_BLOCK];
    cr_assert_eq(edo_inject_take(&inject, some, most), want);
    for (uint32_t i = 0; i < want; i++)
        cr_assert_eq(some[i], &tasks[(taken + i) % TASKS]);
    taken += want;
    cr_assert_eq(edo_inject_waiting(&inject), taken != pushed);
}

static void begin(void)
{
    bench_begin(&bench);
    edo_inject_init(&inject);
    pushed = taken = 0;
}

static void end(void)
{
    take(1, 0);
    edo_inject_destroy(&inject);
    bench_end(&bench);
}

TestSuite(inject, .init = begin, .fini = end);

Test(inject, first_in_is_first_out)
{
    for (uint32_t count = 1; count <= 129; count++) {
        push(count);
        take(count / 2, count / 2);
    }
    while (taken != pushed)
        take(1, 1);
}

Test(inject, takes_what_there_is)
{
    push(3);
    take(128, 3);
    take(128, 0);
}

Test(inject, many_are_in_blocks_that_are_used_again)
{
    for (int turn = 0; turn < 10; turn++) {
        for (uint32_t i = 0; i < 4; i++)
            push(EDO_INJECT_BLOCK);
        for (uint32_t i = 0; i < 4; i++)
            take(EDO_INJECT_BLOCK, EDO_INJECT_BLOCK);
    }
}

/* A trickle is in one block for ever: nothing is allocated. */
Test(inject, a_trickle_allocates_once)
{
    push(1);
    take(1, 1);
    edo_alloc_fail(1, true);
    for (uint32_t i = 0; i < 3 * EDO_INJECT_BLOCK; i++) {
        push(1);
        take(1, 1);
    }
    cr_assert_not(edo_alloc_fail(0, false));
}

Test(inject, without_memory_the_order_is_kept)
{
    edo_alloc_fail(1, true);
    push(3);
    take(2, 2);
    edo_alloc_fail(0, false);
    /* Behind those that are linked. */
    push(2);
    take(1, 1);
    push(1);
    take(128, 3);
    /* And between blocks. */
    push(EDO_INJECT_BLOCK - 1);
    edo_alloc_fail(1, true);
    push(129);
    edo_alloc_fail(0, false);
    push(129);
    for (uint32_t left = EDO_INJECT_BLOCK + 257; left > 0; left -= left < 100 ? left : 100)
        take(100, left < 100 ? left : 100);
    push(EDO_INJECT_BLOCK);
    take(EDO_INJECT_BLOCK, EDO_INJECT_BLOCK);
}

/* What workers have too much of must have a place, and what is woken. */
Test(inject, one_that_refuses_takes_what_is_not_new)
{
    struct edo_task *late = &tasks[2];
    push(1);
    edo_inject_refuse(&inject);
    cr_assert_not(edo_inject_push(&inject, &late, 1, EDO_INJECT_SPAWN));
    push(1);
    cr_assert(edo_inject_push(&inject, &late, 1, EDO_INJECT_WORKER));
    pushed++;
    take(128, 3);
}

Test(inject, a_closed_one_refuses_and_keeps_what_it_has)
{
    struct edo_task *late = &tasks[2];
    push(2);
    edo_inject_close(&inject);
    cr_assert_not(edo_inject_push(&inject, &late, 1, EDO_INJECT_SPAWN));
    cr_assert_eq(edo_load(&inject.spawned, relaxed), 1);
    cr_assert_eq(edo_load(&inject.remote, relaxed), 2);
    take(128, 2);
}
