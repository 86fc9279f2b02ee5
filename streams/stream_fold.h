/* SPDX-License-Identifier: MIT */
/* What becomes of a stream: futures that take its items until it ends.
 *
 *     static void add(int *sum, int *n)
 *     {
 *         *sum += *n;
 *     }
 *
 *     AWAIT(self->fold, edo_stream_fold(self->stream, &self->n, add, &self->sum));
 *     … self->sum …
 *     ASYNC_FINALLY:
 *     DROP_STREAM(self->stream);
 *
 * They do not own the stream: one that they leave before its end, because of an error, or of what they
 * were to find out, can be gone on with, and is dropped in FINALLY. `room`, of the frame, is where
 * each item is put. They give way when the task's budget is spent.
 *
 * An error of the stream is their output, and they stop there. Cancel safe, where nothing else is said:
 * dropped, no item is lost that was not dealt with, and the next one goes on. */
#ifndef EDO_STREAMS_STREAM_FOLD_H
#define EDO_STREAMS_STREAM_FOLD_H

#include <sys/types.h>

#include "adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

/* edo_stream_fold(stream, &room, function, &value): function(&value, &item), a void (V *, T *), for each
 * item, which is then the function's. Output 0 at the end, or an error; the value is what it has come
 * to. Also what is elsewhere called for_each. */
struct edo_stream_fold {
    EDO_FUTURE(int);
    struct edo_stream *stream;
    void *room;
    void (*function)(void);
    void *value;
};
#define edo_stream_fold(stream, room, function, value)                                      \
    EDO_WITH_SOURCE_(                                                                       \
        stream,                                                                             \
        edo_stream_fold_(                                                                   \
            EDO_HANDLE_(edo_stream, source_), EDO_VALUE_(edo_stream, source_, room),        \
            EDO_FUNCTION_(function, void(__typeof__(*(value)) *, EDO_ITEM_OF_(source_) *)), \
            (value)))

/* edo_stream_try_for_each(stream, &room, function, &value): the same, with an int function: a negative
 * result stops it and is the output. That item was the function's too. */
#define edo_stream_try_for_each(stream, room, function, value)                                     \
    EDO_WITH_SOURCE_(                                                                              \
        stream, edo_stream_try_for_each_(                                                          \
                    EDO_HANDLE_(edo_stream, source_), EDO_VALUE_(edo_stream, source_, room),       \
                    EDO_FUNCTION_(function, int(__typeof__(*(value)) *, EDO_ITEM_OF_(source_) *)), \
                    (value)))

/* edo_stream_collect(stream, array, capacity, &room): all items, into an array of the caller's. The
 * output is how many; UV_ENOBUFS when there is one more than fits: it is in `room`, the caller's, and the
 * stream may have others; or an error. `count` is at any time how many are in the array, which are the
 * caller's. Cancel safe: they stay there. */
struct edo_stream_collect {
    EDO_FUTURE(ssize_t);
    size_t count;
    struct edo_stream *stream;
    char *array;
    size_t capacity, size;
    void *room;
};
#define edo_stream_collect(stream, array, capacity, room)                                          \
    EDO_WITH_SOURCE_(stream,                                                                       \
                     edo_stream_collect_(EDO_HANDLE_(edo_stream, source_),                         \
                                         EDO_VALUE_(edo_stream, source_, array), sizeof(*(array)), \
                                         (capacity), EDO_VALUE_(edo_stream, source_, room)))

/* edo_stream_all(stream, &room, predicate, arg): whether predicate(arg, &item), a bool (void *, const T *),
 * holds for each item: output 1, also when there is none; 0 at the first for which it does not; or an
 * error. Items go to the drop hook when they were looked at. */
struct edo_stream_all {
    EDO_FUTURE(int);
    struct edo_stream *stream;
    void *room;
    edo_stream_predicate_ *predicate;
    void *arg;
    bool until; /* what the predicate says of the item that settles it */
};
#define edo_stream_all(stream, room, predicate, arg)                                \
    EDO_WITH_SOURCE_(stream, edo_stream_all_(EDO_HANDLE_(edo_stream, source_),      \
                                             EDO_VALUE_(edo_stream, source_, room), \
                                             EDO_PREDICATE_(source_, predicate), (arg), false))

/* edo_stream_any(stream, &room, predicate, arg): whether it holds for one: output 1 at the first; 0 at the
 * end; or an error. */
#define edo_stream_any(stream, room, predicate, arg)                                \
    EDO_WITH_SOURCE_(stream, edo_stream_all_(EDO_HANDLE_(edo_stream, source_),      \
                                             EDO_VALUE_(edo_stream, source_, room), \
                                             EDO_PREDICATE_(source_, predicate), (arg), true))

/* edo_stream_count(stream, &room): how many items there are, which go to the drop hook; or an error.
 * `count` is at any time how many there were. */
struct edo_stream_count {
    EDO_FUTURE(ssize_t);
    size_t count;
    struct edo_stream *stream;
    void *room;
};
#define edo_stream_count(stream, room)                                           \
    EDO_WITH_SOURCE_(stream, edo_stream_count_(EDO_HANDLE_(edo_stream, source_), \
                                               EDO_VALUE_(edo_stream, source_, room)))

/* edo_stream_last(stream, &room, &item): the last item. Output 1: it is in `item`, another place than
 * `room`; 0: there was none; or an error. The others go to the drop hook; after an error the last one
 * does too. Not cancel safe: dropped, it drops the one that was the last so far. */
struct edo_stream_last {
    EDO_FUTURE(int);
    bool found; /* `item` holds the last so far */
    struct edo_stream *stream;
    void *room, *item;
    size_t size;
};
#define edo_stream_last(stream, room, item)                                  \
    EDO_WITH_SOURCE_(stream,                                                 \
                     edo_stream_last_(EDO_HANDLE_(edo_stream, source_),      \
                                      EDO_VALUE_(edo_stream, source_, room), \
                                      EDO_VALUE_(edo_stream, source_, item), sizeof(*(item))))

/* Behind the macros. */
EDO_ASYNC_DECLARE(edo_stream_fold);
EDO_ASYNC_DECLARE(edo_stream_collect);
EDO_ASYNC_DECLARE(edo_stream_all);
EDO_ASYNC_DECLARE(edo_stream_count);
EDO_ASYNC_DECLARE(edo_stream_last);
typedef void edo_stream_fold_fn_(void *value, void *item);
typedef int edo_stream_try_fold_fn_(void *value, void *item);
struct edo_stream_fold edo_stream_fold_(struct edo_stream *stream, void *room,
                                        void (*function)(void), void *value);
struct edo_stream_fold edo_stream_try_for_each_(struct edo_stream *stream, void *room,
                                                void (*function)(void), void *value);
struct edo_stream_collect edo_stream_collect_(struct edo_stream *stream, void *array, size_t size,
                                              size_t capacity, void *room);
struct edo_stream_all edo_stream_all_(struct edo_stream *stream, void *room,
                                      edo_stream_predicate_ *predicate, void *arg, bool until);
struct edo_stream_count edo_stream_count_(struct edo_stream *stream, void *room);
struct edo_stream_last edo_stream_last_(struct edo_stream *stream, void *room, void *item,
                                        size_t size);

#ifdef __cplusplus
}
#endif

#endif
