/* SPDX-License-Identifier: MIT */
/* The lock itself, internal/spin_lock.h; to all other models a lock is one step of the checker's. */
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

/* And those who wait try again: fake_sys.c. */
static void gives_back(struct locked *locked)
{
    edo_spin_unlock(&locked->lock);
    model_signal((const char *)locked + 1);
}

static void adds(void *arg)
{
    struct locked *locked = arg;
    edo_spin_lock(&locked->lock);
    locked->data++;
    gives_back(locked);
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
    edo_spin_lock(&locked->lock);
    model_outcome(locked->data);
    gives_back(locked);
    edo_free(locked);
}

MODEL(lock_two, .outcomes = "4")
{
    in_threads(2, adds_twice);
}

MODEL(lock_three, .outcomes = "3")
{
    in_threads(3, adds);
}

static void tries(void *arg)
{
    struct locked *locked = arg;
    if (!edo_spin_try_lock(&locked->lock))
        return;
    locked->data++;
    gives_back(locked);
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

/* Who tries comes in between, also while somebody waits. */
MODEL(lock_try_and_wait, .outcomes = "3 4")
{
    in_threads(2, tries_then_adds);
}

/* Whoever is the last to hold it frees it. */
static void lets_go(void *arg)
{
    struct locked *locked = arg;
    edo_spin_lock(&locked->lock);
    bool last = --locked->holders == 0;
    gives_back(locked);
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

static void adds_after_one_wait(void *arg)
{
    struct locked *locked = arg;
    if (!edo_spin_try_lock(&locked->lock))
        edo_spin_wait(&locked->lock, 0);
    locked->data++;
    edo_store(&locked->lock.word_, EDO_LOCK_FREE, release);
    model_signal((const char *)locked + 1);
}

/* Who has waited has the lock. */
MODEL(planted_lock_handed_over, .fails = "data race")
{
    in_threads(3, adds_after_one_wait);
}

static void adds_unordered(void *arg)
{
    struct locked *locked = arg;
    edo_spin_lock(&locked->lock);
    locked->data++;
    edo_store(&locked->lock.word_, EDO_LOCK_FREE, relaxed);
    model_signal((const char *)locked + 1);
}

/* The next holder does not see what was done. */
MODEL(planted_lock_given_back_relaxed, .fails = "data race")
{
    in_threads(2, adds_unordered);
}
