/* SPDX-License-Identifier: MIT */
/* expect: gcc int-conversion|makes integer from pointer | clang int-conversion|incompatible pointer to integer */
/* A pointer as the output of a future of int. */
#include "edo.h"

struct wrong {
    FUTURE(int);
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
#ifndef RIGHT
    RETURN("text");
#else
    RETURN(0);
#endif
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
