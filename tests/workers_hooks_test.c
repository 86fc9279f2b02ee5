/* SPDX-License-Identifier: MIT */
/* Workers: what they do when there is nothing to do (R17), what hooks tell of them, and what the builder
 * refuses (R21). */
#include <pthread.h>
#include <sched.h>

#include "workers_helpers.h"

/* ---- R17: idle ---- */

struct hooks {
    _Atomic(int) start, stop, park, unpark, wrong_name;
    const char *name;
    struct edo_event *parked; /* set by each that falls asleep; may be NULL */
};

static void on_start(void *arg)
{
    struct hooks *hooks = arg;
    char name[EDO_THREAD_NAME];
    pthread_getname_np(pthread_self(), name, sizeof name);
    hooks->wrong_name +=
        hooks->name != NULL && strncmp(name, hooks->name, strlen(hooks->name)) != 0;
    hooks->start++;
}

static void on_stop(void *arg)
{
    ((struct hooks *)arg)->stop++;
}

static void on_park(void *arg)
{
    struct hooks *hooks = arg;
    hooks->park++;
    if (hooks->parked != NULL)
        edo_event_set(hooks->parked);
}

static void on_unpark(void *arg)
{
    ((struct hooks *)arg)->unpark++;
}

#define HOOKS(hooks)                                                                   \
    .on_thread_start = on_start, .on_thread_stop = on_stop, .on_thread_park = on_park, \
    .on_thread_unpark = on_unpark, .hook_arg = (hooks)

/* All its workers sleep. */
static void wait_for_sleep(struct hooks *hooks, int workers)
{
    while (hooks->park - hooks->unpark < workers)
        edo_event_wait(hooks->parked);
}

Test(workers, idle_they_use_no_processor)
{
    struct edo_event parked;
    edo_event_init(&parked);
    struct hooks hooks = {.parked = &parked};
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(8), HOOKS(&hooks)), 0);
    wait_for_sleep(&hooks, 8);
    /* The watch over the others is kept up for a while. */
    nap(3000);
    uint64_t used = UINT64_MAX;
    /* The best of some trials: a virtual processor's time may count what its host takes from it. */
    for (int trial = 0; trial < 5 && used >= 2u * (uint64_t)MS; trial++) {
        uint64_t before = cpu_ns();
        int woken = hooks.unpark;
        nap(2000); /* the time in which nothing is used */
        used = cpu_ns() - before;
        cr_assert_eq(hooks.unpark, woken);
    }
    cr_assert_lt(used, 2u * (uint64_t)MS, "%" PRIu64 " ns", used);
    edo_runtime_drop(runtime);
    edo_event_destroy(&parked);
}

Test(workers, a_foreign_wake_wakes_one)
{
    /* After so long without anybody awake the watch is given up. */
    enum { WORKERS = 6, WAKES = 200, WATCH_MS = 100 };
    struct edo_event parked;
    edo_event_init(&parked);
    struct hooks hooks = {.parked = &parked};
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(WORKERS), HOOKS(&hooks)), 0);
    wait_for_sleep(&hooks, WORKERS);
    int before = hooks.unpark;
    uint64_t begun = edo_clock_ns();
    for (int i = 0; i < WAKES; i++) {
        finals = 0;
        edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime), NEW(work)));
        while (finals == 0)
            edo_event_wait(&parked); /* who has run it falls asleep */
        wait_for_sleep(&hooks, WORKERS);
    }
    /* And now and then the one that is to have the watch: where this thread is kept from waking any, again. */
    int given_up = (int)((edo_clock_ns() - begun) / ((uint64_t)WATCH_MS * MS));
    cr_assert_leq(hooks.unpark - before, WAKES + WAKES / 10 + 2 + given_up, "%d woke",
                  hooks.unpark - before);
    edo_runtime_drop(runtime);
    edo_event_destroy(&parked);
}

/* What falls asleep wakes a task as it does so. */
static void on_park_notify(void *notify)
{
    edo_notify_one(notify);
}

