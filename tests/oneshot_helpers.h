/* SPDX-License-Identifier: MIT */
/* What the tests of oneshot channels share: a channel of int, and a message that owns memory. */
#ifndef EDO_TESTS_ONESHOT_HELPERS_H
#define EDO_TESTS_ONESHOT_HELPERS_H

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
    ONESHOT_SENDER(int) tx;
    ONESHOT_RECEIVER(int) rx;
};

HARNESS struct channel channel(void)
{
    struct channel c;
    cr_assert_eq(edo_oneshot(&c.tx, &c.rx), 0);
    return c;
}

HARNESS int send_now(struct channel *c, int value)
{
    return edo_oneshot_send(c->tx, &value);
}

/* What is there: the value, or an error. */
HARNESS int receive_now(struct channel *c)
{
    int value;
    int error = edo_oneshot_try_recv(c->rx, &value);
    return error < 0 ? error : value;
}

#endif
