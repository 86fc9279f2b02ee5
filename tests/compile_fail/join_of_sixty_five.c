/* SPDX-License-Identifier: MIT */
/* expect: gcc one to 64 futures | clang one to 64 futures */
/* JOIN of more than 64. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    int winner;
    struct edo_sleep s[65];
};

#define FOUR(i)    &self->s[i], &self->s[i + 1], &self->s[i + 2], &self->s[i + 3]
#define SIXTEEN(i) FOUR(i), FOUR(i + 4), FOUR(i + 8), FOUR(i + 12)
#define ALL        SIXTEEN(0), SIXTEEN(16), SIXTEEN(32), SIXTEEN(48)

ASYNC(wrong)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 65; i++)
        self->s[i] = edo_sleep(1);
#ifndef RIGHT
    JOIN(ALL, &self->s[64]);
#else
    JOIN(ALL);
#endif
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
