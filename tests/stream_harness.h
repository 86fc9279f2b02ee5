/* SPDX-License-Identifier: MIT */
/* Streams by script, of items that are accounted for.
 *
 * A script says what each poll of a source comes to, and a transcript what each poll of a stream came
 * to, in the same letters:
 *
 *     0-9 a-z   an item, with that number
 *     .         pending, and woken
 *     !         an error in an item's place
 *     -         an end after which there may be more
 *     X         an end with an error, for good
 *     |         the end, for good; in a script, where it is over
 *     P         a panic, after which it is dropped; D, in a script: one when it is dropped there
 *
 * So a pipeline that takes every second item is tested by `check(build, "0.1!2X", NULL, "0.!2X")`, which
 * also ends it before each of those polls. Each item must be delivered, or given to the drop hook, once,
 * and each source must end or be dropped, once. */
#ifndef EDO_TESTS_STREAM_HARNESS_H
#define EDO_TESTS_STREAM_HARNESS_H

#include "poll_harness.h"

#include "edo.h"

enum fate { NOT_MADE, MADE, DELIVERED, DROPPED };

struct account {
    enum fate fates[64];
    int items, sources, ended;
};
static struct account account;

struct parcel {
    int n;
    int serial;
};
typedef STREAM_REF(struct parcel) parcels;

HARNESS struct parcel parcel_make(int n)
{
    cr_assert_lt(account.items, 64);
    account.fates[account.items] = MADE;
    return (struct parcel){n, account.items++};
}

HARNESS void parcel_end(const struct parcel *parcel, enum fate fate)
{
    cr_assert(parcel->serial >= 0 && parcel->serial < account.items);
    cr_assert_eq(account.fates[parcel->serial], MADE, "item %d ends twice", parcel->n);
    account.fates[parcel->serial] = fate;
}

HARNESS void parcel_drop(void *item)
{
    parcel_end(item, DROPPED);
}

HARNESS void account_settle(const char *what)
{
    for (int i = 0; i < account.items; i++)
        cr_assert_neq(account.fates[i], MADE, "%s: item %d of %d is lost", what, i, account.items);
    cr_assert_eq(account.ended, account.sources, "%s: %d of %d sources ended", what, account.ended,
                 account.sources);
    account = (struct account){0};
}

HARNESS int dropped(void)
{
    int n = 0;
    for (int i = 0; i < account.items; i++)
        n += account.fates[i] == DROPPED;
    return n;
}

/* The source. */
struct script {
    STREAM(struct parcel);
    const char *at;
    bool over;
};

static int letter_number(char letter)
{
    return letter >= '0' && letter <= '9'   ? letter - '0'
           : letter >= 'a' && letter <= 'z' ? letter - 'a' + 10
                                            : -1;
}

HARNESS void script_over(struct script *self)
{
    cr_assert(!self->over, "a source ends twice");
    self->over = true;
    account.ended++;
}

HARNESS enum edo_poll script_poll(struct edo_future *future, struct edo_context *cx)
{
    struct script *self = (struct script *)future;
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "script");
    cr_assert(!self->over, "a source is polled after its end");
    char letter = *self->at;
    if (cx->walk == EDO_WALK_DROP) {
        script_over(self);
        return letter == 'D' ? edo_panic(cx, "script", NULL, 0, "dropped") : EDO_READY;
    }
    cr_assert_null(cx->panic.name, "a source is polled after a panic");
    self->at += letter != '\0';
    switch (letter) {
    case '\0':
        script_over(self);
        return edo_stream_end(&self->stream_, 0);
    case 'X':
        script_over(self);
        return edo_stream_end(&self->stream_, UV_EIO);
    case '!':
        return edo_stream_none(&self->stream_, UV_EIO);
    case '-':
        return edo_stream_none(&self->stream_, 0);
    case 'P':
        return edo_panic(cx, "script", NULL, 0, "polled");
    case '.':
        edo_wake(cx->waker);
        return EDO_PENDING;
    default:
        cr_assert_geq(letter_number(letter), 0);
        EDO_ITEM(self) = parcel_make(letter_number(letter));
        return edo_stream_item(&self->stream_);
    }
}

