/* SPDX-License-Identifier: MIT */
#include "hostile_waker.h"

#include <pthread.h>
#include <sys/socket.h>

#include "edo.h"

/* Most tests poll the set by hand, as an executor of somebody else's would: a set needs no runtime. */

static struct edo_local_set *set_new(void)
{
    struct edo_local_set *set;
    cr_assert_eq(edo_local_set_new(&set), 0);
    return set;
}

/* Runs a future in a current-thread runtime of its own, in the set's context. */
#define BLOCK_ON(set, future)                                                \
    do {                                                                     \
        struct edo_runtime *runtime_;                                        \
        cr_assert_eq(edo_runtime_new(&runtime_), 0);                         \
        cr_assert_eq(edo_local_set_block_on((set), runtime_, &(future)), 0); \
        edo_runtime_drop(runtime_);                                          \
    } while (0)

static int polls, finals;

/* A task that yields so often. */
struct work {
    FUTURE(int);
    int yields, result;
};

ASYNC(work)
{
    ASYNC_BEGIN;
    for (; self->yields > 0; self->yields--) {
        polls++;
        YIELD_NOW();
    }
    polls++;
    RETURN(self->result);
ASYNC_FINALLY:
    finals++;
    ASYNC_END;
}

/* One that waits until its gate is opened, and keeps its waker. */
struct gate {
    struct edo_waker *waker;
    bool open;
    int polls;
};

struct passes {
    FUTURE(int);
    struct gate *gate;
};

static enum edo_poll passes_poll(struct edo_future *future, struct edo_context *cx)
{
    struct passes *self = (struct passes *)future;
    struct gate *gate = self->gate;
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "passes");
    if (gate->waker != NULL)
        edo_waker_drop(gate->waker);
    gate->waker = NULL;
    if (cx->walk == EDO_WALK_DROP) {
        finals++;
        return EDO_READY;
    }
    gate->polls++;
    if (gate->open)
        return EDO_READY;
    gate->waker = edo_waker_clone(cx->waker);
    return EDO_PENDING;
}

static void gate_open(struct gate *gate)
{
    gate->open = true;
    if (gate->waker != NULL)
        edo_wake(gate->waker);
}

/* ---- A set is run by its futures ---- */

Test(local_set, run_until_ends_with_its_future_and_keeps_the_other_tasks)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    finals = polls = 0;
    JOIN_HANDLE(int) task = SPAWN_LOCAL_ON(set, NEW(work, .yields = 150, .result = 9));
    cr_assert_eq(polls, 0, "nobody runs the set");
    struct work main = NEW(work, .yields = 2, .result = 4);
    struct edo_local_set_run_until run = edo_local_set_run_until(set, &main);
    cr_assert_eq(RUN(run), 3);
    cr_assert_eq(run.output, 0);
    cr_assert_eq(main.output, 4);
    cr_assert_eq(finals, 1);
    cr_assert_eq(polls, 3 + 2 * 61, "the task's turn comes after the future's");
    cr_assert_not(edo_task_is_finished(task));
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    cr_assert_eq(RUN(wait), 1);
    int value = 0;
    struct edo_join join = edo_join(task, &value);
    cr_assert_eq(POLL(join), EDO_READY);
    cr_assert_eq(value, 9);
    edo_local_set_drop(set);
    bench_end(&bench);
}

Test(local_set, a_child_that_is_done_already_ends_it_without_a_poll)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct work main = NEW(work, .result = 3);
    cr_assert_eq(POLL(main), EDO_READY);
    struct edo_local_set_run_until run = edo_local_set_run_until(set, &main);
    cr_assert_eq(POLL(run), EDO_READY);
    cr_assert_eq(main.output, 3);
    edo_local_set_drop(set);
    bench_end(&bench);
}

struct spawns_another {
    FUTURE(int);
    int generations;
};

ASYNC(spawns_another)
{
    ASYNC_BEGIN;
    if (self->generations > 0)
        edo_task_detach(SPAWN_LOCAL(NEW(spawns_another, .generations = self->generations - 1)));
    YIELD_NOW();
    finals++;
    ASYNC_END;
}

Test(local_set, waiting_for_it_ends_when_all_tasks_have_also_those_of_tasks)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    cr_assert_eq(POLL(wait), EDO_READY, "it is empty");
    cr_assert_eq(wait.output, 0);
    finals = 0;
    for (int i = 0; i < 3; i++)
        edo_task_detach(SPAWN_LOCAL_ON(set, NEW(spawns_another, .generations = 4)));
    wait = edo_local_set_wait(set);
    RUN(wait);
    cr_assert_eq(wait.output, 0);
    cr_assert_eq(finals, 15);
    edo_local_set_drop(set);
    bench_end(&bench);
}

Test(local_set, a_wait_ends_by_a_task_that_another_runner_ran)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct gate gate = {0};
    JOIN_HANDLE(int) last = SPAWN_LOCAL_ON(set, NEW(passes, .gate = &gate));
    struct counter other = {.waker = {&counter_stable}};
    struct edo_context cx;
    edo_context_init(&cx, &other.waker);
    /* Polled before the tasks are: what it aborts ends in the same poll of the set. */
    struct edo_join join = edo_join(last, NULL);
    struct edo_local_set_run_until run = edo_local_set_run_until(set, &join);
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    cr_assert_eq(POLL_BY(run, &cx), EDO_PENDING);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert(bench.counter.wakes == 0 && other.wakes == 0);
    gate_open(&gate);
    cr_assert(bench.counter.wakes == 1 && other.wakes == 1, "both may run it");
    /* It waits again when the wake is for nothing; the task then ends while it does. */
    gate.open = false;
    cr_assert_eq(POLL(wait), EDO_PENDING);
    gate.open = true;
    edo_wake(gate.waker);
    cr_assert_eq(bench.counter.wakes, 2);
    struct edo_local_set_wait second = edo_local_set_wait(set);
    cr_assert_eq(POLL_BY(run, &cx), EDO_PENDING, "the join was polled before the task ended");
    cr_assert_eq(POLL_BY(run, &cx), EDO_READY);
    cr_assert_eq(POLL(second), EDO_READY);
    cr_assert_eq(POLL(wait), EDO_READY);
    edo_local_set_drop(set);
    bench_end(&bench);
}

Test(local_set, an_idle_one_is_polled_only_for_a_wake)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct gate gate = {0};
    edo_task_detach(SPAWN_LOCAL_ON(set, NEW(passes, .gate = &gate)));
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 0);
    cr_assert_eq(gate.polls, 1, "a poll of the set is none of its tasks");
    edo_wake(gate.waker);
    edo_wake(gate.waker);
    cr_assert_eq(bench.counter.wakes, 1, "several wakes are one");
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(gate.polls, 2);
    cr_assert_eq(bench.counter.wakes, 1);
    gate_open(&gate);
    cr_assert_eq(bench.counter.wakes, 2);
    cr_assert_eq(POLL(wait), EDO_READY);
    edo_local_set_drop(set);
    bench_end(&bench);
}

