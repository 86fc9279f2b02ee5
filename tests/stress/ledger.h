/* SPDX-License-Identifier: MIT */
/* What became of the messages that some producers sent through one channel.
 *
 *     sent = received + dropped with the channel          each message once
 *
 * A message that was refused is still its producer's, and is seen nowhere. Each consumer sees a
 * producer's messages in their order; one that is alone sees them without a gap; and those that are
 * dropped are the last.
 */
#ifndef EDO_TESTS_STRESS_LEDGER_H
#define EDO_TESTS_STRESS_LEDGER_H

#include "stress.h"

struct ledger {
    struct stress *stress;
    uint32_t quota;
    uint32_t sent[STRESS_PRODUCERS]; /* each by its producer: those before this number were */
    _Atomic(uint64_t) under_way;     /* sent, and not received yet */
    _Atomic(bool) ended;             /* a consumer was told that there will be no more */
    _Atomic(uint8_t) *fates;
};

struct message {
    struct ledger *ledger;
    uint32_t producer, number;
    uint64_t check;
};

/* Where one consumer is. */
struct ledger_view {
    struct ledger *ledger;
    bool alone;                      /* there is no other consumer */
    uint32_t next[STRESS_PRODUCERS]; /* the least that may come */
    bool holds;
    struct message held; /* for STRESS_REORDER */
};

void ledger_init(struct ledger *ledger, struct stress *stress);

/* A producer's next message. */
struct message ledger_message(struct ledger *ledger, uint32_t producer);

/* It was sent; it was refused. */
void ledger_sent(struct ledger *ledger, uint32_t producer);
void ledger_returned(struct ledger *ledger);

/* Whether all that was sent has been received, at this moment. */
bool ledger_is_quiet(struct ledger *ledger);

/* It was received. */
void ledger_received(struct ledger_view *view, const struct message *message);

/* The hook of channels. */
void ledger_dropped(struct message *message);

/* All have ended: checks, and adds up. */
void ledger_close(struct ledger *ledger);

#endif
