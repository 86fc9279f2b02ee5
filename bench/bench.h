/* SPDX-License-Identifier: MIT */
/* What the workloads of edo-bench share. Each is a future that times itself, and is right on any
 * runtime: what its tasks share is used as by several threads at once.
 *
 *     struct nothing {
 *         FUTURE(int);
 *         struct bench *bench;
 *     };
 *
 *     ASYNC(nothing)
 *     {
 *         ASYNC_BEGIN;
 *         bench_start(self->bench);
 *         … self->bench->n operations …
 *         bench_stop(self->bench, self->bench->n);
 *         RETURN(0);                      or a negative error
 *         ASYNC_END;
 *     }
 *
 *     BENCH(nothing)                          or BENCH_TASK(nothing)
 *
 * and has a line in BENCH_WORKLOADS.
 */
#ifndef EDO_BENCH_H
#define EDO_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "edo.h"

/* X(name, what N is when it is not given, what one operation is) */
#define BENCH_WORKLOADS(X)                                                           \
    X(spawn_join, 2000000, "spawn a trivial task and await its handle")              \
    X(spawn_batch, 1000000, "spawn N trivial tasks, then await all the handles")     \
    X(yield, 2000, "1,000 tasks yield N times each; one yield")                      \
    X(chain, 1000000, "each task spawns the next; one task")                         \
    X(skynet, 1000000, "a tree of tasks with N leaves, ten children each; one task") \
    X(timers, 500000, "N tasks sleep 1 to 1,000 ms; one task")                       \
    X(timeout_cancel, 2000000, "a 30 s timeout around a yield")                      \
    X(memory, 1000000, "N tasks that wait; bytes of each")                           \
    X(memory_sleep, 1000000, "N tasks that sleep for an hour; bytes of each")        \
    X(remote_spawn, 500000, "spawn from a thread outside the runtime")               \
    X(blocking, 200000, "blocking work of nothing, awaited; one piece of work")      \
    X(oneshot, 2000000, "make, send, receive in one task; one message")              \
    X(mpsc_1_1, 5000000, "one producer, bounded to 1,024; one message")              \
    X(mpsc_8_1, 4000000, "eight producers, bounded to 1,024; one message")           \
    X(mpsc_unbounded, 4000000, "eight producers, unbounded; one message")            \
    X(broadcast_1_8, 500000, "one sender, eight receivers; one message to all")      \
    X(watch_1_8, 1000000, "one sender, eight receivers; one value")                  \
    X(ping_pong, 1000000, "two tasks, a token there and back; one round")            \
    X(ring, 2000000, "a token around 503 tasks; one hop")                            \
    X(select2, 2000000, "select over two channels; one message")                     \
    X(join8, 5000000, "join of eight futures that are ready; one join")              \
    X(stream_filter, 20, "1,000,000 ints, N times, by a filter and a map; one int")  \
    X(unordered_10, 2000000, "a set of 10 that wait; one wake and poll")             \
    X(unordered_100000, 2000000, "a set of 100,000 that wait; one wake and poll")    \
    X(mutex, 200000, "16 tasks lock, add one, unlock, N times each; one turn")       \
    X(semaphore, 200000, "16 tasks, 4 permits, a yield while held; one turn")        \
    X(notify, 1000000, "two tasks wake each other by Notify; one round")             \
    X(echo_inproc, 5000, "64 clients in this process, N times 64 B there and back")  \
    X(yield_among, 1000, "N tasks yield, 2,000,000 times together; one yield")       \
    X(timeout_among, 1000, "a timeout around a yield, while N tasks sleep")          \
    X(echo_server, 7777, "an echo server alone, on port N; ends by SIGINT, SIGTERM")

struct bench {
    uint64_t n;     /* the command line's, or the default; 1 at least */
    uint64_t least; /* that N must be, if it is more */
    uint64_t ms;    /* after which echo_server ends; UINT64_MAX: never */
    struct edo_runtime *runtime;
    uint64_t started, cpu_started; /* ns */
    uint64_t ns, cpu_ns;           /* the results: wall time, and the processor's */
    uint64_t ops;
    char extra[128];
};

/* Begins and ends what is timed: `ops` operations. On any of the runtime's threads. */
void bench_start(struct bench *bench);
void bench_stop(struct bench *bench, uint64_t ops);

/* For a workload that shares N out. 0, or UV_EINVAL where N is less, which edo-bench says then. */
int bench_at_least(struct bench *bench, uint64_t least);

/* The process' resident memory, in bytes. */
uint64_t bench_rss(void);

/* BENCH(name) defines bench_name, which runs the future `struct name` to its end: on the thread that
 * waits, which is no worker of a multi-thread runtime. 0 or an error. */
#define BENCH(name)                                      \
    int bench_##name(struct bench *bench)                \
    {                                                    \
        struct name name = NEW(name, .bench = bench);    \
        int error = edo_block_on(bench->runtime, &name); \
        return error < 0 ? error : name.output;          \
    }

/* BENCH_TASK(name): the same in a task of its own, for what a task does by itself or begins. */
#define BENCH_TASK(name)                                                                     \
    int bench_##name(struct bench *bench)                                                    \
    {                                                                                        \
        return bench_join(                                                                   \
            bench, SPAWN_ON(edo_runtime_handle(bench->runtime), NEW(name, .bench = bench))); \
    }

/* Waits for a task. Its output, or an error. */
int bench_join(struct bench *bench, JOIN_HANDLE(int) task);

#define BENCH_DECLARE(name, n, what) int bench_##name(struct bench *bench);
BENCH_WORKLOADS(BENCH_DECLARE)
#undef BENCH_DECLARE

#endif
