/* SPDX-License-Identifier: MIT */
#include "churn_actor.h"

#include <time.h>

enum { DEPTH = 6 };

static struct churn_life *life_of(struct churn_actor *self)
{
    return &self->round->lives[self->id];
}

static void step(struct churn_actor *self, const char *doing)
{
    edo_store(&life_of(self)->doing, doing, relaxed);
    edo_fetch_add(&self->round->steps, 1, relaxed);
}

struct churn_actor churn_actor(struct churn_round *round, uint32_t id, uint32_t depth,
                               uint64_t random)
{
    struct churn_actor actor =
        NEW(churn_actor, .round = round, .id = id, .depth = depth, .random = random);
    actor.steps = 1 + stress_random(&actor, 24);
    return actor;
}

static uint64_t seed_of(struct churn_actor *self)
{
    return (uint64_t)stress_random(self, UINT32_MAX) << 32 | self->id;
}

static struct churn_actor doomed_actor(struct churn_actor *self)
{
    struct churn_actor actor = churn_actor(self->round, self->i, self->depth + 1, seed_of(self));
    actor.doomed = true;
    return actor;
}

/* Handles that lie about, for whoever comes by to abort: oneself, one's parent, anybody. */
static void exchange_target(struct churn_actor *self, uint32_t id, struct edo_abort_handle *handle)
{
    struct churn_target *target = &self->round->targets[stress_random(self, CHURN_TARGETS)], old;
    pthread_mutex_lock(&self->round->complaints);
    old = *target;
    *target = (struct churn_target){handle, id};
    pthread_mutex_unlock(&self->round->complaints);
    if (old.handle != NULL && stress_random(self, 4) == 0) {
        edo_store(&self->round->lives[old.id].aborted, true, seq_cst);
        edo_abort_handle_abort(old.handle);
    }
    edo_abort_handle_drop(old.handle);
}

static void bear(struct churn_actor *self)
{
    uint32_t id, at = stress_random(self, CHURN_CHILDREN);
    if (self->depth == DEPTH || self->children[at] != NULL || !churn_conceive(self->round, &id))
        return;
    JOIN_HANDLE(uint64_t)
    child = SPAWN(churn_actor(self->round, id, self->depth + 1, seed_of(self)));
    EXPECT(self->round, edo_task_error(child) == 0, "a spawn failed with %d",
           edo_task_error(child));
    if (stress_random(self, 8) == 0)
        exchange_target(self, id, edo_abort_handle(child));
    if (stress_random(self, 8) == 0)
        churn_abort(self->round, id, child);
    if (stress_random(self, 4) == 0) {
        edo_task_detach(child);
        return;
    }
    self->children[at] = child;
    self->ids[at] = id;
}

static int nap(void *arg)
{
    struct churn_round *round = arg;
    uint64_t count = edo_fetch_add(&round->blocked, 1, relaxed);
    struct timespec time = {.tv_nsec = (long)(count % 8) * 50000};
    nanosleep(&time, NULL);
    return 7;
}

static void nap_in_place(void *arg)
{
    nap(arg);
}

static void check_half(struct churn_actor *self)
{
    EXPECT(self->round, self->round->plain[0] == self->round->plain[1], "two had the mutex");
    self->round->plain[0]++;
    self->half = true;
}

static void other_half(struct churn_actor *self)
{
    self->half = false;
    self->round->plain[1]++;
    edo_mutex_unlock(&self->guard);
}

static void hold(struct churn_actor *self)
{
    self->holds = true;
    EXPECT(self->round, edo_fetch_add(&self->round->holders, 1, relaxed) < CHURN_PERMITS,
           "more hold permits than there are");
}

static void let_go(struct churn_actor *self)
{
    self->holds = false;
    edo_fetch_sub(&self->round->holders, 1, relaxed);
    edo_permit_release(&self->permit);
}

