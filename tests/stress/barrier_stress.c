/* SPDX-License-Identifier: MIT */
/* Barrier: nobody passes before n have come, and each n have one leader; one that is dropped after it has come
 * counts all the same. */
#include <stdlib.h>

#include "attempt.h"
#include "kinds.h"

struct gate {
    struct stress *stress;
    struct edo_barrier barrier;
    uint32_t n;
    _Atomic(uint64_t) came; /* counted up before */
    _Atomic(uint64_t) leaders;
    _Atomic(uint32_t) ended; /* actors */
};

/* A wait that counts itself. */
struct counted_wait {
    FUTURE(void);
    struct gate *gate;
    bool counted;
    struct edo_barrier_wait wait;
};

static enum edo_poll counted_wait_poll(struct edo_future *future, struct edo_context *cx)
{
    struct counted_wait *self = (struct counted_wait *)future;
    struct gate *gate = self->gate;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(&self->wait.future_, cx);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "counted_wait");
    if (!self->counted && !stress_planted(gate->stress, STRESS_LOSS))
        edo_fetch_add(&gate->came, 1, relaxed);
    enum edo_poll poll = edo_future_poll(&self->wait.future_, cx);
    self->counted = self->wait.future_.state != EDO_STATE_FRESH;
    /* Without a budget it has not come yet. */
    if (!self->counted)
        edo_fetch_sub(&gate->came, 1, relaxed);
    if (poll == EDO_READY && self->wait.output) {
        uint64_t leaders = edo_fetch_add(&gate->leaders, 1, relaxed) + 1;
        leaders += stress_planted(gate->stress, STRESS_DOUBLE);
        stress_expect(gate->stress, edo_load(&gate->came, relaxed) >= leaders * gate->n,
                      "%u leaders, of %u each, when %u had come", (unsigned)leaders, gate->n,
                      (unsigned)edo_load(&gate->came, relaxed));
    }
    return poll;
}

struct comer {
    STRESS_ACTOR;
    struct gate *gate;
    uint32_t left;
    struct stress_attempt attempt;
    struct counted_wait wait;
};

ASYNC(comer)
{
    ASYNC_BEGIN;
    /* When one ends, all do. */
    while (self->left > 0 && edo_load(&self->gate->ended, relaxed) == 0) {
        self->left--;
        stress_step(&self->life, "wait");
        self->wait =
            NEW(counted_wait, .gate = self->gate, .wait = edo_barrier_wait(&self->gate->barrier));
        AWAIT(self->attempt, stress_attempt(&self->life, &self->wait));
        if (stress_pauses(&self->life))
            YIELD_NOW();
    }
    /* For those that still wait. */
    edo_fetch_add(&self->gate->ended, 1, relaxed);
    while (edo_load(&self->gate->ended, relaxed) < self->life.stress->actors) {
        stress_step(&self->life, "wait for the others");
        self->wait =
            NEW(counted_wait, .gate = self->gate, .wait = edo_barrier_wait(&self->gate->barrier));
        AWAIT(self->attempt, stress_brief(&self->life, &self->wait));
        YIELD_NOW();
    }
    ASYNC_END;
}

static void barrier_round(struct stress *stress)
{
    struct gate gate = {.stress = stress, .n = 1 + stress_random(stress, stress->actors)};
    struct comer *comers = calloc(stress->actors, sizeof *comers);
    struct stress_actor *actors[STRESS_ACTORS];
    edo_barrier_init(&gate.barrier, gate.n);
    for (uint32_t i = 0; i < stress->actors; i++) {
        comers[i] = NEW(comer, .gate = &gate, .left = stress->quota);
        stress_life_init(&comers[i].life, stress);
        actors[i] = (struct stress_actor *)&comers[i];
    }
    stress_run(stress, actors, stress->actors);
    uint64_t came = edo_load(&gate.came, relaxed), leaders = edo_load(&gate.leaders, relaxed);
    stress_expect(stress, leaders == came / gate.n, "%u came, by %u, and %u were leaders",
                  (unsigned)came, gate.n, (unsigned)leaders);
    for (uint32_t i = 0; i < stress->actors; i++)
        stress->sent += stress->quota - comers[i].left;
    edo_barrier_destroy(&gate.barrier);
    free(comers);
}

const struct stress_kind stress_barrier = {
    "barrier", "waits", barrier_round, 0, 1 << STRESS_LOSS | 1 << STRESS_DOUBLE | 1 << STRESS_LEAK};
