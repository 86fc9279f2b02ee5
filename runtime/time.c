/* SPDX-License-Identifier: MIT */
#include "time.h"

#include "../internal/waiter.h"
#include "driver.h"
#include "runtime_internal.h"
#include "time_internal.h"

enum { NS_PER_MS = 1000000 };

/* Tokio's: a tick is late when it is so much late. */
static const uint64_t MISSED_AFTER = 5 * NS_PER_MS;

uint64_t edo_now(void)
{
    struct edo_driver *driver = edo_driver_here();
    return driver != NULL ? edo_driver_now(driver) : edo_clock_ns();
}

static uint64_t saturating_add(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t saturating_ns(uint64_t ms)
{
    uint64_t ns;
    return __builtin_mul_overflow(ms, (uint64_t)NS_PER_MS, &ns) ? UINT64_MAX : ns;
}

uint64_t edo_instant_add(uint64_t instant, uint64_t ms)
{
    return saturating_add(instant, saturating_ns(ms));
}

/* A deadline in ticks, rounded up: never early. */
static uint64_t tick_of(uint64_t instant)
{
    return instant / NS_PER_MS + (instant % NS_PER_MS != 0);
}

/* A sleep's state: fresh; armed, which includes fired and orphaned; done. */
enum { ARMED = 1 };

void edo_timer_fire(struct edo_timer_entry *entry)
{
    edo_waker_fire(&edo_container_of(entry, struct edo_timer, entry)->waker);
}

void edo_timer_orphan_all(struct edo_wheel *wheel)
{
    struct edo_timer_entry *entry;
    while ((entry = edo_wheel_poll(wheel, UINT64_MAX)) != NULL) {
        edo_container_of(entry, struct edo_sleep, timer.entry)->orphaned = true;
        edo_timer_fire(entry);
    }
}

struct edo_waker *edo_timer_take(struct edo_timer_entry *entry, bool orphan)
{
    struct edo_sleep *sleep = edo_container_of(entry, struct edo_sleep, timer.entry);
    struct edo_waker *waker = sleep->timer.waker;
    sleep->timer.waker = NULL;
    sleep->orphaned = orphan;
    return waker;
}

/* On a multi-thread runtime the wheel is some worker's, whose lock guards the entry and what goes with it; the sleep
 * holds a reference to the handle, with which the driver lives. Elsewhere the driver may be gone when the
 * entry is not linked. */
static bool lock(struct edo_sleep *self)
{
    if (self->shared)
        edo_driver_lock_wheel(self->timer.driver);
    return edo_timer_linked(&self->timer.entry);
}

static void unlock(struct edo_sleep *self)
{
    if (self->shared)
        edo_driver_unlock_wheel(self->timer.driver, UINT64_MAX);
}

/* Armed no more. */
static void let_go(struct edo_sleep *self)
{
    if (self->shared)
        edo_handle_take_back(self->timer.driver->handle,
                             edo_handle_own(self->timer.driver->handle));
    self->shared = false;
}

static void disarm(struct edo_sleep *self)
{
    struct edo_waker *waker = NULL;
    if (lock(self)) {
        edo_wheel_remove(&self->timer.driver->wheel, &self->timer.entry);
        waker = self->timer.waker;
        self->timer.waker = NULL;
    }
    unlock(self);
    edo_waker_forget(waker);
    let_go(self);
}

static enum edo_poll finish(struct edo_sleep *self, struct edo_context *cx, int output)
{
    edo_budget_spend(cx);
    self->output = output;
    return EDO_READY;
}

/* It was armed: waits on, with this waker, or has fired. */
static bool waits_on(struct edo_sleep *self, struct edo_waker *waker)
{
    struct edo_waker *spare = NULL;
    if (self->shared)
        spare = edo_waker_keep(waker);
    bool waits = lock(self);
    if (waits && self->shared) {
        struct edo_waker *old = self->timer.waker;
        self->timer.waker = spare;
        spare = old;
    } else if (waits) {
        edo_waker_rekeep(&self->timer.waker, waker);
    }
    unlock(self);
    edo_waker_forget(spare);
    return waits;
}

static enum edo_poll poll_armed(struct edo_sleep *self, struct edo_context *cx)
{
    if (waits_on(self, cx->waker))
        return EDO_PENDING;
    let_go(self);
    return finish(self, cx, self->orphaned ? EDO_ESHUTDOWN : 0);
}

static enum edo_poll arm(struct edo_sleep *self, struct edo_driver *driver, struct edo_context *cx)
{
    uint64_t tick = tick_of(self->deadline);
    struct edo_waker *waker = edo_waker_keep(cx->waker);
    bool open = edo_driver_lock_wheel(driver);
    if (open) {
        self->timer.driver = driver;
        self->timer.waker = waker;
        edo_wheel_insert(&driver->wheel, &self->timer.entry, tick);
    }
    edo_driver_unlock_wheel(driver, open ? tick : UINT64_MAX);
    if (!open) {
        edo_waker_forget(waker);
        return finish(self, cx, EDO_ESHUTDOWN);
    }
    if (driver->shared)
        edo_handle_give(driver->handle, edo_handle_own(driver->handle));
    self->shared = driver->shared;
    self->future_.state = ARMED;
    return EDO_PENDING;
}

static enum edo_poll edo_sleep_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_sleep *self = (struct edo_sleep *)future;
    if (cx->walk == EDO_WALK_DROP && future->state == ARMED)
        disarm(self);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_sleep");
    if (edo_budget_spent(cx)) {
        /* As edo_budget_spent_by: here the wheel's lock guards the waker. */
        if (future->state == ARMED)
            waits_on(self, cx->waker);
        return EDO_PENDING;
    }
    if (future->state == ARMED)
        return poll_armed(self, cx);
    if (self->deadline == 0)
        return finish(self, cx, 0);
    struct edo_driver *driver = edo_driver_here();
    if (driver == NULL)
        return finish(self, cx, EDO_ENORUNTIME);
    if (edo_driver_now(driver) >= self->deadline)
        return finish(self, cx, 0);
    return arm(self, driver, cx);
}

