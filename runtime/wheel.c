/* SPDX-License-Identifier: MIT */
#include "wheel.h"

#include <string.h>

#include "../internal/sys.h"

enum { BITS = 6, SLOT_DUE = EDO_WHEEL_LEVELS * EDO_WHEEL_SLOTS };

static const unsigned TOP = EDO_WHEEL_LEVELS - 1;

void edo_wheel_init(struct edo_wheel *wheel, uint64_t now)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->elapsed = now;
}

static struct edo_timer_entry **head_of(struct edo_wheel *wheel, unsigned slot)
{
    return slot == SLOT_DUE ? &wheel->due : &wheel->slots[slot];
}

static void push(struct edo_wheel *wheel, unsigned slot, struct edo_timer_entry *entry)
{
    struct edo_timer_entry **head = head_of(wheel, slot), *first = *head;
    entry->slot = (uint16_t)slot;
    if (first == NULL) {
        *head = entry->next = entry->prev = entry;
        if (slot != SLOT_DUE)
            wheel->occupied[slot / EDO_WHEEL_SLOTS] |= 1ull << slot % EDO_WHEEL_SLOTS;
        return;
    }
    entry->next = first;
    entry->prev = first->prev;
    first->prev->next = entry;
    first->prev = entry;
}

static void unlink_entry(struct edo_wheel *wheel, struct edo_timer_entry *entry)
{
    struct edo_timer_entry **head = head_of(wheel, entry->slot);
    if (entry->next == entry) {
        *head = NULL;
        if (entry->slot != SLOT_DUE)
            wheel->occupied[entry->slot / EDO_WHEEL_SLOTS] &=
                ~(1ull << entry->slot % EDO_WHEEL_SLOTS);
    } else {
        entry->next->prev = entry->prev;
        entry->prev->next = entry->next;
        if (*head == entry)
            *head = entry->next;
    }
    entry->next = entry->prev = NULL;
}

/* Where an entry belongs now. The top level's slots are taken modulo its size. */
static unsigned place(const struct edo_wheel *wheel, uint64_t deadline)
{
    if (deadline <= wheel->elapsed)
        return SLOT_DUE;
    unsigned level = (63 - (unsigned)__builtin_clzll(deadline ^ wheel->elapsed)) / BITS;
    if (level > TOP)
        level = TOP;
    return level * EDO_WHEEL_SLOTS + (deadline >> level * BITS) % EDO_WHEEL_SLOTS;
}

void edo_wheel_insert(struct edo_wheel *wheel, struct edo_timer_entry *entry, uint64_t deadline)
{
    entry->deadline = deadline;
    push(wheel, place(wheel, deadline), entry);
    wheel->count++;
    EDO_COUNT(TIMERS, 1);
}

void edo_wheel_remove(struct edo_wheel *wheel, struct edo_timer_entry *entry)
{
    unlink_entry(wheel, entry);
    wheel->count--;
    EDO_COUNT(TIMERS, -1);
}

/* The next slot in time that is occupied, and when it begins. Lower levels come first: what they
 * hold lies before the end of the present slot of the level above. */
static bool next_slot(const struct edo_wheel *wheel, unsigned *slot, uint64_t *when)
{
    for (unsigned level = 0; level < EDO_WHEEL_LEVELS; level++) {
        uint64_t occupied = wheel->occupied[level];
        if (occupied == 0)
            continue;
        unsigned shift = level * BITS, now = (wheel->elapsed >> shift) % EDO_WHEEL_SLOTS;
        /* Rotated so that the slot after the present one is bit 0: at the top the slots wrap, and
         * the present one is the last. */
        unsigned by = (now + 1) % EDO_WHEEL_SLOTS;
        uint64_t rotated = by == 0 ? occupied : occupied >> by | occupied << (64 - by);
        unsigned distance = (unsigned)__builtin_ctzll(rotated) + 1;
        *slot = level * EDO_WHEEL_SLOTS + (now + distance) % EDO_WHEEL_SLOTS;
        uint64_t start = ((wheel->elapsed >> shift) + distance) << shift;
        /* Past the end of time: never. */
        *when = start >> shift == (wheel->elapsed >> shift) + distance ? start : UINT64_MAX;
        return true;
    }
    return false;
}

/* The present enters a slot: its entries are placed anew, nearer, in their order. */
static void cascade(struct edo_wheel *wheel, unsigned slot)
{
    struct edo_timer_entry *first = wheel->slots[slot];
    wheel->slots[slot] = NULL;
    wheel->occupied[slot / EDO_WHEEL_SLOTS] &= ~(1ull << slot % EDO_WHEEL_SLOTS);
    struct edo_timer_entry *entry = first;
    do {
        struct edo_timer_entry *next = entry->next;
        push(wheel, place(wheel, entry->deadline), entry);
        entry = next;
    } while (entry != first);
}

struct edo_timer_entry *edo_wheel_poll(struct edo_wheel *wheel, uint64_t now)
{
    while (wheel->due == NULL) {
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
    struct edo_timer_entry *entry = wheel->due;
    edo_wheel_remove(wheel, entry);
    return entry;
}

bool edo_wheel_next(const struct edo_wheel *wheel, uint64_t *when)
{
    unsigned slot;
    *when = wheel->elapsed;
    return wheel->due != NULL || next_slot(wheel, &slot, when);
}

bool edo_wheel_next_deadline(const struct edo_wheel *wheel, uint64_t *when)
{
    unsigned slot;
    *when = wheel->elapsed;
    if (wheel->due != NULL)
        return true;
    if (!next_slot(wheel, &slot, when))
        return false;
    const struct edo_timer_entry *entry = wheel->slots[slot];
    *when = entry->deadline;
    for (entry = entry->next; entry != wheel->slots[slot]; entry = entry->next)
        if (entry->deadline < *when)
            *when = entry->deadline;
    return true;
}
