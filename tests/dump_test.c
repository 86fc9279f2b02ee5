/* SPDX-License-Identifier: MIT */
/* What a runtime tells of itself: dumps, names, figures. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal/park.h"
#include "io_helpers.h"
#include "support/limits.h"
#include "support/runtimes.h"

/* ---- Dumps ---- */

struct inner {
    FUTURE(void);
    struct edo_notified wait;
    struct edo_notify *notify;
};

ASYNC(inner)
{
    ASYNC_BEGIN;
    AWAIT(self->wait, edo_notified(self->notify));
    ASYNC_END;
}

struct outer {
    FUTURE(void);
    struct edo_notify *notify;
    struct inner inner;
};

ASYNC(outer)
{
    ASYNC_BEGIN;
    AWAIT(self->inner, NEW(inner, .notify = self->notify));
    ASYNC_END;
}

/* The dump as text, the caller's to free. */
static char *dump(struct edo_handle *handle, int *error)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    *error = edo_handle_dump(handle, file);
    fclose(file);
    return text;
}

/* How many lines begin and end so. */
static int lines(const char *text, const char *begin, const char *end)
{
    int count = 0;
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        count += size >= strlen(begin) + strlen(end) && strncmp(text, begin, strlen(begin)) == 0 &&
                 strncmp(text + size - strlen(end), end, strlen(end)) == 0;
        text += size + (text[size] == '\n');
    }
    return count;
}

static bool both_wait(const char *text)
{
    return lines(text, "task ", " \"first\" waits") == 1 &&
           lines(text, "  outer (tests/dump_test.c:", ")") == 2 &&
           lines(text, "    inner (tests/dump_test.c:", ")") == 2 &&
           lines(text, "      edo_notified", "") == 2;
}

struct dumps {
    FUTURE(void);
    struct edo_notify notify;
    JOIN_HANDLE(void) first, second;
    union {
        struct edo_join join;
        struct edo_yield_now yield;
    };
};

static bool dump_here(void)
{
    int error;
    char *text = dump(edo_handle_current(), &error);
    cr_assert_eq(error, 0);
    bool wait = both_wait(text);
    free(text);
    return wait;
}

ASYNC(dumps)
{
    ASYNC_BEGIN;
    edo_notify_init(&self->notify);
    self->first = TASK_NAMED("first", SPAWN(NEW(outer, .notify = &self->notify)));
    self->second = SPAWN(NEW(outer, .notify = &self->notify));
    while (!dump_here())
        AWAIT(self->yield, edo_yield_now());
    edo_notify_waiters(&self->notify);
    AWAIT(self->join, edo_join(self->first, NULL));
    AWAIT(self->join, edo_join(self->second, NULL));
    edo_notify_destroy(&self->notify);
    ASYNC_END;
}

Test(dump, tells_what_each_task_waits_for)
{
    RUN(NEW(dumps));
}

static void nobody_runs(struct edo_handle *handle)
{
    int error;
    char *text = dump(handle, &error);
    cr_assert_eq(error, 0);
    cr_assert_eq(lines(text, "task ", ""), 0);
    free(text);
}

Test(dump, is_empty_without_tasks_and_refused_when_the_runtime_is_gone)
{
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct edo_handle *handle = edo_handle_clone(edo_runtime_handle(runtime));
    nobody_runs(handle);
    edo_runtime_drop(runtime);
    int error;
    free(dump(handle, &error));
    cr_assert_eq(error, EDO_ESHUTDOWN);
    edo_handle_drop(handle);
}

/* Tasks that never rest are dumped from another thread, again and again, while they wake each other, end, and are
 * spawned anew; then the runtime is dropped in the midst of it. */
struct restless {
    FUTURE(void);
    int rounds;
    struct edo_notify *notify;
    union {
        struct edo_yield_now yield;
        struct edo_notified wait;
        struct edo_sleep sleep;
    };
};

ASYNC(restless)
{
    ASYNC_BEGIN;
    for (self->rounds = 0; self->rounds < 20; self->rounds++) {
        edo_notify_one(self->notify);
        AWAIT(self->yield, edo_yield_now());
        AWAIT(self->wait, edo_notified(self->notify));
        AWAIT(self->sleep, edo_sleep(1));
    }
    edo_task_detach(SPAWN(NEW(restless, .notify = self->notify)));
    ASYNC_END;
}

