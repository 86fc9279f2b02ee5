/* SPDX-License-Identifier: MIT */
#include "stream_filter.h"

#include "at_hand.h"

static struct edo_size_hint at_most(const struct edo_stream *source)
{
    return (struct edo_size_hint){0, edo_stream_size_hint_(source).upper};
}

static struct edo_size_hint filter_size_hint(const struct edo_stream *stream)
{
    return at_most(((const struct edo_stream_filter *)stream)->source);
}

static struct edo_stream *make(struct edo_stream_filter *place, edo_poll_fn *poll,
                               struct edo_stream *source, edo_stream_predicate_ *predicate,
                               void *arg)
{
    *place = (struct edo_stream_filter){.stream_ = edo_stream_head_(poll, filter_size_hint, source),
                                        .source = source,
                                        .predicate = predicate,
                                        .arg = arg};
    return &place->stream_;
}

/* Of any source. */
__attribute__((noinline)) static enum edo_poll filter_poll(struct edo_future *future,
                                                           struct edo_context *cx)
{
    struct edo_stream_filter *self = (struct edo_stream_filter *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_stream_walk_(self->source, cx, "edo_stream_filter");
    void *item = self->stream_.item;
    int output;
    while ((output = edo_stream_draw_(self->source, cx, item)) == EDO_STREAM_ITEM) {
        if (self->predicate(self->arg, item))
            return edo_stream_item(&self->stream_);
        if (edo_stream_leave_out_(&self->stream_, item, cx))
            return EDO_PENDING;
    }
    return edo_stream_pass_(&self->stream_, self->source, output);
}

/* Of an array. */
enum edo_poll edo_stream_filter_iter_poll_(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_filter *self = (struct edo_stream_filter *)future;
    struct edo_stream_iter *iter = (struct edo_stream_iter *)self->source;
    const void *item;
    if (__builtin_expect(cx->walk != EDO_WALK_POLL, 0) ||
        !edo_stream_filter_take_(self, iter, cx, &item))
        return filter_poll(future, cx);
    self->stream_.output = EDO_STREAM_ITEM;
    /* Last, so that a call of memcpy keeps nothing in registers. */
    edo_copy(self->stream_.item, item, iter->size);
    return EDO_READY;
}

struct edo_stream *edo_stream_filter_(struct edo_stream_filter *place, struct edo_stream *source,
                                      edo_stream_predicate_ *predicate, void *arg)
{
    edo_poll_fn *poll =
        source->future_.poll == edo_stream_iter_poll_ ? edo_stream_filter_iter_poll_ : filter_poll;
    return make(place, poll, source, predicate, arg);
}

static enum edo_poll take_while_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_filter *self = (struct edo_stream_filter *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_stream_walk_(self->source, cx, "edo_stream_take_while");
    void *item = self->stream_.item;
    int output = edo_stream_poll(self->source, cx, item);
    if (output != EDO_STREAM_ITEM)
        return edo_stream_pass_(&self->stream_, self->source, output);
    if (self->predicate(self->arg, item))
        return edo_stream_item(&self->stream_);
    edo_stream_discard_(&self->stream_, item);
    return edo_stream_cut_(&self->stream_, self->source, cx, 0);
}

struct edo_stream *edo_stream_take_while_(struct edo_stream_filter *place,
                                          struct edo_stream *source,
                                          edo_stream_predicate_ *predicate, void *arg)
{
    return make(place, take_while_poll, source, predicate, arg);
}

/* The predicate is gone once it has failed. */
static enum edo_poll skip_while_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_filter *self = (struct edo_stream_filter *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_stream_walk_(self->source, cx, "edo_stream_skip_while");
    void *item = self->stream_.item;
    int output;
    while ((output = edo_stream_draw_(self->source, cx, item)) == EDO_STREAM_ITEM) {
        if (self->predicate == NULL || !self->predicate(self->arg, item)) {
            self->predicate = NULL;
            return edo_stream_item(&self->stream_);
        }
        if (edo_stream_leave_out_(&self->stream_, item, cx))
            return EDO_PENDING;
    }
    return edo_stream_pass_(&self->stream_, self->source, output);
}

struct edo_stream *edo_stream_skip_while_(struct edo_stream_filter *place,
                                          struct edo_stream *source,
                                          edo_stream_predicate_ *predicate, void *arg)
{
    return make(place, skip_while_poll, source, predicate, arg);
}

static enum edo_poll take_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_take *self = (struct edo_stream_take *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_stream_walk_(self->source, cx, "edo_stream_take");
    if (self->left == 0)
        return edo_stream_cut_(&self->stream_, self->source, cx, 0);
    int output = edo_stream_poll(self->source, cx, self->stream_.item);
    if (output != EDO_STREAM_ITEM)
        return edo_stream_pass_(&self->stream_, self->source, output);
    if (--self->left == 0) {
        edo_future_drop(&self->source->future_, cx);
        if (cx->panic.name != NULL) {
            edo_stream_discard_(&self->stream_, self->stream_.item);
            return EDO_PENDING;
        }
    }
    return edo_stream_item(&self->stream_);
}

static struct edo_size_hint take_size_hint(const struct edo_stream *stream)
{
    const struct edo_stream_take *self = (const struct edo_stream_take *)stream;
    struct edo_size_hint hint = edo_stream_size_hint_(self->source);
    if (hint.lower > self->left)
        hint.lower = self->left;
    if (hint.upper > self->left)
        hint.upper = self->left;
    return hint;
}

struct edo_stream *edo_stream_take_(struct edo_stream_take *place, struct edo_stream *source,
                                    size_t n)
{
    *place =
        (struct edo_stream_take){.stream_ = edo_stream_head_(take_poll, take_size_hint, source),
                                 .source = source,
                                 .left = n};
    return &place->stream_;
}

static enum edo_poll skip_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_stream_take *self = (struct edo_stream_take *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_stream_walk_(self->source, cx, "edo_stream_skip");
    void *item = self->stream_.item;
    int output;
    while ((output = edo_stream_draw_(self->source, cx, item)) == EDO_STREAM_ITEM) {
        if (self->left == 0)
            return edo_stream_item(&self->stream_);
        self->left--;
        if (edo_stream_leave_out_(&self->stream_, item, cx))
            return EDO_PENDING;
    }
    return edo_stream_pass_(&self->stream_, self->source, output);
}

static struct edo_size_hint skip_size_hint(const struct edo_stream *stream)
{
    const struct edo_stream_take *self = (const struct edo_stream_take *)stream;
    struct edo_size_hint hint = edo_stream_size_hint_(self->source);
    hint.lower -= hint.lower < self->left ? hint.lower : self->left;
    if (hint.upper != SIZE_MAX)
        hint.upper -= hint.upper < self->left ? hint.upper : self->left;
    return hint;
}

struct edo_stream *edo_stream_skip_(struct edo_stream_take *place, struct edo_stream *source,
                                    size_t n)
{
    *place =
        (struct edo_stream_take){.stream_ = edo_stream_head_(skip_poll, skip_size_hint, source),
                                 .source = source,
                                 .left = n};
    return &place->stream_;
}
