/* SPDX-License-Identifier: MIT */
/* What the tests of channels of many receivers share. */
#ifndef EDO_TESTS_ASYNC_CHANNEL_HELPERS_H
#define EDO_TESTS_ASYNC_CHANNEL_HELPERS_H

#include "poll_harness.h"

#include "edo.h"

struct channel {
    ASYNC_SENDER(int) tx;
    ASYNC_RECEIVER(int) rx;
};

HARNESS _Atomic(int) dropped;

HARNESS void drop(int *message)
{
    dropped += *message;
}

HARNESS struct channel channel(size_t capacity)
{
    struct channel c;
    cr_assert_eq(edo_async_channel_with(&c.tx, &c.rx, capacity, drop), 0);
    return c;
}

HARNESS void done(struct channel *c)
{
    edo_async_sender_drop(c->tx);
    edo_async_receiver_drop(c->rx);
}

HARNESS int send_now(struct channel *c, int value)
{
    return edo_async_try_send(c->tx, &value);
}

HARNESS int receive_now(struct channel *c)
{
    int value;
    int error = edo_async_try_recv(c->rx, &value);
    return error < 0 ? error : value;
}

/* Messages that own memory. */
struct owned {
    int *value;
};
HARNESS _Atomic(int) owned_dropped;
typedef ASYNC_SENDER(struct owned) owned_sender;
typedef ASYNC_RECEIVER(struct owned) owned_receiver;

HARNESS struct owned owned_new(int value)
{
    struct owned owned = {edo_malloc(sizeof(int))};
    *owned.value = value;
    return owned;
}

HARNESS void owned_drop(struct owned *owned)
{
    edo_free(owned->value);
    owned_dropped++;
}

#endif
