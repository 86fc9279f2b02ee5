/* SPDX-License-Identifier: MIT */
#include "runtime_stress.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal/park.h"

enum { CHILDREN = 4, OUTSIDERS = 3, DEPTH = 6, LINE = 64, FIRST = 16, PERMITS = 3, TARGETS = 8 };

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* What is known of a task that was made. */
struct life {
    _Atomic(uint32_t) finally, returned; /* how often */
    _Atomic(bool) begun, aborted, panics;
    _Atomic(const char *) doing;
};

struct target {
    struct edo_abort_handle *handle;
    uint32_t id;
};

/* One runtime, and what its tasks share. */
struct round {
    struct churn *churn;
    struct edo_handle *handle;
    _Atomic(bool) ending;       /* whoever has not ended by now may be cancelled */
    _Atomic(bool) outside_over; /* nobody spawns from outside any more */
    _Atomic(uint32_t) made, ended;
    _Atomic(uint64_t) steps, sent, received, dropped, connections, cancelled, panicked, blocked;
    _Atomic(uint64_t) spawned, terminated; /* as the hooks tell */
    _Atomic(int) plant;                    /* how many still */
    struct life *lives;
    uint32_t quota;
    struct edo_mutex mutex;
    uint64_t plain[2]; /* both the same, guarded by the mutex */
    struct edo_semaphore semaphore;
    _Atomic(uint32_t) holders;
    ASYNC_SENDER(struct parcel) tx;
    ASYNC_RECEIVER(struct parcel) rx;
    struct edo_addr addr;
    JOIN_HANDLE(void) server;
    /* The watch: a thread that looks whether there are steps. */
    pthread_mutex_t watch;
    pthread_cond_t over;
    bool is_over;
    pthread_mutex_t complaints; /* of those, and of the targets */
    struct target targets[TARGETS];
};

struct parcel {
    struct round *round;
    uint64_t number, check;
};

static void complain(struct round *round, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void complain(struct round *round, const char *format, ...)
{
    pthread_mutex_lock(&round->complaints);
    if (round->churn->complaint[0] == '\0') {
        va_list args;
        va_start(args, format);
        vsnprintf(round->churn->complaint, sizeof round->churn->complaint, format, args);
        va_end(args);
    }
    pthread_mutex_unlock(&round->complaints);
}
#define EXPECT(round, condition, ...) ((condition) ? (void)0 : complain((round), __VA_ARGS__))

static bool planted(struct round *round, enum stress_plant plant)
{
    return round->churn->plant == plant && edo_fetch_sub(&round->plant, 1, relaxed) == 1;
}

/* ---- Parcels ---- */

static void parcel_dropped(struct parcel *parcel)
{
    edo_fetch_add(&parcel->round->dropped, 1, relaxed);
}

static struct parcel parcel_new(struct round *round, uint64_t number)
{
    return (struct parcel){round, number, ~number};
}

static void parcel_got(struct round *round, const struct parcel *parcel)
{
    edo_fetch_add(&round->received, 1, relaxed);
    EXPECT(round, parcel->round == round && parcel->check == ~parcel->number, "a torn parcel");
}

/* ---- Connections ---- */

struct serve {
    FUTURE(void);
    struct edo_tcp *conn;
    char line[LINE];
    union {
        struct edo_read read;
        struct edo_write_all write;
    };
};

ASYNC(serve)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, self->line, sizeof self->line));
        if (self->read.output <= 0)
            RETURN();
        AWAIT(self->write, edo_write_all(self->conn, self->line, (size_t)self->read.output));
        if (self->write.output < 0)
            RETURN();
    }
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

/* Until it is aborted. */
struct server {
    FUTURE(void);
    struct edo_tcp_listener *listener;
    struct edo_tcp_accept accept;
};

ASYNC(server)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->accept, edo_tcp_accept(self->listener));
        if (self->accept.output < 0)
            RETURN();
        edo_task_detach(SPAWN(NEW(serve, .conn = self->accept.stream)));
    }
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

