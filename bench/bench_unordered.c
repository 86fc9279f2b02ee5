/* SPDX-License-Identifier: MIT */
/* A set of futures of which one is woken at a time: the price of a wake, whatever the others are. */
#include <stdlib.h>

#include "bench.h"

/* Waits for ever. Its first poll leaves its waker where the bench finds it. */
struct member {
    FUTURE(int);
    struct edo_waker **waker;
    uint64_t *polls;
};

static enum edo_poll member_poll(struct edo_future *future, struct edo_context *cx)
{
    struct member *self = (struct member *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "member");
    ++*self->polls;
    if (*self->waker == NULL)
        *self->waker = edo_waker_clone(cx->waker);
    return EDO_PENDING;
}

struct unordered {
    FUTURE(int);
    struct bench *bench;
    size_t members;
    FUTURES_UNORDERED(struct member) set;
    STREAM_REF(int) stream;
    struct edo_waker **wakers;
    uint64_t polls;
    int nothing;
};

/* True: some member has ended, which none does. */
static bool poll_set(struct unordered *self, struct edo_context *cx)
{
    return edo_stream_poll(&self->set.set.stream_, cx, &self->nothing) != EDO_STREAM_PENDING;
}

/* Wakes and polls in one poll of its own, the set itself, as the peer's does: what a task and its queue cost is told
 * by other workloads. */
ASYNC(unordered)
{
    ASYNC_BEGIN;
    self->stream = edo_futures_unordered(&self->set);
    self->wakers = calloc(self->members, sizeof *self->wakers);
    if (self->wakers == NULL)
        RETURN(UV_ENOMEM);
    for (size_t i = 0; i < self->members; i++) {
        self->output = edo_futures_unordered_push(
            &self->set, NEW(member, .waker = &self->wakers[i], .polls = &self->polls));
        if (self->output < 0)
            RETURN(self->output);
    }
    while (self->polls < self->members)
        if (poll_set(self, cx))
            RETURN(UV_EIO);
    bench_start(self->bench);
    uint32_t x = 1;
    for (uint64_t i = 0; i < self->bench->n; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        edo_wake(self->wakers[x % self->members]);
        if (poll_set(self, cx))
            RETURN(UV_EIO);
    }
    bench_stop(self->bench, self->bench->n);
    RETURN(self->polls == self->members + self->bench->n ? 0 : UV_EIO);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    for (size_t i = 0; self->wakers != NULL && i < self->members; i++)
        if (self->wakers[i] != NULL)
            edo_waker_drop(self->wakers[i]);
    free(self->wakers);
    ASYNC_END;
}

static int run(struct bench *bench, size_t members)
{
    return bench_join(bench, SPAWN_ON(edo_runtime_handle(bench->runtime),
                                      NEW(unordered, .bench = bench, .members = members)));
}

int bench_unordered_10(struct bench *bench)
{
    return run(bench, 10);
}

int bench_unordered_100000(struct bench *bench)
{
    return run(bench, 100000);
}
