/* SPDX-License-Identifier: MIT */
/* The multi-thread runtime: what it promises beyond what holds on any runtime (make check-workers runs those tests
 * on it). */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <time.h>

#include "internal/park.h"
#include "io_helpers.h"

#define MULTI(n) .flavor = EDO_MULTI_THREAD, .worker_threads = (n)

static _Atomic(int) finals, ran;

struct work {
    FUTURE(int);
    int yields, result;
};

ASYNC(work)
{
    ASYNC_BEGIN;
    ++ran;
    while (self->yields-- > 0)
        YIELD_NOW();
    RETURN(self->result);
ASYNC_FINALLY:
    ++finals;
    ASYNC_END;
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        ;
}

static void nap(uint64_t ms)
{
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * MS)};
    nanosleep(&time, NULL);
}

static bool is_main_thread(void)
{
    return gettid() == getpid();
}

static struct edo_runtime *multi(uint32_t workers)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(workers)), 0);
    return runtime;
}

/* A worker that is held in a poll until it is let go: what is spawned meanwhile does not begin, where it is the
 * only one. */
struct gate {
    sem_t entered, open;
};

static void gate_init(struct gate *gate)
{
    sem_init(&gate->entered, 0, 0);
    sem_init(&gate->open, 0, 0);
}

struct gatekeeper {
    FUTURE(int);
    struct gate *gate;
    bool suspends;
};

ASYNC(gatekeeper)
{
    ASYNC_BEGIN;
    sem_post(&self->gate->entered);
    wait_for(&self->gate->open);
    while (self->suspends) {
        YIELD_NOW();
    }
    RETURN(3);
ASYNC_FINALLY:
    ++finals;
    ASYNC_END;
}

/* A task that is a future of the test's. */
struct elsewhere {
    FUTURE(int);
    struct edo_future *inner;
};

static enum edo_poll elsewhere_poll(struct edo_future *future, struct edo_context *cx)
{
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "elsewhere");
    return edo_future_poll(((struct elsewhere *)future)->inner, cx);
}

/* ---- R1, R2: block_on ---- */

struct meets {
    FUTURE(int);
    struct edo_barrier *barrier;
    struct edo_barrier_wait wait;
    struct edo_sleep sleep;
};

ASYNC(meets)
{
    ASYNC_BEGIN;
    AWAIT(self->wait, edo_barrier_wait(self->barrier));
    AWAIT(self->sleep, edo_sleep(1));
    RETURN(self->wait.output);
    ASYNC_END;
}

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

struct posts {
    FUTURE(int);
    sem_t *semaphore;
    struct edo_sleep sleep;
};

ASYNC(posts)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(1));
    sem_post(self->semaphore);
    ASYNC_END;
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

struct panics {
    FUTURE(int);
};

ASYNC(panics)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    PANIC("no more than %d", 3);
ASYNC_FINALLY:
    ++finals;
    ASYNC_END;
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
        cr_assert_eq(strncmp(report, "no more than 3\n  panics (tests/workers_test.c:", 46), 0,
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

static _Atomic(int) ends_elsewhere;

struct spawns_at_its_end {
    FUTURE(int);
    int more;
    struct edo_sleep sleep;
};
static ASYNC_DECLARE(spawns_at_its_end);

ASYNC(spawns_at_its_end)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(1000000));
ASYNC_FINALLY:
    ++finals;
    ends_elsewhere += is_main_thread() || edo_handle_current() == NULL;
    if (self->more > 0)
        edo_task_detach(SPAWN(NEW(spawns_at_its_end, .more = self->more - 1)));
    ASYNC_END;
}

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
    uint64_t before = edo_clock_ns();
    if (background)
        edo_runtime_shutdown_background(runtime);
    else
        edo_runtime_shutdown_timeout(runtime, 20);
    cr_assert(background || edo_clock_ns() - before >= 20u * (uint64_t)MS, "it did not wait");
    cr_assert_not(edo_task_is_finished(task), "it waited for what does not end");
    sem_post(&gate.open);
    struct edo_join join = edo_join(task, NULL);
    cr_assert_eq(edo_park_on(&join.future_), 0);
    cr_assert_eq(join.output, UV_ECANCELED);
    /* The rest goes by itself; the census says when. */
    while (edo_census_now().live[EDO_CENSUS_BLOCKS] != start.census.live[EDO_CENSUS_BLOCKS] ||
           fd_count() != start.fds)
        nap(1);
    cr_assert_eq(finals, 3);
    check_baseline(&start);
}

