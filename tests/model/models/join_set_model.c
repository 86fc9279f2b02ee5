/* SPDX-License-Identifier: MIT */
/* A join set, on a thread that does not run its tasks, against their completion: each outcome is found, and a
 * set that is dropped is freed by the last who touches it. */
#include "executor.h"
#include "runtime/join_set.h"

/* Its output is written in the frame, plainly, and so is what it does beside. */
static int beside[2];

struct counts {
    EDO_FUTURE(int);
    int i;
};

static enum edo_poll counts_poll(struct edo_future *future, struct edo_context *cx)
{
    struct counts *self = (struct counts *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "counts");
    beside[self->i] = 1;
    self->output = 42 + self->i;
    return EDO_READY;
}

/* Never ends by itself. */
struct stays {
    EDO_FUTURE(int);
};

static enum edo_poll stays_poll(struct edo_future *future, struct edo_context *cx)
{
    (void)future;
    return cx->walk != EDO_WALK_POLL ? edo_walk_leaf(cx, "stays") : EDO_PENDING;
}

static JOIN_SET(int) set; /* this thread's, then the other's */

/* ---- Tasks that complete, on the thread that runs their runtime ---- */

static int tasks;

static void spawn_for(struct edo_waker *waker, void *other)
{
    (void)waker;
    for (int i = 0; i < tasks; i++)
        model_assert(edo_join_set_spawn(&set, EDO_NEW(counts, .i = i)) == 0);
    model_thread((void (*)(void *))other, NULL);
}

static _Atomic(int) nothing;

/* The root spawns the tasks, hands the set to another thread, and ends when they have run. */
static void run_while(int count, void (*other)(void *))
{
    tasks = count;
    struct edo_runtime *runtime = runtime_new();
    struct until future =
        EDO_NEW(until, .done = &nothing, .turns = 1, .begin = spawn_for, .arg = (void *)other);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
    executors_end();
}

static int join_one(struct executor *executor, int *value)
{
    struct edo_join_set_join_next next = edo_join_set_join_next(&set, value);
    executor_run(executor, &next.future_);
    return next.output;
}

static void joins(void *arg)
{
    (void)arg;
    executors[0] = executor_new();
    int value = 0;
    for (int i = 0; i < tasks; i++) {
        model_assert(join_one(executors[0], &value) == 0);
        model_assert(value == 42 + i && beside[i] == 1);
    }
    model_assert(join_one(executors[0], &value) == UV_EOF);
    edo_join_set_drop(&set);
}

MODEL(join_set_joined)
{
    run_while(1, joins);
}

MODEL(join_set_two_joined, .bound = 2)
{
    run_while(2, joins);
}

/* Polled once by one executor, which is not woken any more when another has polled; made when the first
 * waker is out, so that who wakes it must see it made. */
static void joins_elsewhere(void *arg)
{
    (void)arg;
    executors[0] = executor_new();
    int value = 0;
    struct edo_join_set_join_next next = edo_join_set_join_next(&set, &value);
    if (executor_poll(executors[0], &next.future_) == EDO_PENDING) {
        executors[1] = executor_new();
        executor_run(executors[1], &next.future_);
    }
    model_assert(next.output == 0 && value == 42);
    edo_join_set_drop(&set);
}

MODEL(join_set_joined_by_another)
{
    run_while(1, joins_elsewhere);
}

static void tries(void *arg)
{
    (void)arg;
    int value = 0, outcome = edo_join_set_try_join_next(&set, &value);
    model_assert(outcome == UV_EAGAIN ||
                 (outcome == 0 && value == 42 && edo_join_set_is_empty(&set)));
    edo_join_set_drop(&set);
    model_outcome(outcome == 0);
}

MODEL(join_set_tried, .outcomes = "0 1")
{
    run_while(1, tries);
}

static void drops(void *arg)
{
    (void)arg;
    edo_join_set_drop(&set);
    model_assert(set == NULL);
}

