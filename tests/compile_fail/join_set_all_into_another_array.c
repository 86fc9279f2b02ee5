/* SPDX-License-Identifier: MIT */
/* expect: gcc the value.+s type is not the task | clang the value.+s type is not the task */
/* A set's ints joined into an array of longs. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    JOIN_SET(int) set;
#ifndef RIGHT
    long values[8];
#else
    int values[8];
#endif
    struct edo_join_set_join_all all;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    AWAIT(self->all, edo_join_set_join_all(&self->set, self->values, 8));
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
