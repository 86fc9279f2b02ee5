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

/* In a loop over a stream, with a loop over another in its handler. */
struct counts {
    STREAM(int);
    int from, to;
};

ASYNC_STREAM(counts)
{
    ASYNC_BEGIN;
    for (; self->from < self->to; self->from++) {
        YIELD_NOW();
        YIELD(self->from);
    }
    ASYNC_END;
}

struct among_streams {
    FUTURE(int);
    struct leaf_log *log;
    struct counts outer, inner;
    STREAM_REF(int) outer_ref;
    STREAM_REF(int) inner_ref;
    int i, j;
    struct leaf a, b;
};

ASYNC(among_streams)
{
    ASYNC_BEGIN;
    self->outer = NEW(counts, .to = 6);
    self->outer_ref = edo_stream_ref(&self->outer);
    FOR_AWAIT(self->i, self->outer_ref)
        SELECT {
            WHEN(self->a, LEAF(self->log, 1, 0)) {
                if (self->i == 1)
                    continue;
                if (self->i == 4)
                    goto out;
                self->inner = NEW(counts, .to = 5);
                self->inner_ref = edo_stream_ref(&self->inner);
                FOR_AWAIT(self->j, self->inner_ref) {
                    if (self->j == 1)
                        continue;
                    if (self->j == 3)
                        break;
                    self->output += 1;
                }
                DROP_STREAM(self->inner_ref);
                self->output += 10;
            }
            WHEN(self->b, LEAF(self->log, 90, 0)) {
                self->output += 1000;
            }
        }
out:
    self->output += self->i * 100;
ASYNC_FINALLY:
    DROP_STREAM(self->inner_ref);
    DROP_STREAM(self->outer_ref);
    ASYNC_END;
}

Test(select_flow, loops_over_streams_around_it_and_in_its_handlers)
{
    CHECK_FLOW(among_streams, 436);
}

/* In a macro: one await, the SELECT itself. */
#define FIRST_OF(out, a, left_a, b, left_b)     \
    SELECT_BIASED {                             \
        WHEN((a), LEAF(self->log, (left_a), 0)) \
            (out) = 1;                          \
        WHEN((b), LEAF(self->log, (left_b), 0)) \
            (out) = 2;                          \
    }

struct by_macro {
    FUTURE(int);
    struct leaf_log *log;
    struct leaf a, b;
    int which;
};

ASYNC(by_macro)
{
    ASYNC_BEGIN;
    FIRST_OF(self->which, self->a, 2, self->b, 1)
    self->output = self->which * 10;
    if (self->which == 2) {
        FIRST_OF(self->which, self->a, 1, self->b, /* on two lines */
                 1)
    }
    self->output += self->which;
    ASYNC_END;
}

Test(select_flow, a_macro_of_a_select)
{
    CHECK_FLOW(by_macro, 21);
}

/* A panic in a condition, in a pattern, in a handler before and after it awaits, in OTHERWISE: what is armed
 * is dropped once, and nothing else runs. */
enum where { IN_CONDITION, IN_PATTERN, IN_HANDLER, IN_HANDLER_LATER, IN_OTHERWISE, PLACES };

struct panics {
    FUTURE(void);
    struct leaf_log *logs;
    enum where where;
    struct leaf owned, kept, winner;
    int handlers, finally;
};

static bool holds(struct panics *self, enum where where, struct edo_context *cx)
{
    if (self->where == where)
        edo_panic(cx, "holds", __FILE__, __LINE__, "as told");
    return self->where != IN_OTHERWISE;
}

ASYNC(panics)
{
    ASYNC_BEGIN;
    PIN(self->kept, LEAF(&self->logs[1], 9, 0));
    SELECT_BIASED {
        WHEN_IF(self->where != IN_OTHERWISE, self->owned, LEAF(&self->logs[0], 9, 0)) {
            self->handlers++;
        }
        WHEN_REF_IF(self->where != IN_OTHERWISE, self->kept) {
            self->handlers++;
        }
        WHEN_IF_MATCH(holds(self, IN_CONDITION, cx), holds(self, IN_PATTERN, cx), self->winner,
                      LEAF(&self->logs[2], 1, 0)) {
            if (self->where == IN_HANDLER)
                PANIC("as told");
            YIELD_NOW();
            if (self->where == IN_HANDLER_LATER)
                PANIC("as told");
            self->handlers++;
        }
        OTHERWISE {
            if (self->where == IN_OTHERWISE)
                PANIC("as told");
            self->handlers++;
        }
    }
ASYNC_FINALLY:
    self->finally++;
    DROP(self->kept);
    ASYNC_END;
}

Test(select_flow, a_panic_anywhere_drops_what_is_armed_once)
{
    for (enum where where = 0; where < PLACES; where++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log logs[3] = {{0}};
        struct panics future = NEW(panics, .logs = logs, .where = where);
        for (int i = 0; bench.cx.panic.name == NULL; i++) {
            cr_assert_lt(i, 9);
            cr_assert_eq(POLL(future), EDO_PENDING);
        }
        cr_assert_str_eq(bench.cx.panic.message, "as told");
        DROP_IT(future);
        cr_assert_eq(future.handlers, 0);
        cr_assert_eq(future.finally, 1);
        cr_assert_eq(logs[0].drops, where != IN_OTHERWISE);
        cr_assert_eq(logs[1].drops, 1);
        cr_assert_eq(logs[2].drops, where == IN_CONDITION, "made, and not polled");
        cr_assert_eq(logs[2].polls, where == IN_CONDITION || where == IN_OTHERWISE ? 0 : 2);
        bench_end(&bench);
    }
}

/* The chain, before the first poll, while it waits, in a handler, and after a panic. */
static const char *lines_of(struct bench *bench, struct edo_future *future)
{
    bench->trace[0] = '\0';
    edo_future_trace(future, &bench->cx);
    return bench->trace;
}

Test(select_flow, the_trace_in_each_state)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[3] = {{0}};
    struct panics future = NEW(panics, .logs = logs, .where = IN_HANDLER_LATER);
    cr_assert_eq(strncmp(lines_of(&bench, &future.future_), "panics (", 8), 0);
    cr_assert_null(strstr(bench.trace, "leaf"));
    POLL(future);
    cr_assert_not_null(strstr(lines_of(&bench, &future.future_), ")\n leaf\n leaf\n leaf\n"));
    POLL(future);
    cr_assert_null(strstr(lines_of(&bench, &future.future_), "leaf"), "in the handler");
    POLL(future);
    cr_assert_not_null(bench.cx.panic.name);
    cr_assert_eq(strncmp(lines_of(&bench, &future.future_), "panics (", 8), 0);
    cr_assert_null(strstr(bench.trace, "leaf"));
    DROP_IT(future);
    cr_assert_eq(lines_of(&bench, &future.future_)[0], '\0');
    bench_end(&bench);
}
