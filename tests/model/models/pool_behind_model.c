/* SPDX-License-Identifier: MIT */
/* When a worker tells others of what its loop has found (worker.c): one worker polls, as long as a model says, and the
 * other sleeps, and has the watch. There is one thread, and one order of things. */

/* As in the library. */
#undef EDO_DEAR_NS
#define COPY pool_behind_model
#include "pool_copy.h"

enum { SHORT_NS = BEHIND_NS / 32, LONG_NS = DEAR_NS + DEAR_NS / 2 };

static struct edo_worker *begin_behind(uint32_t workers)
{
    begin(workers);
    sleeps(1);
    watched_by(1);
    return be(0);
}

/* The other has been; it has searched in vain, and sleeps again. */
static bool told(void)
{
    if (edo_idle_sleeps(&pool->idle, 1))
        return false;
    edo_idle_sleep(&pool->idle, 1, true);
    edo_store(&bed_of(pool->workers[1].driver)->woken, false, relaxed);
    return true;
}

/* Two of the items, or one, are ready when the loop turns next. */
static void bring(struct edo_worker *worker, int first, bool two)
{
    items[first].made = items[first + 1].made = 1;
    items[first].task.next = two ? &items[first + 1].task : NULL;
    edo_store(&bed_of(worker->driver)->brings, &items[first].task, release);
}

static void finds_two(struct edo_worker *worker, int first)
{
    bring(worker, first, true);
    turn(worker);
}

static struct item *next_of(struct edo_worker *worker)
{
    struct edo_task *task = take_own(worker);
    take_item(task);
    return (struct item *)task;
}

/* As edo_worker_run does, after a poll that took so long. */
static void polled(struct edo_worker *worker, uint64_t ns)
{
    model_set_now(model_now() + ns);
    edo_count_up(&worker->own.counts.polls, 1);
    uint64_t polls = edo_load(&worker->own.counts.polls, relaxed);
    if (polls >= worker->tick_at)
        model_assert(tick(worker, polls) == NULL);
}

static void polls_one_to_its_end(struct edo_worker *worker, uint64_t ns)
{
    next_of(worker);
    polled(worker, ns);
}

/* Wakes itself in its poll. */
static void polls_one_that_gives_way(struct edo_worker *worker, uint64_t ns)
{
    struct item *item = next_of(worker);
    item->taken = 0;
    model_set_now(model_now() + ns);
    edo_worker_schedule(pool, &item->task, true);
    polled(worker, 0);
}

static void end_behind(struct edo_worker *worker)
{
    for (struct edo_task *task; (task = take_own(worker)) != NULL;)
        take_item(task);
    end_all();
}

/* ---- One that gives way ---- */

MODEL(pool_gives_way_among_what_the_loop_has_found)
{
    struct edo_worker *worker = begin_behind(2);
    finds_two(worker, 0);
    for (int i = 0; i < 6; i++)
        polls_one_that_gives_way(worker, SHORT_NS);
    model_assert(!told());
    end_behind(worker);
}

/* They have been woken by a task, one after the other, which tells nobody of either: the first went into the LIFO slot,
 * and the second when that had gone from there. */
static void gives_way_among_others(struct edo_worker *worker)
{
    make(2);
    polls_one_that_gives_way(worker, SHORT_NS);
    make(3);
    model_assert(!told());
    polls_one_that_gives_way(worker, SHORT_NS);
    model_assert(told());
}

MODEL(pool_gives_way_among_others)
{
    struct edo_worker *worker = begin_behind(2);
    gives_way_among_others(worker);
    end_behind(worker);
}

/* What the loop has found is done. */
MODEL(pool_gives_way_among_others_thereafter)
{
    struct edo_worker *worker = begin_behind(2);
    finds_two(worker, 0);
    polls_one_to_its_end(worker, SHORT_NS);
    polls_one_to_its_end(worker, SHORT_NS);
    gives_way_among_others(worker);
    end_behind(worker);
}

