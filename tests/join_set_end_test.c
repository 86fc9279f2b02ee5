/* SPDX-License-Identifier: MIT */
/* What becomes of the tasks of a join set: aborted, detached, dropped, refused, outlived. */
#include "join_set_helpers.h"
#include "io_helpers.h"

SCENE(aborting_all, JOIN_SET(int) set; int i; int value; struct edo_sleep sleep;
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    edo_join_set_abort_all(&self->set);
    finals_begin();
    spawn(&self->set, WORK(1, 8));
    AWAIT(self->sleep, edo_sleep(2));
    for (self->i = 0; self->i < 10; self->i++)
        spawn(&self->set, FOREVER);
    YIELD_NOW();
    spawn(&self->set, FOREVER); /* not polled yet */
    edo_join_set_abort_all(&self->set);
    edo_join_set_abort_all(&self->set);
    cr_assert_eq(edo_join_set_len(&self->set), 12, "they stay");
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    cr_assert_eq(self->next.output, 0, "one that has ended keeps its output");
    cr_assert_eq(self->value, 8);
    for (self->i = 0; self->i < 11; self->i++) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
        cr_assert_eq(self->next.output, UV_ECANCELED);
    }
    cr_assert_eq(finals_now(), 12);
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    cr_assert_eq(self->next.output, UV_EOF);
    /* And goes on. */
    spawn(&self->set, WORK(1, 9));
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    cr_assert_eq(self->value, 9);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, abort_all_leaves_them_in_the_set_to_be_joined)
{
    RUN_PAUSED(NEW(aborting_all));
}

SCENE(shutting_down, JOIN_SET(int) set; int i; struct edo_sleep sleep;
      struct edo_join_set_shutdown shutdown;)
{
    ASYNC_BEGIN;
    finals_begin();
    AWAIT(self->shutdown, edo_join_set_shutdown(&self->set));
    for (self->i = 0; self->i < 300; self->i++)
        spawn(&self->set, FOREVER);
    spawn(&self->set, NEW(work, .ms = 1, .panics = true));
    spawn(&self->set, WORK(1, 1));
    AWAIT(self->sleep, edo_sleep(2));
    AWAIT(self->shutdown, edo_join_set_shutdown(&self->set));
    cr_assert_eq(finals_now(), 302, "it waits for all");
    cr_assert(edo_join_set_is_empty(&self->set));
    spawn(&self->set, WORK(1, 1));
    cr_assert_eq(edo_join_set_len(&self->set), 1);
    AWAIT(self->shutdown, edo_join_set_shutdown(&self->set));
    cr_assert_eq(finals_now(), 303);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, shutdown_aborts_all_and_waits_for_them)
{
    RUN_PAUSED(NEW(shutting_down));
}

SCENE(detaching, JOIN_SET(int) set; int value; struct edo_sleep sleep;
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    finals_begin();
    edo_join_set_detach_all(&self->set);
    spawn(&self->set, WORK(1, 1));
    AWAIT(self->sleep, edo_sleep(2));
    spawn(&self->set, WORK(10, 2));
    spawn(&self->set, WORK(10, 3));
    edo_join_set_detach_all(&self->set);
    cr_assert(edo_join_set_is_empty(&self->set));
    cr_assert_eq(edo_join_set_last_id(&self->set), 0);
    spawn(&self->set, WORK(20, 4));
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    cr_assert_eq(self->value, 4, "those that were detached are not of the set any more");
    cr_assert_eq(finals_now(), 4, "they went on");
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, detach_all_lets_them_go_on_by_themselves)
{
    RUN_PAUSED(NEW(detaching));
}

SCENE(dropping, JOIN_SET(int) set; struct edo_sleep sleep;)
{
    ASYNC_BEGIN;
    finals_begin();
    spawn(&self->set, WORK(1, 1));
    spawn(&self->set, NEW(work, .ms = 1, .panics = true)); /* which is then said on stderr */
    spawn(&self->set, FOREVER);
    AWAIT(self->sleep, edo_sleep(2));
    spawn(&self->set, FOREVER);
    cr_assert_eq(finals_now(), 2);
    edo_join_set_drop(&self->set);
    cr_assert_eq(finals_now(), 2, "it waits for none");
    YIELD_NOW();
    cr_assert_eq(finals_now(), 4);
    ASYNC_END;
}

Test(join_set, drop_aborts_all_and_waits_for_none)
{
    RUN_PAUSED(NEW(dropping));
}

SCENE(moving, JOIN_SET(int) set; JOIN_SET(int) other; int value;
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    spawn(&self->set, WORK(1, 1));
    spawn(&self->set, WORK(2, 2));
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    self->other = self->set;
    self->set = NULL;
    spawn(&self->other, WORK(1, 3));
    AWAIT(self->next, edo_join_set_join_next(&self->other, &self->value));
    AWAIT(self->next, edo_join_set_join_next(&self->other, &self->value));
    AWAIT(self->next, edo_join_set_join_next(&self->other, &self->value));
    cr_assert_eq(self->next.output, UV_EOF);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    edo_join_set_drop(&self->other);
    ASYNC_END;
}

