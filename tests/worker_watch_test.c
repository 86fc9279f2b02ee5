/* SPDX-License-Identifier: MIT */
/* A worker that is in a long poll, and the one that looks after it. */
#include "poll_harness.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edo.h"
#include "internal/sys.h"
#include "runtime/registration_internal.h"

enum { SLEEPERS = 256, BURST = 250, ROUNDS = 10, NS_PER_MS = 1000000, LONG_MS = 40 };

/* What the tasks of one round have done. */
struct round {
    _Atomic(bool) held, release;
    _Atomic(unsigned) armed, woken, ran;
    uint64_t until;
};

/* Keeps its worker from stealing. */
struct hold {
    FUTURE(void);
    struct round *round;
};

ASYNC(hold)
{
    ASYNC_BEGIN;
    edo_store(&self->round->held, true, release);
    while (!edo_load(&self->round->release, acquire))
        ;
    ASYNC_END;
}

struct sleeper {
    FUTURE(void);
    struct round *round;
    struct edo_sleep sleep;
};

ASYNC(sleeper)
{
    ASYNC_BEGIN;
    edo_fetch_add(&self->round->armed, 1, relaxed);
    AWAIT(self->sleep, edo_sleep_until(self->round->until));
    edo_fetch_add(&self->round->woken, 1, relaxed);
    ASYNC_END;
}

struct short_one {
    FUTURE(void);
    struct round *round;
};

ASYNC(short_one)
{
    ASYNC_BEGIN;
    edo_fetch_add(&self->round->ran, 1, relaxed);
    ASYNC_END;
}

/* Timers of this worker's loop are due while it is in a long poll and has a long queue: another is to turn the
 * loop and to steal from the queue. Both are more than half of what fits in a queue. */
struct stuck {
    FUTURE(void);
    struct round *round;
};

ASYNC(stuck)
{
    ASYNC_BEGIN;
    self->round->until = (edo_now() / NS_PER_MS + LONG_MS) * NS_PER_MS;
    for (int i = 0; i < SLEEPERS; i++)
        edo_task_detach(SPAWN(NEW(sleeper, .round = self->round)));
    while (edo_load(&self->round->armed, relaxed) < SLEEPERS)
        YIELD_NOW();
    edo_store(&self->round->release, true, release);
    /* Timers are due at whole ms, at which the other may wake by itself. Here this worker wakes it. */
    while (edo_now() < self->round->until + NS_PER_MS / 3)
        ;
    for (int i = 0; i < BURST; i++)
        edo_task_detach(SPAWN(NEW(short_one, .round = self->round)));
    for (uint64_t end = edo_now() + LONG_MS * NS_PER_MS; edo_now() < end;)
        ;
    ASYNC_END;
}

struct play {
    FUTURE(void);
    struct round *round;
    JOIN_HANDLE(void) hold, stuck;
    struct edo_join join;
};

ASYNC(play)
{
    ASYNC_BEGIN;
    self->hold = SPAWN(NEW(hold, .round = self->round));
    while (!edo_load(&self->round->held, acquire))
        YIELD_NOW();
    self->stuck = SPAWN(NEW(stuck, .round = self->round));
    AWAIT(self->join, edo_join(self->hold, NULL));
    AWAIT(self->join, edo_join(self->stuck, NULL));
    while (edo_load(&self->round->woken, relaxed) < SLEEPERS ||
           edo_load(&self->round->ran, relaxed) < BURST)
        YIELD_NOW();
    ASYNC_END;
}

Test(worker_watch, what_a_stuck_workers_loop_wakes_and_what_it_spawned_run_once)
{
    struct bench bench;
    bench_begin(&bench);
    for (int i = 0; i < ROUNDS; i++) {
        struct edo_runtime *runtime;
        struct round round = {.until = 0};
        cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 2), 0);
        struct play play = NEW(play, .round = &round);
        cr_assert_eq(edo_block_on(runtime, &play), 0);
        edo_runtime_drop(runtime);
        cr_assert_eq(edo_load(&round.woken, relaxed), SLEEPERS);
        cr_assert_eq(edo_load(&round.ran, relaxed), BURST);
    }
    bench_end(&bench);
}

/* ---- Who is late ---- */

enum { WORKERS_STUCK = 2, TIMERS = 20000, RINGS = 20, TICKS_MAX = 10 };
/* Until then their loops have something to do whenever they are looked at. */
static const uint64_t GIVE_UP = TIMERS * (uint64_t)NS_PER_MS;

