/* SPDX-License-Identifier: MIT */
/* The multi-thread runtime: its workers, and what they share. It lives as long as its handle. */
#ifndef EDO_RUNTIME_POOL_H
#define EDO_RUNTIME_POOL_H

#include "../internal/thread.h"
#include "idle.h"
#include "inject.h"
#include "worker.h"

struct edo_future;
struct edo_handle;
struct edo_runtime;

struct edo_pool {
    /* Constant. */
    void *block; /* to be freed */
    struct edo_handle *handle;
    uint32_t count; /* of workers */
    uint32_t event_interval, global_queue_interval;
    bool single; /* there is no other processor than the one that a worker runs on */

    struct edo_idle idle;
    struct edo_inject inject;
    /* Which worker has the watch, and is asleep for moments only (worker.c). -1: none. Acquired and released by
     * who takes it and gives it up. */
    _Atomic(int32_t) watch;
    uint64_t look_at; /* when it is to look next. Who has the watch */
    /* Set once: workers stop. Released to them: what was done before is seen by their hooks, and by what ends with the
     * runtime. (That nothing new comes in is the inject queue's to say.) */
    atomic_bool closing;
    /* Threads that may run tasks. The last to leave ends the pool. */
    _Atomic(uint32_t) running;
    struct edo_event ended;
    struct edo_worker workers[];
};

/* Whether this thread is a worker of that runtime. */
static inline bool edo_worker_mine(const struct edo_pool *pool)
{
    return edo_thread.worker != NULL && edo_thread.worker->pool == pool;
}

/* What a thread is that runs tasks as this worker. */
static inline struct edo_thread edo_worker_thread(struct edo_worker *worker)
{
    struct edo_handle *handle = worker->pool->handle;
    return (struct edo_thread){
        .current = handle, .running = handle, .worker = worker, .blocks = &worker->own.blocks};
}

/* Makes the workers, as many as the processors that the process may use when 0, and starts their threads; it is the
 * handle's, also when that fails. 0, UV_ENOMEM, UV_EAGAIN, or what libuv says. */
int edo_pool_new(struct edo_handle *handle, uint32_t workers, uint32_t processors);

/* The handle's last reference is gone. */
void edo_pool_free(struct edo_pool *pool);

/* Has the workers stop, and waits until they have, or until that instant. Any thread; but one that runs a task of
 * theirs must not wait (0). */
void edo_pool_close(struct edo_pool *pool, uint64_t until);

/* One more thread may run tasks, or look at them. False: the pool has ended. */
bool edo_pool_enter(struct edo_pool *pool);

/* A thread runs tasks no more. */
void edo_pool_leave(struct edo_pool *pool);

/* Has a sleeping worker look for work, if one is wanted. Any thread. */
void edo_pool_wake(struct edo_pool *pool);
static inline void edo_pool_notify(struct edo_pool *pool)
{
    if (edo_idle_wanted(&pool->idle))
        edo_pool_wake(pool);
}

/* A new task, with its future in place. False: the runtime has shut down, and it is the caller's. Any thread. */
bool edo_pool_spawn(struct edo_pool *pool, struct edo_task *task);

/* A task has been polled for the first time, and waits: into the list of those. Who polled it, while LINKED is set. */
void edo_pool_adopt(struct edo_pool *pool, struct edo_task *task);

/* It has ended: out of there. */
void edo_pool_forget(struct edo_pool *pool, struct edo_task *task);

#endif
