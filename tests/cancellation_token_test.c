/* SPDX-License-Identifier: MIT */
#include "poll_harness.h"

#include <pthread.h>

#include "edo.h"

typedef struct edo_cancellation_token token;

Test(cancellation_token, cancel_wakes_all_children_too_and_not_parents)
{
    enum { MANY = 70 };
    struct bench bench;
    bench_begin(&bench);
    token *parent = edo_cancellation_token_new();
    token *middle = edo_cancellation_token_child(parent);
    token *child = edo_cancellation_token_child(middle);
    struct edo_cancelled above = edo_cancelled(parent), waits[MANY];
    cr_assert_eq(POLL(above), EDO_PENDING);
    for (int i = 0; i < MANY; i++) {
        waits[i] = edo_cancelled(i % 2 == 0 ? middle : child);
        cr_assert_eq(POLL(waits[i]), EDO_PENDING);
    }
    edo_cancellation_token_cancel(middle);
    edo_cancellation_token_cancel(middle);
    cr_assert_eq(bench.counter.wakes, MANY);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(POLL(waits[i]), EDO_READY);
    cr_assert_not(edo_cancellation_token_is_cancelled(parent));
    cr_assert(edo_cancellation_token_is_cancelled(middle));
    cr_assert(edo_cancellation_token_is_cancelled(child));
    DROP_IT(above);
    edo_cancellation_token_drop(parent);
    edo_cancellation_token_drop(middle);
    edo_cancellation_token_drop(child);
    edo_cancellation_token_drop(NULL);
    bench_end(&bench);
}

/* Whoever is woken finds the whole tree cancelled. */
static token *root, *leaf_token;

static void looks_at_the_tree(struct edo_waker *waker)
{
    counter_wake(waker);
    cr_assert(edo_cancellation_token_is_cancelled(root));
    cr_assert(edo_cancellation_token_is_cancelled(leaf_token));
}

static const struct edo_waker_ops looking = {looks_at_the_tree, counter_clone, counter_drop, NULL,
                                             NULL};

Test(cancellation_token, nobody_is_woken_before_all_are_cancelled)
{
    enum { MANY = 70 }; /* more than are woken at once */
    struct bench bench;
    bench_begin(&bench);
    bench.counter.waker.ops = &looking;
    root = edo_cancellation_token_new();
    token *middle = edo_cancellation_token_child(root);
    leaf_token = edo_cancellation_token_child(middle);
    struct edo_cancelled waits[MANY];
    for (int i = 0; i < MANY; i++) {
        waits[i] = edo_cancelled(root);
        cr_assert_eq(POLL(waits[i]), EDO_PENDING);
    }
    edo_cancellation_token_cancel(root);
    cr_assert_eq(bench.counter.wakes, MANY);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(POLL(waits[i]), EDO_READY);
    edo_cancellation_token_drop(root);
    edo_cancellation_token_drop(middle);
    edo_cancellation_token_drop(leaf_token);
    bench_end(&bench);
}

Test(cancellation_token, a_child_made_after_cancel_is_born_cancelled)
{
    struct bench bench;
    bench_begin(&bench);
    token *parent = edo_cancellation_token_new(), *same = edo_cancellation_token_clone(parent);
    edo_cancellation_token_cancel(same);
    token *child = edo_cancellation_token_child(parent);
    cr_assert(edo_cancellation_token_is_cancelled(child));
    struct edo_cancelled cancelled = edo_cancelled(child);
    cr_assert_eq(POLL(cancelled), EDO_READY);
    edo_cancellation_token_drop(parent);
    edo_cancellation_token_drop(same);
    edo_cancellation_token_drop(child);
    bench_end(&bench);
}

Test(cancellation_token, a_dropped_one_leaves_its_children_to_its_parent)
{
    struct bench bench;
    bench_begin(&bench);
    token *parent = edo_cancellation_token_new();
    token *middle = edo_cancellation_token_child(parent);
    token *one = edo_cancellation_token_child(middle),
          *other = edo_cancellation_token_child(middle);
    edo_cancellation_token_drop(middle);
    edo_cancellation_token_drop(one);
    cr_assert_not(edo_cancellation_token_is_cancelled(other), "dropping does not cancel");
    edo_cancellation_token_cancel(parent);
    cr_assert(edo_cancellation_token_is_cancelled(other));
    edo_cancellation_token_drop(parent);
    edo_cancellation_token_drop(other);

    parent = edo_cancellation_token_new();
    one = edo_cancellation_token_child(parent);
    edo_cancellation_token_drop(parent);
    token *below = edo_cancellation_token_child(one);
    edo_cancellation_token_cancel(one);
    cr_assert(edo_cancellation_token_is_cancelled(below));
    edo_cancellation_token_drop(one);
    edo_cancellation_token_drop(below);
    bench_end(&bench);
}

