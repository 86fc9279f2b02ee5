/* SPDX-License-Identifier: MIT */
#include "once_cell_helpers.h"

static void begin(struct bench *bench)
{
    bench_begin(bench);
    edo_once_cell_init(&cell);
}

static void end(struct bench *bench)
{
    edo_once_cell_destroy(&cell);
    bench_end(bench);
}

/* A negative result fails. */
static void want_try(struct wants *wants, int turns, int result, int value)
{
    *wants = (struct wants){.value = value};
    wants->child = LEAF(&wants->log, turns, result);
    wants->try_init = edo_once_cell_get_or_try_init(&cell, &wants->child, &wants->value);
}

Test(once_cell, one_initialises_and_the_others_wait)
{
    struct bench bench;
    begin(&bench);
    struct wants first, second, third;
    want(&first, 2, 1);
    want(&second, 0, 2);
    want_try(&third, 0, 0, 3);
    cr_assert_null(edo_once_cell_get(&cell));
    cr_assert_eq(POLL(first.init), EDO_PENDING);
    cr_assert_eq(POLL(second.init), EDO_PENDING);
    cr_assert_eq(POLL(third.try_init), EDO_PENDING);
    cr_assert_eq(POLL(first.init), EDO_PENDING);
    cr_assert_null(edo_once_cell_get(&cell));
    cr_assert_eq(bench.counter.wakes, 2);
    cr_assert_eq(POLL(first.init), EDO_READY);
    cr_assert_eq(bench.counter.wakes, 4);
    cr_assert_eq(*edo_once_cell_get(&cell), 1);
    cr_assert_eq(POLL(third.try_init), EDO_READY);
    cr_assert_eq(third.try_init.output, 0);
    cr_assert_eq(POLL(second.init), EDO_READY);
    was_not_needed(&second);
    was_not_needed(&third);
    cr_assert_eq(first.log.drops, 0);
    cr_assert_eq(*edo_once_cell_get(&cell), 1);
    end(&bench);
}

/* As one in a struct that was zeroed, or a static one without an initialiser. */
Test(once_cell, all_zeros_are_an_empty_one)
{
    struct bench bench;
    bench_begin(&bench);
    memset(&cell, 0, sizeof cell);
    edo_once_cell_destroy(&cell);
    struct wants first, second;
    want(&first, 1, 1);
    want(&second, 0, 2);
    cr_assert_eq(POLL(first.init), EDO_PENDING);
    cr_assert_eq(POLL(second.init), EDO_PENDING);
    DROP_IT(first.init);
    cr_assert_eq(POLL(second.init), EDO_READY);
    cr_assert_eq(*edo_once_cell_get(&cell), 2);
    edo_once_cell_destroy(&cell);
    memset(&cell, 0, sizeof cell);
    cr_assert_eq(set(7), 0);
    end(&bench);
}

Test(once_cell, once_it_is_set_no_child_is_polled)
{
    struct bench bench;
    begin(&bench);
    cr_assert_eq(set(7), 0);
    cr_assert_eq(set(8), UV_EEXIST);
    struct wants wants;
    want(&wants, 0, 1);
    cr_assert_eq(POLL(wants.init), EDO_READY);
    was_not_needed(&wants);
    want_try(&wants, 0, UV_EIO, 1);
    cr_assert_eq(POLL(wants.try_init), EDO_READY);
    cr_assert_eq(wants.try_init.output, 0);
    was_not_needed(&wants);
    cr_assert_eq(*edo_once_cell_get(&cell), 7);
    end(&bench);
}

Test(once_cell, set_while_it_is_initialised_is_busy)
{
    struct bench bench;
    begin(&bench);
    struct wants wants;
    want(&wants, 1, 1);
    cr_assert_eq(POLL(wants.init), EDO_PENDING);
    cr_assert_eq(set(2), UV_EBUSY);
    cr_assert_eq(POLL(wants.init), EDO_READY);
    cr_assert_eq(set(2), UV_EEXIST);
    cr_assert_eq(*edo_once_cell_get(&cell), 1);
    end(&bench);
}

