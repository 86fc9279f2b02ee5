/* SPDX-License-Identifier: MIT */
/* The driver of a worker, without the worker: its sleep, its notes, its wheel, its loop, its end. */
#include "driver.h"

static _Atomic(int) flags;

/* Something on the loop, or nothing: it sleeps there, or on the event. */
static struct edo_driver *start(bool loop)
{
    struct edo_driver *driver = driver_new();
    if (loop)
        edo_driver_request_begin(driver);
    return driver;
}

static void end(struct edo_driver *driver)
{
    model_join_all();
    if (edo_load(&driver->requests, relaxed) > 0)
        edo_driver_request_end(driver);
    driver_free(driver);
}

/* ---- The wake ---- */

static void sets_1_and_wakes(void *driver)
{
    edo_fetch_or(&flags, 1, relaxed);
    edo_driver_wake(driver);
}

static void sets_2_and_wakes(void *driver)
{
    edo_fetch_or(&flags, 2, relaxed);
    edo_driver_wake(driver);
}

/* What was done before a wake is seen after the sleep: the next, when the wake comes before it. */
static void sleeps_until_set(struct edo_driver *driver, int bits)
{
    while ((edo_load(&flags, relaxed) & bits) != bits)
        edo_driver_sleep(driver, UINT64_MAX);
    end(driver);
}

MODEL(driver_woken)
{
    struct edo_driver *driver = start(false);
    model_thread(sets_1_and_wakes, driver);
    sleeps_until_set(driver, 1);
}

MODEL(driver_woken_in_its_loop)
{
    struct edo_driver *driver = start(true);
    model_thread(sets_1_and_wakes, driver);
    sleeps_until_set(driver, 1);
}

MODEL(driver_woken_by_two, .bound = 3)
{
    struct edo_driver *driver = start(false);
    model_thread(sets_1_and_wakes, driver);
    model_thread(sets_2_and_wakes, driver);
    sleeps_until_set(driver, 3);
}

MODEL(driver_woken_by_two_in_its_loop, .bound = 3)
{
    struct edo_driver *driver = start(true);
    model_thread(sets_1_and_wakes, driver);
    model_thread(sets_2_and_wakes, driver);
    sleeps_until_set(driver, 3);
}

/* ---- Notes ---- */

struct noted {
    struct edo_note note;
    struct edo_driver *driver;
    int ran; /* by who has the loop; or once it is closed, by who was refused */
};

static void runs(struct edo_note *note)
{
    ((struct noted *)note)->ran++;
}

static void submits(void *arg)
{
    struct noted *noted = arg;
    noted->note.run = runs;
    if (!edo_driver_submit(noted->driver, &noted->note))
        noted->ran++;
}

static struct noted *noted_new(struct edo_driver *driver)
{
    struct noted *noted = model_new(sizeof *noted);
    noted->driver = driver;
    return noted;
}

/* Before the sleep, on the way to it, in it. */
static void is_noted(struct edo_driver *driver)
{
    struct noted *noted = noted_new(driver);
    model_thread(submits, noted);
    while (noted->ran == 0)
        edo_driver_sleep(driver, UINT64_MAX);
    end(driver);
    model_assert(noted->ran == 1);
}

MODEL(driver_noted)
{
    is_noted(start(false));
}

MODEL(driver_noted_in_its_loop)
{
    is_noted(start(true));
}

static void is_noted_by_two(struct edo_driver *driver)
{
    struct noted *first = noted_new(driver), *second = noted_new(driver);
    model_thread(submits, first);
    model_thread(submits, second);
    while (first->ran + second->ran < 2)
        edo_driver_sleep(driver, UINT64_MAX);
    end(driver);
    model_assert(first->ran == 1 && second->ran == 1);
}

MODEL(driver_noted_by_two, .bound = 3)
{
    is_noted_by_two(start(false));
}

/* ---- Two for one loop ---- */

/* Has what it wants done: itself, when it gets the loop; or by who has it. */
static void reaches(void *arg)
{
    struct noted *noted = arg;
    noted->note.run = runs;
    if (edo_driver_enter(noted->driver)) {
        uv_update_time(noted->driver->loop);
        edo_driver_leave(noted->driver);
        edo_fetch_or(&flags, 1, relaxed);
        edo_driver_wake(noted->driver);
    } else if (!edo_driver_submit(noted->driver, &noted->note)) {
        model_fail(__FILE__, __LINE__, "it is not closed");
    }
}

static void is_reached(struct edo_driver *driver)
{
    struct noted *noted = noted_new(driver);
    model_thread(reaches, noted);
    while (noted->ran == 0 && edo_load(&flags, relaxed) == 0)
        edo_driver_sleep(driver, UINT64_MAX);
    end(driver);
    model_assert((noted->ran == 1) != (edo_load(&flags, relaxed) == 1));
}

MODEL(driver_reached, .tries = true)
{
    is_reached(start(false));
}

MODEL(driver_reached_in_its_loop, .tries = true, .bound = 3)
{
    is_reached(start(true));
}

/* The worker is busy, and comes to its loop after all as another turns it in its place. A note is run by either. */
static void looks(void *driver)
{
    edo_driver_turn(driver, false);
}

static void is_looked_after(struct edo_driver *driver)
{
    struct noted *noted = noted_new(driver);
    submits(noted);
    model_thread(looks, driver);
    edo_driver_turn(driver, false);
    edo_driver_wake(driver);
    edo_driver_sleep(driver, UINT64_MAX);
    end(driver);
    model_assert(noted->ran == 1);
}

MODEL(driver_looked_after, .tries = true)
{
    is_looked_after(start(false));
}

MODEL(driver_looked_after_with_a_loop, .tries = true, .bound = 3)
{
    is_looked_after(start(true));
}

/* ---- The end ---- */

static void wakes(void *driver)
{
    edo_driver_wake(driver);
}

/* The worker has left, or not: who ends the pool closes its driver. */
MODEL(driver_closed_while_woken)
{
    struct edo_driver *driver = start(false);
    model_thread(wakes, driver);
    if (model_choose(2) == 1)
        edo_driver_sleep(driver, 1000000);
    edo_driver_close(driver, UINT64_MAX);
    model_join_all();
    driver_free_closed(driver);
}

static void closes(void *driver)
{
    edo_driver_close(driver, UINT64_MAX);
}

/* It is run, or the driver says that it is not: never both, never neither. */
MODEL(driver_closed_while_noted, .outcomes = "0 1")
{
    struct edo_driver *driver = start(false);
    struct noted *noted = noted_new(driver);
    model_thread(closes, driver);
    noted->note.run = runs;
    bool taken = edo_driver_submit(driver, &noted->note);
    if (!taken)
        model_assert(noted->ran == 0);
    model_join_all();
    model_assert(noted->ran == taken);
    driver_free_closed(driver);
    model_outcome(taken);
}

MODEL(driver_closed_while_reached, .tries = true)
{
    struct edo_driver *driver = start(false);
    struct noted *noted = noted_new(driver);
    model_thread(closes, driver);
    noted->note.run = runs;
    int ran = 0;
    if (edo_driver_enter(driver)) {
        /* Nothing is begun when it is closing: it may be gone. */
        if (!driver->closing)
            uv_update_time(driver->loop);
        edo_driver_leave(driver);
    } else {
        ran = edo_driver_submit(driver, &noted->note);
    }
    model_join_all();
    model_assert(noted->ran == ran);
    driver_free_closed(driver);
}