Test(cancellation_token, a_tree_ten_thousand_deep_or_wide_does_not_recurse)
{
    enum { MANY = 10000 };
    static token *tokens[MANY];
    for (int shape = 0; shape < 4; shape++) {
        struct bench bench;
        bench_begin(&bench);
        tokens[0] = edo_cancellation_token_new();
        for (int i = 1; i < MANY; i++)
            tokens[i] = edo_cancellation_token_child(tokens[shape < 2 ? i - 1 : 0]);
        struct edo_cancelled last = edo_cancelled(tokens[MANY - 1]);
        cr_assert_eq(POLL(last), EDO_PENDING);
        edo_cancellation_token_cancel(tokens[0]);
        cr_assert_eq(bench.counter.wakes, 1);
        cr_assert_eq(POLL(last), EDO_READY);
        for (int i = 0; i < MANY; i++)
            edo_cancellation_token_drop(tokens[shape % 2 == 0 ? i : MANY - 1 - i]);
        bench_end(&bench);
    }
}

Test(cancellation_token, a_chain_dropped_from_either_end_vanishes)
{
    enum { MANY = 10000 };
    static token *tokens[MANY];
    for (int down = 0; down < 2; down++) {
        struct bench bench;
        bench_begin(&bench);
        tokens[0] = edo_cancellation_token_new();
        for (int i = 1; i < MANY; i++)
            tokens[i] = edo_cancellation_token_child(tokens[i - 1]);
        for (int i = 1; i < MANY; i++)
            edo_cancellation_token_drop(tokens[down ? i : MANY - i]);
        edo_cancellation_token_cancel(tokens[0]);
        edo_cancellation_token_drop(tokens[0]);
        bench_end(&bench);
    }
}

Test(cancellation_token, the_guard_cancels_unless_it_is_disarmed)
{
    struct bench bench;
    bench_begin(&bench);
    token *token = edo_cancellation_token_new();
    struct edo_cancellation_guard guard = {edo_cancellation_token_clone(token)}, empty = {0};
    edo_cancellation_token_drop(edo_cancellation_guard_disarm(&guard));
    edo_cancellation_guard_drop(&guard);
    cr_assert_not(edo_cancellation_token_is_cancelled(token));
    guard.token = edo_cancellation_token_clone(token);
    edo_cancellation_guard_drop(&guard);
    edo_cancellation_guard_drop(&guard);
    edo_cancellation_guard_drop(&empty);
    cr_assert(edo_cancellation_token_is_cancelled(token));
    edo_cancellation_token_drop(token);
    bench_end(&bench);
}

Test(cancellation_token, a_wait_is_dropped_in_each_state_and_its_waker_is_replaced)
{
    struct bench bench;
    bench_begin(&bench);
    /* Wakers that are cloned; the last one is not. */
    static const struct edo_waker_ops foreign = {counter_wake, counter_clone, counter_drop, NULL,
                                                 NULL};
    struct counter other = {.waker = {&foreign}}, third = {.waker = {&counter_stable}};
    struct edo_context second, last;
    edo_context_init(&second, &other.waker);
    edo_context_init(&last, &third.waker);
    bench.counter.waker.ops = &foreign;
    token *token = edo_cancellation_token_new();
    struct edo_cancelled fresh = edo_cancelled(token), waits = edo_cancelled(token),
                         moves = edo_cancelled(token), woken = edo_cancelled(token);
    DROP_IT(fresh);
    cr_assert_eq(POLL(waits), EDO_PENDING);
    DROP_IT(waits);
    cr_assert_eq(POLL(woken), EDO_PENDING);
    cr_assert_eq(POLL(moves), EDO_PENDING);
    cr_assert_eq(POLL(moves), EDO_PENDING);
    cr_assert_eq(bench.counter.clones, 3, "polled again, it keeps what it has");
    cr_assert_eq(edo_future_poll(&moves.future_, &second), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&moves.future_, &last), EDO_PENDING);
    bench.cx.budget = 0;
    edo_cancellation_token_cancel(token);
    cr_assert(bench.counter.wakes == 1 && other.wakes == 0 && third.wakes == 1);
    cr_assert_eq(other.clones, other.drops);
    DROP_IT(woken);
    cr_assert_eq(POLL(moves), EDO_READY, "also without a budget");
    bench.trace[0] = '\0';
    waits = edo_cancelled(token);
    edo_future_trace(&waits.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_cancelled\n");
    edo_cancellation_token_drop(token);
    bench_end(&bench);
}

