/* SPDX-License-Identifier: MIT */
/* Semaphore: permits are acquired, split, merged, handed on, forgotten and added again by all. Never are more
 * out than there are, and at the end all are back. */
#include <stdlib.h>

#include "attempt.h"
#include "kinds.h"

struct permits {
    struct stress *stress;
    struct edo_semaphore semaphore;
    uint32_t all;
    _Atomic(int64_t) out; /* as those say who have them: counted up after, down before */
    bool closed;          /* at some time in this round */
};

struct semaphore_user {
    STRESS_ACTOR;
    struct permits *permits;
    struct edo_semaphore *semaphore;
    uint32_t left, dice, want;
    bool closes;
    int result;
    struct edo_permit permit, part;
    struct stress_attempt attempt;
    struct edo_semaphore_acquire acquire;
};

static void took(struct permits *permits, int64_t n)
{
    if (n > 0 && stress_planted(permits->stress, STRESS_DOUBLE))
        n *= 2;
    int64_t out = edo_fetch_add(&permits->out, n, relaxed) + n;
    stress_expect(permits->stress, out <= permits->all, "%d permits are out, of %u", (int)out,
                  permits->all);
}

static void gives(struct permits *permits, int64_t n)
{
    if (n > 0 && !stress_planted(permits->stress, STRESS_LOSS))
        edo_fetch_sub(&permits->out, n, relaxed);
}

/* Permits that are forgotten are made anew. */
static void forget(struct semaphore_user *self)
{
    struct edo_permit part = {0};
    size_t n = self->permit.count / 2;
    int error = edo_permit_split(&self->permit, n, &part);
    stress_expect(self->life.stress, error == 0, "edo_permit_split: %d", error);
    edo_permit_forget(&part);
    /* The others of the semaphore, too. */
    size_t others = edo_semaphore_forget(self->semaphore, 1);
    took(self->permits, (int64_t)others);
    gives(self->permits, (int64_t)(n + others));
    edo_semaphore_add(self->semaphore, n + others);
}

static void give_back(struct semaphore_user *self)
{
    struct permits *permits = self->permits;
    if (self->dice % 8 == 0)
        forget(self);
    if (self->dice % 4 == 1) {
        edo_permit_split(&self->permit, self->permit.count / 2, &self->part);
        gives(permits, (int64_t)self->part.count);
        edo_permit_release(&self->part);
    } else if (self->dice % 4 == 2) {
        edo_permit_split(&self->permit, self->permit.count / 2, &self->part);
        edo_permit_merge(&self->permit, &self->part);
    }
    gives(permits, (int64_t)self->permit.count);
    edo_permit_release(&self->permit);
}

ASYNC(semaphore_user)
{
    ASYNC_BEGIN;
    while (self->left > 0) {
        self->dice = stress_random(&self->life, 32);
        self->want =
            1 + (stress_random(&self->life, 2) == 0 ? stress_random(&self->life, self->permits->all)
                                                    : 0);
        if (self->dice < 22) {
            stress_step(&self->life, "acquire");
            self->acquire = edo_semaphore_acquire_many(self->semaphore, self->want, &self->permit);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->acquire));
            if (!self->attempt.output && stress_gives_up(&self->life))
                RETURN();
            self->result = self->attempt.output ? self->acquire.output : UV_EAGAIN;
        } else if (self->dice < 24 && stress_may_block()) {
            stress_step(&self->life, "blocking_acquire");
            self->result =
                edo_semaphore_blocking_acquire_many(self->semaphore, self->want, &self->permit);
        } else {
            stress_step(&self->life, "try_acquire");
            self->result =
                edo_semaphore_try_acquire_many(self->semaphore, self->want, &self->permit);
        }
        if (self->result == EDO_ECLOSED)
            break;
        if (self->result == UV_EAGAIN) {
            YIELD_NOW();
            continue;
        }
        stress_expect(self->life.stress, self->result == 0 && self->permit.count == self->want,
                      "acquired %u of %u: %d", (unsigned)self->permit.count, self->want,
                      self->result);
        took(self->permits, self->want);
        self->left--;
        if (stress_pauses(&self->life))
            YIELD_NOW();
        give_back(self);
        if (self->closes && self->left < self->life.stress->quota / 2)
            edo_semaphore_close(self->semaphore);
    }
    ASYNC_END;
}

static void semaphore_round(struct stress *stress)
{
    struct permits permits = {.stress = stress, .all = 1 + stress_random(stress, 8)};
    struct semaphore_user *users = calloc(stress->actors, sizeof *users);
    struct stress_actor *actors[STRESS_ACTORS];
    edo_semaphore_init(&permits.semaphore, permits.all);
    for (uint32_t i = 0; i < stress->actors; i++) {
        users[i] = NEW(semaphore_user, .permits = &permits, .semaphore = &permits.semaphore,
                       .left = stress->quota);
        stress_life_init(&users[i].life, stress);
        actors[i] = (struct stress_actor *)&users[i];
    }
    users[0].closes = stress_random(stress, 4) == 0;
    stress_run(stress, actors, stress->actors);
    for (uint32_t i = 0; i < stress->actors; i++)
        stress->sent += stress->quota - users[i].left;
    int64_t out = edo_load(&permits.out, relaxed);
    size_t back = edo_semaphore_available(&permits.semaphore);
    stress_expect(stress, out == 0 && back == permits.all,
                  "at the end %d permits are out, and %u are there, of %u", (int)out,
                  (unsigned)back, permits.all);
    edo_semaphore_destroy(&permits.semaphore);
    free(users);
}

const struct stress_kind stress_semaphore = {"semaphore", "acquisitions", semaphore_round, 0,
                                             1 << STRESS_LOSS | 1 << STRESS_DOUBLE |
                                                 1 << STRESS_LEAK};
