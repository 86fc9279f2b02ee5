/* SPDX-License-Identifier: MIT */
#include "combinator_harness.h"
#include "support/runtimes.h"

#include <pthread.h>

typedef struct edo_abortable_handle handle;

Test(abortable, without_an_abort_it_is_the_child)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    handle *abort = edo_abortable_handle_new();
    struct leaf leaf = LEAF(&log, 2, 7);
    struct edo_abortable abortable = edo_abortable(&leaf, abort);
    cr_assert_eq(RUN(abortable), 3);
    cr_assert_eq(abortable.output, 0);
    cr_assert_eq(leaf.output, 7);
    cr_assert_eq(log.drops, 0);
    cr_assert_eq(bench.counter.clones, 1, "once for all polls with the same waker");
    cr_assert_eq(bench.cx.budget, EDO_BUDGET);
    edo_abortable_handle_abort(abort);
    cr_assert_eq(bench.counter.wakes, 2, "the leaf's own: nobody waits any more");
    edo_abortable_handle_drop(abort);
    bench_end(&bench);
}

Test(abortable, an_abort_wakes_and_the_next_poll_drops_the_child)
{
    struct bench bench;
    bench_begin(&bench);
    handle *abort = edo_abortable_handle_new(), *other = edo_abortable_handle_clone(abort);
    struct edo_pending pending = edo_pending();
    struct edo_abortable abortable = edo_abortable(&pending, abort);
    cr_assert_eq(POLL(abortable), EDO_PENDING);
    cr_assert_not(edo_abortable_handle_is_aborted(abort));
    edo_abortable_handle_abort(other);
    edo_abortable_handle_abort(other);
    edo_abortable_handle_abort(NULL);
    cr_assert(edo_abortable_handle_is_aborted(abort));
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_not(edo_future_done(&pending.future_));
    cr_assert_eq(POLL(abortable), EDO_READY);
    cr_assert_eq(abortable.output, UV_ECANCELED);
    cr_assert(edo_future_done(&pending.future_));
    edo_abortable_handle_drop(abort);
    edo_abortable_handle_drop(other);
    edo_abortable_handle_drop(NULL);
    bench_end(&bench);
}

Test(abortable, aborted_before_the_first_poll_the_child_is_not_polled)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    handle *abort = edo_abortable_handle_new();
    edo_abortable_handle_abort(abort);
    for (int i = 0; i < 2; i++) {
        struct leaf leaf = LEAF(&log, 0, 7);
        struct edo_abortable abortable = edo_abortable(&leaf, abort);
        cr_assert_eq(POLL(abortable), EDO_READY);
        cr_assert_eq(abortable.output, UV_ECANCELED);
        cr_assert(log.polls == 0 && log.drops == i + 1);
    }
    edo_abortable_handle_drop(abort);
    bench_end(&bench);
}

Test(abortable, the_abort_goes_first_when_the_child_would_be_ready)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    handle *abort = edo_abortable_handle_new();
    struct leaf leaf = LEAF(&log, 1, 7);
    struct edo_abortable abortable = edo_abortable(&leaf, abort);
    cr_assert_eq(POLL(abortable), EDO_PENDING);
    edo_abortable_handle_abort(abort);
    cr_assert_eq(POLL(abortable), EDO_READY);
    cr_assert_eq(abortable.output, UV_ECANCELED);
    cr_assert(log.polls == 1 && log.drops == 1);
    edo_abortable_handle_drop(abort);
    bench_end(&bench);
}

/* A child that is aborted from its own poll. */
static enum edo_poll abort_from_within(void *arg, struct edo_context *cx, int *output)
{
    (void)cx;
    (void)output;
    edo_abortable_handle_abort(arg);
    return EDO_PENDING;
}

Test(abortable, aborted_by_the_child_itself_it_ends_in_the_same_poll)
{
    struct bench bench;
    bench_begin(&bench);
    handle *abort = edo_abortable_handle_new();
    struct edo_poll_with child = edo_poll_with(abort_from_within, abort);
    struct edo_abortable abortable = edo_abortable(&child, abort);
    cr_assert_eq(POLL(abortable), EDO_READY);
    cr_assert_eq(abortable.output, UV_ECANCELED);
    edo_abortable_handle_drop(abort);
    bench_end(&bench);
}

Test(abortable, a_second_future_of_the_handle_is_busy_until_the_first_is_gone)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    handle *abort = edo_abortable_handle_new();
    struct edo_pending pending = edo_pending();
    struct leaf leaf = LEAF(&log, 1, 7);
    struct edo_abortable first = edo_abortable(&pending, abort),
                         second = edo_abortable(&leaf, abort);
    cr_assert_eq(POLL(first), EDO_PENDING);
    cr_assert_eq(POLL(second), EDO_READY);
    cr_assert_eq(second.output, UV_EBUSY);
    cr_assert(log.polls == 0 && log.drops == 1);
    DROP_IT(first);
    leaf = LEAF(&log, 1, 7);
    second = edo_abortable(&leaf, abort);
    cr_assert_eq(POLL(second), EDO_PENDING);
    edo_abortable_handle_abort(abort);
    cr_assert_eq(POLL(second), EDO_READY);
    cr_assert_eq(second.output, UV_ECANCELED);
    edo_abortable_handle_drop(abort);
    bench_end(&bench);
}

