/* SPDX-License-Identifier: MIT */
/* A semaphore of one permit, which is never closed. */
#include "mutex.h"

#include <errno.h>

#include "../internal/park.h"
#include "../internal/waiter.h"
#include "semaphore_internal.h"

void edo_mutex_init(struct edo_mutex *mutex)
{
    edo_semaphore_init(&mutex->core_, 1);
}

void edo_mutex_destroy(struct edo_mutex *mutex)
{
    edo_assert(edo_semaphore_available(&mutex->core_) == 1);
    edo_semaphore_destroy(&mutex->core_);
}

enum edo_poll edo_mutex_lock_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_mutex_lock *self = (struct edo_mutex_lock *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_semaphore_leave(&self->mutex->core_, &self->waiter);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_mutex_lock");
    if (edo_budget_spent_by(cx, self->waiter.link.waker))
        return EDO_PENDING;
    if (edo_semaphore_poll(&self->mutex->core_, &self->waiter, cx) == -EAGAIN)
        return EDO_PENDING;
    edo_assert(self->guard->mutex == NULL);
    self->guard->mutex = self->mutex;
    edo_budget_spend(cx);
    return EDO_READY;
}

int edo_mutex_try_lock(struct edo_mutex *mutex, struct edo_mutex_guard *guard)
{
    edo_assert(guard->mutex == NULL);
    int error = edo_semaphore_try(&mutex->core_, 1);
    if (error == 0)
        guard->mutex = mutex;
    return error;
}

int edo_mutex_blocking_lock(struct edo_mutex *mutex, struct edo_mutex_guard *guard)
{
    struct edo_mutex_lock lock = edo_mutex_lock(mutex, guard);
    return edo_park_on(&lock.future_);
}

void edo_mutex_unlock(struct edo_mutex_guard *guard)
{
    struct edo_mutex *mutex = guard->mutex;
    guard->mutex = NULL;
    if (mutex != NULL)
        edo_semaphore_give(&mutex->core_, 1);
}
