/* SPDX-License-Identifier: MIT */
/* The pool for blocking work: threads come, are given work, go; who waits for them; whom they wake. Most of it
 * without a runtime: a handle, and the pool that it has. */
#include "executor.h"
#include "runtime/blocking.h"
#include "runtime/blocking_pool.h"

static struct edo_handle *handle_with(uint32_t threads, uint32_t keep_alive)
{
    const struct edo_builder builder = {.max_blocking_threads = threads,
                                        .thread_keep_alive = keep_alive};
    struct edo_handle *handle = edo_handle_new(&builder);
    handle->blocking = edo_blocking_pool_new(&builder, handle, 2);
    return handle;
}

static struct edo_handle *handle_new(uint32_t threads)
{
    return handle_with(threads, 0);
}

/* Idle threads do not leave: who is not woken sleeps for ever. */
static struct edo_handle *handle_kept(uint32_t threads)
{
    return handle_with(threads, UINT32_MAX);
}

/* As edo_runtime_drop. */
static void end(struct edo_handle *handle)
{
    edo_blocking_pool_close(handle->blocking);
    model_assert(edo_blocking_pool_wait(handle->blocking, UINT64_MAX));
    struct edo_blocking_counts counts = edo_blocking_pool_counts(handle->blocking);
    model_assert(counts.threads == 0 && counts.idle == 0 && counts.queued == 0);
    edo_handle_drop(handle);
}

/* Done, dropped: each job is one of the two, once. */
static _Atomic(int) runs, drops;

struct job {
    EDO_FUTURE(int);
    int *data; /* nothing but the task orders it */
};

static enum edo_poll job_poll(struct edo_future *future, struct edo_context *cx)
{
    struct job *self = (struct job *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_fetch_add(&drops, 1, relaxed);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "job");
    edo_fetch_add(&runs, 1, relaxed);
    self->output = self->data != NULL ? (*self->data)++ : 0;
    return EDO_READY;
}

static void accounted(int jobs)
{
    model_assert(edo_load(&runs, relaxed) + edo_load(&drops, relaxed) == jobs);
}

/* Its output; a negative error. */
static int join(struct edo_handle *handle, JOIN_HANDLE(int) task)
{
    (void)handle;
    int output = 0;
    struct edo_join join = edo_join(task, &output);
    executor_run(executor_new(), &join.future_);
    return join.output < 0 ? join.output : output;
}

static int data;

/* What was written before is seen by the job, and what it writes by who joins it. */
MODEL(blocking_joined)
{
    struct edo_handle *handle = handle_new(1);
    data = 3;
    model_assert(join(handle, SPAWN_BLOCKING_ON(handle, EDO_NEW(job, .data = &data))) == 3);
    model_assert(data == 4);
    end(handle);
}

/* The second finds the thread at work, idle, about to leave, or gone. */
MODEL(blocking_one_after_the_other, .bound = 3)
{
    struct edo_handle *handle = handle_new(1);
    model_assert(join(handle, SPAWN_BLOCKING_ON(handle, EDO_NEW(job, .data = &data))) == 0);
    model_assert(join(handle, SPAWN_BLOCKING_ON(handle, EDO_NEW(job, .data = &data))) == 1);
    end(handle);
}

/* The same, and the thread looks out for the second, which is given it without a wake; or has just ceased to. */
MODEL(blocking_looked_out_for, .bound = 3)
{
    model_linger(1);
    struct edo_handle *handle = handle_kept(1);
    model_assert(join(handle, SPAWN_BLOCKING_ON(handle, EDO_NEW(job, .data = &data))) == 0);
    model_assert(join(handle, SPAWN_BLOCKING_ON(handle, EDO_NEW(job, .data = &data))) == 1);
    end(handle);
}

