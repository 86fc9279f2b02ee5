/* SPDX-License-Identifier: MIT */
/* What the files of runtime/ share: the task's layout, the runtime's two halves, the thread's view.
 *
 * A runtime is two objects. `struct edo_runtime` belongs to the thread that runs it, its owner for
 * the time, and nobody else touches it. `struct edo_handle` is what other threads hold: it outlives
 * the runtime until the last task, waker and handle is gone.
 */
#ifndef EDO_RUNTIME_INTERNAL_H
#define EDO_RUNTIME_INTERNAL_H

#include <uv.h>

#include "../internal/list.h"
#include "../internal/sys.h"
#include "../internal/thread.h"
#include "counts.h"
#include "pool.h"
#include "runtime.h"
#include "task.h"
#include "task_state.h"
#include "wheel.h"

struct edo_task {
    struct edo_waker waker; /* first: a waker is a task */
    edo_task_state state;   /* task_state.h */
    uint32_t serial; /* half of the id; its lowest bits are the size of its block (task_cache.h) */
    struct edo_task *next; /* run queue; NULL: not in it. Owner's thread; else who has taken it */
    union {
        struct edo_task *remote_next; /* inject list. Whoever set LINKED, until it is pushed */
        struct edo_worker *keeper;    /* multi-thread: in whose list it is; NULL: in none as yet */
        /* Of a blocking task: what its wakers wake. Written before its first poll, by the polling thread. */
        struct edo_event *sleeper;
    };
    struct edo_handle *home;  /* constant; the task holds a reference */
    struct edo_list owned;    /* among the runtime's tasks. Owner's thread; else keeper->lock */
    struct edo_waker *joiner; /* see JOINER in task_state.h */
};
/* Before the header of a task that is NAMED. */
enum { EDO_TASK_NAME = 32 };
_Static_assert(sizeof(struct edo_task) == 64, "a task's header is one cache line");

/* What is left in the frame's place when a task is complete; `kind` is EDO_STATE_DONE when the
 * frame's output stands. */
struct edo_outcome {
    char *report; /* a panic's text, the task's to free; NULL when there was no memory for it */
    uint32_t kind;
};
/* REPORTED: a panic that somebody has been told of, or stderr. */
enum { EDO_OUTCOME_CANCELLED = 1, EDO_OUTCOME_PANICKED, EDO_OUTCOME_REPORTED };
_Static_assert(sizeof(struct edo_outcome) == sizeof(struct edo_future), "it overlays the head");

struct edo_handle {
    /* References: handles, tasks, the runtime. The runtime takes them in batches (`spare`), so that
     * a task born and freed on the owner's thread costs no atomic operation here. */
    _Atomic(int64_t) refs;
    /* &edo_thread of the thread that runs the runtime, or looks at it (dump.c); NULL when none does. Written by
     * that thread; relaxed: a thread asks only whether it is itself. */
    _Atomic(struct edo_thread *) owner;
    /* Tasks woken or spawned by other threads: a Treiber stack that is only pushed to and taken
     * whole, so there is no ABA. INJECT_CLOSED when the runtime has shut down. */
    _Atomic(struct edo_task *) inject;
    /* The owner sleeps, or is about to; whoever swaps it to false signals. Sequentially consistent
     * against `inject`: the owner sets it, then looks at the list; a waker pushes, then looks at it;
     * one of them sees the other. */
    atomic_bool parked;
    struct edo_lock lock;          /* guards `selector` against closing */
    bool looked_at;                /* the owner does not run it, but looks: dump.c; under `lock` */
    struct edo_selector *selector; /* NULL when closed */
    struct edo_runtime *runtime;   /* owner's thread; NULL when gone */
    struct edo_blocking_pool *blocking; /* blocking_pool.h; lives as long as this */
    /* Of a local set (local_set.c): the thread that it belongs to, constant; and who runs it, and waits,
     * under `lock`. NULL and empty for a runtime's. */
    struct edo_thread *thread;
    struct edo_list waiters;
    struct edo_list look_waits; /* threads that wait until it is not looked at; under `lock` */
    /* Constant. */
    struct edo_pool *pool; /* multi-thread: most of what is above is the current-thread runtime's */
    uint64_t id;
    struct edo_builder hooks; /* as built; names aside */
    bool observed;            /* each poll of a task is timed, or some hook wants it */
    char thread_name[EDO_THREAD_NAME];
    struct edo_slabs slabs;
    /* Multi-thread: guards `own`, and whether it may still be used. */
    struct edo_lock outside;
    bool ended;
    struct edo_own own; /* the owner's; multi-thread: of all threads that are no workers */
};

