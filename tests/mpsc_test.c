/* SPDX-License-Identifier: MIT */
#include "mpsc_helpers.h"

Test(mpsc, first_in_first_out_and_the_capacity_is_respected)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(3);
    cr_assert_eq(edo_mpsc_max_capacity(c.rx), 3);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++) {
            cr_assert_eq(edo_mpsc_capacity(c.tx), 3 - (size_t)i);
            cr_assert_eq(send_now(&c, 10 * round + i), 0);
            cr_assert_eq(edo_mpsc_len(c.tx), (size_t)i + 1);
        }
        cr_assert_eq(send_now(&c, 99), UV_EAGAIN);
        for (int i = 0; i < 3; i++)
            cr_assert_eq(receive_now(&c), 10 * round + i);
        cr_assert_eq(receive_now(&c), UV_EAGAIN);
    }
    done(&c);
    bench_end(&bench);
}

Test(mpsc, recv_ends_only_when_empty_and_all_senders_are_gone)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(4);
    __typeof__(c.tx) other = edo_mpsc_sender_clone(c.tx);
    cr_assert(edo_mpsc_same_channel(other, c.rx));
    cr_assert_eq(edo_mpsc_sender_count(c.rx), 2);
    cr_assert_eq(send_now(&c, 1), 0);
    edo_mpsc_sender_drop(c.tx);
    int value = 0;
    struct edo_mpsc_recv recv = edo_mpsc_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(value, 1);
    recv = edo_mpsc_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_PENDING);
    cr_assert_eq(edo_mpsc_try_send(other, &(int){2}), 0);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_not(edo_mpsc_is_closed(c.rx));
    edo_mpsc_sender_drop(other);
    cr_assert(edo_mpsc_is_closed(c.rx));
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(recv.output, 0);
    cr_assert_eq(value, 2);
    recv = edo_mpsc_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(recv.output, EDO_ECLOSED);
    cr_assert_eq(edo_mpsc_try_recv(c.rx, &value), EDO_ECLOSED);
    edo_mpsc_receiver_drop(c.rx);
    bench_end(&bench);
}

Test(mpsc, the_last_sender_wakes_a_receiver_that_waits)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    int value;
    struct edo_mpsc_recv recv = edo_mpsc_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_PENDING);
    edo_mpsc_sender_drop(c.tx);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(recv.output, EDO_ECLOSED);
    edo_mpsc_receiver_drop(c.rx);
    bench_end(&bench);
}

Test(mpsc, close_takes_no_more_and_the_buffered_are_received_and_permits_may_send)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(3);
    MPSC_PERMIT(int) permit = {0};
    cr_assert_eq(send_now(&c, 1), 0);
    cr_assert_eq(edo_mpsc_try_reserve(c.tx, &permit), 0);
    cr_assert_eq(send_now(&c, 2), 0);
    edo_mpsc_close(c.rx);
    cr_assert(edo_mpsc_is_closed(c.tx));
    cr_assert_eq(send_now(&c, 3), EDO_ECLOSED);
    MPSC_PERMIT(int) refused = {0};
    cr_assert_eq(edo_mpsc_try_reserve(c.tx, &refused), EDO_ECLOSED);
    cr_assert_eq(receive_now(&c), 1);
    cr_assert_eq(receive_now(&c), 2);
    int value;
    struct edo_mpsc_recv recv = edo_mpsc_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_PENDING, "a place is reserved");
    edo_mpsc_permit_send(&permit, &(int){4});
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(value, 4);
    cr_assert_eq(receive_now(&c), EDO_ECLOSED);
    done(&c);
    bench_end(&bench);
}

Test(mpsc, recv_many_takes_up_to_the_limit_and_0_only_at_the_end)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(8);
    int values[8] = {0};
    struct edo_mpsc_recv_many many = edo_mpsc_recv_many(c.rx, values, 0);
    cr_assert_eq(POLL(many), EDO_READY);
    cr_assert_eq(many.output, 0);
    many = edo_mpsc_recv_many(c.rx, values, 3);
    cr_assert_eq(POLL(many), EDO_PENDING);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(send_now(&c, i), 0);
    cr_assert_eq(POLL(many), EDO_READY);
    cr_assert_eq(many.output, 3);
    cr_assert_eq(values[2], 2);
    cr_assert_eq(edo_mpsc_capacity(c.tx), 6);
    edo_mpsc_sender_drop(c.tx);
    many = edo_mpsc_recv_many(c.rx, values, 8);
    cr_assert_eq(POLL(many), EDO_READY);
    cr_assert_eq(many.output, 2);
    cr_assert_eq(values[1], 4);
    many = edo_mpsc_recv_many(c.rx, values, 8);
    cr_assert_eq(POLL(many), EDO_READY);
    cr_assert_eq(many.output, 0);
    edo_mpsc_receiver_drop(c.rx);
    bench_end(&bench);
}

