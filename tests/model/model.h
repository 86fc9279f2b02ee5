/* SPDX-License-Identifier: MIT */
/* Writing models: small programs that the checker runs in every order that C11 allows.
 *
 *     struct shared {
 *         _Atomic(int) ready;
 *         int data;
 *     };
 *
 *     static void producer(void *arg)
 *     {
 *         struct shared *shared = arg;
 *         shared->data = 42;
 *         edo_store(&shared->ready, 1, release);
 *     }
 *
 *     MODEL(message)
 *     {
 *         struct shared *shared = model_new(sizeof *shared);
 *         model_thread(producer, shared);
 *         if (edo_load(&shared->ready, acquire))
 *             model_assert(shared->data == 42);
 *     }
 *
 * A model's body is its first thread. It may start others, six at most; an execution ends when all
 * have ended. The checker runs the body again and again, once for each behaviour that can be told
 * from the others, so the body must do the same when the same things happen: no clock, no random
 * numbers, no addresses printed or sorted by. Variables of static storage, and thread-locals, begin
 * each execution as the program was loaded.
 *
 * What needs no assertion, being looked for in every execution:
 *  - a data race: two accesses to a plain field, one of them a write, that happens-before does not
 *    order; also between an access and the free of its memory. Every plain access of the library and
 *    of the models is seen (the compiler reports them), there is nothing to mark;
 *  - use after free, double free, access outside a block of edo_malloc's;
 *  - a leak: a block that nobody freed when all threads have ended;
 *  - a deadlock; a lost wake-up, which is one where a thread waits in model_wait or in libuv;
 *  - edo_assert, edo_bug, a lock unlocked by another, destroyed while it is held; a step limit.
 *
 * Atomic operations, locks, waits, signals and joins are the steps between which threads are
 * switched. They are those of internal/sys.h; C11's own are not seen and must not be used.
 */
#ifndef EDO_TESTS_MODEL_H
#define EDO_TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "internal/sys.h"

/* A model's settings; all may be left out. */
struct model {
    const char *name, *file;
    void (*body)(void);
    /* The most preemptions, that is switches away from a thread that could go on, in one execution.
     * 0: no bound, every behaviour (and the reduction is better: it is faster up to surprisingly
     * large models). */
    unsigned bound;
    /* With a bound: the most reads of old values in one execution, 1 when 0. */
    unsigned old;
    /* The outcomes that there must be, all of them and no other: "00 01 11"; see model_outcome. */
    const char *outcomes;
    /* A planted bug: the checker must report this, a part of its message, or it has failed. */
    const char *fails;
    /* With `fails` and a bound: below the bound it must not be found. */
    bool exact;
    /* Weak compare-exchanges that fail although they could succeed, in one execution: 1 when 0. */
    unsigned spurious;
    /* The steps of one execution after which it is a livelock: 2000 when 0. */
    unsigned steps;
    /* Somebody calls edo_try_lock, and so can tell when a lock is given back: unlocking is a step. */
    bool tries;
    /* Only run when it is named. */
    bool manual;
    /* It takes long: not run to find out who notices a weakened order, unless it is named. */
    bool slow;
};

/* MODEL(name, .setting = …) { body } */
#define MODEL(name_, ...)                                                             \
    static void model_body_##name_(void);                                             \
    static const struct model model_##name_ = {                                       \
        .name = #name_, .file = __FILE__, .body = model_body_##name_, ##__VA_ARGS__}; \
    static const struct model *const model_entry_##name_                              \
        __attribute__((section("model_list"), used)) = &model_##name_;                \
    static void model_body_##name_(void)

/* A zeroed block that the checker frees itself when the execution is over. */
void *model_new(size_t size);

/* Starts a thread; what the caller did so far happens before all it does. Returns its number. */
int model_thread(void (*run)(void *), void *arg);

/* From now on each thread that the library starts may not be had (edo_thread_start). */
void model_fail_threads(void);

/* From now on whoever lingers looks so many times; and not at all without this. */
void model_linger(uint32_t rounds);
/* From now on each edo_malloc may have no memory. */
void model_fail_mallocs(void);

/* Waits for the thread's end; all it did happens before the return. */
void model_join(int thread);

/* Waits for every thread that the caller started. */
void model_join_all(void);

/* Each of 0 … n - 1, in executions of their own; n at most 16. */
unsigned model_choose(unsigned n);

/* An event, known by its address: model_wait blocks until it was signalled since the last wait, and
 * takes the signal. They order nothing: what the waiter must see has to be published by the code
 * under test. (An eventfd does order, but libuv promises nothing of the kind.) */
void model_signal(const void *event);
void model_wait(const void *event);

/* The same, or until time runs out, which it may at any moment: false then. */
bool model_wait_timed(const void *event);

/* The descriptor that a selector may watch. `ready` says which events it is ready for, on the thread that
 * waits, and, as many of them times MODEL_ENDED, which will be from now on; who makes it ready tells the
 * selector then, by model_edge. Set by the model's body; NULL: there is none. */
enum { MODEL_ENDED = 256 };
struct model_descriptors {
    int (*ready)(int fd);
    void (*closed)(int fd); /* close(2) */
};
extern const struct model_descriptors *model_descriptors;
struct edo_selector;
void model_edge(const struct edo_selector *selector);

/* Fails the execution. */
#define model_assert(condition) \
    ((condition) ? (void)0 : model_fail(__FILE__, __LINE__, "assertion failed: " #condition))
_Noreturn void model_fail(const char *file, int line, const char *message);

/* Adds digits to the execution's outcome: model_outcome(r1, r2). In any thread; for the order to be
 * one and the same, after the joins. */
#define model_outcome(...)                     \
    model_outcome_((const int[]){__VA_ARGS__}, \
                   (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)))
void model_outcome_(const int *digits, int count);

/* The clock that edo_clock_ns shows, in ns; begins at 1 s and stands still until it is set. */
uint64_t model_now(void);
void model_set_now(uint64_t ns);

#endif