Test(local_set, a_spawn_wakes_who_runs_it)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct edo_pending pending = edo_pending();
    struct edo_local_set_run_until run = edo_local_set_run_until(set, &pending);
    cr_assert_eq(POLL(run), EDO_PENDING);
    finals = 0;
    edo_task_detach(SPAWN_LOCAL_ON(set, NEW(work)));
    edo_task_detach(SPAWN_LOCAL_ON(set, NEW(work)));
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(finals, 0);
    cr_assert_eq(POLL(run), EDO_PENDING);
    cr_assert_eq(finals, 2);
    DROP_IT(run);
    edo_local_set_drop(set);
    bench_end(&bench);
}

/* ---- Several runners ---- */

Test(local_set, a_runner_that_is_dropped_after_the_wake_leaves_the_set_to_the_other)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct gate gate = {0};
    edo_task_detach(SPAWN_LOCAL_ON(set, NEW(passes, .gate = &gate)));
    struct counter one = {.waker = {&counter_stable}}, two = one;
    struct edo_context cx[2];
    edo_context_init(&cx[0], &one.waker);
    edo_context_init(&cx[1], &two.waker);
    struct edo_pending pending[2] = {edo_pending(), edo_pending()};
    struct edo_local_set_run_until run[2] = {edo_local_set_run_until(set, &pending[0]),
                                             edo_local_set_run_until(set, &pending[1])};
    for (int i = 0; i < 2; i++)
        cr_assert_eq(POLL_BY(run[i], &cx[i]), EDO_PENDING);
    gate_open(&gate);
    cr_assert(one.wakes == 1 && two.wakes == 1);
    DROP_IT(run[0]);
    cr_assert_eq(gate.polls, 1);
    cr_assert_eq(POLL_BY(run[1], &cx[1]), EDO_PENDING);
    cr_assert_eq(gate.polls, 2);
    DROP_IT(run[1]);
    edo_local_set_drop(set);
    bench_end(&bench);
}

struct spawns_and_ends {
    FUTURE(int);
};

ASYNC(spawns_and_ends)
{
    ASYNC_BEGIN;
    edo_task_detach(SPAWN_LOCAL(NEW(work)));
    ASYNC_END;
}

/* One ends, and leaves what there is to the other, which was asleep. */
Test(local_set, a_runner_that_ends_with_work_left_wakes_the_other)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct edo_pending pending = edo_pending();
    struct edo_local_set_run_until other = edo_local_set_run_until(set, &pending);
    cr_assert_eq(POLL(other), EDO_PENDING);
    struct spawns_and_ends main = NEW(spawns_and_ends);
    struct edo_local_set_run_until run = edo_local_set_run_until(set, &main);
    finals = 0;
    cr_assert_eq(POLL(run), EDO_READY);
    cr_assert_eq(finals, 0, "its child came first, and was ready");
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(other), EDO_PENDING);
    cr_assert_eq(finals, 1);
    /* Likewise one that is dropped with work left. */
    for (int i = 0; i < 70; i++)
        edo_task_detach(SPAWN_LOCAL_ON(set, NEW(work)));
    cr_assert_eq(bench.counter.wakes, 2);
    struct edo_pending never = edo_pending();
    run = edo_local_set_run_until(set, &never);
    cr_assert_eq(POLL(other), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 3, "there are nine left");
    cr_assert_eq(POLL(run), EDO_PENDING);
    cr_assert_eq(finals, 71);
    DROP_IT(run);
    DROP_IT(other);
    edo_local_set_drop(set);
    bench_end(&bench);
}

Test(local_set, two_that_wait_do_not_wake_each_other_for_nothing)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct edo_pending pending[2] = {edo_pending(), edo_pending()};
    struct edo_local_set_run_until run[2] = {edo_local_set_run_until(set, &pending[0]),
                                             edo_local_set_run_until(set, &pending[1])};
    edo_task_detach(SPAWN_LOCAL_ON(set, NEW(work)));
    for (int i = 0; i < 6; i++)
        cr_assert_eq(POLL(run[i % 2]), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 0);
    for (int i = 0; i < 2; i++)
        DROP_IT(run[i]);
    edo_local_set_drop(set);
    bench_end(&bench);
}

/* ---- Turns ---- */

Test(local_set, a_poll_polls_61_tasks_at_most_and_wakes_itself)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    enum { TASKS = 150 };
    polls = finals = 0;
    for (int i = 0; i < TASKS; i++)
        edo_task_detach(SPAWN_LOCAL_ON(set, NEW(work)));
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(polls, 61);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(polls, 122);
    cr_assert_eq(bench.counter.wakes, 2);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert_eq(finals, TASKS);
    cr_assert_eq(bench.cx.budget, EDO_BUDGET, "their budget is not that of who polls the set");
    edo_local_set_drop(set);
    bench_end(&bench);
}

/* Always ready: wakes itself, and others at some poll. */
struct hog {
    FUTURE(int);
    struct gate *gate;
    int at;
};

static void *opens(void *gate)
{
    gate_open(gate);
    return NULL;
}

static void open_elsewhere(struct gate *gate)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, opens, gate), 0);
    pthread_join(thread, NULL);
}

static enum edo_poll hog_poll(struct edo_future *future, struct edo_context *cx)
{
    struct hog *self = (struct hog *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "hog");
    if (self->gate != NULL && ++polls == self->at)
        open_elsewhere(self->gate);
    edo_wake(cx->waker);
    return EDO_PENDING;
}

Test(local_set, tasks_that_are_always_ready_let_in_what_others_wake)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct gate gate = {0};
    polls = 0;
    edo_task_detach(SPAWN_LOCAL_ON(set, NEW(passes, .gate = &gate)));
    JOIN_HANDLE(int) hog = SPAWN_LOCAL_ON(set, NEW(hog, .gate = &gate, .at = 5));
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(gate.polls, 2, "within 31 polls, and so in this one");
    edo_task_abort(hog);
    edo_task_detach(hog);
    cr_assert_eq(RUN(wait), 1);
    edo_local_set_drop(set);
    bench_end(&bench);
}

