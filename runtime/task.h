/* SPDX-License-Identifier: MIT */
/* Tasks: futures that run by themselves.
 *
 *     JOIN_HANDLE(int) handle = SPAWN(NEW(echo, .conn = conn));
 *     …
 *     AWAIT(self->join, edo_join(handle, &self->bytes));      0, or why there is no output
 *
 * A task is one allocation: a header of 64 bytes and the future's frame. It runs on the runtime in
 * which it was spawned, beside its other tasks, until its future completes, panics or is aborted.
 *
 * A join handle is a pointer typed by the output. It is owned: it ends in edo_join, which takes it,
 * or in edo_task_detach. (One that is joined or detached again stops the program, and one that is used for anything
 * a build with EDO_DEBUG, as long as the runtime has its memory, and no other task does.) A handle left in a frame is
 * detached in FINALLY. A task that nobody joins needs none (SPAWN_DETACHED). Spawning never fails silently:
 * where there is no memory or no runtime, the handle says so (edo_task_error, edo_join).
 * The functions on handles take any thread's call, also when the runtime is gone.
 */
#ifndef EDO_RUNTIME_TASK_H
#define EDO_RUNTIME_TASK_H

#include <stdio.h>

#include "../future.h"
#include "../error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_handle;
struct edo_task;

/* JOIN_HANDLE(type) name; declares a join handle for an output of that type (or void). A handle of
 * another type cannot be assigned to it: it is a pointer to a function that returns the type, and
 * is never called. */
#define EDO_JOIN_HANDLE(...) __typeof__(EDO_OUTPUT_(__VA_ARGS__)(*)(struct edo_task *))

/* SPAWN(future): moves the future into a task of the current runtime (the one this thread runs, or
 * has entered) and returns its join handle. The task is polled first when the caller suspends. On
 * failure the future is dropped, its FINALLY run. */
#define EDO_SPAWN(...) EDO_SPAWN_ON((struct edo_handle *)NULL, __VA_ARGS__)

/* SPAWN_ON(handle, future): the same, on the runtime behind a handle, from any thread. */
#define EDO_SPAWN_ON(handle, ...) EDO_SPAWN_WITH_(edo_task_start_, handle, __VA_ARGS__)

/* SPAWN_DETACHED(future), SPAWN_DETACHED_ON(handle, future): the same for a task that nobody joins, as SPAWN and
 * edo_task_detach, which together cost more. Returns 0; or UV_ENOMEM, EDO_ENORUNTIME, the future dropped. (A runtime
 * that has shut down drops it as it does any task, and that is no error.) */
#define EDO_SPAWN_DETACHED(...) EDO_SPAWN_DETACHED_ON((struct edo_handle *)NULL, __VA_ARGS__)
#define EDO_SPAWN_DETACHED_ON(handle, ...) \
    edo_task_detached_((intptr_t)EDO_SPAWN_WITH_(EDO_START_DETACHED_, handle, __VA_ARGS__))

/* TASK_NAMED("reader", SPAWN(future)): the same for any of the macros that spawn one task, which gets a name, for dumps
 * (runtime/dump.h). The name is copied, cut at 31 bytes. */
#define EDO_TASK_NAMED(name, ...)    \
    __extension__({                  \
        edo_task_next_name_((name)); \
        __VA_ARGS__;                 \
    })

/* Its name, as long as the handle is; NULL when it has none. */
#define edo_task_name(handle) edo_task_name_(EDO_TASK_OF_(handle))

/* Why a handle is none: 0 for a task, UV_ENOMEM, EDO_ENORUNTIME, or UV_EINVAL for NULL. */
#define edo_task_error(handle) edo_task_error_(EDO_TASK_OF_(handle))

/* Asks the task to end: it is dropped where it is suspended, its FINALLY run, on its runtime's
 * thread; a task that runs at this moment, when it suspends next. One that completes in spite of it
 * reports its output; one that has ended does nothing. */
#define edo_task_abort(handle) edo_task_abort_(EDO_TASK_OF_(handle))

/* Whether the task has ended: edo_join would not wait. */
#define edo_task_is_finished(handle) edo_task_is_finished_(EDO_TASK_OF_(handle))

/* A number for the task, of no other task that is alive. 0 for a handle that is an error. */
#define edo_task_id(handle) edo_task_id_(EDO_TASK_OF_(handle))

