/* SPDX-License-Identifier: MIT */
/* What the combinators share. Not for use by hand.
 *
 * A combinator polls futures of the frame that it lies in, and knows their types only in the macro that
 * makes it, which checks the types of what it is given and casts them away. */
#ifndef EDO_COMBINATORS_CHILD_H
#define EDO_COMBINATORS_CHILD_H

#include <string.h>
#include <sys/types.h>

#include "../future.h"
#include "../internal/typed.h"

/* A function of the user's. */
#define EDO_CHILD_FUNCTION_(function, ...) EDO_FUNCTION_OF_("futures", function, __VA_ARGS__)

/* A future's output, seen from one that does not know its type. */
struct edo_output_ {
    uint32_t offset, size;
};
#define EDO_OUTPUT_TYPE_OF_(child) __typeof__((child)->output)
#define EDO_OUTPUT_OF_CHILD_(child) \
    ((struct edo_output_){offsetof(__typeof__(*(child)), output), sizeof((child)->output)})

/* The same of one that must be a signed integer. */
#define EDO_INTEGER_OF_CHILD_(child)                                                          \
    (EDO_DEMAND_(_Generic((child)->output, int : 1, long : 1, long long : 1, default : 0),    \
                 "the output of a future that may fail is an int, a ssize_t or a long long"), \
     EDO_OUTPUT_OF_CHILD_(child))

static inline void *edo_output_at_(struct edo_future *future, struct edo_output_ output)
{
    return (char *)future + output.offset;
}

static inline ssize_t edo_output_integer_(struct edo_future *future, struct edo_output_ output)
{
    const void *at = edo_output_at_(future, output);
    if (output.size == sizeof(int))
        return *(const int *)at;
    ssize_t wide; /* copied: it may be a long long, which is another type */
    memcpy(&wide, at, sizeof wide);
    return wide;
}

/* Polls it, unless its output is there already. */
static inline enum edo_poll edo_child_poll_(struct edo_future *child, struct edo_context *cx)
{
    return edo_future_done(child) ? EDO_READY : edo_future_poll(child, cx);
}

/* The drop and trace walks of a combinator that polls this child. */
static inline enum edo_poll edo_child_walk_(struct edo_future *child, struct edo_context *cx,
                                            const char *name)
{
    if (cx->walk == EDO_WALK_DROP) {
        edo_future_drop(child, cx);
        return EDO_READY;
    }
    edo_trace(cx, name, NULL, 0);
    cx->depth++;
    edo_future_trace(child, cx);
    cx->depth--;
    return EDO_PENDING;
}

#endif
