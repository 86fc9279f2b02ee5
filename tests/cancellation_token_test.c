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

/* On a stack of 26 bytes for each of ten thousand calls. */
static void on_a_small_stack(void *(*run)(void *))
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    cr_assert_eq(pthread_attr_setstacksize(&attributes, 256 * 1024), 0);
    cr_assert_eq(pthread_create(&thread, &attributes, run, NULL), 0);
    pthread_attr_destroy(&attributes);
    pthread_join(thread, NULL);
}

static void *grows_deep_or_wide(void *arg)
{
    (void)arg;
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
    return NULL;
}

Test(cancellation_token, a_tree_ten_thousand_deep_or_wide_does_not_recurse)
{
    on_a_small_stack(grows_deep_or_wide);
}

static void *drops_a_chain(void *arg)
{
    (void)arg;
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
    return NULL;
}

Test(cancellation_token, a_chain_dropped_from_either_end_vanishes)
{
    on_a_small_stack(drops_a_chain);
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

/* Dropped before its first poll, while it waits, and when it was woken. */
Test(cancellation_token, a_wait_dropped_at_any_time_leaves_nothing_behind)
{
    struct bench bench;
    bench_begin(&bench);
    for (int state = 0; state < 3; state++) {
        token *token = edo_cancellation_token_new();
        struct edo_cancelled gone = edo_cancelled(token), stays = edo_cancelled(token);
        bench.counter.wakes = 0;
        if (state > 0)
            cr_assert_eq(POLL(gone), EDO_PENDING);
        cr_assert_eq(POLL(stays), EDO_PENDING);
        if (state < 2)
            DROP_IT(gone);
        edo_cancellation_token_cancel(token);
        cr_assert_eq(bench.counter.wakes, state == 2 ? 2 : 1);
        if (state == 2)
            DROP_IT(gone);
        cr_assert_eq(POLL(stays), EDO_READY);
        edo_cancellation_token_drop(token);
    }
    bench_end(&bench);
}

Test(cancellation_token, run_until_cancelled_dropped_at_any_time_drops_the_child)
{
    struct bench bench;
    bench_begin(&bench);
    for (int state = 0; state < 3; state++) {
        struct leaf_log log = {0};
        token *token = edo_cancellation_token_new();
        struct leaf leaf = LEAF(&log, 9, 7);
        struct edo_run_until_cancelled run = edo_run_until_cancelled(token, &leaf);
        if (state > 0)
            cr_assert_eq(POLL(run), EDO_PENDING);
        if (state == 2)
            edo_cancellation_token_cancel(token);
        DROP_IT(run);
        cr_assert_eq(log.drops, 1);
        cr_assert_eq(log.polls, state > 0);
        edo_cancellation_token_drop(token);
    }
    bench_end(&bench);
}

/* A child that cancels the token it runs under. */
struct cancels {
    FUTURE(int);
    token *token;
    bool ends;
};

ASYNC(cancels)
{
    ASYNC_BEGIN;
    edo_cancellation_token_cancel(self->token);
    if (self->ends)
        RETURN(5);
    YIELD_NOW();
    RETURN(6);
    ASYNC_END;
}

struct panics {
    FUTURE(int);
};

ASYNC(panics)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    PANIC("enough");
    RETURN(0);
    ASYNC_END;
}

Test(cancellation_token, run_until_cancelled_of_a_child_that_cancels_it_or_panics)
{
    struct bench bench;
    bench_begin(&bench);
    for (int ends = 0; ends < 2; ends++) {
        token *token = edo_cancellation_token_new();
        struct cancels child = NEW(cancels, .token = token, .ends = ends);
        struct edo_run_until_cancelled run = edo_run_until_cancelled(token, &child);
        cr_assert_eq(POLL(run), EDO_READY);
        cr_assert_eq(run.output, ends ? 0 : UV_ECANCELED);
        cr_assert_eq(child.output, ends ? 5 : 0);
        edo_cancellation_token_drop(token);
    }
    token *token = edo_cancellation_token_new();
    struct panics child = NEW(panics);
    struct edo_run_until_cancelled run = edo_run_until_cancelled(token, &child);
    cr_assert_eq(POLL(run), EDO_PENDING);
    cr_assert_null(bench.cx.panic.name);
    cr_assert_eq(POLL(run), EDO_PENDING);
    cr_assert_not_null(bench.cx.panic.name);
    bench.cx.panic.name = NULL;
    DROP_IT(run);
    edo_cancellation_token_drop(token);
    bench_end(&bench);
}

Test(cancellation_token, a_waker_is_replaced_by_that_of_the_last_poll)
{
    struct bench bench, other;
    bench_begin(&bench);
    bench_begin(&other);
    token *token = edo_cancellation_token_new();
    struct edo_cancelled cancelled = edo_cancelled(token);
    cr_assert_eq(POLL(cancelled), EDO_PENDING);
    cr_assert_eq(POLL_BY(cancelled, &other.cx), EDO_PENDING);
    edo_cancellation_token_cancel(token);
    cr_assert(bench.counter.wakes == 0 && other.counter.wakes == 1);
    cr_assert_eq(POLL(cancelled), EDO_READY);
    edo_cancellation_token_drop(token);
    bench_end(&bench);
}

Test(cancellation_token, a_trace_names_them)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    token *token = edo_cancellation_token_new();
    struct leaf leaf = LEAF(&log, 9, 7);
    struct edo_cancelled cancelled = edo_cancelled(token);
    struct edo_run_until_cancelled run = edo_run_until_cancelled(token, &leaf);
    cr_assert_eq(POLL(run), EDO_PENDING);
    edo_future_trace(&cancelled.future_, &bench.cx);
    edo_future_trace(&run.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_cancelled\nedo_run_until_cancelled\n leaf\n");
    DROP_IT(run);
    edo_cancellation_token_drop(token);
    bench_end(&bench);
}

Test(cancellation_token, only_new_tokens_allocate)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    token *parent = edo_cancellation_token_new(), *child = edo_cancellation_token_child(parent);
    edo_alloc_fail(1, true);
    cr_assert_null(edo_cancellation_token_child(parent));
    cr_assert_null(edo_cancellation_token_new());
    cr_assert(edo_alloc_fail(1, true));
    struct edo_cancellation_guard guard = {edo_cancellation_token_clone(parent)};
    struct edo_cancelled cancelled = edo_cancelled(child);
    struct leaf leaf = LEAF(&log, 9, 7);
    struct edo_run_until_cancelled run = edo_run_until_cancelled(child, &leaf);
    cr_assert_eq(POLL(cancelled), EDO_PENDING);
    cr_assert_eq(POLL(run), EDO_PENDING);
    edo_cancellation_guard_drop(&guard);
    cr_assert_eq(POLL(cancelled), EDO_READY);
    cr_assert_eq(POLL(run), EDO_READY);
    edo_cancellation_token_drop(parent);
    edo_cancellation_token_drop(child);
    cr_assert_not(edo_alloc_fail(0, false));
    bench_end(&bench);
}
