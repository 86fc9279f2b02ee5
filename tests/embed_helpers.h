/* SPDX-License-Identifier: MIT */
/* A host: a loop that is the caller's, with a runtime on it. */
#ifndef EDO_TESTS_EMBED_HELPERS_H
#define EDO_TESTS_EMBED_HELPERS_H

#include "io_helpers.h"

struct host {
    struct baseline start;
    uv_loop_t loop;
    struct edo_runtime *runtime;
};

/* The loop alone. */
static inline void host_loop(struct host *host)
{
    /* libuv opens a pair of descriptors of its own with the first loop of a process. */
    cr_assert_eq(uv_loop_init(&host->loop), 0);
    cr_assert_eq(uv_loop_close(&host->loop), 0);
    host->start = baseline();
    cr_assert_eq(uv_loop_init(&host->loop), 0);
}

static inline void host_end(struct host *host)
{
    edo_runtime_drop(host->runtime);
    uv_run(&host->loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&host->loop), 0);
    check_baseline(&host->start);
}

static inline struct edo_handle *handle_of(struct host *host)
{
    return edo_runtime_handle(host->runtime);
}

#endif
