/* SPDX-License-Identifier: MIT */
/* Blocking work as tasks: outputs, what it may do where it runs. How it ends: blocking_end_test.c. */
#include "io_helpers.h"
#include "blocking_helpers.h"

/* ---- Outputs ---- */

struct outputs {
    FUTURE(int);
    JOIN_HANDLE(int) handle;
    int value;
    struct edo_join join;
};

static int twice(void *argument)
{
    return 2 * *(int *)argument;
}

ASYNC(outputs)
{
    ASYNC_BEGIN;
    self->value = 21;
    self->handle = SPAWN_BLOCKING(edo_call(twice, &self->value));
    cr_assert_eq(edo_task_error(self->handle), 0);
    AWAIT(self->join, edo_join(self->handle, &self->value));
    cr_assert_eq(self->join.output, 0);
    RETURN(self->value);
    ASYNC_END;
}

Test(blocking, a_join_gives_the_output)
{
    cr_assert_eq(RUN(NEW(outputs)), 42);
}

/* An output of another type, large, and none at all. */
struct large {
    char bytes[300];
};

struct makes_large {
    FUTURE(struct large);
};

ASYNC(makes_large)
{
    ASYNC_BEGIN;
    memset(self->output.bytes, 7, sizeof self->output.bytes);
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

struct kinds {
    FUTURE(int);
    struct large value;
    struct edo_join join;
};

ASYNC(kinds)
{
    ASYNC_BEGIN;
    AWAIT(self->join, edo_join(SPAWN_BLOCKING(NEW(makes_large)), &self->value));
    cr_assert_eq(self->value.bytes[299], 7);
    AWAIT(self->join, edo_join(SPAWN_BLOCKING(NEW(makes_nothing)), NULL));
    RETURN(self->join.output);
    ASYNC_END;
}

Test(blocking, outputs_of_any_type)
{
    cr_assert_eq(RUN(NEW(kinds)), 0);
}

Test(blocking, it_is_spawned_on_a_handle_and_joined_anywhere)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    /* Nobody runs the runtime. */
    JOIN_HANDLE(int)
    handle = SPAWN_BLOCKING_ON(edo_runtime_handle(runtime), NEW(job, .log = &log, .name = 5));
    cr_assert_neq(edo_task_id(handle), 0);
    cr_assert_eq(join_here(handle), 5);
    cr_assert_eq(log.finals, 1);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

Test(blocking, a_detached_one_goes_on_and_its_output_goes_with_it)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    struct edo_event begun, go;
    edo_event_init(&begun);
    edo_event_init(&go);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    edo_task_detach(SPAWN_BLOCKING_ON(edo_runtime_handle(runtime),
                                      NEW(job, .log = &log, .begun = &begun, .go = &go)));
    edo_event_wait(&begun);
    edo_event_set(&go);
    edo_runtime_drop(runtime);
    cr_assert_eq(log.finals, 1);
    check_baseline(&start);
}

Test(blocking, without_a_runtime_it_is_dropped_and_the_handle_says_so)
{
    struct log_of_jobs log = {0};
    JOIN_HANDLE(int) handle = SPAWN_BLOCKING(NEW(job, .log = &log));
    cr_assert_eq(edo_task_error(handle), EDO_ENORUNTIME);
    cr_assert_eq(join_here(handle), EDO_ENORUNTIME);
    cr_assert_eq(log.finals, 1);
    cr_assert_eq(log.begun, 0);
}

/* ---- What it is on its thread ---- */

static pthread_t other_thread;

struct looks {
    FUTURE(int);
    struct edo_handle *handle;
    uint64_t id;
};

static int inner_finals;

struct inner {
    FUTURE(int);
    struct edo_sleep sleep;
};

ASYNC(inner)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(1));
    RETURN(3);
ASYNC_FINALLY:
    inner_finals++;
    ASYNC_END;
}

ASYNC(looks)
{
    ASYNC_BEGIN;
    other_thread = pthread_self();
    MUST(edo_handle_current() == self->handle);
    MUST(edo_thread.running == NULL);
    self->id = edo_current_task_id();
    MUST(self->id != 0);
    /* It may block: also on a runtime of its own. */
    struct edo_runtime *runtime;
    MUST(edo_runtime_new(&runtime) == 0);
    struct inner inner = NEW(inner);
    MUST(edo_block_on(runtime, &inner) == 0 && inner.output == 3);
    edo_runtime_drop(runtime);
    MUST(edo_handle_current() == self->handle);
    MUST(edo_current_task_id() == self->id);
ASYNC_FINALLY:
    MUST(edo_current_task_id() == self->id);
    ASYNC_END;
}

