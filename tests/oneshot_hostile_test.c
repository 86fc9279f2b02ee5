/* SPDX-License-Identifier: MIT */
/* Oneshot channels whose wakers call back, and do what another thread may do at that moment. */
#include "oneshot_helpers.h"
#include "hostile_waker.h"

/* Wakers whose operations do what another thread may do at that moment. */
static struct {
    struct channel c;
    struct edo_oneshot_recv recv;
    struct edo_oneshot_closed closed;
    int value;
} rigged;

static void rigged_begin(struct bench *bench, const struct edo_waker_ops *ops)
{
    hostile_begin(bench, ops, NULL);
    memset(&rigged, 0, sizeof rigged);
    rigged.c = channel();
    rigged.recv = edo_oneshot_recv(rigged.c.rx, &rigged.value);
    rigged.closed = edo_oneshot_closed(rigged.c.tx);
}

static void sends(void)
{
    edo_oneshot_send(rigged.c.tx, &(int){7});
}

static void drops_sender(void)
{
    edo_oneshot_sender_drop(rigged.c.tx);
}

static void closes(void)
{
    edo_oneshot_close(rigged.c.rx);
}

static void receives(void)
{
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &hostile.bench->cx), EDO_READY);
    cr_assert_eq(rigged.recv.output, 0);
    cr_assert_eq(rigged.value, 7);
}

static void receives_and_goes(void)
{
    receives();
    edo_oneshot_receiver_drop(rigged.c.rx);
}

static void gives_up_and_goes(void)
{
    edo_future_drop(&rigged.recv.future_, &hostile.bench->cx);
    edo_oneshot_receiver_drop(rigged.c.rx);
}

static void closed_ends(void)
{
    cr_assert_eq(edo_future_poll(&rigged.closed.future_, &hostile.bench->cx), EDO_READY);
}

static void closed_ends_and_sender_goes(void)
{
    closed_ends();
    drops_sender();
}

Test(oneshot, a_foreign_waker_that_sends_while_it_is_cloned)
{
    struct bench bench;
    rigged_begin(&bench, &hostile_foreign);
    hostile.in_clone.act = sends;
    receives_and_goes();
    cr_assert_eq(bench.counter.wakes, 0);
    hostile_end(&bench);
}

Test(oneshot, a_foreign_waker_that_ends_everything_while_it_wakes)
{
    struct bench bench;
    rigged_begin(&bench, &hostile_foreign);
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &bench.cx), EDO_PENDING);
    hostile.in_wake.act = receives_and_goes;
    sends();
    hostile_end(&bench);
    rigged_begin(&bench, &hostile_foreign);
    cr_assert_eq(edo_future_poll(&rigged.closed.future_, &bench.cx), EDO_PENDING);
    hostile.in_wake.act = closed_ends_and_sender_goes;
    edo_oneshot_receiver_drop(rigged.c.rx);
    hostile_end(&bench);
}

Test(oneshot, a_foreign_waker_that_closes_while_it_is_dropped)
{
    struct bench bench;
    rigged_begin(&bench, &hostile_foreign);
    cr_assert_eq(edo_future_poll(&rigged.closed.future_, &bench.cx), EDO_PENDING);
    hostile.in_drop.act = closes;
    edo_future_drop(&rigged.closed.future_, &bench.cx);
    cr_assert(edo_oneshot_is_closed(rigged.c.tx));
    drops_sender();
    edo_oneshot_receiver_drop(rigged.c.rx);
    hostile_end(&bench);
}

Test(oneshot, a_recv_that_ends_while_its_waker_is_claimed_leaves_a_clone)
{
    struct bench bench;
    rigged_begin(&bench, &hostile_stable);
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &bench.cx), EDO_PENDING);
    hostile.in_claim.act = receives;
    sends();
    cr_assert_eq(bench.counter.clones, 1);
    cr_assert_eq(bench.counter.drops, 1);
    edo_oneshot_receiver_drop(rigged.c.rx);
    hostile_end(&bench);
}

Test(oneshot, a_receiver_that_goes_while_its_waker_is_claimed)
{
    struct bench bench;
    rigged_begin(&bench, &hostile_stable);
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &bench.cx), EDO_PENDING);
    hostile.in_claim.act = receives_and_goes;
    sends();
    cr_assert_eq(bench.counter.clones, 1);
    hostile_end(&bench);
    rigged_begin(&bench, &hostile_stable);
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &bench.cx), EDO_PENDING);
    hostile.in_claim.act = gives_up_and_goes;
    sends();
    cr_assert_eq(bench.counter.clones, 1);
    hostile_end(&bench);
    rigged_begin(&bench, &hostile_stable);
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &bench.cx), EDO_PENDING);
    hostile.in_claim.act = gives_up_and_goes;
    drops_sender();
    hostile_end(&bench);
}

Test(oneshot, a_closed_that_ends_while_its_waker_is_claimed_leaves_a_clone)
{
    struct bench bench;
    rigged_begin(&bench, &hostile_stable);
    cr_assert_eq(edo_future_poll(&rigged.closed.future_, &bench.cx), EDO_PENDING);
    hostile.in_claim.act = closed_ends;
    closes();
    cr_assert_eq(bench.counter.clones, 1);
    drops_sender();
    edo_oneshot_receiver_drop(rigged.c.rx);
    hostile_end(&bench);
    rigged_begin(&bench, &hostile_stable);
    cr_assert_eq(edo_future_poll(&rigged.closed.future_, &bench.cx), EDO_PENDING);
    hostile.in_claim.act = closed_ends_and_sender_goes;
    edo_oneshot_receiver_drop(rigged.c.rx);
    cr_assert_eq(bench.counter.clones, 1);
    hostile_end(&bench);
}

Test(oneshot, close_wakes_a_recv_that_the_sender_ends_meanwhile)
{
    struct bench bench;
    const struct edo_waker_ops *both[] = {&hostile_foreign, &hostile_stable};
    for (int i = 0; i < 2; i++) {
        rigged_begin(&bench, both[i]);
        cr_assert_eq(edo_future_poll(&rigged.recv.future_, &bench.cx), EDO_PENDING);
        hostile.in_clone.act = drops_sender;
        closes();
        cr_assert_eq(bench.counter.wakes, 1);
        gives_up_and_goes();
        hostile_end(&bench);
    }
}
