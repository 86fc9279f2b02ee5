/* SPDX-License-Identifier: MIT */
/* One lock guards all: it is taken once to give work and once to get the next, each time for a few
 * instructions. No code of a user's runs under it, no thread is started, and nobody is woken, but at the end.
 *
 * An idle thread sleeps on an event of its own, and is given its task in its own record. The one that went idle
 * last is woken first, so that those that are not needed leave, their keep-alive over. Records are kept for the next
 * thread and freed with the pool: whoever gave a task away, or woke one, may set the event when the thread is through
 * with it, or gone.
 *
 * One that goes idle looks out for its next task before it sleeps, if no other does (`lingering`): who sends work,
 * and waits for it, often sends more at once, and looks out for its end likewise. What they hand each other takes no
 * system call then, or on a single processor two: each gives it to the other. Whether one still looks out is
 * under the lock: whoever gives it a task meanwhile does not set its event, and it looks again, under the lock, when
 * it ceases to.
 *
 * The queue is empty as long as a thread is idle. It is not when there are as many threads as there may be, or
 * when one more could not be had.
 *
 * The life of a thread:
 *  1. Whoever submits counts it (threads, present), and starts it without the lock, its task being queued. If
 *     that fails, it is taken back, and some other thread takes the task; or, where that is the one that is being
 *     started and fails too, its submitter finds what is queued lost: there is no thread. It cancels what is
 *     others', and fails with its own.
 *  2. It runs what is queued, then is idle, then given a task, …, until its keep-alive ends or the pool is
 *     closed. It is no longer one of `threads` then, so that another may be started.
 *  3. Its hook on_thread_stop is called.
 *  4. It leaves its id to the next that leaves, or to edo_blocking_pool_wait, and joins the one before. So at most
 *     one is not joined, and in the end all are gone: nothing of a thread is left when edo_runtime_drop returns.
 *     Once nobody waits any more (abandoned) it detaches itself.
 *  5. It drops its reference to the handle, with which the pool may go.
 */
#include "blocking_pool.h"

enum { MAX_THREADS = 512, KEEP_ALIVE_MS = 10000, NS_PER_MS = 1000000 };

struct worker {
    struct edo_event event;
    struct edo_blocking_pool *pool;
    /* Given while idle. Under the lock; but who looks out for it only looks. */
    _Atomic(struct edo_task *) task;
    struct edo_list idle; /* among the idle ones */
    struct worker *spare; /* the next record that no thread uses */
    struct worker *all;   /* the next record */
};

struct edo_blocking_pool {
    struct edo_handle *handle;
    uint32_t max, seed;
    uint64_t keep_alive; /* ns */
    bool single;         /* there is no other processor than the one that such a thread runs on */

    struct edo_lock lock; /* of all that follows */
    struct edo_task *head, *tail;
    uint64_t queued;
    struct edo_list idle; /* those that went idle last are last */
    uint32_t idle_count;
    uint32_t threads; /* that run work, will, or may be given some: at most max, and those lent */
    uint32_t lent;    /* of these, are workers of the runtime */
    uint32_t present; /* the same, and those that have not left their id yet */
    uint32_t serial;  /* of the last thread */
    struct worker *spare, *all;
    bool closed;
    struct edo_task *unbegun; /* when it was closed; who closed it drops it */
    bool abandoned;           /* nobody waits for those that are present */
    bool watched;             /* somebody is to be told when no work is under way */
    struct worker *lingering; /* is idle, and does not sleep yet; NULL: none */
    bool has_left;
    struct edo_thread_id left; /* of the last that left; it has joined the one before */

    struct edo_event gone; /* closed, and none is present */
};

struct edo_blocking_pool *edo_blocking_pool_new(const struct edo_builder *builder,
                                                struct edo_handle *handle, uint32_t processors)
{
    struct edo_blocking_pool *pool = edo_calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->handle = handle;
    pool->max = builder->max_blocking_threads != 0 ? builder->max_blocking_threads : MAX_THREADS;
    pool->keep_alive =
        (builder->thread_keep_alive != 0 ? builder->thread_keep_alive : KEEP_ALIVE_MS) *
        (uint64_t)NS_PER_MS;
    pool->single = processors == 1;
    pool->seed = builder->rng_seed;
    if (pool->seed == 0)
        edo_random(&pool->seed, sizeof pool->seed);
    edo_lock_init(&pool->lock);
    edo_list_init(&pool->idle);
    edo_event_init(&pool->gone);
    return pool;
}

