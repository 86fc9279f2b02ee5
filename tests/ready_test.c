/* SPDX-License-Identifier: MIT */
/* edo_ready_now, edo_pending, edo_lazy, edo_poll_with; and what done.h has. */
#include "combinator_harness.h"

Test(ready, ready_now_is_ready_with_its_output)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_ready_now ready = edo_ready_now(42), dropped = edo_ready_now(1);
    cr_assert_eq(POLL(ready), EDO_READY);
    cr_assert_eq(ready.output, 42);
    cr_assert_str_eq(CHAIN(dropped), "edo_ready_now\n");
    DROP_IT(dropped);
    cr_assert_eq(bench.counter.wakes, 0);
    cr_assert_eq(bench.cx.budget, EDO_BUDGET);
    bench_end(&bench);
}

Test(ready, pending_never_is_and_wakes_nobody)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_pending pending = edo_pending();
    for (int i = 0; i < 3; i++)
        cr_assert_eq(POLL(pending), EDO_PENDING);
    cr_assert_str_eq(CHAIN(pending), "edo_pending\n");
    cr_assert_eq(bench.counter.wakes + bench.counter.clones, 0);
    cr_assert_eq(bench.cx.budget, EDO_BUDGET);
    DROP_IT(pending);
    bench_end(&bench);
}

static int compute(void *arg)
{
    return ++*(int *)arg;
}

Test(ready, lazy_calls_its_function_at_the_first_poll_and_not_when_dropped)
{
    struct bench bench;
    bench_begin(&bench);
    int calls = 0;
    struct edo_lazy lazy = edo_lazy(compute, &calls), dropped = edo_lazy(compute, &calls);
    cr_assert_eq(calls, 0);
    cr_assert_eq(POLL(lazy), EDO_READY);
    cr_assert_eq(lazy.output, 1);
    cr_assert_str_eq(CHAIN(dropped), "edo_lazy\n");
    DROP_IT(dropped);
    cr_assert_eq(calls, 1);
    bench_end(&bench);
}

/* A function that polls two, as a poll function written by hand would. */
struct pair {
    struct leaf stop, work;
    int stopped, calls;
};

static enum edo_poll poll_pair(void *arg, struct edo_context *cx, int *output)
{
    struct pair *pair = arg;
    pair->calls++;
    if (edo_fuse(&pair->stop, cx) == EDO_READY)
        pair->stopped++;
    if (edo_maybe_done(&pair->work, cx) == EDO_PENDING)
        return EDO_PENDING;
    *output = pair->work.output;
    return EDO_READY;
}

Test(ready, poll_with_is_what_its_function_says)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[2] = {{0}};
    struct pair pair = {.stop = LEAF(&logs[0], 1, 1), .work = LEAF(&logs[1], 4, 8)};
    struct edo_poll_with poll = edo_poll_with(poll_pair, &pair);
    cr_assert_eq(RUN(poll), 5);
    cr_assert_eq(poll.output, 8);
    cr_assert_eq(pair.stopped, 1, "once, however often it is polled");
    cr_assert_eq(logs[0].polls, 2);
    bench_end(&bench);
}

Test(ready, poll_with_calls_nothing_when_it_is_dropped_or_traced)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log logs[2] = {{0}};
    struct pair pair = {.stop = LEAF(&logs[0], 1, 1), .work = LEAF(&logs[1], 4, 8)};
    struct edo_poll_with poll = edo_poll_with(poll_pair, &pair);
    cr_assert_eq(POLL(poll), EDO_PENDING);
    cr_assert_str_eq(CHAIN(poll), "edo_poll_with\n");
    DROP_IT(poll);
    cr_assert_eq(pair.calls, 1);
    DROP_IT(pair.stop);
    DROP_IT(pair.work);
    cr_assert_eq(bench.cx.budget, EDO_BUDGET);
    bench_end(&bench);
}

static enum edo_poll poll_panic(void *arg, struct edo_context *cx, int *output)
{
    (void)arg;
    (void)output;
    return edo_panic(cx, "poll_panic", __FILE__, __LINE__, "by hand");
}

Test(ready, poll_with_may_panic)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_poll_with poll = edo_poll_with(poll_panic, NULL);
    cr_assert_eq(POLL(poll), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.message, "by hand");
    DROP_IT(poll);
    bench_end(&bench);
}

Test(ready, fuse_is_pending_for_ever_and_maybe_done_is_ready)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    struct leaf leaf = LEAF(&log, 1, 3);
    cr_assert_not(edo_is_terminated(&leaf));
    cr_assert_eq(edo_fuse(&leaf, &bench.cx), EDO_PENDING);
    cr_assert_eq(edo_fuse(&leaf, &bench.cx), EDO_READY);
    cr_assert(edo_is_terminated(&leaf));
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(edo_fuse(&leaf, &bench.cx), EDO_PENDING);
        cr_assert_eq(edo_maybe_done(&leaf, &bench.cx), EDO_READY);
    }
    cr_assert_eq(leaf.output, 3);
    cr_assert_eq(log.polls, 2);
    cr_assert_eq(bench.counter.wakes, 1);

    leaf = LEAF(&log, 1, 3);
    cr_assert_eq(edo_maybe_done(&leaf, &bench.cx), EDO_PENDING);
    DROP_IT(leaf);
    cr_assert(edo_is_terminated(&leaf));
    cr_assert_eq(edo_fuse(&leaf, &bench.cx), EDO_PENDING);
    bench_end(&bench);
}