struct is_notified {
    FUTURE(int);
    struct edo_notify *notify;
    struct edo_notified notified;
    int i;
};

ASYNC(is_notified)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < 10; self->i++)
        AWAIT(self->notified, edo_notified(self->notify));
    ASYNC_END;
}

Test(workers, what_the_hook_before_a_sleep_wakes_is_not_slept_over, .timeout = 60)
{
    struct edo_notify notify;
    struct edo_runtime *runtime;
    edo_notify_init(&notify);
    for (uint32_t workers = 1; workers <= 2; workers++) {
        cr_assert_eq(edo_runtime_new(&runtime, MULTI(workers), .on_thread_park = on_park_notify,
                                     .hook_arg = &notify),
                     0);
        JOIN_HANDLE(int)
        handle = SPAWN_ON(edo_runtime_handle(runtime), NEW(is_notified, .notify = &notify));
        struct edo_join join = edo_join(handle, NULL);
        cr_assert_eq(edo_block_on(runtime, &join), 0);
        edo_runtime_drop(runtime);
    }
    edo_notify_destroy(&notify);
}

/* ---- R21, and the builder ---- */

static void name_it(void *arg, char name[EDO_THREAD_NAME])
{
    static _Atomic(int) count;
    (void)arg;
    snprintf(name, EDO_THREAD_NAME, "named-%d", count++);
}

Test(workers, hooks_are_called_once_for_each_thread_which_has_its_name)
{
    struct hooks hooks[3] = {
        {.name = "edo-worker"}, {.name = "a-name-of-fifte"}, {.name = "named-"}};
    for (int i = 0; i < 3; i++) {
        struct baseline start = baseline();
        struct edo_runtime *runtime;
        cr_assert_eq(edo_runtime_new(&runtime, MULTI(5), HOOKS(&hooks[i]),
                                     .thread_name = i == 1 ? "a-name-of-fifteen-and-more" : NULL,
                                     .thread_name_fn = i == 2 ? name_it : NULL),
                     0);
        struct meets alone = NEW(meets);
        struct edo_barrier one;
        edo_barrier_init(&one, 1);
        alone.barrier = &one;
        cr_assert_eq(edo_block_on(runtime, &alone), 0);
        edo_runtime_drop(runtime);
        edo_barrier_destroy(&one);
        cr_assert(hooks[i].start == 5 && hooks[i].stop == 5, "%d began, %d ended", hooks[i].start,
                  hooks[i].stop);
        cr_assert_eq(hooks[i].park, hooks[i].unpark);
        cr_assert_eq(hooks[i].wrong_name, 0);
        check_baseline(&start);
    }
}

/* By their ids, so that each is told of once. */
static _Atomic(uint64_t) spawned, terminated, spawned_ids, terminated_ids;

static void on_task_spawn(void *arg, uint64_t id)
{
    (void)arg;
    spawned++;
    spawned_ids += id;
}

static void on_task_terminate(void *arg, uint64_t id)
{
    (void)arg;
    terminated++;
    terminated_ids += id;
}

Test(workers, hooks_tell_of_each_task_as_it_is_spawned_and_has_ended)
{
    struct edo_runtime *runtime;
    int count = 0;
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(2), .on_task_spawn = on_task_spawn,
                                 .on_task_terminate = on_task_terminate),
                 0);
    struct edo_handle *handle = edo_handle_clone(edo_runtime_handle(runtime));
    for (int i = 0; i < 100; i++)
        edo_task_detach(SPAWN_ON(handle, NEW(work, .yields = i)));
    edo_task_detach(SPAWN_ON(handle, NEW(panics)));
    edo_task_detach(SPAWN_ON(handle, NEW(spawns_at_its_end, .more = 1)));
    struct edo_join join = edo_join(SPAWN_BLOCKING_ON(handle, edo_call(one_more, &count)), NULL);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    edo_runtime_drop(runtime);
    edo_task_detach(SPAWN_ON(handle, NEW(work)));
    edo_task_detach(SPAWN_BLOCKING_ON(handle, edo_call(one_more, &count)));
    edo_handle_drop(handle);
    cr_assert(spawned == 106 && terminated == 106, "%" PRIu64 " spawned, %" PRIu64 " terminated",
              spawned, terminated);
    cr_assert_eq(spawned_ids, terminated_ids);
}

