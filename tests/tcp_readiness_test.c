/* SPDX-License-Identifier: MIT */
/* Readiness of connections: who is told, what becomes of what nobody asked for. */
#include "io_helpers.h"
#include "support/runtimes.h"

struct tries {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer;
    ssize_t n;
    char buffer[65536];
    struct edo_ready ready;
};

ASYNC(tries)
{
    ssize_t n;
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    cr_assert_eq(edo_try_read(self->conn, self->buffer, 1), UV_EAGAIN);
    AWAIT(self->ready, edo_ready(self->conn, EDO_READABLE | EDO_WRITABLE));
    cr_assert_eq(self->ready.output, EDO_WRITABLE);
    cr_assert_eq(send(self->peer, "abc", 3, 0), 3);
    AWAIT(self->ready, edo_ready(self->conn, EDO_READABLE));
    cr_assert_eq(self->ready.output, EDO_READABLE);
    cr_assert_eq(edo_try_read(self->conn, self->buffer, 2), 2);
    cr_assert_eq(edo_try_read(self->conn, self->buffer, 2), 1);
    cr_assert_eq(edo_try_read(self->conn, self->buffer, 2), UV_EAGAIN);
    while ((n = edo_try_write(self->conn, self->buffer, sizeof self->buffer)) > 0)
        self->n += n;
    cr_assert_eq(n, UV_EAGAIN);
    while (self->n > 0) {
        n = recv(self->peer, self->buffer, sizeof self->buffer, 0);
        cr_assert_gt(n, 0);
        self->n -= n;
    }
    AWAIT(self->ready, edo_ready(self->conn, EDO_WRITABLE));
    cr_assert_eq(self->ready.output, EDO_WRITABLE);
    cr_assert_eq(edo_try_write(self->conn, "x", 1), 1);

    AWAIT(self->ready, edo_ready(self->conn, 0));
    cr_assert_eq(self->ready.output, UV_EINVAL);
    AWAIT(self->ready, edo_ready(self->conn, 16));
    cr_assert_eq(self->ready.output, UV_EINVAL);
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(tcp, try_calls_do_what_can_be_done_without_waiting)
{
    RUN(NEW(tries));
}

/* One who only tries, and never waits, has nobody watch the socket, and still gets what has come. */
struct only_tries {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer, i;
    ssize_t n;
    size_t written;
    char buffer[65536];
    struct edo_sleep sleep;
};

ASYNC(only_tries)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    cr_assert_eq(edo_try_read(self->conn, self->buffer, 8), UV_EAGAIN);
    cr_assert_eq(send(self->peer, "abc", 3, 0), 3);
    for (self->i = 0; self->i < 1000 && self->n != 3; self->i++) {
        self->n = edo_try_read(self->conn, self->buffer, 8);
        cr_assert(self->n == 3 || self->n == UV_EAGAIN);
        AWAIT(self->sleep, edo_sleep(1));
    }
    cr_assert_eq(self->n, 3);
    while ((self->n = edo_try_write(self->conn, self->buffer, sizeof self->buffer)) > 0)
        self->written += (size_t)self->n;
    cr_assert_eq(self->n, UV_EAGAIN);
    while (self->written > 0) {
        self->n = recv(self->peer, self->buffer, sizeof self->buffer, 0);
        cr_assert_gt(self->n, 0);
        self->written -= (size_t)self->n;
    }
    for (self->i = 0; self->i < 1000 && self->n != 1; self->i++) {
        self->n = edo_try_write(self->conn, "x", 1);
        AWAIT(self->sleep, edo_sleep(1));
    }
    cr_assert_eq(self->n, 1);
    shutdown(self->peer, SHUT_WR);
    for (self->i = 0; self->i < 1000 && self->n != 0; self->i++) {
        self->n = edo_try_read(self->conn, self->buffer, 8);
        AWAIT(self->sleep, edo_sleep(1));
    }
    cr_assert_eq(self->n, 0);
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(tcp, one_who_only_tries_gets_what_has_come)
{
    RUN(NEW(only_tries));
}

/* I7: somebody asked once, and does not come back for what was sent. */
struct unread {
    FUTURE(int);
    struct edo_runtime *runtime;
    struct turns turns;
    struct edo_tcp *conn;
    int peer;
    uint64_t cpu;
    char buffer[8];
    struct edo_read read;
    struct edo_ready ready;
    struct edo_sleep sleep;
    struct edo_timeout timeout;
};

ASYNC(unread)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    cr_assert_eq(send(self->peer, "a", 1, 0), 1);
    AWAIT(self->read, edo_read(self->conn, self->buffer, 8));
    self->read = edo_read(self->conn, self->buffer, 8);
    AWAIT(self->timeout, edo_timeout(1, &self->read));
    /* Interest is armed; bytes come, nobody wants them. */
    cr_assert_eq(send(self->peer, "bc", 2, 0), 2);
    turns_start(&self->turns, self->runtime);
    self->cpu = cpu_ns();
    AWAIT(self->sleep, edo_sleep(300));
    cr_assert_lt(self->turns.count, 20, "%" PRIu64 " turns", self->turns.count);
    cr_assert_lt(cpu_ns() - self->cpu, 150u * MS);
    /* They are there when somebody asks. */
    AWAIT(self->read, edo_read(self->conn, self->buffer, 1));
    cr_assert(self->read.output == 1 && self->buffer[0] == 'b');
    self->turns.count = 0;
    AWAIT(self->sleep, edo_sleep(100));
    cr_assert_lt(self->turns.count, 20);
    AWAIT(self->read, edo_read(self->conn, self->buffer, 8));
    cr_assert(self->read.output == 1 && self->buffer[0] == 'c');

    /* The same for the peer's end, and for room to write. */
    self->read = edo_read(self->conn, self->buffer, 8);
    AWAIT(self->timeout, edo_timeout(1, &self->read));
    cr_assert_eq(self->timeout.output, UV_ETIMEDOUT);
    close(self->peer);
    self->peer = -1;
    self->turns.count = 0;
    AWAIT(self->sleep, edo_sleep(100));
    cr_assert_lt(self->turns.count, 20);
    AWAIT(self->read, edo_read(self->conn, self->buffer, 8));
    cr_assert_eq(self->read.output, 0);
    self->turns.count = 0;
    AWAIT(self->sleep, edo_sleep(100));
    cr_assert_lt(self->turns.count, 20);
ASYNC_FINALLY:
    turns_stop(&self->turns);
    edo_tcp_close(self->conn);
    ASYNC_END;
}

