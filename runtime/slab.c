/* SPDX-License-Identifier: MIT */
#include "slab.h"

enum {
    HUGE_BYTES = 2 << 20,
    HUGE_SLABS = HUGE_BYTES / EDO_SLAB_BYTES,
    HUGE_FROM = (8 << 20) / EDO_SLAB_BYTES, /* slabs, from which on that many are mapped at once */
    RESERVE = (1 << 20) / EDO_SLAB_BYTES,
    BATCH = 32, /* blocks that are taken under the lock at once */
};

/* At the beginning of its memory, which is aligned to its size: so a block leads to its slab. */
struct slab {
    struct edo_list node; /* in `open`, or in the reserve; with no block to give, in neither */
    void *free;           /* blocks that were given back, linked by their first words */
    uint32_t size;
    uint32_t
        fresh; /* where the blocks begin that were never taken: their memory has not been touched */
    uint32_t used;
};
_Static_assert(sizeof(struct slab) <= EDO_SLAB_HEADER, "blocks begin behind it");

void edo_slabs_init(struct edo_slabs *slabs, uint32_t shift)
{
    edo_lock_init(&slabs->lock);
    slabs->shift = shift;
    slabs->used = slabs->spare = 0;
    for (int size = 0; size < EDO_SLAB_SIZES; size++)
        edo_list_init(&slabs->open[size]);
    edo_list_init(&slabs->reserve);
}

static void unmap_all(struct edo_list *slabs)
{
    struct edo_list *node;
    while ((node = edo_list_pop_front(slabs)) != NULL)
        edo_pages_unmap(edo_container_of(node, struct slab, node), EDO_SLAB_BYTES);
}

void edo_slabs_destroy(struct edo_slabs *slabs)
{
    edo_assert(slabs->used == 0);
    unmap_all(&slabs->reserve);
    edo_lock_destroy(&slabs->lock);
}

/* Without the lock: the system is asked, and the first touch of a page takes long. Returns how many slabs it
 * has put into `mapped`; 0: no memory. */
static uint32_t map(uint32_t used, struct edo_list *mapped)
{
    uint32_t count = used < HUGE_FROM ? 1 : HUGE_SLABS;
    char *memory = edo_pages_map((size_t)count * EDO_SLAB_BYTES);
    if (memory == NULL && count > 1) {
        count = 1;
        memory = edo_pages_map(EDO_SLAB_BYTES);
    }
    if (memory == NULL)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        struct slab *slab = (struct slab *)(memory + (size_t)i * EDO_SLAB_BYTES);
        edo_list_push_back(mapped, &slab->node);
    }
    return count;
}

/* Under the lock, which it may let go in between: a slab of the size with a block to give; NULL: no memory. */
static struct slab *open_slab(struct edo_slabs *slabs, uint32_t size)
{
    struct edo_list *open = &slabs->open[size];
    while (edo_list_empty(open) && edo_list_empty(&slabs->reserve)) {
        struct edo_list mapped;
        edo_list_init(&mapped);
        uint32_t used = slabs->used;
        edo_unlock(&slabs->lock);
        uint32_t count = map(used, &mapped);
        edo_lock(&slabs->lock);
        edo_list_splice(&slabs->reserve, &mapped);
        slabs->spare += count;
        if (count == 0 && edo_list_empty(open) && edo_list_empty(&slabs->reserve))
            return NULL;
    }
    if (!edo_list_empty(open))
        return edo_container_of(open->next, struct slab, node);
    struct slab *slab = edo_container_of(edo_list_pop_front(&slabs->reserve), struct slab, node);
    slab->free = NULL;
    slab->size = size;
    slab->fresh = EDO_SLAB_HEADER;
    slab->used = 0;
    slabs->spare--;
    slabs->used++;
    edo_list_push_back(open, &slab->node);
    return slab;
}

static void *take_one(struct slab *slab, uint32_t bytes)
{
    void *block = slab->free;
    if (block != NULL) {
        slab->free = *(void **)block;
    } else {
        block = (char *)slab + slab->fresh;
        slab->fresh += bytes;
    }
    slab->used++;
    if (slab->free == NULL && slab->fresh + bytes > EDO_SLAB_BYTES)
        edo_list_remove(&slab->node);
    return block;
}

void *edo_slabs_take(struct edo_slabs *slabs, uint32_t size, uint32_t count)
{
    void *first = NULL, **end = &first, *taken[BATCH];
    uint32_t n = BATCH;
    for (; count > 0 && n == BATCH; count -= n) {
        uint32_t most = count < BATCH ? count : BATCH;
        struct slab *slab;
        n = 0;
        edo_lock(&slabs->lock);
        while (n < most && (slab = open_slab(slabs, size)) != NULL)
            taken[n++] = take_one(slab, edo_slab_bytes(slabs, size));
        edo_unlock(&slabs->lock);
        /* The first touch of most of them: not under the lock. */
        for (uint32_t i = 0; i < n; i++) {
            *end = taken[i];
            end = taken[i];
        }
    }
    *end = NULL;
    return first;
}

/* Under the lock. */
static void give_one(struct edo_slabs *slabs, void *block)
{
    struct slab *slab = (struct slab *)((uintptr_t)block & ~(uintptr_t)(EDO_SLAB_BYTES - 1));
    *(void **)block = slab->free;
    slab->free = block;
    if (!edo_list_linked(&slab->node))
        edo_list_push_back(&slabs->open[slab->size], &slab->node);
    if (--slab->used > 0)
        return;
    edo_list_remove(&slab->node);
    edo_list_push_back(&slabs->reserve, &slab->node);
    slabs->used--;
    slabs->spare++;
}

void edo_slabs_give(struct edo_slabs *slabs, void *first)
{
    struct edo_list surplus;
    edo_list_init(&surplus);
    edo_lock(&slabs->lock);
    for (void *block = first, *next; block != NULL; block = next) {
        next = *(void **)block;
        give_one(slabs, block);
    }
    for (; slabs->spare > RESERVE + slabs->used / 4; slabs->spare--) {
        struct edo_list *node = edo_list_pop_front(&slabs->reserve);
        edo_list_push_back(&surplus, node);
    }
    edo_unlock(&slabs->lock);
    unmap_all(&surplus);
}
