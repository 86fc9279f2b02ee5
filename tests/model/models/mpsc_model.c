/* SPDX-License-Identifier: MIT */
/* mpsc: what was sent is received once, in its order, whoever waits, gives up or leaves meanwhile. */
#include "channels/mpsc.h"
#include "executor.h"
#include "internal/park.h"

static EDO_MPSC_SENDER(int) tx;
static EDO_MPSC_RECEIVER(int) rx;
static int sent, dropped;

static void drop(int *message)
{
    dropped += *message;
}

/* Of every thread; the last to drop a clone may be another than the one that waited. */

static void begin(size_t capacity)
{
    model_assert(edo_mpsc_with(&tx, &rx, capacity, drop) == 0);
}

static int send_one(int thread, int message)
{
    struct edo_mpsc_send *future = ON_HEAP(edo_mpsc_send(tx, &message));
    executor_run(executors[thread], &future->future_);
    return future->output;
}

/* The message, or an error. */
static int receive(int thread)
{
    int message;
    struct edo_mpsc_recv *future = ON_HEAP(edo_mpsc_recv(rx, &message));
    executor_run(executors[thread], &future->future_);
    return future->output < 0 ? future->output : message;
}

/* Message by message: the receiver waits for them, the sender for room. */
static void sends_two(void *arg)
{
    (void)arg;
    executor_of_thread(1);
    model_assert(send_one(1, 1) == 0);
    model_assert(send_one(1, 2) == 0);
    edo_mpsc_sender_drop(tx);
}

MODEL(mpsc_bounded)
{
    begin(1);
    executor_of_thread(0);
    model_thread(sends_two, NULL);
    model_assert(receive(0) == 1);
    model_assert(receive(0) == 2);
    model_assert(receive(0) == EDO_ECLOSED);
    edo_mpsc_receiver_drop(rx);
    executors_end();
}

/* As many at once as there are. */
MODEL(mpsc_received_at_once)
{
    begin(2);
    executor_of_thread(0);
    model_thread(sends_two, NULL);
    int *messages = model_new(2 * sizeof *messages), count = 0;
    while (count < 2) {
        struct edo_mpsc_recv_many *future =
            ON_HEAP(edo_mpsc_recv_many(rx, messages + count, (size_t)(2 - count)));
        executor_run(executors[0], &future->future_);
        model_assert(future->output > 0);
        count += (int)future->output;
    }
    model_assert(messages[0] == 1 && messages[1] == 2);
    edo_mpsc_receiver_drop(rx);
    executors_end();
}

/* A place came free, or the message, between the look and the wait of both sides. */
static void sends_one(void *thread)
{
    int i = (int)(intptr_t)thread;
    executor_of_thread(i);
    model_assert(send_one(i, i) == 0);
    edo_mpsc_sender_drop(tx);
}

MODEL(mpsc_two_senders)
{
    begin(1);
    executor_of_thread(0);
    edo_mpsc_sender_clone(tx);
    model_thread(sends_one, (void *)1);
    model_thread(sends_one, (void *)2);
    int first = receive(0), second = receive(0);
    model_assert(first + second == 3 && first > 0 && second > 0);
    model_assert(receive(0) == EDO_ECLOSED);
    edo_mpsc_receiver_drop(rx);
    executors_end();
}

/* Who waits for room gives up: the next in the row has it. */
static void gives_up_sending(void *arg)
{
    (void)arg;
    int message = 4;
    struct edo_mpsc_send *future = ON_HEAP(edo_mpsc_send(tx, &message));
    executor_of_thread(2);
    if (executor_poll(executors[2], &future->future_) == EDO_PENDING)
        executor_cancel(executors[2], &future->future_);
    edo_mpsc_sender_drop(tx);
}

MODEL(mpsc_send_cancelled)
{
    begin(1);
    int full = 1;
    model_assert(edo_mpsc_try_send(tx, &full) == 0);
    edo_mpsc_sender_clone(tx);
    model_thread(gives_up_sending, NULL);
    model_thread(sends_one, (void *)1);
    executor_of_thread(0);
    int sum = 0, message;
    while ((message = receive(0)) > 0)
        sum += message;
    model_assert(sum == 2 || sum == 6);
    edo_mpsc_receiver_drop(rx);
    executors_end();
}

