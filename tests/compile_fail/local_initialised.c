/* SPDX-License-Identifier: MIT */
/* expect: gcc jump-misses-init|maybe-uninitialized | clang uninitialized */
/* A local that is initialised at its declaration and used after an await. */
#include "edo.h"

int argument(void);

struct wrong {
    FUTURE(int);
    int kept;
    struct edo_sleep sleep;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
#ifndef RIGHT
    int local = argument();
    AWAIT(self->sleep, edo_sleep(1));
    RETURN(local);
#else
    self->kept = argument();
    AWAIT(self->sleep, edo_sleep(1));
    RETURN(self->kept);
#endif
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
