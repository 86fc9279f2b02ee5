/* SPDX-License-Identifier: MIT */
/* A task's end against those who still hold something of it: wakers, abort handles, the runtime's
 * own lists. */
#include "executor.h"

static _Atomic(int) done;
static int plain; /* written before a wake, read by the poll that it caused */

/* ---- A foreign waker of a task that ends by itself ---- */

static void wakes_and_drops(void *arg)
{
    edo_wake(arg);
    edo_waker_drop(arg);
}

static void drops(void *arg)
{
    edo_waker_drop(arg);
}

static void clones_and_drops(void *arg)
{
    struct edo_waker *waker = edo_waker_clone(arg);
    edo_waker_drop(arg);
    edo_wake(waker);
    edo_waker_drop(waker);
}

static void wakes_twice(void *arg)
{
    edo_wake(arg);
    edo_wake(arg);
    edo_waker_drop(arg);
}

static void begin_thread(struct edo_waker *waker, void *arg)
{
    model_thread((void (*)(void *))arg, edo_waker_clone(waker));
}

static void ends_at_once(void (*other)(void *))
{
    struct edo_runtime *runtime = runtime_new();
    struct until future =
        EDO_NEW(until, .done = &done, .begin = begin_thread, .arg = (void *)other);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
}

MODEL(task_ends_while_woken)
{
    ends_at_once(wakes_and_drops);
}

MODEL(task_ends_while_woken_twice)
{
    ends_at_once(wakes_twice);
}

MODEL(task_ends_while_dropped)
{
    ends_at_once(drops);
}

MODEL(task_ends_while_cloned)
{
    ends_at_once(clones_and_drops);
}

/* It wakes itself and ends: it is in the runtime's queue, perhaps also on the inject list, and
 * complete. Whoever takes it off the last of them frees it: the shutdown, when it is the root; the
 * scheduler, when the root goes on. */
static void begin_and_wake(struct edo_waker *waker, void *arg)
{
    begin_thread(waker, arg);
    edo_wake(waker);
}

MODEL(task_ends_queued)
{
    struct edo_runtime *runtime = runtime_new();
    struct until future =
        EDO_NEW(until, .done = &done, .begin = begin_and_wake, .arg = (void *)wakes_and_drops);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
}

static void spawn_ends_queued(struct edo_waker *waker, void *arg)
{
    (void)waker;
    edo_task_detach(SPAWN(EDO_NEW(until, .done = &done, .begin = begin_and_wake, .arg = arg)));
}

static void ends_queued_before_the_root(struct edo_runtime *runtime)
{
    struct until future = EDO_NEW(until, .done = &done, .turns = 3, .begin = spawn_ends_queued,
                                  .arg = (void *)wakes_and_drops);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
}

MODEL(task_ends_queued_and_polled)
{
    ends_queued_before_the_root(runtime_new());
}

/* Looking at the inject list before each poll: it may come off there first. */
MODEL(task_ends_queued_and_taken)
{
    struct edo_runtime *runtime;
    model_assert(edo_runtime_new(&runtime, .global_queue_interval = 1) == 0);
    ends_queued_before_the_root(runtime);
}

/* Nobody joins it: when no waker is left, either, it is nobody else's, and its end tells nobody. */
static void spawn_detached(struct edo_waker *waker, void *arg)
{
    (void)waker;
    model_assert(SPAWN_DETACHED(EDO_NEW(until, .done = &done, .begin = begin_thread, .arg = arg)) ==
                 0);
}

static void detached_ends(void (*other)(void *))
{
    struct edo_runtime *runtime = runtime_new();
    struct until future =
        EDO_NEW(until, .done = &done, .turns = 2, .begin = spawn_detached, .arg = (void *)other);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
}

MODEL(task_detached_ends_while_woken)
{
    detached_ends(wakes_and_drops);
}

MODEL(task_detached_ends_while_dropped)
{
    detached_ends(drops);
}

/* ---- The wake carries what was written before it, plainly ---- */

static void writes_and_wakes(void *arg)
{
    plain = 1;
    edo_wake(arg);
    edo_waker_drop(arg);
}

struct second_poll {
    EDO_FUTURE(int);
};

/* Nobody else wakes it: its second poll is because of that wake. */
static enum edo_poll second_poll_poll(struct edo_future *future, struct edo_context *cx)
{
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "second_poll");
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        model_thread(writes_and_wakes, edo_waker_clone(cx->waker));
        return EDO_PENDING;
    }
    model_assert(plain == 1);
    ((struct second_poll *)future)->output = 0;
    return EDO_READY;
}

MODEL(wake_carries_writes)
{
    struct edo_runtime *runtime = runtime_new();
    struct second_poll future = EDO_NEW(second_poll);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
}

/* ---- Abort ---- */

static _Atomic(int) dropped;

struct never {
    EDO_FUTURE(int);
    int *owned; /* the task's thread only */
};

static enum edo_poll never_poll(struct edo_future *future, struct edo_context *cx)
{
    if (cx->walk == EDO_WALK_DROP) {
        ++*((struct never *)future)->owned;
        edo_fetch_add(&dropped, 1, relaxed);
    }
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "never");
    ++*((struct never *)future)->owned;
    return EDO_PENDING;
}

