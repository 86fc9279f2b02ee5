/* SPDX-License-Identifier: MIT */
/* Listeners: I5 of the semantics, and what accepting does when descriptors run out. */
#include <fcntl.h>
#include <sys/un.h>

#include "io_helpers.h"
#include "support/runtimes.h"

struct binds {
    FUTURE(int);
    struct edo_tcp_listener *a, *b;
    struct edo_addr addr, other;
    int fd;
};

ASYNC(binds)
{
    struct edo_addr none = {.length = 0};
    ASYNC_BEGIN;
    self->addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->a, &self->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->a, &self->addr), 0);
    cr_assert_eq(edo_tcp_listen(&self->b, &self->addr), UV_EADDRINUSE);
    cr_assert_eq(edo_tcp_listen(&self->b, &self->addr, .reuse_port = true), UV_EADDRINUSE);
    cr_assert_eq(edo_tcp_listen(&self->b, &none), UV_EAFNOSUPPORT);
    edo_tcp_listener_close(self->a);
    /* The port is free again at once. */
    cr_assert_eq(edo_tcp_listen(&self->a, &self->addr, .reuse_port = true, .backlog = 5), 0);
    cr_assert_eq(edo_tcp_listen(&self->b, &self->addr, .reuse_port = true), 0);
    edo_tcp_listener_close(self->a);
    edo_tcp_listener_close(self->b);

    cr_assert_eq(edo_addr_parse(&self->addr, "[::1]:0"), 0);
    cr_assert_eq(edo_tcp_listen(&self->a, &self->addr, .v6_only = true), 0);
    cr_assert_eq(edo_tcp_listener_local(self->a, &self->addr), 0);
    cr_assert_eq(self->addr.any.sa_family, AF_INET6);
    edo_tcp_listener_close(self->a);
    edo_tcp_listener_close(NULL);

    self->fd = raw_listener(&self->addr);
    cr_assert_eq(edo_tcp_listener_from_fd(self->fd, &self->a), 0);
    cr_assert_eq(edo_tcp_listener_local(self->a, &self->other), 0);
    cr_assert_eq(edo_addr_port(&self->other), edo_addr_port(&self->addr));
    edo_tcp_listener_close(self->a);
    cr_assert_eq(edo_tcp_listener_from_fd(self->fd, &self->a), UV_EBADF);
    ASYNC_END;
}

Test(tcp_listener, binds_and_says_where)
{
    RUN(NEW(binds));
}

/* Local sockets, whose names are longer than an address has room for. */
struct long_names {
    FUTURE(int);
    int fds[2];
    struct edo_tcp_listener *listener;
    struct edo_tcp_accept accept;
};

static int long_name(char first, struct sockaddr_un *name)
{
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    memset(name->sun_path + 1, first, sizeof name->sun_path - 1);
    snprintf(name->sun_path + 1, 16, "edo.%d", getpid()); /* none in the file system */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)name, sizeof *name), 0);
    return fd;
}

static void check_cut(const struct edo_addr *addr)
{
    cr_assert_eq(addr->any.sa_family, AF_UNIX);
    cr_assert_eq(addr->length, sizeof addr->v6);
}

ASYNC(long_names)
{
    struct sockaddr_un names[2];
    struct edo_addr addr;
    ASYNC_BEGIN;
    for (int i = 0; i < 2; i++)
        self->fds[i] = long_name("ab"[i], &names[i]);
    cr_assert_eq(listen(self->fds[0], 1), 0);
    cr_assert_eq(connect(self->fds[1], (struct sockaddr *)&names[0], sizeof names[0]), 0);
    cr_assert_eq(edo_tcp_listener_from_fd(self->fds[0], &self->listener), 0);
    AWAIT(self->accept, edo_tcp_accept(self->listener));
    cr_assert_eq(self->accept.output, 0);
    check_cut(&self->accept.peer);
    cr_assert_eq(edo_tcp_peer(self->accept.stream, &addr), 0);
    check_cut(&addr);
    cr_assert_eq(edo_tcp_local(self->accept.stream, &addr), 0);
    check_cut(&addr);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &addr), 0);
    check_cut(&addr);
    edo_tcp_close(self->accept.stream);
    edo_tcp_listener_close(self->listener);
    close(self->fds[1]);
    ASYNC_END;
}

