/* SPDX-License-Identifier: MIT */
#include "runtimes.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal/sys.h"

unsigned test_workers(void)
{
    const char *workers = getenv("EDO_TEST_WORKERS");
    return workers != NULL ? (unsigned)strtoul(workers, NULL, 10) : 0;
}

/* A line in the file that the script which runs the tests has named: this one did run on workers. */
static void tell(void)
{
    static _Atomic(bool) told;
    const char *path = getenv("EDO_TEST_TALLY");
    if (path == NULL || edo_exchange(&told, true, relaxed))
        return;
    char line[256];
    int size = snprintf(line, sizeof line, "%s::%s\n", criterion_current_test->category,
                        criterion_current_test->name);
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    cr_assert(file >= 0 && write(file, line, (size_t)size) == size, "%s cannot be written", path);
    close(file);
}

int test_runtime_build(const struct edo_builder *builder, struct edo_runtime **runtime)
{
    if (test_workers() == 0 || builder->start_paused)
        return edo_builder_build(builder, runtime);
    struct edo_builder with_workers = *builder;
    with_workers.flavor = EDO_MULTI_THREAD;
    with_workers.worker_threads = test_workers();
    tell();
    return edo_builder_build(&with_workers, runtime);
}

/* A task that is a future of the caller's. */
struct test_root {
    FUTURE(int);
    struct edo_future *inner;
};

static enum edo_poll test_root_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_future *inner = ((struct test_root *)future)->inner;
    if (cx->walk == EDO_WALK_DROP) {
        edo_future_drop(inner, cx);
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_TRACE) {
        edo_future_trace(inner, cx);
        return EDO_PENDING;
    }
    return edo_future_poll(inner, cx);
}

int test_block_on_(struct edo_runtime *runtime, struct edo_future *future)
{
    const char *root = getenv("EDO_TEST_ROOT");
    if (test_workers() == 0 || root == NULL || strcmp(root, "task") != 0)
        return edo_block_on_(runtime, future);
    JOIN_HANDLE(int)
    task = SPAWN_ON(edo_runtime_handle(runtime), NEW(test_root, .inner = future));
    struct edo_abort_handle *abort = edo_abort_handle(task);
    struct edo_join join = edo_join(task, NULL);
    int error = edo_block_on(runtime, &join);
    /* Without memory to wait it has not been waited for; the future is the caller's. */
    if (error < 0)
        edo_abort_handle_abort(abort);
    while (!edo_abort_handle_is_finished(abort))
        sched_yield();
    edo_abort_handle_drop(abort);
    return error < 0 ? error : join.output;
}
