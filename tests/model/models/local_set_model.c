/* SPDX-License-Identifier: MIT */
/* A local set: its tasks are woken, spawned and aborted by other threads while the set is polled, when a poll
 * ends, when those who run it come and go, and when it is dropped. */
#include "executor.h"
#include "runtime/local_set.h"

static struct edo_local_set *set;
static _Atomic(int) done;

static void set_make(void)
{
    model_assert(edo_local_set_new(&set) == 0);
}

static void set_end(struct executor *executor)
{
    edo_local_set_drop(set);
    model_join_all();
    model_assert(executor == NULL || edo_load(&executor->clones, relaxed) == 0);
}

/* Runs the set until all its tasks have ended. */
static void run_all(struct executor *executor)
{
    struct edo_local_set_wait *wait = ON_HEAP(edo_local_set_wait(set));
    executor_run(executor, &wait->future_);
    model_assert(wait->output == 0);
}

/* Polls it once, and gives up. */
static void run_once(struct executor *executor)
{
    struct edo_local_set_wait *wait = ON_HEAP(edo_local_set_wait(set));
    if (executor_poll(executor, &wait->future_) == EDO_PENDING)
        executor_cancel(executor, &wait->future_);
}

/* ---- A task is woken ---- */

static void sets_one(void *arg)
{
    edo_fetch_or(&done, 1, relaxed);
    edo_wake(arg);
    edo_waker_drop(arg);
}

static void sets_other(void *arg)
{
    edo_fetch_or(&done, 2, relaxed);
    edo_wake(arg);
    edo_waker_drop(arg);
}

static void begin_one(struct edo_waker *waker, void *arg)
{
    (void)arg;
    model_thread(sets_one, edo_waker_clone(waker));
}

static void begin_other(struct edo_waker *waker, void *arg)
{
    (void)arg;
    model_thread(sets_other, edo_waker_clone(waker));
}

static void begin_two(struct edo_waker *waker, void *arg)
{
    begin_one(waker, arg);
    begin_other(waker, arg);
}

static void spawn_until(int bits, int turns, void (*begin)(struct edo_waker *, void *))
{
    edo_task_detach(SPAWN_LOCAL_ON(
        set, EDO_NEW(until, .done = &done, .bits = bits, .turns = turns, .begin = begin)));
}

MODEL(local_woken)
{
    struct executor *executor = executor_new();
    set_make();
    spawn_until(1, 0, begin_one);
    run_all(executor);
    set_end(executor);
}

/* The wake meets a task that is in the set's own queue. */
MODEL(local_woken_while_queued)
{
    struct executor *executor = executor_new();
    set_make();
    spawn_until(1, 1, begin_one);
    run_all(executor);
    set_end(executor);
}

MODEL(local_woken_by_two, .bound = 2)
{
    struct executor *executor = executor_new();
    set_make();
    spawn_until(3, 0, begin_two);
    run_all(executor);
    set_end(executor);
}

MODEL(local_two_woken, .bound = 2)
{
    struct executor *executor = executor_new();
    set_make();
    spawn_until(1, 0, begin_one);
    spawn_until(2, 0, begin_other);
    run_all(executor);
    set_end(executor);
}

/* What was written before the wake is there in the poll that it caused. */
static int plain;

static void writes_and_wakes(void *arg)
{
    plain = 1;
    edo_wake(arg);
    edo_waker_drop(arg);
}

struct second_poll {
    EDO_FUTURE(int);
};

static enum edo_poll second_poll_poll(struct edo_future *future, struct edo_context *cx)
{
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "second_poll");
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        model_thread(writes_and_wakes, edo_waker_clone(cx->waker));
        return EDO_PENDING;
    }
    model_assert(plain == 1);
    return EDO_READY;
}

MODEL(local_wake_carries_writes)
{
    struct executor *executor = executor_new();
    set_make();
    edo_task_detach(SPAWN_LOCAL_ON(set, EDO_NEW(second_poll)));
    run_all(executor);
    set_end(executor);
}

/* From this thread, between two polls of the set, when another wakes it as well. */
static struct edo_waker *kept;

static void begin_one_and_keep(struct edo_waker *waker, void *arg)
{
    kept = edo_waker_clone(waker);
    begin_one(waker, arg);
}

MODEL(local_woken_here_and_elsewhere, .bound = 2)
{
    struct executor *executor = executor_new();
    set_make();
    spawn_until(1, 0, begin_one_and_keep);
    struct edo_local_set_wait *wait = ON_HEAP(edo_local_set_wait(set));
    enum edo_poll poll = executor_poll(executor, &wait->future_);
    edo_wake(kept);
    edo_waker_drop(kept);
    if (poll == EDO_PENDING)
        executor_run(executor, &wait->future_);
    set_end(executor);
}

/* ---- On a runtime, whose wakers are stable ---- */

MODEL(local_on_a_runtime, .bound = 3)
{
    struct edo_runtime *runtime = runtime_new();
    set_make();
    spawn_until(1, 0, begin_one);
    struct edo_local_set_wait *wait = ON_HEAP(edo_local_set_wait(set));
    model_assert(edo_block_on(runtime, wait) == 0);
    set_end(NULL);
    edo_runtime_drop(runtime);
}

/* The set's task is woken, and so is the one that runs it. */
MODEL(local_and_its_runner_woken, .bound = 2)
{
    struct executor *executor = executor_new();
    set_make();
    spawn_until(1, 0, begin_one);
    struct until *child = ON_HEAP(EDO_NEW(until, .done = &done, .bits = 2, .begin = begin_other));
    struct edo_local_set_run_until *run = ON_HEAP(edo_local_set_run_until(set, child));
    executor_run(executor, &run->future_);
    set_end(executor);
}

/* ---- The end ---- */

