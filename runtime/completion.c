/* SPDX-License-Identifier: MIT */
#include "../internal/waiter.h"
#include "driver.h"
#include "embed.h"

struct edo_completion {
    _Atomic(uint32_t) refs;
    struct edo_lock lock; /* guards the rest: the two sides may be on two threads */
    bool complete;
    int status;
    struct edo_waker *waker; /* cloned: woken outside the lock */
    _Alignas(16) char data[];
};

struct edo_completion *edo_completion_new(size_t size)
{
    struct edo_completion *completion =
        size < SIZE_MAX - sizeof *completion ? edo_calloc(1, sizeof *completion + size) : NULL;
    if (completion == NULL)
        return NULL;
    edo_init(&completion->refs, 2);
    edo_lock_init(&completion->lock);
    return completion;
}

void *edo_completion_data(struct edo_completion *completion)
{
    return completion->data;
}

struct edo_completion *edo_completion_hold(struct edo_completion *completion)
{
    edo_fetch_add(&completion->refs, 1, relaxed);
    return completion;
}

void edo_completion_drop(struct edo_completion *completion)
{
    /* Release this side's accesses; the last acquires the other's. */
    if (edo_fetch_sub(&completion->refs, 1, acq_rel) != 1)
        return;
    edo_lock_destroy(&completion->lock);
    edo_free(completion);
}

void edo_completion_complete(struct edo_completion *completion, int status)
{
    edo_lock(&completion->lock);
    completion->complete = true;
    completion->status = status;
    struct edo_waker *waker = completion->waker;
    completion->waker = NULL;
    edo_unlock(&completion->lock);
    if (waker != NULL) {
        edo_wake(waker);
        edo_waker_drop(waker);
    }
    edo_completion_drop(completion);
}

/* Exchanges the waker under the lock; what came out is dropped after it. False: complete. */
static bool set_waker(struct edo_completion *completion, struct edo_waker *waker)
{
    edo_lock(&completion->lock);
    bool waits = !completion->complete;
    if (waits) {
        struct edo_waker *old = completion->waker;
        completion->waker = waker;
        waker = old;
    }
    edo_unlock(&completion->lock);
    if (waker != NULL)
        edo_waker_drop(waker);
    return waits;
}

static void end(struct edo_completion_wait *self)
{
    edo_completion_drop(self->completion);
    self->completion = NULL;
    if (self->driver != NULL)
        edo_driver_request_end(self->driver);
    self->driver = NULL;
}

static enum edo_poll edo_completion_wait_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_completion_wait *self = (struct edo_completion_wait *)future;
    if (cx->walk == EDO_WALK_DROP) {
        set_waker(self->completion, NULL);
        end(self);
    }
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_completion_wait");
    if (edo_budget_spent(cx))
        return EDO_PENDING;
    /* Under way on this runtime: paused time waits for it. A shared driver's time is never paused, and its
     * future may be polled on one thread and dropped on another: it is left alone. */
    struct edo_driver *driver = edo_driver_here();
    if (self->driver == NULL && driver != NULL && !driver->shared) {
        self->driver = driver;
        edo_driver_request_begin(driver);
    }
    if (set_waker(self->completion, edo_waker_clone(cx->waker)))
        return EDO_PENDING;
    edo_budget_spend(cx);
    self->output = self->completion->status;
    end(self);
    return EDO_READY;
}

struct edo_completion_wait edo_completion_wait(struct edo_completion *completion)
{
    return EDO_NEW_RETURNED(edo_completion_wait, .completion = completion);
}
