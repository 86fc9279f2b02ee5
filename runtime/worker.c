/* SPDX-License-Identifier: MIT */
/* The scheduler of a multi-thread runtime, as one worker sees it.
 *
 * A task that the running one wakes goes to the LIFO slot, what was there to the end of the worker's queue; what
 * does not fit there goes, with the oldest of the queue, to the inject queue. A worker takes from its slot, three
 * times in a row at most while others wait in its queue, from its queue, now and then (global_queue_interval) and when
 * it has nothing from the inject queue; then it steals half of another's queue; then it sleeps, in the loop or on an
 * event.
 *
 * A task is in one queue at a time, or runs: whoever sets LINKED in its state puts it into a queue, and LINKED
 * stays until a poll has ended that nobody woke it during (task_state.h). So a queue holds no reference, and
 * `next` belongs to whoever has taken it from one.
 *
 * The watch. A worker in a long poll does not look at the loop, which it may keep, nor at its timers, and does
 * not come to its LIFO slot. So of the workers that sleep while another is awake one has the watch: every
 * WATCH_NS it looks at them, and when one has not turned since the last time, it turns in its place and takes
 * what waits there. Who is woken hands the watch on, and the next to sleep looks at once if it is time. When
 * nobody has been awake for some time it sleeps like the others, and the first to wake then wakes another to
 * take the watch. It costs nothing while nothing runs, and no system call on the way of those that work.
 */
#include "worker.h"

#include "driver.h"
#include "pool.h"
#include "task_poll.h"

/* A tenth of a second. In models a moment, and then whether or not somebody is awake: they do not sleep for ever. */
#ifndef EDO_WATCH_ROUNDS
#define EDO_WATCH_ROUNDS 25
#endif
#ifndef EDO_DEAR_NS
#define EDO_DEAR_NS 20000
#endif

enum {
    NS_PER_MS = 1000000,
    WATCH_NS = 4 * NS_PER_MS,
    /* Polls are short when they take less than that; a worker is behind when it has had more than one task ready for
     * so long, and wakes another at once for a while then. */
    DEAR_NS = EDO_DEAR_NS,
    BEHIND_NS = NS_PER_MS / 2,
    EAGER_NS = 20 * NS_PER_MS, /* at first; and at most: */
    EAGER_MAX_NS = 16 * EAGER_NS,
    WATCH_ROUNDS = EDO_WATCH_ROUNDS, /* without anybody awake, before the watch is given up */
};

/* Not in the loop that polls tasks, which is to have the registers for itself. */
#define SELDOM __attribute__((noinline))

static uint32_t next_random(struct edo_worker *worker)
{
    uint32_t x = worker->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return worker->random = x;
}

/* ---- Making work ---- */

_Static_assert(EDO_QUEUE_MOVED + 1 <= EDO_INJECT_BLOCK, "as many come at once, and are taken");

static void inject(struct edo_pool *pool, struct edo_task *const *tasks, uint32_t n)
{
    /* Closed: the task is in its list, and is dropped from there (edo_pool_leave). */
    enum edo_inject_from from = edo_worker_mine(pool) ? EDO_INJECT_WORKER : EDO_INJECT_WAKE;
    if (edo_inject_push(&pool->inject, tasks, n, from))
        edo_pool_notify(pool);
}

/* Its queue is full: the oldest go to where all look, with the task behind. */
static void overflow(struct edo_worker *worker, struct edo_task *task)
{
    struct edo_task *tasks[EDO_QUEUE_MOVED + 1];
    uint32_t n = edo_queue_shed(&worker->queue, tasks);
    tasks[n] = task;
    /* None: thieves made room. */
    if (n == 0 && edo_queue_push(&worker->queue, task))
        return;
    if (n > 0)
        edo_count_up(&worker->own.counts.overflows, 1);
    inject(worker->pool, tasks, n + 1);
}

static void push_behind(struct edo_worker *worker, struct edo_task *task)
{
    if (edo_unlikely(!edo_queue_push(&worker->queue, task)))
        overflow(worker, task);
}

/* The running task goes on: somebody else may want what it pushed. A single task that is ready is this worker's own
 * next, as it is in the LIFO slot; when it does not come to it, the watch does. */
static void push_and_notify(struct edo_worker *worker, struct edo_task *task, bool alone)
{
    alone = alone && edo_queue_length(&worker->queue) == 0;
    push_behind(worker, task);
    if (!alone && !worker->turning)
        edo_pool_notify(worker->pool);
}

