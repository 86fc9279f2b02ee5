/* SPDX-License-Identifier: MIT */
/* Semaphore and its kin: no permit is lost between one that is given, one that waits, and one that
 * gives up; and none is touched by who has given it. */
#include "executor.h"
#include "internal/park.h"
#include "sync/mutex.h"
#include "sync/rwlock.h"

static struct edo_semaphore semaphore;
static int data;

static void end(size_t permits)
{
    executors_end();
    model_assert(edo_semaphore_available(&semaphore) == permits);
    edo_semaphore_destroy(&semaphore);
}

/* What was written under the permit is seen by the next who has it. */
static void takes_turns(void *thread)
{
    int i = (int)(intptr_t)thread;
    struct executor *executor = executor_of_thread(i);
    struct edo_permit permit = {0};
    struct edo_semaphore_acquire *acquire = ON_HEAP(edo_semaphore_acquire(&semaphore, &permit));
    executor_run(executor, &acquire->future_);
    data++;
    edo_permit_release(&permit);
}

MODEL(semaphore_turns)
{
    edo_semaphore_init(&semaphore, 1);
    model_thread(takes_turns, (void *)1);
    model_thread(takes_turns, (void *)2);
    takes_turns(NULL);
    end(1);
    model_assert(data == 3);
}

static void gives_up(void *arg)
{
    (void)arg;
    struct executor *executor = executor_of_thread(2);
    struct edo_permit permit = {0};
    struct edo_semaphore_acquire *acquire = ON_HEAP(edo_semaphore_acquire(&semaphore, &permit));
    if (executor_poll(executor, &acquire->future_) == EDO_PENDING)
        executor_cancel(executor, &acquire->future_);
    edo_permit_release(&permit);
}

MODEL(semaphore_cancelled)
{
    struct edo_permit permit = {0};
    edo_semaphore_init(&semaphore, 1);
    model_assert(edo_semaphore_try_acquire(&semaphore, &permit) == 0);
    model_thread(gives_up, NULL);
    model_thread(takes_turns, (void *)1);
    data++;
    edo_permit_release(&permit);
    end(1);
    model_assert(data == 2);
}

/* Both who wait give up, the second first, and the first maybe with the permit: whoever takes it then has seen who gave
 * it, though that one may have written nothing but the first one's state. */
static struct edo_permit given;

static void gives(void *arg)
{
    (void)arg;
    data = 1;
    edo_permit_release(&given);
}

static void tries_one(void *arg)
{
    (void)arg;
    struct edo_permit permit = {0};
    if (edo_semaphore_try_acquire(&semaphore, &permit) == 0)
        model_assert(data == 1);
    edo_permit_release(&permit);
}

MODEL(semaphore_all_give_up)
{
    struct edo_permit unused = {0};
    edo_semaphore_init(&semaphore, 1);
    model_assert(edo_semaphore_try_acquire(&semaphore, &given) == 0);
    struct edo_semaphore_acquire *waits[2];
    for (int i = 0; i < 2; i++) {
        waits[i] = ON_HEAP(edo_semaphore_acquire(&semaphore, &unused));
        model_assert(executor_poll(executor_of_thread(i), &waits[i]->future_) == EDO_PENDING);
    }
    model_thread(gives, NULL);
    model_thread(tries_one, NULL);
    executor_cancel(executors[1], &waits[1]->future_);
    executor_cancel(executors[0], &waits[0]->future_);
    end(1);
}

/* Of three, two are given to the first who waits, and the second, who wants two as well, gives up: then there
 * is one for all, though nobody has written it since it was there from the beginning. */
MODEL(semaphore_last_gives_up)
{
    struct edo_permit unused = {0};
    edo_semaphore_init(&semaphore, 3);
    model_assert(edo_semaphore_try_acquire_many(&semaphore, 2, &given) == 0);
    struct edo_semaphore_acquire *waits[2];
    for (int i = 0; i < 2; i++) {
        waits[i] = ON_HEAP(edo_semaphore_acquire_many(&semaphore, 2, &unused));
        model_assert(executor_poll(executor_of_thread(i), &waits[i]->future_) == EDO_PENDING);
    }
    model_thread(gives, NULL);
    model_thread(tries_one, NULL);
    executor_cancel(executors[1], &waits[1]->future_);
    model_join_all();
    executor_cancel(executors[0], &waits[0]->future_);
    end(3);
}

