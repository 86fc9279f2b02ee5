/* SPDX-License-Identifier: MIT */
/* expect: gcc output of a future that may fail | clang output of a future that may fail */
/* and_then looks at the sign of an output that has none. */
#include "edo.h"

struct half {
#ifndef RIGHT
    FUTURE(double);
#else
    FUTURE(int);
#endif
};

ASYNC(half)
{
    ASYNC_BEGIN;
    RETURN(1);
    ASYNC_END;
}

static void sleep_then(void *arg, __typeof__(((struct half *)0)->output) *output,
                       struct edo_sleep *next)
{
    (void)arg;
    (void)output;
    *next = edo_sleep(1);
}

struct wrong {
    FUTURE(int);
    struct half half;
    struct edo_sleep sleep;
    struct edo_and_then then;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    self->half = NEW(half);
    AWAIT(self->then, edo_and_then(&self->half, &self->sleep, sleep_then, NULL));
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