struct edo_sleep edo_sleep_until(uint64_t instant)
{
    return EDO_NEW_RETURNED(edo_sleep, .deadline = instant);
}

static uint64_t deadline_in(uint64_t ms)
{
    return ms == 0 ? 0 : edo_instant_add(edo_now(), ms);
}

struct edo_sleep edo_sleep(uint64_t ms)
{
    return edo_sleep_until(deadline_in(ms));
}

void edo_sleep_reset(struct edo_sleep *self, uint64_t instant)
{
    struct edo_future *future = &self->future_;
    bool armed = future->state == ARMED;
    self->deadline = instant;
    if (armed && lock(self)) {
        edo_wheel_remove(&self->timer.driver->wheel, &self->timer.entry);
        edo_wheel_insert(&self->timer.driver->wheel, &self->timer.entry, tick_of(instant));
        edo_driver_unlock_wheel(self->timer.driver, tick_of(instant));
        return;
    }
    if (future->state == EDO_STATE_FRESH)
        return;
    /* Fired, or done: it begins anew, and may be moved again. */
    if (armed) {
        unlock(self);
        let_go(self);
        edo_future_ended(future);
    }
    future->state = EDO_STATE_FRESH;
    future->pin = 0;
    self->orphaned = false;
}

bool edo_sleep_is_elapsed(const struct edo_sleep *self)
{
    return edo_now() >= self->deadline;
}

enum edo_poll edo_poll_after(struct edo_future *timer, struct edo_context *cx, bool budget_left)
{
    bool used_up = budget_left && cx->budget == 0;
    if (used_up)
        cx->budget = EDO_UNCONSTRAINED;
    enum edo_poll poll = edo_future_poll(timer, cx);
    if (used_up)
        cx->budget = 0;
    return poll;
}

static enum edo_poll edo_timeout_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_timeout *self = (struct edo_timeout *)future;
    if (cx->walk == EDO_WALK_DROP) {
        edo_future_drop(self->child, cx);
        edo_future_drop(&self->sleep.future_, cx);
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_TRACE) {
        edo_trace(cx, "edo_timeout", NULL, 0);
        cx->depth++;
        edo_future_trace(self->child, cx);
        cx->depth--;
        return EDO_PENDING;
    }
    bool budget_left = cx->budget != 0;
    if (edo_future_done(self->child) || edo_future_poll(self->child, cx) == EDO_READY) {
        edo_future_drop(&self->sleep.future_, cx);
        self->output = 0;
        return EDO_READY;
    }
    if (cx->panic.name != NULL)
        return EDO_PENDING;
    if (edo_poll_after(&self->sleep.future_, cx, budget_left) == EDO_PENDING)
        return EDO_PENDING;
    edo_future_drop(self->child, cx);
    self->output = self->sleep.output < 0 ? self->sleep.output : UV_ETIMEDOUT;
    return cx->panic.name != NULL ? EDO_PENDING : EDO_READY;
}

