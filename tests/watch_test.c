/* SPDX-License-Identifier: MIT */
#include "hostile_waker.h"

#include <pthread.h>

#include "edo.h"
#include "pursue.h"
#include "support/runtimes.h"

struct channel {
    WATCH_SENDER(int) tx;
    WATCH_RECEIVER(int) rx;
};

static struct channel channel(int initial)
{
    struct channel c;
    cr_assert_eq(edo_watch(&c.tx, &c.rx, &initial), 0);
    return c;
}

static void done(struct channel *c)
{
    edo_watch_sender_drop(c->tx);
    edo_watch_receiver_drop(c->rx);
}

static int send_now(struct channel *c, int value)
{
    return edo_watch_send(c->tx, &value);
}

static int look(WATCH_RECEIVER(int) rx, bool update)
{
    const int *value = update ? edo_watch_borrow_and_update(rx) : edo_watch_borrow(rx);
    int seen = *value;
    edo_watch_release(rx, value);
    return seen;
}

Test(watch, only_the_last_value_and_changed_reports_one_not_seen)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    struct edo_watch_changed changed = edo_watch_changed(c.rx);
    cr_assert_eq(POLL(changed), EDO_PENDING, "the first has been seen");
    cr_assert_eq(send_now(&c, 2), 0);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(send_now(&c, 3), 0);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(changed), EDO_READY);
    cr_assert_eq(changed.output, 0);
    cr_assert_eq(look(c.rx, false), 3);
    cr_assert_eq(edo_watch_has_changed(c.rx), 0);
    changed = edo_watch_changed(c.rx);
    cr_assert_eq(POLL(changed), EDO_PENDING);
    DROP_IT(changed);
    cr_assert_eq(send_now(&c, 4), 0);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(edo_watch_has_changed(c.rx), 1, "dropped, it has seen nothing");
    done(&c);
    bench_end(&bench);
}

Test(watch, borrow_does_not_mark_and_borrow_and_update_does)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    send_now(&c, 2);
    cr_assert_eq(look(c.rx, false), 2);
    cr_assert_eq(edo_watch_has_changed(c.rx), 1);
    cr_assert_eq(look(c.rx, true), 2);
    cr_assert_eq(edo_watch_has_changed(c.rx), 0);
    edo_watch_mark_changed(c.rx);
    cr_assert_eq(edo_watch_has_changed(c.rx), 1);
    edo_watch_mark_unchanged(c.rx);
    cr_assert_eq(edo_watch_has_changed(c.rx), 0);
    send_now(&c, 3);
    int value = 0;
    edo_watch_get(c.rx, &value);
    cr_assert(value == 3 && edo_watch_has_changed(c.rx) == 0);
    done(&c);
    bench_end(&bench);
}

Test(watch, a_borrowed_value_stays_as_it_is)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    const int *first = edo_watch_borrow(c.rx);
    const int *again = edo_watch_sender_borrow(c.tx);
    cr_assert_eq(first, again);
    edo_watch_sender_release(c.tx, again);
    cr_assert_eq(send_now(&c, 2), 0);
    cr_assert_eq(*first, 1);
    cr_assert_eq(look(c.rx, true), 2);
    edo_watch_release(c.rx, first);
    done(&c);
    bench_end(&bench);
}

Test(watch, changed_errs_after_the_last_sender_once_the_last_was_seen)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    WATCH_SENDER(int) other = edo_watch_sender_clone(c.tx);
    cr_assert_eq(edo_watch_sender_count(c.tx), 2);
    edo_watch_sender_drop(other);
    send_now(&c, 2);
    edo_watch_sender_drop(c.tx);
    cr_assert_eq(edo_watch_has_changed(c.rx), 1);
    struct edo_watch_changed changed = edo_watch_changed(c.rx);
    cr_assert_eq(POLL(changed), EDO_READY);
    cr_assert_eq(changed.output, 0);
    changed = edo_watch_changed(c.rx);
    cr_assert_eq(POLL(changed), EDO_READY);
    cr_assert_eq(changed.output, EDO_ECLOSED);
    cr_assert_eq(edo_watch_has_changed(c.rx), EDO_ECLOSED);
    cr_assert_eq(look(c.rx, true), 2);
    edo_watch_receiver_drop(c.rx);

    c = channel(1);
    changed = edo_watch_changed(c.rx);
    cr_assert_eq(POLL(changed), EDO_PENDING);
    edo_watch_sender_drop(c.tx);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(changed), EDO_READY);
    cr_assert_eq(changed.output, EDO_ECLOSED);
    edo_watch_receiver_drop(c.rx);
    bench_end(&bench);
}

static bool adds_if_even(int *value, void *arg)
{
    if (*value % 2 != 0)
        return false;
    *value += *(int *)arg;
    return true;
}

static void doubles(int *value, void *arg)
{
    (void)arg;
    *value *= 2;
}

Test(watch, send_if_modified_false_wakes_nobody)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(3);
    struct edo_watch_changed changed = edo_watch_changed(c.rx);
    cr_assert_eq(POLL(changed), EDO_PENDING);
    int n = 1;
    cr_assert_eq(edo_watch_send_if_modified(c.tx, adds_if_even, &n), 0);
    cr_assert_eq(bench.counter.wakes, 0);
    cr_assert_eq(edo_watch_send_modify(c.tx, doubles, NULL), 0);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(changed), EDO_READY);
    cr_assert_eq(edo_watch_send_if_modified(c.tx, adds_if_even, &n), 1);
    cr_assert_eq(look(c.rx, true), 7);
    edo_watch_receiver_drop(c.rx);
    cr_assert_eq(edo_watch_send_modify(c.tx, doubles, NULL), 0, "without receivers too");
    c.rx = edo_watch_subscribe(c.tx);
    cr_assert_eq(edo_watch_has_changed(c.rx), 0);
    cr_assert_eq(look(c.rx, true), 14);
    done(&c);
    bench_end(&bench);
}

