/* SPDX-License-Identifier: MIT */
/* Runtimes: block_on, hooks, intervals, want of memory. How they end is in runtime_end_test.c, what other threads do to
 * them in runtime_threads_test.c; what holds for workers alone in workers_test.c. */
#include <pthread.h>
#include <sys/mman.h>

#include "io_helpers.h"
#include "support/runtimes.h"
#include "workers_helpers.h"

Test(runtime, block_on_leaves_the_output_in_the_future)
{
    cr_assert_eq(RUN(NEW(work, .yields = 5, .result = 12)), 12);
}

Test(runtime, tasks_stay_as_they_are_between_two_block_ons)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct edo_guard guard = edo_enter(edo_runtime_handle(runtime));
    finals = 0;
    JOIN_HANDLE(int) handle = SPAWN(NEW(work, .yields = 4, .result = 3));
    edo_leave(guard);
    struct work root = NEW(work, .yields = 2);
    cr_assert_eq(edo_block_on(runtime, &root), 0);
    cr_assert_eq(finals, 1);
    int value = 0;
    struct edo_join join = edo_join(handle, &value);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    cr_assert_eq(value, 3);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

struct nesting {
    FUTURE(int);
    struct edo_runtime *other;
};

ASYNC(nesting)
{
    ASYNC_BEGIN;
    struct work inner;
    inner = NEW(work);
    RETURN(edo_block_on(self->other, &inner));
    ASYNC_END;
}

Test(runtime, block_on_inside_a_task_is_an_error)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime, *other;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(test_runtime_new(&other), 0);
    finals = 0;
    struct nesting nesting = NEW(nesting, .other = other);
    cr_assert_eq(test_block_on(runtime, &nesting), 0);
    cr_assert_eq(nesting.output, EDO_ENESTED);
    cr_assert_eq(finals, 1, "the future was dropped");
    edo_runtime_drop(runtime);
    edo_runtime_drop(other);
    check_baseline(&start);
}

struct second {
    struct edo_runtime *runtime;
    int error;
};

static void *block_too(void *arg)
{
    struct second *second = arg;
    struct work work = NEW(work);
    second->error = edo_block_on(second->runtime, &work);
    return NULL;
}

struct host_of_second {
    FUTURE(int);
    struct second *second;
};

ASYNC(host_of_second)
{
    pthread_t thread;
    ASYNC_BEGIN;
    cr_assert_eq(pthread_create(&thread, NULL, block_too, self->second), 0);
    pthread_join(thread, NULL);
    RETURN(self->second->error);
    ASYNC_END;
}

Test(runtime, a_second_thread_in_block_on_is_told_that_it_is_busy)
{
    struct baseline start = baseline();
    struct second second = {.error = 0};
    cr_assert_eq(edo_runtime_new(&second.runtime), 0);
    struct host_of_second host = NEW(host_of_second, .second = &second);
    cr_assert_eq(edo_block_on(second.runtime, &host), 0);
    cr_assert_eq(host.output, UV_EBUSY);
    edo_runtime_drop(second.runtime);
    check_baseline(&start);
}

struct fails {
    FUTURE(int);
};

ASYNC(fails)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    PANIC("the root");
ASYNC_FINALLY:
    ++finals;
    ASYNC_END;
}

Test(runtime, a_panic_of_the_root_is_block_ons_error_and_the_runtime_goes_on)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime, .name = "a name that is longer than it may be, by far"),
                 0);
    cr_assert_eq(strlen(edo_runtime_name(runtime)), 31);
    finals = 0;
    struct fails root = NEW(fails);
    cr_assert_eq(test_block_on(runtime, &root), EDO_EPANIC);
    cr_assert_eq(finals, 1);
    struct work work = NEW(work, .result = 2);
    cr_assert_eq(test_block_on(runtime, &work), 0);
    cr_assert_eq(work.output, 2);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

struct fails_at_its_end {
    FUTURE(int);
};

ASYNC(fails_at_its_end)
{
    ASYNC_BEGIN;
    RETURN(0);
ASYNC_FINALLY:
    PANIC("its end");
    ASYNC_END;
}

Test(runtime, a_panic_in_the_finally_of_a_root_that_is_ready_is_block_ons_error)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct fails_at_its_end root = NEW(fails_at_its_end);
    cr_assert_eq(edo_block_on(runtime, &root), EDO_EPANIC);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* Not as a detached task's, which the root of a current-thread runtime is inside. */