/* Closed while it looks out, with something given and not taken, or nothing. */
MODEL(blocking_closed_while_it_looks_out, .bound = 3)
{
    model_linger(1);
    struct edo_handle *handle = handle_kept(1);
    model_assert(join(handle, SPAWN_BLOCKING_ON(handle, EDO_NEW(job))) == 0);
    edo_task_detach(SPAWN_BLOCKING_ON(handle, EDO_NEW(job)));
    end(handle);
    accounted(2);
}

/* One looks out and is given the one, the other sleeps and is woken for the other, or comes. */
MODEL(blocking_two_looked_out_for, .bound = 1)
{
    model_linger(1);
    struct edo_handle *handle = handle_kept(2);
    edo_task_detach(SPAWN_BLOCKING_ON(handle, EDO_NEW(job)));
    model_assert(join(handle, SPAWN_BLOCKING_ON(handle, EDO_NEW(job))) == 0);
    JOIN_HANDLE(int) task = SPAWN_BLOCKING_ON(handle, EDO_NEW(job));
    model_assert(join(handle, SPAWN_BLOCKING_ON(handle, EDO_NEW(job))) == 0);
    model_assert(join(handle, task) == 0);
    end(handle);
    accounted(4);
}

/* One thread, first in, first out: it alone orders the jobs. */
MODEL(blocking_queued, .bound = 3)
{
    struct edo_handle *handle = handle_new(1);
    edo_task_detach(SPAWN_BLOCKING_ON(handle, EDO_NEW(job, .data = &data)));
    edo_task_detach(SPAWN_BLOCKING_ON(handle, EDO_NEW(job, .data = &data)));
    model_assert(join(handle, SPAWN_BLOCKING_ON(handle, EDO_NEW(job, .data = &data))) == 2);
    end(handle);
}

/* Two threads spawn, at most two run. */
static void spawns(void *arg)
{
    struct edo_handle *handle = arg;
    edo_task_detach(SPAWN_BLOCKING_ON(handle, EDO_NEW(job)));
    edo_handle_drop(handle);
}

MODEL(blocking_spawned_by_two, .bound = 2)
{
    struct edo_handle *handle = handle_new(2);
    model_thread(spawns, edo_handle_clone(handle));
    model_assert(join(handle, SPAWN_BLOCKING_ON(handle, EDO_NEW(job))) == 0);
    model_join_all();
    end(handle);
    accounted(2);
}

/* Closed meanwhile: what is not run is dropped, and the spawner's handle says so. */
MODEL(blocking_spawned_and_closed, .bound = 2)
{
    struct edo_handle *handle = handle_new(1);
    model_thread(spawns, edo_handle_clone(handle));
    edo_task_detach(SPAWN_BLOCKING_ON(handle, EDO_NEW(job)));
    end(handle);
    model_join_all();
    accounted(2);
}

/* Nobody waits for it: the last to go frees all. */
MODEL(blocking_abandoned, .bound = 3)
{
    struct edo_handle *handle = handle_new(1);
    edo_task_detach(SPAWN_BLOCKING_ON(handle, EDO_NEW(job)));
    edo_blocking_pool_close(handle->blocking);
    edo_blocking_pool_wait(handle->blocking, 0);
    edo_handle_drop(handle);
}

/* Nobody waits for the one that is left, and the other leaves before or after. */
MODEL(blocking_two_abandoned, .bound = 2)
{
    struct edo_handle *handle = handle_new(2);
    edo_task_detach(SPAWN_BLOCKING_ON(handle, EDO_NEW(job)));
    edo_task_detach(SPAWN_BLOCKING_ON(handle, EDO_NEW(job)));
    edo_blocking_pool_close(handle->blocking);
    edo_blocking_pool_wait(handle->blocking, 0);
    edo_handle_drop(handle);
}

/* ---- Aborted ---- */

static void aborts(void *arg)
{
    edo_abort_handle_abort(arg);
    edo_abort_handle_drop(arg);
}

