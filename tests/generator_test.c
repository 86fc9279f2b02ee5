/* SPDX-License-Identifier: MIT */
/* What a generator's body and a loop's may do: loops in loops, awaits, branches without braces; ended at
 * each point where they can be. */
#include "extern_future.h"
#include "poll_harness.h"

#include "edo.h"

static int made, ended; /* generators, and their FINALLYs */
static struct leaf_log leaves;

/* Runs a future to its end; before that, ends it before each of its polls. */
#define EACH_END(make, check)                                     \
    for (int polls_ = 0, over_ = 0; !over_; polls_++) {           \
        struct bench bench;                                       \
        bench_begin(&bench);                                      \
        made = ended = 0;                                         \
        __typeof__(make) future = (make);                         \
        for (int i_ = 0; i_ < polls_ && !over_; i_++)             \
            over_ = POLL(future) == EDO_READY;                    \
        DROP_IT(future);                                          \
        cr_assert_eq(made, ended, "%d of %d ended", ended, made); \
        if (over_)                                                \
            check;                                                \
        bench_end(&bench);                                        \
    }

/* Items in three nested loops, awaits in two of them. */
struct digits {
    STREAM(int);
    int n, awaits, i, j, k, error;
    struct leaf leaf;
};

ASYNC_STREAM(digits)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < self->n; self->i++)
        for (self->j = 0; self->j < self->n; self->j++) {
            AWAIT(self->leaf, LEAF(&leaves, self->awaits, 0));
            for (self->k = 0; self->k < self->n; self->k++)
                if (self->k % 2 == 0)
                    YIELD(100 * self->i + 10 * self->j + self->k);
                else
                    YIELD(-100 * self->i - 10 * self->j - self->k);
            if (self->i == 8)
                RETURN(UV_E2BIG);
        }
    RETURN(self->error);
ASYNC_FINALLY:
    ended++;
    ASYNC_END;
}

static STREAM_REF(int) digits(struct digits *place, int n, int awaits)
{
    made++;
    *place = NEW(digits, .n = n, .awaits = awaits);
    return edo_stream_ref(place);
}

/* The items of digits, in a plain loop. */
static int digits_sum(int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            for (int k = 0; k < n; k++)
                sum += (k % 2 == 0 ? 1 : -1) * (100 * i + 10 * j + k);
    return sum;
}

struct plain {
    FUTURE(int);
    int n, awaits, item, count, sum;
    struct digits digits;
    STREAM_REF(int) stream;
};

