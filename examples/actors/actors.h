/* SPDX-License-Identifier: MIT */
/* Actors: a task that owns its state and takes messages from a channel, and a handle by which others
 * send them. Nobody else touches the state, so nothing is locked. What varies has a file each; to be
 * read in this order:
 *
 *     replies.c         calls that are answered: a oneshot sender goes with the message
 *     no_replies.c      calls that do not wait: the caller is told when the channel is full
 *     two_handles.c     handles of two kinds to one actor, each for what its owner may do
 *     shared_handle.c   a handle that is cloned; the actor's own is weak, or it would never end
 *     peers.c           actors that have handles of each other, and a token that ends them
 *     cycle.c           channels in a circle: the one that gets stuck, and three that do not
 *
 * All of them end in one way: the actor's loop ends when its channel says so, or a token; it cleans up
 * in its FINALLY; and who started it may join its task.
 */
#ifndef EXAMPLES_ACTORS_H
#define EXAMPLES_ACTORS_H

#include "edo.h"

/* Each spawns the task that plays the scene; its output is 0, or what went wrong. */
JOIN_HANDLE(int) play_replies(void);
JOIN_HANDLE(int) play_no_replies(void);
JOIN_HANDLE(int) play_two_handles(void);
JOIN_HANDLE(int) play_shared_handle(void);
JOIN_HANDLE(int) play_peers(void);
JOIN_HANDLE(int) play_cycle(void);

#endif
