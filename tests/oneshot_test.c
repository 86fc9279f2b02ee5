/* SPDX-License-Identifier: MIT */
#include "hostile_waker.h"

#include <pthread.h>

#include "edo.h"
#include "pursue.h"
#include "support/runtimes.h"

/* A message that owns memory, so that one dropped twice or never is noticed. */
struct owned {
    int *value;
};
static _Atomic(int) owned_dropped;

static struct owned owned_new(int value)
{
    struct owned owned = {edo_malloc(sizeof(int))};
    *owned.value = value;
    return owned;
}

static void owned_drop(struct owned *owned)
{
    edo_free(owned->value);
    owned_dropped++;
}

struct channel {
    ONESHOT_SENDER(int) tx;
    ONESHOT_RECEIVER(int) rx;
};

static struct channel channel(void)
{
    struct channel c;
    cr_assert_eq(edo_oneshot(&c.tx, &c.rx), 0);
    return c;
}

static int send_now(struct channel *c, int value)
{
    return edo_oneshot_send(c->tx, &value);
}

/* What is there: the value, or an error. */
static int receive_now(struct channel *c)
{
    int value;
    int error = edo_oneshot_try_recv(c->rx, &value);
    return error < 0 ? error : value;
}

/* A waker that is not stable. */
static const struct edo_waker_ops counter_foreign = {counter_wake, counter_clone, counter_drop,
                                                     NULL, NULL};

/* For what holds with both kinds of wakers. */
#define WITH_BOTH_WAKERS(bench)                                            \
    for (const struct edo_waker_ops *ops_ = &counter_stable; ops_ != NULL; \
         ops_ = ops_ == &counter_stable ? &counter_foreign : NULL)         \
        if (bench_begin(&(bench)), (bench).counter.waker.ops = ops_, true)

Test(oneshot, send_then_recv)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel();
    cr_assert_eq(send_now(&c, 7), 0);
    int value = 0;
    struct edo_oneshot_recv recv = edo_oneshot_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(recv.output, 0);
    cr_assert_eq(value, 7);
    edo_oneshot_receiver_drop(c.rx);
    bench_end(&bench);
}

Test(oneshot, recv_waits_and_is_woken_once)
{
    struct bench bench;
    WITH_BOTH_WAKERS(bench)
    {
        struct channel c = channel();
        int value = 0;
        struct edo_oneshot_recv recv = edo_oneshot_recv(c.rx, &value);
        cr_assert_eq(POLL(recv), EDO_PENDING);
        cr_assert_eq(POLL(recv), EDO_PENDING);
        cr_assert_eq(send_now(&c, 7), 0);
        cr_assert_eq(bench.counter.wakes, 1);
        cr_assert_eq(POLL(recv), EDO_READY);
        cr_assert_eq(recv.output, 0);
        cr_assert_eq(value, 7);
        edo_oneshot_receiver_drop(c.rx);
        bench_end(&bench);
    }
}

Test(oneshot, a_sender_that_is_dropped_closes)
{
    struct bench bench;
    WITH_BOTH_WAKERS(bench)
    {
        struct channel c = channel(), waiting = channel();
        edo_oneshot_sender_drop(c.tx);
        int value = 5;
        struct edo_oneshot_recv recv = edo_oneshot_recv(c.rx, &value);
        cr_assert_eq(POLL(recv), EDO_READY);
        cr_assert_eq(recv.output, EDO_ECLOSED);
        edo_oneshot_receiver_drop(c.rx);
        recv = edo_oneshot_recv(waiting.rx, &value);
        cr_assert_eq(POLL(recv), EDO_PENDING);
        edo_oneshot_sender_drop(waiting.tx);
        cr_assert_eq(bench.counter.wakes, 1);
        cr_assert_eq(POLL(recv), EDO_READY);
        cr_assert_eq(recv.output, EDO_ECLOSED);
        cr_assert_eq(value, 5);
        edo_oneshot_receiver_drop(waiting.rx);
        bench_end(&bench);
    }
}

