/* SPDX-License-Identifier: MIT */
/* The macros that make futures, one by one, on poll.h alone. */
#include "extern_future.h"
#include "poll_harness.h"

static int finals; /* how often a FINALLY ran */
static int parent_line, child_line;

struct child {
    FUTURE(int);
    int yields, result;
};

ASYNC(child)
{
    ASYNC_BEGIN;
    child_line = __LINE__ + 2;
    while (self->yields-- > 0)
        YIELD_NOW();
    RETURN(self->result);
ASYNC_FINALLY:
    finals++;
    ASYNC_END;
}

struct parent {
    FUTURE(int);
    int yields;
    struct child first, second;
};

ASYNC(parent)
{
    ASYNC_BEGIN;
    parent_line = __LINE__ + 1;
    AWAIT(self->first, NEW(child, .yields = self->yields, .result = 1));
    AWAIT(self->second, NEW(child, .yields = self->yields, .result = 10));
    RETURN(self->first.output + self->second.output);
ASYNC_FINALLY:
    /* The children's first: they are dropped before. */
    finals = finals * 100;
    ASYNC_END;
}

Test(future, does_nothing_until_it_is_polled_and_ends_with_its_output)
{
    struct bench bench;
    bench_begin(&bench);
    finals = 0;
    struct parent parent = NEW(parent, .yields = 2);
    cr_assert_eq(bench.counter.wakes, 0);
    cr_assert_eq(RUN(parent), 5);
    cr_assert_eq(parent.output, 11);
    cr_assert_eq(finals, 200);
    bench_end(&bench);
}

Test(future, may_be_moved_until_its_first_poll)
{
    struct bench bench;
    bench_begin(&bench);
    struct parent here = NEW(parent, .yields = 1), there = here;
    RUN(there);
    cr_assert_eq(there.output, 11);
    bench_end(&bench);
}

Test(future, finally_runs_once_when_dropped_at_each_await_after_the_child_in_flight)
{
    for (int polls = 0; polls < 5; polls++) {
        struct bench bench;
        bench_begin(&bench);
        finals = 0;
        struct parent parent = NEW(parent, .yields = 2);
        for (int i = 0; i < polls; i++)
            cr_assert_eq(POLL(parent), EDO_PENDING);
        DROP_IT(parent);
        DROP_IT(parent);
        /* Polls 1 and 2 suspend in the first child, 3 and 4 in the second. */
        cr_assert_eq(finals,
                     polls == 0  ? 0
                     : polls < 3 ? 100
                                 : 200,
                     "after %d polls: %d", polls, finals);
        bench_end(&bench);
    }
}

struct once {
    FUTURE(void);
    int *finals;
};

ASYNC(once)
{
    ASYNC_BEGIN;
    YIELD_NOW();
ASYNC_FINALLY:
    ++*self->finals;
    ASYNC_END;
}

Test(future, a_drop_before_the_first_poll_runs_finally_once)
{
    struct bench bench;
    int count = 0;
    bench_begin(&bench);
    struct once once = NEW(once, .finals = &count);
    DROP_IT(once);
    cr_assert_eq(count, 1);
    DROP_IT(once);
    cr_assert_eq(count, 1);
    struct once zero = {.finals = &count};
    DROP_IT(zero);
    cr_assert_eq(count, 1, "a zero future is none");
    bench_end(&bench);
}

Test(future, without_an_output_it_has_no_size_for_one)
{
    struct bench bench;
    int count = 0;
    bench_begin(&bench);
    struct once once = NEW(once, .finals = &count);
    cr_assert_eq(sizeof once.output, 0);
    cr_assert_eq(RUN(once), 2);
    cr_assert_eq(count, 1);
    bench_end(&bench);
}

struct wide {
    char bytes[300];
};

struct large {
    FUTURE(struct wide);
    struct child child;
};

ASYNC(large)
{
    ASYNC_BEGIN;
    AWAIT(self->child, NEW(child, .yields = 1));
    memset(&self->output, 'w', sizeof self->output);
    RETURN(self->output);
    ASYNC_END;
}

Test(future, an_output_may_be_larger_than_a_cache_line)
{
    struct bench bench;
    bench_begin(&bench);
    struct large large = NEW(large);
    RUN(large);
    cr_assert_eq(large.output.bytes[299], 'w');
    bench_end(&bench);
}

struct flows {
    FUTURE(int);
    int i, j, way;
    struct child child;
};

/* Loops, nested loops, an if without braces, a jump over an await and back. */
ASYNC(flows)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < 3; self->i++)
        for (self->j = 0; self->j < 2; self->j++)
            AWAIT(self->child, NEW(child, .yields = 1, .result = 1));
    if (self->way)
        AWAIT(self->child, NEW(child, .yields = 1, .result = 5));
    else
        YIELD_NOW();
    self->output += self->child.output;
    self->i = 0;
again:
    AWAIT(self->child, NEW(child, .yields = 1));
    if (++self->i < 3)
        goto again;
    goto out;
    YIELD_NOW();
