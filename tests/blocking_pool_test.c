/* SPDX-License-Identifier: MIT */
/* The threads for blocking work: how many, which work they take, when they come and go. R21. */
#include "blocking_helpers.h"

#include <dirent.h>
#include <sys/prctl.h>

/* Any runtime's pool is the same; the hooks of this one's threads are the pool's alone. */
static struct edo_runtime *alone_with(struct edo_builder builder)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_builder_build(&builder, &runtime), 0);
    return runtime;
}

/* Hooks that count, and say when a thread has stopped. */
struct hooks {
    _Atomic(int) starts, stops, names;
    struct edo_event stopped;
};

static _Thread_local int starts_here;

static void on_start(void *arg)
{
    struct hooks *hooks = arg;
    MUST(starts_here++ == 0);
    edo_fetch_add(&hooks->starts, 1, relaxed);
}

static void on_stop(void *arg)
{
    struct hooks *hooks = arg;
    MUST(starts_here-- == 1);
    edo_fetch_add(&hooks->stops, 1, relaxed);
    edo_event_set(&hooks->stopped);
}

static struct edo_builder builder_with(struct hooks *hooks, uint32_t threads)
{
    *hooks = (struct hooks){0};
    edo_event_init(&hooks->stopped);
    return (struct edo_builder){.max_blocking_threads = threads,
                                .on_thread_start = on_start,
                                .on_thread_stop = on_stop,
                                .hook_arg = hooks};
}

static struct edo_blocking_counts counts_of(struct edo_runtime *runtime)
{
    return edo_blocking_pool_counts(edo_runtime_handle(runtime)->blocking);
}

static JOIN_HANDLE(int) spawn(struct edo_runtime *runtime, struct job job)
{
    return SPAWN_BLOCKING_ON(edo_runtime_handle(runtime), job);
}

/* ---- How many ---- */

static void check_limit(uint32_t threads, uint32_t jobs)
{
    struct baseline start = baseline();
    struct hooks hooks;
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime = alone_with(builder_with(&hooks, threads));
    struct edo_event begun[8], go[8];
    JOIN_HANDLE(int) handles[8];
    for (uint32_t i = 0; i < jobs; i++) {
        edo_event_init(&begun[i]);
        edo_event_init(&go[i]);
        handles[i] = spawn(
            runtime, NEW(job, .log = &log, .name = (int)i + 1, .begun = &begun[i], .go = &go[i]));
        /* With one thread more, as long as there may be. */
        if (i < threads)
            edo_event_wait(&begun[i]);
    }
    struct edo_blocking_counts counts = counts_of(runtime);
    cr_assert_eq(counts.threads, threads);
    cr_assert_eq(counts.idle, 0);
    cr_assert_eq(counts.queued, jobs - threads);
    cr_assert_eq(log.begun, (int)threads);
    /* Each that ends makes room for the next. */
    for (uint32_t i = 0; i < jobs; i++) {
        edo_event_set(&go[i]);
        cr_assert_eq(join_here(handles[i]), (int)i + 1);
        if (i + threads < jobs)
            edo_event_wait(&begun[i + threads]);
    }
    await_idle(edo_runtime_handle(runtime), threads);
    cr_assert_eq(counts_of(runtime).queued, 0);
    cr_assert_eq(log.order, 12345);
    cr_assert_eq(log.most, (int)threads);
    edo_runtime_drop(runtime);
    cr_assert_eq(hooks.starts, (int)threads);
    cr_assert_eq(hooks.stops, (int)threads);
    check_baseline(&start);
}

Test(blocking_pool, one_thread_takes_the_work_in_order)
{
    check_limit(1, 5);
}

Test(blocking_pool, two_threads_take_the_work_in_order)
{
    check_limit(2, 5);
}

