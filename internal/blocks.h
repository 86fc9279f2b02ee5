/* SPDX-License-Identifier: MIT */
/* Blocks of what does not live long, as the channel of one message, or a box, kept for the next ones by each thread
 * that runs tasks: making one costs a few instructions then, and no call of the allocator. (Tasks have memory of their
 * own: runtime/slab.h.) By size, as the C library's allocator has them, in steps of 16 bytes with 8 of its own; what is
 * larger, and what is more than EDO_BLOCKS_BYTES of a size, goes back at once.
 *
 *     struct thing *thing = edo_block_new(sizeof *thing);           NULL: no memory
 *     edo_block_free(thing, sizeof *thing);                         from any thread
 *
 * They are kept in a place of the runtime's, which ends with it; the thread knows it as long as it runs tasks
 * (edo_thread.blocks). Other threads keep nothing, and ask the allocator: there is nothing to be given back when one
 * ends. A block may be freed by another thread than has made it, and is kept there: it is one of the allocator's.
 *
 * Where a checker looks after memory it must see each block come and go: then nothing is kept.
 */
#ifndef EDO_INTERNAL_BLOCKS_H
#define EDO_INTERNAL_BLOCKS_H

#include "sys.h"
#include "thread.h"

#if defined(__SANITIZE_ADDRESS__) || defined(EDO_SYS_ATOMICS)
#define EDO_BLOCKS_BYTES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EDO_BLOCKS_BYTES 0
#endif
#endif
#ifndef EDO_BLOCKS_BYTES
#define EDO_BLOCKS_BYTES 32768
#endif

enum { EDO_BLOCK_SIZES = 32, EDO_BLOCK_STEP = 16, EDO_BLOCK_HEADER = 8 };

/* What stands in one of those that are behind the last. The depth is written once, where a counter would be by every
 * use. */
struct edo_kept_block {
    struct edo_kept_block *next;
    size_t depth; /* how many of the size there are from here on, with this one */
};

/* What one thread keeps, by size: the one that was given last, which nothing is written to, for where one goes and
 * comes at a time; and, behind it, the others. All zeros is empty. */
struct edo_blocks {
    void *last[EDO_BLOCK_SIZES];
    struct edo_kept_block *others[EDO_BLOCK_SIZES];
};

/* Which of the sizes such a block is of; 0: none. */
static inline uint32_t edo_block_size(size_t bytes)
{
    size_t size = (bytes + EDO_BLOCK_HEADER - 1) / EDO_BLOCK_STEP;
    return size < EDO_BLOCK_SIZES ? (uint32_t)size : 0;
}

/* There is no last of that size: one of the others, or the allocator's. `blocks` may be NULL. */
void *edo_block_take_other(struct edo_blocks *blocks, uint32_t size);

/* Puts the last of that size behind, or gives it back to the allocator. */
void edo_block_make_room(struct edo_blocks *blocks, uint32_t size);

/* A block of at least `bytes`, of which `size` is the size; NULL: no memory. */
static inline void *edo_block_take(uint32_t size, size_t bytes)
{
    if (EDO_BLOCKS_BYTES == 0 || edo_unlikely(size == 0))
        return edo_malloc(bytes);
    struct edo_blocks *blocks = edo_thread.blocks;
    void *block = edo_likely(blocks != NULL) ? blocks->last[size] : NULL;
    if (edo_unlikely(block == NULL))
        return edo_block_take_other(blocks, size);
    if (!edo_reuse(block))
        return NULL;
    blocks->last[size] = NULL;
    return block;
}

static inline void edo_block_give(uint32_t size, void *block)
{
    struct edo_blocks *blocks = edo_thread.blocks;
    if (EDO_BLOCKS_BYTES == 0 || edo_unlikely(size == 0 || blocks == NULL)) {
        edo_free(block);
        return;
    }
    if (edo_unlikely(blocks->last[size] != NULL))
        edo_block_make_room(blocks, size);
    edo_keep(block);
    blocks->last[size] = block;
}

static inline void *edo_block_new(size_t bytes)
{
    return edo_block_take(edo_block_size(bytes), bytes);
}

/* NULL is fine. `bytes` as it was made with. */
static inline void edo_block_free(void *block, size_t bytes)
{
    if (block != NULL)
        edo_block_give(edo_block_size(bytes), block);
}

/* Gives all back to the allocator. */
void edo_blocks_clear(struct edo_blocks *blocks);

#endif