Test(mpsc, recv_many_wakes_every_sender_that_it_makes_room_for)
{
    struct bench bench;
    bench_begin(&bench);
    enum { N = 100 };
    struct channel c = channel(N);
    int values[N], got[N];
    struct edo_mpsc_send sends[N];
    for (int i = 0; i < N; i++)
        cr_assert_eq(send_now(&c, i), 0);
    for (int i = 0; i < N; i++) {
        values[i] = N + i;
        sends[i] = edo_mpsc_send(c.tx, &values[i]);
        bench.cx.budget = EDO_BUDGET;
        cr_assert_eq(POLL(sends[i]), EDO_PENDING);
    }
    struct edo_mpsc_recv_many many = edo_mpsc_recv_many(c.rx, got, N);
    cr_assert_eq(POLL(many), EDO_READY);
    cr_assert_eq(many.output, N);
    cr_assert_eq(bench.counter.wakes, N);
    for (int i = 0; i < N; i++) {
        bench.cx.budget = EDO_BUDGET;
        cr_assert_eq(POLL(sends[i]), EDO_READY);
    }
    done(&c);
    bench_end(&bench);
}

Test(mpsc, a_send_in_time_or_the_value_is_still_the_senders)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    struct channel c = channel(1);
    int values[] = {1, 2};
    struct edo_mpsc_send send = edo_mpsc_send(c.tx, &values[0]);
    struct edo_timeout timeout = edo_timeout(50, &send);
    cr_assert_eq(edo_block_on(runtime, &timeout), 0);
    cr_assert_eq(timeout.output, 0);
    cr_assert_eq(send.output, 0);
    send = edo_mpsc_send(c.tx, &values[1]);
    timeout = edo_timeout(50, &send);
    cr_assert_eq(edo_block_on(runtime, &timeout), 0);
    cr_assert_eq(timeout.output, UV_ETIMEDOUT);
    cr_assert_eq(receive_now(&c), 1);
    cr_assert_eq(receive_now(&c), UV_EAGAIN);
    done(&c);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

Test(mpsc, weak_senders_do_not_keep_the_channel_open)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(2);
    MPSC_WEAK_SENDER(int) weak = edo_mpsc_downgrade(c.tx);
    MPSC_WEAK_SENDER(int) second = edo_mpsc_weak_sender_clone(weak);
    cr_assert_eq(edo_mpsc_weak_sender_count(c.tx), 2);
    MPSC_SENDER(int) strong = edo_mpsc_upgrade(weak);
    cr_assert(strong == c.tx);
    cr_assert_eq(edo_mpsc_sender_count(weak), 2);
    edo_mpsc_sender_drop(c.tx);
    cr_assert_eq(edo_mpsc_try_send(strong, &(int){5}), 0);
    edo_mpsc_sender_drop(strong);
    cr_assert(edo_mpsc_upgrade(weak) == NULL);
    cr_assert_eq(receive_now(&c), 5);
    cr_assert_eq(receive_now(&c), EDO_ECLOSED);
    edo_mpsc_receiver_drop(c.rx);
    cr_assert(edo_mpsc_upgrade(second) == NULL);
    edo_mpsc_weak_sender_drop(weak);
    edo_mpsc_weak_sender_drop(second);
    bench_end(&bench);
}

