/* SPDX-License-Identifier: MIT */
/* Join sets: outcomes in the order of their ends; what becomes of tasks that are aborted, detached, dropped;
 * tasks of other runtimes, on other threads. */
#include "poll_harness.h"

#include <pthread.h>

#undef RUN /* a future in a runtime of its own */
#include "io_helpers.h"

/* A scene runs in a runtime of its own, census and all. */
#define SCENE(name, ...) \
    struct name {        \
        FUTURE(int);     \
        __VA_ARGS__      \
    };                   \
    ASYNC(name)

static _Atomic(int) finals;

static int finals_now(void)
{
    return edo_load(&finals, relaxed);
}

static void finals_begin(void)
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

static void spawn(JOIN_SET(int) * set, struct work work)
{
    cr_assert_eq(edo_join_set_spawn(set, work), 0);
}

SCENE(in_order, JOIN_SET(int) set; int i; int value; struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    cr_assert(edo_join_set_is_empty(&self->set));
    spawn(&self->set, WORK(30, 3));
    spawn(&self->set, WORK(10, 1));
    spawn(&self->set, WORK(20, 2));
    cr_assert_eq(edo_join_set_len(&self->set), 3);
    for (self->i = 1; self->i <= 3; self->i++) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
        cr_assert_eq(self->next.output, 0);
        cr_assert_eq(self->value, self->i);
        cr_assert_eq(edo_join_set_len(&self->set), (size_t)(3 - self->i));
    }
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    cr_assert_eq(self->next.output, UV_EOF);
    cr_assert_eq(self->value, 3, "unchanged");
    cr_assert(edo_join_set_is_empty(&self->set));
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, outcomes_come_in_the_order_of_the_ends)
{
    RUN_PAUSED(NEW(in_order));
}

/* Those that have all ended before the set is looked at. */
SCENE(ended_before, JOIN_SET(int) set; int i; int value; struct edo_sleep sleep;
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < 20; self->i++)
        spawn(&self->set, WORK(1 + self->i * 7 % 20, self->i * 7 % 20));
    AWAIT(self->sleep, edo_sleep(10));
    for (self->i = 0; self->i < 5; self->i++) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
        cr_assert_eq(self->value, self->i);
    }
    /* Some have been taken off the inbox, and others come. */
    AWAIT(self->sleep, edo_sleep(20));
    for (; self->i < 20; self->i++) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
        cr_assert_eq(self->value, self->i);
    }
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, those_that_ended_before_keep_their_order)
{
    RUN_PAUSED(NEW(ended_before));
}

SCENE(emptied, JOIN_SET(int) set; int round; int value; struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    for (self->round = 0; self->round < 3; self->round++) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
        cr_assert_eq(self->next.output, UV_EOF);
        spawn(&self->set, WORK(1, self->round));
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
        cr_assert_eq(self->next.output, 0);
        cr_assert_eq(self->value, self->round);
    }
    edo_join_set_drop(&self->set);
    cr_assert_null(self->set);
    edo_join_set_drop(&self->set);
    spawn(&self->set, WORK(1, 7));
    AWAIT(self->next, edo_join_set_join_next(&self->set, NULL));
    cr_assert_eq(self->next.output, 0);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, an_empty_one_is_at_its_end_and_may_be_filled_again)
{
    RUN_PAUSED(NEW(emptied));
}

/* Outputs of other types, and of futures of several types in one set. */
struct place {
    double x, y;
    char name[24];
};

struct finds {
    FUTURE(struct place);
    struct edo_sleep sleep;
};

ASYNC(finds)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(1));
    RETURN((struct place){1.5, 2.5, "a hill"});
    ASYNC_END;
}

struct strict {
    FUTURE(long double);
};

ASYNC(strict)
{
    ASYNC_BEGIN;
    RETURN(0.25L);
    ASYNC_END;
}

struct finds_at_once {
    FUTURE(struct place);
};

