/* SPDX-License-Identifier: MIT */
/* A task's life: made, polled, finished, freed. */
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "pool.h"
#include "task_poll.h"

/* Errors as pointers, as the kernel has them: the last page is nobody's. */
static bool is_error(const void *pointer)
{
    return (uintptr_t)pointer >= (uintptr_t)-8191;
}

static int task_error(const struct edo_task *task)
{
    if (task == NULL)
        return UV_EINVAL;
    return is_error(task) ? (int)(intptr_t)task : 0;
}

/* LINKED was set by this thread, which has a reference. */
static void link_foreign(struct edo_task *task)
{
    if (!edo_handle_inject(task->home, task) &&
        (edo_task_state_unlink(&task->state) & EDO_TASK_COMPLETE))
        /* It completed while LINKED, which left the runtime's reference to us; and the runtime has
         * shut down, so no queue holds it (edo_drop_all). */
        edo_task_release(task, EDO_TASK_REF);
}

static void task_wake(struct edo_waker *waker)
{
    struct edo_task *task = (struct edo_task *)waker;
    if (edo_handle_mine(task->home))
        edo_schedule(task->home->runtime, task);
    else if (edo_task_state_wake(&task->state, false))
        link_foreign(task);
}

/* The waker's future is linked, so the task is alive: but only until the lock is let go, under which
 * we may be here. The reference lasts to the end of the inject. */
static struct edo_waker *task_claim(struct edo_waker *waker)
{
    struct edo_task *task = (struct edo_task *)waker;
    if (edo_handle_mine(task->home))
        edo_schedule(task->home->runtime, task);
    else if (edo_task_state_wake(&task->state, true))
        return waker;
    return NULL;
}

static void task_finish(struct edo_waker *claimed)
{
    struct edo_task *task = (struct edo_task *)claimed;
    link_foreign(task);
    edo_task_release(task, EDO_TASK_REF);
}

/* On a multi-thread runtime. The task that is polled wakes itself, or what it calls does: it goes on after this poll,
 * and nobody else need know (worker.c). */
static bool woken_by_itself(const struct edo_task *task)
{
    if (edo_thread.task != task)
        return false;
    edo_thread.again = true;
    return true;
}

static void pooled_wake(struct edo_waker *waker)
{
    struct edo_task *task = (struct edo_task *)waker;
    if (!woken_by_itself(task) && edo_task_state_schedule(&task->state, false))
        edo_worker_schedule(task->home->pool, task, false);
}

/* Whether the runtime does not end as long as this thread is where it is: on a worker, or in the poll of a task that
 * has handed the worker on (edo_block_in_place), maybe just now, between two wakes. */
static bool holds_up_the_end(const struct edo_handle *home)
{
    const struct edo_task *polled = edo_thread.task;
    return edo_worker_mine(home->pool) ||
           (polled != NULL && polled->home == home && !edo_task_is_blocking(polled));
}

/* By a thread that is no worker of the task's. Where the runtime does not end no reference is needed. */
static struct edo_waker *claim_elsewhere(struct edo_task *task)
{
    bool claim = !holds_up_the_end(task->home);
    return edo_task_state_schedule(&task->state, claim) ? &task->waker : NULL;
}

/* What is next on this worker is so at once: another may poll it, and meet the lock that we are under. */
static struct edo_waker *pooled_claim(struct edo_waker *waker)
{
    struct edo_task *task = (struct edo_task *)waker;
    if (woken_by_itself(task))
        return NULL;
    if (edo_unlikely(!edo_worker_mine(task->home->pool)))
        return claim_elsewhere(task);
    if (!edo_task_state_schedule(&task->state, false) ||
        edo_worker_schedule_next(edo_thread.worker, task))
        return NULL;
    return waker;
}

static void pooled_finish(struct edo_waker *claimed)
{
    struct edo_task *task = (struct edo_task *)claimed;
    bool mine = holds_up_the_end(task->home);
    edo_worker_schedule(task->home->pool, task, false);
    if (!mine)
        edo_task_release(task, EDO_TASK_REF);
}

