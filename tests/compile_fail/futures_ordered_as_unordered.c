/* SPDX-License-Identifier: MIT */
/* expect: gcc no member named 'unordered_' | clang no member named 'unordered_' */
/* A set that is to keep the order is asked for what ends first. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    FUTURES_ORDERED(struct edo_sleep) set;
    STREAM_REF(int) stream;
    int n;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    edo_futures_ordered_push(&self->set, edo_sleep(1));
#ifndef RIGHT
    self->stream = edo_futures_unordered(&self->set);
#else
    self->stream = edo_futures_ordered(&self->set);
#endif
    FOR_AWAIT(self->n, self->stream)
        ;
    ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
