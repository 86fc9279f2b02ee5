/* SPDX-License-Identifier: MIT */
/* What the tests of watch channels share. */
#ifndef EDO_TESTS_WATCH_HELPERS_H
#define EDO_TESTS_WATCH_HELPERS_H

#include "poll_harness.h"

#include "edo.h"

struct channel {
    WATCH_SENDER(int) tx;
    WATCH_RECEIVER(int) rx;
};

HARNESS struct channel channel(int initial)
{
    struct channel c;
    cr_assert_eq(edo_watch(&c.tx, &c.rx, &initial), 0);
    return c;
}

HARNESS void done(struct channel *c)
{
    edo_watch_sender_drop(c->tx);
    edo_watch_receiver_drop(c->rx);
}

HARNESS int send_now(struct channel *c, int value)
{
    return edo_watch_send(c->tx, &value);
}

HARNESS int look(WATCH_RECEIVER(int) rx, bool update)
{
    const int *value = update ? edo_watch_borrow_and_update(rx) : edo_watch_borrow(rx);
    int seen = *value;
    edo_watch_release(rx, value);
    return seen;
}

HARNESS int asked;

HARNESS bool at_least(const int *value, void *arg)
{
    asked++;
    return *value >= *(int *)arg;
}

/* Values that own memory. */
struct owned {
    int *value;
};
HARNESS _Atomic(int) live;

HARNESS struct owned owned_new(int value)
{
    struct owned owned = {edo_malloc(sizeof(int))};
    *owned.value = value;
    live++;
    return owned;
}

HARNESS void owned_clone(const struct owned *value, struct owned *copy)
{
    *copy = owned_new(*value->value);
}

HARNESS void owned_drop(struct owned *value)
{
    edo_free(value->value);
    live--;
}

HARNESS void owned_add(struct owned *value, void *arg)
{
    (void)arg;
    ++*value->value;
}

typedef WATCH_SENDER(struct owned) owned_sender;
typedef WATCH_RECEIVER(struct owned) owned_receiver;

HARNESS bool owned_add_if(struct owned *value, void *arg)
{
    owned_add(value, arg);
    return true;
}

#endif
