/* SPDX-License-Identifier: MIT */
/* Edo inside a libuv program: tasks on the program's own loop, and libuv's callbacks as futures.
 *
 *     struct edo_runtime *runtime;
 *     edo_runtime_attach(loop, &runtime);
 *     SPAWN_DETACHED_ON(edo_runtime_handle(runtime), NEW(server));
 *     uv_run(loop, UV_RUN_DEFAULT);        ends when the last task and handle has
 *     edo_runtime_drop(runtime);
 *     uv_run(loop, UV_RUN_DEFAULT);        closes what Edo had on the loop
 *     uv_loop_close(loop);                 0
 *
 * The loop may be run in any mode, and waited for by uv_backend_fd and uv_backend_timeout. Callbacks of libuv wake
 * tasks as anybody does: they send into a channel, or complete a completion. They are no tasks: SPAWN and what
 * belongs to a runtime is for SPAWN_ON there, or after edo_enter. A program that ends by closing whatever uv_walk
 * finds drops the runtime before: what uv_walk finds of Edo's is then closing already.
 */
#ifndef EDO_RUNTIME_EMBED_H
#define EDO_RUNTIME_EMBED_H

#include <uv.h>

#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* edo_runtime_attach(loop, &runtime, .name = …): a current-thread runtime whose tasks run inside
 * uv_run on the caller's loop, beside the caller's handles. It keeps the loop alive while it has
 * tasks, and no longer: uv_run returns then, and what another thread spawns waits until it is called again, so a loop
 * that is to serve other threads has something of the caller's alive on it. Returns 0, UV_ENOMEM, UV_EINVAL
 * (start_paused: the loop's time is not ours), or libuv's error: then it is NULL. On the loop's thread, as edo_runtime_drop later, which closes Edo's
 * handles the way uv_close does: they are gone when the loop has turned once more. A callback may do so, a task may
 * not; nor may a task call uv_run on the loop. */
#define edo_runtime_attach(loop, runtime, ...) \
    edo_builder_attach(&(const struct edo_builder){__VA_ARGS__}, (loop), (runtime))
int edo_builder_attach(const struct edo_builder *builder, uv_loop_t *loop,
                       struct edo_runtime **runtime);

/* A completion turns a callback into a future. It has two sides: the callback, which completes it
 * once, and the task, which waits or gives up. The memory, with room for the request, lives until
 * both are done, so a task that is cancelled leaves nothing behind that libuv still writes to: as long as
 * what the request points to, such as the buffer of uv_fs_read, is in there too, and not in the task's frame.
 *
 *     struct edo_completion *done = edo_completion_new(sizeof(uv_fs_t));
 *     uv_fs_t *request = edo_completion_data(done);
 *     request->data = done;
 *     int error = uv_fs_open(loop, request, path, O_RDONLY, 0, on_open);
 *     if (error < 0)
 *         edo_completion_complete(done, error);
 *     AWAIT(self->wait, edo_completion_wait(done));     its output is what on_open passed on
 */
struct edo_completion;

/* Makes one, with `size` zeroed bytes for the caller; NULL: no memory. Any thread. */
struct edo_completion *edo_completion_new(size_t size);

/* Those bytes, aligned for any type. */
void *edo_completion_data(struct edo_completion *completion);

/* The callback's side, once: the waiting future resolves to status. The data may be gone
 * afterwards. Any thread. */
void edo_completion_complete(struct edo_completion *completion, int status);

/* edo_completion_wait(completion): the task's side, which it takes: a future of the status. The data may
 * be read until the future is polled ready: what is needed of it is copied by the callback, or read after
 * edo_completion_hold. Not cancel safe: dropped, the status is lost, and the callback is harmless. To go
 * on waiting after a SELECT, make it once and borrow it (WHEN_REF). */
struct edo_completion_wait {
    EDO_FUTURE(int);
    struct edo_completion *completion;
    struct edo_driver *driver;
};
struct edo_completion_wait edo_completion_wait(struct edo_completion *completion);

/* Gives the task's side up without waiting; or a reference that edo_completion_hold took. Any thread. */
void edo_completion_drop(struct edo_completion *completion);

/* One more reference, to read the data after the wait; never fails. */
struct edo_completion *edo_completion_hold(struct edo_completion *completion);

#ifdef __cplusplus
}
#endif

#endif
