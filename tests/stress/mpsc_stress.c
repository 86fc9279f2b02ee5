/* SPDX-License-Identifier: MIT */
/* mpsc: eight producers into one channel, or into four, each with its receiver. */
#include <stdlib.h>

#include "attempt.h"
#include "kinds.h"
#include "ledger.h"

enum { BOUNDED, UNBOUNDED };
enum { CHANNELS = 4 };

struct mpsc_producer {
    STRESS_ACTOR;
    struct ledger *ledger;
    uint32_t id, dice;
    int result;
    MPSC_SENDER(struct message) tx;
    MPSC_WEAK_SENDER(struct message) weak;
    MPSC_PERMIT(struct message) permit;
    struct message message;
    struct stress_attempt attempt;
    union {
        struct edo_mpsc_send send;
        struct edo_mpsc_reserve reserve;
        struct edo_mpsc_closed closed;
    };
};

/* Another handle in place of this one. A weak one may find that there is none any more. */
static void change_handle(struct mpsc_producer *self)
{
    __typeof__(self->tx) old = self->tx;
    if (stress_random(&self->life, 4) != 0) {
        self->tx = edo_mpsc_sender_clone(old);
        edo_mpsc_sender_drop(old);
        return;
    }
    __typeof__(self->weak) weak = edo_mpsc_downgrade(old);
    edo_mpsc_weak_sender_drop(self->weak);
    self->weak = edo_mpsc_weak_sender_clone(weak);
    bool early = stress_random(&self->life, 4) == 0;
    if (early)
        edo_mpsc_sender_drop(old);
    self->tx = edo_mpsc_upgrade(weak);
    if (!early) {
        stress_expect(self->life.stress, self->tx != NULL, "a weak sender of a strong one failed");
        edo_mpsc_sender_drop(old);
    }
    edo_mpsc_weak_sender_drop(weak);
}

/* Sends into reserved places, all or some. */
static void fill(struct mpsc_producer *self)
{
    while (self->permit.places.count > 0 && stress_random(&self->life, 8) != 0 &&
           self->ledger->sent[self->id] < self->ledger->quota) {
        self->message = ledger_message(self->ledger, self->id);
        edo_mpsc_permit_send(&self->permit, &self->message);
        ledger_sent(self->ledger, self->id);
    }
    edo_mpsc_permit_release(&self->permit);
}

/* The last words are for places that outlive the sender they were had from. */
static void say_last_words(struct mpsc_producer *self)
{
    if (edo_mpsc_try_reserve_many(self->tx, 2, &self->permit) < 0)
        edo_mpsc_try_reserve(self->tx, &self->permit);
    edo_mpsc_sender_drop(self->tx);
    self->tx = NULL;
    fill(self);
}

ASYNC(mpsc_producer)
{
    ASYNC_BEGIN;
    while (self->tx != NULL && self->ledger->sent[self->id] < self->ledger->quota - 2) {
        self->dice = stress_random(&self->life, 32);
        self->message = ledger_message(self->ledger, self->id);
        if (self->dice < 16) {
            stress_step(&self->life, "send");
            self->send = edo_mpsc_send(self->tx, &self->message);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->send));
            if (!self->attempt.output && stress_gives_up(&self->life))
                RETURN();
            self->result = self->attempt.output ? self->send.output : UV_EAGAIN;
        } else if (self->dice < 22) {
            stress_step(&self->life, "try_send");
            self->result = edo_mpsc_try_send(self->tx, &self->message);
        } else if (self->dice < 24 && stress_may_block()) {
            stress_step(&self->life, "blocking_send");
            self->result = edo_mpsc_blocking_send(self->tx, &self->message);
        } else if (self->dice < 28) {
            stress_step(&self->life, "reserve");
            self->reserve =
                edo_mpsc_reserve_many(self->tx, 1 + stress_random(&self->life, 4), &self->permit);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->reserve));
            if (!self->attempt.output && stress_gives_up(&self->life))
                RETURN();
            if (self->attempt.output && self->reserve.output == EDO_ECLOSED)
                break;
            if (stress_random(&self->life, 2) == 0)
                YIELD_NOW();
            fill(self);
            continue;
        } else if (self->dice < 30) {
            stress_step(&self->life, "try_reserve");
            if (edo_mpsc_try_reserve(self->tx, &self->permit) == EDO_ECLOSED)
                break;
            fill(self);
            continue;
        } else if (self->dice < 31) {
            stress_step(&self->life, "closed");
            self->closed = edo_mpsc_closed(self->tx);
            AWAIT(self->attempt, stress_brief(&self->life, &self->closed));
            continue;
        } else {
            if (stress_random(&self->life, 8) == 0)
                change_handle(self);
            continue;
        }
        if (self->result == EDO_ECLOSED)
            break;
        if (self->result == 0)
            ledger_sent(self->ledger, self->id);
        if (self->result == UV_EAGAIN || stress_pauses(&self->life))
            YIELD_NOW();
        while (stress_lulls(&self->life,
                            ledger_is_quiet(self->ledger) || edo_mpsc_is_closed(self->tx)))
            YIELD_NOW();
    }
    if (self->result == EDO_ECLOSED)
        ledger_returned(self->ledger);
    else if (self->tx != NULL)
        say_last_words(self);
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx);
    edo_mpsc_weak_sender_drop(self->weak);
    ASYNC_END;
}

