/* SPDX-License-Identifier: MIT */
#include "task_cache.h"

enum { BATCH = 32 };

static uint32_t batch(const struct edo_slabs *slabs, uint32_t size)
{
    uint32_t half = EDO_CACHE_BYTES / edo_slab_bytes(slabs, size) / 2;
    return half < BATCH ? half : BATCH;
}

bool edo_cache_fill(struct edo_task_cache *cache, struct edo_slabs *slabs, uint32_t size)
{
    void *first = edo_slabs_take(slabs, size, batch(slabs, size));
    cache->first[size] = first;
    for (void *block = first; block != NULL; block = *(void **)block)
        cache->count[size]++;
    return first != NULL;
}

/* Those that were given last: the others may be in another core's caches, and are no nearer here. */
static void drain(struct edo_task_cache *cache, struct edo_slabs *slabs, uint32_t size)
{
    uint32_t count = batch(slabs, size);
    void *first = cache->first[size], *last = first;
    for (uint32_t i = 1; i < count; i++)
        last = *(void **)last;
    cache->first[size] = *(void **)last;
    cache->count[size] -= count;
    *(void **)last = NULL;
    edo_slabs_give(slabs, first);
}

/* More than `most`, which may be since that is not known as yet. */
void edo_cache_full(struct edo_task_cache *cache, struct edo_slabs *slabs, uint32_t size)
{
    cache->most[size] = (uint16_t)(EDO_CACHE_BYTES / edo_slab_bytes(slabs, size));
    if (cache->count[size] > cache->most[size])
        drain(cache, slabs, size);
}

void edo_cache_give_apart(struct edo_slabs *slabs, void *block)
{
    *(void **)block = NULL;
    edo_slabs_give(slabs, block);
}

void edo_cache_clear(struct edo_task_cache *cache, struct edo_slabs *slabs)
{
    for (int size = 1; size < EDO_SLAB_SIZES; size++) {
        if (cache->first[size] != NULL)
            edo_slabs_give(slabs, cache->first[size]);
        cache->first[size] = NULL;
        cache->count[size] = 0;
    }
}