Test(oneshot, a_receiver_that_is_dropped_leaves_the_value_to_the_sender)
{
    struct bench bench;
    bench_begin(&bench);
    ONESHOT_SENDER(struct owned) tx;
    ONESHOT_RECEIVER(struct owned) rx;
    cr_assert_eq(edo_oneshot_with(&tx, &rx, owned_drop), 0);
    cr_assert_not(edo_oneshot_is_closed(tx));
    edo_oneshot_receiver_drop(rx);
    cr_assert(edo_oneshot_is_closed(tx));
    struct owned owned = owned_new(3);
    cr_assert_eq(edo_oneshot_send(tx, &owned), EDO_ECLOSED);
    cr_assert_eq(owned_dropped, 0);
    cr_assert_eq(*owned.value, 3);
    owned_drop(&owned);
    bench_end(&bench);
}

Test(oneshot, what_was_sent_before_close_is_still_received)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel();
    cr_assert_eq(send_now(&c, 7), 0);
    edo_oneshot_close(c.rx);
    cr_assert_eq(receive_now(&c), 7);
    cr_assert_eq(receive_now(&c), EDO_ECLOSED);
    edo_oneshot_receiver_drop(c.rx);
    c = channel();
    cr_assert_eq(send_now(&c, 8), 0);
    edo_oneshot_close(c.rx);
    int value = 0;
    struct edo_oneshot_recv recv = edo_oneshot_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(recv.output, 0);
    cr_assert_eq(value, 8);
    edo_oneshot_receiver_drop(c.rx);
    bench_end(&bench);
}

Test(oneshot, after_close_nothing_is_sent)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel();
    edo_oneshot_close(c.rx);
    edo_oneshot_close(c.rx);
    cr_assert(edo_oneshot_is_closed(c.tx));
    cr_assert_eq(receive_now(&c), EDO_ECLOSED);
    int value;
    struct edo_oneshot_recv recv = edo_oneshot_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(recv.output, EDO_ECLOSED);
    cr_assert_eq(send_now(&c, 1), EDO_ECLOSED);
    cr_assert_eq(receive_now(&c), EDO_ECLOSED);
    edo_oneshot_receiver_drop(c.rx);
    bench_end(&bench);
}

Test(oneshot, closed_is_woken_by_close_and_by_drop)
{
    struct bench bench;
    for (int drop = 0; drop < 2; drop++)
        WITH_BOTH_WAKERS(bench)
        {
            struct channel c = channel();
            struct edo_oneshot_closed closed = edo_oneshot_closed(c.tx);
            cr_assert_eq(POLL(closed), EDO_PENDING);
            cr_assert_eq(POLL(closed), EDO_PENDING);
            if (drop)
                edo_oneshot_receiver_drop(c.rx);
            else
                edo_oneshot_close(c.rx);
            cr_assert_eq(bench.counter.wakes, 1);
            cr_assert_eq(POLL(closed), EDO_READY);
            closed = edo_oneshot_closed(c.tx);
            cr_assert_eq(POLL(closed), EDO_READY);
            edo_oneshot_sender_drop(c.tx);
            if (!drop)
                edo_oneshot_receiver_drop(c.rx);
            cr_assert_eq(bench.counter.wakes, 1);
            bench_end(&bench);
        }
}

Test(oneshot, try_recv_tells_empty_from_closed_and_takes_the_value_once)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel();
    cr_assert_eq(receive_now(&c), UV_EAGAIN);
    cr_assert_eq(send_now(&c, 7), 0);
    cr_assert_eq(receive_now(&c), 7);
    cr_assert_eq(receive_now(&c), EDO_ECLOSED);
    int value;
    struct edo_oneshot_recv recv = edo_oneshot_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(recv.output, EDO_ECLOSED);
    edo_oneshot_receiver_drop(c.rx);
    c = channel();
    edo_oneshot_sender_drop(c.tx);
    cr_assert_eq(receive_now(&c), EDO_ECLOSED);
    edo_oneshot_receiver_drop(c.rx);
    bench_end(&bench);
}

