/* SPDX-License-Identifier: MIT */
/* The futures of join sets: in SELECT, polled by hand, woken once, their budget, their names. */
#include "join_set_helpers.h"

/* A join_next that loses again and again takes nothing, and is off at the end. */
SCENE(selecting, JOIN_SET(int) set; int value; int sum; int ticks; bool over;
      struct edo_join_set_join_next next; struct edo_sleep sleep;)
{
    ASYNC_BEGIN;
    for (int i = 1; i <= 8; i++)
        spawn(&self->set, WORK(7 * i, i));
    while (!self->over) {
        SELECT {
            WHEN_MATCH(self->next.output != UV_EOF, self->next,
                       edo_join_set_join_next(&self->set, &self->value)) {
                cr_assert_eq(self->next.output, 0);
                self->sum += self->value;
            }
            WHEN_IF(!edo_join_set_is_empty(&self->set), self->sleep, edo_sleep(3)) {
                self->ticks++;
            }
            OTHERWISE {
                self->over = true;
            }
        }
    }
    cr_assert_gt(self->ticks, 8);
    RETURN(self->sum);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, a_branch_that_loses_has_taken_no_task)
{
    cr_assert_eq(RUN_PAUSED(NEW(selecting)), 36);
}

/* One branch waits, another spawns, and lets go of all. */
struct waits_next {
    FUTURE(int);
    JOIN_SET(int) * set;
    int value, got;
    struct edo_join_set_join_next next;
};

ASYNC(waits_next)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->next, edo_join_set_join_next(self->set, &self->value));
        if (self->next.output == UV_EOF)
            RETURN(self->got);
        self->got++;
    }
    ASYNC_END;
}

struct lets_go {
    FUTURE(int);
    JOIN_SET(int) * set;
    bool detaches;
    struct edo_sleep sleep;
};

ASYNC(lets_go)
{
    ASYNC_BEGIN;
    spawn(self->set, WORK(1, 1));
    AWAIT(self->sleep, edo_sleep(5));
    spawn(self->set, WORK(1, 2));
    AWAIT(self->sleep, edo_sleep(5));
    if (self->detaches)
        edo_join_set_detach_all(self->set);
    else
        edo_join_set_drop(self->set);
    ASYNC_END;
}

SCENE(branches, JOIN_SET(int) set; bool detaches; struct waits_next waits; struct lets_go lets_go;)
{
    ASYNC_BEGIN;
    spawn(&self->set, FOREVER);
    self->waits = NEW(waits_next, .set = &self->set);
    self->lets_go = NEW(lets_go, .set = &self->set, .detaches = self->detaches);
    JOIN(&self->waits, &self->lets_go);
    RETURN(self->waits.output);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, who_waits_sees_what_another_branch_does)
{
    cr_assert_eq(RUN_PAUSED(NEW(branches)), 2);
    cr_assert_eq(RUN_PAUSED(NEW(branches, .detaches = true)), 2);
}

/* A future by hand, which joins until the set is empty. */
struct by_hand {
    FUTURE(int);
    JOIN_SET(int) * set;
    int value, polls;
};

static enum edo_poll by_hand_poll(struct edo_future *future, struct edo_context *cx)
{
    struct by_hand *self = (struct by_hand *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "by_hand");
    self->polls++;
    for (;;) {
        uint64_t id;
        int outcome = edo_join_set_poll_join_next_with_id(self->set, cx, &id, &self->value);
        if (outcome == UV_EAGAIN)
            return EDO_PENDING;
        if (outcome == UV_EOF)
            return EDO_READY;
        cr_assert_eq(outcome, 0);
        self->output += self->value;
    }
}

SCENE(uses_by_hand, JOIN_SET(int) set; struct by_hand by_hand;)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 10; i++)
        spawn(&self->set, WORK(1 + i / 5, i));
    AWAIT(self->by_hand, NEW(by_hand, .set = &self->set));
    cr_assert_leq(self->by_hand.polls, 3, "it is woken when one has ended, not for each");
    cr_assert_eq(edo_join_set_poll_join_next(&self->set, cx, NULL), UV_EOF);
    RETURN(self->by_hand.output);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, a_future_by_hand_polls_it)
{
    cr_assert_eq(RUN_PAUSED(NEW(uses_by_hand)), 45);
}

