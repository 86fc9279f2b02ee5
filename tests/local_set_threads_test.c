/* SPDX-License-Identifier: MIT */
/* Local sets and other threads. */
#include "local_set_helpers.h"

struct elsewhere {
    struct edo_local_set *set;
    struct leaf_log log;
};

struct panics_at_last {
    FUTURE(int);
};

ASYNC(panics_at_last)
{
    ASYNC_BEGIN;
ASYNC_FINALLY:
    PANIC("in the end");
    ASYNC_END;
}

static void *polls_elsewhere(void *arg)
{
    struct elsewhere *elsewhere = arg;
    struct bench bench;
    memset(&bench, 0, sizeof bench);
    bench.counter.waker.ops = &counter_stable;
    edo_context_init(&bench.cx, &bench.counter.waker);
    struct leaf leaf = LEAF(&elsewhere->log, 3, 0);
    struct edo_local_set_run_until run = edo_local_set_run_until(elsewhere->set, &leaf);
    cr_assert_eq(POLL(run), EDO_READY);
    cr_assert_eq(run.output, UV_EPERM);
    cr_assert(edo_future_done(&leaf.future_));
    struct edo_local_set_wait wait = edo_local_set_wait(elsewhere->set);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert_eq(wait.output, UV_EPERM);
    struct panics_at_last bad = NEW(panics_at_last);
    run = edo_local_set_run_until(elsewhere->set, &bad);
    cr_assert_eq(POLL(run), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.message, "in the end");
    DROP_IT(run);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    leaf = LEAF(&elsewhere->log, 3, 0);
    cr_assert_eq(edo_local_set_block_on(elsewhere->set, runtime, &leaf), UV_EPERM);
    edo_runtime_drop(runtime);
    return NULL;
}

Test(local_set, another_thread_cannot_run_it)
{
    struct bench bench;
    bench_begin(&bench);
    struct elsewhere elsewhere = {.set = set_new()};
    polls = 0;
    edo_task_detach(SPAWN_LOCAL_ON(elsewhere.set, NEW(work)));
    run_thread(polls_elsewhere, &elsewhere);
    cr_assert(elsewhere.log.polls == 0 && elsewhere.log.drops == 2);
    cr_assert_eq(polls, 0);
    edo_local_set_drop(elsewhere.set);
    bench_end(&bench);
}

/* A runner that was moved to another thread when it had been polled. */
struct moved {
    struct edo_local_set_run_until run;
    struct edo_local_set_wait wait, dropped;
};

static void *polls_moved(void *arg)
{
    struct moved *moved = arg;
    struct counter counter = {.waker = {&counter_stable}};
    struct edo_context cx;
    edo_context_init(&cx, &counter.waker);
    cr_assert_eq(edo_future_poll(&moved->run.future_, &cx), EDO_READY);
    cr_assert_eq(moved->run.output, UV_EPERM);
    cr_assert_eq(edo_future_poll(&moved->wait.future_, &cx), EDO_READY);
    cr_assert_eq(moved->wait.output, UV_EPERM);
    edo_future_drop(&moved->dropped.future_, &cx);
    return NULL;
}

Test(local_set, a_runner_that_comes_to_another_thread_ends_there)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct gate gate = {0};
    edo_task_detach(SPAWN_LOCAL_ON(set, NEW(passes, .gate = &gate)));
    struct edo_pending pending = edo_pending();
    struct moved moved = {.run = edo_local_set_run_until(set, &pending),
                          .wait = edo_local_set_wait(set),
                          .dropped = edo_local_set_wait(set)};
    cr_assert_eq(POLL(moved.run), EDO_PENDING);
    cr_assert_eq(POLL(moved.wait), EDO_PENDING);
    cr_assert_eq(POLL(moved.dropped), EDO_PENDING);
    run_thread(polls_moved, &moved);
    cr_assert(edo_future_done(&pending.future_));
    gate_open(&gate);
    cr_assert_eq(bench.counter.wakes, 0, "nobody waits any more");
    edo_local_set_drop(set);
    bench_end(&bench);
}

/* A task that tells where it runs. */
struct tells {
    FUTURE(int);
    pthread_t *thread;
};

ASYNC(tells)
{
    ASYNC_BEGIN;
    *self->thread = pthread_self();
    RETURN(3);
    ASYNC_END;
}

struct visitor {
    struct edo_local_set *set;
    pthread_t ran;
    struct edo_abort_handle *abort;
    struct gate *gate;
};