void edo_blocking_pool_free(struct edo_blocking_pool *pool)
{
    if (pool == NULL)
        return;
    edo_assert(pool->present == 0 && pool->head == NULL);
    for (struct worker *worker = pool->all, *next; worker != NULL; worker = next) {
        next = worker->all;
        edo_event_destroy(&worker->event);
        edo_free(worker);
    }
    edo_event_destroy(&pool->gone);
    edo_lock_destroy(&pool->lock);
    edo_free(pool);
}

/* The queue. Under the lock. */

static void push(struct edo_blocking_pool *pool, struct edo_task *task)
{
    task->next = NULL;
    if (pool->head == NULL)
        pool->head = task;
    else
        pool->tail->next = task;
    pool->tail = task;
    pool->queued++;
}

static struct edo_task *pop(struct edo_blocking_pool *pool)
{
    struct edo_task *task = pool->head;
    if (task == NULL)
        return NULL;
    pool->head = task->next;
    task->next = NULL;
    pool->queued--;
    return task;
}

/* All of it, which is for the caller to cancel, without the lock. */
static struct edo_task *take_all(struct edo_blocking_pool *pool)
{
    struct edo_task *first = pool->head;
    pool->head = NULL;
    pool->queued = 0;
    return first;
}

/* But one, if it is there: true. */
static bool cancel_all_but(struct edo_task *first, const struct edo_task *one)
{
    bool found = false;
    while (first != NULL) {
        struct edo_task *task = first;
        first = task->next;
        task->next = NULL;
        if (task == one)
            found = true;
        else
            edo_blocking_cancel(task);
    }
    return found;
}

/* Under the lock, after work has ended: whether the runtime is to be signalled when it is let go. */
static bool quiet(struct edo_blocking_pool *pool)
{
    bool tell = pool->watched && pool->head == NULL && pool->threads == pool->idle_count;
    if (tell)
        pool->watched = false;
    return tell;
}

/* Threads. */

/* Under the lock. */
static struct edo_task *take_given(struct worker *worker)
{
    struct edo_task *task = edo_load(&worker->task, relaxed);
    if (task != NULL)
        edo_store(&worker->task, NULL, relaxed);
    return task;
}

/* Looks out for a task, and returns with the lock: nobody counts on it any more. */
static struct edo_task *linger(struct edo_blocking_pool *pool, struct worker *worker)
{
    for (uint32_t round = 0;
         edo_load(&worker->task, relaxed) == NULL && edo_linger(round, pool->single); round++)
        ;
    edo_lock(&pool->lock);
    pool->lingering = NULL;
    return take_given(worker);
}

/* Becomes idle, and sleeps until it is given a task, which it returns; or NULL: it is to leave. Takes the lock
 * over, and returns with it. */
static struct edo_task *wait_for_task(struct edo_blocking_pool *pool, struct worker *worker)
{
    struct worker *lingering = pool->lingering;
    /* Who lingers stays the last, who is given work first. */
    edo_list_push_back(lingering != NULL && edo_list_linked(&lingering->idle) ? &lingering->idle
                                                                              : &pool->idle,
                       &worker->idle);
    pool->idle_count++;
    bool tell = quiet(pool);
    if (lingering == NULL)
        pool->lingering = worker;
    edo_unlock(&pool->lock);
    if (tell)
        edo_handle_signal(pool->handle);
    if (lingering == NULL) {
        struct edo_task *task = linger(pool, worker);
        if (task != NULL)
            return task;
        edo_unlock(&pool->lock);
    }
    uint64_t deadline = edo_clock_ns() + pool->keep_alive;
    bool in_time = true;
    for (;;) {
        /* It may be set for nothing: by who woke a task that has ended. */
        in_time = edo_event_wait_until(&worker->event, deadline);
        edo_lock(&pool->lock);
        struct edo_task *task = take_given(worker);
        if (task != NULL)
            return task;
        if (pool->closed || !in_time)
            break;
        edo_unlock(&pool->lock);
    }
    edo_list_remove(&worker->idle);
    pool->idle_count--;
    return NULL;
}

