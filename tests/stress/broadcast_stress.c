/* SPDX-License-Identifier: MIT */
/* broadcast: eight producers, four consumers, each of which receives everything, or is told how much it
 * missed.
 *
 * Consumers write down what they get. From those who were there at the start, or at the end, follows
 * which message had which place in the channel; all must agree on it, and all of a producer's messages
 * must be there in their order. */
#include <stdlib.h>

#include "attempt.h"
#include "kinds.h"

enum { PLAIN, OWNING };

/* A message that owns something: in half of the rounds. */
struct event {
    struct broadcasts *all;
    uint32_t producer, number;
    uint64_t *owned; /* check, or NULL */
    uint64_t check;
};

/* What a consumer writes down; the value is a message, or a number of messages. */
enum note { SUBSCRIBED_FIRST, SUBSCRIBED_LATER, ENTERED, GOT, MISSED, SAW_END };
struct entry {
    enum note note;
    uint32_t producer;
    uint64_t value;
};
struct log {
    size_t count, room;
    struct entry *entries;
};

struct broadcasts {
    struct stress *stress;
    bool owning, gentle;
    uint32_t capacity;
    _Atomic(int64_t) owned; /* that there are now */
    uint32_t sent[STRESS_PRODUCERS];
    uint64_t total;
    struct entry *order; /* which message each place has: GOT, or none that is known */
    uint64_t *places;    /* of each message, plus 1; 0 is none that is known */
};

static void note(struct log *log, enum note note, uint32_t producer, uint64_t value)
{
    if (log->count == log->room) {
        log->room = log->room > 0 ? 2 * log->room : 1024;
        log->entries = realloc(log->entries, log->room * sizeof *log->entries);
        edo_assert(log->entries != NULL);
    }
    log->entries[log->count++] = (struct entry){note, producer, value};
}

static uint64_t check_of(const struct event *event)
{
    return ((uint64_t)event->producer << 32 | event->number) * 0x9e3779b97f4a7c15u;
}

static struct event event(struct broadcasts *all, uint32_t producer)
{
    struct event event = {.all = all, .producer = producer, .number = all->sent[producer]};
    event.check = check_of(&event);
    if (all->owning) {
        event.owned = malloc(sizeof *event.owned);
        *event.owned = event.check;
        edo_fetch_add(&all->owned, 1, relaxed);
    }
    return event;
}

static void event_clone(const struct event *event, struct event *copy)
{
    *copy = *event;
    copy->owned = malloc(sizeof *copy->owned);
    *copy->owned = *event->owned;
    edo_fetch_add(&event->all->owned, 1, relaxed);
}

static void event_drop(struct event *event)
{
    if (event->owned == NULL)
        return;
    free(event->owned);
    edo_fetch_sub(&event->all->owned, 1, relaxed);
}

struct broadcast_producer {
    STRESS_ACTOR;
    struct broadcasts *all;
    uint32_t id, dice;
    BROADCAST_SENDER(struct event) tx;
    struct stress_attempt attempt;
    struct edo_broadcast_closed closed;
};

static void change_sender(struct broadcast_producer *self)
{
    __typeof__(self->tx) old = self->tx;
    BROADCAST_WEAK_SENDER(struct event) weak = edo_broadcast_downgrade(old);
    self->tx = stress_random(&self->life, 2) == 0 ? edo_broadcast_sender_clone(old)
                                                  : edo_broadcast_upgrade(weak);
    stress_expect(self->life.stress, self->tx != NULL, "a weak sender of a strong one failed");
    edo_broadcast_sender_drop(old);
    edo_broadcast_weak_sender_drop(weak);
}

/* False: there is no receiver, at this moment. */
static bool send_one(struct broadcast_producer *self)
{
    struct broadcasts *all = self->all;
    struct event sent = event(all, self->id);
    int receivers = edo_broadcast_send(self->tx, &sent);
    if (receivers == EDO_ECLOSED) {
        event_drop(&sent);
        return false;
    }
    stress_expect(self->life.stress, receivers > 0, "edo_broadcast_send: %d", receivers);
    all->sent[self->id]++;
    return true;
}

ASYNC(broadcast_producer)
{
    ASYNC_BEGIN;
    while (self->all->sent[self->id] < self->life.stress->quota) {
        stress_step(&self->life, "send");
        self->dice = stress_random(&self->life, 64);
        if (self->dice == 0) {
            change_sender(self);
        } else if (self->dice == 1) {
            self->closed = edo_broadcast_closed(self->tx);
            AWAIT(self->attempt, stress_brief(&self->life, &self->closed));
        } else if (self->all->gentle && edo_broadcast_sender_len(self->tx) >= self->all->capacity) {
            YIELD_NOW();
            continue;
        }
        if (!send_one(self))
            YIELD_NOW();
        if (stress_pauses(&self->life))
            YIELD_NOW();
        while (stress_lulls(&self->life, edo_broadcast_sender_len(self->tx) == 0))
            YIELD_NOW();
    }
ASYNC_FINALLY:
    edo_broadcast_sender_drop(self->tx);
    ASYNC_END;
}

