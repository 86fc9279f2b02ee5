/* SPDX-License-Identifier: MIT */
/* What the tests of mpsc channels share. */
#ifndef EDO_TESTS_MPSC_HELPERS_H
#define EDO_TESTS_MPSC_HELPERS_H

#include "poll_harness.h"

#include "edo.h"

/* A message that owns memory, so that one dropped twice or never is noticed. */
struct owned {
    int *value;
};
HARNESS _Atomic(int) owned_dropped;

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

struct channel {
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
};

HARNESS struct channel channel(size_t capacity)
{
    struct channel c;
    cr_assert_eq(edo_mpsc(&c.tx, &c.rx, capacity), 0);
    return c;
}

HARNESS void done(struct channel *c)
{
    edo_mpsc_sender_drop(c->tx);
    edo_mpsc_receiver_drop(c->rx);
}

HARNESS int send_now(struct channel *c, int value)
{
    return edo_mpsc_try_send(c->tx, &value);
}

HARNESS int receive_now(struct channel *c)
{
    int value;
    int error = edo_mpsc_try_recv(c->rx, &value);
    return error < 0 ? error : value;
}

#endif
