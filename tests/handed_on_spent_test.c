/* SPDX-License-Identifier: MIT */
/* Futures that are polled by one task, and then by another whose budget is spent: nothing of the first is kept, which may
 * end from then on. Rule 6 of poll.h, for all that keep a waker and take from the budget. */
#include "poll_harness.h"

#include "edo.h"
#undef RUN
#include "io_helpers.h"

/* The two tasks. */
struct two {
    struct counter first, second;
    int gave_way; /* the second was woken by its own poll */
    struct edo_context cx;
};

static struct two two_tasks(void)
{
    return (struct two){.first = {.waker.ops = &counter_stable},
                        .second = {.waker.ops = &counter_stable}};
}

static enum edo_poll poll_as(struct two *two, struct counter *task, struct edo_future *future,
                             uint32_t budget)
{
    edo_context_init(&two->cx, &task->waker);
    two->cx.budget = budget;
    return edo_future_poll(future, &two->cx);
}

static void hand_on(struct two *two, struct edo_future *future, const char *what)
{
    cr_assert_eq(poll_as(two, &two->first, future, EDO_BUDGET), EDO_PENDING, "%s", what);
    cr_assert_eq(poll_as(two, &two->second, future, 0), EDO_PENDING, "%s", what);
    two->gave_way = two->second.wakes;
    two->second.wakes = 0;
}

static void end_it(struct two *two, struct edo_future *future, const char *what)
{
    cr_assert_eq(two->first.wakes, 0, "%s wakes the first task", what);
    cr_assert_geq(two->gave_way + two->second.wakes, 1, "%s wakes nobody", what);
    if (poll_as(two, &two->second, future, EDO_BUDGET) == EDO_PENDING)
        edo_future_drop(future, &two->cx);
}

