/* SPDX-License-Identifier: MIT */
/* Join sets: each actor has one, with tasks on all of the runtimes, and takes their outcomes, or lets go of them.
 * Each is taken once, by the one who has it, wherever it is polled. */
#include <stdlib.h>

#include "attempt.h"
#include "kinds.h"

struct numbered {
    uint32_t owner, number;
};

struct worker {
    FUTURE(struct numbered);
    struct numbered numbered;
    uint32_t yields;
    _Atomic(uint64_t) *ended;
};

ASYNC(worker)
{
    ASYNC_BEGIN;
    while (self->yields-- > 0)
        YIELD_NOW();
    RETURN(self->numbered);
ASYNC_FINALLY:
    edo_fetch_add(self->ended, 1, relaxed);
    ASYNC_END;
}

struct joins_many {
    STRESS_ACTOR;
    uint32_t id, spawned, in, dice;
    bool *taken; /* by number */
    _Atomic(uint64_t) *ended;
    JOIN_SET(struct numbered) set;
    struct numbered value;
    int outcome;
    struct stress_attempt attempt;
    struct edo_join_set_join_next next;
    struct edo_join_set_shutdown shutdown;
};

static void spawns(struct joins_many *self)
{
    struct stress *stress = self->life.stress;
    struct worker worker = NEW(worker, .numbered = {self->id, self->spawned}, .ended = self->ended,
                               .yields = stress_random(&self->life, 4));
    int error = edo_join_set_spawn_on(
        &self->set, stress->handles[stress_random(&self->life, stress->runtimes)], worker);
    stress_expect(stress, error == 0, "spawn: %d", error);
    self->spawned++;
    self->in++;
}

static void takes(struct joins_many *self)
{
    struct stress *stress = self->life.stress;
    if (self->outcome == UV_EAGAIN)
        return;
    if (self->outcome == UV_EOF) {
        stress_expect(stress, self->in == 0, "%u: the end, and %u are in", self->id, self->in);
        return;
    }
    if (!stress_planted(stress, STRESS_LOSS))
        self->in--;
    if (stress_planted(stress, STRESS_DOUBLE))
        self->in--;
    stress_expect(stress, edo_join_set_len(&self->set) == self->in, "%u: %u in, not %u", self->id,
                  (unsigned)edo_join_set_len(&self->set), self->in);
    if (self->outcome == UV_ECANCELED)
        return; /* also when its runtime has nothing left to do, and ends */
    if (stress_planted(stress, STRESS_TORN))
        self->value.number += stress->quota;
    stress_expect(stress,
                  self->outcome == 0 && self->value.owner == self->id &&
                      self->value.number < self->spawned && !self->taken[self->value.number],
                  "%u: outcome %d, number %u of %u", self->id, self->outcome, self->value.number,
                  self->value.owner);
    if (self->value.number < stress->quota)
        self->taken[self->value.number] = true;
}

static void lets_go(struct joins_many *self)
{
    if (stress_random(&self->life, 2) == 0)
        edo_join_set_drop(&self->set);
    else
        edo_join_set_detach_all(&self->set);
    self->in = 0;
}

ASYNC(joins_many)
{
    ASYNC_BEGIN;
    while (self->spawned < self->life.stress->quota || self->in > 0) {
        self->dice = stress_random(&self->life, 64);
        if (self->dice < 32 && self->spawned < self->life.stress->quota) {
            spawns(self);
        } else if (self->dice < 56) {
            stress_step(&self->life, "join_next");
            self->next = edo_join_set_join_next(&self->set, &self->value);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->next));
            self->outcome = self->attempt.output ? self->next.output : UV_EAGAIN;
            takes(self);
            if (!self->attempt.output && stress_gives_up(&self->life))
                RETURN();
        } else if (self->dice < 60) {
            stress_step(&self->life, "try_join_next");
            self->outcome = edo_join_set_try_join_next(&self->set, &self->value);
            takes(self);
        } else if (self->dice < 62) {
            edo_join_set_abort_all(&self->set);
        } else if (self->dice < 63) {
            lets_go(self);
        } else {
            stress_step(&self->life, "shutdown");
            self->shutdown = edo_join_set_shutdown(&self->set);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->shutdown));
            self->in = (uint32_t)edo_join_set_len(&self->set);
            stress_expect(self->life.stress, !self->attempt.output || self->in == 0,
                          "%u: shut down, and %u are in", self->id, self->in);
        }
        if (stress_pauses(&self->life))
            YIELD_NOW();
    }
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

static void join_set_round(struct stress *stress)
{
    struct joins_many *joiners = calloc(stress->actors, sizeof *joiners);
    bool *taken = calloc(stress->actors, stress->quota);
    struct stress_actor *actors[STRESS_ACTORS];
    _Atomic(uint64_t) ended;
    uint64_t all = 0;
    edo_init(&ended, 0);
    for (uint32_t i = 0; i < stress->actors; i++) {
        joiners[i] =
            NEW(joins_many, .id = i, .taken = taken + (size_t)i * stress->quota, .ended = &ended);
        stress_life_init(&joiners[i].life, stress);
        actors[i] = (struct stress_actor *)&joiners[i];
    }
    stress_run(stress, actors, stress->actors);
    for (uint32_t i = 0; i < stress->actors; i++)
        all += joiners[i].spawned;
    stress_expect(stress, edo_load(&ended, relaxed) == all, "%u were spawned, %u ended",
                  (unsigned)all, (unsigned)edo_load(&ended, relaxed));
    stress->sent += all;
    free(taken);
    free(joiners);
}

const struct stress_kind stress_join_set = {"join_set", "tasks", join_set_round, 0,
                                            1 << STRESS_LOSS | 1 << STRESS_DOUBLE |
                                                1 << STRESS_TORN | 1 << STRESS_LEAK};
