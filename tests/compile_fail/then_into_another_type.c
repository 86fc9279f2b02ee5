/* SPDX-License-Identifier: MIT */
/* expect: gcc the function.+s type does not go | clang the function.+s type does not go */
/* The function makes a sleep where an interval's tick is to be. */
#include "edo.h"

static void sleep_again(void *arg, int *output, struct edo_sleep *next)
{
    (void)arg;
    *next = edo_sleep(*output < 0 ? 1 : 2);
}

struct wrong {
    FUTURE(int);
    struct edo_sleep sleep;
#ifndef RIGHT
    struct edo_interval_tick next;
#else
    struct edo_sleep next;
#endif
    struct edo_then then;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    self->sleep = edo_sleep(1);
    AWAIT(self->then, edo_then(&self->sleep, &self->next, sleep_again, NULL));
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
