/* SPDX-License-Identifier: MIT */
#include "broadcast_helpers.h"
#include "support/runtimes.h"

Test(broadcast, each_receiver_gets_each_message_from_its_subscription_on)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(4);
    cr_assert_eq(send_now(&c, 1), 1);
    BROADCAST_RECEIVER(int) late = edo_broadcast_subscribe(c.tx);
    cr_assert_eq(edo_broadcast_receiver_count(c.tx), 2);
    cr_assert_eq(send_now(&c, 2), 2);
    cr_assert_eq(edo_broadcast_len(c.rx), 2);
    cr_assert_eq(edo_broadcast_len(late), 1);
    cr_assert_eq(edo_broadcast_sender_len(c.tx), 2);
    cr_assert_eq(RECEIVE(c.rx), 1);
    cr_assert_eq(edo_broadcast_sender_len(c.tx), 1);
    cr_assert_eq(RECEIVE(c.rx), 2);
    cr_assert_eq(RECEIVE(c.rx), UV_EAGAIN);
    cr_assert_eq(RECEIVE(late), 2);
    cr_assert_eq(RECEIVE(late), UV_EAGAIN);
    cr_assert_eq(edo_broadcast_sender_len(c.tx), 0);
    cr_assert(edo_broadcast_same_channel(c.rx, late) && edo_broadcast_same_channel(c.tx, late));
    edo_broadcast_receiver_drop(late);
    done(&c);
    bench_end(&bench);
}

Test(broadcast, lagged_gives_the_exact_count_and_goes_on_with_the_oldest_kept)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(3); /* rounded up to 4 */
    for (int i = 0; i < 11; i++)
        cr_assert_eq(send_now(&c, i), 1);
    int value;
    struct edo_broadcast_recv recv = edo_broadcast_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(recv.output, EDO_ELAGGED);
    cr_assert_eq(recv.lagged, 7);
    for (int i = 7; i < 11; i++)
        cr_assert_eq(RECEIVE(c.rx), i);
    cr_assert_eq(RECEIVE(c.rx), UV_EAGAIN);
    done(&c);
    bench_end(&bench);
}

Test(broadcast, without_receivers_send_returns_the_value)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(2);
    cr_assert_eq(send_now(&c, 1), 1);
    edo_broadcast_receiver_drop(c.rx);
    cr_assert_eq(send_now(&c, 2), EDO_ECLOSED);
    c.rx = edo_broadcast_subscribe(c.tx);
    cr_assert_eq(RECEIVE(c.rx), UV_EAGAIN);
    cr_assert_eq(send_now(&c, 3), 1);
    cr_assert_eq(RECEIVE(c.rx), 3);
    done(&c);
    bench_end(&bench);
}

Test(broadcast, the_end_comes_after_the_last_message)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(2);
    BROADCAST_SENDER(int) other = edo_broadcast_sender_clone(c.tx);
    cr_assert_eq(edo_broadcast_sender_count(c.tx), 2);
    send_now(&c, 1);
    edo_broadcast_sender_drop(c.tx);
    cr_assert_eq(RECEIVE(c.rx), 1);
    cr_assert_eq(RECEIVE(c.rx), UV_EAGAIN);
    int value;
    struct edo_broadcast_recv recv = edo_broadcast_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_PENDING);
    c.tx = other;
    send_now(&c, 2);
    cr_assert_eq(bench.counter.wakes, 1);
    edo_broadcast_sender_drop(c.tx);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert(recv.output == 0 && value == 2);
    cr_assert_eq(RECEIVE(c.rx), EDO_ECLOSED);
    edo_broadcast_receiver_drop(c.rx);
    bench_end(&bench);
}