Test(dump, does_not_disturb_those_who_run)
{
    struct edo_runtime *runtime;
    struct edo_notify notify;
    cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 3), 0);
    struct edo_handle *handle = edo_runtime_handle(runtime);
    edo_notify_init(&notify);
    for (int i = 0; i < 20; i++)
        edo_task_detach(SPAWN_ON(handle, NEW(restless, .notify = &notify)));
    for (int i = 0; i < 20; i++) {
        int error;
        char *text = dump(handle, &error);
        cr_assert_eq(error, 0);
        cr_assert_leq(lines(text, "task ", ""), 40);
        free(text);
    }
    edo_runtime_drop(runtime);
    edo_notify_destroy(&notify);
}

/* One task holds the only worker in its first poll, another is behind it: neither is in the lists that are dumped. */
struct holds {
    FUTURE(void);
    sem_t *entered, *open;
};

ASYNC(holds)
{
    ASYNC_BEGIN;
    sem_post(self->entered);
    while (sem_wait(self->open) != 0)
        ;
    ASYNC_END;
}

Test(dump, counts_those_that_have_not_waited_yet)
{
    struct edo_runtime *runtime;
    sem_t entered, open;
    sem_init(&entered, 0, 0);
    sem_init(&open, 0, 0);
    cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 1), 0);
    struct edo_handle *handle = edo_runtime_handle(runtime);
    for (int i = 0; i < 2; i++)
        edo_task_detach(SPAWN_ON(handle, NEW(holds, .entered = &entered, .open = &open)));
    while (sem_wait(&entered) != 0)
        ;
    int error;
    char *text = dump(handle, &error);
    cr_assert_eq(error, 0);
    cr_assert_str_eq(text, "2 more have not waited yet\n");
    free(text);
    sem_post(&open);
    sem_post(&open);
    edo_runtime_drop(runtime);
    sem_destroy(&entered);
    sem_destroy(&open);
}

struct waits_once {
    FUTURE(void);
    struct edo_notify *notify;
    struct edo_notified notified;
};

ASYNC(waits_once)
{
    ASYNC_BEGIN;
    AWAIT(self->notified, edo_notified(self->notify));
    ASYNC_END;
}

/* Each dump meets one that is just ending: it has waited. */
Test(dump, does_not_take_those_that_end_for_such_as_have_not_waited_yet,
     .timeout = LONGER_UNDER_TSAN)
{
    enum { TASKS = 2000 };
    struct edo_runtime *runtime;
    struct edo_notify notify;
    edo_notify_init(&notify);
    cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 2), 0);
    struct edo_handle *handle = edo_runtime_handle(runtime);
    for (int i = 0; i < TASKS; i++)
        edo_task_detach(SPAWN_ON(handle, NEW(waits_once, .notify = &notify)));
    for (int left = TASKS, waiting = 0; left > 0;) {
        int error;
        char *text = dump(handle, &error);
        cr_assert_eq(error, 0);
        waiting += waiting < TASKS ? lines(text, "task ", " waits") - waiting : 0;
        if (waiting == TASKS) {
            cr_assert_eq(lines(text, "", " not waited yet"), 0, "%d left: %s", left, text);
            edo_notify_one(&notify);
            left--;
            /* The next dump is to come at any moment of what that has begun. */
            for (int moment = left * 37 % 3000; moment > 0; moment--)
                edo_pause();
        }
        free(text);
    }
    edo_runtime_drop(runtime);
    edo_notify_destroy(&notify);
}

/* A dump that takes its time: it posts `begun` when it has something to write, and most likely the next run has come
 * to wait for it before it goes on. */
struct slow_dump {
    struct edo_handle *handle;
    sem_t begun;
    int error;
};

static ssize_t write_slowly(void *cookie, const char *text, size_t size)
{
    (void)text;
    sem_post(&((struct slow_dump *)cookie)->begun);
    struct timespec moment = {.tv_nsec = 2000000};
    nanosleep(&moment, NULL);
    return (ssize_t)size;
}

static void *dumps_slowly(void *arg)
{
    struct slow_dump *self = arg;
    FILE *file = fopencookie(self, "w", (cookie_io_functions_t){.write = write_slowly});
    setvbuf(file, NULL, _IONBF, 0);
    self->error = edo_handle_dump(self->handle, file);
    fclose(file);
    return NULL;
}

struct spawns_outer {
    FUTURE(void);
    struct edo_notify *notify;
    struct edo_yield_now yield;
};

