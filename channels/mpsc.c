/* SPDX-License-Identifier: MIT */
/* The channel's life, and the handles. */
#include "mpsc_internal.h"

int edo_mpsc_new_(struct edo_mpsc_ **out, size_t size, size_t capacity, void (*drop)(void *))
{
    *out = NULL;
    if (capacity == 0)
        return -EINVAL;
    struct edo_mpsc_ *channel = edo_calloc(1, sizeof *channel);
    if (channel == NULL)
        return -ENOMEM;
    channel->bounded = capacity != EDO_UNBOUNDED;
    channel->capacity = capacity;
    channel->drop = drop;
    if (edo_fifo_init(&channel->fifo, size, channel->bounded ? capacity : 0) < 0) {
        edo_free(channel);
        return -ENOMEM;
    }
    edo_lock_init(&channel->lock);
    edo_list_init(&channel->waiting);
    edo_list_init(&channel->watching);
    channel->senders = 1;
    edo_init(&channel->pushed, 0);
    edo_init(&channel->popped, 0);
    *out = channel;
    return 0;
}

/* The messages that are there; by the receiver, or the last who had the channel. */
static void drop_messages(struct edo_mpsc_ *channel)
{
    for (void *message; (message = edo_mpsc_first(channel)) != NULL;) {
        if (channel->drop != NULL)
            channel->drop(message);
        edo_fifo_pop(&channel->fifo);
        /* Release: to edo_mpsc_len. */
        edo_fetch_add(&channel->popped, EDO_MPSC_ONE, release);
    }
}

/* The next one that need not wait any more. NULL: there is none. */
static struct edo_waiter *next_served(struct edo_mpsc_ *channel)
{
    if (!edo_list_empty(&channel->waiting)) {
        struct edo_mpsc_waiter *waiter =
            edo_container_of(channel->waiting.next, struct edo_mpsc_waiter, link.node);
        if (channel->closed) {
            waiter->state = EDO_MPSC_REFUSED;
        } else if (edo_mpsc_has_free(channel, waiter->count)) {
            waiter->state = EDO_MPSC_GRANTED;
            channel->reserved += waiter->count;
        } else {
            return NULL;
        }
        edo_list_remove(&waiter->link.node);
        if (edo_list_empty(&channel->waiting))
            edo_fetch_and(&channel->popped, ~(uint64_t)EDO_MPSC_WAITING, relaxed);
        return &waiter->link;
    }
    struct edo_list *node = channel->closed ? edo_list_pop_front(&channel->watching) : NULL;
    return node != NULL ? edo_waiter_of(node) : NULL;
}

void edo_mpsc_settle(struct edo_mpsc_ *channel)
{
    struct edo_wakes wakes;
    wakes.count = 0;
    struct edo_waiter *waiter;
    while ((waiter = next_served(channel)) != NULL) {
        edo_wakes_claim(&wakes, waiter->waker);
        if (edo_wakes_full(&wakes)) {
            /* Those who are woken may give up all handles: this call has none that keeps the channel. */
            channel->settling++;
            edo_unlock(&channel->lock);
            edo_wakes_finish(&wakes);
            edo_lock(&channel->lock);
            channel->settling--;
        }
    }
    if (edo_mpsc_ended(channel))
        edo_wakes_add(&wakes, edo_mpsc_claim_receiver(channel));
    bool unused = channel->senders == 0 && channel->weak_senders == 0 && channel->receiver_gone &&
                  channel->settling == 0 && edo_mpsc_ended(channel);
    edo_unlock(&channel->lock);
    edo_wakes_finish(&wakes);
    if (!unused)
        return;
    drop_messages(channel);
    edo_fifo_destroy(&channel->fifo);
    edo_lock_destroy(&channel->lock);
    edo_free(channel);
}

static struct edo_mpsc_ *locked(void *handle)
{
    struct edo_mpsc_ *channel = handle;
    edo_lock(&channel->lock);
    return channel;
}

struct edo_mpsc_sender *edo_mpsc_sender_clone_(struct edo_mpsc_sender *tx)
{
    struct edo_mpsc_ *channel = locked(tx);
    channel->senders++;
    edo_unlock(&channel->lock);
    return tx;
}

