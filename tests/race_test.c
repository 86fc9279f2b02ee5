/* SPDX-License-Identifier: MIT */
#include "combinator_harness.h"

struct racing {
    FUTURE(int);
    struct leaf l[3];
    int winner;
};

ASYNC(racing)
{
    ASYNC_BEGIN;
    RACE(self->winner, &self->l[0], &self->l[1], &self->l[2]);
    RETURN(self->winner);
    ASYNC_END;
}

static struct racing racing(struct leaf_log *logs, const int *left)
{
    struct racing race = NEW(racing, .winner = -1);
    for (int i = 0; i < 3; i++)
        race.l[i] = LEAF(&logs[i], left[i], 10 + i);
    return race;
}

Test(race, the_first_that_is_ready_wins_and_the_others_are_dropped_at_once)
{
    for (int first = 0; first < 3; first++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log logs[3] = {{0}};
        int left[3] = {9, 9, 9};
        left[first] = 2;
        struct racing race = racing(logs, left);
        cr_assert_eq(RUN(race), 3);
        cr_assert_eq(race.output, first);
        cr_assert_eq(race.l[first].output, 10 + first);
        for (int i = 0; i < 3; i++) {
            cr_assert_eq(logs[i].drops, i != first);
            cr_assert_eq(logs[i].polled_after_ready, 0);
            cr_assert_leq(logs[i].polls, 3, "none is polled after the end");
        }
        cr_assert_eq(logs[first].polls, 3);
        cr_assert_eq(bench.cx.budget, EDO_BUDGET);
        bench_end(&bench);
    }
}

Test(race, each_wins_its_share_when_all_are_ready)
{
    int wins[3] = {0};
    struct bench bench;
    bench_begin(&bench);
    for (int i = 0; i < 3000; i++) {
        struct leaf_log logs[3] = {{0}};
        struct racing race = racing(logs, (const int[]){0, 0, 0});
        cr_assert_eq(RUN(race), 1);
        wins[race.output]++;
        cr_assert_eq(logs[0].polls + logs[1].polls + logs[2].polls, 1);
        for (int j = 0; j < 3; j++)
            cr_assert_eq(logs[j].drops, j != race.output, "polled or not");
    }
    for (int i = 0; i < 3; i++)
        cr_assert(wins[i] > 800 && wins[i] < 1200, "%d of 3000", wins[i]);
    bench_end(&bench);
}

Test(race, one_that_is_done_already_wins_without_being_polled)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[3] = {{0}};
    struct racing race = racing(logs, (const int[]){5, 0, 5});
    cr_assert_eq(POLL(race.l[1]), EDO_READY);
    cr_assert_eq(RUN(race), 1);
    cr_assert_eq(race.output, 1);
    cr_assert_eq(logs[1].polls, 1);
    cr_assert_eq(logs[1].drops, 0);
    bench_end(&bench);
}

/* Every set of durations of three, dropped after each number of polls. */
Test(race, dropped_anywhere_it_drops_those_that_are_not_done_once)
{
    for (int mix = 0; mix < 64; mix++) {
        int left[3] = {mix & 3, mix >> 2 & 3, mix >> 4};
        for (int polls = 0;; polls++) {
            struct bench bench;
            bench_begin(&bench);
            struct leaf_log logs[3] = {{0}};
            struct racing race = racing(logs, left);
            bool done = false;
            for (int i = 0; i < polls && !done; i++)
                done = POLL(race) == EDO_READY;
            DROP_IT(race);
            for (int i = 0; i < 3; i++) {
                int drops = polls > 0 && !(done && race.output == i);
                cr_assert_eq(logs[i].drops, drops, "mix %d, %d polls, branch %d", mix, polls, i);
                cr_assert_eq(logs[i].polled_after_ready, 0);
            }
            bench_end(&bench);
            if (done)
                break;
        }
    }
}

struct with_break {
    FUTURE(int);
    struct leaf leaf;
    struct breaks breaks;
    enum { NOBODY = 7 } winner;
};