Test(once_cell, set_after_one_failed_or_was_dropped)
{
    struct bench bench;
    begin(&bench);
    struct wants wants;
    want_try(&wants, 0, UV_EIO, 1);
    cr_assert_eq(POLL(wants.try_init), EDO_READY);
    cr_assert_eq(wants.try_init.output, UV_EIO);
    cr_assert_null(edo_once_cell_get(&cell));
    want(&wants, 1, 1);
    cr_assert_eq(POLL(wants.init), EDO_PENDING);
    DROP_IT(wants.init);
    cr_assert_eq(wants.log.drops, 1);
    cr_assert_null(edo_once_cell_get(&cell));
    cr_assert_eq(set(2), 0);
    cr_assert_eq(*edo_once_cell_get(&cell), 2);
    end(&bench);
}

Test(once_cell, if_it_fails_the_next_one_waiting_runs_its_own)
{
    struct bench bench;
    begin(&bench);
    struct wants wants[4];
    want_try(&wants[0], 1, UV_EIO, 0);
    want_try(&wants[1], 0, UV_ENOENT, 0);
    want_try(&wants[2], 0, 5, 12);
    want(&wants[3], 0, 13);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(POLL(wants[i].try_init), EDO_PENDING);
    cr_assert_eq(POLL(wants[3].init), EDO_PENDING);
    bench.counter.wakes = 0;
    cr_assert_eq(POLL(wants[0].try_init), EDO_READY);
    cr_assert_eq(wants[0].try_init.output, UV_EIO);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(wants[2].try_init), EDO_PENDING);
    cr_assert_eq(POLL(wants[1].try_init), EDO_READY);
    cr_assert_eq(wants[1].try_init.output, UV_ENOENT);
    cr_assert_eq(bench.counter.wakes, 2);
    cr_assert_eq(POLL(wants[2].try_init), EDO_READY);
    cr_assert_eq(wants[2].try_init.output, 0);
    cr_assert_eq(POLL(wants[3].init), EDO_READY);
    was_not_needed(&wants[3]);
    cr_assert_eq(*edo_once_cell_get(&cell), 12);
    end(&bench);
}

Test(once_cell, if_it_is_dropped_the_next_one_waiting_runs_its_own)
{
    struct bench bench;
    begin(&bench);
    struct wants first, second;
    want(&first, 5, 1);
    want(&second, 0, 2);
    cr_assert_eq(POLL(first.init), EDO_PENDING);
    cr_assert_eq(POLL(second.init), EDO_PENDING);
    bench.counter.wakes = 0;
    DROP_IT(first.init);
    cr_assert_eq(first.log.drops, 1);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(second.init), EDO_READY);
    cr_assert_eq(*edo_once_cell_get(&cell), 2);
    end(&bench);
}

Test(once_cell, one_that_is_dropped_when_its_turn_has_come_hands_it_on)
{
    struct bench bench;
    begin(&bench);
    struct wants wants[3];
    for (int i = 0; i < 3; i++) {
        want(&wants[i], 1, i);
        cr_assert_eq(POLL(wants[i].init), EDO_PENDING);
    }
    bench.counter.wakes = 0;
    DROP_IT(wants[0].init);
    DROP_IT(wants[1].init);
    cr_assert_eq(bench.counter.wakes, 2);
    was_not_needed(&wants[1]);
    DROP_IT(wants[2].init);
    was_not_needed(&wants[2]);
    cr_assert_eq(bench.counter.wakes, 2);
    cr_assert_eq(set(3), 0);
    end(&bench);
}

Test(once_cell, one_that_waits_and_is_dropped_is_passed_over)
{
    struct bench bench;
    begin(&bench);
    struct wants wants[3];
    for (int i = 0; i < 3; i++) {
        want(&wants[i], 1, i);
        cr_assert_eq(POLL(wants[i].init), EDO_PENDING);
    }
    DROP_IT(wants[1].init);
    was_not_needed(&wants[1]);
    DROP_IT(wants[0].init);
    RUN(wants[2].init);
    cr_assert_eq(*edo_once_cell_get(&cell), 2);
    end(&bench);
}