ASYNC(plain)
{
    ASYNC_BEGIN;
    self->stream = digits(&self->digits, self->n, self->awaits);
    FOR_AWAIT(self->item, self->stream) {
        self->count++;
        self->sum += self->item;
    }
    RETURN(self->sum);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(generator, yields_in_nested_loops)
{
    EACH_END(NEW(plain, .n = 3, .awaits = 1), {
        cr_assert_eq(future.count, 27);
        cr_assert_eq(future.output, digits_sum(3));
    });
    EACH_END(NEW(plain, .n = 4), cr_assert_eq(future.output, digits_sum(4)));
    EACH_END(NEW(plain, .n = 0), cr_assert_eq(future.output, 0));
}

/* A loop in a loop, each with awaits; the inner stream is made anew each time. */
struct nested {
    FUTURE(int);
    int awaits, a, b, count, sum;
    struct digits outer, inner;
    STREAM_REF(int) outers, inners;
    struct leaf leaf;
};

ASYNC(nested)
{
    ASYNC_BEGIN;
    self->outers = digits(&self->outer, 2, self->awaits);
    FOR_AWAIT(self->a, self->outers) {
        AWAIT(self->leaf, LEAF(&leaves, self->awaits, 0));
        self->inners = digits(&self->inner, 2, self->awaits);
        FOR_AWAIT(self->b, self->inners) {
            AWAIT(self->leaf, LEAF(&leaves, self->awaits, 0));
            if (self->b == 10)
                continue;
            if (self->b == -101 && self->a == 100)
                break;
            self->count++;
            self->sum += self->a * self->b;
        }
        DROP_STREAM(self->inners);
        self->count += 100;
    }
    RETURN(self->sum);
ASYNC_FINALLY:
    DROP_STREAM(self->inners);
    DROP_STREAM(self->outers);
    ASYNC_END;
}

Test(generator, a_loop_in_a_loop)
{
    static const int items[] = {0, -1, 10, -11, 100, -101, 110, -111};
    int sum = 0, count = 0;
    for (size_t i = 0; i < 8; i++) {
        for (size_t j = 0; j < 8; j++) {
            if (items[j] == 10)
                continue;
            if (items[j] == -101 && items[i] == 100)
                break;
            count++;
            sum += items[i] * items[j];
        }
        count += 100;
    }
    for (int awaits = 0; awaits < 3; awaits++)
        EACH_END(NEW(nested, .awaits = awaits), {
            cr_assert_eq(future.sum, sum);
            cr_assert_eq(future.count, count);
        });
}

/* Without braces anywhere. */
struct unbraced {
    FUTURE(int);
    int which, item, sum, round;
    struct digits digits;
    STREAM_REF(int) stream;
    struct leaf leaf;
};

ASYNC(unbraced)
{
    ASYNC_BEGIN;
    for (self->round = 0; self->round < 2; self->round++)
        if (self->which == 0)
            for (self->stream = digits(&self->digits, 2, 1); self->stream != NULL;
                 self->stream = NULL)
                FOR_AWAIT(self->item, self->stream)
                    if (self->item > 0)
                        self->sum += self->item;
                    else
                        AWAIT(self->leaf, LEAF(&leaves, 1, 0));
        else if (self->stream = digits(&self->digits, 2, 1), self->which == 1)
            FOR_AWAIT(self->item, self->stream)
                self->sum -= self->item;
        else
            TRY_FOR_AWAIT(self->item, self->stream)
                FOR_AWAIT(self->item, self->stream)
                    self->sum++;
    RETURN(self->sum);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(generator, loops_without_braces)
{
    EACH_END(NEW(unbraced, .which = 0), cr_assert_eq(future.output, 2 * 220));
    EACH_END(NEW(unbraced, .which = 1), cr_assert_eq(future.output, -2 * digits_sum(2)));
    EACH_END(NEW(unbraced, .which = 2), cr_assert_eq(future.output, 2 * 7));
}

/* Two generators, an item of each in turn. */
struct interleaved {
    FUTURE(int);
    int item, sum;
    struct digits a, b;
    STREAM_REF(int) first, second;
    struct edo_next next;
};

ASYNC(interleaved)
{
    ASYNC_BEGIN;
    self->first = digits(&self->a, 2, 1);
    self->second = digits(&self->b, 3, 2);
    for (;;) {
        AWAIT(self->next, edo_next(self->first, &self->item));
        self->sum += self->next.output > 0 ? self->item : 0;
        AWAIT(self->next, edo_next(self->second, &self->item));
        if (self->next.output == 0)
            break;
        self->sum += 1000 * self->item;
    }
    RETURN(self->sum);
ASYNC_FINALLY:
    DROP_STREAM(self->first);
    DROP_STREAM(self->second);
    ASYNC_END;
}

Test(generator, two_interleaved)
{
    EACH_END(NEW(interleaved), cr_assert_eq(future.output, digits_sum(2) + 1000 * digits_sum(3)));
}

/* A generator over another, which it drops; its error, or the other's, is its own. */
struct squares {
    STREAM(long);
    STREAM_REF(int) source;
    int item, stop;
    struct leaf leaf;
};

ASYNC_STREAM(squares)
{
    ASYNC_BEGIN;
    TRY_FOR_AWAIT(self->item, self->source) {
        if (self->item == self->stop)
            break;
        AWAIT(self->leaf, LEAF(&leaves, 1, 0));
        YIELD((long)self->item * self->item);
        YIELD(-1);
    }
ASYNC_FINALLY:
    DROP_STREAM(self->source);
    ended++;
    ASYNC_END;
}

struct over_squares {
    FUTURE(int);
    int error, stop, count;
    long item, sum;
    struct digits digits;
    struct squares squares;
    STREAM_REF(long) stream;
};

ASYNC(over_squares)
{
    ASYNC_BEGIN;
    made++;
    self->squares = NEW(squares, .source = digits(&self->digits, 2, 1), .stop = self->stop);
    self->digits.error = self->error;
    self->stream = edo_stream_ref(&self->squares);
    TRY_FOR_AWAIT(self->item, self->stream) {
        self->count++;
        self->sum += self->item;
    }
    RETURN(1);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(generator, one_over_another)
{
    EACH_END(NEW(over_squares, .stop = -1), {
        cr_assert_eq(future.output, 1);
        cr_assert_eq(future.count, 2);
    });
    EACH_END(NEW(over_squares, .stop = 999), {
        cr_assert_eq(future.output, 1);
        cr_assert_eq(future.count, 16);
        cr_assert_eq(future.sum, 0 + 1 + 100 + 121 + 10000 + 10201 + 12100 + 12321 - 8);
    });
}

Test(generator, an_error_ends_the_generators_and_the_loop_above)
{
    EACH_END(NEW(over_squares, .stop = 999, .error = UV_EIO), {
        cr_assert_eq(future.output, UV_EIO);
        cr_assert_eq(future.count, 16, "the items before it came");
    });
}

/* The same without a loop: TRY_AWAIT of edo_next is try_next. */
struct tries {
    FUTURE(int);
    int error, item, count;
    struct digits digits;
    STREAM_REF(int) stream;
    struct edo_next next;
};

ASYNC(tries)
{
    ASYNC_BEGIN;
    self->stream = digits(&self->digits, 2, 1);
    self->digits.error = self->error;
    for (;;) {
        TRY_AWAIT(self->next, edo_next(self->stream, &self->item));
        if (self->next.output == 0)
            break;
        self->count++;
    }
    RETURN(self->count);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(generator, try_await_of_next_is_try_next)
{
    EACH_END(NEW(tries), cr_assert_eq(future.output, 8));
    EACH_END(NEW(tries, .error = UV_EIO), {
        cr_assert_eq(future.output, UV_EIO);
        cr_assert_eq(future.count, 8);
    });
}

/* An error in an item's place: a loop that tries leaves, and the stream, which might go on, is dropped
 * in FINALLY. */
struct flaky {
    STREAM(int);
    int at;
};

static enum edo_poll flaky_poll(struct edo_future *future, struct edo_context *cx)
{
    struct flaky *self = (struct flaky *)future;
    if (cx->walk == EDO_WALK_DROP)
        ended++;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "flaky");
    if (++self->at % 3 == 0)
        return edo_stream_none(&self->stream_, UV_EIO);
    EDO_ITEM(self) = self->at;
    return edo_stream_item(&self->stream_);
}

struct over_flaky {
    FUTURE(int);
    bool tries;
    int item, sum, errors;
    struct flaky flaky;
    STREAM_REF(int) stream;
};

ASYNC(over_flaky)
{
    ASYNC_BEGIN;
    made++;
    self->flaky = NEW(flaky);
    self->stream = edo_stream_ref(&self->flaky);
    while (!self->tries && self->errors < 3) {
        FOR_AWAIT(self->item, self->stream)
            self->sum += self->item;
        self->errors += edo_stream_error(self->stream) == UV_EIO;
    }
    TRY_FOR_AWAIT(self->item, self->stream)
        self->sum += self->item;
    RETURN(0);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(generator, a_stream_may_go_on_after_an_error)
{
    EACH_END(NEW(over_flaky, .tries = true), {
        cr_assert_eq(future.output, UV_EIO);
        cr_assert_eq(future.sum, 1 + 2);
    });
    EACH_END(NEW(over_flaky), {
        cr_assert_eq(future.output, UV_EIO);
        cr_assert_eq(future.sum, 1 + 2 + 4 + 5 + 7 + 8 + 10 + 11);
    });
}

/* A body with everything: SELECT, JOIN, goto, YIELD_NOW between its items. */
struct mixed {
    STREAM(int);
    int turn;
    struct leaf a, b;
};

ASYNC_STREAM(mixed)
{
    ASYNC_BEGIN;
again:
    SELECT_BIASED {
        WHEN(self->a, LEAF(&leaves, 3, 0)) {
            YIELD(1);
        }
        WHEN(self->b, LEAF(&leaves, self->turn, 0)) {
            YIELD(2);
            YIELD(3);
        }
    }
    self->a = LEAF(&leaves, 1, 0);
    self->b = LEAF(&leaves, 2, 0);
    JOIN(&self->a, &self->b);
    YIELD(4);
    YIELD_NOW();
    if (self->turn++ < 4)
        goto again;
ASYNC_FINALLY:
    ended++;
    ASYNC_END;
}

struct over_mixed {
    FUTURE(long);
    int item;
    long digits;
    struct mixed mixed;
    STREAM_REF(int) stream;
};

ASYNC(over_mixed)
{
    ASYNC_BEGIN;
    made++;
    self->mixed = NEW(mixed);
    self->stream = edo_stream_ref(&self->mixed);
    FOR_AWAIT(self->item, self->stream)
        self->digits = 10 * self->digits + self->item;
    RETURN(self->digits);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(generator, a_body_with_everything)
{
    EACH_END(NEW(over_mixed), cr_assert_eq(future.output, 2342342341414, "%ld", future.output));
}

/* An item larger than a cache line, and one of no size. */
struct large {
    char bytes[300];
};

struct larges {
    STREAM(struct large);
    int left;
    struct large large;
};

ASYNC_STREAM(larges)
{
    ASYNC_BEGIN;
    while (self->left-- > 0) {
        memset(self->large.bytes, self->left, sizeof self->large.bytes);
        YIELD(self->large);
    }
    ASYNC_END;
}

struct beats {
    STREAM(struct edo_void);
    int left;
};

ASYNC_STREAM(beats)
{
    ASYNC_BEGIN;
    while (self->left-- > 0)
        YIELD((struct edo_void){});
    ASYNC_END;
}

Test(generator, items_of_any_size)
{
    struct bench bench;
    bench_begin(&bench);
    struct larges larges = NEW(larges, .left = 3);
    struct beats beats = NEW(beats, .left = 3);
    struct large large;
    struct edo_void nothing;
    for (int i = 3; i-- > 0;) {
        struct edo_next next = edo_next(edo_stream_ref(&larges), &large);
        RUN(next);
        cr_assert(next.output == 1 && large.bytes[0] == i && large.bytes[299] == i);
        next = edo_next(edo_stream_ref(&beats), &nothing);
        RUN(next);
        cr_assert_eq(next.output, 1);
    }
    edo_stream_drop_(&larges.stream_, &bench.cx);
    struct edo_next next = edo_next(edo_stream_ref(&beats), &nothing);
    RUN(next);
    cr_assert_eq(next.output, 0);
    bench_end(&bench);
}

struct sums_exported {
    FUTURE(int);
    struct exported_numbers numbers;
    int item, sum;
};

ASYNC(sums_exported)
{
    ASYNC_BEGIN;
    self->numbers = NEW(exported_numbers, .n = 5);
    FOR_AWAIT(self->item, edo_stream_ref(&self->numbers))
        self->sum += self->item;
    RETURN(self->sum);
    ASYNC_END;
}

Test(generator, an_exported_one_is_used_from_another_file)
{
    EACH_END(NEW(sums_exported), cr_assert_eq(future.output, 10));
}
