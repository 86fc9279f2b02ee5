/* SPDX-License-Identifier: MIT */
/* The queue that workers share, by itself: in blocks, of three in models, and linked where there is no memory. */
#include "tests/model/model.h"

#include "runtime/inject.h"
#include "runtime/runtime_internal.h"

/* `pushed` and `taken` are plain: who takes a task twice, or sees it before it was pushed, races. */
struct item {
    struct edo_task task;
    int pushed, taken;
};

enum { EACH = 5 };

static struct edo_inject inject;
static struct item items[2][EACH];
static int next[2]; /* that is to come of each: they come in order */

static bool push(int by, int from, uint32_t count)
{
    struct edo_task *tasks[EACH];
    for (uint32_t i = 0; i < count; i++) {
        struct item *item = &items[by][(uint32_t)from + i];
        item->pushed = 1;
        tasks[i] = &item->task;
    }
    return edo_inject_push(&inject, tasks, count, EDO_INJECT_SPAWN);
}

static void took(struct edo_task *task)
{
    struct item *item = (struct item *)task;
    model_assert(item->pushed && !item->taken);
    item->taken = 1;
}

static void drain_in_order(void)
{
    struct edo_task *task;
    while (edo_inject_take(&inject, &task, 1) > 0) {
        int by = (struct item *)task >= items[1];
        model_assert((struct item *)task == &items[by][next[by]]);
        next[by]++;
        took(task);
    }
}

static void all_taken(int first, int second)
{
    model_join_all();
    drain_in_order();
    for (int i = 0; i < EACH; i++)
        model_assert(items[0][i].taken == (i < first) && items[1][i].taken == (i < second));
    model_assert(!edo_inject_waiting(&inject) && edo_inject_length(&inject) == 0);
    edo_inject_destroy(&inject);
}

static void pushes_five(void *by)
{
    push((int)(intptr_t)by, 0, 2);
    push((int)(intptr_t)by, 2, 3);
}

/* Both may find that a block is missing, and bring one. */
MODEL(inject_queue_pushed_by_two)
{
    edo_inject_init(&inject);
    model_thread(pushes_five, (void *)1);
    pushes_five((void *)0);
    all_taken(5, 5);
}

/* Who takes many has them all; the block that is emptied is used again, or freed. */
static void takes_twice(void *arg)
{
    (void)arg;
    for (int turn = 0; turn < 2; turn++) {
        struct edo_task *tasks[3];
        uint32_t n = edo_inject_take(&inject, tasks, 3);
        for (uint32_t i = 0; i < n; i++)
            took(tasks[i]);
    }
}

static void each_taken(int first)
{
    model_join_all();
    takes_twice(NULL);
    for (int i = 0; i < first; i++)
        model_assert(items[0][i].taken == 1);
    edo_inject_destroy(&inject);
}

MODEL(inject_queue_taken_by_two)
{
    edo_inject_init(&inject);
    model_thread(takes_twice, NULL);
    model_thread(takes_twice, NULL);
    pushes_five((void *)0);
    each_taken(5);
}

/* No block is to be had: the tasks are linked, and so are those behind them until they have been taken. */
MODEL(inject_queue_without_memory)
{
    edo_inject_init(&inject);
    push(0, 0, 1);
    model_fail_mallocs();
    model_thread(takes_twice, NULL);
    push(0, 1, 3);
    push(0, 4, 1);
    each_taken(5);
}

/* What was not refused is there. */
static bool refused;

static void pushes_one(void *arg)
{
    (void)arg;
    refused = !push(0, 0, 1);
}

MODEL(inject_queue_closed, .outcomes = "0 1")
{
    edo_inject_init(&inject);
    model_thread(pushes_one, NULL);
    edo_inject_close(&inject);
    model_join_all();
    drain_in_order();
    model_assert(items[0][0].taken == !refused);
    model_assert(edo_load(&inject.spawned, relaxed) == 1);
    model_outcome(refused);
    edo_inject_destroy(&inject);
}

/* Whoever pushes and then looks whether this one sleeps, or is found when this one asks after it has said so: nothing
 * but the lock orders the two. */
static _Atomic(int) sleeps;
static bool seen;

static void pushes_and_looks(void *arg)
{
    (void)arg;
    push(0, 0, 1);
    seen = edo_load(&sleeps, relaxed);
}

MODEL(inject_queue_asked, .outcomes = "01 10 11")
{
    edo_inject_init(&inject);
    model_thread(pushes_and_looks, NULL);
    edo_store(&sleeps, 1, relaxed);
    bool some = edo_inject_waiting(&inject);
    model_join_all();
    model_assert(some || seen);
    model_outcome(some, seen);
    all_taken(1, 0);
}