Test(tcp_listener, an_address_is_no_longer_than_it_has_room_for)
{
    RUN(NEW(long_names));
}

/* ---- Cancelling ---- */

/* Clients send their number; each number must arrive, although accepts are dropped all the time. */
enum { CLIENTS = 200 };

struct cancels {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    struct edo_addr addr;
    int clients[CLIENTS], next, got, cancelled, i;
    bool seen[CLIENTS];
    struct edo_tcp_accept accept;
    struct edo_read_exact read;
    struct edo_yield_now yield;
};

ASYNC(cancels)
{
    ASYNC_BEGIN;
    self->addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &self->addr), 0);
    while (self->got < CLIENTS) {
        /* Three clients come while an accept waits; then it is dropped, woken or not. */
        self->accept = edo_tcp_accept(self->listener);
        if (self->next == self->got) {
            cr_assert_eq(edo_future_poll(&self->accept.future_, cx), EDO_PENDING);
            for (int i = 0; i < 3 && self->next < CLIENTS; i++, self->next++) {
                self->clients[self->next] = raw_connect(&self->addr);
                cr_assert_eq(send(self->clients[self->next], &self->next, sizeof(int), 0),
                             sizeof(int));
            }
            if (self->got % 2 == 0)
                AWAIT(self->yield, edo_yield_now());
            DROP(self->accept);
            self->cancelled++;
            continue;
        }
        AWAIT_REF(self->accept);
        cr_assert_eq(self->accept.output, 0);
        AWAIT(self->read, edo_read_exact(self->accept.stream, &self->i, sizeof(int)));
        cr_assert_eq(self->read.output, sizeof(int));
        cr_assert(self->i >= 0 && self->i < CLIENTS && !self->seen[self->i]);
        self->seen[self->i] = true;
        self->got++;
        edo_tcp_close(self->accept.stream);
    }
    cr_assert_geq(self->cancelled, CLIENTS / 3);
    for (int i = 0; i < CLIENTS; i++)
        close(self->clients[i]);
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

Test(tcp_listener, accept_that_is_dropped_loses_no_connection)
{
    RUN(NEW(cancels));
}

/* Two accept; the first was woken and is dropped without looking: the second one gets it. */
struct two_accept {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    struct edo_addr addr;
    int client;
    struct edo_tcp_accept first, second;
    struct edo_yield_now yield;
};

ASYNC(two_accept)
{
    ASYNC_BEGIN;
    self->addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &self->addr), 0);
    self->first = edo_tcp_accept(self->listener);
    self->second = edo_tcp_accept(self->listener);
    cr_assert_eq(edo_future_poll(&self->first.future_, cx), EDO_PENDING);
    cr_assert_eq(edo_future_poll(&self->second.future_, cx), EDO_PENDING);
    self->client = raw_connect(&self->addr);
    AWAIT(self->yield, edo_yield_now());
    DROP(self->first);
    AWAIT_REF(self->second);
    cr_assert_eq(self->second.output, 0);
    edo_tcp_close(self->second.stream);
    close(self->client);
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

Test(tcp_listener, an_acceptor_that_leaves_does_not_strand_the_other)
{
    RUN(NEW(two_accept));
}

struct accepting {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    bool incoming;
    _Atomic(int) *waiting; /* so many have been polled */
    struct edo_tcp_accept accept;
    struct edo_tcp_incoming next;
};

ASYNC(accepting)
{
    ASYNC_BEGIN;
    if (self->incoming) {
        self->next = edo_tcp_incoming(self->listener);
        cr_assert_eq(edo_future_poll(&self->next.future_, cx), EDO_PENDING);
        ++*self->waiting;
        AWAIT_REF(self->next);
        RETURN(self->next.output == NULL ? 1 : 2);
    }
    self->accept = edo_tcp_accept(self->listener);
    cr_assert_eq(edo_future_poll(&self->accept.future_, cx), EDO_PENDING);
    ++*self->waiting;
    AWAIT_REF(self->accept);
    RETURN(self->accept.output);
ASYNC_FINALLY:
    if (self->incoming)
        DROP(self->next);
    else
        DROP(self->accept);
    ASYNC_END;
}

