/* SPDX-License-Identifier: MIT */
/* Wakers that are somebody else's, and do their worst: whatever they are asked to do, they call back
 * into the primitive that asks. If it held its lock, that would hang.
 *
 *     static void looks(void)                       takes the lock, whatever else it does
 *     {
 *         edo_semaphore_close(&semaphore);
 *     }
 *
 *     hostile_begin(&bench, &hostile_foreign, looks);   in place of bench_begin
 *     hostile.in_wake.act = gives_up;               done once, by the first wake
 *     hostile.in_drop = HOSTILE_AFTER(2, sends);    by the third drop
 *     …
 *     hostile_end(&bench);                          each of them was done
 */
#ifndef EDO_TESTS_HOSTILE_WAKER_H
#define EDO_TESTS_HOSTILE_WAKER_H

#include "poll_harness.h"

/* What one operation does at some time. */
struct hostile_act {
    void (*act)(void); /* NULL: nothing, or done */
    int after;         /* so many times it was not done yet */
};
#define HOSTILE_AFTER(n, what) ((struct hostile_act){(what), (n)})

__attribute__((unused)) static struct {
    struct bench *bench;
    void (*always)(void); /* each of the three; NULL: nothing */
    /* After it was counted, before it is returned, after it was counted, before the primitive has it. */
    struct hostile_act in_wake, in_clone, in_drop, in_claim;
} hostile;

HARNESS void hostile_now(struct hostile_act *at)
{
    void (*act)(void) = at->act;
    if (act == NULL || at->after-- > 0)
        return;
    at->act = NULL;
    act();
}

HARNESS void hostile_always(void)
{
    if (hostile.always != NULL)
        hostile.always();
}

HARNESS void hostile_wake(struct edo_waker *waker)
{
    counter_wake(waker);
    hostile_always();
    hostile_now(&hostile.in_wake);
}

HARNESS struct edo_waker *hostile_clone(struct edo_waker *waker)
{
    hostile_always();
    hostile_now(&hostile.in_clone);
    return counter_clone(waker);
}

HARNESS void hostile_drop(struct edo_waker *waker)
{
    counter_drop(waker);
    hostile_always();
    hostile_now(&hostile.in_drop);
}

/* For what claims without a lock only: with one, a claim calls nobody. */
HARNESS struct edo_waker *hostile_claim(struct edo_waker *waker)
{
    hostile_now(&hostile.in_claim);
    return waker;
}

/* As an executor of somebody else has them; and as our tasks are. */
__attribute__((unused)) static const struct edo_waker_ops hostile_foreign = {
    hostile_wake, hostile_clone, hostile_drop, NULL, NULL};
__attribute__((unused)) static const struct edo_waker_ops hostile_stable = {
    hostile_wake, hostile_clone, hostile_drop, hostile_claim, hostile_wake};

HARNESS void hostile_begin(struct bench *bench, const struct edo_waker_ops *ops,
                           void (*always)(void))
{
    bench_begin(bench);
    bench->counter.waker.ops = ops;
    memset(&hostile, 0, sizeof hostile);
    hostile.bench = bench;
    hostile.always = always;
}

HARNESS void hostile_end(struct bench *bench)
{
    cr_assert_null(hostile.in_wake.act);
    cr_assert_null(hostile.in_clone.act);
    cr_assert_null(hostile.in_drop.act);
    cr_assert_null(hostile.in_claim.act);
    hostile.always = NULL;
    bench_end(bench);
}

#endif