Test(watch, without_receivers_send_fails_and_replace_stores)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    edo_watch_receiver_drop(c.rx);
    cr_assert(edo_watch_is_closed(c.tx));
    cr_assert_eq(send_now(&c, 2), EDO_ECLOSED);
    int value = 3, old = 0;
    cr_assert_eq(edo_watch_send_replace(c.tx, &value, &old), 0);
    cr_assert_eq(old, 1);
    c.rx = edo_watch_subscribe(c.tx);
    cr_assert_eq(look(c.rx, false), 3);
    const int *borrowed = edo_watch_borrow(c.rx);
    value = 4;
    cr_assert_eq(edo_watch_send_replace(c.tx, &value, &old), 0);
    cr_assert(old == 3 && *borrowed == 3);
    edo_watch_release(c.rx, borrowed);
    done(&c);
    bench_end(&bench);
}

static int asked;

static bool at_least(const int *value, void *arg)
{
    asked++;
    return *value >= *(int *)arg;
}

Test(watch, wait_for_looks_at_the_present_value_first)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(5);
    int least = 5, value = 0;
    asked = 0;
    struct edo_watch_wait_for wait = edo_watch_wait_for(c.rx, at_least, &least, &value);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert(wait.output == 0 && value == 5 && asked == 1);
    least = 8;
    wait = edo_watch_wait_for(c.rx, at_least, &least, &value);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(asked, 2);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(asked, 2, "once for each value");
    send_now(&c, 7);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(edo_watch_has_changed(c.rx), 0, "not wanted, but seen");
    send_now(&c, 9);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert(value == 9 && asked == 4 && edo_watch_has_changed(c.rx) == 0);
    least = 10;
    wait = edo_watch_wait_for(c.rx, at_least, &least, &value);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    DROP_IT(wait);
    wait = edo_watch_wait_for(c.rx, at_least, &least, &value);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    edo_watch_sender_drop(c.tx);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert_eq(wait.output, EDO_ECLOSED);
    cr_assert_eq(edo_watch_has_changed(c.rx), EDO_ECLOSED, "the last was seen");
    edo_watch_receiver_drop(c.rx);
    bench_end(&bench);
}

/* Sends while it is asked. */
static bool never(const int *value, void *tx)
{
    asked++;
    int next = *value + 1;
    cr_assert_eq(edo_watch_send((WATCH_SENDER(int))tx, &next), 0);
    return false;
}

Test(watch, wait_for_gives_way_when_values_come_as_fast_as_it_asks, .timeout = 60)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(0);
    int value;
    asked = 0;
    struct edo_watch_wait_for wait = edo_watch_wait_for(c.rx, never, (void *)c.tx, &value);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(asked, EDO_BUDGET);
    cr_assert_eq(bench.counter.wakes, 1);
    DROP_IT(wait);
    done(&c);
    bench_end(&bench);
}

Test(watch, receivers_see_each_for_itself_and_all_are_woken)
{
    enum { MANY = 70 };
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(0);
    WATCH_RECEIVER(int) rx[MANY];
    struct edo_watch_changed changed[MANY];
    for (int i = 0; i < MANY; i++) {
        rx[i] = edo_watch_receiver_clone(c.rx);
        changed[i] = edo_watch_changed(rx[i]);
        cr_assert_eq(POLL(changed[i]), EDO_PENDING);
    }
    cr_assert_eq(edo_watch_receiver_count(c.tx), MANY + 1);
    struct channel other = channel(0);
    cr_assert(edo_watch_same_channel(rx[0], rx[1]) && edo_watch_same_channel(c.tx, rx[1]));
    cr_assert_not(edo_watch_same_channel(c.tx, other.tx) || edo_watch_same_channel(c.rx, other.rx));
    done(&other);
    send_now(&c, 1);
    cr_assert_eq(bench.counter.wakes, MANY);
    for (int i = 0; i < MANY; i++) {
        bench.cx.budget = EDO_BUDGET;
        if (i % 2 == 0)
            DROP_IT(changed[i]);
        else
            cr_assert_eq(POLL(changed[i]), EDO_READY);
        cr_assert_eq(edo_watch_has_changed(rx[i]), i % 2 == 0);
        edo_watch_receiver_drop(rx[i]);
    }
    done(&c);
    bench_end(&bench);
}

Test(watch, closed_is_ready_when_the_last_receiver_goes)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(0);
    struct edo_watch_closed closed = edo_watch_closed(c.tx), dropped = edo_watch_closed(c.tx);
    cr_assert_eq(POLL(closed), EDO_PENDING);
    cr_assert_eq(POLL(dropped), EDO_PENDING);
    DROP_IT(dropped);
    edo_watch_receiver_drop(c.rx);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(closed), EDO_READY);
    edo_watch_sender_drop(c.tx);
    bench_end(&bench);
}

