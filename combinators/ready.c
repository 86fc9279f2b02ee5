/* SPDX-License-Identifier: MIT */
#include "ready.h"

static enum edo_poll edo_pending_poll(struct edo_future *future, struct edo_context *cx)
{
    (void)future;
    return cx->walk != EDO_WALK_POLL ? edo_walk_leaf(cx, "edo_pending") : EDO_PENDING;
}

struct edo_pending edo_pending(void)
{
    return EDO_NEW_RETURNED(edo_pending);
}

static enum edo_poll edo_lazy_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_lazy *self = (struct edo_lazy *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_lazy");
    self->output = self->function(self->arg);
    return EDO_READY;
}

struct edo_lazy edo_lazy(edo_lazy_fn *function, void *arg)
{
    return EDO_NEW_RETURNED(edo_lazy, .function = function, .arg = arg);
}

static enum edo_poll edo_poll_with_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_poll_with *self = (struct edo_poll_with *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_poll_with");
    return self->function(self->arg, cx, &self->output);
}

struct edo_poll_with edo_poll_with(edo_poll_with_fn *function, void *arg)
{
    return EDO_NEW_RETURNED(edo_poll_with, .function = function, .arg = arg);
}
