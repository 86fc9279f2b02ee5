/* SPDX-License-Identifier: MIT */
#include "combinator_harness.h"

#include <pthread.h>
#include <sched.h>

#include "internal/park.h"

typedef SHARED(int) shared_int;

static shared_int shared_leaf(struct leaf_log *log, int turns, int result)
{
    shared_int shared = {0};
    cr_assert_eq(edo_shared(&shared, LEAF(log, turns, result)), 0);
    return shared;
}

#define GIVE_BACK(clone) edo_shared_drop(&(clone), &bench.cx)

/* A leaf that nobody wakes but the test. */
struct gate_log {
    struct edo_waker *waker; /* a clone */
    int polls, drops;
    bool open;
};

struct gate {
    FUTURE(int);
    struct gate_log *log;
};

static enum edo_poll gate_poll(struct edo_future *future, struct edo_context *cx)
{
    struct gate_log *log = ((struct gate *)future)->log;
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "gate");
    if (log->waker != NULL)
        edo_waker_drop(log->waker);
    log->waker = NULL;
    if (cx->walk == EDO_WALK_DROP) {
        log->drops++;
        return EDO_READY;
    }
    log->polls++;
    ((struct gate *)future)->output = 33;
    if (log->open)
        return EDO_READY;
    log->waker = edo_waker_clone(cx->waker);
    return EDO_PENDING;
}

Test(shared, all_get_a_pointer_to_one_output)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    shared_int a = shared_leaf(&log, 2, 5), b = edo_shared_clone(&a), c = edo_shared_clone(&b);
    cr_assert_eq(RUN(a), 3);
    cr_assert_eq(*a.output, 5);
    cr_assert_eq(POLL(b), EDO_READY);
    cr_assert_eq(POLL(c), EDO_READY);
    cr_assert(a.output == b.output && b.output == c.output);
    shared_int late = edo_shared_clone(&a);
    cr_assert_eq(POLL(late), EDO_READY);
    cr_assert_eq(log.polls, 3);
    GIVE_BACK(a);
    GIVE_BACK(b);
    GIVE_BACK(c);
    cr_assert_eq(*late.output, 5, "good as long as this one is");
    GIVE_BACK(late);
    GIVE_BACK(late);
    cr_assert_eq(log.drops, 0);
    cr_assert_eq(bench.cx.budget, EDO_BUDGET);
    bench_end(&bench);
}

Test(shared, a_wake_wakes_all_and_the_first_that_is_polled_drives)
{
    struct bench bench;
    bench_begin(&bench);
    struct gate_log gate = {0};
    struct counter wakers[3];
    shared_int clones[3];
    cr_assert_eq(edo_shared(&clones[0], NEW(gate, .log = &gate)), 0);
    clones[1] = edo_shared_clone(&clones[0]);
    clones[2] = edo_shared_clone(&clones[0]);
    for (int i = 0; i < 3; i++) {
        wakers[i] = (struct counter){.waker.ops = &counter_stable};
        bench.cx.waker = &wakers[i].waker;
        cr_assert_eq(POLL(clones[i]), EDO_PENDING);
    }
    cr_assert_eq(gate.polls, 1, "once a wake, whoever polls");
    bench.cx.waker = &wakers[1].waker;
    cr_assert_eq(POLL(clones[1]), EDO_PENDING);
    cr_assert_eq(gate.polls, 1);
    gate.open = true;
    edo_wake(gate.waker);
    edo_wake(gate.waker);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(wakers[i].wakes, 1);
    bench.cx.waker = &wakers[2].waker;
    cr_assert_eq(POLL(clones[2]), EDO_READY);
    cr_assert_eq(gate.polls, 2);
    cr_assert_eq(POLL(clones[0]), EDO_READY);
    cr_assert_eq(*clones[0].output, 33);
    bench.cx.waker = &bench.counter.waker;
    for (int i = 0; i < 3; i++)
        GIVE_BACK(clones[i]); /* one of them was not done */
    cr_assert_eq(gate.drops, 0);
    bench_end(&bench);
}