/* The set is dropped when it has been polled, with a task that is woken. */
MODEL(local_dropped_while_woken)
{
    struct executor *executor = executor_new();
    set_make();
    spawn_until(4, 0, begin_one);
    run_once(executor);
    set_end(executor);
}

/* While one that waits is woken, it gives up. */
MODEL(local_runner_dropped_while_woken)
{
    struct executor *executor = executor_new(), *second = executor_new();
    set_make();
    spawn_until(1, 0, begin_one);
    run_once(executor);
    run_all(second);
    set_end(executor);
    model_assert(edo_load(&second->clones, relaxed) == 0);
}

/* Two wait, and the wake meets the end of the one or the other. */
MODEL(local_run_by_two, .bound = 3)
{
    struct executor *executor = executor_new(), *second = executor_new();
    set_make();
    spawn_until(1, 0, begin_one);
    struct edo_local_set_wait *first = ON_HEAP(edo_local_set_wait(set));
    struct edo_local_set_wait *other = ON_HEAP(edo_local_set_wait(set));
    bool pending = executor_poll(executor, &first->future_) == EDO_PENDING;
    executor_run(second, &other->future_);
    /* The last task has ended in the other's poll: that woke this one. */
    if (pending)
        do
            executor_sleep(executor);
        while (executor_poll(executor, &first->future_) == EDO_PENDING);
    set_end(executor);
    model_assert(edo_load(&second->clones, relaxed) == 0);
}

MODEL(local_run_by_one_of_two, .bound = 3)
{
    struct executor *executor = executor_new(), *second = executor_new();
    set_make();
    spawn_until(1, 0, begin_one);
    struct edo_local_set_wait *first = ON_HEAP(edo_local_set_wait(set));
    struct edo_local_set_wait *other = ON_HEAP(edo_local_set_wait(set));
    bool pending = executor_poll(executor, &first->future_) == EDO_PENDING;
    /* It may have been woken as well, and gives up: the first has been, too. */
    if (executor_poll(second, &other->future_) == EDO_PENDING)
        executor_cancel(second, &other->future_);
    if (pending)
        do
            executor_sleep(executor);
        while (executor_poll(executor, &first->future_) == EDO_PENDING);
    set_end(executor);
    model_assert(edo_load(&second->clones, relaxed) == 0);
}

/* ---- Spawning, joining and aborting from elsewhere ---- */

static struct edo_waker *root;

static void keep_root(struct edo_waker *waker, void *arg)
{
    (void)arg;
    root = waker;
}

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
    if (root != NULL)
        edo_wake(root);
    self->output = self->bits;
    return EDO_READY;
}

static void spawns(void *arg)
{
    (void)arg;
    edo_task_detach(SPAWN_LOCAL_ON(set, EDO_NEW(sets, .bits = 1)));
}

MODEL(local_spawned_elsewhere)
{
    struct executor *executor = executor_new();
    set_make();
    model_thread(spawns, NULL);
    struct until *child = ON_HEAP(EDO_NEW(until, .done = &done, .bits = 1, .begin = keep_root));
    struct edo_local_set_run_until *run = ON_HEAP(edo_local_set_run_until(set, child));
    executor_run(executor, &run->future_);
    model_join_all();
    set_end(executor);
}

/* A spawn here, between two polls, against a wake elsewhere. */
MODEL(local_spawned_here_while_woken, .bound = 2)
{
    struct executor *executor = executor_new();
    set_make();
    spawn_until(1, 0, begin_one);
    struct edo_local_set_wait *wait = ON_HEAP(edo_local_set_wait(set));
    enum edo_poll poll = executor_poll(executor, &wait->future_);
    edo_task_detach(SPAWN_LOCAL_ON(set, EDO_NEW(sets, .bits = 2)));
    if (poll == EDO_PENDING)
        executor_run(executor, &wait->future_);
    run_all(executor);
    model_assert(edo_load(&done, relaxed) == 3);
    set_end(executor);
}

static void spawns_and_joins(void *arg)
{
    (void)arg;
    struct executor *executor = executor_new();
    int value = 0;
    struct edo_join *join =
        ON_HEAP(edo_join(SPAWN_LOCAL_ON(set, EDO_NEW(sets, .bits = 1)), &value));
    executor_run(executor, &join->future_);
    model_assert(join->output == 0 && value == 1);
}

MODEL(local_joined_elsewhere, .bound = 3)
{
    struct executor *executor = executor_new();
    set_make();
    model_thread(spawns_and_joins, NULL);
    struct until *child = ON_HEAP(EDO_NEW(until, .done = &done, .bits = 1, .begin = keep_root));
    struct edo_local_set_run_until *run = ON_HEAP(edo_local_set_run_until(set, child));
    executor_run(executor, &run->future_);
    model_join_all();
    set_end(executor);
}

static void aborts(void *arg)
{
    edo_abort_handle_abort(arg);
    edo_abort_handle_drop(arg);
}

MODEL(local_aborted_elsewhere, .bound = 3)
{
    struct executor *executor = executor_new();
    set_make();
    JOIN_HANDLE(int)
    task = SPAWN_LOCAL_ON(set, EDO_NEW(until, .done = &done, .bits = 1, .begin = NULL));
    model_thread(aborts, edo_abort_handle(task));
    edo_task_detach(task);
    run_all(executor);
    set_end(executor);
}

MODEL(local_aborted_while_dropped)
{
    struct executor *executor = executor_new();
    set_make();
    bool dropped = false;
    JOIN_HANDLE(int) task = SPAWN_LOCAL_ON(set, EDO_NEW(sets, .bits = 1, .dropped = &dropped));
    model_thread(aborts, edo_abort_handle(task));
    edo_task_detach(task);
    if (model_choose(2))
        run_once(executor);
    set_end(executor);
}
