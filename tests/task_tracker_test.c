/* SPDX-License-Identifier: MIT */
#include "hostile_waker.h"

#include <pthread.h>

#include "edo.h"
#include "pursue.h"
#include "support/runtimes.h"

Test(task_tracker, wait_ends_only_after_close_and_empty)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_task_tracker tracker;
    edo_task_tracker_init(&tracker);
    struct edo_task_tracker_wait wait = edo_task_tracker_wait(&tracker);
    struct edo_task_tracker_wait dropped = edo_task_tracker_wait(&tracker);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(POLL(dropped), EDO_PENDING);
    struct edo_task_tracker_token one = edo_task_tracker_token(&tracker);
    struct edo_task_tracker_token other = edo_task_tracker_token(&tracker);
    cr_assert_eq(edo_task_tracker_len(&tracker), 2);
    edo_task_tracker_token_drop(&one);
    edo_task_tracker_token_drop(&one);
    cr_assert_eq(edo_task_tracker_len(&tracker), 1);
    cr_assert(edo_task_tracker_close(&tracker));
    cr_assert_not(edo_task_tracker_close(&tracker));
    cr_assert(edo_task_tracker_is_closed(&tracker));
    cr_assert_eq(bench.counter.wakes, 0);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    DROP_IT(dropped);
    edo_task_tracker_token_drop(&other);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert(edo_task_tracker_is_empty(&tracker));
    edo_task_tracker_destroy(&tracker);
    bench_end(&bench);
}

Test(task_tracker, wait_with_none_ends_at_once_and_by_close)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_task_tracker tracker;
    edo_task_tracker_init(&tracker);
    struct edo_task_tracker_wait wait = edo_task_tracker_wait(&tracker);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    edo_task_tracker_close(&tracker);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(wait), EDO_READY);
    wait = edo_task_tracker_wait(&tracker);
    cr_assert_eq(POLL(wait), EDO_READY);
    edo_task_tracker_destroy(&tracker);
    bench_end(&bench);
}

Test(task_tracker, reopen_keeps_later_waits_and_not_those_that_were_through)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_task_tracker tracker;
    edo_task_tracker_init(&tracker);
    struct edo_task_tracker_wait early = edo_task_tracker_wait(&tracker);
    cr_assert_eq(POLL(early), EDO_PENDING);
    edo_task_tracker_close(&tracker);
    cr_assert(edo_task_tracker_reopen(&tracker));
    cr_assert_not(edo_task_tracker_reopen(&tracker));
    struct edo_task_tracker_wait late = edo_task_tracker_wait(&tracker);
    cr_assert_eq(POLL(late), EDO_PENDING);
    cr_assert_eq(POLL(early), EDO_READY, "it was closed and empty meanwhile");
    struct edo_task_tracker_token token = edo_task_tracker_token(&tracker);
    edo_task_tracker_token_drop(&token);
    cr_assert_eq(POLL(late), EDO_PENDING);
    DROP_IT(late);
    edo_task_tracker_destroy(&tracker);
    bench_end(&bench);
}

