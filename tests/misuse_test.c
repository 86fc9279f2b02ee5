/* SPDX-License-Identifier: MIT */
/* Handles that are used after they were given up, and futures of which there may be one at a time: what stops the
 * program, in every build, and with which words. */
#include <sys/socket.h>

#include "channels/async_channel.h"
#include "channels/broadcast.h"
#include "channels/mpsc.h"
#include "channels/oneshot.h"
#include "channels/watch.h"
#include "combinators/ready.h"
#include "io/tcp.h"
#include "last_words.h"
#include "runtime/runtime.h"
#include "runtime/task.h"
#include "runtime/task_cache.h"
#include "sync/barrier.h"
#include "sync/mutex.h"
#include "sync/notify.h"
#include "sync/rwlock.h"
#include "sync/set_once.h"

/* Two that wait for one receiver. */

static void receive_twice_at_once(struct bench *bench)
{
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    int a, b;
    if (edo_mpsc(&tx, &rx, 1) < 0)
        return;
    struct edo_mpsc_recv first = edo_mpsc_recv(rx, &a), second = edo_mpsc_recv(rx, &b);
    edo_future_poll(&first.future_, &bench->cx);
    edo_future_poll(&second.future_, &bench->cx);
}

static void receive_many_while_one_waits(struct bench *bench)
{
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    int a, b[2];
    if (edo_mpsc(&tx, &rx, EDO_UNBOUNDED) < 0)
        return;
    struct edo_mpsc_recv first = edo_mpsc_recv(rx, &a);
    struct edo_mpsc_recv_many second = edo_mpsc_recv_many(rx, b, 2);
    edo_future_poll(&first.future_, &bench->cx);
    edo_future_poll(&second.future_, &bench->cx);
}

Test(misuse, two_that_wait_for_one_mpsc_receiver)
{
    SAYS(receive_twice_at_once, "two futures wait for one mpsc receiver at the same time");
    SAYS(receive_many_while_one_waits, "two futures wait for one mpsc receiver at the same time");
}

/* One after the other they may, and one that is dropped waits no more; also with another waker each time. */
Test(misuse, one_receive_after_another_is_none)
{
    struct bench bench, other;
    bench_begin(&bench);
    bench_begin(&other);
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    int message = 0;
    cr_assert_eq(edo_mpsc(&tx, &rx, 1), 0);
    struct edo_mpsc_recv recv = edo_mpsc_recv(rx, &message);
    cr_assert_eq(edo_future_poll(&recv.future_, &bench.cx), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&recv.future_, &other.cx), EDO_PENDING);
    edo_future_drop(&recv.future_, &bench.cx);
    recv = edo_mpsc_recv(rx, &message);
    cr_assert_eq(edo_future_poll(&recv.future_, &bench.cx), EDO_PENDING);
    cr_assert_eq(edo_mpsc_try_send(tx, &(int){7}), 0);
    cr_assert_eq(edo_future_poll(&recv.future_, &bench.cx), EDO_READY);
    cr_assert_eq(message, 7);
    recv = edo_mpsc_recv(rx, &message);
    cr_assert_eq(edo_future_poll(&recv.future_, &other.cx), EDO_PENDING);
    edo_future_drop(&recv.future_, &other.cx);
    edo_mpsc_sender_drop(tx);
    edo_mpsc_receiver_drop(rx);
    bench_end(&other);
    bench_end(&bench);
}

struct oneshot {
    ONESHOT_SENDER(int) tx;
    ONESHOT_RECEIVER(int) rx;
    int message;
};

static struct oneshot oneshot(void)
{
    struct oneshot oneshot = {.message = 1};
    if (edo_oneshot(&oneshot.tx, &oneshot.rx) < 0)
        _exit(0);
    return oneshot;
}

static void receive_an_answer_twice_at_once(struct bench *bench)
{
    struct oneshot c = oneshot();
    struct edo_oneshot_recv first = edo_oneshot_recv(c.rx, &c.message);
    struct edo_oneshot_recv second = edo_oneshot_recv(c.rx, &c.message);
    edo_future_poll(&first.future_, &bench->cx);
    edo_future_poll(&second.future_, &bench->cx);
}

static void wait_twice_for_the_close(struct bench *bench)
{
    struct oneshot c = oneshot();
    struct edo_oneshot_closed first = edo_oneshot_closed(c.tx), second = edo_oneshot_closed(c.tx);
    edo_future_poll(&first.future_, &bench->cx);
    edo_future_poll(&second.future_, &bench->cx);
}

