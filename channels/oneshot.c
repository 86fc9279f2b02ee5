/* SPDX-License-Identifier: MIT */
/* The channel is the sender's and the receiver's together, and freed by whoever goes last. How they tell
 * each other, and wake each other, is told in oneshot_state.h. */
#include "oneshot.h"

#include "../internal/blocks.h"
#include "../internal/copy.h"
#include "../internal/park.h"
#include "../internal/waiter.h"
#include "oneshot_state.h"

/* A future's state while its waker is kept. */
enum { STABLE = 1, CLONED = 2 };

/* A message up to that size has as much room: those channels are of one size, which the compiler knows. */
enum { SMALL = 16 };

struct edo_oneshot_ {
    edo_oneshot_state state;
    size_t size;                           /* constant */
    void (*drop)(void *);                  /* constant */
    struct edo_waker *sending, *receiving; /* each written by its side while it does not WAIT */
    /* Written by the sender before it is done; the receiver's then. */
    _Alignas(max_align_t) char message[];
};

/* It and two others are `inline` for who links with optimisation across files: what a message costs is little more than
 * these calls. */
inline struct edo_oneshot_ *edo_oneshot_new_(size_t size, void (*drop)(void *))
{
    struct edo_oneshot_ *channel =
        edo_block_new(sizeof *channel + (edo_likely(size <= SMALL) ? SMALL : size));
    if (edo_unlikely(channel == NULL))
        return NULL;
    edo_init(&channel->state, 0);
    channel->size = size;
    channel->drop = drop;
    return channel;
}

static inline void channel_free(struct edo_oneshot_ *channel)
{
    if (edo_likely(channel->size <= SMALL))
        edo_block_free(channel, sizeof *channel + SMALL);
    else
        edo_block_free(channel, sizeof *channel + channel->size);
}

static struct edo_waker **kept(struct edo_oneshot_ *channel, enum edo_oneshot_side side)
{
    return side == EDO_ONESHOT_TX ? &channel->sending : &channel->receiving;
}

/* The other side is done, and the waker of this one still WAITS. Returns the word as it was before this
 * was over. */
__attribute__((noinline)) static uint32_t wake(struct edo_oneshot_ *channel,
                                               enum edo_oneshot_side side, uint32_t gone)
{
    struct edo_waker *waker = *kept(channel, side);
    struct edo_waker *claimed = edo_waker_claim(waker);
    uint32_t old = edo_oneshot_state_claimed(&channel->state, side, gone);
    edo_waker_finish(claimed);
    if (old & EDO_ONESHOT_LEFT << side)
        edo_waker_drop(waker);
    return old;
}

/* Afterwards nobody touches the future's waker any more, but by a clone. False: the other side is done. */
static bool leave(struct edo_oneshot_ *channel, enum edo_oneshot_side side,
                  struct edo_future *future)
{
    uint32_t state = future->state;
    if (state == EDO_STATE_FRESH)
        return true;
    future->state = EDO_STATE_FRESH;
    struct edo_waker *waker = *kept(channel, side);
    if (edo_oneshot_state_retract(&channel->state, side)) {
        edo_waker_forget(waker);
        return true;
    }
    /* A clone went over to the other side when that was done. */
    if (state == STABLE && edo_oneshot_state_look(&channel->state) & EDO_ONESHOT_WAITS << side) {
        edo_waker_clone(waker);
        if (!edo_oneshot_state_leave(&channel->state, side))
            edo_waker_drop(waker);
    }
    return false;
}

/* Leaves the waker where the other side finds it. False: that is done. */
static bool wait(struct edo_oneshot_ *channel, enum edo_oneshot_side side,
                 struct edo_future *future, struct edo_waker *waker)
{
    if (future->state != EDO_STATE_FRESH && edo_will_wake(*kept(channel, side), waker))
        return true;
    if (!leave(channel, side, future))
        return false;
    struct edo_waker *keeps = edo_waker_keep(waker);
    *kept(channel, side) = keeps;
    if (!edo_oneshot_state_wait(&channel->state, side)) {
        edo_waker_forget(keeps);
        return false;
    }
    future->state = waker->ops->claim != NULL ? STABLE : CLONED;
    return true;
}

