/* SPDX-License-Identifier: MIT */
/* A local set is a scheduler without a driver: the queue, the inject list and the tasks of a current-thread
 * runtime (scheduler.c, handle.c), run by whoever polls one of the set's futures, its runners.
 *
 * This thread owns the set's handle only while it polls a runner. So a wake from outside of that takes the way
 * of a foreign one, also when it is of this thread: the task goes on the inject list, and `parked` tells that
 * somebody is to be woken. Owning it for good was rejected: a wake would then have to look whether the set is
 * being polled, and if not, wake its runners, from within a claim, which must run nobody's code.
 *
 * What a sleeping thread is for a runtime, the waiting runners are for a set. How none of them is missed:
 *  1. A runner that is to wait joins the row `waiters` with its waker. While it is not polled it is in the row,
 *     or its waker has been woken.
 *  2. Whoever polled the set last looks what there is left to do. If nothing, it sets `parked`, and looks at the
 *     inject list once more. Who injects pushes first and looks at `parked` then; both are sequentially
 *     consistent, so one of them sees the other (edo_handle_inject).
 *  3. Who finds something to do, or `parked` set, wakes all in the row. So there is work only while no runner
 *     waits: while one polls, or all have been woken.
 * Waking but one of several was rejected: it may be kept without being polled, borrowed by a SELECT that is
 * busy in a handler, or be dropped; the others would wait for that.
 */
#include "local_set.h"

#include "../internal/waiter.h"
#include "runtime_internal.h"

struct edo_local_set {
    struct edo_runtime scheduler; /* its driver is NULL */
    bool awaited;                 /* somebody in the row waits for the last task's end */
};

int edo_local_set_new(struct edo_local_set **out)
{
    *out = NULL;
    if (edo_thread.worker != NULL)
        return UV_EINVAL;
    struct edo_local_set *set = edo_calloc(1, sizeof *set);
    if (set == NULL)
        return UV_ENOMEM;
    struct edo_runtime *scheduler = &set->scheduler;
    scheduler->handle = edo_handle_new(&(const struct edo_builder){.name = NULL});
    if (scheduler->handle == NULL) {
        edo_free(set);
        return UV_ENOMEM;
    }
    scheduler->handle->runtime = scheduler;
    scheduler->handle->thread = &edo_thread;
    edo_list_init(&scheduler->tasks);
    scheduler->event_interval = 61;
    scheduler->global_queue_interval = 31;
    edo_context_init(&scheduler->cx, NULL);
    if (edo_random(&scheduler->cx.random, sizeof scheduler->cx.random))
        scheduler->cx.random |= 1;
    *out = set;
    return 0;
}

static bool is_here(const struct edo_handle *handle)
{
    return handle->thread == &edo_thread;
}

/* As edo_drop_all has it: then the handle forgets the set, and only then its memory goes. */
void edo_local_set_drop(struct edo_local_set *set)
{
    if (set == NULL)
        return;
    struct edo_handle *handle = set->scheduler.handle;
    edo_assert(is_here(handle) && !edo_handle_mine(handle));
    struct edo_handle *outer = edo_thread.local;
    edo_thread.local = handle;
    edo_store(&handle->owner, &edo_thread, relaxed);
    edo_drop_all(&set->scheduler);
    edo_lock(&handle->lock);
    edo_assert(edo_list_empty(&handle->waiters));
    edo_unlock(&handle->lock);
    edo_thread.local = outer;
    handle->runtime = NULL;
    edo_store(&handle->owner, NULL, relaxed);
    int64_t spare = handle->own.spare;
    edo_free(set);
    edo_handle_unref(handle, spare + 1);
}

/* Runs what is ready, an interval's worth. A task may be running: the one that polls the runner. */
static void run(struct edo_local_set *set)
{
    struct edo_task *outer = edo_thread.task;
    edo_run_batch(&set->scheduler, NULL);
    edo_thread.task = outer;
}

/* Nothing is left to do: whoever injects from now on wakes the runners. False: somebody just did. */
static bool park(struct edo_handle *handle)
{
    edo_store(&handle->parked, true, seq_cst);
    return !edo_handle_pending(handle);
}

/* A poll of the set ends: there is nothing left to do, or all who wait are woken for it; and for the last task's
 * end, if that is what they wait for. */
static void settle(struct edo_local_set *set)
{
    bool ended = set->awaited && set->scheduler.live == 0;
    if (ended)
        set->awaited = false;
    if (set->scheduler.head != NULL || !park(set->scheduler.handle) || ended)
        edo_handle_signal(set->scheduler.handle);
}

static bool is_empty(struct edo_local_set *set)
{
    return set->scheduler.live == 0 && !edo_handle_pending(set->scheduler.handle);
}

/* A runner is polled: its child, if it has one, then the tasks, unless they are being polled already, by the
 * runner or the task that this poll is part of. Without a child it is ready when there is no task left. */
