/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible-pointer-types|incompatible pointer type | clang incompatible-pointer-types|incompatible pointer types */
/* A reader's guard unlocked as if it were the writer's, which would give back more than was taken. */
#include "edo.h"

int main(void)
{
    struct edo_rwlock lock;
    struct edo_rwlock_read_guard guard = {0};
    edo_rwlock_init(&lock);
    int error = edo_rwlock_try_read(&lock, &guard);
#ifndef RIGHT
    edo_rwlock_write_unlock(&guard);
#else
    edo_rwlock_read_unlock(&guard);
#endif
    edo_rwlock_destroy(&lock);
    return error;
}
