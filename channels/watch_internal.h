/* SPDX-License-Identifier: MIT */
/* What watch.c, watch_send.c and watch_recv.c share: the channel.
 *
 * The value is in a counted snapshot, of which the channel has one reference and each borrower another.
 * References are taken under the lock, and given up without it: a snapshot that has but the channel's is
 * nobody's else while the lock is held, and a plain value is then written over in place.
 *
 * The version counts the values, from 1, two by two; its lowest bit says that no sender is left. A
 * receiver remembers the one it has seen, and compares without the lock: while it has seen the last, and
 * is not to wait, that is all.
 */
#ifndef EDO_CHANNELS_WATCH_INTERNAL_H
#define EDO_CHANNELS_WATCH_INTERNAL_H

#include "../internal/copy.h"
#include "../internal/sys.h"
#include "../internal/waiter.h"
#include "watch.h"

enum { EDO_WATCH_ENDED = 1, EDO_WATCH_ONE = 2 }; /* bit and unit of the version */

struct edo_watch_snapshot {
    _Atomic(size_t) refs;
    max_align_t value[];
};

struct edo_watch_ {
    struct edo_lock lock;
    /* Under the lock, with the rows. */
    struct edo_list waiting;  /* receivers' futures */
    struct edo_list watching; /* futures of edo_watch_closed */
    struct edo_watch_snapshot *snapshot;
    size_t senders, receivers, handles;
    /* Written under the lock. Release: what the sender did before. */
    _Atomic(uint64_t) version;
    /* Constant. */
    size_t size;
    void (*clone)(const void *, void *);
    void (*drop)(void *);
};

struct edo_watch_receiver {
    struct edo_watch_ *channel;
    uint64_t seen; /* version, without the bit */
};

/* A snapshot of this value, or NULL. */
struct edo_watch_snapshot *edo_watch_snapshot_new(struct edo_watch_ *channel, const void *value);

/* Gives a reference up; the last drops the value. Not under the lock. NULL is fine. */
void edo_watch_unref(struct edo_watch_ *channel, struct edo_watch_snapshot *snapshot);

/* With the lock, which it lets go: a handle less; the last frees the channel. */
void edo_watch_put(struct edo_watch_ *channel);

#endif