Test(shared, those_who_wait_are_woken_when_it_is_done)
{
    struct bench bench;
    bench_begin(&bench);
    struct gate_log gate = {.open = false};
    struct counter other = {.waker.ops = &counter_stable};
    shared_int a, b;
    cr_assert_eq(edo_shared(&a, NEW(gate, .log = &gate)), 0);
    b = edo_shared_clone(&a);
    cr_assert_eq(POLL(a), EDO_PENDING);
    edo_wake(gate.waker);
    gate.open = true;
    cr_assert_eq(bench.counter.wakes, 1);
    /* It comes after the wake, and drives; the one that was woken finds it done. */
    bench.cx.waker = &other.waker;
    cr_assert_eq(POLL(b), EDO_READY);
    bench.cx.waker = &bench.counter.waker;
    cr_assert_eq(POLL(a), EDO_READY);
    GIVE_BACK(a);
    GIVE_BACK(b);
    bench_end(&bench);
}

Test(shared, when_the_one_that_drove_it_is_dropped_another_goes_on)
{
    for (int woken = 0; woken < 2; woken++) {
        struct bench bench;
        bench_begin(&bench);
        struct gate_log gate = {0};
        struct counter other = {.waker.ops = &counter_stable};
        shared_int a, b;
        cr_assert_eq(edo_shared(&a, NEW(gate, .log = &gate)), 0);
        b = edo_shared_clone(&a);
        cr_assert_eq(POLL(a), EDO_PENDING);
        bench.cx.waker = &other.waker;
        cr_assert_eq(POLL(b), EDO_PENDING);
        gate.open = true;
        if (woken)
            edo_wake(gate.waker);
        bench.cx.waker = &bench.counter.waker;
        DROP_IT(a);
        cr_assert_eq(gate.drops, 0);
        if (!woken)
            edo_wake(gate.waker);
        cr_assert_eq(other.wakes, 1);
        bench.cx.waker = &other.waker;
        cr_assert_eq(POLL(b), EDO_READY);
        cr_assert_eq(*b.output, 33);
        GIVE_BACK(b);
        bench_end(&bench);
    }
}

Test(shared, dropped_at_each_poll_the_last_one_drops_the_inner_future)
{
    for (int polls = 0; polls < 5; polls++)
        for (int order = 0; order < 2; order++) {
            struct bench bench;
            bench_begin(&bench);
            struct leaf_log log = {0};
            int finally = 0;
            shared_int clones[2];
            cr_assert_eq(edo_shared(&clones[0], BREAKS(BREAKS_NOWHERE, 5, &log, &finally)), 0);
            clones[1] = edo_shared_clone(&clones[0]);
            for (int i = 0; i < polls; i++)
                cr_assert_eq(POLL(clones[i % 2]), EDO_PENDING);
            cr_assert_eq(log.polls, polls);
            DROP_IT(clones[order]);
            cr_assert_eq(finally, 0);
            GIVE_BACK(clones[!order]);
            cr_assert_eq(finally, 1);
            cr_assert_eq(log.drops, polls > 0);
            bench_end(&bench);
        }
}

Test(shared, without_memory_nothing_is_made)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    shared_int shared = {0};
    edo_alloc_fail(1, false);
    cr_assert_eq(edo_shared(&shared, LEAF(&log, log.polls++, 5)), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_eq(log.polls, 0);
    GIVE_BACK(shared);
    bench_end(&bench);
}

static int freed;

static void free_output(int *output)
{
    freed += *output;
}

Test(shared, the_last_clone_frees_what_the_output_owns)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    shared_int a = shared_leaf(&log, 1, 5), b;
    edo_shared_on_drop(&a, free_output);
    b = edo_shared_clone(&a);
    RUN(a);
    GIVE_BACK(a);
    cr_assert_eq(freed, 0);
    GIVE_BACK(b);
    cr_assert_eq(freed, 5);
    a = shared_leaf(&log, 1, 5);
    edo_shared_on_drop(&a, free_output);
    GIVE_BACK(a);
    cr_assert_eq(freed, 5, "there was none");
    bench_end(&bench);
}