MODEL(blocking_aborted, .bound = 3)
{
    struct edo_handle *handle = handle_new(1);
    JOIN_HANDLE(int) task = SPAWN_BLOCKING_ON(handle, EDO_NEW(job, .data = &data));
    model_thread(aborts, edo_abort_handle(task));
    int output = join(handle, task);
    model_assert(output == 0 || output == UV_ECANCELED);
    model_assert(edo_load(&runs, relaxed) == (output == 0));
    end(handle);
    accounted(1);
}

/* ---- No thread to be had ---- */

static _Atomic(int) cancelled, refused;

static void spawns_and_looks(void *arg)
{
    struct edo_handle *handle = arg;
    JOIN_HANDLE(int) task = SPAWN_BLOCKING_ON(handle, EDO_NEW(job));
    if (edo_task_error(task) == UV_EAGAIN) {
        edo_fetch_add(&refused, 1, relaxed);
    } else {
        int output = join(handle, task);
        model_assert(output == 0 || output == UV_ECANCELED);
        if (output == UV_ECANCELED)
            edo_fetch_add(&cancelled, 1, relaxed);
    }
    edo_handle_drop(handle);
}

static void none_to_be_had(uint32_t threads)
{
    struct edo_handle *handle = handle_new(threads);
    model_fail_threads();
    model_thread(spawns_and_looks, edo_handle_clone(handle));
    spawns_and_looks(edo_handle_clone(handle));
    model_join_all();
    end(handle);
    accounted(2);
    model_outcome(edo_load(&runs, relaxed), edo_load(&refused, relaxed),
                  edo_load(&cancelled, relaxed));
}

/* With one allowed, the other has counted on it. */
MODEL(blocking_no_thread, .bound = 2, .outcomes = "200 110 020 011")
{
    none_to_be_had(1);
}

MODEL(blocking_no_threads, .bound = 1, .outcomes = "200 110 020 011")
{
    none_to_be_had(2);
}

/* ---- Woken while it waits ---- */

static _Atomic(int) done;

static void sets_and_wakes(void *arg)
{
    data = 1;
    edo_fetch_or(&done, 1, relaxed);
    edo_wake(arg);
    edo_waker_drop(arg);
}

static void begin_wakes(struct edo_waker *waker, void *arg)
{
    (void)arg;
    model_thread(sets_and_wakes, edo_waker_clone(waker));
}

static void begin_wakes_twice(struct edo_waker *waker, void *arg)
{
    begin_wakes(waker, arg);
    edo_wake(waker);
    edo_wake(waker);
}

/* Nothing but the wake orders the two. */
struct told {
    EDO_FUTURE(int);
};

static enum edo_poll told_poll(struct edo_future *future, struct edo_context *cx)
{
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "told");
    if (future->state != EDO_STATE_FRESH) {
        ((struct told *)future)->output = data;
        return EDO_READY;
    }
    future->state = 1;
    begin_wakes(cx->waker, NULL);
    return EDO_PENDING;
}

MODEL(blocking_wake_carries_writes, .bound = 3)
{
    struct edo_handle *handle = handle_new(1);
    model_assert(join(handle, SPAWN_BLOCKING_ON(handle, EDO_NEW(told))) == 1);
    end(handle);
}

MODEL(blocking_woken, .bound = 3)
{
    struct edo_handle *handle = handle_new(1);
    model_assert(join(handle, SPAWN_BLOCKING_ON(handle, EDO_NEW(until, .done = &done, .bits = 1,
                                                                .begin = begin_wakes))) == 1);
    end(handle);
}

MODEL(blocking_woken_by_itself_too, .bound = 2)
{
    struct edo_handle *handle = handle_new(1);
    model_assert(join(handle, SPAWN_BLOCKING_ON(handle, EDO_NEW(until, .done = &done, .bits = 1,
                                                                .begin = begin_wakes_twice))) == 1);
    end(handle);
}

