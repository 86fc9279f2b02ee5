/* SPDX-License-Identifier: MIT */
/* A worker that is about to block gives itself to another thread: its queue, its loop, what it is. That thread is one
 * of those for blocking work, and runs the worker until the runtime ends. The one that blocked goes on without: it
 * ends the poll that it is in, and is a worker no more; or takes the worker back, when nobody has come for it.
 *
 * `handed` is 1 as long as the worker is to be had; who exchanges 0 in has it. A thread that may run tasks is
 * counted in pool->running: the one that comes counts itself first, unless the pool has ended.
 */
#include "blocking.h"
#include "blocking_pool.h"
#include "driver.h"
#include "pool.h"
#include "runtime_internal.h"

/* What the other thread runs. */
struct stand_in {
    FUTURE(void);
    struct edo_worker *worker;
};

/* Acquires what the thread before has done as the worker. */
static bool take(struct edo_worker *worker)
{
    return edo_exchange(&worker->handed, 0, acquire) == 1;
}

static enum edo_poll stand_in_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_worker *worker = ((struct stand_in *)future)->worker;
    struct edo_pool *pool = worker->pool;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "worker");
    if (!edo_pool_enter(pool))
        return EDO_READY;
    struct edo_thread outer = edo_thread;
    if (take(worker)) {
        edo_thread = edo_worker_thread(worker);
        /* Maybe to the end of the runtime: blocking work must not lack the thread. */
        edo_blocking_pool_lend(pool->handle->blocking);
        edo_worker_run(worker);
        edo_blocking_pool_return(pool->handle->blocking);
    }
    edo_pool_leave(pool);
    edo_thread = outer;
    return EDO_READY;
}

/* As which worker the thread goes on; NULL: as none. */
static void go_on_as(struct edo_thread *thread, struct edo_worker *worker)
{
    thread->worker = worker;
    thread->blocks = worker != NULL ? &worker->own.blocks : NULL;
}

int edo_block_in_place(void (*function)(void *argument), void *argument)
{
    struct edo_thread *thread = &edo_thread;
    struct edo_handle *running = thread->running;
    struct edo_worker *worker = thread->worker;
    /* A current-thread runtime's thread is that of its loop, which nobody else may turn; and a local set's tasks
     * are nobody else's. */
    if ((running != NULL && running->pool == NULL) ||
        (thread->local != NULL && edo_handle_mine(thread->local)))
        return UV_EINVAL;
    /* Not in a task, a hook or a waker has been called by the worker itself, which is in the midst of something. */
    if (worker != NULL &&
        (thread->task == NULL || thread->turn != NULL || thread->task->home != running))
        return UV_EINVAL;
    if (worker != NULL) {
        /* From the next line on it may be the other's, whose spawn and detach are not ours as a worker. */
        go_on_as(thread, NULL);
        /* Whoever takes it may come late: another sleeps in the loop meanwhile. */
        edo_driver_give_up(worker->driver);
        edo_store(&worker->handed, 1, release);
        EDO_JOIN_HANDLE(void)
        other = EDO_SPAWN_BLOCKING_ON(running, EDO_NEW(stand_in, .worker = worker));
        int error = edo_task_error(other);
        edo_task_detach(other);
        if (error < 0 && take(worker)) {
            go_on_as(thread, worker);
            return error;
        }
    }
    thread->running = NULL;
    function(argument);
    thread->running = running;
    if (worker != NULL && take(worker))
        go_on_as(thread, worker);
    return 0;
}