static bool spent(struct edo_oneshot_ *channel, enum edo_oneshot_side side,
                  const struct edo_future *future, struct edo_context *cx)
{
    return edo_budget_spent_by(cx, future->state != EDO_STATE_FRESH ? *kept(channel, side) : NULL);
}

/* What the sender found that is no way to end. Of a channel that is still there because its receiver is. */
__attribute__((cold, noinline)) static void check_end(uint32_t old)
{
    if (old & EDO_ONESHOT_TX_DONE)
        edo_bug(__FILE__, __LINE__, "a oneshot sender is used that was given up by send or drop");
    /* With the receiver done, it may not know yet that it is ready. */
    if (!(old & EDO_ONESHOT_RX_DONE))
        edo_bug(__FILE__, __LINE__,
                "a oneshot sender is given up while an edo_oneshot_closed of it waits");
}

/* The sender is done: with or without the message in its place. Returns whether that is wanted. */
__attribute__((noinline)) static bool finish(struct edo_oneshot_ *channel, uint32_t sent)
{
    uint32_t old = edo_oneshot_state_finish(&channel->state, sent);
    if (edo_unlikely(old & (EDO_ONESHOT_TX_DONE | EDO_ONESHOT_TX_WAITS)))
        check_end(old);
    bool gone = old & EDO_ONESHOT_RX_GONE;
    if (old & EDO_ONESHOT_RX_WAITS)
        gone = wake(channel, EDO_ONESHOT_RX, EDO_ONESHOT_TX_GONE) & EDO_ONESHOT_RX_GONE;
    if (gone)
        channel_free(channel);
    return !(old & EDO_ONESHOT_RX_DONE);
}

/* The usual case first, and the rest elsewhere: the receiver does not wait yet. */
inline int edo_oneshot_send_(struct edo_oneshot_sender *tx, const void *message)
{
    struct edo_oneshot_ *channel = (struct edo_oneshot_ *)tx;
    edo_copy(channel->message, message, channel->size);
    return edo_likely(edo_oneshot_state_finish_first(&channel->state, EDO_ONESHOT_SENT)) ||
                   finish(channel, EDO_ONESHOT_SENT)
               ? 0
               : EDO_ECLOSED;
}

void edo_oneshot_sender_drop_(struct edo_oneshot_sender *tx)
{
    if (tx != NULL)
        finish((struct edo_oneshot_ *)tx, 0);
}

bool edo_oneshot_is_closed_(struct edo_oneshot_sender *tx)
{
    struct edo_oneshot_ *channel = (struct edo_oneshot_ *)tx;
    return edo_oneshot_state_look(&channel->state) & EDO_ONESHOT_RX_DONE;
}

static enum edo_poll edo_oneshot_closed_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_oneshot_ *channel = ((struct edo_oneshot_closed *)future)->channel;
    if (cx->walk == EDO_WALK_DROP)
        leave(channel, EDO_ONESHOT_TX, future);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_oneshot_closed");
    if (spent(channel, EDO_ONESHOT_TX, future, cx))
        return EDO_PENDING;
    if (!(edo_oneshot_state_look(&channel->state) & EDO_ONESHOT_RX_DONE) &&
        wait(channel, EDO_ONESHOT_TX, future, cx->waker))
        return EDO_PENDING;
    leave(channel, EDO_ONESHOT_TX, future);
    edo_budget_spend(cx);
    return EDO_READY;
}

struct edo_oneshot_closed edo_oneshot_closed_(struct edo_oneshot_sender *tx)
{
    return EDO_NEW_RETURNED(edo_oneshot_closed, .channel = (struct edo_oneshot_ *)tx);
}

static inline int try_recv(struct edo_oneshot_ *channel, void *message)
{
    uint32_t now = edo_oneshot_state_look(&channel->state);
    if (!(now & (EDO_ONESHOT_TX_DONE | EDO_ONESHOT_RX_DONE)))
        return -EAGAIN;
    if (!edo_oneshot_state_full(now))
        return EDO_ECLOSED;
    edo_copy(message, channel->message, channel->size);
    edo_oneshot_state_receive(&channel->state, now);
    return 0;
}

int edo_oneshot_try_recv_(struct edo_oneshot_receiver *rx, void *message)
{
    return try_recv((struct edo_oneshot_ *)rx, message);
}

