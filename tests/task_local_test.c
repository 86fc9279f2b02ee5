/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "edo.h"
#include "internal/census.h"
#include "support/runtimes.h"

TASK_LOCAL(int, number);
TASK_LOCAL(const char *, label);

static _Atomic(int) seen_in_finally;

struct reader {
    FUTURE(int);
    int yields;
};

ASYNC(reader)
{
    ASYNC_BEGIN;
    while (self->yields-- > 0)
        YIELD_NOW();
    RETURN(number_get(cx) != NULL ? *number_get(cx) : -1);
ASYNC_FINALLY:
    seen_in_finally = number_get(cx) != NULL ? *number_get(cx) : -1;
    ASYNC_END;
}

struct scoped {
    FUTURE(int);
    int value, yields;
    struct reader reader;
    struct number_scope scope;
};

ASYNC(scoped)
{
    ASYNC_BEGIN;
    self->reader = NEW(reader, .yields = self->yields);
    AWAIT(self->scope, TASK_SCOPE(number, self->value, &self->reader));
    cr_assert_null(number_get(cx));
    RETURN(self->reader.output);
    ASYNC_END;
}

static void run(struct edo_future *future)
{
    struct edo_runtime *runtime;
    struct edo_census before = edo_census_now();
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(test_block_on_(runtime, future), 0);
    edo_runtime_drop(runtime);
    struct edo_census after = edo_census_now();
    cr_assert_arr_eq(before.live, after.live, sizeof before.live);
}

Test(task_local, a_value_is_there_inside_its_scope_and_nowhere_else)
{
    struct scoped inside = NEW(scoped, .value = 42);
    run(&inside.future_);
    cr_assert_eq(inside.output, 42);
    cr_assert_eq(seen_in_finally, 42);
    struct reader outside = NEW(reader);
    run(&outside.future_);
    cr_assert_eq(outside.output, -1);
}

struct shadow {
    FUTURE(int);
    struct reader reader;
    struct number_scope scope;
    int before;
};

ASYNC(shadow)
{
    ASYNC_BEGIN;
    cr_assert_str_eq(*label_get(cx), "outer");
    self->before = *number_get(cx);
    self->reader = NEW(reader, .yields = 2);
    AWAIT(self->scope, TASK_SCOPE(number, self->before + 1, &self->reader));
    cr_assert_eq(*number_get(cx), self->before);
    RETURN(self->reader.output);
    ASYNC_END;
}

struct outer {
    FUTURE(int);
    struct shadow shadow;
    struct number_scope scope;
    struct label_scope label;
};

ASYNC(outer)
{
    ASYNC_BEGIN;
    self->shadow = NEW(shadow);
    self->scope = TASK_SCOPE(number, 10, &self->shadow);
    AWAIT(self->label, TASK_SCOPE(label, "outer", &self->scope));
    RETURN(self->shadow.output);
    ASYNC_END;
}

Test(task_local, an_inner_scope_shadows_and_ends)
{
    struct outer outer = NEW(outer);
    run(&outer.future_);
    cr_assert_eq(outer.output, 11);
}

struct two_tasks {
    FUTURE(void);
    JOIN_HANDLE(int) a, b;
    int got_a, got_b;
    struct edo_join join;
};

ASYNC(two_tasks)
{
    ASYNC_BEGIN;
    self->a = SPAWN(NEW(scoped, .value = 1, .yields = 10));
    self->b = SPAWN(NEW(scoped, .value = 2, .yields = 10));
    AWAIT(self->join, edo_join(self->a, &self->got_a));
    AWAIT(self->join, edo_join(self->b, &self->got_b));
    cr_assert_eq(self->got_a, 1);
    cr_assert_eq(self->got_b, 2);
    ASYNC_END;
}

Test(task_local, interleaved_tasks_each_see_their_own)
{
    struct two_tasks tasks = NEW(two_tasks);
    run(&tasks.future_);
}

/* Current-thread: the task is where it was when the runtime goes. */
Test(task_local, finally_sees_it_when_the_task_is_dropped)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime), NEW(scoped, .value = 7, .yields = 1000)));
    struct edo_yield_now yield = edo_yield_now();
    cr_assert_eq(edo_block_on(runtime, &yield), 0);
    seen_in_finally = 0;
    edo_runtime_drop(runtime);
    cr_assert_eq(seen_in_finally, 7);
}

/* As of every combinator, the child may be done already. */
Test(task_local, a_child_that_is_done_already_is_not_polled)
{
    struct edo_census before = edo_census_now();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct reader reader = NEW(reader);
    cr_assert_eq(test_block_on(runtime, &reader), 0);
    struct number_scope scope = TASK_SCOPE(number, 1, &reader);
    cr_assert_eq(test_block_on(runtime, &scope), 0);
    cr_assert_eq(reader.output, -1);
    edo_runtime_drop(runtime);
    struct edo_census after = edo_census_now();
    cr_assert_arr_eq(before.live, after.live, sizeof before.live);
}
