/* SPDX-License-Identifier: MIT */
/* The descriptors of connections, where several threads open, take and close them. */
#include <stdatomic.h>

#include "tcp_threads_helpers.h"

/* Opened by one task, used, closed by another, of the descriptors that others give back at the same time. What is
 * read is what was meant for it: the number that went round is the pair's own. */
struct pair {
    struct edo_tcp *a, *b;
};

struct churn {
    FUTURE(int);
    int rounds;
    uint32_t number, read_number;
    struct pair pair;
    MPSC_SENDER(struct pair) graves;
    struct edo_write_all write;
    struct edo_read_exact read;
};

static _Atomic(uint32_t) numbers;

ASYNC(churn)
{
    ASYNC_BEGIN;
    while (self->rounds-- > 0) {
        stream_pair(&self->pair.a, &self->pair.b);
        self->number = atomic_fetch_add(&numbers, 1);
        /* Sometimes the reader waits first, so that it is watched; sometimes it does not. */
        self->read = edo_read_exact(self->pair.b, &self->read_number, sizeof self->read_number);
        if (self->number % 2 == 0)
            cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
        AWAIT(self->write, edo_write_all(self->pair.a, &self->number, sizeof self->number));
        cr_assert_eq(self->write.output, (ssize_t)sizeof self->number);
        AWAIT_REF(self->read);
        cr_assert_eq(self->read.output, (ssize_t)sizeof self->number);
        cr_assert_eq(self->read_number, self->number);
        if (self->number % 3 == 0 && edo_mpsc_try_send(self->graves, &self->pair) == 0)
            continue;
        edo_tcp_close(self->pair.a);
        edo_tcp_close(self->pair.b);
    }
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->graves);
    ASYNC_END;
}

struct buries {
    FUTURE(int);
    MPSC_RECEIVER(struct pair) graves;
    struct pair pair;
    struct edo_mpsc_recv recv;
};

ASYNC(buries)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->graves, &self->pair));
        if (self->recv.output != 0)
            break;
        edo_tcp_close(self->pair.a);
        edo_tcp_close(self->pair.b);
    }
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->graves);
    ASYNC_END;
}

enum { CHURNERS = 32, CONNECTIONS = 10000 };

struct churns {
    FUTURE(int);
    int i, error;
    JOIN_HANDLE(int) handles[CHURNERS];
    JOIN_HANDLE(int) digger;
    struct edo_join join;
};

ASYNC(churns)
{
    ASYNC_BEGIN;
    MPSC_SENDER(struct pair) tx;
    MPSC_RECEIVER(struct pair) rx;
    cr_assert_eq(edo_mpsc(&tx, &rx, 8), 0);
    self->digger = SPAWN(NEW(buries, .graves = rx));
    for (int i = 0; i < CHURNERS; i++)
        self->handles[i] = SPAWN(NEW(churn, .rounds = ROUNDS(CONNECTIONS) / 2 / CHURNERS + 1,
                                     .graves = edo_mpsc_sender_clone(tx)));
    edo_mpsc_sender_drop(tx);
    for (self->i = 0; self->i < CHURNERS; self->i++) {
        AWAIT(self->join, edo_join(self->handles[self->i], &self->error));
        cr_assert(self->join.output == 0 && self->error == 0);
    }
    AWAIT(self->join, edo_join(self->digger, &self->error));
    cr_assert(self->join.output == 0 && self->error == 0);
    ASYNC_END;
}

Test(tcp_threads, descriptors_go_round_among_ten_thousand_connections)
{
    ON_WORKERS(2, NEW(churns));
    ON_WORKERS(8, NEW(churns));
}

/* The owner of a connection that another worker watches takes its descriptor, and makes a connection of it again. */
struct takes {
    FUTURE(int);
    struct edo_tcp *conn;
    _Atomic(bool) *over;
    ssize_t got;
    char byte;
    struct edo_read read;
    struct edo_yield_now yield;
};