/* Each future dropped before its first poll, while it waits, and when it was woken. */
Test(watch, a_future_dropped_at_any_time_leaves_nothing_behind)
{
    struct bench bench;
    bench_begin(&bench);
    for (int state = 0; state < 3; state++) { /* never polled, waiting, woken */
        struct channel c = channel(1);
        int least = 2, value = 0;
        struct edo_watch_changed changed = edo_watch_changed(c.rx);
        struct edo_watch_wait_for wait = edo_watch_wait_for(c.rx, at_least, &least, &value);
        struct edo_watch_closed closed = edo_watch_closed(c.tx);
        bench.counter.wakes = 0;
        if (state > 0) {
            cr_assert_eq(POLL(wait), EDO_PENDING);
            cr_assert_eq(POLL(closed), EDO_PENDING);
            cr_assert_eq(POLL(changed), EDO_PENDING);
        }
        if (state < 2) {
            DROP_IT(changed);
            DROP_IT(wait);
        }
        cr_assert_eq(send_now(&c, 2), 0);
        cr_assert_eq(bench.counter.wakes, state == 2 ? 2 : 0);
        if (state == 2) {
            DROP_IT(changed);
            DROP_IT(wait);
        }
        cr_assert(value == 0 && edo_watch_has_changed(c.rx) == 1, "it has seen nothing");
        if (state < 2)
            DROP_IT(closed);
        bench.counter.wakes = 0;
        edo_watch_receiver_drop(c.rx);
        cr_assert_eq(bench.counter.wakes, state == 2);
        if (state == 2)
            DROP_IT(closed);
        edo_watch_sender_drop(c.tx);
    }
    bench_end(&bench);
}

Test(watch, a_waker_is_replaced_by_that_of_the_last_poll)
{
    struct bench bench, other;
    bench_begin(&bench);
    bench_begin(&other);
    struct channel c = channel(1);
    int least = 2, value = 0;
    struct edo_watch_changed changed = edo_watch_changed(c.rx);
    struct edo_watch_wait_for wait = edo_watch_wait_for(c.rx, at_least, &least, &value);
    struct edo_watch_closed closed = edo_watch_closed(c.tx);
    struct edo_future *futures[] = {&changed.future_, &wait.future_, &closed.future_};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(edo_future_poll(futures[i], &bench.cx), EDO_PENDING);
        cr_assert_eq(edo_future_poll(futures[i], &other.cx), EDO_PENDING);
    }
    send_now(&c, 2);
    cr_assert(bench.counter.wakes == 0 && other.counter.wakes == 2);
    cr_assert_eq(POLL(changed), EDO_READY);
    cr_assert_eq(POLL(wait), EDO_READY);
    edo_watch_receiver_drop(c.rx);
    cr_assert(bench.counter.wakes == 0 && other.counter.wakes == 3);
    cr_assert_eq(POLL(closed), EDO_READY);
    edo_watch_sender_drop(c.tx);
    bench_end(&bench);
}

Test(watch, each_change_takes_from_the_budget_and_gives_way_without)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    send_now(&c, 2);
    int least = 2, value = 0;
    struct edo_watch_wait_for wait = edo_watch_wait_for(c.rx, at_least, &least, &value);
    struct edo_watch_changed changed = edo_watch_changed(c.rx);
    bench.cx.budget = 0;
    cr_assert_eq(POLL(changed), EDO_PENDING);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 2);
    cr_assert_eq(edo_watch_has_changed(c.rx), 1);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(changed), EDO_READY);
    cr_assert_eq(bench.cx.budget, 0);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert(value == 2 && bench.cx.budget == 0);
    done(&c);
    bench_end(&bench);
}

Test(watch, the_futures_say_their_names)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    int least = 2, value;
    struct edo_watch_changed changed = edo_watch_changed(c.rx);
    struct edo_watch_wait_for wait = edo_watch_wait_for(c.rx, at_least, &least, &value);
    struct edo_watch_closed closed = edo_watch_closed(c.tx);
    edo_future_trace(&changed.future_, &bench.cx);
    edo_future_trace(&wait.future_, &bench.cx);
    edo_future_trace(&closed.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_watch_changed\nedo_watch_wait_for\nedo_watch_closed\n");
    done(&c);
    bench_end(&bench);
}

Test(watch, values_of_no_size_of_one_byte_and_of_a_page)
{
    struct bench bench;
    bench_begin(&bench);
    struct nothing {
    } nothing;
    static struct page {
        char bytes[4096];
    } page, got;
    char byte = 0, got_byte;
    WATCH_SENDER(struct nothing) ntx;
    WATCH_RECEIVER(struct nothing) nrx;
    WATCH_SENDER(char) btx;
    WATCH_RECEIVER(char) brx;
    WATCH_SENDER(struct page) ptx;
    WATCH_RECEIVER(struct page) prx;
    cr_assert_eq(edo_watch(&ntx, &nrx, &nothing), 0);
    cr_assert_eq(edo_watch(&btx, &brx, &byte), 0);
    cr_assert_eq(edo_watch(&ptx, &prx, &page), 0);
    for (int round = 1; round < 100; round++) {
        const struct page *borrowed = edo_watch_borrow(prx);
        byte = (char)round;
        memset(&page, byte, sizeof page);
        cr_assert_eq(edo_watch_send(ntx, &nothing), 0);
        cr_assert_eq(edo_watch_send(btx, &byte), 0);
        cr_assert_eq(edo_watch_send(ptx, &page), 0);
        cr_assert(borrowed->bytes[0] == (char)(round - 1) && borrowed->bytes[4095] == round - 1);
        edo_watch_release(prx, borrowed);
        cr_assert_eq(edo_watch_has_changed(nrx), 1);
        edo_watch_get(nrx, &nothing);
        edo_watch_get(brx, &got_byte);
        edo_watch_get(prx, &got);
        cr_assert_eq(edo_watch_has_changed(nrx), 0);
        cr_assert(got_byte == byte && got.bytes[0] == byte && got.bytes[4095] == byte);
    }
    edo_watch_sender_drop(ntx);
    edo_watch_receiver_drop(nrx);
    edo_watch_sender_drop(btx);
    edo_watch_receiver_drop(brx);
    edo_watch_sender_drop(ptx);
    edo_watch_receiver_drop(prx);
    bench_end(&bench);
}

