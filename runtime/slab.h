/* SPDX-License-Identifier: MIT */
/* Where the memory of a runtime's tasks comes from: slabs of 64 KiB, each cut into blocks of one size. (Bonwick,
 * "The Slab Allocator", 1994; what each thread keeps in front of it, task_cache.h, are the magazines of his
 * "Magazines and Vmem", 2001.)
 *
 * A block is the header of a task, a line, and a frame in whole steps. On several threads a step is a cache line too:
 * two tasks that are polled at the same time write no line that is the other's. (The C library's allocator puts them
 * side by side, and a line that two of them share travels from core to core at each poll.) On one thread it is 16
 * bytes, and no allocator's header is between them.
 *
 * Slabs are mapped one by one; from 2 MiB on, which is some ten thousand tasks, as much at a time, as huge pages
 * where the system has them. A slab of which no block is in use goes into reserve, for any size; when the
 * reserve is more than a quarter of what is in use, and 1 MiB, it goes back to the system: those together that were
 * mapped together. A huge page does so only if 1 MiB of reserve is left, or if less than 1 MiB is in use: a swing of
 * less than that does not make it come and go. A part of a huge page costs more to give back than the whole (the
 * system makes small ones of it, and tells the other cores, for each part), and is taken from it only when the
 * reserve is 4 MiB larger still.
 *
 * A lock, and many blocks at once under it.
 */
#ifndef EDO_RUNTIME_SLAB_H
#define EDO_RUNTIME_SLAB_H

#include "../internal/list.h"
#include "../internal/sys.h"

enum {
    EDO_SLAB_BYTES = 65536,
    EDO_SLAB_SIZES = 32,  /* of blocks; 0 is none of them */
    EDO_SLAB_HEADER = 64, /* a block's part that is no frame; and what a slab begins with */
};

struct edo_slabs {
    struct edo_lock lock;
    uint32_t shift;                       /* constant */
    uint32_t used, spare;                 /* slabs in use, and in reserve */
    struct edo_list open[EDO_SLAB_SIZES]; /* slabs of a size with a block to give */
    /* The reserve: slabs of their own; of huge pages of which others are in use; huge pages of which none is. */
    struct edo_list alone, parts, whole;
};

/* A step is 1 << shift bytes. */
void edo_slabs_init(struct edo_slabs *slabs, uint32_t shift);

/* All blocks have been given back. */
void edo_slabs_destroy(struct edo_slabs *slabs);

/* Of which size a block of that many bytes is, at least a header and a step; 0: of none. */
static inline uint32_t edo_slab_size(const struct edo_slabs *slabs, size_t bytes)
{
    size_t size = ((bytes - EDO_SLAB_HEADER - 1) >> slabs->shift) + 1;
    return size < EDO_SLAB_SIZES ? (uint32_t)size : 0;
}

/* And what that is in bytes. */
static inline uint32_t edo_slab_bytes(const struct edo_slabs *slabs, uint32_t size)
{
    return EDO_SLAB_HEADER + (size << slabs->shift);
}

/* Takes `count` blocks, linked by their first words up to NULL; or as many as there is memory for. NULL: none. Any
 * thread. */
void *edo_slabs_take(struct edo_slabs *slabs, uint32_t size, uint32_t count);

/* Gives back what is linked so, of any sizes. Any thread. */
void edo_slabs_give(struct edo_slabs *slabs, void *first);

#endif
