/* SPDX-License-Identifier: MIT */
/* streams/stream_buffered.h. */
#include "stream_harness.h"

#include "support/sweep.h"

/* ---- By script ---- */

/* Carries a parcel, waiting so many times as its number says. */
struct carry {
    FUTURE(struct parcel);
    struct parcel parcel;
    bool holds;
    struct leaf leaf;
};

static struct leaf_log leaves;
static int carried, most_carried; /* at once; those that are done, and wait for their turn, aside */

ASYNC(carry)
{
    ASYNC_BEGIN;
    AWAIT(self->leaf, LEAF(&leaves, self->parcel.n, 0));
    self->holds = false;
    RETURN(self->parcel);
ASYNC_FINALLY:
    carried--;
    if (self->holds)
        parcel_end(&self->parcel, DROPPED);
    ASYNC_END;
}

static void begin(void *arg, struct parcel *parcel, struct carry *carry)
{
    (void)arg;
    *carry = NEW(carry, .parcel = *parcel, .holds = true);
    if (++carried > most_carried)
        most_carried = carried;
}

static struct edo_stream_map map;
static struct parcel room;
static struct edo_stream_buffered buffered;
static size_t limit;
static bool ordered;

static parcels carry_all(parcels a, parcels b)
{
    (void)b;
    carried = most_carried = 0;
    STREAM_REF(struct carry) carries = edo_stream_map(&map, a, &room, struct carry, begin, NULL);
    parcels stream = ordered ? edo_stream_buffered(&buffered, carries, limit)
                             : edo_stream_buffer_unordered(&buffered, carries, limit);
    buffered.stream_.drop = parcel_drop;
    return stream;
}

static void check_both(size_t n, const char *source, const char *in_order, const char *as_they_come)
{
    limit = n;
    for (int i = 0; i < 2; i++) {
        ordered = i == 0;
        check(carry_all, source, NULL, ordered ? in_order : as_they_come);
        cr_assert_eq(carried, 0);
        cr_assert_leq(most_carried, (int)n);
    }
}

Test(stream_buffered, outputs_in_the_order_of_the_source_or_of_readiness)
{
    check_both(2, "", "|", "|");
    check_both(2, "000", "000|", "000|");
    check_both(2, "10", ".10|", "01|");
    check_both(3, "210", "..210|", "012|");
    check_both(8, "3012", "...3012|", "0.1.23|");
}

Test(stream_buffered, no_more_than_so_many_are_under_way)
{
    for (size_t n = 1; n <= 6; n++) {
        for (int i = 0; i < 2; i++) {
            limit = n;
            ordered = i == 0;
            struct bench bench;
            bench_begin(&bench);
            parcels stream = scripts_begin(carry_all, "11111111", NULL, script_exact);
            int items = 0;
            for (char letter; (letter = stream_step(&bench, stream)) != '|';) {
                items += letter == '1';
                cr_assert_leq(buffered.set.length, n);
            }
            cr_assert_eq(items, 8);
            cr_assert_eq(most_carried, (int)n, "%d at once, of %zu", most_carried, n);
            account_settle("so many");
            bench_end(&bench);
        }
    }
}

Test(stream_buffered, one_that_waits_for_its_turn_keeps_its_place)
{
    /* 1 and 2 are done while 9 is not: there is no room for 0. */
    check_both(3, "9120", ".........9120|", ".102......9|");
}

Test(stream_buffered, the_source_waits_while_futures_are_under_way)
{
    check_both(4, "2.1.0", "..210|", "..012|");
    check_both(4, "0..0..", "0.0.|", "0.0.|");
}

Test(stream_buffered, an_error_of_the_source_has_its_turn_among_the_outputs_or_passes_at_once)
{
    check_both(4, "!", "!|", "!|");
    check_both(4, "2!0", "..2!0|", "!0.2|");
    check_both(4, "21!!00", "..21!!00|", "!!0012|");
    check_both(4, "X", "X", "X");
    check_both(4, "10X", ".10X", "!01|");
    check_both(1, "1X", ".1X", ".1X");
}

Test(stream_buffered, an_end_after_which_there_may_be_more_passes_when_all_are_done)
{
    check_both(4, "-", "-|", "-|");
    check_both(4, "10-1", ".10-.1|", "01-.1|");
    check_both(1, "0-0", "0-0|", "0-0|");
}

