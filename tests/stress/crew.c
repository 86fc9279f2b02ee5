/* SPDX-License-Identifier: MIT */
/* Where actors run, and the watch over them. */
#include "stress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "internal/park.h"

enum { MOST_THREADS = 16 };
static const char AT_ITS_END[] = "at its end";

/* One thread: alone with an actor, or in a runtime with several, which are on its workers if it has some. */
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
    stress_step(&self->actor->life, AT_ITS_END);
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

static struct lone *lone_new(void)
{
    struct lone *lone = edo_malloc(sizeof *lone);
    edo_assert(lone != NULL);
    lone->waker.ops = &lone_ops;
    edo_init(&lone->refs, 1);
    pthread_mutex_init(&lone->mutex, NULL);
    pthread_cond_init(&lone->cond, NULL);
    lone->woken = false;
    return lone;
}

/* Now and then the future meets another waker, in a poll that nobody asked for. */
static void run_alone(struct edo_future *future, uint64_t *random)
{
    struct lone *lone = lone_new();
    for (;;) {
        struct edo_context cx;
        edo_context_init(&cx, &lone->waker);
        enum edo_poll poll = edo_future_poll(future, &cx);
        edo_assert(cx.panic.name == NULL);
        if (poll == EDO_READY)
            break;
        if (stress_random_(random, 8) == 0) {
            lone_drop(&lone->waker);
            lone = lone_new();
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
    if (seat->runtime == NULL)
        stress_step(&seat->actors[0]->life, AT_ITS_END);
    pthread_mutex_lock(&stress->mutex);
    if (--stress->running == 0)
        pthread_cond_signal(&stress->ended);
    pthread_mutex_unlock(&stress->mutex);
    return NULL;
}

/* Says who waits where, and ends the program: the threads cannot be ended. */
static _Noreturn void hangs(struct stress *stress, struct stress_actor *const *actors,
                            const struct seat *const *seats, unsigned count)
{
    fprintf(stderr, "%s, seed 0x%" PRIx64 ", round %" PRIu64 ": no step for %g s\n",
            stress->kind->name, stress->seed, stress->rounds, stress->stall);
    for (unsigned i = 0; i < count; i++)
        fprintf(stderr, "  actor %u, on a %s: %s, after %" PRIu64 " steps\n", i,
                seats[i]->runtime != NULL ? "runtime" : "thread",
                edo_load(&actors[i]->life.doing, relaxed),
                edo_load(&actors[i]->life.steps, relaxed));
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
        bool multi = stress_random(stress, 2) == 0;
        int error = edo_runtime_new(&seats[i].runtime,
                                    .flavor = multi ? EDO_MULTI_THREAD : EDO_CURRENT_THREAD,
                                    .worker_threads = 1 + stress_random(stress, 3),
                                    .event_interval = 1 + stress_random(stress, 61),
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
