/* SPDX-License-Identifier: MIT */
/* The kinds of stress: one for each channel, and for each thing that is waited for. */
#ifndef EDO_TESTS_STRESS_KINDS_H
#define EDO_TESTS_STRESS_KINDS_H

#include "stress.h"

extern const struct stress_kind stress_oneshot, stress_mpsc_bounded, stress_mpsc_unbounded,
    stress_broadcast, stress_watch, stress_async_bounded, stress_async_unbounded;

extern const struct stress_kind stress_semaphore, stress_mutex, stress_rwlock, stress_notify,
    stress_barrier, stress_once_cell, stress_set_once, stress_join_set;

/* Plants each fault that the kind must notice, in short runs. The fault that it did not notice; or
 * STRESS_NOTHING. */
enum stress_plant stress_overlooks(const struct stress_kind *kind, uint64_t seed);

/* The main of a soak: NULL ends the kinds. */
int stress_soak(int argc, char **argv, const struct stress_kind *const kinds[]);

#endif