ASYNC(takes)
{
    ASYNC_BEGIN;
    AWAIT(self->read, edo_read(self->conn, &self->byte, 1));
    cr_assert_eq(self->read.output, 1);
    /* Watched again, and left to the other. */
    self->read = edo_read(self->conn, &self->byte, 1);
    cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
    DROP(self->read);
    atomic_store(self->over, true);
    ASYNC_END;
}

static void *give_and_take(void *arg)
{
    struct edo_runtime *runtime = arg;
    struct edo_guard guard = edo_enter(edo_runtime_handle(runtime));
    int peer, error, duplicates = 0;
    struct edo_tcp *conn = half_raw_pair(&peer);
    for (int i = 0; i < 50; i++) {
        _Atomic(bool) over = false;
        int before = edo_tcp_fd(conn);
        JOIN_HANDLE(int)
        task = SPAWN(NEW(takes, .conn = conn, .over = &over));
        cr_assert_eq(send(peer, "x", 1, 0), 1);
        struct edo_join join = edo_join(task, &error);
        cr_assert(edo_block_on(runtime, &join) == 0 && join.output == 0 && error == 0);
        cr_assert(atomic_load(&over));
        int fd = edo_tcp_into_fd(conn);
        cr_assert_geq(fd, 0);
        duplicates += fd != before;
        cr_assert_eq(edo_tcp_from_fd(fd, &conn), 0);
    }
    edo_tcp_close(conn);
    close(peer);
    edo_leave(guard);
    return (void *)(intptr_t)duplicates;
}

Test(tcp_threads, a_descriptor_is_taken_back_from_another_thread)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(runtime_of(2, &runtime), 0);
    give_and_take(runtime);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* One who waits is polled by hand: what comes between the operation and the wait is told before he is linked. */
struct by_hand {
    struct edo_runtime *runtime;
    struct edo_guard guard;
    struct edo_tcp *conn;
    struct edo_registration *r;
    struct counting_waker waker;
    struct edo_io_waiter waiter;
    int peer;
};

static void by_hand_begin(struct by_hand *hand)
{
    *hand = (struct by_hand){.waker = counting_waker()};
    cr_assert_eq(runtime_of(1, &hand->runtime), 0);
    hand->guard = edo_enter(edo_runtime_handle(hand->runtime));
    hand->conn = half_raw_pair(&hand->peer);
    hand->r = &hand->conn->registration;
}

static void by_hand_end(struct by_hand *hand)
{
    edo_registration_forget(hand->r, &hand->waiter);
    edo_tcp_close(hand->conn);
    close(hand->peer);
    edo_leave(hand->guard);
    edo_runtime_drop(hand->runtime);
    cr_assert_eq(hand->waker.clones, 0);
}

static void until_told(const struct by_hand *hand)
{
    while (edo_registration_ready(hand->r, EDO_READABLE) == 0)
        sched_yield();
}

Test(tcp_threads, an_end_that_is_told_before_one_waits_is_not_missed)
{
    struct baseline start = baseline();
    struct by_hand hand;
    uint32_t told;
    by_hand_begin(&hand);
    cr_assert_eq(edo_registration_begin(hand.r, EDO_READABLE, &told), UV_EAGAIN);
    shutdown(hand.peer, SHUT_WR);
    until_told(&hand);
    cr_assert_eq(edo_registration_wait(hand.r, &hand.waiter, EDO_READABLE, &hand.waker.waker), 0);
    cr_assert_eq(hand.waker.wakes, 1);
    by_hand_end(&hand);
    check_baseline(&start);
}