struct talk {
    FUTURE(void);
    struct round *round;
    uint32_t lines, number;
    char sent[LINE], got[LINE];
    struct edo_tcp *conn;
    union {
        struct edo_tcp_connect connect;
        struct edo_write_all write;
        struct edo_read_exact read;
    };
};

ASYNC(talk)
{
    ASYNC_BEGIN;
    AWAIT(self->connect, edo_tcp_connect(&self->round->addr));
    if (self->connect.output < 0) {
        EXPECT(self->round, edo_load(&self->round->ending, relaxed), "connect: %s",
               edo_strerror(self->connect.output));
        RETURN();
    }
    self->conn = self->connect.stream;
    /* No port is kept for a connection that has ended. */
    edo_tcp_set_linger(self->conn, 0);
    while (self->lines-- > 0) {
        snprintf(self->sent, sizeof self->sent, "%u of %u", self->lines, self->number);
        AWAIT(self->write, edo_write_all(self->conn, self->sent, sizeof self->sent));
        if (self->write.output < 0)
            break;
        AWAIT(self->read, edo_read_exact(self->conn, self->got, sizeof self->got));
        if (self->read.output < 0)
            break;
        EXPECT(self->round, memcmp(self->sent, self->got, LINE) == 0, "another's line came back");
        edo_fetch_add(&self->round->connections, self->lines == 0, relaxed);
    }
    EXPECT(self->round, (int)self->lines == -1 || edo_load(&self->round->ending, relaxed),
           "a connection broke");
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

/* ---- Tasks ---- */

struct actor {
    FUTURE(uint64_t);
    struct round *round;
    uint64_t random;
    uint32_t id, depth, steps, i, dice;
    bool doomed, holds, half;
    int result, got;
    uint64_t value;
    struct parcel parcel;
    JOIN_HANDLE(uint64_t) children[CHILDREN];
    uint32_t ids[CHILDREN];
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
        struct talk talk;
    };
};
static ASYNC_DECLARE(actor);

static struct life *life_of(struct actor *self)
{
    return &self->round->lives[self->id];
}

static void step(struct actor *self, const char *doing)
{
    edo_store(&life_of(self)->doing, doing, relaxed);
    edo_fetch_add(&self->round->steps, 1, relaxed);
}

static uint64_t output_of(uint32_t id)
{
    return id * 0x9e3779b97f4a7c15u | 1;
}

/* False: the round has had its tasks. */
static bool conceive(struct round *round, uint32_t *id)
{
    uint32_t made = edo_load(&round->made, relaxed);
    do {
        if (made == round->quota)
            return false;
    } while (!edo_cas_weak(&round->made, &made, made + 1, relaxed, relaxed));
    *id = made;
    return true;
}

static struct actor new_actor(struct round *round, uint32_t id, uint32_t depth, uint64_t random)
{
    struct actor actor = NEW(actor, .round = round, .id = id, .depth = depth, .random = random);
    actor.steps = 1 + stress_random(&actor, 24);
    return actor;
}

static uint64_t seed_of(struct actor *self)
{
    return (uint64_t)stress_random(self, UINT32_MAX) << 32 | self->id;
}

static struct actor doomed_actor(struct actor *self)
{
    struct actor actor = new_actor(self->round, self->i, self->depth + 1, seed_of(self));
    actor.doomed = true;
    return actor;
}

static void abort_task(struct round *round, uint32_t id, JOIN_HANDLE(uint64_t) handle)
{
    edo_store(&round->lives[id].aborted, true, seq_cst);
    edo_task_abort(handle);
}

