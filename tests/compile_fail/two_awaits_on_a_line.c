/* SPDX-License-Identifier: MIT */
/* expect: gcc duplicate case value | clang duplicate case value */
/* Two awaits on one line: an await is known by its line. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    struct edo_sleep sleep;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
#ifndef RIGHT
    AWAIT(self->sleep, edo_sleep(1)); AWAIT(self->sleep, edo_sleep(2));
#else
    AWAIT(self->sleep, edo_sleep(1));
    AWAIT(self->sleep, edo_sleep(2));
#endif
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
