/* SPDX-License-Identifier: MIT */
/* A lock: a mutex that is not recursive, held for a few instructions, never across anybody else's
 * code. Part of sys.h; by itself for the public headers whose types hold one. */
#ifndef EDO_INTERNAL_LOCK_H
#define EDO_INTERNAL_LOCK_H

#include <pthread.h>
#include <stdbool.h>

struct edo_lock {
    pthread_mutex_t mutex_;
};
void edo_lock_init(struct edo_lock *lock);
void edo_lock_destroy(struct edo_lock *lock);
void edo_lock(struct edo_lock *lock);
void edo_unlock(struct edo_lock *lock);
/* Takes the lock if nobody holds it, and returns whether it did. Never waits. */
bool edo_try_lock(struct edo_lock *lock);

#endif
