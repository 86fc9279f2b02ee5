/* SPDX-License-Identifier: MIT */
#include "combinator_harness.h"

struct called {
    int times, output;
};

static void halve(void *arg, int *n, double *out)
{
    struct called *called = arg;
    called->times++;
    *out = *n / 2.0;
}

static void look(void *arg, const int *n)
{
    struct called *called = arg;
    called->times++;
    called->output = *n;
}

/* Both at once: what is not looked at is the same. */
struct scene {
    struct leaf leaf;
    struct leaf_log log;
    struct called called;
    double out;
    union {
        struct edo_future future_;
        struct edo_map map;
        struct edo_inspect inspect;
    } of;
};

static void set(struct scene *scene, int which, int turns)
{
    *scene = (struct scene){.out = -1};
    scene->leaf = LEAF(&scene->log, turns, 7);
    if (which == 0)
        scene->of.map = edo_map(&scene->leaf, &scene->out, halve, &scene->called);
    else
        scene->of.inspect = edo_inspect(&scene->leaf, look, &scene->called);
}

Test(map, the_function_is_called_once_when_the_child_is_ready)
{
    for (int which = 0; which < 2; which++) {
        struct bench bench;
        bench_begin(&bench);
        struct scene scene;
        set(&scene, which, 2);
        cr_assert_eq(POLL(scene.of), EDO_PENDING);
        cr_assert_eq(POLL(scene.of), EDO_PENDING);
        cr_assert_eq(scene.called.times, 0);
        cr_assert_eq(POLL(scene.of), EDO_READY);
        cr_assert_eq(scene.called.times, 1);
        cr_assert_eq(scene.leaf.output, 7);
        if (which == 0)
            cr_assert_eq(scene.out, 3.5);
        else
            cr_assert_eq(scene.called.output, 7);
        cr_assert_eq(scene.log.polls, 3);
        cr_assert_eq(scene.log.drops, 0);
        cr_assert_eq(bench.cx.budget, EDO_BUDGET);
        bench_end(&bench);
    }
}

Test(map, a_child_that_is_done_already_is_not_polled)
{
    for (int which = 0; which < 2; which++) {
        struct bench bench;
        bench_begin(&bench);
        struct scene scene;
        set(&scene, which, 0);
        cr_assert_eq(POLL(scene.leaf), EDO_READY);
        cr_assert_eq(POLL(scene.of), EDO_READY);
        cr_assert_eq(scene.called.times, 1);
        cr_assert_eq(scene.log.polls, 1);
        bench_end(&bench);
    }
}

Test(map, dropped_at_each_poll_it_drops_the_child_and_calls_nothing)
{
    for (int which = 0; which < 2; which++)
        for (int polls = 0; polls < 4; polls++) {
            struct bench bench;
            bench_begin(&bench);
            struct scene scene;
            set(&scene, which, 4);
            for (int i = 0; i < polls; i++)
                cr_assert_eq(POLL(scene.of), EDO_PENDING);
            DROP_IT(scene.of);
            cr_assert_eq(scene.log.drops, 1);
            cr_assert_eq(scene.called.times, 0);
            cr_assert(edo_future_done(&scene.leaf.future_));
            bench_end(&bench);
        }
}

Test(map, a_panic_passes_through)
{
    for (int which = 0; which < 2; which++) {
        struct bench bench;
        bench_begin(&bench);
        struct scene scene = {0};
        int finally = 0;
        struct breaks breaks = BREAKS(BREAKS_IN_BODY, 1, &scene.log, &finally);
        if (which == 0)
            scene.of.map = edo_map(&breaks, &scene.out, halve, &scene.called);
        else
            scene.of.inspect = edo_inspect(&breaks, look, &scene.called);
        panic_passes(&bench, &scene.of.future_, &finally);
        cr_assert_eq(scene.called.times, 0);
        bench_end(&bench);
    }
}

Test(map, the_trace_goes_on_into_the_child)
{
    static const char *const chains[] = {"edo_map\n leaf\n", "edo_inspect\n leaf\n"};
    for (int which = 0; which < 2; which++) {
        struct bench bench;
        bench_begin(&bench);
        struct scene scene;
        set(&scene, which, 1);
        cr_assert_str_eq(CHAIN(scene.of), chains[which]);
        cr_assert_eq(POLL(scene.of), EDO_PENDING);
        cr_assert_str_eq(CHAIN(scene.of), chains[which]);
        DROP_IT(scene.of);
        bench_end(&bench);
    }
}

/* Outputs of other kinds: a struct, none. */
struct wide {
    FUTURE(struct called);
};

ASYNC(wide)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    RETURN((struct called){1, 2});
    ASYNC_END;
}

static void add(void *arg, struct called *wide, int *sum)
{
    *sum = wide->times + wide->output + *(int *)arg;
}

struct nothing {
    FUTURE(void);
};

ASYNC(nothing)
{
    ASYNC_BEGIN;
    ASYNC_END;
}

static void count(void *arg, const struct edo_void *none)
{
    (void)none;
    ++*(int *)arg;
}

Test(map, outputs_are_of_any_type)
{
    struct bench bench;
    bench_begin(&bench);
    struct wide wide = NEW(wide);
    int sum = 0, more = 10;
    struct edo_map map = edo_map(&wide, &sum, add, &more);
    RUN(map);
    cr_assert_eq(sum, 13);
    struct nothing nothing = NEW(nothing);
    struct edo_inspect inspect = edo_inspect(&nothing, count, &more);
    RUN(inspect);
    cr_assert_eq(more, 11);
    bench_end(&bench);
}

/* As a branch: what they are for. */
struct branches {
    FUTURE(double);
    struct leaf a, b;
    struct edo_map half_a, half_b;
    double out_a, out_b;
    struct called called;
};

ASYNC(branches)
{
    ASYNC_BEGIN;
    self->half_a = edo_map(&self->a, &self->out_a, halve, &self->called);
    self->half_b = edo_map(&self->b, &self->out_b, halve, &self->called);
    JOIN(&self->half_a, &self->half_b);
    RETURN(self->out_a + self->out_b);
    ASYNC_END;
}

Test(map, as_branches_of_a_join)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    struct branches branches = NEW(branches, .a = LEAF(&log, 3, 3), .b = LEAF(&log, 1, 4));
    RUN(branches);
    cr_assert_eq(branches.output, 3.5);
    bench_end(&bench);
}
