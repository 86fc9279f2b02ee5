/* SPDX-License-Identifier: MIT */
/* The multi-thread runtime: what it promises beyond what holds on any runtime (make check-workers runs those tests
 * on it). Here: block_on, tasks, its end. */
#include <pthread.h>
#include <sched.h>

#include "workers_helpers.h"
#include "internal/park.h"
#include "runtime/runtime_internal.h"

/* ---- R1, R2: block_on ---- */

enum { MEETING = 5 };

struct meeting {
    struct edo_runtime *runtime;
    struct edo_barrier barrier;
    _Atomic(int) leaders;
};

static void *meet(void *arg)
{
    struct meeting *meeting = arg;
    struct meets meets = NEW(meets, .barrier = &meeting->barrier);
    cr_assert_eq(edo_block_on(meeting->runtime, &meets), 0);
    meeting->leaders += meets.output;
    return NULL;
}

Test(workers, several_threads_may_be_in_block_on_at_once)
{
    struct baseline start = baseline();
    struct meeting meeting = {.runtime = multi(2)};
    pthread_t threads[MEETING];
    edo_barrier_init(&meeting.barrier, MEETING);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < MEETING; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL, meet, &meeting), 0);
        for (int i = 0; i < MEETING; i++)
            pthread_join(threads[i], NULL);
        cr_assert_eq(meeting.leaders, round + 1);
    }
    edo_runtime_drop(meeting.runtime);
    edo_barrier_destroy(&meeting.barrier);
    check_baseline(&start);
}

Test(workers, tasks_go_on_when_nobody_is_in_block_on)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = multi(2);
    sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    for (int i = 0; i < 50; i++) {
        edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime), NEW(posts, .semaphore = &semaphore)));
        wait_for(&semaphore);
    }
    cr_assert_null(edo_runtime_loop(runtime));
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

struct blocks {
    FUTURE(int);
    struct edo_runtime *runtime;
};

ASYNC(blocks)
{
    ASYNC_BEGIN;
    struct work inner;
    inner = NEW(work);
    RETURN(edo_block_on(self->runtime, &inner));
    ASYNC_END;
}

Test(workers, a_task_that_blocks_on_a_runtime_is_told_and_so_is_who_blocks_already)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = multi(2);
    int value = 0;
    finals = ran = 0;
    struct edo_join join =
        edo_join(SPAWN_ON(edo_runtime_handle(runtime), NEW(blocks, .runtime = runtime)), &value);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    cr_assert_eq(value, EDO_ENESTED);
    struct blocks blocks = NEW(blocks, .runtime = runtime);
    cr_assert_eq(edo_block_on(runtime, &blocks), 0);
    cr_assert_eq(blocks.output, EDO_ENESTED);
    cr_assert(finals == 2 && ran == 0, "they were dropped");
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* ---- R4 to R9: tasks ---- */

Test(workers, aborted_before_it_began_it_is_dropped_and_never_polled)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = multi(1);
    struct edo_handle *handle = edo_runtime_handle(runtime);
    struct gate gate;
    gate_init(&gate);
    finals = ran = 0;
    edo_task_detach(SPAWN_ON(handle, NEW(gatekeeper, .gate = &gate)));
    wait_for(&gate.entered);
    JOIN_HANDLE(int) task = SPAWN_ON(handle, NEW(work, .result = 1));
    edo_task_abort(task);
    edo_task_abort(task);
    cr_assert_not(edo_task_is_finished(task), "it is dropped on a thread of the runtime");
    sem_post(&gate.open);
    int value = 77;
    struct edo_join join = edo_join(task, &value);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    cr_assert_eq(join.output, UV_ECANCELED);
    cr_assert(value == 77 && ran == 0 && finals == 2);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

Test(workers, aborted_while_it_runs_it_is_dropped_at_its_next_suspension_or_reports_its_output)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = multi(2);
    for (int suspends = 0; suspends < 2; suspends++) {
        struct gate gate;
        gate_init(&gate);
        finals = 0;
        JOIN_HANDLE(int)
        task = SPAWN_ON(edo_runtime_handle(runtime),
                        NEW(gatekeeper, .gate = &gate, .suspends = suspends));
        wait_for(&gate.entered);
        edo_task_abort(task);
        sem_post(&gate.open);
        int value = 77;
        struct edo_join join = edo_join(task, &value);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_eq(join.output, suspends ? UV_ECANCELED : 0);
        cr_assert_eq(value, suspends ? 77 : 3);
        cr_assert_eq(finals, 1);
    }
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

