/* SPDX-License-Identifier: MIT */
/* Where a fuzzer keeps one future: polled with two wakers in turn, one stable and one that is cloned,
 * and watched for what every future must do:
 *
 *  - it wakes the waker of its last poll, and no other; none at all when it is done, or dropped;
 *  - it gives back each clone;
 *  - a poll that nobody woke it for changes nothing: `seats_quiet` polls those that were woken until
 *    none is, and then all; one that is ready then was not woken. */
#ifndef EDO_TESTS_FUZZ_SEAT_H
#define EDO_TESTS_FUZZ_SEAT_H

#include <stdint.h>
#include <string.h>

#include "future.h"
#include "internal/census.h"
#include "internal/sys.h"

enum { SEATS = 8 };

struct seat_waker {
    struct edo_waker waker;
    struct seat *seat;
    int clones;
};

struct seat {
    struct seat_waker stable, foreign;
    struct edo_future *future; /* NULL: the seat is free */
    int kind, handle;          /* the fuzzer's */
    struct seat_waker *last;   /* of the last poll that looked */
    bool woken;                /* since then */
    bool given_way;            /* it was polled without a budget */
    uint64_t waits;            /* since when: a number of order; 0: it does not */
};

static struct seat seats[SEATS];
static uint64_t arrivals;

/* The input. */
static const uint8_t *at, *end;

static unsigned byte(void)
{
    return at < end ? *at++ : 0;
}

static void seat_wake(struct edo_waker *waker)
{
    struct seat_waker *own = (struct seat_waker *)waker;
    edo_assert(own->seat->future != NULL);
    edo_assert(own == own->seat->last || own->seat->given_way);
    own->seat->woken = true;
}

static struct edo_waker *seat_clone(struct edo_waker *waker)
{
    ((struct seat_waker *)waker)->clones++;
    return waker;
}

static void seat_unclone(struct edo_waker *waker)
{
    edo_assert(((struct seat_waker *)waker)->clones-- > 0);
}

static struct edo_waker *seat_claim(struct edo_waker *waker)
{
    edo_assert(((struct seat_waker *)waker)->seat->future != NULL);
    return waker;
}

static const struct edo_waker_ops seat_foreign_ops = {seat_wake, seat_clone, seat_unclone, NULL,
                                                      NULL};
static const struct edo_waker_ops seat_stable_ops = {seat_wake, seat_clone, seat_unclone,
                                                     seat_claim, seat_wake};

static void seats_begin(const uint8_t *data, size_t size)
{
    at = data;
    end = data + size;
    arrivals = 0;
    memset(seats, 0, sizeof seats);
    for (int i = 0; i < SEATS; i++) {
        seats[i].stable = (struct seat_waker){{&seat_stable_ops}, &seats[i], 0};
        seats[i].foreign = (struct seat_waker){{&seat_foreign_ops}, &seats[i], 0};
    }
}

static void seat_sit(struct seat *seat, struct edo_future *future, int kind, int handle)
{
    seat->future = future;
    seat->kind = kind;
    seat->handle = handle;
    seat->last = NULL;
    seat->woken = seat->given_way = false;
    seat->waits = 0;
}

static void seat_leave(struct seat *seat)
{
    edo_assert(seat->stable.clones == 0 && seat->foreign.clones == 0);
    seat->future = NULL;
}

/* What the fuzzer does with a future that is ready, or was dropped; the seat is free then. And what it
 * looks at when nobody is woken any more: of those in a row, which a poll alone does not serve, that they
 * wait with reason. */
static void seat_ready(struct seat *seat);
static void seat_dropped(struct seat *seat);
static void seats_check_quiet(void);

/* With which waker, and how much of a budget. Whether it was ready. */
static bool seat_poll(struct seat *seat, bool foreign, uint32_t budget)
{
    struct edo_context cx;
    struct seat_waker *own = foreign ? &seat->foreign : &seat->stable;
    edo_context_init(&cx, &own->waker);
    cx.budget = budget;
    seat->woken = false;
    seat->given_way = budget == 0;
    if (budget > 0)
        seat->last = own;
    if (edo_future_poll(seat->future, &cx) == EDO_PENDING) {
        /* A future that takes nothing from the budget may have looked all the same. */
        if (budget == 0 && !seat->woken)
            seat->last = own;
        seat->given_way = seat->given_way && seat->woken;
        if (seat->waits == 0 && !seat->woken)
            seat->waits = ++arrivals;
        return false;
    }
    seat_leave(seat);
    seat_ready(seat);
    return true;
}

static void seat_drop(struct seat *seat)
{
    struct edo_context cx;
    edo_context_init(&cx, &seat->foreign.waker);
    edo_future_drop(seat->future, &cx);
    seat_leave(seat);
    seat_dropped(seat);
}

static struct seat *seat_free(void)
{
    for (int i = 0; i < SEATS; i++)
        if (seats[i].future == NULL)
            return &seats[i];
    return NULL;
}

/* Somebody sits there who is of one of these kinds, a set of bits, and of that handle, or any (-1). */
static bool seat_taken(unsigned kinds, int handle)
{
    for (int i = 0; i < SEATS; i++)
        if (seats[i].future != NULL && (kinds >> seats[i].kind & 1) != 0 &&
            (handle < 0 || seats[i].handle == handle))
            return true;
    return false;
}

/* Of those of these kinds that wait, who came first; or NULL. */
static inline struct seat *seat_first(unsigned kinds)
{
    struct seat *first = NULL;
    for (int i = 0; i < SEATS; i++)
        if (seats[i].future != NULL && (kinds >> seats[i].kind & 1) != 0 && seats[i].waits != 0 &&
            (first == NULL || seats[i].waits < first->waits))
            first = &seats[i];
    return first;
}

/* One of these kinds is served: whoever came before it, and waits, has been told already. */
static inline void seat_check_order(const struct seat *served, unsigned kinds)
{
    for (int i = 0; i < SEATS; i++)
        if (seats[i].future != NULL && (kinds >> seats[i].kind & 1) != 0 && seats[i].waits != 0 &&
            (served->waits == 0 || seats[i].waits < served->waits))
            edo_assert(seats[i].woken);
}

/* A poll, or the end, of one of them, as the input says. */
static void seat_act(void)
{
    unsigned what = byte();
    struct seat *seat = &seats[what % SEATS];
    if (seat->future == NULL)
        return;
    if (what / SEATS % 8 == 0)
        seat_drop(seat);
    else
        seat_poll(seat, what / SEATS % 2, what / SEATS % 8 == 1 ? 0 : EDO_BUDGET);
}

static void seats_quiet(void)
{
    bool again = true;
    while (again) {
        again = false;
        for (int i = 0; i < SEATS; i++)
            if (seats[i].future != NULL && seats[i].woken) {
                seat_poll(&seats[i], i % 2, EDO_BUDGET);
                again = true;
            }
    }
    for (int i = 0; i < SEATS; i++)
        if (seats[i].future != NULL && seats[i].last != NULL)
            edo_assert(!seat_poll(&seats[i], seats[i].last == &seats[i].foreign, EDO_BUDGET));
    seats_check_quiet();
}

static void seats_end(void)
{
    seats_quiet();
    for (int i = 0; i < SEATS; i++)
        if (seats[i].future != NULL)
            seat_drop(&seats[i]);
}

/* Messages that own memory: each is somebody's, once. */
struct message {
    int number;
    char *memory;
};

static int messages_made;

static inline struct message message_new(void)
{
    struct message message = {messages_made++, edo_malloc(1)};
    return message;
}

static void message_drop(struct message *message)
{
    edo_free(message->memory);
    message->memory = NULL;
}

#endif
