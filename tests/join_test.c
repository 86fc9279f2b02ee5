/* SPDX-License-Identifier: MIT */
#include "combinators/ready.h"
#include "poll_harness.h"

struct joining {
    FUTURE(int);
    struct leaf a, b, c;
};

ASYNC(joining)
{
    ASYNC_BEGIN;
    JOIN(&self->a, &self->b, &self->c);
    RETURN(self->a.output + self->b.output + self->c.output);
    ASYNC_END;
}

Test(join, polls_each_until_it_is_ready_and_leaves_the_outputs_in_place)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[3] = {{0}};
    struct joining joining = NEW(joining, .a = LEAF(&logs[0], 3, 1), .b = LEAF(&logs[1], 0, 10),
                                 .c = LEAF(&logs[2], 5, 100));
    cr_assert_eq(RUN(joining), 6);
    cr_assert_eq(joining.output, 111);
    cr_assert_eq(logs[0].polls, 4);
    cr_assert_eq(logs[1].polls, 1);
    cr_assert_eq(logs[2].polls, 6);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(logs[i].drops + logs[i].polled_after_ready, 0);
    bench_end(&bench);
}

Test(join, those_that_are_done_already_are_not_polled)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[3] = {{0}};
    struct joining joining = NEW(joining, .a = LEAF(&logs[0], 0, 1), .b = LEAF(&logs[1], 0, 10),
                                 .c = LEAF(&logs[2], 0, 100));
    cr_assert_eq(POLL(joining.a), EDO_READY);
    RUN(joining);
    cr_assert_eq(joining.output, 111);
    cr_assert_eq(logs[0].polls, 1);
    bench_end(&bench);
}

/* Every set of durations of three, dropped after each number of polls. */
Test(join, dropped_anywhere_it_drops_those_that_are_not_done_once)
{
    for (int mix = 0; mix < 64; mix++) {
        int left[3] = {mix & 3, mix >> 2 & 3, mix >> 4};
        for (int polls = 0;; polls++) {
            struct bench bench;
            bench_begin(&bench);
            struct leaf_log logs[3] = {{0}};
            struct joining joining =
                NEW(joining, .a = LEAF(&logs[0], left[0], 1), .b = LEAF(&logs[1], left[1], 1),
                    .c = LEAF(&logs[2], left[2], 1));
            bool done = false;
            for (int i = 0; i < polls && !done; i++)
                done = POLL(joining) == EDO_READY;
            DROP_IT(joining);
            for (int i = 0; i < 3; i++) {
                cr_assert_eq(logs[i].drops, polls > 0 && !done && left[i] >= polls,
                             "mix %d, %d polls, branch %d", mix, polls, i);
                cr_assert_eq(logs[i].polled_after_ready, 0);
            }
            bench_end(&bench);
            if (done)
                break;
        }
    }
}

struct trying {
    FUTURE(int);
    struct leaf a, b, c;
    int status;
    bool to;
};

ASYNC(trying)
{
    ASYNC_BEGIN;
    if (self->to) {
        TRY_JOIN_TO(self->status, &self->a, &self->b, &self->c);
    } else {
        TRY_JOIN(&self->a, &self->b, &self->c);
    }
    RETURN(1000);
    ASYNC_END;
}

Test(join, try_join_stops_at_the_first_error_and_drops_the_others_at_once)
{
    for (int to = 0; to < 2; to++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log logs[3] = {{0}};
        struct trying trying = NEW(trying, .to = to, .a = LEAF(&logs[0], 9, 1),
                                   .b = LEAF(&logs[1], 2, -5), .c = LEAF(&logs[2], 9, 1));
        cr_assert_eq(RUN(trying), 3);
        cr_assert_eq(trying.output, to ? 1000 : -5);
        cr_assert_eq(trying.status, to ? -5 : 0);
        cr_assert_eq(logs[0].polls, 3);
        cr_assert_eq(logs[2].polls, 2, "none is polled after the error");
        cr_assert_eq(logs[0].drops + logs[2].drops, 2);
        cr_assert_eq(logs[1].drops, 0);
        bench_end(&bench);
    }
}

Test(join, try_join_without_an_error_waits_for_all)
{
    for (int to = 0; to < 2; to++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log logs[3] = {{0}};
        struct trying trying = NEW(trying, .to = to, .status = 77, .a = LEAF(&logs[0], 1, 0),
                                   .b = LEAF(&logs[1], 2, 5), .c = LEAF(&logs[2], 0, 1));
        cr_assert_eq(RUN(trying), 3);
        cr_assert_eq(trying.output, 1000);
        cr_assert_eq(trying.status, to ? 0 : 77);
        bench_end(&bench);
    }
}

Test(join, try_join_is_dropped_with_its_branches)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[3] = {{0}};
    struct trying trying = NEW(trying, .a = LEAF(&logs[0], 1, 0), .b = LEAF(&logs[1], 9, 5),
                               .c = LEAF(&logs[2], 9, 1));
    POLL(trying);
    POLL(trying);
    edo_future_trace(&trying.future_, &bench.cx);
    cr_assert_eq(strncmp(bench.trace, "trying (join_test.c:", 20), 0);
    cr_assert_not_null(strstr(bench.trace, ")\n leaf\n leaf\n"), "%s", bench.trace);
    DROP_IT(trying);
    cr_assert_eq(logs[0].drops, 0);
    cr_assert_eq(logs[1].drops + logs[2].drops, 2);
    bench_end(&bench);
}

struct failing {
    FUTURE(int);
};

ASYNC(failing)
{
    ASYNC_BEGIN;
    PANIC("a branch fails");
    ASYNC_END;
}

