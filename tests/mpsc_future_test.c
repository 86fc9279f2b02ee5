/* SPDX-License-Identifier: MIT */
/* The futures of mpsc channels: dropped at any time, their wakers, their budget, their names. */
#include "mpsc_helpers.h"
#include "hostile_waker.h"

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
