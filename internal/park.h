/* SPDX-License-Identifier: MIT */
/* Runs one future on a thread that has no executor and sleeps meanwhile: what the blocking_ calls of
 * channels and sync are made of. */
#ifndef EDO_INTERNAL_PARK_H
#define EDO_INTERNAL_PARK_H

#include "../poll.h"

/* Polls the future to its end. Returns 0; or, having dropped it: EDO_ENESTED inside a runtime's task,
 * where it would hold up all the others; -ENOMEM; EDO_EPANIC. */
int edo_park_on(struct edo_future *future);

/* The same, without a look whether this thread may block. gives_way(arg) is called whenever the future has woken itself
 * as it was polled, and is to be polled again; NULL: nobody cares. */
int edo_park_poll(struct edo_future *future, void (*gives_way)(void *), void *arg);

#endif
