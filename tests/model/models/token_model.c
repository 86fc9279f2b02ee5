/* SPDX-License-Identifier: MIT */
/* Cancellation tokens and the task tracker: nobody misses the end, and nothing is touched after it. */
#include "executor.h"
#include "internal/park.h"
#include "sync/cancellation_token.h"
#include "sync/task_tracker.h"

static struct edo_cancellation_token *root, *child;
static int data;

static void cancels(void *token)
{
    data = 1;
    edo_cancellation_token_cancel(token);
    edo_cancellation_token_drop(token);
}

static void waits(void *token)
{
    struct edo_cancelled *future = ON_HEAP(edo_cancelled(token));
    executor_run(executor_of_thread(0), &future->future_);
    model_assert(data == 1);
    edo_cancellation_token_drop(token);
}

/* A child's waiter learns of it from the parent, and sees what was written before. */
MODEL(token_cancel)
{
    root = edo_cancellation_token_new();
    child = edo_cancellation_token_child(root);
    model_thread(cancels, root);
    waits(child);
    executors_end();
}

/* Polled again before it is woken. */
static void waits_and_polls(void *token)
{
    struct edo_cancelled *future = ON_HEAP(edo_cancelled(token));
    struct executor *executor = executor_of_thread(0);
    if (executor_poll(executor, &future->future_) == EDO_PENDING &&
        executor_poll(executor, &future->future_) == EDO_PENDING)
        executor_run(executor, &future->future_);
    model_assert(data == 1);
    edo_cancellation_token_drop(token);
}

MODEL(token_polled)
{
    root = edo_cancellation_token_new();
    child = edo_cancellation_token_child(root);
    model_thread(cancels, root);
    waits_and_polls(child);
    executors_end();
}

static void looks(void *token)
{
    if (edo_cancellation_token_is_cancelled(token))
        model_assert(data == 1);
    edo_cancellation_token_drop(token);
}

MODEL(token_is_cancelled)
{
    root = edo_cancellation_token_new();
    model_thread(looks, edo_cancellation_token_clone(root));
    cancels(root);
    executors_end();
}

/* Who finds the parent cancelled finds the child so. */
static void looks_down(void *token)
{
    if (edo_cancellation_token_is_cancelled(token))
        model_assert(edo_cancellation_token_is_cancelled(child));
    edo_cancellation_token_drop(token);
}

MODEL(token_parent_and_child)
{
    root = edo_cancellation_token_new();
    child = edo_cancellation_token_child(root);
    model_thread(looks_down, edo_cancellation_token_clone(root));
    cancels(root);
    model_join_all();
    edo_cancellation_token_drop(child);
    executors_end();
}

/* Who waits gives up. */
static void gives_up(void *token)
{
    struct edo_cancelled *future = ON_HEAP(edo_cancelled(token));
    if (executor_poll(executor_of_thread(1), &future->future_) == EDO_PENDING)
        executor_cancel(executors[1], &future->future_);
    edo_cancellation_token_drop(token);
}

MODEL(token_wait_cancelled)
{
    root = edo_cancellation_token_new();
    model_thread(gives_up, edo_cancellation_token_child(root));
    cancels(root);
    executors_end();
}

/* A middle one goes, and a child is born, while the root is cancelled. */
static void drops(void *token)
{
    edo_cancellation_token_drop(token);
}

static void bears(void *token)
{
    struct edo_cancellation_token *born = edo_cancellation_token_child(token);
    edo_cancellation_token_drop(token);
    struct edo_cancelled *future = ON_HEAP(edo_cancelled(born));
    executor_run(executor_of_thread(2), &future->future_);
    edo_cancellation_token_drop(born);
}

MODEL(token_family)
{
    root = edo_cancellation_token_new();
    struct edo_cancellation_token *middle = edo_cancellation_token_child(root);
    child = edo_cancellation_token_child(middle);
    model_thread(drops, middle);
    model_thread(bears, child);
    cancels(root);
    executors_end();
}

/* In a task that goes with its runtime. */
static void spawn_waiter(struct edo_waker *waker, void *token)
{
    (void)waker;
    edo_task_detach(SPAWN(edo_cancelled(token)));
}

