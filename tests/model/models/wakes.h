/* SPDX-License-Identifier: MIT */
/* A thread that does what a future waits for, and wakes it: for `until` (executor.h), as its .begin. */
#ifndef EDO_TESTS_MODEL_WAKES_H
#define EDO_TESTS_MODEL_WAKES_H

#include "executor.h"

static _Atomic(int) done;

static void sets_and_wakes(void *arg)
{
    edo_fetch_or(&done, 1, relaxed);
    edo_wake(arg);
    edo_waker_drop(arg);
}

static void begin_wakes(struct edo_waker *waker, void *arg)
{
    (void)arg;
    model_thread(sets_and_wakes, edo_waker_clone(waker));
}

#endif
