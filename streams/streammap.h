/* SPDX-License-Identifier: MIT */
/* Streams by key, as one stream: they come and go while it runs.
 *
 *     STREAM_MAP(int, struct message) map;                  keys, items; in the frame; zero is empty
 *
 *     error = edo_streammap_insert(&self->map, 7, self->news, &self->old);      0, or UV_ENOMEM
 *     …
 *     self->stream = edo_streammap(&self->map);
 *     FOR_AWAIT(self->message, self->stream)
 *         … self->message came from the stream of self->map.key …
 *     …
 *     ASYNC_FINALLY:
 *     DROP_STREAM(self->stream);                            all streams that are in it
 *
 * The map owns the streams that are in it: whoever drops the map drops them. A stream that ends goes. An
 * empty map is at its end, and goes on when another is inserted; so in a SELECT the branch is off while
 * it has none: WHEN_IF(edo_streammap_len(&self->map) > 0, self->next, edo_next(…)). From the first call on the
 * map stays where it is.
 *
 * Each poll asks the streams from one at random on, until one has an item: none is always before another.
 * Errors pass; the key tells whose, and the stream stays until it ends. Each wake polls all that are
 * there, and finding a key compares it with each: for some dozens, not for thousands.
 *
 * Keys are equal when a function says so that is set by edo_streammap_equal. Without one: strings, of type
 * char * or const char *, by strcmp; all others byte by byte, which is right for numbers, and for structs
 * without padding whose arrays are zero beyond what is said in them; pointers are equal when they
 * point to the same. What they point to has to last as long as they are in the map.
 *
 * All of it belongs to one task at a time. Cancel safe: a `next` that is dropped has taken no item. */
#ifndef EDO_STREAMS_STREAMMAP_H
#define EDO_STREAMS_STREAMMAP_H

#include "../error.h"
#include "adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef bool edo_streammap_equal_fn_(const void *a, const void *b);
typedef void edo_streammap_drop_fn_(void *key);

struct edo_streammap {
    struct edo_stream stream_;
    char *entries; /* each a key, padded, and its stream; in no order */
    size_t length, capacity;
    void *key; /* whose the last item is */
    edo_streammap_equal_fn_ *equal;
    edo_streammap_drop_fn_ *drop;
    uint32_t key_size, stream_offset, entry_size; /* in an entry */
};

/* STREAM_MAP(key, item) map; a map of streams of such items. map.key: whose the item, or the error, is that
 * was given last. */
#define EDO_STREAM_MAP(key_, ...)             \
    struct {                                  \
        struct edo_streammap map;             \
        __typeof__(key_) key;                 \
        EDO_STREAM_REF(__VA_ARGS__) type_[0]; \
        struct {                              \
            __typeof__(key_) key;             \
            struct edo_stream *stream;        \
        } entry_[0];                          \
    }

/* edo_streammap(&map): the stream of their items. What those own is freed by one drop hook, that of the
 * streams; for an adapter that takes the map in before them it is set in map.map.stream_.drop. */
#define edo_streammap(place) \
    EDO_WITH_STREAMMAP_(place, (__typeof__(edo_map_->type_[0]))(void *)&edo_begun_->stream_)

/* edo_streammap_insert(&map, key, stream, &old): puts a stream in, which is the map's from then on. The one
 * that had this key is given back, not dropped, in `old`, a STREAM_REF, and its key in map.key; NULL: there
 * was none. A stream is asked for items when the map next is; who awaits the map at this moment, in
 * another branch of a SELECT, has to be woken otherwise. 0; or UV_ENOMEM: the map and `old` are as they
 * were, the stream is still yours. To replace needs no memory. */
#define edo_streammap_insert(place, key_, added, old)                                           \
    EDO_WITH_STREAMMAP_(                                                                        \
        place, __typeof__(edo_map_->key) edo_key_ = (key_); struct edo_stream *edo_old_ = NULL; \
        int edo_error_ = edo_streammap_insert_(edo_begun_, &edo_key_,                           \
                                               EDO_STREAM_OF_MAP_(edo_map_, added), &edo_old_); \
        edo_error_ == 0 ? (void)(*(old) = (__typeof__(edo_map_->type_[0]))(void *)edo_old_)     \
                        : (void)0;                                                              \
        edo_error_)

