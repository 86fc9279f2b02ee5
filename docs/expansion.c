/* SPDX-License-Identifier: MIT */
#include "edo.h"

struct nap {
    FUTURE(int);
    int times, ms;
    struct edo_sleep sleep;
};

ASYNC(nap)
{
    ASYNC_BEGIN;
    while (self->times-- > 0) {
        AWAIT(self->sleep, edo_sleep(self->ms));
    }
    RETURN(self->sleep.output);
ASYNC_FINALLY:
    puts("rested");
    ASYNC_END;
}

EDO_MAIN(NEW(nap, .times = 3, .ms = 10))