/* Whatever edo_oneshot_recv_poll finds. */
__attribute__((noinline)) static enum edo_poll recv_poll(struct edo_future *future,
                                                         struct edo_context *cx)
{
    struct edo_oneshot_recv *self = (struct edo_oneshot_recv *)future;
    if (cx->walk == EDO_WALK_DROP)
        leave(self->channel, EDO_ONESHOT_RX, future);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_oneshot_recv");
    if (spent(self->channel, EDO_ONESHOT_RX, future, cx))
        return EDO_PENDING;
    while ((self->output = try_recv(self->channel, self->message)) == -EAGAIN)
        if (wait(self->channel, EDO_ONESHOT_RX, future, cx->waker))
            return EDO_PENDING;
    leave(self->channel, EDO_ONESHOT_RX, future);
    edo_budget_spend(cx);
    return EDO_READY;
}

/* The usual case first, without a call, and the rest elsewhere: it has not waited, and finds the message. */
enum edo_poll edo_oneshot_recv_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_oneshot_recv *self = (struct edo_oneshot_recv *)future;
    struct edo_oneshot_ *channel = self->channel;
    if (edo_unlikely(cx->walk != EDO_WALK_POLL || cx->budget == 0 ||
                     future->state != EDO_STATE_FRESH))
        return recv_poll(future, cx);
    uint32_t now = edo_oneshot_state_look(&channel->state);
    if (!edo_oneshot_state_full(now) ||
        !edo_copy_usual(self->message, channel->message, channel->size))
        return recv_poll(future, cx);
    edo_oneshot_state_receive(&channel->state, now);
    edo_budget_spend(cx);
    return EDO_READY;
}

int edo_oneshot_blocking_recv_(struct edo_oneshot_receiver *rx, void *message)
{
    struct edo_oneshot_recv recv = edo_oneshot_recv_(rx, message);
    int error = edo_park_on(&recv.future_);
    return error < 0 ? error : recv.output;
}

/* The receiver has closed: its own future, if one waits, is ready. The wake is the last touch: the future
 * may end at once, and the receiver with it. */
static void wake_receiver(struct edo_oneshot_ *channel)
{
    if (!edo_oneshot_state_retract(&channel->state, EDO_ONESHOT_RX))
        return;
    struct edo_waker *waker = channel->receiving, *clone = edo_waker_clone(waker);
    if (!edo_oneshot_state_wait(&channel->state, EDO_ONESHOT_RX))
        edo_waker_forget(waker);
    edo_wake(clone);
    edo_waker_drop(clone);
}

void edo_oneshot_close_(struct edo_oneshot_receiver *rx)
{
    struct edo_oneshot_ *channel = (struct edo_oneshot_ *)rx;
    uint32_t old = edo_oneshot_state_close(&channel->state);
    if (old & EDO_ONESHOT_RX_DONE)
        return;
    if (old & EDO_ONESHOT_TX_WAITS)
        wake(channel, EDO_ONESHOT_TX, 0);
    if (old & EDO_ONESHOT_RX_WAITS)
        wake_receiver(channel);
}

/* Whatever edo_oneshot_receiver_drop_ finds. */
__attribute__((noinline)) static void receiver_drop(struct edo_oneshot_ *channel)
{
    if (!(edo_oneshot_state_look(&channel->state) & EDO_ONESHOT_TX_GONE))
        edo_oneshot_close_((struct edo_oneshot_receiver *)channel);
    /* If the message is there, it was there before this. */
    if (edo_oneshot_state_full(edo_oneshot_state_look(&channel->state)) && channel->drop != NULL)
        channel->drop(channel->message);
    if (edo_oneshot_state_look(&channel->state) & EDO_ONESHOT_TX_GONE ||
        edo_oneshot_state_gone(&channel->state) & EDO_ONESHOT_TX_GONE)
        channel_free(channel);
}

/* The usual case first, as in edo_oneshot_recv_poll: the message was received, and nobody else is left. */
inline void edo_oneshot_receiver_drop_(struct edo_oneshot_receiver *rx)
{
    struct edo_oneshot_ *channel = (struct edo_oneshot_ *)rx;
    if (channel == NULL)
        return;
    uint32_t through = EDO_ONESHOT_RECEIVED | EDO_ONESHOT_TX_GONE;
    if (edo_likely((edo_oneshot_state_look(&channel->state) & through) == through))
        channel_free(channel);
    else
        receiver_drop(channel);
}
