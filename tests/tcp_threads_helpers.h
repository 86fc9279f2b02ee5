/* SPDX-License-Identifier: MIT */
/* What the tests of connections on several threads share: a future as a task on workers. */
#ifndef EDO_TESTS_TCP_THREADS_HELPERS_H
#define EDO_TESTS_TCP_THREADS_HELPERS_H

#include "internal/thread.h"
#include "io/tcp_internal.h"
#include "io_helpers.h"

/* In a task of the workers' own, which ends with its output. */
struct on_workers {
    FUTURE(int);
    struct edo_future *inner;
};

HELPER enum edo_poll on_workers_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_future *inner = ((struct on_workers *)future)->inner;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(inner, cx);
    if (cx->walk != EDO_WALK_POLL)
        return EDO_READY;
    return edo_future_poll(inner, cx);
}

HELPER int runtime_of(uint32_t workers, struct edo_runtime **runtime)
{
    return edo_runtime_new(runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = workers);
}

/* ON_WORKERS(builder's fields, future): runs it as a task on a runtime of so many workers; the census after it. */
HELPER int run_on_workers(const struct edo_builder *builder, struct edo_future *future)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_builder_build(builder, &runtime), 0);
    JOIN_HANDLE(int)
    handle = SPAWN_ON(edo_runtime_handle(runtime), NEW(on_workers, .inner = future));
    struct edo_join join = edo_join(handle, NULL);
    cr_assert_eq(edo_block_on(runtime, &join), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
    return join.output;
}

#define ON_WORKERS(workers, ...)                                                 \
    do {                                                                         \
        const struct edo_builder builder_ = {.flavor = EDO_MULTI_THREAD,         \
                                             .worker_threads = (workers)};       \
        __typeof__((__VA_ARGS__)) future_under_test_ = (__VA_ARGS__);            \
        cr_assert_eq(run_on_workers(&builder_, &future_under_test_.future_), 0); \
    } while (0)

/* As many rounds as a test of so many has in this build. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ROUNDS(n) ((n) / 5)
#else
#define ROUNDS(n) (n)
#endif

/* Both ends as connections of the current runtime, of no port. */
HELPER void stream_pair(struct edo_tcp **a, struct edo_tcp **b)
{
    int fds[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    cr_assert_eq(edo_tcp_from_fd(fds[0], a), 0);
    cr_assert_eq(edo_tcp_from_fd(fds[1], b), 0);
}

#endif
