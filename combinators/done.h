/* SPDX-License-Identifier: MIT */
/* Futures that are polled again although they may be done.
 *
 * Every future's head says whether it is done, and its output stays where it is. So what other libraries
 * have combinators for is mostly there:
 *
 *     is_terminated                edo_is_terminated(&self->child): it has completed, or was dropped
 *     fuse, in a loop of selects   WHEN_REF(self->child): a branch that is off when it is done
 *     maybe_done, its output       AWAIT_REF(self->child), JOIN(&self->child, …): what is done is not
 *                                  polled; self->child.output, as often as wanted
 *     a future, or none            a zeroed place: DROP does nothing, WHEN_IF(condition, …) is off
 *
 * What remains is for poll functions written by hand (and edo_poll_with), where edo_future_poll must not
 * be called for what is done:
 *
 *     if (edo_fuse(&self->stop, cx) == EDO_READY)
 *         self->stopping = true;                          this happens once
 *     return edo_maybe_done(&self->work, cx);
 *
 * Whoever polls so drops the child in the drop walk, with edo_future_drop, as ever. */
#ifndef EDO_COMBINATORS_DONE_H
#define EDO_COMBINATORS_DONE_H

#include "child.h"

/* Whether it has completed, or was dropped. */
#define edo_is_terminated(child) edo_future_done(&(child)->future_)

/* Polls it: EDO_READY once, when it completes; after that, and when it was dropped, it is pending for
 * ever, and wakes nobody. */
#define edo_fuse(child, cx) edo_fuse_(&(child)->future_, (cx))

/* Polls it until it completes; EDO_READY from then on, its output in it. Also when it was dropped: then
 * there is no output. */
#define edo_maybe_done(child, cx) edo_child_poll_(&(child)->future_, (cx))

/* Behind the macros. */
static inline enum edo_poll edo_fuse_(struct edo_future *child, struct edo_context *cx)
{
    return edo_future_done(child) ? EDO_PENDING : edo_future_poll(child, cx);
}

#endif
