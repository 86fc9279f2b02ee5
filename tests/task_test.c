/* SPDX-License-Identifier: MIT */
/* Tasks and their handles. */
#include <sys/mman.h>
#include <unistd.h>

#include "io_helpers.h"
#include "support/runtimes.h"

static _Atomic(int) finals;

struct work {
    FUTURE(int);
    int yields, result;
    bool spawn_again; /* in FINALLY */
};

ASYNC(work)
{
    ASYNC_BEGIN;
    while (self->yields-- > 0)
        YIELD_NOW();
    RETURN(self->result);
ASYNC_FINALLY:
    finals++;
    if (self->spawn_again)
        edo_task_detach(SPAWN(NEW(work, .yields = 5)));
    ASYNC_END;
}

/* Runs its body as the root of a runtime: the scenes of this file are of this form. */
#define SCENE(name, ...) \
    struct name {        \
        FUTURE(int);     \
        __VA_ARGS__      \
    };                   \
    ASYNC(name)

SCENE(outputs, JOIN_HANDLE(int) handle; int value; struct edo_join join;)
{
    ASYNC_BEGIN;
    self->handle = SPAWN(NEW(work, .yields = 3, .result = 41));
    cr_assert_eq(edo_task_error(self->handle), 0);
    cr_assert(!edo_task_is_finished(self->handle) || test_workers() > 0);
    AWAIT(self->join, edo_join(self->handle, &self->value));
    cr_assert_eq(self->join.output, 0);
    cr_assert_eq(self->value, 41);
    /* One that has ended before it is awaited. */
    self->handle = SPAWN(NEW(work, .result = 42));
    YIELD_NOW();
    TEST_SETTLES(edo_task_is_finished(self->handle));
    cr_assert(edo_task_is_finished(self->handle));
    AWAIT(self->join, edo_join(self->handle, &self->value));
    cr_assert_eq(self->value, 42);
    ASYNC_END;
}

Test(task, a_join_gives_the_output)
{
    RUN(NEW(outputs));
}

SCENE(detaching, int i;)
{
    ASYNC_BEGIN;
    finals = 0;
    edo_task_detach(SPAWN(NEW(work, .yields = 2)));
    cr_assert_eq(SPAWN_DETACHED(NEW(work, .yields = 2)), 0);
    cr_assert_eq(TASK_NAMED("third", SPAWN_DETACHED(NEW(work))), 0);
    for (; self->i < 4; self->i++)
        YIELD_NOW();
    TEST_SETTLES(finals == 3);
    RETURN(finals);
    ASYNC_END;
}

Test(task, a_detached_task_goes_on_by_itself)
{
    cr_assert_eq(RUN(NEW(detaching)), 3);
}

SCENE(last, struct edo_handle *handle; struct edo_sleep sleep;)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(1000000));
ASYNC_FINALLY:
    ++finals;
    cr_assert_eq(SPAWN_DETACHED_ON(self->handle, NEW(work, .yields = 1)), 0);
    ASYNC_END;
}

Test(task, a_detached_task_of_a_runtime_that_ends_is_dropped)
{
    struct baseline start = baseline();
    finals = 0;
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct edo_handle *handle = edo_handle_clone(edo_runtime_handle(runtime));
    /* From another thread than those that run it; and of its own. */
    for (int i = 0; i < 100; i++)
        cr_assert_eq(SPAWN_DETACHED_ON(handle, NEW(last, .handle = handle)), 0);
    edo_runtime_drop(runtime);
    cr_assert_eq(finals, 200);
    cr_assert_eq(SPAWN_DETACHED_ON(handle, NEW(work)), 0, "it is no error");
    cr_assert_eq(finals, 201);
    edo_handle_drop(handle);
    check_baseline(&start);
}

