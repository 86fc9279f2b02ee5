/* SPDX-License-Identifier: MIT */
#include "poll_harness.h"

#include <stdlib.h>

#include "edo.h"

static int next_of(struct bench *bench, STREAM_REF(int) stream, int *n)
{
    struct edo_next next = edo_next(stream, n);
    bench->cx.budget = EDO_BUDGET;
    if (edo_future_poll(&next.future_, &bench->cx) == EDO_PENDING) {
        edo_future_drop(&next.future_, &bench->cx);
        return EDO_STREAM_PENDING;
    }
    return next.output;
}

static void drop_stream(struct bench *bench, STREAM_REF(int) stream)
{
    struct edo_context *cx = &bench->cx;
    DROP_STREAM(stream);
}

Test(stream_channel, mpsc_gives_what_was_sent_waits_and_ends_when_closed)
{
    struct bench bench;
    bench_begin(&bench);
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    cr_assert_eq(edo_mpsc(&tx, &rx, 8), 0);
    struct edo_stream_mpsc place;
    STREAM_REF(int) stream = edo_stream_mpsc(&place, rx);
    int n = 0;
    for (int i = 1; i <= 3; i++)
        cr_assert_eq(edo_mpsc_try_send(tx, &i), 0);
    cr_assert_eq(edo_stream_size_hint(stream).lower, 3);
    for (int i = 1; i <= 3; i++) {
        cr_assert_eq(next_of(&bench, stream, &n), 1);
        cr_assert_eq(n, i);
    }
    cr_assert_eq(next_of(&bench, stream, &n), EDO_STREAM_PENDING);
    int wakes = bench.counter.wakes;
    cr_assert_eq(edo_mpsc_try_send(tx, &(int){4}), 0);
    cr_assert_eq(bench.counter.wakes, wakes + 1);
    edo_mpsc_sender_drop(tx);
    int other = 0;
    cr_assert_eq(next_of(&bench, stream, &other), 1, "into the place of this poll");
    cr_assert(n == 3 && other == 4);
    cr_assert_eq(next_of(&bench, stream, &n), 0);
    edo_mpsc_receiver_drop(rx);
    bench_end(&bench);
}

Test(stream_channel, a_dropped_stream_has_taken_nothing_and_the_receiver_goes_on)
{
    struct bench bench;
    bench_begin(&bench);
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    cr_assert_eq(edo_mpsc(&tx, &rx, 8), 0);
    struct edo_stream_mpsc place;
    STREAM_REF(int) stream = edo_stream_mpsc(&place, rx);
    int n;
    cr_assert_eq(next_of(&bench, stream, &n), EDO_STREAM_PENDING);
    cr_assert_eq(edo_mpsc_try_send(tx, &(int){1}), 0);
    drop_stream(&bench, stream);
    cr_assert_eq(edo_mpsc_try_recv(rx, &n), 0);
    cr_assert_eq(n, 1);
    edo_mpsc_sender_drop(tx);
    edo_mpsc_receiver_drop(rx);
    bench_end(&bench);
}

Test(stream_channel, async_channel_as_a_stream_for_each_of_its_receivers)
{
    struct bench bench;
    bench_begin(&bench);
    ASYNC_SENDER(int) tx;
    ASYNC_RECEIVER(int) rx;
    cr_assert_eq(edo_async_channel(&tx, &rx, 8), 0);
    ASYNC_RECEIVER(int) also = edo_async_receiver_clone(rx);
    struct edo_stream_async one_place, other_place;
    STREAM_REF(int) one = edo_stream_async(&one_place, rx);
    STREAM_REF(int) other = edo_stream_async(&other_place, also);
    int n, m;
    cr_assert_eq(next_of(&bench, one, &n), EDO_STREAM_PENDING);
    cr_assert_eq(next_of(&bench, other, &m), EDO_STREAM_PENDING);
    cr_assert_eq(edo_async_try_send(tx, &(int){1}), 0);
    cr_assert_eq(edo_async_try_send(tx, &(int){2}), 0);
    drop_stream(&bench, one);
    cr_assert_eq(next_of(&bench, other, &m), 1,
                 "what was promised to the dropped one is passed on");
    cr_assert_eq(edo_async_try_send(tx, &(int){3}), 0);
    edo_async_close(tx);
    cr_assert_eq(next_of(&bench, other, &n), 1);
    cr_assert(m + n == 3 && m != n);
    cr_assert_eq(next_of(&bench, other, &n), 1);
    cr_assert_eq(n, 3, "drained after close");
    cr_assert_eq(next_of(&bench, other, &n), 0);
    edo_async_sender_drop(tx);
    edo_async_receiver_drop(rx);
    edo_async_receiver_drop(also);
    bench_end(&bench);
}

