/* SPDX-License-Identifier: MIT */
/* Futures that wait for nothing, or for ever, or do what a function does.
 *
 *     AWAIT(self->poll, edo_poll_with(look, self));
 *
 *     static enum edo_poll look(void *arg, struct edo_context *cx, int *output)
 *     {
 *         struct frame *self = arg;
 *         …
 *     }
 *
 * They are for where a future is wanted: a branch of JOIN or SELECT, a child, a test. Nothing is
 * allocated. Any executor. The budget is as it was. Cancel safe: dropping one does nothing. */
#ifndef EDO_COMBINATORS_READY_H
#define EDO_COMBINATORS_READY_H

#include "../future.h"

#ifdef __cplusplus
extern "C" {
#endif

/* edo_ready_now(output): ready at its first poll, with that output. (edo_ready is a connection's.) Inline, with
 * its poll function: where it is polled as soon as it is made, nothing is left to be called. */
struct edo_ready_now {
    EDO_FUTURE(int);
};
static inline enum edo_poll edo_ready_now_poll(struct edo_future *future, struct edo_context *cx)
{
    (void)future;
    return cx->walk != EDO_WALK_POLL ? edo_walk_leaf(cx, "edo_ready_now") : EDO_READY;
}
static inline struct edo_ready_now edo_ready_now(int output)
{
    return EDO_NEW_RETURNED(edo_ready_now, .output = output);
}

/* edo_pending(): never ready, and wakes nobody. */
struct edo_pending {
    EDO_FUTURE(int);
};
struct edo_pending edo_pending(void);

/* edo_lazy(function, arg): ready at its first poll, which calls function(arg) for its output. */
typedef int edo_lazy_fn(void *arg);
struct edo_lazy {
    EDO_FUTURE(int);
    edo_lazy_fn *function;
    void *arg;
};
struct edo_lazy edo_lazy(edo_lazy_fn *function, void *arg);

/* edo_poll_with(function, arg): each poll is function(arg, cx, &output), which obeys the rules of a
 * future's (poll.h): on EDO_PENDING it has arranged for cx->waker to be woken, or one of the futures it
 * polls has. It is not called when this future is dropped or traced, so it keeps no waker but a clone,
 * and what it polls is dropped by whoever has it. */
typedef enum edo_poll edo_poll_with_fn(void *arg, struct edo_context *cx, int *output);
struct edo_poll_with {
    EDO_FUTURE(int);
    edo_poll_with_fn *function;
    void *arg;
};
struct edo_poll_with edo_poll_with(edo_poll_with_fn *function, void *arg);

#ifdef __cplusplus
}
#endif

#endif