struct edo_driver; /* driver.h */

enum edo_phase {
    EDO_PHASE_RUNS,          /* what is ready is polled before anybody sleeps */
    EDO_PHASE_BETWEEN_TURNS, /* libuv, or its host, has the thread, and may be about to sleep */
    EDO_PHASE_CLOSING,       /* tasks spawned now are dropped at once */
};

struct edo_runtime {
    struct edo_handle *handle;
    struct edo_driver *driver;    /* NULL at the very end */
    struct edo_task *head, *tail; /* run queue, linked by next; the last points to QUEUE_END */
    struct edo_list tasks;        /* every task that is not complete */
    uint64_t live;                /* how many */
    uint32_t until_inject;        /* polls, until the inject list is looked at */
    uint32_t event_interval, global_queue_interval;
    enum edo_phase phase;
    bool keen;   /* the last work came from another thread */
    bool single; /* there is no other processor than the one that this runs on */
    uint64_t busy_since;
    bool failed; /* a task panicked, and the builder said that this ends the runtime */
    struct edo_context cx;
    char name[32];
};

/* Whether this thread runs the runtime, and may touch its half. */
static inline bool edo_handle_mine(const struct edo_handle *handle)
{
    return edo_load(&((struct edo_handle *)(uintptr_t)handle)->owner, relaxed) == &edo_thread;
}

/* What this thread keeps as one of the runtime's; NULL: it is none of them, and holds nothing. */
static inline struct edo_own *edo_handle_own(struct edo_handle *handle)
{
    if (handle->pool != NULL)
        return edo_worker_mine(handle->pool) ? &edo_thread.worker->own : NULL;
    return edo_handle_mine(handle) ? &handle->own : NULL;
}

/* What the threads keep together that are no workers: one at a time has it, and who does not get it at once does
 * without. NULL: another has it; or there is none, on a current-thread runtime, and after the end of another. */
static inline struct edo_own *edo_handle_borrow(struct edo_handle *handle)
{
    if (handle->pool == NULL || !edo_try_lock(&handle->outside))
        return NULL;
    if (!handle->ended)
        return &handle->own;
    edo_unlock(&handle->outside);
    return NULL;
}
static inline void edo_handle_return(struct edo_handle *handle, struct edo_own *own)
{
    if (edo_unlikely(own == &handle->own) && handle->pool != NULL)
        edo_unlock(&handle->outside);
}

/* One more reference to the handle, and one less: from what this thread keeps, or, `own` being NULL, not. */
enum { EDO_HANDLE_BATCH = 1024 };
static inline void edo_handle_give(struct edo_handle *handle, struct edo_own *own)
{
    if (own != NULL && edo_likely(own->spare > 0)) {
        own->spare--;
        return;
    }
    edo_fetch_add(&handle->refs, own != NULL ? EDO_HANDLE_BATCH : 1, relaxed);
    if (own != NULL)
        own->spare = EDO_HANDLE_BATCH - 1;
}
void edo_handle_unref(struct edo_handle *handle, int64_t n);
static inline void edo_handle_take_back(struct edo_handle *handle, struct edo_own *own)
{
    if (own != NULL)
        own->spare++;
    else
        edo_handle_unref(handle, 1);
}

