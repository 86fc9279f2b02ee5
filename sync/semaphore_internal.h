/* SPDX-License-Identifier: MIT */
/* What the semaphore's kin are built of: taking, giving, waiting, leaving.
 *
 * The word holds the permits that are there, WAITERS while there is a row, and CLOSED. Without a row it
 * is changed by compare-and-swap alone, without the lock: nobody needs to be told. With one it is
 * changed under the lock only: a taker sees WAITERS and joins the row, a giver sees it and serves
 * those who wait. WAITERS is set by compare-and-swap from a word that has too few permits, so a giver
 * who came first makes it fail, and one who comes later sees it.
 *
 * Once the permits are there the semaphore may be gone with the last who wanted them. So a giver takes
 * the lock before it adds, not after, and whoever destroys it waits for the lock: the giver is through with
 * it then. And where nobody waits the giver does not add under the lock, but lets it go
 * first: the next one takes them without it.
 *
 * Acquire when permits are taken, release when they are given, so each taker sees all that givers
 * wrote.
 *
 * The queue with a counter in a word of its own, and no overtaking, is that of Tokio's
 * batch_semaphore; the permits of a request are handed over at once here, not one by one.
 */
#ifndef EDO_SYNC_SEMAPHORE_INTERNAL_H
#define EDO_SYNC_SEMAPHORE_INTERNAL_H

#include "../internal/sys.h"
#include "semaphore.h"

enum { EDO_SEMAPHORE_CLOSED = 1, EDO_SEMAPHORE_WAITERS = 2, EDO_SEMAPHORE_ONE = 4 };

static inline _Atomic(uint64_t) *edo_semaphore_word(const struct edo_semaphore *semaphore)
{
    return (_Atomic(uint64_t) *)(uintptr_t)&semaphore->word_;
}

/* Takes n without waiting, if it can be done without the lock. */
static inline bool edo_semaphore_take(struct edo_semaphore *semaphore, size_t n)
{
    _Atomic(uint64_t) *word = edo_semaphore_word(semaphore);
    uint64_t old = edo_load(word, relaxed);
    do {
        if ((old & (EDO_SEMAPHORE_WAITERS | EDO_SEMAPHORE_CLOSED)) != 0 ||
            old / EDO_SEMAPHORE_ONE < n)
            return false;
    } while (!edo_cas_weak(word, &old, old - n * EDO_SEMAPHORE_ONE, acquire, relaxed));
    return true;
}

/* Takes n, or joins the row, with the context's waker. 0, -EAGAIN: it waits, EDO_ECLOSED. */
int edo_semaphore_wait(struct edo_semaphore *semaphore, struct edo_semaphore_waiter *waiter,
                       struct edo_context *cx);

static inline int edo_semaphore_poll(struct edo_semaphore *semaphore,
                                     struct edo_semaphore_waiter *waiter, struct edo_context *cx)
{
    if (edo_likely(waiter->link.waker == NULL) && edo_semaphore_take(semaphore, waiter->count))
        return 0;
    return edo_semaphore_wait(semaphore, waiter, cx);
}

/* As edo_semaphore_take, with the errors told apart. 0, -EAGAIN, EDO_ECLOSED. */
int edo_semaphore_try(struct edo_semaphore *semaphore, size_t n);

/* The future that waits is dropped: what it has been given goes on. */
void edo_semaphore_leave(struct edo_semaphore *semaphore, struct edo_semaphore_waiter *waiter);

/* Gives n to those who wait. False: nobody does any more, and nothing is given. */
bool edo_semaphore_serve(struct edo_semaphore *semaphore, size_t n);

static inline void edo_semaphore_give(struct edo_semaphore *semaphore, size_t n)
{
    _Atomic(uint64_t) *word = edo_semaphore_word(semaphore);
    uint64_t old = edo_load(word, relaxed);
    for (;;) {
        if (edo_unlikely((old & EDO_SEMAPHORE_WAITERS) != 0)) {
            if (edo_semaphore_serve(semaphore, n))
                return;
            old = edo_load(word, relaxed);
        } else if (edo_cas_weak(word, &old, old + n * EDO_SEMAPHORE_ONE, release, relaxed)) {
            return;
        }
    }
}

#endif
