/* SPDX-License-Identifier: MIT */
/* Streams: futures that are ready many times, with an item each time, until they end.
 *
 *     struct numbers {
 *         STREAM(int);                  first member: a stream of ints
 *         int from, to;
 *     };
 *
 *     ASYNC_STREAM(numbers)             a generator: ASYNC, with YIELD
 *     {
 *         ASYNC_BEGIN;
 *         for (; self->from < self->to; self->from++)
 *             YIELD(self->from);        may await as well
 *         ASYNC_END;
 *     }
 *
 *     struct sum {
 *         FUTURE(int);
 *         struct numbers numbers;
 *         struct edo_stream_filter even;
 *         STREAM_REF(int) stream;       a pointer to a stream of ints, whichever
 *         int n, sum;
 *     };
 *
 *     ASYNC(sum)
 *     {
 *         ASYNC_BEGIN;
 *         self->numbers = NEW(numbers, .to = 10);
 *         self->stream = edo_stream_ref(&self->numbers);
 *         self->stream = edo_stream_filter(&self->even, self->stream, is_even, NULL);
 *         FOR_AWAIT(self->n, self->stream)
 *             self->sum += self->n;
 *         RETURN(self->sum);
 *         ASYNC_FINALLY:
 *         DROP_STREAM(self->stream);    for when it left the loop before the end
 *         ASYNC_END;
 *     }
 *
 * A stream is a struct in a frame, as a future is, and obeys the same rules; it may be moved until a
 * reference to it is made. An adapter (streams/) lives beside the stream that it takes in, and owns it
 * from then on: whoever drops the adapter drops both.
 *
 * Items are copied to where the consumer says; what they own is then the consumer's. An item that an
 * adapter does not pass on is given to the stream's drop hook, if it has one. It may have been put where
 * the consumer says before it was left out: there is an item only after a poll that gave one.
 *
 * An error stands in an item's place: a negative code of error.h. A generator ends with it, so that there
 * is no other kind of generator for those that may fail: elsewhere, try_stream.
 *
 * docs/streams.md goes through it by examples.
 */
#ifndef EDO_STREAM_H
#define EDO_STREAM_H

#include "future.h"
#include "internal/typed.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a poll of a stream came to; negative: an error. */
enum {
    EDO_STREAM_END = 0,
    EDO_STREAM_ITEM = 1,
    EDO_STREAM_PENDING = 2,
};

/* How many items are still to come: `lower` at least, `upper` at most; SIZE_MAX is unknown. */
struct edo_size_hint {
    size_t lower, upper;
};

struct edo_stream;
typedef struct edo_size_hint edo_size_hint_fn(const struct edo_stream *stream);

/* The head of every stream. One that is written by hand has a poll function like a future's, which
 * returns EDO_PENDING, or, each time with what one of the three below returns, EDO_READY. */
struct edo_stream {
    struct edo_future future_;
    int output; /* of the poll that was ready last */
    uint32_t spare_;
    void *item;                  /* where this poll puts its item; NULL in the other walks */
    edo_size_hint_fn *size_hint; /* NULL: nothing is known */
    void (*drop)(void *item);    /* frees what an item owns that nobody gets; or NULL */
};

/* An item is in place: EDO_ITEM(self) = …; return edo_stream_item(&self->stream_); */
static inline enum edo_poll edo_stream_item(struct edo_stream *stream)
{
    stream->output = EDO_STREAM_ITEM;
    return EDO_READY;
}

/* The end, for good, with an error or with 0. What it awaited is done or dropped. */
static inline enum edo_poll edo_stream_end(struct edo_stream *stream, int error)
{
    stream->output = error;
    stream->future_.state = EDO_STATE_DONE;
    return EDO_READY;
}

/* An error in an item's place, or, with 0, an end after which there may be more: polling goes on. */
static inline enum edo_poll edo_stream_none(struct edo_stream *stream, int error)
{
    stream->output = error;
    return EDO_READY;
}

/* Polls: what FOR_AWAIT, edo_next and all adapters call. Returns EDO_STREAM_ITEM, and the item is in
 * *item; EDO_STREAM_END; an error; or EDO_STREAM_PENDING. A stream that has ended for good says so
 * again each time. */
static inline int edo_stream_poll(struct edo_stream *stream, struct edo_context *cx, void *item)
{
    stream->output = EDO_STREAM_END;
    if (edo_future_done(&stream->future_))
        return EDO_STREAM_END;
    edo_future_check(&stream->future_, cx);
    stream->item = item;
    if (stream->future_.poll(&stream->future_, cx) == EDO_PENDING)
        return EDO_STREAM_PENDING;
    if (edo_future_done(&stream->future_))
        edo_future_ended(&stream->future_);
    return stream->output;
}