static struct edo_waker *task_clone(struct edo_waker *waker)
{
    edo_task_state_ref(&((struct edo_task *)waker)->state);
    EDO_COUNT(WAKERS, 1);
    return waker;
}

static void task_drop(struct edo_waker *waker)
{
    EDO_COUNT(WAKERS, -1);
    edo_task_release((struct edo_task *)waker, EDO_TASK_REF);
}

/* Stable: a task is alive as long as its future is, and the future unlinks what it linked. */
static const struct edo_waker_ops task_waker = {task_wake, task_clone, task_drop, task_claim,
                                                task_finish};
static const struct edo_waker_ops pooled_waker = {pooled_wake, task_clone, task_drop, pooled_claim,
                                                  pooled_finish};

struct edo_task *edo_task_new(struct edo_handle *handle, const char *name, size_t frame_size)
{
    size_t before = name != NULL ? EDO_TASK_NAME : 0;
    if (frame_size > SIZE_MAX - sizeof(struct edo_task) - EDO_TASK_NAME)
        return NULL;
    struct edo_own *own = edo_handle_own(handle);
    if (own == NULL)
        own = edo_handle_borrow(handle);
    size_t bytes = before + sizeof(struct edo_task) + frame_size;
    struct edo_task_cache *cache = own != NULL ? &own->cache : NULL;
    uint32_t size = edo_cache_size(cache, &handle->slabs, bytes);
    char *block = edo_cache_take(cache, &handle->slabs, size, bytes);
    if (edo_unlikely(block == NULL)) {
        edo_handle_return(handle, own);
        return NULL;
    }
    struct edo_task *task = (struct edo_task *)(block + before);
    EDO_COUNT(TASKS, 1);
    bool pooled = handle->pool != NULL;
    task->waker.ops = pooled ? &pooled_waker : &task_waker;
    edo_task_state_init(&task->state, pooled || own == NULL, name != NULL);
    if (edo_unlikely(name != NULL))
        snprintf(block, EDO_TASK_NAME, "%s", name);
    task->next = NULL;
    task->remote_next = NULL; /* and keeper */
    task->owned.next = NULL;
    task->home = handle;
    task->joiner = NULL;
    /* The serial tells tasks apart that follow each other at one address. */
    static _Atomic(uint32_t) foreign;
    uint32_t n = own != NULL ? ++own->serial : edo_fetch_add(&foreign, 1, relaxed);
    task->serial = n * EDO_SLAB_SIZES | size;
    edo_handle_give(handle, own);
    edo_handle_return(handle, own);
    return task;
}

static void tell_of_panic(struct edo_outcome *outcome, const char *whose)
{
    fprintf(stderr, "edo: %s panicked: %s\n", whose,
            outcome->report != NULL ? outcome->report : "(no memory)");
    outcome->kind = EDO_OUTCOME_REPORTED;
}

void edo_task_tell_of_root(struct edo_task *task)
{
    tell_of_panic((struct edo_outcome *)edo_task_future(task), "a future");
}

/* The last reference is gone. Of a panic as the task was detached nobody has been told: who detached it did not see
 * that it was complete, nor who completed it that it was detached. (With an abort handle about, it is told when that
 * goes.) */
static void free_task(struct edo_task *task)
{
    struct edo_handle *home = task->home;
    struct edo_outcome *outcome = (struct edo_outcome *)edo_task_future(task);
    if (edo_unlikely(outcome->kind == EDO_OUTCOME_PANICKED))
        tell_of_panic(outcome, "a detached task");
    if (edo_unlikely(outcome->kind == EDO_OUTCOME_REPORTED))
        edo_free(outcome->report);
    EDO_COUNT(TASKS, -1);
    bool named = edo_task_state_peek(&task->state) & EDO_TASK_NAMED;
    edo_task_state_free(&task->state);
    struct edo_own *own = edo_handle_own(home);
    edo_cache_give(own != NULL ? &own->cache : NULL, &home->slabs, task->serial % EDO_SLAB_SIZES,
                   (char *)task - (named ? EDO_TASK_NAME : 0));
    edo_handle_take_back(home, own);
}

