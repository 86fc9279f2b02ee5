/* SPDX-License-Identifier: MIT */
/* expect: gcc does not go with the items of the stream | clang does not go with the items of the stream */
/* A function that makes another future than the one that it is given room for. */
#include "edo.h"

struct ask {
    FUTURE(int);
    int n;
};

ASYNC(ask)
{
    ASYNC_BEGIN;
    RETURN(2 * self->n);
    ASYNC_END;
}

struct ask_twice {
    FUTURE(int);
    struct ask ask;
};

#ifndef RIGHT
static void begin(void *arg, int *n, struct ask_twice *twice)
{
    (void)arg;
    twice->ask = NEW(ask, .n = *n);
}
#else
static void begin(void *arg, int *n, struct ask *ask)
{
    (void)arg;
    *ask = NEW(ask, .n = *n);
}
#endif

struct asks {
    FUTURE(int);
    struct edo_stream_iter iter;
    struct edo_stream_then then;
    STREAM_REF(int) stream;
    struct ask ask;
    int n, room;
};

ASYNC(asks)
{
    static const int numbers[] = {1, 2, 3};
    ASYNC_BEGIN;
    self->stream = edo_stream_iter(&self->iter, numbers, 3);
    self->stream = edo_stream_then(&self->then, self->stream, &self->room, &self->ask, begin, NULL);
    FOR_AWAIT(self->n, self->stream)
        self->output += self->n;
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

EDO_MAIN(NEW(asks))