Test(broadcast, all_who_wait_are_woken_by_a_message_and_by_the_end)
{
    enum { MANY = 70 };
    for (int end = 0; end < 2; end++) {
        struct bench bench;
        bench_begin(&bench);
        struct channel c = channel(2);
        BROADCAST_RECEIVER(int) rx[MANY];
        struct edo_broadcast_recv recv[MANY];
        int values[MANY];
        for (int i = 0; i < MANY; i++) {
            rx[i] = edo_broadcast_subscribe(c.tx);
            recv[i] = edo_broadcast_recv(rx[i], &values[i]);
            bench.cx.budget = EDO_BUDGET;
            cr_assert_eq(POLL(recv[i]), EDO_PENDING);
        }
        if (end)
            edo_broadcast_sender_drop(c.tx);
        else
            send_now(&c, 5);
        cr_assert_eq(bench.counter.wakes, MANY);
        for (int i = 0; i < MANY; i++) {
            bench.cx.budget = EDO_BUDGET;
            if (i % 2 == 0)
                DROP_IT(recv[i]);
            else
                cr_assert_eq(POLL(recv[i]), EDO_READY);
            if (i % 2 == 1)
                cr_assert_eq(recv[i].output, end ? EDO_ECLOSED : 0);
            else
                cr_assert_eq(RECEIVE(rx[i]), end ? EDO_ECLOSED : 5, "dropped, it took none");
            edo_broadcast_receiver_drop(rx[i]);
        }
        if (end)
            edo_broadcast_receiver_drop(c.rx);
        else
            done(&c);
        bench_end(&bench);
    }
}

Test(broadcast, a_recv_that_is_dropped_while_it_waits_is_not_woken)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(2);
    int value;
    struct edo_broadcast_recv recv = edo_broadcast_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_PENDING);
    DROP_IT(recv);
    send_now(&c, 1);
    cr_assert_eq(bench.counter.wakes, 0);
    cr_assert_eq(RECEIVE(c.rx), 1);
    done(&c);
    bench_end(&bench);
}

Test(broadcast, resubscribe_starts_at_the_tail)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(4);
    send_now(&c, 1);
    BROADCAST_RECEIVER(int) again = edo_broadcast_resubscribe(c.rx);
    send_now(&c, 2);
    cr_assert_eq(RECEIVE(again), 2);
    cr_assert_eq(RECEIVE(c.rx), 1);
    edo_broadcast_receiver_drop(again);
    done(&c);
    bench_end(&bench);
}

Test(broadcast, weak_senders_do_not_keep_the_channel_open)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(4);
    BROADCAST_WEAK_SENDER(int) weak = edo_broadcast_downgrade(c.tx);
    BROADCAST_SENDER(int) again = edo_broadcast_upgrade(weak);
    cr_assert_not_null(again);
    edo_broadcast_sender_drop(c.tx);
    cr_assert_eq(RECEIVE(c.rx), UV_EAGAIN);
    edo_broadcast_sender_drop(again);
    cr_assert_eq(RECEIVE(c.rx), EDO_ECLOSED);
    cr_assert_null(edo_broadcast_upgrade(weak));
    edo_broadcast_receiver_drop(c.rx);
    BROADCAST_WEAK_SENDER(int) other = edo_broadcast_weak_sender_clone(weak);
    edo_broadcast_weak_sender_drop(weak);
    cr_assert_null(edo_broadcast_upgrade(other));
    edo_broadcast_weak_sender_drop(other);
    edo_broadcast_weak_sender_drop((BROADCAST_WEAK_SENDER(int))NULL);
    bench_end(&bench);
}

Test(broadcast, closed_is_ready_when_the_last_receiver_goes)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(4);
    BROADCAST_RECEIVER(int) other = edo_broadcast_subscribe(c.tx);
    struct edo_broadcast_closed closed = edo_broadcast_closed(c.tx);
    struct edo_broadcast_closed dropped = edo_broadcast_closed(c.tx);
    cr_assert_eq(POLL(closed), EDO_PENDING);
    cr_assert_eq(POLL(dropped), EDO_PENDING);
    DROP_IT(dropped);
    edo_broadcast_receiver_drop(other);
    cr_assert_eq(POLL(closed), EDO_PENDING);
    edo_broadcast_receiver_drop(c.rx);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(closed), EDO_READY);
    edo_broadcast_sender_drop(c.tx);
    bench_end(&bench);
}