/* Who waits for a message gives up: it is still there. */
MODEL(mpsc_recv_cancelled)
{
    begin(1);
    executor_of_thread(0);
    model_thread(sends_one, (void *)1);
    int message = 0;
    struct edo_mpsc_recv *future = ON_HEAP(edo_mpsc_recv(rx, &message));
    if (executor_poll(executors[0], &future->future_) == EDO_PENDING) {
        executor_cancel(executors[0], &future->future_);
        message = receive(0);
    }
    model_assert(message == 1);
    edo_mpsc_receiver_drop(rx);
    executors_end();
}

/* Received by another, which takes the first one's waker from it. */
MODEL(mpsc_recv_moved)
{
    begin(1);
    executor_of_thread(0);
    executor_of_thread(3);
    model_thread(sends_one, (void *)1);
    int message = 0;
    struct edo_mpsc_recv *future = ON_HEAP(edo_mpsc_recv(rx, &message));
    if (executor_poll(executors[0], &future->future_) == EDO_PENDING)
        executor_run(executors[3], &future->future_);
    model_assert(message == 1);
    edo_mpsc_receiver_drop(rx);
    executors_end();
}

static void sends_until_closed(void *arg)
{
    (void)arg;
    executor_of_thread(1);
    for (int i = 1; i <= 2 && send_one(1, i) == 0; i++)
        sent += i;
    edo_mpsc_sender_drop(tx);
}

/* The receiver goes: each message is refused, or dropped with the channel. */
MODEL(mpsc_receiver_drop)
{
    begin(1);
    model_thread(sends_until_closed, NULL);
    edo_mpsc_receiver_drop(rx);
    executors_end();
    model_assert(dropped == sent);
}

/* The places of a permit that is given back go to the one who waits. */
static void reserves(void *arg)
{
    (void)arg;
    EDO_MPSC_PERMIT(int) permit = {0};
    executor_of_thread(1);
    struct edo_mpsc_reserve *future = ON_HEAP(edo_mpsc_reserve_many(tx, 2, &permit));
    executor_run(executors[1], &future->future_);
    if (future->output == 0) {
        int message = 1;
        edo_mpsc_permit_send(&permit, &message);
    }
    edo_mpsc_permit_release(&permit);
    edo_mpsc_sender_drop(tx);
}

MODEL(mpsc_permits)
{
    begin(2);
    EDO_MPSC_PERMIT(int) permit = {0};
    edo_mpsc_sender_clone(tx);
    model_assert(edo_mpsc_try_reserve_many(tx, 2, &permit) == 0);
    model_thread(reserves, NULL);
    int message = 2;
    edo_mpsc_permit_send(&permit, &message);
    edo_mpsc_permit_release(&permit);
    edo_mpsc_sender_drop(tx);
    executor_of_thread(0);
    model_assert(receive(0) == 2);
    model_assert(receive(0) == 1);
    model_assert(receive(0) == EDO_ECLOSED);
    edo_mpsc_receiver_drop(rx);
    executors_end();
}

/* The places go to those who send, receive, and end the channel, while the permit is still being given
 * back. */
static void sends_and_receives_two(void *arg)
{
    (void)arg;
    static int messages[2] = {1, 2};
    struct executor *executor = executor_of_thread(1);
    struct edo_mpsc_send *first = ON_HEAP(edo_mpsc_send(tx, &messages[0]));
    struct edo_mpsc_send *second = ON_HEAP(edo_mpsc_send(tx, &messages[1]));
    while (!edo_future_done(&first->future_) || !edo_future_done(&second->future_)) {
        bool one = edo_future_done(&first->future_) ||
                   executor_poll(executor, &first->future_) == EDO_READY;
        bool other = edo_future_done(&second->future_) ||
                     executor_poll(executor, &second->future_) == EDO_READY;
        if (!one || !other)
            executor_sleep(executor);
    }
    model_assert(receive(1) + receive(1) == 3);
    edo_mpsc_sender_drop(tx);
    edo_mpsc_receiver_drop(rx);
}

