/* SPDX-License-Identifier: MIT */
/* The futures that belong to tasks: join, yield_now, unconstrained. */
#include <string.h>

#include "join_internal.h"

enum { WAITS = 1 }; /* a future's state since it has set JOINER */

/* Takes the waker back that was offered to the completing thread. False: it has taken it. */
static bool retract(struct edo_task *task)
{
    if (!edo_task_state_joiner(&task->state, false))
        return false;
    edo_waker_drop(task->joiner);
    task->joiner = NULL;
    return true;
}

/* A call less for what most outputs are: a word. */
static void copy_output(void *to, const void *from, size_t size)
{
    if (edo_likely(size == sizeof(uint64_t)))
        memcpy(to, from, sizeof(uint64_t));
    else
        memcpy(to, from, size);
}

int edo_task_take(struct edo_task *task, const struct edo_wanted *wanted)
{
    struct edo_future *frame = edo_task_future(task);
    struct edo_outcome *outcome = (struct edo_outcome *)frame;
    int error = 0;
    if (outcome->kind == EDO_OUTCOME_CANCELLED) {
        error = UV_ECANCELED;
    } else if (outcome->kind == EDO_OUTCOME_PANICKED) {
        error = EDO_EPANIC;
        outcome->kind = EDO_OUTCOME_REPORTED;
        if (wanted->report_size > 0)
            snprintf(wanted->report, wanted->report_size, "%s",
                     outcome->report != NULL ? outcome->report : "(no memory for the report)");
    } else if (wanted->value != NULL) {
        copy_output(wanted->value, (char *)frame + wanted->offset, wanted->size);
    }
    edo_task_release(task, EDO_TASK_REF | EDO_TASK_HANDLE);
    return error;
}

/* Leaves a waker with a task that was not complete. False: it is by now. */
static bool wait(struct edo_future *future, struct edo_task *task, uint32_t now,
                 struct edo_waker *waker)
{
    if (edo_unlikely(now & EDO_TASK_JOINER)) {
        /* Only this future sets it: what it reads of it, it set itself. */
        if (future->state != WAITS)
            edo_bug(__FILE__, __LINE__, "a task is joined by two at the same time");
        if (edo_will_wake(task->joiner, waker))
            return true;
        if (!retract(task))
            return false;
    }
    /* A clone: the completing thread wakes it when this future may be gone already. */
    task->joiner = edo_waker_clone(waker);
    future->state = WAITS;
    if (edo_task_state_joiner(&task->state, true))
        return true;
    edo_waker_drop(task->joiner);
    return false;
}

static enum edo_poll edo_join_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_join *self = (struct edo_join *)future;
    struct edo_task *task = self->task;
    int error = edo_task_error_(task);
    if (cx->walk != EDO_WALK_POLL) {
        if (cx->walk == EDO_WALK_DROP && error == 0) {
            if (future->state == WAITS && edo_task_state_peek(&task->state) & EDO_TASK_JOINER)
                retract(task);
            edo_task_detach_(task);
        }
        return edo_walk_leaf(cx, "edo_join");
    }
    if (error < 0) {
        self->output = error;
        return EDO_READY;
    }
    if (edo_budget_spent(cx))
        return EDO_PENDING;
    uint32_t now = edo_task_state_of_handle(&task->state);
    if (!(now & EDO_TASK_COMPLETE) && wait(future, task, now, cx->waker))
        return EDO_PENDING;
    edo_budget_spend(cx);
    self->task = NULL;
    self->output = edo_task_take(task, &(struct edo_wanted){self->value, self->offset, self->size,
                                                            self->report, self->report_size});
    return EDO_READY;
}

struct edo_join edo_task_join_(struct edo_task *task, void *value, size_t size, size_t offset,
                               char *report, size_t report_size)
{
    return EDO_NEW_RETURNED(edo_join, .size = (uint32_t)size, .offset = (uint32_t)offset,
                            .task = task, .value = value, .report = report,
                            .report_size = report_size);
}

enum edo_poll edo_yield_now_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_yield_now *self = (struct edo_yield_now *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_yield_now");
    if (self->yielded)
        return EDO_READY;
    self->yielded = true;
    edo_wake(cx->waker);
    return EDO_PENDING;
}

enum edo_poll edo_consume_budget_poll(struct edo_future *future, struct edo_context *cx)
{
    (void)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_consume_budget");
    if (edo_budget_spent(cx))
        return EDO_PENDING;
    edo_budget_spend(cx);
    return EDO_READY;
}

static enum edo_poll edo_unconstrained_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_unconstrained *self = (struct edo_unconstrained *)future;
    if (cx->walk == EDO_WALK_DROP) {
        edo_future_drop(self->child, cx);
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_TRACE) {
        edo_future_trace(self->child, cx);
        return EDO_PENDING;
    }
    uint32_t budget = cx->budget;
    cx->budget = EDO_UNCONSTRAINED;
    enum edo_poll poll = edo_future_poll(self->child, cx);
    cx->budget = budget;
    return poll;
}

struct edo_unconstrained edo_unconstrained_(struct edo_future *child)
{
    return EDO_NEW_RETURNED(edo_unconstrained, .child = child);
}
