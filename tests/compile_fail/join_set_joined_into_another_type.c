/* SPDX-License-Identifier: MIT */
/* expect: gcc the value.+s type is not the task | clang the value.+s type is not the task */
/* A set's int joined into a long. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    JOIN_SET(int) set;
#ifndef RIGHT
    long value;
#else
    int value;
#endif
    struct edo_join_set_join_next next;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
