/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible.pointer.type | clang incompatible (function )?pointer types */
/* A set of longs for who takes one of ints. */
#include "edo.h"

static size_t count(JOIN_SET(int) *set)
{
    return edo_join_set_len(set);
}

struct wrong {
    FUTURE(int);
#ifndef RIGHT
    JOIN_SET(long) set;
#else
    JOIN_SET(int) set;
#endif
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    RETURN((int)count(&self->set));
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
