/* SPDX-License-Identifier: MIT */
/* Descriptors of a multi-thread runtime: their events, and their end, from several threads. */
#include "executor.h"
#include "runtime/driver.h"
#include "runtime/pool.h"
#include "runtime/registration_internal.h"
#include "runtime/runtime_internal.h"
#include "socket.h"

static struct edo_runtime *runtime;

static struct edo_registration *start(void)
{
    socket_open();
    model_assert(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 1,
                                 .rng_seed = 1) == 0);
    struct edo_guard guard = edo_enter(edo_runtime_handle(runtime));
    struct edo_registration *r = edo_malloc(sizeof *r);
    model_assert(edo_registration_open(r, FD, 0) == 0);
    edo_leave(guard);
    return r;
}

static void end(void)
{
    edo_runtime_drop(runtime);
    model_join_all();
    model_descriptors = NULL;
}

/* The peer: `arg` is the selector. */
static void becomes_readable(void *arg)
{
    edo_fetch_or(&readable, EDO_READABLE, seq_cst);
    model_edge(arg);
}

static void *the_selector(void)
{
    return &edo_runtime_handle(runtime)->pool->workers[0].driver->selector;
}

/* A read, as io/ does it. Output 1, or the error. */
struct reads {
    EDO_FUTURE(int);
    struct edo_registration *r;
    struct edo_io_waiter waiter;
};

static int try_read(struct edo_registration *r)
{
    uint32_t told;
    int fd = edo_registration_begin(r, EDO_READABLE, &told);
    if (fd < 0)
        return fd;
    model_assert(socket_ == 0);
    bool empty = edo_fetch_or(&readable, 0, seq_cst) == 0;
    edo_registration_end(r, empty ? EDO_READABLE : 0, empty, told);
    return empty ? UV_EAGAIN : 1;
}

static enum edo_poll reads_poll(struct edo_future *future, struct edo_context *cx)
{
    struct reads *self = (struct reads *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_registration_forget(self->r, &self->waiter);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "reads");
    self->output = try_read(self->r);
    if (self->output == UV_EAGAIN)
        self->output = edo_registration_wait(self->r, &self->waiter, EDO_READABLE, cx->waker);
    if (self->output == 0)
        return EDO_PENDING;
    edo_registration_forget(self->r, &self->waiter);
    return EDO_READY;
}

static int joins(JOIN_HANDLE(int) task)
{
    int value = 0;
    struct edo_join join = edo_join(task, &value);
    struct executor *executor = executor_new();
    executor_run(executor, &join.future_);
    model_assert(join.output == 0);
    return value;
}

/* It becomes readable before the task asks, as it waits, or when it sleeps. */
MODEL(registration_becomes_ready, .slow = true, .bound = 2, .tries = true)
{
    struct edo_registration *r = start();
    JOIN_HANDLE(int)
    task = SPAWN_ON(edo_runtime_handle(runtime), EDO_NEW(reads, .r = r));
    model_thread(becomes_readable, the_selector());
    model_assert(joins(task) == 1);
    edo_registration_close(r);
    end();
    model_assert(closings == 1);
}

/* The peer shuts down, which is told once, as all is. */
static void ends(void *arg)
{
    edo_fetch_or(&readable, EDO_READABLE + EDO_READABLE * MODEL_ENDED, seq_cst);
    model_edge(arg);
}

/* Of another executor, on a thread that is no worker: what the peer does is told before the read, in between, or
 * when it waits. */
static void is_read_elsewhere(void (*peer)(void *))
{
    struct edo_registration *r = start();
    struct reads read = EDO_NEW(reads, .r = r);
    struct executor *executor = executor_new();
    model_thread(peer, the_selector());
    executor_run(executor, &read.future_);
    model_assert(read.output == 1);
    edo_registration_close(r);
    end();
    model_assert(closings == 1 && edo_load(&executor->clones, relaxed) == 0);
}

MODEL(registration_waited_for_elsewhere, .slow = true, .bound = 2, .tries = true)
{
    is_read_elsewhere(becomes_readable);
}

MODEL(registration_ends_elsewhere, .slow = true, .bound = 2, .tries = true)
{
    is_read_elsewhere(ends);
}

static void closes(void *arg)
{
    edo_registration_close(arg);
}

/* Closed by another owner, before, during and after: no system call meets the closing, nothing is closed twice. */
MODEL(registration_closed_under_a_read, .slow = true, .bound = 2, .tries = true, .outcomes = "0 1")
{
    struct edo_registration *r = start();
    edo_registration_keep(r);
    if (model_choose(2) == 1)
        becomes_readable(the_selector());
    struct reads read = EDO_NEW(reads, .r = r);
    struct executor *executor = executor_new();
    model_thread(closes, r);
    executor_run(executor, &read.future_);
    model_assert(read.output == 1 || read.output == UV_ECANCELED);
    edo_registration_close(r);
    end();
    model_assert(closings == 1 && edo_load(&executor->clones, relaxed) == 0);
    model_outcome(read.output == 1);
}

/* The runtime may be gone by then; the selector is there as long as a handle. */
static void becomes_readable_later(void *handle)
{
    becomes_readable(&((struct edo_handle *)handle)->pool->workers[0].driver->selector);
    edo_handle_drop(handle);
}

/* Dropped while the event comes. */
MODEL(registration_read_is_dropped, .slow = true, .bound = 3, .tries = true)
{
    struct edo_registration *r = start();
    struct reads read = EDO_NEW(reads, .r = r);
    struct executor *executor = executor_new();
    model_thread(becomes_readable_later, edo_handle_clone(edo_runtime_handle(runtime)));
    if (executor_poll(executor, &read.future_) == EDO_PENDING)
        executor_cancel(executor, &read.future_);
    edo_registration_close(r);
    end();
    model_assert(closings == 1 && edo_load(&executor->clones, relaxed) == 0);
}

/* The runtime goes while somebody else begins to wait: he is told, and closes it after that. */
static struct executor *last;

static void reads_to_the_end(void *arg)
{
    struct edo_registration *r = arg;
    struct reads read = EDO_NEW(reads, .r = r);
    last = executor_new();
    executor_run(last, &read.future_);
    model_assert(read.output == UV_ECANCELED);
    edo_registration_close(r);
}

MODEL(registration_outlives_its_runtime, .slow = true, .bound = 3, .tries = true)
{
    model_thread(reads_to_the_end, start());
    edo_runtime_drop(runtime);
    model_join_all();
    model_descriptors = NULL;
    model_assert(closings == 1 && edo_load(&last->clones, relaxed) == 0);
}

/* Given back while the worker may be asleep, or be told of it. */
MODEL(registration_is_given_back, .slow = true, .bound = 3, .tries = true)
{
    struct edo_registration *r = start();
    struct reads read = EDO_NEW(reads, .r = r);
    struct executor *executor = executor_new();
    model_assert(executor_poll(executor, &read.future_) == EDO_PENDING);
    int fd = edo_registration_release(r);
    model_assert(fd == FD);
    executor_run(executor, &read.future_);
    model_assert(read.output == UV_ECANCELED);
    end();
    model_assert(closings == 0);
}
