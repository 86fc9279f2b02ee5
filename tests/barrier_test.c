/* SPDX-License-Identifier: MIT */
#include "hostile_waker.h"

#include <pthread.h>
#include <sched.h>

#include "edo.h"
#include "internal/park.h"
#include "support/runtimes.h"

static struct edo_barrier barrier;

static void begin(struct bench *bench, size_t n)
{
    bench_begin(bench);
    edo_barrier_init(&barrier, n);
}

static void end(struct bench *bench)
{
    edo_barrier_destroy(&barrier);
    bench_end(bench);
}

Test(barrier, exactly_one_leads_each_round_and_it_is_reusable)
{
    struct bench bench;
    begin(&bench, 3);
    for (int round = 0; round < 5; round++) {
        struct edo_barrier_wait waits[3];
        for (int i = 0; i < 3; i++) {
            waits[i] = edo_barrier_wait(&barrier);
            cr_assert_eq(POLL(waits[i]), i < 2 ? EDO_PENDING : EDO_READY);
        }
        cr_assert_eq(bench.counter.wakes, 2 * (round + 1));
        cr_assert(waits[2].output);
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(POLL(waits[i]), EDO_READY);
            cr_assert_not(waits[i].output);
        }
    }
    end(&bench);
}

Test(barrier, n_of_0_and_of_1_keep_nobody_waiting)
{
    for (size_t n = 0; n < 2; n++) {
        struct bench bench;
        begin(&bench, n);
        for (int i = 0; i < 3; i++) {
            struct edo_barrier_wait waits = edo_barrier_wait(&barrier);
            cr_assert_eq(POLL(waits), EDO_READY);
            cr_assert(waits.output);
        }
        end(&bench);
    }
}

Test(barrier, one_that_polls_again_comes_once)
{
    struct bench bench;
    begin(&bench, 2);
    struct edo_barrier_wait first = edo_barrier_wait(&barrier), second = edo_barrier_wait(&barrier);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(POLL(first), EDO_PENDING);
    cr_assert_eq(POLL(second), EDO_READY);
    cr_assert_eq(POLL(first), EDO_READY);
    end(&bench);
}

Test(barrier, one_that_is_dropped_has_come_all_the_same)
{
    struct bench bench;
    begin(&bench, 3);
    struct edo_barrier_wait waits[3];
    for (int i = 0; i < 3; i++)
        waits[i] = edo_barrier_wait(&barrier);
    cr_assert_eq(POLL(waits[0]), EDO_PENDING);
    cr_assert_eq(POLL(waits[1]), EDO_PENDING);
    DROP_IT(waits[0]);
    cr_assert_eq(POLL(waits[2]), EDO_READY);
    cr_assert(waits[2].output);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(waits[1]), EDO_READY);
    end(&bench);
}

Test(barrier, one_that_comes_anew_comes_a_second_time)
{
    struct bench bench;
    begin(&bench, 2);
    struct edo_barrier_wait wait = edo_barrier_wait(&barrier);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    DROP_IT(wait);
    wait = edo_barrier_wait(&barrier);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert(wait.output);
    end(&bench);
}

Test(barrier, one_that_was_never_polled_has_not_come)
{
    struct bench bench;
    begin(&bench, 2);
    struct edo_barrier_wait never = edo_barrier_wait(&barrier), waits = edo_barrier_wait(&barrier);
    DROP_IT(never);
    cr_assert_eq(POLL(waits), EDO_PENDING);
    DROP_IT(waits);
    end(&bench);
}

Test(barrier, one_that_may_pass_and_is_dropped_leaves_the_next_round_alone)
{
    struct bench bench;
    begin(&bench, 2);
    for (int round = 0; round < 3; round++) {
        struct edo_barrier_wait first = edo_barrier_wait(&barrier),
                                second = edo_barrier_wait(&barrier);
        cr_assert_eq(POLL(first), EDO_PENDING);
        cr_assert_eq(POLL(second), EDO_READY);
        DROP_IT(first);
    }
    end(&bench);
}

Test(barrier, hundreds_pass_at_once)
{
    enum { MANY = 300 };
    struct bench bench;
    begin(&bench, MANY + 1);
    static struct edo_barrier_wait waits[MANY];
    for (int round = 0; round < 2; round++) {
        bench.cx.budget = EDO_UNCONSTRAINED;
        for (int i = 0; i < MANY; i++) {
            waits[i] = edo_barrier_wait(&barrier);
            cr_assert_eq(POLL(waits[i]), EDO_PENDING);
        }
        struct edo_barrier_wait last = edo_barrier_wait(&barrier);
        cr_assert_eq(POLL(last), EDO_READY);
        cr_assert_eq(bench.counter.wakes, (round + 1) * MANY);
        for (int i = 0; i < MANY; i++) {
            cr_assert_eq(POLL(waits[i]), EDO_READY);
            cr_assert_not(waits[i].output);
        }
    }
    end(&bench);
}

