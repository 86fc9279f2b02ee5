/* SPDX-License-Identifier: MIT */
/* expect: gcc does not go with the items of the stream | clang does not go with the items of the stream */
/* A predicate of another type than the stream's items. */
#include "edo.h"

#ifndef RIGHT
static bool is_even(void *arg, const long *n)
#else
static bool is_even(void *arg, const int *n)
#endif
{
    (void)arg;
    return *n % 2 == 0;
}

struct evens {
    FUTURE(int);
    struct edo_stream_iter iter;
    struct edo_stream_filter even;
    STREAM_REF(int) stream;
    int n;
};

ASYNC(evens)
{
    static const int numbers[] = {1, 2, 3};
    ASYNC_BEGIN;
    self->stream = edo_stream_iter(&self->iter, numbers, 3);
    self->stream = edo_stream_filter(&self->even, self->stream, is_even, NULL);
    FOR_AWAIT(self->n, self->stream)
        self->output += self->n;
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

EDO_MAIN(NEW(evens))
