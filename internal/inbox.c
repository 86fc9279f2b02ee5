/* SPDX-License-Identifier: MIT */
#include "inbox.h"

#include "sys.h"

#define WAITS  ((uintptr_t)1) /* in the lowest bit: pointers have none there */
#define CLOSED ((uintptr_t)2)

static _Atomic(uintptr_t) *word_of(struct edo_inbox *inbox)
{
    return (_Atomic(uintptr_t) *)&inbox->word_;
}

static struct edo_waker *waker_in(uintptr_t word)
{
    return (word & WAITS) != 0 ? (struct edo_waker *)(word & ~WAITS) : NULL;
}

void edo_inbox_init(struct edo_inbox *inbox)
{
    edo_init(word_of(inbox), (uintptr_t)0);
}

bool edo_inbox_push(struct edo_inbox *inbox, struct edo_inbox_node *node)
{
    /* Acquire: CLOSED comes after the taker's last touch of the node. */
    uintptr_t before = edo_load(word_of(inbox), acquire);
    do {
        if (before == CLOSED)
            return false;
        node->next = waker_in(before) != NULL ? NULL : (struct edo_inbox_node *)before;
        /* Release: the node's next, and what was done before the push. Acquire: what the waker points to,
         * which may be another by now, made where the one was that the load has seen. */
    } while (!edo_cas_weak(word_of(inbox), &before, (uintptr_t)node, acq_rel, acquire));
    struct edo_waker *waker = waker_in(before);
    if (waker != NULL) {
        edo_wake(waker);
        edo_waker_drop(waker);
    }
    return true;
}

static struct edo_inbox_node *in_order(uintptr_t word)
{
    struct edo_inbox_node *stack = (struct edo_inbox_node *)word, *first = NULL;
    while (stack != NULL) {
        struct edo_inbox_node *next = stack->next;
        stack->next = first;
        first = stack;
        stack = next;
    }
    return first;
}

struct edo_inbox_node *edo_inbox_take(struct edo_inbox *inbox)
{
    /* Relaxed: only to save the exchange. */
    uintptr_t word = edo_load(word_of(inbox), relaxed);
    if (word == 0 || waker_in(word) != NULL)
        return NULL;
    /* Acquires what was pushed. A node is there until it is taken. */
    return in_order(edo_exchange(word_of(inbox), 0, acquire));
}

struct edo_inbox_node *edo_inbox_close(struct edo_inbox *inbox, struct edo_waker **waiting)
{
    /* Acquires what was pushed; releases what the taker did, to pushes that find it closed. */
    uintptr_t word = edo_exchange(word_of(inbox), CLOSED, acq_rel);
    *waiting = waker_in(word);
    return *waiting != NULL ? NULL : in_order(word);
}

bool edo_inbox_wait(struct edo_inbox *inbox, struct edo_waker *waker)
{
    /* Relaxed: a waker that is there was put there by the taker. */
    uintptr_t word = edo_load(word_of(inbox), relaxed);
    struct edo_waker *clone = NULL, *old;
    for (;;) {
        old = waker_in(word);
        if ((word != 0 && old == NULL) || old == waker)
            break;
        if (clone == NULL)
            clone = edo_waker_clone(waker);
        /* Release: what the clone points to. */
        if (edo_cas(word_of(inbox), &word, (uintptr_t)clone | WAITS, release, relaxed)) {
            if (old != NULL)
                edo_waker_drop(old);
            return true;
        }
    }
    if (clone != NULL)
        edo_waker_drop(clone);
    return old == waker;
}
