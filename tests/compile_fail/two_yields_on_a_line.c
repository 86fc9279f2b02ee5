/* SPDX-License-Identifier: MIT */
/* expect: gcc duplicate case value | clang duplicate case value */
/* Two items given on one line: a generator goes on from a line. */
#include "edo.h"

struct names {
    STREAM(const char *);
};

ASYNC_STREAM(names)
{
    ASYNC_BEGIN;
#ifndef RIGHT
    YIELD("one"); YIELD("two");
#else
    YIELD("one");
    YIELD("two");
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
    self->names = NEW(names);
    self->stream = edo_stream_ref(&self->names);
    FOR_AWAIT(self->name, self->stream)
        self->output++;
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

EDO_MAIN(NEW(prints))