/* Gives the handle up: the task goes on by itself, and its output goes with it. */
#define edo_task_detach(handle) edo_task_detach_(EDO_TASK_OF_(handle))

/* Calls trace for each future of the chain that the task is suspended in, from its root on. On the thread that runs
 * the current-thread runtime, or has the local set; on any thread for a task of a multi-thread runtime; outside the
 * task itself. Returns 0; UV_EBUSY on another thread, and for one that does not wait at this moment;
 * UV_ESRCH when the task has ended. All tasks at once: runtime/dump.h. */
#define edo_task_trace(handle, trace, arg) edo_task_trace_(EDO_TASK_OF_(handle), (trace), (arg))

/* Prints that chain, a line each, `name (file:line)`, indented. Returns as edo_task_trace. */
#define edo_task_dump(handle, file) edo_task_dump_(EDO_TASK_OF_(handle), (file))

/* edo_join(handle, &value): a future that waits for the task's end and takes the handle, also one
 * that is an error. Its output is 0, and value has the task's output; or value is unchanged:
 *   UV_ECANCELED     the task was aborted, or its runtime shut down
 *   EDO_EPANIC       it panicked
 *   UV_ENOMEM, …     it was never spawned (edo_task_error)
 * `value` is a pointer to the task's output type, alive as long as the join; NULL: not wanted.
 * A handle that FINALLY detaches is set to NULL when a join has taken it, before the await: detached
 * twice, it would be used after it is gone.
 * Not cancel safe: dropping it detaches the task. To wait in a SELECT and go on waiting, make it once
 * and borrow it (WHEN_REF). It may be awaited on any executor and thread. */
#define edo_join(handle, value) edo_join_report(handle, value, NULL, 0)

/* The same; when the task panicked, its message and chain of awaits are put into `report`, cut to
 * size and ended by NUL; otherwise report is left alone. */
#define edo_join_report(handle, value, report, size)                                              \
    edo_task_join_(EDO_TASK_OF_(handle), (value), EDO_JOIN_CHECK_(EDO_OUTPUT_OF_(handle), value), \
                   __builtin_offsetof(                                                            \
                       struct {                                                                   \
                           struct edo_future head;                                                \
                           EDO_OUTPUT_OF_(handle) output;                                         \
                       },                                                                         \
                       output),                                                                   \
                   (report), (size))

struct edo_join {
    EDO_FUTURE(int);
    uint32_t size, offset;
    struct edo_task *task;
    void *value;
    char *report;
    size_t report_size;
};

/* Abort handles: references to a task that do not keep its output. Owned: clone and drop. */
struct edo_abort_handle;

/* edo_abort_handle(handle): a new abort handle; NULL for a handle that is an error. */
#define edo_abort_handle(handle) edo_abort_handle_(EDO_TASK_OF_(handle))
struct edo_abort_handle *edo_abort_handle_clone(struct edo_abort_handle *handle);
/* Gives it back; NULL is fine. */
void edo_abort_handle_drop(struct edo_abort_handle *handle);
/* As the functions of the join handle; NULL is a task that has ended. */
void edo_abort_handle_abort(struct edo_abort_handle *handle);
bool edo_abort_handle_is_finished(struct edo_abort_handle *handle);
uint64_t edo_abort_handle_id(struct edo_abort_handle *handle);

/* edo_yield_now(): a future that lets every other ready task run once: YIELD_NOW(), for combinators.
 * Cancel safe. */
struct edo_yield_now {
    EDO_FUTURE(void);
    bool yielded;
};
EDO_ASYNC_DECLARE(edo_yield_now);
static inline struct edo_yield_now edo_yield_now(void)
{
    return EDO_NEW_RETURNED(edo_yield_now);
}

/* edo_unconstrained(&self->child): polls a future of the same frame without a budget. A child that
 * is always ready then starves its siblings. Cancel safety: the child's; dropping it drops the child. */
struct edo_unconstrained {
    EDO_FUTURE(void);
    struct edo_future *child;
};
#define edo_unconstrained(child) edo_unconstrained_(&(child)->future_)

/* edo_consume_budget(): a future for long computations: takes one operation off the budget, and is ready; or, the
 * budget being used up, lets others run first. Cancel safe. */