Test(workers, shutting_down_in_the_background_waits_for_nobody)
{
    check_shutdown(true);
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

/* ---- R14 to R16: fairness, with one worker ---- */

/* Sleeps of no time are always ready. */
struct hog {
    FUTURE(int);
    int n;
    struct edo_sleep sleep;
};

ASYNC(hog)
{
    ASYNC_BEGIN;
    for (self->n = 0; self->n < 1000 && ran == 0; self->n++)
        AWAIT(self->sleep, edo_sleep(0));
    RETURN(self->n);
    ASYNC_END;
}

Test(workers, one_that_always_has_work_lets_others_run_after_its_budget)
{
    struct edo_runtime *runtime = multi(1);
    struct edo_handle *handle = edo_runtime_handle(runtime);
    struct gate gate;
    gate_init(&gate);
    ran = 0;
    edo_task_detach(SPAWN_ON(handle, NEW(gatekeeper, .gate = &gate)));
    wait_for(&gate.entered);
    JOIN_HANDLE(int) hog = SPAWN_ON(handle, NEW(hog));
    edo_task_detach(SPAWN_ON(handle, NEW(work)));
    sem_post(&gate.open);
    int n = 0;
    struct edo_join join = edo_join(hog, &n);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    /* 128, and the one that then waits its turn. */
    cr_assert_eq(n, EDO_BUDGET + 1);
    edo_runtime_drop(runtime);
}

/* Two that wake each other all the time, and one that gives way all the time. */
struct rally;

struct player {
    FUTURE(int);
    struct rally *rally;
    struct edo_notify *mine, *theirs;
    struct edo_notified notified;
};

struct rally {
    FUTURE(int);
    struct edo_notify notify[2];
    int hits, before, turns, most, sum;
    JOIN_HANDLE(int) handles[2];
};

ASYNC(player)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->notified, edo_notified(self->mine));
        self->rally->hits++;
        edo_notify_one(self->theirs);
    }
    ASYNC_END;
}

/* How many hits there are between two turns of the third: at most, and in all. */
ASYNC(rally)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 2; i++) {
        edo_notify_init(&self->notify[i]);
        self->handles[i] = SPAWN(
            NEW(player, .rally = self, .mine = &self->notify[i], .theirs = &self->notify[1 - i]));
    }
    edo_notify_one(&self->notify[0]);
    for (self->turns = 0; self->turns < 2000; self->turns++) {
        self->before = self->hits;
        YIELD_NOW();
        self->sum += self->hits - self->before;
        if (self->hits - self->before > self->most)
            self->most = self->hits - self->before;
    }
ASYNC_FINALLY:
    for (int i = 0; i < 2; i++) {
        edo_task_abort(self->handles[i]);
        edo_task_detach(self->handles[i]);
    }
    ASYNC_END;
}

static struct rally play_rally(bool without_lifo)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(1), .disable_lifo_slot = without_lifo), 0);
    struct rally rally = NEW(rally);
    JOIN_HANDLE(int)
    task = SPAWN_ON(edo_runtime_handle(runtime), NEW(elsewhere, .inner = &rally.future_));
    struct edo_join join = edo_join(task, NULL);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    cr_assert_eq(join.output, 0);
    edo_runtime_drop(runtime);
    for (int i = 0; i < 2; i++)
        edo_notify_destroy(&rally.notify[i]);
    return rally;
}

Test(workers, the_lifo_slot_goes_first_three_times_in_a_row_and_no_more)
{
    struct rally with = play_rally(false), without = play_rally(true);
    /* One that was woken when the slot was off, and three out of it. */
    cr_assert_leq(with.most, 4);
    cr_assert_geq(with.sum, 3 * with.turns, "%d in %d turns", with.sum, with.turns);
    cr_assert_leq(without.most, 2);
}

/* How often it yields before it sees that what another thread spawned has run. */
struct notices {
    FUTURE(int);
    struct edo_handle *handle;
};

