/* SPDX-License-Identifier: MIT */
/* Broadcast channels whose wakers call back, and do what another thread may do at that moment. */
#include "broadcast_helpers.h"
#include "hostile_waker.h"

/* Wakers, and hooks, that call back. */
static struct {
    struct channel c;
    struct edo_broadcast_recv recv;
    struct edo_broadcast_closed closed;
    int got;
} rigged;

/* Takes the lock, as long as there is a channel. */
static void looks(void)
{
    if (rigged.c.tx != NULL)
        edo_broadcast_receiver_count(rigged.c.tx);
    else if (rigged.c.rx != NULL)
        edo_broadcast_len(rigged.c.rx);
}

static void rigged_begin(struct bench *bench)
{
    hostile_begin(bench, &hostile_foreign, looks);
    memset(&rigged, 0, sizeof rigged);
    rigged.c = channel(4);
    rigged.recv = edo_broadcast_recv(rigged.c.rx, &rigged.got);
    rigged.closed = edo_broadcast_closed(rigged.c.tx);
}

static void rigged_end(struct bench *bench)
{
    hostile.always = NULL;
    done(&rigged.c);
    hostile_end(bench);
}

static void sends(void)
{
    cr_assert_geq(send_now(&rigged.c, 8), 1);
}

static void drops_sender(void)
{
    __typeof__(rigged.c.tx) tx = rigged.c.tx;
    rigged.c.tx = NULL;
    edo_broadcast_sender_drop(tx);
}

static void drops_receiver(void)
{
    __typeof__(rigged.c.rx) rx = rigged.c.rx;
    rigged.c.rx = NULL;
    edo_broadcast_receiver_drop(rx);
}

static void receives_and_goes(void)
{
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &hostile.bench->cx), EDO_READY);
    drops_receiver();
}

static void closed_ends_and_sender_goes(void)
{
    cr_assert_eq(edo_future_poll(&rigged.closed.future_, &hostile.bench->cx), EDO_READY);
    drops_sender();
}

Test(broadcast, no_lock_is_held_while_a_waker_runs_and_each_clone_is_dropped)
{
    struct bench bench;
    rigged_begin(&bench);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    cr_assert_eq(POLL(rigged.closed), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&rigged.closed.future_, &second), EDO_PENDING);
    cr_assert_eq(POLL(rigged.recv), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &second), EDO_PENDING);
    sends();
    cr_assert_eq(other.wakes, 1);
    cr_assert_eq(POLL(rigged.recv), EDO_READY);
    cr_assert_eq(rigged.got, 8);
    rigged.recv = edo_broadcast_recv(rigged.c.rx, &rigged.got);
    cr_assert_eq(POLL(rigged.recv), EDO_PENDING);
    DROP_IT(rigged.recv);
    rigged.recv = edo_broadcast_recv(rigged.c.rx, &rigged.got);
    struct edo_broadcast_closed given_up = edo_broadcast_closed(rigged.c.tx);
    cr_assert_eq(POLL(given_up), EDO_PENDING);
    DROP_IT(given_up);
    drops_receiver();
    cr_assert_eq(other.wakes, 2);
    cr_assert_eq(edo_future_poll(&rigged.closed.future_, &second), EDO_READY);
    cr_assert_eq(other.clones, other.drops);
    rigged_end(&bench);
}

Test(broadcast, a_clone_that_sends_or_ends_it_is_not_missed)
{
    struct bench bench;
    rigged_begin(&bench);
    hostile.in_clone.act = sends;
    cr_assert_eq(POLL(rigged.recv), EDO_READY);
    cr_assert(rigged.recv.output == 0 && rigged.got == 8);
    rigged.recv = edo_broadcast_recv(rigged.c.rx, &rigged.got);
    hostile.in_clone.act = drops_sender;
    cr_assert_eq(POLL(rigged.recv), EDO_READY);
    cr_assert_eq(rigged.recv.output, EDO_ECLOSED);
    rigged_end(&bench);

    rigged_begin(&bench);
    hostile.in_clone.act = drops_receiver;
    cr_assert_eq(POLL(rigged.closed), EDO_READY);
    rigged_end(&bench);
}

