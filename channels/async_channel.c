/* SPDX-License-Identifier: MIT */
/* One lock guards all of it. What is there is either promised or free:
 *
 *     messages: len - taking,   where `taking` receivers have been told that there is one for them
 *     places:   capacity - len - filling,   likewise for senders
 *
 * Somebody waits only while nothing is free: whatever comes free goes to the first in the row at once,
 * and comes back from one that is dropped before it has used it.
 */
#include "async_channel.h"

#include <errno.h>

#include "../internal/fifo.h"
#include "../internal/park.h"
#include "../internal/waiter.h"

/* What a waiter is, beside 0: not in the row yet. */
enum { LINKED = 1, GRANTED, REFUSED };

struct edo_async_ {
    struct edo_lock lock;
    struct edo_list sending, receiving; /* in order of arrival */
    size_t len, filling, taking;
    size_t handles[EDO_ASYNC_KINDS_];
    bool closed;
    struct edo_fifo fifo;
    /* Constant. */
    size_t capacity;
    void (*drop)(void *);
};

int edo_async_new_(struct edo_async_ **out, size_t size, size_t capacity, void (*drop)(void *))
{
    *out = NULL;
    if (capacity == 0)
        return -EINVAL;
    struct edo_async_ *channel = edo_calloc(1, sizeof *channel);
    if (channel == NULL)
        return -ENOMEM;
    if (edo_fifo_init(&channel->fifo, size, capacity != EDO_UNBOUNDED ? capacity : 0) < 0) {
        edo_free(channel);
        return -ENOMEM;
    }
    edo_lock_init(&channel->lock);
    edo_list_init(&channel->sending);
    edo_list_init(&channel->receiving);
    channel->handles[EDO_ASYNC_TX_] = channel->handles[EDO_ASYNC_RX_] = 1;
    channel->capacity = capacity;
    channel->drop = drop;
    *out = channel;
    return 0;
}

/* The functions down to `settle`: under the lock. */

static bool message_free(const struct edo_async_ *channel)
{
    return channel->len > channel->taking;
}

static bool place_free(const struct edo_async_ *channel)
{
    return channel->capacity - channel->len > channel->filling;
}

static struct edo_async_waiter *first(struct edo_list *row)
{
    return edo_list_empty(row) ? NULL
                               : edo_container_of(row->next, struct edo_async_waiter, link.node);
}

/* The next one that need not wait any more. NULL: there is none. */
static struct edo_async_waiter *next_served(struct edo_async_ *channel)
{
    struct edo_async_waiter *waiter = first(&channel->receiving);
    if (waiter != NULL && message_free(channel)) {
        channel->taking++;
        waiter->state = GRANTED;
    } else if (waiter != NULL && channel->closed && channel->len == 0) {
        waiter->state = REFUSED;
    } else if ((waiter = first(&channel->sending)) != NULL && channel->closed) {
        waiter->state = REFUSED;
    } else if (waiter != NULL && place_free(channel)) {
        channel->filling++;
        waiter->state = GRANTED;
    } else {
        return NULL;
    }
    edo_list_remove(&waiter->link.node);
    return waiter;
}

/* With the lock, which it lets go. The caller's handle keeps the channel. */
static void settle(struct edo_async_ *channel)
{
    struct edo_wakes wakes;
    wakes.count = 0;
    struct edo_async_waiter *waiter;
    while ((waiter = next_served(channel)) != NULL) {
        edo_wakes_claim(&wakes, waiter->link.waker);
        if (edo_wakes_full(&wakes)) {
            edo_unlock(&channel->lock);
            edo_wakes_finish(&wakes);
            edo_lock(&channel->lock);
        }
    }
    edo_unlock(&channel->lock);
    edo_wakes_finish(&wakes);
}

/* Under the lock. 0, -EAGAIN, EDO_ECLOSED, -ENOMEM. */
static int push(struct edo_async_ *channel, const void *message, bool promised)
{
    if (channel->closed)
        return EDO_ECLOSED;
    if (!promised && !place_free(channel))
        return -EAGAIN;
    if (edo_fifo_needs_block(&channel->fifo) && edo_fifo_add_block(&channel->fifo) < 0)
        return -ENOMEM;
    edo_fifo_push(&channel->fifo, message);
    channel->len++;
    return 0;
}

