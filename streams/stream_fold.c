/* SPDX-License-Identifier: MIT */
/* Each is a loop over edo_stream_draw_, left when the stream says that it is over or waits, or when the
 * budget is spent. What it has found out so far is in the future, or in the caller's frame. */
#include "stream_fold.h"

#include <errno.h>
#include <string.h>

/* The drop and trace walks: the stream is not ours. */
static enum edo_poll walk(struct edo_stream *stream, struct edo_context *cx, const char *name)
{
    if (cx->walk == EDO_WALK_DROP)
        return EDO_READY;
    return edo_stream_trace_(cx, name, &stream->future_, NULL);
}

/* ---- fold, try_for_each ---- */

static enum edo_poll try_for_each_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_fold *self = (struct edo_stream_fold *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(self->stream, cx, "edo_stream_try_for_each");
    edo_stream_try_fold_fn_ *function = (edo_stream_try_fold_fn_ *)self->function;
    int output;
    while ((output = edo_stream_draw_(self->stream, cx, self->room)) == EDO_STREAM_ITEM) {
        output = function(self->value, self->room);
        if (output < 0)
            break;
        if (edo_budget_spent(cx))
            return EDO_PENDING;
    }
    if (output == EDO_STREAM_PENDING)
        return EDO_PENDING;
    self->output = output;
    return EDO_READY;
}

struct edo_stream_fold edo_stream_try_for_each_(struct edo_stream *stream, void *room,
                                                void (*function)(void), void *value)
{
    return (struct edo_stream_fold){.future_ = {.poll = try_for_each_poll},
                                    .stream = stream,
                                    .room = room,
                                    .function = function,
                                    .value = value};
}

enum edo_poll edo_stream_fold_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_fold *self = (struct edo_stream_fold *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(self->stream, cx, "edo_stream_fold");
    edo_stream_fold_fn_ *function = (edo_stream_fold_fn_ *)self->function;
    int output;
    while ((output = edo_stream_draw_(self->stream, cx, self->room)) == EDO_STREAM_ITEM) {
        function(self->value, self->room);
        if (edo_budget_spent(cx))
            return EDO_PENDING;
    }
    if (output == EDO_STREAM_PENDING)
        return EDO_PENDING;
    self->output = output;
    return EDO_READY;
}

struct edo_stream_fold edo_stream_fold_(struct edo_stream *stream, void *room,
                                        void (*function)(void), void *value)
{
    return EDO_NEW(edo_stream_fold, .stream = stream, .room = room, .function = function,
                   .value = value);
}

/* ---- collect ---- */

enum edo_poll edo_stream_collect_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_collect *self = (struct edo_stream_collect *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(self->stream, cx, "edo_stream_collect");
    for (;;) {
        bool full = self->count == self->capacity;
        void *place = full ? self->room : self->array + self->count * self->size;
        int output = edo_stream_draw_(self->stream, cx, place);
        if (output == EDO_STREAM_PENDING)
            return EDO_PENDING;
        if (output != EDO_STREAM_ITEM || full) {
            self->output = output == EDO_STREAM_ITEM ? -ENOBUFS
                           : output < 0              ? output
                                                     : (ssize_t)self->count;
            return EDO_READY;
        }
        self->count++;
        if (edo_budget_spent(cx))
            return EDO_PENDING;
    }
}

struct edo_stream_collect edo_stream_collect_(struct edo_stream *stream, void *array, size_t size,
                                              size_t capacity, void *room)
{
    return EDO_NEW(edo_stream_collect, .stream = stream, .array = array, .capacity = capacity,
                   .size = size, .room = room);
}

/* ---- all, any ---- */

enum edo_poll edo_stream_all_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_all *self = (struct edo_stream_all *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(self->stream, cx, self->until ? "edo_stream_any" : "edo_stream_all");
    int output;
    while ((output = edo_stream_draw_(self->stream, cx, self->room)) == EDO_STREAM_ITEM) {
        bool holds = self->predicate(self->arg, self->room);
        edo_stream_discard_(self->stream, self->room);
        if (holds == self->until) {
            self->output = holds;
            return EDO_READY;
        }
        if (edo_budget_spent(cx))
            return EDO_PENDING;
    }
    if (output == EDO_STREAM_PENDING)
        return EDO_PENDING;
    self->output = output < 0 ? output : !self->until;
    return EDO_READY;
}

struct edo_stream_all edo_stream_all_(struct edo_stream *stream, void *room,
                                      edo_stream_predicate_ *predicate, void *arg, bool until)
{
    return EDO_NEW(edo_stream_all, .stream = stream, .room = room, .predicate = predicate,
                   .arg = arg, .until = until);
}

/* ---- count, last ---- */

enum edo_poll edo_stream_count_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_count *self = (struct edo_stream_count *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(self->stream, cx, "edo_stream_count");
    int output;
    while ((output = edo_stream_draw_(self->stream, cx, self->room)) == EDO_STREAM_ITEM) {
        self->count++;
        if (edo_stream_leave_out_(self->stream, self->room, cx))
            return EDO_PENDING;
    }
    if (output == EDO_STREAM_PENDING)
        return EDO_PENDING;
    self->output = output < 0 ? output : (ssize_t)self->count;
    return EDO_READY;
}

struct edo_stream_count edo_stream_count_(struct edo_stream *stream, void *room)
{
    return EDO_NEW(edo_stream_count, .stream = stream, .room = room);
}

static void last_forget(struct edo_stream_last *self)
{
    if (self->found)
        edo_stream_discard_(self->stream, self->item);
    self->found = false;
}

enum edo_poll edo_stream_last_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_last *self = (struct edo_stream_last *)future;
    if (cx->walk == EDO_WALK_DROP)
        last_forget(self);
    if (cx->walk != EDO_WALK_POLL)
        return walk(self->stream, cx, "edo_stream_last");
    int output;
    while ((output = edo_stream_draw_(self->stream, cx, self->room)) == EDO_STREAM_ITEM) {
        last_forget(self);
        memcpy(self->item, self->room, self->size);
        self->found = true;
        if (edo_budget_spent(cx))
            return EDO_PENDING;
    }
    if (output == EDO_STREAM_PENDING)
        return EDO_PENDING;
    if (output < 0)
        last_forget(self);
    self->output = output < 0 ? output : self->found;
    return EDO_READY;
}

struct edo_stream_last edo_stream_last_(struct edo_stream *stream, void *room, void *item,
                                        size_t size)
{
    return EDO_NEW(edo_stream_last, .stream = stream, .room = room, .item = item, .size = size);
}
