/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible types when assigning | clang incompatible type */
/* A value from a future that has none. */
#include "edo.h"

struct wrong {
    FUTURE(void);
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
#ifndef RIGHT
    RETURN(1);
#else
    RETURN();
#endif
    ASYNC_END;
}

int main(void)
{
    return NEW(wrong).future_.poll == NULL;
}
