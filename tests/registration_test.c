/* SPDX-License-Identifier: MIT */
/* Descriptors that are ready and that nobody reads. */
#include "poll_harness.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

#include "edo.h"
#include "internal/sys.h"
#include "runtime/registration_internal.h"

/* More than a turn tells. */
enum { READY = 1100, TURNS = READY / EDO_SELECTED_MAX + 2 };

struct unread {
    FUTURE(void);
    struct edo_registration *registrations[READY];
    struct edo_io_waiter waiters[READY];
    int i, turn;
};

static int woken(const struct unread *self)
{
    int count = 0;
    for (int i = 0; i < READY; i++)
        count += !edo_list_linked(&self->waiters[i].link);
    return count;
}

ASYNC(unread)
{
    ASYNC_BEGIN;
    for (int i = 0; i < READY; i++) {
        int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
        cr_assert_geq(fd, 0);
        EDO_COUNT(FDS, 1);
        self->registrations[i] = edo_malloc(sizeof *self->registrations[i]);
        cr_assert_eq(edo_registration_open(self->registrations[i], fd, 0), 0);
        cr_assert_eq(edo_registration_wait(self->registrations[i], &self->waiters[i], EDO_READABLE,
                                           cx->waker),
                     0);
    }
    for (; self->turn < TURNS; self->turn++) {
        YIELD_NOW(); /* a turn of the loop with each poll */
        int told = EDO_SELECTED_MAX * (self->turn + 1);
        cr_assert_eq(woken(self), told < READY ? told : READY);
    }
    for (int i = 0; i < READY; i++)
        cr_assert_eq(self->registrations[i]->told, 1);
    for (int i = 0; i < READY; i++) {
        edo_registration_forget(self->registrations[i], &self->waiters[i]);
        edo_registration_close(self->registrations[i]);
    }
    ASYNC_END;
}

/* A turn tells of so many, the next of those behind them; and none is told of again, as long as nobody reads it. */
Test(registration, what_nobody_reads_is_told_once)
{
    struct bench bench;
    bench_begin(&bench);
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < 2 * READY ? limit.rlim_max : 2 * READY;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .event_interval = 1), 0);
    static struct unread unread;
    unread = NEW(unread);
    edo_block_on(runtime, &unread);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}
