/* SPDX-License-Identifier: MIT */
/* Where the wakes of a set's members meet the set: any thread puts a member in, the set takes all out when it is
 * polled, and its task is woken for the first one that is put in after that. Not for use by hand.
 *
 * A Treiber stack that is only pushed to and taken whole, as the inbox is (internal/inbox.h), but made for a taker who
 * waits again and again with the same waker, and for who puts in to touch it after that: it is there as long as any
 * waker of a member.
 *
 *  1. The set keeps one clone of the task's waker, as long as it is polled with that. It is lent to the push that takes
 *     WAITS out of the word, and this one, when it has woken it, says that it is through with it. So nothing is cloned
 *     and dropped for a wake.
 *  2. The set takes the nodes out and puts WAITS in their place by one exchange, before it polls them: what is put in
 *     meanwhile wakes the task. Having polled, it has nothing more to do here.
 *  3. A clone that is lent is not the set's to drop, or to lend once more. Should the set be polled before the push is
 *     through, a second clone goes into the word, which the push that takes it out wakes and drops. Should it be
 *     dropped, the clone goes with the last waker of a member: whoever is still to be through with it has one.
 */
#ifndef EDO_STREAMS_WOKEN_H
#define EDO_STREAMS_WOKEN_H

#include "../internal/inbox.h"
#include "../internal/sys.h"

#define EDO_WOKEN_WAITS_  ((uintptr_t)1) /* alone, or beside a clone: pointers have no such bits */
#define EDO_WOKEN_CLOSED_ ((uintptr_t)2)

struct edo_woken_ {
    _Atomic(uintptr_t)
        word; /* the node that was put in last; WAITS; a clone with WAITS; or CLOSED */
    struct edo_waker *waker; /* the clone; or NULL. The set's, and of who it is lent to */
    _Atomic(bool) lent;      /* set by the set, cleared by who is through with it */
};

static inline void edo_woken_init_(struct edo_woken_ *woken)
{
    /* With no waker yet: none of the members has one before the set is polled. */
    edo_init(&woken->word, EDO_WOKEN_WAITS_);
    edo_init(&woken->lent, true);
    woken->waker = NULL;
}

/* The last one: whatever is left to be dropped. */
static inline void edo_woken_end_(struct edo_woken_ *woken)
{
    if (woken->waker != NULL)
        edo_waker_drop(woken->waker);
}

/* Puts a node in, which is in none. False: closed. What was done before is seen by who takes it. Any thread; the
 * caller has a waker of a member, or is polled by the set. */
static inline bool edo_woken_push_(struct edo_woken_ *woken, struct edo_inbox_node *node)
{
    /* Acquire: CLOSED comes after the set's last touch of the node. */
    uintptr_t before = edo_load(&woken->word, acquire);
    do {
        if (edo_unlikely(before == EDO_WOKEN_CLOSED_))
            return false;
        node->next =
            (before & EDO_WOKEN_WAITS_) != 0 ? NULL : (struct edo_inbox_node *)(void *)before;
        /* Release: the node's next, and what was done before the push. Acquire: the waker that is waited with. */
    } while (!edo_cas_weak(&woken->word, &before, (uintptr_t)node, acq_rel, acquire));
    if (edo_likely(before == EDO_WOKEN_WAITS_)) {
        edo_wake(woken->waker);
        /* Release: the last touch of the waker, to who drops it. */
        edo_store(&woken->lent, false, release);
    } else if ((before & EDO_WOKEN_WAITS_) != 0) {
        struct edo_waker *clone = (struct edo_waker *)(void *)(before & ~EDO_WOKEN_WAITS_);
        edo_wake(clone);
        edo_waker_drop(clone);
    }
    return true;
}

/* What follows is for the set. */

/* Where the set has not waited with this waker, or its clone is lent. */
struct edo_inbox_node *edo_woken_take_anew_(struct edo_woken_ *woken, struct edo_waker *waker)
    __attribute__((noinline));

/* Takes all, and waits. What it returns is a stack, the last one that was put in first; NULL: none. */
static inline struct edo_inbox_node *edo_woken_take_(struct edo_woken_ *woken,
                                                     struct edo_waker *waker)
{
    /* Relaxed: the exchange acquires; and a waker that is there was put there by the set. */
    uintptr_t word = edo_load(&woken->word, relaxed);
    if (word == EDO_WOKEN_WAITS_ && woken->waker == waker)
        return NULL;
    /* Acquire: who is through with it, before the set drops it some time. */
    if (edo_unlikely((word & EDO_WOKEN_WAITS_) != 0 || woken->waker != waker ||
                     edo_load(&woken->lent, acquire)))
        return edo_woken_take_anew_(woken, waker);
    edo_store(&woken->lent, true, relaxed);
    /* Acquires what was put in. Releases that it is lent, so that it is cleared after it was set, and stays so. */
    return (struct edo_inbox_node *)(void *)edo_exchange(&woken->word, EDO_WOKEN_WAITS_, acq_rel);
}

/* The same, and nothing is put in any more; pushes that find it so see what was done before. */
struct edo_inbox_node *edo_woken_close_(struct edo_woken_ *woken);

#endif