Test(join_set, one_is_a_pointer_that_may_be_moved)
{
    RUN_PAUSED(NEW(moving));
}

SCENE(aborts_the_owner, JOIN_HANDLE(int) handle; struct edo_join join; struct edo_sleep sleep;)
{
    ASYNC_BEGIN;
    finals_begin();
    self->handle = SPAWN(NEW(owner));
    AWAIT(self->sleep, edo_sleep(1));
    edo_task_abort(self->handle);
    AWAIT(self->join, edo_join(self->handle, NULL));
    cr_assert_eq(self->join.output, UV_ECANCELED);
    AWAIT(self->sleep, edo_sleep(1));
    cr_assert_eq(finals_now(), 10);
    /* And one that ends with its runtime. */
    edo_task_detach(SPAWN(NEW(owner)));
    YIELD_NOW();
    YIELD_NOW();
    ASYNC_END;
}

Test(join_set, one_in_a_frame_goes_with_it)
{
    RUN_PAUSED(NEW(aborts_the_owner));
    cr_assert_eq(finals_now(), 20);
}

Test(join_set, outside_of_a_runtime_there_is_nothing_to_spawn_on)
{
    struct baseline start = baseline();
    JOIN_SET(int) set = NULL;
    finals_begin();
    cr_assert_eq(edo_join_set_spawn(&set, WORK(0, 1)), EDO_ENORUNTIME);
    cr_assert_eq(finals_now(), 1, "the future was dropped");
    cr_assert_null(set, "and needs no drop");
    cr_assert_eq(edo_join_set_last_id(&set), 0);
    cr_assert_eq(edo_join_set_try_join_next(&set, NULL), UV_EOF);
    check_baseline(&start);
}

SCENE(out_of_memory, JOIN_SET(int) set; int n; int value; struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    finals_begin();
    for (self->n = 1;; self->n++) {
        edo_alloc_fail((uint64_t)self->n, false);
        int error = edo_join_set_spawn(&self->set, WORK(0, self->n));
        if (!edo_alloc_fail(0, false)) {
            cr_assert_eq(error, 0);
            break;
        }
        cr_assert_eq(error, UV_ENOMEM);
        cr_assert_eq(finals_now(), self->n);
        cr_assert(edo_join_set_is_empty(&self->set));
        cr_assert_eq(edo_join_set_last_id(&self->set), 0);
        edo_join_set_drop(&self->set);
    }
    cr_assert_eq(self->n, 3, "a set and a task");
    /* One that fails leaves the others as they are. */
    edo_alloc_fail(1, false);
    cr_assert_eq(edo_join_set_spawn(&self->set, WORK(0, 0)), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_eq(edo_join_set_len(&self->set), 1);
    cr_assert_eq(edo_join_set_last_id(&self->set), 0);
    /* A join, a drop need no memory. */
    edo_alloc_fail(1, true);
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    edo_join_set_drop(&self->set);
    cr_assert_not(edo_alloc_fail(0, false));
    cr_assert_eq(self->value, 3);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, without_memory_the_future_is_dropped_and_the_set_as_it_was)
{
    RUN_ALONE(NEW(out_of_memory));
}

SCENE(refused, JOIN_SET(int) set; struct edo_handle * gone; int value;
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    finals_begin();
    cr_assert_eq(edo_join_set_spawn_on(&self->set, self->gone, WORK(0, 1)), 0);
    cr_assert_eq(finals_now(), 1);
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    cr_assert_eq(self->next.output, UV_ECANCELED);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, a_runtime_that_is_gone_aborts_at_once)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct edo_handle *gone = edo_handle_clone(edo_runtime_handle(runtime));
    edo_runtime_drop(runtime);
    RUN(NEW(refused, .gone = gone));
    edo_handle_drop(gone);
    check_baseline(&start);
}

/* A set that outlives the runtime of its tasks: of a thread that runs none. */
Test(join_set, a_set_outlives_the_runtime_of_its_tasks)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    JOIN_SET(int) set = NULL, other = NULL;
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(edo_join_set_spawn_on(&set, edo_runtime_handle(runtime), FOREVER), 0);
        cr_assert_eq(edo_join_set_spawn_on(&other, edo_runtime_handle(runtime), FOREVER), 0);
    }
    int value = 0;
    struct edo_join_set_join_next next = edo_join_set_join_next(&set, &value);
    cr_assert_eq(POLL(next), EDO_PENDING);
    edo_runtime_drop(runtime);
    cr_assert_eq(bench.counter.wakes, 1, "the first that ends wakes");
    cr_assert_eq(POLL(next), EDO_READY);
    cr_assert_eq(next.output, UV_ECANCELED);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(edo_join_set_try_join_next(&set, &value), UV_ECANCELED);
    cr_assert_eq(edo_join_set_try_join_next(&set, &value), UV_EOF);
    edo_join_set_drop(&set);
    edo_join_set_drop(&other);
    bench_end(&bench);
}