struct looking {
    FUTURE(int);
    JOIN_HANDLE(int) handle;
    uint64_t id;
    struct edo_join join;
};

ASYNC(looking)
{
    ASYNC_BEGIN;
    self->handle = SPAWN_BLOCKING(NEW(looks, .handle = edo_handle_current()));
    cr_assert_neq(edo_task_id(self->handle), 0);
    AWAIT(self->join, edo_join(self->handle, NULL));
    cr_assert_eq(self->join.output, 0);
    cr_assert_not(pthread_equal(other_thread, pthread_self()));
    ASYNC_END;
}

Test(blocking, it_runs_on_another_thread_which_may_block_with_the_runtime_entered)
{
    RUN(NEW(looking));
    cr_assert_eq(inner_finals, 1);
}

/* It spawns a task on its runtime and waits for it; and for a message, from the runtime. */
typedef MPSC_RECEIVER(int) receiver;

struct awaits_much {
    FUTURE(int);
    receiver rx;
    struct edo_mpsc_recv recv;
    int value, sum;
    pthread_t thread;
    struct edo_join join;
};

struct answers {
    FUTURE(int);
    pthread_t not_here;
};

ASYNC(answers)
{
    ASYNC_BEGIN;
    MUST(!pthread_equal(pthread_self(), self->not_here));
    YIELD_NOW();
    RETURN(1000);
    ASYNC_END;
}

ASYNC(awaits_much)
{
    ASYNC_BEGIN;
    self->thread = pthread_self();
    AWAIT(self->join, edo_join(SPAWN(NEW(answers, .not_here = self->thread)), &self->sum));
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->rx, &self->value));
        if (self->recv.output < 0)
            break;
        MUST(pthread_equal(self->thread, pthread_self()));
        self->sum += self->value;
    }
    RETURN(self->sum);
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

enum { MESSAGES = 1000 };

struct talks {
    FUTURE(int);
    MPSC_SENDER(int) tx;
    receiver rx;
    JOIN_HANDLE(int) handle;
    int i, value;
    struct edo_mpsc_send send;
    struct edo_join join;
};

ASYNC(talks)
{
    ASYNC_BEGIN;
    cr_assert_eq(edo_mpsc(&self->tx, &self->rx, 2), 0);
    self->handle = SPAWN_BLOCKING(NEW(awaits_much, .rx = self->rx));
    for (self->i = 0; self->i < MESSAGES; self->i++) {
        self->value = 1;
        AWAIT(self->send, edo_mpsc_send(self->tx, &self->value));
        cr_assert_eq(self->send.output, 0);
    }
    edo_mpsc_sender_drop(self->tx);
    AWAIT(self->join, edo_join(self->handle, &self->value));
    RETURN(self->value);
    ASYNC_END;
}

Test(blocking, where_it_awaits_its_thread_waits)
{
    cr_assert_eq(RUN(NEW(talks)), 1000 + MESSAGES);
}

/* By the handle, where the thread is nobody's: as any other that blocks. */
struct blocks_on {
    FUTURE(int);
};

ASYNC(blocks_on)
{
    ASYNC_BEGIN;
    struct edo_join join = edo_join(SPAWN(NEW(answers, .not_here = pthread_self())), &self->output);
    MUST(edo_handle_block_on(edo_handle_current(), &join) == 0 && join.output == 0);
    MUST(edo_thread.running == NULL);
    RETURN(self->output);
    ASYNC_END;
}

struct awaits_that {
    FUTURE(int);
    int value;
    struct edo_join join;
};

ASYNC(awaits_that)
{
    ASYNC_BEGIN;
    AWAIT(self->join, edo_join(SPAWN_BLOCKING(NEW(blocks_on)), &self->value));
    RETURN(self->value);
    ASYNC_END;
}

Test(blocking, it_may_block_on_its_runtime_by_the_handle)
{
    cr_assert_eq(RUN(NEW(awaits_that)), 1000);
}

/* Time is the workers', who turn the loops; a current-thread runtime has but the one that runs it. */
struct sleeps {
    FUTURE(int);
    struct edo_sleep sleep;
    uint64_t start;
};

ASYNC(sleeps)
{
    ASYNC_BEGIN;
    self->start = edo_clock_ns();
    AWAIT(self->sleep, edo_sleep(20));
    MUST(self->sleep.output != 0 || edo_clock_ns() - self->start >= 20 * (uint64_t)MS);
    RETURN(self->sleep.output);
    ASYNC_END;
}

