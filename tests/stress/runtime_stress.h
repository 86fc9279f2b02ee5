/* SPDX-License-Identifier: MIT */
/* The multi-thread runtime under stress: tasks that spawn, abort and join others, sleep, give way, block, talk over
 * channels and over loopback, hold locks, panic, at random, on more threads than there are cores; threads that
 * spawn and wait beside them. Round after round, each in a runtime of its own and of another shape, which ends
 * when all have ended, or at a random moment.
 *
 *     struct churn churn = {.seed = 1, .seconds = 10};
 *     if (!churn_play(&churn))
 *         puts(churn.complaint);
 *
 * After each round: every task ended once, as its join was told, and its FINALLY ran once; what was sent was
 * received or dropped; the census and the descriptors are as they were.
 */
#ifndef EDO_TESTS_RUNTIME_STRESS_H
#define EDO_TESTS_RUNTIME_STRESS_H

#include "stress.h"

struct churn {
    /* Given; zero is a default, or none. */
    uint64_t seed;
    double seconds;          /* at most */
    uint64_t limit;          /* rounds at most; neither: one */
    double stall;            /* seconds without a step until it is said to hang; 60 */
    uint32_t quota;          /* tasks of a round; 2,000 */
    bool ends;               /* each runtime is ended at a random moment, in one of three ways */
    enum stress_plant plant; /* a loss, a double, a leak: the checker must notice */
    /* Found. */
    uint64_t tasks, rounds, steps, connections, cancelled, panicked, blocked;
    double took;
    char complaint[512]; /* the first; "" when all is well */
};

/* True when there was nothing to complain of. A hang ends the program, with SIGABRT, having said who does what. */
bool churn_play(struct churn *churn);

#endif
