/* SPDX-License-Identifier: MIT */
/* What a thread is doing. */
#ifndef EDO_INTERNAL_THREAD_H
#define EDO_INTERNAL_THREAD_H

#include <stddef.h>

struct edo_handle;
struct edo_runtime;

/* One per thread. */
struct edo_thread {
    struct edo_handle *current;  /* entered */
    struct edo_runtime *running; /* a turn of this runtime is on the stack */
};
extern _Thread_local struct edo_thread edo_thread;

#endif