/* Returns with the lock when there is nothing more to be done. */
static void work(struct edo_blocking_pool *pool, struct worker *worker, struct edo_context *cx)
{
    edo_lock(&pool->lock);
    cx->random = pool->seed + ++pool->serial * 0x9e3779b9u;
    for (;;) {
        struct edo_task *task = pop(pool);
        if (task == NULL && !pool->closed)
            task = wait_for_task(pool, worker);
        if (task == NULL)
            return;
        /* Given away, and closed before it was taken: that has not begun. */
        bool closed = pool->closed;
        edo_unlock(&pool->lock);
        if (closed)
            edo_blocking_cancel(task);
        else
            edo_blocking_run(task, cx, &worker->event);
        edo_lock(&pool->lock);
    }
}

/* The end of its life, from step 2 on. Takes the lock over. */
static void leave(struct edo_blocking_pool *pool, struct worker *worker)
{
    struct edo_handle *handle = pool->handle;
    pool->threads--;
    bool tell = quiet(pool);
    edo_unlock(&pool->lock);
    if (tell)
        edo_handle_signal(handle);
    edo_handle_hook(handle, handle->hooks.on_thread_stop);

    edo_lock(&pool->lock);
    worker->spare = pool->spare;
    pool->spare = worker;
    struct edo_thread_id before = pool->left;
    bool join = pool->has_left;
    pool->has_left = !pool->abandoned;
    pool->left = edo_thread_self();
    if (pool->abandoned)
        edo_thread_detach(pool->left);
    bool last = --pool->present == 0 && pool->closed;
    edo_unlock(&pool->lock);
    if (last)
        edo_event_set(&pool->gone);
    if (join)
        edo_thread_join(before);
    edo_thread.current = NULL;
    edo_handle_unref(handle, 1);
}

static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    struct edo_blocking_pool *pool = worker->pool;
    edo_thread.current = pool->handle;
    edo_handle_hook(pool->handle, pool->handle->hooks.on_thread_start);
    struct edo_context cx;
    edo_context_init(&cx, NULL);
    work(pool, worker, &cx);
    leave(pool, worker);
    return NULL;
}

/* Without the lock. 0, UV_EAGAIN or UV_ENOMEM. */
static int start(struct edo_blocking_pool *pool, struct worker *worker)
{
    bool fresh = worker == NULL;
    if (fresh) {
        worker = edo_calloc(1, sizeof *worker);
        if (worker == NULL)
            return UV_ENOMEM;
        worker->pool = pool;
        edo_event_init(&worker->event);
    }
    edo_handle_clone(pool->handle);
    if (fresh) {
        edo_lock(&pool->lock);
        worker->all = pool->all;
        pool->all = worker;
        edo_unlock(&pool->lock);
    }
    struct edo_thread_id id;
    int error = edo_handle_start_thread(pool->handle, &id, run_worker, worker);
    if (error < 0) {
        edo_lock(&pool->lock);
        worker->spare = pool->spare;
        pool->spare = worker;
        edo_unlock(&pool->lock);
        edo_handle_unref(pool->handle, 1);
    }
    return error;
}

/* Under the lock: counts one thread more, if there may be one, and has its record, or NULL. */
static bool reserve(struct edo_blocking_pool *pool, struct worker **spare)
{
    if (pool->threads - pool->lent >= pool->max)
        return false;
    pool->threads++;
    pool->present++;
    *spare = pool->spare;
    if (*spare != NULL)
        pool->spare = (*spare)->spare;
    return true;
}