Test(tcp, readiness_that_nobody_consumes_does_not_spin_and_is_kept)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct unread future = NEW(unread, .runtime = runtime);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* The same after a reset, which epoll tells of whether one asks or not. */
struct unread_reset {
    FUTURE(int);
    struct edo_runtime *runtime;
    struct turns turns;
    struct edo_tcp *conn;
    int peer;
    char buffer[8];
    struct edo_read read;
    struct edo_sleep sleep;
    struct edo_timeout timeout;
};

ASYNC(unread_reset)
{
    ASYNC_BEGIN;
    turns_start(&self->turns, self->runtime);
    self->conn = half_raw_pair(&self->peer);
    self->read = edo_read(self->conn, self->buffer, 8);
    AWAIT(self->timeout, edo_timeout(1, &self->read));
    raw_reset(self->peer);
    self->turns.count = 0;
    AWAIT(self->sleep, edo_sleep(100));
    cr_assert_lt(self->turns.count, 20, "%" PRIu64 " turns", self->turns.count);
    AWAIT(self->read, edo_read(self->conn, self->buffer, 8));
    cr_assert_eq(self->read.output, UV_ECONNRESET);
ASYNC_FINALLY:
    turns_stop(&self->turns);
    edo_tcp_close(self->conn);
    ASYNC_END;
}

Test(tcp, a_reset_that_nobody_reads_does_not_spin)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct unread_reset future = NEW(unread_reset, .runtime = runtime);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* Several who wait on one socket: every byte goes to one of them, and none sleeps on. */
struct taker {
    FUTURE(int);
    struct edo_tcp *conn;
    _Atomic(int) *taken;
    char byte;
    struct edo_read read;
};

ASYNC(taker)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, &self->byte, 1));
        if (self->read.output <= 0)
            RETURN((int)self->read.output);
        ++*self->taken;
    }
    ASYNC_END;
}

struct several {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer, i, ended;
    _Atomic(int) taken;
    JOIN_HANDLE(int) handles[5];
    struct edo_yield_now yield;
    struct edo_sleep sleep;
    struct edo_join join;
};

ASYNC(several)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    for (self->i = 0; self->i < 5; self->i++)
        self->handles[self->i] = SPAWN(NEW(taker, .conn = self->conn, .taken = &self->taken));
    for (self->i = 0; self->i < 300; self->i++) {
        cr_assert_eq(send(self->peer, "abcdefgh", 1 + self->i % 8, 0), 1 + self->i % 8);
        if (self->i % 3 == 0)
            AWAIT(self->yield, edo_yield_now());
        /* One of those that were woken goes away without looking. */
        if (self->i == 150)
            edo_task_abort(self->handles[2]);
    }
    shutdown(self->peer, SHUT_WR);
    for (self->i = 0; self->i < 5; self->i++) {
        AWAIT(self->join, edo_join(self->handles[self->i], &self->ended));
        /* The one that was aborted may read on to the end where others do so meanwhile. */
        if (self->i != 2 || test_workers() == 0)
            cr_assert_eq(self->join.output, self->i == 2 ? UV_ECANCELED : 0);
    }
    cr_assert_eq(self->taken, 37 * 36 + 1 + 2 + 3 + 4);
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(tcp, several_readers_of_one_socket_get_every_byte_once)
{
    RUN(NEW(several));
}