ASYNC(finds_at_once)
{
    ASYNC_BEGIN;
    RETURN((struct place){.name = "here"});
    ASYNC_END;
}

struct quiet {
    FUTURE(void);
};

ASYNC(quiet)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    ASYNC_END;
}

SCENE(typed, JOIN_SET(struct place) places; JOIN_SET(void) nothings; JOIN_SET(long double) numbers;
      struct place place; struct edo_void nothing; long double number;
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    cr_assert_eq(edo_join_set_spawn(&self->places, NEW(finds)), 0);
    cr_assert_eq(edo_join_set_spawn(&self->places, NEW(finds_at_once)), 0);
    AWAIT(self->next, edo_join_set_join_next(&self->places, &self->place));
    cr_assert_str_eq(self->place.name, "here");
    AWAIT(self->next, edo_join_set_join_next(&self->places, &self->place));
    cr_assert_str_eq(self->place.name, "a hill");
    cr_assert_eq(self->place.y, 2.5);

    cr_assert_eq(edo_join_set_spawn(&self->nothings, NEW(quiet)), 0);
    cr_assert_eq(edo_join_set_spawn(&self->nothings, NEW(quiet)), 0);
    AWAIT(self->next, edo_join_set_join_next(&self->nothings, &self->nothing));
    cr_assert_eq(self->next.output, 0);
    AWAIT(self->next, edo_join_set_join_next(&self->nothings, NULL));
    cr_assert_eq(self->next.output, 0);

    cr_assert_eq(edo_join_set_spawn(&self->numbers, NEW(strict)), 0);
    AWAIT(self->next, edo_join_set_join_next(&self->numbers, &self->number));
    cr_assert_eq(self->number, 0.25L);
ASYNC_FINALLY:
    edo_join_set_drop(&self->places);
    edo_join_set_drop(&self->nothings);
    edo_join_set_drop(&self->numbers);
    ASYNC_END;
}

Test(join_set, one_is_typed_by_the_output_of_its_tasks)
{
    RUN_ALONE(NEW(typed));
}

SCENE(ids, JOIN_SET(int) set; uint64_t first; uint64_t second; uint64_t id; int value;
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    cr_assert_eq(edo_join_set_last_id(&self->set), 0);
    spawn(&self->set, WORK(2, 1));
    self->first = edo_join_set_last_id(&self->set);
    spawn(&self->set, WORK(1, 2));
    self->second = edo_join_set_last_id(&self->set);
    cr_assert(self->first != 0 && self->second != 0 && self->first != self->second);
    AWAIT(self->next, edo_join_set_join_next_with_id(&self->set, &self->id, &self->value));
    cr_assert_eq(self->value, 2);
    cr_assert_eq(self->id, self->second);
    cr_assert_eq(edo_join_set_last_id(&self->set), 0, "it has been joined");
    cr_assert_null(edo_join_set_last_abort_handle(&self->set));
    AWAIT(self->next, edo_join_set_join_next_with_id(&self->set, &self->id, &self->value));
    cr_assert_eq(self->id, self->first);
    AWAIT(self->next, edo_join_set_join_next_with_id(&self->set, &self->id, &self->value));
    cr_assert_eq(self->next.output, UV_EOF);
    cr_assert_eq(self->id, 0);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, who_has_ended_is_told_by_its_id)
{
    RUN_PAUSED(NEW(ids));
}

