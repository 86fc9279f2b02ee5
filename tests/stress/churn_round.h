/* SPDX-License-Identifier: MIT */
/* A round of runtime_stress.h: one runtime, what its tasks share, and the books that are kept of them. */
#ifndef EDO_TESTS_CHURN_ROUND_H
#define EDO_TESTS_CHURN_ROUND_H

#include "runtime_stress.h"

enum { CHURN_PERMITS = 3, CHURN_TARGETS = 8 };

/* What is known of a task that was made. */
struct churn_life {
    _Atomic(uint32_t) finally, returned; /* how often */
    _Atomic(bool) begun, aborted, panics;
    _Atomic(const char *) doing;
};

struct churn_target {
    struct edo_abort_handle *handle;
    uint32_t id;
};

/* One runtime, and what its tasks share. */
struct churn_round {
    struct churn *churn;
    struct edo_handle *handle;
    _Atomic(bool) ending;       /* whoever has not ended by now may be cancelled */
    _Atomic(bool) outside_over; /* nobody spawns from outside any more */
    _Atomic(uint32_t) made, ended;
    _Atomic(uint64_t) steps, sent, received, dropped, connections, cancelled, panicked, blocked;
    _Atomic(uint64_t) spawned, terminated; /* as the hooks tell */
    _Atomic(int) plant;                    /* how many still */
    struct churn_life *lives;
    uint32_t quota;
    struct edo_mutex mutex;
    uint64_t plain[2]; /* both the same, guarded by the mutex */
    struct edo_semaphore semaphore;
    _Atomic(uint32_t) holders;
    ASYNC_SENDER(struct churn_parcel) tx;
    ASYNC_RECEIVER(struct churn_parcel) rx;
    struct edo_addr addr;
    JOIN_HANDLE(void) server;
    /* The watch: a thread that looks whether there are steps. */
    pthread_mutex_t watch;
    pthread_cond_t over;
    bool is_over;
    pthread_mutex_t complaints; /* of those, and of the targets */
    struct churn_target targets[CHURN_TARGETS];
};

struct churn_parcel {
    struct churn_round *round;
    uint64_t number, check;
};

void churn_round_init(struct churn_round *round, struct churn *churn);
void churn_round_free(struct churn_round *round);

/* The first is kept. */
void churn_complain(struct churn_round *round, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define EXPECT(round, condition, ...) ((condition) ? (void)0 : churn_complain((round), __VA_ARGS__))

/* Whether this is the moment for the fault that is to be noticed. */
static inline bool churn_planted(struct churn_round *round, enum stress_plant plant)
{
    return round->churn->plant == plant && edo_fetch_sub(&round->plant, 1, relaxed) == 1;
}

static inline uint64_t churn_output_of(uint32_t id)
{
    return id * 0x9e3779b97f4a7c15u | 1;
}

/* The number of a task that is to be made. False: the round has had its tasks. */
bool churn_conceive(struct churn_round *round, uint32_t *id);

void churn_abort(struct churn_round *round, uint32_t id, JOIN_HANDLE(uint64_t) handle);

/* What a join of a task says must be what it did. */
void churn_check_join(struct churn_round *round, uint32_t id, int error, uint64_t output);

/* When all have ended. */
void churn_check_lives(struct churn_round *round);

struct churn_parcel churn_parcel(struct churn_round *round, uint64_t number);
void churn_got(struct churn_round *round, const struct churn_parcel *parcel);

#endif
