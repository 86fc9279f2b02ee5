/* SPDX-License-Identifier: MIT */
#include "watch_helpers.h"

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

static void clone_in_vain(const struct owned *value, struct owned *copy)
{
    (void)value;
    *copy = (struct owned){NULL};
    live++;
}

static bool owned_add_unless_empty(struct owned *value, void *arg)
{
    return value->value != NULL && owned_add_if(value, arg);
}

Test(watch, a_copy_that_found_no_memory_may_be_refused_by_who_modifies_it)
{
    struct bench bench;
    bench_begin(&bench);
    live = 0;
    owned_sender tx;
    owned_receiver rx;
    struct owned value = owned_new(1);
    cr_assert_eq(edo_watch_with(&tx, &rx, &value, clone_in_vain, owned_drop), 0);
    cr_assert_eq(edo_watch_send_if_modified(tx, owned_add_unless_empty, NULL), 0);
    cr_assert_eq(edo_watch_has_changed(rx), 0);
    const struct owned *borrowed = edo_watch_borrow(rx);
    cr_assert_eq(*borrowed->value, 1);
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
