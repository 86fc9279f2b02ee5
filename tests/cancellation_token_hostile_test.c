/* SPDX-License-Identifier: MIT */
/* Cancellation tokens whose wakers call back, and do what another thread may do at that moment. */
#include "hostile_waker.h"

#include "edo.h"

typedef struct edo_cancellation_token token;

/* Wakers that call back. */
enum { HORDE = 80, BRANCHES = 8 };
static struct {
    token *top, *child;
    struct edo_cancelled cancelled;
    struct edo_cancelled horde[HORDE];
    token *branches[BRANCHES], *twigs[BRANCHES], *late;
} rigged;

/* Takes the lock of the tree, as long as there is one. */
static void grows_and_shrinks(void)
{
    if (rigged.child != NULL)
        edo_cancellation_token_drop(edo_cancellation_token_child(rigged.child));
}

static void rigged_begin(struct bench *bench)
{
    hostile_begin(bench, &hostile_foreign, grows_and_shrinks);
    memset(&rigged, 0, sizeof rigged);
    rigged.top = edo_cancellation_token_new();
    rigged.child = edo_cancellation_token_child(rigged.top);
    rigged.cancelled = edo_cancelled(rigged.child);
}

static void drops_both(void)
{
    token *top = rigged.top, *child = rigged.child;
    rigged.top = rigged.child = NULL;
    edo_cancellation_token_drop(child);
    edo_cancellation_token_drop(top);
}

static void cancels_top(void)
{
    edo_cancellation_token_cancel(rigged.top);
}

static void ends_and_all_go(void)
{
    cr_assert_eq(POLL_BY(rigged.cancelled, &hostile.bench->cx), EDO_READY);
    drops_both();
}

Test(cancellation_token, no_lock_is_held_while_a_waker_runs_and_each_clone_is_dropped)
{
    struct bench bench;
    rigged_begin(&bench);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    struct edo_cancelled given_up = edo_cancelled(rigged.child);
    cr_assert_eq(POLL(given_up), EDO_PENDING);
    cr_assert_eq(POLL(rigged.cancelled), EDO_PENDING);
    cr_assert_eq(POLL_BY(rigged.cancelled, &second), EDO_PENDING);
    DROP_IT(given_up);
    cancels_top();
    cr_assert(other.wakes == 1 && bench.counter.wakes == 0);
    cr_assert_eq(POLL_BY(rigged.cancelled, &second), EDO_READY);
    cr_assert_eq(other.clones, other.drops);
    drops_both();
    hostile_end(&bench);
}

Test(cancellation_token, a_clone_that_cancels_is_not_missed)
{
    struct bench bench;
    rigged_begin(&bench);
    hostile.in_clone.act = cancels_top;
    cr_assert_eq(POLL(rigged.cancelled), EDO_READY);
    drops_both();
    hostile_end(&bench);
}

Test(cancellation_token, a_waker_whose_drop_cancels_is_replaced_by_one_that_is_woken)
{
    struct bench bench;
    rigged_begin(&bench);
    struct counter other = {.waker = {&hostile_foreign}};
    struct edo_context second;
    edo_context_init(&second, &other.waker);
    cr_assert_eq(POLL(rigged.cancelled), EDO_PENDING);
    hostile.in_drop.act = cancels_top;
    cr_assert_eq(POLL_BY(rigged.cancelled, &second), EDO_PENDING);
    cr_assert(other.wakes == 1 && bench.counter.wakes == 0);
    cr_assert_eq(POLL_BY(rigged.cancelled, &second), EDO_READY);
    cr_assert_eq(other.clones, other.drops);
    drops_both();
    hostile_end(&bench);
}

Test(cancellation_token, a_wake_that_drops_all_other_handles)
{
    struct bench bench;
    rigged_begin(&bench);
    struct edo_cancellation_guard guard = {edo_cancellation_token_clone(rigged.top)};
    cr_assert_eq(POLL(rigged.cancelled), EDO_PENDING);
    hostile.in_wake.act = ends_and_all_go;
    edo_cancellation_guard_drop(&guard);
    hostile_end(&bench);
}

/* While the first are woken: one of the others is dropped; branches that have twigs are dropped, and
 * cancelled; another token is made. */
static void fells(void)
{
    edo_future_drop(&rigged.horde[HORDE - 1].future_, &hostile.bench->cx);
    for (int i = 0; i < BRANCHES; i += 2) {
        edo_cancellation_token_drop(rigged.branches[i]);
        rigged.branches[i] = NULL;
    }
    edo_cancellation_token_cancel(rigged.branches[1]);
    edo_cancellation_token_cancel(rigged.top);
    rigged.late = edo_cancellation_token_child(rigged.top);
    cr_assert(edo_cancellation_token_is_cancelled(rigged.late));
}

Test(cancellation_token, tokens_come_and_go_while_the_others_are_woken)
{
    struct bench bench;
    rigged_begin(&bench);
    for (int i = 0; i < BRANCHES; i++) {
        rigged.branches[i] = edo_cancellation_token_child(rigged.top);
        rigged.twigs[i] = edo_cancellation_token_child(rigged.branches[i]);
    }
    for (int i = 0; i < HORDE; i++) {
        rigged.horde[i] = edo_cancelled(i < HORDE / 2 ? rigged.top : rigged.twigs[i % BRANCHES]);
        cr_assert_eq(POLL(rigged.horde[i]), EDO_PENDING);
    }
    hostile.in_wake.act = fells;
    cancels_top();
    cr_assert(bench.counter.wakes == HORDE || bench.counter.wakes == HORDE - 1,
              "the one that was dropped may have been among the first");
    for (int i = 0; i < HORDE - 1; i++)
        cr_assert_eq(POLL(rigged.horde[i]), EDO_READY);
    for (int i = 0; i < BRANCHES; i++) {
        cr_assert(edo_cancellation_token_is_cancelled(rigged.twigs[i]));
        cr_assert_eq(rigged.branches[i] == NULL, i % 2 == 0);
        edo_cancellation_token_drop(rigged.branches[i]);
        edo_cancellation_token_drop(rigged.twigs[i]);
    }
    edo_cancellation_token_drop(rigged.late);
    drops_both();
    hostile_end(&bench);
}