Test(misuse, two_that_wait_for_one_side_of_a_oneshot)
{
    SAYS(receive_an_answer_twice_at_once, "two futures wait for one side of a oneshot");
    SAYS(wait_twice_for_the_close, "two futures wait for one side of a oneshot");
}

/* Handles that are given up twice. */

static void send_an_answer_twice(struct bench *bench)
{
    (void)bench;
    struct oneshot c = oneshot();
    edo_oneshot_send(c.tx, &c.message);
    edo_oneshot_send(c.tx, &c.message);
}

static void drop_a_sender_that_has_sent(struct bench *bench)
{
    struct oneshot c = oneshot();
    struct edo_oneshot_recv recv = edo_oneshot_recv(c.rx, &c.message);
    edo_future_poll(&recv.future_, &bench->cx);
    edo_oneshot_send(c.tx, &c.message);
    edo_oneshot_sender_drop(c.tx);
}

static void send_by_a_sender_that_was_dropped(struct bench *bench)
{
    (void)bench;
    struct oneshot c = oneshot();
    edo_oneshot_close(c.rx);
    edo_oneshot_sender_drop(c.tx);
    edo_oneshot_send(c.tx, &c.message);
}

static void send_while_closed_waits(struct bench *bench)
{
    struct oneshot c = oneshot();
    struct edo_oneshot_closed closed = edo_oneshot_closed(c.tx);
    edo_future_poll(&closed.future_, &bench->cx);
    edo_oneshot_send(c.tx, &c.message);
}

Test(misuse, a_oneshot_sender_that_is_spent)
{
    SAYS(send_an_answer_twice, "a oneshot sender is used that was given up");
    SAYS(drop_a_sender_that_has_sent, "a oneshot sender is used that was given up");
    SAYS(send_by_a_sender_that_was_dropped, "a oneshot sender is used that was given up");
    SAYS(send_while_closed_waits, "while an edo_oneshot_closed of it waits");
}

static void send_into_a_spent_permit(struct bench *bench)
{
    (void)bench;
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    MPSC_PERMIT(int) permit = {0};
    if (edo_mpsc(&tx, &rx, 2) < 0 || edo_mpsc_try_reserve(tx, &permit) < 0)
        return;
    edo_mpsc_permit_send(&permit, &(int){1});
    edo_mpsc_permit_send(&permit, &(int){2});
}

static void drop_an_mpsc_sender_twice(struct bench *bench)
{
    (void)bench;
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    if (edo_mpsc(&tx, &rx, 2) < 0)
        return;
    edo_mpsc_sender_drop(tx);
    edo_mpsc_sender_drop(tx);
}

static void drop_an_mpsc_receiver_twice(struct bench *bench)
{
    (void)bench;
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    if (edo_mpsc(&tx, &rx, 2) < 0)
        return;
    edo_mpsc_receiver_drop(rx);
    edo_mpsc_receiver_drop(rx);
}

static void drop_a_weak_mpsc_sender_twice(struct bench *bench)
{
    (void)bench;
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    if (edo_mpsc(&tx, &rx, 2) < 0)
        return;
    MPSC_WEAK_SENDER(int) weak = edo_mpsc_downgrade(tx);
    edo_mpsc_weak_sender_drop(weak);
    edo_mpsc_weak_sender_drop(weak);
}

static void drop_a_broadcast_sender_twice(struct bench *bench)
{
    (void)bench;
    BROADCAST_SENDER(int) tx;
    BROADCAST_RECEIVER(int) rx;
    if (edo_broadcast(&tx, &rx, 2) < 0)
        return;
    edo_broadcast_sender_drop(tx);
    edo_broadcast_sender_drop(tx);
}

static void drop_a_watch_sender_twice(struct bench *bench)
{
    (void)bench;
    WATCH_SENDER(int) tx;
    WATCH_RECEIVER(int) rx;
    if (edo_watch(&tx, &rx, &(int){1}) < 0)
        return;
    edo_watch_sender_drop(tx);
    edo_watch_sender_drop(tx);
}

static void drop_an_async_receiver_twice(struct bench *bench)
{
    (void)bench;
    ASYNC_SENDER(int) tx;
    ASYNC_RECEIVER(int) rx;
    if (edo_async_channel(&tx, &rx, 2) < 0)
        return;
    edo_async_receiver_drop(rx);
    edo_async_receiver_drop(rx);
}