Test(blocking, it_sleeps_where_its_runtime_has_workers)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    cr_assert_eq(join_here(SPAWN_BLOCKING_ON(edo_runtime_handle(runtime), NEW(sleeps))),
                 EDO_ENORUNTIME);
    edo_runtime_drop(runtime);
    cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 1), 0);
    cr_assert_eq(join_here(SPAWN_BLOCKING_ON(edo_runtime_handle(runtime), NEW(sleeps))), 0);
    edo_runtime_drop(runtime);
}

/* What wakes itself, and what has no budget: it gives way to nobody. */
struct greedy {
    FUTURE(int);
    receiver rx;
    struct edo_mpsc_recv recv;
    int value;
    int left, count;
};

ASYNC(greedy)
{
    ASYNC_BEGIN;
    while (self->left-- > 0)
        YIELD_NOW();
    for (;;) {
        self->recv = edo_mpsc_recv(self->rx, &self->value);
        if (edo_future_poll(&self->recv.future_, cx) == EDO_PENDING || self->recv.output < 0)
            break;
        self->count++;
    }
    edo_future_drop(&self->recv.future_, cx);
    RETURN(self->count);
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

Test(blocking, it_has_no_budget)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    MPSC_SENDER(int) tx;
    receiver rx;
    cr_assert_eq(edo_mpsc(&tx, &rx, EDO_UNBOUNDED), 0);
    for (int i = 0; i < MESSAGES; i++)
        cr_assert_eq(edo_mpsc_try_send(tx, &i), 0);
    cr_assert_eq(join_here(SPAWN_BLOCKING_ON(edo_runtime_handle(runtime),
                                             NEW(greedy, .rx = rx, .left = 300))),
                 MESSAGES);
    edo_mpsc_sender_drop(tx);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* ---- block_in_place ---- */

static void counts(void *argument)
{
    ++*(int *)argument;
}

static void nests(void *argument)
{
    MUST(edo_block_in_place(counts, argument) == 0);
}

static int in_place(void *argument)
{
    return edo_block_in_place(counts, argument);
}

struct in_place_here {
    FUTURE(int);
    int count;
    struct edo_join join;
};

ASYNC(in_place_here)
{
    ASYNC_BEGIN;
    cr_assert_eq(edo_block_in_place(counts, &self->count), UV_EINVAL);
    cr_assert_eq(self->count, 0);
    AWAIT(self->join, edo_join(SPAWN_BLOCKING(edo_call(in_place, &self->count)), NULL));
    RETURN(self->count);
    ASYNC_END;
}

Test(blocking, in_place_is_refused_where_there_is_no_other_thread)
{
    cr_assert_eq(RUN_ALONE(NEW(in_place_here)), 1);
}

Test(blocking, in_place_outside_of_a_runtime_just_calls)
{
    int count = 0;
    cr_assert_eq(edo_block_in_place(nests, &count), 0);
    cr_assert_eq(count, 1);
}

/* ---- Paused time ---- */

struct held {
    FUTURE(int);
    struct log_of_jobs *log;
    struct edo_event *begun, *go;
    uint64_t start;
    bool joins;
    JOIN_HANDLE(int) handle;
    struct edo_sleep sleep;
    struct edo_join join;
};

static void *lets_go(void *arg)
{
    struct held *held = arg;
    edo_event_wait(held->begun);
    /* So long that one which would not wait has skipped to the end, most likely: it must not in any case. */
    usleep(20000);
    edo_event_set(held->go);
    return NULL;
}

/* Two jobs on one thread: one is under way, one is queued. */
ASYNC(held)
{
    ASYNC_BEGIN;
    self->start = edo_now();
    edo_task_detach(
        SPAWN_BLOCKING(NEW(job, .log = self->log, .begun = self->begun, .go = self->go)));
    self->handle = SPAWN_BLOCKING(NEW(job, .log = self->log, .name = 1));
    if (self->joins) {
        AWAIT(self->join, edo_join(self->handle, NULL));
        cr_assert_eq(edo_now(), self->start);
    } else {
        edo_task_detach(self->handle);
    }
    AWAIT(self->sleep, edo_sleep(3600000));
    cr_assert_eq(self->log->finals, 2);
    cr_assert_eq((edo_now() - self->start) / MS, 3600000);
    ASYNC_END;
}

static void check_held(bool joins)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    struct edo_event begun, go;
    edo_event_init(&begun);
    edo_event_init(&go);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true, .max_blocking_threads = 1), 0);
    struct held held = NEW(held, .log = &log, .begun = &begun, .go = &go, .joins = joins);
    struct edo_thread_id thread = start_thread(lets_go, &held);
    cr_assert_eq(edo_block_on(runtime, &held), 0);
    edo_thread_join(thread);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

