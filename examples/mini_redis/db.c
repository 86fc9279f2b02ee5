/* SPDX-License-Identifier: MIT */
#include "db.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "siphash.h"
#include "store_internal.h"

enum { CACHE_LINE = 64, EXPIRE_AT_ONCE = 100 };

struct shard {
    _Alignas(CACHE_LINE) pthread_mutex_t mutex; /* a cache line is nobody else's */
    struct store store;
};

static void free_shards(struct db *db, unsigned count)
{
    for (struct shard *shard = db->shards; shard < db->shards + count; shard++) {
        store_free(&shard->store);
        pthread_mutex_destroy(&shard->mutex);
    }
    free(db->shards);
    *db = (struct db){0};
}

int db_init(struct db *db, unsigned shards, size_t maximum)
{
    *db = (struct db){.count = shards, .maximum = maximum};
    db->shards = aligned_alloc(CACHE_LINE, shards * sizeof *db->shards);
    if (db->shards == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < shards; i++) {
        struct shard *shard = &db->shards[i];
        int error = store_init(&shard->store, maximum);
        if (error < 0) {
            free_shards(db, i);
            return error;
        }
        if (shards > 1)
            store_share(&shard->store, &db->used);
        pthread_mutex_init(&shard->mutex, NULL);
    }
    memcpy(db->key, db->shards[0].store.key, sizeof db->key);
    return 0;
}

void db_free(struct db *db)
{
    free_shards(db, db->count);
}

/* By the upper half of the hash: of the lower one stores make buckets. */
static inline unsigned index_of(const struct db *db, struct store_text key)
{
    if (db->count == 1)
        return 0;
    uint64_t hash = siphash_1_3(db->key, key.data, key.length);
    return (unsigned)(hash >> 32) & (db->count - 1);
}

struct store *db_lock(struct db *db, struct store_text key)
{
    struct shard *shard = &db->shards[index_of(db, key)];
    pthread_mutex_lock(&shard->mutex);
    return &shard->store;
}

void db_unlock(struct store *store)
{
    struct shard *shard = (struct shard *)((char *)store - offsetof(struct shard, store));
    pthread_mutex_unlock(&shard->mutex);
}

db_shards db_shard(const struct db *db, struct store_text key)
{
    return (db_shards)1 << index_of(db, key);
}

void db_lock_shards(struct db *db, db_shards shards)
{
    for (unsigned i = 0; i < db->count; i++)
        if (shards >> i & 1)
            pthread_mutex_lock(&db->shards[i].mutex);
}

void db_unlock_shards(struct db *db, db_shards shards)
{
    for (unsigned i = 0; i < db->count; i++)
        if (shards >> i & 1)
            pthread_mutex_unlock(&db->shards[i].mutex);
}

struct store *db_store(struct db *db, struct store_text key)
{
    return &db->shards[index_of(db, key)].store;
}

struct db_totals db_totals(struct db *db)
{
    struct db_totals totals = {.maximum = db->maximum};
    db_lock_shards(db, DB_ALL);
    for (unsigned i = 0; i < db->count; i++) {
        const struct store *store = &db->shards[i].store;
        totals.used += store->used;
        totals.count += store->count;
        totals.expiring += store->heap_count;
        totals.expired += store->expired;
        totals.hits += store->hits;
        totals.misses += store->misses;
    }
    db_unlock_shards(db, DB_ALL);
    return totals;
}

void db_clear(struct db *db)
{
    struct store old[DB_SHARDS_MAX];
    db_lock_shards(db, DB_ALL);
    for (unsigned i = 0; i < db->count; i++) {
        old[i] = (struct store){0};
        if (!store_take_out(&db->shards[i].store, &old[i]))
            store_clear(&db->shards[i].store);
    }
    db_unlock_shards(db, DB_ALL);
    for (unsigned i = 0; i < db->count; i++)
        store_free(&old[i]);
}

size_t db_expire_some(struct db *db, int64_t now, size_t most)
{
    size_t sum = 0;
    for (unsigned i = 0; i < db->count && sum < most; i++) {
        struct shard *shard = &db->shards[i];
        size_t n;
        do {
            pthread_mutex_lock(&shard->mutex);
            n = store_expire_some(&shard->store, now, EXPIRE_AT_ONCE);
            pthread_mutex_unlock(&shard->mutex);
            sum += n;
        } while (n == EXPIRE_AT_ONCE && sum < most);
    }
    return sum;
}

void db_check(struct db *db)
{
    size_t used = 0;
    db_lock_shards(db, DB_ALL);
    for (unsigned i = 0; i < db->count; i++) {
        store_check(&db->shards[i].store);
        used += db->shards[i].store.used;
    }
    edo_assert(db->count == 1 || used == db->used);
    db_unlock_shards(db, DB_ALL);
}
