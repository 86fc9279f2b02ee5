/* SPDX-License-Identifier: MIT */
/* Watch channels whose wakers call back, and do what another thread may do at that moment. */
#include "watch_helpers.h"
#include "hostile_waker.h"

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
