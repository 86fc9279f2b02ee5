/* SPDX-License-Identifier: MIT */
/* expect: gcc the value.+s type is not the task | clang the value.+s type is not the task */
/* A task's int read into a long. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    JOIN_HANDLE(int) handle;
#ifndef RIGHT
    long value;
#else
    int value;
#endif
    struct edo_join join;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    self->handle = SPAWN(edo_sleep(1));
    AWAIT(self->join, edo_join(self->handle, &self->value));
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
