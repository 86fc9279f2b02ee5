/* SPDX-License-Identifier: MIT */
/* The workers of a multi-thread runtime and what they share, without the rest: worker.c and pool.c are compiled once
 * more, on drivers that only sleep and are woken. So a model has their static functions to call, and few steps. The
 * atomic operations are those of the library, for the coverage and for the mutants.
 *
 * Who includes this has a copy of its own, and says first what the names in it begin with:
 *
 *     #define COPY pool_model
 *     #include "pool_copy.h"
 */
#ifndef EDO_TESTS_MODEL_POOL_COPY_H
#define EDO_TESTS_MODEL_POOL_COPY_H

#include "tests/model/model.h"

#define COPY_PASTE_(prefix, name) prefix##_##name
#define COPY_PASTE(prefix, name)  COPY_PASTE_(prefix, name)
#define COPY_NAME(name)           COPY_PASTE(COPY, name)

/* No reason here why nobody may sleep for ever. */
#undef EDO_WATCH_ROUNDS
#define EDO_WATCH_ROUNDS 2

/* Defined here, in place of the library's. */
#define edo_driver_new_shared   COPY_NAME(driver_new_shared)
#define edo_driver_free         COPY_NAME(driver_free)
#define edo_driver_close        COPY_NAME(driver_close)
#define edo_driver_sleep        COPY_NAME(driver_sleep)
#define edo_driver_turn         COPY_NAME(driver_turn)
#define edo_driver_wake         COPY_NAME(driver_wake)
#define edo_driver_give_up      COPY_NAME(driver_give_up)
#define edo_handle_start_thread COPY_NAME(handle_start_thread)
#define edo_task_cancel         COPY_NAME(task_cancel)
#define edo_blocking_pool_close COPY_NAME(blocking_pool_close)
#define edo_blocking_pool_wait  COPY_NAME(blocking_pool_wait)
/* The copies. */
#define edo_worker_run          COPY_NAME(worker_run)
#define edo_worker_schedule     COPY_NAME(worker_schedule)
#define edo_pool_new            COPY_NAME(pool_new)
#define edo_pool_free           COPY_NAME(pool_free)
#define edo_pool_close          COPY_NAME(pool_close)
#define edo_pool_enter          COPY_NAME(pool_enter)
#define edo_pool_leave          COPY_NAME(pool_leave)
#define edo_pool_wake           COPY_NAME(pool_wake)
#define edo_pool_spawn          COPY_NAME(pool_spawn)
#define edo_pool_adopt          COPY_NAME(pool_adopt)
#define edo_pool_forget         COPY_NAME(pool_forget)

/* Inline, and not what is to be polled. */
#define edo_task_poll real_task_poll
#include "runtime/task_poll.h"
#undef edo_task_poll
#define edo_task_poll poll_item
static bool poll_item(struct edo_task *task, struct edo_context *cx);

#include "runtime/pool.c"
#include "runtime/worker.c"

/* ---- A driver: sleeps until it is woken, or has been since it slept last ---- */

struct bed {
    _Atomic(bool) woken;
    _Atomic(struct edo_task *) brings; /* ready when its loop turns next; linked by next */
    bool late;
    char event;
};

static inline struct bed *bed_of(struct edo_driver *driver)
{
    return (struct bed *)(void *)driver;
}

int edo_driver_new_shared(struct edo_handle *handle, struct edo_driver *io,
                          struct edo_driver **driver)
{
    (void)handle;
    (void)io;
    *driver = model_new(sizeof(struct bed));
    return 0;
}

void edo_driver_free(struct edo_driver *driver)
{
    (void)driver;
}

void edo_driver_close(struct edo_driver *driver, uint64_t deadline)
{
    (void)driver;
    (void)deadline;
}

void edo_driver_turn(struct edo_driver *driver, bool sleep)
{
    (void)sleep;
    struct edo_task *task = edo_exchange(&bed_of(driver)->brings, NULL, acquire);
    while (task != NULL) {
        struct edo_task *next = task->next;
        edo_worker_schedule(edo_thread.worker->pool, task, false);
        task = next;
    }
}

/* Whether time passes: then a limit may be reached at any moment, `naps` times, and after that when a worker is
 * stuck; then always. */
static bool timed;
static int naps;
static char stuck;

static inline void sleep_for(struct bed *bed, uint64_t limit)
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

void edo_driver_sleep(struct edo_driver *driver, uint64_t limit)
{
    model_assert(limit > 0);
    if (edo_load(&bed_of(driver)->brings, relaxed) == NULL)
        sleep_for(bed_of(driver), limit);
    edo_exchange(&bed_of(driver)->woken, false, acquire);
    edo_driver_turn(driver, false);
}

void edo_driver_give_up(struct edo_driver *driver)
{
    (void)driver;
}

void edo_driver_wake(struct edo_driver *driver)
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

int edo_handle_start_thread(struct edo_handle *handle, struct edo_thread_id *id,
                            void *(*run)(void *), void *arg)
{
    (void)handle;
    return threads ? edo_thread_start(id, NULL, run, arg) : 0;
}

void edo_blocking_pool_close(struct edo_blocking_pool *blocking)
{
    (void)blocking;
}

bool edo_blocking_pool_wait(struct edo_blocking_pool *blocking, uint64_t deadline)
{
    (void)blocking;
    (void)deadline;
    return true;
}

void edo_task_cancel(struct edo_task *task)
{
    model_assert(before == 1);
    ((struct item *)task)->taken = 1;
    edo_pool_forget(pool, task);
    cancelled++;
}

static inline void take_item(struct edo_task *task)
{
    struct item *item = (struct item *)task;
    model_assert(item->made && !item->taken);
    item->taken = 1;
}

/* As a waker of the task does, in another thread. */
static inline void wake(struct item *item)
{
    if (edo_task_state_schedule(&item->task.state, false))
        edo_worker_schedule(pool, &item->task, false);
}

/* What gives way wakes itself, which its own thread sees without the state. */
static inline bool poll_item(struct edo_task *task, struct edo_context *cx)
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

static inline void begin(uint32_t workers)
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

static inline void end_all(void)
{
    model_join_all();
    struct edo_handle *handle = pool->handle;
    for (uint32_t i = 0; i < pool->count && !threads; i++)
        edo_handle_drop(handle);
    edo_pool_free(pool);
    edo_handle_drop(handle);
}

static inline struct edo_worker *be(uint32_t i)
{
    struct edo_worker *worker = &pool->workers[i];
    edo_thread = (struct edo_thread){.worker = worker};
    return worker;
}

static inline void make(int i)
{
    items[i].made = 1;
    edo_worker_schedule(pool, &items[i].task, false);
}

static inline void make_one(void *i)
{
    make((int)(intptr_t)i);
}

static inline void all_taken(int count)
{
    model_join_all();
    for (int i = 0; i < count; i++)
        model_assert(items[i].taken == 1);
}

/* As edo_worker_run does, up to the poll. */
static inline struct item *find_one(struct edo_worker *worker)
{
    struct edo_task *task = take_own(worker);
    if (task == NULL)
        task = look_for(worker);
    take_item(task);
    return (struct item *)task;
}

static inline void sleeps(uint32_t i)
{
    edo_idle_sleep(&pool->idle, i, false);
}

static inline void watched_by(int32_t i)
{
    edo_store(&pool->watch, i, relaxed);
}

static inline void runs(void *i)
{
    edo_worker_run(be((uint32_t)(intptr_t)i));
}

#endif
