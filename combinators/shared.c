/* SPDX-License-Identifier: MIT */
/* The core: the inner future, who waits for it, and a waker that it is polled with.
 *
 * That the inner future has a waker of its own is what the rest follows from. One polled with the waker of
 * a clone's task would be left with it when that task goes. The core's lives as long as the inner future
 * does, in the same block. A wake of it marks the core `notified`, and wakes all clones that wait; the
 * first of them that is polled clears the mark, and polls the inner future. Waking but one, to be handed
 * on when that is dropped, was rejected: a clone may also be kept without being polled, borrowed by a
 * SELECT that is busy in a handler, and all others would wait for that.
 *
 * `polling` is the turn: whoever sets it, under the lock, is alone with the inner future until it clears it.
 * Whoever finds it set waits on the list. A wake meanwhile only marks; it is the one who has the turn that
 * finds the mark when it gives it back, and then wakes those who wait. So nobody waits while the core is
 * notified and the turn is free.
 *
 * The lock guards the fields below it, and who is on the list. `done` is also read without it.
 *
 * `handles` counts clones; the last one has the inner future for itself, and drops it. `refs` counts what
 * keeps the memory: the clones together, and clones and claims of the waker.
 */
#include "shared.h"

#include <string.h>

#include "../internal/sys.h"
#include "../internal/waiter.h"

struct edo_shared_core_ {
    struct edo_waker waker;
    _Atomic(uint32_t) refs, handles;
    struct edo_output_ output; /* constant */
    void (*drop)(void *);      /* constant, once there are several clones */
    struct edo_lock lock;
    struct edo_list waiters;
    atomic_bool done;
    bool polling, notified, panicked;
    struct edo_panic panic;
    _Alignas(max_align_t) char inner[];
};

/* A clone is its head, a pointer to the output, whose type we do not know, and what we know of it. */
enum { OUTPUT = sizeof(struct edo_future), REST = OUTPUT + sizeof(const void *) };

/* A clone's state: it drove the inner future when that panicked. */
enum { HAS_PANICKED = 1 };

static struct edo_shared_core_ *core_of(struct edo_waker *waker)
{
    return edo_container_of(waker, struct edo_shared_core_, waker);
}

static struct edo_future *inner_of(struct edo_shared_core_ *core)
{
    return (struct edo_future *)(void *)core->inner;
}

static void unref(struct edo_shared_core_ *core)
{
    /* Release, acquire: all that was done with it is done before it is freed. */
    if (edo_fetch_sub(&core->refs, 1, acq_rel) != 1)
        return;
    edo_lock_destroy(&core->lock);
    edo_free(core);
}

static void core_wake(struct edo_waker *waker)
{
    struct edo_shared_core_ *core = core_of(waker);
    edo_lock(&core->lock);
    core->notified = true;
    if (core->polling)
        edo_unlock(&core->lock);
    else
        edo_row_wake_all(&core->waiters, &core->lock);
}

static struct edo_waker *core_clone(struct edo_waker *waker)
{
    /* Relaxed: the caller has one, or the inner future is linked. */
    edo_fetch_add(&core_of(waker)->refs, 1, relaxed);
    EDO_COUNT(WAKERS, 1);
    return waker;
}

static void core_drop(struct edo_waker *waker)
{
    EDO_COUNT(WAKERS, -1);
    unref(core_of(waker));
}

static void core_finish(struct edo_waker *claimed)
{
    core_wake(claimed);
    core_drop(claimed);
}

/* Stable: the inner future is in the same block. The claim keeps it until the finish. */
static const struct edo_waker_ops core_waker = {core_wake, core_clone, core_drop, core_clone,
                                                core_finish};

struct edo_shared_core_ *edo_shared_new_(size_t size, struct edo_output_ output)
{
    struct edo_shared_core_ *core =
        size <= SIZE_MAX - sizeof *core ? edo_malloc(sizeof *core + size) : NULL;
    if (core == NULL)
        return NULL;
    core->waker.ops = &core_waker;
    edo_init(&core->refs, 1);
    edo_init(&core->handles, 1);
    core->output = output;
    core->drop = NULL;
    edo_lock_init(&core->lock);
    edo_list_init(&core->waiters);
    edo_init(&core->done, false);
    core->polling = core->panicked = false;
    core->notified = true; /* it has to be polled */
    return core;
}

void *edo_shared_inner_(struct edo_shared_core_ *core)
{
    return core->inner;
}

struct edo_shared_core_ *edo_shared_ref_(const struct edo_shared_ *shared)
{
    /* Relaxed: the caller has one. */
    edo_fetch_add(&shared->core->handles, 1, relaxed);
    return shared->core;
}

void edo_shared_on_drop_(struct edo_shared_ *shared, void (*function)(void))
{
    shared->core->drop = (void (*)(void *))function;
}

