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
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
};

static struct channel channel(size_t capacity)
{
    struct channel c;
    cr_assert_eq(edo_mpsc(&c.tx, &c.rx, capacity), 0);
    return c;
}

static void done(struct channel *c)
{
    edo_mpsc_sender_drop(c->tx);
    edo_mpsc_receiver_drop(c->rx);
}

static int send_now(struct channel *c, int value)
{
    return edo_mpsc_try_send(c->tx, &value);
}

static int receive_now(struct channel *c)
{
    int value;
    int error = edo_mpsc_try_recv(c->rx, &value);
    return error < 0 ? error : value;
}

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

Test(mpsc, a_permit_given_back_after_close_ends_the_receiver)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(3);
    MPSC_PERMIT(int) permit = {0};
    cr_assert_eq(edo_mpsc_try_reserve_many(c.tx, 2, &permit), 0);
    edo_mpsc_close(c.rx);
    int value;
    struct edo_mpsc_recv recv = edo_mpsc_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_PENDING);
    edo_mpsc_permit_release(&permit);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(recv.output, EDO_ECLOSED);
    done(&c);
    bench_end(&bench);
}

Test(mpsc, waiting_senders_are_served_in_order)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    cr_assert_eq(send_now(&c, 0), 0);
    int values[] = {1, 2, 3};
    struct edo_mpsc_send sends[3];
    for (int i = 0; i < 3; i++) {
        sends[i] = edo_mpsc_send(c.tx, &values[i]);
        cr_assert_eq(POLL(sends[i]), EDO_PENDING);
    }
    cr_assert_eq(receive_now(&c), 0);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(send_now(&c, 9), UV_EAGAIN, "nobody overtakes");
    cr_assert_eq(edo_mpsc_capacity(c.tx), 0);
    cr_assert_eq(POLL(sends[2]), EDO_PENDING);
    cr_assert_eq(POLL(sends[1]), EDO_PENDING);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(POLL(sends[i]), EDO_READY);
        cr_assert_eq(receive_now(&c), i + 1);
    }
    cr_assert_eq(edo_mpsc_capacity(c.tx), 1);
    done(&c);
    bench_end(&bench);
}

Test(mpsc, a_waiting_send_that_is_dropped_sends_nothing_and_gives_its_place_up)
{
    struct bench bench;
    bench_begin(&bench);
    for (int dropped = 0; dropped < 2; dropped++) {
        for (int granted = 0; granted < 2; granted++) {
            struct channel c = channel(1);
            cr_assert_eq(send_now(&c, 0), 0);
            int values[] = {1, 2};
            struct edo_mpsc_send sends[2];
            for (int i = 0; i < 2; i++) {
                sends[i] = edo_mpsc_send(c.tx, &values[i]);
                cr_assert_eq(POLL(sends[i]), EDO_PENDING);
            }
            if (granted)
                cr_assert_eq(receive_now(&c), 0);
            DROP_IT(sends[dropped]);
            if (!granted)
                cr_assert_eq(receive_now(&c), 0);
            cr_assert_eq(POLL(sends[1 - dropped]), EDO_READY);
            cr_assert_eq(receive_now(&c), values[1 - dropped]);
            cr_assert_eq(receive_now(&c), UV_EAGAIN);
            cr_assert_eq(edo_mpsc_capacity(c.tx), 1);
            done(&c);
        }
    }
    bench_end(&bench);
}

Test(mpsc, a_small_request_behind_a_large_one_that_gives_up_is_served)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(3);
    cr_assert_eq(send_now(&c, 0), 0);
    MPSC_PERMIT(int) all = {0}, one = {0};
    struct edo_mpsc_reserve large = edo_mpsc_reserve_many(c.tx, 3, &all);
    struct edo_mpsc_reserve small = edo_mpsc_reserve(c.tx, &one);
    cr_assert_eq(POLL(large), EDO_PENDING);
    cr_assert_eq(POLL(small), EDO_PENDING, "it does not overtake");
    DROP_IT(large);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(small), EDO_READY);
    cr_assert_eq(one.places.count, 1);
    edo_mpsc_permit_release(&one);
    cr_assert_eq(edo_mpsc_capacity(c.tx), 2);
    done(&c);
    bench_end(&bench);
}