MODEL(token_at_shutdown)
{
    static _Atomic(int) nothing;
    root = edo_cancellation_token_new();
    child = edo_cancellation_token_child(root);
    struct edo_runtime *runtime = runtime_new();
    model_thread(cancels, root);
    struct until future =
        EDO_NEW(until, .done = &nothing, .turns = 1, .begin = spawn_waiter, .arg = child);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
    edo_cancellation_token_drop(child);
    executors_end();
}

/* The one who waited frees the tracker. */
struct shared {
    struct edo_task_tracker tracker;
    int written[2];
};
static struct shared *shared;
static struct edo_task_tracker_token tokens[2];

static void ends(void *which)
{
    int i = (int)(intptr_t)which;
    shared->written[i] = 1;
    edo_task_tracker_token_drop(&tokens[i]);
}

static void track(int n)
{
    shared = edo_malloc(sizeof *shared);
    edo_task_tracker_init(&shared->tracker);
    for (int i = 0; i < n; i++) {
        tokens[i] = edo_task_tracker_token(&shared->tracker);
        model_thread(ends, (void *)(intptr_t)i);
    }
}

static void wait_and_free(int n)
{
    struct edo_task_tracker_wait *future = ON_HEAP(edo_task_tracker_wait(&shared->tracker));
    executor_run(executor_of_thread(3), &future->future_);
    for (int i = 0; i < n; i++)
        model_assert(shared->written[i] == 1);
    edo_task_tracker_destroy(&shared->tracker);
    edo_free(shared);
}

MODEL(tracker_wait)
{
    track(2);
    edo_task_tracker_close(&shared->tracker);
    wait_and_free(2);
    executors_end();
}

/* Closed by another; and one that waited gives up. */
static void closes(void *arg)
{
    (void)arg;
    edo_task_tracker_close(&shared->tracker);
    shared->written[1] = 1;
    edo_task_tracker_token_drop(&tokens[1]);
}

MODEL(tracker_closed)
{
    track(1);
    tokens[1] = edo_task_tracker_token(&shared->tracker);
    model_thread(closes, NULL);
    struct edo_task_tracker_wait *future = ON_HEAP(edo_task_tracker_wait(&shared->tracker));
    if (executor_poll(executor_of_thread(2), &future->future_) == EDO_PENDING)
        executor_cancel(executors[2], &future->future_);
    wait_and_free(2);
    executors_end();
}

/* Two wait; the last of them frees it. */
static _Atomic(int) left;

static void waits_for_the_tracked(void *thread)
{
    struct edo_task_tracker_wait *future = ON_HEAP(edo_task_tracker_wait(&shared->tracker));
    struct executor *executor = executor_of_thread((int)(intptr_t)thread);
    if (executor_poll(executor, &future->future_) == EDO_PENDING)
        executor_run(executor, &future->future_);
    if (edo_fetch_sub(&left, 1, acq_rel) == 1) {
        edo_task_tracker_destroy(&shared->tracker);
        edo_free(shared);
    }
}

MODEL(tracker_freed_by_the_last)
{
    shared = edo_malloc(sizeof *shared);
    edo_task_tracker_init(&shared->tracker);
    tokens[0] = edo_task_tracker_token(&shared->tracker);
    edo_task_tracker_close(&shared->tracker);
    edo_init(&left, 2);
    model_thread(waits_for_the_tracked, (void *)0);
    model_thread(waits_for_the_tracked, (void *)1);
    ends((void *)0);
    executors_end();
}

/* Who finds it empty sees what was written. */
MODEL(tracker_is_empty)
{
    track(1);
    bool closed = model_choose(2);
    if (closed)
        edo_task_tracker_close(&shared->tracker);
    model_assert(edo_task_tracker_is_closed(&shared->tracker) == closed);
    if (edo_task_tracker_is_empty(&shared->tracker))
        model_assert(shared->written[0] == 1);
    model_join_all();
    edo_task_tracker_destroy(&shared->tracker);
    edo_free(shared);
    executors_end();
}

/* Reopened between: the wait does not end with something tracked. */
static void reopens(void *arg)
{
    (void)arg;
    edo_task_tracker_reopen(&shared->tracker);
    edo_task_tracker_close(&shared->tracker);
    shared->written[1] = 1;
    edo_task_tracker_token_drop(&tokens[1]);
}

MODEL(tracker_reopen)
{
    track(1);
    tokens[1] = edo_task_tracker_token(&shared->tracker);
    edo_task_tracker_close(&shared->tracker);
    model_thread(reopens, NULL);
    wait_and_free(2);
    executors_end();
}