/* Wakers, and what senders and receivers are given to call, that call back. */
static struct {
    struct channel c;
    struct edo_watch_changed changed;
    struct edo_watch_wait_for wait;
    struct edo_watch_closed closed;
    int least, got;
} rigged;

/* Takes the lock, as long as there is a channel. */
static void counts(void)
{
    if (rigged.c.tx != NULL)
        edo_watch_receiver_count(rigged.c.tx);
    else if (rigged.c.rx != NULL)
        look(rigged.c.rx, false);
}

static void rigged_begin(struct bench *bench)
{
    hostile_begin(bench, &hostile_foreign, counts);
    memset(&rigged, 0, sizeof rigged);
    rigged.c = channel(1);
    rigged.least = 5;
    rigged.changed = edo_watch_changed(rigged.c.rx);
    rigged.wait = edo_watch_wait_for(rigged.c.rx, at_least, &rigged.least, &rigged.got);
    rigged.closed = edo_watch_closed(rigged.c.tx);
}

static void rigged_end(struct bench *bench)
{
    hostile.always = NULL;
    done(&rigged.c);
    hostile_end(bench);
}

static void sends(void)
{
    cr_assert_eq(send_now(&rigged.c, 8), 0);
}

static void drops_sender(void)
{
    __typeof__(rigged.c.tx) tx = rigged.c.tx;
    rigged.c.tx = NULL;
    edo_watch_sender_drop(tx);
}

static void drops_receiver(void)
{
    __typeof__(rigged.c.rx) rx = rigged.c.rx;
    rigged.c.rx = NULL;
    edo_watch_receiver_drop(rx);
}

static void sees_and_goes(void)
{
    cr_assert_eq(edo_future_poll(&rigged.changed.future_, &hostile.bench->cx), EDO_READY);
    drops_receiver();
}

static void closed_ends_and_sender_goes(void)
{
    cr_assert_eq(edo_future_poll(&rigged.closed.future_, &hostile.bench->cx), EDO_READY);
    drops_sender();
}

Test(watch, no_lock_is_held_while_a_waker_runs_and_each_clone_is_dropped)
{
    struct bench bench;
    rigged_begin(&bench);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    struct edo_future *futures[] = {&rigged.changed.future_, &rigged.wait.future_,
                                    &rigged.closed.future_};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(edo_future_poll(futures[i], &bench.cx), EDO_PENDING);
        cr_assert_eq(edo_future_poll(futures[i], &second), EDO_PENDING);
    }
    sends();
    cr_assert_eq(other.wakes, 2);
    cr_assert_eq(POLL(rigged.changed), EDO_READY);
    cr_assert_eq(POLL(rigged.wait), EDO_READY);
    cr_assert_eq(rigged.got, 8);
    rigged.changed = edo_watch_changed(rigged.c.rx);
    rigged.least = 99;
    rigged.wait = edo_watch_wait_for(rigged.c.rx, at_least, &rigged.least, &rigged.got);
    struct edo_watch_closed given_up = edo_watch_closed(rigged.c.tx);
    cr_assert_eq(POLL(rigged.changed), EDO_PENDING);
    cr_assert_eq(POLL(rigged.wait), EDO_PENDING);
    cr_assert_eq(POLL(given_up), EDO_PENDING);
    DROP_IT(rigged.changed);
    DROP_IT(rigged.wait);
    DROP_IT(given_up);
    drops_receiver();
    cr_assert_eq(other.wakes, 3);
    cr_assert_eq(POLL(rigged.closed), EDO_READY);
    cr_assert_eq(other.clones, other.drops);
    rigged_end(&bench);
}

Test(watch, a_clone_that_sends_or_ends_it_is_not_missed)
{
    struct bench bench;
    rigged_begin(&bench);
    hostile.in_clone.act = sends;
    cr_assert_eq(POLL(rigged.changed), EDO_READY);
    cr_assert_eq(rigged.changed.output, 0);
    rigged.changed = edo_watch_changed(rigged.c.rx);
    hostile.in_clone.act = drops_sender;
    cr_assert_eq(POLL(rigged.changed), EDO_READY);
    cr_assert_eq(rigged.changed.output, EDO_ECLOSED);
    rigged_end(&bench);

    rigged_begin(&bench);
    hostile.in_clone = HOSTILE_AFTER(1, sends); /* when it has asked about the first value */
    cr_assert_eq(POLL(rigged.wait), EDO_READY);
    cr_assert_eq(rigged.got, 8);
    rigged.least = 99;
    rigged.wait = edo_watch_wait_for(rigged.c.rx, at_least, &rigged.least, &rigged.got);
    hostile.in_clone.act = drops_sender;
    cr_assert_eq(POLL(rigged.wait), EDO_READY);
    cr_assert_eq(rigged.wait.output, EDO_ECLOSED);
    rigged_end(&bench);

    rigged_begin(&bench);
    hostile.in_clone.act = drops_receiver;
    cr_assert_eq(POLL(rigged.closed), EDO_READY);
    rigged_end(&bench);
}

