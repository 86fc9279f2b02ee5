/* SPDX-License-Identifier: MIT */
/* Notify: no notification is lost between one that comes, one that waits, and one that gives up. */
#include "executor.h"
#include "internal/park.h"
#include "sync/notify.h"

static struct edo_notify notify;
static int data;

static void notifies(void *arg)
{
    (void)arg;
    data = 1;
    edo_notify_one(&notify);
}

/* The last to drop a clone may be the notifying thread. */
static void end(void)
{
    executors_end();
    edo_notify_destroy(&notify);
}

static void waits(void *arg)
{
    struct executor *executor = executor_of_thread(arg != NULL);
    struct edo_notified notified = edo_notified(&notify);
    executor_run(executor, &notified.future_);
    model_assert(data == 1);
}

/* What was written before is seen, met or kept. */
MODEL(notify_one)
{
    edo_notify_init(&notify);
    model_thread(notifies, NULL);
    waits(NULL);
    end();
}

/* In a task, whose waker is not cloned. */
MODEL(notify_one_in_task)
{
    edo_notify_init(&notify);
    struct edo_runtime *runtime = runtime_new();
    model_thread(notifies, NULL);
    struct edo_notified notified = edo_notified(&notify);
    model_assert(edo_block_on(runtime, &notified) == 0);
    model_assert(data == 1);
    edo_runtime_drop(runtime);
    end();
}

/* One gives up while it is chosen: the other has it, or the permit has. */
static void gives_up(void *arg)
{
    (void)arg;
    struct executor *executor = executor_of_thread(2);
    struct edo_notified notified = edo_notified(&notify);
    if (executor_poll(executor, &notified.future_) == EDO_PENDING)
        executor_cancel(executor, &notified.future_);
    else
        edo_notify_one(&notify);
}

MODEL(notify_one_cancelled)
{
    edo_notify_init(&notify);
    model_thread(gives_up, NULL);
    model_thread(waits, NULL);
    notifies(NULL);
    end();
}

/* Two wait, two notify: both are woken. */
static void notifies_only(void *how)
{
    if (how != NULL)
        edo_notify_last(&notify);
    else
        edo_notify_one(&notify);
}

MODEL(notify_two)
{
    edo_notify_init(&notify);
    struct executor *first = executor_of_thread(0), *second = executor_of_thread(1);
    struct edo_notified one = edo_notified(&notify), other = edo_notified(&notify);
    model_assert(executor_poll(first, &one.future_) == EDO_PENDING);
    model_assert(executor_poll(second, &other.future_) == EDO_PENDING);
    model_thread(notifies_only, NULL);
    model_thread(notifies_only, &data);
    executor_run(second, &other.future_);
    executor_run(first, &one.future_);
    end();
}

/* A waiting task is dropped with its runtime while it is notified. */
static void spawn_waiter(struct edo_waker *waker, void *arg)
{
    (void)waker;
    (void)arg;
    edo_task_detach(SPAWN(edo_notified(&notify)));
}

MODEL(notify_at_shutdown)
{
    static _Atomic(int) nothing;
    edo_notify_init(&notify);
    struct edo_runtime *runtime = runtime_new();
    model_thread(notifies_only, NULL);
    struct until future = EDO_NEW(until, .done = &nothing, .turns = 1, .begin = spawn_waiter);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
    end();
}

/* Made before the call, it is woken by it, whatever came first: its poll or the call. */
static void notifies_waiters(void *arg)
{
    (void)arg;
    data = 1;
    edo_notify_waiters(&notify);
}

MODEL(notify_waiters)
{
    edo_notify_init(&notify);
    struct executor *executor = executor_of_thread(3);
    struct edo_notified notified = edo_notified(&notify);
    model_thread(notifies_waiters, NULL);
    executor_run(executor, &notified.future_);
    model_assert(data == 1);
    end();
}

/* Given up meanwhile; a permit is not made of it. */
MODEL(notify_waiters_cancelled)
{
    edo_notify_init(&notify);
    model_thread(notifies_waiters, NULL);
    struct executor *executor = executor_of_thread(3);
    struct edo_notified notified = edo_notified(&notify), next;
    if (executor_poll(executor, &notified.future_) == EDO_PENDING)
        executor_cancel(executor, &notified.future_);
    model_join_all();
    next = edo_notified(&notify);
    model_assert(executor_poll(executor, &next.future_) == EDO_PENDING);
    executor_cancel(executor, &next.future_);
    end();
}

/* Who was notified frees it. */
static struct edo_notify *short_lived;

static void notifies_for_good(void *arg)
{
    (void)arg;
    data = 1;
    if (model_choose(2))
        edo_notify_waiters(short_lived);
    else
        edo_notify_one(short_lived);
}

/* It has waited already; or not yet. */
static void frees_when_notified(bool waits)
{
    short_lived = edo_malloc(sizeof *short_lived);
    edo_notify_init(short_lived);
    struct executor *executor = executor_of_thread(3);
    struct edo_notified *notified = ON_HEAP(edo_notified(short_lived));
    if (waits)
        model_assert(executor_poll(executor, &notified->future_) == EDO_PENDING);
    model_thread(notifies_for_good, NULL);
    executor_run(executor, &notified->future_);
    model_assert(data == 1);
    edo_notify_destroy(short_lived);
    edo_free(short_lived);
    edo_notify_init(&notify);
    end();
}

MODEL(notify_freed_by_the_notified)
{
    frees_when_notified(false);
}

/* Who is polled without being woken finds it before the call is through. */
MODEL(notify_freed_by_the_notified_without_a_wake, .tries = true)
{
    frees_when_notified(true);
}

/* Two were; the last of them frees it. */
static struct edo_notified *made[2];
static _Atomic(int) left;

static void is_notified(void *thread)
{
    int i = (int)(intptr_t)thread;
    executor_run(executor_of_thread(i), &made[i]->future_);
    if (edo_fetch_sub(&left, 1, acq_rel) == 1) {
        edo_notify_destroy(short_lived);
        edo_free(short_lived);
    }
}

MODEL(notify_freed_by_the_last_notified)
{
    short_lived = edo_malloc(sizeof *short_lived);
    edo_notify_init(short_lived);
    edo_init(&left, 2);
    for (int i = 0; i < 2; i++)
        made[i] = ON_HEAP(edo_notified(short_lived));
    model_thread(is_notified, (void *)0);
    model_thread(is_notified, (void *)1);
    edo_notify_waiters(short_lived);
    edo_notify_init(&notify);
    end();
}

/* A thread without an executor. */
MODEL(notify_parked)
{
    edo_notify_init(&notify);
    model_thread(notifies, NULL);
    struct edo_notified notified = edo_notified(&notify);
    model_assert(edo_park_on(&notified.future_) == 0);
    model_assert(data == 1);
    end();
}
