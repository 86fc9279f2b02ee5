/* SPDX-License-Identifier: MIT */
/* What a thread that runs tasks counts, for runtime/metrics.h: written by it alone, read by any. */
#ifndef EDO_RUNTIME_COUNTS_H
#define EDO_RUNTIME_COUNTS_H

#include "../internal/blocks.h"
#include "../internal/sys.h"
#include "builder.h"
#include "task_cache.h"

struct edo_counts {
    /* Multi-thread: what others than workers spawn is counted by the inject queue, and what they end at the handle's,
     * by read-modify-writes. */
    _Atomic(uint64_t) spawned, ended;
    _Atomic(uint64_t) remote; /* tasks that others woke or spawned. Current-thread */
    _Atomic(uint64_t) polls, budget_yields, parks, busy_ns;
    _Atomic(uint64_t) local_schedules, steals, steal_operations, overflows; /* multi-thread */
    _Atomic(uint64_t) poll_time[EDO_HISTOGRAM_BUCKETS];
};

/* What such a thread keeps to itself, for what its tasks need at each spawn and end. */
struct edo_own {
    int64_t spare;   /* references to the handle, taken in batches and not given out */
    uint32_t serial; /* of the last task spawned here */
    struct edo_task_cache cache;
    struct edo_blocks blocks; /* of what else lives as short */
    struct edo_counts counts;
};

/* Relaxed, and no read-modify-write: one thread writes it. */
static inline void edo_count_up(_Atomic(uint64_t) *counter, uint64_t n)
{
    edo_store(counter, edo_load(counter, relaxed) + n, relaxed);
}

#endif
