/* SPDX-License-Identifier: MIT */
/* expect: gcc output is not what is shared | clang output is not what is shared */
/* A future of an int shared as one of longs. */
#include "edo.h"

struct wrong {
    FUTURE(int);
#ifndef RIGHT
    SHARED(long) shared;
#else
    SHARED(int) shared;
#endif
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    if (edo_shared(&self->shared, edo_sleep(1)) < 0)
        RETURN(UV_ENOMEM);
    AWAIT_REF(self->shared);
    RETURN((int)*self->shared.output);
    ASYNC_FINALLY:
    DROP_SHARED(self->shared);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