ASYNC_EXTERN(churn_actor)
{
    ASYNC_BEGIN;
    EXPECT(self->round, !edo_exchange(&life_of(self)->begun, true, relaxed), "it began twice");
    if (self->doomed) {
        step(self, "panics");
        YIELD_NOW();
        edo_store(&life_of(self)->panics, true, relaxed);
        PANIC("as it must");
    }
    while (self->steps-- > 0) {
        self->dice = stress_random(self, 64);
        if (self->dice < 12) {
            step(self, "gives way");
            YIELD_NOW();
        } else if (self->dice < 16) {
            step(self, "sleeps");
            AWAIT(self->sleep, edo_sleep(stress_random(self, 4)));
            EXPECT(self->round, self->sleep.output == 0 || edo_load(&self->round->ending, relaxed),
                   "a sleep ended with %d", self->sleep.output);
        } else if (self->dice < 32) {
            step(self, "spawns");
            bear(self);
        } else if (self->dice < 38) {
            step(self, "joins");
            self->i = stress_random(self, CHURN_CHILDREN);
            if (self->children[self->i] == NULL)
                continue;
            if (stress_random(self, 4) == 0)
                churn_abort(self->round, self->ids[self->i], self->children[self->i]);
            self->join = edo_join(self->children[self->i], &self->value);
            self->children[self->i] = NULL;
            AWAIT_REF(self->join);
            churn_check_join(self->round, self->ids[self->i], self->join.output, self->value);
        } else if (self->dice < 42) {
            step(self, "sends");
            self->parcel = churn_parcel(self->round, seed_of(self));
            self->send = edo_async_send(self->round->tx, &self->parcel);
            AWAIT(self->timeout, edo_timeout(1 + stress_random(self, 3), &self->send));
            edo_fetch_add(&self->round->sent, self->timeout.output == 0 && self->send.output == 0,
                          relaxed);
        } else if (self->dice < 47) {
            step(self, "receives");
            self->recv = edo_async_recv(self->round->rx, &self->parcel);
            AWAIT(self->timeout, edo_timeout(1 + stress_random(self, 3), &self->recv));
            if (self->timeout.output == 0 && self->recv.output == 0)
                churn_got(self->round, &self->parcel);
        } else if (self->dice < 51) {
            step(self, "locks");
            AWAIT(self->lock, edo_mutex_lock(&self->round->mutex, &self->guard));
            check_half(self);
            if (self->dice == 50)
                YIELD_NOW();
            other_half(self);
        } else if (self->dice < 54) {
            step(self, "acquires");
            AWAIT(self->acquire,
                  edo_semaphore_acquire_many(&self->round->semaphore, 1, &self->permit));
            hold(self);
            YIELD_NOW();
            let_go(self);
        } else if (self->dice < 57) {
            step(self, "talks");
            AWAIT(self->talk, NEW(churn_talk, .round = self->round, .number = self->id,
                                  .lines = 1 + stress_random(self, 3)));
        } else if (self->dice < 59) {
            step(self, "blocks elsewhere");
            self->work = SPAWN_BLOCKING(edo_call(nap, self->round));
            if (self->dice == 58) {
                edo_task_detach(self->work);
                self->work = NULL;
                continue;
            }
            self->join = edo_join(self->work, &self->got);
            self->work = NULL;
            AWAIT_REF(self->join);
            EXPECT(self->round,
                   self->join.output == 0 ? self->got == 7
                                          : edo_load(&self->round->ending, relaxed),
                   "blocking work ended with %d", self->join.output);
        } else if (self->dice < 60) {
            step(self, "blocks in place");
            self->result = edo_block_in_place(nap_in_place, self->round);
            EXPECT(self->round, self->result == 0 || edo_load(&self->round->ending, relaxed),
                   "block_in_place: %d", self->result);
        } else if (self->dice < 62) {
            step(self, "aborts somebody");
            exchange_target(self, 0, NULL);
        } else if (self->dice < 63) {
            step(self, "joins one that panics");
            if (self->depth == DEPTH || !churn_conceive(self->round, &self->i))
                continue;
            AWAIT(self->join, edo_join(SPAWN(doomed_actor(self)), &self->value));
            churn_check_join(self->round, self->i, self->join.output, self->value);
        } else {
            step(self, "spins");
            for (uint64_t end = edo_clock_ns() + 50000; edo_clock_ns() < end;)
                ;
        }
    }
    edo_fetch_add(&life_of(self)->returned, 1, relaxed);
    RETURN(churn_output_of(self->id));
ASYNC_FINALLY:
    if (self->half)
        other_half(self);
    edo_mutex_unlock(&self->guard);
    if (self->holds)
        let_go(self);
    edo_permit_release(&self->permit);
    for (int i = 0; i < CHURN_CHILDREN; i++) {
        if (self->children[i] != NULL && stress_random(self, 2) == 0)
            churn_abort(self->round, self->ids[i], self->children[i]);
        edo_task_detach(self->children[i]);
    }
    /* One more, of whom nobody knows. */
    if (self->depth < DEPTH && stress_random(self, 16) == 0 &&
        churn_conceive(self->round, &self->i))
        edo_task_detach(SPAWN(churn_actor(self->round, self->i, self->depth + 1, seed_of(self))));
    step(self, "at its end");
    edo_fetch_add(&life_of(self)->finally,
                  churn_planted(self->round, STRESS_LOSS)     ? 0
                  : churn_planted(self->round, STRESS_DOUBLE) ? 2
                                                              : 1,
                  relaxed);
    edo_fetch_add(&self->round->ended, 1, release);
    ASYNC_END;
}
