/* SPDX-License-Identifier: MIT */
/* What every task of a runtime waits for, while it runs: for whoever looks at a program that is stuck.
 *
 *     edo_handle_dump(edo_handle_current(), stderr);
 *
 *     task 8590000416 "reader" waits
 *       connection (server.c:40)
 *         edo_read
 *     task 8590000672 runs
 */
#ifndef EDO_RUNTIME_DUMP_H
#define EDO_RUNTIME_DUMP_H

#include <stdio.h>

#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Prints each task: its id, its name (TASK_NAMED), what it does, and its chain of awaits from the root on, a line
 * each. What it does: "waits", "is ready" (it waits no more, and has not run yet; current-thread), or "runs". One that
 * runs has no chain; on a multi-thread runtime neither has one that is ready, which is not told from it: both are
 * looked at again for a moment, since few stay so; and those that have never waited, being new or in their first poll,
 * are but counted, in a last line. Tasks of local sets and blocking work are not shown.
 *
 * The runtime goes on meanwhile: no worker is stopped, but that a task which is just being looked at is polled when
 * that is over. Where the runtime is dropped meanwhile, its end may wait for the dump, and happen on this thread. A
 * current-thread runtime that nobody runs is this thread's for as long as `file` takes to print on, and who begins to
 * run, dump or drop it sleeps until then: where that may be long, print into memory (open_memstream). What prints on
 * `file` is called with no lock of ours held (but, of an idle current-thread runtime, the file's own); it may not drop
 * the runtime, nor run it, where that is a current-thread one: UV_EBUSY; nor wait for what one of the runtime's tasks
 * is to do.
 * Returns 0; UV_ENOMEM; EDO_ESHUTDOWN: the runtime is gone; UV_EBUSY: another thread runs this
 * current-thread runtime (call it there: from a task). Any thread, also from a task of the runtime. */
int edo_handle_dump(struct edo_handle *handle, FILE *file);

#ifdef __cplusplus
}
#endif

#endif
