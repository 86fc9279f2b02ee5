/* SPDX-License-Identifier: MIT */
/* An attempt: an operation that is perhaps cancelled.
 *
 *     self->send = edo_mpsc_send(self->tx, &self->message);
 *     AWAIT(self->attempt, stress_attempt(&self->life, &self->send));
 *     if (!self->attempt.output)
 *         …                                it was dropped at some point, and is made anew
 */
#ifndef EDO_TESTS_STRESS_ATTEMPT_H
#define EDO_TESTS_STRESS_ATTEMPT_H

#include "stress.h"

/* Waits for a number of polls of its own making. */
struct stress_yields {
    FUTURE(void);
    unsigned left;
};

enum stress_way {
    STRESS_TO_THE_END, /* not cancelled */
    STRESS_BY_HAND,    /* polled so many times, perhaps none, and dropped */
    STRESS_BY_SELECT,  /* loses a SELECT against so many yields */
    STRESS_BY_TIMEOUT, /* of no time; on a runtime */
    STRESS_BY_ABORT,   /* of a task that polls it, on any of the runtimes */
    STRESS_BY_MOVE,    /* polled here, then by such a task, to its end */
};

/* Ready with the child; or when it has been dropped, which is counted. The output tells: true, it is
 * done. Which of the ways is chosen when it is made. Dropped, it drops the child. */
struct stress_attempt {
    FUTURE(bool);
    enum stress_way way;
    unsigned left;
    struct edo_future *child;
    struct stress_life *life;
    struct edo_handle *where;
    JOIN_HANDLE(void) handle;
    union {
        struct stress_yields yields;
        struct edo_timeout timeout;
        struct edo_join join;
    };
};

/* stress_attempt(&self->life, &self->child); stress_brief: one that certainly comes to an end. */
#define stress_attempt(life, child) stress_attempt_((life), &(child)->future_, false)
#define stress_brief(life, child)   stress_attempt_((life), &(child)->future_, true)
struct stress_attempt stress_attempt_(struct stress_life *life, struct edo_future *child,
                                      bool brief);

#endif