/* It has ended, perhaps, and its thread has left: the waker is the last that knows of them. */
MODEL(blocking_woken_when_done, .bound = 3)
{
    struct edo_handle *handle = handle_new(1);
    edo_task_detach(
        SPAWN_BLOCKING_ON(handle, EDO_NEW(until, .done = &done, .bits = 0, .begin = begin_wakes)));
    end(handle);
}

/* A stable waker, kept without a clone for as long as the future is linked: claimed under the lock, finished
 * after it, when the future, its task and its thread may be gone. */
struct place {
    struct edo_lock lock;
    struct edo_waker *waker; /* NULL: not linked */
    bool signalled;
};
static struct place *place;

static void signals(void *arg)
{
    (void)arg;
    edo_lock(&place->lock);
    place->signalled = true;
    struct edo_waker *waker = place->waker, *claimed = NULL;
    if (waker != NULL)
        claimed = waker->ops->claim(waker);
    edo_unlock(&place->lock);
    if (claimed != NULL)
        claimed->ops->finish(claimed);
}

struct linked {
    EDO_FUTURE(int);
};

static enum edo_poll linked_poll(struct edo_future *future, struct edo_context *cx)
{
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "linked");
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        model_thread(signals, NULL);
    }
    edo_lock(&place->lock);
    bool ready = place->signalled;
    place->waker = ready ? NULL : cx->waker;
    edo_unlock(&place->lock);
    ((struct linked *)future)->output = 5;
    return ready ? EDO_READY : EDO_PENDING;
}

MODEL(blocking_claimed, .bound = 3)
{
    place = model_new(sizeof *place);
    edo_lock_init(&place->lock);
    struct edo_handle *handle = handle_new(1);
    edo_task_detach(SPAWN_BLOCKING_ON(handle, EDO_NEW(linked)));
    end(handle);
}

/* ---- With a runtime ---- */

/* Wakes cross both ways; the joiner is a task. */
struct root {
    EDO_FUTURE(int);
    struct edo_join join;
    int value;
};

static enum edo_poll root_poll(struct edo_future *future, struct edo_context *cx)
{
    struct root *self = (struct root *)future;
    if (cx->walk != EDO_WALK_POLL) {
        edo_future_drop(&self->join.future_, cx);
        return EDO_READY;
    }
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        self->join = edo_join(SPAWN_BLOCKING(EDO_NEW(job, .data = &data)), &self->value);
    }
    if (edo_future_poll(&self->join.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    self->output = data;
    return EDO_READY;
}

MODEL(blocking_joined_by_task, .bound = 3)
{
    struct edo_runtime *runtime = runtime_new();
    struct root future = EDO_NEW(root);
    model_assert(edo_block_on(runtime, &future) == 0);
    model_assert(future.join.output == 0 && future.value == 0 && future.output == 1);
    edo_runtime_drop(runtime);
}

/* One after the other: from the first on either thread looks out for what the other does, and may see it, or sleep. */
struct again {
    EDO_FUTURE(int);
    struct root root;
};

static enum edo_poll again_poll(struct edo_future *future, struct edo_context *cx)
{
    struct again *self = (struct again *)future;
    if (cx->walk != EDO_WALK_POLL) {
        edo_future_drop(&self->root.future_, cx);
        return EDO_READY;
    }
    for (; self->output < 2; self->output = self->root.output) {
        if (future->state == EDO_STATE_FRESH) {
            future->state = 1;
            self->root = EDO_NEW(root);
        }
        if (edo_future_poll(&self->root.future_, cx) == EDO_PENDING)
            return EDO_PENDING;
        future->state = EDO_STATE_FRESH;
    }
    return EDO_READY;
}

MODEL(blocking_looked_out_for_by_both, .bound = 1)
{
    model_linger(1);
    struct edo_runtime *runtime;
    model_assert(edo_runtime_new(&runtime, .thread_keep_alive = UINT32_MAX) == 0);
    struct again future = EDO_NEW(again);
    model_assert(edo_block_on(runtime, &future) == 0);
    model_assert(future.output == 2 && data == 2);
    edo_runtime_drop(runtime);
}

/* Work always comes back before the runtime sleeps: timers are served all the same. */
struct passes_time {
    EDO_FUTURE(int);
};

static enum edo_poll passes_time_poll(struct edo_future *future, struct edo_context *cx)
{
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "passes_time");
    model_set_now(model_now() + 1000000000);
    ((struct passes_time *)future)->output = 0;
    return EDO_READY;
}

