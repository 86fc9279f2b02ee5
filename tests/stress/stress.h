/* SPDX-License-Identifier: MIT */
/* Stress: a channel or a lock is used by many at once, cancelled at random, round after round, and
 * after each round the books must balance.
 *
 *     struct stress stress = {.kind = &stress_mpsc_bounded, .seed = 1, .messages = 10000000};
 *     if (!stress_play(&stress))
 *         puts(stress.complaint);
 *
 * A kind's round makes the thing anew, with another shape each time, and has its actors, which are
 * futures, run to their ends: as tasks of runtimes of either flavor on several threads, and on plain
 * threads, there with edo_park_on, which is what blocking calls use, or with an executor whose wakers
 * are counted and not stable. An actor performs its operations as attempts: one in so many is cancelled
 * at a random point, in one of several ways, and tried again.
 *
 * What is random follows from the seed; which thread comes first does not. tests/soak/ runs it for
 * long, tests/ for a second.
 */
#ifndef EDO_TESTS_STRESS_H
#define EDO_TESTS_STRESS_H

#include <pthread.h>

#include "edo.h"
#include "internal/sys.h"

/* At most. Mostly there are eight producers and four consumers; or twelve, where nobody is either. */
enum { STRESS_PRODUCERS = 40, STRESS_CONSUMERS = 40, STRESS_ACTORS = 48, STRESS_RUNTIMES = 3 };

/* Faults to plant between what is tested and the checker, which must notice. */
enum stress_plant {
    STRESS_NOTHING,
    STRESS_LOSS,    /* one is left out of the books */
    STRESS_DOUBLE,  /* one is in them twice */
    STRESS_REORDER, /* two change places */
    STRESS_TORN,    /* one is not as it was written */
    STRESS_STALL,   /* somebody waits for ever */
    STRESS_LEAK,    /* some memory is not given back */
    STRESS_PLANTS
};

struct stress;

struct stress_kind {
    const char *name;
    const char *unit; /* of what is counted */
    void (*round)(struct stress *stress);
    int variant;
    unsigned plants; /* 1 << plant, for those that it must notice */
};

struct stress {
    /* Given; zero is a default, or none. */
    const struct stress_kind *kind;
    uint64_t seed;
    uint64_t messages; /* to go to */
    double seconds;    /* at most; 0: as long as it takes */
    double stall;      /* seconds without a step until it is said to hang; 60 */
    uint32_t quota;    /* of a producer in a round; 4000, and less in a crowd */
    enum stress_plant plant;
    /* Found. */
    uint64_t sent, received, dropped, cancelled, rounds;
    _Atomic(uint64_t) returned;
    double took;
    char complaint[512]; /* the first; "" when all is well */
    /* Its own. */
    uint64_t random;
    uint32_t producers, consumers, actors;       /* in this round */
    struct edo_handle *handles[STRESS_RUNTIMES]; /* of this round */
    unsigned runtimes;
    pthread_mutex_t mutex; /* of the complaint, the fuse, and `running` */
    pthread_cond_t ended;
    unsigned running, fuse;
    _Atomic(bool) lull;
};

/* Plays rounds. True when there was nothing to complain of. A hang ends the program, with SIGABRT, having
 * said who waits where. */
bool stress_play(struct stress *stress);

/* What follows is for kinds. */

/* The head of every actor, after its output. */
struct stress_life {
    struct stress *stress;
    uint64_t random;
    uint32_t odds; /* one attempt in so many is cancelled */
    uint32_t pace; /* after one step in so many it lets others go first */
    bool fickle;   /* gives up some time */
    uint64_t cancelled;
    _Atomic(uint64_t) steps;
    _Atomic(const char *) doing;
};
#define STRESS_ACTOR \
    FUTURE(void);    \
    struct stress_life life
struct stress_actor {
    STRESS_ACTOR;
};

void stress_life_init(struct stress_life *life, struct stress *stress);

/* A number below n, which is not 0. */
uint32_t stress_random_(uint64_t *state, uint32_t n);
#define stress_random(owner, n) stress_random_(&(owner)->random, (n))

/* Says what an actor is about to do, for the report of a hang; and that it gets on. */
static inline void stress_step(struct stress_life *life, const char *doing)
{
    edo_store(&life->doing, doing, relaxed);
    edo_store(&life->steps, edo_load(&life->steps, relaxed) + 1, relaxed);
}

/* Whether it lets others go first, now: what it then does is YIELD_NOW. */
bool stress_pauses(struct stress_life *life);

/* Lulls: now and then a producer has all of them wait until nothing is under way any more, since another's
 * next operation would hide that somebody was not woken for the last. Each asks between its operations:
 *     while (stress_lulls(&self->life, nothing is under way))
 *         YIELD_NOW();
 * That is no step: a lull that does not end is a hang. */
#define stress_lulls(life, quiet) (stress_lull_(life) && !((quiet) && stress_lull_over_(life)))
bool stress_lull_(struct stress_life *life);
bool stress_lull_over_(struct stress_life *life);

/* Whether it ends for good, after an attempt that was cancelled: a third of those do that may. What it leaves
 * undone, nobody but the others can put right. */
bool stress_gives_up(struct stress_life *life);

/* Whether an actor runs where it may block: on a thread of its own. */
static inline bool stress_may_block(void)
{
    return edo_handle_current() == NULL;
}

/* Runs the actors, somewhere, and returns when all have ended. */
void stress_run(struct stress *stress, struct stress_actor *const *actors, unsigned count);

/* Complains. Any thread. */
void stress_complain(struct stress *stress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define stress_expect(stress, condition, ...) \
    ((condition) ? (void)0 : stress_complain((stress), __VA_ARGS__))

/* True once in a run that plants this, not at once. Any thread. */
bool stress_planted(struct stress *stress, enum stress_plant plant);

#endif
