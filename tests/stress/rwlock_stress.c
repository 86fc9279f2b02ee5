/* SPDX-License-Identifier: MIT */
/* RwLock: writers keep two numbers in step, with an await in between; readers see them in step, never with
 * a writer, and never more readers than may be. */
#include <stdlib.h>

#include "attempt.h"
#include "kinds.h"

struct pair {
    struct stress *stress;
    struct edo_rwlock lock;
    uint32_t most; /* readers */
    _Atomic(uint32_t) readers;
    _Atomic(uint32_t) writers;
    uint64_t writes; /* by actors that have ended */
    uint64_t a, b;   /* the lock's: b is twice a */
};

struct rwlock_user {
    STRESS_ACTOR;
    struct pair *pair;
    uint32_t left, dice;
    bool locked;
    uint64_t writes, read;
    struct edo_rwlock_read_guard reading;
    struct edo_rwlock_write_guard writing;
    struct stress_attempt attempt;
    union {
        struct edo_rwlock_read read_lock;
        struct edo_rwlock_write write_lock;
    };
};

static void begins_to_read(struct pair *pair)
{
    uint32_t readers = edo_fetch_add(&pair->readers, 1, relaxed) + 1;
    stress_expect(pair->stress, readers <= pair->most, "%u readers, of %u", readers, pair->most);
    stress_expect(pair->stress, edo_load(&pair->writers, relaxed) == 0, "a reader with a writer");
}

static void look(struct pair *pair)
{
    uint64_t b = pair->b + stress_planted(pair->stress, STRESS_TORN);
    stress_expect(pair->stress, b == 2 * pair->a, "a reader saw %u and %u", (unsigned)pair->a,
                  (unsigned)b);
}

static void ends_reading(struct rwlock_user *self)
{
    look(self->pair);
    edo_fetch_sub(&self->pair->readers, 1, relaxed);
    edo_rwlock_read_unlock(&self->reading);
}

static void begins_to_write(struct pair *pair)
{
    uint32_t writers = edo_fetch_add(&pair->writers, 1, relaxed);
    stress_expect(pair->stress, writers == 0 && edo_load(&pair->readers, relaxed) == 0,
                  "a writer with %u writers and %u readers", writers,
                  edo_load(&pair->readers, relaxed));
}

static void ends_writing(struct rwlock_user *self)
{
    struct pair *pair = self->pair;
    pair->b = 2 * pair->a;
    self->writes++;
    edo_fetch_sub(&pair->writers, 1, relaxed);
    if (self->dice % 4 != 0) {
        edo_rwlock_write_unlock(&self->writing);
        return;
    }
    self->read = pair->a;
    edo_rwlock_downgrade(&self->writing, &self->reading);
    begins_to_read(pair);
    stress_expect(pair->stress, pair->a == self->read, "a writer came in a downgrade");
}

ASYNC(rwlock_user)
{
    ASYNC_BEGIN;
    while (self->left > 0) {
        self->dice = stress_random(&self->life, 32);
        self->locked = true;
        if (self->dice < 16) {
            stress_step(&self->life, "read");
            self->read_lock = edo_rwlock_read(&self->pair->lock, &self->reading);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->read_lock));
            if (!self->attempt.output && stress_gives_up(&self->life))
                RETURN();
            self->locked = self->attempt.output;
        } else if (self->dice < 24) {
            stress_step(&self->life, "write");
            self->write_lock = edo_rwlock_write(&self->pair->lock, &self->writing);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->write_lock));
            if (!self->attempt.output && stress_gives_up(&self->life))
                RETURN();
            self->locked = self->attempt.output;
        } else if (self->dice < 26 && stress_may_block()) {
            stress_step(&self->life, "blocking");
            if (self->dice == 24)
                edo_rwlock_blocking_read(&self->pair->lock, &self->reading);
            else
                edo_rwlock_blocking_write(&self->pair->lock, &self->writing);
        } else {
            stress_step(&self->life, "try");
            self->locked = (self->dice % 2 == 0
                                ? edo_rwlock_try_read(&self->pair->lock, &self->reading)
                                : edo_rwlock_try_write(&self->pair->lock, &self->writing)) == 0;
        }
        stress_expect(self->life.stress,
                      self->locked == (self->reading.lock != NULL || self->writing.lock != NULL),
                      "locked: %d, and the guards do not say so", self->locked);
        if (!self->locked) {
            YIELD_NOW();
            continue;
        }
        self->left--;
        if (self->writing.lock != NULL) {
            begins_to_write(self->pair);
            if (!stress_planted(self->life.stress, STRESS_LOSS))
                self->pair->a++;
            if (stress_pauses(&self->life))
                YIELD_NOW();
            ends_writing(self);
        } else {
            begins_to_read(self->pair);
        }
        if (self->reading.lock != NULL) {
            look(self->pair);
            if (stress_pauses(&self->life))
                YIELD_NOW();
            ends_reading(self);
        }
    }
    ASYNC_END;
}

static void rwlock_round(struct stress *stress)
{
    struct pair pair = {.stress = stress, .most = 1u << stress_random(stress, 5)};
    struct rwlock_user *users = calloc(stress->actors, sizeof *users);
    struct stress_actor *actors[STRESS_ACTORS];
    edo_rwlock_init_max_readers(&pair.lock, pair.most);
    for (uint32_t i = 0; i < stress->actors; i++) {
        users[i] = NEW(rwlock_user, .pair = &pair, .left = stress->quota);
        stress_life_init(&users[i].life, stress);
        actors[i] = (struct stress_actor *)&users[i];
    }
    stress_run(stress, actors, stress->actors);
    for (uint32_t i = 0; i < stress->actors; i++) {
        pair.writes += users[i].writes;
        stress->sent += stress->quota - users[i].left;
    }
    stress_expect(stress, pair.a == pair.writes, "%u writes, and counted %u", (unsigned)pair.writes,
                  (unsigned)pair.a);
    edo_rwlock_destroy(&pair.lock);
    free(users);
}

const struct stress_kind stress_rwlock = {"rwlock", "locks", rwlock_round, 0,
                                          1 << STRESS_LOSS | 1 << STRESS_TORN | 1 << STRESS_LEAK};
