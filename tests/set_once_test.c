/* SPDX-License-Identifier: MIT */
#include "hostile_waker.h"

#include <pthread.h>
#include <sched.h>

#include "edo.h"
#include "internal/park.h"
#include "support/runtimes.h"

typedef SET_ONCE(int) int_once;
static int_once once;

static void begin(struct bench *bench)
{
    bench_begin(bench);
    edo_set_once_init(&once);
}

static void end(struct bench *bench)
{
    edo_set_once_destroy(&once);
    bench_end(bench);
}

static int set(int value)
{
    return edo_set_once_set(&once, &value);
}

Test(set_once, it_is_set_once)
{
    struct bench bench;
    begin(&bench);
    cr_assert_null(edo_set_once_get(&once));
    cr_assert_eq(set(1), 0);
    cr_assert_eq(*edo_set_once_get(&once), 1);
    cr_assert_eq(set(2), UV_EEXIST);
    const int *first = edo_set_once_get(&once);
    cr_assert_eq(*first, 1);
    cr_assert_eq(first, edo_set_once_get(&once));
    end(&bench);
}

Test(set_once, a_value_of_any_size)
{
    struct bench bench;
    bench_begin(&bench);
    struct large {
        char bytes[4096];
    } large = {"large"};
    SET_ONCE(struct large) of_large;
    SET_ONCE(char) of_char;
    SET_ONCE(struct edo_void) of_nothing;
    SET_ONCE(const char *) of_text;
    edo_set_once_init(&of_large);
    edo_set_once_init(&of_char);
    edo_set_once_init(&of_nothing);
    edo_set_once_init(&of_text);
    char c = 'c';
    struct edo_void nothing;
    const char *text = "text";
    cr_assert_null(edo_set_once_get(&of_nothing));
    cr_assert_eq(edo_set_once_set(&of_large, &large), 0);
    cr_assert_eq(edo_set_once_set(&of_char, &c), 0);
    cr_assert_eq(edo_set_once_set(&of_nothing, &nothing), 0);
    cr_assert_eq(edo_set_once_set(&of_text, &text), 0);
    cr_assert_eq(memcmp(edo_set_once_get(&of_large), &large, sizeof large), 0);
    cr_assert_eq(*edo_set_once_get(&of_char), 'c');
    cr_assert_not_null(edo_set_once_get(&of_nothing));
    cr_assert_str_eq(*edo_set_once_get(&of_text), "text");
    edo_set_once_destroy(&of_large);
    edo_set_once_destroy(&of_char);
    edo_set_once_destroy(&of_nothing);
    edo_set_once_destroy(&of_text);
    bench_end(&bench);
}

static SET_ONCE(long) in_static_storage = SET_ONCE_INIT(in_static_storage);

Test(set_once, one_of_static_storage_needs_no_init)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_set_once_wait wait = edo_set_once_wait(&in_static_storage);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    long value = 3;
    cr_assert_eq(edo_set_once_set(&in_static_storage, &value), 0);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert_eq(*edo_set_once_get(&in_static_storage), 3);
    edo_set_once_destroy(&in_static_storage);
    bench_end(&bench);
}

Test(set_once, all_who_wait_are_woken_and_those_who_come_later_do_not_wait)
{
    enum { MANY = 300 };
    struct bench bench;
    begin(&bench);
    static struct edo_set_once_wait waits[MANY];
    bench.cx.budget = EDO_UNCONSTRAINED;
    for (int i = 0; i < MANY; i++) {
        waits[i] = edo_set_once_wait(&once);
        cr_assert_eq(POLL(waits[i]), EDO_PENDING);
        cr_assert_eq(POLL(waits[i]), EDO_PENDING);
    }
    cr_assert_eq(set(1), 0);
    cr_assert_eq(bench.counter.wakes, MANY);
    struct edo_set_once_wait late = edo_set_once_wait(&once);
    cr_assert_eq(POLL(late), EDO_READY);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(POLL(waits[i]), EDO_READY);
    end(&bench);
}

