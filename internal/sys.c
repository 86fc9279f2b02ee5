/* SPDX-License-Identifier: MIT */
#include "sys.h"

#include <errno.h>
#include <linux/futex.h>
#include <malloc.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef EDO_FAULTS
/* What fails on demand. Relaxed: a test arms it before it starts threads, and which of two racing calls
 * fails does not matter. */
struct fault {
    _Atomic(uint64_t) countdown; /* to the failing call; 0 is off */
    atomic_bool sticky, fired;
};
static struct fault alloc_fault, pages_fault, huge_fault, thread_fault;

static bool fault_now(struct fault *fault)
{
    uint64_t left = edo_load(&fault->countdown, relaxed);
    while (left != 0) {
        uint64_t next = left == 1 && edo_load(&fault->sticky, relaxed) ? 1 : left - 1;
        if (edo_cas_weak(&fault->countdown, &left, next, relaxed, relaxed)) {
            if (left == 1)
                edo_store(&fault->fired, true, relaxed);
            return left == 1;
        }
    }
    return false;
}

static bool fault_arm(struct fault *fault, uint64_t n, bool sticky)
{
    edo_store(&fault->countdown, 0, relaxed);
    edo_store(&fault->sticky, sticky, relaxed);
    bool fired = edo_exchange(&fault->fired, false, relaxed);
    edo_store(&fault->countdown, n, relaxed);
    return fired;
}
#else
#define fault_now(fault)            false
#define fault_arm(fault, n, sticky) ((void)(n), (void)(sticky), false)
#endif

bool edo_alloc_fail(uint64_t n, bool sticky)
{
    return fault_arm(&alloc_fault, n, sticky);
}

bool edo_pages_fail(uint64_t n, bool sticky)
{
    return fault_arm(&pages_fault, n, sticky);
}

bool edo_huge_fail(uint64_t n, bool sticky)
{
    return fault_arm(&huge_fault, n, sticky);
}

bool edo_thread_fail(uint64_t n, bool sticky)
{
    return fault_arm(&thread_fault, n, sticky);
}

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
    if (edo_unlikely(fault_now(&alloc_fault)))
        return NULL;
    return counted(malloc(size));
}

void *edo_calloc(size_t count, size_t size)
{
    if (edo_unlikely(fault_now(&alloc_fault)))
        return NULL;
    return counted(calloc(count, size));
}

void *edo_realloc(void *block, size_t size)
{
    if (edo_unlikely(fault_now(&alloc_fault)))
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

#if defined(EDO_FAULTS) || defined(EDO_CENSUS)
void edo_keep(void *block)
{
    uncounted(block);
}

bool edo_reuse(void *block)
{
    if (fault_now(&alloc_fault))
        return false;
    (void)counted(block);
    return true;
}

void edo_free_kept(void *block)
{
    free(block);
}

bool edo_count_cut(size_t bytes)
{
    if (fault_now(&alloc_fault))
        return false;
    EDO_COUNT(BYTES, (int64_t)bytes);
    EDO_COUNT(BLOCKS, 1);
    return true;
}

void edo_count_uncut(size_t bytes)
{
    EDO_COUNT(BYTES, -(int64_t)bytes);
    EDO_COUNT(BLOCKS, -1);
}
#endif

/* What this thread has had of the processor. */
static uint64_t thread_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A huge page costs a quarter of what 512 small ones do, where it is at hand. Where it must be made first, out of
 * others, or by a virtual machine's host, to whom the system gives back what is free of huge pages but not of small
 * ones, it costs several times as much as these, and so will the next. Then small ones it is, for a second.
 *
 * The time is the thread's: another may have the processor meanwhile. What the host does is in it. */
static void ask_for_huge(char *pages, size_t size)
{
    enum { DEAR_NS = 1000000, PENANCE_NS = 1000000000 };
    static _Atomic(uint64_t) small_until;
    /* Relaxed: a number that stands for itself. Several threads may overwrite each other's. */
    if (edo_clock_ns() < edo_load(&small_until, relaxed)) {
        madvise(pages, size, MADV_NOHUGEPAGE); /* also where all memory is of huge ones */
#ifdef MADV_POPULATE_WRITE
        /* All of them in one call, which is less than a fault for each. An older kernel has them made by these. */
        madvise(pages, size, MADV_POPULATE_WRITE);
#endif
        return;
    }
    madvise(pages, size, MADV_HUGEPAGE);
    uint64_t before = thread_ns();
    *(volatile char *)pages = 0;
    bool dear = thread_ns() - before > DEAR_NS;
    if (edo_unlikely(fault_now(&huge_fault) || dear))
        edo_store(&small_until, edo_clock_ns() + PENANCE_NS, relaxed);
}

void *edo_pages_map(size_t size)
{
    enum { HUGE = 2 << 20 };
    if (edo_unlikely(fault_now(&pages_fault)))
        return NULL;
    int error = errno;
    /* Twice as many, and what is before and behind the aligned part goes back. */
    char *mapped = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) {
        errno = error;
        return NULL;
    }
    size_t before = -(uintptr_t)mapped & (size - 1);
    if (before > 0)
        munmap(mapped, before);
    mapped += before;
    munmap(mapped + size, size - before);
    if (size >= HUGE)
        ask_for_huge(mapped, size);
    errno = error;
    return mapped;
}

