/* SPDX-License-Identifier: MIT */
#include "hostile_waker.h"

#include <pthread.h>
#include <sched.h>

#include "edo.h"
#include "internal/park.h"
#include "support/runtimes.h"

typedef ONCE_CELL(int) int_cell;
static int_cell cell;

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

static int set(int value)
{
    return edo_once_cell_set(&cell, &value);
}

/* One who wants the value: a child of so many turns, and what came of it. */
struct wants {
    struct leaf child;
    struct leaf_log log;
    int value;
    union {
        struct edo_once_cell_get_or_init init;
        struct edo_once_cell_get_or_try_init try_init;
    };
};

static void want(struct wants *wants, int turns, int value)
{
    *wants = (struct wants){0};
    wants->child = LEAF(&wants->log, turns, value);
    wants->init = edo_once_cell_get_or_init(&cell, &wants->child);
}

/* A negative result fails. */
static void want_try(struct wants *wants, int turns, int result, int value)
{
    *wants = (struct wants){.value = value};
    wants->child = LEAF(&wants->log, turns, result);
    wants->try_init = edo_once_cell_get_or_try_init(&cell, &wants->child, &wants->value);
}

static void was_not_needed(const struct wants *wants)
{
    cr_assert_eq(wants->log.polls, 0);
    cr_assert_eq(wants->log.drops, 1);
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

static void look(void)
{
    cr_assert(edo_try_lock(&cell.core_.lock_));
    edo_unlock(&cell.core_.lock_);
}

Test(once_cell, no_lock_is_held_while_a_waker_runs_and_each_clone_is_dropped)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, look);
    edo_once_cell_init(&cell);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    struct wants wants[5];
    for (int i = 0; i < 5; i++) {
        want(&wants[i], 1, i);
        cr_assert_eq(POLL(wants[i].init), EDO_PENDING);
    }
    cr_assert_eq(edo_future_poll(&wants[1].init.future_, &second), EDO_PENDING);
    DROP_IT(wants[2].init);
    DROP_IT(wants[0].init);
    cr_assert_eq(other.wakes, 1);
    cr_assert_eq(other.clones, other.drops);
    DROP_IT(wants[1].init);
    cr_assert_eq(POLL(wants[3].init), EDO_PENDING);
    cr_assert_eq(POLL(wants[3].init), EDO_READY);
    cr_assert_eq(bench.counter.clones, bench.counter.drops);
    cr_assert_eq(POLL(wants[4].init), EDO_READY);
    edo_once_cell_destroy(&cell);
    hostile_end(&bench);
}

static void clone_sets(void)
{
    cr_assert_eq(set(9), 0);
}

Test(once_cell, a_clone_that_sets_it_is_not_missed)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, look);
    edo_once_cell_init(&cell);
    struct wants wants;
    want(&wants, 0, 1);
    hostile.in_clone.act = clone_sets;
    cr_assert_eq(POLL(wants.init), EDO_READY);
    was_not_needed(&wants);
    cr_assert_eq(*edo_once_cell_get(&cell), 9);
    edo_once_cell_destroy(&cell);
    hostile_end(&bench);
}

/* While the wakers of the first batch run: one comes, one of the second batch polls, one is dropped. */
enum { CROWD = 80 };
static struct wants crowd[CROWD + 1], comes;

static void meddle(void)
{
    static struct counter counter = {.waker = {&counter_stable}};
    struct edo_context cx;
    edo_context_init(&cx, &counter.waker);
    want(&comes, 0, 1);
    cr_assert_eq(edo_future_poll(&comes.init.future_, &cx), EDO_READY);
    was_not_needed(&comes);
    cr_assert_eq(edo_future_poll(&crowd[CROWD].init.future_, &cx), EDO_READY);
    edo_future_drop(&crowd[CROWD - 1].init.future_, &cx);
    cr_assert_eq(set(2), UV_EEXIST);
}

Test(once_cell, they_come_and_go_while_the_others_are_woken)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, look);
    edo_once_cell_init(&cell);
    for (int i = 0; i <= CROWD; i++) {
        want(&crowd[i], i == 0, i);
        cr_assert_eq(POLL(crowd[i].init), EDO_PENDING);
    }
    hostile.in_wake = HOSTILE_AFTER(1, meddle);
    bench.counter.wakes = 0;
    cr_assert_eq(POLL(crowd[0].init), EDO_READY);
    cr_assert_eq(bench.counter.wakes, CROWD - 2);
    for (int i = 1; i < CROWD - 1; i++)
        cr_assert_eq(POLL(crowd[i].init), EDO_READY);
    edo_once_cell_destroy(&cell);
    hostile_end(&bench);
}

/* Threads, and tasks of two runtimes: each wants each of many cells, and gives up, fails or makes the
 * value as it happens. One makes it, nobody meanwhile, and all see the same. */
enum { TIMES = 200, TASKS = 2, RUNTIMES = 2, THREADS = 6, PARTIES = RUNTIMES * TASKS + THREADS };
struct value {
    int by, serial;
};
typedef ONCE_CELL(struct value) value_cell;
static value_cell many[TIMES];
static _Atomic(int) makers[TIMES], made[TIMES];
static struct value seen[PARTIES][TIMES];