Test(misuse, a_handle_of_a_channel_that_is_given_up_twice)
{
    SAYS(send_into_a_spent_permit, "a place of an mpsc permit is given up that was before");
    SAYS(drop_an_mpsc_sender_twice, "an mpsc sender is given up that was before");
    SAYS(drop_an_mpsc_receiver_twice, "an mpsc receiver is given up that was before");
    SAYS(drop_a_weak_mpsc_sender_twice, "a weak mpsc sender is given up that was before");
    SAYS(drop_a_broadcast_sender_twice, "a broadcast sender is given up that was before");
    SAYS(drop_a_watch_sender_twice, "a watch sender is given up that was before");
    SAYS(drop_an_async_receiver_twice, "a handle of an async_channel is given up that was before");
}

/* Tasks. They never end by themselves, but for the runtime's end; an abort handle keeps their memory. */

struct one {
    struct edo_runtime *runtime;
    JOIN_HANDLE(int) task;
    struct edo_abort_handle *abort;
};

static struct one one(void)
{
    struct one one;
    if (edo_runtime_new(&one.runtime) < 0)
        _exit(0);
    one.task = SPAWN_ON(edo_runtime_handle(one.runtime), edo_pending());
    one.abort = edo_abort_handle(one.task);
    return one;
}

static void join_a_detached_task(struct bench *bench)
{
    (void)bench;
    struct one one_ = one();
    edo_task_detach(one_.task);
    (void)edo_join(one_.task, NULL);
}

static void abort_a_joined_task(struct bench *bench)
{
    (void)bench;
    struct one one_ = one();
    edo_abort_handle_abort(one_.abort);
    struct edo_join join = edo_join(one_.task, NULL);
    edo_block_on(one_.runtime, &join);
    edo_task_abort(one_.task);
}

/* The words of EDO_DEBUG, with the place where it was used. */
Test(misuse, a_join_handle_that_is_spent)
{
    SAYS(join_a_detached_task, "a join handle is used that was joined or detached before");
    SAYS(join_a_detached_task, "misuse_test.c:");
    SAYS(abort_a_joined_task, "a join handle is used that was joined or detached before");
    SAYS(abort_a_joined_task, "misuse_test.c:");
}

static void join_twice(struct bench *bench)
{
    struct one one_ = one();
    struct edo_join first = edo_join(one_.task, NULL), second = edo_join(one_.task, NULL);
    edo_abort_handle_abort(one_.abort);
    edo_block_on(one_.runtime, &first);
    edo_future_poll(&second.future_, &bench->cx);
}

static void join_twice_at_once(struct bench *bench)
{
    struct one one_ = one();
    struct edo_join first = edo_join(one_.task, NULL), second = edo_join(one_.task, NULL);
    edo_future_poll(&first.future_, &bench->cx);
    edo_future_poll(&second.future_, &bench->cx);
}

static void drop_a_join_of_a_detached_task(struct bench *bench)
{
    struct one one_ = one();
    struct edo_join join = edo_join(one_.task, NULL);
    edo_task_detach(one_.task);
    edo_future_drop(&join.future_, &bench->cx);
}

struct spawner {
    FUTURE(int);
    JOIN_HANDLE(int) task;
};

ASYNC(spawner)
{
    ASYNC_BEGIN;
    self->task = SPAWN(edo_pending());
    RETURN(0);
    ASYNC_END;
}

/* One that the runtime's own thread has spawned: its memory is kept there. */
static void join_a_freed_task(struct bench *bench)
{
    struct edo_runtime *runtime;
    struct spawner spawner = NEW(spawner);
    if (edo_runtime_new(&runtime) < 0 || edo_block_on(runtime, &spawner) < 0)
        return;
    struct edo_join first = edo_join(spawner.task, NULL), second = edo_join(spawner.task, NULL);
    struct edo_abort_handle *abort = edo_abort_handle(spawner.task);
    edo_abort_handle_abort(abort);
    edo_abort_handle_drop(abort);
    edo_block_on(runtime, &first);
    edo_future_poll(&second.future_, &bench->cx);
}

/* Also without it. */
Test(misuse, a_task_that_is_joined_twice)
{
    SAYS(join_twice, "a task is joined or detached that was joined or detached before");
    SAYS(join_twice_at_once, "a task is joined by two at the same time");
    SAYS(drop_a_join_of_a_detached_task,
         "a task is joined or detached that was joined or detached before");
    /* Elsewhere its memory is the C library's at once, and AddressSanitizer tells of it. */
    if (EDO_CACHE_BYTES > 0)
        SAYS(join_a_freed_task, "a task is joined or detached that was joined or detached before");
}

/* What was never initialised: all zeros. */

static void zero_notify_waits(struct bench *bench)
{
    static struct edo_notify notify;
    struct edo_notified notified = edo_notified(&notify);
    edo_future_poll(&notified.future_, &bench->cx);
}

