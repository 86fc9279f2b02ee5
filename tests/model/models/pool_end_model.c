/* SPDX-License-Identifier: MIT */
/* The end of a multi-thread runtime: its workers leave, and the last of them drops the tasks (pool.c). */
#define COPY pool_end_model
#include "pool_copy.h"

/* What was done before is seen by each worker and by what ends with it, whether it sleeps or is awake throughout. */
static void close_pool(uint32_t workers)
{
    threads = true;
    begin(workers);
    edo_pool_adopt(pool, &items[0].task);
    before = 1;
    edo_pool_close(pool, UINT64_MAX);
    model_assert(cancelled == 1);
    end_all();
}

MODEL(pool_closed)
{
    close_pool(1);
}

MODEL(pool_of_two_closed, .bound = 3)
{
    close_pool(2);
}

/* The last to leave sees what all did. */
static void leaves(void *i)
{
    be((uint32_t)(intptr_t)i)->own.spare++;
    edo_pool_leave(pool);
}

MODEL(pool_left_by_two)
{
    begin(2);
    model_thread(leaves, (void *)0);
    leaves((void *)1);
    model_join_all();
    struct edo_handle *handle = pool->handle;
    model_assert(edo_load(&handle->refs, relaxed) == 1);
    edo_pool_free(pool);
    edo_handle_drop(handle);
}

static void runs_and_leaves(void *i)
{
    runs(i);
    edo_pool_leave(pool);
}

/* What is in queues is dropped, by whom it was not put there. */
static void makes_and_leaves(void *i)
{
    int first = 2 * (int)(intptr_t)i;
    be((uint32_t)(intptr_t)i);
    make(first);
    make(first + 1);
    edo_pool_leave(pool);
}

MODEL(pool_left_with_tasks)
{
    begin(2);
    before = 1;
    make(4);
    model_thread(makes_and_leaves, (void *)1);
    makes_and_leaves((void *)0);
    model_join_all();
    model_assert(cancelled == 5);
    end_all();
}

/* Spawned from elsewhere meanwhile: refused, or dropped with the others. Afterwards: refused, although a worker may look
 * for tasks as yet. */
static bool spawned;

static void spawns(void *arg)
{
    (void)arg;
    before = 1;
    spawned = edo_pool_spawn(pool, &items[0].task);
}

MODEL(pool_spawned_on_as_it_is_closed, .outcomes = "0 1")
{
    begin(1);
    model_thread(spawns, NULL);
    stop(pool);
    be(0);
    edo_pool_leave(pool);
    model_join_all();
    model_assert(cancelled == spawned);
    model_outcome(spawned);
    end_all();
}

MODEL(pool_spawned_on_once_it_is_told_to_close)
{
    begin(1);
    model_thread(runs_and_leaves, (void *)0);
    stop(pool);
    model_assert(!edo_pool_spawn(pool, &items[0].task));
    model_join_all();
    model_assert(cancelled == 0);
    end_all();
}

/* By a task, in a poll: what its worker makes ready after that nobody runs any more, although another looks for work. */
MODEL(pool_closed_in_a_poll, .bound = 3)
{
    begin(2);
    model_thread(runs_and_leaves, (void *)1);
    be(0);
    before = 1;
    stop(pool);
    make(0);
    make(1);
    edo_pool_leave(pool);
    model_join_all();
    model_assert(items[0].polls == 0 && items[1].polls == 0);
    model_assert(cancelled == 2);
    end_all();
}
