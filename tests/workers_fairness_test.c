/* SPDX-License-Identifier: MIT */
/* Workers: who gets its turn when (R14 to R16 of the semantics), and what a poll that does not end holds up. */
#include <pthread.h>

#include "workers_helpers.h"

/* A task that is a future of the test's. */
struct elsewhere {
    FUTURE(int);
    struct edo_future *inner;
};

static enum edo_poll elsewhere_poll(struct edo_future *future, struct edo_context *cx)
{
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "elsewhere");
    return edo_future_poll(((struct elsewhere *)future)->inner, cx);
}

/* ---- R14 to R16: fairness, with one worker ---- */

/* Sleeps of no time are always ready. */
struct hog {
    FUTURE(int);
    int n;
    struct edo_sleep sleep;
};

ASYNC(hog)
{
    ASYNC_BEGIN;
    for (self->n = 0; self->n < 1000 && ran == 0; self->n++)
        AWAIT(self->sleep, edo_sleep(0));
    RETURN(self->n);
    ASYNC_END;
}

Test(workers, one_that_always_has_work_lets_others_run_after_its_budget)
{
    struct edo_runtime *runtime = multi(1);
    struct edo_handle *handle = edo_runtime_handle(runtime);
    struct gate gate;
    gate_init(&gate);
    ran = 0;
    edo_task_detach(SPAWN_ON(handle, NEW(gatekeeper, .gate = &gate)));
    wait_for(&gate.entered);
    JOIN_HANDLE(int) hog = SPAWN_ON(handle, NEW(hog));
    edo_task_detach(SPAWN_ON(handle, NEW(work)));
    sem_post(&gate.open);
    int n = 0;
    struct edo_join join = edo_join(hog, &n);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    /* 128, and the one that then waits its turn. */
    cr_assert_eq(n, EDO_BUDGET + 1);
    edo_runtime_drop(runtime);
}

/* Two that wake each other all the time, and one that gives way all the time. */
struct rally;

struct player {
    FUTURE(int);
    struct rally *rally;
    struct edo_notify *mine, *theirs;
    struct edo_notified notified;
};

struct rally {
    FUTURE(int);
    struct edo_notify notify[2];
    int hits, before, turns, most, sum;
    JOIN_HANDLE(int) handles[2];
};

ASYNC(player)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->notified, edo_notified(self->mine));
        self->rally->hits++;
        edo_notify_one(self->theirs);
    }
    ASYNC_END;
}

/* How many hits there are between two turns of the third: at most, and in all. */
ASYNC(rally)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 2; i++) {
        edo_notify_init(&self->notify[i]);
        self->handles[i] = SPAWN(
            NEW(player, .rally = self, .mine = &self->notify[i], .theirs = &self->notify[1 - i]));
    }
    edo_notify_one(&self->notify[0]);
    for (self->turns = 0; self->turns < 2000; self->turns++) {
        self->before = self->hits;
        YIELD_NOW();
        self->sum += self->hits - self->before;
        if (self->hits - self->before > self->most)
            self->most = self->hits - self->before;
    }
ASYNC_FINALLY:
    for (int i = 0; i < 2; i++) {
        edo_task_abort(self->handles[i]);
        edo_task_detach(self->handles[i]);
    }
    ASYNC_END;
}

static struct rally play_rally(bool without_lifo)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(1), .disable_lifo_slot = without_lifo), 0);
    struct rally rally = NEW(rally);
    JOIN_HANDLE(int)
    task = SPAWN_ON(edo_runtime_handle(runtime), NEW(elsewhere, .inner = &rally.future_));
    struct edo_join join = edo_join(task, NULL);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    cr_assert_eq(join.output, 0);
    edo_runtime_drop(runtime);
    for (int i = 0; i < 2; i++)
        edo_notify_destroy(&rally.notify[i]);
    return rally;
}

Test(workers, the_lifo_slot_goes_first_three_times_in_a_row_and_no_more)
{
    struct rally with = play_rally(false), without = play_rally(true);
    /* One that was woken when the slot was off, and three out of it. */
    cr_assert_leq(with.most, 4);
    cr_assert_geq(with.sum, 3 * with.turns, "%d in %d turns", with.sum, with.turns);
    cr_assert_leq(without.most, 2);
}

/* Two that wake each other all the time, in the LIFO slot, with nothing else in the queue. */
struct referee {
    FUTURE(void);
    struct edo_sleep sleep;
};

ASYNC(referee)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(1));
    ASYNC_END;
}