/* Handles that lie about, for whoever comes by to abort: oneself, one's parent, anybody. */
static void exchange_target(struct actor *self, uint32_t id, struct edo_abort_handle *handle)
{
    struct target *target = &self->round->targets[stress_random(self, TARGETS)], old;
    pthread_mutex_lock(&self->round->complaints);
    old = *target;
    *target = (struct target){handle, id};
    pthread_mutex_unlock(&self->round->complaints);
    if (old.handle != NULL && stress_random(self, 4) == 0) {
        edo_store(&self->round->lives[old.id].aborted, true, seq_cst);
        edo_abort_handle_abort(old.handle);
    }
    edo_abort_handle_drop(old.handle);
}

static void bear(struct actor *self)
{
    uint32_t id, at = stress_random(self, CHILDREN);
    if (self->depth == DEPTH || self->children[at] != NULL || !conceive(self->round, &id))
        return;
    JOIN_HANDLE(uint64_t)
    child = SPAWN(new_actor(self->round, id, self->depth + 1, seed_of(self)));
    EXPECT(self->round, edo_task_error(child) == 0, "a spawn failed with %d",
           edo_task_error(child));
    if (stress_random(self, 8) == 0)
        exchange_target(self, id, edo_abort_handle(child));
    if (stress_random(self, 8) == 0)
        abort_task(self->round, id, child);
    if (stress_random(self, 4) == 0) {
        edo_task_detach(child);
        return;
    }
    self->children[at] = child;
    self->ids[at] = id;
}

/* What a join of a task says must be what it did. */
static void check_join(struct round *round, uint32_t id, int error, uint64_t output)
{
    struct life *life = &round->lives[id];
    bool returned = edo_load(&life->returned, relaxed) == 1;
    EXPECT(round, edo_load(&life->finally, relaxed) == 1, "joined before its FINALLY ran");
    if (error == 0)
        EXPECT(round, returned && output == output_of(id), "another's output");
    else if (error == UV_ECANCELED)
        EXPECT(round,
               !returned &&
                   (edo_load(&life->aborted, seq_cst) || edo_load(&round->ending, seq_cst)),
               "cancelled, and nobody asked for it");
    else
        EXPECT(round, error == EDO_EPANIC && edo_load(&life->panics, relaxed),
               "a join ended with %d", error);
    edo_fetch_add(error == EDO_EPANIC ? &round->panicked : &round->cancelled, error != 0, relaxed);
}

static int nap(void *arg)
{
    struct round *round = arg;
    uint64_t count = edo_fetch_add(&round->blocked, 1, relaxed);
    struct timespec time = {.tv_nsec = (long)(count % 8) * 50000};
    nanosleep(&time, NULL);
    return 7;
}

static void nap_in_place(void *arg)
{
    nap(arg);
}

static void check_half(struct actor *self)
{
    EXPECT(self->round, self->round->plain[0] == self->round->plain[1], "two had the mutex");
    self->round->plain[0]++;
    self->half = true;
}

static void other_half(struct actor *self)
{
    self->half = false;
    self->round->plain[1]++;
    edo_mutex_unlock(&self->guard);
}

static void hold(struct actor *self)
{
    self->holds = true;
    EXPECT(self->round, edo_fetch_add(&self->round->holders, 1, relaxed) < PERMITS,
           "more hold permits than there are");
}

static void let_go(struct actor *self)
{
    self->holds = false;
    edo_fetch_sub(&self->round->holders, 1, relaxed);
    edo_permit_release(&self->permit);
}

