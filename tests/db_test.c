/* SPDX-License-Identifier: MIT */
/* mini-redis' database: what several threads may expect of its shards. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/mini_redis/db.h"
#include "internal/census.h"
#include "internal/sys.h"

enum { SHARDS = 8 };

struct fixture {
    struct db db;
    struct edo_census before;
};

static struct db *begin(struct fixture *fixture, size_t maximum)
{
    fixture->before = edo_census_now();
    cr_assert_eq(db_init(&fixture->db, SHARDS, maximum), 0);
    return &fixture->db;
}

static void check_census(const struct edo_census *before)
{
    struct edo_census after = edo_census_now();
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        cr_assert_eq(after.live[i], before->live[i], "%s: %ld at the start, %ld now",
                     edo_census_name(i), (long)before->live[i], (long)after.live[i]);
}

static void end(struct fixture *fixture)
{
    db_check(&fixture->db);
    db_free(&fixture->db);
    check_census(&fixture->before);
}

static struct store_text text(const char *string)
{
    return (struct store_text){string, strlen(string)};
}

static struct store_text key_of(int i, char room[16])
{
    return (struct store_text){room, (size_t)snprintf(room, 16, "key.%d", i)};
}

static int set(struct db *db, struct store_text key, struct store_text value, int64_t expires)
{
    struct store *store = db_lock(db, key);
    int r = store_set(store, 0, key, value, expires, 0);
    db_unlock(store);
    return r;
}

Test(db, a_key_is_found_in_its_shard)
{
    struct fixture fixture;
    struct db *db = begin(&fixture, STORE_MAXIMUM);
    enum { KEYS = 1000 };
    char room[16];
    db_shards used = 0;
    for (int i = 0; i < KEYS; i++) {
        cr_assert_eq(set(db, key_of(i, room), key_of(i, room), STORE_NEVER), 1);
        used |= db_shard(db, key_of(i, room));
    }
    cr_assert_eq(used, ((db_shards)1 << SHARDS) - 1, "a thousand keys are in all shards");
    cr_assert_eq(db_totals(db).count, KEYS);
    for (int i = 0; i < KEYS; i++) {
        struct store_text key = key_of(i, room), value;
        struct store *store = db_lock(db, key);
        cr_assert(store_get(store, 0, key, &value));
        cr_assert(value.length == key.length && memcmp(value.data, key.data, key.length) == 0);
        db_unlock(store);
    }
    struct db_totals totals = db_totals(db);
    cr_assert_eq(totals.hits, KEYS);
    cr_assert_eq(totals.misses, 0);
    cr_assert_eq(totals.used, db->used);
    end(&fixture);
}

/* Each has all of it, and none more. */
Test(db, the_limit_is_that_of_all_shards_together)
{
    struct fixture fixture;
    enum { MAXIMUM = 100000, LARGE = 60000 };
    struct db *db = begin(&fixture, MAXIMUM);
    char room[16], *value = calloc(1, LARGE);
    cr_assert_eq(set(db, text("large"), (struct store_text){value, LARGE}, STORE_NEVER), 1);
    cr_assert_eq(set(db, text("larger"), (struct store_text){value, LARGE}, STORE_NEVER), -ENOBUFS);
    int n = 0;
    while (set(db, key_of(n, room), (struct store_text){value, 100}, STORE_NEVER) == 1) {
        cr_assert_leq(db->used, MAXIMUM);
        n++;
    }
    cr_assert_gt(db->used, MAXIMUM - 1000);
    db_check(db);
    db_clear(db);
    cr_assert_eq(db_totals(db).count, 0);
    cr_assert_eq(set(db, text("larger"), (struct store_text){value, LARGE}, STORE_NEVER), 1);
    free(value);
    end(&fixture);
}

/* As db_clear does; but nobody else can look between its two steps. */
Test(db, the_sum_is_within_the_limit_also_as_stores_are_emptied)
{
    enum { MAXIMUM = 20000 };
    _Atomic(size_t) sum = 0;
    struct store stores[SHARDS], old[SHARDS] = {{0}};
    char room[16], value[100] = "";
    for (int i = 0; i < SHARDS; i++) {
        cr_assert_eq(store_init(&stores[i], MAXIMUM), 0);
        store_share(&stores[i], &sum);
    }
    int n = 0;
    for (size_t length = sizeof value; length > 0; length--)
        while (store_set(&stores[n % SHARDS], 0, key_of(n, room),
                         (struct store_text){value, length}, STORE_NEVER, 0) == 1)
            n++;
    for (int i = 0; i < SHARDS; i++) {
        cr_assert(store_take_out(&stores[i], &old[i]));
        cr_assert_leq(sum, MAXIMUM);
    }
    size_t used = 0;
    for (int i = 0; i < SHARDS; i++) {
        store_free(&old[i]);
        used += stores[i].used;
    }
    cr_assert_eq(sum, used);
    for (int i = 0; i < SHARDS; i++)
        store_free(&stores[i]);
    cr_assert_eq(sum, 0);
}

