/* SPDX-License-Identifier: MIT */
/* A worker changes threads: block_in_place.c is compiled here once more, where running a worker is a moment's matter
 * and a thread for blocking work is one of the model's. */
#include "tests/model/model.h"

/* Ours. */
#define edo_block_in_place       copy_block_in_place
#define edo_worker_run           stub_worker_run
#define edo_pool_enter           stub_enter
#define edo_pool_leave           stub_leave
#define edo_driver_give_up       stub_give_up
#define edo_blocking_pool_lend   stub_lend
#define edo_blocking_pool_return stub_return
#define edo_task_alloc_          stub_alloc
#define edo_task_frame_          stub_frame
#define edo_task_start_blocking_ stub_start
#define edo_task_error_          stub_error
#define edo_task_detach_         stub_detach

#include "runtime/block_in_place.c"

static struct edo_handle handle;
static struct edo_pool pool;
static struct edo_worker worker;
static struct edo_task polled;
static int error;
static _Atomic(int) entered;

/* `lifo_left` is plain: who is not the worker any more, or not yet, races. */
void stub_worker_run(struct edo_worker *self)
{
    model_assert(edo_thread.worker == self && edo_thread.running == &handle);
    self->lifo_left++;
}

bool stub_enter(struct edo_pool *self)
{
    (void)self;
    edo_fetch_add(&entered, 1, relaxed);
    return true;
}

void stub_leave(struct edo_pool *self)
{
    (void)self;
    edo_fetch_sub(&entered, 1, relaxed);
}

void stub_lend(struct edo_blocking_pool *blocking)
{
    (void)blocking;
}

/* Before it is handed on. */
void stub_give_up(struct edo_driver *driver)
{
    (void)driver;
    model_assert(edo_load(&worker.handed, relaxed) == 0);
}

void stub_return(struct edo_blocking_pool *blocking)
{
    (void)blocking;
}

struct edo_task *stub_alloc(struct edo_handle *home, size_t frame_size)
{
    struct edo_task *task = model_new(sizeof *task + frame_size);
    task->home = home;
    return task;
}

void *stub_frame(struct edo_task *task)
{
    return task + 1;
}

static void polls(void *future)
{
    struct edo_context cx;
    edo_context_init(&cx, NULL);
    model_assert(edo_future_poll(future, &cx) == EDO_READY);
}

struct edo_task *stub_start(struct edo_task *task, struct edo_future *future)
{
    if (error == 0)
        model_thread(polls, future);
    return task;
}

int stub_error(struct edo_task *task)
{
    (void)task;
    return error;
}

void stub_detach(struct edo_task *task)
{
    (void)task;
}

static void blocks(void *called)
{
    model_assert(edo_thread.worker == NULL && edo_thread.running == NULL);
    *(int *)called = 1;
}

static void begin(void)
{
    handle.pool = worker.pool = &pool;
    pool.handle = &handle;
    polled.home = &handle;
    edo_thread = (struct edo_thread){
        .current = &handle, .running = &handle, .worker = &worker, .task = &polled};
}

/* Whether it goes on as the worker; else it ends its poll as none. */
static bool block(void)
{
    static int called;
    called = 0;
    worker.lifo_left = 1;
    model_assert(edo_block_in_place(blocks, &called) == error);
    model_assert(called == (error == 0) && edo_thread.running == &handle);
    if (edo_thread.worker != &worker)
        return false;
    worker.lifo_left++;
    return true;
}

static void end(void)
{
    model_join_all();
    model_assert(worker.lifo_left == 2 && edo_load(&entered, relaxed) == 0);
}

/* A poll within the worker's task, of a task whose runtime is another: that one's wakes rely on who polls it. */
MODEL(block_in_place_refused_in_another_runtimes_task)
{
    static struct edo_handle other;
    int called = 0;
    begin();
    polled.home = &other;
    model_assert(edo_block_in_place(blocks, &called) == UV_EINVAL);
    model_assert(called == 0 && edo_thread.worker == &worker);
}

/* The other comes for the worker, or comes too late. */
MODEL(block_in_place, .outcomes = "0 1")
{
    begin();
    bool again = block();
    end();
    model_outcome(again);
}

/* Too late for the first time, the other may still be in time for the second. */
MODEL(block_in_place_twice, .outcomes = "00 10 11")
{
    begin();
    bool again = block(), and_again = again && block();
    end();
    model_outcome(again, and_again);
}

MODEL(block_in_place_without_a_thread)
{
    error = UV_EAGAIN;
    begin();
    model_assert(block());
    end();
}