/* On an executor of another make: one wake for many ends, and the clones given back. */
static const struct edo_waker_ops foreign_ops = {counter_wake, counter_clone, counter_drop, NULL,
                                                 NULL};

SCENE(rests, int turns;)
{
    ASYNC_BEGIN;
    while (self->turns-- > 0)
        YIELD_NOW();
    ASYNC_END;
}

static void turn(struct edo_runtime *runtime, int turns)
{
    struct rests rests = NEW(rests, .turns = turns);
    cr_assert_eq(edo_block_on(runtime, &rests), 0);
}

Test(join_set, ends_wake_once_whoever_polled_last)
{
    struct bench bench;
    bench_begin(&bench);
    bench.counter.waker.ops = &foreign_ops;
    struct counter other = {.waker.ops = &foreign_ops};
    struct edo_context by_other;
    edo_context_init(&by_other, &other.waker);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    JOIN_SET(int) set = NULL;
    for (int i = 0; i < 10; i++)
        cr_assert_eq(edo_join_set_spawn_on(&set, edo_runtime_handle(runtime), WORK(0, i)), 0);
    int value = -1;
    struct edo_join_set_join_next next = edo_join_set_join_next(&set, &value);
    cr_assert_eq(POLL(next), EDO_PENDING);
    cr_assert_eq(POLL(next), EDO_PENDING);
    cr_assert_eq(bench.counter.clones, 1, "it is there already");
    cr_assert_eq(POLL_BY(next, &by_other), EDO_PENDING);
    cr_assert_eq(bench.counter.drops, 1);
    turn(runtime, 2);
    cr_assert_eq(bench.counter.wakes, 0);
    cr_assert_eq(other.wakes, 1);
    cr_assert_eq(other.clones, other.drops);
    cr_assert_eq(POLL_BY(next, &by_other), EDO_READY);
    cr_assert_eq(value, 0);
    for (int i = 1; i < 10; i++)
        cr_assert_eq(edo_join_set_try_join_next(&set, &value), 0);
    cr_assert_eq(value, 9);
    /* Dropped while it waits, the waker goes with the set. */
    cr_assert_eq(edo_join_set_spawn_on(&set, edo_runtime_handle(runtime), FOREVER), 0);
    next = edo_join_set_join_next(&set, &value);
    cr_assert_eq(POLL(next), EDO_PENDING);
    DROP_IT(next);
    edo_join_set_drop(&set);
    cr_assert_eq(bench.counter.clones, bench.counter.drops);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

Test(join_set, a_join_takes_one_off_the_budget)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    JOIN_SET(int) set = NULL;
    for (int i = 0; i < 4; i++)
        cr_assert_eq(edo_join_set_spawn_on(&set, edo_runtime_handle(runtime), WORK(0, i)), 0);
    turn(runtime, 2);
    bench.cx.budget = 3;
    struct edo_join_set_join_all all = edo_join_set_join_all(&set, NULL, 0);
    cr_assert_eq(POLL(all), EDO_PENDING);
    cr_assert_eq(all.count, 3);
    cr_assert_eq(bench.counter.wakes, 1);
    bench.cx.budget = 3;
    cr_assert_eq(POLL(all), EDO_READY);
    cr_assert_eq(all.output, 4);
    cr_assert_eq(bench.cx.budget, 2, "the end is for nothing");
    edo_join_set_drop(&set);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

Test(join_set, its_futures_have_names)
{
    struct bench bench;
    bench_begin(&bench);
    JOIN_SET(int) set = NULL;
    struct edo_join_set_join_next next = edo_join_set_join_next(&set, NULL);
    struct edo_join_set_join_all all = edo_join_set_join_all(&set, NULL, 0);
    struct edo_join_set_shutdown shutdown = edo_join_set_shutdown(&set);
    edo_future_trace(&next.future_, &bench.cx);
    edo_future_trace(&all.future_, &bench.cx);
    edo_future_trace(&shutdown.future_, &bench.cx);
    cr_assert_str_eq(bench.trace,
                     "edo_join_set_join_next\nedo_join_set_join_all\nedo_join_set_shutdown\n");
    bench_end(&bench);
}
