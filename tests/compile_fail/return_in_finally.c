/* SPDX-License-Identifier: MIT */
/* expect: gcc RETURN after ASYNC_FINALLY | clang RETURN after ASYNC_FINALLY */
/* A RETURN in ASYNC_FINALLY, which is where a RETURN goes: it would be run for ever. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    bool again;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    RETURN(0);
ASYNC_FINALLY:
#ifndef RIGHT
    if (self->again)
        RETURN(1);
#else
    if (self->again)
        self->output = 1;
#endif
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