Test(set_once, set_before_it_is_waited_for)
{
    struct bench bench;
    begin(&bench);
    cr_assert_eq(set(1), 0);
    struct edo_set_once_wait waits[3];
    for (int i = 0; i < 3; i++) {
        waits[i] = edo_set_once_wait(&once);
        cr_assert_eq(POLL(waits[i]), EDO_READY);
    }
    end(&bench);
}

Test(set_once, a_wait_is_dropped_at_each_state)
{
    struct bench bench;
    begin(&bench);
    struct edo_set_once_wait fresh = edo_set_once_wait(&once), waiting = edo_set_once_wait(&once),
                             woken = edo_set_once_wait(&once), stays = edo_set_once_wait(&once);
    DROP_IT(fresh);
    cr_assert_eq(POLL(waiting), EDO_PENDING);
    cr_assert_eq(POLL(woken), EDO_PENDING);
    cr_assert_eq(POLL(stays), EDO_PENDING);
    DROP_IT(waiting);
    cr_assert_eq(set(1), 0);
    cr_assert_eq(bench.counter.wakes, 2);
    DROP_IT(woken);
    cr_assert_eq(POLL(stays), EDO_READY);
    end(&bench);
}

Test(set_once, a_waker_is_replaced_by_that_of_the_last_poll)
{
    struct bench bench;
    begin(&bench);
    struct counter other = {.waker = {&counter_stable}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    struct edo_set_once_wait wait = edo_set_once_wait(&once);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&wait.future_, &second), EDO_PENDING);
    cr_assert_eq(set(1), 0);
    cr_assert_eq(bench.counter.wakes, 0);
    cr_assert_eq(other.wakes, 1);
    cr_assert_eq(POLL(wait), EDO_READY);
    end(&bench);
}

Test(set_once, without_budget_it_gives_way)
{
    struct bench bench;
    begin(&bench);
    cr_assert_eq(set(1), 0);
    struct edo_set_once_wait wait = edo_set_once_wait(&once);
    bench.cx.budget = 0;
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 1);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert_eq(bench.cx.budget, 0);
    end(&bench);
}

Test(set_once, a_trace_names_it)
{
    struct bench bench;
    begin(&bench);
    struct edo_set_once_wait wait = edo_set_once_wait(&once);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    edo_future_trace(&wait.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_set_once_wait\n");
    DROP_IT(wait);
    end(&bench);
}

Test(set_once, it_allocates_nothing)
{
    struct bench bench;
    begin(&bench);
    edo_alloc_fail(1, true);
    struct edo_set_once_wait wait = edo_set_once_wait(&once);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(set(1), 0);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert_not(edo_alloc_fail(0, false));
    end(&bench);
}

static void look(void)
{
    cr_assert(edo_try_lock(&once.core_.lock_));
    edo_unlock(&once.core_.lock_);
}

Test(set_once, no_lock_is_held_while_a_waker_runs_and_each_clone_is_dropped)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, look);
    edo_set_once_init(&once);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    struct edo_set_once_wait waits[3];
    for (int i = 0; i < 3; i++) {
        waits[i] = edo_set_once_wait(&once);
        cr_assert_eq(POLL(waits[i]), EDO_PENDING);
    }
    cr_assert_eq(edo_future_poll(&waits[0].future_, &second), EDO_PENDING);
    DROP_IT(waits[1]);
    cr_assert_eq(set(1), 0);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(other.wakes, 1);
    cr_assert_eq(other.clones, other.drops);
    DROP_IT(waits[0]);
    cr_assert_eq(POLL(waits[2]), EDO_READY);
    edo_set_once_destroy(&once);
    hostile_end(&bench);
}

static void clone_sets(void)
{
    cr_assert_eq(set(1), 0);
}

