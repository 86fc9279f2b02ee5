/* SPDX-License-Identifier: MIT */
/* expect: gcc not the address of a JOIN_SET | clang not the address of a JOIN_SET */
/* The set itself in the place of its address. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    JOIN_SET(int) set;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    RETURN(0);
ASYNC_FINALLY:
#ifndef RIGHT
    edo_join_set_drop(self->set);
#else
    edo_join_set_drop(&self->set);
#endif
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
