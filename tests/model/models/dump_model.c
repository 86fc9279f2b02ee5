/* SPDX-License-Identifier: MIT */
/* A runtime that is looked at by another thread: between two runs of it, while it runs, at its end. */
#include "runtime/dump.h"
#include "wakes.h"

static FILE *nowhere;

/* Once, and not in each execution. */
__attribute__((constructor, no_sanitize("thread"))) static void open_nowhere(void)
{
    nowhere = fopen("/dev/null", "w");
}

static void dumps(void *arg)
{
    int error = edo_handle_dump(arg, nowhere);
    model_assert(error == 0 || error == UV_EBUSY || error == EDO_ESHUTDOWN);
    edo_handle_drop(arg);
}

static void spawn_one(struct edo_waker *waker, void *arg)
{
    (void)waker;
    (void)arg;
    edo_task_detach(SPAWN(EDO_NEW(until, .done = &done, .bits = 1)));
}

/* Who runs it is not kept from it; and what it has left behind is what is looked at. */
MODEL(dump_between_runs)
{
    struct edo_runtime *runtime = runtime_new();
    struct until future = EDO_NEW(until, .done = &done, .begin = spawn_one);
    model_thread(dumps, edo_handle_clone(edo_runtime_handle(runtime)));
    model_assert(edo_block_on(runtime, &future) == 0);
    future = EDO_NEW(until, .done = &done);
    model_assert(edo_block_on(runtime, &future) == 0);
    model_join_all();
    edo_runtime_drop(runtime);
}

MODEL(dump_at_the_end)
{
    struct edo_runtime *runtime = runtime_new();
    struct until future = EDO_NEW(until, .done = &done, .begin = spawn_one);
    model_assert(edo_block_on(runtime, &future) == 0);
    model_thread(dumps, edo_handle_clone(edo_runtime_handle(runtime)));
    edo_runtime_drop(runtime);
}

/* Two look, and one of them or both wait until it is their turn, or that of who runs it. */
MODEL(dump_twice)
{
    struct edo_runtime *runtime = runtime_new();
    struct edo_handle *handle = edo_runtime_handle(runtime);
    model_thread(dumps, edo_handle_clone(handle));
    model_thread(dumps, edo_handle_clone(handle));
    struct until future = EDO_NEW(until, .done = &done);
    model_assert(edo_block_on(runtime, &future) == 0);
    model_join_all();
    edo_runtime_drop(runtime);
}

/* A task that waits is looked at as it is woken, as it ends; the runtime's end waits, or happens here. */
MODEL(dump_of_a_worker, .slow = true, .tries = true, .bound = 1, .steps = 4000)
{
    struct edo_runtime *runtime;
    model_assert(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 1,
                                 .rng_seed = 1) == 0);
    struct edo_handle *handle = edo_runtime_handle(runtime);
    edo_task_detach(
        SPAWN_ON(handle, EDO_NEW(until, .done = &done, .bits = 1, .begin = begin_wakes)));
    model_thread(dumps, edo_handle_clone(handle));
    edo_runtime_drop(runtime);
}