Test(watch, a_wake_that_ends_everything)
{
    struct bench bench;
    rigged_begin(&bench);
    cr_assert_eq(POLL(rigged.changed), EDO_PENDING);
    hostile.in_wake.act = sees_and_goes;
    sends();
    cr_assert_eq(rigged.changed.output, 0);
    rigged_end(&bench);

    rigged_begin(&bench);
    cr_assert_eq(POLL(rigged.changed), EDO_PENDING);
    const int *borrowed = edo_watch_sender_borrow(rigged.c.tx); /* so that it is not written over */
    hostile.in_wake.act = sees_and_goes;
    sends();
    cr_assert_eq(*borrowed, 1);
    edo_watch_sender_release(rigged.c.tx, borrowed);
    rigged_end(&bench);

    rigged_begin(&bench);
    cr_assert_eq(POLL(rigged.changed), EDO_PENDING);
    hostile.in_wake.act = sees_and_goes;
    drops_sender();
    cr_assert_eq(rigged.changed.output, EDO_ECLOSED);
    rigged_end(&bench);

    rigged_begin(&bench);
    cr_assert_eq(POLL(rigged.closed), EDO_PENDING);
    hostile.in_wake.act = closed_ends_and_sender_goes;
    drops_receiver();
    rigged_end(&bench);
}

/* More wait than are woken at once. While the first are, one of them waits anew, one of the others
 * polls, one is dropped, one comes. */
enum { CROWD = 80 };
static WATCH_RECEIVER(int) crowd_rx[CROWD + 1];
static struct edo_watch_changed crowd[CROWD + 1];
static struct counter quiet = {.waker = {&counter_stable}};

static void waits(int i, struct edo_context *cx)
{
    crowd[i] = edo_watch_changed(crowd_rx[i]);
    cr_assert_eq(edo_future_poll(&crowd[i].future_, cx), EDO_PENDING);
}

static void meddles(void)
{
    struct edo_context cx;
    edo_context_init(&cx, &quiet.waker);
    cr_assert_eq(edo_future_poll(&crowd[0].future_, &cx), EDO_READY);
    waits(0, &cx);
    cr_assert_eq(edo_future_poll(&crowd[CROWD - 1].future_, &cx), EDO_READY);
    edo_future_drop(&crowd[CROWD - 2].future_, &cx);
    crowd_rx[CROWD] = edo_watch_subscribe(rigged.c.tx);
    waits(CROWD, &cx);
}

Test(watch, they_come_and_go_while_the_others_are_woken)
{
    struct bench bench;
    rigged_begin(&bench);
    quiet.wakes = 0;
    for (int i = 0; i < CROWD; i++) {
        crowd_rx[i] = edo_watch_receiver_clone(rigged.c.rx);
        waits(i, &bench.cx);
    }
    hostile.in_wake.act = meddles;
    sends();
    cr_assert_eq(bench.counter.wakes, CROWD - 2);
    cr_assert_eq(quiet.wakes, 0, "those who came were not meant");
    for (int i = 1; i < CROWD - 2; i++)
        cr_assert_eq(POLL(crowd[i]), EDO_READY);
    cr_assert_eq(edo_watch_has_changed(crowd_rx[CROWD - 2]), 1, "dropped, it has seen nothing");
    sends();
    cr_assert_eq(quiet.wakes, 2);
    DROP_IT(crowd[0]);
    DROP_IT(crowd[CROWD]);
    for (int i = 0; i <= CROWD; i++)
        edo_watch_receiver_drop(crowd_rx[i]);
    rigged_end(&bench);
}

static bool asks_and_sends(const int *value, void *arg)
{
    ++*(int *)arg;
    if (*value < 3)
        cr_assert_eq(send_now(&rigged.c, *value + 1), 0);
    return *value == 3;
}

static int modifications;

static void modifies_and_sends(int *value, void *arg)
{
    if (modifications++ == 0)
        cr_assert_eq(send_now(&rigged.c, 100), 0);
    *value += *(int *)arg;
}

static bool modifies_if_and_sends(int *value, void *arg)
{
    modifies_and_sends(value, arg);
    return true;
}

Test(watch, what_is_called_may_send)
{
    struct bench bench;
    rigged_begin(&bench);
    int asks = 0, n = 1;
    rigged.wait = edo_watch_wait_for(rigged.c.rx, asks_and_sends, &asks, &rigged.got);
    cr_assert_eq(POLL(rigged.wait), EDO_READY);
    cr_assert(asks == 3 && rigged.got == 3);
    modifications = 0;
    cr_assert_eq(edo_watch_send_modify(rigged.c.tx, modifies_and_sends, &n), 0);
    cr_assert_eq(modifications, 2, "anew, on what was sent meanwhile");
    cr_assert_eq(look(rigged.c.rx, true), 101);
    modifications = 0;
    cr_assert_eq(edo_watch_send_if_modified(rigged.c.tx, modifies_if_and_sends, &n), 1);
    cr_assert_eq(modifications, 2);
    cr_assert_eq(look(rigged.c.rx, true), 101);
    rigged_end(&bench);
}

/* Values that own memory. */
struct owned {
    int *value;
};
static _Atomic(int) live;

