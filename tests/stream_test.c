/* SPDX-License-Identifier: MIT */
/* The contract of streams, generators, FOR_AWAIT, edo_next; adapters have tests of their own. */
#include "poll_harness.h"

#include "edo.h"

/* A generator that awaits between two items. */
struct numbers {
    STREAM(int);
    int from, to, awaits, error;
    int *finally;
    struct leaf_log *log;
    struct leaf leaf;
};

ASYNC_STREAM(numbers)
{
    ASYNC_BEGIN;
    for (; self->from < self->to; self->from++) {
        AWAIT(self->leaf, LEAF(self->log, self->awaits, 0));
        YIELD(self->from);
    }
    RETURN(self->error);
ASYNC_FINALLY:
    ++*self->finally;
    ASYNC_END;
}

/* The tour's interval: written by hand. */
struct ticks {
    STREAM(int);
    int left;
    struct leaf_log *log;
    struct leaf delay;
};

static enum edo_poll ticks_poll(struct edo_future *future, struct edo_context *cx)
{
    struct ticks *self = (struct ticks *)future;
    if (cx->walk == EDO_WALK_DROP) {
        edo_future_drop(&self->delay.future_, cx);
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "ticks");
    if (self->left == 0)
        return edo_stream_end(&self->stream_, 0);
    if (self->delay.future_.poll == NULL)
        self->delay = LEAF(self->log, 1, 0);
    if (edo_future_poll(&self->delay.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    self->delay = LEAF(self->log, 1, 0);
    EDO_ITEM(self) = self->left--;
    return edo_stream_item(&self->stream_);
}

static struct edo_size_hint ticks_size_hint(const struct edo_stream *stream)
{
    size_t left = (size_t)((const struct ticks *)stream)->left;
    return (struct edo_size_hint){left, left};
}

struct sum {
    FUTURE(int);
    STREAM_REF(int) stream;
    int n, sum, skip, stop, awaits;
    struct leaf_log *log;
    struct leaf leaf;
};

ASYNC(sum)
{
    ASYNC_BEGIN;
    FOR_AWAIT(self->n, self->stream) {
        if (self->n == self->skip)
            continue;
        if (self->n == self->stop)
            break;
        if (self->awaits > 0)
            AWAIT(self->leaf, LEAF(self->log, self->awaits, 0));
        self->sum += self->n;
    }
    RETURN(edo_stream_error(self->stream) < 0 ? edo_stream_error(self->stream) : self->sum);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

static int finally;
static struct leaf_log leaves;

static struct numbers numbers(int from, int to, int awaits)
{
    finally = 0;
    return NEW(numbers, .from = from, .to = to, .awaits = awaits, .finally = &finally,
               .log = &leaves);
}

Test(stream, a_generator_gives_its_items_and_ends)
{
    struct bench bench;
    bench_begin(&bench);
    struct numbers source = numbers(1, 4, 2);
    STREAM_REF(int) stream = edo_stream_ref(&source);
    int got[3], n = 0;
    for (int i = 0; i < 3; i++) {
        struct edo_next next = edo_next(stream, &got[i]);
        cr_assert_eq(RUN(next), 3, "two awaits before each item");
        cr_assert_eq(next.output, 1);
        cr_assert_eq(got[i], i + 1);
    }
    for (int i = 0; i < 2; i++) {
        struct edo_next next = edo_next(stream, &n);
        cr_assert_eq(RUN(next), 1);
        cr_assert_eq(next.output, 0, "the end, and again");
    }
    cr_assert_eq(finally, 1);
    cr_assert_eq(n, 0, "nothing was written");
    bench_end(&bench);
}

/* A head that a compiler makes in part only has hooks that are none. */
struct bare {
    STREAM(int);
};

ASYNC_STREAM(bare)
{
    ASYNC_BEGIN;
    ASYNC_END;
}

Test(stream, what_new_does_not_name_is_zero)
{
    struct bare bare = NEW(bare);
    struct numbers source = numbers(1, 4, 0);
    struct edo_stream *const heads[] = {&bare.stream_, &source.stream_};
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(heads[i]->output, 0);
        cr_assert_null(heads[i]->item);
        cr_assert_null(heads[i]->size_hint);
        cr_assert_null(heads[i]->drop);
    }
}

Test(stream, a_loop_gets_every_item_with_awaits_between)
{
    struct bench bench;
    bench_begin(&bench);
    struct numbers source = numbers(0, 10, 1);
    struct sum sum = NEW(sum, .stream = edo_stream_ref(&source), .skip = -1, .stop = -1,
                         .awaits = 1, .log = &leaves);
    RUN(sum);
    cr_assert_eq(sum.output, 45);
    cr_assert_eq(finally, 1);
    bench_end(&bench);
}

Test(stream, continue_and_break_are_the_loop_s)
{
    struct bench bench;
    bench_begin(&bench);
    struct numbers source = numbers(0, 10, 0);
    struct sum sum = NEW(sum, .stream = edo_stream_ref(&source), .skip = 2, .stop = 5);
    RUN(sum);
    cr_assert_eq(sum.output, 0 + 1 + 3 + 4);
    cr_assert_eq(finally, 1, "dropped in FINALLY");
    bench_end(&bench);
}

Test(stream, an_error_ends_a_generator_and_the_loop)
{
    struct bench bench;
    bench_begin(&bench);
    struct numbers source = numbers(0, 3, 0);
    source.error = UV_EIO;
    struct sum sum = NEW(sum, .stream = edo_stream_ref(&source), .skip = -1, .stop = -1);
    RUN(sum);
    cr_assert_eq(sum.output, UV_EIO);
    cr_assert_eq(sum.sum, 3, "the items before it came");
    cr_assert_eq(finally, 1);
    int n;
    struct edo_next next = edo_next(sum.stream, &n);
    RUN(next);
    cr_assert_eq(next.output, 0, "an error once, then the end");
    bench_end(&bench);
}

Test(stream, a_positive_return_is_no_item_and_no_error)
{
    for (int result = 1; result <= 3; result++) {
        struct bench bench;
        bench_begin(&bench);
        struct numbers source = numbers(0, 3, 0);
        source.error = result;
        struct sum sum = NEW(sum, .stream = edo_stream_ref(&source), .skip = -1, .stop = -1);
        RUN(sum);
        cr_assert_eq(sum.output, 3);
        cr_assert_eq(finally, 1);
        bench_end(&bench);
    }
}

Test(stream, dropped_before_the_first_poll_between_items_and_within_one)
{
    for (int polls = 0; polls < 6; polls++) {
        struct bench bench;
        bench_begin(&bench);
        struct leaf_log log = {0};
        struct numbers source = numbers(0, 10, 1);
        source.log = &log;
        struct sum sum = NEW(sum, .stream = edo_stream_ref(&source), .skip = -1, .stop = -1,
                             .awaits = 1, .log = &log);
        for (int i = 0; i < polls; i++)
            cr_assert_eq(POLL(sum), EDO_PENDING);
        DROP_IT(sum);
        cr_assert_eq(finally, 1, "after %d polls: %d", polls, finally);
        cr_assert_eq(log.drops, polls == 0 ? 0 : 1);
        bench_end(&bench);
    }
}

Test(stream, a_next_that_is_dropped_takes_nothing)
{
    struct bench bench;
    bench_begin(&bench);
    struct numbers source = numbers(7, 9, 1);
    STREAM_REF(int) stream = edo_stream_ref(&source);
    int n = 0;
    struct edo_next lost = edo_next(stream, &n), next = edo_next(stream, &n);
    cr_assert_eq(POLL(lost), EDO_PENDING);
    DROP_IT(lost);
    cr_assert_eq(POLL(next), EDO_READY);
    cr_assert_eq(n, 7);
    edo_stream_drop_((struct edo_stream *)(void *)stream, &bench.cx);
    cr_assert_eq(finally, 1);
    bench_end(&bench);
}

Test(stream, one_written_by_hand)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    struct ticks ticks = NEW(ticks, .left = 3, .log = &log);
    STREAM_REF(int) stream = edo_stream_ref(&ticks);
    cr_assert_eq(edo_stream_size_hint(stream).lower, 0);
    cr_assert_eq(edo_stream_size_hint(stream).upper, SIZE_MAX);
    ticks.stream_.size_hint = ticks_size_hint;
    cr_assert_eq(edo_stream_size_hint(stream).lower, 3);
    struct sum sum = NEW(sum, .stream = stream, .skip = -1, .stop = -1);
    RUN(sum);
    cr_assert_eq(sum.output, 6);
    cr_assert_eq(edo_stream_size_hint(stream).upper, 0);
    bench_end(&bench);
}

Test(stream, a_suspended_loop_names_itself_and_the_stream)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaf_log log = {0};
    struct numbers source = numbers(0, 3, 1);
    source.log = &log;
    struct sum sum = NEW(sum, .stream = edo_stream_ref(&source), .skip = -1, .stop = -1);
    cr_assert_eq(POLL(sum), EDO_PENDING);
    edo_future_trace(&sum.future_, &bench.cx);
    int loop, await;
    cr_assert_eq(sscanf(bench.trace,
                        "sum (stream_test.c:%d)\n numbers (stream_test.c:%d)\n  leaf\n", &loop,
                        &await),
                 2, "%s", bench.trace);
    DROP_IT(sum);
    bench_end(&bench);
}

