/* SPDX-License-Identifier: MIT */
/* Blocks of tasks that have ended, kept for the next ones by each thread that runs tasks: spawning costs a few
 * instructions then, and no call of the allocator. By size, as the C library's allocator has them, in steps of 16
 * bytes with 8 of its own; those of larger tasks, and what is more than EDO_CACHE_BYTES of a size, go back at
 * once. (As Go's runtime keeps its goroutines.)
 *
 * Where a checker looks after memory it must see each task come and go: then nothing is kept.
 */
#ifndef EDO_RUNTIME_TASK_CACHE_H
#define EDO_RUNTIME_TASK_CACHE_H

#include "../internal/sys.h"

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

/* Of the sizes the first is that of a task's header and the least of a frame. */
enum { EDO_CACHE_SIZES = 32, EDO_CACHE_STEP = 16, EDO_CACHE_HEADER = 8, EDO_CACHE_BELOW = 4 };

/* One thread's. All zeros is empty. */
struct edo_task_cache {
    void *first[EDO_CACHE_SIZES]; /* linked by their first words */
    uint16_t count[EDO_CACHE_SIZES];
};

/* Which of the sizes such a block is of; 0: none. */
static inline uint32_t edo_cache_size(size_t bytes)
{
    size_t size =
        (bytes + EDO_CACHE_HEADER + EDO_CACHE_STEP - 1) / EDO_CACHE_STEP - EDO_CACHE_BELOW;
    return size < EDO_CACHE_SIZES ? (uint32_t)size : 0;
}

/* A block of at least `bytes`, of which `size` is the size; NULL: no memory. `cache` NULL: this thread has none. */
static inline void *edo_cache_take(struct edo_task_cache *cache, uint32_t size, size_t bytes)
{
    if (size == 0)
        return edo_malloc(bytes);
    void *block = cache != NULL ? cache->first[size] : NULL;
    if (block == NULL)
        return edo_malloc((size + EDO_CACHE_BELOW) * EDO_CACHE_STEP - EDO_CACHE_HEADER);
    if (!edo_reuse(block))
        return NULL;
    cache->first[size] = *(void **)block;
    cache->count[size]--;
    return block;
}

static inline void edo_cache_give(struct edo_task_cache *cache, uint32_t size, void *block)
{
    if (size == 0 || cache == NULL ||
        (cache->count[size] + 1u) * (size + EDO_CACHE_BELOW) * EDO_CACHE_STEP > EDO_CACHE_BYTES) {
        edo_free(block);
        return;
    }
    edo_keep(block);
    *(void **)block = cache->first[size];
    cache->first[size] = block;
    cache->count[size]++;
}

/* Gives all back to the allocator. */
static inline void edo_cache_clear(struct edo_task_cache *cache)
{
    for (int size = 1; size < EDO_CACHE_SIZES; size++) {
        while (cache->first[size] != NULL) {
            void *block = cache->first[size];
            cache->first[size] = *(void **)block;
            edo_free_kept(block);
        }
        cache->count[size] = 0;
    }
}

#endif
