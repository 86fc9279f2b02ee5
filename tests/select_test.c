/* SPDX-License-Identifier: MIT */
#include "poll_harness.h"

struct racing {
    FUTURE(int);
    bool biased;
    struct leaf a, b, c;
    struct leaf_log *logs;
    int left[3];
    int handlers; /* how many ran */
    int yields;   /* in the handler */
};

static int dropped(const struct leaf_log *logs)
{
    return logs[0].drops + logs[1].drops + logs[2].drops;
}

ASYNC(racing)
{
    ASYNC_BEGIN;
    SELECT {
        WHEN(self->a, LEAF(&self->logs[0], self->left[0], 1)) {
            cr_assert_eq(dropped(self->logs), 2, "losers are dropped before the handler");
            self->handlers++;
            self->output = self->a.output;
            while (self->yields-- > 0)
                YIELD_NOW();
        }
        WHEN(self->b, LEAF(&self->logs[1], self->left[1], 2)) {
            cr_assert_eq(dropped(self->logs), 2);
            self->handlers++;
            self->output = self->b.output;
        }
        WHEN(self->c, LEAF(&self->logs[2], self->left[2], 3)) {
            cr_assert_eq(dropped(self->logs), 2);
            self->handlers++;
            self->output = self->c.output;
            while (self->yields-- > 0)
                YIELD_NOW();
        }
    }
    cr_assert_eq(self->handlers, 1);
    ASYNC_END;
}

/* Every mix of durations, dropped after each number of polls. */
Test(select, one_handler_runs_each_loser_is_dropped_once_none_is_polled_after)
{
    for (int mix = 0; mix < 64; mix++) {
        int least = 3;
        for (int polls = 0, done = 0; !done; polls++) {
            struct bench bench;
            bench_begin(&bench);
            struct leaf_log logs[3] = {{0}};
            struct racing racing =
                NEW(racing, .logs = logs, .yields = 2, .left = {mix & 3, mix >> 2 & 3, mix >> 4});
            least = 3;
            for (int i = 0; i < 3; i++)
                least = racing.left[i] < least ? racing.left[i] : least;
            for (int i = 0; i < polls && !done; i++)
                done = POLL(racing) == EDO_READY;
            DROP_IT(racing);
            int all = 0;
            for (int i = 0; i < 3; i++) {
                cr_assert_leq(logs[i].drops, 1);
                cr_assert_eq(logs[i].polled_after_ready, 0);
                all += logs[i].drops;
            }
            /* Armed: by the first poll. Then all three are dropped, or all but the winner. */
            cr_assert_eq(all,
                         polls == 0       ? 0
                         : polls <= least ? 3
                                          : 2,
                         "mix %d, %d polls", mix, polls);
            cr_assert_eq(racing.handlers, polls > least);
            if (racing.handlers)
                cr_assert_eq(racing.left[racing.output - 1], least);
            bench_end(&bench);
        }
    }
}

struct always {
    FUTURE(void);
    struct leaf_log *log;
    struct leaf a, b, c, d;
    int *wins;
    bool biased;
};

#define WINS(i)                            \
    WHEN(self->i, LEAF(self->log, 0, 0)) { \
        self->wins[(#i)[0] - 'a']++;       \
    }

ASYNC(always)
{
    ASYNC_BEGIN;
    if (self->biased) {
        SELECT_BIASED {
            WINS(a) WINS(b) WINS(c) WINS(d)
        }
    } else {
        SELECT {
            WINS(a) WINS(b) WINS(c) WINS(d)
        }
    }
    ASYNC_END;
}

Test(select, with_all_branches_ready_each_wins_its_share)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int wins[4] = {0};
    for (int i = 0; i < 4000; i++) {
        struct always always = NEW(always, .wins = wins, .log = &log);
        cr_assert_eq(POLL(always), EDO_READY);
    }
    for (int i = 0; i < 4; i++)
        cr_assert(wins[i] > 800 && wins[i] < 1200, "branch %d won %d of 4000", i, wins[i]);
    bench_end(&bench);
}

Test(select, biased_takes_the_first_that_is_ready)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int wins[4] = {0};
    for (int i = 0; i < 100; i++) {
        struct always always = NEW(always, .wins = wins, .log = &log, .biased = true);
        cr_assert_eq(POLL(always), EDO_READY);
    }
    cr_assert_eq(wins[0], 100);
    bench_end(&bench);
}