static enum edo_poll poll_runner(struct edo_local_set *set, struct edo_future *child,
                                 struct edo_waiter *waiter, struct edo_context *cx)
{
    struct edo_handle *handle = set->scheduler.handle, *outer = edo_thread.local;
    struct edo_waker *spare = edo_waker_keep(cx->waker), *old = NULL;
    bool nested = edo_handle_mine(handle);
    enum edo_poll poll = EDO_PENDING;
    edo_thread.local = handle;
    if (!nested) {
        edo_store(&handle->owner, &edo_thread, relaxed);
        /* Relaxed: who still sees it set wakes runners for nothing, and has pushed before park() looks. */
        edo_store(&handle->parked, false, relaxed);
    }
    if (child != NULL && (edo_future_done(child) || edo_future_poll(child, cx) == EDO_READY))
        poll = EDO_READY;
    else if (!nested && cx->panic.name == NULL)
        run(set);
    if (child == NULL && is_empty(set))
        poll = EDO_READY;
    edo_thread.local = outer;
    if (!nested)
        edo_store(&handle->owner, NULL, relaxed);
    edo_lock(&handle->lock);
    if (poll == EDO_READY) {
        old = edo_row_leave(waiter);
    } else {
        edo_row_join(&handle->waiters, waiter, &spare);
        set->awaited = set->awaited || child == NULL;
    }
    edo_unlock(&handle->lock);
    if (!nested)
        settle(set);
    edo_waker_forget(old);
    edo_waker_forget(spare);
    return poll;
}

static enum edo_poll edo_local_set_run_until_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_local_set_run_until *self = (struct edo_local_set_run_until *)future;
    struct edo_handle *handle = self->set->scheduler.handle;
    if (cx->walk == EDO_WALK_TRACE) {
        edo_trace(cx, "edo_local_set_run_until", NULL, 0);
        cx->depth++;
        edo_future_trace(self->child, cx);
        cx->depth--;
        return EDO_PENDING;
    }
    self->output = is_here(handle) ? 0 : UV_EPERM;
    if (cx->walk == EDO_WALK_POLL && self->output == 0)
        return poll_runner(self->set, self->child, &self->waiter, cx);
    edo_waiter_drop(&self->waiter, &handle->lock);
    struct edo_handle *outer = edo_thread.local;
    if (self->output == 0)
        edo_thread.local = handle;
    edo_future_drop(self->child, cx);
    edo_thread.local = outer;
    /* A child whose FINALLY panics is one that panicked. */
    return cx->walk == EDO_WALK_POLL && cx->panic.name != NULL ? EDO_PENDING : EDO_READY;
}

struct edo_local_set_run_until edo_local_set_run_until_(struct edo_local_set *set,
                                                        struct edo_future *child)
{
    return EDO_NEW_RETURNED(edo_local_set_run_until, .set = set, .child = child);
}

static enum edo_poll edo_local_set_wait_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_local_set_wait *self = (struct edo_local_set_wait *)future;
    struct edo_handle *handle = self->set->scheduler.handle;
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "edo_local_set_wait");
    self->output = 0;
    if (!is_here(handle))
        self->output = UV_EPERM;
    else if (edo_thread.task != NULL && edo_thread.task->home == handle)
        self->output = EDO_ENESTED;
    if (cx->walk == EDO_WALK_POLL && self->output == 0)
        return poll_runner(self->set, NULL, &self->waiter, cx);
    edo_waiter_drop(&self->waiter, &handle->lock);
    return EDO_READY;
}

struct edo_local_set_wait edo_local_set_wait(struct edo_local_set *set)
{
    return EDO_NEW_RETURNED(edo_local_set_wait, .set = set);
}

int edo_local_set_block_on_(struct edo_local_set *set, struct edo_runtime *runtime,
                            struct edo_future *future)
{
    edo_demand_made(future);
    struct edo_local_set_run_until run = edo_local_set_run_until_(set, future);
    /* By a foreign executor: the runner would leave the tasks to that one, which waits for us. */
    if (edo_handle_mine(set->scheduler.handle)) {
        edo_task_start_((struct edo_task *)(intptr_t)EDO_ENESTED, &run.future_);
        return EDO_ENESTED;
    }
    int error = edo_block_on(runtime, &run);
    return error < 0 ? error : run.output;
}

struct edo_handle *edo_local_handle_(struct edo_local_set *set)
{
    if (set != NULL)
        return set->scheduler.handle;
    if (edo_thread.local != NULL)
        return edo_thread.local;
    if (edo_thread.current != NULL && edo_handle_mine(edo_thread.current))
        return edo_thread.current;
    return (struct edo_handle *)(intptr_t)EDO_ENORUNTIME;
}

struct edo_local_guard edo_local_set_enter(struct edo_local_set *set)
{
    struct edo_local_guard guard = {edo_thread.local, edo_handle_clone(set->scheduler.handle)};
    edo_thread.local = guard.entered;
    return guard;
}

void edo_local_set_leave(struct edo_local_guard guard)
{
    if (edo_thread.local != guard.entered)
        edo_bug(__FILE__, __LINE__, "a guard is left that is not the one entered last");
    edo_thread.local = guard.previous;
    edo_handle_drop(guard.entered);
}
