/* SPDX-License-Identifier: MIT */
/* The lock itself, internal/futex_lock.h; to all other models a lock is one step of the checker's. */
#include "tests/model/model.h"

struct locked {
    struct edo_lock lock;
    int data, holders; /* under the lock */
};

static struct locked *locked_new(int holders)
{
    struct locked *locked = edo_malloc(sizeof *locked);
    edo_init(&locked->lock.word_, EDO_LOCK_FREE);
    locked->data = 0;
    locked->holders = holders;
    return locked;
}

static void adds(void *arg)
{
    struct locked *locked = arg;
    edo_futex_lock(&locked->lock);
    locked->data++;
    edo_futex_unlock(&locked->lock);
}

static void adds_twice(void *arg)
{
    adds(arg);
    adds(arg);
}

static void in_threads(int count, void (*run)(void *))
{
    struct locked *locked = locked_new(0);
    for (int i = 1; i < count; i++)
        model_thread(run, locked);
    run(locked);
    model_join_all();
    edo_futex_lock(&locked->lock);
    model_outcome(locked->data);
    edo_futex_unlock(&locked->lock);
    edo_free(locked);
}

MODEL(lock_two, .outcomes = "4")
{
    in_threads(2, adds_twice);
}

/* Two asleep: who is woken must not forget the other. */
MODEL(lock_three, .outcomes = "3")
{
    in_threads(3, adds);
}

static void tries(void *arg)
{
    struct locked *locked = arg;
    if (!edo_futex_try_lock(&locked->lock))
        return;
    locked->data++;
    edo_futex_unlock(&locked->lock);
}

/* One of those who try comes first. */
MODEL(lock_try, .outcomes = "1 2 3")
{
    in_threads(3, tries);
}

static void tries_then_adds(void *arg)
{
    tries(arg);
    adds(arg);
}

/* Who tries comes in between, also while somebody sleeps. */
MODEL(lock_try_and_wait, .outcomes = "3 4")
{
    in_threads(2, tries_then_adds);
}

/* Whoever is the last to hold it frees it, while the one before may still be about to wake. */
static void lets_go(void *arg)
{
    struct locked *locked = arg;
    edo_futex_lock(&locked->lock);
    bool last = --locked->holders == 0;
    edo_futex_unlock(&locked->lock);
    if (last)
        edo_free(locked);
}

MODEL(lock_freed_by_the_last)
{
    struct locked *locked = locked_new(2);
    model_thread(lets_go, locked);
    lets_go(locked);
}

MODEL(lock_freed_by_the_last_of_three)
{
    struct locked *locked = locked_new(3);
    model_thread(lets_go, locked);
    model_thread(lets_go, locked);
    lets_go(locked);
}

/* ---- What would be wrong ---- */

static void adds_forgetful(void *arg)
{
    struct locked *locked = arg;
    uint32_t was = EDO_LOCK_FREE;
    while (!edo_cas(&locked->lock.word_, &was, EDO_LOCK_HELD, acquire, relaxed)) {
        if (edo_exchange(&locked->lock.word_, EDO_LOCK_CONTENDED, acquire) == EDO_LOCK_FREE)
            break;
        edo_futex_wait(&locked->lock.word_, EDO_LOCK_CONTENDED);
        was = EDO_LOCK_FREE;
    }
    locked->data++;
    edo_futex_unlock(&locked->lock);
}

/* Woken, it takes the lock as if nobody else were asleep. */
MODEL(planted_lock_held_after_sleep, .fails = "lost wake-up", .bound = 2)
{
    in_threads(3, adds_forgetful);
}

static void adds_after_one_sleep(void *arg)
{
    struct locked *locked = arg;
    if (edo_exchange(&locked->lock.word_, EDO_LOCK_CONTENDED, acquire) != EDO_LOCK_FREE)
        edo_futex_wait(&locked->lock.word_, EDO_LOCK_CONTENDED);
    locked->data++;
    edo_futex_unlock(&locked->lock);
}

/* Woken, it has the lock. */
MODEL(planted_lock_handed_over, .fails = "data race")
{
    in_threads(2, adds_after_one_sleep);
}
