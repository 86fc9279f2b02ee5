/* SPDX-License-Identifier: MIT */
/* Two actors whose channels form a circle: a chief sends parts of an order to a worker, which sends each
 * result back. Where both channels are bounded, and both sides wait for room before they receive
 * again, a long order gets stuck: the results' channel is full, so the worker waits; then that of the
 * parts is full, so the chief waits. No capacity is large enough for every order.
 *
 * It is enough that one side never waits for the other's channel without serving its own:
 *  - one direction is unbounded: right where something else bounds it, here the order's length;
 *  - one direction tries: the worker keeps the result when there is no room, and sends it with the next;
 *  - one side receives while it waits to send: the chief, in a SELECT. */
#include "actors.h"

enum way { BOTH_WAIT, UNBOUNDED_BACK, TRIES_BACK, RECEIVES_MEANWHILE, WAYS };
static const char *const ways[WAYS] = {"both wait", "unbounded back", "tries back",
                                       "receives meanwhile"};
enum { PARTS = 6, HOUR = 3600000 };

struct cycle_worker {
    FUTURE(int);
    enum way way;
    MPSC_RECEIVER(int) parts;
    MPSC_SENDER(int) results;
    int part, result;
    union {
        struct edo_mpsc_recv recv;
        struct edo_mpsc_send send;
    };
};

ASYNC(cycle_worker)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->parts, &self->part));
        if (self->recv.output < 0)
            break;
        self->result += self->part * self->part;
        if (self->way != TRIES_BACK)
            TRY_AWAIT(self->send, edo_mpsc_send(self->results, &self->result));
        else if (edo_mpsc_try_send(self->results, &self->result) == UV_EAGAIN)
            continue;
        self->result = 0;
    }
    if (self->result > 0) /* the chief has sent all, and does nothing but receive now */
        TRY_AWAIT(self->send, edo_mpsc_send(self->results, &self->result));
    RETURN(0);
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->parts);
    edo_mpsc_sender_drop(self->results);
    ASYNC_END;
}

struct cycle_chief {
    FUTURE(int); /* the sum of the squares */
    enum way way;
    MPSC_SENDER(int) parts;
    MPSC_RECEIVER(int) results;
    int part, result, sum;
    bool sent;
    struct edo_mpsc_send send;
    struct edo_mpsc_recv recv;
};

ASYNC(cycle_chief)
{
    ASYNC_BEGIN;
    for (self->part = 1; self->part <= PARTS; self->part++) {
        self->send = edo_mpsc_send(self->parts, &self->part);
        for (self->sent = false; !self->sent;) {
            SELECT {
                WHEN_REF(self->send) { /* goes on waiting, in its place in the row, when it loses */
                    self->sent = true;
                }
                WHEN_IF_MATCH(self->way == RECEIVES_MEANWHILE, self->recv.output == 0, self->recv,
                              edo_mpsc_recv(self->results, &self->result)) {
                    self->sum += self->result;
                }
            }
        }
        if (self->send.output < 0)
            RETURN(self->send.output);
    }
    edo_mpsc_sender_drop(self->parts); /* that was the order */
    self->parts = NULL;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->results, &self->result));
        if (self->recv.output < 0)
            RETURN(self->sum); /* and these were the results */
        self->sum += self->result;
    }
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->parts);
    edo_mpsc_receiver_drop(self->results);
    ASYNC_END;
}

struct cycle {
    FUTURE(int);
    enum way way;
    JOIN_HANDLE(int) worker;
    struct cycle_chief chief;
    union {
        struct edo_timeout timeout;
        struct edo_join join;
    };
};

static int cycle_start(struct cycle *self)
{
    MPSC_SENDER(int) to_worker, to_chief = NULL;
    MPSC_RECEIVER(int) parts, results = NULL;
    int error = edo_mpsc(&to_worker, &parts, 1);
    if (error == 0)
        error = edo_mpsc(&to_chief, &results, self->way == UNBOUNDED_BACK ? EDO_UNBOUNDED : 1);
    if (error < 0) {
        edo_mpsc_sender_drop(to_worker);
        edo_mpsc_receiver_drop(parts);
        return error;
    }
    self->worker = SPAWN(NEW(cycle_worker, .way = self->way, .parts = parts, .results = to_chief));
    self->chief = NEW(cycle_chief, .way = self->way, .parts = to_worker, .results = results);
    return 0;
}

static void print_await(void *arg, int depth, const char *name, const char *file, int line)
{
    (void)arg, (void)file, (void)line;
    printf("  %*s%s\n", 2 * depth + 2, "", name);
}

ASYNC(cycle)
{
    JOIN_HANDLE(int) worker;
    ASYNC_BEGIN;
    for (self->way = BOTH_WAIT; self->way < WAYS; self->way++) {
        self->output = cycle_start(self);
        if (self->output < 0)
            RETURN(self->output);
        AWAIT(self->timeout, edo_timeout(HOUR, &self->chief));
        if (self->timeout.output == UV_ETIMEDOUT) {
            printf("  %s: stuck; the worker is in\n", ways[self->way]);
            edo_task_trace(self->worker, print_await, NULL);
        } else {
            printf("  %s: the sum is %d\n", ways[self->way], self->chief.output);
        }
        /* The chief has ended, or was dropped with its ends of the channels: so the worker ends. */
        worker = self->worker;
        self->worker = NULL;
        TRY_AWAIT(self->join, edo_join(worker, NULL));
    }
    RETURN(0);
ASYNC_FINALLY:
    edo_task_detach(self->worker);
    ASYNC_END;
}

JOIN_HANDLE(int) play_cycle(void)
{
    return SPAWN(NEW(cycle));
}
