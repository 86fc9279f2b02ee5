/* SPDX-License-Identifier: MIT */
/* Also a body without the short names. */
#define EDO_NO_SHORT_NAMES
#include "tests/extern_future.h"

#ifdef AWAIT
#error "the short names are off"
#endif

EDO_ASYNC_EXTERN(exported)
{
    EDO_ASYNC_BEGIN;
    EDO_YIELD_NOW();
    EDO_RETURN(2 * self->n);
    EDO_ASYNC_END;
}

EDO_ASYNC_STREAM_EXTERN(exported_numbers)
{
    EDO_ASYNC_BEGIN;
    for (; self->i < self->n; self->i++) {
        EDO_YIELD_NOW();
        EDO_YIELD(self->i);
    }
    EDO_ASYNC_END;
}
