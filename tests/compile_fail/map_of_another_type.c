/* SPDX-License-Identifier: MIT */
/* expect: gcc the function.+s type does not go | clang the function.+s type does not go */
/* A sleep's output, which is an int, given to a function of a long. */
#include "edo.h"

#ifndef RIGHT
static void halve(void *arg, long *output, double *half)
#else
static void halve(void *arg, int *output, double *half)
#endif
{
    (void)arg;
    *half = (double)*output / 2;
}

struct wrong {
    FUTURE(int);
    double half;
    struct edo_sleep sleep;
    struct edo_map map;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    self->sleep = edo_sleep(1);
    AWAIT(self->map, edo_map(&self->sleep, &self->half, halve, NULL));
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