static struct owned owned_new(int value)
{
    struct owned owned = {edo_malloc(sizeof(int))};
    *owned.value = value;
    live++;
    return owned;
}

static void owned_clone(const struct owned *value, struct owned *copy)
{
    *copy = owned_new(*value->value);
}

static void owned_drop(struct owned *value)
{
    edo_free(value->value);
    live--;
}

static void owned_add(struct owned *value, void *arg)
{
    (void)arg;
    ++*value->value;
}

Test(watch, each_value_that_owns_memory_is_dropped_once)
{
    struct bench bench;
    bench_begin(&bench);
    live = 0;
    WATCH_SENDER(struct owned) tx;
    WATCH_RECEIVER(struct owned) rx;
    struct owned value = owned_new(1), old;
    cr_assert_eq(edo_watch_with(&tx, &rx, &value, owned_clone, NULL), UV_EINVAL);
    cr_assert_eq(edo_watch_with(&tx, &rx, &value, owned_clone, owned_drop), 0);
    const struct owned *borrowed = edo_watch_borrow(rx);
    value = owned_new(2);
    cr_assert_eq(edo_watch_send(tx, &value), 0);
    cr_assert_eq(live, 2);
    edo_watch_release(rx, borrowed);
    cr_assert_eq(live, 1);
    cr_assert_eq(edo_watch_send_modify(tx, owned_add, NULL), 0);
    cr_assert_eq(live, 1);
    edo_watch_get(rx, &value);
    cr_assert_eq(*value.value, 3);
    cr_assert_eq(edo_watch_send_replace(tx, &value, &old), 0);
    cr_assert_eq(*old.value, 3);
    owned_drop(&old);
    borrowed = edo_watch_borrow(rx);
    value = owned_new(4);
    cr_assert_eq(edo_watch_send_replace(tx, &value, &old), 0);
    cr_assert_eq(*old.value, 3);
    cr_assert_neq(old.value, borrowed->value, "a clone: it is borrowed");
    owned_drop(&old);
    edo_watch_release(rx, borrowed);
    cr_assert_eq(live, 1);
    edo_watch_receiver_drop(rx);
    edo_watch_sender_drop(tx);
    cr_assert_eq(live, 0);
    bench_end(&bench);
}

Test(watch, without_memory_nothing_is_made_and_nothing_is_lost)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c;
    int value = 1;
    for (int n = 1; n <= 3; n++) {
        edo_alloc_fail((uint64_t)n, false);
        cr_assert_eq(edo_watch(&c.tx, &c.rx, &value), UV_ENOMEM);
        cr_assert(c.tx == NULL && c.rx == NULL);
        cr_assert(edo_alloc_fail(0, false));
    }
    c = channel(1);
    const int *borrowed = edo_watch_borrow(c.rx);
    edo_alloc_fail(1, true);
    cr_assert_eq(send_now(&c, 2), UV_ENOMEM);
    cr_assert_eq(edo_watch_send_replace(c.tx, &value, &value), UV_ENOMEM);
    cr_assert_eq(edo_watch_send_modify(c.tx, doubles, NULL), UV_ENOMEM);
    cr_assert_null(edo_watch_subscribe(c.tx));
    cr_assert_null(edo_watch_receiver_clone(c.rx));
    cr_assert(edo_alloc_fail(0, false));
    edo_watch_release(c.rx, borrowed);
    cr_assert_eq(edo_watch_has_changed(c.rx), 0);
    cr_assert_eq(look(c.rx, false), 1);
    done(&c);
    bench_end(&bench);
}

typedef WATCH_SENDER(struct owned) owned_sender;
typedef WATCH_RECEIVER(struct owned) owned_receiver;
static owned_sender hooked;
static int hook_calls;

static void clone_looks(const struct owned *value, struct owned *copy)
{
    owned_clone(value, copy);
    edo_watch_receiver_drop(edo_watch_subscribe(hooked));
    hook_calls++;
}

static void drop_looks(struct owned *value)
{
    owned_drop(value);
    if (hooked != NULL)
        edo_watch_receiver_drop(edo_watch_subscribe(hooked));
    hook_calls++;
}

Test(watch, no_lock_is_held_while_a_value_is_cloned_or_dropped)
{
    struct bench bench;
    bench_begin(&bench);
    owned_receiver rx;
    struct owned value = owned_new(1), old;
    cr_assert_eq(edo_watch_with(&hooked, &rx, &value, clone_looks, drop_looks), 0);
    value = owned_new(2);
    cr_assert_eq(edo_watch_send(hooked, &value), 0);
    cr_assert_eq(hook_calls, 1, "the first was dropped");
    cr_assert_eq(edo_watch_send_modify(hooked, owned_add, NULL), 0);
    cr_assert_eq(hook_calls, 3, "cloned, changed, and the one before dropped");
    const struct owned *borrowed = edo_watch_borrow(rx);
    value = owned_new(4);
    cr_assert_eq(edo_watch_send_replace(hooked, &value, &old), 0);
    cr_assert_eq(hook_calls, 4);
    owned_drop(&old);
    edo_watch_release(rx, borrowed);
    cr_assert_eq(hook_calls, 5);
    edo_watch_get(rx, &value);
    cr_assert_eq(hook_calls, 6);
    owned_drop(&value);
    edo_watch_receiver_drop(rx);
    owned_sender tx = hooked;
    hooked = NULL;
    edo_watch_sender_drop(tx);
    cr_assert(hook_calls == 7 && live == 0);
    bench_end(&bench);
}

