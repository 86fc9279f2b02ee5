/* SPDX-License-Identifier: MIT */
/* The order of equal deadlines survives the levels because an entry moves down at the very tick at
 * which the present enters its slot: whoever is armed later, for the same deadline, finds it already
 * in the slot that both share, and lies down behind it. So the present never enters an occupied slot
 * without a cascade. */
#include "wheel.h"

#include <string.h>

#include "../internal/sys.h"

enum { BITS = 6, DUE = EDO_WHEEL_DUE };

static const unsigned TOP = EDO_WHEEL_LEVELS - 1, SLOTS = EDO_WHEEL_SLOTS;

void edo_wheel_init(struct edo_wheel *wheel, uint64_t now)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->elapsed = now;
}

static void push(struct edo_wheel *wheel, unsigned slot, struct edo_timer_entry *entry)
{
    struct edo_timer_entry *first = wheel->slots[slot];
    entry->slot = (uint16_t)slot;
    if (first == NULL) {
        wheel->slots[slot] = entry->next = entry->prev = entry;
        wheel->occupied[slot / SLOTS] |= 1ull << slot % SLOTS;
        return;
    }
    entry->next = first;
    entry->prev = first->prev;
    first->prev->next = entry;
    first->prev = entry;
}

/* Empties a slot; its ring is the caller's. */
static struct edo_timer_entry *take(struct edo_wheel *wheel, unsigned slot)
{
    struct edo_timer_entry *first = wheel->slots[slot];
    wheel->slots[slot] = NULL;
    wheel->occupied[slot / SLOTS] &= ~(1ull << slot % SLOTS);
    return first;
}

/* Where an entry belongs now. The top level's slots are taken modulo its size. */
static unsigned place(const struct edo_wheel *wheel, uint64_t deadline)
{
    if (deadline <= wheel->elapsed)
        return DUE;
    unsigned level = (63 - (unsigned)__builtin_clzll(deadline ^ wheel->elapsed)) / BITS;
    if (level > TOP)
        level = TOP;
    return level * SLOTS + (unsigned)(deadline >> level * BITS) % SLOTS;
}

void edo_wheel_insert(struct edo_wheel *wheel, struct edo_timer_entry *entry, uint64_t deadline)
{
    edo_assert(!edo_timer_linked(entry));
    entry->deadline = deadline;
    push(wheel, place(wheel, deadline), entry);
    wheel->count++;
    EDO_COUNT(TIMERS, 1);
}

void edo_wheel_remove(struct edo_wheel *wheel, struct edo_timer_entry *entry)
{
    edo_assert(edo_timer_linked(entry));
    if (entry->next == entry) {
        take(wheel, entry->slot);
    } else {
        entry->next->prev = entry->prev;
        entry->prev->next = entry->next;
        if (wheel->slots[entry->slot] == entry)
            wheel->slots[entry->slot] = entry->next;
    }
    entry->next = entry->prev = NULL;
    wheel->count--;
    EDO_COUNT(TIMERS, -1);
}

/* The next slot in time that is occupied, and when it begins. Lower levels come first: what they
 * hold lies before the end of the present slot of the level above. */
static bool next_slot(const struct edo_wheel *wheel, unsigned *slot, uint64_t *when)
{
    for (unsigned level = 0; level <= TOP; level++) {
        uint64_t occupied = wheel->occupied[level];
        if (occupied == 0)
            continue;
        uint64_t now = wheel->elapsed >> level * BITS;
        /* Rotated so that the slot after the present one is bit 0: at the top the slots wrap, and
         * the present one is the last. */
        unsigned by = (unsigned)(now + 1) % SLOTS;
        uint64_t rotated = occupied >> by | occupied << (SLOTS - by) % SLOTS;
        /* No later than the deadlines that lie there, so the shift back does not overflow. */
        now += (unsigned)__builtin_ctzll(rotated) + 1;
        *slot = level * SLOTS + (unsigned)now % SLOTS;
        *when = now << level * BITS;
        return true;
    }
    return false;
}

/* The present enters a slot: its entries are placed anew, nearer, in their order. */
static void cascade(struct edo_wheel *wheel, unsigned slot)
{
    struct edo_timer_entry *first = take(wheel, slot), *entry = first;
    do {
        struct edo_timer_entry *next = entry->next;
        push(wheel, place(wheel, entry->deadline), entry);
        entry = next;
    } while (entry != first);
}

struct edo_timer_entry *edo_wheel_poll(struct edo_wheel *wheel, uint64_t now)
{
    while (wheel->slots[DUE] == NULL) {
        unsigned slot;
        uint64_t when;
        if (!next_slot(wheel, &slot, &when) || when > now) {
            if (wheel->elapsed < now)
                wheel->elapsed = now;
            return NULL;
        }
        wheel->elapsed = when;
        cascade(wheel, slot);
    }
    struct edo_timer_entry *entry = wheel->slots[DUE];
    edo_wheel_remove(wheel, entry);
    return entry;
}

bool edo_wheel_next(const struct edo_wheel *wheel, uint64_t *when)
{
    unsigned slot;
    *when = wheel->elapsed;
    return wheel->slots[DUE] != NULL || next_slot(wheel, &slot, when);
}

bool edo_wheel_next_deadline(const struct edo_wheel *wheel, uint64_t *when)
{
    unsigned slot;
    *when = wheel->elapsed;
    if (wheel->slots[DUE] != NULL)
        return true;
    if (!next_slot(wheel, &slot, when))
        return false;
    /* At the top the next slot may hold only what is rounds away, so all of them are looked at. */
    unsigned last = slot;
    if (slot / SLOTS == TOP) {
        slot = TOP * SLOTS;
        last = slot + SLOTS - 1;
    }
    for (*when = UINT64_MAX; slot <= last; slot++) {
        const struct edo_timer_entry *first = wheel->slots[slot], *entry = first;
        if (first == NULL)
            continue;
        do {
            if (entry->deadline < *when)
                *when = entry->deadline;
            entry = entry->next;
        } while (entry != first);
    }
    return true;
}

bool edo_wheel_check(const struct edo_wheel *wheel)
{
    uint64_t count = 0;
    for (unsigned slot = 0; slot <= DUE; slot++) {
        const struct edo_timer_entry *first = wheel->slots[slot], *entry = first;
        if ((wheel->occupied[slot / SLOTS] >> slot % SLOTS & 1) != (first != NULL))
            return false;
        if (first == NULL)
            continue;
        do {
            if (++count > wheel->count || entry->next == NULL || entry->next->prev != entry)
                return false;
            if (entry->slot != slot || place(wheel, entry->deadline) != slot)
                return false;
            entry = entry->next;
        } while (entry != first);
    }
    return count == wheel->count && wheel->occupied[DUE / SLOTS] <= 1;
}
