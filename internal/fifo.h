/* SPDX-License-Identifier: MIT */
/* Values of one size, first in, first out. Bounded: one block, used in a circle, allocated at the
 * start, so that a push never fails. Unbounded: a chain of blocks, each freed when it is empty.
 *
 * It has two ends, each used by one thread at a time, and knows nothing of how many values it holds:
 * its owner counts, and publishes with the count what was pushed (release, acquire), and, where it is
 * bounded, what was popped. */
#ifndef EDO_INTERNAL_FIFO_H
#define EDO_INTERNAL_FIFO_H

#include <errno.h>
#include <stdbool.h>

#include "copy.h"
#include "sys.h"

struct edo_fifo_block {
    struct edo_fifo_block *next; /* of an unbounded one */
    max_align_t values[];
};

struct edo_fifo_end {
    struct edo_fifo_block *block;
    char *at;  /* the next value; of a bounded one it is never at the end */
    char *end; /* of the block */
};

/* A cache line between what one thread writes and what another uses. */
enum { EDO_FIFO_APART = 64 };

struct edo_fifo {
    struct edo_fifo_end tail; /* the pushing thread's */
    char apart[EDO_FIFO_APART];
    size_t size;   /* of a value */
    size_t step;   /* from one to the next: its size, but for one of no size */
    size_t length; /* of a block, in steps */
    bool bounded;
    /* One block that was emptied, for the next that is needed: from the head's thread to the tail's. */
    _Atomic(struct edo_fifo_block *) spare;
    char apart_too[EDO_FIFO_APART];
    struct edo_fifo_end head; /* the popping thread's */
};

/* 0 or -ENOMEM. A bounded one has room for `capacity` values; 0 is unbounded. */
int edo_fifo_init(struct edo_fifo *fifo, size_t size, size_t capacity);

/* Frees it, and not what the values own. */
void edo_fifo_destroy(struct edo_fifo *fifo);

/* False when a value can be pushed without memory. */
static inline bool edo_fifo_needs_block(const struct edo_fifo *fifo)
{
    return edo_unlikely(fifo->tail.at == fifo->tail.end);
}

/* Chains a block on; 0 or -ENOMEM. */
int edo_fifo_add_block(struct edo_fifo *fifo);

/* Frees the block at the head, which is empty, or keeps it as the spare one. */
__attribute__((noinline)) void edo_fifo_next_block(struct edo_fifo *fifo);

/* At the beginning of a block. */
static inline struct edo_fifo_end edo_fifo_end_at(const struct edo_fifo *fifo,
                                                  struct edo_fifo_block *block)
{
    char *values = (char *)block->values;
    return (struct edo_fifo_end){block, values, values + fifo->length * fifo->step};
}

/* Past one value. */
static inline void edo_fifo_step(const struct edo_fifo *fifo, struct edo_fifo_end *end)
{
    end->at += fifo->step;
    if (edo_unlikely(end->at == end->end) && fifo->bounded)
        end->at = (char *)end->block->values;
}

/* Room there must be: see edo_fifo_needs_block. */
static inline void edo_fifo_push(struct edo_fifo *fifo, const void *value)
{
    edo_copy(fifo->tail.at, value, fifo->size);
    edo_fifo_step(fifo, &fifo->tail);
}

/* The same without any call; false: the value is of an unusual size, and nothing was done. */
static inline bool edo_fifo_push_usual(struct edo_fifo *fifo, const void *value)
{
    if (!edo_copy_usual(fifo->tail.at, value, fifo->size))
        return false;
    edo_fifo_step(fifo, &fifo->tail);
    return true;
}

/* Where the first value is; there must be one. It is gone with edo_fifo_pop. */
static inline void *edo_fifo_first(struct edo_fifo *fifo)
{
    if (edo_unlikely(fifo->head.at == fifo->head.end))
        edo_fifo_next_block(fifo);
    return fifo->head.at;
}

static inline void edo_fifo_pop(struct edo_fifo *fifo)
{
    edo_fifo_step(fifo, &fifo->head);
}

/* Both, without any call, for one that there is; false: it is in the next block, or of an unusual size, and
 * nothing was done. */
static inline bool edo_fifo_pop_usual(struct edo_fifo *fifo, void *value)
{
    if (edo_unlikely(fifo->head.at == fifo->head.end) ||
        !edo_copy_usual(value, fifo->head.at, fifo->size))
        return false;
    edo_fifo_step(fifo, &fifo->head);
    return true;
}

#endif
