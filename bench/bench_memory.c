/* SPDX-License-Identifier: MIT */
/* The memory of tasks that do nothing but be there. */
#include <stdio.h>

#include "bench.h"

/* A future written by hand: it waits for ever, and nobody has its waker. */
struct forever {
    FUTURE(void);
};

static enum edo_poll forever_poll(struct edo_future *future, struct edo_context *cx)
{
    (void)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "forever");
    return EDO_PENDING;
}

/* Resident bytes per task, those of its frame, and the difference: header and allocator. */
static void report(struct bench *bench, uint64_t before, size_t frame)
{
    double each = (double)(int64_t)(bench_rss() - before) / (double)bench->n;
    snprintf(bench->extra, sizeof bench->extra, "bytes_per_task=%.1f frame=%zu beyond_frame=%.1f",
             each, frame, each - (double)frame);
}

struct memory {
    FUTURE(int);
    struct bench *bench;
    uint64_t before, i;
    struct edo_sleep settle;
};

ASYNC(memory)
{
    ASYNC_BEGIN;
    self->before = bench_rss();
    bench_start(self->bench);
    for (self->i = 0; self->i < self->bench->n; self->i++)
        SPAWN_DETACHED(NEW(forever));
    AWAIT(self->settle, edo_sleep(100));
    bench_stop(self->bench, self->bench->n);
    report(self->bench, self->before, sizeof(struct forever));
    RETURN(self->settle.output);
    ASYNC_END;
}

BENCH(memory)

struct memory_sleep {
    FUTURE(int);
    struct bench *bench;
    uint64_t before, i;
    struct edo_sleep settle;
};

ASYNC(memory_sleep)
{
    ASYNC_BEGIN;
    self->before = bench_rss();
    bench_start(self->bench);
    for (self->i = 0; self->i < self->bench->n; self->i++)
        SPAWN_DETACHED(edo_sleep(3600 * 1000));
    AWAIT(self->settle, edo_sleep(500));
    bench_stop(self->bench, self->bench->n);
    report(self->bench, self->before, sizeof(struct edo_sleep));
    RETURN(self->settle.output);
    ASYNC_END;
}

BENCH(memory_sleep)
