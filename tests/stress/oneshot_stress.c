/* SPDX-License-Identifier: MIT */
/* oneshot: as many channels as there are messages. Producers take the senders one after the other, consumers
 * the receivers; how far one side may be ahead of the other is drawn anew in each round. */
#include <sched.h>
#include <stdlib.h>

#include "attempt.h"
#include "kinds.h"

/* How it came out on either side. */
enum side { OPEN, SENT, REFUSED, LEFT, RECEIVED, SAW_END };

struct answer {
    struct oneshots *all;
    uint32_t index, check;
};

struct oneshot {
    ONESHOT_SENDER(struct answer) tx;
    ONESHOT_RECEIVER(struct answer) rx;
    enum side sender, receiver; /* each by its owner */
    _Atomic(uint32_t) received, dropped;
};

struct oneshots {
    struct stress *stress;
    uint32_t count, ahead;
    _Atomic(uint32_t) sending, receiving; /* the next of each */
    struct oneshot *each;
};

static void dropped(struct answer *answer)
{
    edo_fetch_add(&answer->all->each[answer->index].dropped, 1, relaxed);
}

static void received(struct oneshot *oneshot, const struct answer *answer)
{
    struct oneshots *all = answer->all;
    struct stress *stress = all->stress;
    struct answer torn = *answer;
    if (stress_planted(stress, STRESS_LOSS))
        return;
    if (stress_planted(stress, STRESS_TORN))
        torn.index++;
    if (stress_planted(stress, STRESS_DOUBLE))
        edo_fetch_add(&oneshot->received, 1, relaxed);
    stress_expect(stress, &all->each[torn.index] == oneshot && torn.check == ~torn.index,
                  "oneshot %u: not the answer that was sent", torn.index);
    edo_fetch_add(&oneshot->received, 1, relaxed);
}

struct oneshot_producer {
    STRESS_ACTOR;
    struct oneshots *all;
    struct oneshot *one;
    uint32_t index;
    struct answer answer;
    struct stress_attempt attempt;
    struct edo_oneshot_closed closed;
};

ASYNC(oneshot_producer)
{
    ASYNC_BEGIN;
    for (;;) {
        self->index = edo_fetch_add(&self->all->sending, 1, relaxed);
        if (self->index >= self->all->count)
            RETURN();
        stress_step(&self->life, "send");
        while (self->index > edo_load(&self->all->receiving, relaxed) + self->all->ahead) {
            sched_yield();
            YIELD_NOW();
        }
        self->one = &self->all->each[self->index];
        self->answer = (struct answer){self->all, self->index, ~self->index};
        if (stress_random(&self->life, 4) == 0) {
            self->closed = edo_oneshot_closed(self->one->tx);
            AWAIT(self->attempt, stress_brief(&self->life, &self->closed));
            stress_expect(self->life.stress,
                          !self->attempt.output || edo_oneshot_is_closed(self->one->tx),
                          "oneshot %u: closed, and is not", self->index);
        }
        if (stress_random(&self->life, 32) == 0) {
            edo_oneshot_sender_drop(self->one->tx);
            self->one->sender = LEFT;
        } else {
            int error = edo_oneshot_send(self->one->tx, &self->answer);
            self->one->sender = error == 0 ? SENT : REFUSED;
        }
    }
    ASYNC_END;
}

struct oneshot_consumer {
    STRESS_ACTOR;
    struct oneshots *all;
    struct oneshot *one;
    uint32_t index, tries;
    int result;
    struct answer answer;
    struct stress_attempt attempt;
    struct edo_oneshot_recv recv;
};

