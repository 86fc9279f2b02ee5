/* SPDX-License-Identifier: MIT */
/* expect: gcc Werror=overflow | clang Werror,-Wswitch */
/* An item given after the end. */
#include "edo.h"

struct names {
    STREAM(const char *);
};

ASYNC_STREAM(names)
{
    ASYNC_BEGIN;
    YIELD("one");
    ASYNC_FINALLY:
    DROP_STREAM((STREAM_REF(int))NULL);
#ifndef RIGHT
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
