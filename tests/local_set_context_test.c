/* SPDX-License-Identifier: MIT */
/* Local sets: what is current in them and around them, within each other, in block_on. */
#include "local_set_helpers.h"

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
    JOIN_HANDLE(int) task = EDO_TASK_NAMED("stuck", SPAWN_LOCAL_ON(set, NEW(panics)));
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
