/* SPDX-License-Identifier: MIT */
/* expect: gcc type is not what the set-once holds | clang type is not what the set-once holds */
/* A set-once that is set to a value of another type. */
#include "edo.h"

static SET_ONCE(int) once = SET_ONCE_INIT(once);

int main(void)
{
#ifndef RIGHT
    unsigned value = 1;
#else
    int value = 1;
#endif
    return edo_set_once_set(&once, &value);
}
