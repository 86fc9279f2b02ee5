/* SPDX-License-Identifier: MIT */
/* Something that happens once, and that many tasks wait for: a future written by hand.
 *
 *     WHEN(self->stop, event_wait(&server->stop)) { … }
 *
 * Used on one thread. Cancel safe.
 */
#ifndef MINI_REDIS_EVENT_H
#define MINI_REDIS_EVENT_H

#include "future.h"

struct event {
    bool happened;
    struct event_wait *first; /* who waits, newest first */
};

struct event_wait {
    FUTURE(void);
    struct event *event;
    struct edo_waker *waker; /* a clone; NULL: not waiting */
    struct event_wait *next, **link;
};

/* Wakes everyone who waits; who waits later does not. */
void event_set(struct event *event);

/* A future that is ready when the event has happened. */
struct event_wait event_wait(struct event *event);

#endif