Test(local_set, a_foreign_wake_in_the_last_poll_of_a_turn_is_not_lost)
{
    for (int at = 58; at < 64; at++) {
        struct bench bench;
        bench_begin(&bench);
        struct edo_local_set *set = set_new();
        struct gate gate = {0};
        polls = 0;
        edo_task_detach(SPAWN_LOCAL_ON(set, NEW(passes, .gate = &gate)));
        JOIN_HANDLE(int) hog = SPAWN_LOCAL_ON(set, NEW(hog, .gate = &gate, .at = at));
        struct edo_local_set_wait wait = edo_local_set_wait(set);
        cr_assert_eq(POLL(wait), EDO_PENDING);
        edo_task_abort(hog);
        edo_task_detach(hog);
        if (at > 60)
            open_elsewhere(&gate);
        cr_assert_leq(RUN(wait), 2);
        cr_assert_eq(gate.polls, 2);
        edo_local_set_drop(set);
        bench_end(&bench);
    }
}

/* Operations that are always ready: it is polled until its budget is spent. */
struct greedy {
    FUTURE(int);
    struct edo_semaphore *semaphore;
    int n, *got;
    struct edo_permit permit;
    struct edo_semaphore_acquire acquire;
};

ASYNC(greedy)
{
    ASYNC_BEGIN;
    for (; self->n < 300; self->n++) {
        AWAIT(self->acquire, edo_semaphore_acquire(self->semaphore, &self->permit));
        edo_permit_release(&self->permit);
        ++*self->got;
    }
    ASYNC_END;
}

Test(local_set, each_task_has_a_budget_of_its_own)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct edo_semaphore semaphore;
    edo_semaphore_init(&semaphore, 1);
    int got[2] = {0};
    /* It aborts them in the first turn: so each is polled once. */
    JOIN_HANDLE(int) tasks[2];
    for (int i = 0; i < 2; i++)
        tasks[i] = SPAWN_LOCAL_ON(set, NEW(greedy, .semaphore = &semaphore, .got = &got[i]));
    for (int i = 0; i < 2; i++)
        edo_task_detach(tasks[i]);
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(wait), EDO_READY, "three polls of each");
    cr_assert(got[0] == 300 && got[1] == 300);
    cr_assert_eq(bench.cx.budget, 1, "whoever polls the set has another");
    edo_semaphore_destroy(&semaphore);
    edo_local_set_drop(set);
    bench_end(&bench);
}

/* ---- Dropping it ---- */

struct outlived {
    FUTURE(int);
    bool local; /* what FINALLY spawns */
    struct edo_sleep sleep;
    struct work work;
};

ASYNC(outlived)
{
    ASYNC_BEGIN;
    AWAIT(self->work, NEW(work, .yields = 1000));
ASYNC_FINALLY:
    finals++;
    if (self->local) {
        JOIN_HANDLE(int) more = SPAWN_LOCAL(NEW(outlived));
        cr_assert_eq(edo_task_error(more), 0);
        cr_assert_not(edo_task_is_finished(more), "it is dropped in its turn");
        edo_task_detach(more);
    }
    ASYNC_END;
}

Test(local_set, dropped_it_drops_its_tasks_where_they_are)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    finals = polls = 0;
    JOIN_HANDLE(int) suspended = SPAWN_LOCAL_ON(set, NEW(outlived));
    edo_task_detach(SPAWN_LOCAL_ON(set, NEW(outlived, .local = true)));
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    DROP_IT(wait);
    JOIN_HANDLE(int) fresh = SPAWN_LOCAL_ON(set, NEW(outlived));
    int so_far = polls;
    edo_local_set_drop(set);
    cr_assert_eq(polls, so_far, "nothing is polled");
    /* Three spawned, one that a FINALLY spawned; of those two had got to their work. */
    cr_assert_eq(finals, 4 + 2);
    struct edo_join join = edo_join(suspended, NULL);
    cr_assert_eq(POLL(join), EDO_READY);
    cr_assert_eq(join.output, UV_ECANCELED);
    join = edo_join(fresh, NULL);
    cr_assert_eq(POLL(join), EDO_READY);
    cr_assert_eq(join.output, UV_ECANCELED);
    edo_local_set_drop(NULL);
    bench_end(&bench);
}

Test(local_set, wakers_and_handles_outlive_it)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct edo_waker *waker = NULL;
    struct gate gate = {0};
    JOIN_HANDLE(int) task = SPAWN_LOCAL_ON(set, NEW(passes, .gate = &gate));
    struct edo_abort_handle *abort = edo_abort_handle(task);
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    waker = edo_waker_clone(gate.waker);
    edo_wake(waker); /* on the list, when the set goes */
    DROP_IT(wait);
    edo_local_set_drop(set);
    edo_wake(waker);
    edo_waker_drop(waker);
    edo_task_abort(task);
    edo_abort_handle_abort(abort);
    cr_assert(edo_abort_handle_is_finished(abort));
    edo_abort_handle_drop(abort);
    cr_assert_neq(edo_task_id(task), 0);
    cr_assert_eq(edo_task_dump(task, stderr), UV_ESRCH);
    edo_task_detach(task);
    bench_end(&bench);
}

Test(local_set, a_runner_is_dropped_in_each_state)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct leaf_log log = {0};
    struct leaf leaf = LEAF(&log, 100, 0);
    /* Before its first poll. */
    struct edo_local_set_run_until run = edo_local_set_run_until(set, &leaf);
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    DROP_IT(run);
    DROP_IT(wait);
    cr_assert(log.polls == 0 && log.drops == 1);
    /* Waiting. */
    struct gate gate = {0};
    edo_task_detach(SPAWN_LOCAL_ON(set, NEW(passes, .gate = &gate)));
    leaf = LEAF(&log, 100, 0);
    run = edo_local_set_run_until(set, &leaf);
    wait = edo_local_set_wait(set);
    cr_assert_eq(POLL(run), EDO_PENDING);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    DROP_IT(run);
    cr_assert_eq(log.drops, 2);
    /* Woken. */
    edo_wake(gate.waker);
    DROP_IT(wait);
    wait = edo_local_set_wait(set);
    gate.open = true;
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert_eq(gate.polls, 2);
    edo_local_set_drop(set);
    bench_end(&bench);
}

/* ---- The context ---- */

struct spawns_here {
    FUTURE(int);
    int error;
    JOIN_HANDLE(int) handle;
    struct edo_join join;
};

ASYNC(spawns_here)
{
    ASYNC_BEGIN;
    self->handle = SPAWN_LOCAL(NEW(work, .result = 6));
    self->error = edo_task_error(self->handle);
    AWAIT(self->join, edo_join(self->handle, NULL));
    RETURN(self->join.output);
    ASYNC_END;
}