struct timed {
    EDO_FUTURE(int);
    struct edo_sleep sleep;
};

static enum edo_poll timed_poll(struct edo_future *future, struct edo_context *cx)
{
    struct timed *self = (struct timed *)future;
    if (cx->walk != EDO_WALK_POLL) {
        edo_future_drop(&self->sleep.future_, cx);
        return EDO_READY;
    }
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        self->sleep = edo_sleep(10);
    }
    if (edo_future_poll(&self->sleep.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    data = 1;
    return EDO_READY;
}

struct beside {
    EDO_FUTURE(int);
    struct edo_join join;
};

static enum edo_poll beside_poll(struct edo_future *future, struct edo_context *cx)
{
    struct beside *self = (struct beside *)future;
    if (cx->walk != EDO_WALK_POLL) {
        edo_future_drop(&self->join.future_, cx);
        return EDO_READY;
    }
    bool began = future->state == EDO_STATE_FRESH || future->state == 2;
    if (future->state == EDO_STATE_FRESH)
        self->join = edo_join(SPAWN_BLOCKING(EDO_NEW(job)), NULL);
    if (future->state == 2)
        self->join = edo_join(SPAWN_BLOCKING(EDO_NEW(passes_time)), NULL);
    future->state += began;
    if (edo_future_poll(&self->join.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    if (future->state == 3) {
        /* It has waited for it, and been woken by what came after the time had passed. */
        model_assert(began || data == 1);
        return EDO_READY;
    }
    /* The timer is armed when the other has been polled, which is before this one is again. */
    edo_task_detach(SPAWN(EDO_NEW(timed)));
    edo_wake(cx->waker);
    future->state = 2;
    return EDO_PENDING;
}

MODEL(blocking_served_beside_timers, .bound = 1)
{
    model_linger(1);
    struct edo_runtime *runtime;
    model_assert(edo_runtime_new(&runtime, .event_interval = 1, .thread_keep_alive = UINT32_MAX) ==
                 0);
    struct beside future = EDO_NEW(beside);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
}

/* Paused time waits for a job that nobody waits for, and its end wakes the runtime. */
struct sleeper {
    EDO_FUTURE(int);
    struct edo_sleep sleep;
};

static enum edo_poll sleeper_poll(struct edo_future *future, struct edo_context *cx)
{
    struct sleeper *self = (struct sleeper *)future;
    if (cx->walk != EDO_WALK_POLL) {
        edo_future_drop(&self->sleep.future_, cx);
        return EDO_READY;
    }
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        edo_task_detach(SPAWN_BLOCKING(EDO_NEW(job)));
        self->sleep = edo_sleep(10);
    }
    if (edo_future_poll(&self->sleep.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    model_assert(edo_load(&runs, relaxed) == 1);
    return EDO_READY;
}

MODEL(blocking_holds_paused_time, .bound = 2)
{
    struct edo_runtime *runtime;
    model_assert(edo_runtime_new(&runtime, .start_paused = true) == 0);
    struct sleeper future = EDO_NEW(sleeper);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
}

/* Dropped in the midst of it. */
MODEL(blocking_runtime_dropped, .bound = 2)
{
    struct edo_runtime *runtime = runtime_new();
    struct edo_handle *handle = edo_handle_clone(edo_runtime_handle(runtime));
    model_thread(spawns, handle);
    edo_task_detach(SPAWN_BLOCKING_ON(edo_runtime_handle(runtime), EDO_NEW(job)));
    edo_runtime_drop(runtime);
    model_join_all();
    accounted(2);
}