SCENE(aborting_one, JOIN_SET(int) set; struct edo_abort_handle * abort; uint64_t id; uint64_t which;
      int value; struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    finals_begin();
    spawn(&self->set, FOREVER);
    self->abort = edo_join_set_last_abort_handle(&self->set);
    self->id = edo_join_set_last_id(&self->set);
    cr_assert_eq(edo_abort_handle_id(self->abort), self->id);
    spawn(&self->set, WORK(5, 5));
    edo_abort_handle_abort(self->abort);
    self->value = 77;
    AWAIT(self->next, edo_join_set_join_next_with_id(&self->set, &self->which, &self->value));
    cr_assert_eq(self->next.output, UV_ECANCELED);
    cr_assert_eq(self->value, 77);
    cr_assert_eq(self->which, self->id);
    cr_assert_eq(finals_now(), 1);
    /* It may be kept longer than the set keeps the task. */
    cr_assert(edo_abort_handle_is_finished(self->abort));
    edo_abort_handle_abort(self->abort);
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    cr_assert_eq(self->value, 5);
ASYNC_FINALLY:
    edo_abort_handle_drop(self->abort);
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, an_abort_handle_aborts_one_of_them)
{
    RUN_PAUSED(NEW(aborting_one));
}

SCENE(panicking, JOIN_SET(int) set; int value; uint64_t id; uint64_t which; char report[256];
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    spawn(&self->set, NEW(work, .ms = 1, .panics = true, .result = 3));
    self->id = edo_join_set_last_id(&self->set);
    spawn(&self->set, NEW(work, .ms = 2, .panics = true, .result = 4));
    spawn(&self->set, WORK(3, 9));
    self->value = 77;
    AWAIT(self->next, edo_join_set_join_next_report(&self->set, &self->which, &self->value,
                                                    self->report, sizeof self->report));
    cr_assert_eq(self->next.output, EDO_EPANIC);
    cr_assert_eq(self->value, 77);
    cr_assert_eq(self->which, self->id);
    cr_assert_eq(strncmp(self->report, "number 3\n  work (tests/join_set_test.c:", 39), 0, "%s",
                 self->report);
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    cr_assert_eq(self->next.output, EDO_EPANIC);
    AWAIT(self->next, edo_join_set_join_next_report(&self->set, NULL, &self->value, self->report,
                                                    sizeof self->report));
    cr_assert_eq(self->next.output, 0, "the others go on");
    cr_assert_eq(self->value, 9);
    cr_assert_eq(self->report[7], '3', "left alone");
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, a_panic_is_the_outcome_of_its_task_alone)
{
    RUN_PAUSED(NEW(panicking));
}

SCENE(trying, JOIN_SET(int) set; uint64_t id; int value; struct edo_sleep sleep;)
{
    ASYNC_BEGIN;
    cr_assert_eq(edo_join_set_try_join_next(&self->set, &self->value), UV_EOF);
    spawn(&self->set, WORK(1, 1));
    spawn(&self->set, WORK(5, 2));
    cr_assert_eq(edo_join_set_try_join_next(&self->set, &self->value), UV_EAGAIN);
    AWAIT(self->sleep, edo_sleep(3));
    cr_assert_eq(edo_join_set_try_join_next(&self->set, &self->value), 0);
    cr_assert_eq(self->value, 1);
    cr_assert_eq(edo_join_set_try_join_next(&self->set, &self->value), UV_EAGAIN);
    edo_join_set_abort_all(&self->set);
    YIELD_NOW();
    self->id = 0;
    cr_assert_eq(edo_join_set_try_join_next_with_id(&self->set, &self->id, NULL), UV_ECANCELED);
    cr_assert_neq(self->id, 0);
    cr_assert_eq(edo_join_set_try_join_next(&self->set, &self->value), UV_EOF);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, try_join_next_does_not_wait)
{
    RUN_PAUSED(NEW(trying));
}

