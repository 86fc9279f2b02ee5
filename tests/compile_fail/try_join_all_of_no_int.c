/* SPDX-License-Identifier: MIT */
/* expect: gcc output of a future that may fail is an int | clang output of a future that may fail is an int */
/* TRY_JOIN of futures that cannot say that they failed. */
#include "edo.h"

struct half {
    FUTURE(double);
    int n;
};

ASYNC(half)
{
    ASYNC_BEGIN;
    RETURN(self->n / 2.0);
    ASYNC_END;
}

struct halves {
    FUTURE(int);
    struct half halves[3];
    struct edo_join_all all;
    struct edo_try_join_all try_all;
};

ASYNC(halves)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 3; i++)
        self->halves[i] = NEW(half, .n = i);
#ifndef RIGHT
    AWAIT(self->try_all, edo_try_join_all(self->halves, 3));
#else
    AWAIT(self->all, edo_join_all(self->halves, 3));
#endif
    RETURN(self->halves[2].output > 0);
    ASYNC_END;
}

EDO_MAIN(NEW(halves))