/* In place of the C library's. A machine with so many CPUs, of which the process may use the last five; 0: this one. */
static uint32_t machine;

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
    memset(set, 0, size);
    if (machine == 0)
        return syscall(SYS_sched_getaffinity, pid, size, set) < 0 ? -1 : 0;
    if (8 * size < machine) {
        errno = EINVAL;
        return -1;
    }
    for (uint32_t i = 1; i <= 5; i++)
        CPU_SET_S(machine - i, size, set);
    return 0;
}

Test(workers, there_are_as_many_as_cpus_that_the_process_may_use)
{
    cpu_set_t all, one;
    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    for (int limited = 0; limited < 2; limited++) {
        struct hooks hooks = {0};
        struct edo_runtime *runtime;
        cr_assert_eq(sched_setaffinity(0, sizeof one, limited ? &one : &all), 0);
        cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, HOOKS(&hooks)), 0);
        edo_runtime_drop(runtime);
        cr_assert_eq(hooks.start, limited ? 1 : CPU_COUNT(&all));
    }
}

Test(workers, there_are_as_many_also_where_the_machine_has_thousands)
{
    static const uint32_t machines[] = {64, 1024, 1025, 8192, 8193};
    for (size_t i = 0; i < COUNT_OF(machines); i++) {
        struct hooks hooks = {0};
        struct edo_runtime *runtime;
        machine = machines[i];
        cr_assert_eq(edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, HOOKS(&hooks)), 0);
        machine = 0;
        edo_runtime_drop(runtime);
        /* Then it does not know which, and takes them all. */
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        cr_assert_eq(hooks.start, machines[i] <= 8192 ? 5 : online, "%u: %d", machines[i],
                     hooks.start);
    }
}

Test(workers, what_the_flavor_cannot_do_is_an_error)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime = (struct edo_runtime *)&start;
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(EDO_WORKERS_MAX + 1)), UV_EINVAL);
    cr_assert_null(runtime);
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(1), .start_paused = true), UV_EINVAL);
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(1), .unhandled_panic = EDO_PANIC_SHUTDOWN),
                 UV_EINVAL);
    cr_assert_eq(
        edo_runtime_new(&runtime, MULTI(1), .poll_time = {.buckets = EDO_HISTOGRAM_BUCKETS + 1}),
        UV_EINVAL);
    check_baseline(&start);
}

/* Every allocation of the building fails once, and descriptors end anywhere in it. */
Test(workers, without_memory_or_descriptors_there_is_no_runtime_and_nothing_is_left)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    int error = UV_ENOMEM;
    for (uint64_t n = 1; error < 0; n++) {
        edo_alloc_fail(n, false);
        error = edo_runtime_new(&runtime, MULTI(3));
        bool fired = edo_alloc_fail(0, false);
        cr_assert(error == 0 || (fired && error == UV_ENOMEM && runtime == NULL), "%d", error);
        edo_runtime_drop(runtime);
        check_baseline(&start);
    }
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlim_t enough = limit.rlim_cur;
    error = UV_EMFILE;
    for (int spare = 0; error < 0; spare++) {
        cr_assert_lt(spare, 100);
        limit.rlim_cur = (rlim_t)(start.fds + spare);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        error = edo_runtime_new(&runtime, MULTI(3));
        cr_assert(error == 0 || (error == UV_EMFILE && runtime == NULL), "%d", error);
        edo_runtime_drop(runtime);
        limit.rlim_cur = enough;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        check_baseline(&start);
    }
}
