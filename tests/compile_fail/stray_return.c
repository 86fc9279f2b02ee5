/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible types when returning | clang returning 'int' from a function with incompatible result type */
/* A return with a value, where RETURN is meant. */
#include "edo.h"

struct wrong {
    FUTURE(int);
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
#ifndef RIGHT
    return 0;
#else
    RETURN(0);
#endif
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
