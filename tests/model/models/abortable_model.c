/* SPDX-License-Identifier: MIT */
/* Abortable: the abort meets each step of the future, and of the next one of the same handle. */
#include "combinators/abortable.h"
#include "combinators/ready.h"
#include "executor.h"

static struct edo_abortable_handle *handle;
static int data;

static void aborts(void *arg)
{
    data = 1;
    edo_abortable_handle_abort(arg);
    edo_abortable_handle_drop(arg);
}

/* Who has aborted it is the only one to wake it; and is seen. */
MODEL(abortable_abort)
{
    handle = edo_abortable_handle_new();
    model_thread(aborts, edo_abortable_handle_clone(handle));
    struct edo_pending *child = ON_HEAP(edo_pending());
    struct edo_abortable *future = ON_HEAP(edo_abortable(child, handle));
    executor_run(executor_of_thread(0), &future->future_);
    model_assert(future->output == -ECANCELED && data == 1);
    edo_abortable_handle_drop(handle);
    executors_end();
}

/* A child that gets on. */
static _Atomic(int) done = 1;

MODEL(abortable_ready)
{
    handle = edo_abortable_handle_new();
    model_thread(aborts, edo_abortable_handle_clone(handle));
    struct until *child = ON_HEAP(EDO_NEW(until, .done = &done, .bits = 1, .turns = 2));
    struct edo_abortable *future = ON_HEAP(edo_abortable(child, handle));
    executor_run(executor_of_thread(0), &future->future_);
    if (future->output != 0)
        model_assert(future->output == -ECANCELED && data == 1);
    edo_abortable_handle_drop(handle);
    executors_end();
}

/* Dropped; and polled with another waker before. */
MODEL(abortable_dropped)
{
    handle = edo_abortable_handle_new();
    model_thread(aborts, edo_abortable_handle_clone(handle));
    struct edo_pending *child = ON_HEAP(edo_pending());
    struct edo_abortable *future = ON_HEAP(edo_abortable(child, handle));
    enum edo_poll poll = executor_poll(executor_of_thread(0), &future->future_);
    if (poll == EDO_PENDING && model_choose(2))
        poll = executor_poll(executor_of_thread(1), &future->future_);
    if (poll == EDO_PENDING)
        executor_cancel(executors[0], &future->future_);
    else
        model_assert(data == 1);
    edo_abortable_handle_drop(handle);
    executors_end();
}

MODEL(abortable_moved)
{
    handle = edo_abortable_handle_new();
    model_thread(aborts, edo_abortable_handle_clone(handle));
    struct edo_pending *child = ON_HEAP(edo_pending());
    struct edo_abortable *future = ON_HEAP(edo_abortable(child, handle));
    if (executor_poll(executor_of_thread(0), &future->future_) == EDO_PENDING)
        executor_run(executor_of_thread(1), &future->future_);
    model_assert(future->output == -ECANCELED && data == 1);
    edo_abortable_handle_drop(handle);
    executors_end();
}

MODEL(abortable_is_aborted)
{
    handle = edo_abortable_handle_new();
    model_thread(aborts, edo_abortable_handle_clone(handle));
    if (edo_abortable_handle_is_aborted(handle))
        model_assert(data == 1);
    edo_abortable_handle_drop(handle);
    executors_end();
}

/* One future of the handle, and another, in threads of their own: one at a time. */
static void tries(void *thread)
{
    int i = (int)(intptr_t)thread;
    struct edo_pending *child = ON_HEAP(edo_pending());
    struct edo_abortable *future = ON_HEAP(edo_abortable(child, handle));
    if (executor_poll(executor_of_thread(i), &future->future_) == EDO_PENDING)
        executor_cancel(executors[i], &future->future_);
    else
        model_assert(future->output == -EBUSY || (future->output == -ECANCELED && data == 1));
}

MODEL(abortable_reused)
{
    handle = edo_abortable_handle_new();
    model_thread(tries, (void *)1);
    tries((void *)2);
    executors_end();
    edo_abortable_handle_drop(handle);
}

MODEL(abortable_reused_aborted)
{
    handle = edo_abortable_handle_new();
    model_thread(aborts, edo_abortable_handle_clone(handle));
    model_thread(tries, (void *)1);
    tries((void *)2);
    executors_end();
    edo_abortable_handle_drop(handle);
}
