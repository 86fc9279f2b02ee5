/* SPDX-License-Identifier: MIT */
/* Mpsc channels whose wakers call back, and do what another thread may do at that moment. */
#include "mpsc_helpers.h"
#include "hostile_waker.h"

/* Wakers that call back. */
static struct {
    struct channel c;
    struct edo_mpsc_recv recv;
    struct edo_mpsc_closed closed;
    struct edo_mpsc_send send;
    int got, value;
} rigged;

/* Takes the lock, as long as there is a channel. */
static void looks(void)
{
    if (rigged.c.tx != NULL)
        edo_mpsc_sender_count(rigged.c.tx);
    else if (rigged.c.rx != NULL)
        edo_mpsc_sender_count(rigged.c.rx);
}

static void rigged_begin(struct bench *bench, size_t capacity)
{
    hostile_begin(bench, &hostile_foreign, looks);
    memset(&rigged, 0, sizeof rigged);
    rigged.c = channel(capacity);
    rigged.value = 7;
    rigged.recv = edo_mpsc_recv(rigged.c.rx, &rigged.got);
    rigged.send = edo_mpsc_send(rigged.c.tx, &rigged.value);
    rigged.closed = edo_mpsc_closed(rigged.c.tx);
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
    rigged.got = receive_now(&rigged.c);
}

static void closes(void)
{
    edo_mpsc_close(rigged.c.rx);
}

static void drops_sender(void)
{
    __typeof__(rigged.c.tx) tx = rigged.c.tx;
    rigged.c.tx = NULL;
    edo_mpsc_sender_drop(tx);
}

static void drops_receiver(void)
{
    __typeof__(rigged.c.rx) rx = rigged.c.rx;
    rigged.c.rx = NULL;
    edo_mpsc_receiver_drop(rx);
}

static void receives_and_goes(void)
{
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &hostile.bench->cx), EDO_READY);
    drops_receiver();
}

Test(mpsc, no_lock_is_held_while_a_waker_runs_and_each_clone_is_dropped)
{
    struct bench bench;
    rigged_begin(&bench, 1);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    cr_assert_eq(POLL(rigged.closed), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&rigged.closed.future_, &second), EDO_PENDING);
    cr_assert_eq(POLL(rigged.recv), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &second), EDO_PENDING);
    sends();
    cr_assert_eq(other.wakes, 1);
    MPSC_PERMIT(int) permit = {0};
    struct edo_mpsc_reserve reserve = edo_mpsc_reserve(rigged.c.tx, &permit);
    struct edo_mpsc_send given_up = edo_mpsc_send(rigged.c.tx, &rigged.value);
    cr_assert_eq(POLL(reserve), EDO_PENDING);
    cr_assert_eq(POLL(given_up), EDO_PENDING);
    cr_assert_eq(POLL(rigged.send), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&rigged.send.future_, &second), EDO_PENDING);
    cr_assert_eq(POLL(rigged.recv), EDO_READY);
    cr_assert_eq(rigged.got, 8);
    cr_assert_eq(POLL(reserve), EDO_READY);
    DROP_IT(given_up);
    edo_mpsc_permit_release(&permit);
    cr_assert_eq(POLL(rigged.send), EDO_READY);
    struct edo_mpsc_closed stays = edo_mpsc_closed(rigged.c.tx);
    cr_assert_eq(POLL(stays), EDO_PENDING);
    closes();
    cr_assert_eq(POLL(rigged.closed), EDO_READY);
    DROP_IT(stays);
    cr_assert_eq(other.clones, other.drops);
    rigged_end(&bench);
}

Test(mpsc, a_clone_that_sends_receives_or_closes_is_not_missed)
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
    rigged.send = edo_mpsc_send(rigged.c.tx, &rigged.value);
    hostile.in_clone.act = closes;
    cr_assert_eq(POLL(rigged.send), EDO_READY);
    cr_assert_eq(rigged.send.output, EDO_ECLOSED);
    rigged_end(&bench);

    rigged_begin(&bench, 1);
    hostile.in_clone.act = closes;
    cr_assert_eq(POLL(rigged.closed), EDO_READY);
    rigged_end(&bench);

    rigged_begin(&bench, 1);
    hostile.in_clone.act = drops_sender;
    cr_assert_eq(POLL(rigged.recv), EDO_READY);
    cr_assert_eq(rigged.recv.output, EDO_ECLOSED);
    rigged_end(&bench);
}

static void closed_ends_and_all_go(void)
{
    cr_assert_eq(edo_future_poll(&rigged.closed.future_, &hostile.bench->cx), EDO_READY);
    drops_sender();
}

