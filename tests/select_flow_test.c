/* SPDX-License-Identifier: MIT */
/* Ways out of a SELECT's handler: all of them, from SELECTs in all kinds of places. Each future is also
 * dropped after each number of polls. */
#include "poll_harness.h"
#include "stream.h"

/* Polls a new future to its end; and then new ones, to be dropped after 0, 1, 2, … polls. */
#define CHECK_FLOW(type, expected, ...)                                         \
    for (int polls = 0, done = 0; !done; polls++) {                             \
        struct bench bench;                                                     \
        bench_begin(&bench);                                                    \
        struct leaf_log log = {0};                                              \
        struct type future = NEW(type, .log = &log __VA_OPT__(, ) __VA_ARGS__); \
        for (int i = 0; i < polls && !done; i++)                                \
            done = POLL(future) == EDO_READY;                                   \
        cr_assert_null(bench.cx.panic.name, "%s", bench.cx.panic.message);      \
        if (done)                                                               \
            cr_assert_eq(future.output, (expected), "%d", future.output);       \
        DROP_IT(future);                                                        \
        cr_assert_eq(log.polled_after_ready, 0);                                \
        bench_end(&bench);                                                      \
        cr_assert_lt(polls, 1000);                                              \
    }

/* A way out of an inner SELECT: the outer one has run its handler. */
enum way { BY_BREAK, BY_CONTINUE, BY_GOTO, BY_END, WAYS };

struct otherwise_in_a_handler {
    FUTURE(int); /* a digit for each handler that ran */
    struct leaf_log *log;
    enum way way;
    bool waits, inner_wins;
    struct leaf outer, inner;
};

ASYNC(otherwise_in_a_handler)
{
    ASYNC_BEGIN;
    SELECT_BIASED {
        WHEN(self->outer, LEAF(self->log, 1, 0)) {
            self->output += 1;
            SELECT_BIASED {
                WHEN_IF(self->inner_wins, self->inner, LEAF(self->log, 0, 0)) {
                    if (self->waits)
                        YIELD_NOW();
                    self->output += 10;
                    if (self->way == BY_BREAK)
                        break;
                    if (self->way == BY_CONTINUE)
                        continue;
                    if (self->way == BY_GOTO)
                        goto out;
                }
                OTHERWISE {
                    if (self->waits)
                        YIELD_NOW();
                    self->output += 10;
                    if (self->way == BY_BREAK)
                        break;
                    if (self->way == BY_CONTINUE)
                        continue;
                    if (self->way == BY_GOTO)
                        goto out;
                }
            }
            self->output += 100;
out:;
        }
        WHEN_IF(self->waits, self->inner, LEAF(self->log, 9, 0)) {
            self->output += 1000;
        }
        OTHERWISE {
            self->output += 10000;
        }
    }
    ASYNC_END;
}

Test(select_flow, the_way_out_of_an_inner_select_runs_no_handler_of_the_outer_one)
{
    for (int mix = 0; mix < WAYS * 4; mix++) {
        enum way way = (enum way)(mix / 4);
        CHECK_FLOW(otherwise_in_a_handler, way == BY_GOTO ? 11 : 111, .way = way, .waits = mix & 1,
                   .inner_wins = mix >> 1 & 1);
    }
}

/* Out of the loop around it, and on with it: by `goto`, as `break` and `continue` are the SELECT's own. */
struct out_of_a_loop {
    FUTURE(int);
    struct leaf_log *log;
    bool waits;
    int round;
    struct leaf a, b, kept;
};

ASYNC(out_of_a_loop)
{
    ASYNC_BEGIN;
    self->kept = LEAF(self->log, 90, 0);
    for (self->round = 0; self->round < 9; self->round++) {
        SELECT {
            WHEN(self->a, LEAF(self->log, 1, 0)) {
                if (self->waits)
                    YIELD_NOW();
                if (self->round < 3)
                    goto next;
                if (self->round == 5)
                    goto out;
            }
            WHEN(self->b, LEAF(self->log, 90, 0)) {
                self->output += 1000;
            }
            WHEN_REF(self->kept) {
                self->output += 1000;
            }
        }
        self->output += 1;
next:
        self->output += 10;
    }
out:
    self->output += self->round * 100;
ASYNC_FINALLY:
    DROP(self->kept);
    ASYNC_END;
}

Test(select_flow, goto_leaves_the_loop_around_it_or_goes_on_with_it)
{
    for (int waits = 0; waits < 2; waits++)
        CHECK_FLOW(out_of_a_loop, 552, .waits = waits);
}

/* One branch, no braces; an `if` and an `else` around it, of which each is one statement. */
struct without_braces {
    FUTURE(int);
    struct leaf_log *log;
    bool first, waits;
    struct leaf a;
};

ASYNC(without_braces)
{
    ASYNC_BEGIN;
    if (self->first)
        SELECT
            WHEN(self->a, LEAF(self->log, 2, 0)) {
                if (self->waits)
                    YIELD_NOW();
                self->output += 1;
            } else
                SELECT_BIASED {
                    WHEN(self->a, LEAF(self->log, 1, 0))
                        if (self->waits)
                            self->output += 10;
                        else
                            self->output += 20;
                }
    ASYNC_END;
}

Test(select_flow, it_needs_no_braces)
{
    for (int mix = 0; mix < 4; mix++) {
        bool first = mix & 1, waits = mix >> 1;
        CHECK_FLOW(without_braces, first ? 1 : waits ? 10 : 20, .first = first, .waits = waits);
    }
}
