/* SPDX-License-Identifier: MIT */
/* Rounds, the watch over them, and complaints. */
#include "stress.h"

#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "internal/park.h"

uint32_t stress_random_(uint64_t *state, uint32_t n)
{
    /* splitmix64 (Steele, Lea, Flood 2014). */
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((((z ^ (z >> 31)) >> 32) * n) >> 32);
}

void stress_life_init(struct stress_life *life, struct stress *stress)
{
    static const uint32_t odds[] = {2, 4, 16, 64, UINT32_MAX}, paces[] = {2, 8, 32, 128};
    *life = (struct stress_life){.stress = stress};
    life->random = (uint64_t)stress_random(stress, UINT32_MAX) << 32;
    life->odds = odds[stress_random(stress, sizeof odds / sizeof odds[0])];
    life->fickle = stress_random(stress, 3) == 0;
    life->pace = paces[stress_random(stress, sizeof paces / sizeof paces[0])];
    edo_init(&life->steps, 0);
    edo_init(&life->doing, "nothing yet");
}

bool stress_gives_up(struct stress_life *life)
{
    return life->fickle && stress_random(life, 64) == 0;
}

bool stress_lull_(struct stress_life *life)
{
    if (edo_load(&life->stress->lull, relaxed)) {
        sched_yield();
        return true;
    }
    bool begins = stress_random(life, 8192) == 0;
    if (begins)
        edo_store(&life->stress->lull, true, relaxed);
    return begins;
}

bool stress_lull_over_(struct stress_life *life)
{
    edo_store(&life->stress->lull, false, relaxed);
    return true;
}

bool stress_pauses(struct stress_life *life)
{
    if (stress_random(life, life->pace) != 0)
        return false;
    /* On a thread of its own nobody else would be let go. */
    if (stress_may_block())
        sched_yield();
    return true;
}

void stress_complain(struct stress *stress, const char *format, ...)
{
    pthread_mutex_lock(&stress->mutex);
    if (stress->complaint[0] == '\0') {
        va_list args;
        va_start(args, format);
        vsnprintf(stress->complaint, sizeof stress->complaint, format, args);
        va_end(args);
    }
    pthread_mutex_unlock(&stress->mutex);
}

bool stress_planted(struct stress *stress, enum stress_plant plant)
{
    if (stress->plant != plant)
        return false;
    pthread_mutex_lock(&stress->mutex);
    bool now = stress->fuse > 0 && --stress->fuse == 0;
    pthread_mutex_unlock(&stress->mutex);
    return now;
}

static void check_census(struct stress *stress, const struct edo_census *before)
{
    struct edo_census after = edo_census_now();
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        stress_expect(stress, after.live[i] == before->live[i],
                      "%s: %" PRId64 " before the round, %" PRId64 " after it", edo_census_name(i),
                      before->live[i], after.live[i]);
}

/* Now and then there is a crowd on either side: more than are woken at one go. */
static void gather(struct stress *stress, uint32_t quota)
{
    uint32_t crowd = stress_random(stress, 8);
    stress->producers = crowd == 0 ? STRESS_PRODUCERS : 8;
    stress->consumers = crowd == 1 ? STRESS_CONSUMERS : crowd == 0 ? 8 : 4;
    stress->actors = stress->producers + stress->consumers;
    stress->quota = crowd < 2 ? quota / 5 : quota;
}

bool stress_play(struct stress *stress)
{
    uint64_t start = edo_clock_ns();
    uint32_t quota = stress->quota > 0 ? stress->quota : 4000;
    stress->random = stress->seed;
    if (stress->stall <= 0)
        stress->stall = 60;
    stress->fuse = 40;
    edo_init(&stress->lull, false);
    pthread_mutex_init(&stress->mutex, NULL);
    pthread_cond_init(&stress->ended, NULL);
    do {
        struct edo_census before = edo_census_now();
        gather(stress, quota);
        stress->kind->round(stress);
        if (stress->plant == STRESS_LEAK)
            EDO_COUNT(BLOCKS, 1);
        check_census(stress, &before);
        stress->rounds++;
        stress->took = (double)(edo_clock_ns() - start) / 1e9;
    } while (stress->complaint[0] == '\0' && stress->sent < stress->messages &&
             (stress->seconds <= 0 || stress->took < stress->seconds));
    pthread_cond_destroy(&stress->ended);
    pthread_mutex_destroy(&stress->mutex);
    return stress->complaint[0] == '\0';
}

