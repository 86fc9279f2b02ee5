/* SPDX-License-Identifier: MIT */
#include "async_channel_helpers.h"
#include "support/runtimes.h"

Test(async_channel, first_in_first_out_and_the_capacity_is_respected)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(2);
    cr_assert_eq(send_now(&c, 1), 0);
    cr_assert_eq(send_now(&c, 2), 0);
    cr_assert_eq(send_now(&c, 3), UV_EAGAIN);
    ASYNC_SENDER(int) each[] = {c.tx, NULL}, *next = each;
    cr_assert(edo_async_is_full(*next++) && next == each + 1, "an argument is evaluated once");
    cr_assert(edo_async_len(c.rx) == 2 && edo_async_capacity(c.rx) == 2);
    cr_assert_eq(receive_now(&c), 1);
    cr_assert_eq(receive_now(&c), 2);
    cr_assert_eq(receive_now(&c), UV_EAGAIN);
    cr_assert(edo_async_is_empty(c.tx));
    cr_assert(edo_async_same_channel(c.tx, c.rx));
    done(&c);
    cr_assert_eq(edo_async_channel(&c.tx, &c.rx, 0), UV_EINVAL);
    bench_end(&bench);
}

Test(async_channel, waiting_receivers_are_served_in_order_each_message_to_one)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(4);
    int values[3] = {0};
    struct edo_async_recv recv[3];
    for (int i = 0; i < 3; i++) {
        recv[i] = edo_async_recv(c.rx, &values[i]);
        cr_assert_eq(POLL(recv[i]), EDO_PENDING);
    }
    cr_assert_eq(send_now(&c, 10), 0);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(receive_now(&c), UV_EAGAIN, "it is promised");
    cr_assert_eq(POLL(recv[1]), EDO_PENDING);
    cr_assert_eq(send_now(&c, 11), 0);
    cr_assert_eq(POLL(recv[0]), EDO_READY);
    cr_assert_eq(POLL(recv[1]), EDO_READY);
    cr_assert(values[0] == 10 && values[1] == 11);
    DROP_IT(recv[2]);
    done(&c);
    bench_end(&bench);
}

Test(async_channel, a_receiver_that_was_chosen_and_is_dropped_passes_the_message_on)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(4);
    int a, b = 0;
    struct edo_async_recv one = edo_async_recv(c.rx, &a), other = edo_async_recv(c.rx, &b);
    cr_assert_eq(POLL(one), EDO_PENDING);
    cr_assert_eq(POLL(other), EDO_PENDING);
    send_now(&c, 7);
    edo_async_close(c.tx);
    cr_assert_eq(bench.counter.wakes, 1, "the other may still get it");
    DROP_IT(one);
    cr_assert_eq(bench.counter.wakes, 2);
    cr_assert_eq(POLL(other), EDO_READY);
    cr_assert(other.output == 0 && b == 7);
    done(&c);
    bench_end(&bench);
}

Test(async_channel, waiting_senders_are_served_in_order_and_a_dropped_one_is_skipped)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    send_now(&c, 0);
    int values[4] = {1, 2, 3, 4};
    struct edo_async_send send[4];
    for (int i = 0; i < 4; i++) {
        send[i] = edo_async_send(c.tx, &values[i]);
        cr_assert_eq(POLL(send[i]), EDO_PENDING);
    }
    DROP_IT(send[1]);
    cr_assert_eq(receive_now(&c), 0);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(send_now(&c, 9), UV_EAGAIN, "the place is promised");
    cr_assert_eq(POLL(send[0]), EDO_READY);
    cr_assert_eq(receive_now(&c), 1);
    DROP_IT(send[2]);
    cr_assert_eq(bench.counter.wakes, 3);
    cr_assert_eq(POLL(send[3]), EDO_READY);
    cr_assert_eq(receive_now(&c), 4);
    done(&c);
    bench_end(&bench);
}

