/* SPDX-License-Identifier: MIT */
#include "sys.h"

#include <errno.h>
#include <linux/futex.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef EDO_FAULTS
/* Countdown to the failing allocation; 0 is off. Relaxed: a test arms it before it starts threads,
 * and which of two racing allocations fails does not matter. */
static _Atomic(uint64_t) fault_countdown;
static atomic_bool fault_sticky, fault_fired;

static bool fault_now(void)
{
    uint64_t left = edo_load(&fault_countdown, relaxed);
    while (left != 0) {
        uint64_t next = left == 1 && edo_load(&fault_sticky, relaxed) ? 1 : left - 1;
        if (edo_cas_weak(&fault_countdown, &left, next, relaxed, relaxed)) {
            if (left == 1)
                edo_store(&fault_fired, true, relaxed);
            return left == 1;
        }
    }
    return false;
}

bool edo_alloc_fail(uint64_t n, bool sticky)
{
    edo_store(&fault_countdown, 0, relaxed);
    edo_store(&fault_sticky, sticky, relaxed);
    bool fired = edo_exchange(&fault_fired, false, relaxed);
    edo_store(&fault_countdown, n, relaxed);
    return fired;
}
#else
static inline bool fault_now(void)
{
    return false;
}

bool edo_alloc_fail(uint64_t n, bool sticky)
{
    (void)n;
    (void)sticky;
    return false;
}
#endif

#ifdef EDO_CENSUS
static void *counted(void *block)
{
    if (block != NULL) {
        EDO_COUNT(BYTES, (int64_t)malloc_usable_size(block));
        EDO_COUNT(BLOCKS, 1);
    }
    return block;
}

static void uncounted(void *block)
{
    if (block != NULL) {
        EDO_COUNT(BYTES, -(int64_t)malloc_usable_size(block));
        EDO_COUNT(BLOCKS, -1);
    }
}
#else
#define counted(block)   (block)
#define uncounted(block) ((void)0)
#endif

void *edo_malloc(size_t size)
{
    if (edo_unlikely(fault_now()))
        return NULL;
    return counted(malloc(size));
}

void *edo_calloc(size_t count, size_t size)
{
    if (edo_unlikely(fault_now()))
        return NULL;
    return counted(calloc(count, size));
}

void *edo_realloc(void *block, size_t size)
{
    if (edo_unlikely(fault_now()))
        return NULL;
    uncounted(block);
    void *moved = realloc(block, size);
    if (moved == NULL) {
        (void)counted(block);
        return NULL;
    }
    return counted(moved);
}

void edo_free(void *block)
{
    uncounted(block);
    free(block);
}

uint64_t edo_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool edo_random(void *block, size_t size)
{
    unsigned char *at = block;
    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

void edo_futex_wait(const _Atomic(uint32_t) *word, uint32_t value)
{
    int error = errno;
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL);
    errno = error;
}

void edo_futex_wake(const _Atomic(uint32_t) *word)
{
    int error = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1);
    errno = error;
}

void edo_event_init(struct edo_event *event)
{
    pthread_mutex_init(&event->mutex_, NULL);
    pthread_cond_init(&event->cond_, NULL);
    event->set_ = false;
}

void edo_event_destroy(struct edo_event *event)
{
    pthread_cond_destroy(&event->cond_);
    pthread_mutex_destroy(&event->mutex_);
}

/* Signalled under the mutex: the waiter may destroy the event as soon as it has that. */
void edo_event_set(struct edo_event *event)
{
    pthread_mutex_lock(&event->mutex_);
    event->set_ = true;
    pthread_cond_signal(&event->cond_);
    pthread_mutex_unlock(&event->mutex_);
}

void edo_event_wait(struct edo_event *event)
{
    pthread_mutex_lock(&event->mutex_);
    while (!event->set_)
        pthread_cond_wait(&event->cond_, &event->mutex_);
    event->set_ = false;
    pthread_mutex_unlock(&event->mutex_);
}

bool edo_thread_start_detached(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, run, arg) == 0 && pthread_detach(thread) == 0;
}

_Noreturn void edo_bug(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "edo: %s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}
