/* SPDX-License-Identifier: MIT */
/* The watch that one of the workers that sleep has over those that are awake (worker.c). */
#define COPY pool_watch_model
#include "pool_copy.h"

/* ---- When nobody has been awake for long, who has it gives it up, and sleeps without an end ---- */

static bool gave_up;

static void begin_watched(void)
{
    begin(2);
    sleeps(1);
    watched_by(1);
}

static void gives_up(void *arg)
{
    (void)arg;
    gave_up = give_watch_up(be(1));
}

/* One worker is in a long poll now: the other is to have the watch, or is on its way to it. */
static void someone_watches(void)
{
    model_join_all();
    model_assert(edo_load(&pool->watch, relaxed) == (gave_up ? -1 : 1));
    model_assert(!gave_up || !edo_idle_sleeps(&pool->idle, 1));
    end_all();
}

/* Its own loop has woken the one. */
static void is_woken_by_its_loop(void)
{
    struct edo_worker *worker = be(0);
    items[0].made = 1;
    edo_store(&bed_of(worker->driver)->brings, &items[0].task, release);
    find_one(worker);
}

MODEL(pool_watch_given_up_as_one_wakes)
{
    begin_watched();
    model_thread(gives_up, NULL);
    is_woken_by_its_loop();
    someone_watches();
}

/* It slept, and was taken. */
static void is_taken(void)
{
    struct edo_worker *worker = be(0);
    edo_driver_sleep(worker->driver, UINT64_MAX);
    worker->searching = !edo_idle_rise(&pool->idle, 0);
    find_one(worker);
}

static void takes(void *arg)
{
    (void)arg;
    is_taken();
}

MODEL(pool_watch_given_up_as_one_is_woken)
{
    begin_watched();
    sleeps(0);
    model_thread(gives_up, NULL);
    model_thread(takes, NULL);
    make(0);
    someone_watches();
}

/* Who has it wakes as the other falls asleep: that one takes it, or is told to. */
static void falls_asleep(void *arg)
{
    (void)arg;
    sleeps(0);
    take_watch(be(0));
}

MODEL(pool_watch_left_as_one_falls_asleep)
{
    begin(2);
    model_thread(falls_asleep, NULL);
    struct edo_worker *worker = be(1);
    items[0].made = 1;
    edo_store(&bed_of(worker->driver)->brings, &items[0].task, release);
    find_one(worker);
    model_join_all();
    model_assert(edo_load(&pool->watch, relaxed) == 0 || !edo_idle_sleeps(&pool->idle, 0));
    end_all();
}

/* One at a time has it, and `look_at`. */
static void has_watch(void *i)
{
    struct edo_worker *worker = be((uint32_t)(intptr_t)i);
    if (take_watch(worker)) {
        pool->look_at++;
        leave_watch(pool);
    }
}

MODEL(pool_watch_taken_by_two)
{
    begin(2);
    model_thread(has_watch, (void *)0);
    has_watch((void *)1);
    end_all();
}

/* ---- What a stuck worker has ---- */

/* What it has pushed, and what it pushes meanwhile, is run by the watch or by itself; once. */
static void looks_after(void *arg)
{
    (void)arg;
    struct edo_worker *worker = be(1);
    for (struct edo_task *task = look_after(worker); task != NULL; task = take_own(worker))
        take_item(task);
}

static void begin_stuck(void)
{
    begin(2);
    sleeps(1);
    watched_by(1);
    edo_store(&pool->workers[0].seen, 0, relaxed);
}

static void take_rest(struct edo_worker *worker, int count)
{
    for (struct edo_task *task; (task = take_own(worker)) != NULL;)
        take_item(task);
    all_taken(count);
    end_all();
}

MODEL(pool_stuck_with_one)
{
    begin_stuck();
    struct edo_worker *worker = be(0);
    model_thread(looks_after, NULL);
    make(0);
    take_rest(worker, 1);
}

MODEL(pool_stuck_with_two)
{
    begin_stuck();
    struct edo_worker *worker = be(0);
    model_thread(looks_after, NULL);
    make(0);
    make(1);
    take_rest(worker, 2);
}

/* It was not stuck after all: it turns its loop meanwhile. */
MODEL(pool_stuck_no_more)
{
    begin_stuck();
    struct edo_worker *worker = be(0);
    items[0].made = 1;
    edo_store(&bed_of(worker->driver)->brings, &items[0].task, release);
    model_thread(looks_after, NULL);
    turn(worker);
    take_rest(worker, 1);
}

/* A worker's loop wakes one, whose poll makes another, and does not end before that has run: as the first worker is
 * stuck, the second runs it, or the other way round when that has stolen the first. */
static char ran;

static void runs_one(void *i)
{
    struct edo_worker *worker = be((uint32_t)(intptr_t)i);
    if (find_one(worker) == &items[1]) {
        model_signal(&ran);
        return;
    }
    make(1);
    model_signal(&stuck);
    model_wait(&ran);
}

static void rescue(int patience)
{
    begin(2);
    timed = true;
    naps = patience;
    pool->look_at = model_now();
    items[0].made = 1;
    edo_store(&bed_of(pool->workers[0].driver)->brings, &items[0].task, release);
    model_thread(runs_one, (void *)1);
    runs_one((void *)0);
    all_taken(2);
    end_all();
}

MODEL(pool_rescued, .bound = 3, .slow = true)
{
    rescue(0);
}

/* There is time for the watch to be given up, and to be taken again. */
MODEL(pool_rescued_late, .bound = 3, .slow = true)
{
    rescue(1);
}
