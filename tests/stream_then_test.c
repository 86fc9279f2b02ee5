/* SPDX-License-Identifier: MIT */
/* streams/stream_then.h. */
#include "stream_harness.h"

static struct parcel room;

/* Carries a parcel, waiting so many times as its number says; then it is twice that. */
struct carry {
    FUTURE(struct parcel);
    struct parcel parcel;
    bool holds;
    struct leaf leaf;
};

static struct leaf_log leaves;

ASYNC(carry)
{
    ASYNC_BEGIN;
    AWAIT(self->leaf, LEAF(&leaves, self->parcel.n, 0));
    self->holds = false;
    self->parcel.n *= 2;
    RETURN(self->parcel);
ASYNC_FINALLY:
    if (self->holds)
        parcel_end(&self->parcel, DROPPED);
    ASYNC_END;
}

static void begin(void *arg, struct parcel *parcel, struct carry *carry)
{
    (void)arg;
    *carry = NEW(carry, .parcel = *parcel, .holds = true);
}

static struct edo_stream_then then;
static struct carry carry;

static parcels carried(parcels a, parcels b)
{
    (void)b;
    return edo_stream_then(&then, a, &room, &carry, begin, NULL);
}

Test(stream_then, a_future_s_output_is_the_item)
{
    check(carried, "", NULL, "|");
    check(carried, "012", NULL, "0.2..4|");
    check_exact(carried, ".1.2.", NULL, "..2...4.|");
    check(carried, "1!2-1X", NULL, ".2!..4-.2X");
    check_trace(carried, ".", NULL, "edo_stream_then\n script\n");
}

Test(stream_then, the_future_under_way_is_named)
{
    struct bench bench;
    bench_begin(&bench);
    parcels stream = scripts_begin(carried, "1", NULL, NULL);
    cr_assert_eq(stream_step(&bench, stream), '.');
    edo_future_trace(&then.stream_.future_, &bench.cx);
    int line;
    cr_assert_eq(
        sscanf(bench.trace, "edo_stream_then\n carry (stream_then_test.c:%d)\n  leaf\n", &line), 1,
        "%s", bench.trace);
    edo_stream_drop_(&then.stream_, &bench.cx);
    account_settle("then");
    bench_end(&bench);
}

/* The same, which fails for odd numbers; what it makes is put beside its output. */
struct try_carry {
    FUTURE(int);
    struct parcel parcel, made;
    bool holds;
    struct leaf leaf;
};

ASYNC(try_carry)
{
    ASYNC_BEGIN;
    AWAIT(self->leaf, LEAF(&leaves, self->parcel.n > 4, 0));
    if (self->parcel.n % 2 != 0)
        RETURN(UV_EIO);
    self->holds = false;
    self->made = self->parcel;
    self->made.n++;
    RETURN(self->parcel.n);
ASYNC_FINALLY:
    if (self->holds)
        parcel_end(&self->parcel, DROPPED);
    ASYNC_END;
}

static void try_begin(void *arg, struct parcel *parcel, struct try_carry *carry)
{
    cr_assert_eq(arg, &room);
    *carry = NEW(try_carry, .parcel = *parcel, .holds = true);
}

static struct try_carry try_carry;

static parcels try_carried(parcels a, parcels b)
{
    (void)b;
    return edo_stream_try_then(&then, a, &room, &try_carry, &try_carry.made, try_begin, &room);
}

Test(stream_then, a_future_that_fails_leaves_an_error_in_the_place)
{
    check(try_carried, "", NULL, "|");
    check(try_carried, "0123", NULL, "1!3!|");
    check(try_carried, "6.5-4!2X", NULL, ".7..!-5!3X");
}

static void no_value(void *arg, struct parcel *parcel, struct edo_void *out)
{
    (void)arg, (void)out;
    parcel_end(parcel, DROPPED);
}

struct nothing {
    FUTURE(void);
    struct parcel parcel;
};

ASYNC(nothing)
{
    ASYNC_BEGIN;
    ASYNC_END;
}

static void begin_nothing(void *arg, struct parcel *parcel, struct nothing *nothing)
{
    no_value(arg, parcel, &nothing->output);
    *nothing = NEW(nothing);
}

Test(stream_then, a_future_without_an_output)
{
    struct bench bench;
    bench_begin(&bench);
    struct nothing future;
    struct edo_void item;
    static struct script script;
    STREAM_REF(struct edo_void)
    stream = edo_stream_then(&then, script_begin(&script, "12", NULL), &room, &future,
                             begin_nothing, NULL);
    for (int i = 0; i < 3; i++) {
        struct edo_next next = edo_next(stream, &item);
        RUN(next);
        cr_assert_eq(next.output, i < 2);
    }
    account_settle("nothing");
    bench_end(&bench);
}

