/* SPDX-License-Identifier: MIT */
/* Channels of many receivers whose wakers call back, and do what another thread may do at that moment. */
#include "async_channel_helpers.h"
#include "hostile_waker.h"

/* Wakers, and a hook, that call back. */
static struct {
    struct channel c;
    struct edo_async_recv recv;
    struct edo_async_send send;
    int got, value;
} rigged;

/* Takes the lock, as long as there is a channel. */
static void counts(void)
{
    if (rigged.c.tx != NULL)
        edo_async_len(rigged.c.tx);
    else if (rigged.c.rx != NULL)
        edo_async_len(rigged.c.rx);
}

static void rigged_begin(struct bench *bench, size_t capacity)
{
    hostile_begin(bench, &hostile_foreign, counts);
    memset(&rigged, 0, sizeof rigged);
    rigged.c = channel(capacity);
    rigged.value = 7;
    rigged.recv = edo_async_recv(rigged.c.rx, &rigged.got);
    rigged.send = edo_async_send(rigged.c.tx, &rigged.value);
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

static void takes(void)
{
    cr_assert_eq(receive_now(&rigged.c), 8);
}

static void closes(void)
{
    edo_async_close(rigged.c.rx);
}

static void drops_sender(void)
{
    __typeof__(rigged.c.tx) tx = rigged.c.tx;
    rigged.c.tx = NULL;
    edo_async_sender_drop(tx);
}

static void drops_receiver(void)
{
    __typeof__(rigged.c.rx) rx = rigged.c.rx;
    rigged.c.rx = NULL;
    edo_async_receiver_drop(rx);
}

static void receives_and_goes(void)
{
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &hostile.bench->cx), EDO_READY);
    drops_receiver();
}

static void send_ends_and_sender_goes(void)
{
    cr_assert_eq(edo_future_poll(&rigged.send.future_, &hostile.bench->cx), EDO_READY);
    drops_sender();
}

Test(async_channel, no_lock_is_held_while_a_waker_runs_and_each_clone_is_dropped)
{
    struct bench bench;
    rigged_begin(&bench, 1);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    int got = 0;
    struct edo_async_recv given_up = edo_async_recv(rigged.c.rx, &got);
    cr_assert_eq(POLL(given_up), EDO_PENDING);
    cr_assert_eq(POLL(rigged.recv), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &second), EDO_PENDING);
    sends();
    cr_assert(bench.counter.wakes == 1 && other.wakes == 0);
    DROP_IT(given_up);
    cr_assert_eq(other.wakes, 1, "passed on");
    cr_assert_eq(POLL(rigged.recv), EDO_READY);
    cr_assert_eq(rigged.got, 8);
    sends();
    struct edo_async_send first = edo_async_send(rigged.c.tx, &rigged.value);
    cr_assert_eq(POLL(first), EDO_PENDING);
    cr_assert_eq(POLL(rigged.send), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&rigged.send.future_, &second), EDO_PENDING);
    DROP_IT(first);
    closes();
    cr_assert_eq(other.wakes, 2);
    cr_assert_eq(POLL(rigged.send), EDO_READY);
    cr_assert_eq(rigged.send.output, EDO_ECLOSED);
    cr_assert_eq(other.clones, other.drops);
    rigged_end(&bench);
}

Test(async_channel, a_clone_that_sends_receives_or_closes_is_not_missed)
{
    struct bench bench;
    rigged_begin(&bench, 1);
    hostile.in_clone.act = sends;
    cr_assert_eq(POLL(rigged.recv), EDO_READY);
    cr_assert_eq(rigged.got, 8);
    sends();
    hostile.in_clone.act = takes;
    cr_assert_eq(POLL(rigged.send), EDO_READY);
    cr_assert_eq(rigged.send.output, 0);
    rigged.send = edo_async_send(rigged.c.tx, &rigged.value);
    hostile.in_clone.act = closes;
    cr_assert_eq(POLL(rigged.send), EDO_READY);
    cr_assert_eq(rigged.send.output, EDO_ECLOSED);
    rigged_end(&bench);

    rigged_begin(&bench, 1);
    hostile.in_clone.act = drops_sender;
    cr_assert_eq(POLL(rigged.recv), EDO_READY);
    cr_assert_eq(rigged.recv.output, EDO_ECLOSED);
    rigged_end(&bench);

    rigged_begin(&bench, 1);
    hostile.in_clone.act = drops_receiver;
    cr_assert_eq(POLL(rigged.send), EDO_READY);
    cr_assert_eq(rigged.send.output, EDO_ECLOSED);
    rigged_end(&bench);
}