struct forms {
    FUTURE(int);
    struct leaf_log *logs;
    struct leaf a, b;
    bool enabled;
    int made;
    int want; /* the output that b's pattern asks for */
    int b_left;
};

static struct leaf counted(struct forms *self)
{
    self->made++;
    return LEAF(&self->logs[0], 0, 1);
}

ASYNC(forms)
{
    ASYNC_BEGIN;
    SELECT_BIASED {
        WHEN_IF(self->enabled, self->a, counted(self)) {
            RETURN(1);
        }
        WHEN_MATCH(self->b.output == self->want, self->b, LEAF(&self->logs[1], self->b_left, 5)) {
            RETURN(2);
        }
        OTHERWISE {
            YIELD_NOW();
            RETURN(3);
        }
    }
    cr_assert_fail("a handler returned");
    ASYNC_END;
}

Test(select, a_branch_whose_condition_does_not_hold_is_not_made)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[2] = {{0}};
    struct forms forms = NEW(forms, .logs = logs, .want = 5, .b_left = 2);
    cr_assert_eq(RUN(forms), 3);
    cr_assert_eq(forms.output, 2);
    cr_assert_eq(forms.made, 0);
    forms = NEW(forms, .logs = logs, .want = 5, .enabled = true);
    RUN(forms);
    cr_assert_eq(forms.output, 1);
    cr_assert_eq(forms.made, 1);
    bench_end(&bench);
}

Test(select, a_pattern_that_does_not_match_turns_the_branch_off_and_the_rest_goes_on)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[2] = {{0}};
    struct forms forms = NEW(forms, .logs = logs, .want = 6, .b_left = 1);
    cr_assert_eq(RUN(forms), 3);
    cr_assert_eq(forms.output, 3, "all off runs OTHERWISE, which may await");
    cr_assert_eq(logs[1].polls, 2);
    cr_assert_eq(logs[1].drops, 0);
    bench_end(&bench);
}

struct all_off {
    FUTURE(int);
    struct leaf a;
};

ASYNC(all_off)
{
    ASYNC_BEGIN;
    SELECT {
        WHEN_IF(false, self->a, LEAF(NULL, 0, 0)) {
        }
    }
    cr_assert_fail("it has nowhere to go on");
    ASYNC_END;
}

Test(select, all_off_without_otherwise_panics)
{
    struct bench bench;
    bench_begin(&bench);
    struct all_off all_off = NEW(all_off);
    cr_assert_eq(POLL(all_off), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.name, "all_off");
    cr_assert_not_null(strstr(bench.cx.panic.message, "OTHERWISE"));
    DROP_IT(all_off);
    bench_end(&bench);
}

/* One operation goes on while others come and go beside it. */
struct borrowing {
    FUTURE(int);
    struct leaf_log *logs;
    struct leaf operation, tick;
    int ticks;
    bool allowed;
};

ASYNC(borrowing)
{
    ASYNC_BEGIN;
    self->operation = LEAF(&self->logs[0], 5, 50);
    for (;;) {
        SELECT_BIASED {
            WHEN_REF_IF(self->ticks != 1, self->operation) {
                RETURN(self->operation.output + self->ticks);
            }
            WHEN(self->tick, LEAF(&self->logs[1], 1, 0)) {
                self->ticks++;
                cr_assert_eq(self->logs[0].drops, 0, "a borrowed loser goes on");
            }
        }
    }
ASYNC_FINALLY:
    DROP(self->operation);
    ASYNC_END;
}

Test(select, a_borrowed_future_survives_the_rounds_it_loses)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[2] = {{0}};
    struct borrowing borrowing = NEW(borrowing, .logs = logs);
    RUN(borrowing);
    cr_assert_gt(borrowing.ticks, 2);
    cr_assert_eq(borrowing.output, 50 + borrowing.ticks);
    cr_assert_eq(logs[0].polls, 6);
    cr_assert_eq(logs[0].drops, 0);
    bench_end(&bench);
}

Test(select, a_borrowed_future_is_dropped_once_with_its_frame)
{
    for (int polls = 1; polls < 5; polls++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log logs[2] = {{0}};
        struct borrowing borrowing = NEW(borrowing, .logs = logs);
        for (int i = 0; i < polls; i++)
            cr_assert_eq(POLL(borrowing), EDO_PENDING);
        DROP_IT(borrowing);
        cr_assert_eq(logs[0].drops, 1);
        bench_end(&bench);
    }
}

