/* SPDX-License-Identifier: MIT */
/* A worker that is in a long poll, and the one that looks after it. */
#include "poll_harness.h"

#include "edo.h"
#include "internal/sys.h"

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