Test(once_cell, a_turn_that_is_promised_is_nobody_elses)
{
    struct bench bench;
    begin(&bench);
    struct wants first, second, comes;
    want(&first, 1, 1);
    want(&second, 0, 2);
    want(&comes, 0, 3);
    cr_assert_eq(POLL(first.init), EDO_PENDING);
    cr_assert_eq(POLL(second.init), EDO_PENDING);
    DROP_IT(first.init);
    cr_assert_eq(set(4), UV_EBUSY);
    cr_assert_eq(POLL(comes.init), EDO_PENDING);
    cr_assert_eq(comes.log.polls, 0);
    cr_assert_eq(POLL(second.init), EDO_READY);
    cr_assert_eq(POLL(comes.init), EDO_READY);
    cr_assert_eq(*edo_once_cell_get(&cell), 2);
    end(&bench);
}

Test(once_cell, one_that_was_never_polled_drops_its_child)
{
    struct bench bench;
    begin(&bench);
    struct wants first, second;
    want(&first, 0, 1);
    want_try(&second, 0, 0, 2);
    DROP_IT(first.init);
    DROP_IT(second.try_init);
    was_not_needed(&first);
    was_not_needed(&second);
    cr_assert_eq(set(3), 0);
    end(&bench);
}

Test(once_cell, one_that_was_woken_and_is_dropped)
{
    struct bench bench;
    begin(&bench);
    struct wants first, second;
    want(&first, 1, 1);
    want(&second, 0, 2);
    cr_assert_eq(POLL(first.init), EDO_PENDING);
    cr_assert_eq(POLL(second.init), EDO_PENDING);
    cr_assert_eq(POLL(first.init), EDO_READY);
    DROP_IT(second.init);
    was_not_needed(&second);
    cr_assert_eq(*edo_once_cell_get(&cell), 1);
    end(&bench);
}

/* A child that looks, when it is dropped, whether somebody else's turn has come already. */
struct looks {
    FUTURE(int);
    struct edo_context *other;
    struct wants *next;
};

ASYNC(looks)
{
    ASYNC_BEGIN;
    for (;;)
        YIELD_NOW();
ASYNC_FINALLY:
    cr_assert_eq(edo_future_poll(&self->next->init.future_, self->other), EDO_PENDING);
    cr_assert_eq(self->next->log.polls, 0);
    ASYNC_END;
}

Test(once_cell, a_child_is_dropped_before_the_next_begins)
{
    struct bench bench;
    begin(&bench);
    struct wants next;
    want(&next, 0, 2);
    struct edo_context other = bench.cx;
    struct looks looks = NEW(looks, .other = &other, .next = &next);
    struct edo_once_cell_get_or_init init = edo_once_cell_get_or_init(&cell, &looks);
    cr_assert_eq(POLL(init), EDO_PENDING);
    DROP_IT(init);
    cr_assert_eq(POLL(next.init), EDO_READY);
    end(&bench);
}

struct panics {
    FUTURE(int);
    int turns;
};

ASYNC(panics)
{
    ASYNC_BEGIN;
    while (self->turns-- > 0)
        YIELD_NOW();
    PANIC("no value");
    ASYNC_END;
}

struct init_panics {
    FUTURE(int);
    struct panics child;
    struct edo_once_cell_get_or_init init;
};

ASYNC(init_panics)
{
    ASYNC_BEGIN;
    self->child = NEW(panics, .turns = 3);
    AWAIT(self->init, edo_once_cell_get_or_init(&cell, &self->child));
    RETURN(0);
    ASYNC_END;
}

struct after_a_panic {
    FUTURE(int);
    struct leaf_log log;
    struct leaf child;
    struct edo_once_cell_get_or_init init;
    JOIN_HANDLE(int) handle;
    struct edo_join join;
    int ignored;
};