Test(set_once, a_clone_that_sets_it_is_not_missed)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, look);
    edo_set_once_init(&once);
    struct edo_set_once_wait wait = edo_set_once_wait(&once);
    hostile.in_clone.act = clone_sets;
    cr_assert_eq(POLL(wait), EDO_READY);
    edo_set_once_destroy(&once);
    hostile_end(&bench);
}

/* While the wakers of the first batch run: one comes, one of the second batch polls, one is dropped. */
enum { CROWD = 80 };
static struct edo_set_once_wait crowd[CROWD];
static struct counter meddler = {.waker = {&counter_stable}};

static void meddle(void)
{
    struct edo_context cx;
    edo_context_init(&cx, &meddler.waker);
    struct edo_set_once_wait comes = edo_set_once_wait(&once);
    cr_assert_eq(edo_future_poll(&comes.future_, &cx), EDO_READY);
    cr_assert_eq(edo_future_poll(&crowd[CROWD - 1].future_, &cx), EDO_PENDING, "not its turn");
    edo_future_drop(&crowd[CROWD - 2].future_, &cx);
    cr_assert_eq(set(2), UV_EEXIST);
}

Test(set_once, waits_come_and_go_while_the_others_are_woken)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, look);
    edo_set_once_init(&once);
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = edo_set_once_wait(&once);
        cr_assert_eq(POLL(crowd[i]), EDO_PENDING);
    }
    hostile.in_wake = HOSTILE_AFTER(1, meddle);
    cr_assert_eq(set(1), 0);
    cr_assert_eq(bench.counter.wakes, CROWD - 2);
    cr_assert_eq(meddler.wakes, 1);
    for (int i = 0; i < CROWD; i++)
        cr_assert(i == CROWD - 2 || POLL(crowd[i]) == EDO_READY);
    edo_set_once_destroy(&once);
    hostile_end(&bench);
}

/* Another thread that polls them all meanwhile must not find them all completed, and free it: the one
 * that set it needs the lock again. */
static void polls_all(void)
{
    struct edo_context cx;
    int ready = 0;
    edo_context_init(&cx, &meddler.waker);
    for (int i = 0; i < CROWD; i++) {
        cx.budget = EDO_BUDGET;
        ready += edo_future_poll(&crowd[i].future_, &cx) == EDO_READY;
    }
    cr_assert_lt(ready, CROWD);
}

Test(set_once, it_is_not_over_for_all_before_the_last_is_woken)
{
    struct bench bench;
    hostile_begin(&bench, &hostile_foreign, look);
    edo_set_once_init(&once);
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = edo_set_once_wait(&once);
        cr_assert_eq(POLL(crowd[i]), EDO_PENDING);
    }
    hostile.in_wake.act = polls_all;
    cr_assert_eq(set(1), 0);
    for (int i = 0; i < CROWD; i++)
        cr_assert(edo_future_done(&crowd[i].future_) || POLL(crowd[i]) == EDO_READY);
    edo_set_once_destroy(&once);
    hostile_end(&bench);
}

/* Each of many is made, set by another thread, and gone as soon as it has been waited for. */
enum { LIVES = 2000 };
struct life {
    int_once once;
    int plain;
};
static _Atomic(struct life *) handed;

static void *sets_each(void *arg)
{
    (void)arg;
    for (int i = 0; i < LIVES; i++) {
        struct life *life;
        while ((life = edo_exchange(&handed, NULL, acquire)) == NULL)
            sched_yield();
        life->plain = i;
        cr_assert_eq(edo_set_once_set(&life->once, &i), 0);
    }
    return NULL;
}

static struct life *live(void)
{
    struct life *life = edo_malloc(sizeof *life);
    edo_set_once_init(&life->once);
    edo_store(&handed, life, release);
    return life;
}

static void end_life(struct life *life, int i)
{
    cr_assert_eq(*edo_set_once_get(&life->once), i);
    cr_assert_eq(life->plain, i);
    edo_set_once_destroy(&life->once);
    memset(life, 0xa5, sizeof *life);
    edo_free(life);
}