/* A select in a handler, breaks, and awaits in both. */
struct nested {
    FUTURE(int);
    struct leaf_log *log;
    struct leaf a, b, inner;
    int steps;
};

ASYNC(nested)
{
    ASYNC_BEGIN;
    SELECT {
        WHEN(self->a, LEAF(self->log, 1, 0)) {
            self->steps = 1;
            YIELD_NOW();
            SELECT {
                WHEN(self->inner, LEAF(self->log, 1, 0)) {
                    YIELD_NOW();
                    self->steps += 10;
                    if (self->steps > 0)
                        break;
                    self->steps = -1;
                }
                WHEN(self->b, LEAF(self->log, 100, 0)) {
                    self->steps = -1;
                }
            }
            self->steps += 100;
            YIELD_NOW();
            break;
        }
        WHEN(self->b, LEAF(self->log, 100, 0)) {
            self->steps = -1;
        }
    }
    RETURN(self->steps + 1000);
    ASYNC_END;
}

Test(select, nests_and_break_leaves_the_inner_one)
{
    for (int polls = 0, done = 0; !done; polls++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log log = {0};
        struct nested nested = NEW(nested, .log = &log);
        for (int i = 0; i < polls && !done; i++)
            done = POLL(nested) == EDO_READY;
        if (done)
            cr_assert_eq(nested.output, 1111);
        DROP_IT(nested);
        cr_assert_eq(log.polled_after_ready, 0);
        bench_end(&bench);
    }
}

/* The same, with all of the inner one's branches off. */
struct nested_off {
    FUTURE(int);
    struct leaf_log *log;
    struct leaf outer, inner;
};

ASYNC(nested_off)
{
    ASYNC_BEGIN;
    SELECT {
        WHEN(self->outer, LEAF(self->log, 1, 1)) {
            SELECT {
                WHEN_IF(false, self->inner, LEAF(self->log, 0, 1)) {
                    self->output += 1;
                }
                OTHERWISE {
                    self->output += 10;
                    break;
                }
            }
            self->output += 100;
        }
        OTHERWISE {
            self->output += 1000;
        }
    }
    ASYNC_END;
}

Test(select, break_in_an_inner_otherwise_does_not_run_the_outer_one)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    struct nested_off nested = NEW(nested_off, .log = &log);
    while (POLL(nested) == EDO_PENDING)
        ;
    cr_assert_eq(nested.output, 110);
    bench_end(&bench);
}

struct fails_on_drop {
    FUTURE(void);
};

ASYNC(fails_on_drop)
{
    ASYNC_BEGIN;
    for (;;)
        YIELD_NOW();
ASYNC_FINALLY:
    PANIC("the loser fails");
    ASYNC_END;
}

struct loser_panics {
    FUTURE(int);
    struct leaf_log *log;
    struct leaf a;
    struct fails_on_drop above, below;
    bool is_above;
};

ASYNC(loser_panics)
{
    ASYNC_BEGIN;
    SELECT {
        WHEN_IF(self->is_above, self->above, NEW(fails_on_drop)) {
        }
        WHEN(self->a, LEAF(self->log, 1, 0)) {
            cr_assert_fail("the panic comes first");
        }
        WHEN_IF(!self->is_above, self->below, NEW(fails_on_drop)) {
        }
    }
    ASYNC_END;
}

Test(select, a_loser_that_panics_in_finally_ends_the_task)
{
    for (int is_above = 0; is_above < 2; is_above++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log log = {0};
        struct loser_panics future = NEW(loser_panics, .log = &log, .is_above = is_above);
        cr_assert_eq(POLL(future), EDO_PENDING);
        cr_assert_eq(POLL(future), EDO_PENDING);
        cr_assert_str_eq(bench.cx.panic.message, "the loser fails");
        DROP_IT(future);
        bench_end(&bench);
    }
}

struct many {
    FUTURE(int);
    struct leaf_log *log;
    int quick;
    struct leaf l[64];
};

#define ONE(i)                                                         \
    WHEN(self->l[i], LEAF(self->log, (i) == self->quick ? 1 : 9, i)) { \
        RETURN(i);                                                     \
    }
#define FOUR(i)    ONE(i) ONE(i + 1) ONE(i + 2) ONE(i + 3)
#define SIXTEEN(i) FOUR(i) FOUR(i + 4) FOUR(i + 8) FOUR(i + 12)