Test(mpsc, reserved_places_are_counted_and_freed_when_given_back)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(4);
    MPSC_PERMIT(int) permit = {0}, more = {0};
    struct edo_mpsc_reserve reserve = edo_mpsc_reserve_many(c.tx, 3, &permit);
    cr_assert_eq(POLL(reserve), EDO_READY);
    cr_assert_eq(reserve.output, 0);
    cr_assert_eq(edo_mpsc_capacity(c.tx), 1);
    cr_assert_eq(edo_mpsc_try_reserve_many(c.tx, 2, &more), UV_EAGAIN);
    cr_assert_eq(edo_mpsc_try_reserve_many(c.tx, 1, &permit), UV_EINVAL, "not empty");
    cr_assert_eq(edo_mpsc_try_reserve_many(c.tx, 5, &more), UV_EINVAL, "never");
    cr_assert_eq(edo_mpsc_try_reserve_many(c.tx, 0, &more), 0);
    edo_mpsc_permit_send(&permit, &(int){1});
    edo_mpsc_permit_release(&permit);
    edo_mpsc_permit_release(&permit);
    cr_assert_eq(edo_mpsc_capacity(c.tx), 3);
    cr_assert_eq(receive_now(&c), 1);
    reserve = edo_mpsc_reserve_many(c.tx, 5, &permit);
    cr_assert_eq(POLL(reserve), EDO_READY);
    cr_assert_eq(reserve.output, UV_EINVAL);
    done(&c);
    bench_end(&bench);
}

Test(mpsc, no_place_at_all_is_reserved_at_once_also_while_others_wait)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    MPSC_PERMIT(int) permit = {0};
    int value = 2;
    cr_assert_eq(send_now(&c, 1), 0);
    struct edo_mpsc_send send = edo_mpsc_send(c.tx, &value);
    cr_assert_eq(POLL(send), EDO_PENDING);
    cr_assert_eq(edo_mpsc_try_reserve_many(c.tx, 0, &permit), 0);
    struct edo_mpsc_reserve none = edo_mpsc_reserve_many(c.tx, 0, &permit);
    cr_assert_eq(POLL(none), EDO_READY);
    cr_assert_eq(none.output, 0);
    cr_assert_eq(permit.places.count, 0);
    DROP_IT(send);
    edo_mpsc_close(c.rx);
    cr_assert_eq(edo_mpsc_try_reserve_many(c.tx, 0, &permit), EDO_ECLOSED);
    done(&c);
    bench_end(&bench);
}

Test(mpsc, a_permit_outlives_the_sender_and_the_receiver)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(2);
    MPSC_PERMIT(int) permit = {0};
    cr_assert_eq(edo_mpsc_try_reserve_many(c.tx, 2, &permit), 0);
    edo_mpsc_sender_drop(c.tx);
    int value;
    struct edo_mpsc_recv recv = edo_mpsc_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_PENDING, "it may still send");
    cr_assert_not(edo_mpsc_is_closed(c.rx));
    edo_mpsc_permit_send(&permit, &(int){7});
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(value, 7);
    cr_assert_not(edo_mpsc_is_closed(c.rx));
    edo_mpsc_receiver_drop(c.rx);
    edo_mpsc_permit_send(&permit, &(int){8});
    bench_end(&bench);
}

Test(mpsc, the_places_of_a_permit_move_to_another)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(2);
    struct {
        MPSC_PERMIT(int) permit;
    } from = {0}, to = {0};
    cr_assert_eq(edo_mpsc_try_reserve_many(c.tx, 2, &from.permit), 0);
    edo_mpsc_permit_send(&from.permit, &(int){1});
    MPSC_PERMIT(int) own = {0};
    edo_mpsc_permit_move(&own, &from.permit);
    cr_assert(own.places.count == 1 && from.permit.places.count == 0);
    edo_mpsc_permit_release(&from.permit);
    cr_assert_eq(edo_mpsc_capacity(c.tx), 0);
    edo_mpsc_permit_move(&to.permit, &own);
    edo_mpsc_permit_send(&to.permit, &(int){2});
    cr_assert_eq(receive_now(&c), 1);
    cr_assert_eq(receive_now(&c), 2);
    cr_assert_eq(edo_mpsc_capacity(c.tx), 2);
    done(&c);
    bench_end(&bench);
}

