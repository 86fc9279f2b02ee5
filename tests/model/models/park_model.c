/* SPDX-License-Identifier: MIT */
/* Parking: a wake carries what was written before it, and is not lost. */
#include "executor.h"
#include "internal/park.h"

static struct edo_waker *waker;
static int data;

static void wakes(void *arg)
{
    (void)arg;
    data = 1;
    edo_wake(waker);
    edo_waker_drop(waker);
}

/* Nothing but the wake orders the two. */
struct told {
    EDO_FUTURE(int);
};

static enum edo_poll told_poll(struct edo_future *future, struct edo_context *cx)
{
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "told");
    if (future->state != EDO_STATE_FRESH) {
        ((struct told *)future)->output = data;
        return EDO_READY;
    }
    future->state = 1;
    waker = edo_waker_clone(cx->waker);
    model_thread(wakes, NULL);
    return EDO_PENDING;
}

MODEL(park_carries_writes)
{
    struct told future = EDO_NEW(told);
    model_assert(edo_park_on(&future.future_) == 0);
    model_assert(future.output == 1);
}
