/* SPDX-License-Identifier: MIT */
#include "fifo.h"

enum { BLOCK_BYTES = 2048, BLOCK_MIN = 4, BLOCK_MAX = 128 };

static struct edo_fifo_block *block_new(const struct edo_fifo *fifo)
{
    size_t bytes;
    if (__builtin_mul_overflow(fifo->length, fifo->step, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct edo_fifo_block), &bytes))
        return NULL;
    struct edo_fifo_block *block = edo_malloc(bytes);
    if (block != NULL)
        block->next = NULL;
    return block;
}

int edo_fifo_init(struct edo_fifo *fifo, size_t size, size_t capacity)
{
    fifo->size = size;
    fifo->step = size != 0 ? size : 1;
    fifo->bounded = capacity != 0;
    fifo->length = capacity;
    if (!fifo->bounded) {
        fifo->length = BLOCK_BYTES / fifo->step;
        if (fifo->length < BLOCK_MIN)
            fifo->length = BLOCK_MIN;
        if (fifo->length > BLOCK_MAX)
            fifo->length = BLOCK_MAX;
    }
    struct edo_fifo_block *block = block_new(fifo);
    if (block == NULL)
        return -ENOMEM;
    fifo->head = fifo->tail = edo_fifo_end_at(fifo, block);
    edo_init(&fifo->spare, NULL);
    return 0;
}

void edo_fifo_destroy(struct edo_fifo *fifo)
{
    /* Relaxed: both threads are through with it, and the caller knows. */
    edo_free(edo_load(&fifo->spare, relaxed));
    for (struct edo_fifo_block *block = fifo->head.block, *next; block != NULL; block = next) {
        next = block->next;
        edo_free(block);
    }
}

int edo_fifo_add_block(struct edo_fifo *fifo)
{
    /* The popper has read the block for the last time before it handed it over: release, acquire. */
    struct edo_fifo_block *block = edo_load(&fifo->spare, relaxed);
    if (block != NULL)
        block = edo_exchange(&fifo->spare, NULL, acquire);
    if (block == NULL)
        block = block_new(fifo);
    if (block == NULL)
        return -ENOMEM;
    block->next = NULL;
    fifo->tail.block->next = block;
    fifo->tail = edo_fifo_end_at(fifo, block);
    return 0;
}

void edo_fifo_next_block(struct edo_fifo *fifo)
{
    struct edo_fifo_block *empty = fifo->head.block;
    fifo->head = edo_fifo_end_at(fifo, empty->next);
    /* A spare one that nobody wanted was put there by this end. */
    edo_free(edo_exchange(&fifo->spare, empty, release));
}
