/* SPDX-License-Identifier: MIT */
/* watch: eight producers change one value, four consumers follow it. In half of the rounds they store
 * numbers of their own, and what they replace comes back to one of them; in the other half they count it up
 * together. Either way no consumer sees a value after one that came later, `changed` is ready for a new one
 * only, and all see the last. */
#include <stdlib.h>

#include "attempt.h"
#include "kinds.h"

enum way { STORES, COUNTS };
enum { NOBODY = STRESS_PRODUCERS };

struct value {
    struct watched *all;
    uint32_t producer, number; /* the first is NOBODY's */
    uint64_t count;            /* of changes, in the rounds that count */
    uint64_t *owned;           /* check, or NULL */
    uint64_t check;
};

struct watched {
    struct stress *stress;
    enum way way;
    bool owning;
    _Atomic(int64_t) owned;            /* that there are now */
    uint32_t stored[STRESS_PRODUCERS]; /* each by its producer */
    _Atomic(uint64_t)
        seen[STRESS_CONSUMERS]; /* changes, by each consumer; in the rounds that count */
    _Atomic(uint8_t) *back;     /* of each value: how often it came back */
    struct value last;
};

static uint64_t check_of(const struct value *value)
{
    return (((uint64_t)value->producer << 32 | value->number) + value->count) * 0x9e3779b97f4a7c15u;
}

static void own(struct value *value)
{
    value->check = check_of(value);
    if (!value->all->owning)
        return;
    value->owned = malloc(sizeof *value->owned);
    *value->owned = value->check;
    edo_fetch_add(&value->all->owned, 1, relaxed);
}

static void value_clone(const struct value *value, struct value *copy)
{
    *copy = *value;
    own(copy);
}

static void value_drop(struct value *value)
{
    if (value->owned == NULL)
        return;
    free(value->owned);
    edo_fetch_sub(&value->all->owned, 1, relaxed);
}

/* Is this what somebody wrote? */
static bool sound(struct watched *all, const struct value *value)
{
    bool sound = value->all == all && value->producer <= NOBODY &&
                 value->check == check_of(value) &&
                 (value->owned == NULL || *value->owned == value->check);
    stress_expect(all->stress, sound, "a value that nobody wrote: producer %u, number %u",
                  value->producer, value->number);
    return sound;
}

struct watch_producer {
    STRESS_ACTOR;
    struct watched *all;
    uint32_t id, dice;
    WATCH_SENDER(struct value) tx;
    uint64_t mine; /* its last change */
    struct stress_attempt attempt;
    struct edo_watch_closed closed;
};

/* Whether all have seen what it has done. */
static bool is_quiet(struct watch_producer *self)
{
    for (uint32_t i = 0; i < self->life.stress->consumers; i++)
        if (edo_load(&self->all->seen[i], relaxed) < self->mine)
            return false;
    return true;
}

/* It is changed in place of what it owns: hooks are not called for it. */
static void count_up(struct value *value, struct watch_producer *self)
{
    value->producer = self->id;
    value->number = self->all->stored[self->id];
    value->count++;
    value->check = check_of(value);
    if (value->owned != NULL)
        *value->owned = value->check;
    self->mine = value->count;
}

static void modify(struct value *value, void *arg)
{
    count_up(value, arg);
}

static bool if_modified(struct value *value, void *arg)
{
    struct watch_producer *self = arg;
    /* What is refused is not to be seen. */
    count_up(value, self);
    return self->dice % 2 == 0;
}

static void came_back(struct watched *all, const struct value *value)
{
    if (!sound(all, value) || value->producer == NOBODY)
        return;
    _Atomic(uint8_t) *back =
        &all->back[(size_t)value->producer * all->stress->quota + value->number];
    stress_expect(all->stress, edo_fetch_add(back, 1, relaxed) == 0,
                  "producer %u: value %u came back twice", value->producer, value->number);
}

/* Whether the value is the channel's now. */
static bool store_one(struct watch_producer *self)
{
    struct watched *all = self->all;
    uint64_t before = self->mine;
    if (all->way == COUNTS && self->dice % 4 == 0) {
        int changed = edo_watch_send_if_modified(self->tx, if_modified, (void *)self);
        stress_expect(all->stress, changed == (self->dice % 2 == 0), "if_modified: %d", changed);
        self->mine = changed == 1 ? self->mine : before;
        return changed == 1;
    }
    if (all->way == COUNTS)
        return edo_watch_send_modify(self->tx, modify, (void *)self) == 0;
    struct value value = {.all = all, .producer = self->id, .number = all->stored[self->id]}, old;
    own(&value);
    if (self->dice % 2 == 0) {
        int error = edo_watch_send_replace(self->tx, &value, &old);
        stress_expect(all->stress, error == 0, "edo_watch_send_replace: %d", error);
        came_back(all, &old);
        if (stress_planted(all->stress, STRESS_DOUBLE))
            came_back(all, &old);
        value_drop(&old);
        return true;
    }
    int error = edo_watch_send(self->tx, &value);
    if (error == 0)
        return true;
    value_drop(&value);
    edo_fetch_add(&all->stress->returned, 1, relaxed);
    return false;
}

