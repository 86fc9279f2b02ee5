/* SPDX-License-Identifier: MIT */
#include "runtime_stress.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "churn_actor.h"
#include "internal/park.h"

enum { OUTSIDERS = 3, FIRST = 16 };

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Listens, and begins with some tasks. */
struct opening {
    FUTURE(int);
    struct churn_round *round;
    uint64_t random;
};

ASYNC(opening)
{
    struct edo_tcp_listener *listener;
    uint32_t id;
    ASYNC_BEGIN;
    edo_addr_ip(&self->round->addr, "127.0.0.1", 0);
    self->output = edo_tcp_listen(&listener, &self->round->addr, .backlog = 1024);
    if (self->output < 0)
        RETURN(self->output);
    edo_tcp_listener_local(listener, &self->round->addr);
    self->round->server = SPAWN(NEW(churn_server, .listener = listener));
    for (int i = 0; i < FIRST && churn_conceive(self->round, &id); i++)
        edo_task_detach(SPAWN(churn_actor(self->round, id, 0, stress_random(self, UINT32_MAX))));
    RETURN(0);
    ASYNC_END;
}

/* Waits for all, and ends the server. */
struct closing {
    FUTURE(int);
    struct churn_round *round;
    struct edo_sleep sleep;
    struct edo_join join;
};

/* Read in this order: nobody is alive whom the second does not count. */
static bool all_have_ended(struct churn_round *round)
{
    uint32_t ended = edo_load(&round->ended, acquire);
    return ended == edo_load(&round->made, acquire);
}

ASYNC(closing)
{
    ASYNC_BEGIN;
    while (!edo_load(&self->round->outside_over, acquire) || !all_have_ended(self->round))
        AWAIT(self->sleep, edo_sleep(1));
    edo_task_abort(self->round->server);
    self->join = edo_join(self->round->server, NULL);
    self->round->server = NULL;
    AWAIT_REF(self->join);
    EXPECT(self->round, self->join.output == UV_ECANCELED, "the server ended with %d",
           self->join.output);
    RETURN(0);
    ASYNC_END;
}

/* ---- Outside ---- */

/* A thread that spawns and waits, until the round has had its tasks or the runtime ends. */
struct outsider {
    struct churn_round *round;
    pthread_t thread;
    uint64_t random;
};

static void *be_outside(void *arg)
{
    struct outsider *self = arg;
    struct churn_round *round = self->round;
    uint32_t id;
    while (!edo_load(&round->ending, relaxed) && churn_conceive(round, &id)) {
        JOIN_HANDLE(uint64_t)
        task = SPAWN_ON(round->handle, churn_actor(round, id, 1, stress_random(self, UINT32_MAX)));
        EXPECT(round, edo_task_error(task) == 0, "a spawn from outside failed with %d",
               edo_task_error(task));
        if (stress_random(self, 4) == 0)
            churn_abort(round, id, task);
        if (stress_random(self, 2) == 0) {
            edo_task_detach(task);
            continue;
        }
        uint64_t value = 0;
        struct edo_join join = edo_join(task, &value);
        int error = round->churn->ends || stress_random(self, 2) == 0
                        ? edo_park_on(&join.future_)
                        : edo_handle_block_on(round->handle, &join);
        EXPECT(round, error == 0, "waiting outside: %d", error);
        churn_check_join(round, id, join.output, value);
    }
    return NULL;
}

static void on_task_spawn(void *arg, uint64_t id)
{
    (void)id;
    edo_fetch_add(&((struct churn_round *)arg)->spawned, 1, relaxed);
}

static void on_task_terminate(void *arg, uint64_t id)
{
    (void)id;
    /* The last that a task does with the round. */
    edo_fetch_add(&((struct churn_round *)arg)->terminated, 1, release);
}

/* ---- The watch ---- */

static _Noreturn void hangs(struct churn_round *round)
{
    struct churn *churn = round->churn;
    fprintf(stderr, "runtime, seed 0x%" PRIx64 ", round %" PRIu64 "%s: no step for %g s\n",
            churn->seed, churn->rounds, edo_load(&round->ending, relaxed) ? ", ending" : "",
            churn->stall);
    for (uint32_t i = 0, said = 0; i < edo_load(&round->made, relaxed) && said < 40; i++) {
        const struct churn_life *life = &round->lives[i];
        if (edo_load(&((struct churn_life *)(uintptr_t)life)->finally, relaxed) > 0)
            continue;
        said++;
        fprintf(stderr, "  task %u: %s\n", i,
                edo_load(&((struct churn_life *)(uintptr_t)life)->doing, relaxed));
    }
    if (churn->complaint[0] != '\0')
        fprintf(stderr, "  %s\n", churn->complaint);
    abort();
}