SCENE(joining_all, JOIN_SET(int) set; int values[4]; int i; int value;
      struct edo_join_set_join_all all;)
{
    ASYNC_BEGIN;
    AWAIT(self->all, edo_join_set_join_all(&self->set, self->values, COUNT_OF(self->values)));
    cr_assert_eq(self->all.output, 0, "of an empty set");
    for (self->i = 0; self->i < 4; self->i++)
        spawn(&self->set, WORK(10 - self->i, self->i));
    AWAIT(self->all, edo_join_set_join_all(&self->set, self->values, COUNT_OF(self->values)));
    cr_assert_eq(self->all.output, 4);
    for (self->i = 0; self->i < 4; self->i++)
        cr_assert_eq(self->values[self->i], 3 - self->i, "as they ended");
    cr_assert(edo_join_set_is_empty(&self->set));
    /* Outputs that are not wanted. */
    spawn(&self->set, WORK(1, 1));
    spawn(&self->set, WORK(2, 1));
    AWAIT(self->all, edo_join_set_join_all(&self->set, NULL, 0));
    cr_assert_eq(self->all.output, 2);
    /* There is one more than fits: it is not lost. */
    for (self->i = 0; self->i < 5; self->i++)
        spawn(&self->set, WORK(1 + self->i, self->i));
    AWAIT(self->all, edo_join_set_join_all(&self->set, self->values, COUNT_OF(self->values)));
    cr_assert_eq(self->all.output, UV_ENOBUFS);
    cr_assert_eq(self->all.count, 4);
    AWAIT(self->all, edo_join_set_join_all(&self->set, self->values, COUNT_OF(self->values)));
    cr_assert_eq(self->all.output, 1);
    cr_assert_eq(self->values[0], 4);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, join_all_has_the_outputs_in_the_order_of_the_ends)
{
    RUN_PAUSED(NEW(joining_all));
}

SCENE(failing_all, JOIN_SET(int) set; int values[4]; struct edo_join_set_join_all all;)
{
    ASYNC_BEGIN;
    finals_begin();
    spawn(&self->set, WORK(1, 1));
    spawn(&self->set, NEW(work, .ms = 2, .panics = true));
    spawn(&self->set, WORK(3, 3));
    spawn(&self->set, FOREVER);
    AWAIT(self->all, edo_join_set_join_all(&self->set, self->values, COUNT_OF(self->values)));
    cr_assert_eq(self->all.output, EDO_EPANIC);
    cr_assert_eq(self->all.count, 1);
    cr_assert_eq(self->values[0], 1);
    cr_assert_eq(edo_join_set_len(&self->set), 2, "the others go on");
    edo_join_set_abort_all(&self->set);
    TRY_AWAIT(self->all, edo_join_set_join_all(&self->set, self->values, COUNT_OF(self->values)));
    cr_assert_fail("one was aborted");
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, join_all_stops_at_the_first_that_has_no_output)
{
    cr_assert_eq(RUN_PAUSED(NEW(failing_all)), UV_ECANCELED);
    cr_assert_eq(finals_now(), 4);
}

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

/* A task with a set is aborted, and its tasks with it. */
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

/* Other threads: each runs a runtime until it is told to stop, or for as long as the test lets it. */
struct side {
    pthread_t thread;
    struct edo_runtime *runtime;
    struct edo_notify stop;
};

SCENE(side_root, struct edo_notify *stop; struct edo_notified notified;)
{
    ASYNC_BEGIN;
    AWAIT(self->notified, edo_notified(self->stop));
    ASYNC_END;
}

static void *side_run(void *arg)
{
    struct side *side = arg;
    struct side_root root = NEW(side_root, .stop = &side->stop);
    cr_assert_eq(edo_block_on(side->runtime, &root), 0);
    return NULL;
}

static void side_start(struct side *side)
{
    cr_assert_eq(edo_runtime_new(&side->runtime), 0);
    edo_notify_init(&side->stop);
    cr_assert_eq(pthread_create(&side->thread, NULL, side_run, side), 0);
}

static void side_stop(struct side *side)
{
    edo_notify_one(&side->stop);
    pthread_join(side->thread, NULL);
    edo_runtime_drop(side->runtime);
    edo_notify_destroy(&side->stop);
}

/* A future in a runtime that is built so. */
static void run_in(const struct edo_builder *builder, struct edo_future *future)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_builder_build(builder, &runtime), 0);
    cr_assert_eq(edo_block_on_(runtime, future), 0);
    edo_runtime_drop(runtime);
}

