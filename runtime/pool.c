/* SPDX-License-Identifier: MIT */
/* A multi-thread runtime's life.
 *
 * Its end. edo_pool_close has no more blocking work begin, has other threads spawn nothing any more (edo_pool_spawn),
 * sets `closing` and wakes all workers, whose threads leave. The last of them is then the only one that has to do with
 * tasks:
 *  1. It empties the queues, which hold no references, and closes the inject queue: what is woken from here on
 *     goes nowhere. What has never been polled is in no list as yet, and goes into one.
 *  2. It drops each task where it is suspended. One that a FINALLY spawns joins a list, and is dropped in its turn.
 *  3. It closes the drivers, which orphans what is still registered and armed, and wakes it; drops what that spawned.
 * Who drops the runtime waits for that, or does not. Threads hold the handle as long as they live.
 */
#include "pool.h"

#include "blocking_pool.h"
#include "driver.h"
#include "runtime_internal.h"

enum { LINE = 64 };

void edo_pool_wake(struct edo_pool *pool)
{
    int taken = edo_idle_take(&pool->idle, edo_load(&pool->watch, relaxed));
    if (taken >= 0)
        edo_driver_wake(pool->workers[taken].driver);
}

static void stop(struct edo_pool *pool)
{
    /* A worker that is woken may poll what it finds before it looks whether to stop. */
    edo_inject_refuse(&pool->inject);
    edo_store(&pool->closing, true, release);
    for (uint32_t i = 0; i < pool->count; i++)
        edo_driver_wake(pool->workers[i].driver);
}

void edo_pool_close(struct edo_pool *pool, uint64_t until)
{
    /* First: what a FINALLY lets go on may have been all that kept more work from its beginning. */
    edo_blocking_pool_close(pool->handle->blocking);
    stop(pool);
    bool ended = edo_event_wait_until(&pool->ended, until);
    edo_blocking_pool_wait(pool->handle->blocking, until);
    for (uint32_t i = 0; i < pool->count; i++)
        if (ended)
            edo_thread_join(pool->workers[i].thread);
        else
            edo_thread_detach(pool->workers[i].thread);
}

bool edo_pool_spawn(struct edo_pool *pool, struct edo_task *task)
{
    struct edo_worker *worker = edo_worker_mine(pool) ? edo_thread.worker : NULL;
    if (worker == NULL) {
        /* Counted before it may end, which is counted also where it is refused. */
        if (!edo_inject_push(&pool->inject, &task, 1, EDO_INJECT_SPAWN))
            return false;
        edo_pool_notify(pool);
        return true;
    }
    edo_count_up(&worker->own.counts.spawned, 1);
    if (edo_likely(edo_worker_schedule_next(worker, task)))
        return true;
    /* The queues lead nowhere any more, but the lists do. */
    if (edo_unlikely(worker->retired))
        edo_pool_adopt(pool, task);
    else
        edo_worker_schedule(pool, task, false);
    return true;
}

void edo_pool_adopt(struct edo_pool *pool, struct edo_task *task)
{
    struct edo_worker *worker = edo_worker_mine(pool)
                                    ? edo_thread.worker
                                    : &pool->workers[task->serial / EDO_SLAB_SIZES % pool->count];
    task->keeper = worker;
    edo_lock(&worker->lock);
    edo_list_push_back(&worker->tasks, &task->owned);
    edo_unlock(&worker->lock);
}

void edo_pool_forget(struct edo_pool *pool, struct edo_task *task)
{
    if (edo_task_is_blocking(task))
        return;
    /* First: whoever finds it in its list no more sees it counted. */
    if (edo_likely(edo_worker_mine(pool)))
        edo_count_up(&edo_thread.worker->own.counts.ended, 1);
    else
        edo_fetch_add(&pool->handle->own.counts.ended, 1, relaxed);
    if (task->keeper != NULL) {
        edo_lock(&task->keeper->lock);
        edo_list_remove(&task->owned);
        edo_unlock(&task->keeper->lock);
    }
}