Test(db, what_has_expired_goes_whatever_its_shard)
{
    struct fixture fixture;
    struct db *db = begin(&fixture, STORE_MAXIMUM);
    enum { KEYS = 3000 };
    char room[16];
    for (int i = 0; i < KEYS; i++)
        cr_assert_eq(set(db, key_of(i, room), text("v"), i < KEYS / 2 ? 10 : STORE_NEVER), 1);
    cr_assert_eq(db_totals(db).expiring, KEYS / 2);
    cr_assert_eq(db_expire_some(db, 9, KEYS), 0);
    size_t some = db_expire_some(db, 10, 200);
    cr_assert(some >= 200 && some < KEYS / 2, "%zu", some);
    cr_assert_eq(db_expire_some(db, 10, KEYS), KEYS / 2 - some);
    cr_assert_eq(db_totals(db).count, KEYS / 2);
    cr_assert_eq(db_totals(db).expired, KEYS / 2);
    end(&fixture);
}

enum { THREADS = 4, ROUNDS = 2000 };

/* Runs on each of THREADS threads, with its number. */
struct thread {
    struct db *db;
    int number;
    void (*run)(struct db *db, int number);
};

static void *run_thread(void *arg)
{
    const struct thread *thread = arg;
    thread->run(thread->db, thread->number);
    return NULL;
}

static void at_once(struct db *db, void (*run)(struct db *db, int number))
{
    pthread_t ids[THREADS];
    struct thread threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        threads[i] = (struct thread){db, i, run};
        cr_assert_eq(pthread_create(&ids[i], NULL, run_thread, &threads[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(ids[i], NULL);
}

static void count_up(struct db *db, int number)
{
    char room[16];
    int64_t sum;
    for (int i = 0; i < ROUNDS; i++) {
        struct store_text key = key_of((i + number) % 10, room);
        struct store *store = db_lock(db, key);
        cr_assert_eq(store_add(store, 0, key, 1, &sum), 0);
        db_unlock(store);
    }
}

Test(db, no_count_is_lost)
{
    struct fixture fixture;
    struct db *db = begin(&fixture, STORE_MAXIMUM);
    char room[16];
    int64_t sum;
    at_once(db, count_up);
    for (int i = 0; i < 10; i++) {
        struct store *store = db_lock(db, key_of(i, room));
        cr_assert_eq(store_add(store, 0, key_of(i, room), 0, &sum), 0);
        cr_assert_eq(sum, THREADS * ROUNDS / 10);
        db_unlock(store);
    }
    end(&fixture);
}

/* Half of the threads set or delete two keys at once, the others look at both. */
static void both_or_none(struct db *db, int number)
{
    struct store_text a = text("a"), b = text("b");
    db_shards shards = db_shard(db, a) | db_shard(db, b);
    for (int i = 0; i < ROUNDS; i++) {
        db_lock_shards(db, shards);
        if (number % 2 == 0) {
            cr_assert_eq(store_exists(db_store(db, a), 0, a), store_exists(db_store(db, b), 0, b));
        } else if (i % 2 == 0) {
            cr_assert_eq(store_set(db_store(db, b), 0, b, text("1"), STORE_NEVER, 0), 1);
            cr_assert_eq(store_set(db_store(db, a), 0, a, text("1"), STORE_NEVER, 0), 1);
        } else {
            store_delete(db_store(db, a), 0, a);
            store_delete(db_store(db, b), 0, b);
        }
        db_unlock_shards(db, shards);
    }
}

Test(db, shards_that_are_locked_together_change_together)
{
    struct fixture fixture;
    at_once(begin(&fixture, STORE_MAXIMUM), both_or_none);
    end(&fixture);
}

/* One thread empties it, another removes what has expired, the others fill it beyond its limit. */
static void come_and_go(struct db *db, int number)
{
    static char value[1000];
    char room[16];
    for (int i = 0; i < ROUNDS; i++) {
        if (number == 0 && i % 50 == 0)
            db_clear(db);
        else if (number == 1)
            db_expire_some(db, i, 10);
        else
            (void)set(db, key_of(i * number, room), (struct store_text){value, (size_t)i % 1000},
                      i % 2 == 0 ? i : STORE_NEVER);
        cr_assert_leq(db->used, 100000);
    }
}

Test(db, its_sum_is_right_whatever_happens_at_once)
{
    struct fixture fixture;
    struct db *db = begin(&fixture, 100000);
    size_t empty = db->used;
    at_once(db, come_and_go);
    db_check(db);
    db_clear(db);
    cr_assert_eq(db->used, empty);
    end(&fixture);
}

Test(db, without_memory_there_is_none_or_it_is_as_it_was)
{
    for (int sticky = 0; sticky < 2; sticky++) {
        bool fired = true;
        for (uint64_t n = 1; fired; n++) {
            struct edo_census before = edo_census_now();
            struct db db;
            edo_alloc_fail(n, sticky);
            int r = db_init(&db, SHARDS, STORE_MAXIMUM);
            if (r == 0) {
                char room[16];
                for (int i = 0; i < 50; i++)
                    (void)set(&db, key_of(i, room), text("v"), STORE_NEVER);
                db_clear(&db);
                cr_assert_eq(db_totals(&db).count, 0);
            }
            fired = edo_alloc_fail(0, false);
            cr_assert(r == 0 || r == -ENOMEM);
            if (r == 0) {
                db_check(&db);
                db_free(&db);
            }
            check_census(&before);
        }
    }
}