Test(runtime, a_panic_of_the_root_is_printed_with_where_it_was)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct fails_at_its_end root = NEW(fails_at_its_end);
    char text[200];
    int file = memfd_create("stderr", MFD_CLOEXEC), before = dup(STDERR_FILENO);
    cr_assert_eq(dup2(file, STDERR_FILENO), STDERR_FILENO);
    int error = edo_block_on(runtime, &root);
    dup2(before, STDERR_FILENO);
    edo_runtime_drop(runtime);
    cr_assert_eq(error, EDO_EPANIC);
    ssize_t length = pread(file, text, sizeof text - 1, 0);
    cr_assert_gt(length, 0, "nobody was told");
    text[length] = 0;
    const char *want = "edo: a future panicked: its end\n  fails_at_its_end (tests/runtime_test.c:";
    cr_assert_eq(strncmp(text, want, strlen(want)), 0, "%s", text);
    cr_assert_null(strstr(text + 1, "edo:"), "%s", text);
    close(file);
    close(before);
    check_baseline(&start);
}

/* Hooks. */
struct hooks {
    int start, stop, park, unpark;
};

static void on_start(void *arg)
{
    ((struct hooks *)arg)->start++;
}

static void on_stop(void *arg)
{
    ((struct hooks *)arg)->stop++;
}

static void on_park(void *arg)
{
    ((struct hooks *)arg)->park++;
}

static void on_unpark(void *arg)
{
    ((struct hooks *)arg)->unpark++;
}

Test(runtime, hooks_are_called_around_running_and_sleeping)
{
    struct hooks hooks = {0};
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .on_thread_start = on_start, .on_thread_stop = on_stop,
                                 .on_thread_park = on_park, .on_thread_unpark = on_unpark,
                                 .hook_arg = &hooks),
                 0);
    /* The time may be over before it begins to wait for it: then once more. */
    for (int runs = 1; hooks.park == 0; runs++) {
        struct edo_sleep sleep = edo_sleep(5);
        cr_assert_eq(edo_block_on(runtime, &sleep), 0);
        cr_assert_eq(hooks.start, runs);
        cr_assert_eq(hooks.stop, runs);
        cr_assert_eq(hooks.park, hooks.unpark);
    }
    edo_runtime_drop(runtime);
}

Test(runtime, an_unknown_flavor_is_an_error)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .flavor = (enum edo_flavor)7), UV_EINVAL);
}

Test(runtime, idle_it_uses_no_processor)
{
    uint64_t before = cpu_ns();
    RUN(edo_sleep(300));
    cr_assert_lt(cpu_ns() - before, 150 * MS);
}

struct own_wakes {
    FUTURE(int);
    int polls;
    struct edo_waker *waker;
};

static enum edo_poll own_wakes_poll(struct edo_future *future, struct edo_context *cx)
{
    struct own_wakes *self = (struct own_wakes *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "own_wakes");
    /* Many wakes while it is polled: one more poll. */
    for (int i = 0; i < 10 && self->polls < 3; i++)
        edo_wake(cx->waker);
    return ++self->polls == 4 ? EDO_READY : EDO_PENDING;
}

Test(runtime, many_wakes_before_a_poll_cause_one)
{
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct own_wakes future = NEW(own_wakes);
    cr_assert_eq(test_block_on(runtime, &future), 0);
    cr_assert_eq(future.polls, 4);
    edo_runtime_drop(runtime);
}

struct fails_sometimes {
    FUTURE(int);
    JOIN_HANDLE(int) handles[3];
    int i, errors;
    char report[64];
    struct edo_join join;
    struct edo_completion *done;
    struct edo_completion_wait wait;
};

static const int outcomes[3] = {0, EDO_EPANIC, UV_ECANCELED};

