/* SPDX-License-Identifier: MIT */
/* How a runtime is to be.
 *
 *     struct edo_runtime *runtime;
 *     int error = edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 4,
 *                                 .thread_name = "redis");
 *
 * Zero is the default everywhere. The struct is read by the call that builds, and not kept; what its
 * hooks are given as `arg` lives as long as the runtime's threads.
 */
#ifndef EDO_RUNTIME_BUILDER_H
#define EDO_RUNTIME_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct edo_runtime;

enum edo_flavor {
    EDO_CURRENT_THREAD, /* tasks run on the thread that is in edo_block_on */
    EDO_MULTI_THREAD,   /* on threads of the runtime, which take work from each other */
};

/* What the panic of a task does to the runtime. */
enum edo_unhandled_panic {
    EDO_PANIC_IGNORE, /* nothing: its join handle reports it, or, when that is gone, stderr */
    /* All tasks are dropped, as is what is spawned later; edo_block_on returns EDO_EPANIC. Current-thread. */
    EDO_PANIC_SHUTDOWN,
};

/* The longest name of a thread that the kernel takes, NUL included. */
enum { EDO_THREAD_NAME = 16 };

/* The histogram of how long polls take: `buckets` buckets, the first for polls shorter than
 * `resolution` ns, each of the others as wide (linear) or twice as wide as the one before, the last for
 * all that are longer. 0 buckets: polls are not timed. */
enum { EDO_HISTOGRAM_BUCKETS = 64 };
struct edo_histogram {
    uint32_t buckets; /* at most EDO_HISTOGRAM_BUCKETS */
    bool logarithmic;
    uint64_t resolution;
};

struct edo_builder {
    enum edo_flavor flavor;
    const char *name; /* for edo_runtime_name; copied, cut at 31 bytes */

    /* The multi-thread runtime's. */
    uint32_t worker_threads; /* as many as CPUs that the process may use; at most EDO_WORKERS_MAX */
    bool disable_lifo_slot;  /* a task that the running one wakes goes to the end of the queue */

    /* The threads of the runtime: workers, and those for blocking work. */
    uint32_t max_blocking_threads; /* 512 */
    uint32_t thread_keep_alive;    /* ms that a thread for blocking work stays idle; 10,000 */
    size_t thread_stack_size;      /* the system's */
    const char *thread_name;       /* "edo-worker"; copied, cut to fit */
    /* Called instead for each thread, on whichever thread starts it; writes its name. */
    void (*thread_name_fn)(void *arg, char name[EDO_THREAD_NAME]);

    uint32_t event_interval;        /* polls of tasks between looks at I/O and timers; 61 */
    uint32_t global_queue_interval; /* polls between looks at foreign wakes and spawns; 31 */
    uint32_t
        max_io_events_per_tick; /* of one look; the others wait for the next; 0, or more: 256 */
    uint32_t rng_seed;          /* of the fair choices; from the kernel */
    enum edo_unhandled_panic unhandled_panic;
    bool start_paused; /* the clock stands still: runtime/time.h. Current-thread */
    struct edo_histogram poll_time;

    /* Called on a thread of the runtime: when it begins and ends, before it sleeps, after it slept. The
     * thread that is in edo_block_on is one for the current-thread runtime (embedded: from attaching to
     * dropping). NULL: nothing. They must not call into the runtime. */
    void (*on_thread_start)(void *arg);
    void (*on_thread_stop)(void *arg);
    void (*on_thread_park)(void *arg);
    void (*on_thread_unpark)(void *arg);
    /* Called for each task, by its id (edo_task_id): when it is spawned, on the spawning thread; before
     * and after each poll, and when it has ended, on the one that runs it. On a current-thread runtime what
     * edo_block_on runs is a task among them; beside workers it is none. */
    void (*on_task_spawn)(void *arg, uint64_t id);
    void (*on_before_task_poll)(void *arg, uint64_t id);
    void (*on_after_task_poll)(void *arg, uint64_t id);
    void (*on_task_terminate)(void *arg, uint64_t id);
    void *hook_arg;
};

enum { EDO_WORKERS_MAX = 1024 };

/* Makes a runtime. Returns 0 and the runtime, the caller's to drop; or, the runtime being NULL, UV_ENOMEM,
 * UV_EINVAL for a flavor that does not exist, a figure that is too large, or what the flavor cannot do
 * (start_paused, EDO_PANIC_SHUTDOWN), UV_EAGAIN when there are no threads to be had, or what libuv said
 * of the loop (UV_EMFILE, …). Any thread. */
int edo_builder_build(const struct edo_builder *builder, struct edo_runtime **runtime);

/* edo_runtime_new(&runtime, .event_interval = 31, …): the same with the builder's fields named. */
#define edo_runtime_new(runtime, ...) \
    edo_builder_build(&(const struct edo_builder){__VA_ARGS__}, (runtime))

#ifdef __cplusplus
}
#endif

#endif
