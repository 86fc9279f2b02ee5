/* SPDX-License-Identifier: MIT */
/* expect: gcc items of the stream and of the map are of two types | clang items of the stream and of the map are of two types */
/* A stream of longs in a map of streams of ints. */
#include "edo.h"

struct sums {
    FUTURE(int);
    STREAM_MAP(const char *, int) map;
    struct edo_stream_iter iter;
    STREAM_REF(int) stream;
    int n;
};

ASYNC(sums)
{
#ifndef RIGHT
    static const long numbers[] = {1, 2, 3};
#else
    static const int numbers[] = {1, 2, 3};
#endif
    ASYNC_BEGIN;
    self->stream = NULL;
    if (edo_streammap_insert(&self->map, "numbers", edo_stream_iter(&self->iter, numbers, 3),
                             &self->stream) < 0)
        RETURN(-ENOMEM);
    self->stream = edo_streammap(&self->map);
    FOR_AWAIT(self->n, self->stream)
        self->output += self->n;
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

EDO_MAIN(NEW(sums))
