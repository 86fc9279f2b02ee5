/* SPDX-License-Identifier: MIT */
#include "hostile_waker.h"

#include <pthread.h>

#include "edo.h"
#include "pursue.h"
#include "support/runtimes.h"

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

/* Messages that own memory. */
struct owned {
    int *value;
};
static _Atomic(int) owned_dropped;
typedef ASYNC_SENDER(struct owned) owned_sender;
typedef ASYNC_RECEIVER(struct owned) owned_receiver;

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

/* Wakers, and a hook, that call back. */
static struct {
    struct channel c;
    struct edo_async_recv recv;
    struct edo_async_send send;
    int got, value;
} rigged;

/* Takes the lock, as long as there is a channel. */
static void counts(void)
{
    if (rigged.c.tx != NULL)
        edo_async_len(rigged.c.tx);
    else if (rigged.c.rx != NULL)
        edo_async_len(rigged.c.rx);
}

static void rigged_begin(struct bench *bench, size_t capacity)
{
    hostile_begin(bench, &hostile_foreign, counts);
    memset(&rigged, 0, sizeof rigged);
    rigged.c = channel(capacity);
    rigged.value = 7;
    rigged.recv = edo_async_recv(rigged.c.rx, &rigged.got);
    rigged.send = edo_async_send(rigged.c.tx, &rigged.value);
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
    cr_assert_eq(receive_now(&rigged.c), 8);
}

static void closes(void)
{
    edo_async_close(rigged.c.rx);
}

static void drops_sender(void)
{
    __typeof__(rigged.c.tx) tx = rigged.c.tx;
    rigged.c.tx = NULL;
    edo_async_sender_drop(tx);
}

static void drops_receiver(void)
{
    __typeof__(rigged.c.rx) rx = rigged.c.rx;
    rigged.c.rx = NULL;
    edo_async_receiver_drop(rx);
}

static void receives_and_goes(void)
{
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &hostile.bench->cx), EDO_READY);
    drops_receiver();
}

static void send_ends_and_sender_goes(void)
{
    cr_assert_eq(edo_future_poll(&rigged.send.future_, &hostile.bench->cx), EDO_READY);
    drops_sender();
}

Test(async_channel, no_lock_is_held_while_a_waker_runs_and_each_clone_is_dropped)
{
    struct bench bench;
    rigged_begin(&bench, 1);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    int got = 0;
    struct edo_async_recv given_up = edo_async_recv(rigged.c.rx, &got);
    cr_assert_eq(POLL(given_up), EDO_PENDING);
    cr_assert_eq(POLL(rigged.recv), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &second), EDO_PENDING);
    sends();
    cr_assert(bench.counter.wakes == 1 && other.wakes == 0);
    DROP_IT(given_up);
    cr_assert_eq(other.wakes, 1, "passed on");
    cr_assert_eq(POLL(rigged.recv), EDO_READY);
    cr_assert_eq(rigged.got, 8);
    sends();
    struct edo_async_send first = edo_async_send(rigged.c.tx, &rigged.value);
    cr_assert_eq(POLL(first), EDO_PENDING);
    cr_assert_eq(POLL(rigged.send), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&rigged.send.future_, &second), EDO_PENDING);
    DROP_IT(first);
    closes();
    cr_assert_eq(other.wakes, 2);
    cr_assert_eq(POLL(rigged.send), EDO_READY);
    cr_assert_eq(rigged.send.output, EDO_ECLOSED);
    cr_assert_eq(other.clones, other.drops);
    rigged_end(&bench);
}

Test(async_channel, a_clone_that_sends_receives_or_closes_is_not_missed)
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
    rigged.send = edo_async_send(rigged.c.tx, &rigged.value);
    hostile.in_clone.act = closes;
    cr_assert_eq(POLL(rigged.send), EDO_READY);
    cr_assert_eq(rigged.send.output, EDO_ECLOSED);
    rigged_end(&bench);

    rigged_begin(&bench, 1);
    hostile.in_clone.act = drops_sender;
    cr_assert_eq(POLL(rigged.recv), EDO_READY);
    cr_assert_eq(rigged.recv.output, EDO_ECLOSED);
    rigged_end(&bench);

    rigged_begin(&bench, 1);
    hostile.in_clone.act = drops_receiver;
    cr_assert_eq(POLL(rigged.send), EDO_READY);
    cr_assert_eq(rigged.send.output, EDO_ECLOSED);
    rigged_end(&bench);
}

