/* SPDX-License-Identifier: MIT */
/* The receiving side. */
#include "../internal/park.h"
#include "mpsc_internal.h"

enum { WAITING = 1 }; /* a future's state while its waker is kept */

/* A sender waits: the places that came free are handed on. */
__attribute__((noinline)) static void hand_on(struct edo_mpsc_ *channel)
{
    edo_lock(&channel->lock);
    edo_mpsc_settle(channel);
}

/* n messages were taken out of their places. */
static inline void count(struct edo_mpsc_ *channel, size_t n)
{
    if (!channel->bounded) {
        /* Nobody waits for places. Release: to edo_mpsc_len. */
        edo_store(&channel->popped, edo_load(&channel->popped, relaxed) + n * EDO_MPSC_ONE,
                  release);
        return;
    }
    /* Release: to edo_mpsc_free. */
    if (edo_fetch_add(&channel->popped, n * EDO_MPSC_ONE, release) & EDO_MPSC_WAITING)
        hand_on(channel);
}

/* Takes what there is, up to the limit; how many. */
static size_t take(struct edo_mpsc_ *channel, void *messages, size_t limit)
{
    /* Relaxed: the receiver's own count. Acquire: the messages. */
    uint64_t popped = edo_load(&channel->popped, relaxed) / EDO_MPSC_ONE;
    channel->pushed_seen = edo_load(&channel->pushed, acquire);
    uint64_t ready = channel->pushed_seen - popped;
    size_t n = ready < limit ? ready : limit, size = channel->fifo.size;
    for (size_t i = 0; i < n; i++) {
        edo_copy((char *)messages + i * size, edo_fifo_first(&channel->fifo), size);
        edo_fifo_pop(&channel->fifo);
    }
    if (n > 0)
        count(channel, n);
    return n;
}

/* Takes the one that there is. */
static inline void take_first(struct edo_mpsc_ *channel, void *message)
{
    edo_copy(message, edo_fifo_first(&channel->fifo), channel->fifo.size);
    edo_fifo_pop(&channel->fifo);
    count(channel, 1);
}

/* Takes one, if there is one. */
static inline bool take_one(struct edo_mpsc_ *channel, void *message)
{
    if (!edo_mpsc_ready(channel))
        return false;
    take_first(channel, message);
    return true;
}

/* The future is dropped: its waker must not be left behind. (Where it has received, or found the end, there is
 * none.) */
__attribute__((noinline)) static void forget(struct edo_mpsc_ *channel, struct edo_future *future)
{
    if (future->state == EDO_STATE_FRESH)
        return;
    edo_lock(&channel->lock);
    struct edo_waker *forgotten = channel->receiver;
    channel->receiver = NULL;
    edo_unlock(&channel->lock);
    if (forgotten != NULL)
        edo_waker_forget(forgotten);
}

/* As edo_budget_spent_by; here the senders know whether, and whose, a waker is kept, and it may as well not be: this
 * future is polled again soon. */
static inline bool spent(struct edo_mpsc_ *channel, struct edo_future *future,
                         struct edo_context *cx)
{
    if (!edo_budget_spent(cx))
        return false;
    forget(channel, future);
    future->state = EDO_STATE_FRESH;
    return true;
}

/* A waker was there: the future's own, from its last poll; or, if it has none yet, that of another which waits, and which
 * nobody would wake any more. */
__attribute__((noinline)) static void replaced(const struct edo_future *future,
                                               struct edo_waker *old)
{
    if (future->state == EDO_STATE_FRESH)
        edo_bug(__FILE__, __LINE__,
                "two futures wait for one mpsc receiver at the same time, or one that waited was "
                "not dropped");
    edo_waker_forget(old);
}

/* Nothing was there. Returns 0: look again; EDO_ECLOSED; or -EAGAIN: the waker is kept. */
static int wait(struct edo_mpsc_ *channel, struct edo_future *future, struct edo_waker *waker)
{
    struct edo_waker *spare = edo_waker_keep(waker);
    int result = -EAGAIN;
    edo_lock(&channel->lock);
    if (edo_mpsc_first(channel) != NULL)
        result = 0;
    else if (edo_mpsc_ended(channel))
        result = EDO_ECLOSED;
    struct edo_waker *old = channel->receiver;
    channel->receiver = result == -EAGAIN ? spare : NULL;
    edo_unlock(&channel->lock);
    if (old != NULL)
        replaced(future, old);
    future->state = result == -EAGAIN ? WAITING : EDO_STATE_FRESH;
    if (result != -EAGAIN)
        edo_waker_forget(spare);
    return result;
}