SCENE(identities, JOIN_HANDLE(int) a; JOIN_HANDLE(int) b; struct edo_abort_handle * abort;)
{
    ASYNC_BEGIN;
    /* What a thread polls in edo_block_on beside the workers is no task. */
    cr_assert(edo_current_task_id() != 0 || test_workers() > 0);
    self->a = SPAWN(NEW(work));
    self->b = SPAWN(NEW(work));
    cr_assert_neq(edo_task_id(self->a), edo_task_id(self->b));
    self->abort = edo_abort_handle(self->a);
    cr_assert_eq(edo_abort_handle_id(self->abort), edo_task_id(self->a));
    edo_abort_handle_drop(edo_abort_handle_clone(self->abort));
    edo_abort_handle_drop(self->abort);
    edo_task_detach(self->a);
    edo_task_detach(self->b);
    ASYNC_END;
}

Test(task, each_has_an_id_of_its_own)
{
    RUN(NEW(identities));
    cr_assert_eq(edo_current_task_id(), 0);
}

SCENE(aborts, JOIN_HANDLE(int) handle; int value; int polls; struct edo_join join;
      struct edo_abort_handle * abort;)
{
    ASYNC_BEGIN;
    /* Before its first poll: dropped, not polled. */
    finals = 0;
    self->handle = SPAWN(NEW(work, .result = 1));
    edo_task_abort(self->handle);
    edo_task_abort(self->handle);
    self->value = 77;
    AWAIT(self->join, edo_join(self->handle, &self->value));
    cr_assert_eq(self->join.output, UV_ECANCELED);
    cr_assert_eq(self->value, 77, "the value is left alone");
    cr_assert_eq(finals, 1);
    /* Suspended: dropped there. */
    self->handle = SPAWN(NEW(work, .yields = 1000));
    YIELD_NOW();
    self->abort = edo_abort_handle(self->handle);
    edo_abort_handle_abort(self->abort);
    AWAIT(self->join, edo_join(self->handle, &self->value));
    cr_assert_eq(self->join.output, UV_ECANCELED);
    cr_assert_eq(finals, 2);
    cr_assert(edo_abort_handle_is_finished(self->abort));
    /* Finished: nothing. */
    edo_abort_handle_abort(self->abort);
    edo_abort_handle_drop(self->abort);
    self->handle = SPAWN(NEW(work, .result = 9));
    YIELD_NOW();
    edo_task_abort(self->handle);
    AWAIT(self->join, edo_join(self->handle, &self->value));
    cr_assert_eq(self->join.output, 0);
    cr_assert_eq(self->value, 9);
    ASYNC_END;
}

Test(task, an_abort_drops_it_where_it_is)
{
    /* Alone: the task has not begun, or is suspended, when it is aborted. */
    RUN_ALONE(NEW(aborts));
}

struct aborts_itself {
    FUTURE(int);
    struct edo_abort_handle **self_handle;
    bool suspends;
};

ASYNC(aborts_itself)
{
    ASYNC_BEGIN;
    edo_abort_handle_abort(*self->self_handle);
    if (self->suspends) {
        YIELD_NOW();
        cr_assert_fail("it is dropped at its next suspension");
    }
    RETURN(5);
ASYNC_FINALLY:
    finals++;
    ASYNC_END;
}

SCENE(self_aborts, JOIN_HANDLE(int) handle; int value; bool suspends; struct edo_join join;
      struct edo_abort_handle * abort;)
{
    ASYNC_BEGIN;
    finals = 0;
    self->handle =
        SPAWN(NEW(aborts_itself, .self_handle = &self->abort, .suspends = self->suspends));
    self->abort = edo_abort_handle(self->handle);
    AWAIT(self->join, edo_join(self->handle, &self->value));
    cr_assert_eq(self->join.output, self->suspends ? UV_ECANCELED : 0);
    cr_assert_eq(self->value, self->suspends ? 0 : 5);
    cr_assert_eq(finals, 1);
    edo_abort_handle_drop(self->abort);
    ASYNC_END;
}

Test(task, one_that_aborts_itself_is_dropped_when_it_suspends)
{
    RUN_ALONE(NEW(self_aborts, .suspends = true));
}