Test(task_tracker, a_wait_is_dropped_in_each_state_and_its_waker_is_replaced)
{
    struct bench bench;
    bench_begin(&bench);
    static const struct edo_waker_ops foreign = {counter_wake, counter_clone, counter_drop, NULL,
                                                 NULL};
    struct counter other = {.waker = {&foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    bench.counter.waker.ops = &foreign;
    struct edo_task_tracker tracker;
    edo_task_tracker_init(&tracker);
    struct edo_task_tracker_wait fresh = edo_task_tracker_wait(&tracker), waits = fresh,
                                 moves = fresh, woken = fresh;
    DROP_IT(fresh);
    cr_assert_eq(POLL(waits), EDO_PENDING);
    DROP_IT(waits);
    cr_assert_eq(POLL(woken), EDO_PENDING);
    cr_assert_eq(POLL(moves), EDO_PENDING);
    cr_assert_eq(POLL(moves), EDO_PENDING);
    cr_assert_eq(bench.counter.clones, 3, "polled again, it keeps what it has");
    cr_assert_eq(edo_future_poll(&moves.future_, &second), EDO_PENDING);
    edo_task_tracker_close(&tracker);
    cr_assert(bench.counter.wakes == 1 && other.wakes == 1);
    DROP_IT(woken);
    cr_assert_eq(edo_future_poll(&moves.future_, &second), EDO_READY);
    cr_assert_eq(other.clones, other.drops);
    edo_task_tracker_destroy(&tracker);
    bench_end(&bench);
}

/* What the first waker does that is woken, while the others wait for theirs. */
static void (*meanwhile)(void);

static void meddling_wake(struct edo_waker *waker)
{
    void (*now)(void) = meanwhile;
    counter_wake(waker);
    meanwhile = NULL;
    if (now != NULL)
        now();
}

static const struct edo_waker_ops meddling = {meddling_wake, counter_clone, counter_drop, NULL,
                                              NULL};

enum { CROWD = 80 }; /* more than are woken at once */
static struct edo_task_tracker crowded;
static struct edo_task_tracker_wait crowd[CROWD], newcomer;
static struct edo_task_tracker_token latecomer;

static void reopens(void)
{
    static struct counter counter = {.waker = {&counter_stable}};
    struct edo_context cx;
    edo_context_init(&cx, &counter.waker);
    edo_task_tracker_reopen(&crowded);
    latecomer = edo_task_tracker_token(&crowded);
    newcomer = edo_task_tracker_wait(&crowded);
    cr_assert_eq(edo_future_poll(&newcomer.future_, &cx), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&crowd[CROWD - 1].future_, &cx), EDO_PENDING, "not its turn");
    edo_future_drop(&crowd[CROWD - 2].future_, &cx);
}

Test(task_tracker, reopened_while_they_are_woken_all_who_waited_are_through)
{
    struct bench bench;
    bench_begin(&bench);
    bench.counter.waker.ops = &meddling;
    edo_task_tracker_init(&crowded);
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = edo_task_tracker_wait(&crowded);
        cr_assert_eq(POLL(crowd[i]), EDO_PENDING);
    }
    meanwhile = reopens;
    edo_task_tracker_close(&crowded);
    cr_assert_eq(bench.counter.wakes, CROWD - 2);
    for (int i = 0; i < CROWD; i++)
        cr_assert(i == CROWD - 2 || POLL(crowd[i]) == EDO_READY);
    cr_assert_eq(POLL(newcomer), EDO_PENDING);
    edo_task_tracker_token_drop(&latecomer);
    edo_task_tracker_close(&crowded);
    cr_assert_eq(POLL(newcomer), EDO_READY);
    edo_task_tracker_destroy(&crowded);
    bench_end(&bench);
}

Test(task_tracker, a_tracked_future_gives_its_token_back_when_it_ends_or_is_dropped)
{
    for (int polls = 0; polls < 4; polls++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log log = {0};
        struct edo_task_tracker tracker;
        edo_task_tracker_init(&tracker);
        struct leaf leaf = LEAF(&log, 2, 5);
        struct edo_track track = edo_track(&tracker, &leaf);
        cr_assert_eq(edo_task_tracker_len(&tracker), 1);
        for (int i = 0; i < polls && !edo_future_done(&track.future_); i++)
            POLL(track);
        DROP_IT(track);
        cr_assert_eq(edo_task_tracker_len(&tracker), 0);
        cr_assert_eq(log.drops, polls < 3);
        cr_assert_eq(leaf.output, polls < 3 ? 0 : 5);
        edo_task_tracker_destroy(&tracker);
        bench_end(&bench);
    }
}