/* The crew: where actors run. */

enum { MOST_THREADS = 16 };

/* One thread: alone with an actor, or a runtime with several. */
struct seat {
    struct stress *stress;
    pthread_t thread;
    struct edo_runtime *runtime; /* NULL: alone */
    bool stable;                 /* alone: with stable wakers */
    uint64_t random;
    unsigned count;
    struct stress_actor *actors[STRESS_ACTORS];
};

/* A task that is an actor in somebody's frame. */
struct act {
    FUTURE(void);
    struct stress_actor *actor;
};

ASYNC(act)
{
    ASYNC_BEGIN;
    AWAIT_REF(*self->actor);
    ASYNC_END;
}

struct host {
    FUTURE(void);
    struct seat *seat;
    unsigned i;
    JOIN_HANDLE(void) handles[STRESS_ACTORS];
    struct edo_join join;
};

ASYNC(host)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < self->seat->count; self->i++)
        self->handles[self->i] = SPAWN(NEW(act, .actor = self->seat->actors[self->i]));
    for (self->i = 0; self->i < self->seat->count; self->i++) {
        AWAIT(self->join, edo_join(self->handles[self->i], NULL));
        stress_expect(self->seat->stress, self->join.output == 0, "an actor ended with %d",
                      self->join.output);
    }
    ASYNC_END;
}

/* An executor for one future whose wakers are cloned and dropped. */
struct lone {
    struct edo_waker waker;
    _Atomic(uint32_t) refs;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool woken;
};

static struct edo_waker *lone_clone(struct edo_waker *waker)
{
    edo_fetch_add(&((struct lone *)waker)->refs, 1, relaxed);
    return waker;
}

static void lone_drop(struct edo_waker *waker)
{
    struct lone *lone = (struct lone *)waker;
    if (edo_fetch_sub(&lone->refs, 1, acq_rel) != 1)
        return;
    pthread_cond_destroy(&lone->cond);
    pthread_mutex_destroy(&lone->mutex);
    edo_free(lone);
}

static void lone_wake(struct edo_waker *waker)
{
    struct lone *lone = (struct lone *)waker;
    pthread_mutex_lock(&lone->mutex);
    lone->woken = true;
    pthread_cond_signal(&lone->cond);
    pthread_mutex_unlock(&lone->mutex);
}

static const struct edo_waker_ops lone_ops = {
    .wake = lone_wake, .clone = lone_clone, .drop = lone_drop};

/* Each future now and then meets another waker, and a poll that nobody asked for. */
static void run_alone(struct edo_future *future, uint64_t *random)
{
    struct lone *lone = NULL;
    for (;;) {
        if (lone == NULL) {
            lone = edo_malloc(sizeof *lone);
            edo_assert(lone != NULL);
            lone->waker.ops = &lone_ops;
            edo_init(&lone->refs, 1);
            pthread_mutex_init(&lone->mutex, NULL);
            pthread_cond_init(&lone->cond, NULL);
            lone->woken = false;
        }
        struct edo_context cx;
        edo_context_init(&cx, &lone->waker);
        enum edo_poll poll = edo_future_poll(future, &cx);
        edo_assert(cx.panic.name == NULL);
        if (poll == EDO_READY)
            break;
        if (stress_random_(random, 8) == 0) {
            lone_drop(&lone->waker);
            lone = NULL;
            continue;
        }
        pthread_mutex_lock(&lone->mutex);
        while (!lone->woken)
            pthread_cond_wait(&lone->cond, &lone->mutex);
        lone->woken = false;
        pthread_mutex_unlock(&lone->mutex);
    }
    lone_drop(&lone->waker);
}

static void *sit(void *arg)
{
    struct seat *seat = arg;
    struct stress *stress = seat->stress;
    if (seat->runtime != NULL) {
        struct host host = NEW(host, .seat = seat);
        int error = edo_block_on(seat->runtime, &host);
        stress_expect(stress, error == 0, "edo_block_on: %d", error);
        edo_runtime_drop(seat->runtime);
    } else if (seat->stable) {
        int error = edo_park_on(&seat->actors[0]->future_);
        stress_expect(stress, error == 0, "edo_park_on: %d", error);
    } else {
        run_alone(&seat->actors[0]->future_, &seat->random);
    }
    pthread_mutex_lock(&stress->mutex);
    if (--stress->running == 0)
        pthread_cond_signal(&stress->ended);
    pthread_mutex_unlock(&stress->mutex);
    return NULL;
}

