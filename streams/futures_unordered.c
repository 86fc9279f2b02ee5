/* SPDX-License-Identifier: MIT */
/* Each member has a waker of its own, in its header. A wake from wherever it comes puts the member where the set
 * finds it when it is polled, and where it waits (woken.h). How it goes, and what holds it together:
 *
 *  1. A wake sets `queued`. If it was set, the member will be polled after this, and nothing is left to
 *     be done: all touch the flag by read-modify-writes, so the exchange by which the set clears it,
 *     before it polls, acquires what each of them released.
 *  2. Otherwise it puts the member in; the first one since the set began to wait wakes the task.
 *  3. Who is the last to touch a member: the set has a reference, and each clone of its waker. When a
 *     member ends, `queued` is set for good. Where it was set already the member is among the woken, or about
 *     to be put there: the set's reference is that place's then, and given up when it is taken out, or
 *     by the wake that finds it closed.
 *
 * So a wake and the poll that it leads to are four read-modify-writes: of `queued` and of the word of those that
 * were woken, on either side; and what it takes to wake the task.
 *
 * Rejected: wakers that need not be cloned (claim and finish). Between the halves a wake would have to
 * carry both a member that may go and the task's waker; two read-modify-writes for a clone cost less. */
#include "futures_unordered.h"

#include "../internal/copy.h"
#include "../internal/sys.h"
#include "woken.h"

struct edo_members_ {
    _Atomic(size_t) refs;    /* the set's, and one of each member */
    struct edo_woken_ woken; /* members */
    /* The set's alone: of every member. */
    uint32_t output_offset, output_size;
};

/* What a wake and a poll touch lies together, and beside it the frame: of many members none is in the cache. */
struct edo_member_ {
    struct edo_list node; /* the set's alone */
    struct edo_waker waker;
    struct edo_members_ *shared;
    _Atomic(uint32_t) refs; /* each clone is a pointer somewhere: they do not come to 2^32 */
    _Atomic(bool) queued;
    struct edo_inbox_node woken; /* in `woken`, then to be polled: who queued it, then the set */
    max_align_t frame[];
};
_Static_assert(sizeof(struct edo_member_) == 48,
               "a line holds the warm half and a small future's head");

static struct edo_member_ *member_of(struct edo_waker *waker)
{
    return edo_container_of(waker, struct edo_member_, waker);
}

static struct edo_member_ *member_in(struct edo_inbox_node *node)
{
    return edo_container_of(node, struct edo_member_, woken);
}

static struct edo_future *future_of(struct edo_member_ *member)
{
    return (struct edo_future *)member->frame;
}

static void *output_of(struct edo_member_ *member)
{
    return (char *)member->frame + member->shared->output_offset;
}

/* Release: its last touch, to who frees it. */
static void shared_unref(struct edo_members_ *shared)
{
    if (edo_fetch_sub(&shared->refs, 1, acq_rel) != 1)
        return;
    edo_woken_end_(&shared->woken);
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
    __builtin_prefetch(member->frame); /* it is polled soon */
    if (edo_exchange(&member->queued, true, acq_rel))
        return;
    if (!edo_woken_push_(&member->shared->woken, &member->woken))
        member_unref(member);
}

static const struct edo_waker_ops member_ops = {member_wake, member_clone, member_drop, NULL, NULL};

/* To be polled, behind the others: a row from one node to another. */
static void enqueue(struct edo_futures_unordered *self, struct edo_inbox_node *first,
                    struct edo_inbox_node *last)
{
    if (self->first == NULL)
        self->first = first;
    else
        self->last->next = first;
    self->last = last;
}

/* To be polled, before the others. */
static void put_back(struct edo_futures_unordered *self, struct edo_inbox_node *node)
{
    node->next = self->first;
    if (self->first == NULL)
        self->last = node;
    self->first = node;
}

static struct edo_member_ *dequeue(struct edo_futures_unordered *self)
{
    struct edo_inbox_node *node = self->first;
    if (node == NULL)
        return NULL;
    self->first = node->next;
    return member_in(node);
}

/* The woken ones go to those to be polled, in the order of their wakes. */
static void enqueue_woken(struct edo_futures_unordered *self, struct edo_inbox_node *stack)
{
    if (stack == NULL)
        return;
    struct edo_inbox_node *first = NULL, *last = stack;
    while (stack != NULL) {
        struct edo_inbox_node *next = stack->next;
        stack->next = first;
        first = stack;
        stack = next;
    }
    enqueue(self, first, last);
}

