/* SPDX-License-Identifier: MIT */
/* Places of mpsc channels: permits, and who waits for one. */
#include "mpsc_helpers.h"

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