void edo_task_release(struct edo_task *task, uint32_t given)
{
    if (edo_task_state_unref(&task->state, given))
        free_task(task);
}

static void leave_list(struct edo_task *task)
{
    if (edo_list_linked(&task->owned)) {
        struct edo_runtime *runtime = task->home->runtime;
        edo_list_remove(&task->owned);
        edo_count_up(&runtime->handle->own.counts.ended, 1);
        if (--runtime->live == 0)
            edo_driver_keep_alive(runtime->driver, false);
    }
}

/* On a worker of its runtime the waker is woken and dropped at once. */
static void wake_joiner(struct edo_task *task)
{
    struct edo_waker *joiner = task->joiner;
    struct edo_task *waiting = (struct edo_task *)joiner;
    if (joiner->ops == &pooled_waker && edo_worker_mine(waiting->home->pool)) {
        EDO_COUNT(WAKERS, -1);
        enum edo_task_woken woken = edo_task_state_schedule_drop(&waiting->state);
        if (woken == EDO_TASK_MUST_QUEUE)
            edo_worker_schedule(waiting->home->pool, waiting, false);
        else if (woken == EDO_TASK_MUST_FREE)
            free_task(waiting);
        return;
    }
    edo_wake(joiner);
    edo_waker_drop(joiner);
}

/* Multi-thread: it is in no queue while it is polled, and those of a runtime that has shut down lead nowhere. */
static void end_pooled(struct edo_task *task)
{
    if (edo_task_state_alone(&task->state, true)) {
        free_task(task);
        return;
    }
    uint32_t now = edo_task_state_end(&task->state);
    if (now & EDO_TASK_JOINER) {
        wake_joiner(task);
        edo_task_release(task, EDO_TASK_REF);
    } else if (now < EDO_TASK_REF) {
        free_task(task);
    }
}

/* The outcome is in place. */
void edo_task_finish(struct edo_task *task)
{
    const struct edo_handle *home = task->home;
    struct edo_pool *pool = home->pool;
    if (pool != NULL)
        edo_pool_forget(pool, task);
    else
        leave_list(task);
    if (edo_unlikely(home->hooks.on_task_terminate != NULL))
        home->hooks.on_task_terminate(home->hooks.hook_arg, edo_task_id_(task));
    if (pool != NULL) {
        end_pooled(task);
        return;
    }
    if (task->next == NULL && edo_task_state_alone(&task->state, false)) {
        free_task(task);
        return;
    }
    uint32_t old = edo_task_state_finish(&task->state);
    if (old & EDO_TASK_JOINER)
        wake_joiner(task);
    /* When somebody's list still leads to it, or is about to, the runtime's reference is released by
     * whoever takes it off there. */
    bool listed = task->next != NULL || (old & EDO_TASK_LINKED);
    edo_task_release(task, listed ? EDO_TASK_REF : 2 * EDO_TASK_REF);
}

/* The future was dropped, or panicked. */
static void finish_without(struct edo_task *task, uint32_t kind, char *report)
{
    const struct edo_handle *home = task->home;
    struct edo_outcome *outcome = memcpy(edo_task_future(task), &(struct edo_outcome){report, kind},
                                         sizeof(struct edo_outcome));
    if (kind == EDO_OUTCOME_PANICKED && home->hooks.unhandled_panic == EDO_PANIC_SHUTDOWN &&
        edo_handle_mine(home))
        home->runtime->failed = true;
    if (kind == EDO_OUTCOME_PANICKED && !(edo_task_state_peek(&task->state) & EDO_TASK_HANDLE))
        tell_of_panic(outcome, "a detached task");
    edo_task_finish(task);
}

struct report {
    const struct edo_panic *panic;
    bool told; /* where it was */
    int depth; /* of the next frame below */
    char text[4096];
    size_t length;
};

