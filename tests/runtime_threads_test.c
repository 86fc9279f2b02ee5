/* SPDX-License-Identifier: MIT */
/* What other threads do to a runtime: they spawn and wake, while it runs and while tasks end. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "workers_helpers.h"
#include "support/runtimes.h"

enum { THREADS = 8, SPAWNS = 2000 };

struct crowd {
    struct edo_handle *handle;
    atomic_int done;
    struct edo_waker *waker;
};

static void *spawn_many(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < SPAWNS; i++) {
        JOIN_HANDLE(int) handle = SPAWN_ON(crowd->handle, NEW(work, .yields = i % 3, .result = i));
        if (i % 4 == 0)
            edo_task_abort(handle);
        edo_task_detach(handle);
    }
    atomic_fetch_add(&crowd->done, 1);
    edo_wake(crowd->waker);
    return NULL;
}

struct hosts {
    FUTURE(int);
    struct crowd *crowd;
    pthread_t threads[THREADS];
    int expected;
};

static enum edo_poll hosts_poll(struct edo_future *future, struct edo_context *cx)
{
    struct hosts *self = (struct hosts *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "hosts");
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        self->crowd->waker = edo_waker_clone(cx->waker);
        for (int i = 0; i < THREADS; i++)
            cr_assert_eq(pthread_create(&self->threads[i], NULL, spawn_many, self->crowd), 0);
    }
    if (atomic_load(&self->crowd->done) == THREADS && finals == THREADS * SPAWNS)
        return EDO_READY;
    /* The last task to end does not wake us: look again behind the others. */
    if (atomic_load(&self->crowd->done) == THREADS)
        edo_wake(cx->waker);
    return EDO_PENDING;
}

Test(runtime, what_other_threads_spawn_runs_exactly_once)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct crowd crowd = {.handle = edo_runtime_handle(runtime)};
    finals = 0;
    struct hosts hosts = NEW(hosts, .crowd = &crowd);
    cr_assert_eq(test_block_on(runtime, &hosts), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(hosts.threads[i], NULL);
    edo_waker_drop(crowd.waker);
    cr_assert_eq(finals, THREADS * SPAWNS);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* A task whose waker several threads use, before, while and after it ends. */
struct woken {
    FUTURE(int);
    int polls, enough;
    struct edo_waker *_Atomic *out;
};

static enum edo_poll woken_poll(struct edo_future *future, struct edo_context *cx)
{
    struct woken *self = (struct woken *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "woken");
    if (self->polls++ == 0)
        *self->out = edo_waker_clone(cx->waker);
    return self->polls > self->enough ? EDO_READY : EDO_PENDING;
}

static void *wake_much(void *arg)
{
    struct edo_waker *waker = arg;
    for (int i = 0; i < 20000; i++) {
        edo_wake(waker);
        if (i % 16 == 0)
            edo_waker_drop(edo_waker_clone(waker));
    }
    edo_waker_drop(waker);
    return NULL;
}

struct waking {
    FUTURE(int);
    JOIN_HANDLE(int) task;
    struct edo_waker *_Atomic waker;
    pthread_t threads[THREADS];
    struct edo_join join;
};

ASYNC(waking)
{
    ASYNC_BEGIN;
    self->task = SPAWN(NEW(woken, .enough = 500, .out = &self->waker));
    YIELD_NOW();
    TEST_SETTLES(self->waker != NULL);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(
            pthread_create(&self->threads[i], NULL, wake_much, edo_waker_clone(self->waker)), 0);
    while (!edo_task_is_finished(self->task)) {
        edo_wake(self->waker);
        YIELD_NOW();
    }
    AWAIT(self->join, edo_join(self->task, NULL));
    RETURN(self->join.output);
    ASYNC_END;
}

Test(runtime, wakes_from_other_threads_race_with_completion_and_with_the_end)
{
    for (int round = 0; round < 3; round++) {
        struct baseline start = baseline();
        struct edo_runtime *runtime;
        cr_assert_eq(test_runtime_new(&runtime), 0);
        struct waking waking = NEW(waking);
        cr_assert_eq(test_block_on(runtime, &waking), 0);
        cr_assert_eq(waking.output, 0);
        edo_runtime_drop(runtime);
        for (int i = 0; i < THREADS; i++)
            pthread_join(waking.threads[i], NULL);
        edo_wake(waking.waker);
        edo_waker_drop(waking.waker);
        check_baseline(&start);
    }
}

/* Each wake is answered by a poll that sees what was written before it. */
struct mailbox {
    atomic_int value; /* relaxed on purpose: the wake has to order it */
    struct edo_waker *waker;
    sem_t ready;
};

struct reader {
    FUTURE(int);
    struct mailbox *box;
    int last;
};

static enum edo_poll reader_poll(struct edo_future *future, struct edo_context *cx)
{
    struct reader *self = (struct reader *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "reader");
    if (self->box->waker == NULL) {
        self->box->waker = edo_waker_clone(cx->waker);
        sem_post(&self->box->ready);
    }
    self->last = atomic_load_explicit(&self->box->value, memory_order_relaxed);
    return self->last == 50000 ? EDO_READY : EDO_PENDING;
}

static void *write_and_wake(void *arg)
{
    struct mailbox *box = arg;
    while (sem_wait(&box->ready) != 0)
        ;
    for (int i = 1; i <= 50000; i++) {
        atomic_store_explicit(&box->value, i, memory_order_relaxed);
        edo_wake(box->waker);
    }
    edo_waker_drop(box->waker);
    return NULL;
}

Test(runtime, no_wake_is_lost_between_a_poll_and_the_sleep_after_it)
{
    struct mailbox box = {.waker = NULL};
    sem_init(&box.ready, 0, 0);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, write_and_wake, &box), 0);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct reader reader = NEW(reader, .box = &box);
    cr_assert_eq(test_block_on(runtime, &reader), 0);
    pthread_join(thread, NULL);
    edo_runtime_drop(runtime);
    sem_destroy(&box.ready);
}