Test(mpsc, a_message_sent_by_permit_to_a_receiver_that_is_gone_is_dropped)
{
    struct bench bench;
    bench_begin(&bench);
    MPSC_SENDER(struct owned) tx;
    MPSC_RECEIVER(struct owned) rx;
    cr_assert_eq(edo_mpsc_with(&tx, &rx, 2, owned_drop), 0);
    MPSC_PERMIT(struct owned) permit = {0};
    cr_assert_eq(edo_mpsc_try_reserve_many(tx, 2, &permit), 0);
    edo_mpsc_receiver_drop(rx);
    edo_mpsc_sender_drop(tx);
    struct owned owned = owned_new(1);
    int before = owned_dropped;
    edo_mpsc_permit_send(&permit, &owned);
    edo_mpsc_permit_release(&permit);
    cr_assert_eq(owned_dropped, before + 1);
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

Test(mpsc, an_unbounded_one_has_no_places_to_reserve)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(EDO_UNBOUNDED);
    MPSC_PERMIT(int) permit = {0};
    cr_assert_eq(edo_mpsc_try_reserve(c.tx, &permit), UV_EINVAL);
    struct edo_mpsc_reserve reserve = edo_mpsc_reserve(c.tx, &permit);
    cr_assert_eq(POLL(reserve), EDO_READY);
    cr_assert_eq(reserve.output, UV_EINVAL);
    done(&c);
    bench_end(&bench);
}

Test(mpsc, a_granted_place_is_given_back_when_the_receiver_closes_first)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    int value = 2, got;
    cr_assert_eq(send_now(&c, 1), 0);
    struct edo_mpsc_send send = edo_mpsc_send(c.tx, &value);
    cr_assert_eq(POLL(send), EDO_PENDING);
    cr_assert_eq(receive_now(&c), 1);
    edo_mpsc_close(c.rx);
    struct edo_mpsc_recv recv = edo_mpsc_recv(c.rx, &got);
    cr_assert_eq(POLL(recv), EDO_PENDING, "the sender does not know yet");
    bench.counter.wakes = 0;
    cr_assert_eq(POLL(send), EDO_READY);
    cr_assert_eq(send.output, EDO_ECLOSED);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(recv.output, EDO_ECLOSED);
    done(&c);
    bench_end(&bench);
}

/* A recv that is dropped, or has moved to another waker, leaves none behind. */
Test(mpsc, a_dropped_recv_is_not_woken_and_loses_no_message)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    int value;
    struct edo_mpsc_recv recv = edo_mpsc_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_PENDING);
    DROP_IT(recv);
    cr_assert_eq(send_now(&c, 1), 0);
    cr_assert_eq(bench.counter.wakes, 0);
    recv = edo_mpsc_recv(c.rx, &value);
    DROP_IT(recv);
    cr_assert_eq(receive_now(&c), 1);

    static const struct edo_waker_ops hostile = {counter_wake, counter_clone, counter_drop, NULL,
                                                 NULL};
    struct counter other = {.waker.ops = &hostile};
    struct edo_waker *mine = bench.cx.waker;
    recv = edo_mpsc_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_PENDING);
    bench.cx.waker = &other.waker;
    cr_assert_eq(POLL(recv), EDO_PENDING);
    cr_assert_eq(send_now(&c, 2), 0);
    cr_assert_eq(other.wakes, 1);
    cr_assert_eq(bench.counter.wakes, 0);
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(other.clones, other.drops);

    cr_assert_eq(send_now(&c, 3), 0);
    int next = 4;
    struct edo_mpsc_send send = edo_mpsc_send(c.tx, &next);
    cr_assert_eq(POLL(send), EDO_PENDING);
    bench.cx.waker = mine;
    cr_assert_eq(POLL(send), EDO_PENDING);
    cr_assert_eq(other.clones, other.drops);
    bench.cx.waker = &other.waker;
    cr_assert_eq(POLL(send), EDO_PENDING);
    DROP_IT(send);
    cr_assert_eq(other.clones, other.drops);
    bench.cx.waker = mine;
    done(&c);
    bench_end(&bench);
}

