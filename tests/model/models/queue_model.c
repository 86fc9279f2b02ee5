/* SPDX-License-Identifier: MIT */
/* A worker's queue: its owner against thieves. In models it holds four. */
#include "executor.h"
#include "runtime/queue.h"
#include "runtime/runtime_internal.h"

enum { TASKS = 6 };

/* `taken` is plain: who takes a task twice, or sees it before it was pushed, races. */
struct item {
    struct edo_task task;
    int pushed, taken;
};

static struct item items[TASKS];
static struct edo_queue queue, other_queue, third_queue;

static void push(int i)
{
    items[i].pushed = 1;
    model_assert(edo_queue_push(&queue, &items[i].task));
}

static void take(struct edo_task *task)
{
    struct item *item = (struct item *)task;
    model_assert(item->pushed && !item->taken);
    item->taken = 1;
}

static void drain(struct edo_queue *from)
{
    for (struct edo_task *task; (task = edo_queue_pop(from)) != NULL;)
        take(task);
}

static void steals_into(struct edo_queue *own)
{
    uint32_t n;
    struct edo_task *task = edo_queue_steal(&queue, own, &n);
    model_assert((task != NULL) == (n > 0) && n <= EDO_QUEUE_SIZE / 2);
    if (task != NULL)
        take(task);
    drain(own);
}

static void steals(void *arg)
{
    (void)arg;
    steals_into(&other_queue);
}

static void steals_too(void *arg)
{
    (void)arg;
    steals_into(&third_queue);
}

static void all_taken(int count)
{
    model_join_all();
    drain(&queue);
    for (int i = 0; i < count; i++)
        model_assert(items[i].taken == 1);
}

MODEL(queue_popped_and_stolen)
{
    push(0);
    push(1);
    model_thread(steals, NULL);
    push(2);
    drain(&queue);
    all_taken(3);
}

/* What the owner has fetched beforehand may be a thief's, and is left alone. */
MODEL(queue_fetched_beforehand)
{
    push(0);
    push(1);
    push(2);
    model_thread(steals, NULL);
    edo_queue_prefetch(&queue);
    drain(&queue);
    all_taken(3);
}

/* Its slots are used again while a slow thief may still be copying. */
MODEL(queue_goes_round)
{
    push(0);
    push(1);
    push(2);
    model_thread(steals, NULL);
    for (int i = 3; i < 6; i++) {
        struct edo_task *task = edo_queue_pop(&queue);
        if (task != NULL)
            take(task);
        push(i);
    }
    all_taken(6);
}

MODEL(queue_two_thieves)
{
    push(0);
    push(1);
    push(2);
    model_thread(steals, NULL);
    model_thread(steals_too, NULL);
    drain(&queue);
    all_taken(3);
}

/* Full: the owner gives half of it away, unless a thief was there first. */
MODEL(queue_shed, .outcomes = "0 2")
{
    for (int i = 0; i < 4; i++)
        push(i);
    model_assert(!edo_queue_push(&queue, &items[4].task));
    model_thread(steals, NULL);
    struct edo_task *tasks[EDO_QUEUE_SIZE / 2];
    uint32_t n = edo_queue_shed(&queue, tasks);
    for (uint32_t i = 0; i < n; i++)
        take(tasks[i]);
    all_taken(4);
    model_outcome((int)n);
}

/* Thieves of thieves: what is stolen may be stolen again. */
static void steals_from_thief(void *arg)
{
    (void)arg;
    uint32_t n;
    struct edo_task *task = edo_queue_steal(&other_queue, &third_queue, &n);
    if (task != NULL)
        take(task);
    drain(&third_queue);
}

MODEL(queue_stolen_twice)
{
    for (int i = 0; i < 4; i++)
        push(i);
    model_thread(steals, NULL);
    model_thread(steals_from_thief, NULL);
    all_taken(4);
}
