/* SPDX-License-Identifier: MIT */
/* streams/stream_fold.h. */
#include "stream_harness.h"

static struct parcel room;

/* Runs a future that was made over a stream of this script, ended before each of its polls and not at
 * all; `stop` is what is done with what it has left in the frame. The stream is dropped after it. */
#define EACH_END(script, make, stop)                                      \
    for (int polls_ = 0, over_ = 0; !over_; polls_++) {                   \
        struct bench bench;                                               \
        bench_begin(&bench);                                              \
        parcels stream = script_begin(&script_a, (script), NULL);         \
        __typeof__(make) future = (make);                                 \
        for (int i_ = 0; i_ < polls_ && !over_; i_++)                     \
            over_ = POLL(future) == EDO_READY;                            \
        DROP_IT(future);                                                  \
        stop;                                                             \
        edo_stream_drop_((struct edo_stream *)(void *)stream, &bench.cx); \
        account_settle(script);                                           \
        bench_end(&bench);                                                \
    }

/* A stream of a script, and what a future of it comes to. */
static parcels begin(const char *script)
{
    return script_begin(&script_a, script, NULL);
}

static void end(struct bench *bench, const char *script)
{
    edo_stream_drop_(&script_a.stream_, &bench->cx);
    account_settle(script);
    bench_end(bench);
}

/* ---- fold, try_for_each ---- */

static void add(int *sum, struct parcel *parcel)
{
    *sum += parcel->n;
    parcel_end(parcel, DELIVERED);
}

Test(stream_fold, fold_comes_to_a_value)
{
    struct bench bench;
    bench_begin(&bench);
    int sum = 0;
    struct edo_stream_fold fold = edo_stream_fold(begin("1.2.3"), &room, add, &sum);
    cr_assert_eq(RUN(fold), 3);
    cr_assert_eq(fold.output, 0);
    cr_assert_eq(sum, 6);
    end(&bench, "fold");
    EACH_END("1.2.3", edo_stream_fold(stream, &room, add, &sum), (void)0);
}

Test(stream_fold, fold_stops_at_an_error_and_another_goes_on)
{
    struct bench bench;
    bench_begin(&bench);
    int sum = 0;
    parcels stream = begin("1!2.3");
    struct edo_stream_fold fold = edo_stream_fold(stream, &room, add, &sum);
    RUN(fold);
    cr_assert_eq(fold.output, UV_EIO);
    cr_assert_eq(sum, 1);
    fold = edo_stream_fold(stream, &room, add, &sum);
    cr_assert_eq(POLL(fold), EDO_PENDING);
    DROP_IT(fold);
    cr_assert_eq(sum, 3);
    fold = edo_stream_fold(stream, &room, add, &sum);
    RUN(fold);
    cr_assert_eq(fold.output, 0);
    cr_assert_eq(sum, 6);
    end(&bench, "fold");
}

static int add_small(int *sum, struct parcel *parcel)
{
    parcel_end(parcel, DELIVERED);
    if (parcel->n > 5)
        return UV_E2BIG;
    *sum += parcel->n;
    return parcel->n;
}

Test(stream_fold, try_for_each_stops_when_the_function_fails)
{
    struct bench bench;
    bench_begin(&bench);
    int sum = 0;
    parcels stream = begin("1.293!4");
    struct edo_stream_fold each = edo_stream_try_for_each(stream, &room, add_small, &sum);
    RUN(each);
    cr_assert_eq(each.output, UV_E2BIG);
    cr_assert_eq(sum, 3);
    each = edo_stream_try_for_each(stream, &room, add_small, &sum);
    RUN(each);
    cr_assert_eq(each.output, UV_EIO);
    cr_assert_eq(sum, 6);
    each = edo_stream_try_for_each(stream, &room, add_small, &sum);
    RUN(each);
    cr_assert_eq(each.output, 0, "%d", each.output);
    cr_assert_eq(sum, 10);
    end(&bench, "try_for_each");
    EACH_END("1.2.9", edo_stream_try_for_each(stream, &room, add_small, &sum), (void)0);
}

/* ---- collect ---- */

static void take_all(struct parcel *array, size_t count)
{
    for (size_t i = 0; i < count; i++)
        parcel_end(&array[i], DELIVERED);
}