Test(oneshot, close_wakes_a_recv_that_waits)
{
    struct bench bench;
    WITH_BOTH_WAKERS(bench)
    {
        struct channel c = channel(), dropped = channel();
        int value;
        struct edo_oneshot_recv recv = edo_oneshot_recv(c.rx, &value);
        cr_assert_eq(POLL(recv), EDO_PENDING);
        edo_oneshot_close(c.rx);
        cr_assert_eq(bench.counter.wakes, 1);
        cr_assert_eq(POLL(recv), EDO_READY);
        cr_assert_eq(recv.output, EDO_ECLOSED);
        edo_oneshot_sender_drop(c.tx);
        edo_oneshot_receiver_drop(c.rx);
        recv = edo_oneshot_recv(dropped.rx, &value);
        cr_assert_eq(POLL(recv), EDO_PENDING);
        edo_oneshot_close(dropped.rx);
        cr_assert_eq(send_now(&dropped, 1), EDO_ECLOSED);
        DROP_IT(recv);
        edo_oneshot_receiver_drop(dropped.rx);
        bench_end(&bench);
    }
}

Test(oneshot, a_message_is_dropped_once_when_nobody_received_it)
{
    struct bench bench;
    bench_begin(&bench);
    for (int received = 0; received < 2; received++) {
        ONESHOT_SENDER(struct owned) tx;
        ONESHOT_RECEIVER(struct owned) rx;
        cr_assert_eq(edo_oneshot_with(&tx, &rx, owned_drop), 0);
        struct owned owned = owned_new(3), got;
        cr_assert_eq(edo_oneshot_send(tx, &owned), 0);
        owned_dropped = 0;
        if (received) {
            cr_assert_eq(edo_oneshot_try_recv(rx, &got), 0);
            cr_assert_eq(got.value, owned.value);
            edo_oneshot_receiver_drop(rx);
            cr_assert_eq(owned_dropped, 0);
            owned_drop(&got);
        } else {
            edo_oneshot_close(rx);
            edo_oneshot_receiver_drop(rx);
        }
        cr_assert_eq(owned_dropped, 1);
    }
    bench_end(&bench);
}

Test(oneshot, handles_dropped_in_either_order_and_null)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel();
    edo_oneshot_sender_drop(c.tx);
    edo_oneshot_receiver_drop(c.rx);
    c = channel();
    edo_oneshot_receiver_drop(c.rx);
    edo_oneshot_sender_drop(c.tx);
    c = (struct channel){NULL, NULL};
    edo_oneshot_receiver_drop(c.rx);
    edo_oneshot_sender_drop(c.tx);
    bench_end(&bench);
}

Test(oneshot, a_dropped_recv_loses_nothing)
{
    struct bench bench;
    WITH_BOTH_WAKERS(bench)
    {
        for (int state = 0; state < 3; state++) { /* never polled, waiting, woken */
            struct channel c = channel();
            int value = 0;
            struct edo_oneshot_recv recv = edo_oneshot_recv(c.rx, &value);
            bench.counter.wakes = 0;
            if (state > 0)
                cr_assert_eq(POLL(recv), EDO_PENDING);
            if (state < 2)
                DROP_IT(recv);
            cr_assert_eq(send_now(&c, 7), 0);
            cr_assert_eq(bench.counter.wakes, state == 2);
            if (state == 2)
                DROP_IT(recv);
            recv = edo_oneshot_recv(c.rx, &value);
            cr_assert_eq(POLL(recv), EDO_READY);
            cr_assert_eq(value, 7);
            edo_oneshot_receiver_drop(c.rx);
        }
        bench_end(&bench);
    }
}

