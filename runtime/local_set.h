/* SPDX-License-Identifier: MIT */
/* Local sets: tasks that stay on one thread, whatever the runtime is.
 *
 *     struct edo_local_set *set;
 *     if (edo_local_set_new(&set) < 0) …
 *     struct server server = NEW(server);
 *     error = edo_local_set_block_on(set, runtime, &server);
 *     edo_local_set_drop(set);
 *
 *     ASYNC(server)
 *     {
 *         …
 *         self->handle = SPAWN_LOCAL(NEW(session, .cache = self->cache));     on this thread, always
 *         self->sum = SPAWN(NEW(checksum, .page = self->page));               on the runtime
 *         …
 *     }
 *
 * For what several tasks share without a lock, or what a library wants to be used on one thread. A set
 * belongs to the thread that made it. Its tasks run when that thread polls one of the set's futures:
 * edo_local_set_run_until, or edo_local_set_wait. On a multi-thread runtime that is the future that
 * edo_block_on runs, which stays on its thread, or what it awaits; a task may move, and then cannot run a set.
 * The timers and sockets of local tasks are those of the runtime that the thread is in.
 *
 * A local task is a task in all else: it is joined, aborted and woken from any thread, it has a budget of
 * its own, and a panic ends it alone. A poll of the set polls 61 of its tasks at most, then lets others have
 * their turn. The runtime's hooks and metrics do not see them, and edo_block_in_place is not for them.
 */
#ifndef EDO_RUNTIME_LOCAL_SET_H
#define EDO_RUNTIME_LOCAL_SET_H

#include "../internal/row.h"
#include "runtime.h"
#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_local_set;

/* Makes a set that belongs to this thread. Returns 0 and the set, the caller's to drop; or, the set being NULL,
 * UV_ENOMEM, or UV_EINVAL on a worker of a multi-thread runtime, whose tasks may move. */
int edo_local_set_new(struct edo_local_set **set);

/* Drops every task where it is suspended, and the set. What they spawn on it in their FINALLY is dropped as
 * well. Handles and wakers stay valid. On the set's thread, not from within its tasks; the futures below have
 * ended before. NULL is fine. */
void edo_local_set_drop(struct edo_local_set *set);

/* SPAWN_LOCAL(future): as SPAWN, on the set whose context this is: that of the task or future being polled, or
 * that was entered. Without one, on the current-thread runtime that this thread runs, whose tasks stay on it
 * anyway. On a multi-thread runtime, and outside of any, the handle is EDO_ENORUNTIME. */
#define EDO_SPAWN_LOCAL(...) EDO_SPAWN_LOCAL_ON((struct edo_local_set *)NULL, __VA_ARGS__)

/* SPAWN_LOCAL_ON(set, future): the same on that set, which runs it when it is polled next. Any thread, while the
 * set is there: from another one, the future is moved to the set's before its first poll. */
#define EDO_SPAWN_LOCAL_ON(set, ...) \
    EDO_SPAWN_WITH_(edo_task_start_, edo_local_handle_(set), __VA_ARGS__)

/* edo_local_set_run_until(set, &self->child): polls a future of the same frame in the set's context, and the
 * set's tasks, until that future is done; they stay in the set. Output 0: the child is done, its output in it.
 * UV_EPERM: this is not the set's thread; the child was dropped. Several may run a set at a time, and one may be
 * awaited within a set's task: it then leaves the tasks to the one that is polling them.
 * Cancel safety: the child's; dropping it drops the child, and no task. */
struct edo_local_set_run_until {
    EDO_FUTURE(int);
    struct edo_local_set *set;
    struct edo_future *child;
    struct edo_waiter waiter;
};
#define edo_local_set_run_until(set, child) edo_local_set_run_until_((set), &(child)->future_)

/* edo_local_set_wait(set): runs the set's tasks until all have ended. Output 0; UV_EPERM as above; EDO_ENESTED
 * in a task of the set, which would wait for itself. Cancel safe: the tasks stay in the set. */
struct edo_local_set_wait {
    EDO_FUTURE(int);
    struct edo_local_set *set;
    struct edo_waiter waiter;
};
struct edo_local_set_wait edo_local_set_wait(struct edo_local_set *set);

/* edo_local_set_block_on(set, runtime, &future): edo_block_on of a run_until. Returns 0, the output in the
 * future; or a negative error, the future dropped: as edo_block_on, and UV_EPERM. */
#define edo_local_set_block_on(set, runtime, future) \
    edo_local_set_block_on_((set), (runtime), &(future)->future_)

/* Makes a set the context of this thread, the set's, for SPAWN_LOCAL, until the guard is given to
 * edo_local_set_leave. The tasks do not run by that. Guards are left as those of edo_enter. Valid also when the
 * set is gone. */
struct edo_local_guard {
    struct edo_handle *previous, *entered;
};
struct edo_local_guard edo_local_set_enter(struct edo_local_set *set);
void edo_local_set_leave(struct edo_local_guard guard);

/* The handle that EDO_SPAWN_WITH_ spawns on, borrowed: the set's, or the context's for NULL; or an error in its
 * place. */
struct edo_handle *edo_local_handle_(struct edo_local_set *set);
struct edo_local_set_run_until edo_local_set_run_until_(struct edo_local_set *set,
                                                        struct edo_future *child);
int edo_local_set_block_on_(struct edo_local_set *set, struct edo_runtime *runtime,
                            struct edo_future *future);

#ifndef EDO_NO_SHORT_NAMES
#define SPAWN_LOCAL    EDO_SPAWN_LOCAL
#define SPAWN_LOCAL_ON EDO_SPAWN_LOCAL_ON
#endif

#ifdef __cplusplus
}
#endif

#endif