Test(stream_channel, broadcast_tells_the_lag_and_goes_on)
{
    struct bench bench;
    bench_begin(&bench);
    BROADCAST_SENDER(int) tx;
    BROADCAST_RECEIVER(int) rx;
    cr_assert_eq(edo_broadcast(&tx, &rx, 2), 0);
    struct edo_stream_broadcast place;
    STREAM_REF(int) stream = edo_stream_broadcast(&place, rx);
    for (int i = 1; i <= 5; i++)
        cr_assert_eq(edo_broadcast_send(tx, &i), 1);
    int n;
    cr_assert_eq(next_of(&bench, stream, &n), EDO_ELAGGED);
    cr_assert_eq(place.recv.lagged, 3);
    cr_assert_eq(next_of(&bench, stream, &n), 1);
    cr_assert_eq(n, 4);
    edo_broadcast_sender_drop(tx);
    cr_assert_eq(next_of(&bench, stream, &n), 1);
    cr_assert_eq(n, 5);
    cr_assert_eq(next_of(&bench, stream, &n), 0);
    edo_broadcast_receiver_drop(rx);
    bench_end(&bench);
}

Test(stream_channel, watch_gives_the_present_value_and_then_the_changes)
{
    struct bench bench;
    bench_begin(&bench);
    WATCH_SENDER(int) tx;
    WATCH_RECEIVER(int) rx;
    cr_assert_eq(edo_watch(&tx, &rx, &(int){1}), 0);
    WATCH_RECEIVER(int) also = edo_watch_receiver_clone(rx);
    struct edo_stream_watch all_place, changes_place;
    STREAM_REF(int) all = edo_stream_watch(&all_place, rx);
    STREAM_REF(int) changes = edo_stream_watch_changes(&changes_place, also);
    int n = 0;
    cr_assert_eq(next_of(&bench, all, &n), 1);
    cr_assert_eq(n, 1);
    cr_assert_eq(next_of(&bench, all, &n), EDO_STREAM_PENDING);
    cr_assert_eq(next_of(&bench, changes, &n), EDO_STREAM_PENDING);
    for (int i = 2; i <= 4; i++)
        cr_assert_eq(edo_watch_send(tx, &i), 0);
    cr_assert_eq(next_of(&bench, changes, &n), 1);
    cr_assert_eq(n, 4, "the last only");
    edo_watch_sender_drop(tx);
    cr_assert_eq(next_of(&bench, all, &n), 1);
    cr_assert_eq(next_of(&bench, all, &n), 0);
    cr_assert_eq(next_of(&bench, changes, &n), 0);
    edo_watch_receiver_drop(rx);
    edo_watch_receiver_drop(also);
    bench_end(&bench);
}

/* Messages that own a count. */
static int owned;

static void drop_owned(int **message)
{
    owned--;
    free(*message);
}

static bool never(void *arg, int *const *message)
{
    (void)arg, (void)message;
    return false;
}

