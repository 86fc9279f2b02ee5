/* SPDX-License-Identifier: MIT */
/* A wake in two halves, as channels do it: the future is in a list that a lock guards, its waker is not
 * cloned, and between the halves, when the lock is free, its task may end. */
#include "executor.h"
#include "internal/waiter.h"

/* A list of one. */
static struct edo_lock lock;
static struct edo_waker *waiting; /* NULL: nobody */
static bool set;

struct waits {
    EDO_FUTURE(int);
    bool linked;
    int turns; /* gives up after so many polls; 0: never */
};

static enum edo_poll waits_poll(struct edo_future *future, struct edo_context *cx)
{
    struct waits *self = (struct waits *)future;
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "waits");
    bool last = self->turns > 0 && --self->turns == 0;
    edo_lock(&lock);
    self->output = set;
    bool done = set || last || cx->walk == EDO_WALK_DROP;
    struct edo_waker *forget = done ? waiting : NULL;
    waiting = done ? NULL : waiting != NULL ? waiting : edo_waker_keep(cx->waker);
    edo_unlock(&lock);
    if (forget != NULL)
        edo_waker_forget(forget);
    if (!done && self->turns > 0)
        edo_wake(cx->waker);
    return done ? EDO_READY : EDO_PENDING;
}

static void sets(void *arg)
{
    (void)arg;
    edo_lock(&lock);
    set = true;
    struct edo_waker *claimed = waiting != NULL ? edo_waker_claim(waiting) : NULL;
    waiting = NULL;
    edo_unlock(&lock);
    edo_waker_finish(claimed);
}

static void run(int turns)
{
    edo_lock_init(&lock);
    struct edo_runtime *runtime = runtime_new();
    model_thread(sets, NULL);
    struct waits future = EDO_NEW(waits, .turns = turns);
    model_assert(edo_block_on(runtime, &future) == 0);
    model_outcome(future.output);
    edo_runtime_drop(runtime);
}

MODEL(claim_wakes, .outcomes = "1")
{
    run(0);
}

/* It ends by itself, and everything with it, perhaps between the halves. */
MODEL(claim_of_one_that_ends, .outcomes = "0 1")
{
    run(2);
}

/* The same by a foreign executor, whose waker is cloned. */
MODEL(claim_of_a_foreign_waker)
{
    edo_lock_init(&lock);
    struct executor *executor = executor_new();
    model_thread(sets, NULL);
    struct waits future = EDO_NEW(waits);
    executor_run(executor, &future.future_);
    model_join_all();
    model_assert(edo_load(&executor->clones, relaxed) == 0);
}

/* Spawned, and dropped with its runtime while it waits. */
static void spawn_waits(struct edo_waker *waker, void *arg)
{
    (void)waker;
    (void)arg;
    edo_task_detach(SPAWN(EDO_NEW(waits)));
}

MODEL(claim_at_shutdown)
{
    static _Atomic(int) nothing;
    edo_lock_init(&lock);
    struct edo_runtime *runtime = runtime_new();
    model_thread(sets, NULL);
    struct until future = EDO_NEW(until, .done = &nothing, .turns = 1, .begin = spawn_waits);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
}