Test(oneshot, a_dropped_closed_is_not_woken)
{
    struct bench bench;
    WITH_BOTH_WAKERS(bench)
    {
        for (int state = 0; state < 3; state++) {
            struct channel c = channel();
            struct edo_oneshot_closed closed = edo_oneshot_closed(c.tx);
            bench.counter.wakes = 0;
            if (state > 0)
                cr_assert_eq(POLL(closed), EDO_PENDING);
            if (state < 2)
                DROP_IT(closed);
            edo_oneshot_close(c.rx);
            cr_assert_eq(bench.counter.wakes, state == 2);
            if (state == 2)
                DROP_IT(closed);
            cr_assert_eq(send_now(&c, 7), EDO_ECLOSED);
            edo_oneshot_receiver_drop(c.rx);
        }
        bench_end(&bench);
    }
}

Test(oneshot, a_waker_is_replaced_by_that_of_the_last_poll)
{
    struct bench bench;
    WITH_BOTH_WAKERS(bench)
    {
        struct counter other = {.waker = {bench.counter.waker.ops}};
        struct edo_context second;
        edo_context_init(&second, &other.waker);
        struct channel c = channel();
        int value = 0;
        struct edo_oneshot_recv recv = edo_oneshot_recv(c.rx, &value);
        cr_assert_eq(POLL(recv), EDO_PENDING);
        cr_assert_eq(edo_future_poll(&recv.future_, &second), EDO_PENDING);
        struct edo_oneshot_closed closed = edo_oneshot_closed(c.tx);
        cr_assert_eq(POLL(closed), EDO_PENDING);
        cr_assert_eq(edo_future_poll(&closed.future_, &second), EDO_PENDING);
        cr_assert_eq(POLL(closed), EDO_PENDING);
        DROP_IT(closed);
        cr_assert_eq(send_now(&c, 7), 0);
        cr_assert_eq(bench.counter.wakes, 0);
        cr_assert_eq(other.wakes, 1);
        cr_assert_eq(POLL(recv), EDO_READY, "with another one again");
        cr_assert_eq(value, 7);
        cr_assert_eq(other.clones, other.drops);
        edo_oneshot_receiver_drop(c.rx);
        bench_end(&bench);
    }
}

Test(oneshot, each_future_takes_from_the_budget_and_gives_way_without)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel();
    int value = 0;
    edo_oneshot_send(c.tx, &(int){7});
    struct edo_oneshot_recv recv = edo_oneshot_recv(c.rx, &value);
    bench.cx.budget = 0;
    cr_assert_eq(POLL(recv), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 1);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(value, 7);
    cr_assert_eq(bench.cx.budget, 0);
    edo_oneshot_receiver_drop(c.rx);
    c = channel();
    edo_oneshot_close(c.rx);
    struct edo_oneshot_closed closed = edo_oneshot_closed(c.tx);
    cr_assert_eq(POLL(closed), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 2);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(closed), EDO_READY);
    cr_assert_eq(bench.cx.budget, 0);
    edo_oneshot_sender_drop(c.tx);
    edo_oneshot_receiver_drop(c.rx);
    bench_end(&bench);
}

Test(oneshot, the_futures_say_their_names)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel();
    int value;
    struct edo_oneshot_recv recv = edo_oneshot_recv(c.rx, &value);
    struct edo_oneshot_closed closed = edo_oneshot_closed(c.tx);
    cr_assert_eq(POLL(recv), EDO_PENDING);
    cr_assert_eq(POLL(closed), EDO_PENDING);
    edo_future_trace(&recv.future_, &bench.cx);
    edo_future_trace(&closed.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_oneshot_recv\nedo_oneshot_closed\n");
    DROP_IT(closed);
    DROP_IT(recv);
    edo_oneshot_sender_drop(c.tx);
    edo_oneshot_receiver_drop(c.rx);
    bench_end(&bench);
}

