/* SPDX-License-Identifier: MIT */
/* A clone of the waker may outlive the call: what it wakes is a block of its own, counted.
 *
 * `woken` is set before the event and cleared before the poll, so a wake during a poll makes another.
 * Release and acquire: what was done before the wake is seen by that poll. A waker that finds `woken`
 * set leaves its writes in the same release sequence, and the event to who set it first.
 *
 * A future that wakes itself as it is polled gives way, to others, who are on other threads: nobody need be told, and
 * the next poll follows.
 */
#include "park.h"

#include <stdio.h>

#include "../error.h"
#include "sys.h"
#include "thread.h"

struct parked {
    struct edo_waker waker;
    _Atomic(uint32_t) refs; /* the sleeper's, clones, claims */
    atomic_bool woken;
    struct edo_event event;
    const struct edo_thread *thread; /* the sleeper. Constant */
    bool again;                      /* it woke itself since its last poll began. Its own */
};

static struct parked *parked_of(struct edo_waker *waker)
{
    return (struct parked *)waker;
}

static void parked_wake(struct edo_waker *waker)
{
    struct parked *parked = parked_of(waker);
    if (parked->thread == &edo_thread)
        parked->again = true;
    else if (!edo_exchange(&parked->woken, true, release))
        edo_event_set(&parked->event);
}

static struct edo_waker *parked_ref(struct edo_waker *waker)
{
    edo_fetch_add(&parked_of(waker)->refs, 1, relaxed);
    return waker;
}

static void parked_unref(struct edo_waker *waker)
{
    struct parked *parked = parked_of(waker);
    if (edo_fetch_sub(&parked->refs, 1, acq_rel) != 1)
        return;
    edo_event_destroy(&parked->event);
    edo_free(parked);
}

static struct edo_waker *parked_clone(struct edo_waker *waker)
{
    EDO_COUNT(WAKERS, 1);
    return parked_ref(waker);
}

static void parked_drop(struct edo_waker *waker)
{
    EDO_COUNT(WAKERS, -1);
    parked_unref(waker);
}

static void parked_finish(struct edo_waker *claimed)
{
    parked_wake(claimed);
    parked_unref(claimed);
}

/* Stable: the sleeper's reference lasts until its future is done. */
static const struct edo_waker_ops parked_ops = {parked_wake, parked_clone, parked_drop, parked_ref,
                                                parked_finish};

static void nothing(struct edo_waker *waker)
{
    (void)waker;
}

static struct edo_waker *itself(struct edo_waker *waker)
{
    return waker;
}

static int refuse(struct edo_future *future, int error)
{
    static const struct edo_waker_ops ops = {nothing, itself, nothing, itself, nothing};
    static struct edo_waker nobody = {&ops};
    struct edo_context cx;
    edo_context_init(&cx, &nobody);
    edo_future_drop(future, &cx);
    return error;
}

int edo_park_on(struct edo_future *future)
{
    return edo_thread.running != NULL ? refuse(future, EDO_ENESTED)
                                      : edo_park_poll(future, NULL, NULL);
}

/* Until it is to be polled again. */
static void wait(struct parked *parked, void (*gives_way)(void *), void *arg)
{
    if (parked->again) {
        parked->again = false;
        if (gives_way != NULL)
            gives_way(arg);
        return;
    }
    do
        edo_event_wait(&parked->event);
    while (!edo_exchange(&parked->woken, false, acquire));
}

int edo_park_poll(struct edo_future *future, void (*gives_way)(void *), void *arg)
{
    struct parked *parked = edo_malloc(sizeof *parked);
    if (parked == NULL)
        return refuse(future, -ENOMEM);
    parked->waker.ops = &parked_ops;
    edo_init(&parked->refs, 1);
    edo_init(&parked->woken, false);
    edo_event_init(&parked->event);
    parked->thread = &edo_thread;
    parked->again = false;
    struct edo_context cx;
    edo_context_init(&cx, &parked->waker);
    int error = 0;
    for (;;) {
        enum edo_poll poll = edo_future_poll(future, &cx);
        /* Also of one that is ready: its FINALLY may panic. */
        if (cx.panic.name != NULL) {
            error = EDO_EPANIC;
            fprintf(stderr, "edo: a future panicked: %s\n  %s (%s:%d)\n", cx.panic.message,
                    cx.panic.name, cx.panic.file, cx.panic.line);
            edo_future_drop(future, &cx);
        }
        if (poll == EDO_READY || error < 0)
            break;
        wait(parked, gives_way, arg);
        cx.budget = EDO_BUDGET;
    }
    parked_unref(&parked->waker);
    return error;
}