/* Those who are woken do in their wakers what other threads may do at that moment: they end all there
 * is, the last of a full batch. */
static struct {
    struct bench *bench;
    struct channel c;
    int wakes_left, batch;
    struct edo_mpsc_send sends[70];
} ending;

static void end_all(void)
{
    for (int i = 0; i < ending.batch; i++) {
        ending.bench->cx.budget = EDO_BUDGET;
        cr_assert_eq(edo_future_poll(&ending.sends[i].future_, &ending.bench->cx), EDO_READY);
        cr_assert_eq(ending.sends[i].output, 0);
        cr_assert_eq(receive_now(&ending.c), 7);
    }
    for (int i = ending.batch; i < 70; i++)
        edo_future_drop(&ending.sends[i].future_, &ending.bench->cx);
    done(&ending.c);
}

static void ending_wake(struct edo_waker *waker)
{
    counter_wake(waker);
    if (--ending.wakes_left == 0)
        end_all();
}

Test(mpsc, a_permit_given_back_to_those_who_end_the_channel_when_they_are_woken)
{
    static const struct edo_waker_ops foreign = {ending_wake, counter_clone, counter_drop, NULL,
                                                 NULL};
    static int value = 7;
    for (int waiting = 31; waiting <= 34; waiting++) {
        struct bench bench;
        bench_begin(&bench);
        bench.counter.waker.ops = &foreign;
        ending.bench = &bench;
        ending.c = channel(70);
        MPSC_PERMIT(int) permit = {0};
        cr_assert_eq(edo_mpsc_try_reserve_many(ending.c.tx, 70, &permit), 0);
        for (int i = 0; i < 70; i++) {
            ending.sends[i] = edo_mpsc_send(ending.c.tx, &value);
            if (i < waiting) {
                bench.cx.budget = EDO_BUDGET;
                cr_assert_eq(POLL(ending.sends[i]), EDO_PENDING);
            }
        }
        ending.batch = waiting < 32 ? waiting : 32;
        ending.wakes_left = ending.batch;
        edo_mpsc_permit_release(&permit);
        cr_assert_leq(ending.wakes_left, 0);
        bench_end(&bench);
    }
}

Test(mpsc, each_operation_takes_from_the_budget)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(4);
    int value = 1;
    struct edo_mpsc_send send = edo_mpsc_send(c.tx, &value);
    cr_assert_eq(POLL(send), EDO_READY);
    cr_assert_eq(bench.cx.budget, EDO_BUDGET - 1);
    bench.cx.budget = 0;
    struct edo_mpsc_recv recv = edo_mpsc_recv(c.rx, &value);
    cr_assert_eq(POLL(recv), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 1);
    bench.cx.budget = 1;
    cr_assert_eq(POLL(recv), EDO_READY);
    cr_assert_eq(bench.cx.budget, 0);
    done(&c);
    bench_end(&bench);
}

/* Each future dropped before its first poll, while it waits, and when it was woken: it has done nothing. */
Test(mpsc, a_future_dropped_at_any_time_leaves_nothing_behind)
{
    struct bench bench;
    bench_begin(&bench);
    for (int state = 0; state < 3; state++) { /* never polled, waiting, woken */
        struct channel c = channel(1), full = channel(1);
        cr_assert_eq(send_now(&full, 0), 0);
        MPSC_PERMIT(int) permit = {0};
        int value = 1, got = 0, many[2];
        struct edo_mpsc_recv recv = edo_mpsc_recv(c.rx, &got);
        struct edo_mpsc_send send = edo_mpsc_send(full.tx, &value);
        struct edo_mpsc_reserve reserve = edo_mpsc_reserve(full.tx, &permit);
        struct edo_mpsc_closed closed = edo_mpsc_closed(full.tx);
        if (state > 0) {
            cr_assert_eq(POLL(recv), EDO_PENDING);
            cr_assert_eq(POLL(send), EDO_PENDING);
            cr_assert_eq(POLL(reserve), EDO_PENDING);
            cr_assert_eq(POLL(closed), EDO_PENDING);
        }
        if (state == 2) {
            cr_assert_eq(send_now(&c, 5), 0);
            cr_assert_eq(receive_now(&full), 0);
            cr_assert_eq(bench.counter.wakes, 2);
        }
        DROP_IT(recv);
        DROP_IT(send);
        cr_assert_eq(bench.counter.wakes, state == 2 ? 3 : 0, "the reserve's turn has come");
        DROP_IT(reserve);
        DROP_IT(closed);
        cr_assert_eq(permit.places.count, 0);
        cr_assert_eq(got, 0);
        if (state == 2)
            cr_assert_eq(receive_now(&c), 5);
        else
            cr_assert_eq(receive_now(&full), 0);
        cr_assert_eq(receive_now(&full), UV_EAGAIN);
        cr_assert_eq(edo_mpsc_capacity(full.tx), 1);

        struct edo_mpsc_recv_many all = edo_mpsc_recv_many(c.rx, many, 2);
        bench.counter.wakes = 0;
        if (state > 0)
            cr_assert_eq(POLL(all), EDO_PENDING);
        if (state == 2)
            cr_assert_eq(send_now(&c, 6), 0);
        DROP_IT(all);
        if (state < 2)
            cr_assert_eq(send_now(&c, 6), 0);
        cr_assert_eq(bench.counter.wakes, state == 2);
        cr_assert_eq(receive_now(&c), 6);
        bench.counter.wakes = 0;
        done(&c);
        done(&full);
    }
    bench_end(&bench);
}