Test(oneshot, messages_of_any_size)
{
    struct bench bench;
    bench_begin(&bench);
    struct nothing {
    };
    struct odd {
        char bytes[1001];
    } odd, got;
    ONESHOT_SENDER(struct nothing) ntx;
    ONESHOT_RECEIVER(struct nothing) nrx;
    struct nothing nothing;
    cr_assert_eq(edo_oneshot(&ntx, &nrx), 0);
    cr_assert_eq(edo_oneshot_send(ntx, &nothing), 0);
    cr_assert_eq(edo_oneshot_try_recv(nrx, &nothing), 0);
    edo_oneshot_receiver_drop(nrx);
    ONESHOT_SENDER(char) btx;
    ONESHOT_RECEIVER(char) brx;
    char byte = 'b', got_byte = 0;
    cr_assert_eq(edo_oneshot(&btx, &brx), 0);
    cr_assert_eq(edo_oneshot_send(btx, &byte), 0);
    cr_assert_eq(edo_oneshot_try_recv(brx, &got_byte), 0);
    cr_assert_eq(got_byte, 'b');
    edo_oneshot_receiver_drop(brx);
    static struct page {
        char bytes[4096];
    } page, got_page;
    ONESHOT_SENDER(struct page) ptx;
    ONESHOT_RECEIVER(struct page) prx;
    memset(&page, 'p', sizeof page);
    cr_assert_eq(edo_oneshot(&ptx, &prx), 0);
    cr_assert_eq(edo_oneshot_send(ptx, &page), 0);
    cr_assert_eq(edo_oneshot_try_recv(prx, &got_page), 0);
    cr_assert_arr_eq(&page, &got_page, sizeof page);
    edo_oneshot_receiver_drop(prx);
    ONESHOT_SENDER(struct odd) otx;
    ONESHOT_RECEIVER(struct odd) orx;
    memset(&odd, 'x', sizeof odd);
    cr_assert_eq(edo_oneshot(&otx, &orx), 0);
    cr_assert_eq(edo_oneshot_send(otx, &odd), 0);
    cr_assert_eq(edo_oneshot_try_recv(orx, &got), 0);
    cr_assert_arr_eq(&odd, &got, sizeof odd);
    edo_oneshot_receiver_drop(orx);
    bench_end(&bench);
}

Test(oneshot, without_memory_nothing_is_made)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c;
    memset(&c, 1, sizeof c);
    edo_alloc_fail(1, false);
    cr_assert_eq(edo_oneshot(&c.tx, &c.rx), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_null(c.tx);
    cr_assert_null(c.rx);
    edo_alloc_fail(2, true);
    c = channel();
    cr_assert_eq(send_now(&c, 1), 0);
    cr_assert_eq(receive_now(&c), 1);
    edo_oneshot_receiver_drop(c.rx);
    cr_assert_not(edo_alloc_fail(0, false), "one allocation");
    bench_end(&bench);
}

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

/* Threads. */

static void *sends_later(void *arg)
{
    struct channel *c = arg;
    cr_assert_eq(send_now(c, 7), 0);
    return NULL;
}

static void *drops_sender_later(void *arg)
{
    edo_oneshot_sender_drop(((struct channel *)arg)->tx);
    return NULL;
}

Test(oneshot, a_plain_thread_waits)
{
    struct bench bench;
    bench_begin(&bench);
    for (int i = 0; i < 40; i++) {
        struct channel c = channel();
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, i & 1 ? sends_later : drops_sender_later, &c),
                     0);
        int value = 0;
        cr_assert_eq(edo_oneshot_blocking_recv(c.rx, &value), i & 1 ? 0 : EDO_ECLOSED);
        cr_assert_eq(value, i & 1 ? 7 : 0);
        edo_oneshot_receiver_drop(c.rx);
        pthread_join(thread, NULL);
    }
    bench_end(&bench);
}

