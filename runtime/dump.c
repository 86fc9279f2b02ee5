/* SPDX-License-Identifier: MIT */
/* On a multi-thread runtime a task that waits is looked at by who has LINKED in its state, as a worker has that is
 * about to poll it: whoever wakes it meanwhile leaves WOKEN, and it is scheduled when the look is over. That it
 * is not dropped meanwhile by the runtime's end is seen to by being one of those who run tasks (pool->running). */
#include "dump.h"

#include <inttypes.h>

#include "metrics.h"
#include "pool.h"
#include "runtime_internal.h"

/* How often, and how long in all, a task is looked at that is not waiting. */
enum { ROUNDS = 50, ROUND_NS = 1000000 };

static void print_head(FILE *file, struct edo_task *task, const char *state)
{
    const char *name = edo_task_name_(task);
    if (name != NULL)
        fprintf(file, "task %" PRIu64 " \"%s\" %s\n", edo_task_id_(task), name, state);
    else
        fprintf(file, "task %" PRIu64 " %s\n", edo_task_id_(task), state);
}

static void print_frame(void *arg, int depth, const char *name, const char *file, int line)
{
    if (file != NULL)
        fprintf(arg, "%*s%s (%s:%d)\n", 2 + 2 * depth, "", name, file, line);
    else
        fprintf(arg, "%*s%s\n", 2 + 2 * depth, "", name);
}

static void print_chain(FILE *file, struct edo_task *task)
{
    struct edo_context cx;
    edo_context_init(&cx, &task->waker);
    cx.trace = print_frame;
    cx.trace_arg = file;
    edo_future_trace(edo_task_future(task), &cx);
}

/* ---- The current-thread runtime ---- */

static void dump_own(struct edo_runtime *runtime, FILE *file)
{
    for (struct edo_list *node = runtime->tasks.next; node != &runtime->tasks; node = node->next) {
        struct edo_task *task = edo_container_of(node, struct edo_task, owned);
        bool runs = task == edo_thread.task;
        print_head(file, task, runs ? "runs" : task->next != NULL ? "is ready" : "waits");
        if (!runs)
            print_chain(file, task);
    }
}

static int look_and_dump(struct edo_handle *handle, FILE *file)
{
    if (!edo_handle_claim(handle, true))
        return UV_EBUSY;
    int error = handle->runtime != NULL ? 0 : EDO_ESHUTDOWN;
    if (error == 0)
        dump_own(handle->runtime, file);
    edo_handle_look_over(handle);
    return error;
}

static int dump_current(struct edo_handle *handle, FILE *file)
{
    if (!edo_handle_mine(handle)) {
        /* Nobody runs it: it is this thread's for a moment, and whoever wants to run, end or dump it waits (handle.c).
         * The file's lock comes first: who has taken it, and then waits, would wait for ever. */
        flockfile(file);
        int error = look_and_dump(handle, file);
        funlockfile(file);
        return error;
    }
    if (handle->runtime == NULL)
        return EDO_ESHUTDOWN;
    dump_own(handle->runtime, file);
    return 0;
}

/* ---- The multi-thread runtime ---- */

/* References to all tasks that a worker's list holds. */
struct tasks {
    struct edo_task **tasks;
    size_t count, room;
};

static void take(struct edo_worker *worker, struct tasks *all)
{
    edo_lock(&worker->lock);
    for (struct edo_list *node = worker->tasks.next; node != &worker->tasks; node = node->next) {
        if (all->count < all->room) {
            struct edo_task *task = edo_container_of(node, struct edo_task, owned);
            edo_task_state_ref(&task->state);
            all->tasks[all->count] = task;
        }
        all->count++;
    }
    edo_unlock(&worker->lock);
}

static void give_back(struct tasks *all)
{
    size_t count = all->count < all->room ? all->count : all->room;
    for (size_t i = 0; i < count; i++)
        if (all->tasks[i] != NULL)
            edo_task_release(all->tasks[i], EDO_TASK_REF);
    edo_free(all->tasks);
}

/* With room for as many as there were a moment ago, until that was enough. */
static int take_all(struct edo_pool *pool, struct tasks *all)
{
    for (size_t room = 64;; room = all->count + all->count / 4) {
        *all = (struct tasks){edo_malloc(room * sizeof(struct edo_task *)), 0, room};
        if (all->tasks == NULL)
            return UV_ENOMEM;
        for (uint32_t i = 0; i < pool->count; i++)
            take(&pool->workers[i], all);
        if (all->count <= room)
            return 0;
        give_back(all);
    }
}

struct look {
    FILE *file;
    struct edo_task *task;
};

static void print_waiting(void *arg, int depth, const char *name, const char *file, int line)
{
    struct look *look = arg;
    if (depth == 0)
        print_head(look->file, look->task, "waits");
    print_frame(look->file, depth, name, file, line);
}

/* Those that are through are given back, and forgotten. */
static void dump_tasks(struct tasks *all, FILE *file)
{
    size_t left = all->count;
    struct edo_event nobody;
    edo_event_init(&nobody);
    for (int round = 0; round < ROUNDS && left > 0; round++) {
        left = 0;
        for (size_t i = 0; i < all->count; i++) {
            struct edo_task *task = all->tasks[i];
            if (task == NULL)
                continue;
            struct look look = {file, task};
            if (!edo_task_state_complete(&task->state) &&
                !edo_task_look(task, print_waiting, &look)) {
                left += task != edo_thread.task;
                continue;
            }
            all->tasks[i] = NULL;
            edo_task_release(task, EDO_TASK_REF);
        }
        if (left > 0)
            edo_event_wait_until(&nobody, edo_clock_ns() + ROUND_NS);
    }
    edo_event_destroy(&nobody);
    for (size_t i = 0; i < all->count; i++)
        if (all->tasks[i] != NULL && !edo_task_state_complete(&all->tasks[i]->state))
            print_head(file, all->tasks[i], "runs");
}

static uint64_t alive(struct edo_pool *pool)
{
    struct edo_metrics metrics;
    edo_handle_metrics(pool->handle, &metrics);
    return metrics.alive_tasks;
}

static int dump_pool(struct edo_pool *pool, FILE *file)
{
    if (!edo_pool_enter(pool))
        return EDO_ESHUTDOWN;
    uint64_t before = alive(pool);
    struct tasks all;
    int error = take_all(pool, &all);
    if (error == 0) {
        /* Neither those that have ended meanwhile nor those that are new since are meant. (One that ends is counted so
         * before it leaves its list: edo_pool_forget.) */
        uint64_t after = alive(pool), there = before < after ? before : after;
        dump_tasks(&all, file);
        /* These are in no list as yet. */
        if (there > all.count)
            fprintf(file, "%" PRIu64 " more have not waited yet\n", there - all.count);
        give_back(&all);
    }
    edo_pool_leave(pool);
    return error;
}

int edo_handle_dump(struct edo_handle *handle, FILE *file)
{
    return handle->pool != NULL ? dump_pool(handle->pool, file) : dump_current(handle, file);
}