ASYNC(after_a_panic)
{
    ASYNC_BEGIN;
    self->handle = SPAWN(NEW(init_panics));
    YIELD_NOW();
    cr_assert_eq(set(1), UV_EBUSY);
    self->child = LEAF(&self->log, 2, 5);
    AWAIT(self->init, edo_once_cell_get_or_init(&cell, &self->child));
    AWAIT(self->join, edo_join(self->handle, &self->ignored));
    cr_assert_eq(self->join.output, EDO_EPANIC);
    RETURN(*edo_once_cell_get(&cell));
    ASYNC_END;
}

Test(once_cell, if_it_panics_the_next_one_waiting_runs_its_own)
{
    struct bench bench;
    begin(&bench);
    struct edo_runtime *runtime;
    /* Current-thread: after one turn the other has begun, and has not ended. */
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct after_a_panic after = NEW(after_a_panic);
    cr_assert_eq(edo_block_on(runtime, &after), 0);
    cr_assert_eq(after.output, 5);
    edo_runtime_drop(runtime);
    end(&bench);
}

/* A child that is not needed, and panics as it is dropped. */
struct panics_in_finally {
    FUTURE(int);
};

ASYNC(panics_in_finally)
{
    ASYNC_BEGIN;
ASYNC_FINALLY:
    PANIC("not needed");
    ASYNC_END;
}

Test(once_cell, a_child_that_panics_as_it_is_dropped_ends_the_task)
{
    struct bench bench;
    begin(&bench);
    struct wants wants;
    want(&wants, 1, 1);
    struct panics_in_finally child = NEW(panics_in_finally), waiting = NEW(panics_in_finally);
    struct edo_once_cell_get_or_init late, waits;
    late = edo_once_cell_get_or_init(&cell, &child);
    waits = edo_once_cell_get_or_init(&cell, &waiting);
    cr_assert_eq(POLL(wants.init), EDO_PENDING);
    cr_assert_eq(POLL(waits), EDO_PENDING);
    cr_assert_eq(POLL(wants.init), EDO_READY);
    cr_assert_eq(POLL(waits), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.name, "panics_in_finally");
    DROP_IT(waits);
    bench.cx.panic.name = NULL;
    cr_assert_eq(POLL(late), EDO_PENDING);
    cr_assert_not_null(bench.cx.panic.name);
    DROP_IT(late);
    end(&bench);
}

Test(once_cell, hundreds_wait_and_are_woken)
{
    enum { MANY = 300 };
    struct bench bench;
    begin(&bench);
    bench.cx.budget = EDO_UNCONSTRAINED;
    static struct wants wants[MANY];
    for (int i = 0; i < MANY; i++) {
        want(&wants[i], i == 0, i);
        cr_assert_eq(POLL(wants[i].init), EDO_PENDING);
    }
    cr_assert_eq(POLL(wants[0].init), EDO_READY);
    cr_assert_eq(bench.counter.wakes, MANY);
    for (int i = 1; i < MANY; i++) {
        cr_assert_eq(POLL(wants[i].init), EDO_READY);
        was_not_needed(&wants[i]);
    }
    end(&bench);
}

struct large {
    char bytes[4096];
};
struct makes_large {
    FUTURE(struct large);
};

ASYNC(makes_large)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    memset(self->output.bytes, 'x', sizeof self->output.bytes);
    ASYNC_END;
}

struct makes_nothing {
    FUTURE(void);
};

ASYNC(makes_nothing)
{
    ASYNC_BEGIN;
    ASYNC_END;
}

static ONCE_CELL(struct large) in_static_storage = ONCE_CELL_INIT(in_static_storage);