Test(stream_buffered, with_room_for_none_it_is_an_error_and_the_source_is_dropped)
{
    for (int i = 0; i < 2; i++) {
        struct bench bench;
        bench_begin(&bench);
        limit = 0;
        ordered = i == 0;
        parcels stream = scripts_begin(carry_all, "12", NULL, script_exact);
        cr_assert_eq(edo_stream_size_hint(stream).upper, 0);
        struct parcel item;
        cr_assert_eq(edo_stream_poll(&buffered.stream_, &bench.cx, &item), UV_EINVAL);
        cr_assert_eq(account.ended, 1);
        cr_assert_eq(stream_step(&bench, stream), '|');
        account_settle("no room");
        bench_end(&bench);
    }
}

Test(stream_buffered, it_names_the_source_and_those_under_way)
{
    struct bench bench;
    bench_begin(&bench);
    for (int i = 0; i < 2; i++) {
        limit = 2;
        ordered = i == 0;
        parcels stream = scripts_begin(carry_all, ".12", NULL, NULL);
        cr_assert_eq(stream_step(&bench, stream), '.');
        edo_future_trace(&buffered.stream_.future_, &bench.cx);
        cr_assert_str_eq(bench.trace, ordered ? "edo_stream_buffered\n edo_stream_map\n  script\n"
                                              : "edo_stream_buffer_unordered\n edo_stream_map\n"
                                                "  script\n");
        bench.trace[0] = '\0';
        cr_assert_eq(stream_step(&bench, stream), '.');
        edo_future_trace(&buffered.stream_.future_, &bench.cx);
        cr_assert_not_null(strstr(bench.trace, ordered ? "\n edo_futures_ordered\n  carry"
                                                       : "\n edo_futures_unordered\n  carry"),
                           "%s", bench.trace);
        bench.trace[0] = '\0';
        edo_stream_drop_(&buffered.stream_, &bench.cx);
        account_settle("trace");
    }
    bench_end(&bench);
}

/* ---- Futures that are told when to be ready ---- */

struct latch {
    FUTURE(int);
    int id;
};

enum { LATCHES = 300 };
static struct {
    bool opened;
    struct edo_waker *waker;
    int polls, drops;
} states[LATCHES];

static enum edo_poll latch_poll(struct edo_future *future, struct edo_context *cx)
{
    struct latch *self = (struct latch *)future;
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "latch");
    states[self->id].polls += cx->walk == EDO_WALK_POLL;
    states[self->id].drops += cx->walk == EDO_WALK_DROP;
    if (states[self->id].waker != NULL)
        edo_waker_drop(states[self->id].waker);
    states[self->id].waker = NULL;
    if (cx->walk == EDO_WALK_DROP)
        return EDO_READY;
    if (!states[self->id].opened) {
        states[self->id].waker = edo_waker_clone(cx->waker);
        return EDO_PENDING;
    }
    self->output = self->id;
    return EDO_READY;
}

static void tell(int id)
{
    states[id].opened = true;
    if (states[id].waker != NULL)
        edo_wake(states[id].waker);
}

/* A channel of them, as a stream. */
struct offers {
    MPSC_SENDER(struct latch) tx;
    MPSC_RECEIVER(struct latch) rx;
    struct edo_stream_mpsc source;
    struct edo_stream_buffered buffered;
    STREAM_REF(int) stream;
};

static void offers_begin(struct offers *offers, size_t n, bool in_order)
{
    memset(states, 0, sizeof states);
    cr_assert_eq(edo_mpsc(&offers->tx, &offers->rx, LATCHES), 0);
    offers->stream =
        in_order ? edo_stream_buffered(&offers->buffered,
                                       edo_stream_mpsc(&offers->source, offers->rx), n)
                 : edo_stream_buffer_unordered(&offers->buffered,
                                               edo_stream_mpsc(&offers->source, offers->rx), n);
}

static void offer(struct offers *offers, int id)
{
    cr_assert_eq(edo_mpsc_try_send(offers->tx, &NEW(latch, .id = id)), 0);
}

static int offers_poll(struct offers *offers, struct bench *bench)
{
    int n = -1;
    bench->cx.budget = EDO_BUDGET;
    int output = edo_stream_poll(&offers->buffered.stream_, &bench->cx, &n);
    return output == EDO_STREAM_ITEM ? n : output == EDO_STREAM_END ? -1 : -2;
}

