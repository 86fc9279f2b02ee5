/* SPDX-License-Identifier: MIT */
/* What the driver does with the timers of runtime/time.h. */
#ifndef EDO_RUNTIME_TIME_INTERNAL_H
#define EDO_RUNTIME_TIME_INTERNAL_H

#include "time.h"

/* The timer is due, and off the wheel: wakes its future. */
void edo_timer_fire(struct edo_timer_entry *entry);

/* The wheel is about to go: wakes what is still on it, which then reports EDO_ESHUTDOWN. */
void edo_timer_orphan_all(struct edo_wheel *wheel);

#endif
