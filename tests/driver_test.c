/* SPDX-License-Identifier: MIT */
/* A worker's driver: what is done on its loop in its stead. */
#include "poll_harness.h"

#include <semaphore.h>
#include <sys/mman.h>

#include "edo.h"
#include "runtime/registration_internal.h"

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        ;
}

/* Wants a plain file watched, which libuv refuses, while another thread has the loop: so it is the note that it leaves
 * which is told. */
struct watches_file {
    EDO_FUTURE(int);
    int fd;
    struct edo_registration *registration;
    struct edo_io_waiter waiter;
    struct edo_driver *driver;
    sem_t begun, entered, waits;
};

static enum edo_poll watches_file_poll(struct edo_future *future, struct edo_context *cx)
{
    struct watches_file *self = (struct watches_file *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "watches_file");
    bool first = self->registration == NULL;
    if (first) {
        self->registration = edo_malloc(sizeof *self->registration);
        cr_assert_eq(edo_registration_open(self->registration, self->fd, 0), 0);
        EDO_COUNT(FDS, 1); /* the registration's */
        self->driver = self->registration->driver;
        sem_post(&self->begun);
        wait_for(&self->entered);
    }
    self->output =
        edo_registration_wait(self->registration, &self->waiter, EDO_READABLE, cx->waker);
    if (first)
        sem_post(&self->waits);
    if (self->output == 0)
        return EDO_PENDING;
    edo_registration_forget(self->registration, &self->waiter);
    edo_registration_close(self->registration);
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
    struct watches_file file = EDO_NEW(watches_file, .fd = memfd_create("plain", MFD_CLOEXEC));
    cr_assert_geq(file.fd, 0);
    sem_init(&file.begun, 0, 0);
    sem_init(&file.entered, 0, 0);
    sem_init(&file.waits, 0, 0);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 1), 0);
    JOIN_HANDLE(int)
    task = SPAWN_ON(edo_runtime_handle(runtime), EDO_NEW(elsewhere, .inner = &file.future_));
    wait_for(&file.begun);
    cr_assert(edo_driver_enter(file.driver));
    sem_post(&file.entered);
    wait_for(&file.waits);
    edo_driver_leave(file.driver);
    struct edo_join join = edo_join(task, NULL);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    cr_assert_eq(join.output, 0);
    cr_assert_eq(file.output, UV_EPERM);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}
