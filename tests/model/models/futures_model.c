/* SPDX-License-Identifier: MIT */
/* A set of futures: members are woken, by threads that have clones of their wakers, while the set is polled,
 * polled by another, and dropped. Each member that is ready is found, and no waker is touched when it has
 * gone. */
#include "channels/oneshot.h"
#include "executor.h"
#include "streams/futures_unordered.h"
#include "sync/notify.h"

/* Members that end when their bits are set in `done`, by threads that have clones of their wakers. */
static EDO_FUTURES_UNORDERED(struct until) set;
static _Atomic(int) done;
static int n;

static void sets_a_bit(void *arg)
{
    struct edo_waker *waker = arg;
    edo_store(&done, 1, relaxed);
    edo_wake(waker);
    edo_waker_drop(waker);
}

static void sets_another(void *arg)
{
    struct edo_waker *waker = arg;
    edo_fetch_or(&done, 2, relaxed);
    edo_wake(waker);
    edo_waker_drop(waker);
}

static void sets_one(void *arg)
{
    struct edo_waker *waker = arg;
    edo_fetch_or(&done, 1, relaxed);
    edo_wake(waker);
    edo_waker_drop(waker);
}

static void begin_one(struct edo_waker *waker, void *arg)
{
    (void)arg;
    model_thread(sets_a_bit, edo_waker_clone(waker));
}

static void begin_two(struct edo_waker *waker, void *arg)
{
    (void)arg;
    model_thread(sets_one, edo_waker_clone(waker));
    model_thread(sets_another, edo_waker_clone(waker));
}

static void push_until(int bits, void (*begin)(struct edo_waker *, void *))
{
    model_assert(edo_futures_unordered_push(
                     &set, EDO_NEW(until, .done = &done, .bits = bits, .begin = begin)) == 0);
}

static enum edo_poll poll_next(struct executor *executor)
{
    struct edo_next next = edo_next(edo_futures_unordered(&set), &n);
    enum edo_poll poll = executor_poll(executor, &next.future_);
    if (poll == EDO_PENDING)
        executor_cancel(executor, &next.future_);
    else
        model_assert(next.output == EDO_STREAM_ITEM);
    return poll;
}

static void drop_set(struct executor *executor)
{
    struct edo_context cx;
    edo_context_init(&cx, &executor->waker);
    edo_stream_drop_(&set.set.stream_, &cx);
}

static void check_clones(struct executor *executor)
{
    model_join_all();
    model_assert(edo_load(&executor->clones, relaxed) == 0);
}

MODEL(futures_member_woken)
{
    struct executor *executor = executor_new();
    push_until(1, begin_one);
    while (poll_next(executor) == EDO_PENDING)
        executor_sleep(executor);
    drop_set(executor);
    check_clones(executor);
}

MODEL(futures_member_woken_by_two, .bound = 3)
{
    struct executor *executor = executor_new();
    push_until(3, begin_two);
    while (poll_next(executor) == EDO_PENDING)
        executor_sleep(executor);
    drop_set(executor);
    check_clones(executor);
}

/* Two members, each woken by a thread of its own. */
static void begin_other(struct edo_waker *waker, void *arg)
{
    (void)arg;
    model_thread(sets_another, edo_waker_clone(waker));
}

static void begin_first(struct edo_waker *waker, void *arg)
{
    (void)arg;
    model_thread(sets_one, edo_waker_clone(waker));
}

MODEL(futures_two_members_woken, .bound = 2)
{
    struct executor *executor = executor_new();
    push_until(1, begin_first);
    push_until(2, begin_other);
    for (int ended = 0; ended < 2;) {
        if (poll_next(executor) == EDO_READY)
            ended++;
        else
            executor_sleep(executor);
    }
    drop_set(executor);
    check_clones(executor);
}

/* Of an ordered set one that has ended waits for its turn, and is woken all the same, twice. */
static EDO_FUTURES_ORDERED(struct until) row;

static void only_wakes(void *arg)
{
    struct edo_waker *waker = arg;
    edo_wake(waker);
    edo_waker_drop(waker);
}

static void begin_two_late(struct edo_waker *waker, void *arg)
{
    (void)arg;
    model_thread(only_wakes, edo_waker_clone(waker));
    model_thread(only_wakes, edo_waker_clone(waker));
}

static void poll_row(struct executor *executor)
{
    struct edo_next next = edo_next(edo_futures_ordered(&row), &n);
    model_assert(executor_poll(executor, &next.future_) == EDO_PENDING);
    executor_cancel(executor, &next.future_);
}

MODEL(futures_ended_and_woken)
{
    struct executor *executor = executor_new();
    edo_store(&done, 2, relaxed);
    model_assert(edo_futures_ordered_push(&row, EDO_NEW(until, .done = &done, .bits = 1)) == 0);
    model_assert(edo_futures_ordered_push(
                     &row, EDO_NEW(until, .done = &done, .bits = 2, .begin = begin_two_late)) == 0);
    for (int i = 0; i < 3; i++)
        poll_row(executor);
    struct edo_context cx;
    edo_context_init(&cx, &executor->waker);
    edo_stream_drop_(&row.set.stream_, &cx);
    check_clones(executor);
}