/* A task that counts how often it is polled, and whose waker others may use. */
struct bell {
    _Atomic(struct edo_waker *) waker;
    _Atomic(unsigned) rings;
    _Atomic(bool) stop;
};

struct rings {
    FUTURE(void);
    struct bell *bell;
};

static enum edo_poll rings_poll(struct edo_future *future, struct edo_context *cx)
{
    struct bell *bell = ((struct rings *)future)->bell;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "rings");
    if (edo_load(&bell->waker, relaxed) == NULL)
        edo_store(&bell->waker, cx->waker, release);
    else
        edo_fetch_add(&bell->rings, 1, relaxed);
    return edo_load(&bell->stop, relaxed) ? EDO_READY : EDO_PENDING;
}

/* What is stuck has timers on its worker's wheel, one due every ms. */
struct scene {
    struct bell bells[WORKERS_STUCK];
    unsigned stuck, timers;
    _Atomic(unsigned) begun;
    _Atomic(uint64_t) due;
    unsigned late;
    struct edo_sleep sleeps[WORKERS_STUCK][TIMERS];
};

static bool all_rang(struct scene *scene, unsigned least)
{
    for (unsigned i = 0; i < scene->stuck; i++)
        if (edo_load(&scene->bells[i].rings, relaxed) < least)
            return false;
    return true;
}

struct arms_and_spins {
    FUTURE(bool);
    struct scene *scene;
};

static void drop_all(struct scene *scene, unsigned mine, struct edo_context *cx)
{
    for (unsigned i = 0; i < scene->timers; i++)
        edo_future_drop(&scene->sleeps[mine][i].future_, cx);
}

/* False: it took so long that the first were due, and nothing is armed. */
static bool arm_all(struct scene *scene, unsigned mine, struct edo_context *cx, uint64_t due)
{
    for (unsigned i = 0; i < scene->timers; i++) {
        cx->budget = EDO_BUDGET;
        scene->sleeps[mine][i] = edo_sleep_until(due + i * (uint64_t)NS_PER_MS);
        enum edo_poll poll = edo_future_poll(&scene->sleeps[mine][i].future_, cx);
        cr_assert(poll == EDO_PENDING || edo_now() >= due, "timer %u", i);
    }
    if (edo_now() < due)
        return true;
    drop_all(scene, mine, cx);
    return false;
}

ASYNC(arms_and_spins)
{
    ASYNC_BEGIN;
    struct scene *scene = self->scene;
    unsigned mine = edo_fetch_add(&scene->begun, 1, acq_rel);
    struct edo_context cx;
    edo_context_init(&cx, edo_load(&scene->bells[mine].waker, acquire));
    uint64_t due, ms = LONG_MS;
    do {
        due = (edo_now() / NS_PER_MS + ms) * NS_PER_MS;
        ms *= 2;
    } while (!arm_all(scene, mine, &cx, due));
    uint64_t end = due + GIVE_UP;
    edo_store(&scene->due, due, relaxed);
    unsigned least = scene->timers < RINGS ? scene->timers : RINGS;
    while (!all_rang(scene, least) && edo_now() < end)
        ;
    bool served = edo_now() < end;
    drop_all(scene, mine, &cx);
    RETURN(served);
    ASYNC_END;
}

/* Keeps the worker that has the watch from sleeping for long. Counts how often it slept while what is due waited. */
struct ticks {
    FUTURE(void);
    struct scene *scene;
    struct edo_sleep sleep;
};

ASYNC(ticks)
{
    ASYNC_BEGIN;
    while (!all_rang(self->scene, 1)) {
        AWAIT(self->sleep, edo_sleep(1));
        uint64_t due = edo_load(&self->scene->due, relaxed);
        self->scene->late += due != 0 && edo_now() >= due;
    }
    ASYNC_END;
}

struct plays_scene {
    FUTURE(bool);
    struct scene *scene;
    bool ticks;
    JOIN_HANDLE(void) bells[WORKERS_STUCK];
    JOIN_HANDLE(bool) stuck[WORKERS_STUCK];
    JOIN_HANDLE(void) ticker;
    struct edo_join join;
    unsigned i;
    bool served;
};

