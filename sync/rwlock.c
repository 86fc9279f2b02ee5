/* SPDX-License-Identifier: MIT */
/* A semaphore, never closed, of which a reader takes one permit and a writer all. */
#include "rwlock.h"

#include <errno.h>

#include "../internal/park.h"
#include "../internal/waiter.h"
#include "semaphore_internal.h"

void edo_rwlock_init(struct edo_rwlock *lock)
{
    edo_rwlock_init_max_readers(lock, EDO_RWLOCK_MAX_READERS);
}

int edo_rwlock_init_max_readers(struct edo_rwlock *lock, uint32_t readers)
{
    if (readers == 0 || readers > EDO_RWLOCK_MAX_READERS)
        return -EINVAL;
    lock->readers_ = readers;
    return edo_semaphore_init(&lock->core_, readers);
}

void edo_rwlock_destroy(struct edo_rwlock *lock)
{
    edo_assert(edo_semaphore_available(&lock->core_) == lock->readers_);
    edo_semaphore_destroy(&lock->core_);
}

/* Both futures but for the guard: true when it is locked. */
static bool poll_lock(struct edo_rwlock *lock, struct edo_semaphore_waiter *waiter,
                      struct edo_context *cx)
{
    if (edo_budget_spent_by(cx, waiter->link.waker) ||
        edo_semaphore_poll(&lock->core_, waiter, cx) == -EAGAIN)
        return false;
    edo_budget_spend(cx);
    return true;
}

static enum edo_poll walk(struct edo_rwlock *lock, struct edo_semaphore_waiter *waiter,
                          struct edo_context *cx, const char *name)
{
    if (cx->walk == EDO_WALK_DROP)
        edo_semaphore_leave(&lock->core_, waiter);
    return edo_walk_leaf(cx, name);
}

enum edo_poll edo_rwlock_read_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_rwlock_read *self = (struct edo_rwlock_read *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(self->lock, &self->waiter, cx, "edo_rwlock_read");
    if (!poll_lock(self->lock, &self->waiter, cx))
        return EDO_PENDING;
    edo_assert(self->guard->lock == NULL);
    self->guard->lock = self->lock;
    return EDO_READY;
}

/* A writer of one that was never initialised would take all of none. */
static void demand_made(const struct edo_rwlock *lock)
{
    if (edo_unlikely(lock->readers_ == 0))
        edo_row_unmade_();
}

enum edo_poll edo_rwlock_write_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_rwlock_write *self = (struct edo_rwlock_write *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(self->lock, &self->waiter, cx, "edo_rwlock_write");
    demand_made(self->lock);
    if (!poll_lock(self->lock, &self->waiter, cx))
        return EDO_PENDING;
    edo_assert(self->guard->lock == NULL);
    self->guard->lock = self->lock;
    return EDO_READY;
}

int edo_rwlock_try_read(struct edo_rwlock *lock, struct edo_rwlock_read_guard *guard)
{
    edo_assert(guard->lock == NULL);
    int error = edo_semaphore_try(&lock->core_, 1);
    if (error == 0)
        guard->lock = lock;
    return error;
}

int edo_rwlock_try_write(struct edo_rwlock *lock, struct edo_rwlock_write_guard *guard)
{
    edo_assert(guard->lock == NULL);
    demand_made(lock);
    int error = edo_semaphore_try(&lock->core_, lock->readers_);
    if (error == 0)
        guard->lock = lock;
    return error;
}

int edo_rwlock_blocking_read(struct edo_rwlock *lock, struct edo_rwlock_read_guard *guard)
{
    struct edo_rwlock_read read = edo_rwlock_read(lock, guard);
    return edo_park_on(&read.future_);
}

int edo_rwlock_blocking_write(struct edo_rwlock *lock, struct edo_rwlock_write_guard *guard)
{
    struct edo_rwlock_write write = edo_rwlock_write(lock, guard);
    return edo_park_on(&write.future_);
}

void edo_rwlock_read_unlock(struct edo_rwlock_read_guard *guard)
{
    struct edo_rwlock *lock = guard->lock;
    guard->lock = NULL;
    if (lock != NULL)
        edo_semaphore_give(&lock->core_, 1);
}

void edo_rwlock_write_unlock(struct edo_rwlock_write_guard *guard)
{
    struct edo_rwlock *lock = guard->lock;
    guard->lock = NULL;
    if (lock != NULL)
        edo_semaphore_give(&lock->core_, lock->readers_);
}

void edo_rwlock_downgrade(struct edo_rwlock_write_guard *from, struct edo_rwlock_read_guard *guard)
{
    struct edo_rwlock *lock = from->lock;
    from->lock = NULL;
    edo_assert(lock != NULL && guard->lock == NULL);
    guard->lock = lock;
    edo_semaphore_give(&lock->core_, lock->readers_ - 1);
}
