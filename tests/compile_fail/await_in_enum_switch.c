/* SPDX-License-Identifier: MIT */
/* expect: gcc Werror=overflow | clang Werror,-Wswitch */
/* An await inside a switch on an enumeration. */
#include "edo.h"

enum kind { FIRST, SECOND };

struct wrong {
    FUTURE(int);
    enum kind kind;
    struct edo_sleep sleep;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
#ifndef RIGHT
    switch (self->kind) {
    case SECOND:
        AWAIT(self->sleep, edo_sleep(1));
        break;
    default:
        break;
    }
#else
    if (self->kind == SECOND)
        AWAIT(self->sleep, edo_sleep(1));
#endif
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
