/* SPDX-License-Identifier: MIT */
/* Task-locals: values that a future and all it awaits can see, without being handed down.
 *
 *     TASK_LOCAL(int, request_id);                 at file level
 *
 *     self->child = NEW(handle, .conn = conn);
 *     AWAIT(self->scope, TASK_SCOPE(request_id, 42, &self->child));
 *     … self->child.output …
 *
 *     int *id = request_id_get(cx);                anywhere below; NULL outside of a scope
 *
 * The value lives in the scope, which is a future in the frame of whoever opens it. It is there
 * while the child is polled, and while it is dropped: FINALLY sees it. Scopes nest, and the inner one
 * shadows; each task has its own. Nothing is allocated.
 */
#ifndef EDO_COMBINATORS_TASK_LOCAL_H
#define EDO_COMBINATORS_TASK_LOCAL_H

#include "child.h"

/* What all scopes have. Not used by hand. */
struct edo_scope_ {
    struct edo_local local;
    struct edo_future *child;
};

/* Polls, drops or traces the child with the scope's value in the context. */
static inline enum edo_poll edo_scope_walk_(struct edo_scope_ *scope, void *value,
                                            struct edo_context *cx, const char *name)
{
    const struct edo_local *outer = cx->locals;
    scope->local.outer = outer;
    scope->local.value = value;
    cx->locals = &scope->local;
    enum edo_poll poll = cx->walk == EDO_WALK_POLL ? edo_child_poll_(scope->child, cx)
                                                   : edo_child_walk_(scope->child, cx, name);
    cx->locals = outer;
    return poll;
}

/* The innermost value under this key, or NULL. */
static inline void *edo_local_find_(const struct edo_context *cx, const void *key)
{
    const struct edo_local *local = cx->locals;
    while (local != NULL && local->key != key)
        local = local->outer;
    return local == NULL ? NULL : local->value;
}

/* TASK_LOCAL(type, name); makes, for this file:
 *     struct name_scope                          a future without an output: a scope
 *     type *name_get(cx)                         the value, to be read or changed; NULL when there is
 *                                                none
 * TASK_LOCAL_DECLARE(type, name); in a header and TASK_LOCAL_DEFINE(name); in one file share one
 * between files. */
#define EDO_TASK_LOCAL(type, name)     \
    static const char name##_key_ = 0; \
    EDO_TASK_LOCAL_CALLS_(type, name)

#define EDO_TASK_LOCAL_DECLARE(type, name) \
    extern const char name##_key_;         \
    EDO_TASK_LOCAL_CALLS_(type, name)

#define EDO_TASK_LOCAL_DEFINE(name) const char name##_key_ = 0

/* TASK_SCOPE(name, value, &self->child): a `struct name_scope` that polls a future of the same frame,
 * whose output stays in it, with the value set. One that is done already is not polled. Cancel safety: the
 * child's; dropping it drops the child. */
#define EDO_TASK_SCOPE(name, value, child) name##_scope((value), &(child)->future_)

#define EDO_TASK_LOCAL_CALLS_(type, name)                                                   \
    struct name##_scope {                                                                   \
        EDO_FUTURE(void);                                                                   \
        struct edo_scope_ scope_;                                                           \
        __typeof__(type) value;                                                             \
    };                                                                                      \
    __attribute__((unused)) static inline enum edo_poll name##_scope_poll(                  \
        struct edo_future *future, struct edo_context *cx)                                  \
    {                                                                                       \
        struct name##_scope *self = (struct name##_scope *)future;                          \
        return edo_scope_walk_(&self->scope_, &self->value, cx, #name "_scope");            \
    }                                                                                       \
    __attribute__((unused)) static inline struct name##_scope name##_scope(                 \
        __typeof__(type) value, struct edo_future *child)                                   \
    {                                                                                       \
        return EDO_NEW_RETURNED(name##_scope,                                               \
                                .scope_ = {.local = {.key = &name##_key_}, .child = child}, \
                                .value = value);                                            \
    }                                                                                       \
    __attribute__((unused)) static inline __typeof__(type) *name##_get(                     \
        const struct edo_context *cx)                                                       \
    {                                                                                       \
        return (__typeof__(type) *)edo_local_find_(cx, &name##_key_);                       \
    }                                                                                       \
    typedef int name##_task_local_

#ifndef EDO_NO_SHORT_NAMES
#define TASK_LOCAL         EDO_TASK_LOCAL
#define TASK_LOCAL_DECLARE EDO_TASK_LOCAL_DECLARE
#define TASK_LOCAL_DEFINE  EDO_TASK_LOCAL_DEFINE
#define TASK_SCOPE         EDO_TASK_SCOPE
#endif

#endif
