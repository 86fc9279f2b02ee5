/* SPDX-License-Identifier: MIT */
/* broadcast: each receiver gets each message, or is told; a message is dropped once. */
#include "channels/broadcast.h"
#include "executor.h"
#include "internal/park.h"

static EDO_BROADCAST_SENDER(int) tx;
static EDO_BROADCAST_RECEIVER(int) rx;
static EDO_BROADCAST_RECEIVER(int) other;
static _Atomic(int) clones, drops;

static void copy_of(const int *message, int *copy)
{
    *copy = *message;
    edo_fetch_add(&clones, 1, relaxed);
}

static void drop(int *message)
{
    *message = 0;
    edo_fetch_add(&drops, 1, relaxed);
}

static int receive(int thread, EDO_BROADCAST_RECEIVER(int) from)
{
    int message;
    struct edo_broadcast_recv *future = ON_HEAP(edo_broadcast_recv(from, &message));
    executor_run(executor_of_thread(thread), &future->future_);
    return future->output < 0 ? future->output : message;
}

static void sends(void *arg)
{
    int n = (int)(intptr_t)arg;
    for (int i = 1; i <= n; i++)
        edo_broadcast_send(tx, &i);
    edo_broadcast_sender_drop(tx);
}

static void listens(void *arg)
{
    (void)arg;
    model_assert(receive(2, other) == 1);
    edo_broadcast_receiver_drop(other);
}

MODEL(broadcast)
{
    model_assert(edo_broadcast(&tx, &rx, 1) == 0);
    other = edo_broadcast_subscribe(tx);
    model_thread(sends, (void *)1);
    model_thread(listens, NULL);
    model_assert(receive(0, rx) == 1);
    model_assert(receive(0, rx) == EDO_ECLOSED);
    edo_broadcast_receiver_drop(rx);
    executors_end();
}

/* Overwritten while it is received; cloned while it is overwritten, or taken by the last. */
static void listens_to_all(void *arg)
{
    (void)arg;
    for (int error; (error = receive(2, other)) != EDO_ECLOSED;)
        model_assert(error == EDO_ELAGGED || error > 0);
    edo_broadcast_receiver_drop(other);
}

MODEL(broadcast_owned, .bound = 3)
{
    model_assert(edo_broadcast_with(&tx, &rx, 1, copy_of, drop) == 0);
    other = edo_broadcast_subscribe(tx);
    model_thread(sends, (void *)2);
    model_thread(listens_to_all, NULL);
    int error = receive(0, rx);
    model_assert(error == EDO_ELAGGED || error > 0);
    edo_broadcast_receiver_drop(rx);
    executors_end();
}

/* A receiver goes while the message it has not received is cloned by the other. */
MODEL(broadcast_dropped)
{
    model_assert(edo_broadcast_with(&tx, &rx, 2, copy_of, drop) == 0);
    other = edo_broadcast_subscribe(tx);
    int message = 1;
    model_assert(edo_broadcast_send(tx, &message) == 2);
    model_thread(listens, NULL);
    edo_broadcast_receiver_drop(rx);
    executors_end();
    edo_broadcast_sender_drop(tx);
    model_assert(edo_load(&clones, relaxed) == edo_load(&drops, relaxed));
}

/* Who waits gives up. */
static void gives_up(void *arg)
{
    (void)arg;
    int message;
    struct edo_broadcast_recv *future = ON_HEAP(edo_broadcast_recv(other, &message));
    executors[2] = executor_new();
    if (executor_poll(executors[2], &future->future_) == EDO_PENDING) {
        executor_cancel(executors[2], &future->future_);
        model_assert(receive(2, other) == 1);
    }
    edo_broadcast_receiver_drop(other);
}

MODEL(broadcast_cancelled)
{
    model_assert(edo_broadcast(&tx, &other, 1) == 0);
    model_thread(gives_up, NULL);
    sends((void *)1);
    executors_end();
}

static void watches(void *patience)
{
    struct edo_broadcast_closed *future = ON_HEAP(edo_broadcast_closed(tx));
    executors[1] = executor_new();
    if (patience != NULL)
        executor_run(executors[1], &future->future_);
    else if (executor_poll(executors[1], &future->future_) == EDO_PENDING)
        executor_cancel(executors[1], &future->future_);
    edo_broadcast_sender_drop(tx);
}

MODEL(broadcast_closed)
{
    model_assert(edo_broadcast(&tx, &rx, 1) == 0);
    model_thread(watches, model_choose(2) ? &tx : NULL);
    edo_broadcast_receiver_drop(rx);
    executors_end();
}

/* In a task that goes with its runtime. */
static int received;

static void spawn_receiver(struct edo_waker *waker, void *arg)
{
    (void)waker;
    (void)arg;
    edo_task_detach(SPAWN(edo_broadcast_recv(rx, &received)));
}

MODEL(broadcast_at_shutdown)
{
    static _Atomic(int) nothing;
    model_assert(edo_broadcast(&tx, &rx, 1) == 0);
    struct edo_runtime *runtime = runtime_new();
    model_thread(sends, (void *)1);
    struct until future = EDO_NEW(until, .done = &nothing, .turns = 1, .begin = spawn_receiver);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
    edo_broadcast_receiver_drop(rx);
    executors_end();
}
