/* SPDX-License-Identifier: MIT */
/* How blocking work ends: aborted, in a panic, with nobody to join it, refused. */
#include "io_helpers.h"
#include "blocking_helpers.h"

/* ---- Aborts ---- */

Test(blocking, aborted_before_it_begins_it_is_dropped_and_never_runs)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    struct edo_event begun, go;
    edo_event_init(&begun);
    edo_event_init(&go);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime, .max_blocking_threads = 1), 0);
    struct edo_handle *on = edo_runtime_handle(runtime);
    JOIN_HANDLE(int)
    first = SPAWN_BLOCKING_ON(on, NEW(job, .log = &log, .name = 1, .begun = &begun, .go = &go));
    JOIN_HANDLE(int) second = SPAWN_BLOCKING_ON(on, NEW(job, .log = &log, .name = 2));
    JOIN_HANDLE(int) third = SPAWN_BLOCKING_ON(on, NEW(job, .log = &log, .name = 3));
    edo_event_wait(&begun);
    struct edo_abort_handle *abort = edo_abort_handle(second);
    edo_task_abort(second);
    edo_task_abort(second);
    /* Too late for this one: it runs to its end. */
    edo_task_abort(first);
    cr_assert_not(edo_task_is_finished(first));
    edo_event_set(&go);
    cr_assert_eq(join_here(second), UV_ECANCELED);
    cr_assert_eq(join_here(first), 1);
    cr_assert_eq(join_here(third), 3);
    cr_assert_eq(log.begun, 2);
    cr_assert_eq(log.finals, 3);
    cr_assert_eq(log.order, 13);
    cr_assert(edo_abort_handle_is_finished(abort));
    edo_runtime_drop(runtime);
    edo_abort_handle_abort(abort);
    edo_abort_handle_drop(abort);
    check_baseline(&start);
}

/* By any of them at any moment: it runs or it does not, and its end comes once. */
static void *aborts(void *arg)
{
    edo_abort_handle_abort(arg);
    edo_abort_handle_drop(arg);
    return NULL;
}

Test(blocking, aborted_while_it_begins)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime, .max_blocking_threads = 2), 0);
    int cancelled = 0;
    for (int i = 0; i < 200; i++) {
        JOIN_HANDLE(int)
        handle = SPAWN_BLOCKING_ON(edo_runtime_handle(runtime), NEW(job, .log = &log, .name = 6));
        struct edo_thread_id thread = start_thread(aborts, edo_abort_handle(handle));
        int output = join_here(handle);
        cr_assert(output == 6 || output == UV_ECANCELED, "%d", output);
        cancelled += output == UV_ECANCELED;
        edo_thread_join(thread);
    }
    cr_assert_eq(log.begun + cancelled, 200);
    cr_assert_eq(log.finals, 200);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* One that waits for a wake is under way all the same. */
struct waits {
    FUTURE(int);
    struct edo_event *begun;
    struct edo_oneshot_recv *recv;
};

ASYNC(waits)
{
    ASYNC_BEGIN;
    edo_event_set(self->begun);
    AWAIT_REF(*self->recv);
    RETURN(self->recv->output);
    ASYNC_END;
}

Test(blocking, an_abort_does_not_end_one_that_awaits)
{
    struct baseline start = baseline();
    struct edo_event begun;
    edo_event_init(&begun);
    ONESHOT_SENDER(int) tx;
    ONESHOT_RECEIVER(int) rx;
    cr_assert_eq(edo_oneshot(&tx, &rx), 0);
    int value = 0;
    struct edo_oneshot_recv recv = edo_oneshot_recv(rx, &value);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    JOIN_HANDLE(int)
    handle =
        SPAWN_BLOCKING_ON(edo_runtime_handle(runtime), NEW(waits, .begun = &begun, .recv = &recv));
    edo_event_wait(&begun);
    edo_task_abort(handle);
    int seven = 7;
    cr_assert_eq(edo_oneshot_send(tx, &seven), 0);
    cr_assert_eq(join_here(handle), 0);
    cr_assert_eq(value, 7);
    edo_oneshot_receiver_drop(rx);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* Its wait is nobody else's to look at. */
Test(blocking, it_is_not_traced)
{
    struct edo_event begun, go;
    edo_event_init(&begun);
    edo_event_init(&go);
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    JOIN_HANDLE(int)
    handle = SPAWN_BLOCKING_ON(edo_runtime_handle(runtime),
                               NEW(job, .log = &log, .begun = &begun, .go = &go));
    edo_event_wait(&begun);
    cr_assert_eq(edo_task_dump(handle, stderr), UV_EBUSY);
    edo_event_set(&go);
    cr_assert_eq(join_here(handle), 0);
    edo_runtime_drop(runtime);
}

/* ---- Panics ---- */

struct panicking {
    FUTURE(int);
    struct log_of_jobs *log;
    struct edo_join join;
    char report[512];
};

ASYNC(panicking)
{
    ASYNC_BEGIN;
    AWAIT(self->join,
          edo_join_report(SPAWN_BLOCKING(NEW(job, .log = self->log, .name = 8, .panics = true)),
                          NULL, self->report, sizeof self->report));
    cr_assert_eq(self->join.output, EDO_EPANIC);
    cr_assert_not_null(strstr(self->report, "job 8 has had enough"), "%s", self->report);
    cr_assert_not_null(strstr(self->report, "blocking_helpers.h"), "%s", self->report);
    /* Its thread goes on. */
    AWAIT(self->join, edo_join(SPAWN_BLOCKING(NEW(job, .log = self->log, .name = 9)), NULL));
    RETURN(self->join.output);
    ASYNC_END;
}

Test(blocking, a_panic_ends_its_task_alone_and_the_handle_reports_it)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime, .max_blocking_threads = 1), 0);
    struct panicking future = NEW(panicking, .log = &log);
    cr_assert_eq(test_block_on(runtime, &future), 0);
    cr_assert_eq(future.output, 0);
    edo_runtime_drop(runtime);
    cr_assert_eq(log.finals, 2);
    check_baseline(&start);
}