Test(local_set, a_local_spawn_outside_of_a_set_says_so)
{
    struct bench bench;
    bench_begin(&bench);
    finals = 0;
    JOIN_HANDLE(int) handle = SPAWN_LOCAL(NEW(work));
    cr_assert_eq(edo_task_error(handle), EDO_ENORUNTIME);
    cr_assert_eq(finals, 1, "the future was dropped");
    struct edo_join join = edo_join(handle, NULL);
    cr_assert_eq(POLL(join), EDO_READY);
    cr_assert_eq(join.output, EDO_ENORUNTIME);
    /* A runtime that is entered, but run by whoever comes to it, promises no thread. */
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct edo_guard guard = edo_enter(edo_runtime_handle(runtime));
    handle = SPAWN_LOCAL(NEW(work));
    cr_assert_eq(edo_task_error(handle), EDO_ENORUNTIME);
    edo_leave(guard);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

Test(local_set, on_a_current_thread_runtime_a_local_spawn_is_a_spawn)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct spawns_here future = NEW(spawns_here);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    cr_assert_eq(future.error, 0);
    cr_assert_eq(future.output, 0);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

/* What is current for a task and a child of the set. */
struct looks {
    FUTURE(int);
    struct edo_local_set *set;
    uint64_t outer;
    struct edo_handle *current;
};

ASYNC(looks)
{
    ASYNC_BEGIN;
    cr_assert_eq(edo_local_handle_(NULL), edo_local_handle_(self->set));
    cr_assert_eq(edo_handle_current(), self->current);
    if (self->outer != 0)
        cr_assert_eq(edo_current_task_id(), self->outer);
    else
        cr_assert_neq(edo_current_task_id(), 0);
    YIELD_NOW();
    cr_assert_eq(edo_local_handle_(NULL), edo_local_handle_(self->set));
ASYNC_FINALLY:
    cr_assert_eq(edo_local_handle_(NULL), edo_local_handle_(self->set));
    ASYNC_END;
}

struct looks_around {
    FUTURE(int);
    struct edo_local_set *set;
    struct looks looks;
    struct edo_local_set_run_until run;
    struct edo_local_set_wait wait;
    uint64_t id;
};

ASYNC(looks_around)
{
    ASYNC_BEGIN;
    self->id = edo_current_task_id();
    edo_task_detach(
        SPAWN_LOCAL_ON(self->set, NEW(looks, .set = self->set, .current = edo_handle_current())));
    self->looks = NEW(looks, .set = self->set, .current = edo_handle_current(), .outer = self->id);
    AWAIT(self->run, edo_local_set_run_until(self->set, &self->looks));
    cr_assert_eq(edo_current_task_id(), self->id, "the tasks of the set are none of ours");
    cr_assert_eq(edo_local_handle_(NULL), edo_handle_current(), "outside, the runtime is");
    AWAIT(self->wait, edo_local_set_wait(self->set));
    cr_assert_eq(edo_current_task_id(), self->id);
    ASYNC_END;
}

Test(local_set, its_context_is_that_of_its_tasks_and_of_the_child_and_of_nothing_else)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct looks_around future = NEW(looks_around, .set = set);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    /* A child that is dropped, and a task. */
    struct looks looks = NEW(looks, .set = set, .outer = 1);
    struct edo_local_set_run_until run = edo_local_set_run_until(set, &looks);
    DROP_IT(run);
    edo_task_detach(SPAWN_LOCAL_ON(set, NEW(looks, .set = set)));
    edo_local_set_drop(set);
    edo_runtime_drop(runtime);
    cr_assert_eq(edo_local_handle_(NULL), (struct edo_handle *)(intptr_t)EDO_ENORUNTIME);
    bench_end(&bench);
}

/* A task of the runtime's, spawned by one of the set. */
struct spawns_both {
    FUTURE(int);
    JOIN_HANDLE(int) * remote;
    struct work work;
};

ASYNC(spawns_both)
{
    ASYNC_BEGIN;
    *self->remote = SPAWN(NEW(spawns_here));
    AWAIT(self->work, NEW(work, .yields = 1));
    ASYNC_END;
}

Test(local_set, a_spawn_in_a_local_task_is_the_runtimes)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    JOIN_HANDLE(int) remote = NULL;
    edo_task_detach(SPAWN_LOCAL_ON(set, NEW(spawns_both, .remote = &remote)));
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    cr_assert_eq(edo_block_on(runtime, &wait), 0);
    cr_assert_not_null(remote);
    edo_local_set_drop(set);
    int value = 0;
    struct edo_join join = edo_join(remote, &value);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    cr_assert_eq(join.output, 0, "it goes on without the set");
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

Test(local_set, entered_it_takes_local_spawns_and_guards_nest)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *a = set_new(), *b = set_new();
    finals = 0;
    struct edo_local_guard outer = edo_local_set_enter(a);
    JOIN_HANDLE(int) in_a = SPAWN_LOCAL(NEW(work));
    struct edo_local_guard inner = edo_local_set_enter(b);
    JOIN_HANDLE(int) in_b = SPAWN_LOCAL(NEW(work));
    edo_local_set_leave(inner);
    JOIN_HANDLE(int) more_in_a = SPAWN_LOCAL(NEW(work));
    cr_assert_eq(finals, 0);
    /* A set that is polled is the context for that time. */
    struct edo_local_set_wait wait = edo_local_set_wait(b);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert(edo_task_is_finished(in_b) && !edo_task_is_finished(in_a));
    cr_assert_eq(edo_local_handle_(NULL), edo_local_handle_(a));
    wait = edo_local_set_wait(a);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert(edo_task_is_finished(in_a) && edo_task_is_finished(more_in_a));
    edo_task_detach(in_a);
    edo_task_detach(in_b);
    edo_task_detach(more_in_a);
    /* It may go while it is entered. */
    edo_local_set_drop(a);
    JOIN_HANDLE(int) late = SPAWN_LOCAL(NEW(work));
    struct edo_join join = edo_join(late, NULL);
    cr_assert_eq(POLL(join), EDO_READY);
    cr_assert_eq(join.output, UV_ECANCELED);
    edo_local_set_leave(outer);
    cr_assert_eq(edo_local_handle_(NULL), (struct edo_handle *)(intptr_t)EDO_ENORUNTIME);
    edo_local_set_drop(b);
    bench_end(&bench);
}

Test(local_set, entered_around_block_on_it_is_still_the_context)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct edo_local_guard guard = edo_local_set_enter(set);
    JOIN_HANDLE(int) task = NULL;
    struct spawns_both main = NEW(spawns_both, .remote = &task);
    cr_assert_eq(edo_block_on(runtime, &main), 0);
    edo_local_set_leave(guard);
    /* What was spawned on the runtime has put its own into the set. */
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    cr_assert_eq(edo_block_on(runtime, &wait), 0);
    struct edo_join join = edo_join(task, NULL);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    cr_assert_eq(join.output, 0);
    edo_local_set_drop(set);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

