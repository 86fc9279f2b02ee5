/* SPDX-License-Identifier: MIT */
/* Mutex: a plain counter is counted up by whoever has it, also in two steps with an await in between. */
#include <stdlib.h>

#include "attempt.h"
#include "kinds.h"

struct counted {
    struct stress *stress;
    struct edo_mutex mutex;
    uint64_t count; /* the mutex's */
};

struct mutex_user {
    STRESS_ACTOR;
    struct counted *counted;
    uint32_t left, dice;
    bool locked;
    uint64_t read;
    struct edo_mutex_guard guard;
    struct stress_attempt attempt;
    struct edo_mutex_lock lock;
};

ASYNC(mutex_user)
{
    ASYNC_BEGIN;
    while (self->left > 0) {
        self->dice = stress_random(&self->life, 32);
        self->locked = true;
        if (self->dice < 24) {
            stress_step(&self->life, "lock");
            self->lock = edo_mutex_lock(&self->counted->mutex, &self->guard);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->lock));
            if (!self->attempt.output && stress_gives_up(&self->life))
                RETURN();
            self->locked = self->attempt.output;
        } else if (self->dice < 26 && stress_may_block()) {
            stress_step(&self->life, "blocking_lock");
            edo_mutex_blocking_lock(&self->counted->mutex, &self->guard);
        } else {
            stress_step(&self->life, "try_lock");
            self->locked = edo_mutex_try_lock(&self->counted->mutex, &self->guard) == 0;
        }
        stress_expect(self->life.stress, self->locked == (self->guard.mutex != NULL),
                      "locked: %d, and the guard says %d", self->locked, self->guard.mutex != NULL);
        if (!self->locked) {
            YIELD_NOW();
            continue;
        }
        self->read = self->counted->count;
        if (stress_pauses(&self->life))
            YIELD_NOW();
        if (!stress_planted(self->life.stress, STRESS_LOSS))
            self->counted->count = self->read + 1;
        if (stress_planted(self->life.stress, STRESS_DOUBLE))
            self->counted->count++;
        self->left--;
        edo_mutex_unlock(&self->guard);
    }
    ASYNC_END;
}

static void mutex_round(struct stress *stress)
{
    struct counted counted = {.stress = stress};
    struct mutex_user *users = calloc(stress->actors, sizeof *users);
    struct stress_actor *actors[STRESS_ACTORS];
    uint64_t all = 0;
    edo_mutex_init(&counted.mutex);
    for (uint32_t i = 0; i < stress->actors; i++) {
        users[i] = NEW(mutex_user, .counted = &counted, .left = stress->quota);
        stress_life_init(&users[i].life, stress);
        actors[i] = (struct stress_actor *)&users[i];
    }
    stress_run(stress, actors, stress->actors);
    for (uint32_t i = 0; i < stress->actors; i++)
        all += stress->quota - users[i].left;
    stress_expect(stress, counted.count == all, "locked %u times, and counted %u", (unsigned)all,
                  (unsigned)counted.count);
    stress->sent += all;
    edo_mutex_destroy(&counted.mutex);
    free(users);
}

const struct stress_kind stress_mutex = {"mutex", "locks", mutex_round, 0,
                                         1 << STRESS_LOSS | 1 << STRESS_DOUBLE | 1 << STRESS_LEAK};
