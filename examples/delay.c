/* SPDX-License-Identifier: MIT */
/* A future written by hand (delay.h), awaited like any other. */
#include "delay.h"
#include "edo.h"

struct patience {
    FUTURE(int);
    struct delay one, other;
};

ASYNC(patience)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->one, delay(20));
    puts("woken by a thread");
    self->one = delay(10);
    self->other = delay(20);
    TRY_JOIN(&self->one, &self->other);
    puts("woken by two");
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(patience))
