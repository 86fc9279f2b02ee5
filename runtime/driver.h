/* SPDX-License-Identifier: MIT */
/* The driver: the timer wheel, the clock, the selector that watches descriptors, and a libuv loop.
 *
 * The selector is watched by the loop, so that a turn of the loop is all that a host has to make. A loop of our
 * own with nothing on it but that is not turned: the selector is waited for itself.
 *
 * A current-thread runtime has one, and its owner alone touches it. A multi-thread runtime has one for each
 * worker, with a wheel; the first has the loop and the selector for all, and is `io` to them. These are
 * `shared`, and these things in them are locked, each for itself:
 *   - the loop, what libuv keeps there, and the right to wait for the selector: `turn`, held while one of them turns or
 *     sleeps. Whoever else wants something of the loop does not wait for that: edo_driver_enter tries, and
 *     edo_driver_submit leaves a note for who has it. (Who is about to sleep does wait: another turns it then, for
 *     a moment, in passing or for one that is stuck; and so does the runtime's end.)
 *   - the wheel: `wheel_lock`, held for a few instructions;
 *   - which registrations there are: `list_lock`, likewise;
 *   - each registration: a lock of its own (registration.c).
 * Taken in this order: turn, list, registration; turn, wheel. A shared driver's memory lives as long as its
 * handle, and so do the selector's descriptors.
 *
 * One worker keeps the loop: it sleeps there, and nobody else does until it is behind with what it found there, and
 * gives it up. So what comes while it works waits for it, or for its next turn; where it is stuck, the watch turns
 * the loop (worker.c).
 */
#ifndef EDO_RUNTIME_DRIVER_H
#define EDO_RUNTIME_DRIVER_H

#include <uv.h>

#include "../internal/list.h"
#include "../internal/sys.h"
#include "selector.h"
#include "wheel.h"

struct edo_runtime;

/* What is to be done on a loop that somebody else has. Its owner's memory, until it is run. */
struct edo_note {
    struct edo_note *next;
    void (*run)(struct edo_note *note);
};

struct edo_driver {
    struct edo_runtime *runtime; /* NULL when it is gone and requests are still under way */
    struct edo_handle *handle;   /* the runtime's; constant */
    bool closing;                /* nothing is begun on the loop any more. Who has it */
    /* Of a shared one. */
    bool shared;
    bool closed; /* the same for timers, under `wheel_lock` */
    struct edo_driver *
        io; /* whose loop and selector its runtime uses: the first worker's; this one, not shared */
    struct edo_lock turn, wheel_lock, list_lock;
    uint32_t nested;                     /* how often who has the turn has taken it again */
    struct edo_driver *outer;            /* whose turn that thread has as well; NULL: nobody's */
    _Atomic(struct edo_note *) notes;    /* a Treiber stack, pushed to and taken whole */
    _Atomic(uint32_t) sleeping;          /* driver_shared.c */
    _Atomic(uint32_t) left;              /* notes that woke nobody */
    _Atomic(struct edo_driver *) keeper; /* of an `io`: whose worker sleeps there. NULL: nobody's */
    struct edo_event event;              /* ends it, with nothing on the loop */
    uint64_t sleeps_until; /* the tick for which it is armed; 0: it does not sleep. wheel_lock */
    uv_loop_t *loop;       /* &own, or the host's */
    uv_loop_t own;
    uv_timer_t timer; /* the wheel's next */
    uv_poll_t poll;   /* the selector, for when the loop is what sleeps */
    /* Attached only: tasks run before the loop sleeps and after it slept; idle keeps it awake. */
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    bool attached;
    bool asleep;                /* on_thread_park was called last */
    uint32_t open;              /* libuv handles not closed yet */
    _Atomic(uint32_t) requests; /* operations under way that hold paused time back */
    _Atomic(uint32_t)
        refs; /* each of these has one, and its loop; of a shared one the handle has that */
    struct edo_selector selector;
    _Atomic(uint32_t)
        watched;       /* registrations, those being closed included. Changed under list_lock */
    bool lent;         /* somebody has the loop and may have handles on it */
    int io_events_max; /* told in a turn, at most */
    bool telling;      /* not shared: it tells what the selector has told */
    struct edo_list registrations; /* list_lock */
    struct edo_wheel wheel;
    bool paused;
    uint64_t frozen; /* the time while paused, ns */
    int64_t shift;   /* what pausing has put the clock off by, ns */
};

/* The driver for what this thread polls: that of the worker or the runtime that it runs; for a thread that has
 * entered a multi-thread runtime, one of that. NULL: there is none, or it has shut down. */
struct edo_driver *edo_driver_here(void);

/* Whether the caller may use the loop until edo_driver_leave: always, where the driver is not shared, or the thread
 * has the loop already, as a callback's does; else when nobody else has it at the moment. It does not wait, not even
 * for its own worker's: who has that may run somebody else's waker, which may want a lock that our caller holds. */
bool edo_driver_enter(struct edo_driver *driver);
void edo_driver_leave(struct edo_driver *driver);

/* Has the note run, soon, by whoever has the loop, who is woken if it sleeps. Shared drivers only. Any thread.
 * False: the driver is closing, and the note will not be run. */
