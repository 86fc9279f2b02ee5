/* SPDX-License-Identifier: MIT */
/* Join sets: outcomes in the order of their ends. */
#include "join_set_helpers.h"

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
    RUN_PAUSED(NEW(typed)); /* what is there at once comes before what takes a while */
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
    cr_assert_eq(strncmp(self->report, "number 3\n  work (tests/join_set_helpers.h:", 42), 0, "%s",
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