Test(mpsc, dropping_the_receiver_drops_each_message_once_and_wakes_all_senders)
{
    struct bench bench;
    bench_begin(&bench);
    MPSC_SENDER(struct owned) tx;
    MPSC_RECEIVER(struct owned) rx;
    cr_assert_eq(edo_mpsc_with(&tx, &rx, 3, owned_drop), 0);
    int before = owned_dropped;
    for (int i = 0; i < 3; i++) {
        struct owned owned = owned_new(i);
        cr_assert_eq(edo_mpsc_try_send(tx, &owned), 0);
    }
    struct owned mine = owned_new(9), received;
    struct edo_mpsc_send waiting[40];
    for (int i = 0; i < 40; i++) {
        waiting[i] = edo_mpsc_send(tx, &mine);
        cr_assert_eq(POLL(waiting[i]), EDO_PENDING);
    }
    cr_assert_eq(edo_mpsc_try_recv(rx, &received), 0);
    owned_drop(&received);
    edo_mpsc_receiver_drop(rx);
    cr_assert_eq(owned_dropped, before + 3);
    cr_assert_eq(bench.counter.wakes, 40);
    for (int i = 0; i < 40; i++) {
        cr_assert_eq(POLL(waiting[i]), EDO_READY);
        cr_assert_eq(waiting[i].output, EDO_ECLOSED);
    }
    cr_assert_eq(edo_mpsc_try_send(tx, &mine), EDO_ECLOSED);
    owned_drop(&mine);
    edo_mpsc_sender_drop(tx);
    bench_end(&bench);
}

Test(mpsc, closed_is_ready_when_the_receiver_closes_or_goes)
{
    struct bench bench;
    bench_begin(&bench);
    for (int how = 0; how < 2; how++) {
        struct channel c = channel(1);
        struct edo_mpsc_closed first = edo_mpsc_closed(c.tx), second = edo_mpsc_closed(c.tx),
                               given_up = edo_mpsc_closed(c.tx), unpolled = edo_mpsc_closed(c.tx);
        cr_assert_eq(POLL(first), EDO_PENDING);
        cr_assert_eq(POLL(first), EDO_PENDING);
        cr_assert_eq(POLL(second), EDO_PENDING);
        cr_assert_eq(POLL(given_up), EDO_PENDING);
        DROP_IT(given_up);
        DROP_IT(unpolled);
        bench.counter.wakes = 0;
        if (how == 0)
            edo_mpsc_close(c.rx);
        else
            edo_mpsc_receiver_drop(c.rx);
        cr_assert_eq(bench.counter.wakes, 2);
        cr_assert_eq(POLL(first), EDO_READY);
        DROP_IT(second);
        struct edo_mpsc_closed late = edo_mpsc_closed(c.tx);
        cr_assert_eq(POLL(late), EDO_READY);
        edo_mpsc_sender_drop(c.tx);
        if (how == 0)
            edo_mpsc_receiver_drop(c.rx);
    }
    bench_end(&bench);
}

Test(mpsc, elements_of_no_size_of_one_byte_and_of_a_page)
{
    struct bench bench;
    bench_begin(&bench);
    struct nothing {
    };
    struct page {
        char bytes[4096];
    };
    static struct page page, got;
    for (int unbounded = 0; unbounded < 2; unbounded++) {
        size_t capacity = unbounded ? EDO_UNBOUNDED : 5;
        MPSC_SENDER(struct nothing) ntx;
        MPSC_RECEIVER(struct nothing) nrx;
        MPSC_SENDER(char) btx;
        MPSC_RECEIVER(char) brx;
        MPSC_SENDER(struct page) ptx;
        MPSC_RECEIVER(struct page) prx;
        cr_assert_eq(edo_mpsc(&ntx, &nrx, capacity), 0);
        cr_assert_eq(edo_mpsc(&btx, &brx, capacity), 0);
        cr_assert_eq(edo_mpsc(&ptx, &prx, capacity), 0);
        for (int round = 0; round < 300; round++) {
            struct nothing nothing;
            char byte;
            for (int i = 0; i < 5; i++) {
                byte = (char)(round + i);
                memset(&page, byte, sizeof page);
                cr_assert_eq(edo_mpsc_try_send(ntx, &nothing), 0);
                cr_assert_eq(edo_mpsc_try_send(btx, &byte), 0);
                cr_assert_eq(edo_mpsc_try_send(ptx, &page), 0);
            }
            for (int i = 0; i < 5; i++) {
                cr_assert_eq(edo_mpsc_try_recv(nrx, &nothing), 0);
                cr_assert_eq(edo_mpsc_try_recv(brx, &byte), 0);
                cr_assert_eq(edo_mpsc_try_recv(prx, &got), 0);
                cr_assert_eq(byte, (char)(round + i));
                cr_assert_eq(got.bytes[0], byte);
                cr_assert_eq(got.bytes[4095], byte);
            }
        }
        edo_mpsc_sender_drop(ntx);
        edo_mpsc_receiver_drop(nrx);
        edo_mpsc_sender_drop(btx);
        edo_mpsc_receiver_drop(brx);
        edo_mpsc_sender_drop(ptx);
        edo_mpsc_receiver_drop(prx);
    }
    bench_end(&bench);
}