/* Ended: off the set. Its reference goes, or is that of the place where it is queued. */
static void retire(struct edo_futures_unordered *self, struct edo_member_ *member)
{
    edo_list_remove(&member->node);
    self->length--;
    /* Relaxed: who finds it set does nothing, and who set it before pushes the member. */
    if (!edo_exchange(&member->queued, true, relaxed))
        member_unref(member);
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
    enqueue_woken(self, edo_woken_close_(&shared->woken));
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

static void give(struct edo_futures_unordered *self, struct edo_member_ *member)
{
    edo_copy(self->stream_.item, output_of(member), self->shared->output_size);
    retire(self, member);
    edo_stream_item(&self->stream_);
}

/* What polls that give nothing need not know is not inlined into them. Of an ordered set: true when the one whose
 * output is next was done, and has given it. */
__attribute__((noinline)) static bool give_next(struct edo_futures_unordered *self)
{
    if (edo_list_empty(&self->members))
        return false;
    struct edo_member_ *member = edo_container_of(self->members.next, struct edo_member_, node);
    if (!edo_future_done(future_of(member)))
        return false;
    give(self, member);
    return true;
}

/* This one is done. True: there is an output that may be given now. */
__attribute__((noinline)) static bool give_ended(struct edo_futures_unordered *self,
                                                 struct edo_member_ *member)
{
    if (self->ordered)
        return give_next(self);
    give(self, member);
    return true;
}

static enum edo_poll poll_member(struct edo_member_ *member, struct edo_context *cx)
{
    struct edo_waker *task = cx->waker;
    cx->waker = &member->waker;
    enum edo_poll poll = edo_future_poll(future_of(member), cx);
    cx->waker = task;
    return poll;
}

__attribute__((noinline)) static enum edo_poll set_walk(struct edo_futures_unordered *self,
                                                        struct edo_context *cx)
{
    if (cx->walk == EDO_WALK_DROP) {
        drop_all(self, cx);
        return EDO_READY;
    }
    trace_all(self, cx);
    return EDO_PENDING;
}

/* One that is done was woken after its end: it goes for good, or, of an ordered set, waits for its turn. */
__attribute__((noinline)) static void pass_over(struct edo_member_ *member)
{
    if (!edo_list_linked(&member->node))
        member_unref(member);
    else
        /* Release: it is in no row any more, to who puts it into one. What was done before the wakes is not asked for. */
        edo_store(&member->queued, false, release);
}

static enum edo_poll set_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_futures_unordered *self = (struct edo_futures_unordered *)future;
    if (edo_unlikely(cx->walk != EDO_WALK_POLL))
        return set_walk(self, cx);
    if (edo_unlikely(self->length == 0))
        return edo_stream_none(&self->stream_, 0);
    if (edo_unlikely(self->ordered) && give_next(self))
        return EDO_READY;
    /* What is woken from here on is polled by the next poll, each once at most, and wakes the task. */
    struct edo_inbox_node *woken = edo_woken_take_(&self->shared->woken, cx->waker);
    struct edo_member_ *member;
    if (edo_likely(woken != NULL && woken->next == NULL && self->first == NULL)) {
        member = member_in(woken); /* one alone need not go through the row */
    } else {
        enqueue_woken(self, woken);
        member = dequeue(self);
    }
    for (; member != NULL; member = dequeue(self)) {
        if (edo_unlikely(edo_future_done(future_of(member)))) {
            pass_over(member);
            continue;
        }
        if (edo_unlikely(cx->budget == 0)) {
            put_back(self, &member->woken);
            edo_wake(cx->waker);
            return EDO_PENDING;
        }
        /* Before the poll, so that a wake during it is another one. */
        edo_exchange(&member->queued, false, acq_rel);
        if (edo_likely(poll_member(member, cx) == EDO_PENDING)) {
            if (edo_unlikely(cx->panic.name != NULL))
                return EDO_PENDING;
        } else if (give_ended(self, member)) {
            return EDO_READY;
        }
    }
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
        edo_woken_init_(&shared->woken);
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
    edo_init(&member->queued, true);
    self->shared->output_offset = (uint32_t)((const char *)output - (const char *)frame);
    self->shared->output_size = (uint32_t)output_size;
    edo_list_push_back(&self->members, &member->node);
    self->length++;
    member->woken.next = NULL;
    enqueue(self, &member->woken, &member->woken);
}