void edo_pages_unmap(void *pages, size_t size)
{
    int error = errno;
    /* It fails when there are as many mappings as there may be, and this would be one more. */
    if (munmap(pages, size) != 0)
        madvise(pages, size, MADV_DONTNEED);
    errno = error;
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

/* A pause is some 40 ns on the processors of today, 140 cycles at most; a spin is 40 us at most. The longest
 * pause in one piece is what a holder may go on for: some tens of operations. Who has slept once does not spin again:
 * there are more threads than processors, and the holder wants one. Sleeps grow from 50 us to 800. */
enum {
    SPIN_ROUNDS = 6,
    SPIN_PAUSES = 32,
    SPIN_PAUSES_MOST = 256,
    SPIN_SLEEP_NS = 50000,
    SPIN_LONGER = 4
};

void edo_spin_wait(struct edo_lock *lock, uint32_t round)
{
    (void)lock;
    if (round >= SPIN_ROUNDS) {
        uint32_t sleeps = round - SPIN_ROUNDS;
        struct timespec time = {.tv_nsec = SPIN_SLEEP_NS
                                           << (sleeps < SPIN_LONGER ? sleeps : SPIN_LONGER)};
        int error = errno;
        /* Not the C library's, in which a thread may be cancelled: with the locks that it holds. */
        syscall(SYS_nanosleep, &time, NULL);
        errno = error;
        return;
    }
    int pauses = SPIN_PAUSES << round;
    if (pauses > SPIN_PAUSES_MOST)
        pauses = SPIN_PAUSES_MOST;
    for (int i = 0; i < pauses; i++)
        edo_pause();
}

/* An event is a futex word. The waiter alone takes SET and puts WAITS; the setter replaces either, and has
 * the kernel wake a waiter only if there was one. Its last touch of the word is the exchange: the kernel
 * takes the address alone, which may be somebody else's by then, or nobody's; that wakes somebody for nothing
 * at worst, and whoever waits on a futex looks again. */
enum { EMPTY, SET, WAITS };

static void futex_wake(const _Atomic(uint32_t) *word)
{
    int error = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1);
    errno = error;
}

void edo_event_init(struct edo_event *event)
{
    edo_init(&event->word_, EMPTY);
}

void edo_event_destroy(struct edo_event *event)
{
    (void)event;
}

void edo_event_set(struct edo_event *event)
{
    if (edo_exchange(&event->word_, SET, release) == WAITS)
        futex_wake(&event->word_);
}

