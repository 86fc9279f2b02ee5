/* SPDX-License-Identifier: MIT */
/* async_channel: eight producers, four consumers, one channel. */
#include <stdlib.h>

#include "attempt.h"
#include "ledger.h"
#include "kinds.h"

enum { BOUNDED, UNBOUNDED };

struct async_producer {
    STRESS_ACTOR;
    struct ledger_view view; /* what it gets back from force_send */
    uint32_t id, dice;
    int result;
    ASYNC_SENDER(struct message) tx;
    uint32_t stay;                /* for so many messages at most, then closes the channel */
    _Atomic(uint32_t) *producing; /* the last of these closes it; NULL: the last handle does */
    struct message message, replaced;
    struct stress_attempt attempt;
    struct edo_async_send send;
};

/* Another handle in place of this one. A weak one may find that there is none any more. */
static void change_sender(struct async_producer *self)
{
    __typeof__(self->tx) old = self->tx;
    if (stress_random(&self->life, 4) != 0) {
        self->tx = edo_async_sender_clone(old);
        edo_async_sender_drop(old);
        return;
    }
    ASYNC_WEAK_SENDER(struct message) weak = edo_async_sender_downgrade(old);
    edo_async_sender_drop(old);
    self->tx = edo_async_sender_upgrade(weak);
    edo_async_weak_sender_drop(weak);
}

ASYNC(async_producer)
{
    ASYNC_BEGIN;
    while (self->tx != NULL && self->view.ledger->sent[self->id] < self->view.ledger->quota) {
        self->dice = stress_random(&self->life, 32);
        self->message = ledger_message(self->view.ledger, self->id);
        if (self->dice < 20) {
            stress_step(&self->life, "send");
            self->send = edo_async_send(self->tx, &self->message);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->send));
            if (!self->attempt.output && stress_gives_up(&self->life))
                RETURN();
            self->result = self->attempt.output ? self->send.output : UV_EAGAIN;
        } else if (self->dice < 26) {
            stress_step(&self->life, "try_send");
            self->result = edo_async_try_send(self->tx, &self->message);
        } else if (self->dice < 28 && stress_may_block()) {
            stress_step(&self->life, "blocking_send");
            self->result = edo_async_blocking_send(self->tx, &self->message);
        } else if (self->dice < 30) {
            stress_step(&self->life, "force_send");
            self->result = edo_async_force_send(self->tx, &self->message, &self->replaced);
            if (self->result == 1)
                ledger_received(&self->view, &self->replaced);
        } else {
            if (stress_random(&self->life, 16) == 0)
                change_sender(self);
            continue;
        }
        if (self->result == EDO_ECLOSED)
            break;
        if (self->result >= 0) {
            ledger_sent(self->view.ledger, self->id);
            if (self->stay-- == 0)
                edo_async_close(self->tx);
        }
        if (self->result == UV_EAGAIN || stress_pauses(&self->life))
            YIELD_NOW();
        while (stress_lulls(&self->life,
                            ledger_is_quiet(self->view.ledger) || edo_async_is_closed(self->tx)))
            YIELD_NOW();
    }
    if (self->result == EDO_ECLOSED)
        ledger_returned(self->view.ledger);
ASYNC_FINALLY:
    if (self->producing != NULL && edo_fetch_sub(self->producing, 1, relaxed) == 1 &&
        self->tx != NULL)
        edo_async_close(self->tx);
    edo_async_sender_drop(self->tx);
    ASYNC_END;
}

struct async_consumer {
    STRESS_ACTOR;
    struct ledger_view view;
    ASYNC_RECEIVER(struct message) rx;
    uint32_t stay; /* for so many messages at most */
    bool closes;   /* then, and receives what was sent; or just goes */
    uint32_t dice;
    int result;
    struct message message;
    struct stress_attempt attempt;
    struct edo_async_recv recv;
};

static void change_receiver(struct async_consumer *self)
{
    __typeof__(self->rx) old = self->rx;
    ASYNC_WEAK_RECEIVER(struct message) weak = edo_async_receiver_downgrade(old);
    self->rx = stress_random(&self->life, 2) == 0 ? edo_async_receiver_clone(old)
                                                  : edo_async_receiver_upgrade(weak);
    stress_expect(self->life.stress, self->rx != NULL, "a weak receiver of a strong one failed");
    edo_async_receiver_drop(old);
    edo_async_weak_receiver_drop(weak);
}