Test(async_channel, close_wakes_all_receivers_drain_and_sends_fail_with_the_value)
{
    enum { MANY = 70 };
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(2);
    int values[MANY];
    struct edo_async_recv recv[MANY];
    for (int i = 0; i < MANY; i++) {
        bench.cx.budget = EDO_BUDGET;
        recv[i] = edo_async_recv(c.rx, &values[i]);
        cr_assert_eq(POLL(recv[i]), EDO_PENDING);
    }
    cr_assert_not(edo_async_is_closed(c.rx));
    cr_assert(edo_async_close(c.rx));
    cr_assert_not(edo_async_close(c.tx));
    cr_assert(edo_async_is_closed(c.tx));
    cr_assert_eq(bench.counter.wakes, MANY);
    for (int i = 0; i < MANY; i++) {
        bench.cx.budget = EDO_BUDGET;
        cr_assert_eq(POLL(recv[i]), EDO_READY);
        cr_assert_eq(recv[i].output, EDO_ECLOSED);
    }
    cr_assert_eq(send_now(&c, 1), EDO_ECLOSED);
    done(&c);

    c = channel(1);
    send_now(&c, 5);
    int value = 6;
    struct edo_async_send send = edo_async_send(c.tx, &value);
    cr_assert_eq(POLL(send), EDO_PENDING);
    edo_async_close(c.tx);
    cr_assert_eq(POLL(send), EDO_READY);
    cr_assert_eq(send.output, EDO_ECLOSED);
    cr_assert_eq(receive_now(&c), 5);
    cr_assert_eq(receive_now(&c), EDO_ECLOSED);
    done(&c);
    bench_end(&bench);
}

Test(async_channel, the_last_handle_of_a_side_closes)
{
    struct bench bench;
    bench_begin(&bench);
    dropped = 0;
    struct channel c = channel(EDO_UNBOUNDED);
    ASYNC_SENDER(int) tx = edo_async_sender_clone(c.tx);
    ASYNC_RECEIVER(int) rx = edo_async_receiver_clone(c.rx);
    cr_assert(edo_async_sender_count(c.rx) == 2 && edo_async_receiver_count(c.rx) == 2);
    send_now(&c, 1);
    send_now(&c, 2);
    edo_async_sender_drop(tx);
    edo_async_receiver_drop(rx);
    cr_assert_not(edo_async_is_closed(c.tx));
    edo_async_sender_drop(c.tx);
    cr_assert_eq(receive_now(&c), 1);
    edo_async_receiver_drop(c.rx);
    cr_assert_eq(dropped, 2);

    c = channel(2);
    send_now(&c, 3);
    edo_async_receiver_drop(c.rx);
    cr_assert_eq(dropped, 5);
    cr_assert_eq(send_now(&c, 4), EDO_ECLOSED);
    edo_async_sender_drop(c.tx);
    bench_end(&bench);
}

Test(async_channel, force_send_replaces_the_oldest)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(2);
    int replaced = 0, value = 1;
    cr_assert_eq(edo_async_force_send(c.tx, &value, &replaced), 0);
    value = 2;
    cr_assert_eq(edo_async_force_send(c.tx, &value, &replaced), 0);
    value = 3;
    cr_assert_eq(edo_async_force_send(c.tx, &value, &replaced), 1);
    cr_assert_eq(replaced, 1);
    cr_assert_eq(receive_now(&c), 2);
    cr_assert_eq(receive_now(&c), 3);
    edo_async_close(c.tx);
    cr_assert_eq(edo_async_force_send(c.tx, &value, &replaced), EDO_ECLOSED);
    done(&c);
    bench_end(&bench);
}

Test(async_channel, weak_handles_do_not_keep_it_open)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(2);
    ASYNC_WEAK_SENDER(int) weak_tx = edo_async_sender_downgrade(c.tx);
    ASYNC_WEAK_RECEIVER(int) weak_rx = edo_async_receiver_downgrade(c.rx);
    ASYNC_SENDER(int) tx = edo_async_sender_upgrade(weak_tx);
    ASYNC_RECEIVER(int) rx = edo_async_receiver_upgrade(weak_rx);
    cr_assert(tx != NULL && rx != NULL);
    edo_async_sender_drop(tx);
    edo_async_receiver_drop(rx);
    done(&c);
    cr_assert_null(edo_async_sender_upgrade(weak_tx));
    cr_assert_null(edo_async_receiver_upgrade(weak_rx));
    ASYNC_WEAK_SENDER(int) other_tx = edo_async_weak_sender_clone(weak_tx);
    ASYNC_WEAK_RECEIVER(int) other_rx = edo_async_weak_receiver_clone(weak_rx);
    edo_async_weak_sender_drop(weak_tx);
    edo_async_weak_receiver_drop(weak_rx);
    cr_assert_null(edo_async_sender_upgrade(other_tx));
    cr_assert_null(edo_async_receiver_upgrade(other_rx));
    edo_async_weak_sender_drop(other_tx);
    edo_async_weak_receiver_drop(other_rx);
    edo_async_weak_receiver_drop((ASYNC_WEAK_RECEIVER(int))NULL);
    bench_end(&bench);
}