Test(mpsc, futures_that_were_refused_and_are_dropped)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    cr_assert_eq(send_now(&c, 0), 0);
    MPSC_PERMIT(int) permit = {0};
    int value = 1;
    struct edo_mpsc_send send = edo_mpsc_send(c.tx, &value);
    struct edo_mpsc_reserve reserve = edo_mpsc_reserve(c.tx, &permit);
    struct edo_mpsc_closed closed = edo_mpsc_closed(c.tx);
    cr_assert_eq(POLL(send), EDO_PENDING);
    cr_assert_eq(POLL(reserve), EDO_PENDING);
    cr_assert_eq(POLL(closed), EDO_PENDING);
    edo_mpsc_close(c.rx);
    cr_assert_eq(bench.counter.wakes, 3);
    DROP_IT(closed);
    DROP_IT(reserve);
    DROP_IT(send);
    cr_assert_eq(receive_now(&c), 0);
    cr_assert_eq(receive_now(&c), EDO_ECLOSED);
    done(&c);
    bench_end(&bench);
}

Test(mpsc, the_futures_say_their_names)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    MPSC_PERMIT(int) permit = {0};
    int value = 1;
    struct edo_mpsc_recv recv = edo_mpsc_recv(c.rx, &value);
    struct edo_mpsc_recv_many many = edo_mpsc_recv_many(c.rx, &value, 1);
    struct edo_mpsc_send send = edo_mpsc_send(c.tx, &value);
    struct edo_mpsc_reserve reserve = edo_mpsc_reserve(c.tx, &permit);
    struct edo_mpsc_closed closed = edo_mpsc_closed(c.tx);
    struct edo_future *futures[] = {&recv.future_, &many.future_, &send.future_, &reserve.future_,
                                    &closed.future_};
    for (int i = 0; i < 5; i++)
        edo_future_trace(futures[i], &bench.cx);
    cr_assert_str_eq(bench.trace,
                     "edo_mpsc_recv\nedo_mpsc_recv_many\nedo_mpsc_send\nedo_mpsc_reserve\n"
                     "edo_mpsc_closed\n");
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

/* Plain threads. */

struct counting {
    MPSC_SENDER(int) tx;
    int first, count;
};

static void *sends_blocking(void *arg)
{
    struct counting *counting = arg;
    for (int i = 0; i < counting->count; i++) {
        int value = counting->first + i;
        cr_assert_eq(edo_mpsc_blocking_send(counting->tx, &value), 0);
    }
    edo_mpsc_sender_drop(counting->tx);
    return NULL;
}