Test(blocking_pool, an_idle_thread_is_used_before_one_is_started)
{
    struct hooks hooks;
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime = alone_with(builder_with(&hooks, 8));
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(join_here(spawn(runtime, NEW(job, .log = &log))), 0);
        await_idle(edo_runtime_handle(runtime), 1);
    }
    cr_assert_eq(counts_of(runtime).threads, 1);
    edo_runtime_drop(runtime);
    cr_assert_eq(hooks.starts, 1);
    cr_assert_eq(hooks.stops, 1);
}

/* The one that went idle last has its memory still at hand, and the others may leave. */
static int note_thread(void *argument)
{
    *(pthread_t *)argument = pthread_self();
    return 0;
}

Test(blocking_pool, the_thread_that_went_idle_last_is_used_first)
{
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime = alone_with((struct edo_builder){0});
    struct edo_event begun[3], go[3];
    JOIN_HANDLE(int) handles[3];
    pthread_t threads[3], used;
    for (int i = 0; i < 3; i++) {
        edo_event_init(&begun[i]);
        edo_event_init(&go[i]);
        handles[i] = spawn(runtime, NEW(job, .log = &log, .begun = &begun[i], .go = &go[i],
                                        .function = note_thread, .argument = &threads[i]));
        edo_event_wait(&begun[i]);
    }
    static const int order[] = {1, 0, 2};
    for (int i = 0; i < 3; i++) {
        edo_event_set(&go[order[i]]);
        cr_assert_eq(join_here(handles[order[i]]), 0);
        await_idle(edo_runtime_handle(runtime), (uint32_t)i + 1);
        /* One that still looks out for work stays the last. */
        while (counts_of(runtime).lingers)
            sched_yield();
    }
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(join_here(spawn(runtime, NEW(job, .log = &log, .function = note_thread,
                                                  .argument = &used))),
                     0);
        await_idle(edo_runtime_handle(runtime), 3);
        cr_assert(pthread_equal(used, threads[2]));
    }
    edo_runtime_drop(runtime);
}

/* ---- When they go ---- */

Test(blocking_pool, a_thread_that_stays_idle_leaves)
{
    struct baseline start = baseline();
    struct hooks hooks;
    struct log_of_jobs log = {0};
    struct edo_builder builder = builder_with(&hooks, 2);
    builder.thread_keep_alive = 1;
    struct edo_runtime *runtime = alone_with(builder);
    for (int i = 1; i <= 20; i++) {
        cr_assert_eq(join_here(spawn(runtime, NEW(job, .log = &log))), 0);
        while (edo_load(&hooks.stops, relaxed) < i)
            edo_event_wait(&hooks.stopped);
        cr_assert_eq(counts_of(runtime).threads, 0);
        cr_assert_eq(hooks.starts, i);
    }
    edo_runtime_drop(runtime);
    cr_assert_eq(hooks.stops, 20);
    check_baseline(&start);
}

/* Work comes just when they are about to leave: a pause of about their keep-alive; whichever comes first, it is done. */
Test(blocking_pool, work_that_meets_a_leaving_thread_is_done)
{
    struct baseline start = baseline();
    struct hooks hooks;
    struct log_of_jobs log = {0};
    struct edo_builder builder = builder_with(&hooks, 1);
    builder.thread_keep_alive = 1;
    struct edo_runtime *runtime = alone_with(builder);
    for (int i = 0; i < 300; i++) {
        cr_assert_eq(join_here(spawn(runtime, NEW(job, .log = &log, .name = 2))), 2);
        usleep((useconds_t)(950 + i % 100));
    }
    edo_runtime_drop(runtime);
    cr_assert_eq(log.finals, 300);
    cr_assert_eq(hooks.stops, hooks.starts);
    check_baseline(&start);
}

/* A thread of this process that is not on its way out of the kernel, where it may be for a while when it has been
 * joined. */