Test(shared, a_panic_is_one_of_each_clone)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally = 0;
    shared_int a, b, c;
    cr_assert_eq(edo_shared(&a, BREAKS(BREAKS_IN_BODY, 1, &log, &finally)), 0);
    b = edo_shared_clone(&a);
    c = edo_shared_clone(&a);
    cr_assert_eq(POLL(a), EDO_PENDING);
    cr_assert_eq(POLL(b), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.message, "the body broke");
    cr_assert_str_eq(CHAIN(b), "edo_shared\n breaks\n");
    cr_assert_str_eq(CHAIN(a), "edo_shared\n", "the frames are no longer its");
    DROP_IT(b);
    cr_assert_eq(finally, 1);
    for (int i = 0; i < 2; i++) {
        bench.cx.panic.name = NULL;
        shared_int *other = i == 0 ? &a : &c;
        cr_assert_eq(POLL(*other), EDO_PENDING);
        cr_assert_str_eq(bench.cx.panic.message, "the body broke");
        cr_assert_str_eq(bench.cx.panic.name, "breaks");
        DROP_IT(*other);
    }
    cr_assert_eq(finally, 1);
    bench_end(&bench);
}

Test(shared, one_that_catches_its_panic_leaves_the_others_theirs)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally = 0;
    shared_int clones[2];
    struct edo_panic panics[2];
    struct edo_catch_panic guards[2];
    cr_assert_eq(edo_shared(&clones[0], BREAKS(BREAKS_IN_BODY, 1, &log, &finally)), 0);
    clones[1] = edo_shared_clone(&clones[0]);
    for (int i = 0; i < 2; i++)
        guards[i] = edo_catch_panic(&clones[i], &panics[i]);
    cr_assert_eq(POLL(guards[0]), EDO_PENDING);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(POLL(guards[i]), EDO_READY);
        cr_assert_eq(guards[i].output, EDO_EPANIC);
        cr_assert_str_eq(panics[i].message, "the body broke");
    }
    bench_end(&bench);
}

Test(shared, the_trace_goes_on_into_the_inner_future)
{
    struct bench bench;
    bench_begin(&bench);
    struct gate_log gate = {0};
    shared_int a, b;
    cr_assert_eq(edo_shared(&a, NEW(gate, .log = &gate)), 0);
    b = edo_shared_clone(&a);
    cr_assert_eq(POLL(a), EDO_PENDING);
    cr_assert_eq(POLL(b), EDO_PENDING);
    cr_assert_str_eq(CHAIN(a), "edo_shared\n gate\n");
    cr_assert_str_eq(CHAIN(b), "edo_shared\n gate\n");
    gate.open = true;
    edo_wake(gate.waker);
    cr_assert_eq(bench.counter.wakes, 2);
    RUN(b);
    cr_assert_str_eq(CHAIN(a), "edo_shared\n");
    GIVE_BACK(a);
    GIVE_BACK(b);
    bench_end(&bench);
}

Test(shared, its_waker_outlives_it)
{
    struct bench bench;
    bench_begin(&bench);
    struct gate_log gate = {0};
    shared_int a;
    cr_assert_eq(edo_shared(&a, NEW(gate, .log = &gate)), 0);
    cr_assert_eq(POLL(a), EDO_PENDING);
    struct edo_waker *waker = edo_waker_clone(gate.waker);
    DROP_IT(a);
    cr_assert_eq(gate.drops, 1);
    edo_wake(waker);
    edo_waker_drop(waker);
    cr_assert_eq(bench.counter.wakes, 0);
    bench_end(&bench);
}