ASYNC(watch_producer)
{
    ASYNC_BEGIN;
    while (self->all->stored[self->id] < self->life.stress->quota) {
        stress_step(&self->life, "send");
        self->dice = stress_random(&self->life, 64);
        if (self->dice == 0) {
            __typeof__(self->tx) old = self->tx;
            self->tx = edo_watch_sender_clone(old);
            edo_watch_sender_drop(old);
        } else if (self->dice == 1) {
            self->closed = edo_watch_closed(self->tx);
            AWAIT(self->attempt, stress_brief(&self->life, &self->closed));
        } else if (self->dice == 2) {
            const struct value *value = edo_watch_sender_borrow(self->tx);
            sound(self->all, value);
            edo_watch_sender_release(self->tx, value);
        }
        if (store_one(self))
            self->all->stored[self->id]++;
        if (stress_pauses(&self->life))
            YIELD_NOW();
        while (self->all->way == COUNTS && stress_lulls(&self->life, is_quiet(self)))
            YIELD_NOW();
    }
ASYNC_FINALLY:
    edo_watch_sender_drop(self->tx);
    ASYNC_END;
}

struct watch_consumer {
    STRESS_ACTOR;
    struct watched *all;
    WATCH_RECEIVER(struct value) rx;
    bool restless; /* is another receiver now and then */
    uint32_t id, dice;
    uint64_t news; /* how often there was a new value */
    uint32_t next[STRESS_PRODUCERS + 1];
    struct value last, marked, wanted; /* the last that it looked at; that is marked as seen */
    const struct value *kept;          /* borrowed, for a while */
    struct stress_attempt attempt;
    union {
        struct edo_watch_changed changed;
        struct edo_watch_wait_for wait_for;
    };
};

static bool same(const struct value *a, const struct value *b)
{
    return a->producer == b->producer && a->number == b->number && a->count == b->count;
}

/* Looked at it. */
static bool saw(struct watch_consumer *self, const struct value *found)
{
    struct watched *all = self->all;
    struct stress *stress = all->stress;
    struct value value = *found;
    value.number += stress_planted(stress, STRESS_TORN);
    if (!sound(all, &value))
        return false;
    uint32_t due = self->next[value.producer];
    if (stress_planted(stress, STRESS_REORDER))
        due = value.number + 1;
    stress_expect(stress, value.number >= due, "producer %u: value %u was seen after %u",
                  value.producer, value.number, due);
    stress_expect(stress, value.count >= self->last.count, "change %u was seen after %u",
                  (unsigned)value.count, (unsigned)self->last.count);
    self->next[value.producer] = value.number;
    self->last = value;
    self->last.owned = NULL;
    edo_store(&all->seen[self->id], value.count, relaxed);
    return true;
}

/* Looked at it, and it is marked as seen. */
static void received(struct watch_consumer *self, const struct value *value, bool new)
{
    stress_expect(self->all->stress, !new || !same(value, &self->marked),
                  "changed is ready for a value that was seen: producer %u, number %u",
                  value->producer, value->number);
    self->news += new;
    if (saw(self, value))
        self->marked = self->last;
}

/* What wait_for asks for. */
static bool even(const struct value *value, void *arg)
{
    return saw(arg, value) && value->number % 2 == 0;
}

static void be_another(struct watch_consumer *self)
{
    __typeof__(self->rx) old = self->rx;
    self->rx = edo_watch_receiver_clone(old);
    edo_assert(self->rx != NULL);
    edo_watch_receiver_drop(old);
}

/* A look that does not count as one, at a value that is kept. */
static void look(struct watch_consumer *self)
{
    const struct value *value = edo_watch_borrow(self->rx);
    sound(self->all, value);
    if (self->kept != NULL)
        edo_watch_release(self->rx, self->kept);
    self->kept = value;
}

