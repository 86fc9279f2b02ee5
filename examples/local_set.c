/* SPDX-License-Identifier: MIT */
/* A cache that is used by many tasks of a multi-thread runtime, and has no lock: all who touch it are tasks of
 * a local set, on one thread. What is costly, they leave to tasks on the workers, and await it.
 *
 * Between two awaits nobody else of the set runs, so what is looked at stays as it is. Across an await it may
 * have changed: hence the loop in `lookup`.
 */
#include <stdio.h>

#include "edo.h"

enum { KEYS = 16, PUPILS = 8 };

struct cache {
    struct cached {
        bool there, busy; /* somebody computes it */
        int value;
        struct edo_notify changed;
    } of[KEYS];
    int asked, computed; /* plain counters */
};

static void cache_init(struct cache *cache)
{
    *cache = (struct cache){.asked = 0};
    for (int i = 0; i < KEYS; i++)
        edo_notify_init(&cache->of[i].changed);
}

static void cache_destroy(struct cache *cache)
{
    for (int i = 0; i < KEYS; i++)
        edo_notify_destroy(&cache->of[i].changed);
}

/* Costly: how many steps the Collatz sequence takes from n to 1. Knows nothing of the cache. */
struct collatz_steps {
    FUTURE(int);
    unsigned long n;
};

ASYNC(collatz_steps)
{
    ASYNC_BEGIN;
    for (; self->n > 1; self->output++)
        self->n = self->n % 2 == 0 ? self->n / 2 : 3 * self->n + 1;
    ASYNC_END;
}

/* The value for a key; a negative error. It is computed once, whoever asks for it meanwhile waits. */
struct lookup {
    FUTURE(int);
    struct cache *cache;
    unsigned key;
    bool mine; /* we are the one that computes it */
    struct edo_notified changed;
    struct edo_join join;
};

ASYNC(lookup)
{
    struct cached *cached = &self->cache->of[self->key];
    ASYNC_BEGIN;
    self->cache->asked++;
    while (!cached->there) {
        if (cached->busy) {
            AWAIT(self->changed, edo_notified(&cached->changed));
            continue;
        }
        cached->busy = self->mine = true;
        AWAIT(self->join, edo_join(SPAWN(NEW(collatz_steps, .n = self->key + 1)), &cached->value));
        if (self->join.output < 0)
            RETURN(self->join.output);
        self->cache->computed++;
        cached->there = true;
    }
    RETURN(cached->value);
ASYNC_FINALLY:
    if (self->mine) {
        /* There, or left to another: also when this one was cancelled. */
        cached->busy = false;
        edo_notify_waiters(&cached->changed);
    }
    ASYNC_END;
}

/* Asks for every key, beginning with one of its own. */
struct pupil {
    FUTURE(int);
    struct cache *cache;
    unsigned first, i;
    struct lookup lookup;
};

ASYNC(pupil)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < KEYS; self->i++)
        TRY_AWAIT(self->lookup,
                  NEW(lookup, .cache = self->cache, .key = (self->first + self->i) % KEYS));
    RETURN(0);
    ASYNC_END;
}

/* The root: it stays on its thread, and so does the set that it runs. */
struct local_main {
    FUTURE(int);
    struct cache *cache;
    struct edo_local_set *set;
    struct edo_local_set_wait wait;
};

ASYNC(local_main)
{
    ASYNC_BEGIN;
    if (edo_local_set_new(&self->set) < 0)
        RETURN(UV_ENOMEM);
    for (unsigned i = 0; i < PUPILS; i++)
        edo_task_detach(
            SPAWN_LOCAL_ON(self->set, NEW(pupil, .cache = self->cache, .first = 2 * i)));
    AWAIT(self->wait, edo_local_set_wait(self->set));
    RETURN(self->wait.output);
ASYNC_FINALLY:
    edo_local_set_drop(self->set);
    ASYNC_END;
}

int main(void)
{
    struct edo_runtime *runtime;
    struct cache cache;
    cache_init(&cache);
    struct local_main root = NEW(local_main, .cache = &cache);
    int error = edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD);
    if (error == 0)
        error = edo_block_on(runtime, &root);
    edo_runtime_drop(runtime);
    cache_destroy(&cache);
    if (error < 0 || root.output < 0) {
        fprintf(stderr, "local_set: %s\n", edo_strerror(error < 0 ? error : root.output));
        return 1;
    }
    printf("asked %d times, computed %d times; from %d it takes %d steps\n", cache.asked,
           cache.computed, KEYS - 1, cache.of[KEYS - 2].value);
    return 0;
}
