/* SPDX-License-Identifier: MIT */
/* Once cells between threads, and between runtimes. */
#include <pthread.h>

#include "once_cell_helpers.h"
#include "internal/park.h"
#include "support/runtimes.h"

/* Threads, and tasks of two runtimes: each wants each of many cells, and gives up, fails or makes the
 * value as it happens. One makes it, nobody meanwhile, and all see the same. */
enum { TIMES = 200, TASKS = 2, RUNTIMES = 2, THREADS = 6, PARTIES = RUNTIMES * TASKS + THREADS };
struct value {
    int by, serial;
};
typedef ONCE_CELL(struct value) value_cell;
static value_cell many[TIMES];
static _Atomic(int) makers[TIMES], made[TIMES];
static struct value seen[PARTIES][TIMES];

/* Takes a few turns, then fails or makes the value. */
struct makes {
    FUTURE(int);
    struct value value;
    int cell, by, turns;
    bool fails, makes;
};

ASYNC(makes)
{
    ASYNC_BEGIN;
    cr_assert_eq(edo_fetch_add(&makers[self->cell], 1, relaxed), 0);
    self->makes = true;
    while (self->turns-- > 0)
        YIELD_NOW();
    if (self->fails)
        RETURN(UV_EIO);
    self->value = (struct value){self->by, edo_fetch_add(&made[self->cell], 1, relaxed)};
    RETURN(0);
ASYNC_FINALLY:
    if (self->makes)
        edo_fetch_sub(&makers[self->cell], 1, relaxed);
    ASYNC_END;
}

static struct makes random_makes(int number, int i, unsigned *seed)
{
    return NEW(makes, .cell = i, .by = number, .turns = rand_r(seed) % 3,
               .fails = rand_r(seed) % 2);
}

/* Wants it, but for a few polls only. */
struct impatient {
    FUTURE(int);
    struct makes makes;
    struct edo_once_cell_get_or_try_init init;
    int polls;
};

static enum edo_poll impatient_poll(struct edo_future *future, struct edo_context *cx)
{
    struct impatient *self = (struct impatient *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(&self->init.future_, cx);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "impatient");
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        self->init = edo_once_cell_get_or_try_init(&many[self->makes.cell], &self->makes,
                                                   &self->makes.value);
    }
    if (edo_future_poll(&self->init.future_, cx) == EDO_READY)
        return EDO_READY;
    if (self->polls-- > 0) {
        edo_wake(cx->waker);
        return EDO_PENDING;
    }
    edo_future_drop(&self->init.future_, cx);
    return EDO_READY;
}

struct patient {
    FUTURE(int);
    int number, i;
    unsigned seed;
    struct impatient impatient;
    struct makes makes;
    struct edo_once_cell_get_or_try_init init;
};

ASYNC(patient)
{
    ASYNC_BEGIN;
    for (; self->i < TIMES; self->i++) {
        while (rand_r(&self->seed) % 2)
            AWAIT(self->impatient,
                  NEW(impatient, .makes = random_makes(self->number, self->i, &self->seed),
                      .polls = rand_r(&self->seed) % 3));
        do {
            self->makes = random_makes(self->number, self->i, &self->seed);
            AWAIT(self->init,
                  edo_once_cell_get_or_try_init(&many[self->i], &self->makes, &self->makes.value));
        } while (self->init.output < 0);
        seen[self->number][self->i] = *edo_once_cell_get(&many[self->i]);
    }
    RETURN(0);
    ASYNC_END;
}

struct patients {
    FUTURE(int);
    struct patient patients[TASKS];
};

ASYNC(patients)
{
    ASYNC_BEGIN;
    JOIN(&self->patients[0], &self->patients[1]);
    RETURN(0);
    ASYNC_END;
}

static struct patient new_patient(int number)
{
    return NEW(patient, .number = number, .seed = 500u + (unsigned)number);
}

static void *in_a_runtime(void *arg)
{
    int first = *(int *)arg;
    struct edo_runtime *runtime;
    struct patients patients =
        NEW(patients, .patients = {new_patient(first), new_patient(first + 1)});
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(test_block_on(runtime, &patients), 0);
    edo_runtime_drop(runtime);
    return NULL;
}

static void *on_its_own(void *arg)
{
    struct patient patient = new_patient(*(int *)arg);
    cr_assert_eq(edo_park_on(&patient.future_), 0);
    return NULL;
}

Test(once_cell, one_of_many_in_runtimes_and_threads_makes_it_and_all_see_the_same)
{
    struct bench bench;
    bench_begin(&bench);
    pthread_t threads[RUNTIMES + THREADS];
    int firsts[RUNTIMES + THREADS];
    cr_log_info("seeds from 500");
    for (int i = 0; i < TIMES; i++)
        edo_once_cell_init(&many[i]);
    for (int i = 0; i < RUNTIMES + THREADS; i++) {
        firsts[i] = i < RUNTIMES ? i * TASKS : RUNTIMES * (TASKS - 1) + i;
        void *(*run)(void *) = i < RUNTIMES ? in_a_runtime : on_its_own;
        cr_assert_eq(pthread_create(&threads[i], NULL, run, &firsts[i]), 0);
    }
    for (int i = 0; i < RUNTIMES + THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < TIMES; i++) {
        cr_assert_eq(edo_load(&makers[i], relaxed), 0);
        cr_assert_eq(edo_load(&made[i], relaxed), 1);
        cr_assert_eq(edo_once_cell_get(&many[i])->serial, 0);
        for (int party = 0; party < PARTIES; party++)
            cr_assert_eq(seen[party][i].by, edo_once_cell_get(&many[i])->by);
        edo_once_cell_destroy(&many[i]);
    }
    bench_end(&bench);
}