struct lives {
    FUTURE(int);
    struct life *life;
    int i;
    struct edo_set_once_wait wait;
};

ASYNC(lives)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < LIVES; self->i++) {
        self->life = live();
        AWAIT(self->wait, edo_set_once_wait(&self->life->once));
        end_life(self->life, self->i);
    }
    RETURN(0);
    ASYNC_END;
}

Test(set_once, it_may_be_freed_as_soon_as_it_was_waited_for)
{
    struct bench bench;
    bench_begin(&bench);
    pthread_t thread;
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(pthread_create(&thread, NULL, sets_each, NULL), 0);
    struct lives lives = NEW(lives);
    cr_assert_eq(test_block_on(runtime, &lives), 0);
    pthread_join(thread, NULL);
    edo_runtime_drop(runtime);
    cr_assert_eq(pthread_create(&thread, NULL, sets_each, NULL), 0);
    for (int i = 0; i < LIVES; i++) {
        struct life *life = live();
        struct edo_set_once_wait wait = edo_set_once_wait(&life->once);
        cr_assert_eq(edo_park_on(&wait.future_), 0);
        end_life(life, i);
    }
    pthread_join(thread, NULL);
    bench_end(&bench);
}

/* Threads that set, wait, and give up, on one after the other: one sets, all see the same. */
enum { THREADS = 8, TIMES = 300 };
static int_once many[TIMES];
static int seen[THREADS][TIMES], written[THREADS][TIMES], won[THREADS];
static _Atomic(int) kept_clones;

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

static void *takes_part(void *arg)
{
    static const struct edo_waker_ops ops = {nobody_wakes, kept_clone, kept_drop, NULL, NULL};
    static struct edo_waker waker = {&ops};
    struct edo_context cx;
    edo_context_init(&cx, &waker);
    int me = *(int *)arg;
    unsigned seed = 77u + (unsigned)me;
    for (int i = 0; i < TIMES; i++) {
        for (int turns = rand_r(&seed) % 4; turns > 0; turns--) {
            struct edo_set_once_wait gives_up = edo_set_once_wait(&many[i]);
            cx.budget = EDO_BUDGET;
            if (edo_future_poll(&gives_up.future_, &cx) == EDO_PENDING) {
                if (rand_r(&seed) % 2)
                    sched_yield();
                edo_future_drop(&gives_up.future_, &cx);
            }
        }
        /* Somebody must. */
        if (me == i % THREADS || rand_r(&seed) % 3 == 0) {
            written[me][i] = i;
            int error = edo_set_once_set(&many[i], &me);
            cr_assert(error == 0 || error == UV_EEXIST);
            won[me] += error == 0;
        }
        struct edo_set_once_wait wait = edo_set_once_wait(&many[i]);
        cr_assert_eq(edo_park_on(&wait.future_), 0);
        seen[me][i] = *edo_set_once_get(&many[i]);
        cr_assert_eq(written[seen[me][i]][i], i);
    }
    return NULL;
}

Test(set_once, many_threads_set_and_wait_and_give_up)
{
    struct bench bench;
    bench_begin(&bench);
    pthread_t threads[THREADS];
    int numbers[THREADS], wins = 0;
    for (int i = 0; i < TIMES; i++)
        edo_set_once_init(&many[i]);
    cr_log_info("seeds from 77");
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        cr_assert_eq(pthread_create(&threads[i], NULL, takes_part, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        wins += won[i];
        cr_assert_arr_eq(seen[i], seen[0], sizeof seen[0]);
    }
    cr_assert_eq(wins, TIMES);
    for (int i = 0; i < TIMES; i++)
        edo_set_once_destroy(&many[i]);
    cr_assert_eq(edo_load(&kept_clones, relaxed), 0);
    bench_end(&bench);
}
