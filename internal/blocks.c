/* SPDX-License-Identifier: MIT */
#include "blocks.h"

static size_t bytes_of(uint32_t size)
{
    return (size_t)(size + 1) * EDO_BLOCK_STEP - EDO_BLOCK_HEADER;
}

void *edo_block_take_other(struct edo_blocks *blocks, uint32_t size)
{
    struct edo_kept_block *block = blocks != NULL ? blocks->others[size] : NULL;
    if (block == NULL)
        return edo_malloc(bytes_of(size));
    if (!edo_reuse(block))
        return NULL;
    blocks->others[size] = block->next;
    return block;
}

void edo_block_make_room(struct edo_blocks *blocks, uint32_t size)
{
    struct edo_kept_block *block = blocks->last[size], *next = blocks->others[size];
    size_t depth = next != NULL ? next->depth + 1 : 1;
    blocks->last[size] = NULL;
    /* With the one that comes into the room. */
    if ((depth + 1) * (size + 1) * EDO_BLOCK_STEP > EDO_BLOCKS_BYTES) {
        edo_free_kept(block);
        return;
    }
    *block = (struct edo_kept_block){next, depth};
    blocks->others[size] = block;
}

void edo_blocks_clear(struct edo_blocks *blocks)
{
    for (uint32_t size = 1; size < EDO_BLOCK_SIZES; size++) {
        if (blocks->last[size] != NULL)
            edo_free_kept(blocks->last[size]);
        blocks->last[size] = NULL;
        while (blocks->others[size] != NULL) {
            struct edo_kept_block *block = blocks->others[size];
            blocks->others[size] = block->next;
            edo_free_kept(block);
        }
    }
}
