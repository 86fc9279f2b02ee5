/* SPDX-License-Identifier: MIT */
/* A worker of a multi-thread runtime: what one thread at a time needs to run tasks, and what others may take
 * from it. The thread that is one has it in edo_thread.worker. */
#ifndef EDO_RUNTIME_WORKER_H
#define EDO_RUNTIME_WORKER_H

#include "../internal/list.h"
#include "../internal/sys.h"
#include "counts.h"
#include "queue.h"

struct edo_context;
struct edo_driver;
struct edo_pool;
struct edo_task;

/* So many in a row come out of the LIFO slot, when others wait. Tokio's figure. */
enum { EDO_LIFO_POLLS = 3 };

struct edo_worker {
    /* Constant. */
    struct edo_pool *pool;
    struct edo_driver *driver;
    uint32_t index;
    struct edo_thread_id thread; /* the first that is this worker */

    /* Its thread's. */
    bool searching;
    bool keen;    /* the last that it was woken for came from outside the runtime */
    bool turning; /* in a turn of its loop, after which it looks whether to wake others */
    /* How many more tasks in a row may come out of the LIFO slot. 0: none goes into it, until one has run that was in
     * a queue; nor in a turn. */
    uint32_t lifo_left, lifo_most;
    /* By its count of polls: when it is to look at the inject queue, to turn its loop; and the first of the two, or
     * at once, when it is to keep the time. */
    uint64_t inject_at, turn_at, tick_at;
    bool retired; /* the runtime has shut down: nothing runs any more */
    uint64_t busy_since;
    bool told; /* others, since then: */
    uint64_t
        behind_since; /* its loop has woken more than one task, and its queue is not empty; 0: it is */
    uint64_t polled_at;   /* when the last poll ended, while that is so */
    uint64_t eager_until; /* it has been behind, and wakes another at once until then */
    uint64_t eager_ns;    /* for how long */
    int64_t poll_ns;      /* what a poll takes: a mean of the latest */
    uint32_t random;
    struct edo_own own;

    /* Anybody's. */
    _Atomic(uint32_t) handed; /* to whoever comes: block_in_place.c */
    _Atomic(uint32_t) turns;  /* of its loop, by its own thread */
    _Atomic(uint32_t) seen;   /* turns, when the watch last came by; the watch's */
    struct edo_lock lock;     /* guards `tasks` */
    struct edo_list
        tasks; /* those that waited first here and are not complete, wherever they run */

    /* The task woken last by the one that runs: it is next, for what they share is in the cache. Only its thread
     * fills it, when it finds it empty; whoever empties it exchanges. Others take from it only when the
     * worker is stuck. */
    _Alignas(64) _Atomic(struct edo_task *) lifo;
    struct edo_queue queue;
};

/* Runs tasks on this thread until the runtime shuts down. */
void edo_worker_run(struct edo_worker *worker);

/* A task is ready, and the caller, this worker's thread, has set LINKED: puts it into the LIFO slot, when that is
 * empty, and there is nothing else to do. False: nothing was done. It may be called under a lock: nobody is woken. */
static inline bool edo_worker_schedule_next(struct edo_worker *worker, struct edo_task *task)
{
    if (edo_unlikely(worker->lifo_left == 0) || edo_load(&worker->lifo, relaxed) != NULL)
        return false;
    edo_count_up(&worker->own.counts.local_schedules, 1);
    /* It stays empty until here: nobody else fills it. Released to the watch. */
    edo_store(&worker->lifo, task, release);
    return true;
}

/* A task is ready, and the caller has set LINKED: puts it into a queue, of the worker that this thread is, or of
 * all. `behind`: to its end, for a task that gives way. Any thread. */
void edo_worker_schedule(struct edo_pool *pool, struct edo_task *task, bool behind);

#endif
