/* SPDX-License-Identifier: MIT */
/* watch: the last value is seen, whole, by all who wait; no snapshot is lost or written while borrowed. */
#include "channels/watch.h"
#include "executor.h"
#include "internal/park.h"

static EDO_WATCH_SENDER(int) tx;
static EDO_WATCH_RECEIVER(int) rx;
static int before;

static void begin(void)
{
    int zero = 0;
    model_assert(edo_watch(&tx, &rx, &zero) == 0);
}

static void sends(void *n)
{
    before = 1;
    for (int i = 1; i <= (int)(intptr_t)n; i++)
        model_assert(edo_watch_send(tx, &i) == 0);
    edo_watch_sender_drop(tx);
}

static int changed(int thread)
{
    struct edo_watch_changed *future = ON_HEAP(edo_watch_changed(rx));
    executor_run(executor_of_thread(thread), &future->future_);
    return future->output;
}

/* The last value is not missed, and never goes back. */
MODEL(watch_changed)
{
    begin();
    model_thread(sends, (void *)2);
    int last = 0;
    while (changed(0) == 0) {
        model_assert(before == 1);
        const int *value = edo_watch_borrow_and_update(rx);
        model_assert(*value >= last);
        last = *value;
        edo_watch_release(rx, value);
    }
    model_assert(last == 2);
    executors_end();
    edo_watch_receiver_drop(rx);
}

MODEL(watch_has_changed)
{
    begin();
    model_thread(sends, (void *)1);
    if (edo_watch_has_changed(rx) == 1)
        model_assert(before == 1);
    edo_watch_mark_unchanged(rx);
    model_join_all();
    /* What was marked was the first value, or the last. */
    model_assert(edo_watch_has_changed(rx) != 0);
    executors_end();
    edo_watch_receiver_drop(rx);
}

/* Borrowed by one while another is about to write it over. */
static void borrows(void *arg)
{
    (void)arg;
    const int *value = edo_watch_borrow(rx);
    int first = *value;
    model_assert(*value == first);
    edo_watch_release(rx, value);
}

MODEL(watch_borrow)
{
    begin();
    model_thread(borrows, NULL);
    for (int i = 1; i <= 2; i++)
        model_assert(edo_watch_send(tx, &i) == 0);
    executors_end();
    edo_watch_sender_drop(tx);
    edo_watch_receiver_drop(rx);
}

/* Who waits gives up. */
static void gives_up(void *arg)
{
    (void)arg;
    struct edo_watch_changed *future = ON_HEAP(edo_watch_changed(rx));
    if (executor_poll(executor_of_thread(1), &future->future_) == EDO_PENDING)
        executor_cancel(executors[1], &future->future_);
    edo_watch_mark_changed(rx);
    model_assert(changed(1) == 0);
}

MODEL(watch_cancelled)
{
    begin();
    model_thread(gives_up, NULL);
    sends((void *)1);
    executors_end();
    edo_watch_receiver_drop(rx);
}

static bool is_two(const int *value, void *arg)
{
    (void)arg;
    return *value == 2;
}

MODEL(watch_wait_for)
{
    begin();
    model_thread(sends, (void *)2);
    int *value = model_new(sizeof *value);
    struct edo_watch_wait_for *future = ON_HEAP(edo_watch_wait_for(rx, is_two, NULL, value));
    executor_run(executor_of_thread(0), &future->future_);
    model_assert(future->output == 0 && *value == 2);
    executors_end();
    edo_watch_receiver_drop(rx);
}

/* Two change it: neither change is lost. */
static void adds_one(int *value, void *arg)
{
    (void)arg;
    ++*value;
}

static void modifies(void *arg)
{
    (void)arg;
    model_assert(edo_watch_send_modify(tx, adds_one, NULL) == 0);
}

MODEL(watch_modify, .bound = 3)
{
    begin();
    model_thread(modifies, NULL);
    model_thread(borrows, NULL);
    modifies(NULL);
    executors_end();
    int value = 0;
    edo_watch_get(rx, &value);
    model_assert(value == 2);
    edo_watch_sender_drop(tx);
    edo_watch_receiver_drop(rx);
}

/* The old value given back while it is borrowed. */
MODEL(watch_replace)
{
    begin();
    model_thread(borrows, NULL);
    int value = 3, old = -1;
    model_assert(edo_watch_send_replace(tx, &value, &old) == 0);
    model_assert(old == 0);
    executors_end();
    edo_watch_sender_drop(tx);
    edo_watch_receiver_drop(rx);
}

/* One that owns memory, which whoever gets it back may write. */
static EDO_WATCH_SENDER(int *) owned_tx;
static EDO_WATCH_RECEIVER(int *) owned_rx;
static int first, second;

static void owned_clone(int *const *value, int **copied)
{
    second = **value;
    *copied = &second;
}

static void owned_drop(int **value)
{
    (void)value;
}

static void borrows_owned(void *arg)
{
    (void)arg;
    int *const *value = edo_watch_borrow(owned_rx);
    model_assert(**value == 0);
    edo_watch_release(owned_rx, value);
}

MODEL(watch_replace_owned)
{
    static int third;
    int *value = &first, *old;
    model_assert(edo_watch_with(&owned_tx, &owned_rx, &value, owned_clone, owned_drop) == 0);
    model_thread(borrows_owned, NULL);
    value = &third;
    model_assert(edo_watch_send_replace(owned_tx, &value, &old) == 0);
    *old = 9;
    executors_end();
    edo_watch_sender_drop(owned_tx);
    edo_watch_receiver_drop(owned_rx);
}

static void watches(void *patience)
{
    struct edo_watch_closed *future = ON_HEAP(edo_watch_closed(tx));
    if (patience != NULL)
        executor_run(executor_of_thread(2), &future->future_);
    else if (executor_poll(executor_of_thread(2), &future->future_) == EDO_PENDING)
        executor_cancel(executors[2], &future->future_);
    edo_watch_sender_drop(tx);
}

MODEL(watch_closed)
{
    begin();
    model_thread(watches, model_choose(2) ? &tx : NULL);
    edo_watch_receiver_drop(rx);
    executors_end();
}

/* In a task that goes with its runtime. */
static void spawn_receiver(struct edo_waker *waker, void *arg)
{
    (void)waker;
    (void)arg;
    edo_task_detach(SPAWN(edo_watch_changed(rx)));
}

MODEL(watch_at_shutdown)
{
    static _Atomic(int) nothing;
    begin();
    struct edo_runtime *runtime = runtime_new();
    model_thread(sends, (void *)1);
    struct until future = EDO_NEW(until, .done = &nothing, .turns = 1, .begin = spawn_receiver);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
    executors_end();
    edo_watch_receiver_drop(rx);
}