static bool owned_add_if(struct owned *value, void *arg)
{
    owned_add(value, arg);
    return true;
}

Test(watch, without_memory_a_value_is_still_the_callers)
{
    struct bench bench;
    bench_begin(&bench);
    live = 0;
    owned_sender tx;
    owned_receiver rx;
    struct owned value = owned_new(1), old = {NULL};
    int n;
    for (n = 1;; n++) {
        edo_alloc_fail((uint64_t)n, false);
        int error = edo_watch_with(&tx, &rx, &value, owned_clone, owned_drop);
        if (!edo_alloc_fail(0, false)) {
            cr_assert_eq(error, 0);
            break;
        }
        cr_assert_eq(error, UV_ENOMEM);
        cr_assert(tx == NULL && rx == NULL && live == 1 && *value.value == 1);
    }
    cr_assert_eq(n, 4);
    value = owned_new(2);
    edo_alloc_fail(1, true);
    cr_assert_eq(edo_watch_send(tx, &value), UV_ENOMEM);
    cr_assert_eq(edo_watch_send_replace(tx, &value, &old), UV_ENOMEM);
    cr_assert_eq(edo_watch_send_modify(tx, owned_add, NULL), UV_ENOMEM);
    cr_assert_eq(edo_watch_send_if_modified(tx, owned_add_if, NULL), UV_ENOMEM);
    cr_assert_null(edo_watch_subscribe(tx));
    cr_assert_null(edo_watch_receiver_clone(rx));
    cr_assert(edo_alloc_fail(0, false));
    cr_assert(old.value == NULL && *value.value == 2 && live == 2);
    cr_assert_eq(edo_watch_receiver_count(tx), 1);
    cr_assert_eq(edo_watch_has_changed(rx), 0);
    cr_assert_eq(edo_watch_send(tx, &value), 0);
    cr_assert_eq(live, 1);
    edo_watch_receiver_drop(rx);
    edo_watch_sender_drop(tx);
    cr_assert_eq(live, 0);
    bench_end(&bench);
}

/* Threads: what a receiver sees never goes back, and each sees the last. */
enum { LAST = 20000, LOOKERS = 6 };
struct pair {
    int a, b;
};

static void *looks(void *arg)
{
    WATCH_RECEIVER(struct pair) rx = arg;
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    int last = 0;
    for (;;) {
        struct edo_watch_changed changed = edo_watch_changed(rx);
        cr_assert_eq(test_block_on(runtime, &changed), 0);
        if (changed.output < 0)
            break;
        const struct pair *value = edo_watch_borrow_and_update(rx);
        cr_assert_eq(value->a, value->b);
        cr_assert_geq(value->a, last);
        last = value->a;
        edo_watch_release(rx, value);
    }
    cr_assert_eq(last, 2 * LAST);
    edo_watch_receiver_drop(rx);
    edo_runtime_drop(runtime);
    return NULL;
}

static void pair_add(struct pair *value, void *arg)
{
    (void)arg;
    value->a++;
    value->b++;
}

static void *changes(void *arg)
{
    WATCH_SENDER(struct pair) tx = arg;
    for (int i = 0; i < LAST; i++)
        cr_assert_eq(edo_watch_send_modify(tx, pair_add, NULL), 0);
    edo_watch_sender_drop(tx);
    return NULL;
}

Test(watch, threads_see_whole_values_that_never_go_back_and_no_change_is_lost)
{
    struct bench bench;
    bench_begin(&bench);
    WATCH_SENDER(struct pair) tx;
    WATCH_RECEIVER(struct pair) rx;
    struct pair zero = {0, 0};
    cr_assert_eq(edo_watch(&tx, &rx, &zero), 0);
    pthread_t threads[LOOKERS + 2];
    for (int i = 0; i < LOOKERS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, looks, edo_watch_receiver_clone(rx)), 0);
    edo_watch_receiver_drop(rx);
    for (int i = LOOKERS; i < LOOKERS + 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, changes, edo_watch_sender_clone(tx)), 0);
    edo_watch_sender_drop(tx);
    for (int i = 0; i < LOOKERS + 2; i++)
        pthread_join(threads[i], NULL);
    bench_end(&bench);
}

/* Threads that change a value that owns memory, in every way; others that look at it, wait for it
 * without patience, keep it for a while, come and go. It never goes back; each value is dropped once. */
enum { STORM_LOOKERS = 4, STORM_CHANGES = 1500 };
struct storm {
    owned_sender tx;
    owned_receiver rx;
    unsigned seed;
    int last;
};

static bool is_newer(const struct owned *value, void *arg)
{
    return *value->value > *(int *)arg;
}

static void storm_seen(struct storm *storm, const struct owned *value)
{
    cr_assert_geq(*value->value, storm->last);
    storm->last = *value->value;
}

