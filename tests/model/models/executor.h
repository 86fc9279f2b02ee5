/* SPDX-License-Identifier: MIT */
/* What the models of the library share: a small executor of their own, and a runtime to look at. */
#ifndef EDO_TESTS_MODEL_EXECUTOR_H
#define EDO_TESTS_MODEL_EXECUTOR_H

#include "future.h"
#include "runtime/embed.h"
#include "runtime/runtime.h"
#include "runtime/task.h"
#include "runtime/time.h"
#include "tests/model/model.h"

/* Runs one future on the thread that owns it. Its waker does what a waker must, and no more: what
 * was done before the wake is seen by the next poll. It counts its clones, and is not stable. */
struct executor {
    struct edo_waker waker;
    _Atomic(int) woken;
    _Atomic(int) clones;
    char event;
};

static inline struct executor *executor_of(struct edo_waker *waker)
{
    return (struct executor *)waker;
}

static inline void executor_wake(struct edo_waker *waker)
{
    edo_exchange(&executor_of(waker)->woken, 1, release);
    model_signal(&executor_of(waker)->event);
}

static inline struct edo_waker *executor_clone(struct edo_waker *waker)
{
    edo_fetch_add(&executor_of(waker)->clones, 1, relaxed);
    return waker;
}

static inline void executor_drop(struct edo_waker *waker)
{
    model_assert(edo_fetch_sub(&executor_of(waker)->clones, 1, relaxed) > 0);
}

static const struct edo_waker_ops executor_ops = {executor_wake, executor_clone, executor_drop,
                                                  NULL, NULL};

static inline struct executor *executor_new(void)
{
    struct executor *executor = model_new(sizeof *executor);
    executor->waker.ops = &executor_ops;
    return executor;
}

static inline enum edo_poll executor_poll(struct executor *executor, struct edo_future *future)
{
    struct edo_context cx;
    edo_context_init(&cx, &executor->waker);
    return edo_future_poll(future, &cx);
}

static inline void executor_sleep(struct executor *executor)
{
    do
        model_wait(&executor->event);
    while (!edo_exchange(&executor->woken, 0, acquire));
}

static inline void executor_run(struct executor *executor, struct edo_future *future)
{
    while (executor_poll(executor, future) == EDO_PENDING)
        executor_sleep(executor);
}

static inline void executor_cancel(struct executor *executor, struct edo_future *future)
{
    struct edo_context cx;
    edo_context_init(&cx, &executor->waker);
    edo_future_drop(future, &cx);
}

/* One for each thread of a model, made when it is first asked for. The model ends with executors_end: then there are no
 * other threads, and none of their clones is left. */
__attribute__((unused)) static struct executor *executors[4];

static inline struct executor *executor_of_thread(int i)
{
    if (executors[i] == NULL)
        executors[i] = executor_new();
    return executors[i];
}

static inline void executors_end(void)
{
    model_join_all();
    for (int i = 0; i < 4; i++)
        if (executors[i] != NULL)
            model_assert(edo_load(&executors[i]->clones, relaxed) == 0);
}

/* A future where others may race for it: of what is on a stack the checker sees no race. */
#define ON_HEAP(...)                                              \
    __extension__({                                               \
        __typeof__(__VA_ARGS__) made_ = (__VA_ARGS__);            \
        __typeof__(__VA_ARGS__) *heap_ = model_new(sizeof made_); \
        *heap_ = made_;                                           \
        heap_;                                                    \
    })

static inline struct edo_runtime *runtime_new(void)
{
    struct edo_runtime *runtime;
    model_assert(edo_runtime_new(&runtime) == 0);
    return runtime;
}

/* A future that completes when all of `bits` are set in `done`, which is relaxed: that it is seen in
 * the end is up to the wakes. Its first poll calls begin(), if there is one, and it wakes itself for
 * so many turns before it looks. */
struct until {
    EDO_FUTURE(int);
    _Atomic(int) *done;
    int bits, turns;
    void (*begin)(struct edo_waker *waker, void *arg);
    void *arg;
};

static inline enum edo_poll until_poll(struct edo_future *future, struct edo_context *cx)
{
    struct until *self = (struct until *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "until");
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        if (self->begin != NULL)
            self->begin(cx->waker, self->arg);
    }
    if (self->turns-- > 0) {
        edo_wake(cx->waker);
        return EDO_PENDING;
    }
    int done = edo_load(self->done, relaxed);
    self->output = done;
    return (done & self->bits) == self->bits ? EDO_READY : EDO_PENDING;
}

#endif