/* The current-thread runtime that this thread runs and is current; NULL elsewhere. */
static inline struct edo_runtime *edo_runtime_mine(void)
{
    struct edo_handle *handle = edo_thread.current;
    if (handle == NULL || handle->pool != NULL || !edo_handle_mine(handle) ||
        handle->runtime->driver == NULL)
        return NULL;
    return handle->runtime;
}

/* handle.c */
struct edo_handle *edo_handle_new(const struct edo_builder *builder);
bool edo_handle_inject(struct edo_handle *handle, struct edo_task *task); /* false: closed */
struct edo_task *edo_handle_take(struct edo_handle *handle, bool close);  /* in order of arrival */
bool edo_handle_pending(struct edo_handle *handle);
void edo_handle_signal(struct edo_handle *handle); /* wakes the owner, or who runs the set */
/* Makes this thread the owner of a current-thread runtime, to run it or to look at it; acquires what the last one
 * left behind. Waits for who looks at it. False: it is run, or this thread looks at it. */
bool edo_handle_claim(struct edo_handle *handle, bool to_look);
void edo_handle_look_over(struct edo_handle *handle);
/* A thread of the runtime, named and sized as built. 0, or as edo_thread_start. Any thread. */
int edo_handle_start_thread(struct edo_handle *handle, struct edo_thread_id *id,
                            void *(*run)(void *), void *arg);
static inline void edo_handle_hook(const struct edo_handle *handle, void (*hook)(void *))
{
    if (hook != NULL)
        hook(handle->hooks.hook_arg);
}

/* scheduler.c: owner's thread. */
void edo_schedule(struct edo_runtime *runtime, struct edo_task *task);
void edo_adopt(struct edo_runtime *runtime, struct edo_task *task);
/* Runs ready tasks, event_interval polls at most or until `until` is complete. True: more are
 * ready. */
bool edo_run_batch(struct edo_runtime *runtime, struct edo_task *until);
bool edo_runnable(struct edo_runtime *runtime);
void edo_drop_all(struct edo_runtime *runtime);

/* task.c */
struct edo_task *edo_task_new(struct edo_handle *handle, const char *name, size_t frame_size);
void edo_task_cancel(struct edo_task *task);                  /* drops its future */
void edo_task_release(struct edo_task *task, uint32_t given); /* references and bits; any thread */
/* Multi-thread: traces a task that waits, as who polls it does, between edo_pool_enter and leave. False: it does not
 * wait. */
bool edo_task_look(struct edo_task *task, edo_trace_fn *trace, void *arg);
/* The ends of a task: its future is done; it is to be dropped here, after a panic with its report, or else
 * cancelled; what the report of a panic is. */
void edo_task_finish(struct edo_task *task);
void edo_task_drop_future(struct edo_task *task, bool panicked, char *report);
char *edo_task_panic_report(struct edo_task *task, struct edo_context *cx);
/* Prints the panic of edo_block_on's future, so that it is not taken for one that nobody waited for. */
void edo_task_tell_of_root(struct edo_task *task);

/* Before a future is run that somebody has given to be run: later nobody would know who. */
static inline void edo_demand_made(const struct edo_future *future)
{
    if (edo_unlikely(future->poll == NULL))
        edo_bug(__FILE__, __LINE__,
                "a future that was never made is spawned, or given to edo_block_on");
}

/* blocking.c */
extern const struct edo_waker_ops edo_blocking_waker;

/* Whether it was spawned by SPAWN_BLOCKING: it runs on a thread of the pool, whoever runs the runtime. */
static inline bool edo_task_is_blocking(const struct edo_task *task)
{
    return task->waker.ops == &edo_blocking_waker;
}

static inline struct edo_future *edo_task_future(struct edo_task *task)
{
    return (struct edo_future *)(task + 1);
}

#endif
