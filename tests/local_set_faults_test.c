/* SPDX-License-Identifier: MIT */
/* Local sets where something goes wrong: panics, no memory, hostile wakers, who runs them is dropped. */
#include "local_set_helpers.h"
#include "hostile_waker.h"
#include "support/sweep.h"

/* ---- Panics ---- */

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
    cr_assert_eq(strncmp(report, "no more than 3\n  panics (tests/local_set_helpers.h:", 51), 0,
                 "%s", report);
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

/* ---- Cancelled at each await ---- */

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