struct closes {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    struct edo_addr addr;
    int outputs[3];
    JOIN_HANDLE(int) handles[3];
    _Atomic(int) waiting;
    struct edo_yield_now yield;
    struct edo_join join;
    struct edo_tcp_connect connect;
    struct edo_tcp_incoming incoming;
};

ASYNC(closes)
{
    ASYNC_BEGIN;
    self->addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &self->addr), 0);
    self->connect = edo_tcp_connect(&self->addr);
    self->incoming = edo_tcp_incoming(self->listener);
    JOIN(&self->connect, &self->incoming);
    cr_assert_not_null(self->incoming.output);
    edo_tcp_close(self->incoming.output);
    edo_tcp_close(self->connect.stream);

    for (int i = 0; i < 3; i++)
        self->handles[i] = SPAWN(NEW(accepting, .listener = self->listener, .incoming = i == 1,
                                     .waiting = &self->waiting));
    while (self->waiting < 3)
        AWAIT(self->yield, edo_yield_now());
    edo_tcp_listener_close(self->listener);
    edo_task_abort(self->handles[2]);
    AWAIT(self->join, edo_join(self->handles[0], &self->outputs[0]));
    cr_assert_eq(self->outputs[0], UV_ECANCELED);
    AWAIT(self->join, edo_join(self->handles[1], &self->outputs[1]));
    cr_assert_eq(self->outputs[1], 1);
    AWAIT(self->join, edo_join(self->handles[2], &self->outputs[2]));
    /* One that runs meanwhile may end before the abort comes. */
    cr_assert(self->join.output == UV_ECANCELED ||
              (test_workers() > 0 && self->outputs[2] == UV_ECANCELED));
    ASYNC_END;
}

Test(tcp_listener, closing_ends_the_accepts_under_way)
{
    RUN(NEW(closes));
}

/* A client that resets before it was accepted does not end the listener. */
struct reset_early {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    struct edo_addr addr;
    int client, i;
    char byte;
    struct edo_tcp_accept accept;
    struct edo_read read;
};

ASYNC(reset_early)
{
    ASYNC_BEGIN;
    self->addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &self->addr), 0);
    for (self->i = 0; self->i < 20; self->i++) {
        raw_reset(raw_connect(&self->addr));
        self->client = raw_connect(&self->addr);
        cr_assert_eq(send(self->client, "x", 1, 0), 1);
        do {
            AWAIT(self->accept, edo_tcp_accept(self->listener));
            cr_assert_eq(self->accept.output, 0);
            AWAIT(self->read, edo_read(self->accept.stream, &self->byte, 1));
            edo_tcp_close(self->accept.stream);
        } while (self->read.output == UV_ECONNRESET);
        cr_assert_eq(self->read.output, 1);
        close(self->client);
    }
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

Test(tcp_listener, a_connection_reset_before_accept_is_passed_over)
{
    RUN(NEW(reset_early));
}

/* A flood of connections lets other tasks run. */
struct swallows {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    int *accepted;
    struct edo_tcp_accept accept;
};

ASYNC(swallows)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->accept, edo_tcp_accept(self->listener));
        edo_tcp_close(self->accept.stream);
        ++*self->accepted;
    }
    ASYNC_END;
}

struct flood {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    struct edo_addr addr;
    int clients[400], accepted, before;
    JOIN_HANDLE(int) handle;
    struct edo_yield_now yield;
};

ASYNC(flood)
{
    ASYNC_BEGIN;
    self->addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &self->addr), 0);
    for (int i = 0; i < 400; i++)
        self->clients[i] = raw_connect(&self->addr);
    self->handle = SPAWN(NEW(swallows, .listener = self->listener, .accepted = &self->accepted));
    while (self->accepted < 400) {
        self->before = self->accepted;
        AWAIT(self->yield, edo_yield_now());
        cr_assert_leq(self->accepted - self->before, (int)EDO_BUDGET);
    }
    for (int i = 0; i < 400; i++)
        close(self->clients[i]);
ASYNC_FINALLY:
    edo_task_abort(self->handle);
    edo_task_detach(self->handle);
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

Test(tcp_listener, a_flood_of_connections_gives_way)
{
    RUN_ALONE(NEW(flood));
}