/* Spawns, joins, a panic's report, a completion: each may find no memory. */
ASYNC(fails_sometimes)
{
    ASYNC_BEGIN;
    self->handles[0] = SPAWN(NEW(work, .yields = 2, .result = 1));
    self->handles[1] = SPAWN(NEW(fails));
    self->handles[2] = SPAWN(NEW(work, .yields = 100));
    edo_task_abort(self->handles[2]);
    self->i = SPAWN_DETACHED(NEW(work, .yields = 1));
    cr_assert(self->i == 0 || self->i == UV_ENOMEM);
    for (self->i = 0; self->i < 3; self->i++) {
        self->join =
            edo_join_report(self->handles[self->i], NULL, self->report, sizeof self->report);
        self->handles[self->i] = NULL; /* the join's now */
        AWAIT_REF(self->join);
        /* On a worker it may end before it is aborted. */
        cr_assert(self->join.output == UV_ENOMEM || self->join.output == outcomes[self->i] ||
                      (self->i == 2 && self->join.output == 0 && test_workers() > 0),
                  "task %d: %d", self->i, self->join.output);
        self->errors += self->join.output == UV_ENOMEM;
    }
    self->done = edo_completion_new(100);
    if (self->done == NULL)
        RETURN(UV_ENOMEM);
    edo_completion_complete(self->done, 7);
    AWAIT(self->wait, edo_completion_wait(self->done));
    RETURN(self->wait.output);
ASYNC_FINALLY:
    DROP(self->join);
    for (int i = 0; i < 3; i++)
        edo_task_detach(self->handles[i]);
    ASYNC_END;
}

/* The n-th allocation fails, and then, sticky, all that follow, for every n. */
Test(runtime, without_memory_each_call_says_so_and_nothing_is_lost)
{
    for (int sticky = 0; sticky < 2; sticky++) {
        bool fired = true;
        for (uint64_t n = 1; fired; n++) {
            cr_assert_lt(n, 1000);
            struct baseline start = baseline();
            struct edo_runtime *runtime = (struct edo_runtime *)&start;
            edo_alloc_fail(n, sticky);
            int error = test_runtime_new(&runtime);
            cr_assert(error == 0 || (error == UV_ENOMEM && runtime == NULL));
            if (error == 0) {
                struct fails_sometimes future = NEW(fails_sometimes);
                error = test_block_on(runtime, &future);
                cr_assert(error == 0 || error == UV_ENOMEM);
                cr_assert(error < 0 || future.output == 7 || future.output == UV_ENOMEM);
                edo_runtime_drop(runtime);
            }
            fired = edo_alloc_fail(0, false);
            check_baseline(&start);
        }
    }
}

/* The intervals. */

struct spins {
    FUTURE(int);
    struct edo_runtime *runtime;
    int yields;
    struct turns turns;
};

ASYNC(spins)
{
    ASYNC_BEGIN;
    turns_start(&self->turns, self->runtime);
    while (self->yields-- > 0)
        YIELD_NOW();
ASYNC_FINALLY:
    turns_stop(&self->turns);
    ASYNC_END;
}

Test(runtime, the_loop_is_looked_at_every_event_interval)
{
    static const struct {
        uint32_t interval;
        int turns;
    } cases[] = {{0, 1000 / 61}, {1, 1000}, {100, 10}, {5000, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct edo_runtime *runtime;
        cr_assert_eq(edo_runtime_new(&runtime, .event_interval = cases[i].interval), 0);
        struct spins spins = NEW(spins, .runtime = runtime, .yields = 1000);
        cr_assert_eq(edo_block_on(runtime, &spins), 0);
        cr_assert(spins.turns.count >= (uint64_t)cases[i].turns &&
                      spins.turns.count <= (uint64_t)cases[i].turns + 2,
                  "interval %u: %" PRIu64 " turns", cases[i].interval, spins.turns.count);
        edo_runtime_drop(runtime);
    }
}

static void *spawn_one(void *handle)
{
    edo_task_detach(SPAWN_ON((struct edo_handle *)handle, NEW(work)));
    return NULL;
}

struct notices {
    FUTURE(int);
    struct edo_handle *handle;
};

/* How often it yields before it sees that what another thread spawned has run. */
ASYNC(notices)
{
    pthread_t thread;
    ASYNC_BEGIN;
    finals = 0;
    cr_assert_eq(pthread_create(&thread, NULL, spawn_one, self->handle), 0);
    pthread_join(thread, NULL);
    for (; finals == 0; self->output++)
        YIELD_NOW();
    ASYNC_END;
}

Test(runtime, foreign_spawns_are_looked_at_every_global_queue_interval)
{
    for (uint32_t interval = 1; interval <= 100; interval += 33) {
        struct edo_runtime *runtime;
        cr_assert_eq(
            edo_runtime_new(&runtime, .event_interval = 100000, .global_queue_interval = interval),
            0);
        struct notices notices = NEW(notices, .handle = edo_runtime_handle(runtime));
        cr_assert_eq(edo_block_on(runtime, &notices), 0);
        cr_assert_leq(notices.output, (int)interval + 1);
        edo_runtime_drop(runtime);
    }
}