/* One that was in a queue when the runtime ended. */
static void keep(struct edo_pool *pool, struct edo_task *task)
{
    if (task != NULL && task->keeper == NULL)
        edo_pool_adopt(pool, task);
}

static void drop_tasks(struct edo_pool *pool)
{
    bool some = true;
    while (some) {
        some = false;
        for (uint32_t i = 0; i < pool->count; i++) {
            struct edo_worker *worker = &pool->workers[i];
            for (;;) {
                edo_lock(&worker->lock);
                struct edo_list *first = edo_list_empty(&worker->tasks) ? NULL : worker->tasks.next;
                edo_unlock(&worker->lock);
                if (first == NULL)
                    break;
                /* Nobody else ends tasks any more. */
                edo_task_cancel(edo_container_of(first, struct edo_task, owned));
                some = true;
            }
        }
    }
}

static void end(struct edo_pool *pool)
{
    struct edo_thread outer = edo_thread;
    struct edo_worker *worker = &pool->workers[0];
    edo_thread = edo_worker_thread(worker);
    worker->retired = true;
    worker->lifo_left = 0;
    for (uint32_t i = 0; i < pool->count; i++) {
        struct edo_worker *other = &pool->workers[i];
        /* Relaxed: who filled it has left, and released that (edo_pool_leave). */
        keep(pool, edo_exchange(&other->lifo, NULL, relaxed));
        for (struct edo_task *task; (task = edo_queue_pop(&other->queue)) != NULL;)
            keep(pool, task);
    }
    edo_inject_close(&pool->inject);
    for (struct edo_task *task; edo_inject_take(&pool->inject, &task, 1) > 0;)
        keep(pool, task);
    drop_tasks(pool);
    for (uint32_t i = 0; i < pool->count; i++)
        edo_driver_close(pool->workers[i].driver, UINT64_MAX);
    drop_tasks(pool);
    struct edo_handle *handle = pool->handle;
    edo_lock(&handle->outside);
    handle->ended = true;
    int64_t spare = handle->own.spare;
    edo_unlock(&handle->outside);
    for (uint32_t i = 0; i < pool->count; i++) {
        spare += pool->workers[i].own.spare;
        pool->workers[i].own.spare = 0;
    }
    edo_thread = outer;
    edo_handle_unref(handle, spare);
    edo_event_set(&pool->ended);
}

bool edo_pool_enter(struct edo_pool *pool)
{
    uint32_t running = edo_load(&pool->running, relaxed);
    do {
        if (running == 0)
            return false;
    } while (!edo_cas_weak(&pool->running, &running, running + 1, relaxed, relaxed));
    return true;
}

void edo_pool_leave(struct edo_pool *pool)
{
    /* Release what this thread did; the last acquires what all did. */
    if (edo_fetch_sub(&pool->running, 1, acq_rel) == 1)
        end(pool);
}

/* A worker's thread. */
static void *run_thread(void *arg)
{
    struct edo_worker *worker = arg;
    struct edo_pool *pool = worker->pool;
    struct edo_handle *handle = pool->handle;
    edo_thread = edo_worker_thread(worker);
    edo_handle_hook(handle, handle->hooks.on_thread_start);
    edo_worker_run(worker);
    edo_handle_hook(handle, handle->hooks.on_thread_stop);
    edo_pool_leave(pool);
    edo_thread = (struct edo_thread){.current = NULL};
    edo_handle_drop(handle);
    return NULL;
}

void edo_pool_free(struct edo_pool *pool)
{
    for (uint32_t i = 0; i < pool->count; i++) {
        struct edo_worker *worker = &pool->workers[i];
        edo_driver_free(worker->driver);
        edo_cache_clear(&worker->own.cache, &pool->handle->slabs);
        edo_blocks_clear(&worker->own.blocks);
        edo_lock_destroy(&worker->lock);
    }
    edo_event_destroy(&pool->ended);
    edo_inject_destroy(&pool->inject);
    edo_idle_destroy(&pool->idle);
    edo_free(pool->block);
}