static const struct edo_builder plain;

enum { SIDES = 2, TASKS = 2000 };

/* Without sides: this runtime, whose workers are threads enough. */
static struct edo_handle *a_side(struct side *sides, int i)
{
    i %= SIDES + 1;
    return i == SIDES || sides == NULL ? edo_handle_current()
                                       : edo_runtime_handle(sides[i].runtime);
}

/* Spawns on its own runtime and on those of the other threads, by turns. */
SCENE(spread, JOIN_SET(int) set; struct side * sides; int i; int value; long sum; int ended;
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < TASKS; self->i++) {
        cr_assert_eq(edo_join_set_spawn_on(&self->set, a_side(self->sides, self->i),
                                           NEW(work, .yields = self->i % 4, .result = self->i)),
                     0);
        /* Some are joined on the way. */
        if (self->i % 3 == 0) {
            AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
            cr_assert_eq(self->next.output, 0);
            self->sum += self->value;
            self->ended++;
        }
    }
    for (;;) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
        if (self->next.output == UV_EOF)
            break;
        cr_assert_eq(self->next.output, 0);
        self->sum += self->value;
        self->ended++;
    }
    cr_assert_eq(self->ended, TASKS);
    cr_assert_eq(self->sum, (long)TASKS * (TASKS - 1) / 2);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, tasks_end_on_other_threads)
{
    struct baseline start = baseline();
    struct side sides[SIDES];
    for (int i = 0; i < SIDES; i++)
        side_start(&sides[i]);
    struct spread spread = NEW(spread, .sides = sides);
    run_in(&plain, &spread.future_);
    for (int i = 0; i < SIDES; i++)
        side_stop(&sides[i]);
    check_baseline(&start);
}

/* Sets are let go of, in each way, while tasks end on other threads. */
SCENE(rounds, JOIN_SET(int) set; struct side * sides; int rounds; int round; int i; int spawned;
      struct edo_join_set_join_next next; struct edo_join_set_shutdown shutdown;
      struct edo_timeout timeout;)
{
    ASYNC_BEGIN;
    for (; self->round < self->rounds; self->round++) {
        for (self->i = 0; self->i < 8; self->i++) {
            self->spawned++;
            cr_assert_eq(edo_join_set_spawn_on(&self->set, a_side(self->sides, self->i % SIDES),
                                               NEW(work, .yields = self->i * self->round % 5)),
                         0);
        }
        for (self->i = 0; self->i < self->round % 5; self->i++)
            AWAIT(self->next, edo_join_set_join_next(&self->set, NULL));
        for (self->i = 0; self->i < self->round % 7; self->i++)
            YIELD_NOW();
        switch (self->round % 4) {
        case 0:
            edo_join_set_drop(&self->set);
            break;
        case 1:
            edo_join_set_detach_all(&self->set);
            break;
        case 2:
            /* Leaves its waker, or is ready. */
            self->next = edo_join_set_join_next(&self->set, NULL);
            if (edo_future_poll(&self->next.future_, cx) == EDO_PENDING)
                DROP(self->next);
            edo_join_set_drop(&self->set);
            break;
        default:
            edo_join_set_abort_all(&self->set);
            break;
        }
        if (self->round % 4 == 3) {
            AWAIT(self->shutdown, edo_join_set_shutdown(&self->set));
            cr_assert(edo_join_set_is_empty(&self->set));
        }
    }
    RETURN(self->spawned);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, one_is_let_go_of_while_tasks_end_on_other_threads)
{
    struct baseline start = baseline();
    struct side sides[SIDES];
    for (int i = 0; i < SIDES; i++)
        side_start(&sides[i]);
    finals_begin();
    struct rounds rounds = NEW(rounds, .sides = sides, .rounds = 2000);
    run_in(&plain, &rounds.future_);
    for (int i = 0; i < SIDES; i++)
        side_stop(&sides[i]);
    cr_assert_eq(finals_now(), rounds.output, "each ended, one way or another");
    check_baseline(&start);
}

