/* SPDX-License-Identifier: MIT */
/* Fuzzes the timer wheel: it must do what a sorted list does, which is kept beside it, and hold its
 * invariants, from any uptime, across leaps of time, with what fires arming and disarming others.
 *
 *     clang -std=gnu11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -iquote . \
 *         tests/fuzz/wheel_fuzz.c runtime/wheel.c internal/sys.c internal/census.c -pthread \
 *         -o wheel_fuzz
 *     ./wheel_fuzz new_corpus/
 *
 * The input: a byte for the uptime, then operations of three bytes: what, which entry, how far. A
 * distance is the power of two of the third byte's low bits, less or more a little by its high ones,
 * so that each level and each boundary is within reach.
 */
#include <stdint.h>
#include <stddef.h>

#include "internal/sys.h"
#include "runtime/wheel.h"

enum { ENTRIES = 32 };

/* A timer and its place in the list; first, so that one is the other. */
struct timer {
    struct edo_timer_entry entry;
    struct timer *after; /* the next in the list */
    uint64_t due;        /* its deadline, or when it was armed if that is later */
    bool armed;
};

struct state {
    struct edo_wheel wheel;
    struct timer timers[ENTRIES], *first;
    uint64_t now, count;
    const uint8_t *at, *end;
};

static uint8_t byte(struct state *state)
{
    return state->at < state->end ? *state->at++ : 0;
}

static uint64_t saturating_add(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* 0, or 2^0 to 2^62, and 2 less to 1 more. */
static uint64_t distance(uint8_t byte)
{
    uint64_t power = byte % 64 == 0 ? 0 : 1ull << (byte % 64 - 1), by = byte / 64;
    return power + by < 2 ? 0 : power + by - 2;
}

static void list_remove(struct state *state, struct timer *timer)
{
    struct timer **at = &state->first;
    while (*at != timer)
        at = &(*at)->after;
    *at = timer->after;
    timer->armed = false;
    state->count--;
}

/* Behind those of the same deadline. */
static void list_insert(struct state *state, struct timer *timer)
{
    struct timer **at = &state->first;
    while (*at != NULL && (*at)->due <= timer->due)
        at = &(*at)->after;
    timer->after = *at;
    *at = timer;
    timer->armed = true;
    state->count++;
}

static void disarm(struct state *state, struct timer *timer)
{
    if (!timer->armed)
        return;
    edo_wheel_remove(&state->wheel, &timer->entry);
    list_remove(state, timer);
}

static void arm(struct state *state, struct timer *timer, uint64_t deadline)
{
    disarm(state, timer);
    edo_wheel_insert(&state->wheel, &timer->entry, deadline);
    timer->due = deadline > state->now ? deadline : state->now;
    list_insert(state, timer);
}

/* What may be done between two polls. */
static void act(struct state *state, uint8_t what)
{
    struct timer *timer = &state->timers[byte(state) % ENTRIES];
    uint8_t far = byte(state);
    switch (what % 4) {
    case 0:
        disarm(state, timer);
        break;
    case 1: /* too late */
        arm(state, timer, state->now - (distance(far) < state->now ? distance(far) : state->now));
        break;
    case 2: /* together with the first that is armed */
        arm(state, timer, state->first != NULL ? state->first->due : state->now);
        break;
    default:
        arm(state, timer, saturating_add(state->now, distance(far)));
    }
}

static void check(const struct state *state)
{
    uint64_t next, earliest;
    bool some = state->first != NULL;
    /* Slow: it looks at each slot. */
    if ((state->end - state->at) % 8 == 0)
        edo_assert(edo_wheel_check(&state->wheel));
    edo_assert(state->wheel.count == state->count);
    edo_assert(edo_wheel_next(&state->wheel, &next) == some);
    edo_assert(edo_wheel_next_deadline(&state->wheel, &earliest) == some);
    if (!some)
        return;
    edo_assert(earliest == state->first->due);
    /* Never late, always ahead, and exact where level 0 holds it. */
    edo_assert(next <= earliest && next >= state->now);
    edo_assert(next > state->now || earliest == state->now);
    if (earliest / EDO_WHEEL_SLOTS == state->now / EDO_WHEEL_SLOTS)
        edo_assert(next == earliest);
}

static void poll_to(struct state *state, uint64_t until)
{
    for (;;) {
        struct timer *first = state->first;
        struct edo_timer_entry *entry = edo_wheel_poll(&state->wheel, until);
        uint64_t reached = until > state->now ? until : state->now;
        if (entry == NULL) {
            edo_assert(first == NULL || first->due > reached);
            state->now = reached;
            break;
        }
        edo_assert(entry == &first->entry && !edo_timer_linked(entry));
        edo_assert(first->due <= reached && entry->deadline <= reached);
        state->now = first->due;
        list_remove(state, first);
        check(state);
        /* Ends: the input does, and then nothing is armed any more. */
        if (state->at < state->end)
            act(state, byte(state));
    }
    edo_assert(state->wheel.elapsed == state->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct state empty;
    static struct state fresh;
    struct state *state = &fresh;
    *state = empty;
    state->at = data;
    state->end = data + size;
    uint8_t uptime = byte(state);
    state->now = uptime == 255 ? UINT64_MAX - 100000 : distance(uptime);
    edo_wheel_init(&state->wheel, state->now);
    while (state->at < state->end) {
        uint8_t what = byte(state);
        if (what % 3 != 0) {
            act(state, what / 3);
        } else {
            uint64_t by = distance(byte(state));
            poll_to(state, what / 3 % 8 == 0 ? 0 : saturating_add(state->now, by));
        }
        check(state);
    }
    while (state->first != NULL)
        poll_to(state, state->first->due);
    edo_assert(state->count == 0);
    return 0;
}