Test(shared, more_than_a_batch_of_waiters)
{
    enum { MANY = 100 };
    struct bench bench;
    bench_begin(&bench);
    struct gate_log gate = {0};
    static shared_int clones[MANY];
    cr_assert_eq(edo_shared(&clones[0], NEW(gate, .log = &gate)), 0);
    for (int i = 0; i < MANY; i++) {
        if (i > 0)
            clones[i] = edo_shared_clone(&clones[0]);
        cr_assert_eq(POLL(clones[i]), EDO_PENDING);
    }
    gate.open = true;
    edo_wake(gate.waker);
    cr_assert_eq(bench.counter.wakes, MANY);
    for (int i = MANY - 1; i >= 0; i--) {
        cr_assert_eq(POLL(clones[i]), EDO_READY);
        GIVE_BACK(clones[i]);
    }
    cr_assert_eq(gate.polls, 2);
    bench_end(&bench);
}

/* A clone is a child like any other. */
static void add_one(void *arg, const int **output, int *sum)
{
    *sum = **output + *(int *)arg;
}

struct children {
    FUTURE(int);
    shared_int a, b;
    struct edo_map map;
    int one, sum;
};

ASYNC(children)
{
    ASYNC_BEGIN;
    self->map = edo_map(&self->a, &self->sum, add_one, &self->one);
    JOIN(&self->map, &self->b);
    RETURN(self->sum + *self->b.output);
ASYNC_FINALLY:
    DROP_SHARED(self->a);
    DROP_SHARED(self->b);
    ASYNC_END;
}

Test(shared, clones_are_children_of_other_combinators)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    struct children children = NEW(children, .a = shared_leaf(&log, 3, 5), .one = 1);
    children.b = edo_shared_clone(&children.a);
    RUN(children);
    cr_assert_eq(children.output, 11);
    cr_assert_eq(log.polls, 4);
    bench_end(&bench);
}

/* An inner future that waits so many times in a list, with the core's waker as it is; its clones are in
 * several threads, which give up at some point, all but one. */
struct steps {
    FUTURE(int);
    struct edo_notify *notify;
    int left, done;
    struct edo_notified notified;
};

ASYNC(steps)
{
    ASYNC_BEGIN;
    for (; self->left > 0; self->left--) {
        AWAIT(self->notified, edo_notified(self->notify));
        self->done++;
    }
    RETURN(self->done);
    ASYNC_END;
}

struct turns {
    FUTURE(int);
    int left;
};

ASYNC(turns)
{
    ASYNC_BEGIN;
    while (self->left-- > 0)
        YIELD_NOW();
    RETURN(0);
    ASYNC_END;
}

struct awaits {
    FUTURE(int);
    shared_int shared;
    struct turns turns;
    int patience, winner;
};

ASYNC(awaits)
{
    ASYNC_BEGIN;
    self->turns = NEW(turns, .left = self->patience);
    RACE(self->winner, &self->shared, &self->turns);
    RETURN(self->winner == 0 ? *self->shared.output : -1);
ASYNC_FINALLY:
    DROP_SHARED(self->shared);
    ASYNC_END;
}

enum { THREADS = 4, STEPS = 8 };

static void *await_it(void *arg)
{
    cr_assert_eq(edo_park_on(&((struct awaits *)arg)->future_), 0);
    return NULL;
}

static _Atomic(int) ended;

static void *notify_steps(void *arg)
{
    while (!edo_load(&ended, relaxed)) {
        edo_notify_one(arg);
        sched_yield();
    }
    return NULL;
}