struct edo_timeout edo_timeout_at_(uint64_t instant, struct edo_future *child)
{
    /* The sleep is made in its place: copied there, what was written in 8 bytes is read in 16. */
    return EDO_NEW_RETURNED(edo_timeout, .child = child,
                            .sleep = {.future_ = {.poll = edo_sleep_poll}, .deadline = instant});
}

struct edo_timeout edo_timeout_(uint64_t ms, struct edo_future *child)
{
    return edo_timeout_at_(deadline_in(ms), child);
}

struct edo_interval edo_interval_at(uint64_t start, uint64_t ms)
{
    return (struct edo_interval){.period = saturating_ns(ms), .next = start};
}

struct edo_interval edo_interval(uint64_t ms)
{
    return edo_interval_at(edo_now(), ms);
}

static uint64_t after_tick(const struct edo_interval *interval, uint64_t due)
{
    uint64_t now = edo_now();
    if (now <= saturating_add(due, MISSED_AFTER) || interval->missed == EDO_MISSED_BURST)
        return saturating_add(due, interval->period);
    uint64_t next = saturating_add(now, interval->period);
    return interval->missed == EDO_MISSED_SKIP ? next - (now - due) % interval->period : next;
}

static enum edo_poll edo_interval_tick_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_interval_tick *self = (struct edo_interval_tick *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(&self->sleep.future_, cx);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_interval_tick");
    if (self->interval->period == 0) {
        self->output = UV_EINVAL;
        return EDO_READY;
    }
    if (edo_future_poll(&self->sleep.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    self->at = self->sleep.deadline;
    self->output = self->sleep.output;
    if (self->output == 0)
        self->interval->next = after_tick(self->interval, self->at);
    return EDO_READY;
}

struct edo_interval_tick edo_interval_tick(struct edo_interval *interval)
{
    return EDO_NEW_RETURNED(edo_interval_tick, .interval = interval,
                            .sleep = edo_sleep_until(interval->next));
}

void edo_interval_reset_at(struct edo_interval *interval, uint64_t instant)
{
    interval->next = instant;
}

void edo_interval_reset_after(struct edo_interval *interval, uint64_t ms)
{
    interval->next = edo_instant_add(edo_now(), ms);
}

void edo_interval_reset_immediately(struct edo_interval *interval)
{
    interval->next = edo_now();
}

void edo_interval_reset(struct edo_interval *interval)
{
    interval->next = saturating_add(edo_now(), interval->period);
}

/* The current-thread runtime whose clock may be stopped, or why there is none. */
static int clock_owner(struct edo_runtime **runtime)
{
    *runtime = edo_runtime_mine();
    if (*runtime != NULL)
        return 0;
    return edo_driver_here() != NULL ? UV_EINVAL : EDO_ENORUNTIME;
}

int edo_time_pause(void)
{
    struct edo_runtime *runtime;
    int error = clock_owner(&runtime);
    if (error < 0)
        return error;
    struct edo_driver *driver = runtime->driver;
    if (driver->attached)
        return UV_EINVAL;
    if (driver->paused)
        return UV_EALREADY;
    edo_driver_pause(driver);
    return 0;
}

int edo_time_resume(void)
{
    struct edo_runtime *runtime;
    int error = clock_owner(&runtime);
    if (error < 0)
        return error;
    struct edo_driver *driver = runtime->driver;
    if (!driver->paused)
        return UV_EINVAL;
    driver->shift = (int64_t)(driver->frozen - edo_clock_ns());
    driver->paused = false;
    return 0;
}

static enum edo_poll edo_time_advance_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_time_advance *self = (struct edo_time_advance *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_time_advance");
    if (future->state != EDO_STATE_FRESH)
        return EDO_READY;
    struct edo_runtime *runtime;
    self->output = clock_owner(&runtime);
    if (self->output == 0 && !runtime->driver->paused)
        self->output = UV_EINVAL;
    if (self->output < 0)
        return EDO_READY;
    future->state = ARMED;
    edo_driver_set(runtime->driver, edo_instant_add(runtime->driver->frozen, self->ms));
    /* Behind the tasks that were just woken. */
    edo_wake(cx->waker);
    return EDO_PENDING;
}

struct edo_time_advance edo_time_advance(uint64_t ms)
{
    return EDO_NEW_RETURNED(edo_time_advance, .ms = ms);
}
