/* SPDX-License-Identifier: MIT */
/* expect: gcc items of the two streams are of two types | clang items of the two streams are of two types */
/* One stream of two with items of two types. */
#include "edo.h"

struct both {
    FUTURE(int);
    struct edo_stream_iter a, b;
    struct edo_stream_merge merge;
    STREAM_REF(int) stream;
    int n;
};

ASYNC(both)
{
    static const int numbers[] = {1, 2, 3};
#ifndef RIGHT
    static const short others[] = {4, 5};
#else
    static const int others[] = {4, 5};
#endif
    ASYNC_BEGIN;
    self->stream = edo_stream_merge(&self->merge, edo_stream_iter(&self->a, numbers, 3),
                                    edo_stream_iter(&self->b, others, 2));
    FOR_AWAIT(self->n, self->stream)
        self->output += self->n;
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

EDO_MAIN(NEW(both))
