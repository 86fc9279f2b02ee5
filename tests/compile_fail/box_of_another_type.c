/* SPDX-License-Identifier: MIT */
/* expect: gcc output is not what the box is of | clang output is not what the box is of */
/* A future of an int in a box of longs. */
#include "edo.h"

struct wrong {
    FUTURE(int);
#ifndef RIGHT
    BOXED(long) box;
#else
    BOXED(int) box;
#endif
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    if (edo_box(&self->box, edo_sleep(1)) < 0)
        RETURN(UV_ENOMEM);
    AWAIT_REF(self->box);
    RETURN((int)self->box.output);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