/* ---- Within itself, and within another ---- */

struct awaits_the_set {
    FUTURE(int);
    struct edo_local_set *set;
    struct work work;
    struct edo_local_set_run_until run;
    struct edo_local_set_wait wait;
};

ASYNC(awaits_the_set)
{
    ASYNC_BEGIN;
    self->work = NEW(work, .yields = 2, .result = 5);
    AWAIT(self->run, edo_local_set_run_until(self->set, &self->work));
    cr_assert_eq(self->run.output, 0);
    cr_assert_eq(self->work.output, 5);
    AWAIT(self->wait, edo_local_set_wait(self->set));
    RETURN(self->wait.output);
    ASYNC_END;
}

Test(local_set, a_task_of_it_can_run_a_future_in_it_but_not_wait_for_itself)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    finals = 0;
    JOIN_HANDLE(int) task = SPAWN_LOCAL_ON(set, NEW(awaits_the_set, .set = set));
    edo_task_detach(SPAWN_LOCAL_ON(set, NEW(work)));
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    cr_assert_eq(RUN(wait), 1);
    int value = 0;
    struct edo_join join = edo_join(task, &value);
    cr_assert_eq(POLL(join), EDO_READY);
    cr_assert_eq(value, EDO_ENESTED);
    cr_assert_eq(finals, 2);
    edo_local_set_drop(set);
    bench_end(&bench);
}

Test(local_set, its_child_can_wait_for_all_tasks)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    finals = 0;
    for (int i = 0; i < 100; i++)
        edo_task_detach(SPAWN_LOCAL_ON(set, NEW(work, .yields = 3)));
    struct awaits_the_set main = NEW(awaits_the_set, .set = set);
    BLOCK_ON(set, main);
    cr_assert_eq(main.output, 0);
    cr_assert_eq(finals, 101);
    edo_local_set_drop(set);
    bench_end(&bench);
}

/* Runs a set inside a task of another. */
struct runs_inner {
    FUTURE(int);
    struct edo_local_set *inner;
    struct spawns_here here;
    struct edo_local_set_run_until run;
    struct edo_local_set_wait wait;
};

ASYNC(runs_inner)
{
    ASYNC_BEGIN;
    self->here = NEW(spawns_here);
    AWAIT(self->run, edo_local_set_run_until(self->inner, &self->here));
    AWAIT(self->wait, edo_local_set_wait(self->inner));
    RETURN(self->here.output);
    ASYNC_END;
}

Test(local_set, sets_nest)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *outer = set_new(), *inner = set_new();
    struct gate gate = {0};
    edo_task_detach(SPAWN_LOCAL_ON(inner, NEW(passes, .gate = &gate)));
    JOIN_HANDLE(int) task = SPAWN_LOCAL_ON(outer, NEW(runs_inner, .inner = inner));
    struct edo_local_set_wait wait = edo_local_set_wait(outer);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    bench.counter.wakes = 0;
    gate_open(&gate);
    cr_assert_eq(bench.counter.wakes, 1, "through both");
    cr_assert_eq(POLL(wait), EDO_READY);
    int value = -1;
    struct edo_join join = edo_join(task, &value);
    cr_assert_eq(POLL(join), EDO_READY);
    cr_assert_eq(value, 0);
    edo_local_set_drop(inner);
    edo_local_set_drop(outer);
    bench_end(&bench);
}

Test(local_set, it_is_run_inside_a_libuv_program)
{
    struct bench bench;
    bench_begin(&bench);
    uv_loop_t loop;
    struct edo_runtime *runtime;
    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_assert_eq(edo_runtime_attach(&loop, &runtime), 0);
    struct edo_local_set *set = set_new();
    edo_task_detach(SPAWN_LOCAL_ON(set, NEW(work, .yields = 200)));
    finals = 0;
    JOIN_HANDLE(int) task = SPAWN_ON(edo_runtime_handle(runtime), NEW(runs_inner, .inner = set));
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert(edo_task_is_finished(task));
    cr_assert_eq(finals, 2);
    edo_task_detach(task);
    edo_local_set_drop(set);
    edo_runtime_drop(runtime);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0);
    bench_end(&bench);
}

/* ---- Panics ---- */

struct panics {
    FUTURE(int);
    struct work work;
};

ASYNC(panics)
{
    ASYNC_BEGIN;
    AWAIT(self->work, NEW(work, .yields = 1));
    PANIC("no more than %d", 3);
    ASYNC_END;
}

Test(local_set, a_panic_ends_only_its_task_and_is_reported)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    JOIN_HANDLE(int) bad = SPAWN_LOCAL_ON(set, NEW(panics));
    JOIN_HANDLE(int) good = SPAWN_LOCAL_ON(set, NEW(work, .yields = 2, .result = 8));
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert_null(bench.cx.panic.name);
    char report[256] = "";
    struct edo_join join = edo_join_report(bad, NULL, report, sizeof report);
    cr_assert_eq(POLL(join), EDO_READY);
    cr_assert_eq(join.output, EDO_EPANIC);
    cr_assert_eq(strncmp(report, "no more than 3\n  panics (tests/local_set_test.c:", 48), 0, "%s",
                 report);
    int value = 0;
    join = edo_join(good, &value);
    cr_assert_eq(POLL(join), EDO_READY);
    cr_assert_eq(value, 8);
    edo_local_set_drop(set);
    bench_end(&bench);
}

Test(local_set, a_panic_of_the_child_is_that_of_who_awaits_and_the_tasks_stay)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    JOIN_HANDLE(int) task = SPAWN_LOCAL_ON(set, NEW(work, .yields = 200));
    struct panics main = NEW(panics);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    cr_assert_eq(edo_local_set_block_on(set, runtime, &main), EDO_EPANIC);
    cr_assert_not(edo_task_is_finished(task));
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    RUN(wait);
    cr_assert(edo_task_is_finished(task));
    edo_task_detach(task);
    edo_local_set_drop(set);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

/* ---- Threads ---- */

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

static void run_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run, arg), 0);
    pthread_join(thread, NULL);
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

/* ---- What is seen of a task ---- */

static void *dumps(void *arg)
{
    JOIN_HANDLE(int) *task = arg;
    cr_assert_eq(edo_task_dump(*task, stderr), UV_EBUSY);
    return NULL;
}

