/* SPDX-License-Identifier: MIT */
/* What mpsc.c, mpsc_send.c and mpsc_recv.c share: the channel.
 *
 * Messages are counted, and never renumbered: `reserved` places were given out, of which `pushed` have
 * been filled, of which `popped` have been received. A place is reserved and filled under the lock; the
 * receiver takes what was pushed without it.
 *
 *     popped <= pushed <= reserved <= popped + capacity
 *
 * Each side remembers what it last saw of the other's count, and looks again when that is used up, and what each writes
 * is a cache line apart from what the other uses: between two workers a line is then passed for some tens of
 * messages, and not for each.
 *
 * A sender that finds no place joins `waiting` and sets WAITING in the word in which the receiver counts.
 * Both are read-modify-writes of that one word: the receiver's finds WAITING, and then it takes the lock
 * and hands the place on; or it came first, and the sender, who looks again afterwards, finds the place.
 *
 * The receiver that finds nothing looks again under the lock, and leaves its waker there for the next
 * push. That takes the waker over first, and counts the message then: where there is a message the
 * waker is gone, and the receiver need not look.
 */
#ifndef EDO_CHANNELS_MPSC_INTERNAL_H
#define EDO_CHANNELS_MPSC_INTERNAL_H

#include "../internal/fifo.h"
#include "../internal/waiter.h"
#include "mpsc.h"

enum { EDO_MPSC_WAITING = 1, EDO_MPSC_ONE = 2 }; /* bit and unit of `popped` */

/* What a waiter is, beside 0: not linked yet. */
enum { EDO_MPSC_LINKED = 1, EDO_MPSC_GRANTED, EDO_MPSC_REFUSED };

struct edo_mpsc_ {
    struct edo_lock lock;
    /* Under the lock, with the rows, and the state of the waiters. */
    struct edo_list waiting;    /* senders, in order of arrival */
    struct edo_list watching;   /* futures of edo_mpsc_closed */
    struct edo_waker *receiver; /* kept while it waits */
    uint64_t reserved;
    uint64_t popped_seen; /* when a sender last looked: there may be more */
    size_t senders, weak_senders;
    size_t settling; /* calls of edo_mpsc_settle that have let the lock go in between */
    bool closed;     /* by the receiver */
    bool receiver_gone;
    /* Written under the lock; release: the message is in its place. */
    _Atomic(uint64_t) pushed;
    struct edo_fifo fifo; /* tail: under the lock; head: the receiver's */
    /* Counted by the receiver; release: it is through with the place. */
    _Atomic(uint64_t) popped;
    uint64_t pushed_seen; /* the receiver's: when it last looked */
    /* Constant. */
    char apart[EDO_FIFO_APART];
    bool bounded;
    size_t capacity;
    void (*drop)(void *);
};

/* Under the lock: places that are neither filled nor given out. */
static inline uint64_t edo_mpsc_free(struct edo_mpsc_ *channel)
{
    channel->popped_seen = edo_load(&channel->popped, acquire) / EDO_MPSC_ONE;
    return channel->capacity - (channel->reserved - channel->popped_seen);
}

/* Under the lock: whether there are n. The receiver's count is looked at when those that are known of are used up:
 * a look takes its line from the receiver. */
static inline bool edo_mpsc_has_free(struct edo_mpsc_ *channel, uint64_t n)
{
    uint64_t known = channel->capacity - (channel->reserved - channel->popped_seen);
    return edo_likely(n <= known) || n <= edo_mpsc_free(channel);
}

/* Under the lock: no message will be pushed any more. */
static inline bool edo_mpsc_ended(struct edo_mpsc_ *channel)
{
    return (channel->closed || channel->senders == 0) &&
           channel->reserved == edo_load(&channel->pushed, relaxed);
}

/* Under the lock: takes the receiver's waker over. What is to be finished after it; or NULL. */
static inline struct edo_waker *edo_mpsc_claim_receiver(struct edo_mpsc_ *channel)
{
    struct edo_waker *waker = channel->receiver;
    channel->receiver = NULL;
    return waker != NULL ? edo_waker_claim(waker) : NULL;
}

/* With the lock, which it lets go: hands on places that came free, refuses who may not wait any more,
 * tells the receiver of the end; and frees the channel when nobody has it any more. */
void edo_mpsc_settle(struct edo_mpsc_ *channel);

/* The receiver: whether a message has been pushed that it has not taken. It looks when those that it knows of are
 * taken: a look takes the line from the senders. */
static inline bool edo_mpsc_ready(struct edo_mpsc_ *channel)
{
    /* Relaxed: the receiver's own count. Acquire: the messages. */
    uint64_t popped = edo_load(&channel->popped, relaxed) / EDO_MPSC_ONE;
    if (channel->pushed_seen == popped)
        channel->pushed_seen = edo_load(&channel->pushed, acquire);
    return channel->pushed_seen != popped;
}

/* The receiver: where the next message is. NULL: none has been pushed. */
static inline void *edo_mpsc_first(struct edo_mpsc_ *channel)
{
    return edo_mpsc_ready(channel) ? edo_fifo_first(&channel->fifo) : NULL;
}

#endif
