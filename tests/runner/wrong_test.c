/* SPDX-License-Identifier: MIT */
/* Tests that must fail, each in its own way: they test the runner. One that passes says that our
 * tests would not notice what it does. run.sh runs them one by one, under the sanitizer in question.
 */
#include <criterion/criterion.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal/sys.h"

static int shared;
static int *volatile kept;
static volatile int amount = INT_MAX;

static void *add(void *unused)
{
    (void)unused;
    shared++;
    return NULL;
}

Test(right, passes)
{
    cr_assert(1);
}

Test(wrong, assertion)
{
    cr_assert_eq(1, 2);
}

static void *fail(void *unused)
{
    (void)unused;
    cr_assert_eq(1, 2, "said on another thread");
    return NULL;
}

Test(wrong, assertion_on_another_thread)
{
    pthread_t thread;
    pthread_create(&thread, NULL, fail, NULL);
    pthread_join(thread, NULL);
}

Test(wrong, crash)
{
    kill(getpid(), SIGSEGV);
}

Test(wrong, hang, .timeout = 1)
{
    for (;;)
        pause();
}

Test(wrong, hang_without_a_timeout)
{
    for (;;)
        pause();
}

Test(asan, leak)
{
    kept = malloc(16);
    kept = NULL;
}

Test(asan, overflow)
{
    kept = malloc(16);
    kept[4] = 1;
    free(kept);
}

Test(asan, use_after_free)
{
    kept = malloc(16);
    free(kept);
    kept[0] = 1;
}

Test(asan, undefined)
{
    amount = amount + 1;
}

Test(tsan, race)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, add, NULL), 0);
    shared++;
    pthread_join(thread, NULL);
}

Test(tsan, thread_leak)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, add, NULL), 0);
    sleep(1);
}

static struct edo_lock lock, other;

static void *add_locked(void *unused)
{
    edo_lock(&lock);
    add(unused);
    edo_unlock(&lock);
    return NULL;
}

Test(tsan, race_beside_a_lock)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, add_locked, NULL), 0);
    shared++;
    pthread_join(thread, NULL);
}

static void *lock_the_other_first(void *unused)
{
    edo_lock(&other);
    add_locked(unused);
    edo_unlock(&other);
    return NULL;
}

/* One after the other: nobody waits. */
Test(tsan, locks_in_two_orders)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, lock_the_other_first, NULL), 0);
    pthread_join(thread, NULL);
    edo_lock(&lock);
    edo_lock(&other);
    edo_unlock(&other);
    edo_unlock(&lock);
}

Test(right, adds_under_a_lock)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, add_locked, NULL), 0);
    add_locked(NULL);
    pthread_join(thread, NULL);
    cr_assert_eq(shared, 2);
}