/* The running task gives way. With nothing else there this worker takes it again at once. Of those that the loop has
 * found keep_time sees to it, after this poll and each of the next, that others are told: so one that gives way among
 * them wakes nobody either. */
static void push_yielding(struct edo_worker *worker, struct edo_task *task)
{
    bool alone = edo_queue_length(&worker->queue) == 0;
    push_behind(worker, task);
    if (!alone && worker->behind_since == 0)
        edo_pool_notify(worker->pool);
}

/* The slot's task goes, and its place is taken by another; or by none. */
static struct edo_task *swap_lifo(struct edo_worker *worker, struct edo_task *task)
{
    /* Acquires what the pusher released, also when that was this thread: no matter then. */
    return edo_exchange_mt(&worker->lifo, task, acq_rel);
}

static void push(struct edo_worker *worker, struct edo_task *task)
{
    if (edo_unlikely(worker->lifo_left == 0)) {
        push_and_notify(worker, task, edo_load(&worker->lifo, relaxed) == NULL);
        return;
    }
    struct edo_task *before = swap_lifo(worker, task);
    if (before != NULL)
        push_and_notify(worker, before, false);
}

void edo_worker_schedule(struct edo_pool *pool, struct edo_task *task, bool behind)
{
    struct edo_worker *worker = edo_thread.worker;
    if (worker == NULL || worker->pool != pool) {
        inject(pool, &task, 1);
        return;
    }
    if (edo_unlikely(worker->retired))
        return; /* all tasks are being dropped */
    if (!behind && edo_likely(edo_worker_schedule_next(worker, task)))
        return;
    edo_count_up(&worker->own.counts.local_schedules, 1);
    if (behind)
        push_yielding(worker, task);
    else
        push(worker, task);
}

/* ---- Finding work ---- */

/* The worker's own queue is empty: from the inject queue one to run, and of the others its share. */
static struct edo_task *take_injected(struct edo_worker *worker)
{
    struct edo_pool *pool = worker->pool;
    uint32_t length = edo_inject_length(&pool->inject);
    if (length == 0)
        return NULL;
    struct edo_task *tasks[EDO_QUEUE_MOVED];
    uint32_t share = length / pool->count + 1, most = EDO_QUEUE_MOVED;
    uint32_t n = edo_inject_take(&pool->inject, tasks, share < most ? share : most);
    worker->keen = n > 0;
    if (n == 0)
        return NULL;
    edo_queue_fill(&worker->queue, tasks + 1, n - 1);
    return tasks[0];
}

/* The LIFO slot is empty, and from here on has all its turns again. */
SELDOM static struct edo_task *take_queued(struct edo_worker *worker)
{
    worker->lifo_left = worker->lifo_most;
    return edo_queue_pop(&worker->queue);
}

static inline struct edo_task *take_own(struct edo_worker *worker)
{
    if (edo_load(&worker->lifo, relaxed) != NULL) {
        struct edo_task *task = swap_lifo(worker, NULL);
        if (edo_likely(task != NULL)) {
            /* One is left: there was when it came. With nothing in the queue nobody waits for the end of them. */
            if (--worker->lifo_left == 0 && edo_queue_length(&worker->queue) == 0)
                worker->lifo_left = worker->lifo_most;
            return task;
        }
    }
    return take_queued(worker);
}

/* What the loop wakes runs in the order in which it does. */
static uint32_t begin_turn(struct edo_worker *worker)
{
    uint32_t left = worker->lifo_left;
    worker->turning = true;
    worker->lifo_left = 0;
    return left;
}

static void end_turn(struct edo_worker *worker, uint32_t lifo_left)
{
    worker->turning = false;
    worker->lifo_left = lifo_left;
}

static struct edo_task *steal_from(struct edo_worker *worker, struct edo_worker *victim)
{
    uint32_t n;
    struct edo_task *task = edo_queue_steal(&victim->queue, &worker->queue, &n);
    if (task != NULL) {
        edo_count_up(&worker->own.counts.steals, n);
        edo_count_up(&worker->own.counts.steal_operations, 1);
    }
    return task;
}

/* Some microseconds, for what comes from outside. A task that sends work to another thread, and waits for it, is woken
 * in about that time: sleeping takes longer, and two switches. Others' queues are not looked at: what is there is
 * about to be run where it is. */
static struct edo_task *linger(struct edo_worker *worker)
{
    for (uint32_t round = 0; edo_linger(round, worker->pool->single); round++) {
        struct edo_task *task = take_injected(worker);
        if (task != NULL)
            return task;
    }
    return NULL;
}