struct broadcast_consumer {
    STRESS_ACTOR;
    struct broadcasts *all;
    struct log log;
    BROADCAST_RECEIVER(struct event) rx;
    bool restless; /* subscribes anew now and then */
    uint32_t dice;
    int result;
    uint64_t lagged;
    struct event event;
    struct stress_attempt attempt;
    struct edo_broadcast_recv recv;
};

static void subscribe_anew(struct broadcast_consumer *self)
{
    __typeof__(self->rx) old = self->rx;
    self->rx = edo_broadcast_resubscribe(old);
    edo_assert(self->rx != NULL);
    edo_broadcast_receiver_drop(old);
    note(&self->log, SUBSCRIBED_LATER, 0, 0);
}

/* Faults are planted in the log of one that stays, where none can hide. */
static void note_got(struct broadcast_consumer *self)
{
    struct stress *stress = self->life.stress;
    const struct event *event = &self->event;
    bool stays = !self->restless;
    if (stays && stress_planted(stress, STRESS_LOSS))
        return;
    note(&self->log, GOT, event->producer, event->number);
    if (stays && stress_planted(stress, STRESS_DOUBLE))
        note(&self->log, GOT, event->producer, event->number);
    struct entry *last = &self->log.entries[self->log.count - 1];
    if (stays && last[-1].note == GOT && last[-1].producer == last->producer &&
        stress_planted(stress, STRESS_REORDER)) {
        struct entry swapped = *last;
        *last = last[-1];
        last[-1] = swapped;
    }
}

static void got(struct broadcast_consumer *self)
{
    struct stress *stress = self->life.stress;
    struct event *event = &self->event;
    uint64_t check = check_of(event) + stress_planted(stress, STRESS_TORN);
    bool sound = event->producer < STRESS_PRODUCERS && event->check == check &&
                 (event->owned == NULL || *event->owned == check);
    stress_expect(stress, sound, "a message that nobody wrote: producer %u, number %u",
                  event->producer, event->number);
    if (sound)
        note_got(self);
    event_drop(event);
}

ASYNC(broadcast_consumer)
{
    ASYNC_BEGIN;
    for (;;) {
        stress_step(&self->life, "recv");
        self->dice = stress_random(&self->life, 32);
        self->lagged = 0;
        if (self->dice < 20) {
            self->recv = edo_broadcast_recv(self->rx, &self->event);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->recv));
            self->result = self->attempt.output ? self->recv.output : UV_EAGAIN;
            self->lagged = self->recv.lagged;
        } else if (self->dice < 22 && stress_may_block()) {
            self->result = edo_broadcast_blocking_recv(self->rx, &self->event, &self->lagged);
        } else {
            self->result = edo_broadcast_try_recv(self->rx, &self->event, &self->lagged);
        }
        if (self->result == 0) {
            got(self);
        } else if (self->result == EDO_ELAGGED) {
            note(&self->log, MISSED, 0, self->lagged);
            /* Not more than it had to. */
            stress_expect(self->life.stress, edo_broadcast_len(self->rx) >= self->all->capacity,
                          "a receiver that lagged misses some that are kept");
        } else if (self->result == EDO_ECLOSED) {
            break;
        } else {
            YIELD_NOW();
        }
        if (self->restless && stress_random(&self->life, 512) == 0)
            subscribe_anew(self);
    }
    note(&self->log, SAW_END, 0, 0);
ASYNC_FINALLY:
    edo_broadcast_receiver_drop(self->rx);
    ASYNC_END;
}

/* Checking. */

static void place(struct broadcasts *all, uint64_t at, const struct entry *entry)
{
    struct stress *stress = all->stress;
    uint64_t *known = &all->places[(uint64_t)entry->producer * stress->quota + entry->value];
    if (at >= all->total || entry->value >= all->sent[entry->producer]) {
        stress_complain(stress, "producer %u: message %u came, of %u that were sent",
                        entry->producer, (unsigned)entry->value, all->sent[entry->producer]);
        return;
    }
    struct entry *there = &all->order[at];
    if (there->note != GOT && *known == 0) {
        *there = *entry;
        *known = at + 1;
        return;
    }
    stress_expect(stress,
                  there->note == GOT && there->producer == entry->producer &&
                      there->value == entry->value && *known == at + 1,
                  "producer %u: message %u is in two places, or two are in one", entry->producer,
                  (unsigned)entry->value);
}

/* One subscription: from `from` to before `to`, where it was dropped or saw the end. Returns whether its
 * places are known, and then enters them. */
