/* SPDX-License-Identifier: MIT */
/* RwLock: many readers, or one writer, also across awaits.
 *
 *     AWAIT(self->read, edo_rwlock_read(&table->lock, &self->reading));
 *     AWAIT(self->write, …);
 *     edo_rwlock_read_unlock(&self->reading);
 *
 *     AWAIT(self->write, edo_rwlock_write(&table->lock, &self->writing));
 *     …
 *     ASYNC_FINALLY:
 *     edo_rwlock_read_unlock(&self->reading);          also when it was never locked
 *     edo_rwlock_write_unlock(&self->writing);
 *
 * It is fair: all wait in one row, in the order of their arrival, so a writer that waits lets no later
 * reader by, and neither starves. A reader that reads again while a writer waits waits for itself.
 *
 * To hand a part of what is guarded to somebody (a mapped guard), hand over the guard and a pointer to
 * the part: the guard is a value, and unlocks wherever it is.
 */
#ifndef EDO_SYNC_RWLOCK_H
#define EDO_SYNC_RWLOCK_H

#include "semaphore.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The most readers at a time there can be, and are unless fewer are asked for. */
#define EDO_RWLOCK_MAX_READERS (UINT32_MAX >> 3)

/* Stays where it is from init to destroy, and outlives the futures made of it. All functions but the
 * inits and destroy may be called from any thread, from a poll, and by a waker; none allocates. */
struct edo_rwlock {
    struct edo_semaphore core_;
    uint32_t readers_;
};

void edo_rwlock_init(struct edo_rwlock *lock);

/* With so many readers at a time at most. 0; UV_EINVAL for 0, or more than EDO_RWLOCK_MAX_READERS. */
int edo_rwlock_init_max_readers(struct edo_rwlock *lock, uint32_t readers);

/* Nobody waits any more, and nobody has it. */
void edo_rwlock_destroy(struct edo_rwlock *lock);

/* Whoever has one of these reads, or writes. Zeroed they are empty. They are values: they may be kept,
 * moved to another task or thread, and be unlocked there. */
struct edo_rwlock_read_guard {
    struct edo_rwlock *lock;
};
struct edo_rwlock_write_guard {
    struct edo_rwlock *lock;
};

/* edo_rwlock_read(&lock, &guard), edo_rwlock_write(&lock, &guard): futures that wait for their turn; the
 * guard is empty before and full afterwards. Cancel safety: dropped, they have not locked: if it was
 * their turn, it is the next one's. Their place in the row is lost. */
struct edo_rwlock_read {
    EDO_FUTURE(void);
    struct edo_rwlock *lock;
    struct edo_rwlock_read_guard *guard;
    struct edo_semaphore_waiter waiter;
};
struct edo_rwlock_write {
    EDO_FUTURE(void);
    struct edo_rwlock *lock;
    struct edo_rwlock_write_guard *guard;
    struct edo_semaphore_waiter waiter;
};
EDO_ASYNC_DECLARE(edo_rwlock_read);
EDO_ASYNC_DECLARE(edo_rwlock_write);

static inline struct edo_rwlock_read edo_rwlock_read(struct edo_rwlock *lock,
                                                     struct edo_rwlock_read_guard *guard)
{
    return EDO_NEW_RETURNED(edo_rwlock_read, .lock = lock, .guard = guard, .waiter = {.count = 1});
}

static inline struct edo_rwlock_write edo_rwlock_write(struct edo_rwlock *lock,
                                                       struct edo_rwlock_write_guard *guard)
{
    return EDO_NEW_RETURNED(edo_rwlock_write, .lock = lock, .guard = guard,
                            .waiter = {.count = lock->readers_});
}

/* Without waiting: 0, or UV_EAGAIN: it is locked, or somebody waits; the guard is empty still. */
int edo_rwlock_try_read(struct edo_rwlock *lock, struct edo_rwlock_read_guard *guard);
int edo_rwlock_try_write(struct edo_rwlock *lock, struct edo_rwlock_write_guard *guard);

/* The thread waits. 0; EDO_ENESTED inside a task, UV_ENOMEM: it is not locked. */
int edo_rwlock_blocking_read(struct edo_rwlock *lock, struct edo_rwlock_read_guard *guard);
int edo_rwlock_blocking_write(struct edo_rwlock *lock, struct edo_rwlock_write_guard *guard);

/* Unlock, and empty the guard. Nothing for an empty one: fit for FINALLY. They do not touch the lock when
 * those who waited have locked it: the last of them may destroy it. (A reader that is dropped in its turn
 * has not; there, the writer's unlock returns first.) */
void edo_rwlock_read_unlock(struct edo_rwlock_read_guard *guard);
void edo_rwlock_write_unlock(struct edo_rwlock_write_guard *guard);

/* Goes on as a reader, with no writer in between: empties `from`, and fills `guard`, which is empty.
 * Readers that wait come in, up to the first writer that waits. */
void edo_rwlock_downgrade(struct edo_rwlock_write_guard *from, struct edo_rwlock_read_guard *guard);

#ifdef __cplusplus
}
#endif

#endif
