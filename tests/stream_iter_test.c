/* SPDX-License-Identifier: MIT */
/* streams/stream_iter.h. */
#include "poll_harness.h"

#include "edo.h"

static int drain(struct bench *bench, STREAM_REF(int) stream, int *got, int limit)
{
    int n = 0;
    while (n < limit) {
        struct edo_next next = edo_next(stream, &got[n]);
        run_to_end(bench, &next.future_);
        if (next.output != 1) {
            cr_assert_eq(next.output, 0);
            break;
        }
        n++;
    }
    return n;
}

Test(stream_iter, an_array_s_elements_in_their_order)
{
    struct bench bench;
    bench_begin(&bench);
    static const int array[] = {3, 1, 2};
    int got[4];
    struct edo_stream_iter iter;
    STREAM_REF(int) stream = edo_stream_iter(&iter, array, 3);
    for (size_t left = 3; left > 0; left--) {
        cr_assert_eq(edo_stream_size_hint(stream).lower, left);
        cr_assert_eq(edo_stream_size_hint(stream).upper, left);
        cr_assert_eq(drain(&bench, stream, got, 1), 1);
        cr_assert_eq(got[0], array[3 - left]);
    }
    cr_assert_eq(drain(&bench, stream, got, 4), 0);
    cr_assert_eq(edo_stream_size_hint(stream).upper, 0);
    stream = edo_stream_iter(&iter, array, 0);
    cr_assert_eq(drain(&bench, stream, got, 4), 0);
    bench_end(&bench);
}

Test(stream_iter, one_none_and_without_end)
{
    struct bench bench;
    bench_begin(&bench);
    const int value = 7;
    int got[300];
    struct edo_stream_iter iter;
    STREAM_REF(int) stream = edo_stream_once(&iter, &value);
    cr_assert_eq(drain(&bench, stream, got, 4), 1);
    cr_assert_eq(got[0], 7);
    stream = edo_stream_empty(&iter, int);
    cr_assert_eq(edo_stream_size_hint(stream).upper, 0);
    cr_assert_eq(drain(&bench, stream, got, 4), 0);
    stream = edo_stream_repeat(&iter, &value);
    cr_assert_eq(drain(&bench, stream, got, 300), 300);
    cr_assert_eq(got[299], 7);
    cr_assert_eq(edo_stream_size_hint(stream).upper, SIZE_MAX);
    edo_stream_drop_(&iter.stream_, &bench.cx);
    cr_assert_eq(drain(&bench, stream, got, 300), 0);
    bench_end(&bench);
}

struct nothing {
};

Test(stream_iter, elements_of_no_size_are_counted)
{
    struct bench bench;
    bench_begin(&bench);
    struct nothing array[3], got;
    struct edo_stream_iter iter;
    STREAM_REF(struct nothing) stream = edo_stream_iter(&iter, array, 3);
    for (size_t left = 3; left > 0; left--) {
        cr_assert_eq(edo_stream_size_hint(stream).upper, left);
        cr_assert_eq(edo_stream_poll(&iter.stream_, &bench.cx, &got), EDO_STREAM_ITEM);
    }
    cr_assert_eq(edo_stream_poll(&iter.stream_, &bench.cx, &got), EDO_STREAM_END);
    bench_end(&bench);
}

Test(stream_iter, gives_way_when_the_budget_is_spent)
{
    struct bench bench;
    bench_begin(&bench);
    const int value = 7;
    int got;
    struct edo_stream_iter iter;
    STREAM_REF(int) stream = edo_stream_repeat(&iter, &value);
    for (uint32_t i = 0; i < EDO_BUDGET; i++) {
        struct edo_next next = edo_next(stream, &got);
        cr_assert_eq(POLL(next), EDO_READY);
    }
    struct edo_next next = edo_next(stream, &got);
    cr_assert_eq(POLL(next), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 1);
    DROP_IT(next);
    edo_stream_drop_(&iter.stream_, &bench.cx);
    bench_end(&bench);
}