Test(stream_channel, what_a_filter_leaves_out_goes_to_the_channel_s_drop_hook)
{
    struct bench bench;
    bench_begin(&bench);
    ASYNC_SENDER(int *) tx;
    ASYNC_RECEIVER(int *) rx;
    cr_assert_eq(edo_async_channel_with(&tx, &rx, 8, drop_owned), 0);
    struct edo_stream_async place;
    struct edo_stream_filter filter;
    STREAM_REF(int *) stream = edo_stream_async(&place, rx);
    stream = edo_stream_filter(&filter, stream, never, NULL);
    for (int i = 0; i < 5; i++) {
        int *message = malloc(sizeof *message);
        owned++;
        cr_assert_eq(edo_async_try_send(tx, &message), 0);
    }
    edo_async_sender_drop(tx);
    int *message;
    struct edo_next next = edo_next(stream, &message);
    cr_assert_eq(RUN(next), 1);
    cr_assert_eq(next.output, 0);
    cr_assert_eq(owned, 0);
    edo_async_receiver_drop(rx);
    bench_end(&bench);
}

Test(stream_channel, a_lone_budget_is_shared_by_all_that_it_gives)
{
    struct bench bench;
    bench_begin(&bench);
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    cr_assert_eq(edo_mpsc(&tx, &rx, 8), 0);
    struct edo_stream_mpsc place;
    STREAM_REF(int) stream = edo_stream_mpsc(&place, rx);
    cr_assert_eq(edo_mpsc_try_send(tx, &(int){1}), 0);
    cr_assert_eq(edo_mpsc_try_send(tx, &(int){2}), 0);
    bench.cx.budget = 1;
    int n = 0;
    struct edo_next first = edo_next(stream, &n), second = edo_next(stream, &n);
    cr_assert_eq(POLL(first), EDO_READY);
    cr_assert_eq(POLL(second), EDO_PENDING);
    cr_assert_eq(n, 1);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(second), EDO_READY);
    cr_assert_eq(n, 2);
    drop_stream(&bench, stream);
    edo_mpsc_sender_drop(tx);
    edo_mpsc_receiver_drop(rx);
    bench_end(&bench);
}

/* The tour's subscriber: what is published, as a stream, filtered, cut and mapped. */
static bool of_one_digit(void *arg, const char *const *text)
{
    (void)arg;
    return (*text)[1] == '\0';
}

static void number_of(void *arg, const char **text, int *number)
{
    (void)arg;
    *number = atoi(*text);
}

static int numbers_received(bool filter_first)
{
    struct bench bench;
    bench_begin(&bench);
    BROADCAST_SENDER(const char *) tx;
    BROADCAST_RECEIVER(const char *) rx;
    cr_assert_eq(edo_broadcast(&tx, &rx, 8), 0);
    static const char *const published[] = {"1", "two", "3", "four", "five", "6"};
    for (int i = 0; i < 6; i++)
        cr_assert_eq(edo_broadcast_send(tx, &(const char *){published[i]}), 1);
    struct edo_stream_broadcast messages;
    struct edo_stream_filter filter;
    struct edo_stream_take take;
    struct edo_stream_map map;
    const char *text;
    STREAM_REF(const char *) texts = edo_stream_broadcast(&messages, rx);
    if (filter_first)
        texts = edo_stream_filter(&filter, texts, of_one_digit, NULL);
    texts = edo_stream_take(&take, texts, 3);
    if (!filter_first)
        texts = edo_stream_filter(&filter, texts, of_one_digit, NULL);
    STREAM_REF(int) numbers = edo_stream_map(&map, texts, &text, int, number_of, NULL);
    int n, all = 0;
    while (next_of(&bench, numbers, &n) == EDO_STREAM_ITEM)
        all = all * 10 + n;
    cr_assert_eq(edo_stream_error(numbers), 0);
    edo_broadcast_sender_drop(tx);
    edo_broadcast_receiver_drop(rx);
    bench_end(&bench);
    return all;
}

Test(stream_channel, the_order_of_adapters_matters)
{
    cr_assert_eq(numbers_received(true), 136, "three of those with one digit");
    cr_assert_eq(numbers_received(false), 13, "those with one digit of the first three");
}