/* Each future dropped before its first poll, while it waits, and when it was woken. */
Test(broadcast, a_future_dropped_at_any_time_leaves_nothing_behind)
{
    struct bench bench;
    bench_begin(&bench);
    for (int state = 0; state < 3; state++) { /* never polled, waiting, woken */
        struct channel c = channel(2);
        int value = 0;
        struct edo_broadcast_recv recv = edo_broadcast_recv(c.rx, &value);
        struct edo_broadcast_closed closed = edo_broadcast_closed(c.tx);
        bench.counter.wakes = 0;
        if (state > 0) {
            cr_assert_eq(POLL(recv), EDO_PENDING);
            cr_assert_eq(POLL(closed), EDO_PENDING);
        }
        if (state < 2)
            DROP_IT(recv);
        cr_assert_eq(send_now(&c, 5), 1);
        cr_assert_eq(bench.counter.wakes, state == 2);
        if (state == 2)
            DROP_IT(recv);
        cr_assert(value == 0 && RECEIVE(c.rx) == 5);
        if (state < 2)
            DROP_IT(closed);
        edo_broadcast_receiver_drop(c.rx);
        cr_assert_eq(bench.counter.wakes, state == 2 ? 2 : 0);
        if (state == 2)
            DROP_IT(closed);
        edo_broadcast_sender_drop(c.tx);
    }
    bench_end(&bench);
}

Test(broadcast, a_waker_is_replaced_by_that_of_the_last_poll)
{
    struct bench bench, other;
    bench_begin(&bench);
    bench_begin(&other);
    struct channel c = channel(2);
    int value = 0;
    struct edo_broadcast_recv recv = edo_broadcast_recv(c.rx, &value);
    struct edo_broadcast_closed closed = edo_broadcast_closed(c.tx);
    cr_assert_eq(POLL(recv), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&recv.future_, &other.cx), EDO_PENDING);
    cr_assert_eq(POLL(closed), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&closed.future_, &other.cx), EDO_PENDING);
    send_now(&c, 1);
    cr_assert(bench.counter.wakes == 0 && other.counter.wakes == 1);
    cr_assert_eq(POLL(recv), EDO_READY);
    edo_broadcast_receiver_drop(c.rx);
    cr_assert(bench.counter.wakes == 0 && other.counter.wakes == 2);
    cr_assert_eq(POLL(closed), EDO_READY);
    edo_broadcast_sender_drop(c.tx);
    bench_end(&bench);
}

Test(broadcast, each_recv_takes_from_the_budget_and_gives_way_without)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(2);
    send_now(&c, 1);
    int value = 0;
    struct edo_broadcast_recv recv = edo_broadcast_recv(c.rx, &value);
    bench.cx.budget = 0;
    cr_assert_eq(POLL(recv), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 1);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert(value == 1 && bench.cx.budget == 0);
    done(&c);
    bench_end(&bench);
}

Test(broadcast, the_futures_say_their_names)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(2);
    int value;
    struct edo_broadcast_recv recv = edo_broadcast_recv(c.rx, &value);
    struct edo_broadcast_closed closed = edo_broadcast_closed(c.tx);
    edo_future_trace(&recv.future_, &bench.cx);
    edo_future_trace(&closed.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_broadcast_recv\nedo_broadcast_closed\n");
    done(&c);
    bench_end(&bench);
}