static void offers_end(struct offers *offers, struct bench *bench)
{
    edo_stream_drop_(&offers->buffered.stream_, &bench->cx);
    edo_mpsc_sender_drop(offers->tx);
    edo_mpsc_receiver_drop(offers->rx);
}

Test(stream_buffered, one_that_is_woken_alone_is_polled_alone)
{
    for (int i = 0; i < 2; i++) {
        struct bench bench;
        bench_begin(&bench);
        struct offers offers;
        offers_begin(&offers, 50, i == 0);
        for (int id = 0; id < 60; id++)
            offer(&offers, id);
        cr_assert_eq(offers_poll(&offers, &bench), -2);
        for (int id = 0; id < 60; id++)
            cr_assert_eq(states[id].polls, id < 50);
        for (int wake = 1; wake <= 3; wake++) {
            edo_wake(states[7].waker);
            cr_assert_eq(bench.counter.wakes, wake);
            cr_assert_eq(offers_poll(&offers, &bench), -2);
        }
        tell(0);
        cr_assert_eq(offers_poll(&offers, &bench), 0);
        cr_assert_eq(offers_poll(&offers, &bench), -2, "one has come in its place");
        for (int id = 0; id < 60; id++)
            cr_assert_eq(states[id].polls, id == 7 ? 4 : id == 0 ? 2 : id <= 50, "%d", id);
        offers_end(&offers, &bench);
        for (int id = 0; id < 60; id++)
            cr_assert_eq(states[id].drops, id > 0 && id <= 50);
        bench_end(&bench);
    }
}

Test(stream_buffered, woken_by_the_source_alone_only_the_new_one_is_polled)
{
    for (int i = 0; i < 2; i++) {
        struct bench bench;
        bench_begin(&bench);
        struct offers offers;
        offers_begin(&offers, 3, i == 0);
        cr_assert_eq(offers_poll(&offers, &bench), -2);
        offer(&offers, 0);
        cr_assert_eq(bench.counter.wakes, 1);
        cr_assert_eq(offers_poll(&offers, &bench), -2);
        offer(&offers, 1);
        cr_assert_eq(bench.counter.wakes, 2);
        cr_assert_eq(offers_poll(&offers, &bench), -2);
        cr_assert(states[0].polls == 1 && states[1].polls == 1);
        tell(1);
        cr_assert_eq(bench.counter.wakes, 3);
        cr_assert_eq(offers_poll(&offers, &bench), i == 0 ? -2 : 1);
        edo_mpsc_sender_drop(offers.tx);
        offers.tx = NULL;
        cr_assert_eq(offers_poll(&offers, &bench), -2, "the source has ended first");
        tell(0);
        cr_assert_eq(offers_poll(&offers, &bench), 0);
        if (i == 0)
            cr_assert_eq(offers_poll(&offers, &bench), 1);
        cr_assert_eq(offers_poll(&offers, &bench), -1);
        offers_end(&offers, &bench);
        bench_end(&bench);
    }
}

Test(stream_buffered,
     without_memory_it_makes_do_with_those_under_way_and_takes_none_that_has_no_place)
{
    for (int i = 0; i < 2; i++) {
        struct bench bench;
        bench_begin(&bench);
        struct offers offers;
        offers_begin(&offers, 10, i == 0);
        for (int id = 0; id < 3; id++)
            offer(&offers, id);
        int n;
        edo_alloc_fail(1, true);
        for (int again = 0; again < 2; again++)
            cr_assert_eq(edo_stream_poll(&offers.buffered.stream_, &bench.cx, &n), UV_ENOMEM);
        cr_assert(edo_alloc_fail(0, false));
        cr_assert_eq(edo_mpsc_len(offers.rx), 3);
        /* The set's own, the first; not the second. */
        edo_alloc_fail(3, true);
        cr_assert_eq(offers_poll(&offers, &bench), -2);
        cr_assert(states[0].polls == 1 && states[1].polls == 0);
        tell(0);
        cr_assert_eq(offers_poll(&offers, &bench), 0);
        cr_assert_eq(edo_mpsc_len(offers.rx), 2);
        cr_assert(edo_alloc_fail(0, false));
        tell(1);
        tell(2);
        cr_assert_eq(offers_poll(&offers, &bench), 1);
        cr_assert_eq(offers_poll(&offers, &bench), 2);
        offers_end(&offers, &bench);
        bench_end(&bench);
    }
}

