/* SPDX-License-Identifier: MIT */
/* A set of futures that are polled together, as many as there come to be: a stream of their outputs.
 *
 *     FUTURES_UNORDERED(struct fetch) set;                      in the frame; zero is empty
 *
 *     error = edo_futures_unordered_push(&self->set, NEW(fetch, .url = url));    0, or UV_ENOMEM
 *     …
 *     self->stream = edo_futures_unordered(&self->set);
 *     FOR_AWAIT(self->length, self->stream)                     outputs, in the order of their ends
 *         self->sum += self->length;
 *     …
 *     ASYNC_FINALLY:
 *     DROP_STREAM(self->stream);                                those that are under way
 *
 * Only members that were woken are polled, each once at most by each poll of the set: a wake costs the
 * same among ten and among a hundred thousand. They run in the task that polls the set, by turns, and
 * are dropped with it. A member is one allocation, freed when it is done. An empty set is at its end, and
 * goes on when another is pushed. The first reference, or push, puts the set where it stays.
 *
 * FUTURES_ORDERED, edo_futures_ordered: the same, with the outputs in the order of pushing.
 *
 * All of it belongs to one task at a time. Cancel safe: a `next` that is dropped has taken no output, and
 * the members go on when the set is polled again.
 */
#ifndef EDO_STREAMS_FUTURES_UNORDERED_H
#define EDO_STREAMS_FUTURES_UNORDERED_H

#include "../error.h"
#include "../internal/list.h"
#include "adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_member_;
struct edo_members_;

struct edo_futures_unordered {
    struct edo_stream stream_;
    struct edo_members_ *shared; /* with the members' wakers */
    struct edo_list members;     /* in the order of pushing */
    size_t length;
    struct edo_member_ *first, **last; /* to be polled */
    bool ordered;
};

/* A set of futures of that type. */
#define EDO_FUTURES_UNORDERED(...)         \
    struct {                               \
        struct edo_futures_unordered set;  \
        __typeof__(__VA_ARGS__) *type_[0]; \
    }
#define EDO_FUTURES_ORDERED(...) EDO_FUTURES_UNORDERED(__VA_ARGS__)

/* edo_futures_unordered_push(&set, future): adds a future, which is made only when there is memory for
 * it. It is polled when the set is next; who awaits the set at this moment, in another branch of a
 * SELECT, has to be woken otherwise. 0, or UV_ENOMEM. */
#define edo_futures_unordered_push(set_, ...) EDO_FUTURES_PUSH_(set_, false, __VA_ARGS__)
#define edo_futures_ordered_push(set_, ...)   EDO_FUTURES_PUSH_(set_, true, __VA_ARGS__)

/* edo_futures_unordered(&set): the stream of outputs. What they own may be freed by a drop hook, which is
 * set in set.set.stream_.drop after this; an ordered set that is dropped calls it for those that have
 * waited for their turn. */
#define edo_futures_unordered(set_) EDO_FUTURES_STREAM_(set_, false)
#define edo_futures_ordered(set_)   EDO_FUTURES_STREAM_(set_, true)

/* How many are under way; those that are done, and whose output was not taken yet, among them. */
#define edo_futures_unordered_len(set_) ((set_)->set.length)
#define edo_futures_ordered_len(set_)   ((set_)->set.length)

/* Behind the macros. */
#define EDO_MEMBER_OF_(set_) __typeof__(*(set_)->type_[0])
#define EDO_FUTURES_PUSH_(set_, ordered_, ...)                                               \
    __extension__({                                                                          \
        _Static_assert(_Alignof(EDO_MEMBER_OF_(set_)) <= 16, "aligned to 16 bytes at most"); \
        EDO_MEMBER_OF_(set_) *edo_member_ = (EDO_MEMBER_OF_(set_) *)edo_member_alloc_(       \
            &(set_)->set, (ordered_), sizeof(EDO_MEMBER_OF_(set_)));                         \
        if (edo_member_ != NULL) {                                                           \
            *edo_member_ = (__VA_ARGS__);                                                    \
            edo_member_add_(&(set_)->set, edo_member_, &edo_member_->output,                 \
                            sizeof edo_member_->output);                                     \
        }                                                                                    \
        edo_member_ != NULL ? 0 : -ENOMEM;                                                   \
    })
#define EDO_FUTURES_STREAM_(set_, ordered_)                         \
    EDO_STREAM_MADE_(edo_futures_stream_(&(set_)->set, (ordered_)), \
                     __typeof__(((EDO_MEMBER_OF_(set_) *)NULL)->output))
void *edo_member_alloc_(struct edo_futures_unordered *set, bool ordered, size_t size);
void edo_member_free_(void *frame); /* one that was not added; or NULL */
void edo_member_add_(struct edo_futures_unordered *set, void *frame, const void *output,
                     size_t output_size);
struct edo_stream *edo_futures_stream_(struct edo_futures_unordered *set, bool ordered);

#ifndef EDO_NO_SHORT_NAMES
#define FUTURES_UNORDERED EDO_FUTURES_UNORDERED
#define FUTURES_ORDERED   EDO_FUTURES_ORDERED
#endif

#ifdef __cplusplus
}
#endif

#endif
