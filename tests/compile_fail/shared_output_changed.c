/* SPDX-License-Identifier: MIT */
/* expect: gcc read-only | clang read-only|not assignable */
/* The common output is nobody's to change. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    SHARED(int) shared;
    int mine;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    if (edo_shared(&self->shared, edo_sleep(1)) < 0)
        RETURN(UV_ENOMEM);
    AWAIT_REF(self->shared);
#ifndef RIGHT
    *self->shared.output = 1;
#else
    self->mine = *self->shared.output + 1;
#endif
    RETURN(0);
    ASYNC_FINALLY:
    DROP_SHARED(self->shared);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
