/* SPDX-License-Identifier: MIT */
/* Tasks that run on a thread of the pool: spawned, run, woken. What they share with the others is in task.c.
 *
 * Such a task is polled by one thread, from its beginning to its end, so nobody has to queue it: a wake sets
 * WOKEN in its state word, and the event that its thread sleeps on. The event is the thread's and outlives the
 * task, which it may find idle, or busy with another: who sleeps on it looks at what it waits for again.
 *
 * Aborted before it begins, it is dropped by the thread that takes it, in its turn. Who aborts must not do that:
 * he may hold locks that its FINALLY wants.
 */
#include "blocking.h"

#include "blocking_pool.h"

static void blocking_wake(struct edo_waker *waker)
{
    struct edo_task *task = (struct edo_task *)waker;
    if (edo_task_state_notify(&task->state, false))
        edo_event_set(task->sleeper);
}

/* As task_claim: the reference is for the time when the future is unlinked. */
static struct edo_waker *blocking_claim(struct edo_waker *waker)
{
    return edo_task_state_notify(&((struct edo_task *)waker)->state, true) ? waker : NULL;
}

static void blocking_finish(struct edo_waker *claimed)
{
    struct edo_task *task = (struct edo_task *)claimed;
    edo_event_set(task->sleeper);
    edo_task_release(task, EDO_TASK_REF);
}

static struct edo_waker *blocking_clone(struct edo_waker *waker)
{
    edo_task_state_ref(&((struct edo_task *)waker)->state);
    EDO_COUNT(WAKERS, 1);
    return waker;
}

static void blocking_drop(struct edo_waker *waker)
{
    EDO_COUNT(WAKERS, -1);
    edo_task_release((struct edo_task *)waker, EDO_TASK_REF);
}

const struct edo_waker_ops edo_blocking_waker = {blocking_wake, blocking_clone, blocking_drop,
                                                 blocking_claim, blocking_finish};

void edo_blocking_cancel(struct edo_task *task)
{
    edo_task_drop_future(task, false, NULL);
}

void edo_blocking_run(struct edo_task *task, struct edo_context *cx, struct edo_event *event)
{
    task->sleeper = event;
    if (edo_task_state_peek(&task->state) & EDO_TASK_ABORTED) {
        edo_blocking_cancel(task);
        return;
    }
    cx->waker = &task->waker;
    cx->locals = NULL;
    edo_thread.task = task;
    for (;;) {
        /* It has the thread to itself: there is nobody to give way to. */
        cx->budget = EDO_UNCONSTRAINED;
        if (edo_future_poll(edo_task_future(task), cx) == EDO_READY || cx->panic.name != NULL)
            break;
        do
            edo_event_wait(event);
        while (!edo_task_state_woken(&task->state));
    }
    edo_thread.task = NULL;
    if (edo_unlikely(cx->panic.name != NULL)) {
        char *report = edo_task_panic_report(task, cx);
        cx->panic.name = NULL;
        edo_task_drop_future(task, true, report);
    } else {
        edo_task_finish(task);
    }
}

struct edo_task *edo_task_start_blocking_(struct edo_task *task, struct edo_future *future)
{
    if (edo_task_error_(task) < 0) {
        edo_task_start_(task, future);
        return task;
    }
    edo_demand_made(future);
    task->waker.ops = &edo_blocking_waker;
    /* On no inject list, whoever spawns it; nobody has it yet. */
    edo_task_state_unlink(&task->state);
    const struct edo_builder *hooks = &task->home->hooks;
    if (edo_unlikely(hooks->on_task_spawn != NULL))
        hooks->on_task_spawn(hooks->hook_arg, edo_task_id_(task));
    int error = edo_blocking_pool_submit(task->home->blocking, task);
    if (error == 0)
        return task;
    /* There will be no handle: who has put a waker there learns it from the error. */
    if (error != EDO_ESHUTDOWN)
        edo_task_state_joiner(&task->state, false);
    edo_blocking_cancel(task);
    if (error == EDO_ESHUTDOWN)
        return task;
    edo_task_release(task, EDO_TASK_REF | EDO_TASK_HANDLE);
    return (struct edo_task *)(intptr_t)error;
}

static enum edo_poll edo_call_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_call *self = (struct edo_call *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_call");
    self->output = self->function(self->argument);
    return EDO_READY;
}

struct edo_call edo_call(int (*function)(void *argument), void *argument)
{
    return EDO_NEW_RETURNED(edo_call, .function = function, .argument = argument);
}
