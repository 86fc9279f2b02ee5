/* SPDX-License-Identifier: MIT */
/* What is different in a driver that several threads have to do with: the driver of a worker.
 *
 * `sleeping` is the worker's sleep: AWAKE, SLEEPING in the loop, WAITING on an event, or WOKEN, a wake that the next
 * sleep finds. Who wants it awake exchanges WOKEN in, and signals when it slept.
 *
 * `keeper`, of `io`, is whose worker sleeps in the loop: written by that worker, when there is none, and until
 * it gives it up. It orders nothing: the loop has its lock.
 *
 * Who leaves a note pushes it first and looks for the keeper, and at its `sleeping`, then; the worker becomes
 * the keeper, and writes SLEEPING, first and looks at the notes then. All these are sequentially consistent, so
 * one of the two sees the other; it does not matter that exchanges of weaker orders come in between, since no
 * value is trusted that one of them has left: after WOKEN or AWAKE the worker looks again. So it is with the
 * first registration, and a keeper that waits on its event because there is none. Who arms a timer has the lock
 * of the wheel, under which the worker writes what it sleeps for before it sleeps: the timer is seen by it, or
 * it is woken.
 */
#include "../internal/waiter.h"
#include "driver.h"
#include "pool.h"
#include "registration_internal.h"
#include "runtime_internal.h"
#include "time_internal.h"

enum { AWAKE, SLEEPING, WAITING, WOKEN };
enum { NS_PER_MS = 1000000, NOTES_LEFT = 256 };

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
    edo_selector_wake(&driver->io->selector);
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
bool edo_driver_run_notes(struct edo_driver *driver)
{
    if (edo_load(&driver->notes, relaxed) == NULL)
        return false;
    run_notes(edo_exchange(&driver->notes, NULL, acquire));
    return true;
}

static bool push(struct edo_driver *driver, struct edo_note *note)
{
    struct edo_note *head = edo_load(&driver->notes, relaxed);
    do {
        if (head == CLOSED)
            return false;
        note->next = head;
    } while (!edo_cas_weak(&driver->notes, &head, note, seq_cst, relaxed));
    return true;
}

static void wake_keeper(struct edo_driver *driver)
{
    struct edo_driver *keeper = edo_load(&driver->keeper, seq_cst);
    if (keeper == NULL)
        return;
    uint32_t sleeping = edo_load(&keeper->sleeping, seq_cst);
    if (sleeping == SLEEPING || sleeping == WAITING)
        edo_driver_wake(keeper);
}

bool edo_driver_submit(struct edo_driver *driver, struct edo_note *note)
{
    if (!push(driver, note))
        return false;
    wake_keeper(driver);
    return true;
}

void edo_driver_first_listed(struct edo_driver *driver)
{
    wake_keeper(driver);
}

bool edo_driver_leave_note(struct edo_driver *driver, struct edo_note *note)
{
    if (!(driver->shared || driver->telling) || !push(driver, note))
        return false;
    /* Relaxed: a number, that of some who leave one is such. */
    if (driver->shared && edo_fetch_add(&driver->left, 1, relaxed) % NOTES_LEFT == NOTES_LEFT - 1)
        wake_keeper(driver);
    return true;
}

/* Relaxed: what comes in just now is there the next time, or wakes who sleeps. */
static bool anything(struct edo_driver *io)
{
    return edo_load(&io->notes, relaxed) != NULL || edo_load(&io->watched, relaxed) > 0 ||
           edo_load(&io->requests, relaxed) > 0;
}