void edo_mpsc_sender_drop_(struct edo_mpsc_sender *tx)
{
    if (tx == NULL)
        return;
    struct edo_mpsc_ *channel = locked(tx);
    edo_assert_held(channel->senders, "an mpsc sender");
    channel->senders--;
    edo_mpsc_settle(channel);
}

struct edo_mpsc_weak_sender *edo_mpsc_downgrade_(struct edo_mpsc_sender *tx)
{
    return edo_mpsc_weak_sender_clone_((struct edo_mpsc_weak_sender *)tx);
}

struct edo_mpsc_weak_sender *edo_mpsc_weak_sender_clone_(struct edo_mpsc_weak_sender *weak)
{
    struct edo_mpsc_ *channel = locked(weak);
    channel->weak_senders++;
    edo_unlock(&channel->lock);
    return weak;
}

void edo_mpsc_weak_sender_drop_(struct edo_mpsc_weak_sender *weak)
{
    if (weak == NULL)
        return;
    struct edo_mpsc_ *channel = locked(weak);
    edo_assert_held(channel->weak_senders, "a weak mpsc sender");
    channel->weak_senders--;
    edo_mpsc_settle(channel);
}

struct edo_mpsc_sender *edo_mpsc_upgrade_(struct edo_mpsc_weak_sender *weak)
{
    struct edo_mpsc_ *channel = locked(weak);
    bool open = channel->senders != 0;
    channel->senders += open;
    edo_unlock(&channel->lock);
    return open ? (struct edo_mpsc_sender *)weak : NULL;
}

void edo_mpsc_close_(struct edo_mpsc_receiver *rx)
{
    struct edo_mpsc_ *channel = locked(rx);
    channel->closed = true;
    edo_mpsc_settle(channel);
}

void edo_mpsc_receiver_drop_(struct edo_mpsc_receiver *rx)
{
    if (rx == NULL)
        return;
    edo_assert_held(!((struct edo_mpsc_ *)rx)->receiver_gone, "an mpsc receiver");
    edo_mpsc_close_(rx);
    drop_messages((struct edo_mpsc_ *)rx);
    struct edo_mpsc_ *channel = locked(rx);
    channel->receiver_gone = true;
    edo_mpsc_settle(channel);
}

bool edo_mpsc_is_closed_(struct edo_mpsc_ *channel, bool receiver)
{
    edo_lock(&channel->lock);
    bool closed = channel->closed || (receiver && edo_mpsc_ended(channel));
    edo_unlock(&channel->lock);
    return closed;
}

size_t edo_mpsc_len_(struct edo_mpsc_ *channel)
{
    /* Acquire: what was pushed before the receiver popped it is seen, so the difference is not
     * negative; as it goes on in between, it may come out as more than there can be. */
    uint64_t popped = edo_load(&channel->popped, acquire) / EDO_MPSC_ONE;
    uint64_t len = edo_load(&channel->pushed, relaxed) - popped;
    return len < channel->capacity ? len : channel->capacity;
}

size_t edo_mpsc_capacity_(struct edo_mpsc_ *channel)
{
    if (!channel->bounded)
        return EDO_UNBOUNDED;
    edo_lock(&channel->lock);
    uint64_t free = edo_list_empty(&channel->waiting) ? edo_mpsc_free(channel) : 0;
    edo_unlock(&channel->lock);
    return free;
}

size_t edo_mpsc_max_capacity_(struct edo_mpsc_ *channel)
{
    return channel->capacity;
}

size_t edo_mpsc_sender_count_(struct edo_mpsc_ *channel)
{
    edo_lock(&channel->lock);
    size_t count = channel->senders;
    edo_unlock(&channel->lock);
    return count;
}

size_t edo_mpsc_weak_sender_count_(struct edo_mpsc_ *channel)
{
    edo_lock(&channel->lock);
    size_t count = channel->weak_senders;
    edo_unlock(&channel->lock);
    return count;
}

void (*edo_mpsc_drop_hook_(struct edo_mpsc_receiver *rx))(void *)
{
    return ((struct edo_mpsc_ *)rx)->drop;
}