static void look(void)
{
    cr_assert(edo_try_lock(&barrier.lock_));
    edo_unlock(&barrier.lock_);
}

Test(barrier, no_lock_is_held_while_a_waker_runs_and_each_clone_is_dropped)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, look);
    edo_barrier_init(&barrier, 4);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    struct edo_barrier_wait waits[4];
    for (int i = 0; i < 4; i++)
        waits[i] = edo_barrier_wait(&barrier);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(POLL(waits[i]), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&waits[0].future_, &second), EDO_PENDING);
    DROP_IT(waits[1]);
    cr_assert_eq(POLL(waits[3]), EDO_READY);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(other.wakes, 1);
    cr_assert_eq(other.clones, other.drops);
    cr_assert_eq(bench.counter.clones, bench.counter.drops);
    DROP_IT(waits[0]);
    cr_assert_eq(POLL(waits[2]), EDO_READY);
    edo_barrier_destroy(&barrier);
    hostile_end(&bench);
}

/* While the wakers of the first batch run: one comes, one of the second batch polls, one is dropped. */
enum { CROWD = 80 };
static struct edo_barrier_wait crowd[CROWD + 1], comes;

static void meddle(void)
{
    static struct counter counter = {.waker = {&counter_stable}};
    struct edo_context cx;
    edo_context_init(&cx, &counter.waker);
    comes = edo_barrier_wait(&barrier);
    cr_assert_eq(edo_future_poll(&comes.future_, &cx), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&crowd[CROWD - 1].future_, &cx), EDO_PENDING);
    edo_future_drop(&crowd[CROWD - 2].future_, &cx);
}

Test(barrier, one_that_comes_while_a_round_passes_is_of_the_next)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, look);
    edo_barrier_init(&barrier, CROWD + 1);
    for (int i = 0; i <= CROWD; i++)
        crowd[i] = edo_barrier_wait(&barrier);
    for (int i = 0; i < CROWD; i++)
        cr_assert_eq(POLL(crowd[i]), EDO_PENDING);
    hostile.in_wake = HOSTILE_AFTER(1, meddle);
    cr_assert_eq(POLL(crowd[CROWD]), EDO_READY);
    for (int i = 0; i < CROWD; i++)
        if (i != CROWD - 2)
            cr_assert_eq(POLL(crowd[i]), EDO_READY);
    cr_assert_eq(POLL(comes), EDO_PENDING);
    DROP_IT(comes);
    edo_barrier_destroy(&barrier);
    hostile_end(&bench);
}

Test(barrier, a_waker_is_replaced_by_that_of_the_last_poll)
{
    struct bench bench;
    begin(&bench, 2);
    struct counter other = {.waker = {&counter_stable}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    struct edo_barrier_wait waits = edo_barrier_wait(&barrier), last = edo_barrier_wait(&barrier);
    cr_assert_eq(POLL(waits), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&waits.future_, &second), EDO_PENDING);
    cr_assert_eq(POLL(last), EDO_READY);
    cr_assert_eq(bench.counter.wakes, 0);
    cr_assert_eq(other.wakes, 1);
    cr_assert_eq(POLL(waits), EDO_READY);
    end(&bench);
}

Test(barrier, without_budget_it_gives_way_and_has_not_come)
{
    struct bench bench;
    begin(&bench, 1);
    struct edo_barrier_wait wait = edo_barrier_wait(&barrier);
    bench.cx.budget = 0;
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 1);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert_eq(bench.cx.budget, 0);
    end(&bench);
}

