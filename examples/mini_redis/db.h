/* SPDX-License-Identifier: MIT */
/* The database: what all clients share, on however many threads their tasks run. It is a number of stores,
 * the shards, each behind a mutex of its own: two clients wait for each other only where their keys are of
 * one shard.
 *
 *     struct db db;
 *     if (db_init(&db, 16, 256 << 20) < 0)
 *         …no memory, or no randomness…
 *     struct store *store = db_lock(&db, key);
 *     if (store_get(store, now, key, &value))
 *         …the value is there until…
 *     db_unlock(store);
 *     db_free(&db);
 *
 * A command locks the shards of all its keys before it looks at one, and unlocks them when it is done: so
 * all that it does happens at once, for anybody else. Nothing is awaited in between, nor sent to a peer; a
 * value that is read is copied. For so short a time a pthread_mutex_t is right (examples/sharded_map.c has
 * the other kind). A thread has shards locked by one call at a time: those of a call are locked in their
 * order, so that no two threads wait for each other.
 *
 * The limit of memory is that of all shards together. One that is full makes room by what has expired in
 * it, and not in others: the purge does that soon.
 */
#ifndef MINI_REDIS_DB_H
#define MINI_REDIS_DB_H

#include "store.h"

enum { DB_SHARDS_MAX = 64 };

struct shard;

struct db {
    unsigned count; /* of shards */
    struct shard *shards;
    size_t maximum;
    _Atomic(size_t) used; /* by all of them; kept where there are several */
    uint64_t key[2];      /* of the hash that tells whose shard a key is */
};

/* Makes an empty one of so many shards, a power of two up to DB_SHARDS_MAX, that hold at most `maximum`
 * bytes together. 0, -ENOMEM, or -EIO: nothing to free then. */
int db_init(struct db *db, unsigned shards, size_t maximum);

/* When nobody uses it any more. */
void db_free(struct db *db);

/* Locks the shard of a key: its store is the caller's until it unlocks it. */
struct store *db_lock(struct db *db, struct store_text key);
void db_unlock(struct store *store);

/* The same for several: a bit for each shard. */
typedef uint64_t db_shards;
#define DB_ALL (~(db_shards)0)
db_shards db_shard(const struct db *db, struct store_text key);
void db_lock_shards(struct db *db, db_shards shards);
void db_unlock_shards(struct db *db, db_shards shards);

/* The store of a key whose shard is locked. */
struct store *db_store(struct db *db, struct store_text key);

/* The rest locks what it needs. */

/* Sums over all shards, of one moment. */
struct db_totals {
    size_t maximum, used, count, expiring;
    uint64_t expired, hits, misses;
};
struct db_totals db_totals(struct db *db);

/* Removes everything, at once for anybody else; the memory goes after that. */
void db_clear(struct db *db);

/* Removes at most so many keys whose time has come, some more if need be; returns how many. No shard is
 * locked for longer than it takes for a hundred. */
size_t db_expire_some(struct db *db, int64_t now, size_t most);

/* Aborts with a message where the structure contradicts itself; for tests, takes long. */
void db_check(struct db *db);

#endif