Test(stream_fold, collect_fills_an_array)
{
    struct bench bench;
    bench_begin(&bench);
    struct parcel array[3];
    struct edo_stream_collect collect = edo_stream_collect(begin("1.2.3"), array, 3, &room);
    RUN(collect);
    cr_assert_eq(collect.output, 3, "what fits exactly is no error");
    cr_assert_eq(collect.count, 3);
    cr_assert(array[0].n == 1 && array[1].n == 2 && array[2].n == 3);
    take_all(array, 3);
    end(&bench, "collect");

    bench_begin(&bench);
    collect = edo_stream_collect(begin(""), array, 0, &room);
    RUN(collect);
    cr_assert_eq(collect.output, 0);
    end(&bench, "none");
    EACH_END("1.2.3", edo_stream_collect(stream, array, 3, &room), take_all(array, future.count));
}

Test(stream_fold, collect_gives_the_one_that_did_not_fit)
{
    struct bench bench;
    bench_begin(&bench);
    struct parcel array[2];
    parcels stream = begin("12.345");
    struct edo_stream_collect collect = edo_stream_collect(stream, array, 2, &room);
    RUN(collect);
    cr_assert_eq(collect.output, UV_ENOBUFS);
    cr_assert_eq(collect.count, 2);
    take_all(array, 2);
    cr_assert_eq(room.n, 3);
    take_all(&room, 1);
    collect = edo_stream_collect(stream, array, 2, &room);
    RUN(collect);
    cr_assert_eq(collect.output, 2);
    cr_assert(array[0].n == 4 && array[1].n == 5);
    take_all(array, 2);
    end(&bench, "collect");
}

Test(stream_fold, collect_stops_at_an_error_with_what_it_has)
{
    struct bench bench;
    bench_begin(&bench);
    struct parcel array[2];
    struct edo_stream_collect collect = edo_stream_collect(begin("1!2"), array, 2, &room);
    RUN(collect);
    cr_assert_eq(collect.output, UV_EIO);
    cr_assert_eq(collect.count, 1);
    take_all(array, 1);
    end(&bench, "collect");
}

/* ---- all, any ---- */

static bool is_even(void *arg, const struct parcel *parcel)
{
    ++*(int *)arg;
    return parcel->n % 2 == 0;
}

static int ask(const char *script, bool all, int *asked)
{
    struct bench bench;
    bench_begin(&bench);
    parcels stream = begin(script);
    *asked = 0;
    struct edo_stream_all future = all ? edo_stream_all(stream, &room, is_even, asked)
                                       : edo_stream_any(stream, &room, is_even, asked);
    RUN(future);
    cr_assert_eq(dropped(), account.items, "each was looked at, and dropped");
    end(&bench, script);
    return future.output;
}

Test(stream_fold, all_is_settled_by_the_first_that_is_not)
{
    int asked;
    cr_assert_eq(ask("", true, &asked), 1);
    cr_assert_eq(ask("0.24", true, &asked), 1);
    cr_assert_eq(asked, 3);
    cr_assert_eq(ask("0.1246", true, &asked), 0);
    cr_assert_eq(asked, 2);
    cr_assert_eq(ask("02!4", true, &asked), UV_EIO);
    EACH_END("0.2.1", edo_stream_all(stream, &room, is_even, &asked), (void)0);
}

Test(stream_fold, any_is_settled_by_the_first_that_is)
{
    int asked;
    cr_assert_eq(ask("", false, &asked), 0);
    cr_assert_eq(ask("1.35", false, &asked), 0);
    cr_assert_eq(asked, 3);
    cr_assert_eq(ask("1.246", false, &asked), 1);
    cr_assert_eq(asked, 2);
    cr_assert_eq(ask("13X", false, &asked), UV_EIO);
    EACH_END("1.3.2", edo_stream_any(stream, &room, is_even, &asked), (void)0);
}

/* ---- count, last ---- */

Test(stream_fold, count_counts)
{
    struct bench bench;
    bench_begin(&bench);
    parcels stream = begin("12.3!4");
    struct edo_stream_count count = edo_stream_count(stream, &room);
    RUN(count);
    cr_assert_eq(count.output, UV_EIO);
    cr_assert_eq(count.count, 3);
    count = edo_stream_count(stream, &room);
    RUN(count);
    cr_assert_eq(count.output, 1);
    cr_assert_eq(dropped(), 4);
    end(&bench, "count");
    EACH_END("1.2.3", edo_stream_count(stream, &room), (void)0);
}

