/* SPDX-License-Identifier: MIT */
/* One future that several await, in one task or in many.
 *
 *     typedef SHARED(struct config) shared_config;
 *
 *     if (edo_shared(&self->config, NEW(load_config)) < 0)       resolves to a struct config
 *         RETURN(UV_ENOMEM);
 *     handle = SPAWN(NEW(worker, .config = edo_shared_clone(&self->config)));
 *     AWAIT_REF(self->config);
 *     … self->config.output->workers …
 *     ASYNC_FINALLY:
 *     DROP_SHARED(self->config);                                 the worker's has this, too
 *
 * The future lies on the heap, with a count of its clones. Each clone is a future, whose output is a
 * pointer to the common output. A wake of the inner future wakes all clones that wait, and the first of
 * them that is polled drives it. So none depends on another's going on: one may be dropped, or not be polled
 * any more, whatever it did before.
 *
 * The inner future sees the task-locals, and spends the budget, of whoever drives it. When its clones are
 * in several threads, it is polled by them in turn, and dropped by the last: then it may await only what
 * all of them may poll: channels/, sync/, other tasks; timers and sockets where they are in tasks of one multi-thread
 * runtime. It must not await a clone of itself. */
#ifndef EDO_COMBINATORS_SHARED_H
#define EDO_COMBINATORS_SHARED_H

#include "../error.h"
#include "../future.h"
#include "../internal/row.h"
#include "child.h"

#ifdef __cplusplus
extern "C" {
#endif

/* SHARED(type) place; a clone: a future whose output is a `const type *`. It is a struct of which no two
 * are of one type: one that is passed about is given a name by a typedef. It may be moved until it is
 * first polled, as any future.
 * Cancel safety: dropped, it loses nothing, as long as there are others. When the inner future panics, so
 * does the clone that drives it; the others do, with the same message, when they are polled. */
#define EDO_SHARED(...)                                      \
    struct {                                                 \
        struct edo_future future_;                           \
        __typeof__(const EDO_OUTPUT_(__VA_ARGS__) *) output; \
        struct edo_shared_ shared_;                          \
    }

/* edo_shared(&place, future): moves the future to the heap, and makes its first clone in place, over what
 * is there. 0; UV_ENOMEM: the future was not made, its arguments were not evaluated, the place is as it
 * was. */
#define edo_shared(place, ...)                                                                     \
    __extension__({                                                                                \
        typedef __typeof__((__VA_ARGS__)) edo_frame_;                                              \
        typedef __typeof__(*(place)) edo_clone_;                                                   \
        _Static_assert(_Alignof(edo_frame_) <= 16, "a frame is aligned to 16 bytes at most");      \
        _Static_assert(__builtin_types_compatible_p(const __typeof__(((edo_frame_ *)0)->output) *, \
                                                    __typeof__(((edo_clone_ *)0)->output)),        \
                       "the future's output is not what is shared");                               \
        struct edo_shared_core_ *edo_core_ = edo_shared_new_(                                      \
            sizeof(edo_frame_), (struct edo_output_){offsetof(edo_frame_, output), 0});            \
        if (edo_core_ != NULL) {                                                                   \
            *(edo_frame_ *)edo_shared_inner_(edo_core_) = (__VA_ARGS__);                           \
            *(place) = (edo_clone_){.future_ = {.poll = edo_shared_poll},                          \
                                    .shared_ = {.core = edo_core_}};                               \
        }                                                                                          \
        edo_core_ != NULL ? 0 : -ENOMEM;                                                           \
    })

/* edo_shared_clone(&self->shared): another clone, not polled yet; an expression of the same type. From one that
 * was not dropped; that may be done. Each clone is owned: it is dropped once, polled or not. DROP alone, and
 * what drops its futures for you, give back one that is not done: so a clone is not spawned, boxed or shared as
 * it is, but in the frame of a future that has DROP_SHARED in FINALLY. */
#define edo_shared_clone(shared)                                   \
    ((__typeof__(*(shared))){.future_ = {.poll = edo_shared_poll}, \
                             .shared_ = {.core = edo_shared_ref_(&(shared)->shared_)}})

/* DROP_SHARED(place); gives a clone back, done or not; nothing for one that is zero, or was dropped. Also in
 * FINALLY. The output is good until then. The last one drops the inner future, if that is not done. Outside
 * of a body: edo_shared_drop(&place, cx). */
#define EDO_DROP_SHARED(place)      edo_shared_drop(&(place), cx)
#define edo_shared_drop(shared, cx) edo_shared_drop_(&(shared)->future_, &(shared)->shared_, (cx))

/* edo_shared_on_drop(&self->shared, function): a void (T *) that frees what the output owns; called with it
 * when the last clone is dropped, on that thread. Set it before there are others. */
#define edo_shared_on_drop(shared, function) \
    edo_shared_on_drop_(&(shared)->shared_,  \
                        EDO_CHILD_FUNCTION_(function, EDO_SHARED_DROP_(*(shared)->output)))

/* Behind the macros. */
#define EDO_SHARED_DROP_(output) void(__typeof__(((void)0, (output))) *)
struct edo_shared_core_;
struct edo_shared_ {
    struct edo_shared_core_ *core;
    struct edo_waiter waiter;
};
EDO_ASYNC_DECLARE(edo_shared);
struct edo_shared_core_ *edo_shared_new_(size_t size, struct edo_output_ output);
void *edo_shared_inner_(struct edo_shared_core_ *core);
struct edo_shared_core_ *edo_shared_ref_(const struct edo_shared_ *shared);
void edo_shared_drop_(struct edo_future *future, struct edo_shared_ *shared,
                      struct edo_context *cx);
void edo_shared_on_drop_(struct edo_shared_ *shared, void (*function)(void));

#ifndef EDO_NO_SHORT_NAMES
#define SHARED      EDO_SHARED
#define DROP_SHARED EDO_DROP_SHARED
#endif

#ifdef __cplusplus
}
#endif

#endif