Test(local_set, a_stuck_task_prints_its_chain_of_awaits_on_the_sets_thread)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    JOIN_HANDLE(int) task = EDO_NAMED("stuck", SPAWN_LOCAL_ON(set, NEW(panics)));
    cr_assert_str_eq(edo_task_name(task), "stuck");
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    cr_assert_eq(edo_task_dump(task, file), 0);
    fclose(file);
    cr_assert_eq(strncmp(text, "panics (", 8), 0, "%s", text);
    free(text);
    run_thread(dumps, &task);
    struct panics child = NEW(panics);
    struct edo_local_set_run_until run = edo_local_set_run_until(set, &child);
    edo_future_trace(&run.future_, &bench.cx);
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    edo_future_trace(&wait.future_, &bench.cx);
    const char *chain = strstr(bench.trace, "edo_local_set_run_until\n panics (");
    cr_assert_not_null(chain, "%s", bench.trace);
    cr_assert_not_null(strstr(chain, ")\nedo_local_set_wait\n"), "%s", bench.trace);
    DROP_IT(run);
    edo_task_detach(task);
    edo_local_set_drop(set);
    bench_end(&bench);
}

TASK_LOCAL(int, request);

struct sees_request {
    FUTURE(int);
};

ASYNC(sees_request)
{
    ASYNC_BEGIN;
    RETURN(request_get(cx) != NULL ? *request_get(cx) : -1);
    ASYNC_END;
}

Test(local_set, its_tasks_do_not_see_the_task_locals_of_who_runs_it_but_its_child_does)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    int seen = 0;
    struct sees_request child = NEW(sees_request);
    struct edo_local_set_run_until run = edo_local_set_run_until(set, &child);
    struct request_scope scope = TASK_SCOPE(request, 7, &run);
    cr_assert_eq(RUN(scope), 1);
    cr_assert_eq(child.output, 7);
    JOIN_HANDLE(int) task = SPAWN_LOCAL_ON(set, NEW(sees_request));
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    scope = TASK_SCOPE(request, 8, &wait);
    cr_assert_eq(RUN(scope), 1);
    struct edo_join join = edo_join(task, &seen);
    cr_assert_eq(POLL(join), EDO_READY);
    cr_assert_eq(seen, -1);
    edo_local_set_drop(set);
    bench_end(&bench);
}

/* ---- Where memory is short, and wakers are hostile ---- */

Test(local_set, allocations_that_fail_are_told)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set;
    for (uint64_t n = 1; n <= 2; n++) {
        set = (struct edo_local_set *)1;
        edo_alloc_fail(n, false);
        cr_assert_eq(edo_local_set_new(&set), UV_ENOMEM);
        cr_assert(edo_alloc_fail(0, false));
        cr_assert_null(set);
    }
    set = set_new();
    finals = 0;
    edo_alloc_fail(1, false);
    JOIN_HANDLE(int) task = SPAWN_LOCAL_ON(set, NEW(work));
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_eq(edo_task_error(task), UV_ENOMEM);
    cr_assert_eq(finals, 1);
    edo_task_detach(task);
    /* Nothing else allocates. */
    edo_alloc_fail(1, true);
    struct edo_local_set_wait wait = edo_local_set_wait(set);
    struct work main = NEW(work, .yields = 2);
    struct edo_local_set_run_until run = edo_local_set_run_until(set, &main);
    RUN(run);
    RUN(wait);
    edo_local_set_drop(set);
    cr_assert_not(edo_alloc_fail(0, false));
    bench_end(&bench);
}

static struct edo_local_set *watched;
static struct gate watched_gate;

/* Whatever it is asked to do: wakes a task of the set, and spawns one, which take its lock. */
static void meddles(void)
{
    if (watched == NULL)
        return;
    if (watched_gate.waker != NULL)
        edo_wake(watched_gate.waker);
    edo_task_detach(SPAWN_LOCAL_ON(watched, NEW(work)));
}

static void run_hostile(const struct edo_waker_ops *ops)
{
    struct bench bench;
    hostile_begin(&bench, ops, meddles);
    watched = set_new();
    watched_gate = (struct gate){0};
    edo_task_detach(SPAWN_LOCAL_ON(watched, NEW(passes, .gate = &watched_gate)));
    struct edo_local_set_wait wait = edo_local_set_wait(watched);
    struct edo_pending pending = edo_pending();
    struct edo_local_set_run_until run = edo_local_set_run_until(watched, &pending);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(POLL(wait), EDO_PENDING);
        cr_assert_eq(POLL(run), EDO_PENDING);
        edo_wake(watched_gate.waker);
    }
    cr_assert_gt(bench.counter.wakes, 0);
    DROP_IT(run);
    watched_gate.open = true;
    RUN(wait);
    struct edo_local_set *set = watched;
    watched = NULL;
    edo_local_set_drop(set);
    hostile_end(&bench);
}

Test(local_set, wakers_that_call_back_into_it_find_no_lock_held)
{
    run_hostile(&hostile_foreign);
    run_hostile(&hostile_stable);
}

/* ---- block_on ---- */

struct blocks {
    FUTURE(int);
    struct edo_local_set *set;
    struct edo_runtime *runtime;
    struct leaf_log log;
};

ASYNC(blocks)
{
    ASYNC_BEGIN;
    struct leaf leaf = LEAF(&self->log, 1, 0);
    self->output = edo_local_set_block_on(self->set, self->runtime, &leaf);
    ASYNC_END;
}

Test(local_set, block_on_within_a_task_is_an_error_and_drops_the_future)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct edo_runtime *runtime, *other;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    cr_assert_eq(edo_runtime_new(&other), 0);
    struct blocks blocks = NEW(blocks, .set = set, .runtime = other);
    cr_assert_eq(edo_local_set_block_on(set, runtime, &blocks), 0);
    cr_assert_eq(blocks.output, EDO_ENESTED);
    cr_assert(blocks.log.polls == 0 && blocks.log.drops == 1);
    /* Also by an executor that is no runtime of ours. */
    blocks = NEW(blocks, .set = set, .runtime = other);
    struct edo_local_set_run_until run = edo_local_set_run_until(set, &blocks);
    cr_assert_eq(POLL(run), EDO_READY);
    cr_assert_eq(blocks.output, EDO_ENESTED);
    cr_assert(blocks.log.polls == 0 && blocks.log.drops == 1);
    edo_runtime_drop(other);
    edo_runtime_drop(runtime);
    edo_local_set_drop(set);
    bench_end(&bench);
}

/* ---- On either runtime: local tasks here, others on the workers ---- */

/* Current-thread, for 0 workers; multi-thread. */
static struct edo_runtime *runtime_of(unsigned workers)
{
    struct edo_runtime *runtime;
    if (workers == 0)
        cr_assert_eq(edo_runtime_new(&runtime), 0);
    else
        cr_assert_eq(
            edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = workers), 0);
    return runtime;
}

