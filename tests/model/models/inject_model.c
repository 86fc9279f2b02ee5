/* SPDX-License-Identifier: MIT */
/* The way from other threads into a runtime: the inject list, and the sleep that it ends. */
#include "executor.h"
#include "runtime/runtime_internal.h"

static _Atomic(int) done;
static struct edo_waker *root; /* the waker of `until` */

static void keep_waker(struct edo_waker *waker, void *arg)
{
    (void)arg;
    root = waker;
}

/* A spawned task: what its spawner wrote is there, in its frame; it wakes the root. */
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
    struct edo_handle *handle = arg;
    edo_task_detach(SPAWN_ON(handle, EDO_NEW(sets, .bits = 1)));
    edo_handle_drop(handle);
}

static void spawns_other(void *arg)
{
    struct edo_handle *handle = arg;
    edo_task_detach(SPAWN_ON(handle, EDO_NEW(sets, .bits = 2)));
    edo_handle_drop(handle);
}

static void block_on(int bits, int turns, void (*other)(void *), void (*another)(void *))
{
    struct edo_runtime *runtime = runtime_new();
    struct edo_handle *handle = edo_runtime_handle(runtime);
    model_thread(other, edo_handle_clone(handle));
    if (another != NULL)
        model_thread(another, edo_handle_clone(handle));
    struct until future =
        EDO_NEW(until, .done = &done, .bits = bits, .turns = turns, .begin = keep_waker);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
}

MODEL(spawn_on)
{
    block_on(1, 0, spawns, NULL);
}

MODEL(spawn_on_by_two, .bound = 3)
{
    block_on(3, 0, spawns, spawns_other);
}

/* The root does not wait: a spawn may come too late, and is refused, its future dropped. */
MODEL(spawn_on_ending)
{
    block_on(0, 1, spawns, NULL);
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

MODEL(spawn_on_joined, .outcomes = "0")
{
    block_on(1, 0, spawns_and_joins, NULL);
}

MODEL(spawn_on_joined_or_refused, .outcomes = "0 1")
{
    block_on(0, 2, spawns_and_joins, NULL);
}

/* Nobody runs it: the drop meets the spawn. */
MODEL(spawn_on_dropped)
{
    struct edo_runtime *runtime = runtime_new();
    model_thread(spawns, edo_handle_clone(edo_runtime_handle(runtime)));
    edo_runtime_drop(runtime);
}

/* Who spawns has no reference of its own: the runtime is there until the task has run, and may be gone by then while the
 * spawn still looks whether to signal. The task's handle, which nobody gets, keeps it until that is done. */
static void spawns_detached(void *handle)
{
    model_assert(SPAWN_DETACHED_ON((struct edo_handle *)handle, EDO_NEW(sets, .bits = 1)) == 0);
}

MODEL(spawn_on_detached_before_the_end)
{
    struct edo_runtime *runtime = runtime_new();
    model_thread(spawns_detached, edo_runtime_handle(runtime));
    struct until future = EDO_NEW(until, .done = &done, .bits = 1, .begin = keep_waker);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
}

/* Two spawned by one thread run in the order of their spawning. */
static int last;

struct ordered {
    EDO_FUTURE(void);
    int number;
};

static enum edo_poll ordered_poll(struct edo_future *future, struct edo_context *cx)
{
    struct ordered *self = (struct ordered *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "ordered");
    model_assert(self->number == last + 1);
    last = self->number;
    edo_fetch_or(&done, self->number, relaxed);
    if (root != NULL)
        edo_wake(root);
    return EDO_READY;
}

static void spawns_in_order(void *arg)
{
    struct edo_handle *handle = arg;
    for (int i = 1; i <= 2; i++)
        edo_task_detach(SPAWN_ON(handle, EDO_NEW(ordered, .number = i)));
    edo_handle_drop(handle);
}

MODEL(spawn_on_in_order, .bound = 3, .old = 2)
{
    block_on(3, 0, spawns_in_order, NULL);
}

/* ---- The list by itself, without a runtime ---- */

static struct edo_handle *handle_new(void)
{
    struct edo_handle *handle = edo_handle_new(&(const struct edo_builder){.name = NULL});
    return handle;
}

static void pushes(void *arg)
{
    struct edo_handle *handle = arg;
    struct edo_task *task = model_new(sizeof *task);
    task->serial = 1;
    if (edo_handle_inject(handle, task))
        edo_fetch_add(&done, 1, relaxed);
    edo_handle_drop(handle);
}

static int take(struct edo_handle *handle, bool close)
{
    int count = 0;
    for (struct edo_task *task = edo_handle_take(handle, close); task; task = task->remote_next)
        count += (int)task->serial;
    return count;
}

/* What was pushed is taken, and nothing is pushed behind the close. */
MODEL(inject_closed)
{
    struct edo_handle *handle = handle_new();
    model_thread(pushes, edo_handle_clone(handle));
    model_thread(pushes, edo_handle_clone(handle));
    int taken = take(handle, false);
    taken += take(handle, true);
    model_join_all();
    model_assert(taken == edo_load(&done, relaxed));
    model_assert(take(handle, false) == 0 && !edo_handle_pending(handle));
    edo_handle_drop(handle);
}