Test(async_channel, without_memory_nothing_is_made_and_nothing_is_lost)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c;
    for (int n = 1; n <= 2; n++) {
        edo_alloc_fail((uint64_t)n, false);
        cr_assert_eq(edo_async_channel(&c.tx, &c.rx, 4), UV_ENOMEM);
        cr_assert(edo_alloc_fail(0, false));
    }
    c = channel(EDO_UNBOUNDED);
    int sent = 0;
    edo_alloc_fail(1, true);
    while (send_now(&c, sent) == 0)
        sent++;
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_eq(send_now(&c, sent), 0);
    for (int i = 0; i <= sent; i++)
        cr_assert_eq(receive_now(&c), i);
    done(&c);
    bench_end(&bench);
}

Test(async_channel, each_operation_takes_from_the_budget)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(4);
    int value = 1;
    bench.cx.budget = 1;
    struct edo_async_send send = edo_async_send(c.tx, &value);
    cr_assert_eq(POLL(send), EDO_READY);
    struct edo_async_recv recv = edo_async_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 1);
    DROP_IT(recv);
    cr_assert_eq(receive_now(&c), 1);
    done(&c);
    bench_end(&bench);
}

Test(async_channel, force_send_leaves_what_is_promised)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    int replaced = 0, value = 2, got = 0, later = 3;
    struct edo_async_recv recv = edo_async_recv(c.rx, &got);
    cr_assert_eq(POLL(recv), EDO_PENDING);
    send_now(&c, 1);
    cr_assert_eq(edo_async_force_send(c.tx, &value, &replaced), 1);
    cr_assert_eq(replaced, 1);
    cr_assert_eq(POLL(recv), EDO_READY, "a message was promised, and there is one");
    cr_assert_eq(got, 2);
    send_now(&c, 1);
    struct edo_async_send send = edo_async_send(c.tx, &later);
    cr_assert_eq(POLL(send), EDO_PENDING);
    cr_assert_eq(receive_now(&c), 1);
    cr_assert_eq(edo_async_force_send(c.tx, &value, &replaced), UV_EAGAIN, "the place is promised");
    cr_assert_eq(POLL(send), EDO_READY);
    cr_assert_eq(edo_async_force_send(c.tx, &value, &replaced), 1);
    cr_assert_eq(replaced, 3);
    cr_assert_eq(receive_now(&c), 2);
    done(&c);
    bench_end(&bench);
}

/* Each future dropped before its first poll, while it waits, when its turn has come, when it was refused:
 * it has done nothing, and the next one has its turn. */
Test(async_channel, a_future_dropped_at_any_time_leaves_nothing_behind)
{
    struct bench bench;
    bench_begin(&bench);
    for (int state = 0; state < 4; state++) { /* never polled, waiting, chosen, refused */
        struct channel c = channel(1), full = channel(1);
        int value = 1, got = 0, next_got = 0, next = 2;
        send_now(&full, 9);
        struct edo_async_recv recv = edo_async_recv(c.rx, &got),
                              behind = edo_async_recv(c.rx, &next_got);
        struct edo_async_send send = edo_async_send(full.tx, &value),
                              after = edo_async_send(full.tx, &next);
        if (state > 0) {
            cr_assert_eq(POLL(recv), EDO_PENDING);
            cr_assert_eq(POLL(send), EDO_PENDING);
        }
        cr_assert_eq(POLL(behind), EDO_PENDING);
        cr_assert_eq(POLL(after), EDO_PENDING);
        if (state == 2) {
            send_now(&c, 5);
            cr_assert_eq(receive_now(&full), 9);
        }
        if (state == 3) {
            edo_async_close(c.tx);
            edo_async_close(full.tx);
        }
        DROP_IT(recv);
        DROP_IT(send);
        if (state < 2) {
            send_now(&c, 5);
            cr_assert_eq(receive_now(&full), 9);
        }
        cr_assert_eq(POLL(behind), EDO_READY);
        cr_assert_eq(POLL(after), EDO_READY);
        cr_assert_eq(behind.output, state == 3 ? EDO_ECLOSED : 0);
        cr_assert_eq(after.output, state == 3 ? EDO_ECLOSED : 0);
        cr_assert(got == 0 && next_got == (state == 3 ? 0 : 5));
        cr_assert_eq(receive_now(&full), state == 3 ? 9 : 2);
        cr_assert_eq(edo_async_len(full.tx), 0);
        done(&c);
        done(&full);
    }
    bench_end(&bench);
}

