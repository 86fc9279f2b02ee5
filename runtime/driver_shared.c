/* SPDX-License-Identifier: MIT */
/* What is different in a driver that several threads have to do with: the driver of a worker.
 *
 * `sleeping` is the worker's sleep: AWAKE, SLEEPING in its loop, WAITING on an event, or WOKEN, a wake that the next
 * sleep finds. Who wants it awake exchanges WOKEN in, and signals when it slept. The signal is sent under a lock, which
 * keeps the loop from being closed meanwhile.
 *
 * Who leaves a note pushes it first and looks at `sleeping` then; the worker writes SLEEPING first and looks at the
 * notes then. These four are sequentially consistent, so one of the two sees the other; it does not matter that
 * exchanges of weaker orders come in between, since no value is trusted that one of them has left: after WOKEN or AWAKE
 * the worker looks again. Who arms a timer has the lock of the wheel, under which the worker writes what it sleeps for
 * before it sleeps: the timer is seen by it, or it is woken.
 */
#include "../internal/waiter.h"
#include "driver.h"
#include "pool.h"
#include "registration_internal.h"
#include "runtime_internal.h"
#include "time_internal.h"

enum { AWAKE, SLEEPING, WAITING, WOKEN };
enum { NS_PER_MS = 1000000 };

/* What `notes` is when the driver is closed. */
static struct edo_note closed_note;
#define CLOSED (&closed_note)

struct edo_driver *edo_driver_here(void)
{
    struct edo_handle *handle = edo_thread.current;
    if (handle == NULL)
        return NULL;
    struct edo_pool *pool = handle->pool;
    if (pool == NULL) {
        struct edo_runtime *runtime = edo_runtime_mine();
        return runtime != NULL ? runtime->driver : NULL;
    }
    if (edo_worker_mine(pool))
        return edo_thread.worker->driver;
    /* A hint: the driver itself knows whether it is closed. */
    return edo_load(&pool->closing, relaxed) ? NULL : pool->workers[0].driver;
}

void edo_driver_wake(struct edo_driver *driver)
{
    /* Releases what was done before. Against the sleeper's own exchange it needs no more: one of two read-modify-writes
     * comes after the other, and sees it. */
    uint32_t old = edo_exchange(&driver->sleeping, WOKEN, release);
    if (old == WAITING)
        edo_event_set(&driver->event);
    if (old != SLEEPING)
        return;
    edo_lock(&driver->signal);
    if (!driver->closed)
        uv_async_send(&driver->async);
    edo_unlock(&driver->signal);
}

/* ---- The loop ---- */

/* What runs on the loop may be anybody's code, a waker's for one, and want the loop in its turn. */
static bool take_turn(struct edo_driver *driver, bool wait)
{
    if (edo_thread.turn == driver) {
        driver->nested++;
        return true;
    }
    if (wait)
        edo_lock(&driver->turn);
    else if (!edo_try_lock(&driver->turn))
        return false;
    driver->outer = edo_thread.turn;
    edo_thread.turn = driver;
    return true;
}

static void leave_turn(struct edo_driver *driver)
{
    if (driver->nested > 0) {
        driver->nested--;
        return;
    }
    edo_thread.turn = driver->outer;
    edo_unlock(&driver->turn);
}

bool edo_driver_enter(struct edo_driver *driver)
{
    return !driver->shared || take_turn(driver, false);
}

void edo_driver_leave(struct edo_driver *driver)
{
    if (driver->shared)
        leave_turn(driver);
}

static void run_notes(struct edo_note *note)
{
    struct edo_note *first = NULL;
    while (note != NULL) {
        struct edo_note *next = note->next;
        note->next = first;
        first = note;
        note = next;
    }
    while (first != NULL) {
        note = first;
        first = first->next;
        note->run(note); /* and it may be gone */
    }
}

/* `turn` is held. Acquires what was pushed. Whether there were any. */
static bool take_notes(struct edo_driver *driver)
{
    if (edo_load(&driver->notes, relaxed) == NULL)
        return false;
    run_notes(edo_exchange(&driver->notes, NULL, acquire));
    return true;
}

bool edo_driver_submit(struct edo_driver *driver, struct edo_note *note)
{
    struct edo_note *head = edo_load(&driver->notes, relaxed);
    do {
        if (head == CLOSED)
            return false;
        note->next = head;
    } while (!edo_cas_weak(&driver->notes, &head, note, seq_cst, relaxed));
    uint32_t sleeping = edo_load(&driver->sleeping, seq_cst);
    if (sleeping == SLEEPING || sleeping == WAITING)
        edo_driver_wake(driver);
    return true;
}

bool edo_driver_gone(struct edo_driver *driver)
{
    return edo_load(&driver->notes, relaxed) == CLOSED;
}

void edo_driver_look(struct edo_driver *driver)
{
    if (take_turn(driver, false)) {
        take_notes(driver);
        /* As in edo_driver_turn: with nothing there, there is nothing to look at. */
        if (driver->watched > 0 || edo_load(&driver->requests, relaxed) > 0) {
            driver->io_events = 0;
            uv_run(driver->loop, UV_RUN_NOWAIT);
        }
        leave_turn(driver);
    }
    edo_driver_fire(driver);
}

