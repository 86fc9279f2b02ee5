/* SPDX-License-Identifier: MIT */
/* expect: gcc Werror=overflow | clang Werror,-Wswitch */
/* An await inside a switch of the user's own. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    int kind;
    struct edo_sleep sleep;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
#ifndef RIGHT
    switch (self->kind) {
    case 1:
        AWAIT(self->sleep, edo_sleep(1));
        break;
    default:
        break;
    }
#else
    if (self->kind == 1)
        AWAIT(self->sleep, edo_sleep(1));
#endif
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
