/* SPDX-License-Identifier: MIT */
/* What the tests of broadcast channels share. */
#ifndef EDO_TESTS_BROADCAST_HELPERS_H
#define EDO_TESTS_BROADCAST_HELPERS_H

#include "poll_harness.h"

#include "edo.h"

struct channel {
    BROADCAST_SENDER(int) tx;
    BROADCAST_RECEIVER(int) rx;
    uint64_t lagged;
};

HARNESS struct channel channel(size_t capacity)
{
    struct channel c;
    cr_assert_eq(edo_broadcast(&c.tx, &c.rx, capacity), 0);
    return c;
}

HARNESS void done(struct channel *c)
{
    edo_broadcast_sender_drop(c->tx);
    edo_broadcast_receiver_drop(c->rx);
}

HARNESS int send_now(struct channel *c, int value)
{
    return edo_broadcast_send(c->tx, &value);
}

#define RECEIVE(rx)                                                 \
    __extension__({                                                 \
        int value_;                                                 \
        uint64_t lagged_;                                           \
        int error_ = edo_broadcast_try_recv(rx, &value_, &lagged_); \
        error_ < 0 ? error_ : value_;                               \
    })

/* Messages that own memory. */
struct owned {
    int *value;
};
HARNESS _Atomic(int) drops, clones;

HARNESS void owned_clone(const struct owned *message, struct owned *copy)
{
    copy->value = edo_malloc(sizeof(int));
    *copy->value = *message->value;
    clones++;
}

HARNESS void owned_drop(struct owned *message)
{
    edo_free(message->value);
    drops++;
}

typedef BROADCAST_SENDER(struct owned) owned_sender;
typedef BROADCAST_RECEIVER(struct owned) owned_receiver;

HARNESS int send_owned(owned_sender tx, int value)
{
    struct owned message = {edo_malloc(sizeof(int))};
    *message.value = value;
    int receivers = edo_broadcast_send(tx, &message);
    if (receivers < 0)
        edo_free(message.value);
    return receivers;
}

HARNESS int receive_owned(owned_receiver rx)
{
    struct owned message;
    uint64_t lagged;
    int error = edo_broadcast_try_recv(rx, &message, &lagged);
    if (error < 0)
        return error;
    int value = *message.value;
    edo_free(message.value);
    return value;
}

#endif