Test(async_channel, a_waker_is_replaced_by_that_of_the_last_poll)
{
    struct bench bench, other;
    bench_begin(&bench);
    bench_begin(&other);
    struct channel c = channel(1);
    int value = 2, got = 0;
    struct edo_async_recv recv = edo_async_recv(c.rx, &got);
    cr_assert_eq(POLL(recv), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&recv.future_, &other.cx), EDO_PENDING);
    send_now(&c, 1);
    cr_assert(bench.counter.wakes == 0 && other.counter.wakes == 1);
    cr_assert_eq(POLL(recv), EDO_READY);
    send_now(&c, 1);
    struct edo_async_send send = edo_async_send(c.tx, &value);
    cr_assert_eq(POLL(send), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&send.future_, &other.cx), EDO_PENDING);
    cr_assert_eq(receive_now(&c), 1);
    cr_assert(bench.counter.wakes == 0 && other.counter.wakes == 2);
    cr_assert_eq(POLL(send), EDO_READY);
    done(&c);
    bench_end(&bench);
}

Test(async_channel, the_futures_say_their_names)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    int value = 0;
    struct edo_async_recv recv = edo_async_recv(c.rx, &value);
    struct edo_async_send send = edo_async_send(c.tx, &value);
    edo_future_trace(&recv.future_, &bench.cx);
    edo_future_trace(&send.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_async_recv\nedo_async_send\n");
    done(&c);
    bench_end(&bench);
}

Test(async_channel, elements_of_no_size_of_one_byte_and_of_a_page)
{
    struct bench bench;
    bench_begin(&bench);
    struct nothing {
    } nothing;
    static struct page {
        char bytes[4096];
    } page, got;
    for (int unbounded = 0; unbounded < 2; unbounded++) {
        size_t capacity = unbounded ? EDO_UNBOUNDED : 5;
        ASYNC_SENDER(struct nothing) ntx;
        ASYNC_RECEIVER(struct nothing) nrx;
        ASYNC_SENDER(char) btx;
        ASYNC_RECEIVER(char) brx;
        ASYNC_SENDER(struct page) ptx;
        ASYNC_RECEIVER(struct page) prx;
        cr_assert_eq(edo_async_channel(&ntx, &nrx, capacity), 0);
        cr_assert_eq(edo_async_channel(&btx, &brx, capacity), 0);
        cr_assert_eq(edo_async_channel(&ptx, &prx, capacity), 0);
        for (int round = 0; round < 300; round++) {
            for (int i = 0; i < 5; i++) {
                char byte = (char)(round + i);
                memset(&page, byte, sizeof page);
                cr_assert_eq(edo_async_try_send(ntx, &nothing), 0);
                cr_assert_eq(edo_async_try_send(btx, &byte), 0);
                cr_assert_eq(edo_async_try_send(ptx, &page), 0);
            }
            for (int i = 0; i < 5; i++) {
                char byte = 0;
                cr_assert_eq(edo_async_try_recv(nrx, &nothing), 0);
                cr_assert_eq(edo_async_try_recv(brx, &byte), 0);
                cr_assert_eq(edo_async_try_recv(prx, &got), 0);
                cr_assert_eq(byte, (char)(round + i));
                cr_assert(got.bytes[0] == byte && got.bytes[4095] == byte);
            }
            cr_assert_eq(edo_async_try_recv(nrx, &nothing), UV_EAGAIN);
        }
        edo_async_sender_drop(ntx);
        edo_async_receiver_drop(nrx);
        edo_async_sender_drop(btx);
        edo_async_receiver_drop(brx);
        edo_async_sender_drop(ptx);
        edo_async_receiver_drop(prx);
    }
    bench_end(&bench);
}

Test(async_channel, a_million_messages_through_an_unbounded_one_give_their_memory_back)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(EDO_UNBOUNDED);
    struct edo_census empty = edo_census_now();
    for (int i = 0; i < 1000000; i++)
        if (send_now(&c, i) != 0)
            cr_assert_fail("%d was refused", i);
    cr_assert_gt(edo_census_now().live[EDO_CENSUS_BYTES] - empty.live[EDO_CENSUS_BYTES], 4000000);
    for (int i = 0; i < 1000000; i++)
        if (receive_now(&c) != i)
            cr_assert_fail("not %d", i);
    cr_assert_lt(edo_census_now().live[EDO_CENSUS_BYTES] - empty.live[EDO_CENSUS_BYTES], 4096);
    cr_assert_eq(edo_async_capacity(c.tx), EDO_UNBOUNDED);
    done(&c);
    bench_end(&bench);
}

