/* SPDX-License-Identifier: MIT */
/* expect: gcc maybe-uninitialized | clang uninitialized */
/* A local that is declared, assigned later, and used after an await. */
#include "edo.h"

int argument(void);

struct wrong {
    FUTURE(int);
    int kept;
    struct edo_sleep sleep;
};

ASYNC(wrong)
{
#ifndef RIGHT
    int local;
#endif
    ASYNC_BEGIN;
#ifndef RIGHT
    local = argument();
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
