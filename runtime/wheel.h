/* SPDX-License-Identifier: MIT */
/* A hierarchical timing wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP
 * 1987; their scheme 7): arming and disarming a timer is O(1), whatever their number.
 *
 *     struct edo_wheel wheel;
 *     struct edo_timer_entry mine = {0}, *entry;
 *     edo_wheel_init(&wheel, now);
 *     edo_wheel_insert(&wheel, &mine, now + 100);
 *     …sleep until edo_wheel_next says; read the clock…
 *     while ((entry = edo_wheel_poll(&wheel, now)) != NULL)
 *         …it fires; from here any entry may be armed or disarmed…
 *
 * Time is counted in ticks. Level 0 has a slot for each of the next 64 ticks, level 1 one for each
 * 64 ticks, and so on: 8 levels reach 2^48 ticks ahead. A timer lies at the level of the highest
 * group of 6 bits in which its deadline differs from the present; when the present reaches its slot,
 * it moves down, until it is due and fires. One further away than the levels reach lies in the slot
 * of the top level that its bits give, and is placed anew each time that comes round.
 *
 * 1. Timers fire in the order of their deadlines, those of one deadline in the order in which they
 *    were armed; never before it. One that has passed when it is armed counts as the present.
 * 2. An entry stays where it is in memory while it is armed, and is armed once.
 * 3. The wheel allocates nothing and calls nobody. Not locked: the driver's thread only, or under its lock.
 */
#ifndef EDO_RUNTIME_WHEEL_H
#define EDO_RUNTIME_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Part of what waits; zero when it is not armed. Read only. */
struct edo_timer_entry {
    struct edo_timer_entry *next, *prev; /* a ring within the slot */
    uint64_t deadline;
    uint16_t slot; /* where it lies */
};

enum {
    EDO_WHEEL_LEVELS = 8,
    EDO_WHEEL_SLOTS = 64,
    /* The slot after those of the levels: what has expired and was not taken yet. */
    EDO_WHEEL_DUE = EDO_WHEEL_LEVELS * EDO_WHEEL_SLOTS
};

/* Read only. */
struct edo_wheel {
    uint64_t elapsed;                        /* the present: all before it has fired or is due */
    uint64_t count;                          /* entries that are armed */
    uint64_t occupied[EDO_WHEEL_LEVELS + 1]; /* a bit for each slot that is not empty */
    struct edo_timer_entry *slots[EDO_WHEEL_DUE + 1]; /* the first of each */
};

/* An empty wheel; now is the present. */
void edo_wheel_init(struct edo_wheel *wheel, uint64_t now);

/* Whether the entry is armed. */
static inline bool edo_timer_linked(const struct edo_timer_entry *entry)
{
    return entry->next != NULL;
}

/* Arms an entry that is not. A deadline that has passed fires at the next poll, after what is due
 * already. O(1). */
void edo_wheel_insert(struct edo_wheel *wheel, struct edo_timer_entry *entry, uint64_t deadline);

/* Disarms an entry that is armed, in this wheel. O(1). */
void edo_wheel_remove(struct edo_wheel *wheel, struct edo_timer_entry *entry);

/* Returns the next entry with deadline <= now, disarmed; NULL when there is none, the present then
 * being `now`. Called until it says NULL; any entry may be armed and disarmed between calls. A `now`
 * before the present is the present. Each entry is moved once a level at most, and once more for
 * each 2^48 ticks it is away; ticks at which nothing is armed cost nothing. */
struct edo_timer_entry *edo_wheel_poll(struct edo_wheel *wheel, uint64_t now);

/* When to poll next at the latest: the earliest deadline when it is less than a level 0 away, or a
 * time before it at which entries have to be moved; the present when an entry is due. False when
 * nothing is armed, *when then being of no meaning. */
bool edo_wheel_next(const struct edo_wheel *wheel, uint64_t *when);

/* The earliest deadline itself; the present when an entry is due. Looks at every entry of one slot;
 * of the top level, when all are there. False when nothing is armed, *when then being of no
 * meaning. */
bool edo_wheel_next_deadline(const struct edo_wheel *wheel, uint64_t *when);

/* Whether all holds that should: rings, bits, places, the count. For tests; looks at every entry. */
bool edo_wheel_check(const struct edo_wheel *wheel);

#ifdef __cplusplus
}
#endif

#endif