/* Dropped before its first poll, while it waits, and when it was woken. */
Test(task_tracker, a_wait_dropped_at_any_time_leaves_nothing_behind)
{
    struct bench bench;
    bench_begin(&bench);
    for (int state = 0; state < 3; state++) {
        struct edo_task_tracker tracker;
        edo_task_tracker_init(&tracker);
        struct edo_task_tracker_wait gone = edo_task_tracker_wait(&tracker),
                                     stays = edo_task_tracker_wait(&tracker);
        bench.counter.wakes = 0;
        if (state > 0)
            cr_assert_eq(POLL(gone), EDO_PENDING);
        cr_assert_eq(POLL(stays), EDO_PENDING);
        if (state < 2)
            DROP_IT(gone);
        edo_task_tracker_close(&tracker);
        cr_assert_eq(bench.counter.wakes, state == 2 ? 2 : 1);
        if (state == 2)
            DROP_IT(gone);
        cr_assert_eq(POLL(stays), EDO_READY);
        edo_task_tracker_destroy(&tracker);
    }
    bench_end(&bench);
}

Test(task_tracker, what_is_tracked_and_never_polled_is_tracked_until_it_is_dropped)
{
    struct bench bench;
    bench_begin(&bench);
    for (int polls = 0; polls < 4; polls++) {
        struct leaf_log log = {0};
        struct edo_task_tracker tracker;
        edo_task_tracker_init(&tracker);
        __auto_type tracked = TRACKED(&tracker, LEAF(&log, 2, 5));
        cr_assert_eq(edo_task_tracker_len(&tracker), 1);
        for (int i = 0; i < polls && !edo_future_done(&tracked.future_); i++)
            POLL(tracked);
        DROP_IT(tracked);
        cr_assert_eq(edo_task_tracker_len(&tracker), 0);
        cr_assert_eq(log.drops, polls < 3);
        cr_assert_eq(tracked.output, polls < 3 ? 0 : 5);
        edo_task_tracker_destroy(&tracker);
    }
    bench_end(&bench);
}

Test(task_tracker, a_waker_is_replaced_by_that_of_the_last_poll)
{
    struct bench bench, other;
    bench_begin(&bench);
    bench_begin(&other);
    struct edo_task_tracker tracker;
    edo_task_tracker_init(&tracker);
    struct edo_task_tracker_wait wait = edo_task_tracker_wait(&tracker);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(POLL_BY(wait, &other.cx), EDO_PENDING);
    edo_task_tracker_close(&tracker);
    cr_assert(bench.counter.wakes == 0 && other.counter.wakes == 1);
    cr_assert_eq(POLL(wait), EDO_READY);
    edo_task_tracker_destroy(&tracker);
    bench_end(&bench);
}

