/* SPDX-License-Identifier: MIT */
/* combinators/join_all.h. */
#include "combinator_harness.h"

enum { MOST = 6 };

/* So many leaves, with what is done with each. */
struct leaves {
    struct leaf_log logs[MOST];
    struct leaf leaf[MOST];
};

static void leaves_begin(struct leaves *leaves, const int *left, const int *results, int count)
{
    memset(leaves, 0, sizeof *leaves);
    for (int i = 0; i < count; i++)
        leaves->leaf[i] = LEAF(&leaves->logs[i], left[i], results[i]);
}

static const int ids[MOST] = {10, 11, 12, 13, 14, 15};

Test(join_all, each_is_polled_once_a_wake_until_it_is_ready_and_the_outputs_stay_in_place)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaves leaves;
    leaves_begin(&leaves, (int[]){3, 0, 5, 1}, ids, 4);
    struct edo_join_all all = edo_join_all(leaves.leaf, 4);
    cr_assert_eq(POLL(all), EDO_PENDING);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(leaves.logs[i].polls, 1);
    cr_assert_eq(RUN(all), 5);
    static const int polls[] = {4, 1, 6, 2};
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(leaves.leaf[i].output, 10 + i);
        cr_assert_eq(leaves.logs[i].polls, polls[i]);
        cr_assert_eq(leaves.logs[i].drops + leaves.logs[i].polled_after_ready, 0);
    }
    bench_end(&bench);
}

Test(join_all, of_none_is_ready_at_once)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf *none = NULL;
    struct edo_join_all all = edo_join_all(none, 0);
    cr_assert_eq(POLL(all), EDO_READY);
    struct edo_try_join_all try_all = edo_try_join_all(none, 0);
    cr_assert_eq(POLL(try_all), EDO_READY);
    cr_assert_eq(try_all.output, 0);
    bench_end(&bench);
}

Test(join_all, those_that_are_done_already_are_not_polled)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaves leaves;
    leaves_begin(&leaves, (int[]){0, 1, 0}, ids, 3);
    POLL(leaves.leaf[0]);
    POLL(leaves.leaf[2]);
    struct edo_join_all all = edo_join_all(leaves.leaf, 3);
    cr_assert_eq(RUN(all), 2);
    cr_assert(leaves.logs[0].polls == 1 && leaves.logs[2].polls == 1);
    all = edo_join_all(leaves.leaf, 3);
    cr_assert_eq(POLL(all), EDO_READY, "of all of them");
    bench_end(&bench);
}

/* Every set of durations of three, dropped after each number of polls. */
Test(join_all, dropped_anywhere_it_drops_those_that_are_not_done_once)
{
    for (int tries = 0; tries < 2; tries++) {
        for (int mix = 0; mix < 64; mix++) {
            int left[3] = {mix & 3, mix >> 2 & 3, mix >> 4};
            bool done = false;
            for (int polls = 0; !done; polls++) {
                struct bench bench;
                bench_begin(&bench);
                struct leaves leaves;
                leaves_begin(&leaves, left, ids, 3);
                struct edo_join_all all = edo_join_all(leaves.leaf, 3);
                struct edo_try_join_all try_all = edo_try_join_all(leaves.leaf, 3);
                struct edo_future *future = tries ? &try_all.future_ : &all.future_;
                for (int i = 0; i < polls && !done; i++)
                    done = edo_future_poll(future, &bench.cx) == EDO_READY;
                edo_future_drop(future, &bench.cx);
                for (int i = 0; i < 3; i++) {
                    cr_assert_eq(leaves.logs[i].drops, left[i] >= polls, "mix %d, %d polls", mix,
                                 polls);
                    cr_assert_eq(leaves.logs[i].polled_after_ready, 0);
                }
                bench_end(&bench);
            }
        }
    }
}

/* Takes whatever there is of the budget, and always wants more. */
struct spender {
    FUTURE(int);
    int *got;
};

static enum edo_poll spender_poll(struct edo_future *future, struct edo_context *cx)
{
    struct spender *self = (struct spender *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "spender");
    for (int i = 0; i < 2 && !edo_budget_spent(cx); i++) {
        edo_budget_spend(cx);
        ++*self->got;
    }
    edo_wake(cx->waker);
    return EDO_PENDING;
}

Test(join_all, without_budget_for_all_it_begins_with_the_one_that_got_none)
{
    struct bench bench;
    bench_begin(&bench);
    for (int tries = 0; tries < 2; tries++) {
        /* Two for each, and enough for two and a half. */
        struct spender spenders[5];
        int got[5] = {0};
        for (int i = 0; i < 5; i++)
            spenders[i] = NEW(spender, .got = &got[i]);
        struct edo_join_all all = edo_join_all(spenders, 5);
        struct edo_try_join_all try_all = edo_try_join_all(spenders, 5);
        struct edo_future *future = tries ? &try_all.future_ : &all.future_;
        for (int polls = 0; polls < 10; polls++) {
            bench.cx.budget = 5;
            cr_assert_eq(edo_future_poll(future, &bench.cx), EDO_PENDING);
        }
        for (int i = 0; i < 5; i++)
            cr_assert_eq(got[i], 10, "%d of 50 for %d", got[i], i);
        edo_future_drop(future, &bench.cx);
    }
    bench_end(&bench);
}

