/* SPDX-License-Identifier: MIT */
/* An executor by hand, on poll.h alone: a queue of tasks that were woken, by whatever thread, and
 * one thread that polls them. No runtime of Edo's is linked in. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "delay.h"

struct mini_tokio {
    atomic_uint refs; /* ours, and one of each task: a task may be woken after the end */
    pthread_mutex_t lock;
    pthread_cond_t woken;
    struct task *first, **last; /* the queue, under the lock */
    bool closed;                /* likewise: nothing is queued any more */
    size_t unfinished;          /* touched by the polling thread only */
};

struct task {
    struct edo_waker waker; /* first: who has the waker has the task */
    atomic_uint refs;       /* of wakers, of the queue, and one until it is finished */
    bool queued;            /* under the lock */
    bool finished;          /* touched by the polling thread only */
    struct task *next;
    struct mini_tokio *home;
    _Alignas(max_align_t) char future[];
};

static void release(struct mini_tokio *tokio)
{
    if (atomic_fetch_sub(&tokio->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&tokio->lock);
    pthread_cond_destroy(&tokio->woken);
    free(tokio);
}

static struct edo_waker *task_clone(struct edo_waker *waker)
{
    atomic_fetch_add(&((struct task *)waker)->refs, 1);
    return waker;
}

static void task_drop(struct edo_waker *waker)
{
    struct task *task = (struct task *)waker;
    if (atomic_fetch_sub(&task->refs, 1) != 1)
        return;
    release(task->home);
    free(task);
}

/* Puts it into the queue, once. The queue's reference is a clone. */
static void task_wake(struct edo_waker *waker)
{
    struct task *task = (struct task *)waker;
    struct mini_tokio *home = task->home;
    pthread_mutex_lock(&home->lock);
    if (!task->queued && !home->closed) {
        task->queued = true;
        task_clone(waker);
        task->next = NULL;
        *home->last = task;
        home->last = &task->next;
        pthread_cond_signal(&home->woken);
    }
    pthread_mutex_unlock(&home->lock);
}

static const struct edo_waker_ops task_ops = {task_wake, task_clone, task_drop, NULL, NULL};

static struct mini_tokio *mini_tokio_new(void)
{
    struct mini_tokio *tokio = calloc(1, sizeof *tokio);
    if (tokio == NULL)
        return NULL;
    atomic_init(&tokio->refs, 1);
    pthread_mutex_init(&tokio->lock, NULL);
    pthread_cond_init(&tokio->woken, NULL);
    tokio->last = &tokio->first;
    return tokio;
}

/* Moves a future, which was not polled yet, into a task. On the polling thread. */
static bool spawn(struct mini_tokio *tokio, const void *future, size_t size)
{
    struct task *task = calloc(1, sizeof *task + size);
    if (task == NULL)
        return false;
    task->waker.ops = &task_ops;
    atomic_init(&task->refs, 1);
    atomic_fetch_add(&tokio->refs, 1);
    task->home = tokio;
    memcpy(task->future, future, size);
    tokio->unfinished++;
    task_wake(&task->waker);
    return true;
}

/* The next task that was woken, with the queue's reference. Sleeps until there is one. */
static struct task *next(struct mini_tokio *tokio)
{
    pthread_mutex_lock(&tokio->lock);
    while (tokio->first == NULL)
        pthread_cond_wait(&tokio->woken, &tokio->lock);
    struct task *task = tokio->first;
    tokio->first = task->next;
    if (tokio->first == NULL)
        tokio->last = &tokio->first;
    task->queued = false; /* from here on it may be woken again, also while it is polled */
    pthread_mutex_unlock(&tokio->lock);
    return task;
}

static void poll_task(struct mini_tokio *tokio, struct task *task)
{
    struct edo_future *future = (struct edo_future *)task->future;
    struct edo_context cx;
    if (task->finished)
        return;
    edo_context_init(&cx, &task->waker);
    if (edo_future_poll(future, &cx) == EDO_PENDING) {
        if (cx.panic.name == NULL)
            return;
        fprintf(stderr, "%s panicked: %s\n", cx.panic.name, cx.panic.message);
        edo_future_drop(future, &cx);
    }
    task->finished = true;
    tokio->unfinished--;
    task_drop(&task->waker);
}

/* Runs all tasks until they are finished, and gives up what is left: whoever still has a waker may
 * use it, in vain. */
static void run(struct mini_tokio *tokio)
{
    while (tokio->unfinished > 0) {
        struct task *task = next(tokio);
        poll_task(tokio, task);
        task_drop(&task->waker);
    }
    pthread_mutex_lock(&tokio->lock);
    tokio->closed = true;
    pthread_mutex_unlock(&tokio->lock);
    while (tokio->first != NULL)
        task_drop(&next(tokio)->waker);
    release(tokio);
}

struct sleeper {
    FUTURE(int);
    const char *name;
    unsigned ms;
    struct delay delay;
};

ASYNC(sleeper)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->delay, delay(self->ms));
    YIELD_NOW();
    printf("%s slept %u ms\n", self->name, self->ms);
    RETURN(0);
    ASYNC_END;
}

int main(void)
{
    static const char *const names[] = {"long", "short", "middling"};
    static const unsigned ms[] = {90, 10, 50};
    struct mini_tokio *tokio = mini_tokio_new();
    if (tokio == NULL)
        return EXIT_FAILURE;
    for (int i = 0; i < 3; i++) {
        struct sleeper sleeper = NEW(sleeper, .name = names[i], .ms = ms[i]);
        if (!spawn(tokio, &sleeper, sizeof sleeper))
            fprintf(stderr, "no memory for %s\n", names[i]);
    }
    run(tokio);
    puts("all are up");
    return EXIT_SUCCESS;
}