Test(task_tracker, a_trace_names_them_and_they_allocate_nothing)
{
    struct bench bench;
    bench_begin(&bench);
    edo_alloc_fail(1, true);
    struct leaf_log log = {0};
    struct edo_task_tracker tracker;
    edo_task_tracker_init(&tracker);
    struct leaf leaf = LEAF(&log, 2, 5);
    struct edo_track track = edo_track(&tracker, &leaf);
    __auto_type tracked = TRACKED(&tracker, LEAF(&log, 2, 5));
    struct edo_task_tracker_wait wait = edo_task_tracker_wait(&tracker);
    cr_assert_eq(POLL(track), EDO_PENDING);
    cr_assert_eq(POLL(tracked), EDO_PENDING);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    edo_future_trace(&wait.future_, &bench.cx);
    edo_future_trace(&track.future_, &bench.cx);
    edo_future_trace(&tracked.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_task_tracker_wait\nedo_track\n leaf\nedo_tracked\n leaf\n");
    edo_task_tracker_close(&tracker);
    RUN(track);
    RUN(tracked);
    cr_assert_eq(POLL(wait), EDO_READY);
    edo_task_tracker_destroy(&tracker);
    cr_assert_not(edo_alloc_fail(0, false));
    bench_end(&bench);
}

/* Wakers that call back. */
static struct {
    struct edo_task_tracker tracker;
    struct edo_task_tracker_token token;
    struct edo_task_tracker_wait wait;
    bool gone;
} rigged;

static void look(void)
{
    if (rigged.gone)
        return;
    cr_assert(edo_try_lock(&rigged.tracker.lock_));
    edo_unlock(&rigged.tracker.lock_);
}

static void rigged_begin(struct bench *bench)
{
    hostile_begin(bench, &hostile_foreign, look);
    memset(&rigged, 0, sizeof rigged);
    edo_task_tracker_init(&rigged.tracker);
    rigged.token = edo_task_tracker_token(&rigged.tracker);
    rigged.wait = edo_task_tracker_wait(&rigged.tracker);
}

static void rigged_end(struct bench *bench)
{
    hostile.always = NULL;
    if (!rigged.gone)
        edo_task_tracker_destroy(&rigged.tracker);
    hostile_end(bench);
}

static void closes(void)
{
    edo_task_tracker_close(&rigged.tracker);
}

static void drops_token(void)
{
    edo_task_tracker_token_drop(&rigged.token);
}

static void drops_token_and_closes(void)
{
    drops_token();
    closes();
}

static void waited_and_all_goes(void)
{
    cr_assert_eq(POLL_BY(rigged.wait, &hostile.bench->cx), EDO_READY);
    edo_task_tracker_destroy(&rigged.tracker);
    memset(&rigged.tracker, 0xa5, sizeof rigged.tracker);
    rigged.gone = true;
}

Test(task_tracker, no_lock_is_held_while_a_waker_runs_and_each_clone_is_dropped)
{
    struct bench bench;
    rigged_begin(&bench);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    struct edo_task_tracker_wait given_up = edo_task_tracker_wait(&rigged.tracker);
    cr_assert_eq(POLL(given_up), EDO_PENDING);
    cr_assert_eq(POLL(rigged.wait), EDO_PENDING);
    cr_assert_eq(POLL_BY(rigged.wait, &second), EDO_PENDING);
    DROP_IT(given_up);
    closes();
    drops_token();
    cr_assert(other.wakes == 1 && bench.counter.wakes == 0);
    cr_assert_eq(POLL_BY(rigged.wait, &second), EDO_READY);
    cr_assert_eq(other.clones, other.drops);
    rigged_end(&bench);
}

Test(task_tracker, a_clone_that_ends_it_is_not_missed)
{
    struct bench bench;
    rigged_begin(&bench);
    hostile.in_clone.act = drops_token_and_closes;
    cr_assert_eq(POLL(rigged.wait), EDO_READY);
    rigged_end(&bench);

    rigged_begin(&bench);
    closes();
    hostile.in_clone.act = drops_token;
    cr_assert_eq(POLL(rigged.wait), EDO_READY);
    rigged_end(&bench);
}

Test(task_tracker, it_may_be_gone_when_the_end_has_woken)
{
    struct bench bench;
    rigged_begin(&bench);
    closes();
    cr_assert_eq(POLL(rigged.wait), EDO_PENDING);
    hostile.in_wake.act = waited_and_all_goes;
    drops_token();
    rigged_end(&bench);

    rigged_begin(&bench);
    drops_token();
    cr_assert_eq(POLL(rigged.wait), EDO_PENDING);
    hostile.in_wake.act = waited_and_all_goes;
    closes();
    rigged_end(&bench);
}

/* Outputs of any alignment, spawned. */
struct job {
    FUTURE(char);
    struct edo_sleep sleep;
    _Atomic(int) *done;
    int ms;
};

ASYNC(job)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep((uint64_t)self->ms));
    RETURN((char)self->ms);
ASYNC_FINALLY:
    ++*self->done;
    ASYNC_END;
}

struct all {
    FUTURE(int);
    struct edo_task_tracker tracker;
    int i;
    _Atomic(int) done;
    JOIN_HANDLE(char) handle;
    struct edo_join join;
    struct edo_task_tracker_wait wait;
    char value;
};