ASYNC(actor)
{
    ASYNC_BEGIN;
    EXPECT(self->round, !edo_exchange(&life_of(self)->begun, true, relaxed), "it began twice");
    if (self->doomed) {
        step(self, "panics");
        YIELD_NOW();
        edo_store(&life_of(self)->panics, true, relaxed);
        PANIC("as it must");
    }
    while (self->steps-- > 0) {
        self->dice = stress_random(self, 64);
        if (self->dice < 12) {
            step(self, "gives way");
            YIELD_NOW();
        } else if (self->dice < 16) {
            step(self, "sleeps");
            AWAIT(self->sleep, edo_sleep(stress_random(self, 4)));
            EXPECT(self->round, self->sleep.output == 0 || edo_load(&self->round->ending, relaxed),
                   "a sleep ended with %d", self->sleep.output);
        } else if (self->dice < 32) {
            step(self, "spawns");
            bear(self);
        } else if (self->dice < 38) {
            step(self, "joins");
            self->i = stress_random(self, CHILDREN);
            if (self->children[self->i] == NULL)
                continue;
            if (stress_random(self, 4) == 0)
                abort_task(self->round, self->ids[self->i], self->children[self->i]);
            self->join = edo_join(self->children[self->i], &self->value);
            self->children[self->i] = NULL;
            AWAIT_REF(self->join);
            check_join(self->round, self->ids[self->i], self->join.output, self->value);
        } else if (self->dice < 42) {
            step(self, "sends");
            self->parcel = parcel_new(self->round, seed_of(self));
            self->send = edo_async_send(self->round->tx, &self->parcel);
            AWAIT(self->timeout, edo_timeout(1 + stress_random(self, 3), &self->send));
            edo_fetch_add(&self->round->sent, self->timeout.output == 0 && self->send.output == 0,
                          relaxed);
        } else if (self->dice < 47) {
            step(self, "receives");
            self->recv = edo_async_recv(self->round->rx, &self->parcel);
            AWAIT(self->timeout, edo_timeout(1 + stress_random(self, 3), &self->recv));
            if (self->timeout.output == 0 && self->recv.output == 0)
                parcel_got(self->round, &self->parcel);
        } else if (self->dice < 51) {
            step(self, "locks");
            AWAIT(self->lock, edo_mutex_lock(&self->round->mutex, &self->guard));
            check_half(self);
            if (self->dice == 50)
                YIELD_NOW();
            other_half(self);
        } else if (self->dice < 54) {
            step(self, "acquires");
            AWAIT(self->acquire,
                  edo_semaphore_acquire_many(&self->round->semaphore, 1, &self->permit));
            hold(self);
            YIELD_NOW();
            let_go(self);
        } else if (self->dice < 57) {
            step(self, "talks");
            AWAIT(self->talk, NEW(talk, .round = self->round, .number = self->id,
                                  .lines = 1 + stress_random(self, 3)));
        } else if (self->dice < 59) {
            step(self, "blocks elsewhere");
            self->work = SPAWN_BLOCKING(edo_call(nap, self->round));
            if (self->dice == 58) {
                edo_task_detach(self->work);
                self->work = NULL;
                continue;
            }
            self->join = edo_join(self->work, &self->got);
            self->work = NULL;
            AWAIT_REF(self->join);
            EXPECT(self->round,
                   self->join.output == 0 ? self->got == 7
                                          : edo_load(&self->round->ending, relaxed),
                   "blocking work ended with %d", self->join.output);
        } else if (self->dice < 60) {
            step(self, "blocks in place");
            self->result = edo_block_in_place(nap_in_place, self->round);
            EXPECT(self->round, self->result == 0 || edo_load(&self->round->ending, relaxed),
                   "block_in_place: %d", self->result);
        } else if (self->dice < 62) {
            step(self, "aborts somebody");
            exchange_target(self, 0, NULL);
        } else if (self->dice < 63) {
            step(self, "joins one that panics");
            if (self->depth == DEPTH || !conceive(self->round, &self->i))
                continue;
            AWAIT(self->join, edo_join(SPAWN(doomed_actor(self)), &self->value));
            check_join(self->round, self->i, self->join.output, self->value);
        } else {
            step(self, "spins");
            for (uint64_t end = edo_clock_ns() + 50000; edo_clock_ns() < end;)
                ;
        }
    }
    edo_fetch_add(&life_of(self)->returned, 1, relaxed);
    RETURN(output_of(self->id));
ASYNC_FINALLY:
    if (self->half)
        other_half(self);
    edo_mutex_unlock(&self->guard);
    if (self->holds)
        let_go(self);
    edo_permit_release(&self->permit);
    for (int i = 0; i < CHILDREN; i++) {
        if (self->children[i] != NULL && stress_random(self, 2) == 0)
            abort_task(self->round, self->ids[i], self->children[i]);
        edo_task_detach(self->children[i]);
    }
    /* One more, of whom nobody knows. */
    if (self->depth < DEPTH && stress_random(self, 16) == 0 && conceive(self->round, &self->i))
        edo_task_detach(SPAWN(new_actor(self->round, self->i, self->depth + 1, seed_of(self))));
    step(self, "at its end");
    edo_fetch_add(&life_of(self)->finally,
                  planted(self->round, STRESS_LOSS)     ? 0
                  : planted(self->round, STRESS_DOUBLE) ? 2
                                                        : 1,
                  relaxed);
    edo_fetch_add(&self->round->ended, 1, release);
    ASYNC_END;
}