/* One thread more, which has been counted. */
static int grow(struct edo_blocking_pool *pool, struct worker *spare, const struct edo_task *task)
{
    int error = start(pool, spare);
    if (error == 0)
        return 0;
    edo_lock(&pool->lock);
    pool->threads--;
    bool last = --pool->present == 0 && pool->closed;
    /* Those that are being started answer for the queue themselves; those that are lent do not come back for it. */
    struct edo_task *lost = pool->threads == pool->lent ? take_all(pool) : NULL;
    bool tell = quiet(pool);
    edo_unlock(&pool->lock);
    if (tell)
        edo_handle_signal(pool->handle);
    if (last)
        edo_event_set(&pool->gone);
    return cancel_all_but(lost, task) ? error : 0;
}

int edo_blocking_pool_submit(struct edo_blocking_pool *pool, struct edo_task *task)
{
    edo_lock(&pool->lock);
    if (pool->closed) {
        edo_unlock(&pool->lock);
        return EDO_ESHUTDOWN;
    }
    if (!edo_list_empty(&pool->idle)) {
        struct worker *worker = edo_container_of(pool->idle.prev, struct worker, idle);
        edo_list_remove(&worker->idle);
        pool->idle_count--;
        edo_store(&worker->task, task, relaxed);
        bool sleeps = worker != pool->lingering;
        edo_unlock(&pool->lock);
        if (sleeps)
            edo_event_set(&worker->event);
        return 0;
    }
    push(pool, task);
    struct worker *spare = NULL;
    bool more = reserve(pool, &spare);
    edo_unlock(&pool->lock);
    return more ? grow(pool, spare, task) : 0;
}

void edo_blocking_pool_lend(struct edo_blocking_pool *pool)
{
    edo_lock(&pool->lock);
    pool->lent++;
    struct worker *spare = NULL;
    bool more = pool->head != NULL && reserve(pool, &spare);
    edo_unlock(&pool->lock);
    /* What is queued waits for those that there are, or is lost. */
    if (more)
        grow(pool, spare, NULL);
}

void edo_blocking_pool_return(struct edo_blocking_pool *pool)
{
    edo_lock(&pool->lock);
    pool->lent--;
    edo_unlock(&pool->lock);
}

/* The end. */

void edo_blocking_pool_close(struct edo_blocking_pool *pool)
{
    edo_lock(&pool->lock);
    pool->closed = true;
    pool->unbegun = take_all(pool);
    /* They take themselves off the list. */
    for (struct edo_list *at = pool->idle.next; at != &pool->idle; at = at->next)
        edo_event_set(&edo_container_of(at, struct worker, idle)->event);
    edo_unlock(&pool->lock);
}

bool edo_blocking_pool_wait(struct edo_blocking_pool *pool, uint64_t deadline)
{
    /* Closed: nobody else has to do with those. */
    cancel_all_but(pool->unbegun, NULL);
    pool->unbegun = NULL;
    edo_lock(&pool->lock);
    bool in_time = true;
    while (pool->present > 0 && in_time) {
        edo_unlock(&pool->lock);
        in_time = edo_event_wait_until(&pool->gone, deadline);
        edo_lock(&pool->lock);
    }
    bool all = pool->present == 0, join = pool->has_left;
    struct edo_thread_id left = pool->left;
    pool->has_left = false;
    pool->abandoned = true;
    edo_unlock(&pool->lock);
    /* It has joined those before it, or will: it has nothing else to do any more. */
    if (join && all)
        edo_thread_join(left);
    else if (join)
        edo_thread_detach(left);
    return all;
}

bool edo_blocking_pool_busy(struct edo_blocking_pool *pool)
{
    edo_lock(&pool->lock);
    bool busy = pool->head != NULL || pool->threads > pool->idle_count;
    pool->watched = busy;
    edo_unlock(&pool->lock);
    return busy;
}

struct edo_blocking_counts edo_blocking_pool_counts(struct edo_blocking_pool *pool)
{
    edo_lock(&pool->lock);
    struct edo_blocking_counts counts = {pool->threads, pool->idle_count, pool->queued,
                                         pool->lingering != NULL};
    edo_unlock(&pool->lock);
    return counts;
}