static const unsigned worker_counts[] = {0, 1, 2, 8};
enum { WORKER_COUNTS = sizeof worker_counts / sizeof worker_counts[0] };

/* A task on the workers of a multi-thread runtime, or here. */
struct roams {
    FUTURE(int);
    pthread_t home;
    bool here; /* it must run there */
    struct edo_sleep sleep;
};

ASYNC(roams)
{
    ASYNC_BEGIN;
    cr_assert_eq(!!pthread_equal(self->home, pthread_self()), self->here);
    AWAIT(self->sleep, edo_sleep(1));
    cr_assert_eq(self->sleep.output, 0);
    YIELD_NOW();
    cr_assert_eq(!!pthread_equal(self->home, pthread_self()), self->here);
    RETURN(11);
    ASYNC_END;
}

/* A local task with one of the runtime's. */
struct stays {
    FUTURE(int);
    pthread_t home;
    unsigned workers;
    JOIN_HANDLE(int) roaming;
    int value;
    int *sum; /* of all local tasks: no lock */
    struct edo_join join;
    struct edo_sleep sleep;
};

ASYNC(stays)
{
    ASYNC_BEGIN;
    self->roaming = SPAWN(NEW(roams, .home = self->home, .here = self->workers == 0));
    AWAIT(self->sleep, edo_sleep(1));
    cr_assert_eq(self->sleep.output, 0);
    cr_assert(pthread_equal(self->home, pthread_self()));
    self->join = edo_join(self->roaming, &self->value);
    self->roaming = NULL;
    AWAIT_REF(self->join);
    cr_assert_eq(self->join.output, 0);
    cr_assert_eq(self->value, 11);
    cr_assert(pthread_equal(self->home, pthread_self()));
    *self->sum += self->value;
ASYNC_FINALLY:
    edo_task_detach(self->roaming);
    ASYNC_END;
}

struct stays_all {
    FUTURE(int);
    unsigned workers;
    int n, sum;
    struct edo_local_set *set;
    struct edo_local_set_wait wait;
};

ASYNC(stays_all)
{
    ASYNC_BEGIN;
    for (; self->n < 100; self->n++)
        edo_task_detach(SPAWN_LOCAL(
            NEW(stays, .home = pthread_self(), .workers = self->workers, .sum = &self->sum)));
    AWAIT(self->wait, edo_local_set_wait(self->set));
    RETURN(self->sum);
    ASYNC_END;
}

Test(local_set, local_tasks_stay_and_the_others_run_on_the_workers)
{
    for (int i = 0; i < WORKER_COUNTS; i++) {
        struct bench bench;
        bench_begin(&bench);
        struct edo_local_set *set = set_new();
        struct edo_runtime *runtime = runtime_of(worker_counts[i]);
        struct stays_all main = NEW(stays_all, .set = set, .workers = worker_counts[i]);
        cr_assert_eq(edo_local_set_block_on(set, runtime, &main), 0);
        cr_assert_eq(main.output, 100 * 11);
        edo_local_set_drop(set);
        edo_runtime_drop(runtime);
        bench_end(&bench);
    }
}

/* Ping-pong over a connection of the runtime's, between two tasks of the set. */
struct plays {
    FUTURE(int);
    struct edo_tcp *conn;
    int rounds; /* that it begins; 0: it answers */
    pthread_t home;
    char byte;
    union {
        struct edo_read read;
        struct edo_write_all write;
    };
};

ASYNC(plays)
{
    ASYNC_BEGIN;
    if (self->rounds > 0) {
        AWAIT(self->write, edo_write_all(self->conn, "x", 1));
        cr_assert_eq(self->write.output, 1);
    }
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, &self->byte, 1));
        cr_assert(pthread_equal(self->home, pthread_self()));
        if (self->read.output == 0 || --self->rounds == 0)
            break;
        AWAIT(self->write, edo_write_all(self->conn, "x", 1));
        cr_assert_eq(self->write.output, 1);
    }
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

struct plays_both {
    FUTURE(int);
    struct edo_local_set *set;
    struct edo_local_set_wait wait;
};

ASYNC(plays_both)
{
    int fds[2];
    ASYNC_BEGIN;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    for (int i = 0; i < 2; i++) {
        struct edo_tcp *conn;
        cr_assert_eq(edo_tcp_from_fd(fds[i], &conn), 0);
        edo_task_detach(SPAWN_LOCAL(
            NEW(plays, .conn = conn, .rounds = i == 0 ? 200 : 0, .home = pthread_self())));
    }
    AWAIT(self->wait, edo_local_set_wait(self->set));
    ASYNC_END;
}

Test(local_set, its_tasks_use_the_runtimes_sockets)
{
    for (int i = 0; i < WORKER_COUNTS; i++) {
        struct bench bench;
        bench_begin(&bench);
        struct edo_local_set *set = set_new();
        struct edo_runtime *runtime = runtime_of(worker_counts[i]);
        struct plays_both main = NEW(plays_both, .set = set);
        cr_assert_eq(edo_local_set_block_on(set, runtime, &main), 0);
        edo_local_set_drop(set);
        edo_runtime_drop(runtime);
        bench_end(&bench);
    }
}

/* In a task of a multi-thread runtime there is no set to be made or run, and nothing to spawn on. */
struct cannot {
    FUTURE(int);
    struct edo_local_set *set;
    struct leaf_log log;
    struct leaf leaf;
    struct edo_local_set_run_until run;
    struct edo_local_set_wait wait;
};

static void cannot_make_one(void)
{
    struct edo_local_set *none = (struct edo_local_set *)1;
    cr_assert_eq(edo_local_set_new(&none), UV_EINVAL);
    cr_assert_null(none);
    JOIN_HANDLE(int) task = SPAWN_LOCAL(NEW(work));
    cr_assert_eq(edo_task_error(task), EDO_ENORUNTIME);
    edo_task_detach(task);
}

ASYNC(cannot)
{
    ASYNC_BEGIN;
    cannot_make_one();
    self->leaf = LEAF(&self->log, 3, 0);
    AWAIT(self->run, edo_local_set_run_until(self->set, &self->leaf));
    cr_assert_eq(self->run.output, UV_EPERM);
    cr_assert(self->log.polls == 0 && self->log.drops == 1);
    AWAIT(self->wait, edo_local_set_wait(self->set));
    cr_assert_eq(self->wait.output, UV_EPERM);
    RETURN(1);
    ASYNC_END;
}

Test(local_set, a_worker_of_a_multi_thread_runtime_makes_and_runs_none)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct edo_runtime *runtime = runtime_of(2);
    struct edo_guard guard = edo_enter(edo_runtime_handle(runtime));
    int value = 0;
    struct edo_join join = edo_join(SPAWN(NEW(cannot, .set = set)), &value);
    edo_leave(guard);
    cr_assert_eq(edo_local_set_block_on(set, runtime, &join), 0);
    cr_assert_eq(value, 1);
    edo_runtime_drop(runtime);
    edo_local_set_drop(set);
    bench_end(&bench);
}