Test(mpsc, a_wake_that_ends_everything)
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
    MPSC_PERMIT(int) permit = {0};
    cr_assert_eq(edo_mpsc_try_reserve(rigged.c.tx, &permit), 0);
    drops_sender();
    cr_assert_eq(POLL(rigged.recv), EDO_PENDING);
    hostile.in_wake.act = receives_and_goes;
    edo_mpsc_permit_send(&permit, &(int){9});
    cr_assert_eq(rigged.got, 9);
    rigged_end(&bench);

    rigged_begin(&bench, 1);
    cr_assert_eq(edo_mpsc_try_reserve(rigged.c.tx, &permit), 0);
    drops_sender();
    cr_assert_eq(POLL(rigged.recv), EDO_PENDING);
    hostile.in_wake.act = receives_and_goes;
    edo_mpsc_permit_release(&permit);
    cr_assert_eq(rigged.recv.output, EDO_ECLOSED);
    rigged_end(&bench);

    rigged_begin(&bench, 1);
    cr_assert_eq(POLL(rigged.closed), EDO_PENDING);
    hostile.in_wake.act = closed_ends_and_all_go;
    drops_receiver();
    rigged_end(&bench);
}

Test(mpsc, a_waker_whose_drop_closes_is_woken_by_it)
{
    struct bench bench;
    rigged_begin(&bench, 1);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    sends();
    cr_assert_eq(POLL(rigged.send), EDO_PENDING);
    hostile.in_drop.act = closes;
    cr_assert_eq(edo_future_poll(&rigged.send.future_, &second), EDO_PENDING);
    cr_assert_eq(other.wakes, 1);
    cr_assert_eq(edo_future_poll(&rigged.send.future_, &second), EDO_READY);
    cr_assert_eq(rigged.send.output, EDO_ECLOSED);
    rigged_end(&bench);
}

/* More wait than are woken at once. While the first are, one of the others polls, one is dropped, one
 * comes. */
enum { CROWD = 40 };
static struct edo_mpsc_send crowd[CROWD], comes;
static int crowd_values[CROWD];

static void meddles(void)
{
    static struct counter counter = {.waker = {&counter_stable}};
    struct edo_context cx;
    edo_context_init(&cx, &counter.waker);
    cr_assert_eq(edo_future_poll(&crowd[CROWD - 1].future_, &cx), EDO_PENDING);
    comes = edo_mpsc_send(rigged.c.tx, &rigged.value);
    cr_assert_eq(edo_future_poll(&comes.future_, &cx), EDO_PENDING);
    edo_future_drop(&crowd[CROWD - 2].future_, &cx);
}

static void crowd_waits(struct bench *bench)
{
    for (int i = 0; i < CROWD; i++) {
        crowd_values[i] = i;
        crowd[i] = edo_mpsc_send(rigged.c.tx, &crowd_values[i]);
        cr_assert_eq(edo_future_poll(&crowd[i].future_, &bench->cx), EDO_PENDING);
    }
}

Test(mpsc, senders_come_and_go_while_the_others_are_woken)
{
    struct bench bench;
    rigged_begin(&bench, CROWD);
    MPSC_PERMIT(int) permit = {0};
    cr_assert_eq(edo_mpsc_try_reserve_many(rigged.c.tx, CROWD, &permit), 0);
    crowd_waits(&bench);
    hostile.in_wake.act = meddles;
    edo_mpsc_permit_release(&permit);
    for (int i = 0; i < CROWD; i++)
        if (i != CROWD - 2)
            cr_assert_eq(POLL(crowd[i]), EDO_READY);
    cr_assert_eq(POLL(comes), EDO_READY, "there is a place for it, too");
    for (int i = 0; i < CROWD; i++)
        if (i != CROWD - 2)
            cr_assert_eq(receive_now(&rigged.c), i);
    cr_assert_eq(receive_now(&rigged.c), 7);
    rigged_end(&bench);
}

static int hook_calls;
static MPSC_SENDER(struct owned) hook_tx;

static void hook_looks(struct owned *owned)
{
    owned_drop(owned);
    edo_mpsc_sender_count(hook_tx);
    cr_assert_eq(edo_mpsc_try_send(hook_tx, owned), EDO_ECLOSED);
    hook_calls++;
}

Test(mpsc, no_lock_is_held_while_a_message_is_dropped)
{
    struct bench bench;
    bench_begin(&bench);
    MPSC_RECEIVER(struct owned) rx;
    cr_assert_eq(edo_mpsc_with(&hook_tx, &rx, 3, hook_looks), 0);
    for (int i = 0; i < 3; i++) {
        struct owned owned = owned_new(i);
        cr_assert_eq(edo_mpsc_try_send(hook_tx, &owned), 0);
    }
    edo_mpsc_receiver_drop(rx);
    cr_assert_eq(hook_calls, 3);
    edo_mpsc_sender_drop(hook_tx);
    bench_end(&bench);
}
