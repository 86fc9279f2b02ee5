/* SPDX-License-Identifier: MIT */
/* Copies an element whose size is known at run time only: the usual sizes without a call. */
#ifndef EDO_INTERNAL_COPY_H
#define EDO_INTERNAL_COPY_H

#include <string.h>

static inline void edo_copy(void *to, const void *from, size_t size)
{
    /* Nothing is emitted: inlined where the compiler knows how large `to` is, it would warn of the cases
     * that the size excludes. */
    __asm__("" : "+r"(to));
    switch (size) {
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    case 16:
        memcpy(to, from, 16);
        break;
    default:
        memcpy(to, from, size);
        break;
    }
}

#endif
