/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible types when assigning | clang incompatible type */
/* A future awaited in the place of another. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    struct edo_sleep sleep;
    struct edo_yield_now yield;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
#ifndef RIGHT
    AWAIT(self->yield, edo_sleep(1));
#else
    AWAIT(self->sleep, edo_sleep(1));
#endif
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
