/* SPDX-License-Identifier: MIT */
#include "map.h"

typedef void map_fn(void *arg, void *output, void *out);
typedef void inspect_fn(void *arg, const void *output);

static enum edo_poll edo_map_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_map *self = (struct edo_map *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_child_walk_(self->child, cx, "edo_map");
    if (edo_child_poll_(self->child, cx) == EDO_PENDING)
        return EDO_PENDING;
    ((map_fn *)self->function)(self->arg, edo_output_at_(self->child, self->of_child), self->out);
    return EDO_READY;
}

struct edo_map edo_map_(struct edo_future *child, struct edo_output_ output, void *out,
                        void (*function)(void), void *arg)
{
    return EDO_NEW_RETURNED(edo_map, .child = child, .of_child = output, .out = out,
                            .function = function, .arg = arg);
}

static enum edo_poll edo_inspect_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_inspect *self = (struct edo_inspect *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_child_walk_(self->child, cx, "edo_inspect");
    if (edo_child_poll_(self->child, cx) == EDO_PENDING)
        return EDO_PENDING;
    ((inspect_fn *)self->function)(self->arg, edo_output_at_(self->child, self->of_child));
    return EDO_READY;
}

struct edo_inspect edo_inspect_(struct edo_future *child, struct edo_output_ output,
                                void (*function)(void), void *arg)
{
    return EDO_NEW_RETURNED(edo_inspect, .child = child, .of_child = output, .function = function,
                            .arg = arg);
}
