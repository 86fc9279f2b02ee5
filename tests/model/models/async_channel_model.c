/* SPDX-License-Identifier: MIT */
/* async_channel: each message to one receiver, whoever waits, gives up or leaves meanwhile. */
#include "channels/async_channel.h"
#include "executor.h"
#include "internal/park.h"

static EDO_ASYNC_SENDER(int) tx;
static EDO_ASYNC_RECEIVER(int) rx;
static _Atomic(int) received, dropped;

static void drop(int *message)
{
    edo_fetch_add(&dropped, *message, relaxed);
}

static int receive(int thread)
{
    int *message = model_new(sizeof *message);
    struct edo_async_recv *future = ON_HEAP(edo_async_recv(rx, message));
    executor_run(executor_of_thread(thread), &future->future_);
    if (future->output == 0)
        edo_fetch_add(&received, *message, relaxed);
    return future->output;
}

static void receives_all(void *thread)
{
    while (receive((int)(intptr_t)thread) == 0)
        continue;
    edo_async_receiver_drop(rx);
}

static void sends(void *last)
{
    for (int i = 1; i <= (int)(intptr_t)last; i++) {
        int *message = model_new(sizeof *message);
        *message = i;
        struct edo_async_send *future = ON_HEAP(edo_async_send(tx, message));
        executor_run(executor_of_thread(0), &future->future_);
        model_assert(future->output == 0);
    }
    edo_async_sender_drop(tx);
}

MODEL(async_channel, .bound = 3)
{
    model_assert(edo_async_channel_with(&tx, &rx, 1, drop) == 0);
    edo_async_receiver_clone(rx);
    model_thread(receives_all, (void *)1);
    model_thread(receives_all, (void *)2);
    sends((void *)2);
    executors_end();
    model_assert(edo_load(&received, relaxed) == 3 && edo_load(&dropped, relaxed) == 0);
}

/* One receiver gives up, chosen or not; the other gets it all. */
static void gives_up(void *arg)
{
    (void)arg;
    int *message = model_new(sizeof *message);
    struct edo_async_recv *future = ON_HEAP(edo_async_recv(rx, message));
    if (executor_poll(executor_of_thread(2), &future->future_) == EDO_PENDING)
        executor_cancel(executors[2], &future->future_);
    else if (future->output == 0)
        edo_fetch_add(&received, *message, relaxed);
    edo_async_receiver_drop(rx);
}

MODEL(async_recv_cancelled, .bound = 3)
{
    model_assert(edo_async_channel_with(&tx, &rx, 1, drop) == 0);
    edo_async_receiver_clone(rx);
    model_thread(receives_all, (void *)1);
    model_thread(gives_up, NULL);
    sends((void *)1);
    executors_end();
    model_assert(edo_load(&received, relaxed) == 1 && edo_load(&dropped, relaxed) == 0);
}

/* A sender that waits for room gives up while it is its turn. */
static void gives_up_sending(void *arg)
{
    (void)arg;
    int *message = model_new(sizeof *message);
    *message = 4;
    struct edo_async_send *future = ON_HEAP(edo_async_send(tx, message));
    if (executor_poll(executor_of_thread(3), &future->future_) == EDO_PENDING)
        executor_cancel(executors[3], &future->future_);
    edo_async_sender_drop(tx);
}

MODEL(async_send_cancelled)
{
    model_assert(edo_async_channel_with(&tx, &rx, 1, drop) == 0);
    int full = 1;
    model_assert(edo_async_try_send(tx, &full) == 0);
    model_thread(gives_up_sending, NULL);
    receives_all((void *)1);
    executors_end();
    int sum = edo_load(&received, relaxed);
    model_assert(sum == 1 || sum == 5);
}

/* The last receiver goes while messages are sent. */
static void sends_until_closed(void *arg)
{
    (void)arg;
    static _Atomic(int) sent;
    for (int i = 1; i <= 2; i++)
        if (edo_async_try_send(tx, &i) == 0)
            edo_fetch_add(&sent, i, relaxed);
    edo_async_sender_drop(tx);
    edo_fetch_sub(&dropped, edo_load(&sent, relaxed), relaxed);
}

MODEL(async_receiver_drop)
{
    model_assert(edo_async_channel_with(&tx, &rx, EDO_UNBOUNDED, drop) == 0);
    model_thread(sends_until_closed, NULL);
    edo_async_receiver_drop(rx);
    executors_end();
    model_assert(edo_load(&dropped, relaxed) == 0);
}