/* The runtimes of the tasks are dropped while their outcomes are joined. */
SCENE(joins_the_rest, JOIN_SET(int) * set; int ended; int aborted; int value;
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->next, edo_join_set_join_next(self->set, &self->value));
        if (self->next.output == UV_EOF)
            break;
        cr_assert(self->next.output == 0 || self->next.output == UV_ECANCELED);
        self->aborted += self->next.output == UV_ECANCELED;
        self->ended++;
    }
    cr_assert_geq(self->aborted, 10);
    RETURN(self->ended);
    ASYNC_END;
}

static void *side_stops(void *arg)
{
    side_stop(arg);
    return NULL;
}

Test(join_set, tasks_whose_runtime_ends_are_joined_as_aborted)
{
    struct baseline start = baseline();
    struct side side;
    side_start(&side);
    JOIN_SET(int) set = NULL;
    for (int i = 0; i < 100; i++)
        cr_assert_eq(edo_join_set_spawn_on(&set, edo_runtime_handle(side.runtime),
                                           i % 10 == 0 ? FOREVER : NEW(work, .yields = i)),
                     0);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, side_stops, &side), 0);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct joins_the_rest rest = NEW(joins_the_rest, .set = &set);
    cr_assert_eq(edo_block_on(runtime, &rest), 0);
    cr_assert_eq(rest.output, 100);
    edo_join_set_drop(&set);
    edo_runtime_drop(runtime);
    pthread_join(thread, NULL);
    check_baseline(&start);
}

/* Local tasks, and blocking ones. */

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

static int twice(void *argument)
{
    return 2 * *(int *)argument;
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

/* The runtime of many threads. */

static const uint32_t crews[] = {1, 2, 8};
/* With the census as it was afterwards. */
#define RUN_BY(workers, ...)                                                                      \
    __extension__({                                                                               \
        struct baseline start_ = baseline();                                                      \
        __typeof__((__VA_ARGS__)) by_ = (__VA_ARGS__);                                            \
        run_in(                                                                                   \
            &(const struct edo_builder){.flavor = EDO_MULTI_THREAD, .worker_threads = (workers)}, \
            &by_.future_);                                                                        \
        check_baseline(&start_);                                                                  \
        by_.output;                                                                               \
    })

Test(join_set, workers_end_tasks_beside_the_one_who_joins)
{
    for (size_t i = 0; i < COUNT_OF(crews); i++)
        RUN_BY(crews[i], NEW(spread));
}

Test(join_set, one_is_let_go_of_while_workers_end_its_tasks)
{
    for (size_t i = 0; i < COUNT_OF(crews); i++) {
        finals_begin();
        int spawned = RUN_BY(crews[i], NEW(rounds, .rounds = 1000));
        cr_assert_eq(spawned, finals_now());
    }
}

/* The set's user is a task itself, and moves; several have one each, and some are aborted. */
SCENE(owners, JOIN_SET(int) set; int i; int outcome; int aborted;
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(edo_join_set_spawn(&self->set, NEW(spread)), 0);
        cr_assert_eq(edo_join_set_spawn(&self->set, NEW(rounds, .rounds = 100)), 0);
    }
    for (int i = 0; i < 8; i++)
        cr_assert_eq(edo_join_set_spawn(&self->set, NEW(owner)), 0);
    for (; self->i < 8; self->i++) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->outcome));
        cr_assert_eq(self->next.output, 0);
    }
    edo_join_set_abort_all(&self->set);
    for (;;) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->outcome));
        if (self->next.output == UV_EOF)
            break;
        cr_assert_eq(self->next.output, UV_ECANCELED);
        self->aborted++;
    }
    RETURN(self->aborted);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, sets_of_sets_on_workers)
{
    for (size_t i = 0; i < COUNT_OF(crews); i++)
        cr_assert_eq(RUN_BY(crews[i], NEW(owners)), 8);
}