static void *spawn_one(void *handle)
{
    edo_task_detach(SPAWN_ON((struct edo_handle *)handle, NEW(work)));
    return NULL;
}

ASYNC(notices)
{
    pthread_t thread;
    ASYNC_BEGIN;
    ran = 0;
    cr_assert_eq(pthread_create(&thread, NULL, spawn_one, self->handle), 0);
    pthread_join(thread, NULL);
    for (; ran == 0; self->output++)
        YIELD_NOW();
    ASYNC_END;
}

Test(workers, foreign_spawns_are_looked_at_every_global_queue_interval)
{
    for (uint32_t interval = 1; interval <= 100; interval += 33) {
        struct edo_runtime *runtime;
        int n = 0;
        cr_assert_eq(edo_runtime_new(&runtime, MULTI(1), .event_interval = 100000,
                                     .global_queue_interval = interval),
                     0);
        struct edo_handle *handle = edo_runtime_handle(runtime);
        struct edo_join join = edo_join(SPAWN_ON(handle, NEW(notices, .handle = handle)), &n);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_leq(n, (int)interval + 1);
        edo_runtime_drop(runtime);
    }
}

/* A timer that is due, and nobody sleeps: how often it yields until another task that waits for it has run. */
struct naps {
    FUTURE(int);
    struct edo_sleep sleep;
};

ASYNC(naps)
{
    ASYNC_BEGIN;
    self->sleep = edo_sleep(2);
    cr_assert_eq(edo_future_poll(&self->sleep.future_, cx), EDO_PENDING);
    ++finals;
    AWAIT_REF(self->sleep);
    ++ran;
    ASYNC_END;
}

struct spins {
    FUTURE(int);
};

ASYNC(spins)
{
    uint64_t end;
    ASYNC_BEGIN;
    ran = finals = 0;
    edo_task_detach(SPAWN(NEW(naps)));
    while (finals == 0)
        YIELD_NOW();
    for (end = edo_clock_ns() + 5 * MS; edo_clock_ns() < end;)
        ;
    for (; ran == 0; self->output++)
        YIELD_NOW();
    ASYNC_END;
}

Test(workers, the_loop_is_looked_at_every_event_interval)
{
    for (uint32_t interval = 1; interval <= 1000; interval *= 10) {
        struct edo_runtime *runtime;
        int n = 0;
        cr_assert_eq(edo_runtime_new(&runtime, MULTI(1), .event_interval = interval), 0);
        struct edo_join join = edo_join(SPAWN_ON(edo_runtime_handle(runtime), NEW(spins)), &n);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_leq(n, (int)interval + 2);
        edo_runtime_drop(runtime);
    }
}

/* ---- R17: idle ---- */

struct hooks {
    _Atomic(int) start, stop, park, unpark, wrong_name;
    const char *name;
};

static void on_start(void *arg)
{
    struct hooks *hooks = arg;
    char name[EDO_THREAD_NAME];
    pthread_getname_np(pthread_self(), name, sizeof name);
    hooks->wrong_name +=
        hooks->name != NULL && strncmp(name, hooks->name, strlen(hooks->name)) != 0;
    hooks->start++;
}

static void on_stop(void *arg)
{
    ((struct hooks *)arg)->stop++;
}

static void on_park(void *arg)
{
    ((struct hooks *)arg)->park++;
}

static void on_unpark(void *arg)
{
    ((struct hooks *)arg)->unpark++;
}

#define HOOKS(hooks)                                                                   \
    .on_thread_start = on_start, .on_thread_stop = on_stop, .on_thread_park = on_park, \
    .on_thread_unpark = on_unpark, .hook_arg = (hooks)

/* All its workers sleep. */
static void wait_for_sleep(struct hooks *hooks, int workers)
{
    while (hooks->park - hooks->unpark < workers)
        nap(1);
}

Test(workers, idle_they_use_no_processor)
{
    struct hooks hooks = {0};
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(8), HOOKS(&hooks)), 0);
    wait_for_sleep(&hooks, 8);
    /* The watch over the others is kept up for a while. */
    nap(3000);
    uint64_t before = cpu_ns();
    int woken = hooks.unpark;
    nap(2000);
    cr_assert_lt(cpu_ns() - before, 2u * (uint64_t)MS, "%" PRIu64 " ns", cpu_ns() - before);
    cr_assert_eq(hooks.unpark, woken);
    edo_runtime_drop(runtime);
}

