/* SPDX-License-Identifier: MIT */
/* What tests/soak/ runs for minutes, for a second each; and that its checkers notice what they must. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <signal.h>

#include "tests/stress/kinds.h"
#include "tests/stress/runtime_stress.h"

/* One seed, so that each run plays the same rounds, as far as threads let it. */
enum { SEED = 1 };

static void balances(const struct stress_kind *kind)
{
    struct stress stress = {
        .kind = kind, .seed = SEED, .messages = 200000, .seconds = 1, .stall = 40, .quota = 500};
    bool ok = stress_play(&stress);
    cr_assert(ok, "%s, seed %d, round %" PRIu64 ": %s", kind->name, SEED, stress.rounds,
              stress.complaint);
    cr_assert_gt(stress.sent, 0);
    cr_assert_gt(stress.cancelled, 0);
    enum stress_plant overlooked = stress_overlooks(kind, SEED);
    cr_assert_eq(overlooked, STRESS_NOTHING, "%s: fault %d was planted, and not noticed",
                 kind->name, overlooked);
}

Test(stress, oneshot_gives_each_message_to_its_receiver_or_back)
{
    balances(&stress_oneshot);
}

Test(stress, mpsc_loses_and_doubles_nothing_and_keeps_each_senders_order)
{
    balances(&stress_mpsc_bounded);
}

Test(stress, unbounded_mpsc_loses_and_doubles_nothing_and_keeps_each_senders_order)
{
    balances(&stress_mpsc_unbounded);
}

Test(stress, broadcast_gives_all_to_each_or_says_how_much_it_missed)
{
    balances(&stress_broadcast);
}

Test(stress, watch_never_goes_back_and_shows_the_last_to_all)
{
    balances(&stress_watch);
}

Test(stress, async_channel_gives_each_message_to_one_receiver)
{
    balances(&stress_async_bounded);
}

Test(stress, unbounded_async_channel_gives_each_message_to_one_receiver)
{
    balances(&stress_async_unbounded);
}

Test(stress, semaphore_has_never_more_permits_out_than_there_are)
{
    balances(&stress_semaphore);
}

Test(stress, mutex_has_one_owner_at_a_time)
{
    balances(&stress_mutex);
}

Test(stress, rwlock_has_readers_or_one_writer)
{
    balances(&stress_rwlock);
}

Test(stress, notify_neither_loses_nor_doubles_a_notification)
{
    balances(&stress_notify);
}

Test(stress, barrier_lets_nobody_pass_before_n_have_come)
{
    balances(&stress_barrier);
}

Test(stress, once_cell_is_made_once_by_one_at_a_time)
{
    balances(&stress_once_cell);
}

Test(stress, set_once_is_set_by_the_first_and_seen_by_all)
{
    balances(&stress_set_once);
}

Test(stress, join_set_gives_each_outcome_once)
{
    balances(&stress_join_set);
}

Test(stress, a_hang_is_noticed, .signal = SIGABRT)
{
    struct stress stress = {
        .kind = &stress_notify, .seed = SEED, .messages = 1, .stall = 1, .plant = STRESS_STALL};
    stress_play(&stress);
}

static void churns(bool ends)
{
    struct churn churn = {.seed = SEED, .stall = 40, .quota = ends ? 500 : 1000, .ends = ends};
    if (ends)
        churn.limit = 30;
    else
        churn.seconds = 1;
    bool ok = churn_play(&churn);
    cr_assert(ok, "seed %d, round %" PRIu64 ": %s", SEED, churn.rounds, churn.complaint);
    cr_assert_gt(churn.tasks, 0);
}

Test(stress, a_multi_thread_runtime_ends_each_task_once)
{
    churns(false);
}

Test(stress, a_multi_thread_runtime_may_end_at_any_moment)
{
    churns(true);
}

Test(stress, what_goes_wrong_in_a_runtime_is_noticed)
{
    static const enum stress_plant plants[] = {STRESS_LOSS, STRESS_DOUBLE, STRESS_LEAK};
    for (size_t i = 0; i < sizeof plants / sizeof plants[0]; i++) {
        struct churn churn = {
            .seed = SEED, .limit = 3, .stall = 40, .quota = 200, .plant = plants[i]};
        cr_assert_not(churn_play(&churn), "fault %d was planted, and not noticed", plants[i]);
    }
}