bool edo_driver_submit(struct edo_driver *driver, struct edo_note *note);

/* Has it run when what is being told has been told; wakes whoever has the loop for each 256th only.
 * False: nothing is being told, nor will be of what was there before. */
bool edo_driver_leave_note(struct edo_driver *driver, struct edo_note *note);

/* A registration of an `io`, from then to then. False: the driver is closing. */
bool edo_driver_list(struct edo_driver *driver, struct edo_list *link);
void edo_driver_unlist(struct edo_driver *driver, struct edo_list *link);

/* Tells what is ready, within `ms`, -1: whenever. Who has the loop. */
void edo_driver_tell(struct edo_driver *driver, int ms);

/* The driver is closing, and there will be no registrations: those that are there are told. */
void edo_driver_orphan_registrations(struct edo_driver *driver);

/* A worker's driver: made and closed by its runtime, freed with the handle. `io` is another of the same runtime, or
 * NULL: then it has a loop. 0, UV_ENOMEM, or libuv's error. */
int edo_driver_new_shared(struct edo_handle *handle, struct edo_driver *io,
                          struct edo_driver **driver);
void edo_driver_free(struct edo_driver *driver);

/* Its worker's: sleeps, for `limit` ns at most, until something happens on the loop, a timer is due, or
 * edo_driver_wake was called since the last sleep. Then does what is due. */
void edo_driver_sleep(struct edo_driver *driver, uint64_t limit);

/* Its worker is behind with what it has found: another may sleep in the loop. */
void edo_driver_give_up(struct edo_driver *driver);

/* Ends the sleep, or the next one. Any thread, also when it is closed. */
void edo_driver_wake(struct edo_driver *driver);

/* The wheel, to arm and disarm timers: locked where the driver is shared. False: it has been closed, and timers
 * do not fire any more. */
bool edo_driver_lock_wheel(struct edo_driver *driver);
/* With the earliest tick that was put on it, or UINT64_MAX: whoever sleeps for longer is woken. */
void edo_driver_unlock_wheel(struct edo_driver *driver, uint64_t tick);

/* Makes a driver on `host`, or on a loop of its own when NULL. 0, UV_ENOMEM, or libuv's error. */
int edo_driver_new(struct edo_runtime *runtime, uv_loop_t *host, struct edo_driver **driver);

/* From tick to tick in ms, as edo_selector_wait takes them. `when` UINT64_MAX: never. */
static inline int edo_driver_ms(uint64_t now, uint64_t when)
{
    if (when == UINT64_MAX)
        return -1;
    uint64_t ms = when > now ? when - now : 0;
    return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

/* Runs the notes that were left. Who has the loop. Whether there were any. */
bool edo_driver_run_notes(struct edo_driver *driver);

/* The first registration is there: who sleeps without looking for any is woken. */
void edo_driver_first_listed(struct edo_driver *driver);

/* The shared ones' parts of turning and firing (driver_shared.c). */
void edo_driver_look(struct edo_driver *driver);
void edo_driver_fire_shared(struct edo_driver *driver);

/* A shared one's part of that: what is registered is orphaned, timers too; nothing comes after. Takes the loop. */
void edo_driver_orphan_shared(struct edo_driver *driver);

/* Takes a host's loop: detaches every registration and closes the handles, which are gone when the
 * host's loop has turned once more; frees the driver then. For a loop of its own: at once; with
 * requests under way it waits for them until edo_clock_ns() is `deadline` (UINT64_MAX: never), and has a
 * thread of its own wait for what is left. */
void edo_driver_close(struct edo_driver *driver, uint64_t deadline);

/* One turn of an own loop; sleeps for I/O, the next timer or a signal when `sleep`. Then fires timers. Of a shared
 * one, not to sleep: nothing is done when somebody else turns it at the moment. */
void edo_driver_turn(struct edo_driver *driver, bool sleep);

/* Whether a host's loop is to go on for our sake: while there are tasks. */
void edo_driver_keep_alive(struct edo_driver *driver, bool keep);

/* Tasks have become ready, or a timer was armed, while libuv, or its host, has the thread: whoever of them sleeps next
 * is not to. Not shared; in EDO_PHASE_BETWEEN_TURNS. */
void edo_driver_stay_awake(struct edo_driver *driver);

/* Stops the clock, at the next whole millisecond: so a paused sleep takes exactly its time. */
void edo_driver_pause(struct edo_driver *driver);

/* Wakes what is due. */
void edo_driver_fire(struct edo_driver *driver);

/* Has the loop wake up for the wheel's next timer. */
void edo_driver_arm(struct edo_driver *driver);

/* The clock, ns. */
uint64_t edo_driver_now(const struct edo_driver *driver);

/* Paused, and nothing runs: moves the clock to the next timer. False: there is none, or an
 * operation is under way. */
bool edo_driver_skip(struct edo_driver *driver);

/* An operation of libuv's is under way, from begin to end: it holds paused time back, and the driver
 * lives until it ends, also when its runtime does not. */
void edo_driver_request_begin(struct edo_driver *driver);
void edo_driver_request_end(struct edo_driver *driver);

/* Sets a paused clock and fires what it passes. */
void edo_driver_set(struct edo_driver *driver, uint64_t ns);

#endif
