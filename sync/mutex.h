/* SPDX-License-Identifier: MIT */
/* Mutex: one at a time, also across awaits.
 *
 *     AWAIT(self->lock, edo_mutex_lock(&account->mutex, &self->guard));
 *     account->balance -= self->amount;
 *     AWAIT(self->write, …);
 *     account->written = true;
 *     ASYNC_FINALLY:
 *     edo_mutex_unlock(&self->guard);                  also when it was never locked
 *
 * Those who wait get it in the order of their arrival. Who locks sees what was written by those who
 * unlocked before. It stays usable when a task panics: FINALLY unlocks, and what state it leaves the
 * data in is FINALLY's matter.
 *
 * To hand a part of what is guarded to somebody (a mapped guard), hand over the guard and a pointer to
 * the part.
 *
 * Where nothing is awaited between lock and unlock, a pthread_mutex_t does, and is held for less time.
 */
#ifndef EDO_SYNC_MUTEX_H
#define EDO_SYNC_MUTEX_H

#include "semaphore.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Stays where it is from init to destroy, and outlives the futures made of it. All functions but these
 * two may be called from any thread, from a poll, and by a waker; none allocates. */
struct edo_mutex {
    struct edo_semaphore core_;
};

void edo_mutex_init(struct edo_mutex *mutex);

/* Nobody waits any more, and nobody has it. */
void edo_mutex_destroy(struct edo_mutex *mutex);

/* Whoever has this has locked the mutex. Zeroed it is empty. It is a value: it may be kept, moved to
 * another task or thread, and be unlocked there. */
struct edo_mutex_guard {
    struct edo_mutex *mutex;
};

/* edo_mutex_lock(&mutex, &guard): a future that waits for its turn; the guard is empty before and full
 * afterwards. Cancel safety: dropped, it has not locked: if it was its turn, it is the next one's. Its
 * place in the row is lost. */
struct edo_mutex_lock {
    EDO_FUTURE(void);
    struct edo_mutex *mutex;
    struct edo_mutex_guard *guard;
    struct edo_semaphore_waiter waiter;
};
EDO_ASYNC_DECLARE(edo_mutex_lock);

static inline struct edo_mutex_lock edo_mutex_lock(struct edo_mutex *mutex,
                                                   struct edo_mutex_guard *guard)
{
    return EDO_NEW_RETURNED(edo_mutex_lock, .mutex = mutex, .guard = guard, .waiter = {.count = 1});
}

/* Without waiting: 0, or UV_EAGAIN: it is locked, or somebody waits; the guard is empty still. */
int edo_mutex_try_lock(struct edo_mutex *mutex, struct edo_mutex_guard *guard);

/* The thread waits. 0; EDO_ENESTED inside a task, UV_ENOMEM: it is not locked. */
int edo_mutex_blocking_lock(struct edo_mutex *mutex, struct edo_mutex_guard *guard);

/* Unlocks, and empties the guard. Nothing for an empty one: fit for FINALLY. It does not touch the
 * mutex after another may have locked it, but for what edo_mutex_destroy waits for. */
void edo_mutex_unlock(struct edo_mutex_guard *guard);

#ifdef __cplusplus
}
#endif

#endif
