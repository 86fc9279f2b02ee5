/* SPDX-License-Identifier: MIT */
/* The store's buckets: chains of entries, in one table or, while it moves to another size, in two.
 *
 *     table   [ moved: empty ......... | still here ... ]        next   [ .........................
 * ] 0                        moved       mask                 0                      mask
 *
 * An entry's place is certain at any time: if its bucket in `table` is below `moved`, in `next`. So
 * a search looks at one chain only. Each call on the store moves on by one chain that is not empty
 * (or passes 8 empty ones): a move that starts with as many entries as buckets is over before as
 * many have been added, which is when the next one could be due.
 */
#include "store_internal.h"

#include <errno.h>
#include <string.h>

enum { TABLE_FIRST = 16, SPARSE = 8 /* buckets per entry */ };

static size_t table_size(size_t buckets)
{
    return buckets * sizeof(struct store_entry *) + STORE_BLOCK_SHARE;
}

static bool make_table(struct store_table *table, size_t buckets)
{
    table->buckets = edo_calloc(buckets, sizeof *table->buckets);
    if (table->buckets == NULL)
        return false;
    table->mask = buckets - 1;
    return true;
}

static void free_table(struct store *store, struct store_table *table)
{
    if (table->buckets != NULL)
        store_credit(store, table_size(table->mask + 1));
    edo_free(table->buckets);
    *table = (struct store_table){0};
}

int store_table_init(struct store *store)
{
    if (!make_table(&store->table, TABLE_FIRST))
        return -ENOMEM;
    store->used += table_size(TABLE_FIRST); /* whatever the limit */
    return 0;
}

void store_table_free(struct store *store)
{
    free_table(store, &store->table);
    free_table(store, &store->next);
    store->moved = 0;
}

static inline struct store_entry **bucket(struct store *store, uint64_t hash)
{
    size_t at = (size_t)hash & store->table.mask;
    if (edo_likely(at >= store->moved))
        return &store->table.buckets[at];
    return &store->next.buckets[(size_t)hash & store->next.mask];
}

struct store_entry **store_table_find(struct store *store, struct store_text key, uint64_t hash)
{
    struct store_entry **link = bucket(store, hash);
    for (; *link != NULL; link = &(*link)->next) {
        struct store_entry *entry = *link;
        if (entry->hash == hash && entry->key_length == key.length &&
            memcmp(entry->bytes, key.data, key.length) == 0)
            return link;
    }
    return NULL;
}

struct store_entry **store_table_link(struct store *store, struct store_entry *entry)
{
    struct store_entry **link = bucket(store, entry->hash);
    while (*link != entry)
        link = &(*link)->next;
    return link;
}

void store_table_move(struct store *store, size_t buckets, bool stop)
{
    if (edo_likely(store->next.buckets == NULL))
        return;
    while (buckets-- > 0) {
        struct store_entry **from = &store->table.buckets[store->moved++];
        bool empty = *from == NULL;
        while (*from != NULL) {
            struct store_entry *entry = *from;
            *from = entry->next;
            struct store_entry **to = &store->next.buckets[(size_t)entry->hash & store->next.mask];
            entry->next = *to;
            *to = entry;
        }
        if (store->moved > store->table.mask) {
            free_table(store, &store->table);
            store->table = store->next;
            store->next = (struct store_table){0};
            store->moved = 0;
            return;
        }
        if (stop && !empty)
            return;
    }
}

static void start_move(struct store *store, size_t buckets)
{
    if (store->next.buckets != NULL || !store_charge(store, table_size(buckets)))
        return;
    if (!make_table(&store->next, buckets))
        store_credit(store, table_size(buckets));
}

void store_table_insert(struct store *store, struct store_entry *entry)
{
    struct store_entry **link = bucket(store, entry->hash);
    entry->next = *link;
    *link = entry;
    if (++store->count > store->table.mask)
        start_move(store, (store->table.mask + 1) * 2);
}

void store_table_reduce(struct store *store)
{
    size_t buckets = store->table.mask + 1;
    if (edo_unlikely(store->count < buckets / SPARSE && buckets > TABLE_FIRST))
        start_move(store, buckets / 4);
}

void store_table_remove(struct store *store, struct store_entry **link)
{
    *link = (*link)->next;
    store->count--;
    store_table_reduce(store);
}