static size_t items_until_end(const char *at)
{
    size_t n = 0;
    for (; *at != '\0' && strchr("-X|PD", *at) == NULL; at++)
        n += letter_number(*at) >= 0;
    return n;
}

HARNESS struct edo_size_hint script_exact(const struct edo_stream *stream)
{
    size_t n = items_until_end(((const struct script *)stream)->at);
    return (struct edo_size_hint){n, n};
}

HARNESS struct edo_size_hint script_vague(const struct edo_stream *stream)
{
    size_t n = items_until_end(((const struct script *)stream)->at);
    return (struct edo_size_hint){n / 2, 2 * n + 1};
}

static edo_size_hint_fn *const script_hints[] = {script_exact, script_vague, NULL};

HARNESS parcels script_begin(struct script *place, const char *script, edo_size_hint_fn *hint)
{
    *place = NEW(script, .at = script);
    place->stream_.size_hint = hint;
    place->stream_.drop = parcel_drop;
    account.sources++;
    return edo_stream_ref(place);
}

/* Builds a pipeline, in static places, over one or two sources. */
typedef parcels build_fn(parcels a, parcels b);

/* One poll; its letter. An item is delivered. */
HARNESS char stream_step(struct bench *bench, parcels stream)
{
    struct edo_stream *head = (struct edo_stream *)(void *)stream;
    struct parcel item = {0};
    int wakes = bench->counter.wakes;
    bench->cx.budget = EDO_BUDGET;
    int output = edo_stream_poll(head, &bench->cx, &item);
    bool done = edo_future_done(&head->future_);
    if (bench->cx.panic.name != NULL) {
        cr_assert_eq(output, EDO_STREAM_PENDING, "it goes on after a panic");
        return 'P';
    }
    if (output == EDO_STREAM_PENDING) {
        cr_assert_gt(bench->counter.wakes, wakes, "pending, and nobody will wake it");
        return '.';
    }
    if (output == EDO_STREAM_END)
        return done ? '|' : '-';
    if (output < 0) {
        cr_assert_eq(output, UV_EIO);
        return done ? 'X' : '!';
    }
    parcel_end(&item, DELIVERED);
    cr_assert(item.n >= 0 && item.n < 36);
    return "0123456789abcdefghijklmnopqrstuvwxyz"[item.n];
}

/* Dropped. A panic, before or by this, has been seen to. */
HARNESS void stream_end(struct bench *bench, parcels stream)
{
    edo_stream_drop_((struct edo_stream *)(void *)stream, &bench->cx);
    bench->cx.panic.name = NULL;
}

static struct script script_a, script_b;

HARNESS parcels scripts_begin(build_fn *build, const char *a, const char *b, edo_size_hint_fn *hint)
{
    parcels from_a = script_begin(&script_a, a, hint);
    return build(from_a, b == NULL ? NULL : script_begin(&script_b, b, hint));
}

/* To the end: the transcript, and honest size hints; exact, they say how many there are. */
HARNESS void check_run(build_fn *build, const char *a, const char *b, const char *expected,
                       edo_size_hint_fn *hint, bool exact)
{
    struct bench bench;
    bench_begin(&bench);
    parcels stream = scripts_begin(build, a, b, hint);
    char got[128];
    struct edo_size_hint hints[128];
    size_t n = 0;
    do {
        cr_assert_lt(n, 127, "\"%s\" does not end", a);
        hints[n] = edo_stream_size_hint(stream);
        got[n] = stream_step(&bench, stream);
    } while (strchr("|XP", got[n++]) == NULL);
    got[n] = '\0';
    cr_assert_str_eq(got, expected, "of \"%s\" came \"%s\", not \"%s\"", a, got, expected);
    if (got[n - 1] == 'P')
        stream_end(&bench, stream);
    cr_assert_eq(stream_step(&bench, stream), '|', "the end, again");
    /* A panic is not foreseen. */
    for (size_t i = 0; i < n && got[n - 1] != 'P'; i++) {
        size_t left = items_until_end(got + i);
        cr_assert(hints[i].lower <= left && left <= hints[i].upper &&
                      (!exact || hints[i].lower == hints[i].upper),
                  "of \"%s\", before \"%s\": %zu to %zu items are to come, it says", a, got + i,
                  hints[i].lower, hints[i].upper);
    }
    account_settle(a);
    bench_end(&bench);
}

