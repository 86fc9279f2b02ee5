/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible-pointer-types|incompatible pointer type | clang incompatible-pointer-types|incompatible pointer types */
/* What a set-once holds, taken for something else. */
#include "edo.h"

static SET_ONCE(int) once = SET_ONCE_INIT(once);

int main(void)
{
#ifndef RIGHT
    const long *value = edo_set_once_get(&once);
#else
    const int *value = edo_set_once_get(&once);
#endif
    return value != NULL;
}
