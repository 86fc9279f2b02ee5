/* SPDX-License-Identifier: MIT */
/* Two tasks that wake each other in turn. */
#include "bench.h"

struct answers {
    FUTURE(int);
    struct edo_notify *ping, *pong;
    uint64_t n;
    struct edo_notified notified;
};

ASYNC(answers)
{
    ASYNC_BEGIN;
    for (; self->n > 0; self->n--) {
        AWAIT(self->notified, edo_notified(self->ping));
        edo_notify_one(self->pong);
    }
    RETURN(0);
    ASYNC_END;
}

struct asks {
    FUTURE(int);
    struct edo_notify *ping, *pong;
    uint64_t n;
    struct edo_notified notified;
};

ASYNC(asks)
{
    ASYNC_BEGIN;
    for (; self->n > 0; self->n--) {
        edo_notify_one(self->ping);
        AWAIT(self->notified, edo_notified(self->pong));
    }
    RETURN(0);
    ASYNC_END;
}

struct notify {
    FUTURE(int);
    struct bench *bench;
    struct edo_notify ping, pong;
    JOIN_HANDLE(int) answers, asks;
    int error;
    struct edo_join join;
};

ASYNC(notify)
{
    ASYNC_BEGIN;
    edo_notify_init(&self->ping);
    edo_notify_init(&self->pong);
    bench_start(self->bench);
    self->answers =
        SPAWN(NEW(answers, .ping = &self->ping, .pong = &self->pong, .n = self->bench->n));
    self->asks = SPAWN(NEW(asks, .ping = &self->ping, .pong = &self->pong, .n = self->bench->n));
    TRY_AWAIT(self->join, edo_join(self->asks, &self->error));
    TRY_AWAIT(self->join, edo_join(self->answers, &self->error));
    bench_stop(self->bench, self->bench->n);
    edo_notify_destroy(&self->ping);
    edo_notify_destroy(&self->pong);
    RETURN(0);
    ASYNC_END;
}

BENCH(notify)