Test(broadcast, elements_of_no_size_of_one_byte_and_of_a_page)
{
    struct bench bench;
    bench_begin(&bench);
    struct nothing {
    } nothing;
    static struct page {
        char bytes[4096];
    } page, got;
    BROADCAST_SENDER(struct nothing) ntx;
    BROADCAST_RECEIVER(struct nothing) nrx;
    BROADCAST_SENDER(char) btx;
    BROADCAST_RECEIVER(char) brx;
    BROADCAST_SENDER(struct page) ptx;
    BROADCAST_RECEIVER(struct page) prx;
    cr_assert_eq(edo_broadcast(&ntx, &nrx, 4), 0);
    cr_assert_eq(edo_broadcast(&btx, &brx, 4), 0);
    cr_assert_eq(edo_broadcast(&ptx, &prx, 4), 0);
    for (int round = 0; round < 100; round++) {
        uint64_t lagged;
        for (int i = 0; i < 3; i++) {
            char byte = (char)(round + i);
            memset(&page, byte, sizeof page);
            cr_assert_eq(edo_broadcast_send(ntx, &nothing), 1);
            cr_assert_eq(edo_broadcast_send(btx, &byte), 1);
            cr_assert_eq(edo_broadcast_send(ptx, &page), 1);
        }
        for (int i = 0; i < 3; i++) {
            char byte = 0;
            cr_assert_eq(edo_broadcast_try_recv(nrx, &nothing, &lagged), 0);
            cr_assert_eq(edo_broadcast_try_recv(brx, &byte, &lagged), 0);
            cr_assert_eq(edo_broadcast_try_recv(prx, &got, &lagged), 0);
            cr_assert_eq(byte, (char)(round + i));
            cr_assert(got.bytes[0] == byte && got.bytes[4095] == byte);
        }
        cr_assert_eq(edo_broadcast_try_recv(nrx, &nothing, &lagged), UV_EAGAIN);
    }
    edo_broadcast_sender_drop(ntx);
    edo_broadcast_receiver_drop(nrx);
    edo_broadcast_sender_drop(btx);
    edo_broadcast_receiver_drop(brx);
    edo_broadcast_sender_drop(ptx);
    edo_broadcast_receiver_drop(prx);
    bench_end(&bench);
}

Test(broadcast, a_plain_one_allocates_for_handles_only)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c;
    int n, value = 0;
    for (n = 1;; n++) {
        edo_alloc_fail((uint64_t)n, false);
        int error = edo_broadcast(&c.tx, &c.rx, 2);
        if (!edo_alloc_fail(0, false)) {
            cr_assert_eq(error, 0);
            break;
        }
        cr_assert_eq(error, UV_ENOMEM);
        cr_assert(c.tx == NULL && c.rx == NULL);
    }
    cr_assert_eq(n, 5);
    edo_alloc_fail(1, true);
    BROADCAST_SENDER(int) other = edo_broadcast_sender_clone(c.tx);
    BROADCAST_WEAK_SENDER(int) weak = edo_broadcast_downgrade(other);
    edo_broadcast_sender_drop(other);
    edo_broadcast_sender_drop(edo_broadcast_upgrade(weak));
    edo_broadcast_weak_sender_drop(weak);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(send_now(&c, i), 1);
    cr_assert_eq(RECEIVE(c.rx), EDO_ELAGGED);
    struct edo_broadcast_recv recv = edo_broadcast_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(value, 3);
    cr_assert_not(edo_alloc_fail(1, true));
    cr_assert_null(edo_broadcast_subscribe(c.tx));
    cr_assert_null(edo_broadcast_resubscribe(c.rx));
    uint64_t lagged = 9;
    cr_assert_eq(edo_broadcast_blocking_recv(c.rx, &value, &lagged), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_eq(edo_broadcast_receiver_count(c.tx), 1);
    cr_assert_eq(RECEIVE(c.rx), 4);
    done(&c);
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
    int error = edo_broadcast_blocking_recv(self->c->rx, &value, &self->c->lagged);
    RETURN(error);
    ASYNC_END;
}

Test(broadcast, blocking_in_a_task_is_an_error)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct channel c = channel(1);
    send_now(&c, 7);
    struct blocks blocks = NEW(blocks, .c = &c);
    cr_assert_eq(test_block_on(runtime, &blocks), 0);
    cr_assert_eq(blocks.output, EDO_ENESTED);
    cr_assert_eq(RECEIVE(c.rx), 7);
    done(&c);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