static void report_frame(void *arg, int depth, const char *name, const char *file, int line)
{
    struct report *report = arg;
    size_t room = sizeof report->text - report->length;
    int n = file != NULL
                ? snprintf(report->text + report->length, room, "\n%*s%s (%s:%d)", 2 + 2 * depth,
                           "", name, file, line)
                : snprintf(report->text + report->length, room, "\n%*s%s", 2 + 2 * depth, "", name);
    if (n > 0)
        report->length += (size_t)n < room ? (size_t)n : room - 1;
    report->depth = depth + 1;
    if (strcmp(name, report->panic->name) == 0 && (file == NULL || line == report->panic->line))
        report->told = true;
}

/* The message, and the chain of awaits before the frames are dropped. A future that panicked in its FINALLY is
 * done, and in no chain: it comes last. NULL: no memory. */
char *edo_task_panic_report(struct edo_task *task, struct edo_context *cx)
{
    struct report report = {.panic = &cx->panic};
    int n = snprintf(report.text, sizeof report.text, "%s", cx->panic.message);
    report.length = (size_t)n;
    cx->depth = 0;
    cx->trace = report_frame;
    cx->trace_arg = &report;
    edo_future_trace(edo_task_future(task), cx);
    cx->trace = NULL;
    if (!report.told)
        report_frame(&report, report.depth, cx->panic.name, cx->panic.file, cx->panic.line);
    char *text = edo_malloc(report.length + 1);
    if (text != NULL)
        memcpy(text, report.text, report.length + 1);
    return text;
}

/* Drops the future with a context of its own: it may happen inside another task's poll. */
void edo_task_drop_future(struct edo_task *task, bool panicked, char *report)
{
    struct edo_context cx;
    edo_context_init(&cx, &task->waker);
    struct edo_task *outer = edo_thread.task;
    /* Unless it was refused by workers, and is dropped by a thread that is none: then it is no task of a poll's, and
     * must not be taken for one (holds_up_the_end). */
    if (task->home->pool == NULL || edo_task_is_blocking(task) || holds_up_the_end(task->home))
        edo_thread.task = task;
    edo_future_drop(edo_task_future(task), &cx);
    edo_thread.task = outer;
    /* A panic in FINALLY is reported, unless it follows another. */
    if (cx.panic.name != NULL && !panicked) {
        panicked = true;
        report = edo_task_panic_report(task, &cx);
    }
    finish_without(task, panicked ? EDO_OUTCOME_PANICKED : EDO_OUTCOME_CANCELLED, report);
}

void edo_task_cancel(struct edo_task *task)
{
    edo_task_drop_future(task, false, NULL);
}

static void count_poll_time(struct edo_counts *counts, const struct edo_histogram *histogram,
                            uint64_t ns)
{
    uint32_t bucket = 0, last = histogram->buckets - 1;
    uint64_t width = histogram->resolution > 0 ? histogram->resolution : 100000, end = width;
    if (histogram->logarithmic) {
        for (; bucket < last && ns >= end && end <= UINT64_MAX / 2; bucket++)
            end *= 2;
    } else {
        bucket = ns / width < last ? (uint32_t)(ns / width) : last;
    }
    edo_count_up(&counts->poll_time[bucket], 1);
}

enum edo_poll edo_task_poll_observed(struct edo_task *task, struct edo_context *cx)
{
    const struct edo_builder *hooks = &task->home->hooks;
    uint64_t id = edo_task_id_(task);
    if (hooks->on_before_task_poll != NULL)
        hooks->on_before_task_poll(hooks->hook_arg, id);
    uint64_t begin = hooks->poll_time.buckets > 0 ? edo_clock_ns() : 0;
    enum edo_poll poll = edo_future_poll(edo_task_future(task), cx);
    struct edo_own *own = edo_handle_own(task->home);
    if (hooks->poll_time.buckets > 0 && own != NULL)
        count_poll_time(&own->counts, &hooks->poll_time, edo_clock_ns() - begin);
    if (hooks->on_after_task_poll != NULL)
        hooks->on_after_task_poll(hooks->hook_arg, id);
    return poll;
}

void edo_task_count_budget_yield(struct edo_task *task)
{
    struct edo_own *own = edo_handle_own(task->home);
    if (own != NULL)
        edo_count_up(&own->counts.budget_yields, 1);
}

