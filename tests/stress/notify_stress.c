/* SPDX-License-Identifier: MIT */
/* Notify: some actors pass one notification on and on, which is neither lost nor doubled: whoever has it
 * counts up a plain counter, and notifies the next. The others are notified of rounds, all at once, and
 * miss none. */
#include <stdlib.h>

#include "attempt.h"
#include "kinds.h"

enum { PASSERS = 8 };

struct baton {
    struct stress *stress;
    struct edo_notify one; /* the notification that is passed on */
    _Atomic(uint32_t) holders;
    uint64_t count; /* whoever has it */
    struct edo_notify all;
    _Atomic(uint64_t) round;
};

struct passer {
    STRESS_ACTOR;
    struct baton *baton;
    uint32_t left;
    struct stress_attempt attempt;
    struct edo_notified notified;
};

static void pass_on(struct passer *self)
{
    struct baton *baton = self->baton;
    struct stress *stress = self->life.stress;
    uint32_t holders = edo_fetch_add(&baton->holders, 1, relaxed);
    if (stress_planted(stress, STRESS_DOUBLE))
        holders++;
    stress_expect(stress, holders == 0, "one notification, and two were notified");
    if (!stress_planted(stress, STRESS_LOSS))
        baton->count++;
    edo_fetch_sub(&baton->holders, 1, relaxed);
    if (stress_planted(stress, STRESS_STALL))
        return;
    if (stress_random(&self->life, 2) == 0)
        edo_notify_one(&baton->one);
    else
        edo_notify_last(&baton->one);
}

ASYNC(passer)
{
    ASYNC_BEGIN;
    while (self->left > 0) {
        stress_step(&self->life, "notified");
        self->notified = edo_notified(&self->baton->one);
        if (stress_random(&self->life, 4) == 0)
            edo_notified_enable(&self->notified);
        AWAIT(self->attempt, stress_attempt(&self->life, &self->notified));
        if (!self->attempt.output && stress_gives_up(&self->life))
            RETURN();
        if (!self->attempt.output)
            continue;
        self->left--;
        if (stress_pauses(&self->life))
            YIELD_NOW();
        pass_on(self);
    }
    ASYNC_END;
}

/* Begins rounds. */
struct caller {
    STRESS_ACTOR;
    struct baton *baton;
};

ASYNC(caller)
{
    ASYNC_BEGIN;
    while (edo_load(&self->baton->round, relaxed) < self->life.stress->quota) {
        stress_step(&self->life, "notify_waiters");
        edo_fetch_add(&self->baton->round, 1, release);
        edo_notify_waiters(&self->baton->all);
        if (stress_random(&self->life, 4) != 0)
            YIELD_NOW();
    }
    ASYNC_END;
}

struct listener {
    STRESS_ACTOR;
    struct baton *baton;
    uint64_t seen;
    struct stress_attempt attempt;
    struct edo_notified notified;
};

static bool is_behind(struct listener *self)
{
    uint64_t round = edo_load(&self->baton->round, acquire), seen = self->seen;
    self->seen = round;
    return round != seen;
}

ASYNC(listener)
{
    ASYNC_BEGIN;
    while (self->seen < self->life.stress->quota) {
        stress_step(&self->life, "notified of a round");
        self->notified = edo_notified(&self->baton->all);
        /* What came before it was made is seen here; of what comes later it is notified. */
        if (is_behind(self)) {
            DROP(self->notified);
            continue;
        }
        AWAIT(self->attempt, stress_attempt(&self->life, &self->notified));
    }
    ASYNC_END;
}

static void notify_round(struct stress *stress)
{
    struct baton baton = {.stress = stress};
    struct passer *passers = calloc(PASSERS, sizeof *passers);
    uint64_t all = 0;
    uint32_t count = 0, others = stress->actors - PASSERS - 1;
    struct listener *listeners = calloc(others, sizeof *listeners);
    struct caller caller = NEW(caller, .baton = &baton);
    struct stress_actor *actors[STRESS_ACTORS];
    edo_notify_init(&baton.one);
    edo_notify_init(&baton.all);
    for (uint32_t i = 0; i < PASSERS; i++) {
        passers[i] = NEW(passer, .baton = &baton, .left = stress->quota);
        stress_life_init(&passers[i].life, stress);
        actors[count++] = (struct stress_actor *)&passers[i];
    }
    for (uint32_t i = 0; i < others; i++) {
        listeners[i] = NEW(listener, .baton = &baton);
        stress_life_init(&listeners[i].life, stress);
        actors[count++] = (struct stress_actor *)&listeners[i];
    }
    stress_life_init(&caller.life, stress);
    actors[count++] = (struct stress_actor *)&caller;
    edo_notify_one(&baton.one);
    stress_run(stress, actors, count);
    for (uint32_t i = 0; i < PASSERS; i++)
        all += stress->quota - passers[i].left;
    stress_expect(stress, baton.count == all, "notified %u times, and counted %u", (unsigned)all,
                  (unsigned)baton.count);
    stress->sent += all;
    edo_notify_destroy(&baton.one);
    edo_notify_destroy(&baton.all);
    free(passers);
    free(listeners);
}

const struct stress_kind stress_notify = {"notify", "notifications", notify_round, 0,
                                          1 << STRESS_LOSS | 1 << STRESS_DOUBLE |
                                              1 << STRESS_STALL | 1 << STRESS_LEAK};
