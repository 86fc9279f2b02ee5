/* SPDX-License-Identifier: MIT */
/* Blocks of tasks that have ended, kept for the next ones by each thread that runs tasks: spawning costs a few
 * instructions then. What is more than EDO_CACHE_BYTES of a size goes back to the slabs, and what is missing comes from
 * there, a batch at a time; larger tasks are the C library's. (As Go's runtime keeps its goroutines.)
 *
 * Where a checker looks after memory it must see each task come and go: then all are the C library's.
 */
#ifndef EDO_RUNTIME_TASK_CACHE_H
#define EDO_RUNTIME_TASK_CACHE_H

#include "slab.h"

#if defined(__SANITIZE_ADDRESS__) || defined(EDO_SYS_ATOMICS)
#define EDO_CACHE_BYTES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EDO_CACHE_BYTES 0
#endif
#endif
#ifndef EDO_CACHE_BYTES
#define EDO_CACHE_BYTES 32768
#endif

/* One thread's. All zeros is empty. */
struct edo_task_cache {
    void *first[EDO_SLAB_SIZES]; /* linked by their first words */
    uint16_t count[EDO_SLAB_SIZES];
    uint16_t most[EDO_SLAB_SIZES]; /* of count; 0 until one has been given */
};

/* Which of the sizes such a block is to be of; 0: of none, as it is for a thread without a cache. */
static inline uint32_t edo_cache_size(const struct edo_task_cache *cache,
                                      const struct edo_slabs *slabs, size_t bytes)
{
    return EDO_CACHE_BYTES > 0 && cache != NULL ? edo_slab_size(slabs, bytes) : 0;
}

bool edo_cache_fill(struct edo_task_cache *cache, struct edo_slabs *slabs, uint32_t size);
void edo_cache_full(struct edo_task_cache *cache, struct edo_slabs *slabs, uint32_t size);
void edo_cache_give_apart(struct edo_slabs *slabs, void *block);

/* A block of at least `bytes`, of which `size` is the size; NULL: no memory. */
static inline void *edo_cache_take(struct edo_task_cache *cache, struct edo_slabs *slabs,
                                   uint32_t size, size_t bytes)
{
    if (edo_unlikely(size == 0))
        return edo_malloc(bytes);
    if (edo_unlikely(cache->first[size] == NULL) && !edo_cache_fill(cache, slabs, size))
        return NULL;
    if (!edo_count_cut(edo_slab_bytes(slabs, size)))
        return NULL;
    void *block = cache->first[size];
    cache->first[size] = *(void **)block;
    cache->count[size]--;
    return block;
}

/* `cache` NULL: this thread has none. */
static inline void edo_cache_give(struct edo_task_cache *cache, struct edo_slabs *slabs,
                                  uint32_t size, void *block)
{
    if (edo_unlikely(size == 0)) {
        edo_free(block);
        return;
    }
    edo_count_uncut(edo_slab_bytes(slabs, size));
    if (edo_unlikely(cache == NULL)) {
        edo_cache_give_apart(slabs, block);
        return;
    }
    *(void **)block = cache->first[size];
    cache->first[size] = block;
    if (edo_unlikely(++cache->count[size] > cache->most[size]))
        edo_cache_full(cache, slabs, size);
}

/* Gives all back. */
void edo_cache_clear(struct edo_task_cache *cache, struct edo_slabs *slabs);

#endif
