/* SPDX-License-Identifier: MIT */
/* What a handle keeps for the threads that are no workers, and one of them at a time borrows, against the end of the
 * runtime: no reference is lost, which would be a leak, or given twice, which would be a use of what is freed; and who
 * has given back what it borrowed does not use it any more, which would be a race. It is a real pool that ends, with a
 * real driver; its one worker has no thread, and has nothing to do. */
#include <string.h>

#include "driver.h"
#include "executor.h"

struct nothing {
    EDO_FUTURE(int);
};

static enum edo_poll nothing_poll(struct edo_future *future, struct edo_context *cx)
{
    (void)future;
    return cx->walk != EDO_WALK_POLL ? edo_walk_leaf(cx, "nothing") : EDO_READY;
}

static struct edo_handle *begin(void)
{
    struct edo_handle *handle = driver_new()->handle;
    /* In a block that is freed with the handle: who uses it afterwards is found out. */
    size_t size = sizeof *handle->pool + sizeof handle->pool->workers[0];
    struct edo_pool *pool = edo_malloc(size);
    model_assert(pool != NULL);
    memcpy(pool, handle->pool, size);
    pool->block = handle->pool = pool->workers[0].pool = pool;
    edo_inject_init(&pool->inject);
    model_assert(edo_idle_init(&pool->idle, 1) == 0);
    edo_event_init(&pool->ended);
    edo_lock_init(&pool->workers[0].lock);
    edo_list_init(&pool->workers[0].tasks);
    edo_init(&pool->running, 1);
    return handle;
}

/* It goes with the last reference, whoever has that. */
static void end(struct edo_handle *handle)
{
    edo_pool_leave(handle->pool);
    edo_handle_drop(handle);
}

static struct edo_task *make(struct edo_handle *handle)
{
    struct nothing future = EDO_NEW(nothing);
    struct edo_task *task = edo_task_new(handle, NULL, sizeof future);
    model_assert(task != NULL);
    memcpy(edo_task_future(task), &future, sizeof future);
    return task;
}

/* The join handle's reference, and the runtime's. */
static void let_go(struct edo_task *task)
{
    edo_task_release(task, 2 * EDO_TASK_REF | EDO_TASK_HANDLE);
}

static void makes(void *arg)
{
    let_go(make(arg));
    edo_handle_drop(arg);
}

static void makes_two(void *arg)
{
    struct edo_task *first = make(arg);
    let_go(make(arg));
    edo_handle_drop(arg);
    let_go(first);
}

/* The first that is borrowed from takes a batch of references; the next comes with some there, or meets the end. */
MODEL(handle_borrowed_from_as_its_pool_ends, .tries = true)
{
    struct edo_handle *handle = begin();
    model_thread(makes_two, edo_handle_clone(handle));
    end(handle);
}

MODEL(handle_borrowed_from_by_two_as_its_pool_ends, .tries = true)
{
    struct edo_handle *handle = begin();
    model_thread(makes, edo_handle_clone(handle));
    model_thread(makes, edo_handle_clone(handle));
    end(handle);
}

/* A batch is there, and the one reference out of it comes back to a worker. */
MODEL(handle_whose_references_come_back_to_a_worker, .tries = true)
{
    struct edo_handle *handle = begin();
    struct edo_task *task = make(handle);
    model_thread(makes_two, edo_handle_clone(handle));
    struct edo_thread outer = edo_thread;
    driver_take(handle->pool->workers[0].driver);
    let_go(task);
    edo_thread = outer;
    end(handle);
}

/* As they do: the task is refused, or dropped with the others. */
static void spawns(void *arg)
{
    edo_task_detach(SPAWN_ON((struct edo_handle *)arg, EDO_NEW(nothing)));
    edo_handle_drop(arg);
}

MODEL(handle_spawned_on_as_its_pool_ends, .tries = true)
{
    struct edo_handle *handle = begin();
    model_thread(spawns, edo_handle_clone(handle));
    end(handle);
}

/* The reference goes with the task; while that is dropped its own is the last that keeps the pool, in which the spawn
 * still looks whom to wake. */
struct keeps {
    EDO_FUTURE(int);
    struct edo_handle *handle;
};

static enum edo_poll keeps_poll(struct edo_future *future, struct edo_context *cx)
{
    struct keeps *self = (struct keeps *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_handle_drop(self->handle);
    return cx->walk != EDO_WALK_POLL ? edo_walk_leaf(cx, "keeps") : EDO_PENDING;
}

static void spawns_detached(void *arg)
{
    struct edo_handle *handle = arg;
    model_assert(SPAWN_DETACHED_ON(handle, EDO_NEW(keeps, .handle = handle)) == 0);
}

MODEL(handle_given_away_with_what_is_spawned, .tries = true)
{
    struct edo_handle *handle = begin();
    model_thread(spawns_detached, edo_handle_clone(handle));
    end(handle);
}

/* Who has seen the end, or comes to a current-thread runtime, gets nothing. */
static void gets_none(struct edo_handle *handle)
{
    model_assert(edo_handle_borrow(handle) == NULL);
    makes(handle);
}

MODEL(handle_borrowed_from_after_the_end, .tries = true)
{
    struct edo_handle *handle = edo_handle_clone(begin());
    let_go(make(handle));
    end(handle);
    gets_none(handle);
}

static void spawns_in_vain(void *arg)
{
    model_assert(edo_handle_borrow(arg) == NULL);
    spawns(arg);
}

static _Atomic(int) done;

static void spawn_one(struct edo_waker *waker, void *arg)
{
    (void)waker;
    (void)arg;
    edo_task_detach(SPAWN(EDO_NEW(nothing)));
}

/* Its owner has a batch for itself, of which there is some left at the end. */
MODEL(handle_of_one_thread_spawned_on_at_the_end)
{
    struct edo_runtime *runtime = runtime_new();
    struct until future = EDO_NEW(until, .done = &done, .begin = spawn_one);
    model_assert(edo_block_on(runtime, &future) == 0);
    model_thread(spawns_in_vain, edo_handle_clone(edo_runtime_handle(runtime)));
    edo_runtime_drop(runtime);
}
