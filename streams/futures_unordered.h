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

struct edo_inbox_node;
struct edo_members_;

struct edo_futures_unordered {
    struct edo_stream stream_;
    struct edo_members_ *shared; /* with the members' wakers */
    struct edo_list members;     /* in the order of pushing */
    size_t length;
    struct edo_inbox_node *first, *last; /* members to be polled */
    bool ordered;
};

/* A set of futures of that type. What their outputs own, when they are dropped before they were taken, is
 * freed by `set.set.stream_.drop`, if it is set before the first reference. */
#define EDO_FUTURES_UNORDERED(...) EDO_FUTURES_SET_(unordered_, __VA_ARGS__)
#define EDO_FUTURES_ORDERED(...)   EDO_FUTURES_SET_(ordered_, __VA_ARGS__)

/* edo_futures_unordered_push(&set, future): adds a future, which is made only when there is memory for
 * it. It is polled when the set is next; who awaits the set at this moment, in another branch of a
 * SELECT, has to be woken otherwise. 0, or UV_ENOMEM. */
#define edo_futures_unordered_push(set_, ...) \
    EDO_FUTURES_PUSH_(set_, unordered_, false, __VA_ARGS__)
#define edo_futures_ordered_push(set_, ...) EDO_FUTURES_PUSH_(set_, ordered_, true, __VA_ARGS__)

/* edo_futures_unordered(&set): the stream of outputs. */
#define edo_futures_unordered(set_) EDO_FUTURES_STREAM_(set_, unordered_, false)
#define edo_futures_ordered(set_)   EDO_FUTURES_STREAM_(set_, ordered_, true)

/* How many are under way; those that are done, and whose output was not taken yet, among them. */
#define edo_futures_unordered_len(set_) ((set_)->set.length)
#define edo_futures_ordered_len(set_)   ((set_)->set.length)

/* Behind the macros. */
#define EDO_FUTURES_SET_(kind, ...)              \
    struct {                                     \
        struct edo_futures_unordered set;        \
        __typeof__(__VA_ARGS__) *type_[0];       \
        char kind[0]; /* a set is of one kind */ \
    }
#define EDO_MEMBER_OF_(set_) __typeof__(*(set_)->type_[0])
#define EDO_FUTURES_PUSH_(set_, kind, is_ordered, ...)                                           \
    __extension__({                                                                              \
        __auto_type edo_set_ = (set_);                                                           \
        _Static_assert(_Alignof(EDO_MEMBER_OF_(edo_set_)) <= 16, "aligned to 16 bytes at most"); \
        _Static_assert(sizeof edo_set_->kind == 0, "");                                          \
        EDO_MEMBER_OF_(edo_set_) *edo_member_ = (EDO_MEMBER_OF_(edo_set_) *)edo_member_alloc_(   \
            &edo_set_->set, (is_ordered), sizeof(EDO_MEMBER_OF_(edo_set_)));                     \
        if (edo_member_ != NULL) {                                                               \
            *edo_member_ = (__VA_ARGS__);                                                        \
            edo_member_add_(&edo_set_->set, edo_member_, &edo_member_->output,                   \
                            sizeof edo_member_->output);                                         \
        }                                                                                        \
        edo_member_ != NULL ? 0 : -ENOMEM;                                                       \
    })
#define EDO_FUTURES_STREAM_(set_, kind, is_ordered)                                              \
    EDO_STREAM_MADE_(edo_futures_stream_(&(set_)->set, sizeof(set_)->kind == 0 && (is_ordered)), \
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
