/* SPDX-License-Identifier: MIT */
#include "slab.h"

enum {
    HUGE_BYTES = 2 << 20,
    HUGE_SLABS = HUGE_BYTES / EDO_SLAB_BYTES,
    HUGE_FROM = (2 << 20) / EDO_SLAB_BYTES, /* slabs, from which on that many are mapped at once */
    RESERVE = (1 << 20) / EDO_SLAB_BYTES,
    PARTED = 2 * HUGE_SLABS, /* what is kept beyond it before a huge page is parted */
    BATCH = 32,              /* blocks that are taken under the lock at once */
};

/* At the beginning of its memory, which is aligned to its size: so a block leads to its slab. */
struct slab {
    /* In use: in `open`, or in no list when it has no block to give. Else in `alone`, or `parts`, or, when none of its
     * group is in use, in `whole` if it is the first of it, and in no list if not. */
    struct edo_list node;
    void *free; /* blocks that were given back, linked by their first words */
    uint32_t size;
    uint32_t fresh; /* where the blocks begin that were never taken, nor touched */
    uint32_t used;  /* blocks */
    uint32_t nth;   /* of its group: those that were mapped together, and go back together */
    uint32_t group; /* of the first: how many, one behind the other */
    uint32_t busy;  /* of the first: how many of them are in use */
};
_Static_assert(sizeof(struct slab) <= EDO_SLAB_HEADER, "blocks begin behind it");

void edo_slabs_init(struct edo_slabs *slabs, uint32_t shift)
{
    edo_lock_init(&slabs->lock);
    slabs->shift = shift;
    slabs->used = slabs->spare = 0;
    for (int size = 0; size < EDO_SLAB_SIZES; size++)
        edo_list_init(&slabs->open[size]);
    edo_list_init(&slabs->alone);
    edo_list_init(&slabs->parts);
    edo_list_init(&slabs->whole);
}

static struct slab *of_node(struct edo_list *node)
{
    return edo_container_of(node, struct slab, node);
}

static struct slab *nth_after(struct slab *first, uint32_t n)
{
    return (struct slab *)((char *)first + (size_t)n * EDO_SLAB_BYTES);
}

static struct slab *first_of(struct slab *slab)
{
    return (struct slab *)((char *)slab - (size_t)slab->nth * EDO_SLAB_BYTES);
}

static void unmap_all(struct edo_list *groups)
{
    struct edo_list *node;
    while ((node = edo_list_pop_front(groups)) != NULL)
        edo_pages_unmap(of_node(node), (size_t)of_node(node)->group * EDO_SLAB_BYTES);
}

void edo_slabs_destroy(struct edo_slabs *slabs)
{
    edo_assert(slabs->used == 0 && edo_list_empty(&slabs->parts));
    unmap_all(&slabs->alone);
    unmap_all(&slabs->whole);
    edo_lock_destroy(&slabs->lock);
}

/* Without the lock: the system is asked, and the first touch of a page takes long, also that of each slab's header. A
 * group, none of it in use; NULL: no memory. */
static struct slab *map(uint32_t used)
{
    uint32_t count = used < HUGE_FROM ? 1 : HUGE_SLABS;
    struct slab *first = edo_pages_map((size_t)count * EDO_SLAB_BYTES);
    if (first == NULL && count > 1) {
        count = 1;
        first = edo_pages_map(EDO_SLAB_BYTES);
    }
    if (first == NULL)
        return NULL;
    first->group = count;
    for (uint32_t i = 1; i < count; i++)
        nth_after(first, i)->nth = i;
    return first;
}

/* Under the lock. A group of which none is in use. */
static void add_group(struct edo_slabs *slabs, struct slab *first)
{
    edo_list_push_back(first->group > 1 ? &slabs->whole : &slabs->alone, &first->node);
}

/* Under the lock. A huge page is begun last: while none of it is in use it can go back. */
static struct slab *take_spare(struct edo_slabs *slabs)
{
    if (edo_list_empty(&slabs->parts) && edo_list_empty(&slabs->alone)) {
        struct slab *first = of_node(edo_list_pop_front(&slabs->whole));
        for (uint32_t i = 0; i < first->group; i++)
            edo_list_push_back(&slabs->parts, &nth_after(first, i)->node);
    }
    struct edo_list *from = edo_list_empty(&slabs->parts) ? &slabs->alone : &slabs->parts;
    struct slab *slab = of_node(edo_list_pop_front(from));
    first_of(slab)->busy++;
    slabs->spare--;
    slabs->used++;
    return slab;
}

/* Under the lock. None of its blocks is in use. */
static void give_spare(struct edo_slabs *slabs, struct slab *slab)
{
    struct slab *first = first_of(slab);
    slabs->used--;
    slabs->spare++;
    if (--first->busy > 0) {
        edo_list_push_back(&slabs->parts, &slab->node);
        return;
    }
    for (uint32_t i = 0; i < first->group; i++)
        edo_list_remove(&nth_after(first, i)->node);
    add_group(slabs, first);
}

/* Under the lock. Each is a group of its own from now on. */
static void part(struct edo_slabs *slabs, struct slab *first)
{
    for (uint32_t i = first->group; i-- > 0;) {
        struct slab *slab = nth_after(first, i);
        slab->nth = 0;
        slab->group = 1;
        slab->busy = slab->used > 0;
        if (slab->busy > 0)
            continue;
        edo_list_remove(&slab->node);
        add_group(slabs, slab);
    }
}

/* Under the lock, which it may let go in between: a slab of the size with a block to give; NULL: no memory. */
static struct slab *open_slab(struct edo_slabs *slabs, uint32_t size)
{
    struct edo_list *open = &slabs->open[size];
    while (edo_list_empty(open) && slabs->spare == 0) {
        uint32_t used = slabs->used;
        edo_unlock(&slabs->lock);
        struct slab *mapped = map(used);
        edo_lock(&slabs->lock);
        if (mapped != NULL) {
            add_group(slabs, mapped);
            slabs->spare += mapped->group;
        } else if (edo_list_empty(open) && slabs->spare == 0) {
            return NULL;
        }
    }
    if (!edo_list_empty(open))
        return of_node(open->next);
    struct slab *slab = take_spare(slabs);
    slab->free = NULL;
    slab->size = size;
    slab->fresh = EDO_SLAB_HEADER;
    slab->used = 0;
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
    if (--slab->used == 0) {
        edo_list_remove(&slab->node);
        give_spare(slabs, slab);
    }
}

/* Under the lock. The limits at which a huge page is mapped and goes back are a whole reserve apart: else it would come
 * and go with each batch at some number of slabs. */
static void take_surplus(struct edo_slabs *slabs, struct edo_list *surplus)
{
    uint32_t most = RESERVE + slabs->used / 4;
    while (slabs->spare > most) {
        bool enough = slabs->spare >= HUGE_SLABS + RESERVE || slabs->used < RESERVE;
        struct edo_list *node = enough ? edo_list_pop_front(&slabs->whole) : NULL;
        if (node == NULL)
            node = edo_list_pop_front(&slabs->alone);
        if (node != NULL) {
            slabs->spare -= of_node(node)->group;
            edo_list_push_back(surplus, node);
        } else if (slabs->spare > most + PARTED) {
            part(slabs, first_of(of_node(edo_list_pop_front(&slabs->parts))));
        } else {
            return;
        }
    }
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
    take_surplus(slabs, &surplus);
    edo_unlock(&slabs->lock);
    unmap_all(&surplus);
}
