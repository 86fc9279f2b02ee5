/* SPDX-License-Identifier: MIT */
/* The store's expiries: a binary heap in an array, the earliest on top. */
#include "store_internal.h"

#include <errno.h>

enum { HEAP_FIRST = 16 };

/* Changes the array's capacity; the old one stays when it fails. */
static int resize(struct store *store, size_t capacity)
{
    size_t old = store->heap_capacity * sizeof *store->heap;
    size_t size = capacity * sizeof *store->heap;
    bool grows = size > old;
    if (capacity > UINT32_MAX || (grows && !store_charge(store, size - old)))
        return -ENOBUFS;
    void *heap = edo_realloc(store->heap, size);
    if (heap == NULL) {
        if (grows)
            store_credit(store, size - old);
        return -ENOMEM;
    }
    store->heap = heap;
    store->heap_capacity = capacity;
    if (!grows)
        store_credit(store, old - size);
    return 0;
}

int store_heap_reserve(struct store *store)
{
    if (edo_likely(store->heap_count < store->heap_capacity))
        return 0;
    return resize(store, store->heap_capacity == 0 ? HEAP_FIRST : store->heap_capacity * 2);
}

static void place(struct store *store, size_t at, struct store_expiry expiry)
{
    store->heap[at] = expiry;
    expiry.entry->timer = (uint32_t)at + 1;
}

/* Fills the hole at `at` with expiry, after moving the hole to where it may be. */
static void sift(struct store *store, size_t at, struct store_expiry expiry)
{
    while (at > 0 && expiry.when < store->heap[(at - 1) / 2].when) {
        place(store, at, store->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (size_t child; (child = 2 * at + 1) < store->heap_count; at = child) {
        if (child + 1 < store->heap_count && store->heap[child + 1].when < store->heap[child].when)
            child++;
        if (expiry.when <= store->heap[child].when)
            break;
        place(store, at, store->heap[child]);
    }
    place(store, at, expiry);
}

static void take_out(struct store *store, struct store_entry *entry)
{
    size_t at = entry->timer - 1;
    entry->timer = 0;
    struct store_expiry last = store->heap[--store->heap_count];
    if (at < store->heap_count)
        sift(store, at, last);
    if (store->heap_capacity > HEAP_FIRST && store->heap_count < store->heap_capacity / 8)
        (void)resize(store, store->heap_capacity / 2);
}

void store_heap_set(struct store *store, struct store_entry *entry, int64_t when)
{
    if (when != STORE_NEVER) {
        size_t at = entry->timer != 0 ? entry->timer - 1 : store->heap_count++;
        sift(store, at, (struct store_expiry){when, entry});
    } else if (entry->timer != 0) {
        take_out(store, entry);
    }
}