ASYNC(all)
{
    ASYNC_BEGIN;
    edo_task_tracker_init(&self->tracker);
    for (int i = 0; i < 10; i++)
        edo_task_detach(SPAWN_TRACKED(&self->tracker, NEW(job, .ms = i, .done = &self->done)));
    self->handle = SPAWN_TRACKED(&self->tracker, NEW(job, .ms = 3, .done = &self->done));
    cr_assert(edo_task_tracker_len(&self->tracker) == 11 || test_workers() > 0);
    TRY_AWAIT(self->join, edo_join(self->handle, &self->value));
    cr_assert_eq(self->value, 3);
    self->handle = SPAWN_TRACKED(&self->tracker, NEW(job, .ms = 60000, .done = &self->done));
    edo_task_tracker_close(&self->tracker);
    edo_task_abort(self->handle);
    edo_task_detach(self->handle);
    AWAIT(self->wait, edo_task_tracker_wait(&self->tracker));
    edo_task_tracker_destroy(&self->tracker);
    RETURN(self->done);
    ASYNC_END;
}

Test(task_tracker, waits_for_all_spawned_and_their_finally)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct all all = NEW(all);
    cr_assert_eq(test_block_on(runtime, &all), 0);
    cr_assert_eq(all.output, 12, "the aborted one too: FINALLY runs in any case");
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

/* Spawning takes memory: without it the future is dropped, and tracked no more. */
struct spawns {
    FUTURE(int);
    struct edo_task_tracker *tracker;
    int n;
    _Atomic(int) done;
    JOIN_HANDLE(char) handle;
    struct edo_join join;
    struct edo_task_tracker_wait wait;
    char value;
};

ASYNC(spawns)
{
    ASYNC_BEGIN;
    for (self->n = 1;; self->n++) {
        self->done = 0;
        edo_alloc_fail((uint64_t)self->n, false);
        self->handle = SPAWN_TRACKED(self->tracker, NEW(job, .ms = 0, .done = &self->done));
        if (!edo_alloc_fail(0, false))
            break;
        cr_assert_eq(edo_task_tracker_len(self->tracker), 0);
        cr_assert_eq(self->done, 1, "its FINALLY ran");
        AWAIT(self->join, edo_join(self->handle, &self->value));
        cr_assert_eq(self->join.output, UV_ENOMEM);
    }
    cr_assert_eq(edo_task_tracker_len(self->tracker), 1);
    edo_task_tracker_close(self->tracker);
    edo_task_detach(self->handle);
    AWAIT(self->wait, edo_task_tracker_wait(self->tracker));
    cr_assert_eq(self->done, 1);
    RETURN(self->n);
    ASYNC_END;
}

Test(task_tracker, without_memory_to_spawn_it_is_tracked_no_more)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    struct edo_task_tracker tracker;
    edo_task_tracker_init(&tracker);
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct spawns spawns = NEW(spawns, .tracker = &tracker);
    cr_assert_eq(edo_block_on(runtime, &spawns), 0);
    cr_assert_gt(spawns.output, 1);
    edo_runtime_drop(runtime);
    edo_task_tracker_destroy(&tracker);
    bench_end(&bench);
}

Test(task_tracker, spawned_on_another_runtime_it_is_tracked)
{
    struct edo_runtime *runtime;
    struct edo_task_tracker tracker;
    _Atomic(int) done = 0;
    /* Current-thread: what is spawned stays where it is until the tracker has been looked at. */
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    edo_task_tracker_init(&tracker);
    JOIN_HANDLE(char)
    handle =
        SPAWN_TRACKED_ON(edo_runtime_handle(runtime), &tracker, NEW(job, .ms = 1, .done = &done));
    edo_task_detach(handle);
    handle = SPAWN_TRACKED(&tracker, NEW(job, .ms = 1, .done = &done));
    cr_assert_eq(edo_task_error(handle), EDO_ENORUNTIME);
    cr_assert_eq(edo_task_tracker_len(&tracker), 1, "what was not spawned is not tracked");
    edo_task_tracker_close(&tracker);
    struct edo_task_tracker_wait wait = edo_task_tracker_wait(&tracker);
    cr_assert_eq(edo_block_on(runtime, &wait), 0);
    cr_assert_eq(done, 2, "the one that was not spawned is dropped, its FINALLY run");
    edo_runtime_drop(runtime);
    edo_task_tracker_destroy(&tracker);
}

