/* SPDX-License-Identifier: MIT */
/* Local sets: who runs them, whose turn it is, what drops them. */
#include "local_set_helpers.h"

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
