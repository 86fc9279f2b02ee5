/* SPDX-License-Identifier: MIT */
/* The futures of a join set cancelled at each await, in every way. */
#include "support/sweep.h"

#include "io_helpers.h"

struct work {
    FUTURE(int);
    int ms, result;
    struct edo_sleep sleep;
};

ASYNC(work)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep((uint64_t)self->ms));
    RETURN(self->result);
    ASYNC_END;
}

struct uses {
    FUTURE(int);
    JOIN_SET(int) set;
    int value, values[3];
    struct edo_join_set_join_next next;
    struct edo_join_set_join_all all;
    struct edo_join_set_shutdown shutdown;
};

static void spawn(struct uses *self, int ms)
{
    cr_assert_eq(edo_join_set_spawn(&self->set, NEW(work, .ms = ms, .result = ms)), 0);
}

ASYNC(uses)
{
    ASYNC_BEGIN;
    spawn(self, 2);
    spawn(self, 1);
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    cr_assert_eq(self->value, 1);
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    for (int i = 0; i < 3; i++)
        spawn(self, 1 + i);
    AWAIT(self->all, edo_join_set_join_all(&self->set, self->values, COUNT_OF(self->values)));
    cr_assert_eq(self->all.output, 3);
    for (int i = 0; i < 3; i++)
        spawn(self, 1000);
    AWAIT(self->shutdown, edo_join_set_shutdown(&self->set));
    RETURN(0);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set_sweep, cancelled_at_each_await_it_leaves_nothing)
{
    SWEEP(NEW(uses));
    sweep_covered("tests/join_set_sweep_test.c");
}
