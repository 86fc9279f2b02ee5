/* SPDX-License-Identifier: MIT */
/* What the three parts of the store share: the entry, its place in a table, its place in the heap.
 *
 * An entry is one block: head, key, value, some room to spare. It is in exactly one bucket of one
 * table, and in the heap if it expires.
 */
#ifndef MINI_REDIS_STORE_INTERNAL_H
#define MINI_REDIS_STORE_INTERNAL_H

#include <stdatomic.h>

#include "internal/sys.h"
#include "store.h"

struct store_entry {
    struct store_entry *next; /* in its bucket */
    uint64_t hash;
    uint32_t timer; /* 1 + its place in the heap; 0: it does not expire */
    uint32_t key_length;
    uint32_t value_length;
    uint32_t room; /* for the value */
    char bytes[];  /* key, value */
};

/* What malloc takes beside a block, by the look of glibc's. */
enum { STORE_BLOCK_SHARE = 8 };

static inline char *store_entry_value(struct store_entry *entry)
{
    return entry->bytes + entry->key_length;
}

/* The bytes of an entry's block with that much room. */
static inline size_t store_entry_size(size_t key_length, size_t room)
{
    return sizeof(struct store_entry) + key_length + room;
}

/* Counts so many bytes more, if that stays within the limit. */
static inline bool store_charge(struct store *store, size_t more)
{
    size_t used = store->used;
    if (store->sum != NULL) {
        /* Relaxed: it is a number, and nothing else is read by it. */
        used = atomic_load_explicit(store->sum, memory_order_relaxed);
        do
            if (used > store->maximum || more > store->maximum - used)
                return false;
        while (!atomic_compare_exchange_weak_explicit(store->sum, &used, used + more,
                                                      memory_order_relaxed, memory_order_relaxed));
    } else if (used > store->maximum || more > store->maximum - used) {
        return false;
    }
    store->used += more;
    return true;
}

/* Counts so many less. */
static inline void store_credit(struct store *store, size_t less)
{
    store->used -= less;
    if (store->sum != NULL)
        atomic_fetch_sub_explicit(store->sum, less, memory_order_relaxed);
}

/* store_table.c */

int store_table_init(struct store *store);
void store_table_free(struct store *store);

/* The link that points to the key's entry, or NULL. Valid until entries or tables change. */
struct store_entry **store_table_find(struct store *store, struct store_text key, uint64_t hash);

/* Puts an entry, its hash filled in, into its bucket; starts a move to a larger table when it is
 * time, which may silently not succeed: a full table is slower, not wrong. */
void store_table_insert(struct store *store, struct store_entry *entry);

/* Takes the entry out, and reduces. */
void store_table_remove(struct store *store, struct store_entry **link);

/* Starts a move to a smaller table when few buckets of this one are in use. */
void store_table_reduce(struct store *store);

/* The link that points to an entry of the store. */
struct store_entry **store_table_link(struct store *store, struct store_entry *entry);

/* Goes on with a move, if one is under way: looks at so many buckets, or stops at the first that is
 * not empty. */
void store_table_move(struct store *store, size_t buckets, bool stop);

/* store_heap.c */

/* Makes sure one more fits; -ENOMEM, -ENOBUFS. */
int store_heap_reserve(struct store *store);

/* Sets the entry's expiry; room must have been reserved if it had none. STORE_NEVER takes it out.
 */
void store_heap_set(struct store *store, struct store_entry *entry, int64_t when);

/* The entry's block is elsewhere now. */
static inline void store_heap_moved(struct store *store, struct store_entry *entry)
{
    if (entry->timer != 0)
        store->heap[entry->timer - 1].entry = entry;
}

static inline int64_t store_heap_when(const struct store *store, const struct store_entry *entry)
{
    return entry->timer == 0 ? STORE_NEVER : store->heap[entry->timer - 1].when;
}

#endif