static void pop(struct edo_async_ *channel, void *message)
{
    edo_copy(message, edo_fifo_first(&channel->fifo), channel->fifo.size);
    edo_fifo_pop(&channel->fifo);
    channel->len--;
}

static int send_now(struct edo_async_ *channel, const void *message,
                    struct edo_async_waiter *waiter)
{
    bool promised = waiter != NULL && waiter->state == GRANTED;
    channel->filling -= promised;
    if (waiter != NULL && waiter->state == LINKED)
        return -EAGAIN;
    return push(channel, message, promised);
}

static int recv_now(struct edo_async_ *channel, void *message, struct edo_async_waiter *waiter)
{
    bool promised = waiter != NULL && waiter->state == GRANTED;
    channel->taking -= promised;
    if (waiter != NULL && waiter->state == LINKED)
        return -EAGAIN;
    if (!message_free(channel))
        return channel->closed && channel->len == 0 ? EDO_ECLOSED : -EAGAIN;
    pop(channel, message);
    return 0;
}

/* One poll of either future, whose waiter joins `row` when it is to wait. */
static enum edo_poll poll_waiter(struct edo_async_ *channel, struct edo_async_waiter *waiter,
                                 struct edo_list *row, int *output, const void *sent,
                                 void *received, struct edo_context *cx)
{
    struct edo_waker *spare = edo_waker_spare(waiter->link.waker, cx->waker);
    edo_lock(&channel->lock);
    int error =
        sent != NULL ? send_now(channel, sent, waiter) : recv_now(channel, received, waiter);
    if (error == -EAGAIN) {
        waiter->state = LINKED;
        edo_row_join(row, &waiter->link, &spare);
    }
    settle(channel);
    edo_waker_forget(spare);
    *output = error;
    if (error == -EAGAIN)
        return EDO_PENDING;
    edo_budget_spend(cx);
    return EDO_READY;
}

/* The future is dropped: what it was promised goes to the next. */
static void leave(struct edo_async_ *channel, struct edo_async_waiter *waiter, size_t *promised)
{
    if (waiter->link.waker == NULL)
        return;
    edo_lock(&channel->lock);
    struct edo_waker *forgotten = edo_row_leave(&waiter->link);
    if (waiter->state == GRANTED)
        --*promised;
    settle(channel);
    edo_waker_forget(forgotten);
}

enum edo_poll edo_async_send_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_async_send *self = (struct edo_async_send *)future;
    struct edo_async_ *channel = self->channel;
    if (cx->walk == EDO_WALK_DROP)
        leave(channel, &self->waiter, &channel->filling);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_async_send");
    if (edo_budget_spent_by(cx, self->waiter.link.waker))
        return EDO_PENDING;
    return poll_waiter(channel, &self->waiter, &channel->sending, &self->output, self->message,
                       NULL, cx);
}

enum edo_poll edo_async_recv_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_async_recv *self = (struct edo_async_recv *)future;
    struct edo_async_ *channel = self->channel;
    if (cx->walk == EDO_WALK_DROP)
        leave(channel, &self->waiter, &channel->taking);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_async_recv");
    if (edo_budget_spent_by(cx, self->waiter.link.waker))
        return EDO_PENDING;
    return poll_waiter(channel, &self->waiter, &channel->receiving, &self->output, NULL,
                       self->message, cx);
}

int edo_async_try_send_(struct edo_async_sender *tx, const void *message)
{
    struct edo_async_ *channel = (struct edo_async_ *)tx;
    edo_lock(&channel->lock);
    int error = send_now(channel, message, NULL);
    settle(channel);
    return error;
}

