/* SPDX-License-Identifier: MIT */
/* expect: gcc Werror=overflow | clang Werror,-Wswitch */
/* An await after ASYNC_FINALLY, where a future that is being dropped could not wait. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    struct edo_sleep sleep;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(1));
    RETURN(0);
ASYNC_FINALLY:
#ifndef RIGHT
    AWAIT(self->sleep, edo_sleep(1));
#endif
    self->output = 1;
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