MODEL(mpsc_permit_to_the_last)
{
    begin(2);
    EDO_MPSC_PERMIT(int) permit = {0};
    model_assert(edo_mpsc_try_reserve_many(tx, 2, &permit) == 0);
    model_thread(sends_and_receives_two, NULL);
    edo_mpsc_permit_release(&permit);
    executors_end();
}

/* Closed, with a sender that waits, and one place that is reserved: what was sent is received. */
static EDO_MPSC_PERMIT(int) place;

static void fills_its_place(void *arg)
{
    (void)arg;
    int message = 4;
    edo_mpsc_permit_send(&place, &message);
}

static void waits_to_send(void *arg)
{
    (void)arg;
    executor_of_thread(1);
    if (send_one(1, 1) == 0)
        sent += 1;
    edo_mpsc_sender_drop(tx);
}

MODEL(mpsc_close)
{
    begin(1);
    executor_of_thread(0);
    model_assert(edo_mpsc_try_reserve(tx, &place) == 0);
    model_thread(fills_its_place, NULL);
    model_thread(waits_to_send, NULL);
    edo_mpsc_close(rx);
    int sum = 0, message;
    while ((message = receive(0)) > 0)
        sum += message;
    model_assert(message == EDO_ECLOSED);
    model_join_all();
    model_assert(sum == sent + 4 && dropped == 0);
    edo_mpsc_receiver_drop(rx);
    executors_end();
}

/* One that neither sends nor receives counts. */
static void counts(void *most)
{
    model_assert(edo_mpsc_len(tx) <= (size_t)(intptr_t)most);
    edo_mpsc_sender_drop(tx);
}

/* The same, and the receiver goes: what nobody received is dropped. */
MODEL(mpsc_drop_with_permit)
{
    begin(2);
    model_assert(edo_mpsc_try_reserve_many(tx, 2, &place) == 0);
    model_thread(fills_its_place, NULL);
    model_thread(counts, (void *)1);
    edo_mpsc_receiver_drop(rx);
    model_join_all();
    edo_mpsc_permit_release(&place);
    executors_end();
    model_assert(dropped == 4);
}

MODEL(mpsc_len)
{
    begin(model_choose(2) ? EDO_UNBOUNDED : 2);
    edo_mpsc_sender_clone(tx);
    model_thread(sends_until_closed, NULL);
    model_thread(counts, (void *)2);
    executor_of_thread(0);
    while (receive(0) > 0)
        continue;
    edo_mpsc_receiver_drop(rx);
    executors_end();
}

/* Through more blocks than one, each freed or used again. */
struct large {
    int number;
    char rest[1020];
};
static EDO_MPSC_SENDER(struct large) large_tx;
static EDO_MPSC_RECEIVER(struct large) large_rx;

static void sends_large(void *arg)
{
    (void)arg;
    struct large message;
    for (message.number = 5; message.number < 10; message.number++)
        model_assert(edo_mpsc_try_send(large_tx, &message) == 0);
    edo_mpsc_sender_drop(large_tx);
}

MODEL(mpsc_unbounded)
{
    model_assert(edo_mpsc(&large_tx, &large_rx, EDO_UNBOUNDED) == 0);
    executor_of_thread(0);
    struct large message;
    for (message.number = 0; message.number < 5; message.number++)
        model_assert(edo_mpsc_try_send(large_tx, &message) == 0);
    model_thread(sends_large, NULL);
    int next = 0;
    for (;; next++) {
        struct edo_mpsc_recv *future = ON_HEAP(edo_mpsc_recv(large_rx, &message));
        executor_run(executors[0], &future->future_);
        if (future->output < 0)
            break;
        model_assert(message.number == next);
    }
    model_assert(next == 10);
    edo_mpsc_receiver_drop(large_rx);
    executors_end();
}

/* Without waiting: the end is not seen before the last message. */
MODEL(mpsc_try_recv)
{
    begin(EDO_UNBOUNDED);
    model_thread(sends_until_closed, NULL);
    int message, sum = 0, error = 0;
    for (int i = 0; i < 3; i++)
        if ((error = edo_mpsc_try_recv(rx, &message)) == 0)
            sum += message;
    model_assert(edo_mpsc_len(rx) <= 2);
    model_join_all();
    if (error == EDO_ECLOSED)
        model_assert(sum == 3);
    edo_mpsc_receiver_drop(rx);
    model_assert(sum + dropped == 3);
    executors_end();
}