struct aborts_itself {
    FUTURE(int);
    ONESHOT_RECEIVER(struct edo_abort_handle *) rx;
    struct edo_abort_handle *handle;
    struct edo_oneshot_recv recv;
};

ASYNC(aborts_itself)
{
    ASYNC_BEGIN;
    AWAIT(self->recv, edo_oneshot_recv(self->rx, &self->handle));
    edo_abort_handle_abort(self->handle);
    YIELD_NOW();
    cr_assert_fail("it is dropped at its next suspension");
ASYNC_FINALLY:
    edo_abort_handle_drop(self->handle);
    edo_oneshot_receiver_drop(self->rx);
    ++finals;
    ASYNC_END;
}

Test(workers, one_that_aborts_itself_is_dropped_when_it_suspends)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = multi(2);
    ONESHOT_SENDER(struct edo_abort_handle *) tx;
    ONESHOT_RECEIVER(struct edo_abort_handle *) rx;
    finals = 0;
    cr_assert_eq(edo_oneshot(&tx, &rx), 0);
    JOIN_HANDLE(int) task = SPAWN_ON(edo_runtime_handle(runtime), NEW(aborts_itself, .rx = rx));
    struct edo_abort_handle *abort = edo_abort_handle(task);
    cr_assert_eq(edo_oneshot_send(tx, &abort), 0);
    struct edo_join join = edo_join(task, NULL);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    cr_assert_eq(join.output, UV_ECANCELED);
    cr_assert_eq(finals, 1);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

Test(workers, a_panic_ends_only_its_task_and_is_reported)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = multi(2);
    struct edo_handle *handle = edo_runtime_handle(runtime);
    for (int i = 0; i < 50; i++) {
        char report[256] = "";
        int value = 0;
        JOIN_HANDLE(int) good = SPAWN_ON(handle, NEW(work, .yields = 20, .result = 8));
        JOIN_HANDLE(int) bad = SPAWN_ON(handle, NEW(panics));
        struct edo_join join = edo_join_report(bad, &value, report, sizeof report);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_eq(join.output, EDO_EPANIC);
        cr_assert_eq(strncmp(report, "no more than 3\n  panics (tests/workers_helpers.h:", 49), 0,
                     "%s", report);
        join = edo_join(good, &value);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_eq(value, 8);
    }
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* More than a worker's queue holds, from one worker, and each wakes when the last has come. */
enum { MANY = 5000 };

struct spawns_many {
    FUTURE(int);
    struct edo_barrier barrier;
    JOIN_HANDLE(int) handles[MANY];
    int i, sum, value;
    struct edo_join join;
};

ASYNC(spawns_many)
{
    ASYNC_BEGIN;
    edo_barrier_init(&self->barrier, MANY);
    for (int i = 0; i < MANY; i++)
        self->handles[i] = SPAWN(NEW(meets, .barrier = &self->barrier));
    for (; self->i < MANY; self->i++) {
        AWAIT(self->join, edo_join(self->handles[self->i], &self->value));
        self->sum += self->value;
    }
    edo_barrier_destroy(&self->barrier);
    RETURN(self->sum);
    ASYNC_END;
}

Test(workers, more_tasks_than_a_queue_holds_all_run)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = multi(3);
    struct spawns_many *many = calloc(1, sizeof *many);
    *many = NEW(spawns_many);
    JOIN_HANDLE(int) task = SPAWN_ON(edo_runtime_handle(runtime), NEW(work));
    edo_task_detach(task);
    cr_assert_eq(edo_block_on(runtime, many), 0);
    cr_assert_eq(many->output, 1);
    free(many);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* Each spins until the other does, too: they are on two threads. */
struct pair {
    _Atomic(int) here;
};

struct spins_for_two {
    FUTURE(int);
    struct pair *pair;
};

ASYNC(spins_for_two)
{
    ASYNC_BEGIN;
    ++self->pair->here;
    while (self->pair->here < 2)
        sched_yield();
    ASYNC_END;
}