/* Two small ones and a large one, which one of them may overtake only by being first. */
static void takes_two(void *arg)
{
    (void)arg;
    struct executor *executor = executor_of_thread(3);
    struct edo_permit permit = {0};
    struct edo_semaphore_acquire *acquire =
        ON_HEAP(edo_semaphore_acquire_many(&semaphore, 2, &permit));
    executor_run(executor, &acquire->future_);
    data++;
    edo_permit_release(&permit);
}

static void takes_one(void *thread)
{
    int i = (int)(intptr_t)thread;
    struct executor *executor = executor_of_thread(i);
    struct edo_permit permit = {0};
    struct edo_semaphore_acquire *acquire = ON_HEAP(edo_semaphore_acquire(&semaphore, &permit));
    executor_run(executor, &acquire->future_);
    model_assert(data >= 0);
    edo_permit_release(&permit);
}

MODEL(semaphore_many)
{
    edo_semaphore_init(&semaphore, 2);
    model_thread(takes_two, NULL);
    model_thread(takes_one, (void *)1);
    takes_one(NULL);
    end(2);
}

/* Closed while one waits, and one gives back. */
static void waits_for_the_end(void *arg)
{
    (void)arg;
    struct executor *executor = executor_of_thread(1);
    struct edo_permit permit = {0};
    struct edo_semaphore_acquire *acquire = ON_HEAP(edo_semaphore_acquire(&semaphore, &permit));
    executor_run(executor, &acquire->future_);
    model_assert(acquire->output == 0 || acquire->output == EDO_ECLOSED);
    if (acquire->output < 0)
        model_assert(data == 1 && edo_semaphore_is_closed(&semaphore));
    edo_permit_release(&permit);
}

static void closes(void *arg)
{
    (void)arg;
    data = 1;
    edo_semaphore_close(&semaphore);
}

MODEL(semaphore_close)
{
    struct edo_permit permit = {0};
    edo_semaphore_init(&semaphore, 1);
    model_assert(edo_semaphore_try_acquire(&semaphore, &permit) == 0);
    model_thread(waits_for_the_end, NULL);
    model_thread(closes, NULL);
    edo_permit_release(&permit);
    end(1);
}

static void looks(void *arg)
{
    (void)arg;
    if (edo_semaphore_is_closed(&semaphore))
        model_assert(data == 1);
}

MODEL(semaphore_is_closed)
{
    edo_semaphore_init(&semaphore, 0);
    model_thread(looks, NULL);
    closes(NULL);
    end(0);
}

/* Permits more, and fewer, meanwhile. */
static void adds(void *arg)
{
    (void)arg;
    model_assert(edo_semaphore_add(&semaphore, 1) == 0);
}

MODEL(semaphore_add_and_forget)
{
    edo_semaphore_init(&semaphore, 0);
    model_thread(adds, NULL);
    model_thread(takes_one, (void *)1);
    size_t forgotten = edo_semaphore_forget(&semaphore, 1);
    if (forgotten == 1)
        adds(NULL);
    end(1);
}

static void tries(void *arg)
{
    (void)arg;
    struct edo_permit permit = {0};
    if (edo_semaphore_try_acquire(&semaphore, &permit) == 0)
        data++;
    edo_permit_release(&permit);
}

MODEL(semaphore_try)
{
    edo_semaphore_init(&semaphore, 1);
    model_thread(tries, NULL);
    model_thread(tries, NULL);
    takes_turns(NULL);
    end(1);
}

/* What is given while one waits that it does not suffice for, which gives up, is taken by another. */
static void gives_up_two(void *arg)
{
    (void)arg;
    struct executor *executor = executor_of_thread(2);
    struct edo_permit permit = {0};
    struct edo_semaphore_acquire *acquire =
        ON_HEAP(edo_semaphore_acquire_many(&semaphore, 2, &permit));
    model_assert(executor_poll(executor, &acquire->future_) == EDO_PENDING);
    executor_cancel(executor, &acquire->future_);
}

static void tries_and_looks(void *arg)
{
    (void)arg;
    struct edo_permit permit = {0};
    if (edo_semaphore_try_acquire(&semaphore, &permit) == 0)
        model_assert(data == 1);
    edo_permit_release(&permit);
}

