/* SPDX-License-Identifier: MIT */
/* Handles typed by what they carry. Not for use by hand.
 *
 * A handle of a kind (`struct edo_mpsc_sender`, never defined) for a type T is a pointer to a function
 * that takes the kind and returns T. It is never called; it cannot be assigned to the handle of
 * another type or kind, and T can be had from it again. T is anything that a function returns: not an
 * array. */
#ifndef EDO_INTERNAL_TYPED_H
#define EDO_INTERNAL_TYPED_H

#include <stddef.h>

/* The handle's type. */
#define EDO_TYPED_(kind, ...) __typeof__(__typeof__(__VA_ARGS__)(*)(struct kind *))

/* What it carries. */
#define EDO_CARRIED_(kind, handle) __typeof__((handle)(NULL))

/* An expression of no effect; does not compile unless the condition holds. */
#define EDO_DEMAND_(condition, message)       \
    ((void)__extension__({                    \
        _Static_assert((condition), message); \
        0;                                    \
    }))

/* What a channel can keep: its room is aligned as malloc's is. */
#define EDO_DEMAND_ALIGNED_(...)                                            \
    EDO_DEMAND_(_Alignof(__typeof__(__VA_ARGS__)) <= _Alignof(max_align_t), \
                "aligned more strictly than any basic type: send a pointer to it")

/* The handle as a pointer to its kind, which it must be of. */
#define EDO_HANDLE_(kind, handle)                                                            \
    (EDO_DEMAND_(__builtin_types_compatible_p(__typeof__(handle),                            \
                                              EDO_TYPED_(kind, EDO_CARRIED_(kind, handle))), \
                 "not a handle of the kind that this function takes"),                       \
     (struct kind *)(void *)(handle))

/* A pointer to what the handle carries, which `value` must be. */
#define EDO_VALUE_(kind, handle, value)                                                          \
    (EDO_DEMAND_(__builtin_types_compatible_p(__typeof__(*(value)), EDO_CARRIED_(kind, handle)), \
                 "the value's type is not what the handle carries"),                             \
     (value))

/* A function of the user's, which must be of that type, to be cast to another; `whose` it has to go with. */
#define EDO_FUNCTION_OF_(whose, function, ...)                                       \
    (EDO_DEMAND_(__builtin_types_compatible_p(__typeof__(*(function)), __VA_ARGS__), \
                 "the function's type does not go with the " whose),                 \
     (void (*)(void))(function))

/* A value of the handle's type from a pointer to its kind. */
#define EDO_MAKE_(kind, pointer, ...) ((EDO_TYPED_(kind, __VA_ARGS__))(void *)(pointer))

#endif
