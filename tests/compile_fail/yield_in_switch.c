/* SPDX-License-Identifier: MIT */
/* expect: gcc Werror=overflow | clang Werror,-Wswitch */
/* An item given inside a switch of one's own. */
#include "edo.h"

struct names {
    STREAM(const char *);
    int n;
};

ASYNC_STREAM(names)
{
    ASYNC_BEGIN;
#ifndef RIGHT
    switch (self->n) {
    case 1:
        YIELD("one");
        break;
    default:
        break;
    }
#else
    if (self->n == 1)
        YIELD("one");
#endif
    ASYNC_END;
}

struct prints {
    FUTURE(int);
    struct names names;
    STREAM_REF(const char *) stream;
    const char *name;
};

ASYNC(prints)
{
    ASYNC_BEGIN;
    self->names = NEW(names, .n = 1);
    self->stream = edo_stream_ref(&self->names);
    FOR_AWAIT(self->name, self->stream)
        self->output++;
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

EDO_MAIN(NEW(prints))
