/* SPDX-License-Identifier: MIT */
/* Set once: many, each set by whoever comes first of those who would, and waited for by the others. */
#include <stdlib.h>

#include "attempt.h"
#include "kinds.h"

struct given {
    uint32_t index, by;
};

struct once {
    SET_ONCE(struct given) value;
    _Atomic(uint32_t) set;
    uint32_t by; /* who set it */
};

struct once_user {
    STRESS_ACTOR;
    struct once *all;
    uint32_t id, index;
    struct stress_attempt attempt;
    struct edo_set_once_wait wait;
};

static void set(struct once_user *self)
{
    struct once *once = &self->all[self->index];
    struct given given = {self->index, self->id};
    if (edo_set_once_set(&once->value, &given) != 0)
        return;
    once->by = self->id;
    if (!stress_planted(self->life.stress, STRESS_LOSS))
        edo_fetch_add(&once->set, 1, relaxed);
    if (stress_planted(self->life.stress, STRESS_DOUBLE))
        edo_fetch_add(&once->set, 1, relaxed);
}

static void look(struct once_user *self)
{
    const struct given *given = edo_set_once_get(&self->all[self->index].value);
    if (given == NULL) {
        stress_complain(self->life.stress, "%u: set, and empty", self->index);
        return;
    }
    uint32_t index = given->index + stress_planted(self->life.stress, STRESS_TORN);
    stress_expect(self->life.stress, index == self->index, "%u: has the value of %u", self->index,
                  index);
}

ASYNC(once_user)
{
    ASYNC_BEGIN;
    for (; self->index < self->life.stress->quota; self->index++) {
        for (;;) {
            /* One certainly would; the others wait for it, and set it when they are tired of that. */
            if (self->id == self->index % self->life.stress->actors ||
                stress_random(&self->life, 16) == 0)
                set(self);
            stress_step(&self->life, "wait");
            self->wait = edo_set_once_wait(&self->all[self->index].value);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->wait));
            if (self->attempt.output)
                break;
        }
        look(self);
    }
    ASYNC_END;
}

static void set_once_round(struct stress *stress)
{
    struct once *all = calloc(stress->quota, sizeof *all);
    struct once_user *users = calloc(stress->actors, sizeof *users);
    struct stress_actor *actors[STRESS_ACTORS];
    for (uint32_t i = 0; i < stress->quota; i++)
        edo_set_once_init(&all[i].value);
    for (uint32_t i = 0; i < stress->actors; i++) {
        users[i] = NEW(once_user, .all = all, .id = i);
        stress_life_init(&users[i].life, stress);
        actors[i] = (struct stress_actor *)&users[i];
    }
    stress_run(stress, actors, stress->actors);
    for (uint32_t i = 0; i < stress->quota; i++) {
        uint32_t set = edo_load(&all[i].set, relaxed);
        const struct given *given = edo_set_once_get(&all[i].value);
        stress_expect(stress, set == 1 && given != NULL && given->by == all[i].by,
                      "%u: set %u times", i, set);
        edo_set_once_destroy(&all[i].value);
    }
    stress->sent += (uint64_t)stress->quota * stress->actors;
    free(all);
    free(users);
}

const struct stress_kind stress_set_once = {"set_once", "waits", set_once_round, 0,
                                            1 << STRESS_LOSS | 1 << STRESS_DOUBLE |
                                                1 << STRESS_TORN | 1 << STRESS_LEAK};