static void *be_watchful(void *arg)
{
    struct churn_round *round = arg;
    uint64_t last = 0, since = edo_clock_ns();
    pthread_mutex_lock(&round->watch);
    while (!round->is_over) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&round->over, &round->watch, &until);
        uint64_t steps = edo_load(&round->steps, relaxed);
        if (steps != last)
            since = edo_clock_ns();
        else if (!round->is_over && edo_clock_ns() - since > (uint64_t)(round->churn->stall * 1e9))
            hangs(round);
        last = steps;
    }
    pthread_mutex_unlock(&round->watch);
    return NULL;
}

/* ---- Rounds ---- */

static int count_fds(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        closedir(dir);
    return count;
}

static void pause_for(uint64_t ns)
{
    struct timespec time = {.tv_sec = (time_t)(ns / 1000000000),
                            .tv_nsec = (long)(ns % 1000000000)};
    nanosleep(&time, NULL);
}

/* At a random moment, in one of three ways. */
static void end_runtime(struct churn_round *round, struct edo_runtime *runtime, uint64_t *random)
{
    pause_for(stress_random_(random, 8) == 0 ? 0 : stress_random_(random, 20000000));
    uint32_t way = stress_random_(random, 3);
    edo_store(&round->ending, true, seq_cst);
    if (way == 0)
        edo_runtime_drop(runtime);
    else if (way == 1)
        edo_runtime_shutdown_timeout(runtime, stress_random_(random, 10));
    else
        edo_runtime_shutdown_background(runtime);
}

/* For what ends by itself. */
static void wait_until(struct churn_round *round,
                       bool (*is_so)(const struct edo_census *now, void *arg), void *arg)
{
    uint64_t start = edo_clock_ns();
    struct edo_census now;
    while (now = edo_census_now(), !is_so(&now, arg)) {
        if (edo_clock_ns() - start > (uint64_t)(round->churn->stall * 0.5e9))
            return;
        pause_for(500000);
    }
}

static bool tasks_have_ended(const struct edo_census *now, void *round)
{
    (void)now;
    uint64_t ended = edo_load(&((struct churn_round *)round)->terminated, acquire);
    return ended == edo_load(&((struct churn_round *)round)->spawned, relaxed);
}

static bool all_is_gone(const struct edo_census *now, void *before)
{
    return memcmp(now, before, sizeof *now) == 0;
}

static void check_census(struct churn_round *round, const struct edo_census *before, int fds)
{
    struct edo_census now = edo_census_now();
    char left[256] = "";
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        if (now.live[i] != before->live[i])
            snprintf(left + strlen(left), sizeof left - strlen(left), " %" PRId64 " %s",
                     now.live[i] - before->live[i], edo_census_name(i));
    EXPECT(round, left[0] == '\0', "left:%s", left);
    EXPECT(round, count_fds() == fds, "%d descriptors before the round, %d after it", fds,
           count_fds());
}

static struct edo_runtime *build(struct churn_round *round, uint64_t *random)
{
    static const uint32_t workers[] = {1, 2, 2, 3, 4, 8}, intervals[] = {1, 3, 31, 61};
    struct edo_runtime *runtime;
    int error = edo_runtime_new(
        &runtime, .flavor = EDO_MULTI_THREAD,
        .worker_threads = workers[stress_random_(random, COUNT_OF(workers))],
        .event_interval = intervals[stress_random_(random, COUNT_OF(intervals))],
        .global_queue_interval = intervals[stress_random_(random, COUNT_OF(intervals))],
        .disable_lifo_slot = stress_random_(random, 4) == 0,
        .max_blocking_threads = 1 + stress_random_(random, 8),
        .thread_keep_alive = 1 + stress_random_(random, 50), .on_task_spawn = on_task_spawn,
        .on_task_terminate = on_task_terminate, .hook_arg = round);
    edo_assert(error == 0);
    return runtime;
}