Test(cancellation_token, run_until_cancelled_ends_with_the_child_or_drops_it)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    token *token = edo_cancellation_token_new();
    struct leaf leaf = LEAF(&log, 1, 7);
    struct edo_run_until_cancelled run = edo_run_until_cancelled(token, &leaf);
    RUN(run);
    cr_assert(run.output == 0 && leaf.output == 7 && log.drops == 0);

    leaf = LEAF(&log, 9, 7);
    run = edo_run_until_cancelled(token, &leaf);
    cr_assert_eq(POLL(run), EDO_PENDING);
    DROP_IT(run);
    cr_assert_eq(log.drops, 1);

    leaf = LEAF(&log, 1, 8);
    run = edo_run_until_cancelled(token, &leaf);
    cr_assert_eq(POLL(run), EDO_PENDING);
    edo_cancellation_token_cancel(token);
    cr_assert_eq(POLL(run), EDO_READY);
    cr_assert(run.output == 0 && leaf.output == 8, "both are ready: the child goes first");

    log = (struct leaf_log){0};
    leaf = LEAF(&log, 0, 9);
    run = edo_run_until_cancelled(token, &leaf);
    cr_assert_eq(POLL(run), EDO_READY);
    cr_assert(run.output == UV_ECANCELED && log.polls == 0 && log.drops == 1);
    edo_cancellation_token_drop(token);

    token = edo_cancellation_token_new();
    leaf = LEAF(&log, 9, 9);
    run = edo_run_until_cancelled(token, &leaf);
    cr_assert_eq(POLL(run), EDO_PENDING);
    edo_cancellation_token_cancel(token);
    cr_assert_eq(POLL(run), EDO_READY);
    cr_assert(run.output == UV_ECANCELED && log.drops == 2);
    edo_cancellation_token_drop(token);
    bench_end(&bench);
}

Test(cancellation_token, without_memory_there_is_none)
{
    struct bench bench;
    bench_begin(&bench);
    for (int n = 1; n <= 2; n++) {
        edo_alloc_fail((uint64_t)n, false);
        cr_assert_null(edo_cancellation_token_new());
        cr_assert(edo_alloc_fail(0, false));
    }
    token *token = edo_cancellation_token_new();
    edo_alloc_fail(1, false);
    cr_assert_null(edo_cancellation_token_child(token));
    edo_alloc_fail(0, false);
    edo_cancellation_token_drop(token);
    bench_end(&bench);
}

/* Threads make, drop and cancel children of one token, until somebody cancels it. */
static void *grows(void *arg)
{
    token *parent = arg;
    for (int i = 0; !edo_cancellation_token_is_cancelled(parent); i++) {
        token *child = edo_cancellation_token_child(parent);
        token *below = edo_cancellation_token_child(child);
        if (i % 3 == 0)
            edo_cancellation_token_cancel(child);
        edo_cancellation_token_drop(i % 2 == 0 ? child : below);
        edo_cancellation_token_drop(i % 2 == 0 ? below : child);
    }
    edo_cancellation_token_drop(parent);
    return NULL;
}

static void *waits(void *arg)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct edo_cancelled cancelled = edo_cancelled(arg);
    cr_assert_eq(edo_block_on(runtime, &cancelled), 0);
    edo_cancellation_token_drop(arg);
    edo_runtime_drop(runtime);
    return NULL;
}

Test(cancellation_token, threads_grow_and_cancel_a_tree)
{
    enum { THREADS = 8 };
    for (int round = 0; round < 20; round++) {
        pthread_t threads[THREADS];
        token *root = edo_cancellation_token_new();
        for (int i = 0; i < THREADS; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL, i % 2 == 0 ? grows : waits,
                                        edo_cancellation_token_child(root)),
                         0);
        for (int i = 0; i < 100; i++)
            edo_cancellation_token_drop(edo_cancellation_token_child(root));
        edo_cancellation_token_cancel(root);
        edo_cancellation_token_drop(root);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
}
