/* SPDX-License-Identifier: MIT */
/* Blocking work: on threads of its own, bounded, and in all else a task. */
#include "io_helpers.h"

struct outputs {
    FUTURE(int);
    JOIN_HANDLE(int) handle;
    int value;
    struct edo_join join;
};

static int twice(void *argument)
{
    return 2 * *(int *)argument;
}

ASYNC(outputs)
{
    ASYNC_BEGIN;
    self->value = 21;
    self->handle = SPAWN_BLOCKING(edo_call(twice, &self->value));
    cr_assert_eq(edo_task_error(self->handle), 0);
    AWAIT(self->join, edo_join(self->handle, &self->value));
    cr_assert_eq(self->join.output, 0);
    RETURN(self->value);
    ASYNC_END;
}

Test(blocking, a_join_gives_the_output)
{
    cr_assert_eq(RUN(NEW(outputs)), 42);
}
