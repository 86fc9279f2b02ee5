/* SPDX-License-Identifier: MIT */
#include "join_all.h"

static struct edo_future *future_at(const struct edo_joined_ *joined, size_t i)
{
    return (struct edo_future *)(void *)(joined->first + i * joined->size);
}

static void drop_all(const struct edo_joined_ *joined, struct edo_context *cx)
{
    for (size_t i = 0; i < joined->count; i++)
        edo_future_drop(future_at(joined, i), cx);
}

static enum edo_poll walk(const struct edo_joined_ *joined, struct edo_context *cx,
                          const char *name)
{
    if (cx->walk == EDO_WALK_DROP) {
        drop_all(joined, cx);
        return EDO_READY;
    }
    edo_trace(cx, name, NULL, 0);
    cx->depth++;
    for (size_t i = 0; i < joined->count; i++)
        edo_future_trace(future_at(joined, i), cx);
    cx->depth--;
    return EDO_PENDING;
}

/* One pass over all, which begins with the one that got no budget in the last. Where outputs may be
 * negative, `error` is not NULL, gets the first that is, and the pass stops. */
static enum edo_poll pass(struct edo_joined_ *joined, struct edo_context *cx, uint32_t offset,
                          int *error)
{
    size_t at = joined->start;
    bool marked = false, waiting = false;
    joined->start = 0;
    for (size_t i = 0; i < joined->count; i++, at = at + 1 < joined->count ? at + 1 : 0) {
        struct edo_future *future = future_at(joined, at);
        if (cx->budget == 0 && !marked && !edo_future_done(future)) {
            joined->start = at;
            marked = true;
        }
        enum edo_poll poll = edo_child_poll_(future, cx);
        if (cx->panic.name != NULL)
            return EDO_PENDING;
        if (poll == EDO_PENDING)
            waiting = true;
        else if (error != NULL && (*error = *(int *)edo_output_at_(
                                       future, (struct edo_output_){.offset = offset})) < 0)
            return EDO_READY;
    }
    return waiting ? EDO_PENDING : EDO_READY;
}

static enum edo_poll edo_join_all_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_join_all *self = (struct edo_join_all *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(&self->joined, cx, "edo_join_all");
    return pass(&self->joined, cx, 0, NULL);
}

struct edo_join_all edo_join_all_(struct edo_joined_ joined)
{
    return EDO_NEW_RETURNED(edo_join_all, .joined = joined);
}

static enum edo_poll edo_try_join_all_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_try_join_all *self = (struct edo_try_join_all *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(&self->joined, cx, "edo_try_join_all");
    int error = 0;
    if (pass(&self->joined, cx, self->output_offset, &error) == EDO_PENDING)
        return EDO_PENDING;
    if (error < 0)
        drop_all(&self->joined, cx);
    self->output = error < 0 ? error : 0;
    return cx->panic.name == NULL ? EDO_READY : EDO_PENDING;
}

struct edo_try_join_all edo_try_join_all_(struct edo_joined_ joined, struct edo_output_ output)
{
    return EDO_NEW_RETURNED(edo_try_join_all, .output_offset = output.offset, .joined = joined);
}
