/* SPDX-License-Identifier: MIT */
#include "box.h"

#include "../internal/blocks.h"
#include "../internal/copy.h"
#include "child.h"

void *edo_box_alloc_(size_t size, uint8_t *block)
{
    *block = (uint8_t)edo_block_size(size);
    return edo_block_take(*block, size);
}

enum edo_poll edo_boxed_poll(struct edo_future *future, struct edo_context *cx)
{
    /* It follows the head, whatever the type of the output after it. */
    struct edo_boxed_ *self = (struct edo_boxed_ *)(void *)(future + 1);
    if (cx->walk == EDO_WALK_TRACE)
        return edo_child_walk_(self->inner, cx, "edo_box");
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(self->inner, cx);
    else if (edo_future_poll(self->inner, cx) == EDO_PENDING)
        return EDO_PENDING;
    else
        edo_copy((char *)future + self->to, (const char *)self->inner + self->from, self->size);
    edo_block_give(self->block, self->inner);
    return EDO_READY;
}
