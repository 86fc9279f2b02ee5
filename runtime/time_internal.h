/* SPDX-License-Identifier: MIT */
/* What runtime/ knows of the timers of runtime/time.h. */
#ifndef EDO_RUNTIME_TIME_INTERNAL_H
#define EDO_RUNTIME_TIME_INTERNAL_H

#include "time.h"

/* The timer is due, and off the wheel: wakes its future. */
void edo_timer_fire(struct edo_timer_entry *entry);

/* The timer is due, or orphaned, and off a wheel that is locked: takes the kept waker out of it. */
struct edo_waker *edo_timer_take(struct edo_timer_entry *entry, bool orphan);

/* The wheel is about to go: wakes what is still on it, which then reports EDO_ESHUTDOWN. */
void edo_timer_orphan_all(struct edo_wheel *wheel);

/* Polls the timer of a future that is pending, which had some budget left before its poll, or had not.
 * One that used it up must still be stopped in time. One that found none has not been tried, and gives
 * way first: else a loop of attempts in no time would never end. As Tokio. */
enum edo_poll edo_poll_after(struct edo_future *timer, struct edo_context *cx, bool budget_left);

#endif
