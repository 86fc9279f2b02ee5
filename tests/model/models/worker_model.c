/* SPDX-License-Identifier: MIT */
/* The multi-thread runtime: its workers, their sleep, and its end. */
#include "runtime/blocking.h"
#include "runtime/driver.h"
#include "runtime/pool.h"
#include "runtime/runtime_internal.h"
#include "wakes.h"

static struct edo_runtime *runtime;

static struct edo_handle *start(uint32_t workers)
{
    model_assert(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = workers,
                                 .rng_seed = 1) == 0);
    return edo_runtime_handle(runtime);
}

/* ---- The sleep of a worker, and who ends it ---- */

struct sets {
    EDO_FUTURE(int);
    int bits;
    bool *dropped;
};

static enum edo_poll sets_poll(struct edo_future *future, struct edo_context *cx)
{
    struct sets *self = (struct sets *)future;
    if (cx->walk == EDO_WALK_DROP && self->dropped != NULL)
        *self->dropped = true;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "sets");
    edo_fetch_or(&done, self->bits, relaxed);
    self->output = self->bits;
    return EDO_READY;
}

static void joins(JOIN_HANDLE(int) task, int want)
{
    int value = 0;
    struct edo_join join = edo_join(task, &value);
    struct executor *executor = executor_new();
    executor_run(executor, &join.future_);
    model_assert(join.output == 0 && value == want);
}

/* It is asleep, or about to be; no wake-up is lost, else this waits for ever. */
MODEL(worker_spawned_on, .bound = 3, .slow = true, .tries = true)
{
    struct edo_handle *handle = start(1);
    joins(SPAWN_ON(handle, EDO_NEW(sets, .bits = 1)), 1);
    edo_runtime_drop(runtime);
}

MODEL(worker_spawned_on_twice, .bound = 3, .slow = true, .tries = true)
{
    struct edo_handle *handle = start(1);
    JOIN_HANDLE(int) first = SPAWN_ON(handle, EDO_NEW(sets, .bits = 1));
    joins(SPAWN_ON(handle, EDO_NEW(sets, .bits = 2)), 2);
    joins(first, 1);
    edo_runtime_drop(runtime);
}

static void spawns_and_joins(void *arg)
{
    struct edo_handle *handle = arg;
    bool dropped = false;
    JOIN_HANDLE(int) task = SPAWN_ON(handle, EDO_NEW(sets, .bits = 1, .dropped = &dropped));
    edo_handle_drop(handle);
    struct executor *executor = executor_new();
    int value = 0;
    struct edo_join join = edo_join(task, &value);
    executor_run(executor, &join.future_);
    model_assert(join.output == (dropped ? UV_ECANCELED : 0));
    model_assert(value == !dropped);
    model_outcome(dropped);
}

/* The end meets a spawn: it runs, or is dropped, by the worker, or by who spawned it. */
MODEL(worker_ended_while_spawned_on, .bound = 3, .slow = true, .tries = true, .outcomes = "0 1")
{
    struct edo_handle *handle = start(1);
    model_thread(spawns_and_joins, edo_handle_clone(handle));
    edo_runtime_drop(runtime);
}

/* ---- Wakes ---- */

/* While it is polled, as its poll ends, when it waits. */
MODEL(worker_task_woken, .bound = 2, .slow = true, .tries = true)
{
    struct edo_handle *handle = start(1);
    joins(SPAWN_ON(handle, EDO_NEW(until, .done = &done, .bits = 1, .begin = begin_wakes)), 1);
    edo_runtime_drop(runtime);
}

MODEL(worker_task_woken_as_it_gives_way, .bound = 2, .slow = true, .tries = true)
{
    struct edo_handle *handle = start(1);
    joins(SPAWN_ON(handle,
                   EDO_NEW(until, .done = &done, .bits = 1, .turns = 1, .begin = begin_wakes)),
          1);
    edo_runtime_drop(runtime);
}

/* The end meets a wake, and the last reference. */
MODEL(worker_ended_while_woken, .bound = 3, .slow = true, .tries = true)
{
    struct edo_handle *handle = start(1);
    edo_task_detach(
        SPAWN_ON(handle, EDO_NEW(until, .done = &done, .bits = 2, .begin = begin_wakes)));
    edo_runtime_drop(runtime);
}

static void aborts(void *arg)
{
    edo_abort_handle_abort(arg);
    edo_abort_handle_drop(arg);
}

MODEL(worker_task_aborted, .bound = 2, .slow = true, .tries = true)
{
    struct edo_handle *handle = start(1);
    JOIN_HANDLE(int) task = SPAWN_ON(handle, EDO_NEW(until, .done = &done, .bits = 1));
    model_thread(aborts, edo_abort_handle(task));
    struct executor *executor = executor_new();
    struct edo_join join = edo_join(task, NULL);
    executor_run(executor, &join.future_);
    model_assert(join.output == UV_ECANCELED);
    edo_runtime_drop(runtime);
}

/* ---- Two workers ---- */

struct spawner {
    EDO_FUTURE(int);
    JOIN_HANDLE(int) first, second;
    struct edo_join join;
    int value;
};

