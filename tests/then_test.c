/* SPDX-License-Identifier: MIT */
#include "combinator_harness.h"

enum which { THEN, AND_THEN, OR_ELSE };
static const char *const names[] = {"edo_then", "edo_and_then", "edo_or_else"};

struct scene {
    struct leaf first;
    struct leaf_log logs[2];
    int turns, result, made; /* of the next one */
    struct leaf next;
    union {
        struct edo_future future_;
        struct edo_then then;
        struct edo_and_then and_then;
        struct edo_or_else or_else;
    } of;
};

static void make(void *arg, int *output, struct leaf *next)
{
    struct scene *scene = arg;
    scene->made++;
    cr_assert_eq(*output, scene->first.result);
    *next = LEAF(&scene->logs[1], scene->turns, scene->result);
}

static void set(struct scene *scene, enum which which, int turns, int first, int result)
{
    *scene = (struct scene){.turns = turns, .result = result};
    scene->first = LEAF(&scene->logs[0], turns, first);
    if (which == THEN)
        scene->of.then = edo_then(&scene->first, &scene->next, make, scene);
    else if (which == AND_THEN)
        scene->of.and_then = edo_and_then(&scene->first, &scene->next, make, scene);
    else
        scene->of.or_else = edo_or_else(&scene->first, &scene->next, make, scene);
}

Test(then, the_next_one_is_made_of_the_output_and_polled_at_once)
{
    for (enum which which = THEN; which <= OR_ELSE; which++) {
        struct bench bench;
        bench_begin(&bench);
        struct scene scene;
        set(&scene, which, 2, which == OR_ELSE ? -5 : 5, 50);
        cr_assert_eq(POLL(scene.of), EDO_PENDING);
        cr_assert_eq(POLL(scene.of), EDO_PENDING);
        cr_assert_eq(scene.made, 0);
        cr_assert_eq(POLL(scene.of), EDO_PENDING);
        cr_assert_eq(scene.made, 1);
        cr_assert_eq(scene.logs[1].polls, 1);
        cr_assert_eq(POLL(scene.of), EDO_PENDING);
        cr_assert_eq(POLL(scene.of), EDO_READY);
        cr_assert_eq(scene.made, 1);
        cr_assert_eq(scene.next.output, 50);
        cr_assert_eq(which == AND_THEN ? scene.of.and_then.output : 50, 50);
        cr_assert_eq(which == OR_ELSE ? scene.of.or_else.output : 50, 50);
        for (int i = 0; i < 2; i++)
            cr_assert(scene.logs[i].polls == 3 && scene.logs[i].drops == 0);
        cr_assert_eq(bench.cx.budget, EDO_BUDGET);
        bench_end(&bench);
    }
}

Test(then, all_in_one_poll_when_nothing_waits)
{
    for (enum which which = THEN; which <= OR_ELSE; which++) {
        struct bench bench;
        bench_begin(&bench);
        struct scene scene;
        set(&scene, which, 0, which == OR_ELSE ? -5 : 0, -6);
        cr_assert_eq(POLL(scene.of), EDO_READY);
        cr_assert_eq(scene.next.output, -6);
        cr_assert_eq(which == AND_THEN ? scene.of.and_then.output : -6, -6);
        cr_assert_eq(which == OR_ELSE ? scene.of.or_else.output : -6, -6);
        bench_end(&bench);
    }
}

Test(then, and_then_stops_at_an_error_and_or_else_at_none)
{
    for (enum which which = AND_THEN; which <= OR_ELSE; which++) {
        struct bench bench;
        bench_begin(&bench);
        struct scene scene;
        set(&scene, which, 1, which == OR_ELSE ? 0 : -1, 50);
        cr_assert_eq(RUN(scene.of), 2);
        cr_assert_eq(scene.made, 0);
        cr_assert_eq(scene.logs[1].polls, 0);
        if (which == AND_THEN)
            cr_assert_eq(scene.of.and_then.output, -1);
        else
            cr_assert_eq(scene.of.or_else.output, 0);
        bench_end(&bench);
    }
}

Test(then, a_first_one_that_is_done_already_is_not_polled)
{
    for (enum which which = THEN; which <= OR_ELSE; which++) {
        struct bench bench;
        bench_begin(&bench);
        struct scene scene;
        set(&scene, which, 0, which == OR_ELSE ? -5 : 5, 50);
        cr_assert_eq(POLL(scene.first), EDO_READY);
        cr_assert_eq(POLL(scene.of), EDO_READY);
        cr_assert_eq(scene.logs[0].polls, 1);
        cr_assert_eq(scene.made, 1);
        bench_end(&bench);
    }
}

