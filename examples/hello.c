/* SPDX-License-Identifier: MIT */
/* A future that awaits another one: a greeting, a tenth of a second later. */
#include "edo.h"

struct greet {
    FUTURE(int);            /* resolves to an int */
    const char *name;       /* an argument */
    struct edo_sleep sleep; /* a future that is awaited in place */
};

ASYNC(greet)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(100));
    printf("hello, %s\n", self->name);
    RETURN(0);
ASYNC_FINALLY:
    puts("on return, on error, on cancellation: once");
    ASYNC_END;
}

EDO_MAIN(NEW(greet, .name = "Edo"))
