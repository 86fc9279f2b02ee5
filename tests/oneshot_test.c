/* SPDX-License-Identifier: MIT */
#include "oneshot_helpers.h"

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