ASYNC(oneshot_consumer)
{
    ASYNC_BEGIN;
    for (;;) {
        self->index = edo_fetch_add(&self->all->receiving, 1, relaxed);
        if (self->index >= self->all->count)
            RETURN();
        self->one = &self->all->each[self->index];
        self->tries =
            stress_random(&self->life, 16) == 0 ? stress_random(&self->life, 4) : UINT32_MAX;
        self->result = UV_EAGAIN;
        while (self->result == UV_EAGAIN && self->tries-- > 0) {
            stress_step(&self->life, "recv");
            if (stress_random(&self->life, 4) == 0) {
                self->result = edo_oneshot_try_recv(self->one->rx, &self->answer);
            } else if (stress_may_block() && stress_random(&self->life, 8) == 0) {
                self->result = edo_oneshot_blocking_recv(self->one->rx, &self->answer);
            } else {
                self->recv = edo_oneshot_recv(self->one->rx, &self->answer);
                AWAIT(self->attempt, stress_attempt(&self->life, &self->recv));
                self->result = self->attempt.output ? self->recv.output : UV_EAGAIN;
            }
            if (self->result == UV_EAGAIN)
                YIELD_NOW();
        }
        if (self->result == UV_EAGAIN && stress_random(&self->life, 2) == 0) {
            edo_oneshot_close(self->one->rx);
            self->result = edo_oneshot_try_recv(self->one->rx, &self->answer);
            stress_expect(self->life.stress, self->result != UV_EAGAIN,
                          "oneshot %u: closed, and neither a message nor the end", self->index);
        }
        if (self->result == 0)
            received(self->one, &self->answer);
        self->one->receiver = self->result == 0             ? RECEIVED
                              : self->result == EDO_ECLOSED ? SAW_END
                                                            : LEFT;
        edo_oneshot_receiver_drop(self->one->rx);
    }
    ASYNC_END;
}

static void settle(struct oneshots *all, uint32_t index)
{
    struct stress *stress = all->stress;
    const struct oneshot *one = &all->each[index];
    uint32_t in = edo_load(&one->received, relaxed), out = edo_load(&one->dropped, relaxed);
    stress_expect(stress, in + out == (one->sender == SENT),
                  "oneshot %u: sent %u, received %u, dropped %u", index, one->sender == SENT, in,
                  out);
    stress_expect(stress, one->receiver != SAW_END || one->sender != SENT,
                  "oneshot %u: sent, and its receiver saw the end", index);
    stress_expect(stress, one->receiver == LEFT || out == 0,
                  "oneshot %u: dropped, and its receiver did not leave", index);
    stress->sent += one->sender == SENT;
    stress->returned += one->sender == REFUSED;
    stress->received += in;
    stress->dropped += out;
}

static void oneshot_round(struct stress *stress)
{
    struct oneshots all = {.stress = stress, .count = stress->quota * stress->producers};
    struct oneshot_producer *producers = calloc(stress->producers, sizeof *producers);
    struct oneshot_consumer *consumers = calloc(stress->consumers, sizeof *consumers);
    struct stress_actor *actors[STRESS_ACTORS];
    uint32_t count = 0;
    all.ahead = 1u << stress_random(stress, 12);
    all.each = calloc(all.count, sizeof *all.each);
    for (uint32_t i = 0; i < all.count; i++) {
        int error = edo_oneshot_with(&all.each[i].tx, &all.each[i].rx, dropped);
        edo_assert(error == 0);
    }
    for (uint32_t i = 0; i < stress->producers; i++) {
        producers[i] = NEW(oneshot_producer, .all = &all);
        stress_life_init(&producers[i].life, stress);
        actors[count++] = (struct stress_actor *)&producers[i];
    }
    for (uint32_t i = 0; i < stress->consumers; i++) {
        consumers[i] = NEW(oneshot_consumer, .all = &all);
        stress_life_init(&consumers[i].life, stress);
        actors[count++] = (struct stress_actor *)&consumers[i];
    }
    stress_run(stress, actors, count);
    for (uint32_t i = 0; i < all.count; i++)
        settle(&all, i);
    free(all.each);
    free(producers);
    free(consumers);
}

const struct stress_kind stress_oneshot = {"oneshot", "messages", oneshot_round, 0,
                                           1 << STRESS_LOSS | 1 << STRESS_DOUBLE |
                                               1 << STRESS_TORN | 1 << STRESS_LEAK};
