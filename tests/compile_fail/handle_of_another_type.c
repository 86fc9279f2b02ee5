/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible-pointer-types|incompatible pointer type | clang incompatible-function-pointer-types|incompatible function pointer types */
/* The handle of a task of int in a handle of long. */
#include "edo.h"

struct wrong {
    FUTURE(int);
#ifndef RIGHT
    JOIN_HANDLE(long) handle;
#else
    JOIN_HANDLE(int) handle;
#endif
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    self->handle = SPAWN(edo_sleep(1));
    edo_task_detach(self->handle);
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