/* STREAM(type); the first member of a stream's struct: its head, and its type of items. `future_` and
 * `output` are the head's; the other members keep their room, so that NEW, which names `future_`, makes
 * all of it zero: what a union has beyond the member that is named is left as it was. */
#define EDO_STREAM(...)                   \
    union {                               \
        struct {                          \
            struct edo_future future_;    \
            int output;                   \
            uint32_t spare_;              \
            void *item_;                  \
            edo_size_hint_fn *size_hint_; \
            void (*drop_)(void *);        \
        };                                \
        struct edo_stream stream_;        \
    };                                    \
    EDO_STREAM_REF(__VA_ARGS__) type_[0]

/* STREAM_REF(type) stream; a reference to any stream of such items. It owns nothing. */
#define EDO_STREAM_REF(...) EDO_TYPED_(edo_stream, __VA_ARGS__)

/* A reference to the stream in this struct, which stays where it is from now on. Its drop hook and
 * its size hint, if it is to have them, are set in stream_ before. */
#define edo_stream_ref(place) ((__typeof__((place)->type_[0]))(void *)&(place)->stream_)

/* The place of this poll's item, an lvalue, in the poll function of a stream written by hand. */
#define EDO_ITEM(self) (*(EDO_CARRIED_(edo_stream, (self)->type_[0]) *)(self)->stream_.item)

/* ASYNC_STREAM(name) { body }: defines the generator `struct name`, visible in this file. The body is
 * one of ASYNC's, with YIELD. Its end, or RETURN(), is the stream's; RETURN(error), and TRY_AWAIT or
 * TRY_FOR_AWAIT of what fails, end it with that error. A number that is not negative is no error. Dropped
 * between two items, it runs its FINALLY. */
#define EDO_ASYNC_STREAM(name) EDO_ASYNC_STREAM_(static, name)

/* ASYNC_STREAM_EXTERN(name) { body }: the same for a generator that other files use; a header holds its
 * struct and ASYNC_DECLARE(name); (future.h). */
#define EDO_ASYNC_STREAM_EXTERN(name) EDO_ASYNC_STREAM_(extern, name)

#define EDO_ASYNC_STREAM_(linkage, name)                                                        \
    static struct edo_step_ name##_body_(struct name *const self, struct edo_context *const cx, \
                                         const char *const edo_name_);                          \
    linkage enum edo_poll name##_poll(struct edo_future *future, struct edo_context *cx);       \
    enum edo_poll name##_poll(struct edo_future *future, struct edo_context *cx)                \
    {                                                                                           \
        struct name *self = (struct name *)future;                                              \
        return edo_stream_yielded_(&self->stream_, name##_body_(self, cx, #name).poll);         \
    }                                                                                           \
    static struct edo_step_ name##_body_(struct name *const self, struct edo_context *const cx, \
                                         const char *const edo_name_)

/* YIELD(value); gives an item, and goes on from here when the next one is asked for. In the body of a
 * generator, at most one on a line; not in FINALLY. */
#define EDO_YIELD(...)                                             \
    do {                                                           \
        EDO_ITEM(self) = (__VA_ARGS__);                            \
        self->stream_.output = EDO_STREAM_ITEM;                    \
        self->future_.state = __LINE__;                            \
        return edo_ready_;                                         \
    case EDO_RESUME_(__LINE__):                                    \
        if (cx->walk != EDO_WALK_POLL) {                           \
            if (edo_walk_idle_(cx, edo_name_, __FILE__, __LINE__)) \
                EDO_LEAVE_;                                        \
            return edo_pending_;                                   \
        }                                                          \
    } while (0)

/* FOR_AWAIT(item, stream) statement: for each item of a stream, which is copied to `item`, an lvalue of
 * the frame. `stream` is looked at each time round: a reference in the frame, not a call that makes one.
 * `break` and `continue` are a loop's. It ends with the stream, or at an error, which is then
 * edo_stream_error(stream). The statement may await. Dropped while it waits, the stream is dropped;
 * dropped elsewhere it is not, hence DROP_STREAM in FINALLY. */
#define EDO_FOR_AWAIT(item, stream)                                                     \
    for (; (edo_went_ = edo_for_await_(EDO_HANDLE_(edo_stream, stream),                 \
                                       EDO_VALUE_(edo_stream, stream, &(item)), cx)) != \
           EDO_NEXT_STOP_;)                                                             \
        if (edo_went_ != EDO_NEXT_GO_) {                                                \
            EDO_FOR_AWAIT_SUSPEND_(stream);                                             \
        } else

/* TRY_FOR_AWAIT(item, stream) statement: the same, but that an error becomes this future's own output,
 * which ends, as with TRY_AWAIT. After the loop there was none. */
