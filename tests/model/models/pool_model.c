/* SPDX-License-Identifier: MIT */
/* The workers of a multi-thread runtime and what they share, without the rest: worker.c and pool.c are compiled here
 * once more, on drivers that only sleep and are woken. So a model has their static functions to call, and few steps.
 * The atomic operations are those of the library, for the coverage and for the mutants. */
#include "tests/model/model.h"

/* No reason here why nobody may sleep for ever. */
#undef EDO_WATCH_ROUNDS
#define EDO_WATCH_ROUNDS 2

/* Ours. */
#define edo_driver_new_shared   bed_new
#define edo_driver_free         bed_free
#define edo_driver_close        bed_close
#define edo_driver_sleep        bed_sleep
#define edo_driver_turn         bed_turn
#define edo_driver_wake         bed_wake
#define edo_driver_give_up      bed_give_up
#define edo_handle_start_thread bed_start_thread
#define edo_task_cancel         bed_cancel
#define edo_blocking_pool_close bed_close_blocking
#define edo_blocking_pool_wait  bed_wait_blocking
/* The copies'. */
#define edo_worker_run          copy_worker_run
#define edo_worker_schedule     copy_worker_schedule
#define edo_pool_new            copy_pool_new
#define edo_pool_free           copy_pool_free
#define edo_pool_close          copy_pool_close
#define edo_pool_enter          copy_pool_enter
#define edo_pool_leave          copy_pool_leave
#define edo_pool_wake           copy_pool_wake
#define edo_pool_spawn          copy_pool_spawn
#define edo_pool_adopt          copy_pool_adopt
#define edo_pool_forget         copy_pool_forget

/* Inline, and not what is to be polled. */
#define edo_task_poll real_task_poll
#include "runtime/task_poll.h"
#undef edo_task_poll
#define edo_task_poll bed_poll
static bool bed_poll(struct edo_task *task, struct edo_context *cx);

#include "runtime/pool.c"
#include "runtime/worker.c"

/* ---- A driver: sleeps until it is woken, or has been since it slept last ---- */

struct bed {
    _Atomic(bool) woken;
    _Atomic(struct edo_task *) brings; /* ready when its loop turns next */
    bool late;
    char event;
};

static struct bed *bed_of(struct edo_driver *driver)
{
    return (struct bed *)(void *)driver;
}

int bed_new(struct edo_handle *handle, struct edo_driver *io, struct edo_driver **driver)
{
    (void)handle;
    (void)io;
    *driver = model_new(sizeof(struct bed));
    return 0;
}

void bed_free(struct edo_driver *driver)
{
    (void)driver;
}

void bed_close(struct edo_driver *driver, uint64_t deadline)
{
    (void)driver;
    (void)deadline;
}

void bed_turn(struct edo_driver *driver, bool sleep)
{
    (void)sleep;
    struct edo_task *task = edo_exchange(&bed_of(driver)->brings, NULL, acquire);
    if (task != NULL)
        edo_worker_schedule(edo_thread.worker->pool, task, false);
}

/* Whether time passes: then a limit may be reached at any moment, `naps` times, and after that when a worker is
 * stuck; then always. */
static bool timed;
static int naps;
static char stuck;

static void sleep_for(struct bed *bed, uint64_t limit)
{
    if (limit == UINT64_MAX || !timed) {
        model_wait(&bed->event);
        return;
    }
    if (naps > 0 && model_wait_timed(&bed->event))
        return;
    if (naps > 0) {
        naps--;
    } else if (!bed->late) {
        model_wait(&stuck);
        bed->late = true;
    }
    model_set_now(model_now() + limit);
}

void bed_sleep(struct edo_driver *driver, uint64_t limit)
{
    model_assert(limit > 0);
    if (edo_load(&bed_of(driver)->brings, relaxed) == NULL)
        sleep_for(bed_of(driver), limit);
    edo_exchange(&bed_of(driver)->woken, false, acquire);
    bed_turn(driver, false);
}

void bed_give_up(struct edo_driver *driver)
{
    (void)driver;
}

void bed_wake(struct edo_driver *driver)
{
    edo_exchange(&bed_of(driver)->woken, true, release);
    model_signal(&bed_of(driver)->event);
}

/* ---- A pool ---- */

/* `taken` is plain: who takes a task twice, or sees it before it was made, races. */
struct item {
    struct edo_task task;
    int made, taken;
    /* Of one that is run. `polls` is plain: whoever polls has all of the polls before. */
    _Atomic(int) ready;
    int polls, gives_way;
};

static struct edo_pool *pool;
static struct item items[6];
static bool threads; /* the workers have threads of their own */
static int before, cancelled;

int bed_start_thread(struct edo_handle *handle, struct edo_thread_id *id, void *(*run)(void *),
                     void *arg)
{
    (void)handle;
    return threads ? edo_thread_start(id, NULL, run, arg) : 0;
}

void bed_close_blocking(struct edo_blocking_pool *blocking)
{
    (void)blocking;
}

bool bed_wait_blocking(struct edo_blocking_pool *blocking, uint64_t deadline)
{
    (void)blocking;
    (void)deadline;
    return true;
}

void bed_cancel(struct edo_task *task)
{
    model_assert(before == 1);
    ((struct item *)task)->taken = 1;
    edo_pool_forget(pool, task);
    cancelled++;
}

static void take_item(struct edo_task *task)
{
    struct item *item = (struct item *)task;
    model_assert(item->made && !item->taken);
    item->taken = 1;
}