static void counts_call(void *calls)
{
    ++*(int *)calls;
}

/* The set's tasks are nobody else's: there is no other thread to go on with them. */
static int no_calls(void)
{
    int calls = 0;
    cr_assert_eq(edo_block_in_place(counts_call, &calls), UV_EINVAL);
    return calls;
}

struct blocks_in_place {
    FUTURE(int);
};

ASYNC(blocks_in_place)
{
    ASYNC_BEGIN;
    RETURN(no_calls());
    ASYNC_END;
}

Test(local_set, nothing_of_it_blocks_in_place)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct edo_runtime *runtime = runtime_of(2);
    int value = 1;
    struct blocks_in_place main = NEW(blocks_in_place);
    JOIN_HANDLE(int) task = SPAWN_LOCAL_ON(set, NEW(blocks_in_place));
    cr_assert_eq(edo_local_set_block_on(set, runtime, &main), 0);
    cr_assert_eq(main.output, 0);
    struct edo_join join = edo_join(task, &value);
    cr_assert_eq(edo_local_set_block_on(set, runtime, &join), 0);
    cr_assert_eq(value, 0);
    /* Entered, and not polled, it forbids nothing. */
    struct edo_local_guard guard = edo_local_set_enter(set);
    int calls = 0;
    cr_assert_eq(edo_block_in_place(counts_call, &calls), 0);
    cr_assert_eq(calls, 1);
    edo_local_set_leave(guard);
    edo_runtime_drop(runtime);
    edo_local_set_drop(set);
    bench_end(&bench);
}

/* Work goes to the set from the workers, and back: local tasks serve what others ask for. */
struct asks {
    FUTURE(int);
    EDO_MPSC_SENDER(int) tx;
    int n;
    struct edo_mpsc_send send;
};

ASYNC(asks)
{
    ASYNC_BEGIN;
    for (self->n = 1; self->n <= 100; self->n++) {
        AWAIT(self->send, edo_mpsc_send(self->tx, &self->n));
        cr_assert_eq(self->send.output, 0);
    }
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx);
    ASYNC_END;
}

struct serves {
    FUTURE(int);
    EDO_MPSC_RECEIVER(int) rx;
    pthread_t home;
    int n;
    struct edo_mpsc_recv recv;
};

ASYNC(serves)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->rx, &self->n));
        cr_assert(pthread_equal(self->home, pthread_self()));
        if (self->recv.output != 0)
            break;
        self->output += self->n;
    }
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

Test(local_set, a_local_task_serves_tasks_of_the_workers)
{
    for (int i = 0; i < WORKER_COUNTS; i++) {
        struct bench bench;
        bench_begin(&bench);
        struct edo_local_set *set = set_new();
        struct edo_runtime *runtime = runtime_of(worker_counts[i]);
        EDO_MPSC_SENDER(int) tx;
        EDO_MPSC_RECEIVER(int) rx;
        cr_assert_eq(edo_mpsc(&tx, &rx, 4), 0);
        for (int j = 0; j < 4; j++)
            edo_task_detach(
                SPAWN_ON(edo_runtime_handle(runtime), NEW(asks, .tx = edo_mpsc_sender_clone(tx))));
        edo_mpsc_sender_drop(tx);
        int sum = 0;
        struct edo_join join =
            edo_join(SPAWN_LOCAL_ON(set, NEW(serves, .rx = rx, .home = pthread_self())), &sum);
        cr_assert_eq(edo_local_set_block_on(set, runtime, &join), 0);
        cr_assert_eq(join.output, 0);
        cr_assert_eq(sum, 4 * 5050);
        edo_local_set_drop(set);
        edo_runtime_drop(runtime);
        bench_end(&bench);
    }
}

/* The set goes while it sleeps and waits for tasks of the workers; or after its runtime. */
Test(local_set, dropped_before_its_runtime_or_after_it)
{
    for (int i = 0; i < 2 * WORKER_COUNTS; i++) {
        struct bench bench;
        bench_begin(&bench);
        struct edo_local_set *set = set_new();
        struct edo_runtime *runtime = runtime_of(worker_counts[i / 2]);
        int sum = 0;
        for (int j = 0; j < 10; j++)
            edo_task_detach(SPAWN_LOCAL_ON(set, NEW(stays, .home = pthread_self(),
                                                    .workers = worker_counts[i / 2], .sum = &sum)));
        struct work main = NEW(work, .yields = 1);
        cr_assert_eq(edo_local_set_block_on(set, runtime, &main), 0);
        if (i % 2 == 0)
            edo_local_set_drop(set);
        edo_runtime_drop(runtime);
        if (i % 2 != 0)
            edo_local_set_drop(set);
        bench_end(&bench);
    }
}

/* ---- Cancelled at each await ---- */

#include "support/sweep.h"

struct swept_task {
    FUTURE(int);
    int n;
    struct edo_sleep sleep;
};

ASYNC(swept_task)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    AWAIT(self->sleep, edo_sleep(2));
    if (self->n > 0)
        edo_task_detach(SPAWN_LOCAL(NEW(swept_task, .n = self->n - 1)));
    ASYNC_END;
}

struct swept {
    FUTURE(int);
    struct edo_local_set *set;
    JOIN_HANDLE(int) task;
    struct swept_task child;
    struct edo_local_set_run_until run;
    struct edo_local_set_wait wait;
    struct edo_join join;
};

ASYNC(swept)
{
    ASYNC_BEGIN;
    if (edo_local_set_new(&self->set) < 0)
        RETURN(UV_ENOMEM);
    edo_task_detach(SPAWN_LOCAL_ON(self->set, NEW(swept_task, .n = 2)));
    self->child = NEW(swept_task, .n = 1);
    AWAIT(self->run, edo_local_set_run_until(self->set, &self->child));
    cr_assert_eq(self->run.output, 0);
    self->join = edo_join(SPAWN_LOCAL_ON(self->set, NEW(swept_task)), NULL);
    AWAIT(self->run, edo_local_set_run_until(self->set, &self->join));
    cr_assert_eq(self->join.output, 0);
    AWAIT(self->wait, edo_local_set_wait(self->set));
    cr_assert_eq(self->wait.output, 0);
ASYNC_FINALLY:
    edo_local_set_drop(self->set);
    ASYNC_END;
}

Test(local_set, it_is_cancelled_at_each_await_of_who_runs_it)
{
    SWEEP(NEW(swept));
}
