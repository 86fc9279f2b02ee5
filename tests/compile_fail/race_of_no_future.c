/* SPDX-License-Identifier: MIT */
/* expect: gcc no member named 'future_'|has no member named | clang no member named 'future_' */
/* RACE of something that is no future. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    int winner;
    struct edo_sleep sleep;
    struct edo_interval interval;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    self->sleep = edo_sleep(1);
#ifndef RIGHT
    RACE(self->winner, &self->sleep, &self->interval);
#else
    RACE(self->winner, &self->sleep);
#endif
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
