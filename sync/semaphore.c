/* SPDX-License-Identifier: MIT */
/* The lock guards the row, and each waiter's state while it is in the row; see semaphore_internal.h for
 * the word. */
#include "semaphore_internal.h"

#include <errno.h>

#include "../internal/park.h"
#include "../internal/waiter.h"

/* What a waiter is, beside 0: not in the row yet. Served, it is linked until it is woken. */
enum { QUEUED = 1, GRANTED, REFUSED };

int edo_semaphore_init(struct edo_semaphore *semaphore, size_t permits)
{
    if (permits > EDO_SEMAPHORE_MAX)
        return -EINVAL;
    edo_init(edo_semaphore_word(semaphore), permits * EDO_SEMAPHORE_ONE);
    edo_lock_init(&semaphore->lock_);
    edo_list_init(&semaphore->waiters_);
    return 0;
}

void edo_semaphore_destroy(struct edo_semaphore *semaphore)
{
    edo_assert(edo_list_empty(&semaphore->waiters_));
    edo_lock_destroy(&semaphore->lock_);
}

/* Under the lock: serves who is first, if that can be, and takes it out of the row. NULL: nobody can be
 * served. */
static struct edo_semaphore_waiter *serve_first(struct edo_semaphore *semaphore)
{
    if (edo_list_empty(&semaphore->waiters_))
        return NULL;
    _Atomic(uint64_t) *word = edo_semaphore_word(semaphore);
    struct edo_list *node = semaphore->waiters_.next;
    struct edo_semaphore_waiter *waiter =
        edo_container_of(node, struct edo_semaphore_waiter, link.node);
    /* Relaxed: what was there when the row began was acquired by who began it, under the lock; what
     * came since came under it. */
    uint64_t now = edo_load(word, relaxed);
    if ((now & EDO_SEMAPHORE_CLOSED) != 0) {
        waiter->state = REFUSED;
    } else if (waiter->count <= now / EDO_SEMAPHORE_ONE) {
        waiter->state = GRANTED;
        now -= waiter->count * EDO_SEMAPHORE_ONE;
    } else {
        return NULL;
    }
    edo_list_remove(node);
    if (edo_list_empty(&semaphore->waiters_))
        now &= ~(uint64_t)EDO_SEMAPHORE_WAITERS;
    edo_store(word, now, release);
    return waiter;
}

/* With the lock, which it lets go. All who can be served are served at once, but each is linked until it is
 * taken off to be woken: when all have completed there may be nobody left who wants the semaphore. */
static void serve(struct edo_semaphore *semaphore)
{
    struct edo_list served;
    struct edo_semaphore_waiter *waiter;
    edo_list_init(&served);
    while ((waiter = serve_first(semaphore)) != NULL)
        edo_list_push_back(&served, &waiter->link.node);
    edo_row_drain(&served, &semaphore->lock_);
}

bool edo_semaphore_serve(struct edo_semaphore *semaphore, size_t n)
{
    edo_lock(&semaphore->lock_);
    if (edo_list_empty(&semaphore->waiters_)) {
        edo_unlock(&semaphore->lock_);
        return false;
    }
    edo_fetch_add(edo_semaphore_word(semaphore), n * EDO_SEMAPHORE_ONE, release);
    serve(semaphore);
    return true;
}

/* Under the lock, not in the row. Takes n; or, where somebody can wait, says that there is a row. */
static int take_or_queue(struct edo_semaphore *semaphore, size_t n, bool queue)
{
    _Atomic(uint64_t) *word = edo_semaphore_word(semaphore);
    uint64_t old = edo_load(word, relaxed), new;
    bool taken;
    do {
        if ((old & EDO_SEMAPHORE_CLOSED) != 0)
            return EDO_ECLOSED;
        taken = n == 0 || ((old & EDO_SEMAPHORE_WAITERS) == 0 && n <= old / EDO_SEMAPHORE_ONE);
        if (!taken && !queue)
            return -EAGAIN;
        new = taken ? old - n *EDO_SEMAPHORE_ONE : old | EDO_SEMAPHORE_WAITERS;
    } while (!edo_cas_weak(word, &old, new, acquire, relaxed));
    return taken ? 0 : -EAGAIN;
}

int edo_semaphore_try(struct edo_semaphore *semaphore, size_t n)
{
    if (edo_semaphore_take(semaphore, n))
        return 0;
    edo_lock(&semaphore->lock_);
    int error = take_or_queue(semaphore, n, false);
    edo_unlock(&semaphore->lock_);
    return error;
}

int edo_semaphore_wait(struct edo_semaphore *semaphore, struct edo_semaphore_waiter *waiter,
                       struct edo_context *cx)
{
    struct edo_waker *spare = edo_waker_spare(waiter->link.waker, cx->waker);
    int error = -EAGAIN;
    edo_lock(&semaphore->lock_);
    if (waiter->state == 0) {
        error = take_or_queue(semaphore, waiter->count, true);
        if (error == -EAGAIN)
            waiter->state = QUEUED;
    } else if (!edo_waiter_linked(&waiter->link)) {
        error = waiter->state == GRANTED ? 0 : EDO_ECLOSED;
    }
    if (error == -EAGAIN)
        edo_row_join(&semaphore->waiters_, &waiter->link, &spare);
    edo_unlock(&semaphore->lock_);
    edo_waker_forget(spare);
    return error;
}