Test(oneshot, a_plain_thread_without_memory_takes_nothing)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel();
    cr_assert_eq(send_now(&c, 7), 0);
    edo_alloc_fail(1, false);
    int value = 0;
    cr_assert_eq(edo_oneshot_blocking_recv(c.rx, &value), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_eq(edo_oneshot_blocking_recv(c.rx, &value), 0);
    cr_assert_eq(value, 7);
    edo_oneshot_receiver_drop(c.rx);
    bench_end(&bench);
}

struct blocks {
    FUTURE(int);
    struct channel *c;
};

ASYNC(blocks)
{
    ASYNC_BEGIN;
    int value = 0;
    int error = edo_oneshot_blocking_recv(self->c->rx, &value);
    RETURN(error);
    ASYNC_END;
}

Test(oneshot, blocking_in_a_task_is_an_error)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct channel c = channel();
    cr_assert_eq(send_now(&c, 7), 0);
    struct blocks blocks = NEW(blocks, .c = &c);
    cr_assert_eq(test_block_on(runtime, &blocks), 0);
    cr_assert_eq(blocks.output, EDO_ENESTED);
    cr_assert_eq(receive_now(&c), 7);
    edo_oneshot_receiver_drop(c.rx);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

/* A runtime in each of two threads: requests, each with the sender of its answer. */
struct request {
    int number;
    ONESHOT_SENDER(int) answer;
};

struct asks {
    FUTURE(int);
    MPSC_SENDER(struct request) requests;
    int rounds;
    struct request request;
    ONESHOT_RECEIVER(int) rx;
    int answer;
    struct edo_mpsc_send send;
    struct edo_oneshot_recv recv;
};

ASYNC(asks)
{
    ASYNC_BEGIN;
    for (self->request.number = 0; self->request.number < self->rounds; self->request.number++) {
        cr_assert_eq(edo_oneshot(&self->request.answer, &self->rx), 0);
        AWAIT(self->send, edo_mpsc_send(self->requests, &self->request));
        cr_assert_eq(self->send.output, 0);
        AWAIT(self->recv, edo_oneshot_recv(self->rx, &self->answer));
        cr_assert_eq(self->recv.output, self->request.number % 5 == 0 ? EDO_ECLOSED : 0);
        if (self->recv.output == 0)
            cr_assert_eq(self->answer, 2 * self->request.number);
        edo_oneshot_receiver_drop(self->rx);
    }
    RETURN(0);
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->requests);
    ASYNC_END;
}

struct answers {
    FUTURE(int);
    MPSC_RECEIVER(struct request) requests;
    struct request request;
    struct edo_mpsc_recv recv;
};

ASYNC(answers)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->requests, &self->request));
        if (self->recv.output < 0)
            RETURN(0);
        int answer = 2 * self->request.number;
        if (self->request.number % 5 == 0)
            edo_oneshot_sender_drop(self->request.answer);
        else
            cr_assert_eq(edo_oneshot_send(self->request.answer, &answer), 0);
    }
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->requests);
    ASYNC_END;
}

static void *run_alone(void *arg)
{
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(test_block_on_(runtime, arg), 0);
    edo_runtime_drop(runtime);
    return NULL;
}

Test(oneshot, tasks_of_two_runtimes_ask_and_answer)
{
    struct bench bench;
    bench_begin(&bench);
    MPSC_SENDER(struct request) tx;
    MPSC_RECEIVER(struct request) rx;
    cr_assert_eq(edo_mpsc(&tx, &rx, 4), 0);
    struct answers answers = NEW(answers, .requests = rx);
    struct asks asks = NEW(asks, .requests = tx, .rounds = 5000);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run_alone, &answers.future_), 0);
    run_alone(&asks.future_);
    pthread_join(thread, NULL);
    bench_end(&bench);
}

/* Pairs of threads, more than there are cores, with a channel each in every round. */
enum { PAIRS = 4, BATCH = 16, BATCHES = 60 };

