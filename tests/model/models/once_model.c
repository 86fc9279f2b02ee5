/* SPDX-License-Identifier: MIT */
/* Barrier, once cell, set once: one leads, one makes it, all see it. */
#include "executor.h"
#include "internal/park.h"
#include "sync/barrier.h"
#include "sync/once_cell.h"
#include "sync/set_once.h"

static int data;

/* What each wrote before is seen by all after, in each of two rounds; one leads. */
static struct edo_barrier barrier;
static int written[2];
static _Atomic(int) leaders;

static void meets(void *thread)
{
    int i = (int)(intptr_t)thread;
    for (int round = 1; round <= 2; round++) {
        written[i] = round;
        struct edo_barrier_wait *future = ON_HEAP(edo_barrier_wait(&barrier));
        executor_run(executor_of_thread(i), &future->future_);
        edo_fetch_add(&leaders, future->output, relaxed);
        if (round == 2)
            model_assert(written[1 - i] == 2);
    }
}

MODEL(barrier_rounds)
{
    edo_barrier_init(&barrier, 2);
    model_thread(meets, (void *)1);
    meets(NULL);
    executors_end();
    model_assert(edo_load(&leaders, relaxed) == 2);
    edo_barrier_destroy(&barrier);
}

/* Polled before it is woken, too. */
static void polls(struct executor *executor, struct edo_future *future)
{
    if (executor_poll(executor, future) == EDO_PENDING &&
        executor_poll(executor, future) == EDO_PENDING)
        executor_run(executor, future);
}

static void meets_once(void *thread)
{
    int i = (int)(intptr_t)thread;
    written[i] = 1;
    struct edo_barrier_wait *future = ON_HEAP(edo_barrier_wait(&barrier));
    polls(executor_of_thread(i), &future->future_);
    model_assert(written[1 - i] == 1);
}

MODEL(barrier_polled)
{
    edo_barrier_init(&barrier, 2);
    model_thread(meets_once, (void *)1);
    meets_once(NULL);
    executors_end();
    edo_barrier_destroy(&barrier);
}

/* A cell that two want: the children say who made it. */
static EDO_ONCE_CELL(int) cell;
static _Atomic(int) made;

struct makes {
    EDO_FUTURE(int);
    int turns;
};

static enum edo_poll makes_poll(struct edo_future *future, struct edo_context *cx)
{
    struct makes *self = (struct makes *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "makes");
    if (self->turns-- > 0) {
        edo_wake(cx->waker);
        return EDO_PENDING;
    }
    data = 1;
    self->output = 1 + edo_fetch_add(&made, 1, relaxed);
    return EDO_READY;
}

static void wants(void *thread)
{
    int i = (int)(intptr_t)thread;
    struct makes *child = ON_HEAP(EDO_NEW(makes, .turns = 1));
    struct edo_once_cell_get_or_init *future = ON_HEAP(edo_once_cell_get_or_init(&cell, child));
    executor_run(executor_of_thread(i), &future->future_);
    model_assert(data == 1);
    model_assert(*edo_once_cell_get(&cell) == 1);
}

MODEL(once_cell)
{
    edo_once_cell_init(&cell);
    model_thread(wants, (void *)1);
    const int *seen = edo_once_cell_get(&cell);
    if (seen != NULL)
        model_assert(*seen == 1 && data == 1);
    wants(NULL);
    executors_end();
    model_assert(edo_load(&made, relaxed) == 1);
    edo_once_cell_destroy(&cell);
}

/* Who makes it gives up. */
static void gives_up(void *arg)
{
    (void)arg;
    struct makes *child = ON_HEAP(EDO_NEW(makes, .turns = 1));
    struct edo_once_cell_get_or_init *future = ON_HEAP(edo_once_cell_get_or_init(&cell, child));
    if (executor_poll(executor_of_thread(2), &future->future_) == EDO_PENDING)
        executor_cancel(executors[2], &future->future_);
}

MODEL(once_cell_cancelled)
{
    edo_once_cell_init(&cell);
    model_thread(gives_up, NULL);
    wants(NULL);
    executors_end();
    edo_once_cell_destroy(&cell);
}