Test(mpsc, threads_send_and_receive_blocking_and_each_in_its_order)
{
    struct bench bench;
    bench_begin(&bench);
    enum { THREADS = 8, EACH = 2000 };
    struct channel c = channel(3);
    struct counting counting[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        counting[i] = (struct counting){edo_mpsc_sender_clone(c.tx), i * EACH, EACH};
        cr_assert_eq(pthread_create(&threads[i], NULL, sends_blocking, &counting[i]), 0);
    }
    edo_mpsc_sender_drop(c.tx);
    int next[THREADS] = {0}, value;
    while (edo_mpsc_blocking_recv(c.rx, &value) == 0)
        cr_assert_eq(value % EACH, next[value / EACH]++);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(next[i], EACH);
    }
    edo_mpsc_receiver_drop(c.rx);
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
    int sent = edo_mpsc_blocking_send(self->c->tx, &value);
    int received = edo_mpsc_blocking_recv(self->c->rx, &value);
    RETURN(sent == EDO_ENESTED && received == EDO_ENESTED);
    ASYNC_END;
}

Test(mpsc, blocking_in_a_task_is_an_error)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct channel c = channel(1);
    struct blocks blocks = NEW(blocks, .c = &c);
    cr_assert_eq(test_block_on(runtime, &blocks), 0);
    cr_assert(blocks.output);
    done(&c);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

/* A runtime in each thread. */

struct pings {
    FUTURE(int);
    struct channel in, out;
    int rounds, value;
    bool first;
    struct edo_mpsc_send send;
    struct edo_mpsc_recv recv;
};

ASYNC(pings)
{
    ASYNC_BEGIN;
    if (self->first)
        AWAIT(self->send, edo_mpsc_send(self->out.tx, &self->value));
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->in.rx, &self->value));
        if (self->recv.output < 0)
            RETURN(self->rounds);
        self->rounds++;
        if (++self->value > 20000)
            RETURN(self->rounds);
        AWAIT(self->send, edo_mpsc_send(self->out.tx, &self->value));
        if (self->send.output < 0)
            RETURN(self->rounds);
    }
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->out.tx);
    edo_mpsc_receiver_drop(self->in.rx);
    ASYNC_END;
}

static void *pings_in_runtime(void *arg)
{
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(test_block_on(runtime, (struct pings *)arg), 0);
    edo_runtime_drop(runtime);
    return NULL;
}

Test(mpsc, tasks_of_two_runtimes_talk)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel there = channel(1), back = channel(1);
    struct pings a = NEW(pings, .out = there, .in = back, .first = true);
    struct pings b = NEW(pings, .out = back, .in = there);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, pings_in_runtime, &a), 0);
    pings_in_runtime(&b);
    pthread_join(thread, NULL);
    cr_assert_geq(a.rounds + b.rounds, 20000);
    bench_end(&bench);
}

/* Threads that send in every way, impatiently, and a receiver that receives in every way, until it
 * closes, or goes, at some time: each message that was sent is received, or dropped, once; each that
 * was refused is still the sender's. */
enum { STORM_SENDERS = 6, STORM_ROUNDS = 40, STORM_CAPACITY = 3 };
struct storm {
    MPSC_SENDER(struct owned) tx;
    MPSC_WEAK_SENDER(struct owned) weak;
    unsigned seed;
};
static _Atomic(int) storm_sent, storm_received;

static int storm_send_by_permit(struct storm *storm)
{
    MPSC_PERMIT(struct owned) permit = {0};
    size_t n = (size_t)rand_r(&storm->seed) % (STORM_CAPACITY + 1);
    struct edo_mpsc_reserve reserve = edo_mpsc_reserve_many(storm->tx, n, &permit);
    if (!pursue(&reserve.future_, rand_r(&storm->seed) % 2, &storm->seed))
        return 0;
    for (; permit.places.count > 0 && rand_r(&storm->seed) % 4 != 0; storm_sent++) {
        struct owned owned = owned_new(1);
        edo_mpsc_permit_send(&permit, &owned);
    }
    edo_mpsc_permit_release(&permit);
    return reserve.output == UV_EINVAL ? 0 : reserve.output; /* unbounded: there are no places */
}

static int storm_send(struct storm *storm)
{
    struct owned owned = owned_new(0);
    struct edo_mpsc_send send = edo_mpsc_send(storm->tx, &owned);
    int error = UV_EAGAIN;
    switch (rand_r(&storm->seed) % 3) {
    case 0:
        error = edo_mpsc_try_send(storm->tx, &owned);
        break;
    case 1:
        error = edo_mpsc_blocking_send(storm->tx, &owned);
        break;
    default:
        if (pursue(&send.future_, rand_r(&storm->seed) % 2, &storm->seed))
            error = send.output;
        break;
    }
    if (error == 0)
        storm_sent++;
    else
        edo_free(owned.value);
    return error == UV_EAGAIN ? 0 : error;
}