struct spawns_two {
    FUTURE(int);
    struct pair pair;
    JOIN_HANDLE(int) handles[2];
    struct edo_join join;
};

ASYNC(spawns_two)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 2; i++)
        self->handles[i] = SPAWN(NEW(spins_for_two, .pair = &self->pair));
    AWAIT(self->join, edo_join(self->handles[0], NULL));
    AWAIT(self->join, edo_join(self->handles[1], NULL));
    ASYNC_END;
}

Test(workers, what_one_worker_spawns_others_run_at_the_same_time)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = multi(2);
    for (int i = 0; i < 100; i++) {
        struct edo_join join =
            edo_join(SPAWN_ON(edo_runtime_handle(runtime), NEW(spawns_two)), NULL);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_eq(join.output, 0);
    }
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

struct traces {
    FUTURE(int);
    JOIN_HANDLE(int) handle;
    struct edo_join join;
};

ASYNC(traces)
{
    ASYNC_BEGIN;
    self->handle = SPAWN(NEW(work, .yields = INT32_MAX));
    cr_assert_eq(edo_task_dump(self->handle, stderr), UV_EBUSY);
    edo_task_abort(self->handle);
    AWAIT(self->join, edo_join(self->handle, NULL));
    ASYNC_END;
}

Test(workers, a_task_is_not_traced_while_it_may_run)
{
    struct edo_runtime *runtime = multi(1);
    struct traces traces = NEW(traces);
    cr_assert_eq(edo_block_on(runtime, &traces), 0);
    edo_runtime_drop(runtime);
}

/* ---- R10 to R13: the end ---- */

Test(workers, dropping_the_runtime_drops_each_task_once_on_a_thread_of_its_own)
{
    for (uint32_t workers = 1; workers <= 8; workers *= 2) {
        struct baseline start = baseline();
        struct edo_runtime *runtime = multi(workers);
        struct edo_handle *handle = edo_handle_clone(edo_runtime_handle(runtime));
        finals = ends_elsewhere = 0;
        for (int i = 0; i < 100; i++)
            edo_task_detach(SPAWN_ON(handle, NEW(spawns_at_its_end, .more = i % 3)));
        JOIN_HANDLE(int) kept = SPAWN_ON(handle, NEW(spawns_at_its_end));
        struct edo_sleep sleep = edo_sleep(1);
        cr_assert_eq(edo_block_on(runtime, &sleep), 0);
        edo_runtime_drop(runtime);
        cr_assert_eq(finals, 34 * 1 + 33 * 2 + 33 * 3 + 1);
        cr_assert_eq(ends_elsewhere, 0);
        cr_assert(edo_task_is_finished(kept));
        edo_task_abort(kept);
        struct edo_join join = edo_join(kept, NULL);
        cr_assert_eq(edo_park_on(&join.future_), 0);
        cr_assert_eq(join.output, UV_ECANCELED);
        /* Afterwards. */
        ran = finals = 0;
        JOIN_HANDLE(int) late = SPAWN_ON(handle, NEW(work));
        cr_assert(edo_task_is_finished(late) && ran == 0 && finals == 1);
        edo_task_detach(late);
        struct edo_guard guard = edo_enter(handle);
        struct edo_sleep never = edo_sleep(5);
        cr_assert_eq(edo_park_on(&never.future_), 0);
        cr_assert_lt(never.output, 0, "there is no clock any more");
        edo_leave(guard);
        edo_handle_drop(handle);
        check_baseline(&start);
    }
}

