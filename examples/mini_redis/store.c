/* SPDX-License-Identifier: MIT */
/* The store's calls: each looks the key up (which expires it if it must be), and commits only when
 * nothing can fail any more. */
#include "store.h"

#include <errno.h>
#include <string.h>

#include "number.h"
#include "siphash.h"
#include "store_internal.h"

enum {
    BUCKETS_PER_CALL = 8,    /* looked at in a move to another table */
    BUCKETS_PER_PURGE = 256, /* the same, in store_expire_some */
    PURGE_WHEN_FULL = 1000,  /* expired keys removed before the store says that it is full */
    SLACK = 64,              /* room that a value may leave unused, beside its own length */
};

int store_init(struct store *store, size_t maximum)
{
    *store = (struct store){.maximum = maximum};
    if (!edo_random(store->key, sizeof store->key))
        return -EIO;
    return store_table_init(store);
}

void store_share(struct store *store, _Atomic(size_t) *sum)
{
    store->sum = sum;
    atomic_fetch_add_explicit(sum, store->used, memory_order_relaxed);
}

static size_t entry_share(const struct store_entry *entry)
{
    return store_entry_size(entry->key_length, entry->room) + STORE_BLOCK_SHARE;
}

static void free_entries(struct store_table *table)
{
    for (size_t i = 0; table->buckets != NULL && i <= table->mask; i++) {
        for (struct store_entry *entry = table->buckets[i], *next; entry != NULL; entry = next) {
            next = entry->next;
            edo_free(entry);
        }
        table->buckets[i] = NULL;
    }
}

void store_free(struct store *store)
{
    free_entries(&store->table);
    free_entries(&store->next);
    if (store->sum != NULL)
        atomic_fetch_sub_explicit(store->sum, store->used, memory_order_relaxed);
    store->sum = NULL;
    store_table_free(store);
    edo_free(store->heap);
    *store = (struct store){0};
}

bool store_take_out(struct store *store, struct store *old)
{
    struct store fresh = {.maximum = store->maximum, .expired = store->expired};
    fresh.hits = store->hits;
    fresh.misses = store->misses;
    memcpy(fresh.key, store->key, sizeof fresh.key);
    if (store_table_init(&fresh) < 0)
        return false;
    /* What it uses is counted by a part of what the old one does, until that is freed: the sum stays within its
     * limit. */
    if (store->sum != NULL)
        store->used -= fresh.used;
    fresh.sum = store->sum;
    *old = *store;
    *store = fresh;
    return true;
}

void store_clear(struct store *store)
{
    free_entries(&store->table);
    free_entries(&store->next);
    edo_free(store->heap);
    store->heap = NULL;
    store->heap_count = store->heap_capacity = store->count = 0;
    /* A small table instead of the large one, if it can be had. */
    struct store fresh = {0};
    if (store_table_init(&fresh) == 0) {
        store_table_free(store);
        store->table = fresh.table;
        store_credit(store, store->used - fresh.used);
        return;
    }
    size_t tables = (store->table.mask + 1) * sizeof *store->table.buckets + STORE_BLOCK_SHARE;
    if (store->next.buckets != NULL)
        tables += (store->next.mask + 1) * sizeof *store->next.buckets + STORE_BLOCK_SHARE;
    store_credit(store, store->used - tables);
}

static void remove_entry(struct store *store, struct store_entry **link)
{
    struct store_entry *entry = *link;
    store_heap_set(store, entry, STORE_NEVER);
    store_table_remove(store, link);
    store_credit(store, entry_share(entry));
    edo_free(entry);
}

static bool is_due(const struct store *store, const struct store_entry *entry, int64_t now)
{
    return entry->timer != 0 && store->heap[entry->timer - 1].when <= now;
}

static inline struct store_entry **lookup(struct store *store, int64_t now, struct store_text key,
                                          uint64_t hash)
{
    store_table_move(store, BUCKETS_PER_CALL, true);
    struct store_entry **link = store_table_find(store, key, hash);
    if (link != NULL && edo_unlikely(is_due(store, *link, now))) {
        remove_entry(store, link);
        store->expired++;
        return NULL;
    }
    return link;
}

static inline uint64_t hash_of(const struct store *store, struct store_text key)
{
    return siphash_1_3(store->key, key.data, key.length);
}