/* Every call once, where others run at the same time. */
SCENE(all_calls, JOIN_SET(int) set; int i; int ended; int argument; int value; int values[8];
      char report[64]; uint64_t id; struct edo_join_set_join_next next;
      struct edo_join_set_join_all all; struct edo_join_set_shutdown shutdown;)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < 8; self->i++)
        spawn(&self->set, NEW(work, .yields = self->i, .result = self->i));
    AWAIT(self->all, edo_join_set_join_all(&self->set, self->values, COUNT_OF(self->values)));
    cr_assert_eq(self->all.output, 8);
    for (self->i = 0; self->i < 8; self->i++)
        self->value += self->values[self->i];
    cr_assert_eq(self->value, 28);

    spawn(&self->set, NEW(work, .yields = 1, .panics = true, .result = 5));
    AWAIT(self->next, edo_join_set_join_next_report(&self->set, &self->id, &self->value,
                                                    self->report, sizeof self->report));
    cr_assert_eq(self->next.output, EDO_EPANIC);
    cr_assert_eq(strncmp(self->report, "number 5\n", 9), 0, "%s", self->report);
    cr_assert_neq(self->id, 0);

    for (self->i = 0; self->i < 8; self->i++)
        spawn(&self->set, NEW(work, .yields = self->i, .result = self->i));
    edo_join_set_abort_all(&self->set);
    for (self->ended = 0;; self->ended++) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
        if (self->next.output == UV_EOF)
            break;
        cr_assert(self->next.output == 0 || self->next.output == UV_ECANCELED);
    }
    cr_assert_eq(self->ended, 8);

    self->argument = 4;
    cr_assert_eq(edo_join_set_spawn_blocking(&self->set, edo_call(twice, &self->argument)), 0);
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    cr_assert_eq(self->value, 8);
    cr_assert_eq(edo_join_set_spawn_local(&self->set, WORK(0, 1)), EDO_ENORUNTIME);

    for (self->i = 0; self->i < 8; self->i++)
        spawn(&self->set, FOREVER);
    cr_assert_eq(edo_join_set_try_join_next(&self->set, &self->value), UV_EAGAIN);
    AWAIT(self->shutdown, edo_join_set_shutdown(&self->set));
    cr_assert_eq(edo_join_set_try_join_next(&self->set, &self->value), UV_EOF);
    spawn(&self->set, NEW(work, .yields = 3));
    edo_join_set_detach_all(&self->set);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

SCENE(calls_as_task, struct edo_join join;)
{
    ASYNC_BEGIN;
    AWAIT(self->join, edo_join(SPAWN(NEW(all_calls)), NULL));
    cr_assert_eq(self->join.output, 0);
    ASYNC_END;
}

Test(join_set, each_call_where_tasks_run_on_workers)
{
    for (size_t i = 0; i < COUNT_OF(crews); i++) {
        RUN_BY(crews[i], NEW(all_calls));
        RUN_BY(crews[i], NEW(calls_as_task));
    }
}

/* The runtime ends, and sets in the frames of tasks with it, while their tasks run. */
SCENE(leaves_owners, struct edo_sleep sleep;)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 8; i++) {
        edo_task_detach(SPAWN(NEW(owner)));
        edo_task_detach(SPAWN(NEW(rounds, .rounds = 1000000)));
    }
    AWAIT(self->sleep, edo_sleep(2));
    ASYNC_END;
}

Test(join_set, workers_that_stop_drop_sets_and_tasks_in_any_order)
{
    for (int round = 0; round < 10; round++)
        for (size_t i = 0; i < COUNT_OF(crews); i++)
            RUN_BY(crews[i], NEW(leaves_owners));
}
