/* SPDX-License-Identifier: MIT */
#include "futex_lock.h"

void edo_futex_lock_contended(struct edo_lock *lock)
{
    while (edo_exchange(&lock->word_, EDO_LOCK_CONTENDED, acquire) != EDO_LOCK_FREE)
        edo_futex_wait(&lock->word_, EDO_LOCK_CONTENDED);
}

void edo_futex_unlock_contended(struct edo_lock *lock, uint32_t was)
{
    edo_assert(was == EDO_LOCK_CONTENDED); /* or nobody held it */
    edo_futex_wake(&lock->word_);
}