/* Gives the clone's handle back. */
static void release(struct edo_shared_ *self, struct edo_context *cx)
{
    struct edo_shared_core_ *core = self->core;
    self->core = NULL;
    /* Release, acquire: what was done with the inner future is done before it is dropped. */
    if (edo_fetch_sub(&core->handles, 1, acq_rel) != 1)
        return;
    /* Relaxed: seen by way of the count. */
    if (!edo_load(&core->done, relaxed))
        edo_future_drop(inner_of(core), cx);
    else if (core->drop != NULL)
        core->drop(edo_output_at_(inner_of(core), core->output));
    unref(core);
}

enum turn { MINE, NOT_YET, NOT_NEEDED };

/* Takes the turn, or waits on the list. A waker that is not NULL has been kept. */
static enum turn take_turn(struct edo_shared_ *self, struct edo_waker **waker)
{
    struct edo_shared_core_ *core = self->core;
    enum turn turn = NOT_YET;
    edo_lock(&core->lock);
    struct edo_waker *old = edo_row_leave(&self->waiter);
    /* Relaxed: written under the lock. */
    if (edo_load(&core->done, relaxed) || core->panicked) {
        turn = NOT_NEEDED;
    } else if (core->notified && !core->polling) {
        turn = MINE;
        core->polling = true;
        core->notified = false;
    } else {
        edo_row_join(&core->waiters, &self->waiter, waker);
    }
    edo_unlock(&core->lock);
    edo_waker_forget(old);
    return turn;
}

static enum edo_poll drive(struct edo_future *future, struct edo_shared_ *self,
                           struct edo_waker **waker, struct edo_context *cx)
{
    struct edo_shared_core_ *core = self->core;
    struct edo_waker *outer = cx->waker;
    cx->waker = &core->waker;
    enum edo_poll poll = edo_future_poll(inner_of(core), cx);
    cx->waker = outer;
    edo_lock(&core->lock);
    core->polling = false;
    if (cx->panic.name != NULL) {
        future->state = HAS_PANICKED;
        core->panicked = true;
        core->panic = cx->panic;
    } else if (poll == EDO_READY) {
        /* Release: the output. */
        edo_store(&core->done, true, release);
    } else if (!core->notified) {
        edo_row_join(&core->waiters, &self->waiter, waker);
        edo_unlock(&core->lock);
        return EDO_PENDING;
    }
    edo_row_wake_all(&core->waiters, &core->lock);
    if (poll == EDO_PENDING && cx->panic.name == NULL)
        edo_wake(outer);
    /* One that ended in a panic is ready for nobody. */
    return cx->panic.name != NULL ? EDO_PENDING : poll;
}

/* The chain goes on into the inner future, unless somebody else is at it. */
static void trace(struct edo_future *future, struct edo_shared_ *self, struct edo_context *cx)
{
    struct edo_shared_core_ *core = self->core;
    edo_trace(cx, "edo_shared", NULL, 0);
    edo_lock(&core->lock);
    bool mine = !core->polling &&
                (core->panicked ? future->state == HAS_PANICKED : !edo_load(&core->done, relaxed));
    if (mine)
        core->polling = true;
    edo_unlock(&core->lock);
    if (!mine)
        return;
    cx->depth++;
    edo_future_trace(inner_of(core), cx);
    cx->depth--;
    edo_lock(&core->lock);
    core->polling = false;
    if (core->notified)
        edo_row_wake_all(&core->waiters, &core->lock);
    else
        edo_unlock(&core->lock);
}

enum edo_poll edo_shared_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_shared_ *self = (struct edo_shared_ *)(void *)((char *)future + REST);
    struct edo_shared_core_ *core = self->core;
    if (cx->walk == EDO_WALK_TRACE) {
        trace(future, self, cx);
        return EDO_PENDING;
    }
    if (cx->walk == EDO_WALK_DROP) {
        edo_waiter_drop(&self->waiter, &core->lock);
        if (future->state == HAS_PANICKED)
            edo_future_drop(inner_of(core), cx);
        release(self, cx);
        return EDO_READY;
    }
    /* Somebody else's: of a FINALLY that the frame above ran before it came here. It must not be taken for
     * the inner future's. */
    if (cx->panic.name != NULL)
        return EDO_PENDING;
    /* Acquire: the output. One that has entered may still be on the list. */
    if (self->waiter.waker != NULL || !edo_load(&core->done, acquire)) {
        struct edo_waker *spare = edo_waker_keep(cx->waker);
        enum turn turn = take_turn(self, &spare);
        enum edo_poll poll = turn == NOT_NEEDED ? EDO_READY : EDO_PENDING;
        if (turn == MINE)
            poll = drive(future, self, &spare, cx);
        edo_waker_forget(spare);
        if (turn == NOT_NEEDED && core->panicked)
            return edo_panic(cx, core->panic.name, core->panic.file, core->panic.line, "%s",
                             core->panic.message);
        if (poll == EDO_PENDING)
            return EDO_PENDING;
    }
    const void *output = edo_output_at_(inner_of(core), core->output);
    memcpy((char *)future + OUTPUT, &output, sizeof output);
    return EDO_READY;
}

void edo_shared_drop_(struct edo_future *future, struct edo_shared_ *shared, struct edo_context *cx)
{
    edo_future_drop(future, cx);
    if (shared->core != NULL)
        release(shared, cx);
}