Test(async_channel, a_wake_that_ends_everything)
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
    sends();
    cr_assert_eq(POLL(rigged.send), EDO_PENDING);
    hostile.in_wake.act = send_ends_and_sender_goes;
    drops_receiver();
    cr_assert_eq(rigged.send.output, EDO_ECLOSED);
    rigged_end(&bench);

    rigged_begin(&bench, 1);
    sends();
    cr_assert_eq(POLL(rigged.send), EDO_PENDING);
    hostile.in_wake.act = send_ends_and_sender_goes;
    takes();
    cr_assert_eq(rigged.send.output, 0);
    cr_assert_eq(receive_now(&rigged.c), 7);
    rigged_end(&bench);
}

Test(async_channel, a_waker_whose_drop_closes_is_replaced_by_one_that_is_woken)
{
    struct bench bench;
    rigged_begin(&bench, 1);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    cr_assert_eq(POLL(rigged.recv), EDO_PENDING);
    hostile.in_drop.act = closes;
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &second), EDO_PENDING);
    cr_assert(other.wakes == 1 && bench.counter.wakes == 0);
    cr_assert_eq(edo_future_poll(&rigged.recv.future_, &second), EDO_READY);
    cr_assert_eq(rigged.recv.output, EDO_ECLOSED);
    cr_assert_eq(other.clones, other.drops);
    rigged_end(&bench);
}

/* More wait than are woken at once. While the first are, one of the others polls, one is dropped, one
 * comes; or all of them go, and the last sender. */
enum { CROWD = 80 };
static struct edo_async_recv crowd[CROWD + 1];
static int crowd_values[CROWD + 1];
static struct counter quiet = {.waker = {&counter_stable}};

static void crowd_waits(int i, struct edo_context *cx)
{
    crowd[i] = edo_async_recv(rigged.c.rx, &crowd_values[i]);
    cr_assert_eq(edo_future_poll(&crowd[i].future_, cx), EDO_PENDING);
}

static void meddles(void)
{
    struct edo_context cx;
    edo_context_init(&cx, &quiet.waker);
    cr_assert_eq(edo_future_poll(&crowd[CROWD - 1].future_, &cx), EDO_PENDING);
    edo_future_drop(&crowd[CROWD - 2].future_, &cx);
    crowd[CROWD] = edo_async_recv(rigged.c.rx, &crowd_values[CROWD]);
    cr_assert_eq(edo_future_poll(&crowd[CROWD].future_, &cx), EDO_READY);
    cr_assert_eq(send_now(&rigged.c, 1), EDO_ECLOSED);
    cr_assert_not(edo_async_close(rigged.c.tx));
}

static void all_go(void)
{
    for (int i = 0; i < CROWD; i++)
        edo_future_drop(&crowd[i].future_, &hostile.bench->cx);
    drops_receiver();
}

Test(async_channel, they_come_and_go_while_the_others_are_woken)
{
    struct bench bench;
    quiet.wakes = 0;
    for (int all = 0; all < 2; all++) {
        rigged_begin(&bench, 1);
        for (int i = 0; i < CROWD; i++)
            crowd_waits(i, &bench.cx);
        hostile.in_wake.act = all ? all_go : meddles;
        if (all)
            drops_sender();
        else
            closes();
        cr_assert_eq(quiet.wakes, 1);
        for (int i = 0; !all && i < CROWD; i++) {
            if (i == CROWD - 2)
                continue;
            cr_assert_eq(POLL(crowd[i]), EDO_READY);
            cr_assert_eq(crowd[i].output, EDO_ECLOSED);
        }
        rigged_end(&bench);
    }
}

static owned_sender hooked;
static int hook_calls;

static void drop_looks(struct owned *owned)
{
    owned_drop(owned);
    cr_assert_eq(edo_async_try_send(hooked, owned), EDO_ECLOSED);
    hook_calls++;
}

Test(async_channel, no_lock_is_held_while_a_message_is_dropped)
{
    struct bench bench;
    bench_begin(&bench);
    owned_receiver rx;
    cr_assert_eq(edo_async_channel_with(&hooked, &rx, 3, drop_looks), 0);
    for (int i = 0; i < 3; i++) {
        struct owned owned = owned_new(i);
        cr_assert_eq(edo_async_try_send(hooked, &owned), 0);
    }
    edo_async_receiver_drop(rx);
    cr_assert_eq(hook_calls, 3);
    edo_async_sender_drop(hooked);
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
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(test_block_on(runtime, (struct impatient *)arg), 0);
    edo_runtime_drop(runtime);
    return NULL;
}