Test(workers, a_foreign_wake_wakes_one)
{
    enum { WORKERS = 6, WAKES = 200 };
    struct hooks hooks = {0};
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(WORKERS), HOOKS(&hooks)), 0);
    wait_for_sleep(&hooks, WORKERS);
    int before = hooks.unpark;
    for (int i = 0; i < WAKES; i++) {
        finals = 0;
        edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime), NEW(work)));
        while (finals == 0)
            nap(1);
        wait_for_sleep(&hooks, WORKERS);
    }
    /* And now and then the one that is to have the watch. */
    cr_assert_leq(hooks.unpark - before, WAKES + WAKES / 10 + 2, "%d woke", hooks.unpark - before);
    edo_runtime_drop(runtime);
}

/* ---- A worker that is stuck in a poll holds up nothing ---- */

/* A task whose waker somebody else uses: when it was polled for that. */
struct victim {
    FUTURE(int);
    struct edo_waker *_Atomic *waker;
    _Atomic(uint64_t) *at;
    _Atomic(bool) *over;
};

static enum edo_poll victim_poll(struct edo_future *future, struct edo_context *cx)
{
    struct victim *self = (struct victim *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "victim");
    if (*self->waker == NULL)
        *self->waker = edo_waker_clone(cx->waker);
    else if (*self->at == 0)
        *self->at = edo_clock_ns();
    return *self->over ? EDO_READY : EDO_PENDING;
}

enum { BY_TIMER, BY_SOCKET, BY_WAKE, VICTIMS };
enum { STUCK_MS = 500, AFTER_MS = 50, SERVED_MS = 10, SLACK_MS = 5 };

/* Arms a timer and a read on the worker that it runs on, for others, wakes a third, and spins. */
struct stuck {
    FUTURE(int);
    struct edo_waker *_Atomic wakers[VICTIMS];
    _Atomic(uint64_t) at[VICTIMS], due[VICTIMS];
    _Atomic(bool) over;
    JOIN_HANDLE(int) handles[VICTIMS];
    struct edo_tcp *conn;
    int peer, i;
    char byte;
    struct edo_sleep sleep;
    struct edo_read read;
    struct edo_join join;
    pthread_t thread;
};

static void *send_in_time(void *arg)
{
    struct stuck *self = arg;
    nap(AFTER_MS);
    self->due[BY_SOCKET] = edo_clock_ns();
    cr_assert_eq(send(self->peer, "x", 1, 0), 1);
    return NULL;
}

static void get_stuck(struct stuck *self)
{
    struct edo_context timer, socket;
    edo_context_init(&timer, self->wakers[BY_TIMER]);
    edo_context_init(&socket, self->wakers[BY_SOCKET]);
    self->sleep = edo_sleep(AFTER_MS);
    self->due[BY_TIMER] = edo_now() + (uint64_t)AFTER_MS * MS;
    cr_assert_eq(edo_future_poll(&self->sleep.future_, &timer), EDO_PENDING);
    self->conn = half_raw_pair(&self->peer);
    self->read = edo_read(self->conn, &self->byte, 1);
    cr_assert_eq(edo_future_poll(&self->read.future_, &socket), EDO_PENDING);
    cr_assert_eq(pthread_create(&self->thread, NULL, send_in_time, self), 0);
    self->due[BY_WAKE] = edo_clock_ns();
    edo_wake(self->wakers[BY_WAKE]);
    for (uint64_t end = edo_clock_ns() + (uint64_t)STUCK_MS * MS; edo_clock_ns() < end;)
        ;
    self->over = true;
    pthread_join(self->thread, NULL);
    edo_future_drop(&self->sleep.future_, &timer);
    edo_future_drop(&self->read.future_, &socket);
}