/* How many messages, 0 at the end; or -1: it waits. */
static ptrdiff_t receive(struct edo_mpsc_ *channel, struct edo_future *future, void *messages,
                         size_t limit, struct edo_context *cx)
{
    size_t n;
    while ((n = take(channel, messages, limit)) == 0) {
        int result = wait(channel, future, cx->waker);
        if (result == -EAGAIN)
            return -1;
        if (result < 0)
            break;
    }
    edo_budget_spend(cx);
    return (ptrdiff_t)n;
}

/* Nothing was there. */
__attribute__((noinline)) static enum edo_poll await_one(struct edo_mpsc_recv *self,
                                                         struct edo_context *cx)
{
    do {
        int result = wait(self->channel, &self->future_, cx->waker);
        if (result == -EAGAIN)
            return EDO_PENDING;
        self->output = result;
    } while (self->output == 0 && !take_one(self->channel, self->message));
    edo_budget_spend(cx);
    return EDO_READY;
}

/* There is one, in the next block, or of an unusual size. */
__attribute__((noinline)) static enum edo_poll receive_one(struct edo_mpsc_recv *self,
                                                           struct edo_context *cx)
{
    take_first(self->channel, self->message);
    edo_budget_spend(cx);
    return EDO_READY;
}

/* Whatever edo_mpsc_recv_poll finds in a poll. */
__attribute__((noinline)) static enum edo_poll recv_poll(struct edo_mpsc_recv *self,
                                                         struct edo_context *cx)
{
    if (spent(self->channel, &self->future_, cx))
        return EDO_PENDING;
    if (!take_one(self->channel, self->message))
        return await_one(self, cx);
    edo_budget_spend(cx);
    return EDO_READY;
}

/* The other walks. */
__attribute__((noinline)) static enum edo_poll recv_walk(struct edo_mpsc_recv *self,
                                                         struct edo_context *cx)
{
    if (cx->walk == EDO_WALK_DROP)
        forget(self->channel, &self->future_);
    return edo_walk_leaf(cx, "edo_mpsc_recv");
}

/* The usual cases first, without a call, and the rest elsewhere: it has not waited, and finds a message; or has lost
 * a SELECT as soon as it was made. */
enum edo_poll edo_mpsc_recv_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_mpsc_recv *self = (struct edo_mpsc_recv *)future;
    struct edo_mpsc_ *channel = self->channel;
    if (edo_unlikely(cx->walk != EDO_WALK_POLL)) {
        if (cx->walk == EDO_WALK_DROP && future->state == EDO_STATE_FRESH)
            return EDO_READY;
        return recv_walk(self, cx);
    }
    if (edo_unlikely(cx->budget == 0 || future->state != EDO_STATE_FRESH))
        return recv_poll(self, cx);
    if (!edo_mpsc_ready(channel))
        return await_one(self, cx);
    if (!edo_fifo_pop_usual(&channel->fifo, self->message))
        return receive_one(self, cx);
    edo_budget_spend(cx);
    count(channel, 1);
    return EDO_READY;
}

static enum edo_poll edo_mpsc_recv_many_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_mpsc_recv_many *self = (struct edo_mpsc_recv_many *)future;
    if (cx->walk == EDO_WALK_DROP)
        forget(self->channel, future);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_mpsc_recv_many");
    if (self->limit == 0)
        return EDO_READY;
    if (spent(self->channel, future, cx))
        return EDO_PENDING;
    ptrdiff_t n = receive(self->channel, future, self->messages, self->limit, cx);
    self->output = n < 0 ? 0 : (size_t)n;
    return n < 0 ? EDO_PENDING : EDO_READY;
}

struct edo_mpsc_recv_many edo_mpsc_recv_many_(struct edo_mpsc_receiver *rx, void *messages,
                                              size_t limit)
{
    return EDO_NEW_RETURNED(edo_mpsc_recv_many, .channel = (struct edo_mpsc_ *)rx,
                            .messages = messages, .limit = limit);
}

int edo_mpsc_try_recv_(struct edo_mpsc_receiver *rx, void *message)
{
    struct edo_mpsc_ *channel = (struct edo_mpsc_ *)rx;
    if (take_one(channel, message))
        return 0;
    /* The end is looked for first: a message that came before it is then found. */
    edo_lock(&channel->lock);
    bool ended = edo_mpsc_ended(channel);
    edo_unlock(&channel->lock);
    if (take_one(channel, message))
        return 0;
    return ended ? EDO_ECLOSED : -EAGAIN;
}

int edo_mpsc_blocking_recv_(struct edo_mpsc_receiver *rx, void *message)
{
    struct edo_mpsc_recv recv = edo_mpsc_recv_(rx, message);
    int error = edo_park_on(&recv.future_);
    return error < 0 ? error : recv.output;
}
