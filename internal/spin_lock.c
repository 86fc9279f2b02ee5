/* SPDX-License-Identifier: MIT */
#include "spin_lock.h"

void edo_spin_lock_contended(struct edo_lock *lock)
{
    uint32_t round = 0;
    do
        edo_spin_wait(lock, round++);
    while (edo_load(&lock->word_, relaxed) != EDO_LOCK_FREE || !edo_spin_try_lock(lock));
}