bool store_get(struct store *store, int64_t now, struct store_text key, struct store_text *value)
{
    struct store_entry **link = lookup(store, now, key, hash_of(store, key));
    if (link == NULL) {
        store->misses++;
        return false;
    }
    store->hits++;
    *value = (struct store_text){store_entry_value(*link), (*link)->value_length};
    return true;
}

bool store_exists(struct store *store, int64_t now, struct store_text key)
{
    return lookup(store, now, key, hash_of(store, key)) != NULL;
}

/* The room to give a value: what rounds the block up to a size that malloc has. */
static size_t value_room(size_t key_length, size_t value_length)
{
    size_t whole = store_entry_size(key_length, value_length) + STORE_BLOCK_SHARE;
    return value_length + (-whole & 15);
}

static int insert(struct store *store, struct store_text key, uint64_t hash,
                  struct store_text value, int64_t expires)
{
    int r = expires != STORE_NEVER ? store_heap_reserve(store) : 0;
    if (r < 0)
        return r;
    size_t room = value_room(key.length, value.length);
    size_t size = store_entry_size(key.length, room);
    if (!store_charge(store, size + STORE_BLOCK_SHARE))
        return -ENOBUFS;
    struct store_entry *entry = edo_malloc(size);
    if (entry == NULL) {
        store_credit(store, size + STORE_BLOCK_SHARE);
        return -ENOMEM;
    }
    *entry = (struct store_entry){
        .hash = hash,
        .key_length = (uint32_t)key.length,
        .value_length = (uint32_t)value.length,
        .room = (uint32_t)room,
    };
    memcpy(entry->bytes, key.data, key.length);
    memcpy(store_entry_value(entry), value.data, value.length);
    store_table_insert(store, entry);
    store_heap_set(store, entry, expires);
    return 0;
}

/* Gives *link's entry another value, in place or in another block. */
static int replace(struct store *store, struct store_entry **link, struct store_text value)
{
    struct store_entry *entry = *link;
    bool grows = value.length > entry->room;
    if (edo_unlikely(grows || entry->room > 2 * value.length + SLACK)) {
        size_t room = value_room(entry->key_length, value.length), old_room = entry->room;
        if (grows && !store_charge(store, room - old_room))
            return -ENOBUFS;
        entry = edo_realloc(entry, store_entry_size(entry->key_length, room));
        if (entry != NULL) {
            if (!grows)
                store_credit(store, old_room - room);
            entry->room = (uint32_t)room;
            *link = entry;
            store_heap_moved(store, entry);
        } else if (grows) {
            store_credit(store, room - old_room);
            return -ENOMEM;
        }
        entry = *link;
    }
    memcpy(store_entry_value(entry), value.data, value.length);
    entry->value_length = (uint32_t)value.length;
    return 0;
}

/* Worth another try: the limit was hit, and keys whose time has come, or a table that was moved,
 * made some room. */
static bool made_room(struct store *store, int64_t now, int r)
{
    if (edo_likely(r != -ENOBUFS))
        return false;
    size_t before = store->used;
    store_expire_some(store, now, PURGE_WHEN_FULL);
    return store->used < before;
}

static int set(struct store *store, int64_t now, struct store_text key, uint64_t hash,
               struct store_text value, int64_t expires, unsigned flags)
{
    struct store_entry **link = lookup(store, now, key, hash);
    if ((flags & STORE_IF_ABSENT && link != NULL) || (flags & STORE_IF_PRESENT && link == NULL))
        return 0;
    int r = 0;
    if (link == NULL) {
        r = insert(store, key, hash, value, flags & STORE_KEEP_EXPIRY ? STORE_NEVER : expires);
        return r < 0 ? r : 1;
    }
    if (flags & STORE_KEEP_EXPIRY)
        expires = store_heap_when(store, *link);
    else if (expires != STORE_NEVER && (*link)->timer == 0)
        r = store_heap_reserve(store);
    if (r < 0 || (r = replace(store, link, value)) < 0)
        return r;
    store_heap_set(store, *link, expires);
    return 1;
}

static int set_or_purge(struct store *store, int64_t now, struct store_text key, uint64_t hash,
                        struct store_text value, int64_t expires, unsigned flags)
{
    int r = set(store, now, key, hash, value, expires, flags);
    if (made_room(store, now, r))
        r = set(store, now, key, hash, value, expires, flags);
    return r;
}