/* Set while it is made, or wanted. */
static void sets(void *arg)
{
    (void)arg;
    int value = 1;
    data = 1;
    edo_once_cell_set(&cell, &value);
}

MODEL(once_cell_set)
{
    edo_once_cell_init(&cell);
    model_thread(sets, NULL);
    int other = 2;
    if (model_choose(2)) {
        const int *seen = edo_once_cell_get(&cell);
        if (seen != NULL)
            model_assert(*seen == 1 && data == 1);
    } else if (edo_once_cell_set(&cell, &other) != 0) {
        model_assert(data == 1);
    }
    executors_end();
    edo_once_cell_destroy(&cell);
}

/* Set once, waited for; the one who waited may look at once. */
static EDO_SET_ONCE(int) once;

static void sets_once(void *arg)
{
    (void)arg;
    int value = 7;
    data = 1;
    edo_set_once_set(&once, &value);
}

MODEL(set_once)
{
    edo_set_once_init(&once);
    model_thread(sets_once, NULL);
    const int *seen = edo_set_once_get(&once);
    if (seen != NULL)
        model_assert(*seen == 7 && data == 1);
    struct edo_set_once_wait *future = ON_HEAP(edo_set_once_wait(&once));
    executor_run(executor_of_thread(3), &future->future_);
    model_assert(*edo_set_once_get(&once) == 7 && data == 1);
    executors_end();
    edo_set_once_destroy(&once);
}

/* Two wait; the last of them frees it. */
struct short_lived {
    EDO_SET_ONCE(int) once;
    _Atomic(int) left;
};
static struct short_lived *short_lived;

static void waits_and_frees(void *thread)
{
    struct edo_set_once_wait *future = ON_HEAP(edo_set_once_wait(&short_lived->once));
    polls(executor_of_thread((int)(intptr_t)thread), &future->future_);
    model_assert(*edo_set_once_get(&short_lived->once) == 9);
    if (edo_fetch_sub(&short_lived->left, 1, acq_rel) == 1) {
        edo_set_once_destroy(&short_lived->once);
        edo_free(short_lived);
    }
}

MODEL(set_once_freed_by_the_last)
{
    int value = 9;
    short_lived = edo_malloc(sizeof *short_lived);
    edo_set_once_init(&short_lived->once);
    edo_init(&short_lived->left, 2);
    model_thread(waits_and_frees, (void *)0);
    model_thread(waits_and_frees, (void *)1);
    edo_set_once_set(&short_lived->once, &value);
    executors_end();
}

/* The first who finds it set says so to the next. */
static void waits_once(void *arg)
{
    (void)arg;
    struct edo_set_once_wait *future = ON_HEAP(edo_set_once_wait(&once));
    polls(executor_of_thread(2), &future->future_);
    model_assert(data == 1);
}

MODEL(set_once_polled)
{
    edo_set_once_init(&once);
    model_thread(sets_once, NULL);
    model_thread(waits_once, NULL);
    struct edo_set_once_wait *future = ON_HEAP(edo_set_once_wait(&once));
    polls(executor_of_thread(3), &future->future_);
    model_assert(data == 1);
    executors_end();
    edo_set_once_destroy(&once);
}

MODEL(set_once_twice)
{
    edo_set_once_init(&once);
    model_thread(sets_once, NULL);
    int value = 8;
    if (edo_set_once_set(&once, &value) != 0)
        model_assert(data == 1);
    executors_end();
    edo_set_once_destroy(&once);
}

static void gives_up_waiting(void *arg)
{
    (void)arg;
    struct edo_set_once_wait *future = ON_HEAP(edo_set_once_wait(&once));
    if (executor_poll(executor_of_thread(1), &future->future_) == EDO_PENDING)
        executor_cancel(executors[1], &future->future_);
}

MODEL(set_once_cancelled)
{
    edo_set_once_init(&once);
    model_thread(gives_up_waiting, NULL);
    sets_once(NULL);
    executors_end();
    edo_set_once_destroy(&once);
}