/* Listens, and begins with some tasks. */
struct opening {
    FUTURE(int);
    struct round *round;
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
    self->round->server = SPAWN(NEW(server, .listener = listener));
    for (int i = 0; i < FIRST && conceive(self->round, &id); i++)
        edo_task_detach(SPAWN(new_actor(self->round, id, 0, stress_random(self, UINT32_MAX))));
    RETURN(0);
    ASYNC_END;
}

/* Waits for all, and ends the server. */
struct closing {
    FUTURE(int);
    struct round *round;
    struct edo_sleep sleep;
    struct edo_join join;
};

/* Read in this order: nobody is alive whom the second does not count. */
static bool all_have_ended(struct round *round)
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
    struct round *round;
    pthread_t thread;
    uint64_t random;
};

static void *be_outside(void *arg)
{
    struct outsider *self = arg;
    struct round *round = self->round;
    uint32_t id;
    while (!edo_load(&round->ending, relaxed) && conceive(round, &id)) {
        JOIN_HANDLE(uint64_t)
        task = SPAWN_ON(round->handle, new_actor(round, id, 1, stress_random(self, UINT32_MAX)));
        EXPECT(round, edo_task_error(task) == 0, "a spawn from outside failed with %d",
               edo_task_error(task));
        if (stress_random(self, 4) == 0)
            abort_task(round, id, task);
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
        check_join(round, id, join.output, value);
    }
    return NULL;
}

static void on_task_spawn(void *arg, uint64_t id)
{
    (void)id;
    edo_fetch_add(&((struct round *)arg)->spawned, 1, relaxed);
}

static void on_task_terminate(void *arg, uint64_t id)
{
    (void)id;
    /* The last that a task does with the round. */
    edo_fetch_add(&((struct round *)arg)->terminated, 1, release);
}

/* ---- The watch ---- */

static _Noreturn void hangs(struct round *round)
{
    struct churn *churn = round->churn;
    fprintf(stderr, "runtime, seed 0x%" PRIx64 ", round %" PRIu64 "%s: no step for %g s\n",
            churn->seed, churn->rounds, edo_load(&round->ending, relaxed) ? ", ending" : "",
            churn->stall);
    for (uint32_t i = 0, said = 0; i < edo_load(&round->made, relaxed) && said < 40; i++) {
        const struct life *life = &round->lives[i];
        if (edo_load(&((struct life *)(uintptr_t)life)->finally, relaxed) > 0)
            continue;
        said++;
        fprintf(stderr, "  task %u: %s\n", i,
                edo_load(&((struct life *)(uintptr_t)life)->doing, relaxed));
    }
    if (churn->complaint[0] != '\0')
        fprintf(stderr, "  %s\n", churn->complaint);
    abort();
}