int store_set(struct store *store, int64_t now, struct store_text key, struct store_text value,
              int64_t expires, unsigned flags)
{
    if (key.length > INT32_MAX || value.length > INT32_MAX)
        return -ENOBUFS;
    return set_or_purge(store, now, key, hash_of(store, key), value, expires, flags);
}

bool store_delete(struct store *store, int64_t now, struct store_text key)
{
    struct store_entry **link = lookup(store, now, key, hash_of(store, key));
    if (link != NULL)
        remove_entry(store, link);
    return link != NULL;
}

int store_expire(struct store *store, int64_t now, struct store_text key, int64_t when)
{
    uint64_t hash = hash_of(store, key);
    struct store_entry **link = lookup(store, now, key, hash);
    if (link == NULL)
        return 0;
    if (when <= now) {
        remove_entry(store, link);
        return 1;
    }
    if (when != STORE_NEVER && (*link)->timer == 0) {
        int r = store_heap_reserve(store);
        if (made_room(store, now, r)) {
            r = store_heap_reserve(store);
            link = lookup(store, now, key, hash);
        }
        if (r < 0)
            return r;
    }
    store_heap_set(store, *link, when);
    return 1;
}

bool store_expiry(struct store *store, int64_t now, struct store_text key, int64_t *when)
{
    struct store_entry **link = lookup(store, now, key, hash_of(store, key));
    if (link != NULL)
        *when = store_heap_when(store, *link);
    return link != NULL;
}

int store_add(struct store *store, int64_t now, struct store_text key, int64_t by, int64_t *sum)
{
    if (key.length > INT32_MAX)
        return -ENOBUFS;
    uint64_t hash = hash_of(store, key);
    struct store_entry **link = lookup(store, now, key, hash);
    int64_t number = 0;
    if (link != NULL && !number_read(store_entry_value(*link), (*link)->value_length, &number))
        return -EINVAL;
    if (__builtin_add_overflow(number, by, &number))
        return -ERANGE;
    char text[NUMBER_MAX];
    struct store_text value = {text, number_write(text, number)};
    int r = set_or_purge(store, now, key, hash, value, STORE_NEVER, STORE_KEEP_EXPIRY);
    if (r < 0)
        return r;
    *sum = number;
    return 0;
}

size_t store_expire_some(struct store *store, int64_t now, size_t most)
{
    store_table_move(store, BUCKETS_PER_PURGE, false);
    store_table_reduce(store);
    size_t n = 0;
    for (; n < most && store->heap_count > 0 && store->heap[0].when <= now; n++)
        remove_entry(store, store_table_link(store, store->heap[0].entry));
    store->expired += n;
    return n;
}

bool store_next_expiry(const struct store *store, int64_t *when)
{
    if (store->heap_count == 0)
        return false;
    *when = store->heap[0].when;
    return true;
}

static size_t check_table(const struct store *store, const struct store_table *table, size_t *used)
{
    size_t count = 0;
    for (size_t i = 0; table->buckets != NULL && i <= table->mask; i++) {
        for (struct store_entry *entry = table->buckets[i]; entry != NULL; entry = entry->next) {
            edo_assert(((size_t)entry->hash & table->mask) == i);
            edo_assert(entry->value_length <= entry->room);
            edo_assert(entry->timer <= store->heap_count);
            edo_assert(entry->timer == 0 || store->heap[entry->timer - 1].entry == entry);
            *used += entry_share(entry);
            count++;
        }
    }
    if (table->buckets != NULL)
        *used += (table->mask + 1) * sizeof *table->buckets + STORE_BLOCK_SHARE;
    return count;
}

void store_check(const struct store *store)
{
    size_t used = store->heap_capacity * sizeof *store->heap;
    size_t count = check_table(store, &store->table, &used);
    count += check_table(store, &store->next, &used);
    edo_assert(count == store->count && used == store->used);
    edo_assert(store->heap_count <= store->heap_capacity);
    for (size_t i = 0; i < store->moved; i++)
        edo_assert(store->table.buckets[i] == NULL);
    for (size_t i = 0; i < store->heap_count; i++) {
        edo_assert(store->heap[i].entry->timer == i + 1);
        edo_assert(i == 0 || store->heap[(i - 1) / 2].when <= store->heap[i].when);
    }
}
