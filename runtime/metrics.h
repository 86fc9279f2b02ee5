/* SPDX-License-Identifier: MIT */
/* What a runtime has done, and has to do: figures for a dashboard.
 *
 *     struct edo_metrics metrics;
 *     edo_handle_metrics(handle, &metrics);
 *     printf("%" PRIu64 " tasks, %" PRIu64 " stolen\n", metrics.alive_tasks, metrics.steals);
 *
 * Read from any thread while the runtime runs, without stopping it: each figure was right a moment ago, and
 * two of them not at the same moment. Those that only grow count from the runtime's beginning.
 */
#ifndef EDO_RUNTIME_METRICS_H
#define EDO_RUNTIME_METRICS_H

#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One worker; a current-thread runtime has one, which is whoever runs it. */
struct edo_worker_metrics {
    uint64_t polls;           /* of tasks */
    uint64_t budget_yields;   /* polls that ended because their budget was used up */
    uint64_t parks;           /* times it went to sleep */
    uint64_t busy_ns;         /* what it did not sleep, up to its last sleep */
    uint64_t local_schedules; /* tasks it put into its own queue. Multi-thread, as the following */
    uint64_t steals;          /* tasks it took from other workers */
    uint64_t steal_operations;
    uint64_t overflows;   /* times its queue was full, and its oldest went to the shared one */
    uint64_t queue_depth; /* tasks in its queue now */
    /* How long polls took, when the builder has asked for it: builder.h. */
    uint64_t poll_time[EDO_HISTOGRAM_BUCKETS];
};

struct edo_metrics {
    uint32_t workers;
    uint64_t alive_tasks;   /* spawned, and not ended */
    uint64_t spawned_tasks; /* with the future of each edo_block_on, on a current-thread runtime */
    uint64_t remote_schedules; /* tasks that other threads woke or spawned */
    uint64_t injected;         /* tasks in the shared queue now. Multi-thread */
    uint32_t blocking_threads; /* now; those that wait for work are counted */
    uint32_t idle_blocking_threads;
    uint64_t blocking_queue;         /* blocking work that waits for a thread now */
    struct edo_worker_metrics total; /* of all workers */
};

/* Fills in what the runtime has to show, also when it is gone: then what it had. Any thread. */
void edo_handle_metrics(struct edo_handle *handle, struct edo_metrics *metrics);

/* The same of one worker, from 0 on. 0; or UV_EINVAL: there is none. Any thread. */
int edo_handle_worker_metrics(struct edo_handle *handle, uint32_t worker,
                              struct edo_worker_metrics *metrics);

#ifdef __cplusplus
}
#endif

#endif
