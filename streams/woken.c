/* SPDX-License-Identifier: MIT */
#include "woken.h"

/* Of a word that is neither 0 nor CLOSED. */
static struct edo_waker *clone_in(uintptr_t word)
{
    return (struct edo_waker *)(void *)(word & ~EDO_WOKEN_WAITS_);
}

static struct edo_inbox_node *nodes_in(uintptr_t word)
{
    return (word & EDO_WOKEN_WAITS_) != 0 ? NULL : (struct edo_inbox_node *)(void *)word;
}

/* What has been taken out: the second clone goes. Whether the first is nobody else's. */
static bool has_clone(struct edo_woken_ *woken, uintptr_t word)
{
    if (word == EDO_WOKEN_WAITS_)
        return true;
    if ((word & EDO_WOKEN_WAITS_) != 0)
        edo_waker_drop(clone_in(word));
    /* Acquire: who is through with it. */
    return !edo_load(&woken->lent, acquire);
}

struct edo_inbox_node *edo_woken_take_anew_(struct edo_woken_ *woken, struct edo_waker *waker)
{
    /* Relaxed: a waker that is there was put there by the set. */
    uintptr_t word = edo_load(&woken->word, relaxed);
    if ((word & EDO_WOKEN_WAITS_) != 0 && clone_in(word) == waker)
        return NULL;
    /* Relaxed: the next exchange comes after it, and so acquires what was put in before either. */
    word = edo_exchange(&woken->word, 0, relaxed);
    uintptr_t waits = EDO_WOKEN_WAITS_;
    if (has_clone(woken, word)) {
        struct edo_waker *old = woken->waker;
        if (old != waker) {
            woken->waker = edo_waker_clone(waker);
            if (old != NULL)
                edo_waker_drop(old);
        }
        edo_store(&woken->lent, true, relaxed);
    } else {
        waits |= (uintptr_t)edo_waker_clone(waker);
    }
    struct edo_inbox_node *first = nodes_in(word);
    /* Acquires what was put in, meanwhile as well: that is above the others. Releases the waker. */
    struct edo_inbox_node *last =
        (struct edo_inbox_node *)(void *)edo_exchange(&woken->word, waits, acq_rel);
    if (last == NULL)
        return first;
    struct edo_inbox_node *at = last;
    while (at->next != NULL)
        at = at->next;
    at->next = first;
    return last;
}

struct edo_inbox_node *edo_woken_close_(struct edo_woken_ *woken)
{
    /* Acquires what was put in; releases what the set did, to pushes that find it closed. */
    uintptr_t word = edo_exchange(&woken->word, EDO_WOKEN_CLOSED_, acq_rel);
    if (has_clone(woken, word) && woken->waker != NULL) {
        edo_waker_drop(woken->waker);
        woken->waker = NULL;
    }
    return nodes_in(word);
}