void edo_task_panicked(struct edo_task *task, struct edo_context *cx)
{
    char *report = edo_task_panic_report(task, cx);
    cx->panic.name = NULL;
    edo_task_drop_future(task, true, report);
}

/* Spawning. */

void edo_task_next_name_(const char *name)
{
    edo_thread.next_name = name;
}

struct edo_task *edo_task_alloc_(struct edo_handle *handle, size_t frame_size)
{
    const char *name = edo_thread.next_name;
    edo_thread.next_name = NULL;
    if (handle == NULL)
        handle = edo_thread.current;
    if (handle == NULL)
        return (struct edo_task *)(intptr_t)EDO_ENORUNTIME;
    if (is_error(handle))
        return (struct edo_task *)handle;
    struct edo_task *task = edo_task_new(handle, name, frame_size);
    return task != NULL ? task : (struct edo_task *)(intptr_t)UV_ENOMEM;
}

void *edo_task_frame_(struct edo_task *task)
{
    return task_error(task) < 0 ? NULL : edo_task_future(task);
}

static void wake_nobody(struct edo_waker *waker)
{
    (void)waker;
}

/* Also its claim: nothing is left to be done, but finish() does that. */
static struct edo_waker *clone_nobody(struct edo_waker *waker)
{
    return waker;
}

void edo_task_start_(struct edo_task *task, struct edo_future *future)
{
    if (task_error(task) < 0) {
        static const struct edo_waker_ops ops = {wake_nobody, clone_nobody, wake_nobody,
                                                 clone_nobody, wake_nobody};
        static struct edo_waker nobody = {&ops};
        struct edo_context cx;
        edo_context_init(&cx, &nobody);
        edo_future_drop(future, &cx);
        return;
    }
    edo_demand_made(future);
    struct edo_handle *home = task->home;
    if (edo_unlikely(home->hooks.on_task_spawn != NULL))
        home->hooks.on_task_spawn(home->hooks.hook_arg, edo_task_id_(task));
    if (home->pool != NULL) {
        if (!edo_pool_spawn(home->pool, task))
            edo_task_drop_future(task, false, NULL);
    } else if (!(edo_task_state_peek(&task->state) & EDO_TASK_LINKED)) {
        edo_adopt(home->runtime, task);
    } else if (!edo_handle_inject(home, task)) {
        edo_task_state_unlink(&task->state);
        edo_task_drop_future(task, false, NULL);
    }
}

struct edo_task *edo_task_start_detached_(struct edo_task *task, struct edo_future *future)
{
    int error = task_error(task);
    /* Elsewhere than on its runtime's threads the handle goes last: through it there is what the spawn touches when the
     * task has ended, and its runtime maybe with it. */
    bool mine = error == 0 && edo_handle_own(task->home) != NULL;
    if (mine)
        edo_task_state_detach_new(&task->state);
    edo_task_start_(task, future);
    if (!mine)
        edo_task_detach_(task);
    return (struct edo_task *)(intptr_t)error;
}

/* Handles. */

struct edo_task *edo_task_check_(struct edo_task *task, const char *file, int line)
{
    if (task_error(task) == 0 && !(edo_task_state_peek(&task->state) & EDO_TASK_HANDLE))
        edo_bug(file, line, "a join handle is used that was joined or detached before");
    return task;
}

int edo_task_error_(struct edo_task *task)
{
    return task_error(task);
}

void edo_task_abort_(struct edo_task *task)
{
    /* A blocking task is asked once whether it was aborted: before it begins, when nobody waits. */
    if (task_error(task) == 0 && edo_task_state_abort(&task->state) && !edo_task_is_blocking(task))
        edo_wake(&task->waker);
}

bool edo_task_is_finished_(struct edo_task *task)
{
    return task_error(task) < 0 || edo_task_state_complete(&task->state);
}

const char *edo_task_name_(struct edo_task *task)
{
    if (task_error(task) < 0 || !(edo_task_state_peek(&task->state) & EDO_TASK_NAMED))
        return NULL;
    return (const char *)task - EDO_TASK_NAME;
}

