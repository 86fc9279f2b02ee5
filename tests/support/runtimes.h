/* SPDX-License-Identifier: MIT */
/* The runtimes that tests run on.
 *
 *     struct edo_runtime *runtime;
 *     cr_assert_eq(test_runtime_new(&runtime), 0);
 *     struct echo echo = NEW(echo);
 *     cr_assert_eq(test_block_on(runtime, &echo), 0);
 *     edo_runtime_drop(runtime);
 *     …                                        now the threads are gone: the census, and what tasks counted
 *
 * A test that must hold on any runtime makes it so. Two variables of the environment say which it gets:
 *
 *     EDO_TEST_WORKERS  0, or not set: current-thread; N: multi-thread, with N workers
 *     EDO_TEST_ROOT     task: test_block_on's future is a task, too, and runs on the workers
 *
 * `make check-workers` goes through them. In such a test the tasks run at the same time: what they share is
 * atomic, or has a lock of its own; and nothing is said of their order but what they wait for. A test that is
 * about the current-thread runtime, or says something that holds for one thread alone (an order, a number of
 * polls, a paused clock), takes edo_runtime_new.
 */
#ifndef EDO_TESTS_RUNTIMES_H
#define EDO_TESTS_RUNTIMES_H

#include "edo.h"

/* How many workers this run's runtimes have; 0: they are current-thread. */
unsigned test_workers(void);

/* As edo_runtime_new, with that many workers. A clock that is paused has a current-thread runtime. */
#define test_runtime_new(runtime, ...) \
    test_runtime_build(&(const struct edo_builder){__VA_ARGS__}, (runtime))
int test_runtime_build(const struct edo_builder *builder, struct edo_runtime **runtime);

/* As edo_block_on. The runtime may be of either kind. */
#define test_block_on(runtime, future) test_block_on_((runtime), &(future)->future_)
int test_block_on_(struct edo_runtime *runtime, struct edo_future *future);

/* TEST_SETTLES(condition): in a task, lets others go on until the condition holds. For what a task of the same
 * thread would find done when it is polled again, and which another thread has yet to do: on a current-thread
 * runtime nothing is waited for. */
#define TEST_SETTLES(...)                              \
    do {                                               \
        while (test_workers() > 0 && !(__VA_ARGS__)) { \
            YIELD_NOW();                               \
        }                                              \
    } while (0)

#endif