Test(workers, two_that_have_the_lifo_slot_for_themselves_keep_out_neither_spawns_nor_timers)
{
    struct edo_runtime *runtime = multi(1);
    struct edo_handle *handle = edo_runtime_handle(runtime);
    struct rally rally = NEW(rally);
    for (int i = 0; i < 2; i++) {
        edo_notify_init(&rally.notify[i]);
        rally.handles[i] = SPAWN_ON(handle, NEW(player, .rally = &rally, .mine = &rally.notify[i],
                                                .theirs = &rally.notify[1 - i]));
    }
    edo_notify_one(&rally.notify[0]);
    for (int i = 0; i < 20; i++) {
        JOIN_HANDLE(void) handle_of_one = SPAWN_ON(handle, NEW(referee));
        struct edo_join join = edo_join(handle_of_one, NULL);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_eq(join.output, 0);
    }
    for (int i = 0; i < 2; i++) {
        edo_task_abort(rally.handles[i]);
        edo_task_detach(rally.handles[i]);
    }
    edo_runtime_drop(runtime);
    cr_assert_gt(rally.hits, 0);
    for (int i = 0; i < 2; i++)
        edo_notify_destroy(&rally.notify[i]);
}

/* How often it yields before it sees that what another thread spawned has run. */
struct notices {
    FUTURE(int);
    struct edo_handle *handle;
};

static void *spawn_one(void *handle)
{
    edo_task_detach(SPAWN_ON((struct edo_handle *)handle, NEW(work)));
    return NULL;
}

ASYNC(notices)
{
    pthread_t thread;
    ASYNC_BEGIN;
    ran = 0;
    cr_assert_eq(pthread_create(&thread, NULL, spawn_one, self->handle), 0);
    pthread_join(thread, NULL);
    for (; ran == 0; self->output++)
        YIELD_NOW();
    ASYNC_END;
}

Test(workers, foreign_spawns_are_looked_at_every_global_queue_interval)
{
    for (uint32_t interval = 1; interval <= 100; interval += 33) {
        struct edo_runtime *runtime;
        int n = 0;
        cr_assert_eq(edo_runtime_new(&runtime, MULTI(1), .event_interval = 100000,
                                     .global_queue_interval = interval),
                     0);
        struct edo_handle *handle = edo_runtime_handle(runtime);
        struct edo_join join = edo_join(SPAWN_ON(handle, NEW(notices, .handle = handle)), &n);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_leq(n, (int)interval + 1);
        edo_runtime_drop(runtime);
    }
}

/* A timer that is due, and nobody sleeps: how often it yields until another task that waits for it has run. */
struct naps {
    FUTURE(int);
    struct edo_sleep sleep;
};

ASYNC(naps)
{
    ASYNC_BEGIN;
    do /* one that is not over by the time that it is armed */
        self->sleep = edo_sleep(2);
    while (edo_future_poll(&self->sleep.future_, cx) == EDO_READY);
    ++finals;
    AWAIT_REF(self->sleep);
    ++ran;
    ASYNC_END;
}

struct spins {
    FUTURE(int);
};

ASYNC(spins)
{
    uint64_t end;
    ASYNC_BEGIN;
    ran = finals = 0;
    edo_task_detach(SPAWN(NEW(naps)));
    while (finals == 0)
        YIELD_NOW();
    for (end = edo_clock_ns() + 5 * MS; edo_clock_ns() < end;)
        ;
    for (; ran == 0; self->output++)
        YIELD_NOW();
    ASYNC_END;
}

Test(workers, the_loop_is_looked_at_every_event_interval)
{
    for (uint32_t interval = 1; interval <= 1000; interval *= 10) {
        struct edo_runtime *runtime;
        int n = 0;
        cr_assert_eq(edo_runtime_new(&runtime, MULTI(1), .event_interval = interval), 0);
        struct edo_join join = edo_join(SPAWN_ON(edo_runtime_handle(runtime), NEW(spins)), &n);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_leq(n, (int)interval + 2);
        edo_runtime_drop(runtime);
    }
}

/* ---- A worker that is stuck in a poll holds up nothing ---- */

/* A task whose waker somebody else uses: when it was polled for that. */
struct victim {
    FUTURE(int);
    struct edo_waker *_Atomic *waker;
    _Atomic(uint64_t) *at;
    _Atomic(bool) *over;
};

static enum edo_poll victim_poll(struct edo_future *future, struct edo_context *cx)
{
    struct victim *self = (struct victim *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "victim");
    if (*self->waker == NULL)
        *self->waker = edo_waker_clone(cx->waker);
    else if (*self->at == 0)
        *self->at = edo_clock_ns();
    return *self->over ? EDO_READY : EDO_PENDING;
}

