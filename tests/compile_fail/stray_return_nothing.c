/* SPDX-License-Identifier: MIT */
/* expect: gcc return.* with no value | clang should return a value */
/* A return without a value, where RETURN is meant. */
#include "edo.h"

struct wrong {
    FUTURE(void);
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
#ifndef RIGHT
    return;
#else
    RETURN();
#endif
    ASYNC_END;
}

int main(void)
{
    return NEW(wrong).future_.poll == NULL;
}