MODEL(join_set_dropped)
{
    run_while(1, drops);
}

MODEL(join_set_two_dropped, .bound = 2)
{
    run_while(2, drops);
}

/* One was joined, or has come out of the inbox behind it. */
static void joins_one_and_drops(void *arg)
{
    (void)arg;
    executors[0] = executor_new();
    int value = 0;
    model_assert(join_one(executors[0], &value) == 0 && value == 42);
    edo_join_set_drop(&set);
}

MODEL(join_set_dropped_with_one_left, .bound = 2)
{
    run_while(2, joins_one_and_drops);
}

/* Its waker is in the set. */
static void waits_and_drops(void *arg)
{
    (void)arg;
    executors[0] = executor_new();
    int value = 0;
    struct edo_join_set_join_next next = edo_join_set_join_next(&set, &value);
    if (executor_poll(executors[0], &next.future_) == EDO_PENDING)
        executor_cancel(executors[0], &next.future_);
    edo_join_set_drop(&set);
    model_assert(edo_join_set_is_empty(&set));
}

MODEL(join_set_dropped_while_it_waits)
{
    run_while(1, waits_and_drops);
}

/* The same where another branch still waits: it is woken, and finds the set empty. */
static void waits_while_dropped(void *arg)
{
    (void)arg;
    executors[0] = executor_new();
    int value = 0;
    struct edo_join_set_join_next next = edo_join_set_join_next(&set, &value);
    if (executor_poll(executors[0], &next.future_) == EDO_PENDING) {
        edo_join_set_detach_all(&set);
        executor_sleep(executors[0]);
        model_assert(executor_poll(executors[0], &next.future_) == EDO_READY);
        model_assert(next.output == UV_EOF);
    }
    edo_join_set_drop(&set);
}

MODEL(join_set_detached_while_it_waits)
{
    run_while(1, waits_while_dropped);
}

static void aborts_and_joins(void *arg)
{
    (void)arg;
    executors[0] = executor_new();
    int value = 0;
    edo_join_set_abort_all(&set);
    int outcome = join_one(executors[0], &value);
    model_assert((outcome == 0 && value == 42) || (outcome == UV_ECANCELED && value == 0));
    edo_join_set_drop(&set);
    model_outcome(outcome == 0);
}

MODEL(join_set_aborted, .outcomes = "0 1")
{
    run_while(1, aborts_and_joins);
}

static void shuts_down(void *arg)
{
    (void)arg;
    executors[0] = executor_new();
    struct edo_join_set_shutdown shutdown = edo_join_set_shutdown(&set);
    executor_run(executors[0], &shutdown.future_);
    model_assert(edo_join_set_is_empty(&set));
    edo_join_set_drop(&set);
}

MODEL(join_set_shut_down)
{
    run_while(1, shuts_down);
}

/* ---- Tasks that end with their runtimes, of which there are two, each dropped by a thread ---- */

static void drops_runtime(void *arg)
{
    edo_runtime_drop(arg);
}

static void end_with_runtimes(int count)
{
    for (int i = 0; i < count; i++) {
        struct edo_runtime *runtime = runtime_new();
        model_assert(edo_join_set_spawn_on(&set, edo_runtime_handle(runtime), EDO_NEW(stays)) == 0);
        model_thread(drops_runtime, runtime);
    }
}

MODEL(join_set_joined_while_runtimes_end, .bound = 2)
{
    end_with_runtimes(2);
    executors[0] = executor_new();
    int value = 0;
    for (int i = 0; i < 2; i++)
        model_assert(join_one(executors[0], &value) == UV_ECANCELED);
    edo_join_set_drop(&set);
    executors_end();
}

MODEL(join_set_dropped_while_a_runtime_ends)
{
    end_with_runtimes(1);
    edo_join_set_drop(&set);
}

/* Both may be late, and any of the three the last. */
MODEL(join_set_dropped_while_runtimes_end, .bound = 2)
{
    end_with_runtimes(2);
    edo_join_set_drop(&set);
}
