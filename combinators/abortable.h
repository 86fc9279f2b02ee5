/* SPDX-License-Identifier: MIT */
/* A future that any thread may end.
 *
 *     self->abort = edo_abortable_handle_new();                     NULL: no memory
 *     watchdog_arm(edo_abortable_handle_clone(self->abort));
 *     self->work = NEW(work);
 *     AWAIT(self->abortable, edo_abortable(&self->work, self->abort));
 *     if (self->abortable.output == UV_ECANCELED) …                 else self->work.output
 *     ASYNC_FINALLY:
 *     edo_abortable_handle_drop(self->abort);
 *
 *     edo_abortable_handle_abort(handle);                           elsewhere, at any time
 *     edo_abortable_handle_drop(handle);
 *
 * One handle for one future. To stop many at once, or a tree of them: sync/cancellation_token.h. A task
 * has abort handles of its own (runtime/task.h).
 *
 * A handle is 16 bytes of memory, counted, because it may be used when the future's frame is gone. All
 * its functions may be called from any thread, and from a poll; none waits. Any executor. */
#ifndef EDO_COMBINATORS_ABORTABLE_H
#define EDO_COMBINATORS_ABORTABLE_H

#include "../error.h"
#include "../future.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_abortable_handle;

/* A new one; NULL without memory. A further reference to the same; and one is given back, NULL is fine.
 * That does not abort. */
struct edo_abortable_handle *edo_abortable_handle_new(void);
struct edo_abortable_handle *edo_abortable_handle_clone(struct edo_abortable_handle *handle);
void edo_abortable_handle_drop(struct edo_abortable_handle *handle);

/* For good: also what is made of the handle later. Nothing, when its future is done. Who sees it sees what
 * was written before. */
void edo_abortable_handle_abort(struct edo_abortable_handle *handle);
bool edo_abortable_handle_is_aborted(const struct edo_abortable_handle *handle);

/* edo_abortable(&self->child, handle): polls a future of the same frame until it is ready, or the handle
 * is aborted, and then drops it, in this future's own poll. Borrows the handle. Output:
 *   0              the child is done, its output in it
 *   UV_ECANCELED   aborted; the child was dropped. The abort goes first when both are there
 *   UV_EBUSY       another future of the same handle is under way; the child was dropped
 *   UV_ENOMEM      the handle is NULL; the child was dropped
 * Dropping it drops the child; it is as cancel safe as that. Another may then be made of the handle. */
struct edo_abortable {
    EDO_FUTURE(int);
    struct edo_future *child;
    struct edo_abortable_handle *handle;
    struct edo_waker *waker; /* the clone that is with the handle, or NULL */
};
#define edo_abortable(child, handle) edo_abortable_(&(child)->future_, (handle))

/* Behind the macro. */
struct edo_abortable edo_abortable_(struct edo_future *child, struct edo_abortable_handle *handle);

#ifdef __cplusplus
}
#endif

#endif
