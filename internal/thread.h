/* SPDX-License-Identifier: MIT */
/* What a thread is doing. */
#ifndef EDO_INTERNAL_THREAD_H
#define EDO_INTERNAL_THREAD_H

#include <stdbool.h>
#include <stddef.h>

struct edo_blocks;
struct edo_driver;
struct edo_handle;
struct edo_task;
struct edo_worker;

/* One per thread. */
struct edo_thread {
    struct edo_handle *current; /* entered: what SPAWN spawns on, and whose clock it is */
    struct edo_handle
        *local; /* of the local set that is entered: what SPAWN_LOCAL spawns on. Else NULL */
    struct edo_handle
        *running; /* whose tasks, or root future, it polls: it must not block. Else NULL */
    struct edo_worker
        *worker;           /* as which it runs tasks of a multi-thread runtime; NULL: it does not */
    struct edo_task *task; /* being polled */
    bool again;            /* it was woken by this thread meanwhile. Multi-thread */
    struct edo_driver *turn; /* the shared driver whose loop it has, the latest; else NULL */
    const char *next_name;   /* of the task that is to be spawned next */
    /* Where it keeps blocks for its tasks to use again (blocks.h): the place of the runtime whose tasks it runs; else
     * NULL */
    struct edo_blocks *blocks;
};
extern _Thread_local struct edo_thread edo_thread;

#endif