Test(broadcast, a_value_is_dropped_when_nobody_will_receive_it)
{
    struct bench bench;
    bench_begin(&bench);
    clones = drops = 0;
    owned_sender tx;
    owned_receiver a, b;
    cr_assert_eq(edo_broadcast_with(&tx, &a, 2, owned_clone, NULL), UV_EINVAL);
    cr_assert(tx == NULL && a == NULL);
    cr_assert_eq(edo_broadcast_with(&tx, &a, 2, owned_clone, owned_drop), 0);
    b = edo_broadcast_subscribe(tx);
    send_owned(tx, 1);
    cr_assert_eq(receive_owned(a), 1);
    cr_assert_eq(clones, 1);
    cr_assert_eq(receive_owned(b), 1, "the last one gets it itself");
    cr_assert_eq(clones, 1);
    cr_assert_eq(drops, 0);
    for (int i = 2; i < 5; i++)
        send_owned(tx, i);
    cr_assert_eq(drops, 1, "overwritten");
    cr_assert_eq(receive_owned(a), EDO_ELAGGED);
    cr_assert_eq(receive_owned(a), 3);
    edo_broadcast_receiver_drop(b);
    cr_assert_eq(drops, 2, "3, which b alone had still to receive");
    edo_broadcast_receiver_drop(a);
    cr_assert_eq(drops, 3);
    cr_assert_eq(send_owned(tx, 9), EDO_ECLOSED);
    edo_broadcast_sender_drop(tx);
    bench_end(&bench);
}

Test(broadcast, without_memory_nothing_is_made_and_nothing_is_lost)
{
    struct bench bench;
    bench_begin(&bench);
    drops = 0;
    owned_sender tx;
    owned_receiver rx;
    int n;
    for (n = 1;; n++) {
        edo_alloc_fail((uint64_t)n, false);
        int error = edo_broadcast_with(&tx, &rx, 2, owned_clone, owned_drop);
        if (!edo_alloc_fail(0, false)) {
            cr_assert_eq(error, 0);
            break;
        }
        cr_assert_eq(error, UV_ENOMEM);
        cr_assert(tx == NULL && rx == NULL);
    }
    cr_assert_eq(n, 4);
    struct owned message = {edo_malloc(sizeof(int))};
    edo_alloc_fail(1, false);
    cr_assert_eq(edo_broadcast_send(tx, &message), UV_ENOMEM);
    cr_assert(edo_alloc_fail(1, false) && drops == 0);
    cr_assert_null(edo_broadcast_subscribe(tx));
    edo_alloc_fail(0, false);
    cr_assert_eq(edo_broadcast_receiver_count(tx), 1);
    edo_free(message.value);
    edo_broadcast_sender_drop(tx);
    edo_broadcast_receiver_drop(rx);
    int value;
    struct channel c = channel(1);
    uint64_t lagged;
    edo_alloc_fail(1, false);
    cr_assert_eq(edo_broadcast_blocking_recv(c.rx, &value, &lagged), UV_ENOMEM);
    edo_alloc_fail(0, false);
    done(&c);
    cr_assert_eq(edo_broadcast(&c.tx, &c.rx, 0), UV_EINVAL);
    cr_assert(c.tx == NULL && c.rx == NULL);
    bench_end(&bench);
}

Test(broadcast, without_memory_a_value_is_still_the_callers)
{
    struct bench bench;
    bench_begin(&bench);
    owned_sender tx;
    owned_receiver rx;
    cr_assert_eq(edo_broadcast_with(&tx, &rx, 2, owned_clone, owned_drop), 0);
    send_owned(tx, 1);
    drops = 0;
    struct owned message = {edo_malloc(sizeof(int))};
    *message.value = 2;
    edo_alloc_fail(1, false);
    cr_assert_eq(edo_broadcast_send(tx, &message), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    cr_assert(drops == 0 && *message.value == 2 && edo_broadcast_len(rx) == 1);
    edo_free(message.value);
    cr_assert_eq(receive_owned(rx), 1);
    cr_assert_eq(receive_owned(rx), UV_EAGAIN);
    edo_broadcast_sender_drop(tx);
    edo_broadcast_receiver_drop(rx);
    bench_end(&bench);
}
