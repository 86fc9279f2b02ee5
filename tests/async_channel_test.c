/* SPDX-License-Identifier: MIT */
#include "poll_harness.h"

#include <pthread.h>

#include "edo.h"

struct channel {
    ASYNC_SENDER(int) tx;
    ASYNC_RECEIVER(int) rx;
};

static _Atomic(int) dropped;

static void drop(int *message)
{
    dropped += *message;
}

static struct channel channel(size_t capacity)
{
    struct channel c;
    cr_assert_eq(edo_async_channel_with(&c.tx, &c.rx, capacity, drop), 0);
    return c;
}

static void done(struct channel *c)
{
    edo_async_sender_drop(c->tx);
    edo_async_receiver_drop(c->rx);
}

static int send_now(struct channel *c, int value)
{
    return edo_async_try_send(c->tx, &value);
}

static int receive_now(struct channel *c)
{
    int value;
    int error = edo_async_try_recv(c->rx, &value);
    return error < 0 ? error : value;
}

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

/* Threads that block, and tasks without patience; all that was sent arrives once. */
enum { SENDERS = 4, RECEIVERS = 4, EACH = 4000 };
static _Atomic(long) sum, received;

static void *sends_blocking(void *arg)
{
    ASYNC_SENDER(int) tx = arg;
    for (int i = 1; i <= EACH; i++)
        cr_assert_eq(edo_async_blocking_send(tx, &i), 0);
    edo_async_sender_drop(tx);
    return NULL;
}

static void *receives_blocking(void *arg)
{
    ASYNC_RECEIVER(int) rx = arg;
    int value;
    while (edo_async_blocking_recv(rx, &value) == 0) {
        sum += value;
        received++;
    }
    edo_async_receiver_drop(rx);
    return NULL;
}

struct impatient {
    FUTURE(int);
    ASYNC_SENDER(int) tx;
    ASYNC_RECEIVER(int) rx;
    int i, value;
    struct edo_async_send send;
    struct edo_async_recv recv;
    struct edo_timeout timeout;
};

ASYNC(impatient)
{
    ASYNC_BEGIN;
    for (self->i = 1; self->tx != NULL && self->i <= EACH;) {
        self->send = edo_async_send(self->tx, &self->i);
        AWAIT(self->timeout, edo_timeout(0, &self->send));
        if (self->timeout.output == 0) {
            cr_assert_eq(self->send.output, 0);
            self->i++;
        }
    }
    while (self->rx != NULL) {
        self->recv = edo_async_recv(self->rx, &self->value);
        AWAIT(self->timeout, edo_timeout(0, &self->recv));
        if (self->timeout.output < 0)
            continue;
        if (self->recv.output < 0)
            break;
        sum += self->value;
        received++;
    }
    RETURN(0);
ASYNC_FINALLY:
    edo_async_sender_drop(self->tx);
    edo_async_receiver_drop(self->rx);
    ASYNC_END;
}

static void *runs_impatient(void *arg)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    cr_assert_eq(edo_block_on(runtime, (struct impatient *)arg), 0);
    edo_runtime_drop(runtime);
    return NULL;
}

Test(async_channel, what_threads_and_impatient_tasks_send_arrives_once)
{
    struct channel c = channel(3);
    pthread_t threads[SENDERS + RECEIVERS];
    struct impatient impatient[2] = {
        NEW(impatient, .tx = edo_async_sender_clone(c.tx)),
        NEW(impatient, .rx = edo_async_receiver_clone(c.rx)),
    };
    sum = 0;
    received = 0;
    dropped = 0;
    for (int i = 0; i < SENDERS + RECEIVERS; i++) {
        int error;
        if (i < 2)
            error = pthread_create(&threads[i], NULL, runs_impatient, &impatient[i]);
        else if (i % 2 == 0)
            error = pthread_create(&threads[i], NULL, sends_blocking, edo_async_sender_clone(c.tx));
        else
            error = pthread_create(&threads[i], NULL, receives_blocking,
                                   edo_async_receiver_clone(c.rx));
        cr_assert_eq(error, 0);
    }
    done(&c);
    for (int i = 0; i < SENDERS + RECEIVERS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(received, SENDERS * EACH);
    cr_assert_eq(sum, (long)SENDERS * EACH * (EACH + 1) / 2);
    cr_assert_eq(dropped, 0);
}