MODEL(semaphore_large_cancelled)
{
    struct edo_permit permit = {0};
    edo_semaphore_init(&semaphore, 1);
    model_assert(edo_semaphore_try_acquire(&semaphore, &permit) == 0);
    model_thread(gives_up_two, NULL);
    model_thread(tries_and_looks, NULL);
    data = 1;
    edo_permit_release(&permit);
    end(1);
}

/* The last one out frees the mutex, while the one before is still in its unlock. */
struct shared {
    struct edo_mutex mutex;
    int users;
};

static struct shared *shared;

static void leaves(void *thread)
{
    struct edo_mutex_guard guard = {0};
    struct executor *executor = executor_of_thread((int)(intptr_t)thread);
    struct edo_mutex_lock *lock = ON_HEAP(edo_mutex_lock(&shared->mutex, &guard));
    executor_run(executor, &lock->future_);
    bool last = --shared->users == 0;
    edo_mutex_unlock(&guard);
    if (last) {
        edo_mutex_destroy(&shared->mutex);
        edo_free(shared);
    }
}

MODEL(mutex_last_frees)
{
    edo_semaphore_init(&semaphore, 0);
    shared = edo_malloc(sizeof *shared);
    edo_mutex_init(&shared->mutex);
    shared->users = 3;
    model_thread(leaves, (void *)1);
    model_thread(leaves, (void *)2);
    leaves(NULL);
    end(0);
}

/* Who is polled without being woken finds that it has locked it before the unlock is through. */
static struct edo_mutex_guard held;

static void unlocks_held(void *arg)
{
    (void)arg;
    data = 1;
    edo_mutex_unlock(&held);
}

MODEL(mutex_freed_without_a_wake, .tries = true)
{
    edo_semaphore_init(&semaphore, 0);
    shared = edo_malloc(sizeof *shared);
    edo_mutex_init(&shared->mutex);
    model_assert(edo_mutex_try_lock(&shared->mutex, &held) == 0);
    struct edo_mutex_guard guard = {0};
    struct executor *executor = executor_of_thread(0);
    struct edo_mutex_lock *lock = ON_HEAP(edo_mutex_lock(&shared->mutex, &guard));
    model_assert(executor_poll(executor, &lock->future_) == EDO_PENDING);
    model_thread(unlocks_held, NULL);
    executor_run(executor, &lock->future_);
    model_assert(data == 1);
    edo_mutex_unlock(&guard);
    edo_mutex_destroy(&shared->mutex);
    edo_free(shared);
    end(0);
}

/* The only one that waits gives up while it is unlocked, so that nobody waits when it is given; and who
 * locks it next frees it at once. */
static _Atomic(int) references;

static void lets_go(void)
{
    if (edo_fetch_sub(&references, 1, acq_rel) == 1) {
        edo_mutex_destroy(&shared->mutex);
        edo_free(shared);
    }
}

static void gives_up_locking(void *arg)
{
    (void)arg;
    struct edo_mutex_guard guard = {0};
    struct executor *executor = executor_of_thread(1);
    struct edo_mutex_lock *lock = ON_HEAP(edo_mutex_lock(&shared->mutex, &guard));
    if (executor_poll(executor, &lock->future_) == EDO_PENDING)
        executor_cancel(executor, &lock->future_);
    edo_mutex_unlock(&guard);
    lets_go();
}

static void locks_last(void *arg)
{
    (void)arg;
    struct edo_mutex_guard guard = {0};
    if (edo_mutex_try_lock(&shared->mutex, &guard) != 0)
        return;
    edo_mutex_unlock(&guard);
    lets_go();
}

MODEL(mutex_freed_when_nobody_waits_any_more)
{
    struct edo_mutex_guard guard = {0};
    edo_semaphore_init(&semaphore, 0);
    shared = edo_malloc(sizeof *shared);
    edo_mutex_init(&shared->mutex);
    edo_init(&references, 2);
    model_assert(edo_mutex_try_lock(&shared->mutex, &guard) == 0);
    model_thread(gives_up_locking, NULL);
    model_thread(locks_last, NULL);
    edo_mutex_unlock(&guard);
    model_join_all();
    if (edo_load(&references, relaxed) != 0) { /* it was tried too early */
        edo_mutex_destroy(&shared->mutex);
        edo_free(shared);
    }
    end(0);
}

/* In a task, whose waker is not cloned; and on a thread without an executor. */
static struct edo_mutex mutex;

