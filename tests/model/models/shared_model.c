/* SPDX-License-Identifier: MIT */
/* Shared: whoever drives the inner future, all get its output, and nobody waits for one that has gone. */
#include "combinators/shared.h"
#include "executor.h"
#include "sync/notify.h"

typedef EDO_SHARED(int) shared_int;

static int data, dropped;

static void give_back(int i, shared_int *clone)
{
    struct edo_context cx;
    edo_context_init(&cx, &executor_of_thread(i)->waker);
    edo_shared_drop(clone, &cx);
}

/* An inner future of so many turns; what it does is seen by all. */
struct makes {
    EDO_FUTURE(int);
    int turns;
};

static enum edo_poll makes_poll(struct edo_future *future, struct edo_context *cx)
{
    struct makes *self = (struct makes *)future;
    if (cx->walk == EDO_WALK_DROP) {
        dropped++;
        return EDO_READY;
    }
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "makes");
    if (self->turns-- > 0) {
        edo_wake(cx->waker);
        return EDO_PENDING;
    }
    data++;
    self->output = 1;
    return EDO_READY;
}

static shared_int *first;

static void make(int turns)
{
    first = model_new(sizeof *first);
    model_assert(edo_shared(first, EDO_NEW(makes, .turns = turns)) == 0);
}

static shared_int *clone_of_first(void)
{
    return ON_HEAP(edo_shared_clone(first));
}

static void awaits(int i, shared_int *clone)
{
    executor_run(executor_of_thread(i), &clone->future_);
    model_assert(*clone->output == 1 && data == 1);
    give_back(i, clone);
}

static void awaits_in_thread(void *clone)
{
    awaits(1, clone);
}

MODEL(shared_two)
{
    make(1);
    model_thread(awaits_in_thread, clone_of_first());
    awaits(0, first);
    executors_end();
}

/* A clone of one that another thread has. */
static void clones(void *arg)
{
    shared_int *clone = arg;
    shared_int *other = ON_HEAP(edo_shared_clone(clone));
    give_back(1, clone);
    awaits(1, other);
}

MODEL(shared_cloned)
{
    make(0);
    model_thread(clones, clone_of_first());
    awaits(0, first);
    executors_end();
}

/* One gives up, and may be the last to go. */
static void gives_up(int i, shared_int *clone)
{
    if (executor_poll(executor_of_thread(i), &clone->future_) == EDO_READY)
        model_assert(data == 1);
    give_back(i, clone);
}

static void gives_up_in_thread(void *clone)
{
    gives_up(1, clone);
}

MODEL(shared_given_up)
{
    make(1);
    model_thread(gives_up_in_thread, clone_of_first());
    awaits(0, first);
    executors_end();
    model_assert(dropped == 0);
}

MODEL(shared_dropped)
{
    make(1);
    model_thread(gives_up_in_thread, clone_of_first());
    gives_up(0, first);
    executors_end();
    model_assert(dropped + data == 1);
}

/* The last one frees what the output owns, after the others have looked at it. */
static void free_output(int *output)
{
    *output = 0;
    dropped++;
}

MODEL(shared_output_freed)
{
    make(0);
    edo_shared_on_drop(first, free_output);
    model_thread(awaits_in_thread, clone_of_first());
    awaits(0, first);
    executors_end();
    model_assert(dropped == 1);
}

/* The inner future waits in a list; the one that drove it goes; a third thread wakes. */
static struct edo_notify *notify;

struct waits {
    EDO_FUTURE(int);
    struct edo_notified notified;
};

static enum edo_poll waits_poll(struct edo_future *future, struct edo_context *cx)
{
    struct waits *self = (struct waits *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(&self->notified.future_, cx);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "waits");
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        self->notified = edo_notified(notify);
    }
    if (edo_future_poll(&self->notified.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    data++;
    self->output = 1;
    return EDO_READY;
}

static void notifies(void *arg)
{
    edo_notify_one(arg);
}

static void make_waits(void)
{
    notify = model_new(sizeof *notify);
    edo_notify_init(notify);
    first = model_new(sizeof *first);
    model_assert(edo_shared(first, EDO_NEW(waits)) == 0);
}

MODEL(shared_woken)
{
    make_waits();
    model_thread(notifies, notify);
    awaits(0, first);
    executors_end();
    edo_notify_destroy(notify);
}

MODEL(shared_driver_gone)
{
    make_waits();
    model_thread(notifies, notify);
    model_thread(gives_up_in_thread, clone_of_first());
    awaits(0, first);
    executors_end();
    edo_notify_destroy(notify);
}

/* It goes while it is woken: the claim keeps the core. */
MODEL(shared_gone)
{
    make_waits();
    model_thread(notifies, notify);
    gives_up(0, first);
    executors_end();
    edo_notify_destroy(notify);
}

/* A clone of its waker in a thread of its own, used while, and after, the clones go. */
struct leaks {
    EDO_FUTURE(int);
};

static void wakes(void *waker)
{
    edo_wake(waker);
    edo_waker_drop(waker);
}

static enum edo_poll leaks_poll(struct edo_future *future, struct edo_context *cx)
{
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "leaks");
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        model_thread(wakes, edo_waker_clone(cx->waker));
    }
    return EDO_PENDING;
}

MODEL(shared_waker_outlives)
{
    first = model_new(sizeof *first);
    model_assert(edo_shared(first, EDO_NEW(leaks)) == 0);
    executor_poll(executor_of_thread(0), &first->future_);
    give_back(0, first);
    executors_end();
}

/* Traced by one, polled by the other: nobody is turned away for good. */
static void trace_line(void *arg, int depth, const char *name, const char *file, int line)
{
    (void)arg, (void)depth, (void)name, (void)file, (void)line;
}

static void traces(void *arg)
{
    shared_int *clone = arg;
    struct edo_context cx;
    edo_context_init(&cx, &executor_of_thread(1)->waker);
    cx.trace = trace_line;
    edo_future_trace(&clone->future_, &cx);
    give_back(1, clone);
}

MODEL(shared_traced)
{
    make(1);
    model_thread(traces, clone_of_first());
    awaits(0, first);
    executors_end();
}

/* Whoever drives it panics, and the other does; the frames go once. */
struct panics {
    EDO_FUTURE(int);
};

static enum edo_poll panics_poll(struct edo_future *future, struct edo_context *cx)
{
    (void)future;
    if (cx->walk == EDO_WALK_DROP)
        dropped++;
    if (cx->walk != EDO_WALK_POLL)
        return EDO_READY;
    data++;
    return edo_panic(cx, "panics", __FILE__, __LINE__, "for all");
}

static void panics_too(int i, shared_int *clone)
{
    struct edo_context cx;
    edo_context_init(&cx, &executor_of_thread(i)->waker);
    while (edo_future_poll(&clone->future_, &cx) == EDO_PENDING && cx.panic.name == NULL)
        executor_sleep(executor_of_thread(i));
    model_assert(cx.panic.message[0] == 'f');
    edo_shared_drop(clone, &cx);
}

static void panics_in_thread(void *clone)
{
    panics_too(1, clone);
}

MODEL(shared_panic)
{
    first = model_new(sizeof *first);
    model_assert(edo_shared(first, EDO_NEW(panics)) == 0);
    model_thread(panics_in_thread, clone_of_first());
    panics_too(0, first);
    executors_end();
    model_assert(data == 1 && dropped == 1);
}
