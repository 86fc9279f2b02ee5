/* SPDX-License-Identifier: MIT */
/* A runtime's life: built, run by edo_block_on or by a host's loop, dropped. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../internal/park.h"
#include "blocking_pool.h"
#include "driver.h"
#include "embed.h"
#include "pool.h"
#include "runtime_internal.h"
#include "strerror.h"
#include "time.h"

/* As many as CPUs that this process may use. The kernel refuses a set that has no room for all that the machine may
 * get; none is built for more than 8,192. */
static uint32_t processors(void)
{
    cpu_set_t set[8192 / CPU_SETSIZE];
    long n = sched_getaffinity(0, sizeof set, set) == 0 ? CPU_COUNT_S(sizeof set, set)
                                                        : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > EDO_WORKERS_MAX ? EDO_WORKERS_MAX : (uint32_t)n;
}

static int build_current(const struct edo_builder *builder, uv_loop_t *host,
                         struct edo_runtime *runtime)
{
    int error = edo_driver_new(runtime, host, &runtime->driver);
    if (error < 0)
        return error;
    runtime->handle->runtime = runtime;
    runtime->handle->selector = &runtime->driver->selector;
    runtime->single = processors() == 1;
    edo_list_init(&runtime->tasks);
    runtime->event_interval = builder->event_interval ? builder->event_interval : 61;
    runtime->global_queue_interval =
        builder->global_queue_interval ? builder->global_queue_interval : 31;
    edo_context_init(&runtime->cx, NULL);
    runtime->cx.random = builder->rng_seed;
    if (builder->rng_seed == 0)
        edo_random(&runtime->cx.random, sizeof runtime->cx.random);
    runtime->cx.random |= 1;
    if (builder->start_paused)
        edo_driver_pause(runtime->driver);
    return 0;
}

static bool possible(const struct edo_builder *builder, bool attached)
{
    bool multi = builder->flavor == EDO_MULTI_THREAD;
    if (builder->flavor != EDO_CURRENT_THREAD && !multi)
        return false;
    if (builder->start_paused && (attached || multi))
        return false;
    if (multi && (attached || builder->unhandled_panic != EDO_PANIC_IGNORE))
        return false;
    return builder->worker_threads <= EDO_WORKERS_MAX &&
           builder->poll_time.buckets <= EDO_HISTOGRAM_BUCKETS;
}

static int build(const struct edo_builder *builder, uv_loop_t *host, struct edo_runtime **out)
{
    *out = NULL;
    if (!possible(builder, host != NULL))
        return UV_EINVAL;
    struct edo_runtime *runtime = edo_calloc(1, sizeof *runtime);
    if (runtime == NULL)
        return UV_ENOMEM;
    int error = UV_ENOMEM;
    runtime->handle = edo_handle_new(builder);
    if (runtime->handle == NULL)
        goto no_handle;
    runtime->handle->blocking = edo_blocking_pool_new(builder, runtime->handle, processors());
    if (runtime->handle->blocking == NULL)
        goto no_runtime;
    snprintf(runtime->name, sizeof runtime->name, "%s", builder->name ? builder->name : "edo");
    if (builder->flavor == EDO_MULTI_THREAD)
        error = edo_pool_new(runtime->handle, builder->worker_threads, processors());
    else
        error = build_current(builder, host, runtime);
    if (error < 0)
        goto no_runtime;
    *out = runtime;
    return 0;

no_runtime:
    edo_handle_unref(runtime->handle, 1);
no_handle:
    edo_free(runtime);
    return error;
}

int edo_builder_build(const struct edo_builder *builder, struct edo_runtime **runtime)
{
    return build(builder, NULL, runtime);
}

int edo_builder_attach(const struct edo_builder *builder, uv_loop_t *loop, struct edo_runtime **out)
{
    int error = build(builder, loop, out);
    if (error < 0)
        return error;
    /* The thread of the loop, for as long as it is attached. */
    edo_store(&(*out)->handle->owner, &edo_thread, relaxed);
    /* The host's next sleep may come before the first turn. */
    (*out)->phase = EDO_PHASE_BETWEEN_TURNS;
    edo_store(&(*out)->handle->parked, true, relaxed);
    edo_handle_hook((*out)->handle, builder->on_thread_start);
    return 0;
}

/* What runs here often sends work to another thread and waits for it, as blocking work is. When the last work came
 * from such a one, the next is looked out for before going to sleep, as a worker does. `parked` is not set meanwhile:
 * nobody signals. True: there is some. */
static bool linger(struct edo_runtime *runtime)
{
    if (!runtime->keen)
        return false;
    runtime->keen = false;
    for (uint32_t round = 0; edo_linger(round, runtime->single); round++)
        if (edo_handle_pending(runtime->handle))
            return true;
    return false;
}

/* Nothing is ready: sleeps until something is. Foreign wakes: first `parked`, then the look at the
 * inject list; a waker pushes first, then looks at `parked` (handle.c). */