ASYNC(spawns_outer)
{
    ASYNC_BEGIN;
    edo_task_detach(SPAWN(NEW(outer, .notify = self->notify)));
    AWAIT(self->yield, edo_yield_now());
    ASYNC_END;
}

/* Between two runs of a current-thread runtime another thread looks at it; the next run, and its end, wait for that. */
static void while_dumped(bool drop)
{
    struct edo_runtime *runtime;
    struct edo_notify notify;
    edo_notify_init(&notify);
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct spawns_outer root = NEW(spawns_outer, .notify = &notify);
    cr_assert_eq(edo_block_on(runtime, &root), 0);
    struct slow_dump dump = {.handle = edo_handle_clone(edo_runtime_handle(runtime))};
    sem_init(&dump.begun, 0, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, dumps_slowly, &dump);
    while (sem_wait(&dump.begun) != 0)
        ;
    if (!drop) {
        struct edo_yield_now turn = edo_yield_now();
        cr_assert_eq(edo_block_on(runtime, &turn), 0);
        pthread_join(thread, NULL);
    }
    edo_runtime_drop(runtime);
    if (drop)
        pthread_join(thread, NULL);
    cr_assert_eq(dump.error, 0);
    edo_handle_drop(dump.handle);
    edo_notify_destroy(&notify);
}

Test(dump, by_another_thread_is_waited_for_by_the_next_run)
{
    while_dumped(false);
}

Test(dump, by_another_thread_is_waited_for_by_the_end)
{
    while_dumped(true);
}

/* What prints may look at the runtime, and learns that it cannot run it: nothing of ours is held while it is called. */
struct curious_dump {
    struct edo_runtime *runtime;
    int writes, error, inner;
};

static ssize_t write_curiously(void *cookie, const char *text, size_t size)
{
    struct curious_dump *self = cookie;
    (void)text;
    if (self->writes++ == 0) {
        struct edo_yield_now turn = edo_yield_now();
        self->error = edo_block_on(self->runtime, &turn);
        free(dump(edo_runtime_handle(self->runtime), &self->inner));
    }
    return (ssize_t)size;
}

Test(dump, calls_what_prints_with_no_lock_held)
{
    struct edo_runtime *runtime;
    struct edo_notify notify;
    edo_notify_init(&notify);
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct spawns_outer root = NEW(spawns_outer, .notify = &notify);
    cr_assert_eq(edo_block_on(runtime, &root), 0);
    struct curious_dump curious = {.runtime = runtime, .inner = 1};
    FILE *file = fopencookie(&curious, "w", (cookie_io_functions_t){.write = write_curiously});
    setvbuf(file, NULL, _IONBF, 0);
    cr_assert_eq(edo_handle_dump(edo_runtime_handle(runtime), file), 0);
    fclose(file);
    cr_assert_gt(curious.writes, 0);
    cr_assert_eq(curious.error, UV_EBUSY);
    cr_assert_eq(curious.inner, 0);
    struct edo_yield_now turn = edo_yield_now();
    cr_assert_eq(edo_block_on(runtime, &turn), 0);
    edo_runtime_drop(runtime);
    edo_notify_destroy(&notify);
}

/* Several threads look, one after the other, and this one wants to run it between them. */
enum { LOOKERS = 4, LOOKS = 50 };

static void *looks_again(void *handle)
{
    for (int i = 0; i < LOOKS; i++) {
        int error;
        free(dump(handle, &error));
        cr_assert(error == 0 || error == UV_EBUSY);
    }
    return NULL;
}

Test(dump, by_several_threads_and_runs_take_turns)
{
    struct edo_runtime *runtime;
    struct edo_notify notify;
    edo_notify_init(&notify);
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct spawns_outer root = NEW(spawns_outer, .notify = &notify);
    cr_assert_eq(edo_block_on(runtime, &root), 0);
    pthread_t threads[LOOKERS];
    for (int i = 0; i < LOOKERS; i++)
        pthread_create(&threads[i], NULL, looks_again, edo_runtime_handle(runtime));
    for (int i = 0; i < LOOKS; i++) {
        struct edo_yield_now turn = edo_yield_now();
        cr_assert_eq(edo_block_on(runtime, &turn), 0);
    }
    for (int i = 0; i < LOOKERS; i++)
        pthread_join(threads[i], NULL);
    edo_runtime_drop(runtime);
    edo_notify_destroy(&notify);
}

/* ---- Names ---- */

