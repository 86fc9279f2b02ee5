/* SPDX-License-Identifier: MIT */
#include "catch_panic.h"

#include "child.h"

static enum edo_poll edo_catch_panic_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_catch_panic *self = (struct edo_catch_panic *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_child_walk_(self->child, cx, "edo_catch_panic");
    /* Somebody else's: of a FINALLY that the frame above ran before it came here. */
    if (cx->panic.name != NULL)
        return EDO_PENDING;
    enum edo_poll poll = edo_child_poll_(self->child, cx);
    if (cx->panic.name == NULL) {
        self->output = 0;
        return poll;
    }
    if (self->panic != NULL)
        *self->panic = cx->panic;
    /* Taken back before the drop, so that a panic in it is a first one, which the context keeps. */
    cx->panic.name = NULL;
    edo_future_drop(self->child, cx);
    self->output = EDO_EPANIC;
    return cx->panic.name == NULL ? EDO_READY : EDO_PENDING;
}

struct edo_catch_panic edo_catch_panic_(struct edo_future *child, struct edo_panic *panic)
{
    return EDO_NEW_RETURNED(edo_catch_panic, .child = child, .panic = panic);
}