Test(async_channel, what_threads_and_impatient_tasks_send_arrives_once)
{
    struct bench bench;
    bench_begin(&bench);
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
    bench_end(&bench);
}

/* Threads that send and receive in every way, without patience, until it is closed, or the receivers
 * have gone: each message that was sent is received, replaced, or dropped, once; each that was refused is
 * still the sender's. */
enum { STORM_EACH = 3, STORM_ROUNDS = 40 };
struct storm {
    owned_sender tx;
    owned_receiver rx;
    unsigned seed;
    int left;
};
static _Atomic(int) storm_sent, storm_received;

static int storm_send(struct storm *storm)
{
    struct owned owned = owned_new(0), replaced;
    struct edo_async_send send = edo_async_send(storm->tx, &owned);
    int error = UV_EAGAIN;
    switch (rand_r(&storm->seed) % 4) {
    case 0:
        error = edo_async_try_send(storm->tx, &owned);
        break;
    case 1:
        error = edo_async_force_send(storm->tx, &owned, &replaced);
        if (error == 1) {
            edo_free(replaced.value);
            storm_received++;
        }
        break;
    case 2:
        error = edo_async_blocking_send(storm->tx, &owned);
        break;
    default:
        if (pursue(&send.future_, rand_r(&storm->seed) % 2, &storm->seed))
            error = send.output;
        break;
    }
    if (error >= 0)
        storm_sent++;
    else
        edo_free(owned.value);
    return error;
}

static void *storm_sends(void *arg)
{
    struct storm *storm = arg;
    ASYNC_WEAK_SENDER(struct owned) weak = edo_async_sender_downgrade(storm->tx);
    int error;
    do {
        error = storm_send(storm);
        edo_async_sender_drop(edo_async_sender_upgrade(weak));
    } while (error != EDO_ECLOSED);
    edo_async_sender_drop(storm->tx);
    edo_async_sender_drop(edo_async_sender_upgrade(weak));
    edo_async_weak_sender_drop(weak);
    return NULL;
}

static void *storm_receives(void *arg)
{
    struct storm *storm = arg;
    int error = 0;
    while (error != EDO_ECLOSED && storm->left-- > 0) {
        struct owned owned;
        struct edo_async_recv recv = edo_async_recv(storm->rx, &owned);
        bool patient = rand_r(&storm->seed) % 2 == 0;
        if (rand_r(&storm->seed) % 3 == 0)
            error = edo_async_try_recv(storm->rx, &owned);
        else
            error = pursue(&recv.future_, patient, &storm->seed) ? recv.output : UV_EAGAIN;
        if (error == 0) {
            edo_free(owned.value);
            storm_received++;
        }
    }
    if (rand_r(&storm->seed) % 4 == 0)
        edo_async_close(storm->rx);
    edo_async_receiver_drop(storm->rx);
    return NULL;
}

Test(async_channel, whatever_threads_do_each_message_ends_once)
{
    struct bench bench;
    bench_begin(&bench);
    unsigned seed = pursue_seed();
    owned_dropped = 0;
    for (int round = 0; round < STORM_ROUNDS; round++) {
        owned_sender tx;
        owned_receiver rx;
        size_t capacity = round % 4 == 0 ? EDO_UNBOUNDED : 2;
        cr_assert_eq(edo_async_channel_with(&tx, &rx, capacity, owned_drop), 0);
        struct storm storms[2 * STORM_EACH];
        pthread_t threads[2 * STORM_EACH];
        for (int i = 0; i < 2 * STORM_EACH; i++) {
            bool sender = i < STORM_EACH;
            storms[i] = (struct storm){sender ? edo_async_sender_clone(tx) : NULL,
                                       sender ? NULL : edo_async_receiver_clone(rx),
                                       (unsigned)rand_r(&seed), rand_r(&seed) % 200};
        }
        edo_async_sender_drop(tx);
        edo_async_receiver_drop(rx);
        for (int i = 0; i < 2 * STORM_EACH; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL,
                                        i < STORM_EACH ? storm_sends : storm_receives, &storms[i]),
                         0);
        for (int i = 0; i < 2 * STORM_EACH; i++)
            pthread_join(threads[i], NULL);
    }
    cr_assert_eq(storm_sent, storm_received + owned_dropped);
    cr_assert_gt(storm_received, 0);
    bench_end(&bench);
}