/* Takes a few turns, then fails or makes the value. */
struct makes {
    FUTURE(int);
    struct value value;
    int cell, by, turns;
    bool fails, makes;
};

ASYNC(makes)
{
    ASYNC_BEGIN;
    cr_assert_eq(edo_fetch_add(&makers[self->cell], 1, relaxed), 0);
    self->makes = true;
    while (self->turns-- > 0)
        YIELD_NOW();
    if (self->fails)
        RETURN(UV_EIO);
    self->value = (struct value){self->by, edo_fetch_add(&made[self->cell], 1, relaxed)};
    RETURN(0);
ASYNC_FINALLY:
    if (self->makes)
        edo_fetch_sub(&makers[self->cell], 1, relaxed);
    ASYNC_END;
}

static struct makes random_makes(int number, int i, unsigned *seed)
{
    return NEW(makes, .cell = i, .by = number, .turns = rand_r(seed) % 3,
               .fails = rand_r(seed) % 2);
}

/* Wants it, but for a few polls only. */
struct impatient {
    FUTURE(int);
    struct makes makes;
    struct edo_once_cell_get_or_try_init init;
    int polls;
};

static enum edo_poll impatient_poll(struct edo_future *future, struct edo_context *cx)
{
    struct impatient *self = (struct impatient *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(&self->init.future_, cx);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "impatient");
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        self->init = edo_once_cell_get_or_try_init(&many[self->makes.cell], &self->makes,
                                                   &self->makes.value);
    }
    if (edo_future_poll(&self->init.future_, cx) == EDO_READY)
        return EDO_READY;
    if (self->polls-- > 0) {
        edo_wake(cx->waker);
        return EDO_PENDING;
    }
    edo_future_drop(&self->init.future_, cx);
    return EDO_READY;
}

struct patient {
    FUTURE(int);
    int number, i;
    unsigned seed;
    struct impatient impatient;
    struct makes makes;
    struct edo_once_cell_get_or_try_init init;
};

ASYNC(patient)
{
    ASYNC_BEGIN;
    for (; self->i < TIMES; self->i++) {
        while (rand_r(&self->seed) % 2)
            AWAIT(self->impatient,
                  NEW(impatient, .makes = random_makes(self->number, self->i, &self->seed),
                      .polls = rand_r(&self->seed) % 3));
        do {
            self->makes = random_makes(self->number, self->i, &self->seed);
            AWAIT(self->init,
                  edo_once_cell_get_or_try_init(&many[self->i], &self->makes, &self->makes.value));
        } while (self->init.output < 0);
        seen[self->number][self->i] = *edo_once_cell_get(&many[self->i]);
    }
    RETURN(0);
    ASYNC_END;
}

struct patients {
    FUTURE(int);
    struct patient patients[TASKS];
};

ASYNC(patients)
{
    ASYNC_BEGIN;
    JOIN(&self->patients[0], &self->patients[1]);
    RETURN(0);
    ASYNC_END;
}

static struct patient new_patient(int number)
{
    return NEW(patient, .number = number, .seed = 500u + (unsigned)number);
}

static void *in_a_runtime(void *arg)
{
    int first = *(int *)arg;
    struct edo_runtime *runtime;
    struct patients patients =
        NEW(patients, .patients = {new_patient(first), new_patient(first + 1)});
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(test_block_on(runtime, &patients), 0);
    edo_runtime_drop(runtime);
    return NULL;
}

static void *on_its_own(void *arg)
{
    struct patient patient = new_patient(*(int *)arg);
    cr_assert_eq(edo_park_on(&patient.future_), 0);
    return NULL;
}

Test(once_cell, one_of_many_in_runtimes_and_threads_makes_it_and_all_see_the_same)
{
    struct bench bench;
    bench_begin(&bench);
    pthread_t threads[RUNTIMES + THREADS];
    int firsts[RUNTIMES + THREADS];
    cr_log_info("seeds from 500");
    for (int i = 0; i < TIMES; i++)
        edo_once_cell_init(&many[i]);
    for (int i = 0; i < RUNTIMES + THREADS; i++) {
        firsts[i] = i < RUNTIMES ? i * TASKS : RUNTIMES * (TASKS - 1) + i;
        void *(*run)(void *) = i < RUNTIMES ? in_a_runtime : on_its_own;
        cr_assert_eq(pthread_create(&threads[i], NULL, run, &firsts[i]), 0);
    }
    for (int i = 0; i < RUNTIMES + THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < TIMES; i++) {
        cr_assert_eq(edo_load(&makers[i], relaxed), 0);
        cr_assert_eq(edo_load(&made[i], relaxed), 1);
        cr_assert_eq(edo_once_cell_get(&many[i])->serial, 0);
        for (int party = 0; party < PARTIES; party++)
            cr_assert_eq(seen[party][i].by, edo_once_cell_get(&many[i])->by);
        edo_once_cell_destroy(&many[i]);
    }
    bench_end(&bench);
}
