/* SPDX-License-Identifier: MIT */
/* expect: gcc not the first member of struct wrong | clang not the first member of struct wrong */
/* A future whose head is not at its beginning, where everybody looks for it. */
#include "edo.h"

struct wrong {
#ifndef RIGHT
    const char *name;
    FUTURE(int);
#else
    FUTURE(int);
    const char *name;
#endif
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    puts(self->name);
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong, .name = "wrong"))
