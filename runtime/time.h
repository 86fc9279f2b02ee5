/* SPDX-License-Identifier: MIT */
/* Time: sleeps, timeouts, intervals, and a clock that tests can hold still.
 *
 *     AWAIT(self->sleep, edo_sleep(250));
 *
 *     self->read = edo_read(conn, buffer, size);
 *     AWAIT(self->timeout, edo_timeout(1000, &self->read));
 *     if (self->timeout.output == UV_ETIMEDOUT) …                  else self->read.output
 *
 * Durations are milliseconds. Instants are nanoseconds of the runtime's clock (edo_now), which has
 * nothing to do with the time of day; UINT64_MAX is never. Timers have a resolution of 1 ms, and
 * never fire early. All of it belongs to the runtime that polls it: on the thread that runs a current-thread one, on
 * any that has entered a multi-thread one. Polled elsewhere, the output is EDO_ENORUNTIME.
 */
#ifndef EDO_RUNTIME_TIME_H
#define EDO_RUNTIME_TIME_H

#include "../future.h"
#include "../error.h"
#include "wheel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The current instant: of the current runtime's clock when this thread runs it, otherwise of
 * CLOCK_MONOTONIC. Any thread. */
uint64_t edo_now(void);

/* instant + ms, or UINT64_MAX when that is too far. */
uint64_t edo_instant_add(uint64_t instant, uint64_t ms);

/* Part of a sleep that is armed. */
struct edo_timer {
    struct edo_timer_entry entry;
    struct edo_waker *waker;
    struct edo_driver *driver;
};

/* edo_sleep(ms), edo_sleep_until(instant): a future that is ready at its deadline. Its output is 0,
 * or EDO_ENORUNTIME, EDO_ESHUTDOWN. The time counts from the call. edo_sleep(0) is ready at once.
 * Cancel safe. */
struct edo_sleep {
    EDO_FUTURE(int);
    bool orphaned;
    bool shared; /* armed, on a multi-thread runtime */
    uint64_t deadline;
    struct edo_timer timer;
};
struct edo_sleep edo_sleep(uint64_t ms);
struct edo_sleep edo_sleep_until(uint64_t instant);

/* Moves a sleep's deadline, before its first poll, while it waits (borrowed in a SELECT, say), or
 * when it is done: it can then be polled again. By the task that has it. */
void edo_sleep_reset(struct edo_sleep *sleep, uint64_t instant);

/* Whether the deadline has passed. */
bool edo_sleep_is_elapsed(const struct edo_sleep *sleep);

/* edo_timeout(ms, &self->child), edo_timeout_at(instant, &self->child): polls a future of the same
 * frame until the deadline. Output 0: the child is done, its output in it. UV_ETIMEDOUT: the child
 * was dropped. The child goes first: when both are ready, it has made it. Cancel safety: the child's;
 * dropping it drops the child. */
struct edo_timeout {
    EDO_FUTURE(int);
    struct edo_future *child;
    struct edo_sleep sleep;
};
#define edo_timeout(ms, child)         edo_timeout_((ms), &(child)->future_)
#define edo_timeout_at(instant, child) edo_timeout_at_((instant), &(child)->future_)
struct edo_timeout edo_timeout_(uint64_t ms, struct edo_future *child);
struct edo_timeout edo_timeout_at_(uint64_t instant, struct edo_future *child);

/* What an interval does after ticks were missed, because nobody awaited them in time. */
enum edo_missed_tick {
    EDO_MISSED_BURST, /* ticks at once until it has caught up; the default */
    EDO_MISSED_DELAY, /* goes on a period after the late one */
    EDO_MISSED_SKIP,  /* goes on at the next multiple of the period */
};

/* edo_interval(ms), edo_interval_at(start, ms): ticks, the first at once or at `start`. Lives in a
 * frame; may be moved between ticks. `missed` may be set at any time. */
struct edo_interval {
    uint64_t period; /* ns */
    uint64_t next;   /* instant of the next tick */
    enum edo_missed_tick missed;
};
struct edo_interval edo_interval(uint64_t ms);
struct edo_interval edo_interval_at(uint64_t start, uint64_t ms);

/* edo_interval_tick(&interval): a future of the next tick; `at` is then the instant it was due.
 * Output 0; UV_EINVAL for a period of 0; or as a sleep. Cancel safe: no tick is lost. */
struct edo_interval_tick {
    EDO_FUTURE(int);
    uint64_t at;
    struct edo_interval *interval;
    struct edo_sleep sleep;
};
struct edo_interval_tick edo_interval_tick(struct edo_interval *interval);

/* The next tick comes a period from now; at once; after ms; at an instant. Not while a tick is
 * awaited. */
void edo_interval_reset(struct edo_interval *interval);
void edo_interval_reset_immediately(struct edo_interval *interval);
void edo_interval_reset_after(struct edo_interval *interval, uint64_t ms);
void edo_interval_reset_at(struct edo_interval *interval, uint64_t instant);

/* The clock of the current-thread runtime that this thread runs, for tests. While it is paused, time moves only by
 * edo_time_advance, and by itself when nothing can run and nothing is under way: then to the next
 * timer. A look-up or an awaited completion is under way until it ends. So a test of an hour takes no
 * time. Each returns 0; EDO_ENORUNTIME outside of a task; UV_EALREADY when paused already; UV_EINVAL when not
 * paused, embedded in a host's loop, or on a multi-thread runtime. */
int edo_time_pause(void);
int edo_time_resume(void);

/* edo_time_advance(ms): moves a paused clock; a future, ready when the tasks of all timers that it
 * passed have run, in the order of their deadlines. Output 0, EDO_ENORUNTIME, UV_EINVAL.
 * Not cancel safe: dropped after its first poll, it has moved the clock all the same. */
struct edo_time_advance {
    EDO_FUTURE(int);
    uint64_t ms;
};
struct edo_time_advance edo_time_advance(uint64_t ms);

#ifdef __cplusplus
}
#endif

#endif
