/* SPDX-License-Identifier: MIT */
/* The word counts, without the lock, but for the step that ends a wait: from closed with one to closed
 * with none, which is made under it, as is closing. A wait looks under it too. So whoever ends a wait
 * lets the lock go before the wait can end, and the tracker with it. (Tokio's word, and a lock more.)
 *
 * Release when something is tracked no more, acquire by the wait: it sees what the tracked have written.
 */
#include "task_tracker.h"

#include <string.h>

#include "../internal/sys.h"
#include "../internal/waiter.h"

enum { CLOSED = 1, ONE = 2 };

static _Atomic(uint64_t) *word_of(const struct edo_task_tracker *tracker)
{
    return (_Atomic(uint64_t) *)(uintptr_t)&tracker->word_;
}

void edo_task_tracker_init(struct edo_task_tracker *tracker)
{
    edo_init(word_of(tracker), 0);
    edo_lock_init(&tracker->lock_);
    edo_list_init(&tracker->waiters_);
}

void edo_task_tracker_destroy(struct edo_task_tracker *tracker)
{
    edo_assert(edo_task_tracker_is_empty(tracker) && edo_list_empty(&tracker->waiters_));
    edo_lock_destroy(&tracker->lock_);
}

bool edo_task_tracker_close(struct edo_task_tracker *tracker)
{
    edo_lock(&tracker->lock_);
    /* Relaxed: who waits acquires what was released into the word before. */
    uint64_t old = edo_fetch_or(word_of(tracker), CLOSED, relaxed);
    if (old == 0)
        edo_row_wake_all(&tracker->waiters_, &tracker->lock_);
    else
        edo_unlock(&tracker->lock_);
    return (old & CLOSED) == 0;
}

bool edo_task_tracker_reopen(struct edo_task_tracker *tracker)
{
    edo_lock(&tracker->lock_);
    uint64_t old = edo_fetch_and(word_of(tracker), ~(uint64_t)CLOSED, relaxed);
    edo_unlock(&tracker->lock_);
    return (old & CLOSED) != 0;
}

bool edo_task_tracker_is_closed(const struct edo_task_tracker *tracker)
{
    return (edo_load(word_of(tracker), relaxed) & CLOSED) != 0;
}

size_t edo_task_tracker_len(const struct edo_task_tracker *tracker)
{
    /* Acquire: who finds none sees what they have written. */
    return edo_load(word_of(tracker), acquire) / ONE;
}

bool edo_task_tracker_is_empty(const struct edo_task_tracker *tracker)
{
    return edo_task_tracker_len(tracker) == 0;
}

struct edo_task_tracker_token edo_task_tracker_token(struct edo_task_tracker *tracker)
{
    /* Relaxed: nobody is told of it. */
    edo_fetch_add(word_of(tracker), ONE, relaxed);
    return (struct edo_task_tracker_token){tracker};
}

void edo_task_tracker_token_drop(struct edo_task_tracker_token *token)
{
    struct edo_task_tracker *tracker = token->tracker;
    token->tracker = NULL;
    if (tracker == NULL)
        return;
    _Atomic(uint64_t) *word = word_of(tracker);
    uint64_t old = edo_load(word, relaxed);
    while (old != (ONE | CLOSED))
        if (edo_cas_weak(word, &old, old - ONE, release, relaxed))
            return;
    edo_lock(&tracker->lock_);
    /* Others may have come meanwhile, or it was reopened. */
    if (edo_fetch_sub(word, ONE, release) == (ONE | CLOSED))
        edo_row_wake_all(&tracker->waiters_, &tracker->lock_);
    else
        edo_unlock(&tracker->lock_);
}

static enum edo_poll edo_task_tracker_wait_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_task_tracker_wait *self = (struct edo_task_tracker_wait *)future;
    struct edo_task_tracker *tracker = self->tracker;
    if (cx->walk == EDO_WALK_DROP)
        edo_waiter_drop(&self->waiter, &tracker->lock_);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_task_tracker_wait");
    struct edo_waker *spare = edo_waker_spare(self->waiter.waker, cx->waker);
    edo_lock(&tracker->lock_);
    /* Acquire: see above. One that has been taken off the row was through, whatever came later. */
    bool is_over = edo_load(word_of(tracker), acquire) == CLOSED;
    bool ready = self->waiter.waker != NULL ? !edo_waiter_linked(&self->waiter) : is_over;
    if (!ready)
        edo_row_join(&tracker->waiters_, &self->waiter, &spare);
    edo_unlock(&tracker->lock_);
    edo_waker_forget(spare);
    return ready ? EDO_READY : EDO_PENDING;
}

struct edo_task_tracker_wait edo_task_tracker_wait(struct edo_task_tracker *tracker)
{
    return EDO_NEW_RETURNED(edo_task_tracker_wait, .tracker = tracker);
}

/* A child that is tracked. */
static enum edo_poll walk_tracked(struct edo_future *child, struct edo_task_tracker_token *token,
                                  struct edo_context *cx, const char *name)
{
    if (cx->walk == EDO_WALK_TRACE) {
        edo_trace(cx, name, NULL, 0);
        cx->depth++;
        edo_future_trace(child, cx);
        cx->depth--;
        return EDO_PENDING;
    }
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(child, cx);
    else if (!edo_future_done(child) && edo_future_poll(child, cx) == EDO_PENDING)
        return EDO_PENDING;
    edo_task_tracker_token_drop(token);
    return EDO_READY;
}

static enum edo_poll edo_track_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_track *self = (struct edo_track *)future;
    return walk_tracked(self->child, &self->token, cx, "edo_track");
}

struct edo_track edo_track_(struct edo_task_tracker *tracker, struct edo_future *child)
{
    return EDO_NEW_RETURNED(edo_track, .child = child, .token = edo_task_tracker_token(tracker));
}

static enum edo_poll tracked_poll(struct edo_future *future, struct edo_context *cx)
{
    char *self = (char *)future;
    /* Its parts cannot be found any more; a poll is being reported. */
    if (future->state == EDO_STATE_DONE)
        return edo_walk_leaf(cx, "edo_tracked");
    struct edo_tracked_ *core = (struct edo_tracked_ *)(void *)(self + future->state);
    enum edo_poll poll = walk_tracked((struct edo_future *)(void *)(self + core->child),
                                      &core->token, cx, "edo_tracked");
    if (poll == EDO_READY && cx->walk == EDO_WALK_POLL)
        memcpy(self + core->output, self + core->child_output, core->size);
    return poll;
}

void edo_tracked_init_(struct edo_future *tracked, struct edo_task_tracker *tracker,
                       struct edo_tracked_ *core, struct edo_future *child, void *output,
                       const void *child_output, size_t size)
{
    char *self = (char *)tracked;
    memset(output, 0, size);
    *tracked = (struct edo_future){.poll = tracked_poll, .state = (uint32_t)((char *)core - self)};
    *core = (struct edo_tracked_){
        .token = edo_task_tracker_token(tracker),
        .size = size,
        .output = (uint32_t)((char *)output - self),
        .child_output = (uint32_t)((const char *)child_output - self),
        .child = (uint32_t)((char *)child - self),
    };
}