/* Another has taken the last of it, and this worker has slept since: it has not been behind all the time. */
MODEL(pool_finds_more_after_a_sleep)
{
    struct edo_worker *worker = begin_behind(3);
    finds_two(worker, 0);
    polls_one_to_its_end(worker, SHORT_NS);
    take_item(steal_from(be(2), &pool->workers[0]));
    be(0);
    model_set_now(model_now() + BEHIND_NS);
    bring(worker, 2, true);
    take_item(look_for(worker));
    polled(worker, SHORT_NS);
    model_assert(!told());
    end_behind(worker);
}

/* ---- When it does not get through with what the loop has found ---- */

/* True: the last poll of that time is when another was told. */
static bool is_behind_for(struct edo_worker *worker, uint64_t ns)
{
    for (uint64_t i = 1; i < ns / SHORT_NS; i++)
        polls_one_that_gives_way(worker, SHORT_NS);
    bool early = told();
    polls_one_that_gives_way(worker, SHORT_NS);
    return told() && !early;
}

static void gets_through(struct edo_worker *worker, uint64_t ns)
{
    while (edo_queue_length(&worker->queue) > 0) {
        next_of(worker)->taken = 0;
        polled(worker, ns);
    }
    model_assert(!told());
}

static bool tells_at_once(struct edo_worker *worker)
{
    finds_two(worker, 0);
    bool at_once = told();
    gets_through(worker, SHORT_NS);
    return at_once;
}

/* Told then, and, as long as it is behind, each time that it has been for so long again. */
MODEL(pool_behind_for_long, .steps = 4000)
{
    struct edo_worker *worker = begin_behind(2);
    finds_two(worker, 0);
    model_assert(is_behind_for(worker, BEHIND_NS));
    model_assert(is_behind_for(worker, BEHIND_NS));
    end_behind(worker);
}

/* For a while another is told at once. */
MODEL(pool_behind_not_long_ago, .steps = 4000)
{
    struct edo_worker *worker = begin_behind(2);
    finds_two(worker, 0);
    model_assert(is_behind_for(worker, BEHIND_NS));
    uint64_t since = model_now();
    gets_through(worker, SHORT_NS);
    model_set_now(since + EAGER_NS - 1);
    model_assert(tells_at_once(worker));
    model_set_now(since + EAGER_NS);
    model_assert(!tells_at_once(worker));
    end_behind(worker);
}

/* And for longer where one worker is not enough as soon as that is tried; but not for ever. */
MODEL(pool_behind_again_and_again, .steps = 8000)
{
    struct edo_worker *worker = begin_behind(2);
    uint64_t since, longer = EAGER_NS;
    for (int i = 0; i < 6; i++) {
        finds_two(worker, 0);
        model_assert(is_behind_for(worker, BEHIND_NS));
        since = model_now();
        gets_through(worker, SHORT_NS);
        model_set_now(since + longer - 1);
        model_assert(tells_at_once(worker));
        model_set_now(since + longer);
        longer = 2 * longer < EAGER_MAX_NS ? 2 * longer : EAGER_MAX_NS;
    }
    /* It has been enough for a while. */
    model_set_now(model_now() + EAGER_NS);
    finds_two(worker, 0);
    model_assert(is_behind_for(worker, BEHIND_NS));
    gets_through(worker, SHORT_NS);
    model_set_now(model_now() + EAGER_NS);
    model_assert(!tells_at_once(worker));
    end_behind(worker);
}

static bool tells_soon(struct edo_worker *worker)
{
    uint64_t start = model_now();
    finds_two(worker, 0);
    bool early = told();
    do
        polls_one_that_gives_way(worker, LONG_NS);
    while (!told());
    return !early && model_now() - start < BEHIND_NS - LONG_NS;
}

/* Where polls take so long another is told earlier, once; and at once, until they do no more. Of a single task nobody
 * is told. */
MODEL(pool_behind_with_long_polls, .steps = 4000)
{
    struct edo_worker *worker = begin_behind(2);
    model_assert(tells_soon(worker));
    polls_one_that_gives_way(worker, LONG_NS);
    gets_through(worker, LONG_NS);
    bring(worker, 0, false);
    turn(worker);
    gets_through(worker, LONG_NS);
    model_assert(tells_at_once(worker));
    for (int i = 0; i < 4; i++)
        tells_at_once(worker);
    model_assert(!tells_at_once(worker));
    model_assert(tells_soon(worker));
    end_behind(worker);
}