ASYNC(async_consumer)
{
    ASYNC_BEGIN;
    for (;;) {
        self->dice = stress_random(&self->life, 32);
        if (self->dice < 18) {
            stress_step(&self->life, "recv");
            self->recv = edo_async_recv(self->rx, &self->message);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->recv));
            if (!self->attempt.output && stress_gives_up(&self->life))
                RETURN();
            self->result = self->attempt.output ? self->recv.output : UV_EAGAIN;
        } else if (self->dice < 20 && stress_may_block()) {
            stress_step(&self->life, "blocking_recv");
            self->result = edo_async_blocking_recv(self->rx, &self->message);
        } else if (self->dice < 31) {
            stress_step(&self->life, "try_recv");
            self->result = edo_async_try_recv(self->rx, &self->message);
        } else {
            if (stress_random(&self->life, 16) == 0)
                change_receiver(self);
            continue;
        }
        if (self->result == EDO_ECLOSED)
            break;
        if (self->result == 0) {
            ledger_received(&self->view, &self->message);
            if (self->stay-- == 0) {
                if (!self->closes)
                    RETURN();
                edo_async_close(self->rx);
            }
        }
        if (self->result == UV_EAGAIN || stress_pauses(&self->life))
            YIELD_NOW();
    }
    edo_store(&self->view.ledger->ended, true, relaxed);
ASYNC_FINALLY:
    edo_async_receiver_drop(self->rx);
    ASYNC_END;
}

static void async_round(struct stress *stress)
{
    static const size_t capacities[] = {1, 2, 3, 4, 7, 16, 100};
    enum { GO_ON, CONSUMERS_GO, CONSUMER_CLOSES, PRODUCER_CLOSES, LAST_CLOSES, ENDINGS };
    size_t capacity =
        stress->kind->variant == UNBOUNDED
            ? EDO_UNBOUNDED
            : capacities[stress_random(stress, sizeof capacities / sizeof capacities[0])];
    /* Half of the rounds go on to their ends. */
    uint32_t ending = stress_random(stress, 2) == 0 ? GO_ON : stress_random(stress, ENDINGS);
    uint32_t count = 0, all = stress->quota * stress->producers;
    struct ledger ledger;
    ASYNC_SENDER(struct message) tx;
    ASYNC_RECEIVER(struct message) rx;
    struct async_producer *producers = calloc(stress->producers, sizeof *producers);
    struct async_consumer *consumers = calloc(stress->consumers, sizeof *consumers);
    struct stress_actor *actors[STRESS_ACTORS];
    ledger_init(&ledger, stress);
    int error = edo_async_channel_with(&tx, &rx, capacity, ledger_dropped);
    edo_assert(error == 0);
    for (uint32_t i = 0; i < stress->producers; i++) {
        producers[i] = NEW(async_producer, .view.ledger = &ledger, .id = i,
                           .tx = edo_async_sender_clone(tx), .stay = UINT32_MAX);
        stress_life_init(&producers[i].life, stress);
        actors[count++] = (struct stress_actor *)&producers[i];
    }
    for (uint32_t i = 0; i < stress->consumers; i++) {
        consumers[i] = NEW(async_consumer, .view.ledger = &ledger,
                           .rx = edo_async_receiver_clone(rx), .stay = UINT32_MAX);
        if (ending == CONSUMERS_GO)
            consumers[i].stay = stress_random(stress, all / stress->consumers);
        stress_life_init(&consumers[i].life, stress);
        actors[count++] = (struct stress_actor *)&consumers[i];
    }
    /* One stays in any case. */
    consumers[0].life.fickle = false;
    if (ending == CONSUMER_CLOSES) {
        consumers[0].closes = true;
        consumers[0].stay = stress_random(stress, all / stress->consumers);
    } else if (ending == PRODUCER_CLOSES) {
        producers[0].stay = stress_random(stress, stress->quota);
    }
    /* Handles that are kept: then it is not the last ones that close it. */
    _Atomic(uint32_t) producing = stress->producers;
    for (uint32_t i = 0; i < stress->producers && ending == LAST_CLOSES; i++)
        producers[i].producing = &producing;
    if (ending != LAST_CLOSES) {
        edo_async_sender_drop(tx);
        edo_async_receiver_drop(rx);
    }
    stress_run(stress, actors, count);
    if (ending == LAST_CLOSES) {
        edo_async_sender_drop(tx);
        edo_async_receiver_drop(rx);
    }
    ledger_close(&ledger);
    free(producers);
    free(consumers);
}

enum {
    PLANTS = 1 << STRESS_LOSS | 1 << STRESS_DOUBLE | 1 << STRESS_REORDER | 1 << STRESS_TORN |
             1 << STRESS_LEAK
};
const struct stress_kind stress_async_bounded = {"async_channel bounded", "messages", async_round,
                                                 BOUNDED, PLANTS};
const struct stress_kind stress_async_unbounded = {"async_channel unbounded", "messages",
                                                   async_round, UNBOUNDED, PLANTS};