Test(async_channel, a_bounded_one_allocates_when_it_is_made)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c;
    int n, value = 1, next = 2, got = 0;
    for (n = 1;; n++) {
        memset(&c, 1, sizeof c);
        edo_alloc_fail((uint64_t)n, false);
        int error = edo_async_channel(&c.tx, &c.rx, 1);
        if (!edo_alloc_fail(0, false)) {
            cr_assert_eq(error, 0);
            break;
        }
        cr_assert_eq(error, UV_ENOMEM);
        cr_assert(c.tx == NULL && c.rx == NULL);
    }
    cr_assert_eq(n, 3);
    edo_alloc_fail(1, true);
    edo_async_sender_drop(edo_async_sender_clone(c.tx));
    ASYNC_WEAK_RECEIVER(int) weak = edo_async_receiver_downgrade(c.rx);
    edo_async_receiver_drop(edo_async_receiver_upgrade(weak));
    edo_async_weak_receiver_drop(weak);
    struct edo_async_send first = edo_async_send(c.tx, &value), send = edo_async_send(c.tx, &next);
    struct edo_async_recv recv = edo_async_recv(c.rx, &got);
    cr_assert_eq(POLL(first), EDO_READY);
    cr_assert_eq(POLL(send), EDO_PENDING);
    cr_assert_eq(edo_async_force_send(c.tx, &next, &got), 1);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(POLL(send), EDO_READY);
    cr_assert_eq(receive_now(&c), 2);
    cr_assert_not(edo_alloc_fail(0, false));
    done(&c);
    bench_end(&bench);
}

Test(async_channel, without_memory_a_message_is_still_the_senders)
{
    struct bench bench;
    bench_begin(&bench);
    for (int unbounded = 0; unbounded < 2; unbounded++) {
        owned_sender tx;
        owned_receiver rx;
        size_t capacity = unbounded ? EDO_UNBOUNDED : 2, there;
        cr_assert_eq(edo_async_channel_with(&tx, &rx, capacity, owned_drop), 0);
        struct owned owned = owned_new(3), got = {NULL};
        owned_dropped = 0;
        edo_alloc_fail(1, false);
        cr_assert_eq(edo_async_blocking_send(tx, &owned), UV_ENOMEM);
        cr_assert(edo_alloc_fail(0, false));
        edo_alloc_fail(1, false);
        cr_assert_eq(edo_async_blocking_recv(rx, &got), UV_ENOMEM);
        cr_assert(edo_alloc_fail(0, false));
        for (there = 0; unbounded; there++) {
            struct owned other = owned_new((int)there);
            edo_alloc_fail(1, false);
            int error = edo_async_try_send(tx, &other);
            if (edo_alloc_fail(0, false)) {
                cr_assert_eq(error, UV_ENOMEM);
                edo_free(other.value);
                break;
            }
            cr_assert_eq(error, 0);
        }
        if (unbounded) {
            struct edo_async_send send = edo_async_send(tx, &owned);
            edo_alloc_fail(1, true);
            cr_assert_eq(POLL(send), EDO_READY);
            cr_assert_eq(send.output, UV_ENOMEM);
            cr_assert_eq(edo_async_force_send(tx, &owned, &got), UV_ENOMEM);
            cr_assert(edo_alloc_fail(0, false));
            /* The thread has the memory to wait, the channel has none for the message. */
            edo_alloc_fail(2, false);
            cr_assert_eq(edo_async_blocking_send(tx, &owned), UV_ENOMEM);
            cr_assert(edo_alloc_fail(0, false));
        }
        cr_assert_eq(edo_async_len(tx), there);
        cr_assert(*owned.value == 3 && got.value == NULL && owned_dropped == 0);
        cr_assert_eq(edo_async_blocking_send(tx, &owned), 0);
        for (size_t i = 0; i <= there; i++) {
            cr_assert_eq(edo_async_blocking_recv(rx, &got), 0);
            cr_assert_eq(*got.value, i < there ? (int)i : 3);
            edo_free(got.value);
        }
        edo_async_sender_drop(tx);
        edo_async_receiver_drop(rx);
    }
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
    int sent = edo_async_blocking_send(self->c->tx, &value);
    int received = edo_async_blocking_recv(self->c->rx, &value);
    RETURN(sent == EDO_ENESTED && received == EDO_ENESTED);
    ASYNC_END;
}

Test(async_channel, blocking_in_a_task_is_an_error)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct channel c = channel(1);
    struct blocks blocks = NEW(blocks, .c = &c);
    cr_assert_eq(test_block_on(runtime, &blocks), 0);
    cr_assert(blocks.output);
    cr_assert_eq(edo_async_len(c.tx), 0);
    done(&c);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}