Test(abortable, without_memory_there_is_no_handle_and_the_future_says_so)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    edo_alloc_fail(1, false);
    handle *abort = edo_abortable_handle_new();
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_null(abort);
    cr_assert_null(edo_abortable_handle_clone(abort));
    struct leaf leaf = LEAF(&log, 1, 7);
    struct edo_abortable abortable = edo_abortable(&leaf, abort);
    cr_assert_eq(POLL(abortable), EDO_READY);
    cr_assert_eq(abortable.output, UV_ENOMEM);
    cr_assert(log.polls == 0 && log.drops == 1);
    bench_end(&bench);
}

Test(abortable, moved_to_another_waker_it_is_that_one_which_is_woken)
{
    struct bench bench;
    bench_begin(&bench);
    struct counter other = {.waker.ops = &counter_stable};
    handle *abort = edo_abortable_handle_new();
    struct edo_pending pending = edo_pending();
    struct edo_abortable abortable = edo_abortable(&pending, abort);
    cr_assert_eq(POLL(abortable), EDO_PENDING);
    bench.cx.waker = &other.waker;
    cr_assert_eq(POLL(abortable), EDO_PENDING);
    edo_abortable_handle_abort(abort);
    cr_assert(bench.counter.wakes == 0 && other.wakes == 1);
    cr_assert_eq(other.clones, other.drops);
    bench.cx.waker = &bench.counter.waker;
    cr_assert_eq(POLL(abortable), EDO_READY, "and polled by a third one after it");
    edo_abortable_handle_drop(abort);
    bench_end(&bench);
}

Test(abortable, dropped_at_each_poll_it_drops_the_child_and_leaves_no_waker)
{
    for (int aborted = 0; aborted < 2; aborted++)
        for (int polls = 0; polls < 4; polls++) {
            struct bench bench;
            bench_begin(&bench);
            struct leaf_log log = {0};
            handle *abort = edo_abortable_handle_new();
            struct leaf leaf = LEAF(&log, 4, 7);
            struct edo_abortable abortable = edo_abortable(&leaf, abort);
            for (int i = 0; i < polls; i++)
                cr_assert_eq(POLL(abortable), EDO_PENDING);
            if (aborted)
                edo_abortable_handle_abort(abort);
            DROP_IT(abortable);
            cr_assert_eq(log.drops, 1);
            edo_abortable_handle_drop(abort);
            bench_end(&bench);
        }
}

Test(abortable, a_panic_passes_through_of_the_body_and_of_finally)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    int finally = 0;
    handle *abort = edo_abortable_handle_new();
    struct breaks breaks = BREAKS(BREAKS_IN_BODY, 1, &log, &finally);
    struct edo_abortable abortable = edo_abortable(&breaks, abort);
    panic_passes(&bench, &abortable.future_, &finally);
    bench.cx.panic.name = NULL;

    breaks = BREAKS(BREAKS_IN_FINALLY, 2, &log, &finally);
    abortable = edo_abortable(&breaks, abort);
    cr_assert_eq(POLL(abortable), EDO_PENDING);
    edo_abortable_handle_abort(abort);
    cr_assert_eq(POLL(abortable), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.message, "the end broke");
    DROP_IT(abortable);
    cr_assert_eq(finally, 2);
    edo_abortable_handle_drop(abort);
    bench_end(&bench);
}

Test(abortable, the_trace_goes_on_into_the_child)
{
    struct bench bench;
    bench_begin(&bench);
    handle *abort = edo_abortable_handle_new();
    struct edo_pending pending = edo_pending();
    struct edo_abortable abortable = edo_abortable(&pending, abort);
    cr_assert_eq(POLL(abortable), EDO_PENDING);
    cr_assert_str_eq(CHAIN(abortable), "edo_abortable\n edo_pending\n");
    DROP_IT(abortable);
    edo_abortable_handle_drop(abort);
    bench_end(&bench);
}

/* A task, stopped by a thread that may be late, early, or in the middle of it. */
struct stopped {
    FUTURE(int);
    handle *abort;
    int yields;
    struct busy {
        FUTURE(int);
        int yields;
    } busy;
    struct edo_abortable abortable;
};

ASYNC(busy)
{
    ASYNC_BEGIN;
    while (self->yields-- > 0)
        YIELD_NOW();
    RETURN(0);
    ASYNC_END;
}

ASYNC(stopped)
{
    ASYNC_BEGIN;
    self->busy = NEW(busy, .yields = self->yields);
    AWAIT(self->abortable, edo_abortable(&self->busy, self->abort));
    RETURN(self->abortable.output);
ASYNC_FINALLY:
    edo_abortable_handle_drop(self->abort);
    ASYNC_END;
}

static void *stop(void *arg)
{
    edo_abortable_handle_abort(arg);
    edo_abortable_handle_drop(arg);
    return NULL;
}

Test(abortable, aborted_by_a_thread_at_any_time_it_ends)
{
    struct bench bench;
    bench_begin(&bench);
    int ended[2] = {0};
    for (int round = 0; round < 300; round++) {
        struct edo_runtime *runtime;
        pthread_t thread;
        handle *abort = edo_abortable_handle_new();
        cr_assert_eq(test_runtime_new(&runtime), 0);
        cr_assert_eq(pthread_create(&thread, NULL, stop, edo_abortable_handle_clone(abort)), 0);
        /* A child that never ends, every third time: then it is the abort that ends it. */
        struct stopped task =
            NEW(stopped, .abort = abort, .yields = round % 3 == 0 ? INT32_MAX : round);
        cr_assert_eq(test_block_on(runtime, &task), 0);
        cr_assert(task.output == 0 || task.output == UV_ECANCELED);
        ended[task.output == 0]++;
        edo_runtime_drop(runtime);
        pthread_join(thread, NULL);
    }
    cr_assert_geq(ended[0], 100);
    bench_end(&bench);
}
