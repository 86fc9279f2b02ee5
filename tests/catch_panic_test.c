/* SPDX-License-Identifier: MIT */
#include "combinator_harness.h"
#include "support/runtimes.h"

Test(catch_panic, a_panic_becomes_an_output_and_the_child_is_dropped)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally = 0;
    struct breaks breaks = BREAKS(BREAKS_IN_BODY, 2, &log, &finally);
    struct edo_panic panic = {.name = NULL};
    struct edo_catch_panic guard = edo_catch_panic(&breaks, &panic);
    cr_assert_eq(RUN(guard), 3);
    cr_assert_eq(guard.output, EDO_EPANIC);
    cr_assert_eq(finally, 1);
    cr_assert_str_eq(panic.name, "breaks");
    cr_assert_str_eq(panic.message, "the body broke");
    cr_assert_not_null(strstr(panic.file, "combinator_harness.h"));
    cr_assert_gt(panic.line, 0);
    cr_assert_null(bench.cx.panic.name);
    cr_assert_eq(bench.cx.budget, EDO_BUDGET);
    bench_end(&bench);
}

Test(catch_panic, without_a_panic_it_is_the_child)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally = 0;
    struct breaks breaks = BREAKS(BREAKS_NOWHERE, 2, &log, &finally);
    struct edo_panic panic = {.name = "as it was"};
    struct edo_catch_panic guard = edo_catch_panic(&breaks, &panic);
    cr_assert_eq(RUN(guard), 3);
    cr_assert_eq(guard.output, 0);
    cr_assert_eq(breaks.output, 7);
    cr_assert_eq(finally, 1);
    cr_assert_str_eq(panic.name, "as it was");
    bench_end(&bench);
}

Test(catch_panic, a_panic_in_finally_after_return_is_caught)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally = 0;
    struct breaks breaks = BREAKS(BREAKS_IN_FINALLY, 1, &log, &finally);
    struct edo_panic panic;
    struct edo_catch_panic guard = edo_catch_panic(&breaks, &panic);
    RUN(guard);
    cr_assert_eq(guard.output, EDO_EPANIC);
    cr_assert_str_eq(panic.message, "the end broke");
    cr_assert_eq(finally, 1);
    bench_end(&bench);
}

Test(catch_panic, a_panic_in_the_finally_of_its_drop_goes_on)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally = 0;
    struct breaks breaks = BREAKS(BREAKS_IN_BOTH, 1, &log, &finally);
    struct edo_panic first;
    struct edo_catch_panic guard = edo_catch_panic(&breaks, &first);
    cr_assert_eq(POLL(guard), EDO_PENDING);
    cr_assert_eq(POLL(guard), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.message, "the end broke");
    cr_assert_str_eq(first.message, "the body broke");
    cr_assert_eq(finally, 1);
    DROP_IT(guard);
    cr_assert_eq(finally, 1);
    bench_end(&bench);
}

Test(catch_panic, one_around_it_catches_what_goes_on)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally = 0;
    struct breaks breaks = BREAKS(BREAKS_IN_BOTH, 1, &log, &finally);
    struct edo_panic first, second;
    struct edo_catch_panic inner = edo_catch_panic(&breaks, &first);
    struct edo_catch_panic outer = edo_catch_panic(&inner, &second);
    RUN(outer);
    cr_assert_eq(outer.output, EDO_EPANIC);
    cr_assert_str_eq(first.message, "the body broke");
    cr_assert_str_eq(second.message, "the end broke");
    bench_end(&bench);
}

Test(catch_panic, dropped_at_each_poll_it_drops_the_child)
{
    for (int polls = 0; polls < 3; polls++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log log = {0};
        int finally = 0;
        struct breaks breaks = BREAKS(BREAKS_IN_BODY, 3, &log, &finally);
        struct edo_catch_panic guard = edo_catch_panic(&breaks, NULL);
        for (int i = 0; i < polls; i++)
            cr_assert_eq(POLL(guard), EDO_PENDING);
        DROP_IT(guard);
        cr_assert_eq(finally, 1);
        cr_assert_eq(log.drops, polls > 0);
        bench_end(&bench);
    }
}

Test(catch_panic, a_panic_of_a_drop_from_above_is_not_caught)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally = 0;
    struct breaks breaks = BREAKS(BREAKS_IN_FINALLY, 3, &log, &finally);
    struct edo_catch_panic guard = edo_catch_panic(&breaks, NULL);
    cr_assert_eq(POLL(guard), EDO_PENDING);
    DROP_IT(guard);
    cr_assert_str_eq(bench.cx.panic.message, "the end broke");
    bench_end(&bench);
}

/* A FINALLY that the frame ran by DROP has panicked; the frame goes on to its next await. */
struct drops_first {
    FUTURE(int);
    struct breaks broken, next;
    struct edo_catch_panic guard;
};

ASYNC(drops_first)
{
    ASYNC_BEGIN;
    DROP(self->broken);
    AWAIT(self->guard, edo_catch_panic(&self->next, NULL));
    RETURN(self->guard.output);
    ASYNC_END;
}

Test(catch_panic, a_panic_that_came_before_it_is_not_its_own)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally = 0;
    struct drops_first frame =
        NEW(drops_first, .broken = BREAKS(BREAKS_IN_FINALLY, 0, &log, &finally),
            .next = BREAKS(BREAKS_NOWHERE, 0, &log, &finally));
    cr_assert_eq(POLL(frame), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.message, "the end broke");
    DROP_IT(frame);
    cr_assert_eq(finally, 2);
    bench_end(&bench);
}

struct siblings {
    FUTURE(int);
    struct leaf leaf;
    struct breaks breaks;
    struct edo_panic panic;
    struct edo_catch_panic guard;
};

ASYNC(siblings)
{
    ASYNC_BEGIN;
    self->guard = edo_catch_panic(&self->breaks, &self->panic);
    JOIN(&self->guard, &self->leaf);
    RETURN(self->guard.output);
    ASYNC_END;
}

Test(catch_panic, siblings_go_on)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[2] = {{0}};
    int finally = 0;
    struct siblings siblings = NEW(siblings, .leaf = LEAF(&logs[0], 5, 3),
                                   .breaks = BREAKS(BREAKS_IN_BODY, 1, &logs[1], &finally));
    cr_assert_eq(POLL(siblings), EDO_PENDING);
    cr_assert_str_eq(CHAIN(siblings), "siblings\n edo_catch_panic\n  breaks\n   leaf\n leaf\n");
    RUN(siblings);
    cr_assert_eq(siblings.output, EDO_EPANIC);
    cr_assert_eq(siblings.leaf.output, 3);
    cr_assert_eq(logs[0].polls, 6);
    bench_end(&bench);
}

/* In a task: the join handle gets its output, not the panic. */
struct task {
    FUTURE(int);
    struct edo_sleep sleep;
    struct breaks breaks;
    struct edo_catch_panic guard;
};

ASYNC(task)
{
    ASYNC_BEGIN;
    AWAIT(self->guard, edo_catch_panic(&self->breaks, NULL));
    AWAIT(self->sleep, edo_sleep(1));
    RETURN(self->guard.output);
    ASYNC_END;
}

Test(catch_panic, a_task_goes_on)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally = 0;
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct task task = NEW(task, .breaks = BREAKS(BREAKS_IN_BODY, 3, &log, &finally));
    cr_assert_eq(test_block_on(runtime, &task), 0);
    cr_assert_eq(task.output, EDO_EPANIC);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}