ASYNC(stuck)
{
    ASYNC_BEGIN;
    for (int i = 0; i < VICTIMS; i++)
        self->handles[i] =
            SPAWN(NEW(victim, .waker = &self->wakers[i], .at = &self->at[i], .over = &self->over));
    for (self->i = 0; self->i < VICTIMS; self->i++)
        while (self->wakers[self->i] == NULL)
            YIELD_NOW();
    get_stuck(self);
    for (self->i = 0; self->i < VICTIMS; self->i++) {
        edo_wake(self->wakers[self->i]);
        edo_waker_drop(self->wakers[self->i]);
        AWAIT(self->join, edo_join(self->handles[self->i], NULL));
    }
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

/* The other worker comes by every few ms. The machine may have something else to do: of several rounds the best
 * counts. */
Test(workers, one_that_is_stuck_in_a_poll_delays_neither_timers_nor_sockets_nor_what_it_woke)
{
    static const char *const names[] = {"timer", "socket", "wake"};
    struct baseline start = baseline();
    uint64_t best[VICTIMS] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
    bool served = false;
    for (int round = 0; round < 20 && !served; round++) {
        struct edo_runtime *runtime = multi(2);
        struct stuck *stuck = calloc(1, sizeof *stuck);
        *stuck = NEW(stuck);
        JOIN_HANDLE(int)
        task = SPAWN_ON(edo_runtime_handle(runtime), NEW(elsewhere, .inner = &stuck->future_));
        struct edo_join join = edo_join(task, NULL);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_eq(join.output, 0);
        served = true;
        for (int i = 0; i < VICTIMS; i++) {
            cr_assert_neq(stuck->at[i], 0, "%s: never", names[i]);
            uint64_t late = stuck->at[i] < stuck->due[i] ? 0 : stuck->at[i] - stuck->due[i];
            if (late < best[i])
                best[i] = late;
            served = served && best[i] <= (uint64_t)(SERVED_MS + SLACK_MS) * MS;
        }
        free(stuck);
        edo_runtime_drop(runtime);
    }
    for (int i = 0; i < VICTIMS; i++)
        cr_expect_leq(best[i], (uint64_t)(SERVED_MS + SLACK_MS) * MS, "%s: %" PRIu64 " us late",
                      names[i], best[i] / 1000);
    check_baseline(&start);
}

/* ---- R20: block_in_place ---- */

static int one_more(void *arg)
{
    return ++*(int *)arg;
}

static void wait_in_place(void *arg)
{
    wait_for(arg);
}

/* Has another task end its wait, which some other thread must run, time and again; then has work done that blocks. */
struct waits_in_place {
    FUTURE(int);
    sem_t posted;
    int i, count;
    struct edo_join join;
};

ASYNC(waits_in_place)
{
    ASYNC_BEGIN;
    sem_init(&self->posted, 0, 0);
    for (; self->i < 10; self->i++) {
        edo_task_detach(SPAWN(NEW(posts, .semaphore = &self->posted)));
        cr_assert_eq(edo_block_in_place(wait_in_place, &self->posted), 0);
        AWAIT(self->join, edo_join(SPAWN_BLOCKING(edo_call(one_more, &self->count)), NULL));
        cr_assert_eq(self->join.output, 0);
    }
    RETURN(self->count);
    ASYNC_END;
}

Test(workers, a_worker_that_was_handed_on_takes_no_thread_from_blocking_work)
{
    for (uint32_t workers = 1; workers < 4; workers++) {
        struct baseline start = baseline();
        struct edo_runtime *runtime;
        int count = 0;
        cr_assert_eq(edo_runtime_new(&runtime, MULTI(workers), .max_blocking_threads = 1), 0);
        struct edo_join join =
            edo_join(SPAWN_ON(edo_runtime_handle(runtime), NEW(waits_in_place)), &count);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_eq(count, 10);
        edo_runtime_drop(runtime);
        check_baseline(&start);
    }
}

static void counts_calls(void *arg)
{
    one_more(arg);
}

/* A worker that falls asleep cannot be handed on. */
static void parks_in_place(void *error)
{
    int count = 0;
    *(_Atomic(int) *)error = edo_block_in_place(counts_calls, &count);
    cr_assert_eq(count, 0);
}

Test(workers, a_hook_does_not_hand_its_worker_on)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    _Atomic(int) error = 0;
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(2), .on_thread_park = parks_in_place,
                                 .hook_arg = (void *)&error),
                 0);
    while (error == 0)
        nap(1);
    cr_assert_eq(error, UV_EINVAL);
    struct work work = NEW(work);
    cr_assert_eq(edo_block_on(runtime, &work), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* ---- R21, and the builder ---- */

static void name_it(void *arg, char name[EDO_THREAD_NAME])
{
    static _Atomic(int) count;
    (void)arg;
    snprintf(name, EDO_THREAD_NAME, "named-%d", count++);
}

Test(workers, hooks_are_called_once_for_each_thread_which_has_its_name)
{
    struct hooks hooks[3] = {
        {.name = "edo-worker"}, {.name = "a-name-of-fifte"}, {.name = "named-"}};
    for (int i = 0; i < 3; i++) {
        struct baseline start = baseline();
        struct edo_runtime *runtime;
        cr_assert_eq(edo_runtime_new(&runtime, MULTI(5), HOOKS(&hooks[i]),
                                     .thread_name = i == 1 ? "a-name-of-fifteen-and-more" : NULL,
                                     .thread_name_fn = i == 2 ? name_it : NULL),
                     0);
        struct meets alone = NEW(meets);
        struct edo_barrier one;
        edo_barrier_init(&one, 1);
        alone.barrier = &one;
        cr_assert_eq(edo_block_on(runtime, &alone), 0);
        edo_runtime_drop(runtime);
        edo_barrier_destroy(&one);
        cr_assert(hooks[i].start == 5 && hooks[i].stop == 5, "%d began, %d ended", hooks[i].start,
                  hooks[i].stop);
        cr_assert_eq(hooks[i].park, hooks[i].unpark);
        cr_assert_eq(hooks[i].wrong_name, 0);
        check_baseline(&start);
    }
}

/* By their ids, so that each is told of once. */
static _Atomic(uint64_t) spawned, terminated, spawned_ids, terminated_ids;

static void on_task_spawn(void *arg, uint64_t id)
{
    (void)arg;
    spawned++;
    spawned_ids += id;
}

static void on_task_terminate(void *arg, uint64_t id)
{
    (void)arg;
    terminated++;
    terminated_ids += id;
}

Test(workers, hooks_tell_of_each_task_as_it_is_spawned_and_has_ended)
{
    struct edo_runtime *runtime;
    int count = 0;
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(2), .on_task_spawn = on_task_spawn,
                                 .on_task_terminate = on_task_terminate),
                 0);
    struct edo_handle *handle = edo_handle_clone(edo_runtime_handle(runtime));
    for (int i = 0; i < 100; i++)
        edo_task_detach(SPAWN_ON(handle, NEW(work, .yields = i)));
    edo_task_detach(SPAWN_ON(handle, NEW(panics)));
    edo_task_detach(SPAWN_ON(handle, NEW(spawns_at_its_end, .more = 1)));
    struct edo_join join = edo_join(SPAWN_BLOCKING_ON(handle, edo_call(one_more, &count)), NULL);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    edo_runtime_drop(runtime);
    edo_task_detach(SPAWN_ON(handle, NEW(work)));
    edo_task_detach(SPAWN_BLOCKING_ON(handle, edo_call(one_more, &count)));
    edo_handle_drop(handle);
    cr_assert(spawned == 106 && terminated == 106, "%" PRIu64 " spawned, %" PRIu64 " terminated",
              spawned, terminated);
    cr_assert_eq(spawned_ids, terminated_ids);
}

