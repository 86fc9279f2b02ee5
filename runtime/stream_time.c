/* SPDX-License-Identifier: MIT */
#include "stream_time.h"

#include <uv.h>

#include "time_internal.h"

/* The drop and trace walks: the source, and what it waits for besides. */
static enum edo_poll walk(struct edo_stream *source, struct edo_future *timer,
                          struct edo_context *cx, const char *name)
{
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(timer, cx);
    return edo_stream_walk_(source, cx, name);
}

/* Whether it gave an item, or an error in an item's place, after which there may be more. */
static bool stands(const struct edo_stream *source, int output)
{
    return output == EDO_STREAM_ITEM || (output < 0 && !edo_future_done(&source->future_));
}

static enum edo_poll interval_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_interval *self = (struct edo_stream_interval *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(&self->tick.future_, cx);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_stream_interval");
    if (self->tick.future_.poll == NULL)
        self->tick = edo_interval_tick(self->interval);
    if (edo_future_poll(&self->tick.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    if (self->tick.output < 0)
        return edo_stream_end(&self->stream_, self->tick.output);
    *(uint64_t *)self->stream_.item = self->tick.at;
    self->tick.future_.poll = NULL;
    return edo_stream_item(&self->stream_);
}

struct edo_stream *edo_stream_interval_(struct edo_stream_interval *place,
                                        struct edo_interval *interval)
{
    *place = (struct edo_stream_interval){.stream_ = edo_stream_head_(interval_poll, NULL, NULL),
                                          .interval = interval};
    return &place->stream_;
}

/* The sleep is there from one item until it is over. */
static enum edo_poll throttle_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_throttle *self = (struct edo_stream_throttle *)future;
    if (cx->walk == EDO_WALK_TRACE && self->sleep.future_.poll != NULL)
        return edo_stream_trace_(cx, "edo_stream_throttle", &self->sleep.future_, NULL);
    if (cx->walk != EDO_WALK_POLL)
        return walk(self->source, &self->sleep.future_, cx, "edo_stream_throttle");
    if (self->sleep.future_.poll != NULL) {
        if (edo_future_poll(&self->sleep.future_, cx) == EDO_PENDING)
            return EDO_PENDING;
        if (self->sleep.output < 0)
            return edo_stream_cut_(&self->stream_, self->source, cx, self->sleep.output);
        self->sleep.future_.poll = NULL;
    }
    int output = edo_stream_poll(self->source, cx, self->stream_.item);
    if (stands(self->source, output))
        self->sleep = edo_sleep(self->ms);
    return edo_stream_pass_(&self->stream_, self->source, output);
}

static struct edo_size_hint throttle_size_hint(const struct edo_stream *stream)
{
    return edo_stream_size_hint_(((const struct edo_stream_throttle *)stream)->source);
}

struct edo_stream *edo_stream_throttle_(struct edo_stream_throttle *place,
                                        struct edo_stream *source, uint64_t ms)
{
    *place = (struct edo_stream_throttle){
        .stream_ = edo_stream_head_(throttle_poll, throttle_size_hint, source),
        .source = source,
        .ms = ms};
    return &place->stream_;
}

static enum edo_poll timeout_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_timeout *self = (struct edo_stream_timeout *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(self->source, &self->sleep.future_, cx, "edo_stream_timeout");
    bool budget_left = cx->budget != 0;
    int output = edo_stream_poll(self->source, cx, self->stream_.item);
    if (output != EDO_STREAM_PENDING) {
        if (stands(self->source, output)) {
            edo_sleep_reset(&self->sleep, edo_instant_add(edo_now(), self->ms));
            self->over = false;
        } else if (edo_future_done(&self->source->future_)) {
            edo_future_drop(&self->sleep.future_, cx);
        }
        return edo_stream_pass_(&self->stream_, self->source, output);
    }
    if (self->over || cx->panic.name != NULL ||
        edo_poll_after(&self->sleep.future_, cx, budget_left) == EDO_PENDING)
        return EDO_PENDING;
    if (self->sleep.output < 0)
        return edo_stream_cut_(&self->stream_, self->source, cx, self->sleep.output);
    self->over = true;
    return edo_stream_none(&self->stream_, UV_ETIMEDOUT);
}

struct edo_stream *edo_stream_timeout_(struct edo_stream_timeout *place, struct edo_stream *source,
                                       uint64_t ms)
{
    *place = (struct edo_stream_timeout){.stream_ = edo_stream_head_(timeout_poll, NULL, source),
                                         .source = source,
                                         .ms = ms,
                                         .sleep = edo_sleep(ms)};
    return &place->stream_;
}

static enum edo_poll timeout_repeating_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_timeout_repeating *self = (struct edo_stream_timeout_repeating *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(self->source, &self->tick.future_, cx, "edo_stream_timeout_repeating");
    bool budget_left = cx->budget != 0;
    int output = edo_stream_poll(self->source, cx, self->stream_.item);
    if (output != EDO_STREAM_PENDING) {
        edo_future_drop(&self->tick.future_, cx);
        self->tick.future_.poll = NULL;
        if (stands(self->source, output))
            edo_interval_reset(self->interval);
        return edo_stream_pass_(&self->stream_, self->source, output);
    }
    if (cx->panic.name != NULL)
        return EDO_PENDING;
    if (self->tick.future_.poll == NULL)
        self->tick = edo_interval_tick(self->interval);
    if (edo_poll_after(&self->tick.future_, cx, budget_left) == EDO_PENDING)
        return EDO_PENDING;
    if (self->tick.output < 0)
        return edo_stream_cut_(&self->stream_, self->source, cx, self->tick.output);
    self->tick.future_.poll = NULL;
    return edo_stream_none(&self->stream_, UV_ETIMEDOUT);
}

struct edo_stream *edo_stream_timeout_repeating_(struct edo_stream_timeout_repeating *place,
                                                 struct edo_stream *source,
                                                 struct edo_interval *interval)
{
    *place = (struct edo_stream_timeout_repeating){
        .stream_ = edo_stream_head_(timeout_repeating_poll, NULL, source),
        .source = source,
        .interval = interval};
    return &place->stream_;
}

static void *room_at(struct edo_stream_chunks_timeout *self, size_t index)
{
    return self->room + index * self->size;
}

/* Gives the chunk. */
static enum edo_poll chunk(struct edo_stream_chunks_timeout *self, struct edo_context *cx)
{
    *(size_t *)self->stream_.item = self->length;
    self->length = 0;
    edo_future_drop(&self->sleep.future_, cx);
    self->sleep.future_.poll = NULL;
    return edo_stream_item(&self->stream_);
}

/* What the source came to, when it was no item and nothing is left before it. */
static enum edo_poll held(struct edo_stream_chunks_timeout *self)
{
    self->holds = false;
    return edo_stream_pass_(&self->stream_, self->source, self->held);
}

static enum edo_poll chunks_timeout_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_chunks_timeout *self = (struct edo_stream_chunks_timeout *)future;
    if (cx->walk != EDO_WALK_POLL) {
        if (cx->walk == EDO_WALK_DROP && self->source->drop != NULL)
            for (size_t i = 0; i < self->length; i++)
                self->source->drop(room_at(self, i));
        return walk(self->source, &self->sleep.future_, cx, "edo_stream_chunks_timeout");
    }
    if (self->max == 0)
        return edo_stream_cut_(&self->stream_, self->source, cx, UV_EINVAL);
    if (self->holds)
        return held(self);
    bool budget_left = cx->budget != 0;
    int output;
    while ((output = edo_stream_draw_(self->source, cx, room_at(self, self->length))) ==
           EDO_STREAM_ITEM) {
        if (self->length++ == 0)
            self->sleep = edo_sleep(self->ms);
        if (self->length == self->max)
            return chunk(self, cx);
        if (edo_budget_spent(cx)) {
            output = EDO_STREAM_PENDING;
            break;
        }
    }
    if (output != EDO_STREAM_PENDING) {
        self->held = output;
        if (self->length == 0)
            return held(self);
        self->holds = true;
        return chunk(self, cx);
    }
    if (self->length == 0 || cx->panic.name != NULL ||
        edo_poll_after(&self->sleep.future_, cx, budget_left) == EDO_PENDING)
        return EDO_PENDING;
    if (self->sleep.output < 0) {
        /* The items that came are given first. */
        edo_future_drop(&self->source->future_, cx);
        self->held = self->sleep.output;
        self->holds = true;
    }
    return chunk(self, cx);
}

struct edo_stream *edo_stream_chunks_timeout_(struct edo_stream_chunks_timeout *place,
                                              struct edo_stream *source, void *room, size_t size,
                                              size_t max, uint64_t ms)
{
    *place = (struct edo_stream_chunks_timeout){
        .stream_ = edo_stream_head_(chunks_timeout_poll, NULL, NULL),
        .source = source,
        .room = room,
        .size = size,
        .max = max,
        .ms = ms};
    return &place->stream_;
}