struct edo_consume_budget {
    EDO_FUTURE(void);
};
EDO_ASYNC_DECLARE(edo_consume_budget);
static inline struct edo_consume_budget edo_consume_budget(void)
{
    return EDO_NEW_RETURNED(edo_consume_budget);
}

/* The id of the task being polled on this thread; 0 outside. What edo_block_on runs is a task on a current-thread
 * runtime, and none beside workers. */
uint64_t edo_current_task_id(void);

/* Behind the macros. `start` takes the task over, with its future in place; or an error instead of a task, and
 * drops the future. */
#define EDO_SPAWN_WITH_(start, handle, ...)                                                   \
    __extension__({                                                                           \
        typedef __typeof__((__VA_ARGS__)) edo_frame_;                                         \
        _Static_assert(_Alignof(edo_frame_) <= 16, "a frame is aligned to 16 bytes at most"); \
        edo_frame_ edo_lost_;                                                                 \
        struct edo_task *edo_task_ = edo_task_alloc_((handle), sizeof(edo_frame_));           \
        edo_frame_ *edo_at_ = (edo_frame_ *)edo_task_frame_(edo_task_);                       \
        if (edo_at_ == NULL)                                                                  \
            edo_at_ = &edo_lost_;                                                             \
        *edo_at_ = (__VA_ARGS__);                                                             \
        start(edo_task_, &edo_at_->future_);                                                  \
        (__typeof__(edo_at_->output)(*)(struct edo_task *))(void *) edo_task_;                \
    })
#define EDO_OUTPUT_OF_(handle) __typeof__((handle)((struct edo_task *)NULL))
#define EDO_JOIN_CHECK_(type, value)                                                 \
    (sizeof(type) +                                                                  \
     0 * sizeof(struct {                                                             \
         _Static_assert(__builtin_types_compatible_p(__typeof__(value), type *) ||   \
                            __builtin_types_compatible_p(__typeof__(value), void *), \
                        "the value's type is not the task's output type");           \
         char one;                                                                   \
     }))
/* The handle as a task. With EDO_DEBUG: stops the program when it is no handle any more. */
#ifdef EDO_DEBUG
#define EDO_TASK_OF_(handle) \
    edo_task_check_((struct edo_task *)(void *)(handle), __FILE__, __LINE__)
#else
#define EDO_TASK_OF_(handle) ((struct edo_task *)(void *)(handle))
#endif
struct edo_task *edo_task_check_(struct edo_task *task, const char *file, int line);
struct edo_task *edo_task_alloc_(struct edo_handle *handle, size_t frame_size);
void edo_task_next_name_(const char *name);
const char *edo_task_name_(struct edo_task *task);
void *edo_task_frame_(struct edo_task *task);
void edo_task_start_(struct edo_task *task, struct edo_future *future);
#define EDO_START_DETACHED_(task, future) (task) = edo_task_start_detached_((task), (future))
struct edo_task *edo_task_start_detached_(struct edo_task *task, struct edo_future *future);
/* The task is others' by now: what is in its place is an error, or nothing. */
static inline int edo_task_detached_(intptr_t error)
{
    return (int)error;
}
int edo_task_error_(struct edo_task *task);
void edo_task_abort_(struct edo_task *task);
bool edo_task_is_finished_(struct edo_task *task);
uint64_t edo_task_id_(struct edo_task *task);
void edo_task_detach_(struct edo_task *task);
int edo_task_trace_(struct edo_task *task, edo_trace_fn *trace, void *arg);
int edo_task_dump_(struct edo_task *task, FILE *file);
struct edo_join edo_task_join_(struct edo_task *task, void *value, size_t size, size_t offset,
                               char *report, size_t report_size);
struct edo_abort_handle *edo_abort_handle_(struct edo_task *task);
struct edo_unconstrained edo_unconstrained_(struct edo_future *child);

#ifndef EDO_NO_SHORT_NAMES
#define JOIN_HANDLE       EDO_JOIN_HANDLE
#define SPAWN             EDO_SPAWN
#define SPAWN_ON          EDO_SPAWN_ON
#define SPAWN_DETACHED    EDO_SPAWN_DETACHED
#define SPAWN_DETACHED_ON EDO_SPAWN_DETACHED_ON
#define TASK_NAMED        EDO_TASK_NAMED
#endif

#ifdef __cplusplus
}
#endif

#endif