static void park(struct edo_runtime *runtime)
{
    struct edo_handle *handle = runtime->handle;
    if (runtime->driver->paused) {
        edo_driver_turn(runtime->driver, false);
        if (edo_runnable(runtime) || edo_driver_skip(runtime->driver))
            return;
    }
    bool pending = linger(runtime);
    if (!pending) {
        edo_store(&handle->parked, true, seq_cst);
        pending = edo_handle_pending(handle);
    }
    if (pending) {
        edo_store(&handle->parked, false, relaxed);
        /* It may always be so: timers and sockets have their turn. */
        edo_driver_turn(runtime->driver, false);
        return;
    }
    edo_handle_hook(handle, handle->hooks.on_thread_park);
    edo_count_up(&handle->own.counts.parks, 1);
    edo_count_up(&handle->own.counts.busy_ns, edo_clock_ns() - runtime->busy_since);
    edo_driver_turn(runtime->driver, runtime->head == NULL); /* the hook may have made it so */
    runtime->busy_since = edo_clock_ns();
    edo_handle_hook(handle, handle->hooks.on_thread_unpark);
    edo_store(&handle->parked, false, relaxed);
}

/* edo_block_on's future as a task: it has a waker that may outlive the call, and takes its turn. */
struct root {
    EDO_FUTURE(int);
    struct edo_future *inner;
};

static enum edo_poll root_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_future *inner = ((struct root *)future)->inner;
    if (cx->walk == EDO_WALK_DROP) {
        edo_future_drop(inner, cx);
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_TRACE) {
        edo_future_trace(inner, cx);
        return EDO_PENDING;
    }
    return edo_future_poll(inner, cx);
}

/* The future never ran: it is dropped all the same. */
static int refuse(struct edo_future *future, int error)
{
    edo_task_start_((struct edo_task *)(intptr_t)error, future);
    return error;
}

/* Runs until the task is complete, and tells how it ended. */
static int run(struct edo_runtime *runtime, struct edo_task *task, struct edo_future *future)
{
    *(struct root *)edo_task_future(task) = EDO_NEW(root, .inner = future);
    edo_task_start_(task, edo_task_future(task));
    runtime->busy_since = edo_clock_ns();
    for (;;) {
        bool more = edo_run_batch(runtime, task);
        if (edo_unlikely(runtime->failed))
            edo_drop_all(runtime);
        if (edo_task_state_peek(&task->state) & EDO_TASK_COMPLETE)
            break;
        if (more)
            edo_driver_turn(runtime->driver, false);
        else
            park(runtime);
    }
    edo_count_up(&runtime->handle->own.counts.busy_ns, edo_clock_ns() - runtime->busy_since);
    uint32_t kind = ((struct edo_outcome *)edo_task_future(task))->kind;
    if (edo_unlikely(kind == EDO_OUTCOME_PANICKED))
        edo_task_tell_of_root(task);
    edo_task_detach_(task);
    if (kind == EDO_STATE_DONE)
        return 0;
    return kind == EDO_OUTCOME_PANICKED || runtime->failed ? EDO_EPANIC : UV_ECANCELED;
}

/* The root of a multi-thread runtime gives way to tasks, which are run on other threads. In a loop that asks whether
 * these are through, it never sleeps, and would keep a processor from them, or from who makes their work: now and then
 * it offers the processor. */
static void give_way(void *turns)
{
    enum { TURNS = 32 };
    if (++*(uint32_t *)turns % TURNS == 0)
        edo_thread_yield();
}

int edo_handle_block_on_(struct edo_handle *handle, struct edo_future *future)
{
    edo_demand_made(future);
    if (edo_thread.running != NULL)
        return refuse(future, EDO_ENESTED);
    /* It is attached to a loop of this thread's: nobody would turn that. Or looked at. */
    if (handle->pool == NULL && edo_handle_mine(handle))
        return refuse(future, UV_EBUSY);
    struct edo_thread outer = edo_thread;
    /* The future may end the runtime in the background. */
    edo_thread.current = edo_handle_clone(handle);
    edo_thread.running = handle;
    uint32_t turns = 0;
    int error = edo_park_poll(future, handle->pool != NULL ? give_way : NULL, &turns);
    edo_thread = outer;
    edo_handle_drop(handle);
    return error;
}

int edo_block_on_(struct edo_runtime *runtime, struct edo_future *future)
{
    struct edo_handle *handle = runtime->handle;
    if (handle->pool != NULL)
        return edo_handle_block_on_(handle, future);
    edo_demand_made(future);
    if (edo_thread.running != NULL)
        return refuse(future, EDO_ENESTED);
    if (!edo_handle_claim(handle, false))
        return refuse(future, UV_EBUSY);
    struct edo_thread outer = edo_thread;
    edo_thread = (struct edo_thread){
        .current = handle, .local = outer.local, .running = handle, .blocks = &handle->own.blocks};
    edo_handle_hook(handle, handle->hooks.on_thread_start);
    struct edo_task *task = edo_task_new(handle, NULL, sizeof(struct root));
    int error = task != NULL ? run(runtime, task, future) : refuse(future, UV_ENOMEM);
    edo_handle_hook(handle, handle->hooks.on_thread_stop);
    edo_thread = outer;
    edo_store(&handle->owner, NULL, release);
    return error;
}