struct with_panic {
    FUTURE(int);
    struct leaf before;
    struct failing failing;
    struct leaf after;
};

ASYNC(with_panic)
{
    ASYNC_BEGIN;
    JOIN(&self->before, &self->failing, &self->after);
    cr_assert_fail("a panic does not return");
    ASYNC_END;
}

Test(join, a_panic_in_a_branch_stops_the_others_where_they_are)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[2] = {{0}};
    struct with_panic future = NEW(with_panic, .before = LEAF(&logs[0], 5, 0),
                                   .failing = NEW(failing), .after = LEAF(&logs[1], 5, 0));
    cr_assert_eq(POLL(future), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.message, "a branch fails");
    cr_assert_eq(logs[0].polls, 1);
    cr_assert_eq(logs[1].polls, 0);
    DROP_IT(future);
    cr_assert_eq(logs[0].drops, 1);
    cr_assert_eq(logs[1].drops, 1);
    bench_end(&bench);
}

struct crowd {
    FUTURE(int);
    struct leaf l[64];
};

#define FOUR(i)    &self->l[i], &self->l[i + 1], &self->l[i + 2], &self->l[i + 3]
#define SIXTEEN(i) FOUR(i), FOUR(i + 4), FOUR(i + 8), FOUR(i + 12)

ASYNC(crowd)
{
    ASYNC_BEGIN;
    JOIN(SIXTEEN(0), SIXTEEN(16), SIXTEEN(32), SIXTEEN(48));
    for (int i = 0; i < 64; i++)
        self->output += self->l[i].output;
    ASYNC_END;
}

Test(join, takes_sixty_four)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    struct crowd crowd = NEW(crowd);
    for (int i = 0; i < 64; i++)
        crowd.l[i] = LEAF(&log, i, i);
    cr_assert_eq(RUN(crowd), 64);
    cr_assert_eq(crowd.output, 63 * 32);
    bench_end(&bench);
}

/* Does as much as the budget lets it, and never enough: how often it got something done. */
struct greedy {
    FUTURE(int);
    int turns;
};

static enum edo_poll greedy_poll(struct edo_future *future, struct edo_context *cx)
{
    struct greedy *self = (struct greedy *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "greedy");
    self->turns += cx->budget != 0;
    while (!edo_budget_spent(cx))
        edo_budget_spend(cx);
    return EDO_PENDING;
}

struct crowded {
    FUTURE(int);
    struct greedy l[3];
    bool trying;
};

ASYNC(crowded)
{
    ASYNC_BEGIN;
    if (self->trying)
        TRY_JOIN(&self->l[0], &self->l[1], &self->l[2]);
    else
        JOIN(&self->l[0], &self->l[1], &self->l[2]);
    ASYNC_END;
}

Test(join, a_branch_that_uses_up_the_budget_does_not_starve_the_others)
{
    for (int trying = 0; trying < 2; trying++) {
        struct bench bench;
        bench_begin(&bench);
        struct crowded crowded = NEW(crowded, .trying = trying);
        for (int i = 0; i < 3; i++)
            crowded.l[i] = NEW(greedy);
        for (int i = 0; i < 30; i++) {
            bench.cx.budget = EDO_BUDGET;
            cr_assert_eq(POLL(crowded), EDO_PENDING);
        }
        for (int i = 0; i < 3; i++)
            cr_assert_eq(crowded.l[i].turns, 10, "%d", crowded.l[i].turns);
        /* Polled with none at all, it goes on with the same one. */
        bench.cx.budget = 0;
        cr_assert_eq(POLL(crowded), EDO_PENDING);
        bench.cx.budget = EDO_BUDGET;
        cr_assert_eq(POLL(crowded), EDO_PENDING);
        cr_assert_eq(crowded.l[0].turns, 11);
        DROP_IT(crowded);
        bench_end(&bench);
    }
}

struct in_place {
    FUTURE(int);
    struct leaf_log logs[3];
    struct edo_ready_now ready;
    struct leaf l[3];
    int round;
};

/* The compiler knows each branch: the first pass polls as the later ones do. */
ASYNC(in_place)
{
    ASYNC_BEGIN;
    for (; self->round < 3; self->round++) {
        self->l[0] = LEAF(&self->logs[0], 0, 1);
        self->ready = edo_ready_now(10);
        self->l[1] = LEAF(&self->logs[1], self->round, 100);
        self->l[2] = LEAF(&self->logs[2], 1, 1000);
        JOIN(&self->l[0], &self->ready, &self->l[1], &self->l[2]);
        self->output +=
            self->l[0].output + self->ready.output + self->l[1].output + self->l[2].output;
    }
    ASYNC_END;
}

Test(join, what_is_made_beside_it_is_polled_like_any_other)
{
    /* Dropped after each number of polls, and then not at all. */
    for (int polls = 0; polls < 6; polls++) {
        struct bench bench;
        bench_begin(&bench);
        struct in_place future = NEW(in_place);
        bool done = false;
        for (int i = 0; i < polls && !done; i++)
            done = POLL(future) == EDO_READY;
        cr_assert_eq(done, polls >= 5);
        DROP_IT(future);
        for (int i = 0; i < 3; i++)
            cr_assert_eq(future.logs[i].polled_after_ready, 0);
        cr_assert_eq(future.logs[0].drops, 0);
        cr_assert_eq(future.logs[1].drops, polls >= 2 && polls <= 4);
        cr_assert_eq(future.logs[2].drops, polls >= 1 && polls <= 3);
        if (done)
            cr_assert_eq(future.output, 3 * 1111);
        bench_end(&bench);
    }
}
