/* SPDX-License-Identifier: MIT */
/* A completion: the callback's side on one thread, the waiting side on another. */
#include "executor.h"

static void completes(void *arg)
{
    struct edo_completion *completion = arg;
    *(int *)edo_completion_data(completion) = 7;
    edo_completion_complete(completion, 3);
}

MODEL(completion_waited_for)
{
    struct edo_completion *completion = edo_completion_new(sizeof(int));
    edo_completion_hold(completion);
    struct edo_completion_wait wait = edo_completion_wait(completion);
    struct executor *executor = executor_new();
    model_thread(completes, completion);
    executor_run(executor, &wait.future_);
    model_assert(wait.output == 3);
    model_assert(*(int *)edo_completion_data(completion) == 7);
    edo_completion_drop(completion);
    model_join_all();
    model_assert(edo_load(&executor->clones, relaxed) == 0);
}

/* Polled by one executor, then by another. */
MODEL(completion_moved)
{
    struct edo_completion *completion = edo_completion_new(sizeof(int));
    struct edo_completion_wait wait = edo_completion_wait(completion);
    struct executor *first = executor_new(), *second = executor_new();
    model_thread(completes, completion);
    if (executor_poll(first, &wait.future_) == EDO_PENDING)
        executor_run(second, &wait.future_);
    model_assert(wait.output == 3);
    model_join_all();
    model_assert(edo_load(&first->clones, relaxed) == 0 && edo_load(&second->clones, relaxed) == 0);
}

MODEL(completion_cancelled)
{
    struct edo_completion *completion = edo_completion_new(sizeof(int));
    struct edo_completion_wait wait = edo_completion_wait(completion);
    struct executor *executor = executor_new();
    model_thread(completes, completion);
    if (executor_poll(executor, &wait.future_) == EDO_PENDING)
        executor_cancel(executor, &wait.future_);
    else
        model_assert(wait.output == 3);
    model_join_all();
    model_assert(edo_load(&executor->clones, relaxed) == 0);
}

/* Nobody waits: either side may be the last, and frees what the other wrote. */
MODEL(completion_dropped)
{
    struct edo_completion *completion = edo_completion_new(sizeof(int));
    model_thread(completes, completion);
    edo_completion_drop(completion);
}

/* Two who hold it, besides. */
static void looks_and_drops(void *arg)
{
    struct edo_completion *completion = arg;
    struct edo_completion *other = edo_completion_hold(completion);
    edo_completion_drop(completion);
    edo_completion_drop(other);
}

MODEL(completion_held)
{
    struct edo_completion *completion = edo_completion_new(sizeof(int));
    model_thread(looks_and_drops, edo_completion_hold(completion));
    model_thread(completes, completion);
    edo_completion_drop(completion);
}

/* In a task, woken across threads. */
struct waits {
    EDO_FUTURE(int);
    struct edo_completion_wait wait;
};

static enum edo_poll waits_poll(struct edo_future *future, struct edo_context *cx)
{
    struct waits *self = (struct waits *)future;
    if (cx->walk != EDO_WALK_POLL) {
        edo_future_drop(&self->wait.future_, cx);
        return EDO_READY;
    }
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        model_thread(completes, self->wait.completion);
    }
    if (edo_future_poll(&self->wait.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    self->output = self->wait.output;
    return EDO_READY;
}

MODEL(completion_in_task)
{
    struct edo_runtime *runtime = runtime_new();
    struct waits future =
        EDO_NEW(waits, .wait = edo_completion_wait(edo_completion_new(sizeof(int))));
    model_assert(edo_block_on(runtime, &future) == 0 && future.output == 3);
    edo_runtime_drop(runtime);
}

/* Polled in a task by somebody else's executor, and waited for to its end there while the runtime ends: the driver, which
 * the wait has kept, goes with the last of the two. */
struct begins {
    EDO_FUTURE(int);
    struct executor *executor;
    struct edo_completion_wait *wait;
};

static enum edo_poll begins_poll(struct edo_future *future, struct edo_context *cx)
{
    struct begins *self = (struct begins *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "begins");
    model_assert(executor_poll(self->executor, &self->wait->future_) == EDO_PENDING);
    return EDO_READY;
}

static void goes_on(void *arg)
{
    struct begins *begins = arg;
    executor_run(begins->executor, &begins->wait->future_);
    model_assert(begins->wait->output == 3);
}

MODEL(completion_outlives_a_runtime)
{
    struct edo_runtime *runtime = runtime_new();
    struct edo_completion *completion = edo_completion_new(sizeof(int));
    struct edo_completion_wait wait = edo_completion_wait(completion);
    struct begins begins = EDO_NEW(begins, .executor = executor_new(), .wait = &wait);
    model_assert(edo_block_on(runtime, &begins) == 0);
    edo_completion_complete(completion, 3);
    model_thread(goes_on, &begins);
    edo_runtime_drop(runtime);
    model_join_all();
}