enum { BY_TIMER, BY_SOCKET, BY_WAKE, VICTIMS };
enum { STUCK_MS = 500, AFTER_MS = 50, SERVED_MS = 10, SLACK_MS = 5 };

/* Arms a timer and a read on the worker that it runs on, for others, wakes a third, and spins. */
struct stuck {
    FUTURE(int);
    struct edo_waker *_Atomic wakers[VICTIMS];
    _Atomic(uint64_t) at[VICTIMS], due[VICTIMS];
    _Atomic(bool) over;
    JOIN_HANDLE(int) handles[VICTIMS];
    struct edo_tcp *conn;
    int peer, i;
    char byte;
    struct edo_sleep sleep;
    struct edo_read read;
    struct edo_join join;
    pthread_t thread;
};

static void *send_in_time(void *arg)
{
    struct stuck *self = arg;
    nap(AFTER_MS); /* when it is stuck, since long before */
    self->due[BY_SOCKET] = edo_clock_ns();
    cr_assert_eq(send(self->peer, "x", 1, 0), 1);
    return NULL;
}

static void get_stuck(struct stuck *self)
{
    struct edo_context timer, socket;
    edo_context_init(&timer, self->wakers[BY_TIMER]);
    edo_context_init(&socket, self->wakers[BY_SOCKET]);
    do { /* one that is not over by the time that it is armed */
        self->sleep = edo_sleep(AFTER_MS);
        self->due[BY_TIMER] = edo_now() + (uint64_t)AFTER_MS * MS;
    } while (edo_future_poll(&self->sleep.future_, &timer) == EDO_READY);
    self->conn = half_raw_pair(&self->peer);
    self->read = edo_read(self->conn, &self->byte, 1);
    cr_assert_eq(edo_future_poll(&self->read.future_, &socket), EDO_PENDING);
    cr_assert_eq(pthread_create(&self->thread, NULL, send_in_time, self), 0);
    self->due[BY_WAKE] = edo_clock_ns();
    edo_wake(self->wakers[BY_WAKE]);
    for (uint64_t end = edo_clock_ns() + (uint64_t)STUCK_MS * MS; edo_clock_ns() < end;)
        ;
    self->over = true;
    pthread_join(self->thread, NULL);
    edo_future_drop(&self->sleep.future_, &timer);
    edo_future_drop(&self->read.future_, &socket);
}

ASYNC(stuck)
{
    ASYNC_BEGIN;
    for (int i = 0; i < VICTIMS; i++)
        self->handles[i] =
            SPAWN(NEW(victim, .waker = &self->wakers[i], .at = &self->at[i], .over = &self->over));
    for (self->i = 0; self->i < VICTIMS; self->i++)
        while (self->wakers[self->i] == NULL)
            YIELD_NOW();
    get_stuck(self);
    for (self->i = 0; self->i < VICTIMS; self->i++) {
        edo_wake(self->wakers[self->i]);
        edo_waker_drop(self->wakers[self->i]);
        AWAIT(self->join, edo_join(self->handles[self->i], NULL));
    }
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

/* The other worker comes by every few ms. The machine may have something else to do: of several rounds the best
 * counts. */
Test(workers, one_that_is_stuck_in_a_poll_delays_neither_timers_nor_sockets_nor_what_it_woke)
{
    static const char *const names[] = {"timer", "socket", "wake"};
    struct baseline start = baseline();
    uint64_t best[VICTIMS] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
    bool served = false;
    for (int round = 0; round < 20 && !served; round++) {
        struct edo_runtime *runtime = multi(2);
        struct stuck *stuck = calloc(1, sizeof *stuck);
        *stuck = NEW(stuck);
        JOIN_HANDLE(int)
        task = SPAWN_ON(edo_runtime_handle(runtime), NEW(elsewhere, .inner = &stuck->future_));
        struct edo_join join = edo_join(task, NULL);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        cr_assert_eq(join.output, 0);
        served = true;
        for (int i = 0; i < VICTIMS; i++) {
            cr_assert_neq(stuck->at[i], 0, "%s: never", names[i]);
            uint64_t late = stuck->at[i] < stuck->due[i] ? 0 : stuck->at[i] - stuck->due[i];
            if (late < best[i])
                best[i] = late;
            served = served && best[i] <= (uint64_t)(SERVED_MS + SLACK_MS) * MS;
        }
        free(stuck);
        edo_runtime_drop(runtime);
    }
    for (int i = 0; i < VICTIMS; i++)
        cr_expect_leq(best[i], (uint64_t)(SERVED_MS + SLACK_MS) * MS, "%s: %" PRIu64 " us late",
                      names[i], best[i] / 1000);
    check_baseline(&start);
}
