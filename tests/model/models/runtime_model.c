/* SPDX-License-Identifier: MIT */
/* A runtime that threads take turns in, its handle that outlives it, and one on a host's loop. */
#include "wakes.h"

/* ---- Turns ---- */

static int turns; /* whoever runs the runtime; nothing else orders it */

struct takes_turn {
    EDO_FUTURE(int);
};

static enum edo_poll takes_turn_poll(struct edo_future *future, struct edo_context *cx)
{
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "takes_turn");
    ((struct takes_turn *)future)->output = ++turns;
    return EDO_READY;
}

static void tries(void *arg)
{
    struct takes_turn future = EDO_NEW(takes_turn);
    int error = edo_block_on((struct edo_runtime *)arg, &future);
    model_assert(error == 0 || error == UV_EBUSY);
    if (error == 0)
        edo_fetch_add(&done, 1, relaxed);
}

/* One at a time: the second is told so, or sees all that the first did. */
MODEL(runtime_taken_by_two, .outcomes = "1 2")
{
    struct edo_runtime *runtime = runtime_new();
    model_thread(tries, runtime);
    model_thread(tries, runtime);
    model_join_all();
    int count = edo_load(&done, relaxed);
    model_assert(turns == count);
    model_outcome(count);
    edo_runtime_drop(runtime);
}

/* Run by one thread, dropped by another, who knows that the first is through. */
MODEL(runtime_dropped_by_another)
{
    struct edo_runtime *runtime = runtime_new();
    model_join(model_thread(tries, runtime));
    edo_runtime_drop(runtime);
}

/* ---- Handles ---- */

static void clones_and_drops(void *arg)
{
    struct edo_handle *handle = edo_handle_clone(arg);
    edo_handle_drop(arg);
    struct edo_guard guard = edo_enter(handle);
    model_assert(edo_handle_current() == handle);
    edo_leave(guard);
    model_assert(edo_handle_current() == NULL);
    edo_handle_drop(handle);
}

MODEL(handle_outlives)
{
    struct edo_runtime *runtime = runtime_new();
    model_thread(clones_and_drops, edo_handle_clone(edo_runtime_handle(runtime)));
    model_thread(clones_and_drops, edo_handle_clone(edo_runtime_handle(runtime)));
    edo_runtime_drop(runtime);
}

/* The last to go frees what a task of the runtime's left: its reference came from the batch. */
static void drops_waker(void *arg)
{
    edo_waker_drop(arg);
}

static void begin_drops(struct edo_waker *waker, void *arg)
{
    (void)arg;
    model_thread(drops_waker, edo_waker_clone(waker));
    model_thread(drops_waker, edo_waker_clone(waker));
}

MODEL(handle_freed_by_waker)
{
    struct edo_runtime *runtime = runtime_new();
    struct until future = EDO_NEW(until, .done = &done, .begin = begin_drops);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_shutdown_background(runtime);
}

/* ---- On a host's loop ---- */

static uv_loop_t *attach(struct edo_runtime **runtime)
{
    uv_loop_t *loop = model_new(sizeof *loop);
    model_assert(uv_loop_init(loop) == 0);
    model_assert(edo_runtime_attach(loop, runtime) == 0);
    return loop;
}

static void detach(uv_loop_t *loop, struct edo_runtime *runtime)
{
    edo_runtime_drop(runtime);
    uv_run(loop, UV_RUN_DEFAULT);
    model_assert(uv_loop_close(loop) == 0);
}

MODEL(attached_woken)
{
    struct edo_runtime *runtime;
    uv_loop_t *loop = attach(&runtime);
    edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime),
                             EDO_NEW(until, .done = &done, .bits = 1, .begin = begin_wakes)));
    uv_run(loop, UV_RUN_DEFAULT);
    model_assert(edo_load(&done, relaxed) == 1);
    detach(loop, runtime);
}

/* Dropped while it is being woken. */
MODEL(attached_dropped)
{
    struct edo_runtime *runtime;
    uv_loop_t *loop = attach(&runtime);
    edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime),
                             EDO_NEW(until, .done = &done, .bits = 2, .begin = begin_wakes)));
    uv_run(loop, UV_RUN_NOWAIT);
    detach(loop, runtime);
}

/* Spawned from elsewhere, while the host runs the loop for a task that waits for it. */
static struct edo_waker *root;

static void keep_waker(struct edo_waker *waker, void *arg)
{
    (void)arg;
    root = waker;
}

struct sets {
    EDO_FUTURE(int);
};

static enum edo_poll sets_poll(struct edo_future *future, struct edo_context *cx)
{
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "sets");
    edo_fetch_or(&done, 1, relaxed);
    if (root != NULL)
        edo_wake(root);
    ((struct sets *)future)->output = 0;
    return EDO_READY;
}

static void spawns(void *arg)
{
    edo_task_detach(SPAWN_ON((struct edo_handle *)arg, EDO_NEW(sets)));
    edo_handle_drop(arg);
}

MODEL(attached_spawned_on)
{
    struct edo_runtime *runtime;
    uv_loop_t *loop = attach(&runtime);
    struct edo_handle *handle = edo_runtime_handle(runtime);
    edo_task_detach(
        SPAWN_ON(handle, EDO_NEW(until, .done = &done, .bits = 1, .begin = keep_waker)));
    model_thread(spawns, edo_handle_clone(handle));
    uv_run(loop, UV_RUN_DEFAULT);
    model_assert(edo_load(&done, relaxed) == 1);
    detach(loop, runtime);
}