/* B11: the number of a closed descriptor is used again while events of the old one are about. Both
 * connections are ready in one batch; whichever task runs first closes the other one's connection
 * and opens a new one in its place, on which nothing has come. */
struct reuse;

struct victim {
    FUTURE(int);
    struct reuse *owner;
    int index;
    char byte;
    struct edo_read read;
};

struct reuse {
    FUTURE(int);
    int rounds, i, closed;
    struct edo_tcp *conns[2], *fresh;
    int peers[2], fresh_peer, outputs[2];
    JOIN_HANDLE(int) handles[2];
    char byte;
    struct edo_yield_now yield;
    struct edo_join join;
    struct edo_read read;
    struct edo_timeout timeout;
};

ASYNC(victim)
{
    int other, fd, fds[2];
    struct reuse *owner = self->owner;
    ASYNC_BEGIN;
    AWAIT(self->read, edo_read(owner->conns[self->index], &self->byte, 1));
    if (owner->closed >= 0) {
        cr_assert_eq(self->read.output, UV_ECANCELED);
        RETURN(0);
    }
    cr_assert_eq(self->read.output, 1);
    other = owner->closed = 1 - self->index;
    fd = edo_tcp_fd(owner->conns[other]);
    edo_tcp_close(owner->conns[other]);
    owner->conns[other] = NULL;
    /* The lowest free number is the one just closed. */
    raw_pair(fds);
    cr_assert(fds[0] == fd || fds[1] == fd || dup2(fds[0], fd) == fd);
    if (fds[0] != fd && fds[1] != fd) {
        close(fds[0]);
        fds[0] = fd;
    } else if (fds[1] == fd) {
        fds[1] = fds[0];
        fds[0] = fd;
    }
    cr_assert_eq(edo_tcp_from_fd(fds[0], &owner->fresh), 0);
    owner->fresh_peer = fds[1];
    ASYNC_END;
}

ASYNC(reuse)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < self->rounds; self->i++) {
        self->closed = -1;
        for (int i = 0; i < 2; i++) {
            self->conns[i] = half_raw_pair(&self->peers[i]);
            self->handles[i] = SPAWN(NEW(victim, .owner = self, .index = i));
        }
        AWAIT(self->yield, edo_yield_now());
        cr_assert(send(self->peers[0], "x", 1, 0) == 1 && send(self->peers[1], "x", 1, 0) == 1);
        AWAIT(self->join, edo_join(self->handles[0], &self->outputs[0]));
        AWAIT(self->join, edo_join(self->handles[1], &self->outputs[1]));
        /* The new one is not ready by the old one's event, and is when its own byte comes. */
        self->read = edo_read(self->fresh, &self->byte, 1);
        cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
        AWAIT(self->yield, edo_yield_now());
        cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
        cr_assert_eq(send(self->fresh_peer, "y", 1, 0), 1);
        AWAIT_REF(self->read);
        cr_assert(self->read.output == 1 && self->byte == 'y');
        for (int i = 0; i < 2; i++) {
            edo_tcp_close(self->conns[i]);
            close(self->peers[i]);
        }
        edo_tcp_close(self->fresh);
        close(self->fresh_peer);
    }
    ASYNC_END;
}

Test(tcp, a_reused_descriptor_gets_no_event_of_its_predecessor)
{
    RUN_ALONE(NEW(reuse, .rounds = 2000));
}

/* A reader that always has something lets others run. */
struct endless {
    FUTURE(int);
    struct edo_tcp *conn;
    size_t *reads;
    char byte;
    struct edo_read read;
};

ASYNC(endless)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, &self->byte, 1));
        if (self->read.output <= 0)
            RETURN(0);
        ++*self->reads;
    }
    ASYNC_END;
}

struct fair {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer, i;
    size_t reads, before;
    char buffer[60000];
    struct edo_yield_now yield;
    JOIN_HANDLE(int) handle;
};

ASYNC(fair)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    cr_assert_eq(send(self->peer, self->buffer, sizeof self->buffer, 0), sizeof self->buffer);
    self->handle = SPAWN(NEW(endless, .conn = self->conn, .reads = &self->reads));
    while (self->reads == 0)
        AWAIT(self->yield, edo_yield_now());
    for (self->i = 0; self->i < 100; self->i++) {
        self->before = self->reads;
        AWAIT(self->yield, edo_yield_now());
        cr_assert_leq(self->reads - self->before, EDO_BUDGET);
    }
ASYNC_FINALLY:
    edo_task_abort(self->handle);
    edo_task_detach(self->handle);
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(tcp, a_reader_that_always_has_work_gives_way)
{
    RUN_ALONE(NEW(fair));
}
