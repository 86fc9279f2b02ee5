/* SPDX-License-Identifier: MIT */
/* A worker's driver: what is done on its loop in its stead. */
#include "poll_harness.h"

#include <semaphore.h>

#include "edo.h"
#include "runtime/driver.h"

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        ;
}

/* Has something done on the loop, and is woken by it, while another thread has the loop: so it is a note that
 * it leaves. */
struct leaves_note {
    EDO_FUTURE(int);
    struct edo_note note;
    struct edo_waker *waker;
    struct edo_driver *driver;
    bool left, ran;
    sem_t begun, entered, waits;
};

static void run_note(struct edo_note *note)
{
    struct leaves_note *self = edo_container_of(note, struct leaves_note, note);
    self->ran = true;
    edo_wake(self->waker);
}

static enum edo_poll leaves_note_poll(struct edo_future *future, struct edo_context *cx)
{
    struct leaves_note *self = (struct leaves_note *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "leaves_note");
    if (!self->left) {
        self->left = true;
        self->waker = edo_waker_clone(cx->waker);
        self->note.run = run_note;
        self->driver = edo_driver_here()->io;
        sem_post(&self->begun);
        wait_for(&self->entered);
        cr_assert(edo_driver_submit(self->driver, &self->note));
        sem_post(&self->waits);
    }
    if (!self->ran)
        return EDO_PENDING;
    edo_waker_drop(self->waker);
    return EDO_READY;
}

/* The task polls the future that stands in the test. */
struct elsewhere {
    EDO_FUTURE(int);
    struct edo_future *inner;
};

static enum edo_poll elsewhere_poll(struct edo_future *future, struct edo_context *cx)
{
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "elsewhere");
    return edo_future_poll(((struct elsewhere *)future)->inner, cx);
}

/* The worker runs the note as it goes to sleep; what that wakes is its own to run. */
Test(driver, a_note_run_on_the_way_to_sleep_ends_it, .timeout = 60)
{
    struct bench bench;
    bench_begin(&bench);
    struct leaves_note leaves = EDO_NEW(leaves_note);
    sem_init(&leaves.begun, 0, 0);
    sem_init(&leaves.entered, 0, 0);
    sem_init(&leaves.waits, 0, 0);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 1), 0);
    JOIN_HANDLE(int)
    task = SPAWN_ON(edo_runtime_handle(runtime), EDO_NEW(elsewhere, .inner = &leaves.future_));
    wait_for(&leaves.begun);
    cr_assert(edo_driver_enter(leaves.driver));
    sem_post(&leaves.entered);
    wait_for(&leaves.waits);
    edo_driver_leave(leaves.driver);
    struct edo_join join = edo_join(task, NULL);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    cr_assert_eq(join.output, 0);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}