Test(async_channel, a_wake_that_ends_everything)
{
    struct bench bench;
    rigged_begin(&bench, 1);
    cr_assert_eq(POLL(rigged.recv), EDO_PENDING);
    hostile.in_wake.act = receives_and_goes;
    sends();
    cr_assert_eq(rigged.got, 8);
    rigged_end(&bench);

    rigged_begin(&bench, 1);
    cr_assert_eq(POLL(rigged.recv), EDO_PENDING);
    hostile.in_wake.act = receives_and_goes;
    drops_sender();
    cr_assert_eq(rigged.recv.output, EDO_ECLOSED);
    rigged_end(&bench);

    rigged_begin(&bench, 1);
    sends();
    cr_assert_eq(POLL(rigged.send), EDO_PENDING);
    hostile.in_wake.act = send_ends_and_sender_goes;
    drops_receiver();
    cr_assert_eq(rigged.send.output, EDO_ECLOSED);
    rigged_end(&bench);

    rigged_begin(&bench, 1);
    sends();
    cr_assert_eq(POLL(rigged.send), EDO_PENDING);
    hostile.in_wake.act = send_ends_and_sender_goes;
    takes();
    cr_assert_eq(rigged.send.output, 0);
    cr_assert_eq(receive_now(&rigged.c), 7);
    rigged_end(&bench);
}

Test(async_channel, a_waker_whose_drop_closes_is_replaced_by_one_that_is_woken)
{
    struct bench bench;
    rigged_begin(&bench, 1);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    cr_assert_eq(POLL(rigged.recv), EDO_PENDING);
    hostile.in_drop.act = closes;
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &second), EDO_PENDING);
    cr_assert(other.wakes == 1 && bench.counter.wakes == 0);
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &second), EDO_READY);
    cr_assert_eq(rigged.recv.output, EDO_ECLOSED);
    cr_assert_eq(other.clones, other.drops);
    rigged_end(&bench);
}

/* More wait than are woken at once. While the first are, one of the others polls, one is dropped, one
 * comes; or all of them go, and the last sender. */
enum { CROWD = 80 };
static struct edo_async_recv crowd[CROWD + 1];
static int crowd_values[CROWD + 1];
static struct counter quiet = {.waker = {&counter_stable}};

static void crowd_waits(int i, struct edo_context *cx)
{
    crowd[i] = edo_async_recv(rigged.c.rx, &crowd_values[i]);
    cr_assert_eq(edo_future_poll(&crowd[i].future_, cx), EDO_PENDING);
}

static void meddles(void)
{
    struct edo_context cx;
    edo_context_init(&cx, &quiet.waker);
    cr_assert_eq(edo_future_poll(&crowd[CROWD - 1].future_, &cx), EDO_PENDING);
    edo_future_drop(&crowd[CROWD - 2].future_, &cx);
    crowd[CROWD] = edo_async_recv(rigged.c.rx, &crowd_values[CROWD]);
    cr_assert_eq(edo_future_poll(&crowd[CROWD].future_, &cx), EDO_READY);
    cr_assert_eq(send_now(&rigged.c, 1), EDO_ECLOSED);
    cr_assert_not(edo_async_close(rigged.c.tx));
}

static void all_go(void)
{
    for (int i = 0; i < CROWD; i++)
        edo_future_drop(&crowd[i].future_, &hostile.bench->cx);
    drops_receiver();
}

Test(async_channel, they_come_and_go_while_the_others_are_woken)
{
    struct bench bench;
    quiet.wakes = 0;
    for (int all = 0; all < 2; all++) {
        rigged_begin(&bench, 1);
        for (int i = 0; i < CROWD; i++)
            crowd_waits(i, &bench.cx);
        hostile.in_wake.act = all ? all_go : meddles;
        if (all)
            drops_sender();
        else
            closes();
        cr_assert_eq(quiet.wakes, 1);
        for (int i = 0; !all && i < CROWD; i++) {
            if (i == CROWD - 2)
                continue;
            cr_assert_eq(POLL(crowd[i]), EDO_READY);
            cr_assert_eq(crowd[i].output, EDO_ECLOSED);
        }
        rigged_end(&bench);
    }
}

static owned_sender hooked;
static int hook_calls;

static void drop_looks(struct owned *owned)
{
    owned_drop(owned);
    cr_assert_eq(edo_async_try_send(hooked, owned), EDO_ECLOSED);
    hook_calls++;
}

Test(async_channel, no_lock_is_held_while_a_message_is_dropped)
{
    struct bench bench;
    bench_begin(&bench);
    owned_receiver rx;
    cr_assert_eq(edo_async_channel_with(&hooked, &rx, 3, drop_looks), 0);
    for (int i = 0; i < 3; i++) {
        struct owned owned = owned_new(i);
        cr_assert_eq(edo_async_try_send(hooked, &owned), 0);
    }
    edo_async_receiver_drop(rx);
    cr_assert_eq(hook_calls, 3);
    edo_async_sender_drop(hooked);
    bench_end(&bench);
}
