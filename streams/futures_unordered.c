/* SPDX-License-Identifier: MIT */
/* Each member has a waker of its own, in its header. A wake from wherever it comes puts the member on
 * `woken`, which the set empties when it is polled; and the first after the set began to wait wakes the
 * task. How it goes, and what holds it together:
 *
 *  1. A wake sets `queued`. If it was set, the member will be polled after this, and nothing is left to
 *     be done: all touch the flag by read-modify-writes, so the exchange by which the set clears it,
 *     before it polls, acquires what each of them released.
 *  2. Otherwise it pushes the member on `woken`. What was there before tells the rest: a waker, that the
 *     set had nothing to poll, and has left a clone of its task's, to be woken and dropped by this wake,
 *     the only one to have taken it out; or CLOSED, that the set is gone: nothing is pushed.
 *  3. The set waits by putting its task's waker where there was nothing. Where it finds a member instead
 *     it goes on; where it finds a waker, it has not been woken, and leaves or replaces it.
 *  4. Who is the last to touch a member: the set has a reference, and each clone of its waker. When a
 *     member ends, `queued` is set for good. Where it was set already the member is on `woken`, or about
 *     to be pushed there: the set's reference is that place's then, and given up when it is taken off, or
 *     by the push that finds CLOSED.
 *
 * Rejected: wakers that need not be cloned (claim and finish). Between the halves a wake would have to
 * carry both a member that may go and the task's waker; two read-modify-writes for a clone cost less. */
#include "futures_unordered.h"

#include <string.h>

#include "../internal/sys.h"

struct edo_members_ {
    _Atomic(size_t) refs;     /* the set's, and one of each member */
    _Atomic(uintptr_t) woken; /* the last woken member; a waker, with WAITS; CLOSED; or 0 */
};

struct edo_member_ {
    struct edo_waker waker;
    struct edo_members_ *shared;
    _Atomic(size_t) refs;
    _Atomic(int) queued;
    struct edo_member_ *next; /* on `woken`, or to be polled: who queued it, then the set */
    /* The set's alone. */
    struct edo_list node;
    uint32_t output_offset, output_size;
    max_align_t frame[];
};

#define WAITS  ((uintptr_t)1) /* in the lowest bit: pointers have none there */
#define CLOSED ((uintptr_t)2)

static struct edo_member_ *member_of(struct edo_waker *waker)
{
    return edo_container_of(waker, struct edo_member_, waker);
}

static struct edo_waker *waker_in(uintptr_t word)
{
    return (word & WAITS) != 0 ? (struct edo_waker *)(word & ~WAITS) : NULL;
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
    struct edo_members_ *shared = member->shared;
    /* Acquire: CLOSED comes after the set's last touch of the member. */
    uintptr_t before = edo_load(&shared->woken, acquire);
    do {
        if (before == CLOSED) {
            member_unref(member);
            return;
        }
        member->next = waker_in(before) != NULL ? NULL : (struct edo_member_ *)before;
        /* Release: the member's next, and what was done before the wake. Acquire: what the waker points
         * to, which may be another by now, made where the one was that the load has seen. */
    } while (!edo_cas_weak(&shared->woken, &before, (uintptr_t)member, acq_rel, acquire));
    struct edo_waker *task = waker_in(before);
    if (task != NULL) {
        edo_wake(task);
        edo_waker_drop(task);
    }
}

static const struct edo_waker_ops member_ops = {member_wake, member_clone, member_drop, NULL, NULL};

/* To be polled, behind the others. */
static void enqueue(struct edo_futures_unordered *self, struct edo_member_ *member)
{
    member->next = NULL;
    *self->last = member;
    self->last = &member->next;
}

static struct edo_member_ *dequeue(struct edo_futures_unordered *self)
{
    struct edo_member_ *member = self->first;
    if (member != NULL && (self->first = member->next) == NULL)
        self->last = &self->first;
    return member;
}

/* The woken ones go to those to be polled, in the order of their wakes. A waker is left where it is,
 * unless the set is closed. */
static void take_woken(struct edo_futures_unordered *self, bool close)
{
    /* Relaxed: only to save the exchange. */
    uintptr_t word = edo_load(&self->shared->woken, relaxed);
    if ((word == 0 || waker_in(word) != NULL) && !close)
        return;
    /* Acquire: the members. Release, with CLOSED: the set's last touch of what it held. */
    word = edo_exchange(&self->shared->woken, close ? CLOSED : 0, acq_rel);
    if (waker_in(word) != NULL) {
        edo_waker_drop(waker_in(word));
        return;
    }
    struct edo_member_ *member = (struct edo_member_ *)word, *ordered = NULL;
    while (member != NULL) {
        struct edo_member_ *next = member->next;
        member->next = ordered;
        ordered = member;
        member = next;
    }
    while (ordered != NULL) {
        struct edo_member_ *next = ordered->next;
        enqueue(self, ordered);
        ordered = next;
    }
}

/* False: something was woken meanwhile. */
static bool wait(struct edo_futures_unordered *self, struct edo_waker *waker)
{
    _Atomic(uintptr_t) *woken = &self->shared->woken;
    /* Relaxed: a waker that is there was put there by the set. */
    uintptr_t word = edo_load(woken, relaxed);
    struct edo_waker *clone = NULL, *old;
    for (;;) {
        old = waker_in(word);
        if ((word != 0 && old == NULL) || old == waker)
            break;
        if (clone == NULL)
            clone = edo_waker_clone(waker);
        /* Release: what the clone points to. */
        if (edo_cas(woken, &word, (uintptr_t)clone | WAITS, release, relaxed)) {
            if (old != NULL)
                edo_waker_drop(old);
            return true;
        }
    }
    if (clone != NULL)
        edo_waker_drop(clone);
    return old == waker;
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
    take_woken(self, true);
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
    take_woken(self, false);
    while (self->first != NULL) {
        if (is_retired(self->first)) {
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
    if (!wait(self, cx->waker))
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
        edo_init(&shared->woken, (uintptr_t)0);
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
    enqueue(self, member);
}