static bool enter(struct broadcasts *all, const struct entry *from, const struct entry *to)
{
    bool known = from->note == SUBSCRIBED_FIRST;
    uint64_t at = 0, length = 0;
    for (const struct entry *entry = from + 1; entry < to; entry++) {
        if (entry->note == GOT && !known) {
            uint64_t there =
                all->places[(uint64_t)entry->producer * all->stress->quota + entry->value];
            known = there != 0;
            at = there - 1 - length;
        }
        length += entry->note == GOT ? 1 : entry->note == MISSED ? entry->value : 0;
    }
    if (to[-1].note == SAW_END) {
        stress_expect(all->stress, !known || at + length == all->total,
                      "a receiver saw %u to the end, of %u", (unsigned)(at + length),
                      (unsigned)all->total);
        at = all->total - length;
        known = true;
    }
    if (!known)
        return false;
    for (const struct entry *entry = from + 1; entry < to; entry++) {
        if (entry->note == GOT)
            place(all, at++, entry);
        else if (entry->note == MISSED)
            at += entry->value;
    }
    return true;
}

/* Enters all the subscriptions of a log that have not been. Whether there was one. */
static bool enter_log(struct broadcasts *all, struct log *log)
{
    bool entered = false;
    for (size_t from = 0, to; from < log->count; from = to) {
        for (to = from + 1; to < log->count && log->entries[to].note > ENTERED;)
            to++;
        if (log->entries[from].note != ENTERED &&
            enter(all, &log->entries[from], &log->entries[to])) {
            log->entries[from].note = ENTERED;
            entered = true;
        }
    }
    return entered;
}

/* What all have missed counts as dropped. */
static void check_order(struct broadcasts *all)
{
    uint64_t received = 0;
    uint32_t next[STRESS_PRODUCERS] = {0};
    for (uint64_t at = 0; at < all->total; at++) {
        const struct entry *entry = &all->order[at];
        if (entry->note != GOT)
            continue;
        stress_expect(all->stress, entry->value >= next[entry->producer],
                      "producer %u: message %u after %u", entry->producer, (unsigned)entry->value,
                      next[entry->producer] - 1);
        next[entry->producer] = (uint32_t)entry->value + 1;
        received++;
    }
    all->stress->received += received;
    all->stress->dropped += all->total - received;
}

static void close_books(struct broadcasts *all, struct broadcast_consumer *consumers)
{
    struct stress *stress = all->stress;
    for (uint32_t i = 0; i < stress->producers; i++)
        all->total += all->sent[i];
    all->order = calloc(all->total + 1, sizeof *all->order);
    all->places = calloc((uint64_t)STRESS_PRODUCERS * stress->quota, sizeof *all->places);
    bool again = true;
    while (again && stress->complaint[0] == '\0') {
        again = false;
        for (uint32_t i = 0; i < stress->consumers; i++)
            again = enter_log(all, &consumers[i].log) || again;
    }
    check_order(all);
    stress->sent += all->total;
    int64_t owned = edo_load(&all->owned, relaxed);
    stress_expect(stress, owned == 0, "%d of what messages own is left", (int)owned);
    free(all->order);
    free(all->places);
}

static void broadcast_round(struct stress *stress)
{
    struct broadcasts all = {.stress = stress,
                             .owning = stress_random(stress, 2) == 0,
                             .gentle = stress_random(stress, 4) != 0,
                             .capacity = 1u << stress_random(stress, 11)};
    struct broadcast_producer *producers = calloc(stress->producers, sizeof *producers);
    struct broadcast_consumer *consumers = calloc(stress->consumers, sizeof *consumers);
    struct stress_actor *actors[STRESS_ACTORS];
    uint32_t count = 0;
    BROADCAST_SENDER(struct event) tx;
    BROADCAST_RECEIVER(struct event) rx;
    int error = edo_broadcast_with(&tx, &rx, all.capacity, all.owning ? event_clone : NULL,
                                   all.owning ? event_drop : NULL);
    edo_assert(error == 0);
    for (uint32_t i = 0; i < stress->consumers; i++) {
        consumers[i] = NEW(broadcast_consumer, .all = &all, .restless = i % 2 == 1,
                           .rx = i == 0 ? rx : edo_broadcast_subscribe(tx));
        note(&consumers[i].log, SUBSCRIBED_FIRST, 0, 0);
        stress_life_init(&consumers[i].life, stress);
        actors[count++] = (struct stress_actor *)&consumers[i];
    }
    for (uint32_t i = 0; i < stress->producers; i++) {
        producers[i] =
            NEW(broadcast_producer, .all = &all, .id = i, .tx = edo_broadcast_sender_clone(tx));
        stress_life_init(&producers[i].life, stress);
        actors[count++] = (struct stress_actor *)&producers[i];
    }
    edo_broadcast_sender_drop(tx);
    stress_run(stress, actors, count);
    close_books(&all, consumers);
    for (uint32_t i = 0; i < stress->consumers; i++)
        free(consumers[i].log.entries);
    free(producers);
    free(consumers);
}

const struct stress_kind stress_broadcast = {"broadcast", "messages", broadcast_round, 0,
                                             1 << STRESS_LOSS | 1 << STRESS_DOUBLE |
                                                 1 << STRESS_REORDER | 1 << STRESS_TORN |
                                                 1 << STRESS_LEAK};
