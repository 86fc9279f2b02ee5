/* SPDX-License-Identifier: MIT */
#include "then.h"

typedef void then_fn(void *arg, void *output, void *next);

/* The future's state once the next one has been made. */
enum { NEXT = 1 };

static enum edo_poll walk(struct edo_future *future, const struct edo_then_ *then,
                          struct edo_context *cx, const char *name)
{
    return edo_child_walk_(future->state == NEXT ? then->next : then->child, cx, name);
}

static enum edo_poll go_on(struct edo_future *future, const struct edo_then_ *then,
                           struct edo_context *cx)
{
    if (future->state != NEXT) {
        ((then_fn *)then->function)(then->arg, edo_output_at_(then->child, then->of_child),
                                    then->next);
        future->state = NEXT;
    }
    return edo_future_poll(then->next, cx);
}

/* Of the two that look at the sign: the next one is made when the child's output is, or is not,
 * negative. */
static enum edo_poll go_on_if(bool negative, struct edo_future *future,
                              const struct edo_then_ *then, struct edo_output_ of_next,
                              ssize_t *output, struct edo_context *cx)
{
    if (future->state != NEXT) {
        if (edo_child_poll_(then->child, cx) == EDO_PENDING)
            return EDO_PENDING;
        *output = edo_output_integer_(then->child, then->of_child);
        if ((*output < 0) != negative)
            return EDO_READY;
    }
    if (go_on(future, then, cx) == EDO_PENDING)
        return EDO_PENDING;
    *output = edo_output_integer_(then->next, of_next);
    return EDO_READY;
}

static enum edo_poll edo_then_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_then *self = (struct edo_then *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(future, &self->then, cx, "edo_then");
    if (future->state != NEXT && edo_child_poll_(self->then.child, cx) == EDO_PENDING)
        return EDO_PENDING;
    return go_on(future, &self->then, cx);
}

struct edo_then edo_then_future_(struct edo_then_ then)
{
    return EDO_NEW_RETURNED(edo_then, .then = then);
}

static enum edo_poll edo_and_then_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_and_then *self = (struct edo_and_then *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(future, &self->then, cx, "edo_and_then");
    return go_on_if(false, future, &self->then, self->of_next, &self->output, cx);
}

struct edo_and_then edo_and_then_future_(struct edo_then_ then, struct edo_output_ of_next)
{
    return EDO_NEW_RETURNED(edo_and_then, .then = then, .of_next = of_next);
}

static enum edo_poll edo_or_else_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_or_else *self = (struct edo_or_else *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(future, &self->then, cx, "edo_or_else");
    return go_on_if(true, future, &self->then, self->of_next, &self->output, cx);
}

struct edo_or_else edo_or_else_future_(struct edo_then_ then, struct edo_output_ of_next)
{
    return EDO_NEW_RETURNED(edo_or_else, .then = then, .of_next = of_next);
}