/* A future, and what makes it ready; then what it has got is given back. */
#define HANDED_ON(make, ready, back)              \
    do {                                          \
        struct two two_ = two_tasks();            \
        __typeof__((void)0, make) future_ = make; \
        hand_on(&two_, &future_.future_, #make);  \
        ready;                                    \
        end_it(&two_, &future_.future_, #make);   \
        back;                                     \
    } while (0)

Test(handed_on, to_a_task_whose_budget_is_spent_sync)
{
    struct bench bench;
    bench_begin(&bench);

    struct edo_notify notify;
    edo_notify_init(&notify);
    HANDED_ON(edo_notified(&notify), edo_notify_one(&notify), );
    HANDED_ON(edo_notified(&notify), edo_notify_waiters(&notify), );
    edo_notify_destroy(&notify);

    struct edo_semaphore semaphore;
    struct edo_permit permit = {NULL, 0};
    edo_semaphore_init(&semaphore, 0);
    HANDED_ON(edo_semaphore_acquire(&semaphore, &permit), edo_semaphore_add(&semaphore, 1), );
    edo_permit_forget(&permit);
    edo_semaphore_destroy(&semaphore);

    struct edo_mutex mutex;
    struct edo_mutex_guard held = {NULL}, guard = {NULL};
    edo_mutex_init(&mutex);
    edo_mutex_try_lock(&mutex, &held);
    HANDED_ON(edo_mutex_lock(&mutex, &guard), edo_mutex_unlock(&held), edo_mutex_unlock(&guard));
    edo_mutex_destroy(&mutex);

    struct edo_rwlock lock;
    struct edo_rwlock_read_guard reads = {NULL};
    struct edo_rwlock_write_guard writes = {NULL};
    edo_rwlock_init(&lock);
    edo_rwlock_try_write(&lock, &writes);
    HANDED_ON(edo_rwlock_read(&lock, &reads), edo_rwlock_write_unlock(&writes), );
    HANDED_ON(edo_rwlock_write(&lock, &writes), edo_rwlock_read_unlock(&reads),
              edo_rwlock_write_unlock(&writes));
    edo_rwlock_destroy(&lock);

    struct edo_barrier barrier;
    edo_barrier_init(&barrier, 2);
    struct edo_barrier_wait other = edo_barrier_wait(&barrier);
    HANDED_ON(edo_barrier_wait(&barrier), cr_assert_eq(POLL(other), EDO_READY), );
    edo_barrier_destroy(&barrier);

    SET_ONCE(int) once;
    edo_set_once_init(&once);
    HANDED_ON(edo_set_once_wait(&once), edo_set_once_set(&once, &(int){1}), );
    edo_set_once_destroy(&once);

    ONCE_CELL(int) cell = EDO_ONCE_CELL_INIT(cell);
    struct leaf_log log = {0};
    struct leaf makes = LEAF(&log, 1, 0), late = LEAF(&log, 1, 0);
    struct edo_once_cell_get_or_init turn = edo_once_cell_get_or_init(&cell, &makes);
    cr_assert_eq(POLL(turn), EDO_PENDING);
    HANDED_ON(edo_once_cell_get_or_init(&cell, &late), cr_assert_eq(POLL(turn), EDO_READY), );

    bench_end(&bench);
}

static bool is_two(const int *value, void *arg)
{
    (void)arg;
    return *value == 2;
}

Test(handed_on, to_a_task_whose_budget_is_spent_channels)
{
    struct bench bench;
    bench_begin(&bench);
    int message = 2, received[4];

    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    MPSC_PERMIT(int) place = {0};
    cr_assert_eq(edo_mpsc(&tx, &rx, 1), 0);
    HANDED_ON(edo_mpsc_recv(rx, received), edo_mpsc_try_send(tx, &message), );
    HANDED_ON(edo_mpsc_recv_many(rx, received, 4), edo_mpsc_try_send(tx, &message), );
    edo_mpsc_try_send(tx, &message);
    HANDED_ON(edo_mpsc_send(tx, &message), edo_mpsc_try_recv(rx, received), );
    HANDED_ON(edo_mpsc_reserve(tx, &place), edo_mpsc_try_recv(rx, received), );
    edo_mpsc_permit_release(&place);
    edo_mpsc_sender_drop(tx);
    edo_mpsc_receiver_drop(rx);

    ONESHOT_SENDER(int) one;
    ONESHOT_RECEIVER(int) other;
    cr_assert_eq(edo_oneshot(&one, &other), 0);
    HANDED_ON(edo_oneshot_recv(other, received), edo_oneshot_send(one, &message), );
    edo_oneshot_receiver_drop(other);
    cr_assert_eq(edo_oneshot(&one, &other), 0);
    HANDED_ON(edo_oneshot_closed(one), edo_oneshot_receiver_drop(other), );
    edo_oneshot_sender_drop(one);

    BROADCAST_SENDER(int) all;
    BROADCAST_RECEIVER(int) each;
    cr_assert_eq(edo_broadcast(&all, &each, 4), 0);
    HANDED_ON(edo_broadcast_recv(each, received), edo_broadcast_send(all, &message), );
    edo_broadcast_sender_drop(all);
    edo_broadcast_receiver_drop(each);

    WATCH_SENDER(int) sets;
    WATCH_RECEIVER(int) sees;
    cr_assert_eq(edo_watch(&sets, &sees, &(int){0}), 0);
    HANDED_ON(edo_watch_changed(sees), edo_watch_send(sets, &(int){1}), );
    HANDED_ON(edo_watch_wait_for(sees, is_two, NULL, received), edo_watch_send(sets, &message), );
    edo_watch_sender_drop(sets);
    edo_watch_receiver_drop(sees);

    ASYNC_SENDER(int) from;
    ASYNC_RECEIVER(int) to;
    cr_assert_eq(edo_async_channel(&from, &to, 1), 0);
    HANDED_ON(edo_async_recv(to, received), edo_async_try_send(from, &message), );
    edo_async_try_send(from, &message);
    HANDED_ON(edo_async_send(from, &message), edo_async_try_recv(to, received), );
    edo_async_sender_drop(from);
    edo_async_receiver_drop(to);

    bench_end(&bench);
}

/* What waits for a runtime: handed on in a task of it, which then waits until it must have been ready. */
struct hands_on {
    FUTURE(void);
    struct two two[8];
    struct edo_addr addr;
    struct edo_tcp *stream;
    struct edo_tcp_listener *listener;
    int peer, i;
    char buffer[8];
    struct edo_sleep sleep, wait;
    struct edo_read read;
    struct edo_read_exact exact;
    struct edo_ready ready;
    struct edo_peek peek;
    struct edo_tcp_accept accept;
    struct edo_tcp_connect connect;
    struct edo_resolve resolve;
};

ASYNC(hands_on)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < 8; self->i++)
        self->two[self->i] = two_tasks();
    self->stream = half_raw_pair(&self->peer);
    self->addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &self->addr), 0);
    self->sleep = edo_sleep(1);
    self->read = edo_read(self->stream, self->buffer, 1);
    self->exact = edo_read_exact(self->stream, self->buffer, 1);
    self->ready = edo_ready(self->stream, EDO_READABLE);
    self->peek = edo_peek(self->stream, self->buffer, 1);
    self->accept = edo_tcp_accept(self->listener);
    self->connect = edo_tcp_connect(&self->addr);
    self->resolve = edo_resolve("localhost", 1);
    hand_on(&self->two[0], &self->sleep.future_, "edo_sleep");
    hand_on(&self->two[1], &self->read.future_, "edo_read");
    hand_on(&self->two[2], &self->exact.future_, "edo_read_exact");
    hand_on(&self->two[3], &self->ready.future_, "edo_ready");
    hand_on(&self->two[4], &self->peek.future_, "edo_peek");
    hand_on(&self->two[5], &self->accept.future_, "edo_tcp_accept");
    hand_on(&self->two[6], &self->connect.future_, "edo_tcp_connect");
    hand_on(&self->two[7], &self->resolve.future_, "edo_resolve");
    cr_assert_eq(send(self->peer, "abc", 3, 0), 3);
    /* Each has woken somebody. */
    for (self->i = 0; self->i < 8; self->i++)
        while (self->two[self->i].first.wakes + self->two[self->i].second.wakes == 0)
            AWAIT(self->wait, edo_sleep(1));
    end_it(&self->two[0], &self->sleep.future_, "edo_sleep");
    end_it(&self->two[1], &self->read.future_, "edo_read");
    end_it(&self->two[2], &self->exact.future_, "edo_read_exact");
    end_it(&self->two[3], &self->ready.future_, "edo_ready");
    end_it(&self->two[4], &self->peek.future_, "edo_peek");
    end_it(&self->two[5], &self->accept.future_, "edo_tcp_accept");
    end_it(&self->two[6], &self->connect.future_, "edo_tcp_connect");
    end_it(&self->two[7], &self->resolve.future_, "edo_resolve");
    edo_tcp_close(self->accept.stream);
    edo_tcp_close(self->connect.stream);
    edo_tcp_close(self->stream);
    edo_tcp_listener_close(self->listener);
    close(self->peer);
    ASYNC_END;
}

Test(handed_on, to_a_task_whose_budget_is_spent_runtime, .timeout = 60)
{
    for (int workers = 0; workers < 2; workers++) {
        struct baseline start = baseline();
        struct edo_runtime *runtime;
        cr_assert_eq(edo_runtime_new(&runtime,
                                     .flavor = workers ? EDO_MULTI_THREAD : EDO_CURRENT_THREAD,
                                     .worker_threads = (uint32_t)workers),
                     0);
        JOIN_HANDLE(void) handle = SPAWN_ON(edo_runtime_handle(runtime), NEW(hands_on));
        struct edo_join join = edo_join(handle, NULL);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        edo_runtime_drop(runtime);
        check_baseline(&start);
    }
}
