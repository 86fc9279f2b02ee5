/* SPDX-License-Identifier: MIT */
/* Sets of futures whose outputs come in the order in which they were pushed. */
#include "futures_unordered_helpers.h"

Test(futures_ordered, outputs_come_in_the_order_of_pushing)
{
    struct bench bench;
    bench_begin(&bench);
    FUTURES_ORDERED(struct latch) set = {.type_ = {}};
    STREAM_REF(int) stream = edo_futures_ordered(&set);
    int n;
    for (int i = 0; i < 4; i++)
        cr_assert_eq(edo_futures_ordered_push(&set, latch(i)), 0);
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    struct edo_waker *late = edo_waker_clone(kept[2]);
    tell(2);
    tell(1);
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    edo_wake(late); /* done, and woken while it waits for its turn */
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    edo_wake(late);
    tell(0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(poll_stream(&bench, stream, &n), 1);
        cr_assert_eq(n, i);
    }
    cr_assert_eq(polls[2], 2);
    edo_wake(late);
    edo_waker_drop(late);
    cr_assert_eq(edo_futures_ordered_len(&set), 1);
    drop_stream(&bench, stream);
    cr_assert(drops[3] == 1 && drops[2] == 0);
    bench_end(&bench);
}

static int hooked[4], hooks;

static void hook(void *output)
{
    hooked[hooks++] = *(int *)output;
}

Test(futures_ordered, dropped_it_gives_the_outputs_that_wait_for_their_turn_to_its_hook)
{
    struct bench bench;
    bench_begin(&bench);
    FUTURES_ORDERED(struct latch) set = {.type_ = {}};
    STREAM_REF(int) stream = edo_futures_ordered(&set);
    set.set.stream_.drop = hook;
    int n;
    for (int i = 0; i < 4; i++)
        cr_assert_eq(edo_futures_ordered_push(&set, latch(i)), 0);
    tell(0);
    tell(2);
    cr_assert_eq(poll_stream(&bench, stream, &n), 1);
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    drop_stream(&bench, stream);
    cr_assert(hooks == 1 && hooked[0] == 2);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(drops[i], i % 2);
    bench_end(&bench);
}

/* What outputs own: each is taken, or goes to the hook. */
static int owned;

static void drop_output(void *item)
{
    owned -= *(int *)item;
}

Test(futures_ordered, outputs_that_wait_for_their_turn_go_to_the_drop_hook)
{
    for (int taken = 0; taken < 3; taken++) {
        struct bench bench;
        bench_begin(&bench);
        FUTURES_ORDERED(struct latch) set = {.type_ = {}};
        set.set.stream_.drop = drop_output;
        STREAM_REF(int) stream = edo_futures_ordered(&set);
        int n;
        for (int i = 0; i < 4; i++)
            cr_assert_eq(edo_futures_ordered_push(&set, latch(i)), 0);
        tell(2);
        tell(3);
        owned = 2 + 3;
        cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
        tell(0);
        tell(1);
        for (int i = 0; i < taken + 2 && taken > 0; i++)
            cr_assert_eq(poll_stream(&bench, stream, &n), 1);
        owned -= taken == 1 ? 2 : taken == 2 ? 2 + 3 : 0;
        drop_stream(&bench, stream);
        cr_assert_eq(owned, 0);
        cr_assert_eq(set.set.stream_.drop, drop_output, "also when it is used anew");
        bench_end(&bench);
    }
}
