/* SPDX-License-Identifier: MIT */
/* Cancellation tokens between threads, and between runtimes. */
#include "poll_harness.h"

#include <pthread.h>

#include "edo.h"
#include "pursue.h"
#include "support/runtimes.h"

typedef struct edo_cancellation_token token;

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

static void *waits_in_a_runtime(void *arg)
{
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct edo_cancelled cancelled = edo_cancelled(arg);
    cr_assert_eq(test_block_on(runtime, &cancelled), 0);
    edo_cancellation_token_drop(arg);
    edo_runtime_drop(runtime);
    return NULL;
}

Test(cancellation_token, threads_grow_and_cancel_a_tree)
{
    struct bench bench;
    bench_begin(&bench);
    enum { THREADS = 8 };
    for (int round = 0; round < 20; round++) {
        pthread_t threads[THREADS];
        token *root = edo_cancellation_token_new();
        for (int i = 0; i < THREADS; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL, i % 2 == 0 ? grows : waits_in_a_runtime,
                                        edo_cancellation_token_child(root)),
                         0);
        for (int i = 0; i < 100; i++)
            edo_cancellation_token_drop(edo_cancellation_token_child(root));
        edo_cancellation_token_cancel(root);
        edo_cancellation_token_drop(root);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    bench_end(&bench);
}

/* Threads that wait for tokens of one tree, and give up as it happens, while others make, drop and cancel
 * them, until somebody cancels the root: then all learn of it. */
static void *storm_waits(void *arg)
{
    token *parent = arg;
    unsigned seed = (unsigned)edo_clock_ns();
    while (!edo_cancellation_token_is_cancelled(parent)) {
        token *mine = edo_cancellation_token_child(parent), *below = NULL;
        struct edo_cancelled cancelled = edo_cancelled(mine);
        bool ready = pursue(&cancelled.future_, false, &seed);
        cr_assert(!ready || edo_cancellation_token_is_cancelled(mine));
        if (rand_r(&seed) % 2 == 0) {
            below = edo_cancellation_token_child(mine);
            edo_cancellation_token_drop(mine);
            mine = below;
        }
        if (rand_r(&seed) % 4 == 0)
            edo_cancellation_token_cancel(mine);
        if (edo_cancellation_token_is_cancelled(mine)) {
            cancelled = edo_cancelled(mine);
            cr_assert(pursue(&cancelled.future_, true, &seed));
        }
        edo_cancellation_token_drop(mine);
    }
    token *born = edo_cancellation_token_child(parent);
    struct edo_cancelled cancelled = edo_cancelled(born);
    cr_assert(pursue(&cancelled.future_, true, &seed));
    edo_cancellation_token_drop(born);
    edo_cancellation_token_drop(parent);
    return NULL;
}

Test(cancellation_token, whatever_threads_do_all_learn_of_it)
{
    enum { THREADS = 6, CHILDREN = 64 };
    struct bench bench;
    bench_begin(&bench);
    unsigned seed = pursue_seed();
    for (int round = 0; round < 30; round++) {
        pthread_t threads[THREADS];
        token *top = edo_cancellation_token_new(), *children[CHILDREN];
        for (int i = 0; i < THREADS; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL, storm_waits,
                                        i % 2 == 0 ? edo_cancellation_token_clone(top)
                                                   : edo_cancellation_token_child(top)),
                         0);
        for (int i = 0; i < CHILDREN; i++)
            children[i] = edo_cancellation_token_child(i % 3 == 0 ? top : children[i - 1]);
        for (int i = 0; i < CHILDREN; i++) {
            struct edo_cancelled cancelled = edo_cancelled(children[i]);
            cr_assert_not(pursue(&cancelled.future_, false, &seed));
        }
        edo_cancellation_token_cancel(top);
        for (int i = 0; i < CHILDREN; i++) {
            cr_assert(edo_cancellation_token_is_cancelled(children[i]));
            edo_cancellation_token_drop(children[i]);
        }
        edo_cancellation_token_drop(top);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    bench_end(&bench);
}