static void *storm_looks(void *arg)
{
    struct storm *storm = arg;
    const struct owned *kept = NULL;
    struct owned mine;
    for (int error = 0; error >= 0;) {
        struct edo_watch_changed changed = edo_watch_changed(storm->rx);
        struct edo_watch_wait_for wait =
            edo_watch_wait_for(storm->rx, is_newer, &storm->last, &mine);
        bool patient = rand_r(&storm->seed) % 3 == 0;
        switch (rand_r(&storm->seed) % 4) {
        case 0:
            if (pursue(&changed.future_, patient, &storm->seed))
                error = changed.output;
            break;
        case 1:
            if (!pursue(&wait.future_, patient, &storm->seed))
                break;
            error = wait.output;
            if (error == 0) {
                cr_assert_gt(*mine.value, storm->last);
                storm_seen(storm, &mine);
                owned_drop(&mine);
            }
            break;
        case 2:
            if (kept != NULL)
                edo_watch_release(storm->rx, kept);
            kept = edo_watch_borrow_and_update(storm->rx);
            storm_seen(storm, kept);
            break;
        default:
            edo_watch_get(storm->rx, &mine);
            storm_seen(storm, &mine);
            owned_drop(&mine);
            owned_receiver again = edo_watch_receiver_clone(storm->rx);
            if (kept != NULL)
                edo_watch_release(storm->rx, kept);
            kept = NULL;
            edo_watch_receiver_drop(storm->rx);
            storm->rx = again;
            break;
        }
    }
    if (kept != NULL)
        edo_watch_release(storm->rx, kept);
    cr_assert_eq(edo_watch_has_changed(storm->rx), EDO_ECLOSED);
    edo_watch_receiver_drop(storm->rx);
    return NULL;
}

static void *storm_adds(void *arg)
{
    struct storm *storm = arg;
    for (int i = 0; i < STORM_CHANGES; i++) {
        struct edo_watch_closed closed = edo_watch_closed(storm->tx);
        if (rand_r(&storm->seed) % 4 == 0)
            cr_assert_not(pursue(&closed.future_, false, &storm->seed));
        if (rand_r(&storm->seed) % 2 == 0)
            cr_assert_eq(edo_watch_send_modify(storm->tx, owned_add, NULL), 0);
        else
            cr_assert_eq(edo_watch_send_if_modified(storm->tx, owned_add_if, NULL), 1);
    }
    edo_watch_sender_drop(storm->tx);
    return NULL;
}

Test(watch, whatever_threads_do_each_value_is_dropped_once)
{
    struct bench bench;
    bench_begin(&bench);
    unsigned seed = pursue_seed();
    live = 0;
    owned_sender tx;
    owned_receiver rx;
    struct owned value = owned_new(0);
    cr_assert_eq(edo_watch_with(&tx, &rx, &value, owned_clone, owned_drop), 0);
    struct storm storms[STORM_LOOKERS + 2];
    pthread_t threads[STORM_LOOKERS + 2];
    for (int i = 0; i < STORM_LOOKERS + 2; i++) {
        bool looks_at_it = i < STORM_LOOKERS;
        storms[i] = (struct storm){looks_at_it ? NULL : edo_watch_sender_clone(tx),
                                   looks_at_it ? edo_watch_subscribe(tx) : NULL,
                                   (unsigned)rand_r(&seed), 0};
        cr_assert_eq(
            pthread_create(&threads[i], NULL, looks_at_it ? storm_looks : storm_adds, &storms[i]),
            0);
    }
    edo_watch_sender_drop(tx);
    for (int i = 0; i < STORM_LOOKERS + 2; i++)
        pthread_join(threads[i], NULL);
    edo_watch_get(rx, &value);
    cr_assert_eq(*value.value, 2 * STORM_CHANGES);
    owned_drop(&value);
    edo_watch_receiver_drop(rx);
    cr_assert_eq(live, 0);
    bench_end(&bench);
}

/* A value is handed from sender to sender: each had it once. */
enum { REPLACERS = 4, REPLACES = 2000 };
static _Atomic(long) replaced_sum;

static void *replaces(void *arg)
{
    owned_sender tx = arg;
    for (int i = 1; i <= REPLACES; i++) {
        struct owned value = owned_new(i), old;
        cr_assert_eq(edo_watch_send_replace(tx, &value, &old), 0);
        replaced_sum += *old.value;
        owned_drop(&old);
    }
    edo_watch_sender_drop(tx);
    return NULL;
}

Test(watch, threads_that_replace_each_get_what_one_had_stored)
{
    struct bench bench;
    bench_begin(&bench);
    live = 0;
    owned_sender tx;
    owned_receiver rx;
    struct owned value = owned_new(0);
    cr_assert_eq(edo_watch_with(&tx, &rx, &value, owned_clone, owned_drop), 0);
    pthread_t threads[REPLACERS];
    for (int i = 0; i < REPLACERS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, replaces, edo_watch_sender_clone(tx)), 0);
    edo_watch_sender_drop(tx);
    for (int i = 0; i < REPLACERS; i++)
        pthread_join(threads[i], NULL);
    edo_watch_get(rx, &value);
    cr_assert_eq(replaced_sum + *value.value, (long)REPLACERS * REPLACES * (REPLACES + 1) / 2);
    owned_drop(&value);
    edo_watch_receiver_drop(rx);
    cr_assert_eq(live, 0);
    bench_end(&bench);
}

static void *waits_for_the_end(void *arg)
{
    struct channel *c = arg;
    unsigned seed = 1;
    struct edo_watch_closed closed = edo_watch_closed(c->tx);
    cr_assert(pursue(&closed.future_, true, &seed));
    edo_watch_sender_drop(c->tx);
    return NULL;
}

Test(watch, a_thread_waits_for_the_last_receiver_to_go)
{
    struct bench bench;
    bench_begin(&bench);
    for (int i = 0; i < 50; i++) {
        struct channel c = channel(1);
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, waits_for_the_end, &c), 0);
        cr_assert_eq(look(c.rx, true), 1);
        edo_watch_receiver_drop(c.rx);
        pthread_join(thread, NULL);
    }
    bench_end(&bench);
}
