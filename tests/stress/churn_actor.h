/* SPDX-License-Identifier: MIT */
/* A task of a round: it does this and that, at random, and makes others. */
#ifndef EDO_TESTS_CHURN_ACTOR_H
#define EDO_TESTS_CHURN_ACTOR_H

#include "churn_talk.h"

enum { CHURN_CHILDREN = 4 };

struct churn_actor {
    FUTURE(uint64_t);
    struct churn_round *round;
    uint64_t random;
    uint32_t id, depth, steps, i, dice;
    bool doomed, holds, half;
    int result, got;
    uint64_t value;
    struct churn_parcel parcel;
    JOIN_HANDLE(uint64_t) children[CHURN_CHILDREN];
    uint32_t ids[CHURN_CHILDREN];
    JOIN_HANDLE(int) work;
    struct edo_mutex_guard guard;
    struct edo_permit permit;
    union {
        struct edo_async_send send;
        struct edo_async_recv recv;
    };
    union {
        struct edo_sleep sleep;
        struct edo_timeout timeout;
        struct edo_join join;
        struct edo_mutex_lock lock;
        struct edo_semaphore_acquire acquire;
        struct churn_talk talk;
    };
};
ASYNC_DECLARE(churn_actor);

/* To be spawned; its number is one that was conceived. `depth`: 0, or one more than that of whoever makes it. */
struct churn_actor churn_actor(struct churn_round *round, uint32_t id, uint32_t depth,
                               uint64_t random);

#endif