ASYNC(spawner)
{
    ASYNC_BEGIN;
    self->first = SPAWN(EDO_NEW(sets, .bits = 1));
    self->second = SPAWN(EDO_NEW(sets, .bits = 2));
    AWAIT(self->join, edo_join(self->first, &self->value));
    if (self->join.output != 0 || self->value != 1)
        RETURN(-1);
    AWAIT(self->join, edo_join(self->second, &self->value));
    RETURN(self->join.output == 0 ? self->value : -1);
    ASYNC_END;
}

/* What one spawns the other may steal; the join may complete on either. */
MODEL(workers_steal, .bound = 1, .slow = true, .tries = true)
{
    struct edo_handle *handle = start(2);
    joins(SPAWN_ON(handle, NEW(spawner)), 2);
    model_assert(edo_load(&done, relaxed) == 3);
    edo_runtime_drop(runtime);
}

MODEL(workers_end, .bound = 3, .slow = true, .tries = true)
{
    start(2);
    edo_runtime_drop(runtime);
}

/* More than a queue holds: half of it goes to the inject queue, from where others take it. */
struct many {
    EDO_FUTURE(int);
    int i, value;
    JOIN_HANDLE(int) tasks[7];
    struct edo_join join;
};

ASYNC(many)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < 7; self->i++)
        self->tasks[self->i] = SPAWN(EDO_NEW(sets, .bits = 1 << self->i));
    for (self->i = 0; self->i < 7; self->i++) {
        AWAIT(self->join, edo_join(self->tasks[self->i], &self->value));
        if (self->value != 1 << self->i)
            RETURN(-1);
    }
    RETURN(7);
    ASYNC_END;
}

MODEL(worker_overflows, .bound = 2, .slow = true, .tries = true)
{
    struct edo_handle *handle = start(1);
    joins(SPAWN_ON(handle, NEW(many)), 7);
    edo_runtime_drop(runtime);
}

/* ---- A worker that blocks gives itself away, and takes itself back when nobody came ---- */

static void blocks(void *arg)
{
    (void)arg;
    edo_fetch_or(&done, 4, relaxed);
}

struct blocker {
    EDO_FUTURE(int);
    JOIN_HANDLE(int) other;
    struct edo_join join;
    int value;
};

ASYNC(blocker)
{
    ASYNC_BEGIN;
    self->other = SPAWN(EDO_NEW(sets, .bits = 1));
    if (edo_block_in_place(blocks, NULL) != 0)
        RETURN(-1);
    AWAIT(self->join, edo_join(self->other, &self->value));
    RETURN(self->value);
    ASYNC_END;
}

MODEL(worker_blocks_in_place, .bound = 2, .slow = true, .tries = true)
{
    struct edo_handle *handle = start(1);
    joins(SPAWN_ON(handle, NEW(blocker)), 1);
    edo_runtime_drop(runtime);
}

/* ---- Timers of a worker's wheel, and other threads ---- */

static void sleeps(void *arg)
{
    struct edo_handle *handle = arg;
    struct edo_guard guard = edo_enter(handle);
    struct executor *executor = executor_new();
    struct edo_sleep *sleep = ON_HEAP(edo_sleep(1));
    executor_run(executor, &sleep->future_);
    model_assert(sleep->output == 0 || sleep->output == EDO_ESHUTDOWN ||
                 sleep->output == EDO_ENORUNTIME);
    edo_leave(guard);
    edo_handle_drop(handle);
}

/* Armed on a worker's wheel by another thread: the worker, asleep, is woken for it. */
MODEL(worker_timer_from_elsewhere, .bound = 3, .slow = true)
{
    struct edo_handle *handle = start(1);
    sleeps(edo_handle_clone(handle));
    edo_runtime_drop(runtime);
}

MODEL(worker_timer_orphaned, .bound = 3, .slow = true)
{
    struct edo_handle *handle = start(1);
    model_thread(sleeps, edo_handle_clone(handle));
    edo_runtime_drop(runtime);
}

static void begins_to_sleep(void *arg)
{
    struct edo_handle *handle = arg;
    struct edo_guard guard = edo_enter(handle);
    struct executor *executor = executor_new();
    struct edo_sleep *sleep = ON_HEAP(edo_sleep(1));
    if (executor_poll(executor, &sleep->future_) == EDO_PENDING)
        executor_cancel(executor, &sleep->future_);
    edo_leave(guard);
    edo_handle_drop(handle);
}

MODEL(worker_timer_dropped, .bound = 3, .slow = true)
{
    struct edo_handle *handle = start(1);
    begins_to_sleep(edo_handle_clone(handle));
    edo_runtime_drop(runtime);
}

/* ---- Notes for who has the loop ---- */

struct noted {
    struct edo_note note;
    int ran;
};

static void runs(struct edo_note *note)
{
    ((struct noted *)note)->ran++;
}

/* It is run, under the lock of the loop, by the worker; or the driver is closed, and says so. */
static void notes(void *arg)
{
    struct edo_handle *handle = arg;
    struct edo_driver *driver = handle->pool->workers[0].driver;
    struct noted *noted = model_new(sizeof *noted);
    noted->note.run = runs;
    if (edo_driver_enter(driver)) {
        noted->ran++;
        edo_driver_leave(driver);
    } else if (!edo_driver_submit(driver, &noted->note)) {
        noted->ran++;
    }
    edo_handle_drop(handle);
}

MODEL(worker_notes, .bound = 3, .slow = true, .tries = true)
{
    struct edo_handle *handle = start(1);
    model_thread(notes, edo_handle_clone(handle));
    edo_runtime_drop(runtime);
}