/* What a generator's items own, and what it holds, in a select that it loses. */
struct selects {
    FUTURE(int);
    STREAM_REF(int) fast, slow;
    int a, b, from_fast, from_slow;
    struct edo_next next_fast, next_slow;
};

ASYNC(selects)
{
    ASYNC_BEGIN;
    for (;;) {
        SELECT {
            WHEN_MATCH(self->next_fast.output > 0, self->next_fast,
                       edo_next(self->fast, &self->a)) {
                self->from_fast += self->a;
            }
            WHEN_MATCH(self->next_slow.output > 0, self->next_slow,
                       edo_next(self->slow, &self->b)) {
                self->from_slow += self->b;
            }
            OTHERWISE {
                RETURN(0);
            }
        }
    }
ASYNC_FINALLY:
    DROP_STREAM(self->fast);
    DROP_STREAM(self->slow);
    ASYNC_END;
}

Test(stream, select_over_two_streams_loses_no_item)
{
    struct bench bench;
    bench_begin(&bench);
    struct numbers fast = numbers(0, 100, 1), slow = numbers(0, 100, 3);
    struct selects selects =
        NEW(selects, .fast = edo_stream_ref(&fast), .slow = edo_stream_ref(&slow));
    RUN(selects);
    cr_assert_eq(selects.from_fast, 4950);
    cr_assert_eq(selects.from_slow, 4950);
    cr_assert_eq(finally, 2);
    bench_end(&bench);
}