Test(dump, a_name_is_copied_and_cut)
{
    struct edo_runtime *runtime;
    struct edo_notify notify;
    char name[64];
    memset(name, 'x', sizeof name);
    name[63] = '\0';
    cr_assert_eq(test_runtime_new(&runtime), 0);
    edo_notify_init(&notify);
    JOIN_HANDLE(void)
    handle = TASK_NAMED(name, SPAWN_ON(edo_runtime_handle(runtime), NEW(outer, .notify = &notify)));
    memset(name, 'y', 63);
    cr_assert_eq(strlen(edo_task_name(handle)), 31);
    cr_assert_eq(edo_task_name(handle)[30], 'x');
    edo_runtime_drop(runtime);
    cr_assert_eq(edo_task_name(handle)[0], 'x');
    edo_task_detach(handle);
    edo_notify_destroy(&notify);
}

Test(dump, an_error_has_no_name_and_the_next_task_not_its)
{
    JOIN_HANDLE(void) handle = TASK_NAMED("lost", SPAWN(NEW(outer)));
    cr_assert_eq(edo_task_error(handle), EDO_ENORUNTIME);
    cr_assert_null(edo_task_name(handle));
    struct edo_runtime *runtime;
    struct edo_notify notify;
    edo_notify_init(&notify);
    cr_assert_eq(test_runtime_new(&runtime), 0);
    handle = SPAWN_ON(edo_runtime_handle(runtime), NEW(outer, .notify = &notify));
    cr_assert_null(edo_task_name(handle));
    edo_task_detach(handle);
    edo_runtime_drop(runtime);
    edo_notify_destroy(&notify);
}

/* ---- Figures ---- */

struct busy {
    FUTURE(void);
    int i;
    struct edo_yield_now yield;
};

ASYNC(busy)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < 9; self->i++)
        AWAIT(self->yield, edo_yield_now());
    ASYNC_END;
}

struct counts {
    FUTURE(void);
    int i;
    JOIN_HANDLE(void) tasks[10];
    struct edo_join join;
};

ASYNC(counts)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < 10; self->i++)
        self->tasks[self->i] = SPAWN(NEW(busy));
    for (self->i = 0; self->i < 10; self->i++)
        AWAIT(self->join, edo_join(self->tasks[self->i], NULL));
    ASYNC_END;
}

static uint64_t sum(const struct edo_worker_metrics *worker)
{
    uint64_t polls = 0;
    for (int i = 0; i < EDO_HISTOGRAM_BUCKETS; i++)
        polls += worker->poll_time[i];
    return polls;
}

Test(metrics, count_what_was_done)
{
    struct edo_runtime *runtime;
    struct edo_metrics metrics;
    cr_assert_eq(test_runtime_new(&runtime, .poll_time = {.buckets = 8, .resolution = 1000}), 0);
    struct edo_handle *handle = edo_handle_clone(edo_runtime_handle(runtime));
    struct counts future = NEW(counts);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    edo_handle_metrics(handle, &metrics);
    unsigned workers = test_workers() > 0 ? test_workers() : 1;
    cr_assert_eq(metrics.workers, workers);
    cr_assert_eq(metrics.alive_tasks, 0);
    /* The future of edo_block_on is a task on a current-thread runtime. */
    cr_assert_eq(metrics.spawned_tasks, test_workers() > 0 ? 10 : 11);
    cr_assert_geq(metrics.total.polls, 100);
    cr_assert_eq(sum(&metrics.total), metrics.total.polls);
    uint64_t polls = 0;
    for (unsigned i = 0; i < workers; i++) {
        struct edo_worker_metrics worker;
        cr_assert_eq(edo_handle_worker_metrics(handle, i, &worker), 0);
        polls += worker.polls;
    }
    cr_assert_eq(polls, metrics.total.polls);
    struct edo_worker_metrics none;
    cr_assert_eq(edo_handle_worker_metrics(handle, workers, &none), UV_EINVAL);
    edo_handle_drop(handle);
}

struct spends {
    FUTURE(void);
    int i;
    struct edo_consume_budget spend;
};

ASYNC(spends)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < 3 * (int)EDO_BUDGET; self->i++)
        AWAIT(self->spend, edo_consume_budget());
    ASYNC_END;
}

struct spends_in_task {
    FUTURE(void);
    JOIN_HANDLE(void) task;
    struct edo_join join;
};

ASYNC(spends_in_task)
{
    ASYNC_BEGIN;
    self->task = SPAWN(NEW(spends));
    AWAIT(self->join, edo_join(self->task, NULL));
    ASYNC_END;
}

