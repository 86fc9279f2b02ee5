/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include <string.h>

#include "blocking_pool.h"
#include "pool.h"
#include "runtime_internal.h"

static uint64_t value(_Atomic(uint64_t) *counter)
{
    return edo_load(counter, relaxed);
}

static void add(struct edo_worker_metrics *metrics, struct edo_counts *counts)
{
    metrics->polls += value(&counts->polls);
    metrics->budget_yields += value(&counts->budget_yields);
    metrics->parks += value(&counts->parks);
    metrics->busy_ns += value(&counts->busy_ns);
    metrics->local_schedules += value(&counts->local_schedules);
    metrics->steals += value(&counts->steals);
    metrics->steal_operations += value(&counts->steal_operations);
    metrics->overflows += value(&counts->overflows);
    for (int i = 0; i < EDO_HISTOGRAM_BUCKETS; i++)
        metrics->poll_time[i] += value(&counts->poll_time[i]);
}

static void add_worker(struct edo_worker_metrics *metrics, struct edo_worker *worker)
{
    add(metrics, &worker->own.counts);
    metrics->queue_depth += edo_queue_length(&worker->queue);
}

int edo_handle_worker_metrics(struct edo_handle *handle, uint32_t worker,
                              struct edo_worker_metrics *metrics)
{
    struct edo_pool *pool = handle->pool;
    memset(metrics, 0, sizeof *metrics);
    if (worker >= (pool != NULL ? pool->count : 1))
        return UV_EINVAL;
    if (pool != NULL)
        add_worker(metrics, &pool->workers[worker]);
    else
        add(metrics, &handle->own.counts);
    return 0;
}

void edo_handle_metrics(struct edo_handle *handle, struct edo_metrics *metrics)
{
    struct edo_pool *pool = handle->pool;
    memset(metrics, 0, sizeof *metrics);
    metrics->workers = pool != NULL ? pool->count : 1;
    /* Ended first: what ends meanwhile was spawned before. */
    uint64_t ended = value(&handle->own.counts.ended);
    for (uint32_t i = 0; pool != NULL && i < pool->count; i++)
        ended += value(&pool->workers[i].own.counts.ended);
    metrics->spawned_tasks =
        value(pool != NULL ? &pool->inject.spawned : &handle->own.counts.spawned);
    for (uint32_t i = 0; pool != NULL && i < pool->count; i++)
        metrics->spawned_tasks += value(&pool->workers[i].own.counts.spawned);
    metrics->alive_tasks = metrics->spawned_tasks > ended ? metrics->spawned_tasks - ended : 0;
    metrics->remote_schedules =
        value(pool != NULL ? &pool->inject.remote : &handle->own.counts.remote);
    add(&metrics->total, &handle->own.counts);
    if (pool != NULL) {
        metrics->injected = edo_inject_length(&pool->inject);
        for (uint32_t i = 0; i < pool->count; i++)
            add_worker(&metrics->total, &pool->workers[i]);
    }
    if (handle->blocking != NULL) {
        struct edo_blocking_counts blocking = edo_blocking_pool_counts(handle->blocking);
        metrics->blocking_threads = blocking.threads;
        metrics->idle_blocking_threads = blocking.idle;
        metrics->blocking_queue = blocking.queued;
    }
}
