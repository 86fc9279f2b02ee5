/* SPDX-License-Identifier: MIT */
/* expect: gcc type is not what the handle carries | clang type is not what the handle carries */
/* The next item of a stream into a place of another type. */
#include "edo.h"

struct first {
    FUTURE(int);
    struct edo_stream_iter iter;
    STREAM_REF(double) stream;
#ifndef RIGHT
    float item;
#else
    double item;
#endif
    struct edo_next next;
};

ASYNC(first)
{
    static const double halves[] = {0.5, 1.5};
    ASYNC_BEGIN;
    self->stream = edo_stream_iter(&self->iter, halves, 2);
    TRY_AWAIT(self->next, edo_next(self->stream, &self->item));
    RETURN((int)self->item);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

EDO_MAIN(NEW(first))