Test(workers, there_are_as_many_as_cpus_that_the_process_may_use)
{
    cpu_set_t all, one;
    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    for (int limited = 0; limited < 2; limited++) {
        struct hooks hooks = {0};
        struct edo_runtime *runtime;
        cr_assert_eq(sched_setaffinity(0, sizeof one, limited ? &one : &all), 0);
        cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, HOOKS(&hooks)), 0);
        edo_runtime_drop(runtime);
        cr_assert_eq(hooks.start, limited ? 1 : CPU_COUNT(&all));
    }
}

Test(workers, what_the_flavor_cannot_do_is_an_error)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = (struct edo_runtime *)&start;
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(EDO_WORKERS_MAX + 1)), UV_EINVAL);
    cr_assert_null(runtime);
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(1), .start_paused = true), UV_EINVAL);
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(1), .unhandled_panic = EDO_PANIC_SHUTDOWN),
                 UV_EINVAL);
    cr_assert_eq(
        edo_runtime_new(&runtime, MULTI(1), .poll_time = {.buckets = EDO_HISTOGRAM_BUCKETS + 1}),
        UV_EINVAL);
    check_baseline(&start);
}

/* Every allocation of the building fails once, and descriptors end anywhere in it. */
Test(workers, without_memory_or_descriptors_there_is_no_runtime_and_nothing_is_left)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    int error = UV_ENOMEM;
    for (uint64_t n = 1; error < 0; n++) {
        edo_alloc_fail(n, false);
        error = edo_runtime_new(&runtime, MULTI(3));
        bool fired = edo_alloc_fail(0, false);
        cr_assert(error == 0 || (fired && error == UV_ENOMEM && runtime == NULL), "%d", error);
        edo_runtime_drop(runtime);
        check_baseline(&start);
    }
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlim_t enough = limit.rlim_cur;
    error = UV_EMFILE;
    for (int spare = 0; error < 0; spare++) {
        cr_assert_lt(spare, 100);
        limit.rlim_cur = (rlim_t)(start.fds + spare);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        error = edo_runtime_new(&runtime, MULTI(3));
        cr_assert(error == 0 || (error == UV_EMFILE && runtime == NULL), "%d", error);
        edo_runtime_drop(runtime);
        limit.rlim_cur = enough;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        check_baseline(&start);
    }
}