/* Shutdown, in this order:
 *  1. This thread becomes the owner, so that what tasks wake and spawn in their FINALLY is seen.
 *  2. No more blocking work begins, although a FINALLY lets go on what kept it from that. No foreign wake or
 *     spawn gets in any more; every task is dropped (edo_drop_all).
 *  3. Blocking work that has not begun is dropped, and that which has is waited for. Whom it waits for
 *     has been dropped before: a task it joins, the sender of what it receives.
 *  4. The selector is taken from the signallers, under their lock, before it is closed.
 *  5. The driver orphans what outlives it (sockets still open, timers of foreign executors), and
 *     closes its handles. What that woke belongs to nobody; what it spawned is dropped.
 *  6. The handle forgets the runtime: a late waker finds its task complete, a late spawn finds the
 *     inject list closed. Only then the memory goes. */
static void end_current(struct edo_runtime *runtime, uint64_t deadline)
{
    struct edo_handle *handle = runtime->handle;
    struct edo_thread outer = edo_thread;
    /* The caller has ordered all uses of the runtime before this, its last; a look at it, by a handle, he has not. */
    bool mine = edo_handle_mine(handle) ? runtime->driver->attached && !handle->looked_at
                                        : edo_handle_claim(handle, false);
    edo_assert(mine);
    edo_thread =
        (struct edo_thread){.current = handle, .running = handle, .blocks = &handle->own.blocks};
    edo_blocking_pool_close(handle->blocking);
    edo_drop_all(runtime);
    edo_blocking_pool_wait(handle->blocking, deadline);
    edo_lock(&handle->lock);
    handle->selector = NULL;
    edo_unlock(&handle->lock);
    bool attached = runtime->driver->attached, asleep = runtime->driver->asleep;
    edo_driver_close(runtime->driver, deadline);
    runtime->driver = NULL;
    edo_drop_all(runtime);
    if (asleep)
        edo_handle_hook(handle, handle->hooks.on_thread_unpark);
    if (attached)
        edo_handle_hook(handle, handle->hooks.on_thread_stop);
    edo_thread = outer;
    handle->runtime = NULL;
    /* Nobody runs it any more; but who looks finds it gone. */
    edo_store(&handle->owner, NULL, release);
    int64_t spare = handle->own.spare;
    edo_free(runtime);
    edo_handle_unref(handle, spare + 1);
}

/* Who ends the runtime from within, and waits, waits for itself. Not waiting (`until` is 0), a worker may, and a thread
 * with blocking work, and one in edo_block_on: each holds the handle, which has all that it needs afterwards, and a
 * worker stops when this poll is over. Who runs the tasks of a current-thread runtime needs the runtime itself. */
static void check_caller(const struct edo_handle *handle, uint64_t until)
{
    const struct edo_task *task = edo_thread.task;
    bool runs = edo_thread.running == handle;
    bool inside = runs || (task != NULL && task->home == handle);
    if (inside && until != 0)
        edo_bug(__FILE__, __LINE__, "a runtime is dropped inside one of its tasks");
    if (inside && handle->pool == NULL && (runs || !edo_task_is_blocking(task)))
        edo_bug(__FILE__, __LINE__, "a current-thread runtime is ended inside one of its tasks");
}

/* `until` is an instant of edo_clock_ns. */
static void end(struct edo_runtime *runtime, uint64_t until)
{
    if (runtime == NULL)
        return;
    struct edo_handle *handle = runtime->handle;
    check_caller(handle, until);
    if (handle->pool == NULL) {
        end_current(runtime, until);
        return;
    }
    edo_pool_close(handle->pool, until);
    edo_free(runtime);
    edo_handle_unref(handle, 1);
}

void edo_runtime_drop(struct edo_runtime *runtime)
{
    end(runtime, UINT64_MAX);
}

void edo_runtime_shutdown_timeout(struct edo_runtime *runtime, uint64_t ms)
{
    end(runtime, edo_instant_add(edo_clock_ns(), ms));
}

void edo_runtime_shutdown_background(struct edo_runtime *runtime)
{
    end(runtime, 0);
}

const char *edo_runtime_name(const struct edo_runtime *runtime)
{
    return runtime->name;
}

uv_loop_t *edo_runtime_loop(struct edo_runtime *runtime)
{
    if (runtime->driver == NULL)
        return NULL;
    runtime->driver->lent = true;
    return runtime->driver->loop;
}

struct edo_handle *edo_runtime_handle(struct edo_runtime *runtime)
{
    return runtime->handle;
}

int edo_main_status_(int output)
{
    if (output >= 0)
        return output & 0xff;
    fprintf(stderr, "edo: %s\n", edo_strerror(output));
    return EXIT_FAILURE;
}
