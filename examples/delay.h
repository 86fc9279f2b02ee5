/* SPDX-License-Identifier: MIT */
/* A future written by hand, on the contract alone: a thread waits, and wakes whoever awaits it. It
 * knows nothing of runtimes: delay.c awaits it in Edo's, mini_tokio.c in one of its own.
 *
 * The thread is given a pointer into the future. That is sound, because a future stays where it is
 * from its first poll on, and is told when it is dropped: then, too, the thread is waited for.
 */
#ifndef EXAMPLES_DELAY_H
#define EXAMPLES_DELAY_H

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "future.h"

struct delay {
    FUTURE(int); /* 0, or -EAGAIN: no thread to be had */
    struct timespec until;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the rest: the thread's, and whoever polls */
    pthread_cond_t changed;
    bool over;
    struct edo_waker *waker; /* a clone */
};

enum { DELAY_RUNNING = 1 }; /* in `state`: there is a thread */

static void *delay_thread(void *arg)
{
    struct delay *self = arg;
    pthread_mutex_lock(&self->lock);
    while (!self->over && pthread_cond_clockwait(&self->changed, &self->lock, CLOCK_MONOTONIC,
                                                 &self->until) != ETIMEDOUT)
        ;
    self->over = true;
    struct edo_waker *waker = self->waker;
    self->waker = NULL;
    pthread_mutex_unlock(&self->lock);
    if (waker != NULL) { /* never under a lock: waking runs code of the executor's */
        edo_wake(waker);
        edo_waker_drop(waker);
    }
    return NULL;
}

/* Exchanges the waker, unless it is over already. */
static bool delay_wait(struct delay *self, struct edo_waker *waker)
{
    pthread_mutex_lock(&self->lock);
    bool waits = !self->over;
    if (waits) {
        struct edo_waker *old = self->waker;
        self->waker = waker;
        waker = old;
    }
    pthread_mutex_unlock(&self->lock);
    if (waker != NULL)
        edo_waker_drop(waker);
    return waits;
}

static void delay_end(struct delay *self)
{
    delay_wait(self, NULL);
    pthread_mutex_lock(&self->lock);
    self->over = true;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL); /* it has nothing left to wait for */
    pthread_mutex_destroy(&self->lock);
    pthread_cond_destroy(&self->changed);
}

static enum edo_poll delay_poll(struct edo_future *future, struct edo_context *cx)
{
    struct delay *self = (struct delay *)future;
    if (cx->walk == EDO_WALK_DROP && future->state == DELAY_RUNNING)
        delay_end(self);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "delay");
    if (future->state == EDO_STATE_FRESH) {
        pthread_mutex_init(&self->lock, NULL);
        pthread_cond_init(&self->changed, NULL);
        if (pthread_create(&self->thread, NULL, delay_thread, self) != 0) {
            self->output = -EAGAIN;
            return EDO_READY;
        }
        future->state = DELAY_RUNNING;
    }
    /* Each poll may come with another waker: the last one counts. */
    if (delay_wait(self, edo_waker_clone(cx->waker)))
        return EDO_PENDING;
    delay_end(self);
    return EDO_READY;
}

/* A future that is ready after so many milliseconds. */
static inline struct delay delay(unsigned ms)
{
    struct delay delay = NEW(delay);
    clock_gettime(CLOCK_MONOTONIC, &delay.until);
    delay.until.tv_sec += ms / 1000;
    delay.until.tv_nsec += ms % 1000 * 1000000;
    if (delay.until.tv_nsec >= 1000000000) {
        delay.until.tv_sec++;
        delay.until.tv_nsec -= 1000000000;
    }
    return delay;
}

#endif