out:
    YIELD_NOW();
    ASYNC_END;
}

Test(future, awaits_stand_in_loops_bare_ifs_and_beside_gotos)
{
    struct bench bench;
    bench_begin(&bench);
    struct flows one = NEW(flows, .way = 1), other = NEW(flows);
    cr_assert_eq(RUN(one), 6 + 1 + 3 + 1 + 1);
    cr_assert_eq(one.output, 5);
    RUN(other);
    cr_assert_eq(other.output, 1);
    bench_end(&bench);
}

struct trying {
    FUTURE(int);
    struct child child;
    bool passed;
};

ASYNC(trying)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->child, NEW(child, .result = 3));
    self->passed = true;
    TRY_AWAIT(self->child, NEW(child, .yields = 1, .result = -7));
    cr_assert_fail("a negative output goes to the caller's caller");
ASYNC_FINALLY:
    finals++;
    ASYNC_END;
}

Test(future, try_await_passes_a_negative_output_on)
{
    struct bench bench;
    bench_begin(&bench);
    finals = 0;
    struct trying trying = NEW(trying);
    RUN(trying);
    cr_assert(trying.passed);
    cr_assert_eq(trying.output, -7);
    cr_assert_eq(finals, 3);
    bench_end(&bench);
}

struct by_reference {
    FUTURE(int);
    struct child child;
};

ASYNC(by_reference)
{
    ASYNC_BEGIN;
    self->child = NEW(child, .yields = 2, .result = 4);
    YIELD_NOW();
    AWAIT_REF(self->child);
    AWAIT_REF(self->child); /* done: it is not polled again */
    RETURN(self->child.output);
    ASYNC_END;
}

Test(future, await_ref_polls_what_was_made_before_and_only_until_it_is_done)
{
    struct bench bench;
    bench_begin(&bench);
    struct by_reference future = NEW(by_reference);
    cr_assert_eq(RUN(future), 4);
    cr_assert_eq(future.output, 4);
    bench_end(&bench);
}

struct given_what_is_done {
    FUTURE(int);
    struct leaf_log log;
    struct leaf first, second;
};

ASYNC(given_what_is_done)
{
    ASYNC_BEGIN;
    AWAIT(self->first, LEAF(&self->log, 1, 7));
    AWAIT(self->second, self->first);
    RETURN(self->second.output);
    ASYNC_END;
}

Test(future, await_of_what_is_done_takes_its_output_without_a_poll)
{
    struct bench bench;
    bench_begin(&bench);
    struct given_what_is_done future = NEW(given_what_is_done);
    cr_assert_eq(RUN(future), 2);
    cr_assert_eq(future.output, 7);
    cr_assert_eq(future.log.polls, 2);
    bench_end(&bench);
}

Test(future, an_exported_future_is_used_from_another_file)
{
    struct bench bench;
    bench_begin(&bench);
    struct exported exported = NEW(exported, .n = 20);
    RUN(exported);
    cr_assert_eq(exported.output, 40);
    bench_end(&bench);
}

/* Two that await each other: the second is declared before it is defined. */
struct pong;
struct ping {
    FUTURE(int);
    int depth;
    struct pong *pong;
};
struct pong {
    FUTURE(int);
    int depth;
    struct ping *ping;
};
static ASYNC_DECLARE(pong);

/* Recursive, boxed: each level is allocated by the one above, and freed in its FINALLY. */
ASYNC(ping)
{
    ASYNC_BEGIN;
    if (self->depth == 0)
        RETURN(0);
    self->pong = edo_malloc(sizeof *self->pong);
    AWAIT(*self->pong, NEW(pong, .depth = self->depth - 1));
    RETURN(self->pong->output + 1);
ASYNC_FINALLY:
    edo_free(self->pong);
    ASYNC_END;
}

ASYNC(pong)
{
    ASYNC_BEGIN;
    if (self->depth == 0) {
        YIELD_NOW();
        RETURN(0);
    }
    self->ping = edo_malloc(sizeof *self->ping);
    AWAIT(*self->ping, NEW(ping, .depth = self->depth - 1));
    RETURN(self->ping->output + 1);
ASYNC_FINALLY:
    edo_free(self->ping);
    ASYNC_END;
}

Test(future, a_recursive_future_has_its_children_boxed)
{
    struct bench bench;
    bench_begin(&bench);
    struct ping ping = NEW(ping, .depth = 501);
    cr_assert_eq(RUN(ping), 2);
    cr_assert_eq(ping.output, 501);
    struct ping dropped = NEW(ping, .depth = 501);
    cr_assert_eq(POLL(dropped), EDO_PENDING);
    DROP_IT(dropped);
    bench_end(&bench);
}

Test(future, yield_now_wakes_and_suspends_once)
{
    struct bench bench;
    bench_begin(&bench);
    struct child child = NEW(child, .yields = 1);
    cr_assert_eq(POLL(child), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(child), EDO_READY);
    cr_assert_eq(bench.counter.wakes, 1, "a future that ends leaves its waker alone");
    bench_end(&bench);
}