static void locks_blocking(void *arg)
{
    (void)arg;
    struct edo_mutex_guard guard = {0};
    model_assert(edo_mutex_blocking_lock(&mutex, &guard) == 0);
    data++;
    edo_mutex_unlock(&guard);
}

MODEL(mutex_in_task)
{
    edo_mutex_init(&mutex);
    struct edo_runtime *runtime = runtime_new();
    model_thread(locks_blocking, NULL);
    struct edo_mutex_guard guard = {0};
    struct edo_mutex_lock *lock = ON_HEAP(edo_mutex_lock(&mutex, &guard));
    model_assert(edo_block_on(runtime, lock) == 0);
    data++;
    edo_mutex_unlock(&guard);
    edo_runtime_drop(runtime);
    model_join_all();
    model_assert(data == 2);
    edo_mutex_destroy(&mutex);
}

/* A waiting task is dropped with its runtime while it is its turn. */
static struct edo_mutex_guard nobodys;

static void spawn_locker(struct edo_waker *waker, void *arg)
{
    (void)waker;
    (void)arg;
    edo_task_detach(SPAWN(edo_mutex_lock(&mutex, &nobodys)));
}

static struct edo_mutex_guard held;

static void unlocks(void *arg)
{
    (void)arg;
    edo_mutex_unlock(&held);
}

MODEL(mutex_at_shutdown)
{
    static _Atomic(int) nothing;
    edo_mutex_init(&mutex);
    model_assert(edo_mutex_try_lock(&mutex, &held) == 0);
    struct edo_runtime *runtime = runtime_new();
    model_thread(unlocks, NULL);
    struct until future = EDO_NEW(until, .done = &nothing, .turns = 1, .begin = spawn_locker);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
    model_join_all();
    edo_mutex_unlock(&nobodys);
    edo_mutex_destroy(&mutex);
}

/* A writer lets readers in, and the last of them frees the lock. */
struct readers {
    struct edo_rwlock lock;
    _Atomic(int) left;
};

static struct readers *readers;

static void reads_and_goes(void *thread)
{
    struct edo_rwlock_read_guard guard = {0};
    struct edo_rwlock_read *read = ON_HEAP(edo_rwlock_read(&readers->lock, &guard));
    executor_run(executor_of_thread((int)(intptr_t)thread), &read->future_);
    edo_rwlock_read_unlock(&guard);
    if (edo_fetch_sub(&readers->left, 1, acq_rel) == 1) {
        edo_rwlock_destroy(&readers->lock);
        edo_free(readers);
    }
}

MODEL(rwlock_last_reader_frees)
{
    struct edo_rwlock_write_guard guard = {0};
    edo_semaphore_init(&semaphore, 0);
    readers = edo_malloc(sizeof *readers);
    edo_rwlock_init(&readers->lock);
    edo_init(&readers->left, 2);
    model_assert(edo_rwlock_try_write(&readers->lock, &guard) == 0);
    model_thread(reads_and_goes, (void *)1);
    model_thread(reads_and_goes, (void *)2);
    edo_rwlock_write_unlock(&guard);
    end(0);
}

/* A writer, who goes on as a reader, and a reader. */
static struct edo_rwlock rwlock;

static void reads(void *arg)
{
    (void)arg;
    struct edo_rwlock_read_guard guard = {0};
    struct edo_rwlock_read *read = ON_HEAP(edo_rwlock_read(&rwlock, &guard));
    executor_run(executor_of_thread(1), &read->future_);
    model_assert(data == 0 || data == 2);
    edo_rwlock_read_unlock(&guard);
}

static void writes(void *arg)
{
    struct edo_rwlock_write_guard guard = {0};
    struct edo_rwlock_read_guard read_guard = {0};
    struct edo_rwlock_write *write = ON_HEAP(edo_rwlock_write(&rwlock, &guard));
    executor_run(executor_of_thread(2), &write->future_);
    data = 1;
    data = 2;
    if (arg != NULL)
        edo_rwlock_downgrade(&guard, &read_guard);
    model_assert(data == 2);
    edo_rwlock_read_unlock(&read_guard);
    edo_rwlock_write_unlock(&guard);
}

MODEL(rwlock)
{
    edo_semaphore_init(&semaphore, 0);
    edo_rwlock_init(&rwlock);
    model_thread(reads, NULL);
    writes(model_choose(2) ? &data : NULL);
    end(0);
    edo_rwlock_destroy(&rwlock);
}
