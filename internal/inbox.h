/* SPDX-License-Identifier: MIT */
/* An inbox: any thread puts something in, one at a time takes all out, and waits when there is nothing.
 *
 * A Treiber stack that is only pushed to and taken whole, so there is no ABA, and its one word is also where
 * the taker leaves a waker.
 *
 *  1. A push puts a node on top. What was there before tells the rest: a waker, that the taker waits; this
 *     push, the only one to have taken it out, wakes it and drops it. Or that the inbox is closed: nothing is
 *     pushed.
 *  2. The taker waits by putting a clone of its waker where there was nothing. Where it finds a node instead it
 *     goes on; where it finds a waker, it has not been woken, and leaves or replaces it.
 *  3. What a push has put in may be taken and freed at once: the push does not touch it any more, nor the inbox.
 *     One that finds it closed does not touch the inbox any more either, but has until then: who frees an inbox
 *     knows that no push is under way.
 */
#ifndef EDO_INTERNAL_INBOX_H
#define EDO_INTERNAL_INBOX_H

#include "../poll.h"

/* In what is put in. Who pushes writes it, then who takes. */
struct edo_inbox_node {
    struct edo_inbox_node *next;
};

struct edo_inbox {
    uintptr_t word_; /* the last node; a waker, with its lowest bit set; closed; or 0 */
};

/* An empty one. It needs no end. */
void edo_inbox_init(struct edo_inbox *inbox);

/* Puts a node in, which is in none. False: closed. What was done before is seen by who takes it. Any thread. */
bool edo_inbox_push(struct edo_inbox *inbox, struct edo_inbox_node *node);

/* What follows is for one thread at a time. */

/* Takes all: the first that was put in, with the others behind it; NULL when there is none. */
struct edo_inbox_node *edo_inbox_take(struct edo_inbox *inbox);

/* The same, and nothing is put in any more; pushes that find it so see what was done before. A waker that
 * waits is the caller's then, or NULL. */
struct edo_inbox_node *edo_inbox_close(struct edo_inbox *inbox, struct edo_waker **waiting);

/* True: the waker is woken by the next push. False: something was put in meanwhile. */
bool edo_inbox_wait(struct edo_inbox *inbox, struct edo_waker *waker);

#endif
