/* SPDX-License-Identifier: MIT */
/* Runtimes: what runs tasks, timers and I/O.
 *
 *     struct edo_runtime *runtime;
 *     if (edo_runtime_new(&runtime) < 0) …
 *     struct hello hello = NEW(hello);
 *     int error = edo_block_on(runtime, &hello);          hello.output, when error is 0
 *     edo_runtime_drop(runtime);
 *
 * or `EDO_MAIN(NEW(hello))` for a program that is one future.
 *
 * A runtime is of one of two flavors (runtime/builder.h). A multi-thread runtime runs its tasks on threads of
 * its own, as many as there are CPUs, which take work from each other: a task may be polled by one and then
 * by another, never by two at once.
 *
 * A current-thread runtime runs its tasks on the thread that calls edo_block_on, for as long as it
 * is in there; tasks that are not finished then stay as they are until the next call. Embedded in a
 * libuv program (runtime/embed.h), they run inside the program's own uv_run.
 */
#ifndef EDO_RUNTIME_RUNTIME_H
#define EDO_RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "../future.h"
#include "../error.h"
#include "builder.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_handle;
struct edo_runtime;
struct uv_loop_s;

/* edo_block_on(runtime, &future): runs the future on this thread until it completes. The future stays where
 * it is, its output in it. A current-thread runtime runs its tasks meanwhile, on the same thread; those that
 * have not ended stay suspended where they are, with the locks and places that they hold, until the next
 * edo_block_on. A multi-thread runtime's go on by themselves, and several threads may be in here at once.
 * Returns 0; or a negative error, the future dropped:
 *   EDO_EPANIC     it panicked; the message went to stderr
 *   EDO_ENESTED    called from within a task: it would deadlock
 *   UV_EBUSY       current-thread: another thread is in edo_block_on, or the runtime is attached to a loop, or
 *                  this thread dumps it. (That another does so is waited for: runtime/dump.h)
 *   UV_ENOMEM
 * Any thread, not from a poll. A future that was never made, all zeros, is a bug that stops the program, here and where
 * it is spawned. */
#define edo_block_on(runtime, future) edo_block_on_((runtime), &(future)->future_)

/* edo_handle_block_on(handle, &future): the same by a handle, for threads that do not own the runtime. A
 * current-thread runtime's tasks, timers and I/O do not go on by it: somebody else is to be in edo_block_on. UV_EBUSY
 * on the thread of the loop that such a one is attached to, which would wait for itself. */
#define edo_handle_block_on(handle, future) edo_handle_block_on_((handle), &(future)->future_)

/* Drops every task where it is suspended (and what these spawn in their FINALLY: one that always spawns has no end),
 * waits for blocking work that has begun and for requests under way, and frees the runtime. Blocking work that has not
 * begun is never run, nor is what other threads spawn from now on. Handles, wakers and join handles stay valid: they
 * report that it is gone. For an attached runtime see runtime/embed.h. Not from within its own tasks, nor
 * while edo_block_on runs. A task of another runtime may, and holds up its thread as long as that takes. NULL is
 * fine. */
void edo_runtime_drop(struct edo_runtime *runtime);

/* The same, but waits no longer than so many ms. What still runs then (blocking work, a task in a long poll, a
 * name look-up) goes on by itself, and the runtime's memory with it. */
void edo_runtime_shutdown_timeout(struct edo_runtime *runtime, uint64_t ms);

/* The same without waiting. Blocking work of the runtime may do so, and on a multi-thread runtime its tasks and
 * edo_block_on's futures. A task goes on until it has to wait, and is dropped there, if it does not end before; the
 * others go on to their end, without sleeps and sockets. */
void edo_runtime_shutdown_background(struct edo_runtime *runtime);

/* The name it was given, or "edo". Valid as long as the runtime. */
const char *edo_runtime_name(const struct edo_runtime *runtime);

/* Its libuv loop, for handles of the caller's own: used on the thread that runs the runtime, and
 * closed before it is dropped. NULL for a multi-thread runtime, which has several. */
struct uv_loop_s *edo_runtime_loop(struct edo_runtime *runtime);

/* Its handle, borrowed: valid as long as the runtime; clone it to keep it longer. */
struct edo_handle *edo_runtime_handle(struct edo_runtime *runtime);

/* Handles: references to a runtime from any thread; they outlive it. Clone never fails. */
struct edo_handle *edo_handle_clone(struct edo_handle *handle);
void edo_handle_drop(struct edo_handle *handle);

/* A number for the runtime, of no other in this process. */
uint64_t edo_handle_id(const struct edo_handle *handle);

/* The current runtime's handle, borrowed: of the task being polled, or entered; NULL outside. */
struct edo_handle *edo_handle_current(void);

/* Makes a runtime current on this thread, for SPAWN and the clock, until the guard is given to
 * edo_leave. Guards are left in the reverse order, on the same thread, and so not after an await: it is the thread
 * that has entered, not the task. The program is stopped otherwise. Valid also when the runtime is
 * gone. */
struct edo_guard {
    struct edo_handle *previous, *entered;
};
struct edo_guard edo_enter(struct edo_handle *handle);
void edo_leave(struct edo_guard guard);

int edo_block_on_(struct edo_runtime *runtime, struct edo_future *future);
int edo_handle_block_on_(struct edo_handle *handle, struct edo_future *future);

/* EDO_MAIN(future) defines main: makes a current-thread runtime, runs the future, and exits with
 * its output as the status: 0 to 255; 1 when it is negative, printing why. The expression may use
 * `argc` and `argv`. */
#define EDO_MAIN(...)                                               \
    int main(int argc, char **argv)                                 \
    {                                                               \
        (void)argc;                                                 \
        (void)argv;                                                 \
        struct edo_runtime *runtime;                                \
        int error = edo_runtime_new(&runtime);                      \
        if (error < 0)                                              \
            return edo_main_status_(error);                         \
        __typeof__((__VA_ARGS__)) future = (__VA_ARGS__);           \
        error = edo_block_on(runtime, &future);                     \
        edo_runtime_drop(runtime);                                  \
        return edo_main_status_(error < 0 ? error : future.output); \
    }
int edo_main_status_(int output);

#ifdef __cplusplus
}
#endif

#endif
