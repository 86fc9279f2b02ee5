/* SPDX-License-Identifier: MIT */
/* Timers: the sleep that a timer ends and a foreign wake may end, and a runtime that goes from one
 * thread to another with a timer in its wheel. */
#include "executor.h"

static _Atomic(int) done;

static void sets_and_wakes(void *arg)
{
    edo_fetch_or(&done, 1, relaxed);
    edo_wake(arg);
    edo_waker_drop(arg);
}

/* Waits for whichever comes first: the other thread, or its time. */
struct until_or_timeout {
    EDO_FUTURE(int);
    struct until until;
    struct edo_sleep sleep;
    bool late; /* the poll takes longer than the sleep */
};

static void begin_wakes(struct edo_waker *waker, void *arg)
{
    (void)arg;
    model_thread(sets_and_wakes, edo_waker_clone(waker));
}

static enum edo_poll until_or_timeout_poll(struct edo_future *future, struct edo_context *cx)
{
    struct until_or_timeout *self = (struct until_or_timeout *)future;
    if (cx->walk != EDO_WALK_POLL) {
        edo_future_drop(&self->sleep.future_, cx);
        return EDO_READY;
    }
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        self->sleep = edo_sleep(5);
    }
    self->output = 1;
    if (edo_future_poll(&self->until.future_, cx) == EDO_READY) {
        edo_future_drop(&self->sleep.future_, cx);
        return EDO_READY;
    }
    self->output = 0;
    enum edo_poll poll = edo_future_poll(&self->sleep.future_, cx);
    if (self->late)
        model_set_now(model_now() + 6000000);
    return poll;
}

/* Neither is lost; and when the time is up, it is up on the clock. */
MODEL(timer_against_wake, .outcomes = "0 1")
{
    struct edo_runtime *runtime = runtime_new();
    uint64_t start = model_now();
    struct until_or_timeout future = EDO_NEW(
        until_or_timeout, .until = EDO_NEW(until, .done = &done, .bits = 1, .begin = begin_wakes));
    model_assert(edo_block_on(runtime, &future) == 0);
    if (future.output == 0)
        model_assert(model_now() >= start + 5000000);
    edo_runtime_drop(runtime);
    model_outcome(future.output);
}

/* The timer is due when the runtime goes to sleep: libuv runs it, and would then sleep for ever. */
MODEL(timer_due_already, .outcomes = "0")
{
    struct edo_runtime *runtime = runtime_new();
    struct until_or_timeout future =
        EDO_NEW(until_or_timeout, .until = EDO_NEW(until, .done = &done, .bits = 1), .late = true);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
    model_outcome(future.output);
}

/* A task sleeps in a runtime that this thread has left; another thread runs it to the task's end.
 * Wheel, queue and task are what the first left behind. */
struct sleeper {
    EDO_FUTURE(int);
    struct edo_sleep sleep;
};

static enum edo_poll sleeper_poll(struct edo_future *future, struct edo_context *cx)
{
    struct sleeper *self = (struct sleeper *)future;
    if (cx->walk != EDO_WALK_POLL) {
        edo_future_drop(&self->sleep.future_, cx);
        return EDO_READY;
    }
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        self->sleep = edo_sleep(5);
    }
    self->output = 42;
    return edo_future_poll(&self->sleep.future_, cx);
}

static JOIN_HANDLE(int) task;

static void spawn_sleeper(struct edo_waker *waker, void *arg)
{
    (void)waker;
    (void)arg;
    task = SPAWN(EDO_NEW(sleeper));
}

static void run_to_its_end(void *arg)
{
    int value = 0;
    struct edo_join join = edo_join(task, &value);
    int error = edo_block_on((struct edo_runtime *)arg, &join);
    if (error == UV_EBUSY) {
        /* The other is not out yet. The join is dropped, and the task detached. */
        model_outcome(0);
        return;
    }
    model_assert(error == 0 && join.output == 0 && value == 42);
    model_outcome(1);
}

static void leave_and_run(struct edo_waker *waker, void *runtime)
{
    spawn_sleeper(waker, NULL);
    model_thread(run_to_its_end, runtime);
}

MODEL(timer_handed_over, .outcomes = "0 1")
{
    struct edo_runtime *runtime = runtime_new();
    struct until future =
        EDO_NEW(until, .done = &done, .turns = 1, .begin = leave_and_run, .arg = runtime);
    model_assert(edo_block_on(runtime, &future) == 0);
    model_join_all();
    edo_runtime_drop(runtime);
}

/* The runtime goes, the timer's future does not: it is on another executor, and is told so. */
static void drops_runtime(void *arg)
{
    edo_runtime_drop(arg);
}

struct outlives {
    EDO_FUTURE(int);
    struct executor *executor;
    struct edo_sleep sleep;
};

static enum edo_poll outlives_poll(struct edo_future *future, struct edo_context *cx)
{
    struct outlives *self = (struct outlives *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "outlives");
    self->sleep = edo_sleep(5);
    self->output = executor_poll(self->executor, &self->sleep.future_);
    return EDO_READY;
}

MODEL(timer_orphaned)
{
    struct edo_runtime *runtime = runtime_new();
    struct executor *executor = executor_new();
    struct outlives future = EDO_NEW(outlives, .executor = executor);
    model_assert(edo_block_on(runtime, &future) == 0 && future.output == EDO_PENDING);
    model_join(model_thread(drops_runtime, runtime));
    executor_run(executor, &future.sleep.future_);
    model_assert(future.sleep.output == EDO_ESHUTDOWN);
    model_assert(edo_load(&executor->clones, relaxed) == 0);
}