#define EDO_TRY_FOR_AWAIT(item, stream)                                                 \
    for (; (edo_went_ = edo_for_await_(EDO_HANDLE_(edo_stream, stream),                 \
                                       EDO_VALUE_(edo_stream, stream, &(item)), cx)) != \
               EDO_NEXT_STOP_ ||                                                        \
           edo_stream_error(stream) < 0;)                                               \
        if (edo_went_ == EDO_NEXT_STOP_) {                                              \
            self->output = (__typeof__(self->output))edo_stream_error(stream);          \
            EDO_LEAVE_;                                                                 \
        } else if (edo_went_ != EDO_NEXT_GO_) {                                         \
            EDO_FOR_AWAIT_SUSPEND_(stream);                                             \
        } else

/* The error with which a stream ended, or which it gave last; otherwise 0. */
#define edo_stream_error(stream) edo_stream_error_(EDO_HANDLE_(edo_stream, stream))

/* edo_next(stream, &item): a future of the next item. Output 1: it is in item; 0: the stream has ended;
 * or an error. It is what others call try_next as well:
 *
 *     TRY_AWAIT(self->next, edo_next(self->stream, &self->n));          an error is this future's own
 *     if (self->next.output == 0)
 *         …                                                             the end
 *
 * In a SELECT, WHEN_MATCH(self->next.output > 0, self->next, edo_next(…)) is a branch that is off at the
 * end. Cancel safe: dropped, it has taken no item, and the stream goes on. */
struct edo_next {
    EDO_FUTURE(int);
    struct edo_stream *stream;
    void *item;
};
#define edo_next(stream, item) \
    edo_next_future_(EDO_HANDLE_(edo_stream, stream), EDO_VALUE_(edo_stream, stream, item))

/* What is known of how many are still to come. */
#define edo_stream_size_hint(stream) edo_stream_size_hint_(EDO_HANDLE_(edo_stream, stream))

/* DROP_STREAM(stream); drops a stream and all that it has taken in, unless it has ended; NULL is fine.
 * Also in FINALLY. */
#define EDO_DROP_STREAM(stream) edo_stream_drop_(EDO_HANDLE_(edo_stream, stream), cx)

/* Behind the macros. */
EDO_ASYNC_DECLARE(edo_next);
void edo_stream_drop_(struct edo_stream *stream, struct edo_context *cx);
struct edo_size_hint edo_stream_size_hint_(const struct edo_stream *stream);

static inline struct edo_next edo_next_future_(struct edo_stream *stream, void *item)
{
    return EDO_NEW_RETURNED(edo_next, .stream = stream, .item = item);
}

static inline int edo_stream_error_(const struct edo_stream *stream)
{
    return stream->output < 0 ? stream->output : 0;
}

/* A body that is over gives no item. */
static inline enum edo_poll edo_stream_yielded_(struct edo_stream *stream, enum edo_poll poll)
{
    if (edo_future_done(&stream->future_) && stream->output > 0)
        stream->output = EDO_STREAM_END;
    return poll;
}

static inline enum edo_next_ edo_for_await_(struct edo_stream *stream, void *item,
                                            struct edo_context *cx)
{
    int output = edo_stream_poll(stream, cx, item);
    return output == EDO_STREAM_ITEM      ? EDO_NEXT_GO_
           : output == EDO_STREAM_PENDING ? EDO_NEXT_SUSPEND_
                                          : EDO_NEXT_STOP_;
}

/* Where a loop waits: only when it does, it writes down where, and only when it goes on, it looks why. */
#define EDO_FOR_AWAIT_SUSPEND_(stream)                                                    \
    EDO_CHECK_PLACE_(EDO_HANDLE_(edo_stream, stream))                                     \
    self->future_.state = __LINE__;                                                       \
    return edo_pending_;                                                                  \
    case EDO_RESUME_(__LINE__):                                                           \
        if (__builtin_expect(cx->walk != EDO_WALK_POLL, 0)) {                             \
            if (edo_await_walk_(&EDO_HANDLE_(edo_stream, stream)->future_, cx, edo_name_, \
                                __FILE__, __LINE__) == EDO_NEXT_LEAVE_)                   \
                EDO_LEAVE_;                                                               \
            return edo_pending_;                                                          \
        }

#ifndef EDO_NO_SHORT_NAMES
#define STREAM              EDO_STREAM
#define STREAM_REF          EDO_STREAM_REF
#define ASYNC_STREAM        EDO_ASYNC_STREAM
#define ASYNC_STREAM_EXTERN EDO_ASYNC_STREAM_EXTERN
#define YIELD               EDO_YIELD
#define FOR_AWAIT           EDO_FOR_AWAIT
#define TRY_FOR_AWAIT       EDO_TRY_FOR_AWAIT
#define DROP_STREAM         EDO_DROP_STREAM
#endif

#ifdef __cplusplus
}
#endif

#endif
