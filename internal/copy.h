/* SPDX-License-Identifier: MIT */
/* Copies an element whose size is known at run time only: the usual sizes without a call. */
#ifndef EDO_INTERNAL_COPY_H
#define EDO_INTERNAL_COPY_H

#include <stdbool.h>
#include <string.h>

/* Of one of those sizes; false: of another, and nothing is copied. */
static inline bool edo_copy_usual(void *to, const void *from, size_t size)
{
    /* Nothing is emitted: inlined where the compiler knows how large `to` is, it would warn of the cases
     * that the size excludes. */
    __asm__("" : "+r"(to));
    switch (size) {
    case 4:
        memcpy(to, from, 4);
        return true;
    case 8:
        memcpy(to, from, 8);
        return true;
    case 16:
        memcpy(to, from, 16);
        return true;
    default:
        return false;
    }
}

__attribute__((always_inline)) static inline void edo_copy(void *to, const void *from, size_t size)
{
    if (!edo_copy_usual(to, from, size))
        memcpy(to, from, size);
}

#endif
