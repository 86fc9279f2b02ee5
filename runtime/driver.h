/* SPDX-License-Identifier: MIT */
/* The driver: one libuv loop, the timer wheel, the clock, the descriptors. Owner's thread only. */
#ifndef EDO_RUNTIME_DRIVER_H
#define EDO_RUNTIME_DRIVER_H

#include <uv.h>

#include "../internal/list.h"
#include "wheel.h"

struct edo_runtime;

struct edo_driver {
    struct edo_runtime *runtime; /* NULL when it is gone and requests are still under way */
    uv_loop_t *loop;             /* &own, or the host's */
    uv_loop_t own;
    uv_timer_t timer; /* the wheel's next */
    uv_async_t async; /* foreign wakes */
    /* Attached only: tasks run before the loop sleeps and after it slept; idle keeps it awake. */
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    bool attached;
    uint32_t open;     /* libuv handles not closed yet */
    uint32_t requests; /* operations under way that hold paused time back */
    uint32_t watched;  /* registrations that libuv knows, those being closed included */
    bool lent;         /* somebody has the loop and may have handles on it */
    struct edo_list registrations;
    struct edo_wheel wheel;
    bool paused;
    uint64_t frozen; /* the time while paused, ns */
    int64_t shift;   /* what pausing has put the clock off by, ns */
};

/* Makes a driver on `host`, or on a loop of its own when NULL. 0, UV_ENOMEM, or libuv's error. */
int edo_driver_new(struct edo_runtime *runtime, uv_loop_t *host, struct edo_driver **driver);

/* Takes a host's loop: detaches every registration and closes the handles, which are gone when the
 * host's loop has turned once more; frees the driver then. For a loop of its own: at once; with
 * requests under way it waits for them, or has a thread of its own wait when !wait. */
void edo_driver_close(struct edo_driver *driver, bool wait);

/* One turn of an own loop; sleeps for I/O, the next timer or a signal when `sleep`. Then fires
 * timers. */
void edo_driver_turn(struct edo_driver *driver, bool sleep);

/* Whether a host's loop is to go on for our sake: while there are tasks. */
void edo_driver_keep_alive(struct edo_driver *driver, bool keep);

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