static bool is_thread(const char *id)
{
    enum { PF_EXITING = 4 };
    char path[64], line[512] = "";
    unsigned flags = PF_EXITING;
    snprintf(path, sizeof path, "/proc/self/task/%.16s/stat", id);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false; /* gone meanwhile */
    if (fgets(line, sizeof line, file) != NULL && strrchr(line, ')') != NULL)
        cr_assert_eq(sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %u", &flags), 1, "%s",
                     line);
    fclose(file);
    return (flags & PF_EXITING) == 0;
}

static int thread_count(void)
{
    int threads = 0;
    DIR *all = opendir("/proc/self/task");
    for (struct dirent *entry; (entry = readdir(all)) != NULL;)
        threads += entry->d_name[0] != '.' && is_thread(entry->d_name);
    closedir(all);
    return threads;
}

Test(blocking_pool, nothing_of_a_thread_is_left_when_its_runtime_is_dropped)
{
    struct hooks hooks;
    struct log_of_jobs log = {0};
    int before = thread_count();
    struct edo_runtime *runtime = alone_with(builder_with(&hooks, 4));
    for (int i = 0; i < 4; i++)
        edo_task_detach(spawn(runtime, NEW(job, .log = &log)));
    edo_runtime_drop(runtime);
    cr_assert_eq(hooks.stops, hooks.starts);
    cr_assert_eq(thread_count(), before);
}

/* ---- What they are called ---- */

static int note_name(void *argument)
{
    return prctl(PR_GET_NAME, argument);
}

static void check_name(struct edo_builder builder, const char *expected)
{
    char name[EDO_THREAD_NAME] = "";
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime = alone_with(builder);
    cr_assert_eq(
        join_here(spawn(runtime, NEW(job, .log = &log, .function = note_name, .argument = name))),
        0);
    edo_runtime_drop(runtime);
    cr_assert_str_eq(name, expected);
}

static void name_them(void *arg, char name[EDO_THREAD_NAME])
{
    snprintf(name, EDO_THREAD_NAME, "mine-%d",
             edo_fetch_add(&((struct hooks *)arg)->names, 1, relaxed));
}

Test(blocking_pool, threads_have_the_name_that_was_given)
{
    check_name((struct edo_builder){0}, "edo-worker");
    check_name((struct edo_builder){.thread_name = "redis"}, "redis");
    check_name((struct edo_builder){.thread_name = "a name that is too long"}, "a name that is ");
    struct hooks hooks;
    struct edo_builder builder = builder_with(&hooks, 1);
    builder.thread_name_fn = name_them;
    check_name(builder, "mine-0");
    /* Its creator's, if that is what the function leaves. */
    cr_assert_eq(hooks.names, 1);
}

static int note_stack(void *argument)
{
    pthread_attr_t attributes;
    MUST(pthread_getattr_np(pthread_self(), &attributes) == 0);
    pthread_attr_getstacksize(&attributes, argument);
    pthread_attr_destroy(&attributes);
    return 0;
}

static size_t stack_with(size_t asked)
{
    size_t size = 0;
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime = alone_with((struct edo_builder){.thread_stack_size = asked});
    cr_assert_eq(
        join_here(spawn(runtime, NEW(job, .log = &log, .function = note_stack, .argument = &size))),
        0);
    edo_runtime_drop(runtime);
    return size;
}

enum { MIB = 1 << 20 };

Test(blocking_pool, threads_have_a_stack_of_the_size_that_was_given)
{
    size_t size = stack_with(3 * MIB - 1);
    cr_assert(size >= 3 * MIB - 1 && size < 4 * MIB, "%zu", size);
    /* Too little for any thread. */
    cr_assert_gt(stack_with(1), 1);
}

/* ---- When there are none to be had ---- */

