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

#ifdef __cplusplus
extern "C" {
#endif

struct edo_handle;
struct edo_runtime;
struct uv_loop_s;

enum edo_flavor {
    EDO_CURRENT_THREAD,
};

/* How a runtime is to be; zero is the default everywhere. */
struct edo_builder {
    enum edo_flavor flavor;
    const char *name;               /* for edo_runtime_name; copied, cut at 31 bytes */
    uint32_t event_interval;        /* polls of tasks between looks at I/O and timers; 61 */
    uint32_t global_queue_interval; /* polls between looks at foreign wakes and spawns; 31 */
    bool start_paused;              /* the clock stands still: runtime/time.h */
    /* Called on the thread that runs the runtime: when it begins, ends (edo_block_on; embedded:
     * attaching, dropping), before it sleeps, after it slept. NULL: nothing. They must not call
     * into the runtime. */
    void (*on_thread_start)(void *arg);
    void (*on_thread_stop)(void *arg);
    void (*on_thread_park)(void *arg);
    void (*on_thread_unpark)(void *arg);
    void *hook_arg;
};

/* Makes a runtime. Returns 0 and the runtime, the caller's to drop; UV_ENOMEM, UV_EINVAL for a
 * flavor that does not exist, or what libuv said of the loop (UV_EMFILE, …): then it is NULL. Any
 * thread. */
int edo_builder_build(const struct edo_builder *builder, struct edo_runtime **runtime);

/* edo_runtime_new(&runtime, .event_interval = 31, …): the same with the builder's fields named. */
#define edo_runtime_new(runtime, ...) \
    edo_builder_build(&(const struct edo_builder){__VA_ARGS__}, (runtime))

/* edo_block_on(runtime, &future): runs the future, and the runtime's tasks meanwhile, on this
 * thread until the future completes. The future stays where it is, its output in it. Tasks that have
 * not ended stay suspended where they are, with the locks and places that they hold, until the next
 * edo_block_on. Returns 0; or
 * a negative error, the future dropped:
 *   EDO_EPANIC     it panicked; the message went to stderr
 *   EDO_ENESTED    called from within a task: it would deadlock
 *   UV_EBUSY       another thread is in edo_block_on, or the runtime is attached to a loop
 *   UV_ENOMEM
 * Any thread, not from a poll. */
#define edo_block_on(runtime, future) edo_block_on_((runtime), &(future)->future_)

/* Drops every task where it is suspended, waits for requests under way, and frees the runtime.
 * Handles, wakers and join handles stay valid: they report that it is gone. For an attached runtime
 * see runtime/embed.h. Not from within its own tasks, nor while edo_block_on runs. NULL is fine. */
void edo_runtime_drop(struct edo_runtime *runtime);

/* The same without waiting: a name look-up that still runs is ended by a thread of its own. */
void edo_runtime_shutdown_background(struct edo_runtime *runtime);

/* The name it was given, or "edo". Valid as long as the runtime. */
const char *edo_runtime_name(const struct edo_runtime *runtime);

/* Its libuv loop, for handles of the caller's own: used on the thread that runs the runtime, and
 * closed before it is dropped. */
struct uv_loop_s *edo_runtime_loop(struct edo_runtime *runtime);

/* Its handle, borrowed: valid as long as the runtime; clone it to keep it longer. */
struct edo_handle *edo_runtime_handle(struct edo_runtime *runtime);

/* Handles: references to a runtime from any thread; they outlive it. Clone never fails. */
struct edo_handle *edo_handle_clone(struct edo_handle *handle);
void edo_handle_drop(struct edo_handle *handle);

/* The current runtime's handle, borrowed: of the task being polled, or entered; NULL outside. */
struct edo_handle *edo_handle_current(void);

/* Makes a runtime current on this thread, for SPAWN and the clock, until the guard is given to
 * edo_leave. Guards are left in the reverse order. Valid also when the runtime is gone. */
struct edo_guard {
    struct edo_handle *previous;
};
struct edo_guard edo_enter(struct edo_handle *handle);
void edo_leave(struct edo_guard guard);

int edo_block_on_(struct edo_runtime *runtime, struct edo_future *future);

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