static void *be_watchful(void *arg)
{
    struct round *round = arg;
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
static void end_runtime(struct round *round, struct edo_runtime *runtime, uint64_t *random)
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
static void wait_until(struct round *round, bool (*is_so)(const struct edo_census *now, void *arg),
                       void *arg)
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
    uint64_t ended = edo_load(&((struct round *)round)->terminated, acquire);
    return ended == edo_load(&((struct round *)round)->spawned, relaxed);
}

static bool all_is_gone(const struct edo_census *now, void *before)
{
    return memcmp(now, before, sizeof *now) == 0;
}

static void check_lives(struct round *round)
{
    uint32_t made = edo_load(&round->made, relaxed);
    for (uint32_t i = 0; i < made; i++) {
        struct life *life = &round->lives[i];
        uint32_t finally = edo_load(&life->finally, relaxed);
        EXPECT(round, finally == 1, "task %u (%s): FINALLY ran %u times", i,
               edo_load(&life->doing, relaxed), finally);
        EXPECT(round, edo_load(&life->returned, relaxed) <= 1, "task %u returned twice", i);
    }
    EXPECT(round, edo_load(&round->spawned, relaxed) == edo_load(&round->terminated, relaxed),
           "%" PRIu64 " tasks were spawned, and %" PRIu64 " terminated",
           edo_load(&round->spawned, relaxed), edo_load(&round->terminated, relaxed));
    uint64_t sent = edo_load(&round->sent, relaxed), received = edo_load(&round->received, relaxed),
             dropped = edo_load(&round->dropped, relaxed);
    EXPECT(round, sent == received + dropped,
           "%" PRIu64 " parcels were sent, %" PRIu64 " received, %" PRIu64 " dropped", sent,
           received, dropped);
}

static void check_census(struct round *round, const struct edo_census *before, int fds)
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

static struct edo_runtime *build(struct round *round, uint64_t *random)
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

static void begin_round(struct round *round, struct churn *churn)
{
    *round = (struct round){.churn = churn, .quota = churn->quota};
    edo_init(&round->plant, 20);
    round->lives = calloc(churn->quota, sizeof *round->lives);
    edo_assert(round->lives != NULL);
    for (uint32_t i = 0; i < churn->quota; i++)
        edo_init(&round->lives[i].doing, "nothing yet");
    pthread_mutex_init(&round->watch, NULL);
    pthread_mutex_init(&round->complaints, NULL);
    pthread_cond_init(&round->over, NULL);
    edo_mutex_init(&round->mutex);
    edo_semaphore_init(&round->semaphore, PERMITS);
    edo_assert(edo_async_channel_with(&round->tx, &round->rx, 4, parcel_dropped) == 0);
}

/* What its tasks use goes when they have gone. */
static void end_round(struct round *round, struct edo_census *before)
{
    wait_until(round, tasks_have_ended, round);
    for (int i = 0; i < TARGETS; i++)
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

static void free_round(struct round *round)
{
    edo_mutex_destroy(&round->mutex);
    edo_semaphore_destroy(&round->semaphore);
    pthread_mutex_destroy(&round->watch);
    pthread_mutex_destroy(&round->complaints);
    pthread_cond_destroy(&round->over);
    free(round->lives);
}

static void tell_watch(struct round *round, pthread_t watch)
{
    pthread_mutex_lock(&round->watch);
    round->is_over = true;
    pthread_cond_signal(&round->over);
    pthread_mutex_unlock(&round->watch);
    pthread_join(watch, NULL);
}

static void add_up(struct round *round)
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

static void wait_for_outsiders(struct round *round, struct outsider *outsiders)
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
static void run_to_the_end(struct round *round, struct edo_runtime *runtime,
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
    struct round round;
    struct outsider outsiders[OUTSIDERS];
    pthread_t watch;
    struct edo_census before = edo_census_now();
    int fds = count_fds();
    begin_round(&round, churn);
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
    check_lives(&round);
    check_census(&round, &before, fds);
    add_up(&round);
    free_round(&round);
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
