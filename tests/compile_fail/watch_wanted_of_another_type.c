/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible-pointer-types|incompatible pointer type | clang incompatible-pointer-types|incompatible pointer types|incompatible-function-pointer-types */
/* Whoever waits for a value looks at another type. */
#include "edo.h"

#ifndef RIGHT
typedef long value;
#else
typedef int value;
#endif

static bool is_even(const value *candidate, void *arg)
{
    (void)arg;
    return *candidate % 2 == 0;
}

struct wrong {
    FUTURE(int);
    WATCH_RECEIVER(int) rx;
    int value;
    struct edo_watch_wait_for wait;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    AWAIT(self->wait, edo_watch_wait_for(self->rx, is_even, NULL, &self->value));
    RETURN(self->value);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