static int init_worker(struct edo_pool *pool, struct edo_worker *worker)
{
    struct edo_driver *io = pool->count > 0 ? pool->workers[0].driver : NULL;
    int error = edo_driver_new_shared(pool->handle, io, &worker->driver);
    if (error < 0)
        return error;
    worker->pool = pool;
    worker->index = pool->count++;
    worker->random = pool->handle->hooks.rng_seed + worker->index;
    if (pool->handle->hooks.rng_seed == 0)
        edo_random(&worker->random, sizeof worker->random);
    worker->random |= 1;
    edo_init(&worker->handed, 0);
    edo_init(&worker->turns, 0);
    edo_init(&worker->seen, UINT32_MAX);
    worker->turn_at = pool->event_interval;
    worker->inject_at = pool->global_queue_interval;
    worker->lifo_most = pool->handle->hooks.disable_lifo_slot ? 0 : EDO_LIFO_POLLS;
    worker->lifo_left = worker->lifo_most;
    edo_init(&worker->lifo, NULL);
    edo_init(&worker->queue.head, 0);
    edo_init(&worker->queue.tail, 0);
    edo_lock_init(&worker->lock);
    edo_list_init(&worker->tasks);
    return 0;
}

int edo_pool_new(struct edo_handle *handle, uint32_t workers, uint32_t processors)
{
    workers = workers > 0 ? workers : processors;
    /* Its parts that different threads write are on cache lines of their own. */
    void *block =
        edo_calloc(1, sizeof(struct edo_pool) + workers * sizeof(struct edo_worker) + LINE);
    if (block == NULL)
        return UV_ENOMEM;
    struct edo_pool *pool = (void *)(((uintptr_t)block + LINE) & ~(uintptr_t)(LINE - 1));
    pool->block = block;
    const struct edo_builder *hooks = &handle->hooks;
    pool->handle = handle;
    pool->event_interval = hooks->event_interval ? hooks->event_interval : 61;
    pool->global_queue_interval = hooks->global_queue_interval ? hooks->global_queue_interval : 31;
    pool->single = processors == 1;
    edo_init(&pool->watch, -1);
    pool->look_at = edo_clock_ns();
    edo_init(&pool->closing, false);
    edo_init(&pool->running, workers);
    edo_inject_init(&pool->inject);
    edo_event_init(&pool->ended);
    int error = edo_idle_init(&pool->idle, workers);
    for (uint32_t i = 0; i < workers && error == 0; i++)
        error = init_worker(pool, &pool->workers[i]);
    /* Each has a part of the numbers for itself, and so have together those that are no workers (task.c). */
    uint32_t part = UINT32_MAX / EDO_SLAB_SIZES / (workers + 1);
    for (uint32_t i = 0; i < workers && error == 0; i++)
        pool->workers[i].own.serial = i * part;
    handle->own.serial = workers * part;
    handle->pool = pool;
    if (error < 0) {
        for (uint32_t i = 0; i < pool->count; i++)
            edo_driver_close(pool->workers[i].driver, UINT64_MAX);
        return error;
    }
    uint32_t started = 0;
    for (; started < workers && error == 0; started += error == 0) {
        edo_handle_clone(handle);
        error = edo_handle_start_thread(handle, &pool->workers[started].thread, run_thread,
                                        &pool->workers[started]);
    }
    if (error == 0)
        return 0;
    edo_handle_drop(handle);
    /* Those that run end; this thread leaves as often as there are workers without one. */
    stop(pool);
    for (uint32_t i = started; i < workers; i++)
        edo_pool_leave(pool);
    edo_event_wait(&pool->ended);
    for (uint32_t i = 0; i < started; i++)
        edo_thread_join(pool->workers[i].thread);
    return error;
}