ASYNC(with_break)
{
    ASYNC_BEGIN;
    RACE(self->winner, &self->leaf, &self->breaks);
    RETURN((int)self->winner);
    ASYNC_END;
}

Test(race, a_panic_in_a_branch_passes_and_drops_the_others)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[2] = {{0}};
    int finally = 0;
    struct with_break race = NEW(with_break, .leaf = LEAF(&logs[0], 9, 0),
                                 .breaks = BREAKS(BREAKS_IN_BODY, 1, &logs[1], &finally));
    panic_passes(&bench, &race.future_, &finally);
    cr_assert_eq(logs[0].drops, 1);
    bench_end(&bench);
}

Test(race, a_panic_in_a_losers_finally_is_not_lost)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[2] = {{0}};
    int finally = 0;
    struct with_break race = NEW(with_break, .winner = NOBODY, .leaf = LEAF(&logs[0], 1, 0),
                                 .breaks = BREAKS(BREAKS_IN_FINALLY, 9, &logs[1], &finally));
    cr_assert_eq(POLL(race), EDO_PENDING);
    cr_assert_eq(POLL(race), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.message, "the end broke");
    cr_assert_eq(finally, 1);
    cr_assert_eq(race.winner, NOBODY);
    DROP_IT(race);
    cr_assert_eq(finally, 1);
    bench_end(&bench);
}

Test(race, the_trace_names_every_branch)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[3] = {{0}};
    struct racing race = racing(logs, (const int[]){5, 5, 5});
    cr_assert_eq(POLL(race), EDO_PENDING);
    cr_assert_str_eq(CHAIN(race), "racing\n leaf\n leaf\n leaf\n");
    DROP_IT(race);
    bench_end(&bench);
}

struct crowd {
    FUTURE(int);
    struct leaf l[64];
    int winner;
};

#define FOUR(i)    &self->l[i], &self->l[i + 1], &self->l[i + 2], &self->l[i + 3]
#define SIXTEEN(i) FOUR(i), FOUR(i + 4), FOUR(i + 8), FOUR(i + 12)

ASYNC(crowd)
{
    ASYNC_BEGIN;
    RACE(self->winner, SIXTEEN(0), SIXTEEN(16), SIXTEEN(32), SIXTEEN(48));
    RETURN(self->l[self->winner].output);
    ASYNC_END;
}

Test(race, takes_sixty_four)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    struct crowd crowd = NEW(crowd);
    for (int i = 0; i < 64; i++)
        crowd.l[i] = LEAF(&log, 3 + (i != 41), i);
    cr_assert_eq(RUN(crowd), 4);
    cr_assert_eq(crowd.output, 41);
    cr_assert_eq(log.drops, 63);
    bench_end(&bench);
}

/* One that is named twice is one, and wins by its first name or its second. */
struct twice {
    FUTURE(int);
    struct leaf a, b;
    int winner;
    bool all, failing;
};

ASYNC(twice)
{
    ASYNC_BEGIN;
    if (self->failing) {
        TRY_JOIN_TO(self->winner, &self->a, &self->b, &self->a);
    } else if (self->all) {
        JOIN(&self->a, &self->b, &self->a);
    } else {
        RACE(self->winner, &self->a, &self->b, &self->a);
    }
    ASYNC_END;
}

Test(race, a_future_that_is_named_twice_is_dropped_and_ready_once)
{
    for (int mix = 0; mix < 8; mix++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log logs[2] = {{0}};
        bool all = mix & 1, failing = mix >> 1 & 1, a_first = mix >> 2;
        struct twice twice =
            NEW(twice, .all = all, .failing = failing, .a = LEAF(&logs[0], a_first ? 1 : 12, -1),
                .b = LEAF(&logs[1], a_first ? 9 : 2, -2));
        RUN(twice);
        for (int i = 0; i < 2; i++)
            cr_assert_eq(logs[i].polled_after_ready, 0);
        bool one = !all || failing;
        cr_assert_eq(logs[0].drops, one && !a_first);
        cr_assert_eq(logs[1].drops, one && a_first);
        if (failing)
            cr_assert_eq(twice.winner, a_first ? -1 : -2);
        bench_end(&bench);
    }
}
