/* SPDX-License-Identifier: MIT */
/* Futures that are polled by one task and then by another: nothing of the first is kept, and it is the
 * second that is woken. Rule 6 of poll.h, for all that polls several, or on behalf of another. */
#include "combinator_harness.h"

static const struct edo_waker_ops counter_foreign = {counter_wake, counter_clone, counter_drop,
                                                     NULL, NULL};

enum parent {
    JOINS,
    TRIES,
    RACES,
    SELECTS,
    BOXES,
    SHARES,
    MAPS,
    THENS,
    CATCHES,
    ABORTS,
    SCOPES,
    PARENTS
};

TASK_LOCAL(int, number);

struct waits {
    FUTURE(int);
    struct edo_notify *notify;
    struct edo_notified notified;
};

ASYNC(waits)
{
    ASYNC_BEGIN;
    AWAIT(self->notified, edo_notified(self->notify));
    ASYNC_END;
}

static void no_map(void *arg, int *output, int *out)
{
    (void)arg;
    *out = *output;
}

static void no_then(void *arg, int *output, struct edo_ready_now *next)
{
    (void)arg;
    *next = edo_ready_now(*output);
}

struct handed_on {
    FUTURE(int);
    struct edo_notify *notify;
    enum parent parent;
    struct waits a, b, c;
    int out;
    BOXED(int) box;
    SHARED(int) shared;
    struct edo_map map;
    struct edo_then then;
    struct edo_ready_now next;
    struct edo_catch_panic guard;
    struct edo_abortable_handle *handle;
    struct edo_abortable abortable;
    struct number_scope scope;
};

ASYNC(handed_on)
{
    ASYNC_BEGIN;
    PIN(self->a, NEW(waits, .notify = self->notify));
    PIN(self->b, NEW(waits, .notify = self->notify));
    if (self->parent == JOINS) {
        JOIN(&self->a, &self->b);
    } else if (self->parent == TRIES) {
        TRY_JOIN(&self->a, &self->b);
    } else if (self->parent == RACES) {
        RACE(self->out, &self->a, &self->b);
    } else if (self->parent == SELECTS) {
        SELECT {
            WHEN_REF(self->a) {
            }
            WHEN_REF(self->b) {
            }
            WHEN(self->c, NEW(waits, .notify = self->notify)) {
            }
        }
    } else if (self->parent == BOXES) {
        cr_assert_eq(edo_box(&self->box, NEW(waits, .notify = self->notify)), 0);
        AWAIT_REF(self->box);
    } else if (self->parent == SHARES) {
        cr_assert_eq(edo_shared(&self->shared, NEW(waits, .notify = self->notify)), 0);
        AWAIT_REF(self->shared);
    } else if (self->parent == MAPS) {
        AWAIT(self->map, edo_map(&self->a, &self->out, no_map, NULL));
    } else if (self->parent == THENS) {
        AWAIT(self->then, edo_then(&self->a, &self->next, no_then, NULL));
    } else if (self->parent == CATCHES) {
        AWAIT(self->guard, edo_catch_panic(&self->a, NULL));
    } else if (self->parent == ABORTS) {
        self->handle = edo_abortable_handle_new();
        AWAIT(self->abortable, edo_abortable(&self->a, self->handle));
    } else {
        AWAIT(self->scope, TASK_SCOPE(number, 1, &self->a));
    }
ASYNC_FINALLY:
    DROP(self->a);
    DROP(self->b);
    DROP_SHARED(self->shared);
    edo_abortable_handle_drop(self->handle);
    ASYNC_END;
}

Test(handed_on, the_first_task_is_forgotten_and_the_second_is_woken)
{
    for (int mix = 0; mix < 4 * PARENTS; mix++) {
        struct bench bench;
        bench_begin(&bench);
        struct counter first = {.waker.ops = mix & 1 ? &counter_foreign : &counter_stable};
        struct counter second = {.waker.ops = mix & 2 ? &counter_foreign : &counter_stable};
        struct edo_notify notify;
        edo_notify_init(&notify);
        struct handed_on future =
            NEW(handed_on, .notify = &notify, .parent = (enum parent)(mix / 4));
        bench.cx.waker = &first.waker;
        cr_assert_eq(POLL(future), EDO_PENDING);
        cr_assert_eq(POLL(future), EDO_PENDING);
        bench.cx.waker = &second.waker;
        cr_assert_eq(POLL(future), EDO_PENDING);
        cr_assert_eq(first.clones, first.drops, "parent %d keeps a waker", mix / 4);
        edo_notify_waiters(&notify);
        cr_assert_eq(first.wakes, 0, "parent %d wakes the first task", mix / 4);
        cr_assert_geq(second.wakes, 1);
        cr_assert_eq(POLL(future), EDO_READY);
        cr_assert_eq(second.clones, second.drops);
        edo_notify_destroy(&notify);
        bench_end(&bench);
    }
}
