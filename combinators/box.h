/* SPDX-License-Identifier: MIT */
/* Boxes: futures on the heap, of which only the output's type is known.
 *
 *     struct tree_sum {
 *         FUTURE(int);
 *         const struct tree *tree;
 *         BOXED(int) child;                            whatever resolves to an int; another tree_sum, too
 *     };
 *
 *     if (edo_box(&self->child, NEW(tree_sum, .tree = left)) < 0)
 *         RETURN(UV_ENOMEM);
 *     AWAIT_REF(self->child);
 *     … self->child.output …
 *
 * So a future may await one of its own kind, which it cannot contain; a function may return one of several
 * kinds; a rare and large one does not make each frame larger. What is known when compiling, and small
 * enough, lies in the frame, without a box.
 *
 * The box frees the future when that is ready, having copied its output, and when the box is dropped. Any
 * executor. */
#ifndef EDO_COMBINATORS_BOX_H
#define EDO_COMBINATORS_BOX_H

#include "../error.h"
#include "../future.h"
#include "../internal/typed.h"

#ifdef __cplusplus
extern "C" {
#endif

/* BOXED(type) place; a box of a future with an output of that type, or void; a future itself. It is a
 * struct of which no two are of one type: one that is passed about is given a name by a typedef. It may be
 * moved until it is first polled, as any future. */
#define EDO_BOXED(...)                   \
    struct {                             \
        struct edo_future future_;       \
        struct edo_boxed_ boxed_;        \
        EDO_OUTPUT_(__VA_ARGS__) output; \
    }

/* edo_box(&place, future): moves the future to the heap, and makes a box of it in place, over what is
 * there. 0; UV_ENOMEM: the future was not made, its arguments were not evaluated, the place is as it
 * was.
 * A box that was made is owned, polled or not: it completes, or is dropped, with DROP when it is not being
 * awaited. Dropping it drops the future; it is as cancel safe as that. */
#define edo_box(place, ...)                                                                   \
    __extension__({                                                                           \
        typedef __typeof__((__VA_ARGS__)) edo_frame_;                                         \
        typedef __typeof__(*(place)) edo_box_;                                                \
        _Static_assert(_Alignof(edo_frame_) <= 16, "a frame is aligned to 16 bytes at most"); \
        _Static_assert(__builtin_types_compatible_p(__typeof__(((edo_frame_ *)0)->output),    \
                                                    __typeof__(((edo_box_ *)0)->output)),     \
                       "the future's output is not what the box is of");                      \
        uint8_t edo_block_;                                                                   \
        edo_frame_ *edo_at_ = (edo_frame_ *)edo_box_alloc_(sizeof(edo_frame_), &edo_block_);  \
        if (edo_at_ != NULL) {                                                                \
            *edo_at_ = (__VA_ARGS__);                                                         \
            *(place) = (edo_box_){                                                            \
                .future_ = {.poll = edo_boxed_poll},                                          \
                .boxed_ = {.inner = &edo_at_->future_,                                        \
                           .size = sizeof(edo_at_->output),                                   \
                           .from = offsetof(edo_frame_, output),                              \
                           .to = offsetof(edo_box_, output),                                  \
                           .block = edo_block_},                                              \
            };                                                                                \
        }                                                                                     \
        edo_at_ != NULL ? 0 : -ENOMEM;                                                        \
    })

/* Behind the macros. */
struct edo_boxed_ {
    struct edo_future *inner;
    uint32_t size; /* of the output, which is so far into the future, and into the box */
    uint16_t from;
    uint8_t to;
    uint8_t block; /* the size of its memory: internal/blocks.h */
};
EDO_ASYNC_DECLARE(edo_boxed);
void *edo_box_alloc_(size_t size, uint8_t *block);

#ifndef EDO_NO_SHORT_NAMES
#define BOXED EDO_BOXED
#endif

#ifdef __cplusplus
}
#endif

#endif
