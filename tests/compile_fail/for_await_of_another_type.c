/* SPDX-License-Identifier: MIT */
/* expect: gcc type is not what the handle carries | clang type is not what the handle carries */
/* A loop over a stream's items into a place of another type. */
#include "edo.h"

struct sum {
    FUTURE(int);
    struct edo_stream_iter iter;
    STREAM_REF(int) stream;
#ifndef RIGHT
    char n;
#else
    int n;
#endif
};

ASYNC(sum)
{
    static const int numbers[] = {1, 2, 3};
    ASYNC_BEGIN;
    self->stream = edo_stream_iter(&self->iter, numbers, 3);
    FOR_AWAIT(self->n, self->stream)
        self->output += self->n;
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

EDO_MAIN(NEW(sum))