Test(stream_fold, last_is_what_came_before_the_end)
{
    struct bench bench;
    struct parcel last = {0};
    bench_begin(&bench);
    struct edo_stream_last future = edo_stream_last(begin("12.3"), &room, &last);
    RUN(future);
    cr_assert_eq(future.output, 1);
    cr_assert_eq(last.n, 3);
    cr_assert_eq(dropped(), 2);
    parcel_end(&last, DELIVERED);
    end(&bench, "last");

    bench_begin(&bench);
    future = edo_stream_last(begin(""), &room, &last);
    RUN(future);
    cr_assert_eq(future.output, 0);
    end(&bench, "none");

    bench_begin(&bench);
    future = edo_stream_last(begin("12!3"), &room, &last);
    RUN(future);
    cr_assert_eq(future.output, UV_EIO);
    cr_assert_eq(dropped(), 2);
    end(&bench, "error");
    EACH_END("1.2.3", edo_stream_last(stream, &room, &last),
             if (over_) parcel_end(&last, DELIVERED));
}

/* A filter above puts what it leaves out where the next item is wanted. */
Test(stream_fold, last_is_not_what_a_filter_left_out)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_stream_filter even;
    struct parcel last = {0};
    int asked;
    parcels stream = edo_stream_filter(&even, begin("12.43"), is_even, &asked);
    struct edo_stream_last future = edo_stream_last(stream, &room, &last);
    RUN(future);
    cr_assert_eq(future.output, 1);
    cr_assert_eq(last.n, 4);
    parcel_end(&last, DELIVERED);
    end(&bench, "last");
}

Test(stream_fold, a_suspended_one_names_itself_and_the_stream)
{
    struct parcel array[1], last;
    int asked = 0, sum = 0;
#define NAMES_ITSELF(name, make)                                              \
    do {                                                                      \
        struct bench bench;                                                   \
        bench_begin(&bench);                                                  \
        parcels stream = begin(".");                                          \
        __typeof__(make) future = (make);                                     \
        cr_assert_eq(POLL(future), EDO_PENDING);                              \
        edo_future_trace(&future.future_, &bench.cx);                         \
        cr_assert_str_eq(bench.trace, name "\n script\n", "%s", bench.trace); \
        DROP_IT(future);                                                      \
        end(&bench, name);                                                    \
    } while (0)
    NAMES_ITSELF("edo_stream_fold", edo_stream_fold(stream, &room, add, &sum));
    NAMES_ITSELF("edo_stream_try_for_each",
                 edo_stream_try_for_each(stream, &room, add_small, &sum));
    NAMES_ITSELF("edo_stream_collect", edo_stream_collect(stream, array, 1, &room));
    NAMES_ITSELF("edo_stream_all", edo_stream_all(stream, &room, is_even, &asked));
    NAMES_ITSELF("edo_stream_any", edo_stream_any(stream, &room, is_even, &asked));
    NAMES_ITSELF("edo_stream_count", edo_stream_count(stream, &room));
    NAMES_ITSELF("edo_stream_last", edo_stream_last(stream, &room, &last));
}

/* ---- The budget ---- */

static void count_one(int *count, struct parcel *parcel)
{
    (void)parcel;
    ++*count;
}

static int try_count_one(int *count, struct parcel *parcel)
{
    count_one(count, parcel);
    return 0;
}

static bool more_even(void *arg, const struct parcel *parcel)
{
    (void)arg;
    return parcel->n % 2 == 0;
}

static bool odd(void *arg, const struct parcel *parcel)
{
    (void)arg;
    return parcel->n % 2 != 0;
}

Test(stream_fold, each_gives_way_when_the_budget_is_spent)
{
    static struct parcel array[1000], last;
    int count = 0;
#define GIVES_WAY(make)                                           \
    do {                                                          \
        struct bench bench;                                       \
        bench_begin(&bench);                                      \
        struct endless endless = NEW(endless);                    \
        parcels stream = edo_stream_ref(&endless);                \
        __typeof__(make) future = (make);                         \
        for (int i = 1; i <= 3; i++) {                            \
            bench.cx.budget = EDO_BUDGET;                         \
            cr_assert_eq(POLL(future), EDO_PENDING, "%s", #make); \
            cr_assert_eq(bench.counter.wakes, i, "%s", #make);    \
        }                                                         \
        DROP_IT(future);                                          \
        edo_stream_drop_(&endless.stream_, &bench.cx);            \
        bench_end(&bench);                                        \
    } while (0)
    GIVES_WAY(edo_stream_fold(stream, &room, count_one, &count));
    cr_assert_eq(count, 3 * (int)EDO_BUDGET);
    GIVES_WAY(edo_stream_try_for_each(stream, &room, try_count_one, &count));
    GIVES_WAY(edo_stream_collect(stream, array, 1000, &room));
    GIVES_WAY(edo_stream_all(stream, &room, more_even, NULL));
    GIVES_WAY(edo_stream_any(stream, &room, odd, NULL));
    GIVES_WAY(edo_stream_count(stream, &room));
    GIVES_WAY(edo_stream_last(stream, &room, &last));
}