struct panics_at_the_end {
    FUTURE(int);
};

ASYNC(panics_at_the_end)
{
    ASYNC_BEGIN;
    RETURN(1);
ASYNC_FINALLY:
    PANIC("in the end");
    ASYNC_END;
}

Test(blocking, a_panic_in_finally_is_reported)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(join_here(SPAWN_BLOCKING_ON(edo_runtime_handle(runtime), NEW(panics_at_the_end))),
                 EDO_EPANIC);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* ---- Joins ---- */

struct forsakes {
    FUTURE(int);
    struct log_of_jobs *log;
    struct edo_event go, gone;
    struct edo_join join;
};

ASYNC(forsakes)
{
    ASYNC_BEGIN;
    self->join = edo_join(
        SPAWN_BLOCKING(NEW(job, .log = self->log, .go = &self->go, .gone = &self->gone)), NULL);
    cr_assert_eq(edo_future_poll(&self->join.future_, cx), EDO_PENDING);
    edo_future_drop(&self->join.future_, cx);
    edo_event_set(&self->go);
    edo_event_wait(&self->gone);
    ASYNC_END;
}

Test(blocking, a_join_that_is_dropped_detaches_it)
{
    struct log_of_jobs log = {0};
    RUN(NEW(forsakes, .log = &log));
    cr_assert_eq(log.finals, 1);
}

struct joins_another {
    FUTURE(int);
    JOIN_HANDLE(int) other;
    struct edo_join join;
    int value;
};

ASYNC(joins_another)
{
    ASYNC_BEGIN;
    AWAIT(self->join, edo_join(self->other, &self->value));
    RETURN(10 * self->value);
    ASYNC_END;
}

Test(blocking, one_joins_another)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct edo_handle *on = edo_runtime_handle(runtime);
    JOIN_HANDLE(int) first = SPAWN_BLOCKING_ON(on, NEW(job, .log = &log, .name = 4));
    cr_assert_eq(join_here(SPAWN_BLOCKING_ON(on, NEW(joins_another, .other = first))), 40);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* ---- No memory ---- */

struct starved {
    FUTURE(int);
    int n;
    struct log_of_jobs *log;
    JOIN_HANDLE(int) handle;
    struct edo_join join;
};

ASYNC(starved)
{
    ASYNC_BEGIN;
    edo_alloc_fail((uint64_t)self->n, false);
    self->handle = SPAWN_BLOCKING(NEW(job, .log = self->log, .name = 1));
    edo_alloc_fail(0, false);
    self->n = edo_task_error(self->handle);
    AWAIT(self->join, edo_join(self->handle, NULL));
    cr_assert_eq(self->join.output, self->n);
    RETURN(self->n);
    ASYNC_END;
}

Test(blocking, without_memory_it_is_dropped_and_the_handle_says_so)
{
    /* The task; the thread's record; what the thread is started with. */
    for (int n = 1; n <= 4; n++) {
        struct log_of_jobs log = {0};
        cr_assert_eq(RUN_ALONE(NEW(starved, .n = n, .log = &log)), n < 4 ? UV_ENOMEM : 0, "%d", n);
        cr_assert_eq(log.finals, 1);
        cr_assert_eq(log.begun, n == 4);
    }
}