/* ---- No descriptor left (B13) ---- */

/* No more than are open now: the first free number is one too high. What the runner left open may be higher. */
static void limit_descriptors(void)
{
    struct rlimit limit;
    int first_free = dup(STDERR_FILENO);
    cr_assert(first_free >= 0 && close(first_free) == 0);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)first_free;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

struct ticker {
    FUTURE(int);
    int *ticks;
    struct edo_interval interval;
    struct edo_interval_tick tick;
};

ASYNC(ticker)
{
    ASYNC_BEGIN;
    self->interval = edo_interval(1);
    self->interval.missed = EDO_MISSED_SKIP;
    for (;;) {
        AWAIT(self->tick, edo_interval_tick(&self->interval));
        ++*self->ticks;
    }
    ASYNC_END;
}

struct exhausted {
    FUTURE(int);
    struct edo_runtime *runtime;
    struct turns turns;
    struct edo_tcp_listener *listener;
    struct edo_addr addr;
    struct edo_tcp *old;
    int old_peer, clients[5], accepted, ticks, i;
    uint64_t start, cpu;
    char byte;
    JOIN_HANDLE(int) ticker, acceptor;
    struct edo_tcp_accept accept;
    struct edo_read read;
    struct edo_sleep sleep;
    struct edo_timeout timeout;
};

ASYNC(exhausted)
{
    ASYNC_BEGIN;
    self->addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &self->addr), 0);
    self->old = half_raw_pair(&self->old_peer);
    turns_start(&self->turns, self->runtime);
    /* The kernel has made the connections; there is no number to give them. */
    for (int i = 0; i < 5; i++)
        self->clients[i] = raw_connect(&self->addr);
    limit_descriptors();
    cr_assert(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EMFILE);
    self->acceptor = SPAWN(NEW(swallows, .listener = self->listener, .accepted = &self->accepted));
    self->ticker = SPAWN(NEW(ticker, .ticks = &self->ticks));
    self->start = edo_now();
    self->cpu = cpu_ns();
    for (self->i = 0; self->i < 40 || self->ticks < 100; self->i++) {
        cr_assert_lt(self->i, 1000, "timers starve: %d", self->ticks);
        AWAIT(self->sleep, edo_sleep(10));
        cr_assert_eq(send(self->old_peer, "x", 1, 0), 1);
        AWAIT(self->read, edo_read(self->old, &self->byte, 1));
        cr_assert_eq(self->read.output, 1);
    }
    cr_assert_eq(self->accepted, 0);
    /* A pause is a tenth of a second. */
    cr_assert(edo_tcp_listener_pauses(self->listener) >= 2 &&
                  edo_tcp_listener_pauses(self->listener) <=
                      (edo_now() - self->start) / MS / 100 + 2,
              "%" PRIu64 " pauses", edo_tcp_listener_pauses(self->listener));
    /* One turn for a tick, one for a round of the loop above, and little more. */
    cr_assert_leq(self->turns.count, (edo_now() - self->start) / MS * 2 + 200);
    cr_assert_lt((cpu_ns() - self->cpu) * 2, edo_now() - self->start);

    /* Room comes: accepting goes on within a second. */
    close(self->clients[4]);
    self->start = edo_now();
    while (self->accepted < 5 && edo_now() - self->start < 5000ull * MS)
        AWAIT(self->sleep, edo_sleep(1));
    cr_assert_eq(self->accepted, 5);
    cr_assert_lt(edo_now() - self->start, 1000ull * MS);
    for (int i = 0; i < 4; i++)
        close(self->clients[i]);
ASYNC_FINALLY:
    turns_stop(&self->turns);
    edo_task_abort(self->ticker);
    edo_task_detach(self->ticker);
    edo_task_abort(self->acceptor);
    edo_task_detach(self->acceptor);
    edo_tcp_close(self->old);
    close(self->old_peer);
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

Test(tcp_listener, without_descriptors_it_pauses_and_recovers)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct exhausted *future = calloc(1, sizeof *future);
    *future = NEW(exhausted, .runtime = runtime);
    cr_assert_eq(edo_block_on(runtime, future), 0);
    edo_runtime_drop(runtime);
    free(future);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 1024 ? limit.rlim_max : 1024;
    setrlimit(RLIMIT_NOFILE, &limit);
    check_baseline(&start);
}