static void zero_notify_is_told(struct bench *bench)
{
    (void)bench;
    static struct edo_notify notify;
    edo_notify_one(&notify);
}

static void zero_notify_tells_all(struct bench *bench)
{
    (void)bench;
    static struct edo_notify notify;
    edo_notify_waiters(&notify);
}

static void zero_mutex_is_locked(struct bench *bench)
{
    static struct edo_mutex mutex;
    struct edo_mutex_guard guard = {NULL};
    struct edo_mutex_lock lock = edo_mutex_lock(&mutex, &guard);
    edo_future_poll(&lock.future_, &bench->cx);
}

static void zero_mutex_is_tried(struct bench *bench)
{
    (void)bench;
    static struct edo_mutex mutex;
    struct edo_mutex_guard guard = {NULL};
    edo_mutex_try_lock(&mutex, &guard);
}

static void zero_semaphore_is_acquired(struct bench *bench)
{
    static struct edo_semaphore semaphore;
    struct edo_permit permit = {0};
    struct edo_semaphore_acquire acquire = edo_semaphore_acquire(&semaphore, &permit);
    edo_future_poll(&acquire.future_, &bench->cx);
}

static void zero_rwlock_is_read(struct bench *bench)
{
    static struct edo_rwlock lock;
    struct edo_rwlock_read_guard guard = {NULL};
    struct edo_rwlock_read read = edo_rwlock_read(&lock, &guard);
    edo_future_poll(&read.future_, &bench->cx);
}

/* It would be locked by any number of writers. */
static void zero_rwlock_is_written(struct bench *bench)
{
    static struct edo_rwlock lock;
    struct edo_rwlock_write_guard guard = {NULL};
    struct edo_rwlock_write write = edo_rwlock_write(&lock, &guard);
    edo_future_poll(&write.future_, &bench->cx);
}

static void zero_rwlock_is_tried(struct bench *bench)
{
    (void)bench;
    static struct edo_rwlock lock;
    struct edo_rwlock_write_guard guard = {NULL};
    edo_rwlock_try_write(&lock, &guard);
}

static void zero_barrier_is_waited_for(struct bench *bench)
{
    static struct edo_barrier barrier;
    struct edo_barrier_wait wait = edo_barrier_wait(&barrier);
    edo_future_poll(&wait.future_, &bench->cx);
}

static void zero_set_once_is_waited_for(struct bench *bench)
{
    static EDO_SET_ONCE(int) once;
    struct edo_set_once_wait wait = edo_set_once_wait(&once);
    edo_future_poll(&wait.future_, &bench->cx);
}

static void zero_set_once_is_set(struct bench *bench)
{
    (void)bench;
    static EDO_SET_ONCE(int) once;
    edo_set_once_set(&once, &(int){1});
}

Test(misuse, what_is_all_zeros_is_not_waited_for)
{
    SAYS(zero_notify_waits, "is used that was never initialised");
    SAYS(zero_notify_is_told, "is used that was never initialised");
    SAYS(zero_notify_tells_all, "is used that was never initialised");
    SAYS(zero_mutex_is_locked, "is used that was never initialised");
    SAYS(zero_mutex_is_tried, "is used that was never initialised");
    SAYS(zero_semaphore_is_acquired, "is used that was never initialised");
    SAYS(zero_rwlock_is_read, "is used that was never initialised");
    SAYS(zero_rwlock_is_written, "is used that was never initialised");
    SAYS(zero_rwlock_is_tried, "is used that was never initialised");
    SAYS(zero_barrier_is_waited_for, "is used that was never initialised");
    SAYS(zero_set_once_is_waited_for, "is used that was never initialised");
    SAYS(zero_set_once_is_set, "is used that was never initialised");
}

/* A connection's halves. */

struct drops_half {
    FUTURE(int);
};

ASYNC(drops_half)
{
    ASYNC_BEGIN;
    int fds[2];
    struct edo_tcp *conn;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 || edo_tcp_from_fd(fds[0], &conn) < 0)
        RETURN(0);
    edo_tcp_read_half_drop(edo_tcp_reader(conn));
    RETURN(0);
    ASYNC_END;
}

static void drop_a_borrowed_half(struct bench *bench)
{
    (void)bench;
    struct edo_runtime *runtime;
    if (edo_runtime_new(&runtime) < 0)
        return;
    struct drops_half drops = NEW(drops_half);
    edo_block_on(runtime, &drops);
}

Test(misuse, a_half_that_is_only_borrowed_is_not_dropped)
{
    SAYS(drop_a_borrowed_half, "a half of a connection is given up that was before");
}
