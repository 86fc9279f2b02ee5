/* SPDX-License-Identifier: MIT */
/* expect: gcc Werror=overflow | clang Werror,-Wswitch */
/* A loop over a stream inside a switch of one's own. */
#include "edo.h"

struct names {
    STREAM(const char *);
};

ASYNC_STREAM(names)
{
    ASYNC_BEGIN;
    YIELD("one");
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
    self->names = NEW(names);
    self->stream = edo_stream_ref(&self->names);
#ifndef RIGHT
    switch (self->output) {
    case 0:
        FOR_AWAIT(self->name, self->stream)
            self->output++;
        break;
    default:
        break;
    }
#else
    FOR_AWAIT(self->name, self->stream)
        self->output++;
#endif
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

EDO_MAIN(NEW(prints))