/* An accept that pauses is dropped; the listener is closed under one that pauses. On a paused clock. */
struct drops_pause {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    struct edo_addr addr;
    int client, ended;
    _Atomic(int) waiting;
    uint64_t start;
    JOIN_HANDLE(int) handle;
    struct edo_tcp_accept accept;
    struct edo_yield_now yield;
    struct edo_sleep sleep;
    struct edo_join join;
};

ASYNC(drops_pause)
{
    ASYNC_BEGIN;
    self->addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &self->addr), 0);
    self->client = raw_connect(&self->addr);
    limit_descriptors();
    self->accept = edo_tcp_accept(self->listener);
    cr_assert_eq(edo_future_poll(&self->accept.future_, cx), EDO_PENDING);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_TIMERS], 1);
    cr_assert_eq(edo_tcp_listener_pauses(self->listener), 1);
    /* Polled meanwhile, it does not look at the socket. */
    cr_assert_eq(edo_future_poll(&self->accept.future_, cx), EDO_PENDING);
    cr_assert_eq(edo_tcp_listener_pauses(self->listener), 1);
    DROP(self->accept);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_TIMERS], 0);

    self->handle = SPAWN(NEW(accepting, .listener = self->listener, .waiting = &self->waiting));
    AWAIT(self->yield, edo_yield_now());
    self->start = edo_now();
    AWAIT(self->sleep, edo_sleep(1000));
    cr_assert_leq(edo_tcp_listener_pauses(self->listener), 12);
    edo_tcp_listener_close(self->listener);
    close(self->client);
    AWAIT(self->join, edo_join(self->handle, &self->ended));
    cr_assert_eq(self->ended, UV_ECANCELED);
    ASYNC_END;
}

Test(tcp_listener, a_pause_may_be_dropped_and_ends_when_the_listener_closes)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    struct drops_pause future = NEW(drops_pause);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 1024 ? limit.rlim_max : 1024;
    setrlimit(RLIMIT_NOFILE, &limit);
    check_baseline(&start);
}

/* ---- Where there is no timer ---- */

static int wakes;

static void count_wake(struct edo_waker *waker)
{
    (void)waker;
    wakes++;
}

static struct edo_waker *same_waker(struct edo_waker *waker)
{
    return waker;
}

static void keep_waker(struct edo_waker *waker)
{
    (void)waker;
}

/* A multi-thread runtime's listener, polled by a thread that is outside of it: there is nothing to pause by. */
Test(tcp_listener, without_descriptors_and_a_runtime_it_fails)
{
    static const struct edo_waker_ops ops = {count_wake, same_waker, keep_waker, same_waker,
                                             count_wake};
    struct edo_waker waker = {&ops};
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    struct edo_tcp_listener *listener;
    struct edo_addr addr = loopback(0);
    cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 1), 0);
    struct edo_guard guard = edo_enter(edo_runtime_handle(runtime));
    cr_assert_eq(edo_tcp_listen(&listener, &addr), 0);
    edo_leave(guard);
    cr_assert_eq(edo_tcp_listener_local(listener, &addr), 0);
    int client = raw_connect(&addr);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit_descriptors();
    struct edo_tcp_accept accept = edo_tcp_accept(listener);
    struct edo_context cx;
    edo_context_init(&cx, &waker);
    cr_assert_eq(edo_future_poll(&accept.future_, &cx), EDO_READY);
    cr_assert_eq(accept.output, UV_EMFILE);
    cr_assert_eq(wakes, 0);
    cr_assert_eq(edo_tcp_listener_pauses(listener), 1);

    /* Nothing is lost by it. */
    setrlimit(RLIMIT_NOFILE, &limit);
    guard = edo_enter(edo_runtime_handle(runtime));
    accept = edo_tcp_accept(listener);
    cr_assert_eq(edo_future_poll(&accept.future_, &cx), EDO_READY);
    cr_assert_eq(accept.output, 0);
    edo_leave(guard);
    edo_tcp_close(accept.stream);
    edo_tcp_listener_close(listener);
    close(client);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}
