/* SPDX-License-Identifier: MIT */
/* Each member has a waker of its own, in its header. A wake from wherever it comes puts the member into an inbox
 * (internal/inbox.h), which the set empties when it is polled, and where it waits. How it goes, and what holds it
 * together:
 *
 *  1. A wake sets `queued`. If it was set, the member will be polled after this, and nothing is left to
 *     be done: all touch the flag by read-modify-writes, so the exchange by which the set clears it,
 *     before it polls, acquires what each of them released.
 *  2. Otherwise it puts the member in; the first one since the set began to wait wakes the task.
 *  3. Who is the last to touch a member: the set has a reference, and each clone of its waker. When a
 *     member ends, `queued` is set for good. Where it was set already the member is in the inbox, or about
 *     to be put there: the set's reference is that place's then, and given up when it is taken out, or
 *     by the wake that finds the inbox closed.
 *
 * Rejected: wakers that need not be cloned (claim and finish). Between the halves a wake would have to
 * carry both a member that may go and the task's waker; two read-modify-writes for a clone cost less. */
#include "futures_unordered.h"

#include <string.h>

#include "../internal/inbox.h"
#include "../internal/sys.h"

struct edo_members_ {
    _Atomic(size_t) refs;   /* the set's, and one of each member */
    struct edo_inbox woken; /* members */
};

struct edo_member_ {
    struct edo_waker waker;
    struct edo_members_ *shared;
    _Atomic(size_t) refs;
    _Atomic(int) queued;
    struct edo_inbox_node inbox; /* in `woken`, then to be polled: who queued it, then the set */
    /* The set's alone. */
    struct edo_list node;
    uint32_t output_offset, output_size;
    max_align_t frame[];
};

static struct edo_member_ *member_of(struct edo_waker *waker)
{
    return edo_container_of(waker, struct edo_member_, waker);
}

static struct edo_member_ *member_in(struct edo_inbox_node *node)
{
    return edo_container_of(node, struct edo_member_, inbox);
}

static struct edo_future *future_of(struct edo_member_ *member)
{
    return (struct edo_future *)member->frame;
}

static void *output_of(struct edo_member_ *member)
{
    return (char *)member->frame + member->output_offset;
}

/* Release: its last touch, to who frees it. */
static void shared_unref(struct edo_members_ *shared)
{
    if (edo_fetch_sub(&shared->refs, 1, acq_rel) == 1)
        edo_free(shared);
}

static void member_unref(struct edo_member_ *member)
{
    if (edo_fetch_sub(&member->refs, 1, acq_rel) != 1)
        return;
    shared_unref(member->shared);
    edo_free(member);
}

static struct edo_waker *member_clone(struct edo_waker *waker)
{
    /* Relaxed: who clones has it. */
    edo_fetch_add(&member_of(waker)->refs, 1, relaxed);
    EDO_COUNT(WAKERS, 1);
    return waker;
}

static void member_drop(struct edo_waker *waker)
{
    EDO_COUNT(WAKERS, -1);
    member_unref(member_of(waker));
}

static void member_wake(struct edo_waker *waker)
{
    struct edo_member_ *member = member_of(waker);
    if (edo_exchange(&member->queued, 1, acq_rel) != 0)
        return;
    if (!edo_inbox_push(&member->shared->woken, &member->inbox))
        member_unref(member);
}

static const struct edo_waker_ops member_ops = {member_wake, member_clone, member_drop, NULL, NULL};

/* To be polled, behind the others. */
static void enqueue(struct edo_futures_unordered *self, struct edo_inbox_node *node)
{
    node->next = NULL;
    *self->last = node;
    self->last = &node->next;
}

static struct edo_member_ *dequeue(struct edo_futures_unordered *self)
{
    struct edo_inbox_node *node = self->first;
    if (node == NULL)
        return NULL;
    if ((self->first = node->next) == NULL)
        self->last = &self->first;
    return member_in(node);
}

/* The woken ones go to those to be polled, in the order of their wakes. */
static void enqueue_woken(struct edo_futures_unordered *self, struct edo_inbox_node *woken)
{
    while (woken != NULL) {
        struct edo_inbox_node *next = woken->next;
        enqueue(self, woken);
        woken = next;
    }
}

/* Ended: off the set. Its reference goes, or is that of the place where it is queued. */
static void retire(struct edo_futures_unordered *self, struct edo_member_ *member)
{
    edo_list_remove(&member->node);
    self->length--;
    /* Relaxed: who finds it set does nothing, and who set it before pushes the member. */
    if (edo_exchange(&member->queued, 1, relaxed) == 0)
        member_unref(member);
}

static bool is_retired(const struct edo_member_ *member)
{
    return !edo_list_linked(&member->node);
}

/* Everything goes: what members are left, outputs that wait for their turn, what is queued, the task's
 * waker. */
static void drop_all(struct edo_futures_unordered *self, struct edo_context *cx)
{
    struct edo_members_ *shared = self->shared;
    if (shared == NULL)
        return;
    while (!edo_list_empty(&self->members)) {
        struct edo_member_ *member = edo_container_of(self->members.next, struct edo_member_, node);
        if (edo_future_done(future_of(member)))
            edo_stream_discard_(&self->stream_, output_of(member));
        edo_future_drop(future_of(member), cx);
        retire(self, member);
    }
    struct edo_waker *waiting;
    enqueue_woken(self, edo_inbox_close(&shared->woken, &waiting));
    if (waiting != NULL)
        edo_waker_drop(waiting);
    struct edo_member_ *member;
    while ((member = dequeue(self)) != NULL)
        member_unref(member);
    shared_unref(shared);
    self->shared = NULL;
}

