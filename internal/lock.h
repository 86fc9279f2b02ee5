/* SPDX-License-Identifier: MIT */
/* A lock: a mutex that is not recursive, held for a few instructions, never across anybody else's
 * code. What is done with it is in sys.h; the type by itself is for the public headers that hold one.
 * All zero is a lock that nobody holds. */
#ifndef EDO_INTERNAL_LOCK_H
#define EDO_INTERNAL_LOCK_H

#include <stdint.h>

struct edo_lock {
#ifdef __cplusplus
    uint32_t word_; /* C++ has no such type, and only C touches it */
#else
    _Atomic(uint32_t) word_;
#endif
};

#endif