Test(then, dropped_at_each_poll_it_drops_the_one_under_way)
{
    for (enum which which = THEN; which <= OR_ELSE; which++)
        for (int polls = 0; polls < 5; polls++) {
            struct bench bench;
            bench_begin(&bench);
            struct scene scene;
            set(&scene, which, 2, which == OR_ELSE ? -5 : 5, 50);
            for (int i = 0; i < polls; i++)
                cr_assert_eq(POLL(scene.of), EDO_PENDING);
            DROP_IT(scene.of);
            cr_assert_eq(scene.logs[0].drops, polls < 3);
            cr_assert_eq(scene.logs[1].drops, polls >= 3);
            cr_assert_eq(scene.made, polls >= 3);
            bench_end(&bench);
        }
}

Test(then, the_trace_goes_on_into_the_one_under_way)
{
    for (enum which which = THEN; which <= OR_ELSE; which++) {
        struct bench bench;
        bench_begin(&bench);
        struct scene scene;
        set(&scene, which, 1, which == OR_ELSE ? -5 : 5, 50);
        char chain[64];
        snprintf(chain, sizeof chain, "%s\n leaf\n", names[which]);
        for (int i = 0; i < 2; i++) {
            cr_assert_str_eq(CHAIN(scene.of), chain);
            cr_assert_eq(POLL(scene.of), EDO_PENDING);
        }
        cr_assert_str_eq(CHAIN(scene.of), chain);
        DROP_IT(scene.of);
        bench_end(&bench);
    }
}

static void break_next(void *arg, int *output, struct breaks *next)
{
    (void)output;
    *next = *(struct breaks *)arg;
}

static void break_first(void *arg, int *output, struct leaf *next)
{
    (void)arg;
    (void)output;
    (void)next;
    cr_assert_fail("nothing is made of a panic");
}

Test(then, a_panic_of_either_passes_through)
{
    for (enum which which = THEN; which <= OR_ELSE; which++) {
        struct bench bench;
        bench_begin(&bench);
        struct scene scene = {0};
        int finally = 0;
        struct breaks breaks = BREAKS(BREAKS_IN_BODY, 1, &scene.logs[0], &finally), next;
        if (which == THEN)
            scene.of.then = edo_then(&breaks, &scene.next, break_first, NULL);
        else if (which == AND_THEN)
            scene.of.and_then = edo_and_then(&breaks, &scene.next, break_first, NULL);
        else
            scene.of.or_else = edo_or_else(&breaks, &scene.next, break_first, NULL);
        panic_passes(&bench, &scene.of.future_, &finally);
        bench_end(&bench);

        bench_begin(&bench);
        finally = 0;
        breaks = BREAKS(BREAKS_IN_BODY, 1, &scene.logs[0], &finally);
        scene.first = LEAF(&scene.logs[1], 0, which == OR_ELSE ? -1 : 1);
        if (which == THEN)
            scene.of.then = edo_then(&scene.first, &next, break_next, &breaks);
        else if (which == AND_THEN)
            scene.of.and_then = edo_and_then(&scene.first, &next, break_next, &breaks);
        else
            scene.of.or_else = edo_or_else(&scene.first, &next, break_next, &breaks);
        panic_passes(&bench, &scene.of.future_, &finally);
        bench_end(&bench);
    }
}

/* Wider outputs; and one of these is the first of another. */
struct reads {
    FUTURE(ssize_t);
    ssize_t result;
};

ASYNC(reads)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    RETURN(self->result);
    ASYNC_END;
}

static void read_more(void *arg, int *output, struct reads *next)
{
    (void)output;
    *next = NEW(reads, .result = *(ssize_t *)arg);
}

static void read_again(void *arg, ssize_t *output, struct leaf *next)
{
    *next = LEAF(arg, 1, *output == (ssize_t)1 << 40 ? 9 : -9);
}

Test(then, outputs_are_integers_of_either_size_and_chains_are_built)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    struct leaf first = LEAF(&log, 1, 5), last;
    struct reads reads;
    ssize_t large = (ssize_t)1 << 40;
    struct edo_and_then one = edo_and_then(&first, &reads, read_more, &large);
    struct edo_and_then two = edo_and_then(&one, &last, read_again, &log);
    cr_assert_eq(POLL(two), EDO_PENDING);
    cr_assert_str_eq(CHAIN(two), "edo_and_then\n edo_and_then\n  leaf\n");
    RUN(two);
    cr_assert_eq(one.output, large);
    cr_assert_eq(two.output, 9);
    bench_end(&bench);
}