ASYNC(plays_scene)
{
    ASYNC_BEGIN;
    for (unsigned i = 0; i < self->scene->stuck; i++)
        self->bells[i] = SPAWN(NEW(rings, .bell = &self->scene->bells[i]));
    for (self->i = 0; self->i < self->scene->stuck; self->i++)
        while (edo_load(&self->scene->bells[self->i].waker, acquire) == NULL)
            YIELD_NOW();
    for (unsigned i = 0; i < self->scene->stuck; i++)
        self->stuck[i] = SPAWN(NEW(arms_and_spins, .scene = self->scene));
    while (edo_load(&self->scene->begun, acquire) < self->scene->stuck)
        YIELD_NOW();
    if (self->ticks) {
        self->ticker = SPAWN(NEW(ticks, .scene = self->scene));
        AWAIT(self->join, edo_join(self->ticker, NULL));
    }
    self->output = true;
    for (self->i = 0; self->i < self->scene->stuck; self->i++) {
        AWAIT(self->join, edo_join(self->stuck[self->i], &self->served));
        self->output &= self->served;
    }
    for (self->i = 0; self->i < self->scene->stuck; self->i++) {
        edo_store(&self->scene->bells[self->i].stop, true, relaxed);
        edo_wake(edo_load(&self->scene->bells[self->i].waker, relaxed));
        AWAIT(self->join, edo_join(self->bells[self->i], NULL));
    }
    RETURN(self->output);
    ASYNC_END;
}

static struct scene *scene_of(unsigned stuck, unsigned timers, bool ticks)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    scene.stuck = stuck;
    scene.timers = timers;
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = stuck + 1),
                 0);
    struct plays_scene play = NEW(plays_scene, .scene = &scene, .ticks = ticks);
    cr_assert_eq(edo_block_on(runtime, &play), 0);
    cr_assert(play.output, "somebody was not served");
    edo_runtime_drop(runtime);
    return &scene;
}

/* Two are stuck, and the loop of each has something to do whenever it is looked at. */
Test(worker_watch, all_that_are_stuck_are_served)
{
    struct bench bench;
    bench_begin(&bench);
    scene_of(WORKERS_STUCK, TIMERS, false);
    bench_end(&bench);
}

/* The only other worker has a timer every ms. */
Test(worker_watch, one_that_never_sleeps_for_long_keeps_the_watch_too)
{
    struct bench bench;
    bench_begin(&bench);
    for (int i = 0; i < ROUNDS; i++)
        cr_assert_leq(scene_of(1, 1, true)->late, TICKS_MAX);
    bench_end(&bench);
}

/* ---- Somebody else's waker ---- */

/* It takes a lock that its owner may hold when he calls us. */
struct locks {
    struct edo_waker waker;
    pthread_mutex_t mutex;
    _Atomic(bool) called;
    unsigned wakes;
};

static void locks_wake(struct edo_waker *waker)
{
    struct locks *self = (struct locks *)waker;
    edo_store(&self->called, true, release);
    pthread_mutex_lock(&self->mutex);
    self->wakes++;
    pthread_mutex_unlock(&self->mutex);
}

static struct edo_waker *locks_clone(struct edo_waker *waker)
{
    return waker;
}

static void locks_drop(struct edo_waker *waker)
{
    (void)waker;
}

/* Its worker's loop is turned by another, which waits there for our lock. */
struct closes_with_lock {
    FUTURE(void);
    struct locks *locks;
};

ASYNC(closes_with_lock)
{
    ASYNC_BEGIN;
    struct edo_registration *registration = edo_malloc(sizeof *registration);
    struct edo_io_waiter waiter = {.interest = 0};
    int fds[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    cr_assert_eq(edo_registration_open(registration, fds[0], 0), 0);
    EDO_COUNT(FDS, 1); /* the registration's */
    cr_assert_eq(edo_registration_wait(registration, &waiter, EDO_READABLE, &self->locks->waker),
                 0);
    pthread_mutex_lock(&self->locks->mutex);
    cr_assert_eq(write(fds[1], "", 1), 1);
    while (!edo_load(&self->locks->called, acquire))
        ;
    edo_registration_close(registration);
    pthread_mutex_unlock(&self->locks->mutex);
    edo_registration_forget(registration, &waiter);
    close(fds[1]);
    ASYNC_END;
}

Test(worker_watch, a_waker_in_its_loop_may_wait_for_what_the_stuck_one_holds, .timeout = 60)
{
    static const struct edo_waker_ops ops = {locks_wake, locks_clone, locks_drop, NULL, NULL};
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    struct locks locks = {.waker = {&ops}};
    pthread_mutex_init(&locks.mutex, NULL);
    cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 2), 0);
    JOIN_HANDLE(void)
    task = SPAWN_ON(edo_runtime_handle(runtime), NEW(closes_with_lock, .locks = &locks));
    struct edo_join join = edo_join(task, NULL);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    edo_runtime_drop(runtime);
    cr_assert_eq(locks.wakes, 1);
    pthread_mutex_destroy(&locks.mutex);
    bench_end(&bench);
}