Test(join_all, it_names_those_that_are_not_done)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaves leaves;
    leaves_begin(&leaves, (int[]){1, 0, 1}, ids, 3);
    struct edo_join_all all = edo_join_all(leaves.leaf, 3);
    POLL(all);
    cr_assert_str_eq(CHAIN(all), "edo_join_all\n leaf\n leaf\n");
    DROP_IT(all);
    leaves_begin(&leaves, (int[]){1, 0, 1}, ids, 3);
    struct edo_try_join_all try_all = edo_try_join_all(leaves.leaf, 3);
    POLL(try_all);
    cr_assert_str_eq(CHAIN(try_all), "edo_try_join_all\n leaf\n leaf\n");
    DROP_IT(try_all);
    bench_end(&bench);
}

Test(try_join_all, the_first_error_is_the_output_and_the_others_are_dropped_at_once)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaves leaves;
    leaves_begin(&leaves, (int[]){9, 0, 2, 2, 9}, (int[]){1, 0, -5, -6, 1}, 5);
    struct edo_try_join_all all = edo_try_join_all(leaves.leaf, 5);
    cr_assert_eq(RUN(all), 3);
    cr_assert_eq(all.output, -5);
    cr_assert_eq(leaves.logs[0].polls, 3);
    cr_assert(leaves.logs[3].polls == 2 && leaves.logs[4].polls == 2, "none after the error");
    for (int i = 0; i < 5; i++)
        cr_assert_eq(leaves.logs[i].drops, i != 1 && i != 2);
    bench_end(&bench);
}

Test(try_join_all, without_an_error_all_are_awaited_and_the_output_is_0)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaves leaves;
    leaves_begin(&leaves, (int[]){1, 2, 0}, (int[]){0, 5, 1}, 3);
    struct edo_try_join_all all = edo_try_join_all(leaves.leaf, 3);
    cr_assert_eq(RUN(all), 3);
    cr_assert_eq(all.output, 0);
    bench_end(&bench);
}

Test(try_join_all, an_error_that_is_there_already_counts)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaves leaves;
    leaves_begin(&leaves, (int[]){9, 0, 9}, (int[]){0, -7, 0}, 3);
    POLL(leaves.leaf[1]);
    struct edo_try_join_all all = edo_try_join_all(leaves.leaf, 3);
    cr_assert_eq(POLL(all), EDO_READY);
    cr_assert_eq(all.output, -7);
    cr_assert(leaves.logs[0].polls == 1 && leaves.logs[0].drops == 1);
    cr_assert(leaves.logs[2].polls == 0 && leaves.logs[2].drops == 1);
    bench_end(&bench);
}

/* A panic stops the others where they are; so does one of a FINALLY, of the loser of an error. */
Test(join_all, a_panic_passes)
{
    for (int tries = 0; tries < 2; tries++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log log = {0};
        int finally[3] = {0};
        struct breaks all_break[3] = {BREAKS(BREAKS_NOWHERE, 9, &log, &finally[0]),
                                      BREAKS(BREAKS_IN_BODY, 1, &log, &finally[1]),
                                      BREAKS(BREAKS_NOWHERE, 9, &log, &finally[2])};
        struct edo_join_all all = edo_join_all(all_break, 3);
        struct edo_try_join_all try_all = edo_try_join_all(all_break, 3);
        panic_passes(&bench, tries ? &try_all.future_ : &all.future_, &finally[1]);
        cr_assert_eq(log.polls, 2 + 2 + 1, "of the third, once");
        cr_assert(finally[0] == 1 && finally[2] == 1);
        bench_end(&bench);
    }
}

Test(try_join_all, a_loser_s_finally_may_panic)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally[2] = {0};
    struct breaks two[2] = {BREAKS(BREAKS_IN_FINALLY, 9, &log, &finally[0]),
                            BREAKS(BREAKS_NOWHERE, 0, &log, &finally[1])};
    POLL(two[1]);
    two[1].output = -3;
    struct edo_try_join_all all = edo_try_join_all(two, 2);
    cr_assert_eq(POLL(all), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.message, "the end broke");
    DROP_IT(all);
    cr_assert(finally[0] == 1 && finally[1] == 1);
    bench_end(&bench);
}

/* Outputs of a page, futures of another size, in a frame; and on the heap. */
struct page {
    char text[4096];
};
struct makes_page {
    FUTURE(struct page);
    char letter;
};

ASYNC(makes_page)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    memset(self->output.text, self->letter, sizeof self->output.text);
    ASYNC_END;
}

struct makes_pages {
    FUTURE(int);
    struct makes_page pages[3];
    struct edo_join_all all;
    struct edo_timeout timeout;
};

ASYNC(makes_pages)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 3; i++)
        self->pages[i] = NEW(makes_page, .letter = (char)('a' + i));
    self->all = edo_join_all(self->pages, 3);
    TRY_AWAIT(self->timeout, edo_timeout(1000, &self->all));
    for (int i = 0; i < 3; i++)
        cr_assert(self->pages[i].output.text[0] == 'a' + i &&
                  self->pages[i].output.text[4095] == 'a' + i);
    RETURN(3);
    ASYNC_END;
}

Test(join_all, in_a_frame_of_a_runtime_s_task)
{
    struct edo_census before = edo_census_now();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    static struct makes_pages makes_pages;
    makes_pages = NEW(makes_pages);
    cr_assert_eq(edo_block_on(runtime, &makes_pages), 0);
    cr_assert_eq(makes_pages.output, 3);
    edo_runtime_drop(runtime);
    struct edo_census after = edo_census_now();
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        cr_assert_eq(after.live[i], before.live[i], "%s", edo_census_name(i));
}
