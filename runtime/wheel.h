/* SPDX-License-Identifier: MIT */
/* A hierarchical timing wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP
 * 1987; their scheme 7): arming and disarming a timer is O(1), whatever their number.
 *
 * Time is counted in ticks. Level 0 has a slot for each of the next 64 ticks, level 1 one for each
 * 64 ticks, and so on: 8 levels reach 2^48 ticks ahead. A timer lies at the level of the highest
 * group of 6 bits in which its deadline differs from the present; when the present reaches its slot,
 * it moves down, until it lies in level 0 and fires. One further away than the levels reach lies in
 * the slot of the top level that its bits give, and is placed anew when that comes round.
 *
 * Timers fire in the order of their deadlines, those of one deadline in the order in which they were
 * armed. Not locked: the driver's thread only.
 */
#ifndef EDO_RUNTIME_WHEEL_H
#define EDO_RUNTIME_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Part of what waits; zero when it is not armed. It stays where it is while it is. */
struct edo_timer_entry {
    struct edo_timer_entry *next, *prev; /* a ring within the slot */
    uint64_t deadline;
    uint16_t slot; /* where it lies */
};

enum { EDO_WHEEL_LEVELS = 8, EDO_WHEEL_SLOTS = 64 };

struct edo_wheel {
    uint64_t elapsed; /* all before it has fired */
    uint64_t count;
    uint64_t occupied[EDO_WHEEL_LEVELS]; /* a bit for each slot that is not empty */
    struct edo_timer_entry *slots[EDO_WHEEL_LEVELS * EDO_WHEEL_SLOTS]; /* the first of each */
    struct edo_timer_entry *due; /* expired, waiting to be taken */
};

void edo_wheel_init(struct edo_wheel *wheel, uint64_t now);

static inline bool edo_timer_linked(const struct edo_timer_entry *entry)
{
    return entry->next != NULL;
}

/* Arms an entry that is not. A deadline that has passed fires at the next poll. */
void edo_wheel_insert(struct edo_wheel *wheel, struct edo_timer_entry *entry, uint64_t deadline);

/* Disarms an entry that is armed. */
void edo_wheel_remove(struct edo_wheel *wheel, struct edo_timer_entry *entry);

/* Returns the next entry with deadline <= now, disarmed; NULL when there is none, the present then
 * being `now`. Called until it says NULL; entries may be armed and disarmed between calls. A `now`
 * before the present is the present. */
struct edo_timer_entry *edo_wheel_poll(struct edo_wheel *wheel, uint64_t now);

/* When to poll next at the latest: the earliest deadline, or a time before it at which entries have
 * to be moved. False when nothing is armed. */
bool edo_wheel_next(const struct edo_wheel *wheel, uint64_t *when);

/* The earliest deadline itself; looks at every entry of one slot. False when nothing is armed. */
bool edo_wheel_next_deadline(const struct edo_wheel *wheel, uint64_t *when);

#ifdef __cplusplus
}
#endif

#endif
