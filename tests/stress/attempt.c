/* SPDX-License-Identifier: MIT */
#include "attempt.h"

/* Any future, for the macros. */
struct any {
    FUTURE(void);
};
#define ANY(future) (*(struct any *)(future))

ASYNC(stress_yields)
{
    ASYNC_BEGIN;
    while (self->left-- > 0)
        YIELD_NOW();
    ASYNC_END;
}

/* A task that polls a future in somebody's frame. */
struct poller {
    FUTURE(void);
    struct edo_future *child;
};

ASYNC(poller)
{
    ASYNC_BEGIN;
    AWAIT_REF(ANY(self->child));
    ASYNC_END;
}

ASYNC(stress_attempt)
{
    ASYNC_BEGIN;
    if (self->way == STRESS_BY_HAND) {
        while (self->left-- > 0) {
            if (edo_future_poll(self->child, cx) == EDO_READY)
                RETURN(true);
            YIELD_NOW();
        }
    } else if (self->way == STRESS_BY_SELECT) {
        SELECT {
            WHEN_REF(ANY(self->child))
                RETURN(true);
            WHEN(self->yields, NEW(stress_yields, .left = self->left))
                break;
        }
    } else if (self->way == STRESS_BY_TIMEOUT) {
        AWAIT(self->timeout, edo_timeout_(0, self->child));
        if (self->timeout.output == 0)
            RETURN(true);
    } else if (self->way == STRESS_BY_ABORT || self->way == STRESS_BY_MOVE) {
        if (self->way == STRESS_BY_MOVE && edo_future_poll(self->child, cx) == EDO_READY)
            RETURN(true);
        self->handle = SPAWN_ON(self->where, NEW(poller, .child = self->child));
        if (self->way == STRESS_BY_ABORT) {
            while (self->left-- > 0)
                YIELD_NOW();
            edo_task_abort(self->handle);
        }
        AWAIT(self->join, edo_join(self->handle, NULL));
        if (self->join.output == 0)
            RETURN(true);
    } else {
        AWAIT_REF(ANY(self->child));
        RETURN(true);
    }
    self->life->cancelled++;
ASYNC_FINALLY:
    edo_future_drop(self->child, cx);
    ASYNC_END;
}

struct stress_attempt stress_attempt_(struct stress_life *life, struct edo_future *child,
                                      bool brief)
{
    struct stress *stress = life->stress;
    enum stress_way way = STRESS_TO_THE_END;
    struct edo_handle *where = NULL;
    if (brief || stress_random(life, life->odds) == 0)
        way = STRESS_BY_HAND + stress_random(life, 4);
    else if (stress_random(life, 64) == 0)
        way = STRESS_BY_MOVE;
    if (way == STRESS_BY_TIMEOUT && stress_may_block())
        way = STRESS_BY_HAND;
    /* Tasks cost more than polls. */
    if (way == STRESS_BY_ABORT && stress_random(life, 4) != 0)
        way = STRESS_BY_SELECT;
    if (way >= STRESS_BY_ABORT)
        where = stress->handles[stress_random(life, stress->runtimes)];
    return NEW(stress_attempt, .way = way, .left = stress_random(life, 4), .child = child,
               .life = life, .where = where);
}