/* The worker's own queues are empty. */
static struct edo_task *search(struct edo_worker *worker)
{
    struct edo_pool *pool = worker->pool;
    if (!worker->searching && !(worker->searching = edo_idle_search(&pool->idle)))
        return NULL;
    uint32_t start = next_random(worker) % pool->count;
    for (uint32_t i = 0; i < pool->count; i++) {
        struct edo_worker *victim = &pool->workers[(start + i) % pool->count];
        struct edo_task *task = victim != worker ? steal_from(worker, victim) : NULL;
        if (task != NULL)
            return task;
    }
    struct edo_task *task = take_injected(worker);
    if (task != NULL || !worker->keen)
        return task;
    worker->keen = false;
    return linger(worker);
}

/* Nobody searches any more: whoever made work meanwhile has relied on who did. */
static void look_once_more(struct edo_pool *pool)
{
    bool more = edo_inject_waiting(&pool->inject);
    for (uint32_t i = 0; i < pool->count && !more; i++)
        more = edo_queue_length(&pool->workers[i].queue) > 0;
    if (more)
        edo_pool_notify(pool);
}

static void stop_searching(struct edo_worker *worker)
{
    if (!worker->searching)
        return;
    worker->searching = false;
    if (!edo_idle_found(&worker->pool->idle))
        return;
    /* Nobody has the watch: another is to take it. */
    if (edo_load(&worker->pool->watch, seq_cst) < 0)
        edo_pool_notify(worker->pool);
    else
        look_once_more(worker->pool);
}

/* ---- Running ---- */

/* After it the worker may be another thread's: edo_block_in_place. */
static inline void run(struct edo_pool *pool, struct edo_task *task, struct edo_context *cx)
{
    uint32_t state = edo_task_state_begin(&task->state);
    if (edo_unlikely(state & EDO_TASK_ABORTED)) {
        edo_task_cancel(task);
        return;
    }
    edo_thread.again = false;
    if (edo_task_poll(task, cx))
        return;
    if (edo_unlikely(task->keeper == NULL))
        edo_pool_adopt(pool, task);
    if (edo_thread.again || !edo_task_state_idle(&task->state))
        edo_worker_schedule(pool, task, true);
}

static void tell_others(struct edo_worker *worker)
{
    worker->told = true;
    edo_driver_give_up(worker->driver);
    edo_pool_notify(worker->pool);
}

/* The loop has woken more than the one that is next here. Where polls are short, this worker is through with them
 * before another has woken, which costs as much as several polls, and takes the processor from whoever the work
 * is for; so another is woken only when this one does not get through with them. Then it keeps the loop, too. */
static void found(struct edo_worker *worker)
{
    worker->tick_at = 0;
    if (worker->pool->count == 1) {
        worker->behind_since = 1; /* there is nobody to be told */
        return;
    }
    uint64_t now = edo_clock_ns();
    if (worker->behind_since == 0) {
        worker->behind_since = worker->polled_at = now;
        worker->told = false;
    }
    if (worker->poll_ns >= DEAR_NS || now < worker->eager_until)
        tell_others(worker);
}

/* It is behind. Whether one worker is enough is tried again each time that nobody has been for a while: it costs those
 * BEHIND_NS. Where it turns out at once that it is not, it is tried half as often. */
static void grow_eager(struct edo_worker *worker, uint64_t now)
{
    if (now >= worker->eager_until) {
        bool again = now - worker->eager_until < 4 * BEHIND_NS;
        uint64_t longer = 2 * worker->eager_ns;
        worker->eager_ns = !again ? EAGER_NS : longer < EAGER_MAX_NS ? longer : EAGER_MAX_NS;
    }
    worker->eager_until = now + worker->eager_ns;
}

/* A poll has ended, and what the loop found may not be done as yet. One that does not end is the watch's to notice. What
 * is ready has slept for long enough to have left the caches; nothing else is worth fetching beforehand. */
SELDOM static void keep_time(struct edo_worker *worker)
{
    edo_queue_prefetch(&worker->queue);
    if (worker->pool->count == 1) {
        worker->behind_since = edo_queue_length(&worker->queue) > 0;
        return;
    }
    uint64_t now = edo_clock_ns();
    worker->poll_ns += ((int64_t)(now - worker->polled_at) - worker->poll_ns) / 8;
    worker->polled_at = now;
    if (edo_queue_length(&worker->queue) == 0) {
        worker->behind_since = 0;
        return;
    }
    bool late = now - worker->behind_since >= BEHIND_NS;
    if (late) {
        worker->behind_since = now;
        grow_eager(worker, now);
    }
    if (late || (!worker->told && worker->poll_ns >= DEAR_NS))
        tell_others(worker);
}