int edo_async_force_send_(struct edo_async_sender *tx, const void *message, void *replaced)
{
    struct edo_async_ *channel = (struct edo_async_ *)tx;
    edo_lock(&channel->lock);
    int error = send_now(channel, message, NULL);
    if (error == -EAGAIN && channel->len > 0) {
        pop(channel, replaced);
        push(channel, message, true);
        error = 1;
    }
    settle(channel);
    return error;
}

int edo_async_blocking_send_(struct edo_async_sender *tx, const void *message)
{
    struct edo_async_send send = edo_async_send_(tx, message);
    int error = edo_park_on(&send.future_);
    return error < 0 ? error : send.output;
}

int edo_async_try_recv_(struct edo_async_receiver *rx, void *message)
{
    struct edo_async_ *channel = (struct edo_async_ *)rx;
    edo_lock(&channel->lock);
    int error = recv_now(channel, message, NULL);
    settle(channel);
    return error;
}

int edo_async_blocking_recv_(struct edo_async_receiver *rx, void *message)
{
    struct edo_async_recv recv = edo_async_recv_(rx, message);
    int error = edo_park_on(&recv.future_);
    return error < 0 ? error : recv.output;
}

bool edo_async_close_(struct edo_async_ *channel)
{
    edo_lock(&channel->lock);
    bool first_to = !channel->closed;
    channel->closed = true;
    settle(channel);
    return first_to;
}

void *edo_async_ref_(struct edo_async_ *channel, int kind)
{
    edo_lock(&channel->lock);
    /* A strong one is made of a strong one, or by an upgrade. */
    bool there = kind == EDO_ASYNC_WEAK_ || channel->handles[kind] > 0;
    channel->handles[kind] += there;
    edo_unlock(&channel->lock);
    return there ? channel : NULL;
}

void edo_async_unref_(struct edo_async_ *channel, int kind)
{
    if (channel == NULL)
        return;
    edo_lock(&channel->lock);
    edo_assert_held(channel->handles[kind], "a handle of an async_channel");
    size_t left = --channel->handles[kind], dropped = 0;
    if (kind != EDO_ASYNC_WEAK_ && left == 0) {
        channel->closed = true;
        if (kind == EDO_ASYNC_RX_) {
            /* Closed, and nobody receives: the queue is this call's alone. */
            dropped = channel->len;
            channel->len = 0;
        }
        /* As a weak one it stays until those who wait have been told. */
        channel->handles[EDO_ASYNC_WEAK_]++;
        settle(channel);
        for (; dropped > 0; dropped--) {
            void *message = edo_fifo_first(&channel->fifo);
            if (channel->drop != NULL)
                channel->drop(message);
            edo_fifo_pop(&channel->fifo);
        }
        edo_lock(&channel->lock);
        channel->handles[EDO_ASYNC_WEAK_]--;
    }
    bool unused = true;
    for (int i = 0; i < EDO_ASYNC_KINDS_; i++)
        unused = unused && channel->handles[i] == 0;
    edo_unlock(&channel->lock);
    if (!unused)
        return;
    edo_fifo_destroy(&channel->fifo);
    edo_lock_destroy(&channel->lock);
    edo_free(channel);
}

bool edo_async_is_closed_(struct edo_async_ *channel)
{
    edo_lock(&channel->lock);
    bool closed = channel->closed;
    edo_unlock(&channel->lock);
    return closed;
}

size_t edo_async_len_(struct edo_async_ *channel)
{
    edo_lock(&channel->lock);
    size_t len = channel->len;
    edo_unlock(&channel->lock);
    return len;
}

bool edo_async_is_full_(struct edo_async_ *channel)
{
    return edo_async_len_(channel) == channel->capacity;
}

size_t edo_async_capacity_(struct edo_async_ *channel)
{
    return channel->capacity;
}

size_t edo_async_count_(struct edo_async_ *channel, int kind)
{
    edo_lock(&channel->lock);
    size_t count = channel->handles[kind];
    edo_unlock(&channel->lock);
    return count;
}

void (*edo_async_drop_hook_(struct edo_async_receiver *rx))(void *)
{
    return ((struct edo_async_ *)rx)->drop;
}