ASYNC(watch_consumer)
{
    ASYNC_BEGIN;
    for (;;) {
        self->dice = stress_random(&self->life, 32);
        if (self->kept != NULL && self->dice < 8) {
            sound(self->all, self->kept);
            edo_watch_release(self->rx, self->kept);
            self->kept = NULL;
        }
        if (self->dice < 24) {
            stress_step(&self->life, "changed");
            self->changed = edo_watch_changed(self->rx);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->changed));
            if (!self->attempt.output)
                continue;
            if (self->changed.output == EDO_ECLOSED)
                RETURN();
            const struct value *value = edo_watch_borrow_and_update(self->rx);
            received(self, value, true);
            edo_watch_release(self->rx, value);
            if (stress_planted(self->life.stress, STRESS_LOSS))
                RETURN();
        } else if (self->dice < 28) {
            stress_step(&self->life, "wait_for");
            self->wait_for = edo_watch_wait_for(self->rx, even, (void *)self, &self->wanted);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->wait_for));
            if (!self->attempt.output)
                continue;
            if (self->wait_for.output == EDO_ECLOSED)
                continue;
            received(self, &self->wanted, false);
            value_drop(&self->wanted);
        } else if (self->dice < 30) {
            look(self);
            YIELD_NOW();
        } else {
            edo_watch_get(self->rx, &self->wanted);
            received(self, &self->wanted, false);
            value_drop(&self->wanted);
            if (self->restless && self->kept == NULL)
                be_another(self);
        }
    }
ASYNC_FINALLY:
    edo_store(&self->all->seen[self->id], UINT64_MAX, relaxed);
    if (self->kept != NULL)
        edo_watch_release(self->rx, self->kept);
    edo_watch_receiver_drop(self->rx);
    ASYNC_END;
}

static void close_books(struct watched *all, const struct watch_consumer *consumers)
{
    struct stress *stress = all->stress;
    uint64_t stored = 0;
    for (uint32_t i = 0; i < stress->producers; i++)
        stored += all->stored[i];
    for (uint32_t i = 0; i < stress->consumers; i++) {
        stress->received += consumers[i].news;
        stress_expect(stress, same(&consumers[i].last, &all->last),
                      "consumer %u saw producer %u's value %u last, not producer %u's value %u", i,
                      consumers[i].last.producer, consumers[i].last.number, all->last.producer,
                      all->last.number);
    }
    if (all->way == COUNTS)
        stress_expect(stress, all->last.count == stored, "%u changes, %u of them are left",
                      (unsigned)stored, (unsigned)all->last.count);
    int64_t owned = edo_load(&all->owned, relaxed);
    stress_expect(stress, owned == 0, "%d of what values own is left", (int)owned);
    stress->sent += stored;
}

static void watch_round(struct stress *stress)
{
    struct watched all = {.stress = stress,
                          .way = stress_random(stress, 2) == 0 ? STORES : COUNTS,
                          .owning = stress_random(stress, 2) == 0};
    struct watch_producer *producers = calloc(stress->producers, sizeof *producers);
    struct watch_consumer *consumers = calloc(stress->consumers, sizeof *consumers);
    struct stress_actor *actors[STRESS_ACTORS];
    struct value first = {.all = &all, .producer = NOBODY}, seen = first;
    uint32_t count = 0;
    WATCH_SENDER(struct value) tx;
    WATCH_RECEIVER(struct value) rx;
    all.back = calloc((size_t)STRESS_PRODUCERS * stress->quota, sizeof *all.back);
    own(&first);
    int error = edo_watch_with(&tx, &rx, &first, all.owning ? value_clone : NULL,
                               all.owning ? value_drop : NULL);
    edo_assert(error == 0);
    for (uint32_t i = 0; i < stress->consumers; i++) {
        consumers[i] = NEW(watch_consumer, .all = &all, .id = i, .rx = edo_watch_subscribe(tx),
                           .restless = i % 2 == 1, .last = seen, .marked = seen);
        stress_life_init(&consumers[i].life, stress);
        actors[count++] = (struct stress_actor *)&consumers[i];
    }
    for (uint32_t i = 0; i < stress->producers; i++) {
        producers[i] = NEW(watch_producer, .all = &all, .id = i, .tx = edo_watch_sender_clone(tx));
        stress_life_init(&producers[i].life, stress);
        actors[count++] = (struct stress_actor *)&producers[i];
    }
    edo_watch_sender_drop(tx);
    stress_run(stress, actors, count);
    const struct value *last = edo_watch_borrow(rx);
    all.last = *last;
    edo_watch_release(rx, last);
    edo_watch_receiver_drop(rx);
    close_books(&all, consumers);
    free(all.back);
    free(producers);
    free(consumers);
}

const struct stress_kind stress_watch = {"watch", "changes", watch_round, 0,
                                         1 << STRESS_LOSS | 1 << STRESS_DOUBLE |
                                             1 << STRESS_REORDER | 1 << STRESS_TORN |
                                             1 << STRESS_LEAK};
