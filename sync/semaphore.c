/* SPDX-License-Identifier: MIT */
/* The lock guards the row, and each waiter's state until it is TOLD; see semaphore_internal.h for the word. */
#include "semaphore_internal.h"

#include <errno.h>

#include "../internal/park.h"
#include "../internal/waiter.h"

/* What a waiter is, beside 0: not in the row yet. Served, it is linked until it is woken. Then it is TOLD, which is
 * the last that is done to it: from there on its state is its owner's, who looks without the lock. (It may
 * find it before the teller lets the lock go, and destroy the semaphore, which waits for the lock.) */
enum { QUEUED = 1, GRANTED = 2, REFUSED = 3, TOLD = 4 };

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
    /* Who has told the last of the waiters may hold it still. */
    edo_lock(&semaphore->lock_);
    edo_assert(edo_list_empty(&semaphore->waiters_));
    edo_unlock(&semaphore->lock_);
    edo_lock_destroy(&semaphore->lock_);
}

static _Atomic(uint32_t) *state_of(struct edo_semaphore_waiter *waiter)
{
    return (_Atomic(uint32_t) *)&waiter->state;
}

/* Under the lock: takes who is first out of the row, if that one can be served by what the word will be, *now. NULL:
 * nobody can. */
static struct edo_semaphore_waiter *serve_first(struct edo_semaphore *semaphore, uint64_t *now)
{
    struct edo_list *row = &semaphore->waiters_;
    if (edo_list_empty(row))
        return NULL;
    struct edo_semaphore_waiter *waiter =
        edo_container_of(row->next, struct edo_semaphore_waiter, link.node);
    uint32_t state = REFUSED;
    if ((*now & EDO_SEMAPHORE_CLOSED) == 0) {
        if (waiter->count > *now / EDO_SEMAPHORE_ONE)
            return NULL;
        state = GRANTED;
        *now -= waiter->count * EDO_SEMAPHORE_ONE;
    }
    edo_store(state_of(waiter), state, relaxed);
    edo_list_remove(&waiter->link.node);
    if (edo_list_empty(row))
        *now &= ~(uint64_t)EDO_SEMAPHORE_WAITERS;
    return waiter;
}

/* Under the lock: one that is served, and linked no more. */
static void tell(struct edo_semaphore_waiter *waiter, struct edo_wakes *wakes)
{
    edo_wakes_claim(wakes, waiter->link.waker);
    /* Relaxed: written under the lock. Release: what givers did before, which has come here under the lock. */
    uint32_t state = edo_load(state_of(waiter), relaxed);
    edo_store(state_of(waiter), state | TOLD, release);
}

/* With the lock, which it lets go: wakes those who are served, and have not been woken yet. */
static void tell_all(struct edo_semaphore *semaphore, struct edo_list *served,
                     struct edo_wakes *wakes)
{
    while (!edo_list_empty(served)) {
        edo_unlock(&semaphore->lock_);
        edo_wakes_finish(wakes);
        edo_lock(&semaphore->lock_);
        struct edo_list *node;
        while (!edo_wakes_full(wakes) && (node = edo_list_pop_front(served)) != NULL)
            tell(edo_container_of(node, struct edo_semaphore_waiter, link.node), wakes);
    }
    edo_unlock(&semaphore->lock_);
    edo_wakes_finish(wakes);
}

/* With the lock, which it lets go: n more, while there is a row. All who can be served are served at once, but each is
 * linked until it is taken off to be woken: when all have completed there may be nobody left who wants the
 * semaphore. */
static void serve(struct edo_semaphore *semaphore, size_t n)
{
    _Atomic(uint64_t) *word = edo_semaphore_word(semaphore);
    struct edo_wakes wakes;
    wakes.count = 0;
    struct edo_list served;
    edo_list_init(&served);
    struct edo_semaphore_waiter *waiter;
    /* Relaxed: what was there when the row began was acquired by who began it, under the lock; what came since came
     * under it. With a row nobody else writes the word. */
    uint64_t before = edo_load(word, relaxed), now = before + n * EDO_SEMAPHORE_ONE;
    while ((waiter = serve_first(semaphore, &now)) != NULL) {
        if (edo_wakes_full(&wakes))
            edo_list_push_back(&served, &waiter->link.node);
        else
            tell(waiter, &wakes);
    }
    if (now != before)
        edo_store(word, now, release);
    tell_all(semaphore, &served, &wakes);
}

bool edo_semaphore_serve(struct edo_semaphore *semaphore, size_t n)
{
    edo_lock(&semaphore->lock_);
    if (edo_list_empty(&semaphore->waiters_)) {
        edo_unlock(&semaphore->lock_);
        return false;
    }
    serve(semaphore, n);
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
        if (n > 0 && (old & EDO_SEMAPHORE_WAITERS) != 0)
            return -EAGAIN; /* there is one, and the word is the lock's */
        taken = n <= old / EDO_SEMAPHORE_ONE;
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
    edo_row_check(&semaphore->waiters_);
    int error = take_or_queue(semaphore, n, false);
    edo_unlock(&semaphore->lock_);
    return error;
}

int edo_semaphore_wait(struct edo_semaphore *semaphore, struct edo_semaphore_waiter *waiter,
                       struct edo_context *cx)
{
    /* Acquire: what givers did before. */
    uint32_t state = edo_load(state_of(waiter), acquire);
    if ((state & TOLD) != 0)
        return state == (GRANTED | TOLD) ? 0 : EDO_ECLOSED;
    struct edo_waker *spare = edo_waker_spare(waiter->link.waker, cx->waker);
    int error = -EAGAIN;
    edo_lock(&semaphore->lock_);
    /* Relaxed, here and in leave: under the lock, or this one's own. */
    state = edo_load(state_of(waiter), relaxed);
    if ((state & TOLD) != 0) {
        error = state == (GRANTED | TOLD) ? 0 : EDO_ECLOSED;
    } else if (state == 0) {
        error = take_or_queue(semaphore, waiter->count, true);
        if (error == -EAGAIN)
            edo_store(state_of(waiter), QUEUED, relaxed);
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
    uint32_t state = edo_load(state_of(waiter), relaxed);
    /* Release: who gave may have written nothing but the states of those it served. This one has seen it, under the
     * lock, and nobody takes any before the row has ended. */
    if (state == QUEUED && edo_list_empty(&semaphore->waiters_))
        edo_fetch_and(edo_semaphore_word(semaphore), ~(uint64_t)EDO_SEMAPHORE_WAITERS, release);
    if ((state & ~(uint32_t)TOLD) == GRANTED)
        /* Relaxed: the row ends after that, or goes before in the release sequence. */
        edo_fetch_add(edo_semaphore_word(semaphore), waiter->count * EDO_SEMAPHORE_ONE, relaxed);
    /* Those behind it may have been waiting for this one only. */
    serve(semaphore, 0);
    edo_waker_forget(forgotten);
}

enum edo_poll edo_semaphore_acquire_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_semaphore_acquire *self = (struct edo_semaphore_acquire *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_semaphore_leave(self->semaphore, &self->waiter);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_semaphore_acquire");
    if (edo_budget_spent_by(cx, self->waiter.link.waker))
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
    serve(semaphore, 0);
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
