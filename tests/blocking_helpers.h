/* SPDX-License-Identifier: MIT */
/* What the tests of blocking work share: a job that says what becomes of it, and waits where it is told to. */
#ifndef EDO_TESTS_BLOCKING_HELPERS_H
#define EDO_TESTS_BLOCKING_HELPERS_H

#include <pthread.h>
#include <sched.h>

#include "io_helpers.h"
#include "internal/park.h"
#include "runtime/runtime_internal.h"
#include "runtime/blocking_pool.h"

/* On a thread that is not the test's, where Criterion's assertions cannot be used. */
#define MUST(condition) ((condition) ? (void)0 : edo_bug(__FILE__, __LINE__, "%s", #condition))

/* Of all jobs of a test. */
struct log_of_jobs {
    _Atomic(int) begun, finals, running, most;
    _Atomic(unsigned) order; /* of the beginnings, a decimal digit each: 123 */
};

struct job {
    FUTURE(int);
    struct log_of_jobs *log;
    int name;
    struct edo_event *begun; /* set when it begins */
    struct edo_event *go;    /* waited for before it ends */
    struct edo_event *gone;  /* set in FINALLY */
    bool panics;
    int (*function)(void *argument); /* called in its midst */
    void *argument;
};

ASYNC(job)
{
    ASYNC_BEGIN;
    struct log_of_jobs *log = self->log;
    edo_fetch_add(&log->begun, 1, relaxed);
    edo_store(&log->order, 10 * edo_load(&log->order, relaxed) + (unsigned)self->name, relaxed);
    int running = edo_fetch_add(&log->running, 1, relaxed) + 1;
    int most = edo_load(&log->most, relaxed);
    while (most < running && !edo_cas_weak(&log->most, &most, running, relaxed, relaxed))
        ;
    if (self->begun != NULL)
        edo_event_set(self->begun);
    if (self->go != NULL)
        edo_event_wait(self->go);
    if (self->function != NULL)
        self->function(self->argument);
    edo_fetch_sub(&log->running, 1, relaxed);
    if (self->panics)
        PANIC("job %d has had enough", self->name);
    RETURN(self->name);
ASYNC_FINALLY:
    edo_fetch_add(&self->log->finals, 1, relaxed);
    if (self->gone != NULL)
        edo_event_set(self->gone);
    ASYNC_END;
}

/* Waits for a task on this thread; its output, or the error of the join. */
HELPER int join_here(JOIN_HANDLE(int) handle)
{
    int output = 0;
    struct edo_join join = edo_join(handle, &output);
    MUST(edo_park_on(&join.future_) == 0);
    return join.output < 0 ? join.output : output;
}

/* Until so many threads are idle: one that has ended its work is so a moment later. */
HELPER void await_idle(struct edo_handle *handle, uint32_t idle)
{
    while (edo_blocking_pool_counts(handle->blocking).idle != idle)
        sched_yield();
}

/* A thread of a test's own. */
HELPER struct edo_thread_id start_thread(void *(*run)(void *), void *arg)
{
    struct edo_thread_id id;
    cr_assert_eq(edo_thread_start(&id, NULL, run, arg), 0);
    return id;
}

#endif
