/* SPDX-License-Identifier: MIT */
/* One poll of a task, as both schedulers do it. What is rare is out of line, in task.c: what it uses of the stack and
 * the registers would be saved at every poll. */
#ifndef EDO_RUNTIME_TASK_POLL_H
#define EDO_RUNTIME_TASK_POLL_H

#include "runtime_internal.h"

/* What only some builders ask for, around a poll. */
enum edo_poll edo_task_poll_observed(struct edo_task *task, struct edo_context *cx);
void edo_task_count_budget_yield(struct edo_task *task);
void edo_task_panicked(struct edo_task *task, struct edo_context *cx);

/* True: it has ended. */
static inline bool edo_task_poll(struct edo_task *task, struct edo_context *cx)
{
    cx->waker = &task->waker;
    cx->budget = EDO_BUDGET;
    cx->locals = NULL;
    edo_thread.task = task;
    enum edo_poll poll = edo_likely(!task->home->observed)
                             ? edo_future_poll(edo_task_future(task), cx)
                             : edo_task_poll_observed(task, cx);
    edo_thread.task = NULL;
    if (edo_unlikely(cx->budget == 0))
        edo_task_count_budget_yield(task);
    if (edo_unlikely(cx->panic.name != NULL)) {
        edo_task_panicked(task, cx);
        return true;
    }
    if (poll == EDO_READY)
        edo_task_finish(task);
    return poll == EDO_READY;
}

#endif