ASYNC(many)
{
    ASYNC_BEGIN;
    SELECT {
        SIXTEEN(0) SIXTEEN(16) SIXTEEN(32) SIXTEEN(48)
    }
    ASYNC_END;
}

Test(select, takes_sixty_four)
{
    for (int quick = 0; quick < 64; quick++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log log = {0};
        struct many many = NEW(many, .log = &log, .quick = quick);
        cr_assert_eq(RUN(many), 2);
        cr_assert_eq(many.output, quick);
        cr_assert_eq(log.drops, 63);
        cr_assert_leq(log.polls, 128);
        bench_end(&bench);
    }
}

Test(select, its_trace_names_the_branches_that_are_on)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[3] = {{0}};
    struct racing racing = NEW(racing, .logs = logs, .left = {5, 5, 5});
    POLL(racing);
    edo_future_trace(&racing.future_, &bench.cx);
    cr_assert_not_null(strstr(bench.trace, ")\n leaf\n leaf\n leaf\n"), "%s", bench.trace);
    DROP_IT(racing);
    bench_end(&bench);
}

/* The remaining forms of a branch: condition and pattern together, borrowed with a pattern. */
struct more_forms {
    FUTURE(int);
    struct leaf_log *logs;
    struct leaf kept, both;
    bool enabled;
    int want_both, want_kept;
};

ASYNC(more_forms)
{
    ASYNC_BEGIN;
    self->kept = LEAF(&self->logs[0], 1, 7);
    SELECT_BIASED {
        WHEN_REF_MATCH(self->kept.output == self->want_kept, self->kept) {
            RETURN(1);
        }
        WHEN_IF_MATCH(self->enabled, self->both.output == self->want_both, self->both,
                      LEAF(&self->logs[1], 0, 4)) {
            RETURN(2);
        }
        OTHERWISE {
            RETURN(3);
        }
    }
ASYNC_FINALLY:
    DROP(self->kept);
    ASYNC_END;
}

Test(select, a_condition_and_a_pattern_must_both_hold)
{
    for (int mix = 0; mix < 8; mix++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log logs[2] = {{0}};
        struct more_forms future = NEW(more_forms, .logs = logs, .enabled = mix & 1,
                                       .want_both = mix & 2 ? 4 : 5, .want_kept = mix & 4 ? 7 : 8);
        RUN(future);
        /* `both` is ready at the first poll, `kept` at the second. */
        cr_assert_eq(future.output,
                     (mix & 3) == 3 ? 2
                     : mix & 4      ? 1
                                    : 3,
                     "mix %d: %d", mix, future.output);
        cr_assert_eq(logs[1].polls, mix & 1);
        cr_assert_eq(logs[0].drops, (mix & 3) == 3);
        bench_end(&bench);
    }
}

struct done_before {
    FUTURE(int);
    struct leaf_log *log;
    struct leaf done, other;
};

ASYNC(done_before)
{
    ASYNC_BEGIN;
    self->done = LEAF(self->log, 0, 1);
    AWAIT_REF(self->done);
    SELECT_BIASED {
        WHEN_REF(self->done) {
            RETURN(1);
        }
        WHEN(self->other, LEAF(self->log, 1, 0)) {
            RETURN(2);
        }
    }
    ASYNC_END;
}

Test(select, a_borrowed_future_that_is_done_is_off)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    struct done_before future = NEW(done_before, .log = &log);
    RUN(future);
    cr_assert_eq(future.output, 2);
    cr_assert_eq(log.polled_after_ready, 0);
    bench_end(&bench);
}

/* One that was off, and is moved before it was polled: whether it is on is for each SELECT to say. */
struct off_and_moved {
    FUTURE(int);
    struct leaf_log *log;
    struct leaf kept, moved;
};

ASYNC(off_and_moved)
{
    ASYNC_BEGIN;
    self->kept = LEAF(self->log, 1, 6);
    SELECT {
        WHEN_REF_IF(false, self->kept) {
            RETURN(-1);
        }
        OTHERWISE {
        }
    }
    SELECT {
        WHEN(self->moved, self->kept) {
            RETURN(self->moved.output);
        }
    }
    ASYNC_END;
}

Test(select, a_borrowed_future_that_was_off_is_not_off_for_another_select)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    struct off_and_moved future = NEW(off_and_moved, .log = &log);
    RUN(future);
    cr_assert_eq(future.output, 6);
    bench_end(&bench);
}
