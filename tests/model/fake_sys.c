/* SPDX-License-Identifier: MIT */
/* internal/sys.h for models: the checker's blocks, threads and clock in place of the system's. Locks
 * are in thread.c, atomics in memory.c. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checker.h"

void model_fail_mallocs(void)
{
    x.mallocs_fail = true;
}

void *edo_malloc(size_t size)
{
    if (x.mallocs_fail && model_choose(2) == 1)
        return NULL;
    return block_new(size, false, true, __builtin_return_address(0));
}

/* The slabs of tasks are not used in models, but are there. */
void *edo_pages_map(size_t size)
{
    return aligned_alloc(size, size);
}

void edo_pages_unmap(void *pages, size_t size)
{
    (void)size;
    free(pages);
}

void *edo_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return block_new(bytes, true, true, __builtin_return_address(0));
}

void *edo_realloc(void *block, size_t size)
{
    void *pc = __builtin_return_address(0);
    void *moved = block_new(size, false, true, pc);
    if (block != NULL) {
        size_t old = block_size(block);
        memcpy(moved, block, old < size ? old : size);
        block_free(block, pc);
    }
    return moved;
}

void edo_free(void *block)
{
    if (block != NULL)
        block_free(block, __builtin_return_address(0));
}

bool edo_alloc_fail(uint64_t n, bool sticky)
{
    (void)n;
    (void)sticky;
    return false;
}

void *model_new(size_t size)
{
    return block_new(size, true, false, __builtin_return_address(0));
}

uint64_t edo_clock_ns(void)
{
    return x.now;
}

/* The same in every execution. */
bool edo_random(void *block, size_t size)
{
    memset(block, 0x5a, size);
    return true;
}

/* They order nothing here, and so hide nothing of what their users do about it. */
void edo_event_init(struct edo_event *event)
{
    (void)event;
}

void edo_event_destroy(struct edo_event *event)
{
    (void)event;
}

void edo_event_set(struct edo_event *event)
{
    model_signal(event);
}

void edo_event_wait(struct edo_event *event)
{
    model_wait(event);
}

void model_linger(uint32_t rounds)
{
    x.lingers = rounds;
}

bool edo_linger(uint32_t round, bool single)
{
    (void)single;
    return round < x.lingers;
}

bool edo_event_wait_until(struct edo_event *event, uint64_t deadline)
{
    /* Weeks are for ever: who sleeps so long is lost. */
    if (deadline > x.now && deadline - x.now >= UINT32_MAX * UINT64_C(1000000)) {
        model_wait(event);
        return true;
    }
    bool set = model_wait_timed(event);
    if (!set && model_now() < deadline)
        model_set_now(deadline);
    return set;
}

/* Who spins would find nothing new before the lock has been given back: it waits for that, which the models of the lock
 * signal. Then it is not told old values for ever: the exchange reads the newest, and orders nothing. To all other
 * models a lock is one step (thread.c). */
void edo_spin_wait(struct edo_lock *lock, uint32_t round)
{
    (void)round;
    model_wait((const char *)lock + 1);
    edo_fetch_or(&lock->word_, 0, relaxed);
}

/* A thread's number stands for it. */
struct start {
    void *(*run)(void *);
    void *arg;
};

static void run_started(void *arg)
{
    struct start start = *(struct start *)arg;
    start.run(start.arg);
}

void model_fail_threads(void)
{
    x.threads_fail = true;
}

int edo_thread_start(struct edo_thread_id *id, const struct edo_thread_options *options,
                     void *(*run)(void *), void *arg)
{
    (void)options;
    if (x.threads_fail && model_choose(2) == 1)
        return -EAGAIN;
    struct start *start = model_new(sizeof *start);
    *start = (struct start){run, arg};
    id->value_ = (pthread_t)model_thread(run_started, start);
    return 0;
}

void edo_thread_join(struct edo_thread_id id)
{
    model_join((int)id.value_);
}

void edo_thread_detach(struct edo_thread_id id)
{
    (void)id;
}

struct edo_thread_id edo_thread_self(void)
{
    return (struct edo_thread_id){(pthread_t)x.current};
}

/* Any other may go on at the next step as it is. */
void edo_thread_yield(void) {}

bool edo_thread_fail(uint64_t n, bool sticky)
{
    (void)n;
    (void)sticky;
    return false;
}

_Noreturn void edo_bug(const char *file, int line, const char *format, ...)
{
    char message[200];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    model_fail(file, line, message);
}
