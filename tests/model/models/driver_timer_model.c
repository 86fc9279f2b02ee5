/* SPDX-License-Identifier: MIT */
/* The wheel of a worker's driver: armed, disarmed and fired by several threads, while the worker goes to sleep. */
#include "driver.h"
#include "executor.h"

enum { NS_PER_MS = 1000000 };

static _Atomic(int) flags;
static struct edo_driver *driver;

/* A thread that has entered the runtime, and what it polls its sleep with. */
struct sleeper {
    int ms, bit;
    struct executor *executor, *second;
};

static struct sleeper *begin(void (*run)(void *), int ms, int bit)
{
    struct sleeper *self = model_new(sizeof *self);
    *self = (struct sleeper){ms, bit, executor_new(), executor_new()};
    model_thread(run, self);
    return self;
}

static void none_is_kept(const struct sleeper *self)
{
    model_assert(edo_load(&self->executor->clones, relaxed) == 0);
    model_assert(edo_load(&self->second->clones, relaxed) == 0);
}

/* It is done, for whoever is the worker. */
static void sets(const struct sleeper *self)
{
    edo_fetch_or(&flags, self->bit, relaxed);
    edo_driver_wake(driver);
}

static void works_until(int bits)
{
    driver_take(driver);
    while ((edo_load(&flags, relaxed) & bits) != bits)
        edo_driver_sleep(driver, UINT64_MAX);
    model_join_all();
}

static void sleeps(void *arg)
{
    struct sleeper *self = arg;
    driver_enter(driver);
    uint64_t since = model_now();
    struct edo_sleep *sleep = ON_HEAP(edo_sleep((uint64_t)self->ms));
    executor_run(self->executor, &sleep->future_);
    model_assert(sleep->output == 0);
    model_assert(model_now() >= since + (uint64_t)self->ms * NS_PER_MS);
    sets(self);
}

/* Before the worker sleeps, on its way to sleep, as it sleeps for nothing: it is woken for it. */
MODEL(driver_timer_armed)
{
    driver = driver_new();
    struct sleeper *self = begin(sleeps, 1, 1);
    works_until(1);
    none_is_kept(self);
    driver_free(driver);
}

MODEL(driver_timer_armed_with_a_loop)
{
    driver = driver_new();
    edo_driver_request_begin(driver);
    struct sleeper *self = begin(sleeps, 1, 1);
    works_until(1);
    none_is_kept(self);
    edo_driver_request_end(driver);
    driver_free(driver);
}

/* The second is earlier than the first, or not. */
MODEL(driver_timer_armed_by_two, .slow = true, .bound = 3)
{
    driver = driver_new();
    struct sleeper *first = begin(sleeps, 1, 1), *second = begin(sleeps, 2, 2);
    works_until(3);
    none_is_kept(first);
    none_is_kept(second);
    driver_free(driver);
}

/* Another poll, with another waker, as it fires. */
static void moves(void *arg)
{
    struct sleeper *self = arg;
    driver_enter(driver);
    struct edo_sleep *sleep = ON_HEAP(edo_sleep(1));
    if (executor_poll(self->executor, &sleep->future_) == EDO_PENDING)
        executor_run(self->second, &sleep->future_);
    model_assert(sleep->output == 0);
    sets(self);
}

MODEL(driver_timer_moves)
{
    driver = driver_new();
    struct sleeper *self = begin(moves, 0, 1);
    works_until(1);
    none_is_kept(self);
    driver_free(driver);
}

/* Set to another time as it fires. */
static void resets(void *arg)
{
    struct sleeper *self = arg;
    driver_enter(driver);
    struct edo_sleep *sleep = ON_HEAP(edo_sleep(2));
    uint64_t until = model_now() + (uint64_t)self->ms * NS_PER_MS;
    executor_poll(self->executor, &sleep->future_);
    edo_sleep_reset(sleep, until);
    executor_run(self->executor, &sleep->future_);
    model_assert(sleep->output == 0 && model_now() >= until);
    sets(self);
}

MODEL(driver_timer_reset)
{
    driver = driver_new();
    struct sleeper *self = begin(resets, model_choose(2) ? 1 : 3, 1);
    works_until(1);
    none_is_kept(self);
    driver_free(driver);
}

/* Dropped as it fires. */
static void drops(void *arg)
{
    struct sleeper *self = arg;
    driver_enter(driver);
    struct edo_sleep *sleep = ON_HEAP(edo_sleep(1));
    if (executor_poll(self->executor, &sleep->future_) == EDO_PENDING)
        executor_cancel(self->executor, &sleep->future_);
    sets(self);
}

MODEL(driver_timer_dropped)
{
    driver = driver_new();
    struct sleeper *self = begin(drops, 0, 1);
    works_until(1);
    none_is_kept(self);
    driver_free(driver);
}

/* Two are due at once: between the wakes, when the lock is let go, the other is dropped. */
MODEL(driver_timer_dropped_as_another_fires, .slow = true, .bound = 3)
{
    driver = driver_new();
    struct sleeper *first = begin(sleeps, 1, 1), *second = begin(drops, 0, 2);
    works_until(3);
    none_is_kept(first);
    none_is_kept(second);
    driver_free(driver);
}

/* The watch fires what the worker has armed, who comes to it as well: one of the two does. */
static void looks(void *arg)
{
    (void)arg;
    model_set_now(model_now() + 2 * NS_PER_MS);
    edo_driver_turn(driver, false);
}

static void is_looked_after(void)
{
    struct executor *executor = executor_new();
    driver_take(driver);
    struct edo_sleep *sleep = ON_HEAP(edo_sleep(1));
    model_assert(executor_poll(executor, &sleep->future_) == EDO_PENDING);
    model_thread(looks, NULL);
    /* Not for ever: whom the watch wakes it has in its own queue. */
    edo_driver_sleep(driver, 3 * NS_PER_MS);
    executor_run(executor, &sleep->future_);
    model_assert(sleep->output == 0);
    model_join_all();
    model_assert(edo_load(&executor->clones, relaxed) == 0);
}

MODEL(driver_timer_looked_after, .tries = true)
{
    driver = driver_new();
    is_looked_after();
    driver_free(driver);
}

MODEL(driver_timer_looked_after_with_a_loop, .tries = true)
{
    driver = driver_new();
    edo_driver_request_begin(driver);
    is_looked_after();
    edo_driver_request_end(driver);
    driver_free(driver);
}

/* Armed, or about to be, as the driver is closed: it is told so. */
static void sleeps_to_the_end(void *arg)
{
    struct sleeper *self = arg;
    driver_enter(driver);
    struct edo_sleep *sleep = ON_HEAP(edo_sleep(1));
    executor_run(self->executor, &sleep->future_);
    model_assert(sleep->output == EDO_ESHUTDOWN);
}

static void is_closed(void (*by)(void *))
{
    driver = driver_new();
    struct sleeper *self = begin(by, 0, 1);
    edo_driver_close(driver, UINT64_MAX);
    model_join_all();
    none_is_kept(self);
    driver_free_closed(driver);
}

MODEL(driver_timer_orphaned)
{
    is_closed(sleeps_to_the_end);
}

MODEL(driver_timer_dropped_at_the_end)
{
    is_closed(drops);
}