Test(shared, clones_in_threads_come_and_go_and_no_wake_is_lost)
{
    struct bench bench;
    bench_begin(&bench);
    for (int round = 0; round < 60; round++) {
        struct edo_notify notify;
        pthread_t threads[THREADS], notifier;
        struct awaits awaits[THREADS];
        shared_int shared;
        edo_notify_init(&notify);
        edo_store(&ended, 0, relaxed);
        cr_assert_eq(edo_shared(&shared, NEW(steps, .notify = &notify, .left = STEPS)), 0);
        for (int i = 0; i < THREADS; i++) {
            awaits[i] = NEW(awaits, .shared = edo_shared_clone(&shared),
                            .patience = i == 0 ? INT32_MAX : i * round);
            cr_assert_eq(pthread_create(&threads[i], NULL, await_it, &awaits[i]), 0);
        }
        GIVE_BACK(shared);
        cr_assert_eq(pthread_create(&notifier, NULL, notify_steps, &notify), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        edo_store(&ended, 1, relaxed);
        pthread_join(notifier, NULL);
        cr_assert_eq(awaits[0].output, STEPS);
        for (int i = 1; i < THREADS; i++)
            cr_assert(awaits[i].output == STEPS || awaits[i].output == -1);
        edo_notify_destroy(&notify);
    }
    bench_end(&bench);
}

/* In tasks of one runtime; the first is aborted while it drives. */
struct parent {
    FUTURE(int);
    struct edo_notify *notify;
    shared_int shared;
    JOIN_HANDLE(int) driver;
    JOIN_HANDLE(int) other;
    struct edo_join join;
    int value;
};

ASYNC(parent)
{
    ASYNC_BEGIN;
    if (edo_shared(&self->shared, NEW(steps, .notify = self->notify, .left = 2)) < 0)
        RETURN(UV_ENOMEM);
    self->driver =
        SPAWN(NEW(awaits, .shared = edo_shared_clone(&self->shared), .patience = INT32_MAX));
    YIELD_NOW();
    self->other =
        SPAWN(NEW(awaits, .shared = edo_shared_clone(&self->shared), .patience = INT32_MAX));
    YIELD_NOW();
    edo_task_abort(self->driver);
    edo_notify_one(self->notify);
    AWAIT(self->join, edo_join(self->driver, &self->value));
    cr_assert_eq(self->join.output, UV_ECANCELED);
    edo_notify_one(self->notify);
    AWAIT(self->join, edo_join(self->other, &self->value));
    cr_assert_eq(self->join.output, 0);
    AWAIT_REF(self->shared);
    cr_assert_eq(*self->shared.output, 2);
    RETURN(self->value);
ASYNC_FINALLY:
    DROP_SHARED(self->shared);
    ASYNC_END;
}

Test(shared, the_task_that_drove_it_is_aborted)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    struct edo_notify notify;
    edo_notify_init(&notify);
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct parent parent = NEW(parent, .notify = &notify);
    cr_assert_eq(edo_block_on(runtime, &parent), 0);
    cr_assert_eq(parent.output, 2);
    edo_runtime_drop(runtime);
    edo_notify_destroy(&notify);
    bench_end(&bench);
}

/* A panic that was under way before it was polled: of a FINALLY that the frame above ran, say. */
Test(shared, a_panic_of_somebody_else_is_not_taken_for_the_inner_futures)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    shared_int a = shared_leaf(&log, 0, 5), b = edo_shared_clone(&a);
    edo_panic(&bench.cx, "other", __FILE__, __LINE__, "not of this one");
    cr_assert_eq(POLL(a), EDO_PENDING);
    cr_assert_eq(log.polls, 0);
    DROP_IT(a);
    bench.cx.panic.name = NULL;
    cr_assert_eq(POLL(b), EDO_READY);
    cr_assert_eq(*b.output, 5);
    GIVE_BACK(b);
    bench_end(&bench);
}

/* It panics in what it drops, and ends all the same. */
struct ends_with_a_panic {
    FUTURE(int);
    struct breaks breaks;
    struct leaf_log *log;
    int *finally;
};

ASYNC(ends_with_a_panic)
{
    ASYNC_BEGIN;
    PIN(self->breaks, BREAKS(BREAKS_IN_FINALLY, 9, self->log, self->finally));
    DROP(self->breaks);
    RETURN(3);
    ASYNC_END;
}

Test(shared, one_whose_inner_future_ends_with_a_panic_is_not_ready)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally = 0;
    shared_int a, b;
    cr_assert_eq(edo_shared(&a, NEW(ends_with_a_panic, .log = &log, .finally = &finally)), 0);
    b = edo_shared_clone(&a);
    cr_assert_eq(POLL(a), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.message, "the end broke");
    bench.cx.panic.name = NULL;
    cr_assert_eq(POLL(b), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.message, "the end broke");
    GIVE_BACK(a);
    GIVE_BACK(b);
    bench_end(&bench);
}
