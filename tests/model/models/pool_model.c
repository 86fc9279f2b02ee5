/* SPDX-License-Identifier: MIT */
/* The workers of a multi-thread runtime: what they push, find, steal and run, and how they sleep meanwhile. */
#define COPY pool_model
#include "pool_copy.h"

/* ---- What all look at, and the sleep ---- */

static void finds(void *i)
{
    find_one(be((uint32_t)(intptr_t)i));
}

MODEL(pool_pushed)
{
    begin(1);
    model_thread(finds, 0);
    make(0);
    all_taken(1);
    end_all();
}

static void finds_two(void *i)
{
    struct edo_worker *worker = be((uint32_t)(intptr_t)i);
    find_one(worker);
    find_one(worker);
}

MODEL(pool_pushed_by_two, .bound = 3)
{
    begin(1);
    model_thread(finds_two, 0);
    model_thread(make_one, (void *)1);
    make(0);
    all_taken(2);
    end_all();
}

/* They sleep at first; each finds one, and looks no further: it is in a long poll. Who is woken wakes the next. */
static void is_woken_and_finds(void *i)
{
    struct edo_worker *worker = be((uint32_t)(intptr_t)i);
    edo_driver_sleep(worker->driver, UINT64_MAX);
    model_assert(!edo_idle_sleeps(&pool->idle, worker->index));
    worker->searching = true;
    find_one(worker);
}

MODEL(pool_two_woken, .bound = 3)
{
    begin(2);
    sleeps(0);
    sleeps(1);
    model_thread(is_woken_and_finds, (void *)0);
    model_thread(is_woken_and_finds, (void *)1);
    make(0);
    make(1);
    all_taken(2);
    end_all();
}

/* The one that searches has just found something: another is pushed, and whoever pushes relies on it. */
static void stops(void *i)
{
    struct edo_worker *worker = be((uint32_t)(intptr_t)i);
    worker->searching = true;
    stop_searching(worker);
}

MODEL(pool_pushed_as_the_last_stops)
{
    begin(2);
    sleeps(1);
    watched_by(1);
    model_assert(edo_idle_search(&pool->idle));
    model_thread(stops, (void *)0);
    make(0);
    model_join_all();
    model_assert(!edo_idle_sleeps(&pool->idle, 1));
    end_all();
}

/* Two search: who is not the last leaves it to the other, who stops or falls asleep. */
static void searches_in_vain(void *i)
{
    struct edo_worker *worker = be((uint32_t)(intptr_t)i);
    if (edo_idle_sleep(&pool->idle, worker->index, true))
        look_once_more(pool);
}

static void pushed_as_two_search(void (*other)(void *))
{
    begin(3);
    sleeps(2);
    watched_by(2);
    model_assert(edo_idle_search(&pool->idle) && edo_idle_search(&pool->idle));
    model_thread(stops, (void *)0);
    model_thread(other, (void *)1);
    make(0);
    model_join_all();
    model_assert(pool->idle.count == (other == stops ? 0 : 1));
    end_all();
}

MODEL(pool_pushed_as_two_stop)
{
    pushed_as_two_search(stops);
}

MODEL(pool_pushed_as_one_stops_and_one_sleeps)
{
    pushed_as_two_search(searches_in_vain);
}

static void looks_and_sleeps(void *i)
{
    struct edo_worker *worker = be((uint32_t)(intptr_t)i);
    struct edo_task *task = search(worker);
    if (task != NULL) {
        take_item(task);
        stop_searching(worker);
        return;
    }
    if (edo_idle_sleep(&pool->idle, worker->index, worker->searching))
        look_once_more(pool);
}

/* The only one that searched has found something, and is in a long poll; the other may not have searched, since that one
 * did, and falls asleep. */
MODEL(pool_pushed_as_one_sleeps_that_did_not_search)
{
    begin(2);
    watched_by(1);
    model_assert(edo_idle_search(&pool->idle));
    model_thread(stops, (void *)0);
    model_thread(looks_and_sleeps, (void *)1);
    make(0);
    model_join_all();
    model_assert(items[0].taken || !edo_idle_sleeps(&pool->idle, 1));
    end_all();
}

/* ---- Own work, and thieves ---- */

static void takes_what_there_is(struct edo_worker *worker)
{
    struct edo_task *task;
    while ((task = take_own(worker)) != NULL || (task = take_injected(worker)) != NULL ||
           (task = search(worker)) != NULL)
        take_item(task);
}

static void steals(void *i)
{
    struct edo_worker *worker = be((uint32_t)(intptr_t)i);
    for (struct edo_task *task = search(worker); task != NULL; task = take_own(worker))
        take_item(task);
}

static void stolen(int count)
{
    begin(2);
    struct edo_worker *worker = be(0);
    model_thread(steals, (void *)1);
    for (int i = 0; i < count; i++)
        make(i);
    takes_what_there_is(worker);
    model_join_all();
    takes_what_there_is(worker);
    all_taken(count);
    end_all();
}

MODEL(pool_stolen, .bound = 3)
{
    stolen(3);
}

/* One in the slot, four in the queue, and one too many. */
MODEL(pool_overflows, .bound = 3)
{
    stolen(6);
}

/* ---- Running: a task that is woken before, while, as it is polled, and when it waits ---- */

static void sets_and_wakes(void *arg)
{
    (void)arg;
    edo_store(&items[0].ready, 1, relaxed);
    wake(&items[0]);
}

static void run_woken(uint32_t workers, int gives_way)
{
    begin(workers);
    items[0].made = 1;
    items[0].gives_way = gives_way;
    edo_task_state_init(&items[0].task.state, true, false);
    edo_worker_schedule(pool, &items[0].task, false);
    for (uint32_t i = 0; i < workers; i++)
        model_thread(runs, (void *)(intptr_t)i);
    sets_and_wakes(NULL);
    all_taken(1);
    end_all();
}

MODEL(pool_runs_woken)
{
    run_woken(1, 0);
}

MODEL(pool_runs_woken_as_it_gives_way)
{
    run_woken(1, 1);
}

MODEL(pool_of_two_runs_woken, .bound = 3, .slow = true)
{
    run_woken(2, 0);
}

MODEL(pool_of_two_runs_woken_as_it_gives_way, .bound = 2, .slow = true)
{
    run_woken(2, 1);
}
