/* SPDX-License-Identifier: MIT */
/* A map that many tasks use at once, on several threads. Its keys are spread over shards, each behind
 * a mutex of its own: two tasks wait for each other only where their keys are of one shard.
 *
 * Which mutex? An update holds its shard while it awaits, so that nobody else changes the value in
 * between: that takes an edo_mutex. Who finds it locked is suspended, and its thread goes on with other
 * tasks. A pthread_mutex_t must not be held across an await: the next task that locks it would stop the
 * whole thread, and with it, perhaps, the task that is to unlock it; which may also go on on another thread,
 * and only the one that locked a pthread_mutex_t may unlock it.
 *
 * Where nothing is awaited between lock and unlock, a pthread_mutex_t is the better one: nobody waits
 * for longer than a few instructions, and it takes neither future nor await. The tally below has one.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "edo.h"

enum { SHARDS = 8, THREADS = 3, TASKS = 24, ROUNDS = 20 };

static const char *const words[] = {"edo", "kyoto", "osaka", "nara",  "kobe",   "sendai",  "nagoya",
                                    "ise", "nikko", "hagi",  "otaru", "matsue", "takayama"};
enum { WORDS = sizeof words / sizeof words[0] };

struct entry {
    struct entry *next;
    const char *key;
    int value;
};

struct map {
    struct shard {
        _Alignas(64) struct edo_mutex mutex; /* a cache line is nobody else's */
        struct entry *first;                 /* under the mutex, the entries too */
    } shards[SHARDS];
    struct {
        pthread_mutex_t mutex;
        unsigned updates;
    } tally;
};

/* FNV-1a. */
static struct shard *map_shard(struct map *map, const char *key)
{
    uint32_t hash = 2166136261u;
    for (; *key != '\0'; key++)
        hash = (hash ^ (unsigned char)*key) * 16777619u;
    return &map->shards[hash % SHARDS];
}

/* The key's entry, a new one of value 0 if need be; NULL without memory. The shard is locked. */
static struct entry *shard_entry(struct shard *shard, const char *key)
{
    struct entry **at = &shard->first;
    while (*at != NULL && strcmp((*at)->key, key) != 0)
        at = &(*at)->next;
    if (*at == NULL && (*at = malloc(sizeof **at)) != NULL)
        **at = (struct entry){.key = key};
    return *at;
}

static void map_init(struct map *map)
{
    for (struct shard *shard = map->shards; shard < map->shards + SHARDS; shard++) {
        edo_mutex_init(&shard->mutex);
        shard->first = NULL;
    }
    pthread_mutex_init(&map->tally.mutex, NULL);
    map->tally.updates = 0;
}

static void map_destroy(struct map *map)
{
    for (struct shard *shard = map->shards; shard < map->shards + SHARDS; shard++) {
        for (struct entry *entry; (entry = shard->first) != NULL; free(entry))
            shard->first = entry->next;
        edo_mutex_destroy(&shard->mutex);
    }
    pthread_mutex_destroy(&map->tally.mutex);
}

/* Adds one to a key's value. Dropped, it has added nothing. */
struct map_add {
    FUTURE(int); /* 0, or UV_ENOMEM */
    struct map *map;
    const char *key;
    struct shard *shard;
    struct edo_mutex_guard guard;
    struct entry *entry;
    int value;
    struct edo_mutex_lock lock;
};

ASYNC(map_add)
{
    ASYNC_BEGIN;
    self->shard = map_shard(self->map, self->key);
    AWAIT(self->lock, edo_mutex_lock(&self->shard->mutex, &self->guard));
    self->entry = shard_entry(self->shard, self->key);
    if (self->entry == NULL)
        RETURN(UV_ENOMEM);
    self->value = self->entry->value + 1;
    YIELD_NOW(); /* a database that is asked, say: others run meanwhile, and the shard is ours */
    self->entry->value = self->value;

    pthread_mutex_lock(&self->map->tally.mutex);
    self->map->tally.updates++;
    pthread_mutex_unlock(&self->map->tally.mutex);
    RETURN(0);
ASYNC_FINALLY:
    edo_mutex_unlock(&self->guard);
    ASYNC_END;
}

/* A task: adds one to each key, ROUNDS times. */
struct adder {
    FUTURE(int);
    struct map *map;
    int first, i;
    struct map_add add;
};

ASYNC(adder)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < ROUNDS * WORDS; self->i++)
        TRY_AWAIT(self->add,
                  NEW(map_add, .map = self->map, .key = words[(self->first + self->i) % WORDS]));
    RETURN(0);
    ASYNC_END;
}

/* Spawns the tasks, and waits for each, whatever becomes of it. */
struct crew {
    FUTURE(void);
    struct map *map;
    struct edo_join ends[TASKS];
    int i;
};

ASYNC(crew)
{
    ASYNC_BEGIN;
    for (int i = 0; i < TASKS; i++)
        self->ends[i] = edo_join(SPAWN(NEW(adder, .map = self->map, .first = i)), NULL);
    for (; self->i < TASKS; self->i++)
        AWAIT_REF(self->ends[self->i]);
ASYNC_FINALLY:
    for (int i = 0; i < TASKS; i++)
        DROP(self->ends[i]);
    ASYNC_END;
}

/* How many keys have the sum that they must have. */
static int map_check(struct map *map)
{
    int right = 0;
    for (int i = 0; i < WORDS; i++) {
        struct shard *shard = map_shard(map, words[i]);
        struct edo_mutex_guard guard = {NULL};
        if (edo_mutex_blocking_lock(&shard->mutex, &guard) < 0) /* outside of tasks: it may block */
            continue;
        struct entry *entry = shard_entry(shard, words[i]);
        right += entry != NULL && entry->value == TASKS * ROUNDS;
        edo_mutex_unlock(&guard);
    }
    return right;
}

int main(void)
{
    struct map map;
    map_init(&map);
    struct crew crew = NEW(crew, .map = &map);
    struct edo_runtime *runtime;
    int right = 0;
    int error = edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = THREADS);
    if (error == 0) {
        error = edo_block_on(runtime, &crew);
        edo_runtime_drop(runtime); /* which joins its threads: nobody else uses the map now */
    }
    if (error == 0)
        right = map_check(&map);
    printf("%u updates by %d tasks on %d threads; %d of %d keys have their sum\n",
           map.tally.updates, TASKS, THREADS, right, WORDS);
    map_destroy(&map);
    return right == WORDS ? EXIT_SUCCESS : EXIT_FAILURE;
}