/* As a waker of the task does, in another thread. */
static void wake(struct item *item)
{
    if (edo_task_state_schedule(&item->task.state, false))
        edo_worker_schedule(pool, &item->task, false);
}

/* What gives way wakes itself, which its own thread sees without the state. */
static bool bed_poll(struct edo_task *task, struct edo_context *cx)
{
    (void)cx;
    struct item *item = (struct item *)task;
    item->polls++;
    if (item->polls <= item->gives_way) {
        edo_thread.again = true;
        return false;
    }
    if (!edo_load(&item->ready, relaxed))
        return false;
    take_item(task);
    edo_pool_forget(pool, task);
    edo_task_state_end(&task->state);
    stop(pool);
    return true;
}

/* Of each worker that has a thread of its own, before it leaves. */
static void on_stop(void *arg)
{
    (void)arg;
    model_assert(before == 1);
}

static void begin(uint32_t workers)
{
    struct edo_handle *handle =
        edo_handle_new(&(const struct edo_builder){.rng_seed = 1, .on_thread_stop = on_stop});
    model_assert(handle != NULL && edo_pool_new(handle, workers, 1) == 0);
    pool = handle->pool;
    handle->pool = NULL;
    /* The watch looks when a model says so. */
    if (!threads)
        pool->look_at = UINT64_MAX;
}

static void end_all(void)
{
    model_join_all();
    struct edo_handle *handle = pool->handle;
    for (uint32_t i = 0; i < pool->count && !threads; i++)
        edo_handle_drop(handle);
    edo_pool_free(pool);
    edo_handle_drop(handle);
}

static struct edo_worker *be(uint32_t i)
{
    struct edo_worker *worker = &pool->workers[i];
    edo_thread = (struct edo_thread){.worker = worker};
    return worker;
}

static void make(int i)
{
    items[i].made = 1;
    edo_worker_schedule(pool, &items[i].task, false);
}

static void make_one(void *i)
{
    make((int)(intptr_t)i);
}

static void all_taken(int count)
{
    model_join_all();
    for (int i = 0; i < count; i++)
        model_assert(items[i].taken == 1);
}

/* As edo_worker_run does, up to the poll. */
static struct item *find_one(struct edo_worker *worker)
{
    struct edo_task *task = take_own(worker);
    if (task == NULL)
        task = look_for(worker);
    take_item(task);
    return (struct item *)task;
}

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
static void sleeps(uint32_t i)
{
    edo_idle_sleep(&pool->idle, i, false);
}

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

static void watched_by(int32_t i)
{
    edo_store(&pool->watch, i, relaxed);
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

/* ---- The watch: when nobody has been awake for long, who has it gives it up, and sleeps without an end ---- */

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

/* What a stuck worker has pushed, and what it pushes meanwhile, is run by the watch or by itself; once. */
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

/* ---- Running: a task that is woken before, while, as it is polled, and when it waits ---- */

static void runs(void *i)
{
    edo_worker_run(be((uint32_t)(intptr_t)i));
}

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

/* ---- The end ---- */

/* What was done before is seen by each worker and by what ends with it, whether it sleeps or is awake throughout. */
static void close_pool(uint32_t workers)
{
    threads = true;
    begin(workers);
    edo_pool_adopt(pool, &items[0].task);
    before = 1;
    edo_pool_close(pool, UINT64_MAX);
    model_assert(cancelled == 1);
    end_all();
}

MODEL(pool_closed)
{
    close_pool(1);
}

MODEL(pool_of_two_closed, .bound = 3)
{
    close_pool(2);
}

/* The last to leave sees what all did. */
static void leaves(void *i)
{
    be((uint32_t)(intptr_t)i)->own.spare++;
    edo_pool_leave(pool);
}

MODEL(pool_left_by_two)
{
    begin(2);
    model_thread(leaves, (void *)0);
    leaves((void *)1);
    model_join_all();
    struct edo_handle *handle = pool->handle;
    model_assert(edo_load(&handle->refs, relaxed) == 1);
    edo_pool_free(pool);
    edo_handle_drop(handle);
}

static void runs_and_leaves(void *i)
{
    runs(i);
    edo_pool_leave(pool);
}

/* What is in queues is dropped, by whom it was not put there. */
static void makes_and_leaves(void *i)
{
    int first = 2 * (int)(intptr_t)i;
    be((uint32_t)(intptr_t)i);
    make(first);
    make(first + 1);
    edo_pool_leave(pool);
}

MODEL(pool_left_with_tasks)
{
    begin(2);
    before = 1;
    make(4);
    model_thread(makes_and_leaves, (void *)1);
    makes_and_leaves((void *)0);
    model_join_all();
    model_assert(cancelled == 5);
    end_all();
}

/* Spawned from elsewhere meanwhile: refused, or dropped with the others. Afterwards: refused, although a worker may look
 * for tasks as yet. */
static bool spawned;

static void spawns(void *arg)
{
    (void)arg;
    before = 1;
    spawned = edo_pool_spawn(pool, &items[0].task);
}

MODEL(pool_spawned_on_as_it_is_closed, .outcomes = "0 1")
{
    begin(1);
    model_thread(spawns, NULL);
    stop(pool);
    be(0);
    edo_pool_leave(pool);
    model_join_all();
    model_assert(cancelled == spawned);
    model_outcome(spawned);
    end_all();
}

MODEL(pool_spawned_on_once_it_is_told_to_close)
{
    begin(1);
    model_thread(runs_and_leaves, (void *)0);
    stop(pool);
    model_assert(!edo_pool_spawn(pool, &items[0].task));
    model_join_all();
    model_assert(cancelled == 0);
    end_all();
}