static void *spawns_on_it(void *arg)
{
    struct visitor *visitor = arg;
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    JOIN_HANDLE(int) task = SPAWN_LOCAL_ON(visitor->set, NEW(tells, .thread = &visitor->ran));
    int value = 0;
    struct edo_join join = edo_join(task, &value);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    cr_assert_eq(join.output, 0);
    cr_assert_eq(value, 3);
    cr_assert_not(pthread_equal(visitor->ran, pthread_self()));
    if (visitor->gate != NULL)
        gate_open(visitor->gate);
    edo_abort_handle_abort(visitor->abort);
    edo_runtime_drop(runtime);
    return NULL;
}

Test(local_set, other_threads_spawn_wake_abort_and_join)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct gate gate = {0}, never = {0};
    finals = 0;
    edo_task_detach(SPAWN_LOCAL_ON(set, NEW(passes, .gate = &gate)));
    JOIN_HANDLE(int) aborted = SPAWN_LOCAL_ON(set, NEW(passes, .gate = &never));
    struct visitor visitor = {.set = set, .abort = edo_abort_handle(aborted), .gate = &gate};
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    DROP_IT(wait);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, spawns_on_it, &visitor), 0);
    wait = edo_local_set_wait(set);
    cr_assert_eq(edo_block_on(runtime, &wait), 0);
    pthread_join(thread, NULL);
    cr_assert(pthread_equal(visitor.ran, pthread_self()));
    cr_assert_eq(finals, 1, "the aborted one was dropped");
    struct edo_join join = edo_join(aborted, NULL);
    cr_assert_eq(POLL(join), EDO_READY);
    cr_assert_eq(join.output, UV_ECANCELED);
    edo_abort_handle_drop(visitor.abort);
    edo_runtime_drop(runtime);
    edo_local_set_drop(set);
    bench_end(&bench);
}

/* Three threads at once, against the set's polls: each of their tasks is woken or aborted, and joined. */
struct crew {
    struct edo_local_set *set;
    struct edo_notify done;
    _Atomic(int) left;
    int woken, aborted;
};

struct waits_for {
    FUTURE(int);
    struct edo_notify *notify;
    struct edo_notified notified;
};

ASYNC(waits_for)
{
    ASYNC_BEGIN;
    AWAIT(self->notified, edo_notified(self->notify));
    RETURN(1);
    ASYNC_END;
}

static void *works_on_it(void *arg)
{
    struct crew *crew = arg;
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    for (int i = 0; i < 100; i++) {
        struct edo_notify notify;
        edo_notify_init(&notify);
        JOIN_HANDLE(int) task = SPAWN_LOCAL_ON(crew->set, NEW(waits_for, .notify = &notify));
        if (i % 3 == 0)
            edo_task_abort(task);
        edo_notify_one(&notify);
        int value = 0;
        struct edo_join join = edo_join(task, &value);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        if (i % 3 == 0)
            cr_assert(join.output == UV_ECANCELED || value == 1);
        else
            cr_assert(join.output == 0 && value == 1);
        edo_notify_destroy(&notify);
    }
    edo_runtime_drop(runtime);
    if (edo_fetch_sub(&crew->left, 1, acq_rel) == 1)
        edo_notify_one(&crew->done);
    return NULL;
}

Test(local_set, threads_work_on_it_while_it_is_run)
{
    struct bench bench;
    bench_begin(&bench);
    enum { THREADS = 3 };
    struct crew crew = {.set = set_new()};
    edo_init(&crew.left, THREADS);
    edo_notify_init(&crew.done);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, works_on_it, &crew), 0);
    struct edo_notified done = edo_notified(&crew.done);
    BLOCK_ON(crew.set, done);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    edo_notify_destroy(&crew.done);
    edo_local_set_drop(crew.set);
    bench_end(&bench);
}

/* Wakes and aborts that meet its end. */
static void *wakes_and_aborts(void *arg)
{
    struct visitor *visitor = arg;
    edo_wake(visitor->gate->waker);
    edo_abort_handle_abort(visitor->abort);
    edo_waker_drop(visitor->gate->waker);
    edo_abort_handle_drop(visitor->abort);
    return NULL;
}

Test(local_set, it_is_dropped_while_threads_wake_and_abort)
{
    struct bench bench;
    bench_begin(&bench);
    for (int i = 0; i < 200; i++) {
        struct edo_local_set *set = set_new();
        struct gate gate = {0};
        JOIN_HANDLE(int) task = SPAWN_LOCAL_ON(set, NEW(passes, .gate = &gate));
        struct edo_local_set_wait wait = edo_local_set_wait(set);
        cr_assert_eq(POLL(wait), EDO_PENDING);
        DROP_IT(wait);
        struct gate copy = {.waker = edo_waker_clone(gate.waker)};
        struct visitor visitor = {.gate = &copy, .abort = edo_abort_handle(task)};
        edo_task_detach(task);
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, wakes_and_aborts, &visitor), 0);
        edo_local_set_drop(set);
        pthread_join(thread, NULL);
    }
    bench_end(&bench);
}