static void aborts(void *arg)
{
    edo_abort_handle_abort(arg);
    edo_abort_handle_drop(arg);
}

struct joins {
    EDO_FUTURE(int);
    JOIN_HANDLE(int) task;
    struct edo_join join;
    void (*other)(void *);
    int value, owned;
};

/* Spawns `never`, and has another thread abort it. */
static enum edo_poll joins_poll(struct edo_future *future, struct edo_context *cx)
{
    struct joins *self = (struct joins *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "joins");
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        self->task = SPAWN(EDO_NEW(never, .owned = &self->owned));
        model_thread(self->other, edo_abort_handle(self->task));
        self->join = edo_join(self->task, &self->value);
    }
    if (edo_future_poll(&self->join.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    self->output = self->join.output;
    return EDO_READY;
}

MODEL(task_aborted)
{
    struct edo_runtime *runtime = runtime_new();
    struct joins future = EDO_NEW(joins, .other = aborts);
    model_assert(edo_block_on(runtime, &future) == 0);
    model_assert(future.output == UV_ECANCELED && edo_load(&dropped, relaxed) == 1);
    edo_runtime_drop(runtime);
}

/* The root: drops the join with the task. An abort against the shutdown. */
struct detaches {
    EDO_FUTURE(int);
    void (*other)(void *);
    int owned;
};

static enum edo_poll detaches_poll(struct edo_future *future, struct edo_context *cx)
{
    struct detaches *self = (struct detaches *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "detaches");
    JOIN_HANDLE(int) task = SPAWN(EDO_NEW(never, .owned = &self->owned));
    model_thread(self->other, edo_abort_handle(task));
    edo_task_detach(task);
    self->output = 0;
    return EDO_READY;
}

MODEL(task_aborted_at_shutdown)
{
    struct edo_runtime *runtime = runtime_new();
    struct detaches future = EDO_NEW(detaches, .other = aborts);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
    model_join_all();
    model_assert(edo_load(&dropped, relaxed) == 1);
}

static void looks(void *arg)
{
    bool finished = edo_abort_handle_is_finished(arg);
    if (finished)
        model_assert(edo_load(&dropped, relaxed) == 1);
    edo_abort_handle_drop(arg);
}

MODEL(task_is_finished)
{
    struct edo_runtime *runtime = runtime_new();
    struct detaches future = EDO_NEW(detaches, .other = looks);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
}

/* ---- Wakes on the runtime's own thread ---- */

static struct edo_waker *kept;

/* Keeps its waker, and ends. */
struct keeps {
    EDO_FUTURE(int);
};

static enum edo_poll keeps_poll(struct edo_future *future, struct edo_context *cx)
{
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "keeps");
    kept = edo_waker_clone(cx->waker);
    ((struct keeps *)future)->output = 0;
    return EDO_READY;
}

struct wakes_complete {
    EDO_FUTURE(int);
    int polls;
};

static enum edo_poll wakes_complete_poll(struct edo_future *future, struct edo_context *cx)
{
    struct wakes_complete *self = (struct wakes_complete *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "wakes_complete");
    int polls = self->polls++;
    if (polls == 0)
        edo_task_detach(SPAWN(EDO_NEW(keeps)));
    else if (polls == 1)
        edo_wake(kept);
    if (polls < 3) {
        edo_wake(cx->waker);
        return EDO_PENDING;
    }
    edo_waker_drop(kept);
    self->output = 0;
    return EDO_READY;
}

MODEL(task_woken_when_complete)
{
    struct edo_runtime *runtime = runtime_new();
    struct wakes_complete future = EDO_NEW(wakes_complete);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
}

/* At the shutdown one task's drop wakes another, which a foreign thread wakes as well. */
struct wakes_in_drop {
    EDO_FUTURE(int);
};

static enum edo_poll wakes_in_drop_poll(struct edo_future *future, struct edo_context *cx)
{
    (void)future;
    if (cx->walk == EDO_WALK_DROP && kept != NULL)
        wakes_and_drops(kept);
    return cx->walk != EDO_WALK_POLL ? edo_walk_leaf(cx, "wakes_in_drop") : EDO_PENDING;
}

struct woken_in_drop {
    EDO_FUTURE(int);
};

static enum edo_poll woken_in_drop_poll(struct edo_future *future, struct edo_context *cx)
{
    (void)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "woken_in_drop");
    kept = edo_waker_clone(cx->waker);
    model_thread(wakes_and_drops, edo_waker_clone(cx->waker));
    return EDO_PENDING;
}

static void spawn_both(struct edo_waker *waker, void *arg)
{
    (void)waker;
    (void)arg;
    edo_task_detach(SPAWN(EDO_NEW(wakes_in_drop)));
    edo_task_detach(SPAWN(EDO_NEW(woken_in_drop)));
}

MODEL(task_woken_by_a_drop)
{
    struct edo_runtime *runtime = runtime_new();
    struct until future = EDO_NEW(until, .done = &done, .turns = 1, .begin = spawn_both);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
}