Test(mpsc, a_million_messages_through_an_unbounded_one_give_their_memory_back)
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
    cr_assert_eq(edo_mpsc_capacity(c.tx), EDO_UNBOUNDED);
    done(&c);
    bench_end(&bench);
}

Test(mpsc, without_memory_nothing_is_made_and_nothing_is_lost)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c;
    cr_assert_eq(edo_mpsc(&c.tx, &c.rx, 0), UV_EINVAL);
    for (uint64_t n = 1; n <= 2; n++) {
        edo_alloc_fail(n, false);
        cr_assert_eq(edo_mpsc(&c.tx, &c.rx, 2), UV_ENOMEM);
        cr_assert(edo_alloc_fail(0, false));
        cr_assert_null(c.tx);
        cr_assert_null(c.rx);
    }
    c = channel(EDO_UNBOUNDED);
    int sent = 0, error, value;
    edo_alloc_fail(1, true);
    while ((error = send_now(&c, sent)) == 0)
        sent++;
    cr_assert_eq(error, UV_ENOMEM);
    struct edo_mpsc_send send = edo_mpsc_send(c.tx, &sent);
    cr_assert_eq(POLL(send), EDO_READY);
    cr_assert_eq(send.output, UV_ENOMEM);
    cr_assert_eq(edo_mpsc_blocking_recv(c.rx, &value), UV_ENOMEM);
    edo_alloc_fail(0, false);
    cr_assert_eq(send_now(&c, sent), 0);
    for (int i = 0; i <= sent; i++)
        cr_assert_eq(receive_now(&c), i);
    cr_assert_eq(receive_now(&c), UV_EAGAIN);
    done(&c);
    bench_end(&bench);
}

/* Only an unbounded channel, and a thread that waits, need memory once there is a channel. */
Test(mpsc, a_bounded_one_allocates_when_it_is_made)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1), other;
    int value = 1, next = 2, got = 0;
    edo_alloc_fail(1, true);
    MPSC_PERMIT(int) permit = {0};
    MPSC_WEAK_SENDER(int) weak = edo_mpsc_downgrade(c.tx);
    other.tx = edo_mpsc_upgrade(weak);
    other.rx = c.rx;
    struct edo_mpsc_reserve reserve = edo_mpsc_reserve(c.tx, &permit);
    cr_assert_eq(POLL(reserve), EDO_READY);
    edo_mpsc_permit_send(&permit, &value);
    struct edo_mpsc_send send = edo_mpsc_send(c.tx, &next);
    cr_assert_eq(POLL(send), EDO_PENDING);
    struct edo_mpsc_recv recv = edo_mpsc_recv(c.rx, &got);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(POLL(send), EDO_READY);
    cr_assert_eq(receive_now(&c), 2);
    edo_mpsc_weak_sender_drop(weak);
    cr_assert_not(edo_alloc_fail(0, false));
    edo_mpsc_sender_drop(c.tx);
    done(&other);
    bench_end(&bench);
}

Test(mpsc, a_plain_thread_without_memory_neither_sends_nor_receives)
{
    struct bench bench;
    bench_begin(&bench);
    for (int unbounded = 0; unbounded < 2; unbounded++) {
        MPSC_SENDER(struct owned) tx;
        MPSC_RECEIVER(struct owned) rx;
        cr_assert_eq(edo_mpsc_with(&tx, &rx, unbounded ? EDO_UNBOUNDED : 2, owned_drop), 0);
        struct owned owned = owned_new(3), got = {NULL};
        edo_alloc_fail(1, false);
        cr_assert_eq(edo_mpsc_blocking_send(tx, &owned), UV_ENOMEM);
        cr_assert(edo_alloc_fail(0, false));
        cr_assert_eq(edo_mpsc_len(tx), 0);
        cr_assert_eq(*owned.value, 3);
        cr_assert_eq(edo_mpsc_blocking_send(tx, &owned), 0);
        edo_alloc_fail(1, false);
        cr_assert_eq(edo_mpsc_blocking_recv(rx, &got), UV_ENOMEM);
        cr_assert(edo_alloc_fail(0, false));
        cr_assert_null(got.value);
        cr_assert_eq(edo_mpsc_blocking_recv(rx, &got), 0);
        cr_assert_eq(*got.value, 3);
        edo_free(got.value);
        edo_mpsc_sender_drop(tx);
        edo_mpsc_receiver_drop(rx);
    }
    bench_end(&bench);
}