/* What its tasks use goes when they have gone. */
static void end_round(struct churn_round *round, struct edo_census *before)
{
    wait_until(round, tasks_have_ended, round);
    for (int i = 0; i < CHURN_TARGETS; i++)
        edo_abort_handle_drop(round->targets[i].handle);
    edo_task_detach(round->server);
    edo_async_sender_drop(round->tx);
    edo_async_receiver_drop(round->rx);
    edo_handle_drop(round->handle);
    if (round->churn->plant == STRESS_LEAK)
        EDO_COUNT(BLOCKS, 1);
    else
        wait_until(round, all_is_gone, before);
}

static void tell_watch(struct churn_round *round, pthread_t watch)
{
    pthread_mutex_lock(&round->watch);
    round->is_over = true;
    pthread_cond_signal(&round->over);
    pthread_mutex_unlock(&round->watch);
    pthread_join(watch, NULL);
}

static void add_up(struct churn_round *round)
{
    struct churn *churn = round->churn;
    churn->rounds++;
    churn->tasks += edo_load(&round->made, relaxed);
    churn->steps += edo_load(&round->steps, relaxed);
    churn->connections += edo_load(&round->connections, relaxed);
    churn->cancelled += edo_load(&round->cancelled, relaxed);
    churn->panicked += edo_load(&round->panicked, relaxed);
    churn->blocked += edo_load(&round->blocked, relaxed);
}

static void wait_for_outsiders(struct churn_round *round, struct outsider *outsiders)
{
    for (int i = 0; i < OUTSIDERS; i++)
        pthread_join(outsiders[i].thread, NULL);
    edo_store(&round->outside_over, true, release);
}

static void *join_outsiders(void *arg)
{
    struct outsider *outsiders = arg;
    wait_for_outsiders(outsiders[0].round, outsiders);
    return NULL;
}

/* Until its tasks have ended. */
static void run_to_the_end(struct churn_round *round, struct edo_runtime *runtime,
                           struct outsider *outsiders)
{
    pthread_t joining;
    edo_assert(pthread_create(&joining, NULL, join_outsiders, outsiders) == 0);
    struct closing closing = NEW(closing, .round = round);
    int error = edo_block_on(runtime, &closing);
    EXPECT(round, error == 0, "closing: %d", error);
    pthread_join(joining, NULL);
    edo_store(&round->ending, true, seq_cst);
    edo_runtime_drop(runtime);
}

static void play_round(struct churn *churn, uint64_t *random)
{
    struct churn_round round;
    struct outsider outsiders[OUTSIDERS];
    pthread_t watch;
    struct edo_census before = edo_census_now();
    int fds = count_fds();
    churn_round_init(&round, churn);
    struct edo_runtime *runtime = build(&round, random);
    round.handle = edo_handle_clone(edo_runtime_handle(runtime));
    edo_assert(pthread_create(&watch, NULL, be_watchful, &round) == 0);
    struct opening opening = NEW(opening, .round = &round, .random = (*random)++);
    int error = edo_block_on(runtime, &opening);
    EXPECT(&round, error == 0 && opening.output == 0, "opening: %d, %d", error, opening.output);
    for (int i = 0; i < OUTSIDERS; i++) {
        outsiders[i] = (struct outsider){.round = &round, .random = (*random)++};
        edo_assert(pthread_create(&outsiders[i].thread, NULL, be_outside, &outsiders[i]) == 0);
    }
    if (churn->ends) {
        end_runtime(&round, runtime, random);
        wait_for_outsiders(&round, outsiders);
    } else {
        run_to_the_end(&round, runtime, outsiders);
    }
    end_round(&round, &before);
    tell_watch(&round, watch);
    churn_check_lives(&round);
    check_census(&round, &before, fds);
    add_up(&round);
    churn_round_free(&round);
}

bool churn_play(struct churn *churn)
{
    uint64_t start = edo_clock_ns(), random = churn->seed;
    if (churn->quota == 0)
        churn->quota = 2000;
    if (churn->stall <= 0)
        churn->stall = 60;
    if (churn->seconds <= 0 && churn->limit == 0)
        churn->limit = 1;
    /* What libuv keeps for the process. */
    struct edo_runtime *first;
    if (edo_runtime_new(&first) == 0)
        edo_runtime_drop(first);
    do {
        play_round(churn, &random);
        churn->took = (double)(edo_clock_ns() - start) / 1e9;
    } while (churn->complaint[0] == '\0' && (churn->limit == 0 || churn->rounds < churn->limit) &&
             (churn->seconds <= 0 || churn->took < churn->seconds));
    return churn->complaint[0] == '\0';
}