struct mpsc_consumer {
    STRESS_ACTOR;
    struct ledger_view view;
    MPSC_RECEIVER(struct message) rx;
    uint32_t stay; /* for so many messages at most */
    bool drains;   /* then closes, and receives what was sent; or just goes */
    int result;
    uint32_t dice, limit, count;
    struct message messages[16];
    struct stress_attempt attempt;
    union {
        struct edo_mpsc_recv recv;
        struct edo_mpsc_recv_many recv_many;
    };
};

ASYNC(mpsc_consumer)
{
    ASYNC_BEGIN;
    for (;;) {
        self->dice = stress_random(&self->life, 16);
        self->count = 0;
        self->result = UV_EAGAIN;
        if (self->dice < 8) {
            stress_step(&self->life, "recv");
            self->recv = edo_mpsc_recv(self->rx, self->messages);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->recv));
            self->result = self->attempt.output ? self->recv.output : UV_EAGAIN;
            self->count = self->result == 0;
        } else if (self->dice < 11) {
            stress_step(&self->life, "recv_many");
            self->limit = 1 + stress_random(&self->life, 16);
            self->recv_many = edo_mpsc_recv_many(self->rx, self->messages, self->limit);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->recv_many));
            if (self->attempt.output) {
                self->count = (uint32_t)self->recv_many.output;
                self->result = self->count == 0 ? EDO_ECLOSED : 0;
            }
        } else if (self->dice < 12 && stress_may_block()) {
            stress_step(&self->life, "blocking_recv");
            self->result = edo_mpsc_blocking_recv(self->rx, self->messages);
            self->count = self->result == 0;
        } else {
            stress_step(&self->life, "try_recv");
            self->result = edo_mpsc_try_recv(self->rx, self->messages);
            self->count = self->result == 0;
        }
        for (uint32_t i = 0; i < self->count; i++)
            ledger_received(&self->view, &self->messages[i]);
        if (self->result == EDO_ECLOSED)
            break;
        self->stay -= self->count < self->stay ? self->count : self->stay;
        if (self->stay == 0) {
            if (!self->drains)
                RETURN();
            edo_mpsc_close(self->rx);
            self->stay = UINT32_MAX;
        }
        if (self->result == UV_EAGAIN || stress_pauses(&self->life))
            YIELD_NOW();
    }
    edo_store(&self->view.ledger->ended, true, relaxed);
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

static void mpsc_round(struct stress *stress)
{
    static const size_t capacities[] = {1, 2, 3, 4, 7, 16, 100};
    uint32_t channels = stress_random(stress, 2) == 0 ? 1 : CHANNELS, count = 0;
    struct ledger ledgers[CHANNELS];
    MPSC_SENDER(struct message) tx[CHANNELS];
    struct mpsc_producer *producers = calloc(stress->producers, sizeof *producers);
    struct mpsc_consumer *consumers = calloc(CHANNELS, sizeof *consumers);
    struct stress_actor *actors[STRESS_ACTORS];
    for (uint32_t i = 0; i < channels; i++) {
        ledger_init(&ledgers[i], stress);
        consumers[i] = NEW(mpsc_consumer, .view = {.ledger = &ledgers[i], .alone = true},
                           .stay = UINT32_MAX, .drains = stress_random(stress, 2) == 0);
        if (stress_random(stress, 4) == 0)
            consumers[i].stay = stress_random(stress, stress->quota * stress->producers / channels);
        size_t capacity =
            stress->kind->variant == UNBOUNDED
                ? EDO_UNBOUNDED
                : capacities[stress_random(stress, sizeof capacities / sizeof capacities[0])];
        int error = edo_mpsc_with(&tx[i], &consumers[i].rx, capacity, ledger_dropped);
        edo_assert(error == 0);
        stress_life_init(&consumers[i].life, stress);
        actors[count++] = (struct stress_actor *)&consumers[i];
    }
    for (uint32_t i = 0; i < stress->producers; i++) {
        producers[i] = NEW(mpsc_producer, .ledger = &ledgers[i % channels], .id = i,
                           .tx = edo_mpsc_sender_clone(tx[i % channels]));
        stress_life_init(&producers[i].life, stress);
        actors[count++] = (struct stress_actor *)&producers[i];
    }
    for (uint32_t i = 0; i < channels; i++)
        edo_mpsc_sender_drop(tx[i]);
    stress_run(stress, actors, count);
    for (uint32_t i = 0; i < channels; i++)
        ledger_close(&ledgers[i]);
    free(producers);
    free(consumers);
}

enum {
    PLANTS = 1 << STRESS_LOSS | 1 << STRESS_DOUBLE | 1 << STRESS_REORDER | 1 << STRESS_TORN |
             1 << STRESS_LEAK
};
const struct stress_kind stress_mpsc_bounded = {"mpsc bounded", "messages", mpsc_round, BOUNDED,
                                                PLANTS};
const struct stress_kind stress_mpsc_unbounded = {"mpsc unbounded", "messages", mpsc_round,
                                                  UNBOUNDED, PLANTS};
