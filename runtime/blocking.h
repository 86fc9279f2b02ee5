/* SPDX-License-Identifier: MIT */
/* Blocking work: what must not be done in a task, because it holds its thread up.
 *
 *     struct checksum {
 *         FUTURE(int);
 *         const char *path;
 *         uint32_t sum;
 *     };
 *     ASYNC(checksum) { ASYNC_BEGIN; … read(2) … RETURN(0); ASYNC_END; }
 *
 *     handle = SPAWN_BLOCKING(NEW(checksum, .path = path));
 *     AWAIT(self->join, edo_join(handle, &self->error));
 *
 * A runtime has threads for it, apart from those that run tasks: they come when they are needed, at most
 * max_blocking_threads, and go when they were idle for thread_keep_alive. What finds none waits in a queue.
 * Work for the CPU does not want that many threads: limit it with a semaphore.
 *
 * The work goes on when the task that waits for it is aborted, or dropped with its runtime. So what it uses is in
 * its own frame, or lives until it has ended: a pointer into the frame of the task that joins it does not.
 */
#ifndef EDO_RUNTIME_BLOCKING_H
#define EDO_RUNTIME_BLOCKING_H

#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* SPAWN_BLOCKING(future): moves the future to a thread where it may block, and returns its join handle. It is
 * run there from its beginning to its end: where it awaits, the thread waits. It is a task in all else. Aborted
 * before it has begun, it never runs: it is dropped by the thread whose turn it would have been, and its handle
 * reports UV_ECANCELED from then on. Later, an abort does nothing.
 *
 * Inside, the runtime is entered: SPAWN works, edo_handle_block_on, and a runtime of its own. Sleeps and I/O do
 * where the runtime is multi-thread, elsewhere they end with EDO_ENORUNTIME: a current-thread runtime's are for
 * the thread that runs it. There is no budget: it gives way to nobody.
 *
 * When the runtime ends, what has begun is waited for, as long as the end may take (edo_runtime_drop and its
 * sisters); what has not is dropped, and its handle reports UV_ECANCELED. So does that of one that is spawned
 * later. It must not drop its own runtime, which would wait for it. Work under way or queued holds a paused
 * clock back, but does not keep the loop of a host going (runtime/embed.h).
 *
 * On failure (edo_task_error: UV_ENOMEM, EDO_ENORUNTIME, UV_EAGAIN when no thread can be had and there is none)
 * the future is dropped. With one thread there, what finds no other waits for it. Any thread. */
#define EDO_SPAWN_BLOCKING(...) EDO_SPAWN_BLOCKING_ON((struct edo_handle *)NULL, __VA_ARGS__)

/* SPAWN_BLOCKING_ON(handle, future): the same on the runtime behind a handle. */
#define EDO_SPAWN_BLOCKING_ON(handle, ...) EDO_SPAWN_WITH_(EDO_START_BLOCKING_, handle, __VA_ARGS__)

/* edo_call(function, argument): a future of what function(argument) returns. For functions that block:
 * SPAWN_BLOCKING(edo_call(compress, &job)), the job being alive until the call has returned (not in the frame of the
 * task that joins it: see above). Cancel safe: it is called by the only poll. */
struct edo_call {
    EDO_FUTURE(int);
    int (*function)(void *argument);
    void *argument;
};
struct edo_call edo_call(int (*function)(void *argument), void *argument);

/* Calls function(argument) in the midst of a task, and has the worker's other tasks, sockets and timers go on
 * on another thread meanwhile. For what is too short to be moved to a thread of its own, and for code that has
 * to stay where it is. The task's own siblings, in a JOIN, do not go on. Returns 0 when it was called;
 * UV_EINVAL, and it was not, on a current-thread runtime, in a local task, in a hook or waker that a worker calls
 * when it polls no task, or where the runtime has no other thread and can get none (UV_EAGAIN). Outside of a
 * runtime, nested, and as the runtime ends, it just calls. */
int edo_block_in_place(void (*function)(void *argument), void *argument);

/* Behind the macros: the start may fail, and says so in the task's place. */
#define EDO_START_BLOCKING_(task, future) (task) = edo_task_start_blocking_((task), (future))
struct edo_task *edo_task_start_blocking_(struct edo_task *task, struct edo_future *future);

#ifndef EDO_NO_SHORT_NAMES
#define SPAWN_BLOCKING    EDO_SPAWN_BLOCKING
#define SPAWN_BLOCKING_ON EDO_SPAWN_BLOCKING_ON
#endif

#ifdef __cplusplus
}
#endif

#endif