/* The one who waited frees the tracker, while the last token is still being dropped. */
struct shared {
    struct edo_task_tracker tracker;
    int sums[4];
};

struct adds {
    struct shared *shared;
    struct edo_task_tracker_token token;
    int i;
};

static void *adds(void *arg)
{
    struct adds *self = arg;
    for (int n = 0; n < 100; n++) {
        struct edo_task_tracker_token more = edo_task_tracker_token(&self->shared->tracker);
        self->shared->sums[self->i]++;
        edo_task_tracker_token_drop(&more);
    }
    edo_task_tracker_token_drop(&self->token);
    return NULL;
}

Test(task_tracker, threads_and_the_one_who_waited_frees_it)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    for (int round = 0; round < 200; round++) {
        struct shared *shared = edo_calloc(1, sizeof *shared);
        edo_task_tracker_init(&shared->tracker);
        struct adds threads_args[4];
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) {
            threads_args[i] = (struct adds){shared, edo_task_tracker_token(&shared->tracker), i};
            cr_assert_eq(pthread_create(&threads[i], NULL, adds, &threads_args[i]), 0);
        }
        edo_task_tracker_close(&shared->tracker);
        struct edo_task_tracker_wait wait = edo_task_tracker_wait(&shared->tracker);
        cr_assert_eq(test_block_on(runtime, &wait), 0);
        for (int i = 0; i < 4; i++)
            cr_assert_eq(shared->sums[i], 100);
        edo_task_tracker_destroy(&shared->tracker);
        edo_free(shared);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
    }
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

/* Threads that track, close and reopen; others that wait, and give up as it happens. */
enum { STORM_THREADS = 6, STORM_ROUNDS = 3000 };
static struct edo_task_tracker stormed;

static void *storm_tracks(void *arg)
{
    unsigned *seed = arg;
    for (int i = 0; i < STORM_ROUNDS; i++) {
        struct edo_task_tracker_token token = edo_task_tracker_token(&stormed);
        struct edo_task_tracker_wait wait = edo_task_tracker_wait(&stormed);
        bool waits = rand_r(seed) % 2;
        if (rand_r(seed) % 4 == 0)
            edo_task_tracker_close(&stormed);
        if (waits)
            cr_assert_not(pursue(&wait.future_, false, seed), "this one is tracked");
        if (rand_r(seed) % 8 == 0)
            edo_task_tracker_reopen(&stormed);
        edo_task_tracker_token_drop(&token);
        if (!waits)
            pursue(&wait.future_, false, seed);
    }
    struct edo_task_tracker_wait wait = edo_task_tracker_wait(&stormed);
    edo_task_tracker_close(&stormed);
    pursue(&wait.future_, false, seed);
    return NULL;
}

Test(task_tracker, whatever_threads_do_a_wait_ends_when_all_have_ended)
{
    struct bench bench;
    bench_begin(&bench);
    unsigned seed = pursue_seed(), seeds[STORM_THREADS];
    pthread_t threads[STORM_THREADS];
    edo_task_tracker_init(&stormed);
    for (int i = 0; i < STORM_THREADS; i++) {
        seeds[i] = (unsigned)rand_r(&seed);
        cr_assert_eq(pthread_create(&threads[i], NULL, storm_tracks, &seeds[i]), 0);
    }
    struct edo_task_tracker_wait wait = edo_task_tracker_wait(&stormed);
    cr_assert(pursue(&wait.future_, true, &seed));
    for (int i = 0; i < STORM_THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert(edo_task_tracker_is_closed(&stormed) && edo_task_tracker_is_empty(&stormed));
    edo_task_tracker_destroy(&stormed);
    bench_end(&bench);
}