/* Dropped before the poll of that number. */
HARNESS void check_drop(build_fn *build, const char *a, const char *b, size_t polls)
{
    struct bench bench;
    bench_begin(&bench);
    parcels stream = scripts_begin(build, a, b, NULL);
    for (size_t i = 0; i < polls; i++)
        stream_step(&bench, stream);
    stream_end(&bench, stream);
    cr_assert_eq(stream_step(&bench, stream), '|');
    account_settle(a);
    bench_end(&bench);
}

HARNESS void check(build_fn *build, const char *a, const char *b, const char *expected)
{
    for (size_t i = 0; i < sizeof script_hints / sizeof script_hints[0]; i++)
        check_run(build, a, b, expected, script_hints[i], false);
    for (size_t polls = 0; polls <= strlen(expected); polls++)
        check_drop(build, a, b, polls);
}

/* The same, of a pipeline that knows how many are to come when its sources do. */
HARNESS void check_exact(build_fn *build, const char *a, const char *b, const char *expected)
{
    check(build, a, b, expected);
    check_run(build, a, b, expected, script_exact, true);
}

/* While it waits, it names itself and whom it waits for. */
HARNESS void check_trace(build_fn *build, const char *a, const char *b, const char *expected)
{
    struct bench bench;
    bench_begin(&bench);
    parcels stream = scripts_begin(build, a, b, NULL);
    while (stream_step(&bench, stream) != '.')
        ;
    edo_future_trace(&((struct edo_stream *)(void *)stream)->future_, &bench.cx);
    cr_assert_str_eq(bench.trace, expected, "%s", bench.trace);
    edo_stream_drop_((struct edo_stream *)(void *)stream, &bench.cx);
    account_settle(a);
    bench_end(&bench);
}

/* Zeros without end, which take nothing from the budget and are nobody's. */
struct endless {
    STREAM(struct parcel);
};

HARNESS enum edo_poll endless_poll(struct edo_future *future, struct edo_context *cx)
{
    struct endless *self = (struct endless *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "endless");
    EDO_ITEM(self) = (struct parcel){0, -1};
    return edo_stream_item(&self->stream_);
}

/* A pipeline that leaves everything out gives way, whatever is below it: each poll ends, with the
 * budget spent and itself woken, and has looked at so many items. */
HARNESS void check_gives_way(build_fn *build, const int *looked_at)
{
    static const struct parcel zero = {0, -1};
    static struct endless endless;
    static struct edo_stream_iter repeat;
    for (int i = 0; i < 2; i++) {
        struct bench bench;
        bench_begin(&bench);
        endless = NEW(endless);
        parcels source = i == 0 ? edo_stream_ref(&endless) : edo_stream_repeat(&repeat, &zero);
        parcels stream = build(source, NULL);
        int before = *looked_at;
        for (int polls = 1; polls <= 3; polls++) {
            cr_assert_eq(stream_step(&bench, stream), '.');
            cr_assert_eq(bench.cx.budget, 0);
            cr_assert_eq(*looked_at - before, polls * (int)EDO_BUDGET);
        }
        edo_stream_drop_((struct edo_stream *)(void *)stream, &bench.cx);
        bench_end(&bench);
    }
}

#endif