Test(metrics, a_budget_that_was_used_up_is_a_yield)
{
    struct edo_runtime *runtime;
    struct edo_metrics metrics;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct edo_handle *handle = edo_handle_clone(edo_runtime_handle(runtime));
    struct spends_in_task future = NEW(spends_in_task);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    edo_handle_metrics(handle, &metrics);
    /* The last of the budget may have been used up by the last operation. */
    cr_assert(metrics.total.budget_yields == 2 || metrics.total.budget_yields == 3);
    edo_handle_drop(handle);
}

/* ---- What a panic does ---- */

struct panics {
    FUTURE(void);
};

ASYNC(panics)
{
    ASYNC_BEGIN;
    PANIC("that was it");
    ASYNC_END;
}

struct victim {
    FUTURE(void);
    int *dropped;
    struct edo_notify *notify;
    struct edo_notified wait;
};

ASYNC(victim)
{
    ASYNC_BEGIN;
    AWAIT(self->wait, edo_notified(self->notify));
ASYNC_FINALLY:
    ++*self->dropped;
    ASYNC_END;
}

struct suffers {
    FUTURE(void);
    struct edo_notify *notify;
    int *dropped;
    JOIN_HANDLE(void) task;
    struct edo_join join;
};

ASYNC(suffers)
{
    ASYNC_BEGIN;
    edo_task_detach(SPAWN(NEW(victim, .dropped = self->dropped, .notify = self->notify)));
    self->task = SPAWN(NEW(panics));
    AWAIT(self->join, edo_join(self->task, NULL));
    ASYNC_END;
}

Test(unhandled_panic, may_end_the_runtime)
{
    struct edo_runtime *runtime;
    struct edo_notify notify;
    int dropped = 0;
    cr_assert_eq(edo_runtime_new(&runtime, .unhandled_panic = EDO_PANIC_SHUTDOWN), 0);
    edo_notify_init(&notify);
    struct suffers future = NEW(suffers, .notify = &notify, .dropped = &dropped);
    cr_assert_eq(edo_block_on(runtime, &future), EDO_EPANIC);
    cr_assert_eq(dropped, 1);
    struct busy late = NEW(busy);
    cr_assert_eq(edo_block_on(runtime, &late), EDO_EPANIC);
    JOIN_HANDLE(void) task = SPAWN_ON(edo_runtime_handle(runtime), NEW(busy));
    struct edo_join join = edo_join(task, NULL);
    cr_assert_eq(edo_park_on(&join.future_), 0);
    cr_assert_eq(join.output, UV_ECANCELED);
    edo_runtime_drop(runtime);
    edo_notify_destroy(&notify);
    cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD,
                                 .unhandled_panic = EDO_PANIC_SHUTDOWN),
                 UV_EINVAL);
}

/* ---- Hooks of tasks ---- */

struct hooks {
    _Atomic(int) spawned, before, after, terminated;
};

static void on_spawn(void *arg, uint64_t id)
{
    edo_fetch_add(&((struct hooks *)arg)->spawned, id != 0, relaxed);
}

static void on_before(void *arg, uint64_t id)
{
    edo_fetch_add(&((struct hooks *)arg)->before, id != 0, relaxed);
}

static void on_after(void *arg, uint64_t id)
{
    edo_fetch_add(&((struct hooks *)arg)->after, id != 0, relaxed);
}

static void on_terminate(void *arg, uint64_t id)
{
    edo_fetch_add(&((struct hooks *)arg)->terminated, id != 0, relaxed);
}

Test(hooks, of_tasks_are_called_for_each)
{
    struct edo_runtime *runtime;
    struct hooks hooks = {0};
    cr_assert_eq(test_runtime_new(&runtime, .on_task_spawn = on_spawn,
                                  .on_before_task_poll = on_before, .on_after_task_poll = on_after,
                                  .on_task_terminate = on_terminate, .hook_arg = &hooks),
                 0);
    struct counts future = NEW(counts);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    /* On a current-thread runtime what edo_block_on runs is a task, too. */
    cr_assert_eq(edo_load(&hooks.spawned, relaxed), test_workers() == 0 ? 11 : 10);
    cr_assert_eq(edo_load(&hooks.terminated, relaxed), edo_load(&hooks.spawned, relaxed));
    cr_assert_geq(edo_load(&hooks.before, relaxed), 100);
    cr_assert_eq(edo_load(&hooks.before, relaxed), edo_load(&hooks.after, relaxed));
}
