/* SPDX-License-Identifier: MIT */
/* The programs of the tour about streams: what it says must hold, and each may be ended wherever it
 * waits. */
#include "support/sweep.h"

#include "io_helpers.h"
#include "support/runtimes.h"

/* ---- From zero to three ---- */

struct zero_to_three {
    STREAM(int);
    int i;
};

ASYNC_STREAM(zero_to_three)
{
    ASYNC_BEGIN;
    for (; self->i < 3; self->i++)
        YIELD(self->i);
    ASYNC_END;
}

/* Numbers that take their time. */
struct slow_numbers {
    STREAM(int);
    int i, n;
    struct edo_sleep sleep;
};

ASYNC_STREAM(slow_numbers)
{
    ASYNC_BEGIN;
    for (; self->i < self->n; self->i++) {
        AWAIT(self->sleep, edo_sleep(5));
        YIELD(self->i);
    }
    ASYNC_END;
}

struct counts {
    FUTURE(int);
    bool slowly;
    struct zero_to_three numbers;
    struct slow_numbers slow_numbers;
    STREAM_REF(int) stream;
    int n, got[3], count;
};

ASYNC(counts)
{
    ASYNC_BEGIN;
    self->numbers = NEW(zero_to_three);
    self->slow_numbers = NEW(slow_numbers, .n = 3);
    self->stream =
        self->slowly ? edo_stream_ref(&self->slow_numbers) : edo_stream_ref(&self->numbers);
    FOR_AWAIT(self->n, self->stream)
        self->got[self->count++] = self->n;
    cr_assert(self->got[0] == 0 && self->got[1] == 1 && self->got[2] == 2);
    RETURN(self->count);
    ASYNC_END;
}

Test(async_stream, from_zero_to_three)
{
    for (int slowly = 0; slowly < 2; slowly++) {
        cr_assert_eq(RUN_PAUSED(NEW(counts, .slowly = slowly != 0)), 3);
        SWEEP(NEW(counts, .slowly = slowly != 0));
    }
}

/* ---- One stream made of another ---- */

struct doubled {
    STREAM(int);
    STREAM_REF(int) input;
    int value;
};

ASYNC_STREAM(doubled)
{
    ASYNC_BEGIN;
    FOR_AWAIT(self->value, self->input)
        YIELD(self->value * 2);
ASYNC_FINALLY:
    DROP_STREAM(self->input);
    ASYNC_END;
}

struct doubles {
    FUTURE(int);
    struct slow_numbers numbers;
    struct doubled twice, four_times;
    STREAM_REF(int) stream;
    int n, sum;
    struct edo_sleep sleep;
};

