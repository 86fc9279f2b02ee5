/* SPDX-License-Identifier: MIT */
/* What is made of a future's output.
 *
 *     static void parse(void *buf, ssize_t *length, struct command *command)
 *     …
 *     self->read = edo_read(conn, self->buf, sizeof self->buf);
 *     AWAIT(self->map, edo_map(&self->read, &self->command, parse, self->buf));
 *
 * In a body the same is a statement after the await; these are for where a future is wanted: a branch of
 * JOIN or SELECT, the child of another combinator. Each polls a future of the same frame, whose output
 * stays in it; one that is done already is not polled. Nothing is allocated. Any executor. Dropping it
 * drops the child; it is as cancel safe as that, for the function is called when the child is ready, in
 * the same poll. */
#ifndef EDO_COMBINATORS_MAP_H
#define EDO_COMBINATORS_MAP_H

#include "child.h"

#ifdef __cplusplus
extern "C" {
#endif

/* edo_map(&self->child, &self->out, function, arg): when the child is ready, function(arg,
 * &child->output, &out), once. The function is a void (void *, T *, U *), of the child's output and
 * of `out`, which is a place of the same frame. What the output owns is then the function's. */
struct edo_map {
    EDO_FUTURE(void);
    struct edo_output_ of_child;
    struct edo_future *child;
    void *out;
    void (*function)(void);
    void *arg;
};
#define edo_map(child, out, function, arg)                                                    \
    edo_map_(&(child)->future_, EDO_OUTPUT_OF_CHILD_(child), (out),                           \
             EDO_CHILD_FUNCTION_(                                                             \
                 function, void(void *, EDO_OUTPUT_TYPE_OF_(child) *, __typeof__(*(out)) *)), \
             (arg))

/* edo_inspect(&self->child, function, arg): when the child is ready, function(arg, &child->output),
 * once; the function is a void (void *, const T *). */
struct edo_inspect {
    EDO_FUTURE(void);
    struct edo_output_ of_child;
    struct edo_future *child;
    void (*function)(void);
    void *arg;
};
#define edo_inspect(child, function, arg)                                                         \
    edo_inspect_(&(child)->future_, EDO_OUTPUT_OF_CHILD_(child),                                  \
                 EDO_CHILD_FUNCTION_(function, void(void *, const EDO_OUTPUT_TYPE_OF_(child) *)), \
                 (arg))

/* Behind the macros. */
struct edo_map edo_map_(struct edo_future *child, struct edo_output_ output, void *out,
                        void (*function)(void), void *arg);
struct edo_inspect edo_inspect_(struct edo_future *child, struct edo_output_ output,
                                void (*function)(void), void *arg);

#ifdef __cplusplus
}
#endif

#endif
