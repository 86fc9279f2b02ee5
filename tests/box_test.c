/* SPDX-License-Identifier: MIT */
#include "combinator_harness.h"

typedef BOXED(int) boxed_int;

static int64_t blocks(void)
{
    return edo_census_now().live[EDO_CENSUS_BLOCKS];
}

Test(box, holds_any_future_with_an_output_of_its_type_and_frees_it_when_ready)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally = 0;
    boxed_int box = {0};
    cr_assert_eq(edo_box(&box, LEAF(&log, 2, 5)), 0);
    cr_assert_eq(blocks(), bench.before.live[EDO_CENSUS_BLOCKS] + 1);
    cr_assert_eq(RUN(box), 3);
    cr_assert_eq(box.output, 5);
    cr_assert_eq(blocks(), bench.before.live[EDO_CENSUS_BLOCKS]);
    cr_assert_eq(edo_box(&box, BREAKS(BREAKS_NOWHERE, 1, &log, &finally)), 0);
    RUN(box);
    cr_assert_eq(box.output, 7);
    cr_assert_eq(finally, 1);
    cr_assert_eq(bench.cx.budget, EDO_BUDGET);
    DROP_IT(box);
    bench_end(&bench);
}

Test(box, dropped_at_each_poll_it_drops_and_frees_the_future)
{
    for (int polls = 0; polls < 4; polls++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log log = {0};
        int finally = 0;
        boxed_int box = {0};
        cr_assert_eq(edo_box(&box, BREAKS(BREAKS_NOWHERE, 4, &log, &finally)), 0);
        for (int i = 0; i < polls; i++)
            cr_assert_eq(POLL(box), EDO_PENDING);
        DROP_IT(box);
        cr_assert_eq(finally, 1);
        cr_assert_eq(log.drops, polls > 0);
        bench_end(&bench);
    }
}

static int made;

static struct leaf make(struct leaf_log *log)
{
    made++;
    return LEAF(log, 0, 9);
}

Test(box, without_memory_nothing_is_made_and_the_place_is_as_it_was)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    boxed_int box = {0};
    cr_assert_eq(edo_box(&box, make(&log)), 0);
    edo_alloc_fail(1, false);
    cr_assert_eq(edo_box(&box, make(&log)), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_eq(made, 1);
    RUN(box);
    cr_assert_eq(box.output, 9);
    bench_end(&bench);
}

Test(box, a_panic_passes_through)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally = 0;
    boxed_int box = {0};
    cr_assert_eq(edo_box(&box, BREAKS(BREAKS_IN_BODY, 1, &log, &finally)), 0);
    panic_passes(&bench, &box.future_, &finally);
    bench_end(&bench);
}

Test(box, may_be_moved_before_its_first_poll_and_the_trace_goes_on_into_it)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    boxed_int box = {0}, moved;
    cr_assert_eq(edo_box(&box, LEAF(&log, 1, 5)), 0);
    moved = box;
    cr_assert_eq(POLL(moved), EDO_PENDING);
    cr_assert_str_eq(CHAIN(moved), "edo_box\n leaf\n");
    RUN(moved);
    cr_assert_eq(moved.output, 5);
    bench_end(&bench);
}

/* Outputs of other kinds: wide and aligned; none; and a box in a box. */
struct wide {
    _Alignas(16) char bytes[80];
};

struct makes_wide {
    FUTURE(struct wide);
};

ASYNC(makes_wide)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    memset(self->output.bytes, 0x5a, sizeof self->output.bytes);
    ASYNC_END;
}

struct makes_nothing {
    FUTURE(void);
};

ASYNC(makes_nothing)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    ASYNC_END;
}

Test(box, outputs_are_of_any_type)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    BOXED(struct wide) wide = {0};
    BOXED(void) nothing = {0};
    boxed_int inner = {0}, outer = {0};
    cr_assert_eq(edo_box(&wide, NEW(makes_wide)), 0);
    RUN(wide);
    for (size_t i = 0; i < sizeof wide.output.bytes; i++)
        cr_assert_eq(wide.output.bytes[i], 0x5a);
    cr_assert_eq(edo_box(&nothing, NEW(makes_nothing)), 0);
    cr_assert_eq(RUN(nothing), 2);
    cr_assert_eq(edo_box(&inner, LEAF(&log, 1, 6)), 0);
    cr_assert_eq(edo_box(&outer, inner), 0);
    cr_assert_eq(POLL(outer), EDO_PENDING);
    cr_assert_str_eq(CHAIN(outer), "edo_box\n edo_box\n  leaf\n");
    RUN(outer);
    cr_assert_eq(outer.output, 6);
    bench_end(&bench);
}

/* One of two kinds, chosen when running; and one of its own kind. */
struct down {
    FUTURE(int);
    int depth;
    boxed_int next;
    struct leaf_log *log;
};

ASYNC(down)
{
    ASYNC_BEGIN;
    if (self->depth == 0) {
        if (edo_box(&self->next, LEAF(self->log, 1, 0)) < 0)
            RETURN(UV_ENOMEM);
    } else if (edo_box(&self->next, NEW(down, .depth = self->depth - 1, .log = self->log)) < 0) {
        RETURN(UV_ENOMEM);
    }
    AWAIT_REF(self->next);
    RETURN(self->next.output < 0 ? self->next.output : self->next.output + 1);
    ASYNC_END;
}

Test(box, recursion_goes_through_it)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    struct down down = NEW(down, .depth = 500, .log = &log);
    cr_assert_eq(RUN(down), 2);
    cr_assert_eq(down.output, 501);
    down = NEW(down, .depth = 500, .log = &log);
    cr_assert_eq(POLL(down), EDO_PENDING);
    DROP_IT(down);
    cr_assert_eq(log.drops, 1);
    for (uint64_t n = 1;; n++) {
        down = NEW(down, .depth = 10, .log = &log);
        edo_alloc_fail(n, false);
        RUN(down);
        if (!edo_alloc_fail(0, false))
            break;
        cr_assert_eq(down.output, UV_ENOMEM);
    }
    cr_assert_eq(down.output, 11);
    bench_end(&bench);
}

/* A chain of frames is as deep on the stack as it is long, when it is polled and when it is dropped. */
Test(box, ten_thousand_deep_it_is_polled_and_dropped)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    struct down down = NEW(down, .depth = 10000, .log = &log);
    cr_assert_eq(POLL(down), EDO_PENDING);
    DROP_IT(down);
    cr_assert_eq(log.drops, 1);
    bench_end(&bench);
}