bool edo_event_wait_until(struct edo_event *event, uint64_t deadline)
{
    struct timespec until = {(time_t)(deadline / 1000000000u), (long)(deadline % 1000000000u)};
    uint32_t empty = EMPTY;
    bool late = false;
    if (edo_cas(&event->word_, &empty, WAITS, relaxed, relaxed)) {
        /* Returns when it is woken, when the word has changed, for a signal, or for nothing; and -1
         * with ETIMEDOUT when CLOCK_MONOTONIC is so far. */
        while (!late && edo_load(&event->word_, relaxed) == WAITS)
            late =
                syscall(SYS_futex, &event->word_, FUTEX_WAIT_BITSET_PRIVATE, WAITS,
                        deadline == UINT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY) < 0 &&
                errno == ETIMEDOUT;
    }
    return edo_exchange(&event->word_, EMPTY, acquire) == SET;
}

void edo_event_wait(struct edo_event *event)
{
    edo_event_wait_until(event, UINT64_MAX);
}

/* The kernel has whoever gives the processor away wait for a whole turn of each other thread that wants it, which may
 * be milliseconds; one that sleeps is preferred when it wakes. So once that has taken long, nothing is given
 * away for 64 times as long. */
static bool give_away(uint32_t round)
{
    enum { GIFTS = 4, LONG_NS = 100000, LONGEST_NS = 100000000, PENANCE = 64 };
    static _Atomic(uint64_t) crowded_until;
    if (round >= GIFTS)
        return false;
    uint64_t before = edo_clock_ns();
    /* Relaxed: a number that stands for itself. Several threads may overwrite each other's. */
    if (before < edo_load(&crowded_until, relaxed))
        return false;
    sched_yield();
    uint64_t after = edo_clock_ns(), took = after - before;
    /* What took longer was the whole process's: it was stopped. */
    if (took > LONGEST_NS)
        took = LONGEST_NS;
    if (took > LONG_NS)
        edo_store(&crowded_until, after + PENANCE * took, relaxed);
    return true;
}

bool edo_linger(uint32_t round, bool single)
{
    enum { ROUNDS = 16, PAUSES = 16 };
    if (single)
        return give_away(round);
    if (round >= ROUNDS)
        return false;
    for (int i = 0; i < PAUSES; i++)
        edo_pause();
    return true;
}

/* What a thread takes with it. */
struct start {
    void *(*run)(void *);
    void *arg;
    char name[16];
};

static void *thread_main(void *arg)
{
    struct start start = *(struct start *)arg;
    edo_free(arg);
    if (start.name[0] != '\0')
        pthread_setname_np(pthread_self(), start.name);
    return start.run(start.arg);
}

static size_t stack_size(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
    if (size < least)
        size = least;
    return size > SIZE_MAX - page ? SIZE_MAX / page * page : (size + page - 1) / page * page;
}

int edo_thread_start(struct edo_thread_id *id, const struct edo_thread_options *options,
                     void *(*run)(void *), void *arg)
{
    if (fault_now(&thread_fault))
        return -EAGAIN;
    struct start *start = edo_malloc(sizeof *start);
    if (start == NULL)
        return -ENOMEM;
    *start = (struct start){run, arg, ""};
    if (options != NULL && options->name != NULL)
        snprintf(start->name, sizeof start->name, "%s", options->name);
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        if (options != NULL && options->stack_size != 0)
            error = pthread_attr_setstacksize(&attributes, stack_size(options->stack_size));
        if (error == 0)
            error = pthread_create(&id->value_, &attributes, thread_main, start);
        pthread_attr_destroy(&attributes);
    }
    if (error != 0)
        edo_free(start);
    return -error;
}

void edo_thread_join(struct edo_thread_id id)
{
    pthread_join(id.value_, NULL);
}

void edo_thread_detach(struct edo_thread_id id)
{
    pthread_detach(id.value_);
}

struct edo_thread_id edo_thread_self(void)
{
    return (struct edo_thread_id){pthread_self()};
}

void edo_thread_yield(void)
{
    sched_yield();
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
