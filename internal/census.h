/* SPDX-License-Identifier: MIT */
/* Counts what is alive, so that a test can compare its end with its start.
 *
 * Counters are relaxed atomics: they are statistics, and publish nothing. They are kept where the
 * library is built with EDO_CENSUS (the test builds); a release build does not count.
 */
#ifndef EDO_INTERNAL_CENSUS_H
#define EDO_INTERNAL_CENSUS_H

#include <stdint.h>

enum edo_census_kind {
    EDO_CENSUS_BYTES,         /* allocated through edo_malloc and not freed */
    EDO_CENSUS_BLOCKS,        /* the same, in blocks */
    EDO_CENSUS_TASKS,         /* tasks whose memory is alive */
    EDO_CENSUS_FUTURES,       /* futures polled and neither done nor dropped (EDO_DEBUG code) */
    EDO_CENSUS_WAKERS,        /* clones of wakers of ours */
    EDO_CENSUS_TIMERS,        /* timers in a wheel */
    EDO_CENSUS_REGISTRATIONS, /* descriptors known to a driver */
    EDO_CENSUS_FDS,           /* descriptors opened or adopted by us */
    EDO_CENSUS_RUNTIMES,      /* runtimes, and what remains of them for their handles */
    EDO_CENSUS_KINDS
};

struct edo_census {
    int64_t live[EDO_CENSUS_KINDS];
};

/* Adds n (may be negative) to a counter. Any thread. Always there; does nothing in release. */
void edo_census_add(enum edo_census_kind kind, int64_t n);

/* The counters now; all zero in a release build. Any thread. */
struct edo_census edo_census_now(void);

/* The counter's name, for a report. */
const char *edo_census_name(enum edo_census_kind kind);

#ifdef EDO_CENSUS
#define EDO_COUNT(kind, n) edo_census_add(EDO_CENSUS_##kind, (n))
#else
#define EDO_COUNT(kind, n) ((void)0)
#endif

#endif
