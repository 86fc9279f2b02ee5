/* SPDX-License-Identifier: MIT */
#include "poll_harness.h"

#include <pthread.h>

#include "edo.h"

struct channel {
    BROADCAST_SENDER(int) tx;
    BROADCAST_RECEIVER(int) rx;
    uint64_t lagged;
};

static struct channel channel(size_t capacity)
{
    struct channel c;
    cr_assert_eq(edo_broadcast(&c.tx, &c.rx, capacity), 0);
    return c;
}

static void done(struct channel *c)
{
    edo_broadcast_sender_drop(c->tx);
    edo_broadcast_receiver_drop(c->rx);
}

static int send_now(struct channel *c, int value)
{
    return edo_broadcast_send(c->tx, &value);
}

#define RECEIVE(rx)                                                 \
    __extension__({                                                 \
        int value_;                                                 \
        uint64_t lagged_;                                           \
        int error_ = edo_broadcast_try_recv(rx, &value_, &lagged_); \
        error_ < 0 ? error_ : value_;                               \
    })

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
    struct channel c = channel(2);
    cr_assert_eq(send_now(&c, 1), 1);
    edo_broadcast_receiver_drop(c.rx);
    cr_assert_eq(send_now(&c, 2), EDO_ECLOSED);
    c.rx = edo_broadcast_subscribe(c.tx);
    cr_assert_eq(RECEIVE(c.rx), UV_EAGAIN);
    cr_assert_eq(send_now(&c, 3), 1);
    cr_assert_eq(RECEIVE(c.rx), 3);
    done(&c);
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
    struct channel c = channel(4);
    send_now(&c, 1);
    BROADCAST_RECEIVER(int) again = edo_broadcast_resubscribe(c.rx);
    send_now(&c, 2);
    cr_assert_eq(RECEIVE(again), 2);
    cr_assert_eq(RECEIVE(c.rx), 1);
    edo_broadcast_receiver_drop(again);
    done(&c);
}

Test(broadcast, weak_senders_do_not_keep_the_channel_open)
{
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

/* Messages that own memory. */
struct owned {
    int *value;
};
static _Atomic(int) drops, clones;

static void owned_clone(const struct owned *message, struct owned *copy)
{
    copy->value = edo_malloc(sizeof(int));
    *copy->value = *message->value;
    clones++;
}

static void owned_drop(struct owned *message)
{
    edo_free(message->value);
    drops++;
}

typedef BROADCAST_SENDER(struct owned) owned_sender;
typedef BROADCAST_RECEIVER(struct owned) owned_receiver;

static int send_owned(owned_sender tx, int value)
{
    struct owned message = {edo_malloc(sizeof(int))};
    *message.value = value;
    int receivers = edo_broadcast_send(tx, &message);
    if (receivers < 0)
        edo_free(message.value);
    return receivers;
}

static int receive_owned(owned_receiver rx)
{
    struct owned message;
    uint64_t lagged;
    int error = edo_broadcast_try_recv(rx, &message, &lagged);
    if (error < 0)
        return error;
    int value = *message.value;
    edo_free(message.value);
    return value;
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

/* Threads: each receives, in order, all but what it is told that it missed. */
enum { MESSAGES = 20000, LISTENERS = 6, SPEAKERS = 2 };

static void *listens(void *arg)
{
    owned_receiver rx = arg;
    uint64_t count = 0;
    int last[SPEAKERS] = {-1, -1};
    for (;;) {
        struct owned message;
        uint64_t lagged;
        int error = edo_broadcast_blocking_recv(rx, &message, &lagged);
        if (error == EDO_ECLOSED)
            break;
        if (error == EDO_ELAGGED) {
            count += lagged;
            continue;
        }
        cr_assert_eq(error, 0);
        int speaker = *message.value / MESSAGES, n = *message.value % MESSAGES;
        cr_assert_gt(n, last[speaker]);
        last[speaker] = n;
        edo_free(message.value);
        count++;
    }
    cr_assert_eq(count, SPEAKERS * MESSAGES);
    edo_broadcast_receiver_drop(rx);
    return NULL;
}

struct speaks {
    owned_sender tx;
    int first;
};

static void *speaks(void *arg)
{
    struct speaks *self = arg;
    for (int i = 0; i < MESSAGES; i++)
        cr_assert_geq(send_owned(self->tx, self->first + i), 1);
    edo_broadcast_sender_drop(self->tx);
    return NULL;
}

Test(broadcast, threads_receive_all_in_order_or_are_told_what_they_missed)
{
    owned_sender tx;
    owned_receiver rx;
    cr_assert_eq(edo_broadcast_with(&tx, &rx, 64, owned_clone, owned_drop), 0);
    pthread_t threads[LISTENERS + SPEAKERS];
    for (int i = 0; i < LISTENERS; i++)
        cr_assert_eq(
            pthread_create(&threads[i], NULL, listens, i == 0 ? rx : edo_broadcast_subscribe(tx)),
            0);
    struct speaks speakers[SPEAKERS];
    for (int i = 0; i < SPEAKERS; i++) {
        speakers[i] = (struct speaks){i == 0 ? tx : edo_broadcast_sender_clone(tx), i * MESSAGES};
    }
    for (int i = 0; i < SPEAKERS; i++)
        cr_assert_eq(pthread_create(&threads[LISTENERS + i], NULL, speaks, &speakers[i]), 0);
    for (int i = 0; i < LISTENERS + SPEAKERS; i++)
        pthread_join(threads[i], NULL);
}
