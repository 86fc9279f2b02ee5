/* SPDX-License-Identifier: MIT */
/* One future, then another that is made of its output.
 *
 *     static void ask(void *conn, int *connected, struct request *next)
 *     {
 *         *next = NEW(request, .conn = conn);
 *     }
 *     …
 *     self->connect = NEW(connect, .conn = conn);
 *     AWAIT(self->then, edo_and_then(&self->connect, &self->request, ask, conn));
 *     if (self->then.output < 0) …                  of either; otherwise self->request.output
 *
 * In a body the same is an await after an await; these are for where a future is wanted: a branch of JOIN
 * or SELECT, the child of another combinator. Both futures are places of the same frame, and their
 * outputs stay in them. The function is a void (void *, T *, N *), of the first one's output and of the
 * second itself, which it makes, and which is polled at once. The first one that is done already is not
 * polled. Nothing is allocated. Any executor. Dropping it drops the one of the two that is under way; it
 * is as cancel safe as that. */
#ifndef EDO_COMBINATORS_THEN_H
#define EDO_COMBINATORS_THEN_H

#include "child.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What they have in common. */
struct edo_then_ {
    struct edo_future *child, *next;
    void (*function)(void);
    void *arg;
    struct edo_output_ of_child;
};

/* edo_then(&self->child, &self->next, function, arg): when the child is ready, function(arg,
 * &child->output, &next), and then what it made. Ready when that is. */
struct edo_then {
    EDO_FUTURE(void);
    struct edo_then_ then;
};
#define edo_then(child, next, function, arg) \
    edo_then_future_(EDO_THEN_(child, next, function, arg, EDO_OUTPUT_OF_CHILD_(child)))

/* edo_and_then(&self->child, &self->next, function, arg): the same when the child's output is not
 * negative; the output is then that of the next one. A negative one is this future's own, and no next one
 * is made. The outputs of both are signed integers. */
struct edo_and_then {
    EDO_FUTURE(ssize_t);
    struct edo_then_ then;
    struct edo_output_ of_next;
};
#define edo_and_then(child, next, function, arg)                                              \
    edo_and_then_future_(EDO_THEN_(child, next, function, arg, EDO_INTEGER_OF_CHILD_(child)), \
                         EDO_INTEGER_OF_CHILD_(next))

/* edo_or_else(&self->child, &self->next, function, arg): the other way round: it is a negative output of
 * the child's of which a next one is made; another is this future's own. */
struct edo_or_else {
    EDO_FUTURE(ssize_t);
    struct edo_then_ then;
    struct edo_output_ of_next;
};
#define edo_or_else(child, next, function, arg)                                              \
    edo_or_else_future_(EDO_THEN_(child, next, function, arg, EDO_INTEGER_OF_CHILD_(child)), \
                        EDO_INTEGER_OF_CHILD_(next))

/* Behind the macros. */
#define EDO_THEN_(child_, next_, function_, arg_, output_)                                   \
    ((struct edo_then_){                                                                     \
        .child = &(child_)->future_,                                                         \
        .next = &(next_)->future_,                                                           \
        .function = EDO_CHILD_FUNCTION_(                                                     \
            function_, void(void *, EDO_OUTPUT_TYPE_OF_(child_) *, __typeof__(*(next_)) *)), \
        .arg = (arg_),                                                                       \
        .of_child = (output_),                                                               \
    })
struct edo_then edo_then_future_(struct edo_then_ then);
struct edo_and_then edo_and_then_future_(struct edo_then_ then, struct edo_output_ of_next);
struct edo_or_else edo_or_else_future_(struct edo_then_ then, struct edo_output_ of_next);

#ifdef __cplusplus
}
#endif

#endif