uint64_t edo_task_id_(struct edo_task *task)
{
    if (task_error(task) < 0)
        return 0;
    return (uint64_t)task->serial << 32 | (uint32_t)((uintptr_t)task >> 4);
}

void edo_task_detach_(struct edo_task *task)
{
    if (task_error(task) < 0)
        return;
    if (edo_likely(!(edo_task_state_of_handle(&task->state) & EDO_TASK_COMPLETE))) {
        /* Most probably not the last: there is the runtime's. */
        if (edo_task_state_sub(&task->state, EDO_TASK_REF | EDO_TASK_HANDLE))
            free_task(task);
        return;
    }
    struct edo_outcome *outcome = (struct edo_outcome *)edo_task_future(task);
    if (outcome->kind == EDO_OUTCOME_PANICKED)
        tell_of_panic(outcome, "a detached task");
    edo_task_release(task, EDO_TASK_REF | EDO_TASK_HANDLE);
}

static void walk_trace(struct edo_task *task, edo_trace_fn *trace, void *arg)
{
    struct edo_context cx;
    edo_context_init(&cx, &task->waker);
    cx.trace = trace;
    cx.trace_arg = arg;
    edo_future_trace(edo_task_future(task), &cx);
}

bool edo_task_look(struct edo_task *task, edo_trace_fn *trace, void *arg)
{
    if (!edo_task_state_hold(&task->state))
        return false;
    walk_trace(task, trace, arg);
    if (!edo_task_state_idle(&task->state))
        edo_worker_schedule(task->home->pool, task, false);
    return true;
}

int edo_task_trace_(struct edo_task *task, edo_trace_fn *trace, void *arg)
{
    int error = task_error(task);
    if (error < 0)
        return error;
    if (edo_task_state_complete(&task->state))
        return UV_ESRCH;
    struct edo_handle *home = task->home;
    if (edo_task_is_blocking(task))
        return UV_EBUSY;
    if (home->pool != NULL) {
        if (!edo_pool_enter(home->pool))
            return UV_ESRCH;
        bool waits = edo_task_look(task, trace, arg);
        edo_pool_leave(home->pool);
        return waits ? 0 : UV_EBUSY;
    }
    if (!edo_handle_mine(home) && home->thread != &edo_thread)
        return UV_EBUSY;
    walk_trace(task, trace, arg);
    return 0;
}

static void dump_frame(void *arg, int depth, const char *name, const char *file, int line)
{
    if (file != NULL)
        fprintf(arg, "%*s%s (%s:%d)\n", 2 * depth, "", name, file, line);
    else
        fprintf(arg, "%*s%s\n", 2 * depth, "", name);
}

int edo_task_dump_(struct edo_task *task, FILE *file)
{
    return edo_task_trace_(task, dump_frame, file);
}

uint64_t edo_current_task_id(void)
{
    return edo_thread.task != NULL ? edo_task_id_(edo_thread.task) : 0;
}

struct edo_abort_handle *edo_abort_handle_(struct edo_task *task)
{
    if (task_error(task) < 0)
        return NULL;
    edo_task_state_ref(&task->state);
    return (struct edo_abort_handle *)task;
}

struct edo_abort_handle *edo_abort_handle_clone(struct edo_abort_handle *handle)
{
    return handle == NULL ? NULL : edo_abort_handle_((struct edo_task *)handle);
}

void edo_abort_handle_drop(struct edo_abort_handle *handle)
{
    if (handle != NULL)
        edo_task_release((struct edo_task *)handle, EDO_TASK_REF);
}

void edo_abort_handle_abort(struct edo_abort_handle *handle)
{
    edo_task_abort_((struct edo_task *)handle);
}

bool edo_abort_handle_is_finished(struct edo_abort_handle *handle)
{
    return edo_task_is_finished_((struct edo_task *)handle);
}

uint64_t edo_abort_handle_id(struct edo_abort_handle *handle)
{
    return edo_task_id_((struct edo_task *)handle);
}