/* In one poll, until it is let go. */
static void check_shutdown(bool background)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = multi(2);
    struct gate gate;
    gate_init(&gate);
    finals = 0;
    JOIN_HANDLE(int)
    task = SPAWN_ON(edo_runtime_handle(runtime), NEW(gatekeeper, .gate = &gate, .suspends = true));
    edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime), NEW(spawns_at_its_end, .more = 1)));
    wait_for(&gate.entered);
    struct edo_handle *handle = edo_handle_clone(edo_runtime_handle(runtime));
    uint64_t before = edo_clock_ns();
    if (background)
        edo_runtime_shutdown_background(runtime);
    else
        edo_runtime_shutdown_timeout(runtime, 20);
    cr_assert(background || edo_clock_ns() - before >= 20u * (uint64_t)MS, "it did not wait");
    cr_assert_not(edo_task_is_finished(task), "it waited for what does not end");
    JOIN_HANDLE(int) late = SPAWN_ON(handle, NEW(work));
    cr_assert(edo_task_is_finished(late), "a worker may yet run it");
    edo_task_detach(late);
    edo_handle_drop(handle);
    sem_post(&gate.open);
    struct edo_join join = edo_join(task, NULL);
    cr_assert_eq(edo_park_on(&join.future_), 0);
    cr_assert_eq(join.output, UV_ECANCELED);
    await_baseline(&start);
    cr_assert_eq(finals, 4);
    check_baseline(&start);
}

/* Waits for ever, and is found by its waker, as whoever waits for a lock or a message. */
static _Atomic(struct edo_waker *) found_by;
static sem_t is_gone;

struct waits {
    FUTURE(int);
};

static enum edo_poll waits_poll(struct edo_future *future, struct edo_context *cx)
{
    (void)future;
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "waits");
    if (cx->walk == EDO_WALK_DROP) {
        sem_post(&is_gone);
        return EDO_READY;
    }
    found_by = cx->waker;
    return EDO_PENDING;
}

/* In the end it wakes that one, which is dropped in between. */
struct wakes_in_the_end {
    FUTURE(int);
    struct gate *gate;
};

ASYNC(wakes_in_the_end)
{
    ASYNC_BEGIN;
    YIELD_NOW();
ASYNC_FINALLY:;
    struct edo_waker *claimed = found_by;
    claimed = claimed->ops->claim(claimed);
    cr_assert_not_null(claimed);
    struct edo_task *task = (struct edo_task *)claimed;
    cr_assert_eq(edo_task_state_peek(&task->state) / EDO_TASK_REF, 2, "it may be freed");
    sem_post(&self->gate->open);
    wait_for(&is_gone);
    claimed->ops->finish(claimed);
    ASYNC_END;
}

Test(workers, one_that_is_refused_may_wake_others_in_its_end)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = multi(1);
    struct edo_handle *handle = edo_handle_clone(edo_runtime_handle(runtime));
    struct gate gate;
    gate_init(&gate);
    sem_init(&is_gone, 0, 0);
    SPAWN_DETACHED_ON(handle, NEW(waits));
    while (found_by == NULL)
        nap(1);
    SPAWN_DETACHED_ON(handle, NEW(gatekeeper, .gate = &gate));
    wait_for(&gate.entered);
    edo_runtime_shutdown_background(runtime);
    SPAWN_DETACHED_ON(handle, NEW(wakes_in_the_end, .gate = &gate));
    edo_handle_drop(handle);
    await_baseline(&start);
    check_baseline(&start);
}

Test(workers, shutting_down_in_the_background_waits_for_nobody)
{
    check_shutdown(true);
}

Test(workers, shutting_down_begins_no_poll_any_more)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = multi(1);
    struct edo_handle *handle = edo_runtime_handle(runtime);
    struct gate gate;
    gate_init(&gate);
    /* It is just after a look at what else there is but tasks. */
    struct edo_join join = edo_join(SPAWN_ON(handle, NEW(work)), NULL);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    edo_task_detach(SPAWN_ON(handle, NEW(gatekeeper, .gate = &gate)));
    wait_for(&gate.entered);
    ran = 0;
    for (int i = 0; i < 20; i++)
        edo_task_detach(SPAWN_ON(handle, NEW(work)));
    edo_runtime_shutdown_background(runtime);
    sem_post(&gate.open);
    await_baseline(&start);
    cr_assert_eq(ran, 0);
    check_baseline(&start);
}

Test(workers, shutting_down_within_a_time_waits_no_longer)
{
    check_shutdown(false);
}

Test(workers, shutting_down_within_a_time_waits_for_what_ends_before)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = multi(4);
    finals = 0;
    for (int i = 0; i < 100; i++)
        edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime), NEW(spawns_at_its_end, .more = 1)));
    edo_runtime_shutdown_timeout(runtime, 50000);
    cr_assert_eq(finals, 200);
    check_baseline(&start);
}
