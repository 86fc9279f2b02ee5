/* SPDX-License-Identifier: MIT */
/* expect: gcc an array of arrays | clang an array of arrays */
/* Items that are arrays: a function cannot return one, and a place cannot be assigned one. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    struct edo_stream_iter iter;
};

static const int rows[2][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}};

ASYNC(wrong)
{
    ASYNC_BEGIN;
#ifndef RIGHT
    (void)edo_stream_iter(&self->iter, rows, 2);
#else
    (void)edo_stream_iter(&self->iter, rows[0], 4);
#endif
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