/* Threads without an executor, on both sides. */
static void sends_blocking(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 2; i++)
        model_assert(edo_mpsc_blocking_send(tx, &i) == 0);
    edo_mpsc_sender_drop(tx);
}

MODEL(mpsc_blocking)
{
    begin(1);
    model_thread(sends_blocking, NULL);
    int message;
    for (int i = 1; i <= 2; i++)
        model_assert(edo_mpsc_blocking_recv(rx, &message) == 0 && message == i);
    model_assert(edo_mpsc_blocking_recv(rx, &message) == EDO_ECLOSED);
    edo_mpsc_receiver_drop(rx);
    executors_end();
}

/* In a task, whose waker is not cloned. */
MODEL(mpsc_recv_in_task)
{
    begin(1);
    struct edo_runtime *runtime = runtime_new();
    model_thread(sends_one, (void *)1);
    int message;
    struct edo_mpsc_recv *future = ON_HEAP(edo_mpsc_recv(rx, &message));
    model_assert(edo_block_on(runtime, future) == 0 && message == 1);
    edo_mpsc_receiver_drop(rx);
    edo_runtime_drop(runtime);
    executors_end();
}

/* A task that waits to receive, or to send, is dropped with its runtime meanwhile. */
static int received;

static void spawn_receiver(struct edo_waker *waker, void *arg)
{
    (void)waker;
    (void)arg;
    edo_task_detach(SPAWN(edo_mpsc_recv(rx, &received)));
}

static void sends_at_shutdown(void *arg)
{
    (void)arg;
    int message = 1;
    model_assert(edo_mpsc_try_send(tx, &message) == 0);
}

MODEL(mpsc_recv_at_shutdown)
{
    static _Atomic(int) nothing;
    begin(1);
    struct edo_runtime *runtime = runtime_new();
    model_thread(sends_at_shutdown, NULL);
    struct until future = EDO_NEW(until, .done = &nothing, .turns = 1, .begin = spawn_receiver);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
    model_join_all();
    edo_mpsc_receiver_drop(rx);
    edo_mpsc_sender_drop(tx);
    model_assert(received + dropped == 1);
    executors_end();
}

/* A weak sender becomes one, or comes too late. */
static void upgrades(void *arg)
{
    (void)arg;
    EDO_MPSC_WEAK_SENDER(int) weak = edo_mpsc_downgrade(tx);
    edo_mpsc_sender_drop(tx);
    EDO_MPSC_SENDER(int) again = edo_mpsc_upgrade(weak);
    int message = 2;
    if (again != NULL && edo_mpsc_try_send(again, &message) == 0)
        sent += 2;
    edo_mpsc_sender_drop(again);
    edo_mpsc_weak_sender_drop(weak);
}

MODEL(mpsc_weak_sender)
{
    begin(EDO_UNBOUNDED);
    edo_mpsc_sender_clone(tx);
    model_thread(upgrades, NULL);
    executor_of_thread(0);
    edo_mpsc_sender_drop(tx);
    int sum = 0, message;
    while ((message = receive(0)) > 0)
        sum += message;
    edo_mpsc_receiver_drop(rx);
    executors_end();
    model_assert(sum == sent);
}

/* Told that nobody listens any more; or gives up being told. */
static void watches(void *patience)
{
    executor_of_thread(1);
    struct edo_mpsc_closed *future = ON_HEAP(edo_mpsc_closed(tx));
    if (patience != NULL)
        executor_run(executors[1], &future->future_);
    else if (executor_poll(executors[1], &future->future_) == EDO_PENDING)
        executor_cancel(executors[1], &future->future_);
    edo_mpsc_sender_drop(tx);
}

MODEL(mpsc_closed)
{
    begin(1);
    model_thread(watches, model_choose(2) ? &sent : NULL);
    edo_mpsc_receiver_drop(rx);
    executors_end();
}