ASYNC(doubles)
{
    ASYNC_BEGIN;
    self->numbers = NEW(slow_numbers, .n = 4);
    self->twice = NEW(doubled, .input = edo_stream_ref(&self->numbers));
    self->four_times = NEW(doubled, .input = edo_stream_ref(&self->twice));
    self->stream = edo_stream_ref(&self->four_times);
    FOR_AWAIT(self->n, self->stream) {
        AWAIT(self->sleep, edo_sleep(1));
        self->sum += self->n;
    }
    RETURN(self->sum);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(async_stream, one_made_of_another)
{
    cr_assert_eq(RUN_PAUSED(NEW(doubles)), 4 * (0 + 1 + 2 + 3));
    SWEEP(NEW(doubles));
}

/* ---- A generator that awaits, and that may fail: connections ---- */

struct bind_and_accept {
    STREAM(struct edo_tcp *);
    struct edo_addr addr;
    struct edo_tcp_listener *listener;
    struct edo_tcp_accept accept;
    int error;
};

ASYNC_STREAM(bind_and_accept)
{
    ASYNC_BEGIN;
    self->error = edo_tcp_listen(&self->listener, &self->addr);
    if (self->error < 0)
        RETURN(self->error);
    edo_tcp_listener_local(self->listener, &self->addr);
    for (;;) {
        TRY_AWAIT(self->accept, edo_tcp_accept(self->listener));
        YIELD(self->accept.stream);
    }
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

/* Reads a byte of each of so many connections. */
struct serves {
    FUTURE(int);
    int clients;
    uint16_t port;
    const struct edo_addr *taken; /* listens there */
    struct bind_and_accept connections;
    STREAM_REF(struct edo_tcp *) stream;
    struct edo_tcp *conn;
    char byte;
    struct edo_read_exact read;
};

ASYNC(serves)
{
    ASYNC_BEGIN;
    self->connections =
        NEW(bind_and_accept, .addr = self->taken != NULL ? *self->taken : loopback(0));
    self->stream = edo_stream_ref(&self->connections);
    TRY_FOR_AWAIT(self->conn, self->stream) {
        TRY_AWAIT(self->read, edo_read_exact(self->conn, &self->byte, 1));
        edo_tcp_close(self->conn);
        self->conn = NULL;
        if (--self->clients == 0)
            break;
    }
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    DROP_STREAM(self->stream);
    ASYNC_END;
}

/* The clients: one comes when the server waits for a connection, and sends its byte when it is read. */
struct clients {
    int fds[2], count;
};

static void serves_suspended(void *data, void *frame, unsigned n)
{
    struct clients *clients = data;
    struct serves *serves = frame;
    (void)n;
    if (serves->conn != NULL && clients->count > 0)
        (void)!send(clients->fds[clients->count - 1], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    else if (clients->count < 2 && serves->connections.listener != NULL)
        clients->fds[clients->count++] = raw_connect(&serves->connections.addr);
}

static void serves_end(void *data)
{
    struct clients *clients = data;
    while (clients->count > 0)
        close(clients->fds[--clients->count]);
}

static void serves_ended(void *data, const void *frame, bool completed)
{
    (void)data;
    if (completed)
        cr_assert_eq(((const struct serves *)frame)->output, 0);
}

Test(async_stream, a_generator_that_accepts)
{
    SWEEP(NEW(serves, .clients = 2), .real_time = true, .data_size = sizeof(struct clients),
          .suspended = serves_suspended, .ended = serves_ended, .end = serves_end);
}

Test(async_stream, a_generator_that_fails)
{
    struct edo_addr taken;
    int fd = raw_listener(&taken);
    cr_assert_eq(RUN(NEW(serves, .clients = 2, .taken = &taken)), UV_EADDRINUSE);
    close(fd);
}

/* ---- An interval, by hand: three ticks, 10 ms apart ---- */

struct interval {
    STREAM(uint64_t); /* when it was due */
    int left;
    struct edo_sleep delay; /* to the next tick */
};

static enum edo_poll interval_poll(struct edo_future *future, struct edo_context *cx)
{
    struct interval *self = (struct interval *)future;
    if (cx->walk == EDO_WALK_DROP) {
        edo_future_drop(&self->delay.future_, cx);
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "interval");
    if (self->left == 0)
        return edo_stream_end(&self->stream_, 0);
    if (edo_future_poll(&self->delay.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    if (self->delay.output < 0)
        return edo_stream_end(&self->stream_, self->delay.output);
    self->left--;
    EDO_ITEM(self) = self->delay.deadline;
    if (self->left > 0)
        self->delay = edo_sleep_until(edo_instant_add(self->delay.deadline, 10));
    return edo_stream_item(&self->stream_);
}

static struct edo_size_hint interval_size_hint(const struct edo_stream *stream)
{
    size_t left = (size_t)((const struct interval *)stream)->left;
    return (struct edo_size_hint){0, left};
}

/* The same as a generator. */
struct interval_too {
    STREAM(uint64_t);
    int left;
    uint64_t when;
    struct edo_sleep delay;
};

ASYNC_STREAM(interval_too)
{
    ASYNC_BEGIN;
    for (; self->left > 0; self->left--) {
        TRY_AWAIT(self->delay, edo_sleep_until(self->when));
        YIELD(self->when);
        self->when = edo_instant_add(self->when, 10);
    }
    ASYNC_END;
}

struct ticks {
    FUTURE(int);
    bool by_hand;
    struct interval interval;
    struct interval_too interval_too;
    STREAM_REF(uint64_t) stream;
    uint64_t start, at;
    int count;
};

ASYNC(ticks)
{
    ASYNC_BEGIN;
    self->start = edo_now();
    self->interval =
        NEW(interval, .left = 3, .delay = edo_sleep_until(edo_instant_add(self->start, 10)));
    self->interval.stream_.size_hint = interval_size_hint;
    self->interval_too = NEW(interval_too, .left = 3, .when = edo_instant_add(self->start, 10));
    self->stream =
        self->by_hand ? edo_stream_ref(&self->interval) : edo_stream_ref(&self->interval_too);
    TRY_FOR_AWAIT(self->at, self->stream) {
        self->count++;
        cr_assert_eq(self->at - self->start, (uint64_t)self->count * 10 * MS);
        cr_assert_geq(edo_now(), self->at, "never early");
        if (self->by_hand)
            cr_assert_eq(edo_stream_size_hint(self->stream).upper, 3 - (size_t)self->count);
    }
    RETURN(self->count);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(async_stream, an_interval_by_hand_and_as_a_generator)
{
    for (int by_hand = 0; by_hand < 2; by_hand++) {
        cr_assert_eq(RUN_PAUSED(NEW(ticks, .by_hand = by_hand != 0)), 3);
        SWEEP(NEW(ticks, .by_hand = by_hand != 0));
    }
    cr_assert_eq(RUN(NEW(ticks, .by_hand = true)), 3, "and with a clock that runs");
}

/* ---- Adapters over what takes time, without a word about polls ---- */

struct tenfold {
    FUTURE(int);
    int n;
    struct edo_sleep sleep;
};

ASYNC(tenfold)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(3));
    RETURN(10 * self->n);
    ASYNC_END;
}

static void tenfold_begin(void *arg, int *n, struct tenfold *tenfold)
{
    (void)arg;
    *tenfold = NEW(tenfold, .n = *n);
}

static bool is_odd(void *arg, const int *n)
{
    (void)arg;
    return *n % 2 != 0;
}

static void add(int *sum, int *n)
{
    *sum += *n;
}

struct pipeline {
    FUTURE(int);
    struct slow_numbers a, b;
    struct edo_stream_merge merge;
    struct edo_stream_filter odd;
    struct edo_stream_take take;
    struct edo_stream_then then;
    struct tenfold tenfold;
    STREAM_REF(int) stream;
    int n, room, sum;
    struct edo_stream_fold fold;
};

ASYNC(pipeline)
{
    ASYNC_BEGIN;
    self->a = NEW(slow_numbers, .n = 100);
    self->b = NEW(slow_numbers, .n = 100);
    self->stream =
        edo_stream_merge(&self->merge, edo_stream_ref(&self->a), edo_stream_ref(&self->b));
    self->stream = edo_stream_filter(&self->odd, self->stream, is_odd, NULL);
    self->stream =
        edo_stream_then(&self->then, self->stream, &self->n, &self->tenfold, tenfold_begin, NULL);
    self->stream = edo_stream_take(&self->take, self->stream, 4);
    TRY_AWAIT(self->fold, edo_stream_fold(self->stream, &self->room, add, &self->sum));
    RETURN(self->sum);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(async_stream, a_pipeline)
{
    cr_assert_eq(RUN_PAUSED(NEW(pipeline)), 10 * (1 + 1 + 3 + 3));
    SWEEP(NEW(pipeline));
}

Test(async_stream, every_await_was_cancelled)
{
    SWEEP(NEW(counts, .slowly = true));
    SWEEP(NEW(doubles));
    SWEEP(NEW(serves, .clients = 2), .real_time = true, .data_size = sizeof(struct clients),
          .suspended = serves_suspended, .ended = serves_ended, .end = serves_end);
    SWEEP(NEW(ticks));
    SWEEP(NEW(pipeline));
    sweep_covered("tests/async_stream_test.c");
}