Test(blocking, work_that_somebody_waits_for_holds_paused_time_back)
{
    check_held(true);
}

Test(blocking, work_that_nobody_waits_for_holds_paused_time_back)
{
    check_held(false);
}

/* ---- One after the other ---- */

/* What else a runtime has to do beside work that comes back at once: a timer, and then a byte. */
struct beside {
    FUTURE(int);
    struct edo_tcp *conn;
    _Atomic(int) *done; /* of the two */
    char byte;
    union {
        struct edo_sleep sleep;
        struct edo_read read;
    };
};

ASYNC(beside)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(1));
    edo_store(self->done, 1, relaxed);
    AWAIT(self->read, edo_read(self->conn, &self->byte, 1));
    cr_assert_eq(self->read.output, 1);
    edo_store(self->done, 2, relaxed);
    ASYNC_END;
}

struct one_after_the_other {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer, rounds;
    bool sent;
    _Atomic(int) runs, done;
    JOIN_HANDLE(int) beside;
    struct edo_join join;
};

static int count_run(void *argument)
{
    return edo_fetch_add((_Atomic(int) *)argument, 1, relaxed) + 1;
}

ASYNC(one_after_the_other)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    self->beside = SPAWN(NEW(beside, .conn = self->conn, .done = &self->done));
    for (; self->rounds < 300 || edo_load(&self->done, relaxed) < 2; self->rounds++) {
        if (edo_load(&self->done, relaxed) == 1 && !self->sent) {
            cr_assert_eq(write(self->peer, "x", 1), 1);
            self->sent = true;
        }
        AWAIT(self->join, edo_join(SPAWN_BLOCKING(edo_call(count_run, &self->runs)), NULL));
        cr_assert_eq(edo_load(&self->runs, relaxed), self->rounds + 1);
    }
    AWAIT(self->join, edo_join(self->beside, NULL));
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(blocking, timers_and_sockets_are_served_beside_work_that_comes_back_at_once)
{
    cr_assert_eq(RUN(NEW(one_after_the_other)), 0);
}

/* There the two threads have the processor by turns. */
Test(blocking, the_same_on_a_single_processor)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((unsigned)sched_getcpu(), &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    cr_assert_eq(RUN(NEW(one_after_the_other)), 0);
}

/* ---- Many ---- */

enum { SPAWNERS = 4, JOBS = 1000 };

struct counts_itself {
    FUTURE(int);
    _Atomic(int) *runs;
};

ASYNC(counts_itself)
{
    ASYNC_BEGIN;
    edo_fetch_add(self->runs, 1, relaxed);
    ASYNC_END;
}

struct spawner {
    struct edo_handle *handle;
    _Atomic(int) runs;
};

static void *spawns_many(void *arg)
{
    struct spawner *spawner = arg;
    JOIN_HANDLE(int) handles[16];
    for (int i = 0; i < JOBS; i += 16) {
        for (int j = 0; j < 16; j++)
            handles[j] =
                SPAWN_BLOCKING_ON(spawner->handle, NEW(counts_itself, .runs = &spawner->runs));
        for (int j = 0; j < 16; j++) {
            if (j % 4 == 3)
                edo_task_detach(handles[j]);
            else
                MUST(join_here(handles[j]) == 0);
        }
    }
    edo_handle_drop(spawner->handle);
    return NULL;
}

Test(blocking, many_from_several_threads)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime, .max_blocking_threads = 3), 0);
    struct spawner spawners[SPAWNERS] = {0};
    struct edo_thread_id threads[SPAWNERS];
    for (int i = 0; i < SPAWNERS; i++) {
        spawners[i].handle = edo_handle_clone(edo_runtime_handle(runtime));
        threads[i] = start_thread(spawns_many, &spawners[i]);
    }
    for (int i = 0; i < SPAWNERS; i++)
        edo_thread_join(threads[i]);
    await_idle(edo_runtime_handle(runtime),
               edo_blocking_pool_counts(edo_runtime_handle(runtime)->blocking).threads);
    for (int i = 0; i < SPAWNERS; i++)
        cr_assert_eq(spawners[i].runs, (JOBS + 15) / 16 * 16);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}
