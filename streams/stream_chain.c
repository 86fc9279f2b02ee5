/* SPDX-License-Identifier: MIT */
#include "stream_chain.h"

#include <string.h>

#include "../internal/sys.h"

static enum edo_poll walk(struct edo_stream *const sources[2], struct edo_context *cx,
                          const char *name)
{
    if (cx->walk == EDO_WALK_TRACE)
        return edo_stream_trace_(cx, name, &sources[0]->future_, &sources[1]->future_);
    edo_future_drop(&sources[0]->future_, cx);
    edo_future_drop(&sources[1]->future_, cx);
    return EDO_READY;
}

/* Whichever stream an item is of, whoever leaves it out has one hook to call. */
static struct edo_stream head(edo_poll_fn *poll, edo_size_hint_fn *size_hint,
                              const struct edo_stream *a, const struct edo_stream *b)
{
    edo_assert(a->drop == NULL || b->drop == NULL || a->drop == b->drop);
    return edo_stream_head_(poll, size_hint, a->drop != NULL ? a : b);
}

static struct edo_size_hint sum(const struct edo_stream *a, const struct edo_stream *b)
{
    struct edo_size_hint x = edo_stream_size_hint_(a), y = edo_stream_size_hint_(b);
    return (struct edo_size_hint){edo_size_sum_(x.lower, y.lower), edo_size_sum_(x.upper, y.upper)};
}

/* ---- chain ---- */

static enum edo_poll chain_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_chain *self = (struct edo_stream_chain *)future;
    if (cx->walk == EDO_WALK_TRACE)
        return edo_stream_walk_(self->sources[self->at], cx, "edo_stream_chain");
    if (cx->walk == EDO_WALK_DROP)
        return walk(self->sources, cx, NULL);
    for (;; self->at++) {
        int output = edo_stream_poll(self->sources[self->at], cx, self->stream_.item);
        if (output == EDO_STREAM_PENDING)
            return EDO_PENDING;
        if (output == EDO_STREAM_ITEM)
            return edo_stream_item(&self->stream_);
        if (output < 0)
            return edo_stream_none(&self->stream_, output);
        edo_future_drop(&self->sources[self->at]->future_, cx);
        if (self->at == 1 || cx->panic.name != NULL)
            return edo_stream_over_(&self->stream_, cx, 0);
    }
}

static struct edo_size_hint chain_size_hint(const struct edo_stream *stream)
{
    const struct edo_stream_chain *self = (const struct edo_stream_chain *)stream;
    return sum(self->sources[0], self->sources[1]);
}

struct edo_stream *edo_stream_chain_(struct edo_stream_chain *place, struct edo_stream *first,
                                     struct edo_stream *second)
{
    *place = (struct edo_stream_chain){.stream_ = head(chain_poll, chain_size_hint, first, second),
                                       .sources = {first, second}};
    return &place->stream_;
}

/* ---- merge ---- */

static enum edo_poll merge_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_merge *self = (struct edo_stream_merge *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(self->sources, cx, "edo_stream_merge");
    bool waiting = false;
    for (unsigned i = 0; i < 2 && cx->panic.name == NULL; i++) {
        unsigned which = self->first ^ i;
        int output = edo_stream_poll(self->sources[which], cx, self->stream_.item);
        if (output == EDO_STREAM_PENDING) {
            waiting = true;
        } else if (output == EDO_STREAM_END) {
            edo_future_drop(&self->sources[which]->future_, cx);
        } else {
            self->first = !which;
            return output == EDO_STREAM_ITEM ? edo_stream_item(&self->stream_)
                                             : edo_stream_none(&self->stream_, output);
        }
    }
    return waiting ? EDO_PENDING : edo_stream_over_(&self->stream_, cx, 0);
}

static struct edo_size_hint merge_size_hint(const struct edo_stream *stream)
{
    const struct edo_stream_merge *self = (const struct edo_stream_merge *)stream;
    return sum(self->sources[0], self->sources[1]);
}

struct edo_stream *edo_stream_merge_(struct edo_stream_merge *place, struct edo_stream *a,
                                     struct edo_stream *b)
{
    *place = (struct edo_stream_merge){.stream_ = head(merge_poll, merge_size_hint, a, b),
                                       .sources = {a, b}};
    return &place->stream_;
}

/* ---- zip ---- */

/* What waits for a partner has none. */
static void zip_part(struct edo_stream_zip *self, struct edo_context *cx)
{
    for (unsigned i = 0; i < 2; i++) {
        if (self->has[i])
            edo_stream_discard_(self->sources[i], self->halves[i]);
        self->has[i] = false;
        edo_future_drop(&self->sources[i]->future_, cx);
    }
}

static enum edo_poll zip_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_zip *self = (struct edo_stream_zip *)future;
    if (cx->walk == EDO_WALK_TRACE)
        return walk(self->sources, cx, "edo_stream_zip");
    if (cx->walk == EDO_WALK_DROP) {
        zip_part(self, cx);
        return EDO_READY;
    }
    for (unsigned i = 0; i < 2 && cx->panic.name == NULL; i++) {
        if (self->has[i])
            continue;
        int output = edo_stream_poll(self->sources[i], cx, self->halves[i]);
        if (output < 0)
            return edo_stream_none(&self->stream_, output);
        if (output == EDO_STREAM_END) {
            zip_part(self, cx);
            return edo_stream_over_(&self->stream_, cx, 0);
        }
        self->has[i] = output == EDO_STREAM_ITEM;
    }
    if (!self->has[0] || !self->has[1])
        return EDO_PENDING;
    self->has[0] = self->has[1] = false;
    memcpy(self->stream_.item, self->pair, self->size);
    return edo_stream_item(&self->stream_);
}

static struct edo_size_hint zip_size_hint(const struct edo_stream *stream)
{
    const struct edo_stream_zip *self = (const struct edo_stream_zip *)stream;
    struct edo_size_hint hint[2];
    for (unsigned i = 0; i < 2; i++) {
        hint[i] = edo_stream_size_hint_(self->sources[i]);
        hint[i].lower = edo_size_sum_(hint[i].lower, self->has[i]);
        hint[i].upper = edo_size_sum_(hint[i].upper, self->has[i]);
    }
    return (struct edo_size_hint){hint[0].lower < hint[1].lower ? hint[0].lower : hint[1].lower,
                                  hint[0].upper < hint[1].upper ? hint[0].upper : hint[1].upper};
}

struct edo_stream *edo_stream_zip_(struct edo_stream_zip *place, struct edo_stream *a,
                                   struct edo_stream *b, const void *pair, size_t size,
                                   void *half_a, void *half_b)
{
    *place = (struct edo_stream_zip){.stream_ = edo_stream_head_(zip_poll, zip_size_hint, NULL),
                                     .sources = {a, b},
                                     .halves = {half_a, half_b},
                                     .pair = pair,
                                     .size = size};
    return &place->stream_;
}
