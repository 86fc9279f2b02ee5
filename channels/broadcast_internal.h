/* SPDX-License-Identifier: MIT */
/* What broadcast.c and broadcast_recv.c share: the channel, a ring of the last messages.
 *
 * Messages are numbered; number n is in slot n modulo the capacity. `tail` is the next number, and each
 * receiver has its own next one. A slot knows how many receivers have still to receive it, so that the
 * last one takes it: whoever has not received n has not received n + 1 either, so those that are still
 * wanted are the last ones.
 *
 * Messages that own something are each in a counted block, so that they are cloned and dropped without
 * the lock: the slot has a reference until the last receiver has it, or the slot is used again.
 */
#ifndef EDO_CHANNELS_BROADCAST_INTERNAL_H
#define EDO_CHANNELS_BROADCAST_INTERNAL_H

#include "../internal/copy.h"
#include "../internal/sys.h"
#include "../internal/waiter.h"
#include "broadcast.h"

struct edo_broadcast_block {
    union {
        _Atomic(size_t) refs;
        struct edo_broadcast_block *next; /* among those to be dropped */
    };
    max_align_t message[];
};

struct edo_broadcast_slot {
    size_t wanted; /* by so many receivers */
    struct edo_broadcast_block *block;
};

struct edo_broadcast_ {
    struct edo_lock lock;
    /* Under the lock, with the rows. */
    struct edo_list waiting;  /* recv futures */
    struct edo_list watching; /* futures of edo_broadcast_closed */
    uint64_t tail;
    size_t senders, weak_senders, receivers;
    struct edo_broadcast_slot *slots;
    char *messages; /* plain ones */
    /* Constant. */
    size_t size;
    uint64_t mask; /* capacity - 1 */
    void (*clone)(const void *, void *);
    void (*drop)(void *);
};

struct edo_broadcast_receiver {
    struct edo_broadcast_ *channel;
    uint64_t next; /* the receiver's own */
};

static inline struct edo_broadcast_slot *edo_broadcast_slot(struct edo_broadcast_ *channel,
                                                            uint64_t number)
{
    return &channel->slots[number & channel->mask];
}

/* Gives a reference up; the last drops the message. Not under the lock. */
void edo_broadcast_unref(struct edo_broadcast_ *channel, struct edo_broadcast_block *block);

/* With the lock, which it lets go: frees the channel when nobody has it any more. */
void edo_broadcast_settle(struct edo_broadcast_ *channel);

#endif
