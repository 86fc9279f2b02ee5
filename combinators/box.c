/* SPDX-License-Identifier: MIT */
#include "box.h"

#include "../internal/copy.h"
#include "../internal/sys.h"
#include "child.h"

/* What EDO_BOXED declares, up to the output. */
struct box {
    struct edo_future future_;
    struct edo_boxed_ boxed_;
};

void *edo_box_alloc_(size_t size)
{
    return edo_malloc(size);
}

enum edo_poll edo_boxed_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_boxed_ *boxed = &((struct box *)future)->boxed_;
    if (cx->walk == EDO_WALK_TRACE)
        return edo_child_walk_(boxed->inner, cx, "edo_box");
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(boxed->inner, cx);
    else if (edo_future_poll(boxed->inner, cx) == EDO_PENDING)
        return EDO_PENDING;
    else
        edo_copy((char *)future + boxed->to, (const char *)boxed->inner + boxed->from, boxed->size);
    edo_free(boxed->inner);
    return EDO_READY;
}
