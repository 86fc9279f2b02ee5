/* SPDX-License-Identifier: MIT */
/* Barrier: nobody passes before n have come.
 *
 *     struct edo_barrier loaded;                       edo_barrier_init(&loaded, WORKERS)
 *
 *     load_my_part(self);                              in each of the workers
 *     AWAIT(self->wait, edo_barrier_wait(&loaded));
 *     if (self->wait.output)
 *         puts("all parts are loaded");                one of them says so
 *
 * Those who come make up a round; when its n-th comes, all of it passes, and the next round begins.
 * Whoever passes sees what the others of its round wrote before they came.
 */
#ifndef EDO_SYNC_BARRIER_H
#define EDO_SYNC_BARRIER_H

#include "../future.h"
#include "../internal/lock.h"
#include "../internal/row.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Stays where it is from edo_barrier_init to edo_barrier_destroy, and outlives the futures made of it:
 * who has passed knows that the others have come, not that they are gone. */
struct edo_barrier {
    struct edo_lock lock_;
    struct edo_list waiters_; /* of this round */
    size_t n_, arrived_;
};

/* For n in each round; 0 is the same as 1, which keeps nobody waiting. */
void edo_barrier_init(struct edo_barrier *barrier, size_t n);

/* Nobody waits any more. */
void edo_barrier_destroy(struct edo_barrier *barrier);

/* edo_barrier_wait(&barrier): a future that is ready when n have come; it comes with its first poll. The
 * output is true for one in each round, the leader: the one that came last. From any thread and any
 * executor; allocates nothing, and does not fail.
 * Not cancel safe: dropped after its first poll, it has come all the same: the round counts it, and passes
 * without it. Made and awaited anew, it comes a second time. */
struct edo_barrier_wait {
    EDO_FUTURE(bool);
    struct edo_barrier *barrier;
    struct edo_waiter waiter;
    bool released;
};
struct edo_barrier_wait edo_barrier_wait(struct edo_barrier *barrier);

#ifdef __cplusplus
}
#endif

#endif