static void on_timer(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* The tick at which to wake, for the next timer or at the end of `limit` ns. */
static uint64_t wake_at(struct edo_driver *driver, uint64_t now, uint64_t limit)
{
    uint64_t when;
    edo_lock(&driver->wheel_lock);
    if (!edo_wheel_next(&driver->wheel, &when))
        when = UINT64_MAX;
    driver->sleeps_until = when;
    edo_unlock(&driver->wheel_lock);
    uint64_t end = limit == UINT64_MAX ? UINT64_MAX : (now + limit) / NS_PER_MS;
    return when < end ? when : end;
}

/* With something on the loop. */
static void sleep_in_loop(struct edo_driver *driver, uint64_t now, uint64_t when)
{
    uint32_t awake = AWAKE;
    bool sleeps = edo_cas(&driver->sleeping, &awake, SLEEPING, seq_cst, relaxed) &&
                  edo_load(&driver->notes, seq_cst) == NULL;
    now /= NS_PER_MS;
    if (when == UINT64_MAX)
        uv_timer_stop(&driver->timer);
    else
        uv_timer_start(&driver->timer, on_timer, when > now ? when - now : 0, 0);
    driver->io_events = 0;
    uv_run(driver->loop, sleeps ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

/* With nothing there an event does, in fewer system calls on both sides. `turn` stays taken, so that whoever wants
 * to put something on the loop leaves a note, and wakes us. */
static void sleep_on_event(struct edo_driver *driver, uint64_t when)
{
    uint32_t awake = AWAKE;
    if (edo_cas(&driver->sleeping, &awake, WAITING, seq_cst, relaxed) &&
        edo_load(&driver->notes, seq_cst) == NULL)
        edo_event_wait_until(&driver->event,
                             when > UINT64_MAX / NS_PER_MS ? UINT64_MAX : when * NS_PER_MS);
}

void edo_driver_sleep(struct edo_driver *driver, uint64_t limit)
{
    take_turn(driver, true);
    /* What they have woken may be this worker's. */
    if (take_notes(driver))
        limit = 0;
    uint64_t now = edo_driver_now(driver), when = wake_at(driver, now, limit);
    if (driver->watched > 0 || edo_load(&driver->requests, relaxed) > 0)
        sleep_in_loop(driver, now, when);
    else
        sleep_on_event(driver, when);
    /* Acquires what was done before the wake. */
    edo_exchange(&driver->sleeping, AWAKE, acquire);
    edo_lock(&driver->wheel_lock);
    driver->sleeps_until = 0;
    edo_unlock(&driver->wheel_lock);
    take_notes(driver);
    leave_turn(driver);
    edo_driver_fire(driver);
}

/* ---- Timers ---- */

bool edo_driver_lock_wheel(struct edo_driver *driver)
{
    if (driver->shared)
        edo_lock(&driver->wheel_lock);
    return !driver->closed;
}

void edo_driver_unlock_wheel(struct edo_driver *driver, uint64_t tick)
{
    if (!driver->shared)
        return;
    bool earlier = tick < driver->sleeps_until;
    edo_unlock(&driver->wheel_lock);
    if (earlier)
        edo_driver_wake(driver);
}

/* Takes the timers off that are due by `now`; `orphan`: all. Their wakers are claimed under the lock, and finished
 * after it, batch by batch: who waits for a timer is in this wheel until it is taken off. */
static void fire(struct edo_driver *driver, uint64_t now, bool orphan)
{
    struct edo_wakes wakes = {.count = 0};
    struct edo_timer_entry *entry;
    edo_lock(&driver->wheel_lock);
    while (driver->wheel.count > 0 && (entry = edo_wheel_poll(&driver->wheel, now)) != NULL) {
        edo_wakes_claim(&wakes, edo_timer_take(entry, orphan));
        if (edo_wakes_full(&wakes)) {
            edo_unlock(&driver->wheel_lock);
            edo_wakes_finish(&wakes);
            edo_lock(&driver->wheel_lock);
        }
    }
    edo_unlock(&driver->wheel_lock);
    edo_wakes_finish(&wakes);
}

void edo_driver_fire_shared(struct edo_driver *driver)
{
    fire(driver, edo_driver_now(driver) / NS_PER_MS, false);
}

/* ---- The end ---- */

void edo_driver_orphan_shared(struct edo_driver *driver)
{
    take_turn(driver, true);
    edo_lock(&driver->wheel_lock);
    edo_lock(&driver->signal);
    driver->closed = true;
    edo_unlock(&driver->signal);
    edo_unlock(&driver->wheel_lock);
    driver->closing = true;
    /* Acquires what was pushed. It releases nothing: who finds it closed has nothing more to do with the loop. */
    struct edo_note *notes = edo_exchange(&driver->notes, CLOSED, acquire);
    edo_registration_orphan_all(&driver->registrations);
    run_notes(notes);
    fire(driver, UINT64_MAX, true);
}
