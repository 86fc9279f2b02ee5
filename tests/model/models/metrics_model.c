/* SPDX-License-Identifier: MIT */
/* The figures of a runtime, read by another thread while they change. */
#include "driver.h"
#include "executor.h"
#include "runtime/metrics.h"

static void looks(void *arg)
{
    struct edo_metrics first, then;
    edo_handle_metrics(arg, &first);
    edo_handle_metrics(arg, &then);
    model_assert(first.alive_tasks <= first.spawned_tasks);
    model_assert(first.spawned_tasks <= then.spawned_tasks);
    model_assert(first.total.polls <= then.total.polls);
    edo_handle_drop(arg);
}

static _Atomic(int) done;

MODEL(metrics_of_a_run)
{
    struct edo_runtime *runtime = runtime_new();
    model_thread(looks, edo_handle_clone(edo_runtime_handle(runtime)));
    struct until future = EDO_NEW(until, .done = &done);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
}

MODEL(metrics_of_a_pool)
{
    struct edo_driver *driver = driver_new();
    struct edo_pool *pool = driver->handle->pool;
    model_thread(looks, edo_handle_clone(driver->handle));
    edo_count_up(&pool->workers[0].own.counts.polls, 1);
    edo_count_up(&pool->workers[0].own.counts.spawned, 1);
    edo_count_up(&pool->workers[0].own.counts.ended, 1);
    model_join_all();
    driver_free(driver);
}