/* So that nothing else is open to doubt: the report goes to stderr as it is made. */
static _Noreturn void hangs(struct stress *stress, struct stress_actor *const *actors,
                            const struct seat *const *seats, unsigned count)
{
    fprintf(stderr, "%s, seed 0x%" PRIx64 ", round %" PRIu64 ": no step for %g s\n",
            stress->kind->name, stress->seed, stress->rounds, stress->stall);
    for (unsigned i = 0; i < count; i++) {
        const char *where = "at its end";
        if (!edo_future_done(&actors[i]->future_))
            where = seats[i]->runtime != NULL ? "on a runtime" : "on a thread";
        fprintf(stderr, "  actor %u: %s, after %" PRIu64 " steps, %s\n", i,
                edo_load(&actors[i]->life.doing, relaxed),
                edo_load(&actors[i]->life.steps, relaxed), where);
    }
    abort();
}

/* Waits until all have ended, and meanwhile looks whether they get on. */
static void watch(struct stress *stress, struct stress_actor *const *actors,
                  const struct seat *const *seats, unsigned count)
{
    uint64_t last = 0, since = edo_clock_ns();
    pthread_mutex_lock(&stress->mutex);
    while (stress->running > 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&stress->ended, &stress->mutex, &until);
        uint64_t steps = 0;
        for (unsigned i = 0; i < count; i++)
            steps += edo_load(&actors[i]->life.steps, relaxed);
        if (steps != last)
            since = edo_clock_ns();
        else if (edo_clock_ns() - since > (uint64_t)(stress->stall * 1e9) && stress->running > 0)
            hangs(stress, actors, seats, count);
        last = steps;
    }
    pthread_mutex_unlock(&stress->mutex);
}

static void take_seat(struct seat *seat, struct stress *stress)
{
    *seat = (struct seat){.stress = stress, .stable = stress_random(stress, 2) == 0};
    seat->random = stress_random(stress, UINT32_MAX);
}

void stress_run(struct stress *stress, struct stress_actor *const *actors, unsigned count)
{
    struct seat seats[MOST_THREADS];
    const struct seat *of[STRESS_ACTORS];
    unsigned used = stress->runtimes = 1 + stress_random(stress, STRESS_RUNTIMES);
    /* So many of four actors have a thread of their own. Mostly few: then more gets done. */
    static const uint32_t alones[] = {0, 0, 0, 1, 1, 1, 2, 4};
    uint32_t alone = alones[stress_random(stress, sizeof alones / sizeof alones[0])];
    edo_assert(count <= STRESS_ACTORS);
    for (unsigned i = 0; i < stress->runtimes; i++) {
        take_seat(&seats[i], stress);
        int error =
            edo_runtime_new(&seats[i].runtime, .event_interval = 1 + stress_random(stress, 61),
                            .global_queue_interval = 1 + stress_random(stress, 31));
        edo_assert(error == 0);
        stress->handles[i] = edo_handle_clone(edo_runtime_handle(seats[i].runtime));
    }
    for (unsigned i = 0; i < count; i++) {
        struct seat *seat = &seats[stress_random(stress, stress->runtimes)];
        if (stress_random(stress, 4) < alone && used < MOST_THREADS)
            take_seat(seat = &seats[used++], stress);
        seat->actors[seat->count++] = actors[i];
        of[i] = seat;
    }
    stress->running = used;
    for (unsigned i = 0; i < used; i++) {
        int error = pthread_create(&seats[i].thread, NULL, sit, &seats[i]);
        edo_assert(error == 0);
    }
    watch(stress, actors, of, count);
    for (unsigned i = 0; i < used; i++)
        pthread_join(seats[i].thread, NULL);
    for (unsigned i = 0; i < stress->runtimes; i++)
        edo_handle_drop(stress->handles[i]);
    for (unsigned i = 0; i < count; i++)
        stress->cancelled += actors[i]->life.cancelled;
}