static void trace_all(struct edo_futures_unordered *self, struct edo_context *cx)
{
    edo_trace(cx, self->ordered ? "edo_futures_ordered" : "edo_futures_unordered", NULL, 0);
    cx->depth++;
    if (self->shared != NULL)
        for (struct edo_list *at = self->members.next; at != &self->members; at = at->next)
            edo_future_trace(future_of(edo_container_of(at, struct edo_member_, node)), cx);
    cx->depth--;
}

static enum edo_poll give(struct edo_futures_unordered *self, struct edo_member_ *member)
{
    memcpy(self->stream_.item, output_of(member), member->output_size);
    retire(self, member);
    return edo_stream_item(&self->stream_);
}

/* Of an ordered set: the one whose output is next, when it is done. */
static struct edo_member_ *next_in_order(struct edo_futures_unordered *self)
{
    if (!self->ordered || edo_list_empty(&self->members))
        return NULL;
    struct edo_member_ *member = edo_container_of(self->members.next, struct edo_member_, node);
    return edo_future_done(future_of(member)) ? member : NULL;
}

static enum edo_poll poll_member(struct edo_member_ *member, struct edo_context *cx)
{
    struct edo_waker *task = cx->waker;
    cx->waker = &member->waker;
    enum edo_poll poll = edo_future_poll(future_of(member), cx);
    cx->waker = task;
    return poll;
}

static enum edo_poll set_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_futures_unordered *self = (struct edo_futures_unordered *)future;
    if (cx->walk == EDO_WALK_DROP) {
        drop_all(self, cx);
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_TRACE) {
        trace_all(self, cx);
        return EDO_PENDING;
    }
    if (self->length == 0)
        return edo_stream_none(&self->stream_, 0);
    struct edo_member_ *member = next_in_order(self);
    if (member != NULL)
        return give(self, member);
    /* What is woken from here on is polled by the next poll: each once at most. */
    enqueue_woken(self, edo_inbox_take(&self->shared->woken));
    while (self->first != NULL) {
        if (is_retired(member_in(self->first))) {
            member_unref(dequeue(self));
            continue;
        }
        if (cx->budget == 0) {
            edo_wake(cx->waker);
            return EDO_PENDING;
        }
        member = dequeue(self);
        /* Before the poll, so that a wake during it is another one. */
        edo_exchange(&member->queued, 0, acq_rel);
        if (edo_future_done(future_of(member)))
            continue; /* of an ordered set, woken after its end */
        if (poll_member(member, cx) == EDO_PENDING) {
            if (cx->panic.name != NULL)
                return EDO_PENDING;
            continue;
        }
        if (!self->ordered)
            return give(self, member);
        if ((member = next_in_order(self)) != NULL)
            return give(self, member);
    }
    if (!edo_inbox_wait(&self->shared->woken, cx->waker))
        edo_wake(cx->waker);
    return EDO_PENDING;
}

static struct edo_size_hint set_size_hint(const struct edo_stream *stream)
{
    size_t length = ((const struct edo_futures_unordered *)stream)->length;
    return (struct edo_size_hint){length, length};
}

struct edo_stream *edo_futures_stream_(struct edo_futures_unordered *self, bool ordered)
{
    if (self->stream_.future_.poll == NULL || edo_future_done(&self->stream_.future_)) {
        self->stream_ = edo_stream_head_(set_poll, set_size_hint, &self->stream_);
        edo_list_init(&self->members);
        self->last = &self->first;
    }
    self->ordered = ordered;
    return &self->stream_;
}

void *edo_member_alloc_(struct edo_futures_unordered *self, bool ordered, size_t size)
{
    edo_futures_stream_(self, ordered);
    if (self->shared == NULL) {
        struct edo_members_ *shared = edo_malloc(sizeof *shared);
        if (shared == NULL)
            return NULL;
        edo_init(&shared->refs, 1);
        edo_inbox_init(&shared->woken);
        self->shared = shared;
    }
    struct edo_member_ *member = size <= UINT32_MAX ? edo_malloc(sizeof *member + size) : NULL;
    return member != NULL ? member->frame : NULL;
}

void edo_member_free_(void *frame)
{
    if (frame != NULL)
        edo_free(edo_container_of(frame, struct edo_member_, frame));
}

void edo_member_add_(struct edo_futures_unordered *self, void *frame, const void *output,
                     size_t output_size)
{
    struct edo_member_ *member = edo_container_of(frame, struct edo_member_, frame);
    member->waker.ops = &member_ops;
    member->shared = self->shared;
    edo_fetch_add(&self->shared->refs, 1, relaxed);
    edo_init(&member->refs, 1);
    edo_init(&member->queued, 1);
    member->node = (struct edo_list){NULL, NULL};
    member->output_offset = (uint32_t)((const char *)output - (const char *)frame);
    member->output_size = (uint32_t)output_size;
    edo_list_push_back(&self->members, &member->node);
    self->length++;
    enqueue(self, &member->inbox);
}