static bool is_even(void *arg, const int *n)
{
    ++*(int *)arg;
    return *n % 2 == 0;
}

static void halve(void *arg, int *n, double *half)
{
    (void)arg;
    *half = *n / 2.0;
}

Test(stream, adapters_stand_one_on_the_other)
{
    struct bench bench;
    bench_begin(&bench);
    struct numbers source = numbers(1, 100, 1);
    struct edo_stream_filter even;
    struct edo_stream_take skip, take;
    struct edo_stream_map map;
    int n, calls = 0;
    STREAM_REF(int) ints = edo_stream_ref(&source);
    ints = edo_stream_filter(&even, ints, is_even, &calls);
    ints = edo_stream_skip(&skip, ints, 1);
    ints = edo_stream_take(&take, ints, 3);
    STREAM_REF(double) halves = edo_stream_map(&map, ints, &n, double, halve, NULL);
    double half, sum = 0;
    for (int i = 0; i < 3; i++) {
        struct edo_next next = edo_next(halves, &half);
        RUN(next);
        cr_assert_eq(next.output, 1);
        sum += half;
    }
    cr_assert_eq(sum, 2 + 3 + 4.0);
    cr_assert_eq(finally, 1, "dropped with the last item that is taken");
    struct edo_next next = edo_next(halves, &half);
    RUN(next);
    cr_assert_eq(next.output, 0);
    cr_assert_eq(calls, 8);
    bench_end(&bench);
}

Test(stream, an_iterator_gives_way_when_the_budget_is_spent)
{
    struct bench bench;
    bench_begin(&bench);
    const int value = 3;
    struct edo_stream_iter repeat;
    struct edo_stream_take take;
    STREAM_REF(int) stream = edo_stream_repeat(&repeat, &value);
    stream = edo_stream_take(&take, stream, 1000);
    struct sum sum = NEW(sum, .stream = stream, .skip = -1, .stop = -1);
    cr_assert_eq(RUN(sum), 1000 / EDO_BUDGET + 1);
    cr_assert_eq(sum.output, 3000);
    bench_end(&bench);
}