/* As with a message in the queue of errors, which ends nothing. */
Test(tcp_threads, what_failed_and_would_block_is_waited_for)
{
    struct baseline start = baseline();
    struct by_hand hand;
    uint32_t told;
    by_hand_begin(&hand);
    /* The first of its own: it is added, and can be written. */
    do {
        cr_assert_geq(edo_registration_begin(hand.r, 0, &told), 0);
        edo_registration_end(hand.r, 0, false, told);
        sched_yield();
    } while (told == 0);
    edo_registration_tell(hand.r, EDO_READABLE, EDO_READABLE);
    cr_assert_geq(edo_registration_begin(hand.r, EDO_READABLE, &told), 0);
    edo_registration_end(hand.r, EDO_READABLE, false, told);
    cr_assert_eq(edo_registration_ready(hand.r, EDO_READABLE), EDO_READABLE, "a short read");
    cr_assert_geq(edo_registration_begin(hand.r, EDO_READABLE, &told), 0);
    edo_registration_end(hand.r, EDO_READABLE, true, told);
    cr_assert_eq(edo_registration_ready(hand.r, EDO_READABLE), 0, "it would block");
    cr_assert_eq(edo_registration_wait(hand.r, &hand.waiter, EDO_READABLE, &hand.waker.waker), 0);
    cr_assert_eq(hand.waker.wakes, 0);
    cr_assert_eq(send(hand.peer, "x", 1, 0), 1);
    until_told(&hand);
    by_hand_end(&hand);
    check_baseline(&start);
}

Test(tcp_threads, messages_are_no_stream)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    struct edo_tcp *conn;
    struct edo_tcp_listener *listener;
    int fds[2];
    cr_assert_eq(runtime_of(1, &runtime), 0);
    struct edo_guard guard = edo_enter(edo_runtime_handle(runtime));
    static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(socketpair(AF_UNIX, types[i], 0, fds), 0);
        cr_assert_eq(edo_tcp_from_fd(fds[0], &conn), UV_EINVAL);
        cr_assert_eq(edo_tcp_listener_from_fd(fds[0], &listener), UV_EINVAL);
        close(fds[0]);
        close(fds[1]);
    }
    edo_leave(guard);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* Without a descriptor for the duplicate nothing has changed. Another is inside a system call. */
Test(tcp_threads, a_descriptor_that_cannot_be_duplicated_stays)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    char byte;
    int peer;
    struct counting_waker waker = counting_waker();
    struct edo_context cx;
    struct rlimit limit, none;
    edo_context_init(&cx, &waker.waker);
    cr_assert_eq(runtime_of(1, &runtime), 0);
    struct edo_guard guard = edo_enter(edo_runtime_handle(runtime));
    struct edo_tcp *conn = half_raw_pair(&peer);
    struct edo_read read = edo_read(conn, &byte, 1);
    cr_assert_eq(edo_future_poll(&read.future_, &cx), EDO_PENDING);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 1;
    cr_assert_geq(edo_registration_hold(&conn->registration), 0);
    setrlimit(RLIMIT_NOFILE, &none);
    int fd = edo_tcp_into_fd(conn);
    setrlimit(RLIMIT_NOFILE, &limit);
    edo_registration_end(&conn->registration, 0, false, 0);
    cr_assert_eq(fd, UV_EMFILE, "%d", fd);
    cr_assert_eq(send(peer, "x", 1, 0), 1);
    while (edo_future_poll(&read.future_, &cx) == EDO_PENDING) {
        cx.budget = EDO_BUDGET;
        sched_yield();
    }
    cr_assert_eq(read.output, 1);
    edo_tcp_close(conn);
    close(peer);
    edo_leave(guard);
    edo_runtime_drop(runtime);
    cr_assert_eq(waker.clones, 0);
    check_baseline(&start);
}

/* It is watched once, by all workers together. */
struct twice {
    FUTURE(int);
    int fds[2];
    struct edo_tcp *first, *second;
    char byte;
    struct edo_read read;
};

ASYNC(twice)
{
    ASYNC_BEGIN;
    raw_pair(self->fds);
    cr_assert_eq(edo_tcp_from_fd(self->fds[0], &self->first), 0);
    self->read = edo_read(self->first, &self->byte, 1);
    cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
    cr_assert_eq(edo_tcp_from_fd(self->fds[0], &self->second), UV_EEXIST);
    cr_assert_eq(send(self->fds[1], "y", 1, 0), 1);
    AWAIT_REF(self->read);
    cr_assert_eq(self->read.output, 1);
    edo_tcp_close(self->first);
    close(self->fds[1]);
    ASYNC_END;
}

Test(tcp_threads, a_descriptor_is_not_watched_twice)
{
    struct baseline start = baseline();
    ON_WORKERS(2, NEW(twice));
    check_baseline(&start);
}