Test(once_cell, a_value_of_any_size_and_one_of_static_storage)
{
    struct bench bench;
    bench_begin(&bench);
    struct makes_large makes = NEW(makes_large);
    struct edo_once_cell_get_or_init init;
    init = edo_once_cell_get_or_init(&in_static_storage, &makes);
    RUN(init);
    for (size_t i = 0; i < sizeof(struct large); i++)
        cr_assert_eq(edo_once_cell_get(&in_static_storage)->bytes[i], 'x');
    edo_once_cell_destroy(&in_static_storage);

    ONCE_CELL(struct edo_void) of_nothing;
    edo_once_cell_init(&of_nothing);
    struct makes_nothing nothing = NEW(makes_nothing);
    init = edo_once_cell_get_or_init(&of_nothing, &nothing);
    cr_assert_null(edo_once_cell_get(&of_nothing));
    RUN(init);
    cr_assert_not_null(edo_once_cell_get(&of_nothing));
    edo_once_cell_destroy(&of_nothing);

    ONCE_CELL(char) of_char;
    edo_once_cell_init(&of_char);
    char c = 'c';
    struct leaf_log log = {0};
    struct leaf leaf = LEAF(&log, 2, 0);
    struct edo_once_cell_get_or_try_init try_init;
    try_init = edo_once_cell_get_or_try_init(&of_char, &leaf, &c);
    RUN(try_init);
    cr_assert_eq(*edo_once_cell_get(&of_char), 'c');
    edo_once_cell_destroy(&of_char);
    bench_end(&bench);
}

Test(once_cell, a_waker_is_replaced_by_that_of_the_last_poll)
{
    struct bench bench;
    begin(&bench);
    struct counter other = {.waker = {&counter_stable}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    struct wants first, waits;
    want(&first, 1, 1);
    want(&waits, 1, 2);
    cr_assert_eq(POLL(first.init), EDO_PENDING);
    cr_assert_eq(POLL(waits.init), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&waits.init.future_, &second), EDO_PENDING);
    bench.counter.wakes = 0;
    DROP_IT(first.init);
    cr_assert_eq(bench.counter.wakes, 0);
    cr_assert_eq(other.wakes, 1);
    RUN(waits.init);
    end(&bench);
}

Test(once_cell, without_budget_it_gives_way_but_a_child_has_its_own)
{
    struct bench bench;
    begin(&bench);
    struct wants first, second;
    want(&first, 1, 1);
    want(&second, 0, 2);
    bench.cx.budget = 0;
    cr_assert_eq(POLL(first.init), EDO_PENDING);
    cr_assert_eq(first.log.polls, 0);
    cr_assert_eq(bench.counter.wakes, 1);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(first.init), EDO_PENDING);
    cr_assert_eq(POLL(second.init), EDO_PENDING);
    bench.cx.budget = 0;
    cr_assert_eq(POLL(first.init), EDO_READY);
    cr_assert_eq(POLL(second.init), EDO_PENDING);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(second.init), EDO_READY);
    cr_assert_eq(bench.cx.budget, 0);
    end(&bench);
}

Test(once_cell, a_trace_names_it_and_the_child_that_runs)
{
    struct bench bench;
    begin(&bench);
    struct wants first, second;
    want(&first, 1, 1);
    want_try(&second, 1, 0, 2);
    cr_assert_eq(POLL(first.init), EDO_PENDING);
    cr_assert_eq(POLL(second.try_init), EDO_PENDING);
    edo_future_trace(&first.init.future_, &bench.cx);
    edo_future_trace(&second.try_init.future_, &bench.cx);
    cr_assert_str_eq(bench.trace,
                     "edo_once_cell_get_or_init\n leaf\nedo_once_cell_get_or_try_init\n");
    DROP_IT(first.init);
    DROP_IT(second.try_init);
    end(&bench);
}

Test(once_cell, it_allocates_nothing)
{
    struct bench bench;
    begin(&bench);
    edo_alloc_fail(1, true);
    struct wants first, second;
    want(&first, 1, 1);
    want(&second, 1, 2);
    cr_assert_eq(POLL(first.init), EDO_PENDING);
    cr_assert_eq(POLL(second.init), EDO_PENDING);
    DROP_IT(first.init);
    RUN(second.init);
    cr_assert_not(edo_alloc_fail(0, false));
    end(&bench);
}
