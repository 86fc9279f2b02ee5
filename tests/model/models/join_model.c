/* SPDX-License-Identifier: MIT */
/* A join handle, on a thread that does not run the task, against the task's completion. */
#include "executor.h"

/* The task: its output is written in its frame, plainly. */
struct forty_two {
    EDO_FUTURE(int);
    bool later;
};

static enum edo_poll forty_two_poll(struct edo_future *future, struct edo_context *cx)
{
    struct forty_two *self = (struct forty_two *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "forty_two");
    if (self->later) {
        self->later = false;
        edo_wake(cx->waker);
        return EDO_PENDING;
    }
    self->output = 42;
    return EDO_READY;
}

typedef JOIN_HANDLE(int) handle;

static void spawn_for(struct edo_waker *waker, void *other)
{
    (void)waker;
    model_thread((void (*)(void *))other, (void *)SPAWN(EDO_NEW(forty_two)));
}

static _Atomic(int) nothing;

/* The root spawns the task, hands its handle to another thread, and ends when the task has run. */
static void run_while(void (*other)(void *))
{
    struct edo_runtime *runtime = runtime_new();
    struct until future =
        EDO_NEW(until, .done = &nothing, .turns = 1, .begin = spawn_for, .arg = (void *)other);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
    executors_end();
}

static void joins(void *arg)
{
    handle task = (handle)arg;
    struct executor *executor = executors[0] = executor_new();
    int value = 0;
    struct edo_join join = edo_join(task, &value);
    executor_run(executor, &join.future_);
    model_assert(join.output == 0 && value == 42);
}

MODEL(join_foreign)
{
    run_while(joins);
}

/* Polled by one executor, then, moved, by another: the first waker is taken back, unless the
 * completing thread has it already. */
static void joins_elsewhere(void *arg)
{
    handle task = (handle)arg;
    struct executor *first = executors[0] = executor_new();
    struct executor *second = executors[1] = executor_new();
    int value = 0;
    struct edo_join join = edo_join(task, &value);
    if (executor_poll(first, &join.future_) == EDO_PENDING)
        executor_run(second, &join.future_);
    model_assert(join.output == 0 && value == 42);
}

MODEL(join_moved)
{
    run_while(joins_elsewhere);
}

static void joins_and_cancels(void *arg)
{
    handle task = (handle)arg;
    struct executor *executor = executors[0] = executor_new();
    int value = 0;
    struct edo_join join = edo_join(task, &value);
    if (executor_poll(executor, &join.future_) == EDO_PENDING)
        executor_cancel(executor, &join.future_);
    else
        model_assert(join.output == 0 && value == 42);
}

MODEL(join_cancelled)
{
    run_while(joins_and_cancels);
}

/* Nothing is left of a join that is cancelled before the task ends: its waker is not touched again. */
MODEL(join_cancelled_early)
{
    struct edo_runtime *runtime = runtime_new();
    handle task = SPAWN_ON(edo_runtime_handle(runtime), EDO_NEW(forty_two));
    struct executor *executor = executors[0] = executor_new();
    struct edo_join join = edo_join(task, (int *)NULL);
    model_assert(executor_poll(executor, &join.future_) == EDO_PENDING);
    executor_cancel(executor, &join.future_);
    model_assert(edo_load(&executor->clones, relaxed) == 0);
    struct until future = EDO_NEW(until, .done = &nothing, .turns = 1);
    model_assert(edo_block_on(runtime, &future) == 0);
    model_assert(edo_load(&executor->woken, relaxed) == 0);
    edo_runtime_drop(runtime);
    executors_end();
}

/* The same with an abort of it: it ran, or it did not. */
static void aborts_and_joins(void *arg)
{
    handle task = (handle)arg;
    struct executor *executor = executors[0] = executor_new();
    int value = 0;
    edo_task_abort(task);
    struct edo_join join = edo_join(task, &value);
    executor_run(executor, &join.future_);
    model_assert((join.output == 0 && value == 42) || (join.output == UV_ECANCELED && value == 0));
    model_outcome(value == 42);
}

MODEL(join_aborted, .outcomes = "0 1")
{
    run_while(aborts_and_joins);
}

static void detaches(void *arg)
{
    edo_task_detach((handle)arg);
}

MODEL(join_detached)
{
    run_while(detaches);
}

static void looks_and_joins(void *arg)
{
    handle task = (handle)arg;
    if (!edo_task_is_finished(task)) {
        edo_task_detach(task);
        return;
    }
    struct executor *executor = executors[0] = executor_new();
    int value = 0;
    struct edo_join join = edo_join(task, &value);
    model_assert(executor_poll(executor, &join.future_) == EDO_READY && value == 42);
}

MODEL(join_when_finished)
{
    run_while(looks_and_joins);
}

/* The task never runs to its end: the runtime is dropped. */
static void spawn_later(struct edo_waker *waker, void *other)
{
    (void)waker;
    model_thread((void (*)(void *))other, (void *)SPAWN(EDO_NEW(forty_two, .later = true)));
}

MODEL(join_shutdown)
{
    struct edo_runtime *runtime = runtime_new();
    struct until future =
        EDO_NEW(until, .done = &nothing, .begin = spawn_later, .arg = (void *)aborts_and_joins);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
    executors_end();
}

/* A panic's report is the task's memory; it is read by the one, and freed with the task. */
struct panics {
    EDO_FUTURE(int);
};

static enum edo_poll panics_poll(struct edo_future *future, struct edo_context *cx)
{
    (void)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "panics");
    cx->panic = (struct edo_panic){.name = "panics", .file = "f", .line = 1, .message = "oh"};
    return EDO_PENDING;
}

static void joins_panicked(void *arg)
{
    handle task = (handle)arg;
    struct executor *executor = executors[0] = executor_new();
    char report[8] = "";
    struct edo_join join = edo_join_report(task, (int *)NULL, report, sizeof report);
    executor_run(executor, &join.future_);
    model_assert(join.output == EDO_EPANIC && report[0] == 'o');
}

static void spawn_panic(struct edo_waker *waker, void *other)
{
    (void)waker;
    model_thread((void (*)(void *))other, (void *)SPAWN(EDO_NEW(panics)));
}

MODEL(join_panicked)
{
    struct edo_runtime *runtime = runtime_new();
    struct until future = EDO_NEW(until, .done = &nothing, .turns = 1, .begin = spawn_panic,
                                  .arg = (void *)joins_panicked);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
    executors_end();
}
