/* SPDX-License-Identifier: MIT */
/* The handle's state word:
 *
 * bit      meaning                              set by                      cleared by
 * ABORTED  for good                             edo_abortable_handle_abort  never
 * TAKEN    a future of the handle is under way  the future's first poll     its end
 * WAKER    `waker` holds a clone                the future, while TAKEN     the future
 *
 * Who owns the clone: the future, until ABORTED is set. The one that sets it, and finds WAKER set, owns it
 * from then on, wakes and drops it. So a future that clears WAKER and finds ABORTED beside it has nothing
 * to drop; and one that sets WAKER and finds ABORTED set already keeps the clone, for then nobody looked.
 *
 * The waker is cloned, stable or not: it is woken after the bit was set, when the future may be gone.
 */
#include "abortable.h"

#include "../internal/sys.h"
#include "child.h"

enum { ABORTED = 1, TAKEN = 2, WAKER = 4 };
/* A future's state. */
enum { HAS_TAKEN = 1, HAS_ENDED = 2 };

struct edo_abortable_handle {
    _Atomic(uint32_t) refs;
    _Atomic(uint32_t) state;
    struct edo_waker *waker; /* written by the future that has TAKEN it, while WAKER is clear */
};

_Static_assert(sizeof(struct edo_abortable_handle) == 2 * sizeof(void *) || sizeof(void *) != 8,
               "abortable.h says 16 bytes");

struct edo_abortable_handle *edo_abortable_handle_new(void)
{
    struct edo_abortable_handle *handle = edo_malloc(sizeof *handle);
    if (handle == NULL)
        return NULL;
    edo_init(&handle->refs, 1);
    edo_init(&handle->state, 0);
    handle->waker = NULL;
    return handle;
}

struct edo_abortable_handle *edo_abortable_handle_clone(struct edo_abortable_handle *handle)
{
    /* Relaxed: the caller has one. */
    if (handle != NULL)
        edo_fetch_add(&handle->refs, 1, relaxed);
    return handle;
}

void edo_abortable_handle_drop(struct edo_abortable_handle *handle)
{
    /* Release, acquire: all that was done with it is done before it is freed. */
    if (handle != NULL && edo_fetch_sub(&handle->refs, 1, acq_rel) == 1)
        edo_free(handle);
}

void edo_abortable_handle_abort(struct edo_abortable_handle *handle)
{
    if (handle == NULL)
        return;
    /* Acquire: the waker, of `leave_waker`. Release: what was written before the abort, to whoever finds
     * ABORTED. */
    uint32_t old = edo_fetch_or(&handle->state, ABORTED, acq_rel);
    if ((old & (ABORTED | WAKER)) != WAKER)
        return;
    edo_wake(handle->waker);
    edo_waker_drop(handle->waker);
}

bool edo_abortable_handle_is_aborted(const struct edo_abortable_handle *handle)
{
    /* Acquire: what was written before the abort. */
    return edo_load((_Atomic(uint32_t) *)(uintptr_t)&handle->state, acquire) & ABORTED;
}

/* Takes the clone back, if there is one with the handle, and clears these bits. True: aborted. */
static bool clear(struct edo_abortable *self, uint32_t bits)
{
    /* Release: `waker`, to the next future. Acquire: what was written before an abort. */
    uint32_t old = edo_fetch_and(&self->handle->state, ~bits, acq_rel);
    if (self->waker != NULL && !(old & ABORTED))
        edo_waker_drop(self->waker);
    self->waker = NULL;
    return old & ABORTED;
}

/* Has the abort wake this waker. True: it has come already. */
static bool leave_waker(struct edo_abortable *self, struct edo_waker *waker)
{
    struct edo_abortable_handle *handle = self->handle;
    if (self->waker != NULL && edo_will_wake(self->waker, waker))
        return false; /* the next poll looks */
    if (self->waker != NULL && clear(self, WAKER))
        return true;
    handle->waker = edo_waker_clone(waker);
    /* Release: the waker, to the abort. What was written before that is acquired by `clear`. */
    if (edo_fetch_or(&handle->state, WAKER, release) & ABORTED) {
        edo_waker_drop(handle->waker);
        return true;
    }
    self->waker = handle->waker;
    return false;
}

/* The first poll. 0, or why the child is not to be polled at all. */
static int begin(struct edo_abortable *self)
{
    if (self->handle == NULL)
        return -ENOMEM;
    /* Acquire: what was written before an abort; and that the last future to have it is done with
     * `waker`. */
    uint32_t old = edo_fetch_or(&self->handle->state, TAKEN, acquire);
    if (!(old & TAKEN))
        self->future_.state = HAS_TAKEN;
    return old & ABORTED ? -ECANCELED : old & TAKEN ? -EBUSY : 0;
}

static void end(struct edo_abortable *self)
{
    if (self->future_.state == HAS_TAKEN)
        clear(self, TAKEN | WAKER);
    self->future_.state = HAS_ENDED;
}

static enum edo_poll edo_abortable_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_abortable *self = (struct edo_abortable *)future;
    if (cx->walk == EDO_WALK_DROP)
        end(self);
    if (cx->walk != EDO_WALK_POLL)
        return edo_child_walk_(self->child, cx, "edo_abortable");
    int error = 0;
    if (future->state == EDO_STATE_FRESH)
        error = begin(self);
    else if (edo_abortable_handle_is_aborted(self->handle))
        error = -ECANCELED;
    if (error == 0) {
        enum edo_poll poll = edo_child_poll_(self->child, cx);
        if (poll == EDO_PENDING && (cx->panic.name != NULL || !leave_waker(self, cx->waker)))
            return EDO_PENDING;
        if (poll == EDO_PENDING)
            error = -ECANCELED;
    }
    end(self);
    edo_future_drop(self->child, cx);
    self->output = error;
    return cx->panic.name == NULL ? EDO_READY : EDO_PENDING;
}

struct edo_abortable edo_abortable_(struct edo_future *child, struct edo_abortable_handle *handle)
{
    return EDO_NEW_RETURNED(edo_abortable, .child = child, .handle = handle);
}