Test(task, one_that_completes_in_spite_of_an_abort_has_its_output)
{
    RUN_ALONE(NEW(self_aborts));
}

struct panics {
    FUTURE(int);
    int depth;
    bool in_finally;
    struct edo_sleep sleep;
    struct work work;
};

ASYNC(panics)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(1));
    if (!self->in_finally)
        PANIC("no more than %d", 3);
    AWAIT(self->work, NEW(work, .yields = 100));
ASYNC_FINALLY:
    finals++;
    if (self->in_finally)
        PANIC("in the end");
    ASYNC_END;
}

SCENE(panicking, JOIN_HANDLE(int) bad; JOIN_HANDLE(int) good; JOIN_HANDLE(int) last; int value;
      char report[256]; struct edo_join join; struct edo_sleep sleep;)
{
    ASYNC_BEGIN;
    finals = 0;
    self->bad = SPAWN(NEW(panics));
    self->good = SPAWN(NEW(work, .yields = 200, .result = 8));
    self->last = SPAWN(NEW(panics, .in_finally = true));
    AWAIT(self->join, edo_join_report(self->bad, &self->value, self->report, sizeof self->report));
    cr_assert_eq(self->join.output, EDO_EPANIC);
    cr_assert_eq(strncmp(self->report, "no more than 3\n  panics (tests/task_test.c:", 43), 0, "%s",
                 self->report);
    AWAIT(self->join, edo_join(self->good, &self->value));
    cr_assert_eq(self->value, 8, "its siblings go on");
    AWAIT(self->sleep, edo_sleep(2));
    edo_task_abort(self->last);
    AWAIT(self->join, edo_join_report(self->last, NULL, self->report, sizeof self->report));
    cr_assert_eq(self->join.output, EDO_EPANIC, "a panic in FINALLY is not lost");
    cr_assert_eq(strncmp(self->report, "in the end\n", 11), 0, "%s", self->report);
    ASYNC_END;
}

Test(task, a_panic_ends_only_its_task_and_is_reported)
{
    RUN_PAUSED(NEW(panicking));
}

struct ends_badly {
    FUTURE(int);
};

ASYNC(ends_badly)
{
    ASYNC_BEGIN;
    RETURN(0);
ASYNC_FINALLY:
    PANIC("at the very end");
    ASYNC_END;
}

struct awaits_one {
    FUTURE(int);
    bool selects;
    struct ends_badly child;
    struct edo_ready_now now;
};

ASYNC(awaits_one)
{
    ASYNC_BEGIN;
    if (!self->selects)
        AWAIT(self->child, NEW(ends_badly));
    SELECT_BIASED {
        WHEN(self->now, edo_ready_now(0)) {
        }
        WHEN(self->child, NEW(ends_badly)) {
        }
    }
    ASYNC_END;
}

/* The future that panics is done by then, and in no chain any more. */
SCENE(told_of_an_end, JOIN_HANDLE(int) bad; char report[256]; struct edo_join join; int selects;)
{
    ASYNC_BEGIN;
    for (self->selects = 0; self->selects < 2; self->selects++) {
        self->bad = SPAWN(NEW(awaits_one, .selects = self->selects));
        AWAIT(self->join, edo_join_report(self->bad, NULL, self->report, sizeof self->report));
        cr_assert_eq(self->join.output, EDO_EPANIC);
        int end = 0;
        sscanf(self->report,
               "at the very end\n  awaits_one (tests/task_test.c:%*d)\n    ends_badly "
               "(tests/task_test.c:%*d)%n",
               &end);
        cr_assert_eq(end, (int)strlen(self->report), "%s", self->report);
        cr_assert_gt(end, 0, "%s", self->report);
    }
    ASYNC_END;
}

Test(task, a_panic_in_the_finally_of_a_child_says_where)
{
    RUN_ALONE(NEW(told_of_an_end));
}

/* Its handle is given up just after it has looked whether anybody would be told of its panic. */
static JOIN_HANDLE(int) given_up;
static atomic_bool may_panic, is_given_up;