/* Its loop, without sleeping. */
static void turn(struct edo_worker *worker)
{
    uint32_t before = edo_queue_length(&worker->queue);
    uint32_t lifo_left = begin_turn(worker);
    edo_driver_turn(worker->driver, false);
    end_turn(worker, lifo_left);
    edo_store(&worker->turns, edo_load(&worker->turns, relaxed) + 1, relaxed);
    /* For what the turn has woken, but for a single task, which is next here. */
    uint32_t after = edo_queue_length(&worker->queue);
    if (after > before && (after > 1 || edo_load(&worker->lifo, relaxed) != NULL))
        found(worker);
}

/* ---- The watch ---- */

/* The look is sequentially consistent, as giving it up is: whoever wakes or falls asleep, or has found work, writes the
 * word of idle.h and looks at the watch then; whoever gives it up writes the watch and looks at that word. One of them
 * sees the other. Taking it acquires `look_at`, no more: who overlooks that it is taken wakes one too many. */
static bool take_watch(struct edo_worker *worker)
{
    struct edo_pool *pool = worker->pool;
    int32_t nobody = -1;
    return edo_load(&pool->watch, seq_cst) < 0 && pool->count > 1 &&
           edo_cas(&pool->watch, &nobody, (int32_t)worker->index, acquire, relaxed);
}

static void leave_watch(struct edo_pool *pool)
{
    edo_store(&pool->watch, -1, seq_cst);
}

/* Nobody has been awake for long. False: somebody has woken meanwhile, and relies on us. */
static bool give_watch_up(struct edo_worker *worker)
{
    leave_watch(worker->pool);
    return WATCH_ROUNDS == 1 || edo_idle_awake(&worker->pool->idle) == 0 || !take_watch(worker);
}

/* How long until the watch is to look, ns. That does not begin anew when another takes it, or the same again: those
 * that sleep may be woken now and then, and never sleep for WATCH_NS. */
static uint64_t until_look(const struct edo_pool *pool)
{
    uint64_t now = edo_clock_ns();
    return pool->look_at > now ? pool->look_at - now : 0;
}

/* Serves all that are stuck: none is to wait for the others' tasks. The loop is looked at once, if nobody
 * sleeps in it; a worker that sleeps has nothing that waits. Returns a task to run; more are in our queue. */
static struct edo_task *look_after(struct edo_worker *worker)
{
    struct edo_pool *pool = worker->pool;
    /* A whole ms, as sleeps end at. */
    pool->look_at = edo_clock_ns() / NS_PER_MS * NS_PER_MS + WATCH_NS;
    bool looked = false;
    for (uint32_t i = 0; i < pool->count; i++) {
        struct edo_worker *other = &pool->workers[i];
        uint32_t turns = edo_load(&other->turns, relaxed);
        if (other == worker || turns != edo_load(&other->seen, relaxed)) {
            edo_store(&other->seen, turns, relaxed);
            continue;
        }
        uint32_t lifo_left = begin_turn(worker);
        if (!looked)
            edo_driver_turn(other->driver, false);
        else
            edo_driver_fire(other->driver);
        looked = true;
        end_turn(worker, lifo_left);
        struct edo_task *task = NULL;
        if (edo_load(&other->lifo, relaxed) != NULL)
            task = swap_lifo(other, NULL);
        /* What the loop has woken is in our queue, and a thief's is empty. */
        if (task == NULL && edo_queue_length(&worker->queue) == 0)
            task = steal_from(worker, other);
        if (task != NULL)
            push_behind(worker, task);
    }
    return take_own(worker);
}

static void begin_busy(struct edo_worker *worker)
{
    worker->busy_since = edo_clock_ns();
}

static void end_busy(struct edo_worker *worker)
{
    edo_count_up(&worker->own.counts.busy_ns, edo_clock_ns() - worker->busy_since);
}

/* Sleeps in its loop, `limit` ns at most. Returns a task that this made ready. */
static struct edo_task *doze(struct edo_worker *worker, uint64_t limit)
{
    uint32_t lifo_left = begin_turn(worker);
    edo_driver_sleep(worker->driver, limit);
    end_turn(worker, lifo_left);
    edo_store(&worker->turns, edo_load(&worker->turns, relaxed) + 1, relaxed);
    return take_own(worker);
}