/* The future panics: the stream waits to be dropped, and all goes with it. */
struct panics {
    FUTURE(int);
    struct parcel parcel;
};

ASYNC(panics)
{
    ASYNC_BEGIN;
    PANIC("no good");
ASYNC_FINALLY:
    parcel_end(&self->parcel, DROPPED);
    ASYNC_END;
}

static void begin_panics(void *arg, struct parcel *parcel, struct panics *panics)
{
    (void)arg;
    *panics = NEW(panics, .parcel = *parcel);
}

Test(stream_then, a_panic_is_the_consumer_s)
{
    struct bench bench;
    bench_begin(&bench);
    struct panics future;
    static struct script script;
    int item;
    STREAM_REF(int)
    stream = edo_stream_then(&then, script_begin(&script, "12", NULL), &room, &future, begin_panics,
                             NULL);
    struct edo_next next = edo_next(stream, &item);
    cr_assert_eq(POLL(next), EDO_PENDING);
    cr_assert_str_eq(bench.cx.panic.message, "no good");
    DROP_IT(next);
    edo_stream_drop_(&then.stream_, &bench.cx);
    account_settle("panics");
    bench_end(&bench);
}

/* ---- flat_map ---- */

static struct edo_stream_flat_map flat_map;
static struct script inner;

static const char *const inner_scripts[] = {"", "1", "1.2", "1!2", ".4-5", "8X", "."};

/* The item's number says which. */
static parcels inner_begin(void *arg, struct parcel *parcel, struct script *place)
{
    cr_assert_null(arg);
    parcel_end(parcel, DROPPED);
    if (parcel->n == 9)
        return NULL;
    return script_begin(place, inner_scripts[parcel->n], script_exact);
}

static parcels flat(parcels a, parcels b)
{
    (void)b;
    return edo_stream_flat_map(&flat_map, a, &room, &inner, inner_begin, NULL);
}

Test(stream_then, flat_map_gives_each_stream_in_its_turn)
{
    check(flat, "", NULL, "|");
    check(flat, "121", NULL, "11.21|");
    check(flat, "01.20", NULL, "1.1.2|");
    check(flat, "0000", NULL, "|");
    check(flat, "9919", NULL, "1|");
}

Test(stream_then, flat_map_s_streams_may_fail_and_end_early)
{
    check(flat, "3!1", NULL, "1!2!1|");
    check(flat, "515X", NULL, "8!18!X");
    check(flat, "41-1", NULL, ".41-1|");
    check(flat, "1X", NULL, "1X");
}

Test(stream_then, flat_map_names_the_stream_it_waits_for)
{
    check_trace(flat, ".", NULL, "edo_stream_flat_map\n script\n");
    check_trace(flat, "6", NULL, "edo_stream_flat_map\n script\n");
}

static int looked_at;

static parcels no_stream(void *arg, struct parcel *parcel, struct script *place)
{
    (void)arg, (void)parcel, (void)place;
    looked_at++;
    return NULL;
}

static parcels flat_none(parcels a, parcels b)
{
    (void)b;
    return edo_stream_flat_map(&flat_map, a, &room, &inner, no_stream, NULL);
}

static struct edo_stream_iter empty;

static parcels empty_stream(void *arg, struct parcel *parcel, struct edo_stream_iter *place)
{
    (void)arg, (void)parcel;
    looked_at++;
    return edo_stream_empty(place, struct parcel);
}

static parcels flat_empty(parcels a, parcels b)
{
    (void)b;
    return edo_stream_flat_map(&flat_map, a, &room, &empty, empty_stream, NULL);
}

Test(stream_then, endless_sources_of_nothing_give_way)
{
    check_gives_way(flat_none, &looked_at);
    check_gives_way(flat_empty, &looked_at);
}

/* An inner stream of what is in the item, of another type. */
struct word {
    char letters[8];
    size_t length;
};

static STREAM_REF(char) letters(void *arg, struct word *word, struct edo_stream_iter *iter)
{
    (void)arg;
    return edo_stream_iter(iter, word->letters, word->length);
}

Test(stream_then, the_item_stays_while_its_stream_is_read)
{
    struct bench bench;
    bench_begin(&bench);
    static const struct word words[] = {{"make", 4}, {"", 0}, {"it", 2}};
    struct edo_stream_iter source, iter;
    struct word word;
    STREAM_REF(struct word) stream = edo_stream_iter(&source, words, 3);
    STREAM_REF(char) flat = edo_stream_flat_map(&flat_map, stream, &word, &iter, letters, NULL);
    char text[16] = "";
    for (size_t i = 0; i < 6; i++) {
        struct edo_next next = edo_next(flat, &text[i]);
        RUN(next);
        cr_assert_eq(next.output, 1);
    }
    cr_assert_str_eq(text, "makeit");
    edo_stream_drop_(&flat_map.stream_, &bench.cx);
    bench_end(&bench);
}