Test(blocking_pool, without_any_thread_spawning_fails_and_drops)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime = alone_with((struct edo_builder){0});
    edo_thread_fail(1, true);
    JOIN_HANDLE(int) handle = spawn(runtime, NEW(job, .log = &log));
    cr_assert(edo_thread_fail(0, false));
    cr_assert_eq(edo_task_error(handle), UV_EAGAIN);
    cr_assert_eq(join_here(handle), UV_EAGAIN);
    cr_assert_eq(log.begun, 0);
    cr_assert_eq(log.finals, 1);
    struct edo_blocking_counts counts = counts_of(runtime);
    cr_assert_eq(counts.threads, 0);
    cr_assert_eq(counts.queued, 0);
    /* The next may have one. */
    cr_assert_eq(join_here(spawn(runtime, NEW(job, .log = &log, .name = 3))), 3);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* No fault is needed for that: there is no such stack. */
Test(blocking_pool, a_stack_that_does_not_fit_is_no_thread)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    struct edo_runtime *runtime =
        alone_with((struct edo_builder){.thread_stack_size = SIZE_MAX / 2});
    cr_assert_eq(join_here(spawn(runtime, NEW(job, .log = &log))), UV_EAGAIN);
    cr_assert_eq(log.finals, 1);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

Test(blocking_pool, with_one_thread_alive_the_work_waits_for_it)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    struct edo_event begun, go;
    edo_event_init(&begun);
    edo_event_init(&go);
    struct edo_runtime *runtime = alone_with((struct edo_builder){0});
    JOIN_HANDLE(int)
    first = spawn(runtime, NEW(job, .log = &log, .name = 1, .begun = &begun, .go = &go));
    edo_event_wait(&begun);
    edo_thread_fail(1, true);
    JOIN_HANDLE(int) second = spawn(runtime, NEW(job, .log = &log, .name = 2));
    JOIN_HANDLE(int) third = spawn(runtime, NEW(job, .log = &log, .name = 3));
    cr_assert(edo_thread_fail(0, false));
    cr_assert_eq(edo_task_error(second), 0);
    cr_assert_eq(counts_of(runtime).queued, 2);
    edo_event_set(&go);
    cr_assert_eq(join_here(third), 3);
    cr_assert_eq(join_here(second), 2);
    cr_assert_eq(join_here(first), 1);
    cr_assert_eq(log.order, 123);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* ---- Lent to the workers ---- */

struct lends {
    FUTURE(int);
    struct edo_event *stood_in, *go;
};

struct stands {
    FUTURE(int);
    struct edo_event *stood_in;
};

ASYNC(stands)
{
    ASYNC_BEGIN;
    edo_event_set(self->stood_in);
    ASYNC_END;
}

static void waits_to_go(void *argument)
{
    edo_event_wait(argument);
}

ASYNC(lends)
{
    ASYNC_BEGIN;
    /* The only worker is here: somebody has to stand in for this one to run. */
    edo_task_detach(SPAWN(NEW(stands, .stood_in = self->stood_in)));
    RETURN(edo_block_in_place(waits_to_go, self->go));
    ASYNC_END;
}

/* Were it counted, work would wait for a thread that runs tasks until the runtime ends. */
Test(blocking_pool, a_thread_that_stands_in_for_a_worker_is_none_for_work)
{
    struct baseline start = baseline();
    struct log_of_jobs log = {0};
    struct edo_event stood_in, go;
    edo_event_init(&stood_in);
    edo_event_init(&go);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 1,
                                 .max_blocking_threads = 1),
                 0);
    JOIN_HANDLE(int)
    task = SPAWN_ON(edo_runtime_handle(runtime), NEW(lends, .stood_in = &stood_in, .go = &go));
    edo_event_wait(&stood_in);
    edo_thread_fail(1, true);
    JOIN_HANDLE(int) handle = spawn(runtime, NEW(job, .log = &log));
    cr_assert(edo_thread_fail(0, false));
    cr_assert_eq(edo_task_error(handle), UV_EAGAIN);
    cr_assert_eq(log.finals, 1);
    cr_assert_eq(join_here(spawn(runtime, NEW(job, .log = &log, .name = 4))), 4);
    edo_event_set(&go);
    cr_assert_eq(join_here(task), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}