MODEL(futures_dropped_while_woken)
{
    struct executor *executor = executor_new();
    push_until(1, begin_one);
    poll_next(executor);
    drop_set(executor);
    check_clones(executor);
}

/* Polled once more for no reason, and then by another: that one is woken. */
MODEL(futures_polled_by_another)
{
    struct executor *first = executor_new();
    push_until(1, begin_one);
    bool ready = poll_next(first) == EDO_READY;
    ready = ready || poll_next(first) == EDO_READY;
    /* Made when the member's waker is out: who wakes it must see it made. */
    struct executor *second = executor_new();
    while (!ready && poll_next(second) == EDO_PENDING)
        executor_sleep(second);
    drop_set(second);
    check_clones(first);
    check_clones(second);
}

/* The first ends when its clones have gone, and a third is made where it was: who wakes the member may
 * have seen the first there, and takes out the third, which it must see made. */
static void drops_for_good(struct edo_waker *waker)
{
    model_assert(edo_fetch_sub(&executor_of(waker)->clones, 1, acq_rel) > 0);
}

static const struct edo_waker_ops mortal_ops = {executor_wake, executor_clone, drops_for_good, NULL,
                                                NULL};

MODEL(futures_polled_by_another_in_its_place, .bound = 3)
{
    struct executor *first = executor_new(), *second = executor_new();
    first->waker.ops = &mortal_ops;
    push_until(1, begin_one);
    bool ready = poll_next(first) == EDO_READY || poll_next(second) == EDO_READY;
    struct executor *third = second;
    if (edo_load(&first->clones, acquire) == 0) {
        third = first;
        third->waker.ops = &executor_ops;
    }
    while (!ready && poll_next(third) == EDO_PENDING)
        executor_sleep(third);
    drop_set(third);
    check_clones(first);
    check_clones(second);
}

/* Members of the library's own: two answers, sent without a lock. */
static EDO_FUTURES_ORDERED(struct edo_oneshot_recv) answers;
static EDO_ONESHOT_SENDER(int) tx[2];
static EDO_ONESHOT_RECEIVER(int) rx[2];
static int got[2];

static void sends(void *arg)
{
    int i = arg == &tx[1];
    int answer = i + 1;
    edo_oneshot_send(tx[i], &answer);
}

static void run_answers(bool ordered, int take)
{
    struct executor *executor = executor_new();
    for (int i = 0; i < 2; i++) {
        model_assert(edo_oneshot(&tx[i], &rx[i]) == 0);
        model_assert(edo_futures_ordered_push(&answers, edo_oneshot_recv(rx[i], &got[i])) == 0);
        model_thread(sends, &tx[i]);
    }
    struct edo_stream *stream = edo_futures_stream_(&answers.set, ordered);
    for (int i = 0; i < take; i++) {
        struct edo_next next = edo_next_future_(stream, &n);
        executor_run(executor, &next.future_);
        model_assert(next.output == EDO_STREAM_ITEM && n == 0);
        if (ordered)
            model_assert(got[i] == i + 1);
    }
    if (take == 0) {
        struct edo_next next = edo_next_future_(stream, &n);
        executor_poll(executor, &next.future_);
    }
    struct edo_context cx;
    edo_context_init(&cx, &executor->waker);
    edo_stream_drop_(stream, &cx);
    check_clones(executor);
    if (take == 2)
        model_assert(got[0] == 1 && got[1] == 2);
    for (int i = 0; i < 2; i++)
        edo_oneshot_receiver_drop(rx[i]);
}

MODEL(futures_of_answers, .bound = 2)
{
    run_answers(false, 2);
}

MODEL(futures_of_answers_in_order, .bound = 2)
{
    run_answers(true, 2);
}

MODEL(futures_of_answers_dropped, .bound = 2)
{
    run_answers(false, 0);
}

/* A member in a list that a lock guards. */
static EDO_FUTURES_UNORDERED(struct edo_notified) notified;
static struct edo_notify notify;

static void notifies(void *arg)
{
    (void)arg;
    edo_notify_one(&notify);
}

static void run_notified(bool drop)
{
    struct executor *executor = executor_new();
    edo_notify_init(&notify);
    model_assert(edo_futures_unordered_push(&notified, edo_notified(&notify)) == 0);
    struct edo_stream *stream = edo_futures_stream_(&notified.set, false);
    model_thread(notifies, NULL);
    struct edo_void nothing;
    struct edo_next next = edo_next_future_(stream, &nothing);
    if (drop)
        executor_poll(executor, &next.future_);
    else
        executor_run(executor, &next.future_);
    struct edo_context cx;
    edo_context_init(&cx, &executor->waker);
    edo_stream_drop_(stream, &cx);
    check_clones(executor);
    edo_notify_destroy(&notify);
}

MODEL(futures_of_notified)
{
    run_notified(false);
}

MODEL(futures_of_notified_dropped)
{
    run_notified(true);
}