/* Latches without end, which take nothing from the budget. */
struct endless_latches {
    STREAM(struct latch);
};

static enum edo_poll endless_latches_poll(struct edo_future *future, struct edo_context *cx)
{
    struct endless_latches *self = (struct endless_latches *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "endless_latches");
    EDO_ITEM(self) = NEW(latch, .id = 0);
    return edo_stream_item(&self->stream_);
}

Test(stream_buffered, a_source_that_never_waits_takes_turns_with_what_is_under_way)
{
    for (int i = 0; i < 2; i++) {
        struct bench bench;
        bench_begin(&bench);
        memset(states, 0, sizeof states);
        tell(0);
        struct endless_latches source = NEW(endless_latches);
        struct edo_stream_buffered place;
        if (i == 0)
            edo_stream_buffered(&place, edo_stream_ref(&source), SIZE_MAX);
        else
            edo_stream_buffer_unordered(&place, edo_stream_ref(&source), SIZE_MAX);
        int n, items = 0;
        for (int task_polls = 0; task_polls < 20; task_polls++) {
            bench.cx.budget = EDO_BUDGET;
            int wakes = bench.counter.wakes;
            while (edo_stream_poll(&place.stream_, &bench.cx, &n) == EDO_STREAM_ITEM)
                items++;
            cr_assert_gt(bench.counter.wakes, wakes);
        }
        cr_assert_geq(items, 19);
        edo_stream_drop_(&place.stream_, &bench.cx);
        bench_end(&bench);
    }
}

/* ---- In a runtime ---- */

struct naps {
    FUTURE(int);
    int ms;
    struct edo_sleep sleep;
};

ASYNC(naps)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep((uint64_t)self->ms));
    RETURN(self->ms);
    ASYNC_END;
}

static void nap(void *arg, int *ms, struct naps *naps)
{
    (void)arg;
    *naps = NEW(naps, .ms = *ms);
}

struct sleeper {
    FUTURE(int);
    bool ordered;
    const int *naps;
    struct edo_stream_iter iter;
    struct edo_stream_map map;
    struct edo_stream_buffered buffered;
    STREAM_REF(struct naps) all;
    STREAM_REF(int) stream;
    int room, n, count, *order;
    uint64_t start;
};

ASYNC(sleeper)
{
    ASYNC_BEGIN;
    self->all = edo_stream_map(&self->map, edo_stream_iter(&self->iter, self->naps, 6), &self->room,
                               struct naps, nap, NULL);
    self->stream = self->ordered ? edo_stream_buffered(&self->buffered, self->all, 2)
                                 : edo_stream_buffer_unordered(&self->buffered, self->all, 2);
    self->start = edo_now();
    FOR_AWAIT(self->n, self->stream)
        self->order[self->count++] = self->n;
    RETURN((int)((edo_now() - self->start) / 1000000));
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(stream_buffered, time_is_that_of_so_many_at_once)
{
    static const int naps[] = {30, 10, 10, 10, 20, 5};
    static const int in_order[] = {30, 10, 10, 10, 20, 5}, as_they_come[] = {10, 10, 30, 10, 5, 20};
    for (int i = 0; i < 2; i++) {
        struct edo_runtime *runtime;
        cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
        int order[6];
        struct sleeper sleeper = NEW(sleeper, .ordered = i == 0, .naps = naps, .order = order);
        cr_assert_eq(edo_block_on(runtime, &sleeper), 0);
        /* In order: 30 | 10 and 10, 10 | 20 and 5. As they come: 30 beside 10, 10, 10; 20 beside 5. */
        cr_assert_eq(sleeper.output, i == 0 ? 60 : 50, "%d ms", sleeper.output);
        for (int n = 0; n < 6; n++)
            cr_assert_eq(order[n], (i == 0 ? in_order : as_they_come)[n], "%d is %d", n, order[n]);
        edo_runtime_drop(runtime);
    }
}

Test(stream_buffered, cancelled_at_every_await)
{
    static const int naps[] = {30, 10, 0, 10, 20, 5};
    static int order[6];
    SWEEP(NEW(sleeper, .ordered = true, .naps = naps, .order = order));
    SWEEP(NEW(sleeper, .naps = naps, .order = order));
}
