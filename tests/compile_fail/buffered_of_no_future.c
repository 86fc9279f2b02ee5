/* SPDX-License-Identifier: MIT */
/* expect: gcc no member named 'future_'|in something not a structure|has no member named | clang no member named 'future_'|is not a structure or union|offsetof requires struct */
/* Items that are under way must be futures. */
#include "edo.h"

struct square {
    FUTURE(int);
    int n;
};

ASYNC(square)
{
    ASYNC_BEGIN;
    RETURN(self->n * self->n);
    ASYNC_END;
}

static void begin(void *arg, int *n, struct square *square)
{
    (void)arg;
    *square = NEW(square, .n = *n);
}

struct squares {
    FUTURE(int);
    struct edo_stream_iter iter;
    struct edo_stream_map map;
    struct edo_stream_buffered buffered;
    STREAM_REF(int) numbers;
    STREAM_REF(struct square) squares;
    STREAM_REF(int) stream;
    int room, n;
};

ASYNC(squares)
{
    static const int numbers[] = {1, 2, 3};
    ASYNC_BEGIN;
    self->numbers = edo_stream_iter(&self->iter, numbers, 3);
    self->squares =
        edo_stream_map(&self->map, self->numbers, &self->room, struct square, begin, NULL);
#ifndef RIGHT
    self->stream = edo_stream_buffered(&self->buffered, self->numbers, 2);
#else
    self->stream = edo_stream_buffered(&self->buffered, self->squares, 2);
#endif
    FOR_AWAIT(self->n, self->stream)
        self->output += self->n;
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

EDO_MAIN(NEW(squares))
