/* SPDX-License-Identifier: MIT */
/* The same future twice: by the macros, and by hand. The macros write nothing that a person could
 * not; docs/expansion.md shows what they do write. */
#include "edo.h"

struct twice {
    FUTURE(int);
    int n;
    struct edo_sleep sleep;
};

ASYNC(twice)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(10));
    RETURN(2 * self->n);
    ASYNC_END;
}

struct twice_by_hand {
    FUTURE(int);
    int n;
    struct edo_sleep sleep;
};

enum { SLEEPING = 1 }; /* what `state` says after EDO_STATE_FRESH */

static enum edo_poll twice_by_hand_poll(struct edo_future *future, struct edo_context *cx)
{
    struct twice_by_hand *self = (struct twice_by_hand *)future;
    switch (cx->walk) {
    case EDO_WALK_DROP: /* never polled again: pass it on */
        edo_future_drop(&self->sleep.future_, cx);
        return EDO_READY;
    case EDO_WALK_TRACE: /* who are you, and what are you waiting for? */
        edo_trace(cx, "twice_by_hand", NULL, 0);
        cx->depth++;
        edo_future_trace(&self->sleep.future_, cx);
        cx->depth--;
        return EDO_PENDING;
    case EDO_WALK_POLL:
        break;
    }
    if (future->state == EDO_STATE_FRESH) {
        self->sleep = edo_sleep(10);
        future->state = SLEEPING;
    }
    if (edo_future_poll(&self->sleep.future_, cx) == EDO_PENDING)
        return EDO_PENDING; /* the sleep has seen to it that we are woken */
    self->output = 2 * self->n;
    return EDO_READY;
}

struct compare {
    FUTURE(int);
    struct twice by_macro;
    struct twice_by_hand by_hand;
};

ASYNC(compare)
{
    ASYNC_BEGIN;
    self->by_macro = NEW(twice, .n = 21);
    self->by_hand = NEW(twice_by_hand, .n = 21);
    JOIN(&self->by_macro, &self->by_hand);
    printf("by macro %d, by hand %d\n", self->by_macro.output, self->by_hand.output);
    RETURN(self->by_macro.output == self->by_hand.output ? 0 : 1);
    ASYNC_END;
}

EDO_MAIN(NEW(compare))