/* ---- A waker that blocks in place between two wakes ---- */

struct blocks_in_wake {
    struct edo_waker waker;
    sem_t gone;
    int error;
};

static void until_gone(void *arg)
{
    wait_for(&((struct blocks_in_wake *)arg)->gone);
}

static void blocking_in_wake(struct edo_waker *waker)
{
    struct blocks_in_wake *self = (struct blocks_in_wake *)waker;
    self->error = edo_block_in_place(until_gone, self);
}

static struct edo_waker *same_waker(struct edo_waker *waker)
{
    return waker;
}

static void no_waker(struct edo_waker *waker)
{
    (void)waker;
}

struct posts_gone {
    FUTURE(void);
    sem_t *semaphore;
};

ASYNC(posts_gone)
{
    ASYNC_BEGIN;
    sem_post(self->semaphore);
    ASYNC_END;
}

struct waits_notified {
    FUTURE(int);
    struct edo_notify *notify;
    struct edo_notified wait;
};

ASYNC(waits_notified)
{
    ASYNC_BEGIN;
    AWAIT(self->wait, edo_notified(self->notify));
    RETURN(5);
    ASYNC_END;
}

struct wakes_both {
    FUTURE(int);
    struct edo_notify *notify;
    struct blocks_in_wake *blocker;
    struct edo_yield_now yield;
};

ASYNC(wakes_both)
{
    ASYNC_BEGIN;
    edo_task_detach(SPAWN(NEW(waits_notified, .notify = self->notify)));
    AWAIT(self->yield, edo_yield_now());
    AWAIT(self->yield, edo_yield_now());
    edo_task_detach(SPAWN(NEW(posts_gone, .semaphore = &self->blocker->gone)));
    edo_notify_waiters(self->notify);
    RETURN(0);
    ASYNC_END;
}

/* What it wakes afterwards it has claimed as a worker, which it is no more. */
Test(workers, a_waker_that_blocks_in_place_leaves_the_next_whole)
{
    static const struct edo_waker_ops ops = {blocking_in_wake, same_waker, no_waker, NULL, NULL};
    struct edo_runtime *runtime = multi(1);
    struct blocks_in_wake blocker = {.waker = {&ops}};
    struct edo_notify notify;
    edo_notify_init(&notify);
    sem_init(&blocker.gone, 0, 0);
    struct edo_notified first = edo_notified(&notify);
    struct edo_context cx;
    edo_context_init(&cx, &blocker.waker);
    cr_assert_eq(edo_future_poll(&first.future_, &cx), EDO_PENDING);
    JOIN_HANDLE(int)
    task = SPAWN_ON(edo_runtime_handle(runtime),
                    NEW(wakes_both, .notify = &notify, .blocker = &blocker));
    struct edo_join join = edo_join(task, NULL);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    cr_assert_eq(blocker.error, 0);
    cr_assert_eq(edo_future_poll(&first.future_, &cx), EDO_READY);
    edo_runtime_drop(runtime);
    edo_notify_destroy(&notify);
}
