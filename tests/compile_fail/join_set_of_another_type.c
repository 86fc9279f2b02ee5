/* SPDX-License-Identifier: MIT */
/* expect: gcc output type is not the set | clang output type is not the set */
/* A future of a ssize_t spawned into a set of ints. */
#include "edo.h"

struct counts {
    FUTURE(ssize_t);
};

ASYNC(counts)
{
    ASYNC_BEGIN;
    RETURN(1);
    ASYNC_END;
}

struct wrong {
    FUTURE(int);
#ifndef RIGHT
    JOIN_SET(int) set;
#else
    JOIN_SET(ssize_t) set;
#endif
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    RETURN(edo_join_set_spawn(&self->set, NEW(counts)));
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
