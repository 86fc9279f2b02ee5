/* SPDX-License-Identifier: MIT */
/* The store: binary-safe keys to binary-safe values, some of which expire, within a limit of memory.
 *
 *     struct store store;
 *     if (store_init(&store, 256 << 20) < 0)
 *         …no memory, or no randomness…
 *     struct store_text value, key = {"name", 4};
 *     store_set(&store, now, key, (struct store_text){"edo", 3}, now + 1000, 0);
 *     if (store_get(&store, now, key, &value))
 *         fwrite(value.data, 1, value.length, stdout);
 *     store_free(&store);
 *
 * One thread at a time (db.h makes a database of stores for several); no locks, no I/O, no clock:
 * `now` is whatever milliseconds the caller counts in, Unix time for a server that answers EXPIREAT. A key whose time has come (expires <=
 * now) is not there, for any call; its memory goes when the key is next looked for, or by
 * store_expire_some, which a server calls now and then (store_next_expiry says when there is
 * something to do).
 *
 * No call does more than bounded work beside its own key and value, but store_free, store_clear,
 * and the growth of the heap of expiries: the table of buckets is enlarged and reduced a few
 * buckets at a time, by each call. Keys are hashed with SipHash-1-3 under a random key.
 *
 * Errors are negative: -ENOMEM, no memory to be had; -ENOBUFS, the limit is reached. Either way the
 * store is as it was.
 */
#ifndef MINI_REDIS_STORE_H
#define MINI_REDIS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_NEVER   INT64_MAX           /* an expiry that does not come */
#define STORE_MAXIMUM ((size_t)256 << 20) /* the usual limit: 256 MiB */

/* Bytes that belong to somebody else. */
struct store_text {
    const char *data;
    size_t length;
};

struct store_entry;

struct store_table {
    struct store_entry **buckets;
    size_t mask; /* how many there are, a power of two, less one */
};

/* All fields are read only. */
struct store {
    size_t count;          /* keys, those included whose time has come but which are still there */
    size_t used;           /* bytes: keys, values, the tables, an estimate of malloc's share */
    size_t maximum;        /* `used` does not exceed it; or `*sum`, when there is one */
    _Atomic(size_t) *sum;  /* what several stores use, this one among them; NULL: it is alone */
    uint64_t key[2];       /* the hash's */
    uint64_t expired;      /* keys gone because their time had come, in sum */
    uint64_t hits, misses; /* of store_get */

    /* While `next` has buckets, those of `table` below `moved` have been moved there. */
    struct store_table table, next;
    size_t moved;

    /* A binary heap, the next to expire on top; each entry knows its place in it. */
    struct store_expiry {
        int64_t when;
        struct store_entry *entry;
    } * heap;
    size_t heap_count, heap_capacity;
};

/* Makes an empty store that holds at most `maximum` bytes. 0, -ENOMEM, or -EIO when the system has
 * no random numbers: nothing to free then. */
int store_init(struct store *store, size_t maximum);

/* Counts what the store uses also in *sum, beside others of the same limit, which then holds for the
 * sum. Each store may be used by another thread. */
void store_share(struct store *store, _Atomic(size_t) *sum);

/* Frees all it holds, in time proportional to that. */
void store_free(struct store *store);

/* The key's value; false when it is not there. *value is valid until the next call on the store. */
bool store_get(struct store *store, int64_t now, struct store_text key, struct store_text *value);

/* Whether the key is there. */
bool store_exists(struct store *store, int64_t now, struct store_text key);

enum store_set_flags {
    STORE_IF_ABSENT = 1,   /* NX: only a new key */
    STORE_IF_PRESENT = 2,  /* XX: only an old key */
    STORE_KEEP_EXPIRY = 4, /* an old key's expiry stays; `expires` is not looked at */
};

/* Sets the key to a copy of value, to expire at `expires` (STORE_NEVER: not at all). 1 when it was
 * set, 0 when the flags forbade it; -ENOMEM, -ENOBUFS. value must not be a slice of the store. */
int store_set(struct store *store, int64_t now, struct store_text key, struct store_text value,
              int64_t expires, unsigned flags);

/* Removes the key; false when it was not there. */
bool store_delete(struct store *store, int64_t now, struct store_text key);

/* Lets the key expire at `when`, or never; a time that has come removes it. 1, or 0 when the key is
 * not there; -ENOMEM, -ENOBUFS. */
int store_expire(struct store *store, int64_t now, struct store_text key, int64_t when);

/* When the key expires, or STORE_NEVER; false when it is not there. */
bool store_expiry(struct store *store, int64_t now, struct store_text key, int64_t *when);

/* Adds `by` to the number the key's value spells (0 when there is no key), and puts it in *sum; its
 * expiry stays. 0; -EINVAL, the value is no number; -ERANGE, the sum would not fit; -ENOMEM,
 * -ENOBUFS. */
int store_add(struct store *store, int64_t now, struct store_text key, int64_t by, int64_t *sum);

/* Removes at most `most` keys whose time has come, those first that are overdue longest; returns
 * how many. Also goes on with a move to another table. The daily work of a purge task. */
size_t store_expire_some(struct store *store, int64_t now, size_t most);

/* When the next key expires; false when none does. */
bool store_next_expiry(const struct store *store, int64_t *when);

/* Removes everything, in time proportional to what there is. */
void store_clear(struct store *store);

/* The same at once: puts it into *old, for store_free and nothing else, which may take its time. False without memory,
 * and then nothing has changed. */
bool store_take_out(struct store *store, struct store *old);

/* Aborts with a message where the structure contradicts itself; for tests, takes long. */
void store_check(const struct store *store);

#endif
