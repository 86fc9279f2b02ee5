/* SPDX-License-Identifier: MIT */
/* What the tests of sets of futures share: members that are ready when they are told so. */
#ifndef EDO_TESTS_FUTURES_UNORDERED_HELPERS_H
#define EDO_TESTS_FUTURES_UNORDERED_HELPERS_H

#include "poll_harness.h"

#include "edo.h"

/* Ready when it is told so; counts its polls, and keeps its waker like a channel's. */
struct latch {
    FUTURE(int);
    int id;
    bool *opened;
    struct edo_waker **kept;
    int *polls, *drops;
};

HARNESS enum edo_poll latch_poll(struct edo_future *future, struct edo_context *cx)
{
    struct latch *self = (struct latch *)future;
    if (cx->walk == EDO_WALK_DROP) {
        ++*self->drops;
        if (*self->kept != NULL)
            edo_waker_drop(*self->kept);
        *self->kept = NULL;
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "latch");
    ++*self->polls;
    if (*self->opened) {
        self->output = self->id;
        if (*self->kept != NULL)
            edo_waker_drop(*self->kept);
        *self->kept = NULL;
        return EDO_READY;
    }
    if (*self->kept == NULL)
        *self->kept = edo_waker_clone(cx->waker);
    return EDO_PENDING;
}

enum { MANY = 1000 };
HARNESS bool opened[MANY];
HARNESS struct edo_waker *kept[MANY];
HARNESS int polls[MANY], drops[MANY];

HARNESS struct latch latch(int id)
{
    opened[id] = false;
    kept[id] = NULL;
    polls[id] = drops[id] = 0;
    return NEW(latch, .id = id, .opened = &opened[id], .kept = &kept[id], .polls = &polls[id],
               .drops = &drops[id]);
}

HARNESS void tell(int id)
{
    opened[id] = true;
    if (kept[id] != NULL)
        edo_wake(kept[id]);
}

typedef FUTURES_UNORDERED(struct latch) set_t;

HARNESS void push(set_t *set, int id)
{
    cr_assert_eq(edo_futures_unordered_push(set, latch(id)), 0);
}

/* The outcome of one poll of the set. */
HARNESS int poll_stream(struct bench *bench, STREAM_REF(int) stream, int *n)
{
    struct edo_next next = edo_next(stream, n);
    if (edo_future_poll(&next.future_, &bench->cx) == EDO_PENDING) {
        edo_future_drop(&next.future_, &bench->cx);
        return EDO_STREAM_PENDING;
    }
    return next.output;
}

HARNESS void drop_stream(struct bench *bench, STREAM_REF(int) stream)
{
    struct edo_context *cx = &bench->cx;
    DROP_STREAM(stream);
}

#endif
