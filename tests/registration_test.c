/* SPDX-License-Identifier: MIT */
/* Descriptors that are ready and that nobody reads. */
#include "poll_harness.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>

#include "edo.h"
#include "internal/sys.h"
#include "runtime/registration_internal.h"

/* More than libuv gets from epoll at once, which makes it ask again, up to 48 times a turn. */
enum { READY = 1100, TURNS = 2 };

static uint64_t thread_cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

struct unread {
    FUTURE(void);
    struct edo_registration *registrations[READY];
    struct edo_io_waiter waiters[READY];
    uint64_t began, took[TURNS];
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
        self->began = thread_cpu_ns();
        YIELD_NOW(); /* a turn of the loop with each poll */
        self->took[self->turn] = thread_cpu_ns() - self->began;
        cr_assert_eq(woken(self), READY);
    }
    for (int i = 0; i < READY; i++) {
        edo_registration_forget(self->registrations[i], &self->waiters[i]);
        edo_registration_close(self->registrations[i]);
    }
    ASYNC_END;
}

/* In a turn that is full, those that were told of already are not asked again: the next turn costs only what it
 * tells. It is by the thread's own time that they are compared, a hundredth of which is expected. */
Test(registration, what_nobody_reads_is_not_told_forty_times_a_turn)
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
    cr_log_info("turns of %lu and %lu ns", unread.took[0], unread.took[1]);
    cr_assert_lt(unread.took[1], unread.took[0] / 2);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}