SCENE(panics_when_told)
{
    ASYNC_BEGIN;
    while (!edo_load(&may_panic, acquire))
        YIELD_NOW();
    PANIC("unheard of");
    ASYNC_END;
}

static void gives_up(void *arg, uint64_t id)
{
    (void)arg;
    if (!edo_load(&may_panic, acquire) || edo_load(&is_given_up, acquire) ||
        edo_task_id(given_up) != id)
        return;
    edo_task_detach(given_up);
    edo_store(&is_given_up, true, release);
}

SCENE(giving_up)
{
    ASYNC_BEGIN;
    given_up = SPAWN(NEW(panics_when_told));
    edo_store(&may_panic, true, release);
    while (!edo_load(&is_given_up, acquire))
        YIELD_NOW();
    ASYNC_END;
}

Test(task, a_panic_is_printed_when_it_is_detached_meanwhile)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime, .on_task_terminate = gives_up), 0);
    char text[200];
    int file = memfd_create("stderr", MFD_CLOEXEC), before = dup(STDERR_FILENO);
    cr_assert_eq(dup2(file, STDERR_FILENO), STDERR_FILENO);
    struct giving_up future = NEW(giving_up);
    int error = test_block_on(runtime, &future);
    edo_runtime_drop(runtime);
    dup2(before, STDERR_FILENO);
    cr_assert_eq(error, 0);
    ssize_t length = pread(file, text, sizeof text - 1, 0);
    cr_assert_gt(length, 0, "nobody was told");
    text[length] = 0;
    const char *want =
        "edo: a detached task panicked: unheard of\n  panics_when_told (tests/task_test.c:";
    cr_assert_eq(strncmp(text, want, strlen(want)), 0, "%s", text);
    cr_assert_null(strstr(text + 1, "edo:"), "%s", text);
    close(file);
    close(before);
    check_baseline(&start);
}

SCENE(dumping, JOIN_HANDLE(int) handle; char *text; size_t size; FILE * file;)
{
    ASYNC_BEGIN;
    self->handle = SPAWN(NEW(panics, .in_finally = false));
    YIELD_NOW();
    self->file = open_memstream(&self->text, &self->size);
    cr_assert_eq(edo_task_dump(self->handle, self->file), 0);
    fclose(self->file);
    cr_assert_eq(strncmp(self->text, "panics (tests/task_test.c:", 26), 0, "%s", self->text);
    cr_assert_not_null(strstr(self->text, ")\n  edo_sleep\n"), "%s", self->text);
    free(self->text);
    edo_task_abort(self->handle);
    YIELD_NOW();
    cr_assert_eq(edo_task_dump(self->handle, stderr), UV_ESRCH);
    edo_task_detach(self->handle);
    ASYNC_END;
}

Test(task, a_stuck_one_prints_its_chain_of_awaits)
{
    RUN_PAUSED(NEW(dumping)); /* it does not end meanwhile */
}

