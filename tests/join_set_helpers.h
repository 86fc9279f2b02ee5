/* SPDX-License-Identifier: MIT */
/* What the tests of join sets share: scenes, each in a runtime of its own, and tasks that count their ends. */
#ifndef EDO_TESTS_JOIN_SET_HELPERS_H
#define EDO_TESTS_JOIN_SET_HELPERS_H

#include "poll_harness.h"

#undef RUN /* a future in a runtime of its own */
#include "io_helpers.h"

/* A scene runs in a runtime of its own, census and all. */
#define SCENE(name, ...) \
    struct name {        \
        FUTURE(int);     \
        __VA_ARGS__      \
    };                   \
    ASYNC(name)

HELPER _Atomic(int) finals;

HELPER int finals_now(void)
{
    return edo_load(&finals, relaxed);
}

HELPER void finals_begin(void)
{
    edo_store(&finals, 0, relaxed);
}

/* Sleeps, gives way, and ends with its number. */
struct work {
    FUTURE(int);
    int ms, yields, result;
    bool panics;
    struct edo_sleep sleep;
};

ASYNC(work)
{
    ASYNC_BEGIN;
    if (self->ms > 0)
        AWAIT(self->sleep, edo_sleep((uint64_t)self->ms));
    while (self->yields-- > 0)
        YIELD_NOW();
    if (self->panics)
        PANIC("number %d", self->result);
    RETURN(self->result);
ASYNC_FINALLY:
    edo_fetch_add(&finals, 1, relaxed);
    ASYNC_END;
}

#define WORK(ms_, result_) NEW(work, .ms = (ms_), .result = (result_))
#define FOREVER            NEW(work, .ms = 1000000)

HELPER void spawn(JOIN_SET(int) * set, struct work work)
{
    cr_assert_eq(edo_join_set_spawn(set, work), 0);
}

/* A task with a set is aborted, and its tasks with it. */
HELPER ASYNC_DECLARE(owner);
SCENE(owner, JOIN_SET(int) set; struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 10; i++)
        spawn(&self->set, FOREVER);
    AWAIT(self->next, edo_join_set_join_next(&self->set, NULL));
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

/* A future in a runtime that is built so. */
HELPER void run_in(const struct edo_builder *builder, struct edo_future *future)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_builder_build(builder, &runtime), 0);
    cr_assert_eq(edo_block_on_(runtime, future), 0);
    edo_runtime_drop(runtime);
}

HELPER int twice(void *argument)
{
    return 2 * *(int *)argument;
}

#endif