Test(barrier, a_trace_names_it)
{
    struct bench bench;
    begin(&bench, 2);
    struct edo_barrier_wait wait = edo_barrier_wait(&barrier);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    edo_future_trace(&wait.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_barrier_wait\n");
    DROP_IT(wait);
    end(&bench);
}

Test(barrier, waiting_allocates_nothing)
{
    struct bench bench;
    begin(&bench, 2);
    edo_alloc_fail(1, true);
    struct edo_barrier_wait first = edo_barrier_wait(&barrier), second = edo_barrier_wait(&barrier);
    cr_assert_eq(POLL(first), EDO_PENDING);
    cr_assert_eq(POLL(second), EDO_READY);
    cr_assert_eq(POLL(first), EDO_READY);
    cr_assert_not(edo_alloc_fail(0, false));
    end(&bench);
}

/* Tasks of two runtimes and threads without one, in step: what each wrote before it came, all see. */
enum { TASKS = 3, PARTIES = 2 * TASKS + 2, ROUNDS = 500 };
static int steps[PARTIES], leaders[ROUNDS];

static void check_round(int round)
{
    for (int i = 0; i < PARTIES; i++)
        cr_assert_eq(steps[i], round + 1, "party %d in round %d is at %d", i, round, steps[i]);
}

struct party {
    FUTURE(int);
    int number, round;
    struct edo_barrier_wait wait;
};

ASYNC(party)
{
    ASYNC_BEGIN;
    for (self->round = 0; self->round < ROUNDS; self->round++) {
        steps[self->number]++;
        AWAIT(self->wait, edo_barrier_wait(&barrier));
        check_round(self->round);
        if (self->wait.output)
            leaders[self->round]++;
        AWAIT(self->wait, edo_barrier_wait(&barrier));
    }
    RETURN(0);
    ASYNC_END;
}

struct parties {
    FUTURE(int);
    int first;
    struct party parties[TASKS];
};

ASYNC(parties)
{
    ASYNC_BEGIN;
    for (int i = 0; i < TASKS; i++)
        self->parties[i] = NEW(party, .number = self->first + i);
    JOIN(&self->parties[0], &self->parties[1], &self->parties[2]);
    RETURN(0);
    ASYNC_END;
}

static void *in_a_runtime(void *arg)
{
    struct edo_runtime *runtime;
    struct parties parties = NEW(parties, .first = *(int *)arg);
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(test_block_on(runtime, &parties), 0);
    edo_runtime_drop(runtime);
    return NULL;
}

static void *on_its_own(void *arg)
{
    for (int round = 0; round < ROUNDS; round++) {
        steps[*(int *)arg]++;
        struct edo_barrier_wait wait = edo_barrier_wait(&barrier);
        cr_assert_eq(edo_park_on(&wait.future_), 0);
        check_round(round);
        if (wait.output)
            leaders[round]++;
        wait = edo_barrier_wait(&barrier);
        cr_assert_eq(edo_park_on(&wait.future_), 0);
    }
    return NULL;
}

Test(barrier, runtimes_and_threads_go_in_step)
{
    struct bench bench;
    begin(&bench, PARTIES);
    pthread_t threads[4];
    int firsts[4] = {0, TASKS, 2 * TASKS, 2 * TASKS + 1};
    for (int i = 0; i < 4; i++)
        cr_assert_eq(
            pthread_create(&threads[i], NULL, i < 2 ? in_a_runtime : on_its_own, &firsts[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < ROUNDS; i++)
        cr_assert_eq(leaders[i], 1);
    end(&bench);
}

/* Threads that wait, or come and are dropped, as it happens: one leads for each n that came. */
enum { CROWDED = 10, EACH = 400, IN_A_ROUND = 7 };
static _Atomic(int) arrivals, led, unfinished, kept_clones;

static void nobody_wakes(struct edo_waker *waker)
{
    (void)waker;
}

static struct edo_waker *kept_clone(struct edo_waker *waker)
{
    edo_fetch_add(&kept_clones, 1, relaxed);
    return waker;
}

static void kept_drop(struct edo_waker *waker)
{
    (void)waker;
    edo_fetch_sub(&kept_clones, 1, relaxed);
}

static void come_and_drop(void)
{
    static const struct edo_waker_ops ops = {nobody_wakes, kept_clone, kept_drop, NULL, NULL};
    static struct edo_waker waker = {&ops};
    struct edo_context cx;
    edo_context_init(&cx, &waker);
    struct edo_barrier_wait wait = edo_barrier_wait(&barrier);
    edo_fetch_add(&arrivals, 1, relaxed);
    if (edo_future_poll(&wait.future_, &cx) == EDO_PENDING)
        edo_future_drop(&wait.future_, &cx);
    else if (wait.output)
        edo_fetch_add(&led, 1, relaxed);
}

static void *comes_often(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    for (int i = 0; i < EACH; i++) {
        if (rand_r(&seed) % 3 == 0) {
            come_and_drop();
            continue;
        }
        struct edo_barrier_wait wait = edo_barrier_wait(&barrier);
        edo_fetch_add(&arrivals, 1, relaxed);
        cr_assert_eq(edo_park_on(&wait.future_), 0);
        if (wait.output)
            edo_fetch_add(&led, 1, relaxed);
    }
    edo_fetch_sub(&unfinished, 1, relaxed);
    return NULL;
}

Test(barrier, one_leads_for_each_n_that_came)
{
    struct bench bench;
    begin(&bench, IN_A_ROUND);
    pthread_t threads[CROWDED];
    unsigned seeds[CROWDED];
    edo_store(&unfinished, CROWDED, relaxed);
    for (int i = 0; i < CROWDED; i++) {
        seeds[i] = 1000u + (unsigned)i;
        cr_assert_eq(pthread_create(&threads[i], NULL, comes_often, &seeds[i]), 0);
    }
    cr_log_info("seeds from %u", seeds[0]);
    /* The last ones are too few to end a round. */
    while (edo_load(&unfinished, relaxed) > 0) {
        come_and_drop();
        sched_yield();
    }
    for (int i = 0; i < CROWDED; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(edo_load(&led, relaxed), edo_load(&arrivals, relaxed) / IN_A_ROUND);
    cr_assert_eq(edo_load(&kept_clones, relaxed), 0);
    end(&bench);
}