Test(task, a_spawn_outside_of_a_runtime_says_so)
{
    struct baseline start = baseline();
    finals = 0;
    JOIN_HANDLE(int) handle = SPAWN(NEW(work));
    cr_assert_eq(edo_task_error(handle), EDO_ENORUNTIME);
    cr_assert_eq(finals, 1, "the future was dropped");
    cr_assert_eq(SPAWN_DETACHED(NEW(work)), EDO_ENORUNTIME);
    cr_assert_eq(finals, 2, "the future was dropped");
    cr_assert(edo_task_is_finished(handle));
    cr_assert_eq(edo_task_id(handle), 0);
    edo_task_abort(handle);
    cr_assert_null(edo_abort_handle(handle));
    struct edo_join join = edo_join(handle, NULL);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(test_block_on(runtime, &join), 0);
    cr_assert_eq(join.output, EDO_ENORUNTIME);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

SCENE(budgets, JOIN_HANDLE(int) greedy; JOIN_HANDLE(int) other; int value; int i;
      struct edo_join join;)
{
    ASYNC_BEGIN;
    /* 1,000 operations that are always ready; the other task gets its turn in between. */
    for (; self->i < 1000; self->i++) {
        if (self->i == 1)
            finals = 0;
        self->other = SPAWN(NEW(work));
        edo_task_abort(self->other);
        edo_task_detach(self->other);
        AWAIT(self->join, edo_join(SPAWN(NEW(work)), NULL));
    }
    ASYNC_END;
}

Test(task, joins_of_many_in_a_row_come_to_an_end)
{
    RUN(NEW(budgets));
}

/* Sleeps of no time are always ready. */
SCENE(hog, int n; bool *other_ran; struct edo_sleep sleep;)
{
    ASYNC_BEGIN;
    for (self->n = 0; self->n < 1000 && !*self->other_ran; self->n++)
        AWAIT(self->sleep, edo_sleep(0));
    RETURN(self->n);
    ASYNC_END;
}

SCENE(bystander, bool *ran;)
{
    ASYNC_BEGIN;
    *self->ran = true;
    ASYNC_END;
}

SCENE(sharing, bool ran; bool unconstrained; struct hog hog; struct edo_unconstrained free;)
{
    ASYNC_BEGIN;
    edo_task_detach(SPAWN(NEW(bystander, .ran = &self->ran)));
    self->hog = NEW(hog, .other_ran = &self->ran);
    if (self->unconstrained)
        AWAIT(self->free, edo_unconstrained(&self->hog));
    else
        AWAIT_REF(self->hog);
    RETURN(self->hog.output);
    ASYNC_END;
}

Test(task, one_that_always_has_work_lets_others_run_after_its_budget)
{
    int n = RUN_ALONE(NEW(sharing));
    /* 128, and the one that then waits its turn. */
    cr_assert_eq(n, EDO_BUDGET + 1);
}

Test(task, an_unconstrained_one_does_not)
{
    cr_assert_eq(RUN_ALONE(NEW(sharing, .unconstrained = true)), 1000);
}

Test(task, a_dropped_runtime_drops_each_where_it_is_and_what_they_spawn)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct edo_handle *handle = edo_runtime_handle(runtime);
    finals = 0;
    JOIN_HANDLE(int) kept = SPAWN_ON(handle, NEW(work, .yields = 1000));
    for (int i = 0; i < 5; i++)
        edo_task_detach(SPAWN_ON(handle, NEW(work, .yields = i, .spawn_again = true)));
    struct edo_yield_now yield = edo_yield_now();
    cr_assert_eq(edo_block_on(runtime, &yield), 0);
    cr_assert_eq(finals, 1);
    edo_runtime_drop(runtime);
    cr_assert_eq(finals, 1 + 5 + 5, "those that were left, and what each of the five spawned");
    cr_assert(edo_task_is_finished(kept));
    struct edo_join join = edo_join(kept, NULL);
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    cr_assert_eq(join.output, UV_ECANCELED);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

SCENE(boxes, JOIN_HANDLE(int) handle; int how; int when; int value; struct edo_join join;)
{
    ASYNC_BEGIN;
    self->handle = SPAWN(NEW(work, .yields = 2, .result = 6));
    while (self->when-- > 0)
        YIELD_NOW();
    if (self->how & 1)
        edo_task_abort(self->handle);
    if (self->how & 2) {
        edo_task_detach(self->handle);
        RETURN(0);
    }
    self->join = edo_join(self->handle, &self->value);
    if (self->how & 4)
        RETURN(0); /* never polled: dropped in FINALLY */
    AWAIT_REF(self->join);
    cr_assert(self->join.output == 0 ? self->value == 6 : self->join.output == UV_ECANCELED);
ASYNC_FINALLY:
    DROP(self->join);
    ASYNC_END;
}

Test(task, handles_of_every_kind_and_time_leave_nothing)
{
    for (int how = 0; how < 8; how++)
        for (int when = 0; when < 6; when++) {
            finals = 0;
            RUN(NEW(boxes, .how = how, .when = when));
            cr_assert_eq(finals, 1);
        }
}