void edo_semaphore_leave(struct edo_semaphore *semaphore, struct edo_semaphore_waiter *waiter)
{
    if (waiter->link.waker == NULL)
        return;
    edo_lock(&semaphore->lock_);
    struct edo_waker *forgotten = edo_row_leave(&waiter->link);
    /* Relaxed, both: they go on with the release sequence of who gave. */
    if (waiter->state == QUEUED && edo_list_empty(&semaphore->waiters_))
        edo_fetch_and(edo_semaphore_word(semaphore), ~(uint64_t)EDO_SEMAPHORE_WAITERS, relaxed);
    if (waiter->state == GRANTED)
        edo_fetch_add(edo_semaphore_word(semaphore), waiter->count * EDO_SEMAPHORE_ONE, relaxed);
    /* Those behind it may have been waiting for this one only. */
    serve(semaphore);
    edo_waker_forget(forgotten);
}

enum edo_poll edo_semaphore_acquire_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_semaphore_acquire *self = (struct edo_semaphore_acquire *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_semaphore_leave(self->semaphore, &self->waiter);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_semaphore_acquire");
    if (edo_budget_spent(cx))
        return EDO_PENDING;
    if (self->waiter.link.waker == NULL &&
        (self->waiter.count > EDO_SEMAPHORE_MAX || self->permit->count != 0))
        self->output = -EINVAL;
    else
        self->output = edo_semaphore_poll(self->semaphore, &self->waiter, cx);
    if (self->output == -EAGAIN)
        return EDO_PENDING;
    if (self->output == 0 && self->permit->count == 0) {
        *self->permit = (struct edo_permit){self->semaphore, self->waiter.count};
    } else if (self->output == 0) {
        /* Filled while this waited. */
        edo_semaphore_give(self->semaphore, self->waiter.count);
        self->output = -EINVAL;
    }
    edo_budget_spend(cx);
    return EDO_READY;
}

int edo_semaphore_try_acquire(struct edo_semaphore *semaphore, struct edo_permit *permit)
{
    return edo_semaphore_try_acquire_many(semaphore, 1, permit);
}

int edo_semaphore_try_acquire_many(struct edo_semaphore *semaphore, size_t n,
                                   struct edo_permit *permit)
{
    if (n > EDO_SEMAPHORE_MAX || permit->count != 0)
        return -EINVAL;
    int error = edo_semaphore_try(semaphore, n);
    if (error == 0)
        *permit = (struct edo_permit){semaphore, n};
    return error;
}

int edo_semaphore_blocking_acquire(struct edo_semaphore *semaphore, struct edo_permit *permit)
{
    return edo_semaphore_blocking_acquire_many(semaphore, 1, permit);
}

int edo_semaphore_blocking_acquire_many(struct edo_semaphore *semaphore, size_t n,
                                        struct edo_permit *permit)
{
    struct edo_semaphore_acquire acquire = edo_semaphore_acquire_many(semaphore, n, permit);
    int error = edo_park_on(&acquire.future_);
    return error < 0 ? error : acquire.output;
}

void edo_permit_release(struct edo_permit *permit)
{
    struct edo_permit released = *permit;
    edo_permit_forget(permit);
    if (released.count > 0)
        edo_semaphore_give(released.semaphore, released.count);
}

void edo_permit_forget(struct edo_permit *permit)
{
    *permit = (struct edo_permit){NULL, 0};
}

int edo_permit_merge(struct edo_permit *permit, struct edo_permit *from)
{
    if (from->count == 0)
        return 0;
    if (permit->count != 0 && permit->semaphore != from->semaphore)
        return -EINVAL;
    permit->semaphore = from->semaphore;
    permit->count += from->count;
    edo_permit_forget(from);
    return 0;
}

int edo_permit_split(struct edo_permit *permit, size_t n, struct edo_permit *part)
{
    if (n > permit->count || part->count != 0)
        return -EINVAL;
    *part = (struct edo_permit){permit->semaphore, n};
    permit->count -= n;
    return 0;
}

int edo_semaphore_add(struct edo_semaphore *semaphore, size_t n)
{
    /* Relaxed: only the number matters. What is held is not in it, and another may add at the same time:
     * so there may be more than the most, of which the word has room for two. */
    uint64_t there = edo_load(edo_semaphore_word(semaphore), relaxed) / EDO_SEMAPHORE_ONE;
    if (there > EDO_SEMAPHORE_MAX || n > EDO_SEMAPHORE_MAX - there)
        return -EOVERFLOW;
    edo_semaphore_give(semaphore, n);
    return 0;
}

size_t edo_semaphore_forget(struct edo_semaphore *semaphore, size_t n)
{
    _Atomic(uint64_t) *word = edo_semaphore_word(semaphore);
    uint64_t old = edo_load(word, relaxed), least;
    do {
        uint64_t there = (old & EDO_SEMAPHORE_WAITERS) != 0 ? 0 : old / EDO_SEMAPHORE_ONE;
        least = n < there ? n : there;
        if (least == 0)
            return 0;
        /* Relaxed: nothing is read or written under them. */
    } while (!edo_cas_weak(word, &old, old - least * EDO_SEMAPHORE_ONE, relaxed, relaxed));
    return least;
}

void edo_semaphore_close(struct edo_semaphore *semaphore)
{
    edo_lock(&semaphore->lock_);
    edo_fetch_or(edo_semaphore_word(semaphore), EDO_SEMAPHORE_CLOSED, release);
    serve(semaphore);
}

bool edo_semaphore_is_closed(const struct edo_semaphore *semaphore)
{
    /* Acquire: what was written before the close. */
    return (edo_load(edo_semaphore_word(semaphore), acquire) & EDO_SEMAPHORE_CLOSED) != 0;
}

size_t edo_semaphore_available(const struct edo_semaphore *semaphore)
{
    /* Relaxed: out of date at once. */
    uint64_t now = edo_load(edo_semaphore_word(semaphore), relaxed);
    return (now & EDO_SEMAPHORE_WAITERS) != 0 ? 0 : now / EDO_SEMAPHORE_ONE;
}