struct pair {
    pthread_barrier_t barrier;
    unsigned seeds[2];
    struct {
        ONESHOT_SENDER(struct owned) tx;
        ONESHOT_RECEIVER(struct owned) rx;
        bool sender_waits; /* for the receiver's end; which then waits for nothing */
    } channels[BATCH];
};

static _Atomic(int) sent, got;

static void sender_round(struct pair *pair, int i, unsigned *seed)
{
    __typeof__(pair->channels[i].tx) tx = pair->channels[i].tx;
    struct edo_oneshot_closed closed = edo_oneshot_closed(tx);
    if (pair->channels[i].sender_waits)
        pursue(&closed.future_, true, seed);
    else if (rand_r(seed) % 2 == 0)
        pursue(&closed.future_, false, seed);
    if (rand_r(seed) % 4 == 0) {
        edo_oneshot_sender_drop(tx);
        return;
    }
    struct owned owned = owned_new(i);
    if (edo_oneshot_send(tx, &owned) == 0)
        sent++;
    else
        edo_free(owned.value);
}

static void receiver_round(struct pair *pair, int i, unsigned *seed)
{
    __typeof__(pair->channels[i].rx) rx = pair->channels[i].rx;
    struct owned owned;
    int error = UV_EAGAIN;
    struct edo_oneshot_recv recv = edo_oneshot_recv(rx, &owned);
    if (pursue(&recv.future_, !pair->channels[i].sender_waits && rand_r(seed) % 2, seed))
        error = recv.output;
    if (error == UV_EAGAIN && rand_r(seed) % 2 == 0)
        edo_oneshot_close(rx);
    if (error == UV_EAGAIN && rand_r(seed) % 2 == 0)
        error = edo_oneshot_try_recv(rx, &owned);
    if (error == 0) {
        cr_assert_eq(*owned.value, i);
        edo_free(owned.value);
        got++;
    }
    edo_oneshot_receiver_drop(rx);
}

static void *walk_pair(struct pair *pair, bool sender)
{
    unsigned *seed = &pair->seeds[sender];
    for (int batch = 0; batch < BATCHES; batch++) {
        for (int i = 0; !sender && i < BATCH; i++) {
            cr_assert_eq(edo_oneshot_with(&pair->channels[i].tx, &pair->channels[i].rx, owned_drop),
                         0);
            pair->channels[i].sender_waits = rand_r(seed) % 4 == 0;
        }
        pthread_barrier_wait(&pair->barrier);
        for (int i = 0; i < BATCH; i++)
            (sender ? sender_round : receiver_round)(pair, i, seed);
        pthread_barrier_wait(&pair->barrier);
    }
    return NULL;
}

static void *walk_as_sender(void *pair)
{
    return walk_pair(pair, true);
}

static void *walk_as_receiver(void *pair)
{
    return walk_pair(pair, false);
}

Test(oneshot, whatever_two_threads_do_each_message_ends_once)
{
    struct bench bench;
    bench_begin(&bench);
    owned_dropped = 0;
    unsigned seed = pursue_seed();
    static struct pair pairs[PAIRS];
    pthread_t threads[PAIRS][2];
    for (int i = 0; i < PAIRS; i++) {
        pthread_barrier_init(&pairs[i].barrier, NULL, 2);
        pairs[i].seeds[0] = (unsigned)rand_r(&seed);
        pairs[i].seeds[1] = (unsigned)rand_r(&seed);
        cr_assert_eq(pthread_create(&threads[i][0], NULL, walk_as_receiver, &pairs[i]), 0);
        cr_assert_eq(pthread_create(&threads[i][1], NULL, walk_as_sender, &pairs[i]), 0);
    }
    for (int i = 0; i < PAIRS; i++) {
        pthread_join(threads[i][0], NULL);
        pthread_join(threads[i][1], NULL);
        pthread_barrier_destroy(&pairs[i].barrier);
    }
    cr_assert_eq(sent, got + owned_dropped);
    cr_assert_gt(got, 0);
    bench_end(&bench);
}