void edo_driver_look(struct edo_driver *driver)
{
    struct edo_driver *io = driver->io;
    if (anything(io) && take_turn(io, false)) {
        edo_driver_run_notes(io);
        /* As in edo_driver_turn. */
        if (edo_load(&io->requests, relaxed) > 0)
            uv_run(io->loop, UV_RUN_NOWAIT);
        else if (edo_load(&io->watched, relaxed) > 0)
            edo_driver_tell(io, 0);
        leave_turn(io);
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

/* Who has the loop: there. */
static void sleep_in_loop(struct edo_driver *driver, uint64_t now, uint64_t when)
{
    struct edo_driver *io = driver->io;
    uint32_t awake = AWAKE;
    bool sleeps = edo_cas(&driver->sleeping, &awake, SLEEPING, seq_cst, relaxed) &&
                  edo_load(&io->notes, seq_cst) == NULL;
    int ms = edo_driver_ms(now / NS_PER_MS, when);
    if (edo_load(&io->requests, relaxed) == 0) {
        edo_driver_tell(io, sleeps ? ms : 0);
        return;
    }
    if (ms < 0)
        uv_timer_stop(&io->timer);
    else
        uv_timer_start(&io->timer, on_timer, (uint64_t)ms, 0);
    uv_run(io->loop, sleeps ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

/* With nothing there, or another there, an event does, in less time on both sides. `turn` stays taken by who has it,
 * so that whoever wants to put something on the loop leaves a note, and wakes us. */
static void sleep_on_event(struct edo_driver *driver, uint64_t when, bool there)
{
    struct edo_driver *io = driver->io;
    uint32_t awake = AWAKE;
    if (edo_cas(&driver->sleeping, &awake, WAITING, seq_cst, relaxed) &&
        (!there || (edo_load(&io->notes, seq_cst) == NULL && edo_load(&io->watched, seq_cst) == 0)))
        edo_event_wait_until(&driver->event,
                             when > UINT64_MAX / NS_PER_MS ? UINT64_MAX : when * NS_PER_MS);
}

void edo_driver_give_up(struct edo_driver *driver)
{
    if (edo_load(&driver->io->keeper, relaxed) == driver)
        edo_store(&driver->io->keeper, NULL, relaxed);
}

void edo_driver_sleep(struct edo_driver *driver, uint64_t limit)
{
    struct edo_driver *io = driver->io, *nobody = NULL;
    bool there = edo_load(&io->keeper, relaxed) == driver ||
                 edo_cas(&io->keeper, &nobody, driver, seq_cst, relaxed);
    if (there) {
        take_turn(io, true);
        /* What they have woken may be this worker's. */
        if (edo_driver_run_notes(io))
            limit = 0;
    }
    uint64_t now = edo_driver_now(driver), when = wake_at(driver, now, limit);
    if (there && (edo_load(&io->watched, relaxed) > 0 || edo_load(&io->requests, relaxed) > 0))
        sleep_in_loop(driver, now, when);
    else
        sleep_on_event(driver, when, there);
    /* Acquires what was done before the wake. */
    edo_exchange(&driver->sleeping, AWAKE, acquire);
    edo_lock(&driver->wheel_lock);
    driver->sleeps_until = 0;
    edo_unlock(&driver->wheel_lock);
    if (there) {
        edo_driver_run_notes(io);
        leave_turn(io);
    }
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
    if (!driver->shared) {
        /* The next turn has the loop wake up for it. */
        if (tick != UINT64_MAX && driver->runtime != NULL &&
            driver->runtime->phase == EDO_PHASE_BETWEEN_TURNS)
            edo_driver_stay_awake(driver);
        return;
    }
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
    edo_lock(&driver->wheel_lock);
    bool timers = driver->wheel.count > 0;
    edo_unlock(&driver->wheel_lock);
    /* Without, the clock need not be asked. */
    if (timers)
        fire(driver, edo_driver_now(driver) / NS_PER_MS, false);
}

/* ---- The end ---- */

void edo_driver_orphan_shared(struct edo_driver *driver)
{
    take_turn(driver, true);
    edo_lock(&driver->wheel_lock);
    driver->closed = true;
    edo_unlock(&driver->wheel_lock);
    /* Acquires what was pushed. It releases nothing: who finds it closed has nothing more to do with the loop. */
    struct edo_note *notes = edo_exchange(&driver->notes, CLOSED, acquire);
    edo_driver_orphan_registrations(driver);
    run_notes(notes);
    fire(driver, UINT64_MAX, true);
}