static void *storm_sends(void *arg)
{
    struct storm *storm = arg;
    __typeof__(storm->tx) again;
    int error = 0;
    while (error == 0) {
        struct edo_mpsc_closed closed = edo_mpsc_closed(storm->tx);
        switch (rand_r(&storm->seed) % 4) {
        case 0:
            error = storm_send_by_permit(storm);
            break;
        case 1:
            pursue(&closed.future_, false, &storm->seed);
            again = edo_mpsc_upgrade(storm->weak);
            cr_assert(again == storm->tx);
            edo_mpsc_sender_drop(again);
            break;
        default:
            error = storm_send(storm);
            break;
        }
    }
    cr_assert_eq(error, EDO_ECLOSED);
    struct edo_mpsc_closed closed = edo_mpsc_closed(storm->tx);
    pursue(&closed.future_, true, &storm->seed);
    edo_mpsc_sender_drop(storm->tx);
    edo_mpsc_weak_sender_drop(storm->weak);
    return NULL;
}

/* How many, or an error. */
static int storm_receive(MPSC_RECEIVER(struct owned) rx, struct owned *owned, unsigned *seed)
{
    struct edo_mpsc_recv recv = edo_mpsc_recv(rx, owned);
    struct edo_mpsc_recv_many many = edo_mpsc_recv_many(rx, owned, STORM_CAPACITY);
    int error = UV_EAGAIN;
    switch (rand_r(seed) % 3) {
    case 0:
        if (pursue(&recv.future_, false, seed))
            error = recv.output;
        break;
    case 1:
        if (pursue(&many.future_, false, seed))
            error = many.output > 0 ? (int)many.output - 1 : EDO_ECLOSED;
        break;
    default:
        error = edo_mpsc_try_recv(rx, owned);
        break;
    }
    return error == UV_EAGAIN ? 0 : error < 0 ? error : error + 1;
}

static void storm_round(unsigned *seed, bool unbounded)
{
    MPSC_SENDER(struct owned) tx;
    MPSC_RECEIVER(struct owned) rx;
    struct storm storms[STORM_SENDERS];
    pthread_t threads[STORM_SENDERS];
    cr_assert_eq(edo_mpsc_with(&tx, &rx, unbounded ? EDO_UNBOUNDED : STORM_CAPACITY, owned_drop),
                 0);
    for (int i = 0; i < STORM_SENDERS; i++) {
        storms[i] = (struct storm){edo_mpsc_sender_clone(tx), edo_mpsc_downgrade(tx),
                                   (unsigned)rand_r(seed)};
        cr_assert_eq(pthread_create(&threads[i], NULL, storm_sends, &storms[i]), 0);
    }
    edo_mpsc_sender_drop(tx);
    struct owned owned[STORM_CAPACITY];
    int left = rand_r(seed) % 200, n;
    while (left > 0) {
        n = storm_receive(rx, owned, seed);
        cr_assert_geq(n, 0);
        left -= n > 0 ? n : 1;
        storm_received += n;
        for (int i = 0; i < n; i++)
            edo_free(owned[i].value);
    }
    bool drains = rand_r(seed) % 2 == 0;
    if (drains) {
        edo_mpsc_close(rx);
        for (; edo_mpsc_blocking_recv(rx, owned) == 0; storm_received++)
            edo_free(owned[0].value);
    }
    edo_mpsc_receiver_drop(rx);
    for (int i = 0; i < STORM_SENDERS; i++)
        pthread_join(threads[i], NULL);
}

Test(mpsc, whatever_threads_do_each_message_ends_once)
{
    struct bench bench;
    bench_begin(&bench);
    owned_dropped = 0;
    unsigned seed = pursue_seed();
    for (int round = 0; round < STORM_ROUNDS; round++)
        storm_round(&seed, round % 4 == 0);
    cr_assert_eq(storm_sent, storm_received + owned_dropped);
    cr_assert_gt(storm_received, 0);
    bench_end(&bench);
}