Test(broadcast, a_waker_whose_drop_sends_is_replaced_by_one_that_is_woken)
{
    struct bench bench;
    rigged_begin(&bench);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    cr_assert_eq(POLL(rigged.recv), EDO_PENDING);
    hostile.in_drop.act = sends;
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &second), EDO_PENDING);
    cr_assert(other.wakes == 1 && bench.counter.wakes == 0);
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &second), EDO_READY);
    cr_assert_eq(other.clones, other.drops);
    rigged_end(&bench);
}

Test(broadcast, a_wake_that_ends_everything)
{
    struct bench bench;
    rigged_begin(&bench);
    cr_assert_eq(POLL(rigged.recv), EDO_PENDING);
    hostile.in_wake.act = receives_and_goes;
    sends();
    cr_assert_eq(rigged.got, 8);
    rigged_end(&bench);

    rigged_begin(&bench);
    cr_assert_eq(POLL(rigged.recv), EDO_PENDING);
    hostile.in_wake.act = receives_and_goes;
    drops_sender();
    cr_assert_eq(rigged.recv.output, EDO_ECLOSED);
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
static BROADCAST_RECEIVER(int) crowd_rx[CROWD + 1];
static struct edo_broadcast_recv crowd[CROWD + 1];
static int crowd_values[CROWD + 1];
static struct counter quiet = {.waker = {&counter_stable}};

static void waits(int i, struct edo_context *cx)
{
    crowd[i] = edo_broadcast_recv(crowd_rx[i], &crowd_values[i]);
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
    crowd_rx[CROWD] = edo_broadcast_subscribe(rigged.c.tx);
    waits(CROWD, &cx);
}

Test(broadcast, they_come_and_go_while_the_others_are_woken)
{
    struct bench bench;
    rigged_begin(&bench);
    quiet.wakes = 0;
    for (int i = 0; i < CROWD; i++) {
        crowd_rx[i] = edo_broadcast_subscribe(rigged.c.tx);
        waits(i, &bench.cx);
    }
    hostile.in_wake.act = meddles;
    sends();
    cr_assert_eq(bench.counter.wakes, CROWD - 2);
    cr_assert_eq(quiet.wakes, 0, "those who came were not meant");
    for (int i = 1; i < CROWD - 2; i++) {
        cr_assert_eq(POLL(crowd[i]), EDO_READY);
        cr_assert_eq(crowd_values[i], 8);
    }
    cr_assert_eq(RECEIVE(crowd_rx[CROWD - 2]), 8, "dropped, it took none");
    sends();
    cr_assert_eq(quiet.wakes, 2);
    DROP_IT(crowd[0]);
    DROP_IT(crowd[CROWD]);
    for (int i = 0; i <= CROWD; i++)
        edo_broadcast_receiver_drop(crowd_rx[i]);
    rigged_end(&bench);
}

static owned_sender hooked;
static int hook_calls;

static void clone_looks(const struct owned *message, struct owned *copy)
{
    owned_clone(message, copy);
    edo_broadcast_receiver_drop(edo_broadcast_subscribe(hooked));
    hook_calls++;
}

static void drop_looks(struct owned *message)
{
    owned_drop(message);
    edo_broadcast_receiver_drop(edo_broadcast_subscribe(hooked));
    hook_calls++;
}

Test(broadcast, no_lock_is_held_while_a_message_is_cloned_or_dropped)
{
    struct bench bench;
    bench_begin(&bench);
    owned_receiver a, b;
    cr_assert_eq(edo_broadcast_with(&hooked, &a, 2, clone_looks, drop_looks), 0);
    b = edo_broadcast_subscribe(hooked);
    for (int i = 0; i < 3; i++)
        send_owned(hooked, i);
    cr_assert_eq(hook_calls, 1, "the first was dropped");
    cr_assert_eq(receive_owned(a), EDO_ELAGGED);
    cr_assert_eq(receive_owned(a), 1);
    cr_assert_eq(hook_calls, 2, "it was cloned");
    edo_broadcast_receiver_drop(b);
    cr_assert_eq(hook_calls, 3);
    edo_broadcast_receiver_drop(a);
    cr_assert_eq(hook_calls, 4);
    edo_broadcast_sender_drop(hooked);
    bench_end(&bench);
}