/* Nothing is to be done: sleeps until something is, and returns it; or NULL, and the worker is to look. */
static struct edo_task *park(struct edo_worker *worker)
{
    struct edo_pool *pool = worker->pool;
    struct edo_idle *idle = &pool->idle;
    bool last = edo_idle_sleep(idle, worker->index, worker->searching);
    worker->searching = false;
    if (last)
        look_once_more(pool);
    end_busy(worker);
    /* Others may have taken the last of what it had. */
    worker->behind_since = 0;
    edo_count_up(&worker->own.counts.parks, 1);
    edo_handle_hook(pool->handle, pool->handle->hooks.on_thread_park);
    /* The hook may have woken one. */
    struct edo_task *task = take_own(worker);
    bool watch = take_watch(worker);
    for (uint32_t quiet = 0; task == NULL && !edo_load(&pool->closing, relaxed);) {
        uint64_t limit = watch ? until_look(pool) : UINT64_MAX;
        if (limit > 0)
            task = doze(worker, limit);
        if (task != NULL || !edo_idle_sleeps(idle, worker->index))
            break;
        if (!watch || until_look(pool) > 0)
            continue;
        if ((task = look_after(worker)) != NULL)
            break;
        quiet = WATCH_ROUNDS > 1 && edo_idle_awake(idle) > 0 ? 0 : quiet + 1;
        if (quiet >= WATCH_ROUNDS)
            watch = !give_watch_up(worker);
    }
    worker->searching = !edo_idle_rise(idle, worker->index);
    if (watch)
        leave_watch(pool);
    edo_handle_hook(pool->handle, pool->handle->hooks.on_thread_unpark);
    begin_busy(worker);
    /* Who is woken takes the watch when it finds nothing. */
    if (edo_load(&pool->watch, seq_cst) < 0)
        edo_pool_notify(pool);
    if (edo_queue_length(&worker->queue) > 0)
        found(worker);
    return task;
}

/* Whether it is to leave. Acquires what was done before the runtime was shut down, for the hooks of its thread. */
static bool closing(struct edo_pool *pool)
{
    return edo_load(&pool->closing, acquire);
}

/* Not to be polled: it may have been made ready after the runtime was shut down, as by the task that has done so. (Who
 * takes such a one knows of that: it was released before the task was.) It is dropped with all that are in a list. */
static void leave_alone(struct edo_pool *pool, struct edo_task *task)
{
    if (task->keeper == NULL)
        edo_pool_adopt(pool, task);
}

/* Its own queues are empty. NULL: the runtime shuts down. */
SELDOM static struct edo_task *look_for(struct edo_worker *worker)
{
    struct edo_task *task;
    do {
        if ((task = take_injected(worker)) == NULL && (task = search(worker)) == NULL)
            task = park(worker);
        if (task == NULL)
            task = take_own(worker);
    } while (task == NULL && !closing(worker->pool));
    if (task == NULL)
        return NULL;
    if (edo_unlikely(closing(worker->pool))) {
        leave_alone(worker->pool, task);
        return NULL;
    }
    stop_searching(worker);
    return task;
}

/* Now and then, between two polls: what else than its own tasks there is. Returns one of all that is next; or NULL. */
SELDOM static struct edo_task *tick(struct edo_worker *worker, uint64_t polls)
{
    struct edo_pool *pool = worker->pool;
    if (worker->behind_since != 0)
        keep_time(worker);
    if (polls >= worker->turn_at) {
        worker->turn_at = polls + pool->event_interval;
        turn(worker);
    }
    struct edo_task *task = NULL;
    if (polls >= worker->inject_at) {
        worker->inject_at = polls + pool->global_queue_interval;
        if (edo_inject_take(&pool->inject, &task, 1) == 0)
            task = NULL;
    }
    worker->tick_at = worker->behind_since != 0             ? 0
                      : worker->inject_at < worker->turn_at ? worker->inject_at
                                                            : worker->turn_at;
    return task;
}

void edo_worker_run(struct edo_worker *worker)
{
    struct edo_pool *pool = worker->pool;
    struct edo_context cx;
    edo_context_init(&cx, NULL);
    cx.random = next_random(worker);
    begin_busy(worker);
    struct edo_task *task = NULL;
    while (task != NULL || (task = take_own(worker)) != NULL || (task = look_for(worker)) != NULL) {
        uint64_t polls = edo_load(&worker->own.counts.polls, relaxed) + 1;
        edo_store(&worker->own.counts.polls, polls, relaxed);
        run(pool, task, &cx);
        if (edo_unlikely(edo_thread.worker != worker || closing(pool)))
            return;
        task = polls < worker->tick_at ? NULL : tick(worker, polls);
    }
}