Test(future, a_spurious_poll_changes_nothing)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    struct leaf leaf = LEAF(&log, 3, 8);
    RUN(leaf);
    cr_assert_eq(leaf.output, 8);
    cr_assert_eq(log.polls, 4);
    bench_end(&bench);
}

Test(future, its_trace_names_each_await_with_file_and_line)
{
    struct bench bench;
    bench_begin(&bench);
    struct parent parent = NEW(parent, .yields = 1);
    edo_future_trace(&parent.future_, &bench.cx);
    cr_assert_eq(strncmp(bench.trace, "parent (future_test.c:", 22), 0, "%s", bench.trace);
    bench.trace[0] = '\0';
    POLL(parent);
    edo_future_trace(&parent.future_, &bench.cx);
    char want[128];
    snprintf(want, sizeof want, "parent (future_test.c:%d)\n child (future_test.c:%d)\n",
             parent_line, child_line);
    cr_assert_str_eq(bench.trace, want);
    cr_assert_eq(POLL(parent), EDO_PENDING, "a trace changes nothing");
    RUN(parent);
    cr_assert_eq(parent.output, 11);
    bench_end(&bench);
}

/* Panics. */

struct panicking {
    FUTURE(int);
    bool in_finally;
};

ASYNC(panicking)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    if (!self->in_finally)
        PANIC("the %s is %d", "answer", 42);
    RETURN(1);
ASYNC_FINALLY:
    finals++;
    if (self->in_finally)
        PANIC("while cleaning up");
    ASYNC_END;
}

struct above {
    FUTURE(int);
    bool in_finally;
    struct panicking child;
};

ASYNC(above)
{
    ASYNC_BEGIN;
    AWAIT(self->child, NEW(panicking, .in_finally = self->in_finally));
    cr_assert_fail("a panic does not return to the frame above");
ASYNC_FINALLY:
    finals += 10;
    ASYNC_END;
}

Test(future, a_panic_suspends_every_frame_above_and_each_finally_runs_once)
{
    for (int in_finally = 0; in_finally < 2; in_finally++) {
        struct bench bench;
        bench_begin(&bench);
        finals = 0;
        struct above above = NEW(above, .in_finally = in_finally);
        cr_assert_eq(POLL(above), EDO_PENDING);
        cr_assert_eq(POLL(above), EDO_PENDING);
        cr_assert_str_eq(bench.cx.panic.name, "panicking");
        cr_assert_str_eq(bench.cx.panic.message,
                         in_finally ? "while cleaning up" : "the answer is 42");
        cr_assert_eq(finals, in_finally);
        edo_future_trace(&above.future_, &bench.cx);
        cr_assert_not_null(strstr(bench.trace, "above (future_test.c:"));
        DROP_IT(above);
        cr_assert_eq(finals, 11);
        bench_end(&bench);
    }
}

Test(future, a_hand_written_future_panics_too)
{
    struct bench bench;
    bench_begin(&bench);
    cr_assert_eq(edo_panic(&bench.cx, "leaf", __FILE__, 7, "first"), EDO_PENDING);
    edo_panic(&bench.cx, "other", __FILE__, 8, "second");
    cr_assert_str_eq(bench.cx.panic.message, "first", "the first one is kept");
    cr_assert_eq(bench.cx.panic.line, 7);
    bench_end(&bench);
}

/* What is to be cleaned up may be in an #ifdef. */
struct cleans_nothing {
    FUTURE(int);
};

ASYNC(cleans_nothing)
{
    ASYNC_BEGIN;
    RETURN(4);
ASYNC_FINALLY:
    ASYNC_END;
}

Test(future, nothing_need_stand_after_finally)
{
    struct bench bench;
    bench_begin(&bench);
    struct cleans_nothing future = NEW(cleans_nothing);
    cr_assert_eq(edo_future_poll(&future.future_, &bench.cx), EDO_READY);
    cr_assert_eq(future.output, 4);
    bench_end(&bench);
}

/* As the state may be seeded with anything. 3,000 draws of 3: each comes a thousand times, give or take five sigmas. */
Test(future, a_choice_is_fair_whatever_the_state_begins_with)
{
    static const uint32_t seeds[] = {0, 1, 2, 3, 0x10000, 0x80000000, 0x9e3779b9, UINT32_MAX};
    struct bench bench;
    bench_begin(&bench);
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        int drawn[3] = {0};
        bench.cx.random = seeds[i];
        for (int n = 0; n < 3000; n++)
            drawn[edo_context_below(&bench.cx, 3)]++;
        for (int k = 0; k < 3; k++)
            cr_assert(drawn[k] > 870 && drawn[k] < 1130, "%d of %d with 0x%x", drawn[k], k,
                      seeds[i]);
    }
    bench_end(&bench);
}
