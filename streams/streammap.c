/* SPDX-License-Identifier: MIT */
#include "streammap.h"

#include <string.h>

#include "../internal/sys.h"

static char *key_at(const struct edo_streammap *self, size_t i)
{
    return self->entries + i * self->entry_size;
}

static struct edo_stream **stream_at(const struct edo_streammap *self, size_t i)
{
    return (struct edo_stream **)(void *)(key_at(self, i) + self->stream_offset);
}

bool edo_strings_equal_(const void *a, const void *b)
{
    const char *strings[2];
    memcpy(&strings[0], a, sizeof strings[0]);
    memcpy(&strings[1], b, sizeof strings[1]);
    return strcmp(strings[0], strings[1]) == 0;
}

/* Where the key is; the length: nowhere. */
static size_t find(const struct edo_streammap *self, const void *key)
{
    size_t i = 0;
    while (i < self->length &&
           !(self->equal != NULL ? self->equal(key_at(self, i), key)
                                 : memcmp(key_at(self, i), key, self->key_size) == 0))
        i++;
    return i;
}

/* The stream of this number, and its key for the user; what remains there is overwritten. */
static struct edo_stream *give_back(struct edo_streammap *self, size_t i)
{
    memcpy(self->key, key_at(self, i), self->key_size);
    return *stream_at(self, i);
}

/* A stream that the map drops: then its key goes. */
static void drop_at(struct edo_streammap *self, size_t i, struct edo_context *cx)
{
    edo_future_drop(&(*stream_at(self, i))->future_, cx);
    *stream_at(self, i) = NULL;
    if (self->drop != NULL)
        self->drop(key_at(self, i));
}

/* Without those that were dropped. */
static void close_up(struct edo_streammap *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->length; i++) {
        if (*stream_at(self, i) == NULL)
            continue;
        if (kept < i)
            memcpy(key_at(self, kept), key_at(self, i), self->entry_size);
        kept++;
    }
    self->length = kept;
}

static enum edo_poll walk(struct edo_streammap *self, struct edo_context *cx)
{
    if (cx->walk == EDO_WALK_TRACE) {
        edo_trace(cx, "edo_streammap", NULL, 0);
        cx->depth++;
        for (size_t i = 0; i < self->length; i++)
            edo_future_trace(&(*stream_at(self, i))->future_, cx);
        cx->depth--;
        return EDO_PENDING;
    }
    for (size_t i = 0; i < self->length; i++)
        drop_at(self, i, cx);
    edo_free(self->entries);
    self->entries = NULL;
    self->length = self->capacity = 0;
    return EDO_READY;
}

static enum edo_poll streammap_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_streammap *self = (struct edo_streammap *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(self, cx);
    size_t count = self->length, at = count > 1 ? edo_context_below(cx, (uint32_t)count) : 0;
    int output = EDO_STREAM_PENDING;
    bool ended = false;
    for (size_t i = 0; i < count && cx->panic.name == NULL; i++, at = at + 1 < count ? at + 1 : 0) {
        output = edo_stream_poll(*stream_at(self, at), cx, self->stream_.item);
        if (output == EDO_STREAM_END) {
            drop_at(self, at, cx);
            ended = true;
        } else if (output != EDO_STREAM_PENDING) {
            memcpy(self->key, key_at(self, at), self->key_size);
            break;
        }
    }
    if (ended)
        close_up(self);
    if (output == EDO_STREAM_ITEM)
        return edo_stream_item(&self->stream_);
    if (output < 0)
        return edo_stream_none(&self->stream_, output);
    if (self->length > 0 || cx->panic.name != NULL)
        return EDO_PENDING;
    return edo_stream_none(&self->stream_, 0);
}

static struct edo_size_hint streammap_size_hint(const struct edo_stream *stream)
{
    const struct edo_streammap *self = (const struct edo_streammap *)stream;
    struct edo_size_hint sum = {0, 0};
    for (size_t i = 0; i < self->length; i++) {
        struct edo_size_hint hint = edo_stream_size_hint_(*stream_at(self, i));
        sum.lower = edo_size_sum_(sum.lower, hint.lower);
        sum.upper = edo_size_sum_(sum.upper, hint.upper);
    }
    return sum;
}

struct edo_streammap *edo_streammap_begin_(struct edo_streammap *self, void *key, size_t key_size,
                                           size_t stream_offset, size_t entry_size,
                                           edo_streammap_equal_fn_ *equal)
{
    if (self->stream_.future_.poll != NULL && !edo_future_done(&self->stream_.future_))
        return self;
    void (*drop)(void *) = self->stream_.drop;
    self->stream_ = edo_stream_head_(streammap_poll, streammap_size_hint, NULL);
    self->stream_.drop = drop;
    self->key = key;
    self->key_size = (uint32_t)key_size;
    self->stream_offset = (uint32_t)stream_offset;
    self->entry_size = (uint32_t)entry_size;
    if (self->equal == NULL)
        self->equal = equal;
    return self;
}

static bool grow(struct edo_streammap *self)
{
    if (self->length < self->capacity)
        return true;
    size_t capacity = self->capacity > 0 ? self->capacity * 2 : 4;
    if (capacity > SIZE_MAX / 2 / self->entry_size)
        return false;
    char *entries = edo_realloc(self->entries, capacity * self->entry_size);
    if (entries == NULL)
        return false;
    self->entries = entries;
    self->capacity = capacity;
    return true;
}

int edo_streammap_insert_(struct edo_streammap *self, const void *key, struct edo_stream *stream,
                          struct edo_stream **old)
{
    size_t i = find(self, key);
    if (i < self->length)
        *old = give_back(self, i);
    else if (!grow(self))
        return -ENOMEM;
    else
        self->length++;
    /* Whichever stream an item is of, whoever leaves it out has one hook to call. */
    edo_assert(self->stream_.drop == NULL || stream->drop == NULL ||
               self->stream_.drop == stream->drop);
    if (self->stream_.drop == NULL)
        self->stream_.drop = stream->drop;
    memcpy(key_at(self, i), key, self->key_size);
    *stream_at(self, i) = stream;
    return 0;
}

/* The last one takes its place. */
struct edo_stream *edo_streammap_remove_(struct edo_streammap *self, const void *key)
{
    size_t i = find(self, key);
    if (i == self->length)
        return NULL;
    struct edo_stream *stream = give_back(self, i);
    if (i < --self->length)
        memcpy(key_at(self, i), key_at(self, self->length), self->entry_size);
    return stream;
}

bool edo_streammap_contains_(const struct edo_streammap *self, const void *key)
{
    return find(self, key) < self->length;
}

const void *edo_streammap_key_(const struct edo_streammap *self, size_t i)
{
    return i < self->length ? key_at(self, i) : NULL;
}
