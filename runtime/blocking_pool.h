/* SPDX-License-Identifier: MIT */
/* The threads for blocking work, and the queue of what waits for one. A handle has one, which lives as long
 * as the handle; each of its threads holds a reference to the handle.
 *
 * What it runs are tasks, by the two functions of blocking.c. It knows of them only their `next`.
 */
#ifndef EDO_RUNTIME_BLOCKING_POOL_H
#define EDO_RUNTIME_BLOCKING_POOL_H

#include "runtime_internal.h"

/* As the builder says: limit and keep-alive; `processors` is how many the process may use. Names, stacks and
 * hooks are the handle's. NULL: no memory. */
struct edo_blocking_pool *edo_blocking_pool_new(const struct edo_builder *builder,
                                                struct edo_handle *handle, uint32_t processors);

/* With its handle: there are no threads any more. NULL is fine. */
void edo_blocking_pool_free(struct edo_blocking_pool *pool);

/* Has a thread run the task: an idle one, or one more, or, there being as many as there may, the first that has
 * ended what was queued before. 0: it will be run, or cancelled. Else it stays the caller's: EDO_ESHUTDOWN when
 * the pool is closed; UV_EAGAIN or UV_ENOMEM when no thread can be had and there is none. Any thread, holding a
 * reference to the task and one to the handle. */
int edo_blocking_pool_submit(struct edo_blocking_pool *pool, struct edo_task *task);

/* This thread, one of the pool's, is a worker of the runtime for a while, and does not count among those that there
 * may be: work that is queued goes on without it. */
void edo_blocking_pool_lend(struct edo_blocking_pool *pool);
void edo_blocking_pool_return(struct edo_blocking_pool *pool);

/* Takes no more, and has its idle threads leave. What has not begun never will: it is for edo_blocking_pool_wait to
 * cancel, or for the idle thread that was given it. */
void edo_blocking_pool_close(struct edo_blocking_pool *pool);

/* Closed, by this thread: cancels here what had not begun, and waits until every thread is gone, joined; but not for
 * longer than until edo_clock_ns() is `deadline` (UINT64_MAX: never). False: some are not; they end by themselves.
 * Once. */
bool edo_blocking_pool_wait(struct edo_blocking_pool *pool, uint64_t deadline);

/* Whether work is under way or queued. If so, edo_handle_signal is called when none is any more. */
bool edo_blocking_pool_busy(struct edo_blocking_pool *pool);

/* How many there are at the moment: threads; of these, idle; tasks that wait for one. Whether one that is idle still
 * looks out for work, and so gets it before those that went idle later. */
struct edo_blocking_counts {
    uint32_t threads, idle;
    uint64_t queued;
    bool lingers;
};
struct edo_blocking_counts edo_blocking_pool_counts(struct edo_blocking_pool *pool);

/* blocking.c: runs a task on this thread to its end, waiting on `event`, which outlives the task, between polls;
 * or drops it, as aborted. */
void edo_blocking_run(struct edo_task *task, struct edo_context *cx, struct edo_event *event);
void edo_blocking_cancel(struct edo_task *task);

#endif
