/* SPDX-License-Identifier: MIT */
/* Join sets of local tasks, and of blocking work. */
#include "join_set_helpers.h"

SCENE(local, JOIN_SET(int) set; struct edo_local_set * other; int value; int sum;
      struct edo_join_set_join_next next; struct edo_local_set_wait wait;)
{
    ASYNC_BEGIN;
    /* Of the current-thread runtime, which is one. */
    cr_assert_eq(edo_join_set_spawn_local(&self->set, WORK(1, 1)), 0);
    cr_assert_eq(edo_join_set_spawn_local_on(&self->set, self->other, WORK(2, 2)), 0);
    cr_assert_neq(edo_join_set_last_id(&self->set), 0);
    AWAIT(self->wait, edo_local_set_wait(self->other));
    for (;;) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
        if (self->next.output == UV_EOF)
            break;
        cr_assert_eq(self->next.output, 0);
        self->sum += self->value;
    }
    /* It goes with its local set. */
    cr_assert_eq(edo_join_set_spawn_local_on(&self->set, self->other, FOREVER), 0);
    edo_local_set_drop(self->other);
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    cr_assert_eq(self->next.output, UV_ECANCELED);
    RETURN(self->sum);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, it_has_local_tasks)
{
    struct baseline start = baseline();
    struct edo_local_set *other;
    cr_assert_eq(edo_local_set_new(&other), 0);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    struct local local = NEW(local, .other = other);
    cr_assert_eq(edo_block_on(runtime, &local), 0);
    cr_assert_eq(local.output, 3);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

Test(join_set, without_a_local_set_there_is_no_local_task)
{
    struct baseline start = baseline();
    JOIN_SET(int) set = NULL;
    cr_assert_eq(edo_join_set_spawn_local(&set, WORK(0, 1)), EDO_ENORUNTIME);
    cr_assert(edo_join_set_is_empty(&set));
    edo_join_set_drop(&set);
    check_baseline(&start);
}

SCENE(blocking, JOIN_SET(int) set; int arguments[20]; int value; int sum;
      struct edo_join_set_join_next next; struct edo_join_set_shutdown shutdown;)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 20; i++) {
        self->arguments[i] = i;
        cr_assert_eq(edo_join_set_spawn_blocking(&self->set, edo_call(twice, &self->arguments[i])),
                     0);
    }
    for (;;) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
        if (self->next.output == UV_EOF)
            break;
        cr_assert_eq(self->next.output, 0);
        self->sum += self->value;
    }
    /* Those that have begun are waited for, the others never run. */
    for (int i = 0; i < 20; i++)
        cr_assert_eq(edo_join_set_spawn_blocking_on(&self->set, edo_handle_current(),
                                                    edo_call(twice, &self->arguments[i])),
                     0);
    AWAIT(self->shutdown, edo_join_set_shutdown(&self->set));
    RETURN(self->sum);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, it_has_blocking_tasks)
{
    struct baseline start = baseline();
    struct blocking blocking = NEW(blocking);
    run_in(&(const struct edo_builder){.max_blocking_threads = 3}, &blocking.future_);
    cr_assert_eq(blocking.output, 380);
    check_baseline(&start);
}

/* Where no thread can be had, the set is as it was. */
SCENE(no_thread, JOIN_SET(int) set; int n; int argument; int value;
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    spawn(&self->set, WORK(0, 3));
    for (self->n = 1;; self->n++) {
        edo_alloc_fail((uint64_t)self->n, true);
        int error = edo_join_set_spawn_blocking(&self->set, edo_call(twice, &self->argument));
        if (!edo_alloc_fail(0, false)) {
            cr_assert_eq(error, 0);
            break;
        }
        cr_assert_eq(error, UV_ENOMEM);
        cr_assert_eq(edo_join_set_len(&self->set), 1);
        cr_assert_eq(edo_join_set_last_id(&self->set), 0);
    }
    cr_assert_gt(self->n, 1);
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    cr_assert_eq(self->next.output, UV_EOF);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, blocking_work_that_is_refused_is_not_in_it)
{
    RUN_ALONE(NEW(no_thread));
}