/* edo_streammap_remove(&map, key): takes a stream out, which is yours again, not dropped; its key is in
 * map.key. NULL: there is none with this key. */
#define edo_streammap_remove(place, key_)                   \
    EDO_WITH_STREAMMAP_(                                    \
        place, __typeof__(edo_map_->key) edo_key_ = (key_); \
        (__typeof__(edo_map_->type_[0]))(void *)edo_streammap_remove_(edo_begun_, &edo_key_))

/* edo_streammap_contains(&map, key): whether there is a stream with this key. One that ended with an error
 * is there until the map is polled again. */
#define edo_streammap_contains(place, key_)                                 \
    EDO_WITH_STREAMMAP_(place, __typeof__(edo_map_->key) edo_key_ = (key_); \
                        edo_streammap_contains_(edo_begun_, &edo_key_))

/* How many streams are in it. */
#define edo_streammap_len(place) ((place)->map.length)

/* edo_streammap_key(&map, i): a pointer to the key of number i, below edo_streammap_len; NULL: there are no
 * more. Good, as the order is, until the map is polled or changed. */
#define edo_streammap_key(place, i) \
    EDO_WITH_STREAMMAP_(place,      \
                        (const __typeof__(edo_map_->key) *)edo_streammap_key_(edo_begun_, (i)))

/* edo_streammap_equal(&map, function): a bool (const K *, const K *) that compares keys. Before the first is
 * inserted. */
#define edo_streammap_equal(place, function)                       \
    ((place)->map.equal = (edo_streammap_equal_fn_ *)EDO_OF_KEYS_( \
         function, bool(const __typeof__((place)->key) *, const __typeof__((place)->key) *)))

/* edo_streammap_on_drop(&map, function): a void (K *) that frees what a key owns, and what of the user's
 * goes with it, as the place of its stream. It is called when the stream has ended, or was dropped with the
 * map; not for one that was given back. It must not use the map. */
#define edo_streammap_on_drop(place, function) \
    ((place)->map.drop =                       \
         (edo_streammap_drop_fn_ *)EDO_OF_KEYS_(function, void(__typeof__((place)->key) *)))

/* Behind the macros. */
#define EDO_OF_KEYS_(function, ...) EDO_FUNCTION_OF_("keys", function, __VA_ARGS__)
#define EDO_STREAM_OF_MAP_(map_, stream)                                                         \
    (EDO_DEMAND_(__builtin_types_compatible_p(__typeof__(stream), __typeof__((map_)->type_[0])), \
                 "the items of the stream and of the map are of two types"),                     \
     (struct edo_stream *)(void *)(stream))
/* The map is `edo_map_` in it, and `edo_begun_` to the functions. */
#define EDO_WITH_STREAMMAP_(place, ...)                                                           \
    __extension__({                                                                               \
        __auto_type edo_map_ = (place);                                                           \
        _Static_assert(_Alignof(__typeof__(edo_map_->key)) <= 16, "aligned to 16 bytes at most"); \
        struct edo_streammap *edo_begun_ =                                                        \
            edo_streammap_begin_(&edo_map_->map, &edo_map_->key, sizeof edo_map_->key,            \
                                 offsetof(__typeof__(*edo_map_->entry_), stream),                 \
                                 sizeof *edo_map_->entry_, EDO_KEYS_EQUAL_(edo_map_->key));       \
        __VA_ARGS__;                                                                              \
    })
#define EDO_KEYS_EQUAL_(key_) \
    _Generic((key_), char * : edo_strings_equal_, const char * : edo_strings_equal_, default : NULL)
struct edo_streammap *edo_streammap_begin_(struct edo_streammap *place, void *key, size_t key_size,
                                           size_t stream_offset, size_t entry_size,
                                           edo_streammap_equal_fn_ *equal);
int edo_streammap_insert_(struct edo_streammap *map, const void *key, struct edo_stream *stream,
                          struct edo_stream **old);
struct edo_stream *edo_streammap_remove_(struct edo_streammap *map, const void *key);
bool edo_streammap_contains_(const struct edo_streammap *map, const void *key);
const void *edo_streammap_key_(const struct edo_streammap *map, size_t i);
bool edo_strings_equal_(const void *a, const void *b);

#ifndef EDO_NO_SHORT_NAMES
#define STREAM_MAP EDO_STREAM_MAP
#endif

#ifdef __cplusplus
}
#endif

#endif
