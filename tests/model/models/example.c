/* SPDX-License-Identifier: MIT */
/* The model of docs/model-checking.md. */
#include "tests/model/model.h"

struct shared {
    _Atomic(int) ready;
    int data;
};

static void producer(void *arg)
{
    struct shared *shared = arg;
    shared->data = 42;
    edo_store(&shared->ready, 1, release);
}

MODEL(message)
{
    struct shared *shared = model_new(sizeof *shared);
    model_thread(producer, shared);
    if (edo_load(&shared->ready, acquire))
        model_assert(shared->data == 42);
}
